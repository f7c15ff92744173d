#include "tests/gitlab/paging.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* ---- selection ---- */

static bool in_range(const struct gl_range *range, int64_t ms)
{
    return !range->given || (ms != 0 && ms >= range->low && ms <= range->high);
}

static bool has_iid(const struct gl_query *q, int64_t iid)
{
    for (unsigned i = 0; i < q->n_iids; i++) {
        if (q->iids[i] == iid) {
            return true;
        }
    }
    return q->n_iids == 0;
}

static bool matches(const struct gl_model *model, const struct gl_project *project,
                    const struct gl_query *q, const struct gl_obj *obj)
{
    if (!in_range(&q->updated, obj->updated_ms)) {
        return false;
    }
    if (!q->filtered) {
        return true;
    }
    if (q->pipeline_id && obj->raw && project->rows[obj->raw - 1].pipeline_id != q->pipeline_id) {
        return false;
    }
    if ((q->no_retried && obj->flags & GL_F_RETRIED) ||
        (q->no_children && q->type < 0 && obj->upstream) ||
        (q->note_kind >= 0 && (q->note_kind != obj->type || q->note_of != obj->parent))) {
        return false;
    }
    if (q->author_id) {
        int64_t author = obj->raw                       ? project->rows[obj->raw - 1].author_id
                         : obj->author < model->n_users ? model->users[obj->author].id
                                                        : 0;

        if (author != q->author_id) {
            return false;
        }
    }
    return in_range(&q->created, obj->created_ms) && in_range(&q->finished, obj->finished_ms) &&
           (q->states == 0 || q->states >> obj->state & 1) &&
           (q->type < 0 || q->type == obj->type) && (q->env < 0 || q->env == obj->type) &&
           has_iid(q, obj->iid);
}

static int64_t key_of(const struct gl_obj *obj, enum gl_order order)
{
    switch (order) {
    case GL_BY_UPDATED:
        return obj->updated_ms ? obj->updated_ms : INT64_MAX;
    case GL_BY_CREATED:
        return obj->created_ms;
    case GL_BY_FINISHED:
        return obj->finished_ms ? obj->finished_ms : INT64_MAX;
    case GL_BY_ID:
    default:
        return obj->id;
    }
}

struct view {
    const struct gl_set *set;
    const uint32_t *index;
    uint32_t n;
    enum gl_order order;
};

/* How many of the view come before (key, id); with after_equal those that equal it count too. */
static uint32_t count_before(const struct view *v, int64_t key, int64_t id, bool after_equal)
{
    uint32_t low = 0;
    uint32_t high = v->n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct gl_obj *obj = &v->set->items[v->index[mid]];
        int64_t k = key_of(obj, v->order);
        bool before = k != key ? k < key : obj->id < id || (after_equal && obj->id == id);

        if (before) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static int compare_finished(const void *a, const void *b, void *ctx)
{
    const struct gl_set *set = ctx;
    const struct gl_obj *x = &set->items[*(const uint32_t *)a];
    const struct gl_obj *y = &set->items[*(const uint32_t *)b];
    int64_t kx = key_of(x, GL_BY_FINISHED);
    int64_t ky = key_of(y, GL_BY_FINISHED);

    return kx != ky ? (kx < ky ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
}

/* Walks low..high of the view in the query's direction. */
static void walk(const struct gl_model *model, const struct gl_project *project,
                 const struct view *v, const struct gl_query *q, uint32_t low, uint32_t high,
                 struct gl_page *page)
{
    int64_t skip = q->keyset ? 0 : (q->page - 1) * q->per_page;
    int64_t seen = 0;

    if (!q->filtered && !(q->updated.given && q->order != GL_BY_UPDATED)) {
        /* All of them match: no need to look. */
        int64_t n = high - low;

        page->total = n;
        for (int64_t i = skip; i < n && page->n < q->per_page; i++) {
            page->pos[page->n++] = v->index[q->desc ? high - 1 - i : low + i];
        }
        page->more = skip + page->n < n;
        return;
    }
    for (uint32_t i = 0; i < high - low; i++) {
        uint32_t pos = v->index[q->desc ? high - 1 - i : low + i];

        if (!matches(model, project, q, &v->set->items[pos])) {
            continue;
        }
        if (seen >= skip && page->n < q->per_page) {
            page->pos[page->n++] = pos;
        } else if (seen >= skip) {
            page->more = true;
            if (q->keyset) {
                return;
            }
        }
        seen++;
    }
    page->total = seen;
}

/* Where a position stands in by_id, which leaves out what is gone. */
static uint32_t view_of(const struct gl_set *set, uint32_t pos)
{
    uint32_t low = 0;
    uint32_t high = set->n_live;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (set->by_id[mid] < pos) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

void gl_select(const struct gl_model *model, const struct gl_project *project,
               const struct gl_set *set, const struct gl_query *q, struct gl_page *page)
{
    struct view v = {set, set->by_id, set->n_live, q->order};
    uint32_t low = 0;
    uint32_t high = set->n_live;
    uint32_t *sorted = NULL;

    page->n = 0;
    page->total = 0;
    page->more = false;
    if (q->order == GL_BY_UPDATED) {
        v.index = set->by_updated;
        if (q->updated.given) {
            low = count_before(&v, q->updated.low, INT64_MIN, false);
            high = count_before(&v, q->updated.high, INT64_MAX, true);
        }
    } else if (q->order == GL_BY_FINISHED && set->n_live > 0) {
        sorted = wh_mem_alloc(set->n_live * sizeof(*sorted));
        if (sorted) {
            struct gl_set copy = *set;

            memcpy(sorted, set->by_id, set->n_live * sizeof(*sorted));
            qsort_r(sorted, set->n_live, sizeof(*sorted), compare_finished, &copy);
            v.index = sorted;
        }
    } else if (q->to_pos > 0) {
        low = view_of(set, q->from_pos);
        high = view_of(set, q->to_pos);
    }
    if (q->after_cursor && q->desc) {
        uint32_t end = count_before(&v, q->cursor_key, q->cursor_id, false);

        high = end < high ? end : high;
    } else if (q->after_cursor) {
        uint32_t start = count_before(&v, q->cursor_key, q->cursor_id, true);

        low = start > low ? start : low;
    }
    if (low < high) {
        walk(model, project, &v, q, low, high, page);
    }
    wh_mem_free(sorted);
}

/* ---- headers ---- */

void gl_header(struct gl_headers *h, const char *name, const char *fmt, ...)
{
    size_t room = sizeof(h->text) - h->used;
    va_list ap;
    int n;

    if (h->n == sizeof(h->items) / sizeof(h->items[0]) || room < 2) {
        return;
    }
    va_start(ap, fmt);
    n = vsnprintf(h->text + h->used, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room) {
        return;
    }
    h->items[h->n++] =
        (struct wh_http_header){wh_slice_str(name), wh_slice(h->text + h->used, (size_t)n)};
    h->used += (size_t)n + 1;
}

/* The query without what says which page. */
static void plain_query(struct wh_slice raw, char *to, size_t max)
{
    static const char *const own[] = {"page=", "per_page=", "cursor=", "id_after=", "id_before="};
    size_t used = 0;

    to[0] = '\0';
    while (raw.len > 0) {
        const char *end = memchr(raw.ptr, '&', raw.len);
        struct wh_slice part = {raw.ptr, end ? (size_t)(end - raw.ptr) : raw.len};
        bool skip = part.len == 0 || used + part.len + 2 > max;

        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
            skip = skip || wh_slice_starts(part, wh_slice_str(own[i]));
        }
        if (!skip) {
            memcpy(to + used, part.ptr, part.len);
            used += part.len;
            to[used++] = '&';
            to[used] = '\0';
        }
        raw = end ? wh_slice_from(raw, part.len + 1) : (struct wh_slice){0};
    }
}

static void offset_links(struct gl_headers *h, const struct gl_query *q, const struct gl_page *page,
                         const char *base, const char *path, const char *query)
{
    bool counted = page->total <= GL_TOTAL_MAX;
    int64_t last = page->total > 0 ? (page->total + q->per_page - 1) / q->per_page : 1;
    /* The server's library refuses empty values; clients see this as one. */
    static const char empty[] = " ";
    char link[2048];
    const struct {
        const char *rel;
        int64_t page;
        bool there;
    } rels[] = {{"prev", q->page - 1, q->page > 1},
                {"next", q->page + 1, page->more},
                {"first", 1, true},
                {"last", last, counted}};
    size_t used = 0;

    for (size_t i = 0; i < sizeof(rels) / sizeof(rels[0]); i++) {
        int n = !rels[i].there
                    ? 0
                    : snprintf(link + used, sizeof(link) - used,
                               "%s<%s%s?%spage=%" PRId64 "&per_page=%" PRId64 ">; rel=\"%s\"",
                               used ? ", " : "", base, path, query, rels[i].page, q->per_page,
                               rels[i].rel);

        if (n > 0 && (size_t)n < sizeof(link) - used) {
            used += (size_t)n;
        }
    }
    link[used] = '\0';
    gl_header(h, "Link", "%s", link);
    if (page->more) {
        gl_header(h, "X-Next-Page", "%" PRId64, q->page + 1);
    } else {
        gl_header(h, "X-Next-Page", "%s", empty);
    }
    gl_header(h, "X-Page", "%" PRId64, q->page);
    gl_header(h, "X-Per-Page", "%" PRId64, q->per_page);
    if (q->page > 1) {
        gl_header(h, "X-Prev-Page", "%" PRId64, q->page - 1);
    } else {
        gl_header(h, "X-Prev-Page", "%s", empty);
    }
    if (counted) {
        gl_header(h, "X-Total", "%" PRId64, page->total);
        gl_header(h, "X-Total-Pages", "%" PRId64, last);
    }
}

void gl_page_headers(struct gl_headers *h, const struct gl_query *q, const struct gl_page *page,
                     const struct gl_set *set, const char *base, const char *path,
                     struct wh_slice raw_query)
{
    char query[1024];
    const struct gl_obj *last;

    plain_query(raw_query, query, sizeof(query));
    if (!q->keyset) {
        offset_links(h, q, page, base, path, query);
        return;
    }
    if (!page->more || page->n == 0) {
        return;
    }
    last = &set->items[page->pos[page->n - 1]];
    gl_header(h, "Link",
              "<%s%s?%sper_page=%" PRId64 "&cursor=%" PRId64 "_%" PRId64 ">; rel=\"next\"", base,
              path, query, q->per_page, key_of(last, q->order), last->id);
}
