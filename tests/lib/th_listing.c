#include "tests/lib/th_listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/time.h"

enum { US = 1000 };

struct query {
    int64_t page;
    int64_t per_page;
    int64_t after_us;
    int64_t before_us;
    bool keyset;
    int64_t cursor_us; /* -1: the first page */
    int64_t cursor_id;
};

void th_listing_done(struct th_listing *l)
{
    wh_mem_free(l->rows);
    *l = (struct th_listing){0};
}

static void append(struct th_listing *l, struct th_row row)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 1024;
        l->rows = wh_mem_resize(l->rows, l->cap, sizeof(*l->rows));
        if (l->rows == NULL) {
            abort();
        }
    }
    l->rows[l->n++] = row;
}

void th_listing_add(struct th_listing *l, int64_t us)
{
    append(l, (struct th_row){++l->next_id, us});
    l->now_us = us > l->now_us ? us : l->now_us;
}

void th_listing_delete(struct th_listing *l, size_t index)
{
    memmove(&l->rows[index], &l->rows[index + 1], (l->n - index - 1) * sizeof(l->rows[0]));
    l->n--;
}

void th_listing_touch(struct th_listing *l, size_t index)
{
    struct th_row row = l->rows[index];

    th_listing_delete(l, index);
    row.us = ++l->now_us;
    append(l, row);
}

/* ---- the query ---- */

static bool param(struct wh_slice query, const char *name, char to[128])
{
    size_t n = strlen(name);

    while (query.len) {
        const char *end = memchr(query.ptr, '&', query.len);
        size_t len = end ? (size_t)(end - query.ptr) : query.len;

        if (len > n && memcmp(query.ptr, name, n) == 0 && query.ptr[n] == '=' &&
            len - n - 1 < 128) {
            memcpy(to, query.ptr + n + 1, len - n - 1);
            to[len - n - 1] = '\0';
            return true;
        }
        query = wh_slice_from(query, end ? len + 1 : len);
    }
    return false;
}

static int64_t number(struct wh_slice query, const char *name, int64_t none)
{
    char text[128];

    return param(query, name, text) ? strtoll(text, NULL, 10) : none;
}

/* Times come percent-encoded: their colons. */
static int64_t time_us(struct wh_slice query, const char *name, int64_t none)
{
    char text[128];
    char plain[128];
    struct wh_instant at;
    struct wh_err err;
    size_t n = 0;

    if (!param(query, name, text)) {
        return none;
    }
    for (const char *p = text; *p; p++) {
        if (p[0] == '%' && p[1] == '3' && p[2] == 'A') {
            plain[n++] = ':';
            p += 2;
        } else {
            plain[n++] = *p;
        }
    }
    if (wh_time_parse(wh_slice(plain, n), &at, &err) != WH_OK) {
        abort();
    }
    return at.ms * US;
}

static struct query parse(struct wh_slice url)
{
    const char *mark = memchr(url.ptr, '?', url.len);
    struct wh_slice text =
        mark ? wh_slice_from(url, (size_t)(mark - url.ptr) + 1) : wh_slice("", 0);
    struct query q = {
        .page = number(text, "page", 1),
        .per_page = number(text, "per_page", 20),
        .after_us = time_us(text, "updated_after", INT64_MIN),
        .before_us = time_us(text, "updated_before", INT64_MAX),
        .cursor_us = number(text, "cursor_us", -1),
        .cursor_id = number(text, "cursor_id", 0),
    };
    char way[128];

    q.keyset = param(text, "pagination", way) && strcmp(way, "keyset") == 0;
    return q;
}

/* ---- the page ---- */

static void put_row(struct th_script_answer *a, const struct th_row *row, bool comma)
{
    char text[WH_TIME_TEXT_MAX];
    struct wh_err err;

    if (wh_buf_printf(
            &a->body, &err, "%s{\"id\":%" PRIu64 ",\"iid\":%" PRIu64 ",\"updated_at\":\"%s\"}",
            comma ? "," : "", row->id, row->id, wh_time_format(row->us / US, text)) != WH_OK) {
        abort();
    }
}

static bool past_cursor(const struct query *q, const struct th_row *row)
{
    return !q->keyset || row->us > q->cursor_us ||
           (row->us == q->cursor_us && (int64_t)row->id > q->cursor_id);
}

static void next_link(struct wh_slice url, const struct th_row *last, struct th_script_answer *a)
{
    const char *cut = memmem(url.ptr, url.len, "&cursor_us", 10);

    th_script_header(a, "link", "<%.*s&cursor_us=%" PRId64 "&cursor_id=%" PRIu64 ">; rel=\"next\"",
                     cut ? (int)(cut - url.ptr) : (int)url.len, url.ptr, last->us, last->id);
}

bool th_listing_is_bad(const struct th_listing *l, uint64_t id)
{
    for (size_t i = 0; i < l->n_bad; i++) {
        if (l->bad[i] == id) {
            return true;
        }
    }
    return false;
}

static void do_not_serve(struct th_listing *l, struct th_script_answer *a)
{
    struct wh_err err;

    l->unserved++;
    wh_buf_reset(&a->body);
    if (l->html) {
        (void)!wh_buf_append(&a->body, WH_LIT("<html>502</html>"), &err);
    } else {
        a->status = 500;
    }
}

void th_listing_answer(struct th_listing *l, struct wh_slice url, struct th_script_answer *a)
{
    struct query q = parse(url);
    int64_t skip = q.keyset ? 0 : (q.page - 1) * q.per_page;
    const struct th_row *last = NULL;
    int64_t total = 0;
    int64_t put = 0;
    bool bad = false;
    struct wh_err err;

    if (!q.keyset && l->offset_max && (size_t)(q.page * q.per_page) > l->offset_max) {
        l->refusals++;
        a->status = 405;
        return;
    }
    if (l->down) {
        do_not_serve(l, a);
        return;
    }
    l->requests++;
    l->keyset_pages += q.keyset;
    (void)!wh_buf_append_char(&a->body, '[', &err);
    for (size_t i = 0; i < l->n; i++) {
        const struct th_row *row = &l->rows[i];

        if (row->us < q.after_us || row->us > q.before_us || !past_cursor(&q, row)) {
            continue;
        }
        if (total++ >= skip && put < q.per_page) {
            put_row(a, row, put++ > 0);
            bad = bad || th_listing_is_bad(l, row->id);
            last = row;
        }
    }
    (void)!wh_buf_append_char(&a->body, ']', &err);
    if (bad) {
        do_not_serve(l, a);
        return;
    }
    if (l->no_headers) {
        return;
    }
    if (q.keyset) {
        if (total > put) {
            next_link(url, last, a);
        }
        return;
    }
    if (total > skip + put) {
        th_script_header(a, "x-next-page", "%" PRId64, q.page + 1);
    } else {
        th_script_header(a, "x-next-page", "%s", "");
    }
    if ((size_t)total <= l->total_max) {
        th_script_header(a, "x-total", "%" PRId64, total);
    }
}
