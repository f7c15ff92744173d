/* GET /api/v1/search?_search=TEXT: full-text search, references first. */
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/sink/api/search_priv.h"

enum { SIZE_DEFAULT = 20, PLACE_BYTES = 16, TITLE_MAX = 256 };

/* ---- the request ---- */

/* A page begins behind a hit: the bits of its score, and its row. */
static enum wh_rc read_next(struct api_search *s, struct wh_err *err)
{
    struct wh_slice next = api_arg(&s->reading.job->request, "_next");
    WH_AUTO(buf) struct wh_buf bytes;
    uint64_t bits;

    wh_buf_init(&bytes, PLACE_BYTES);
    if (next.len == 0) {
        return WH_OK;
    }
    if (wh_hex_decode(next, &bytes, err) != WH_OK || bytes.len != PLACE_BYTES) {
        return wh_fail(err, WH_E_INVALID, "_next is not the value of next of an earlier page");
    }
    bits = wh_be_get64(bytes.ptr);
    memcpy(&s->query.after.score, &bits, sizeof(bits));
    s->query.after.row = (int64_t)wh_be_get64(bytes.ptr + 8);
    s->query.after.set = true;
    return WH_OK;
}

static enum wh_rc write_next(struct api_search *s, struct wh_err *err)
{
    const struct search_place *last = &s->answer.hits[s->answer.n_hits - 1].place;
    unsigned char bytes[PLACE_BYTES];
    uint64_t bits;

    memcpy(&bits, &last->score, sizeof(bits));
    wh_be_put64(bytes, bits);
    wh_be_put64(bytes + 8, (uint64_t)last->row);
    return wh_hex_encode(wh_slice(bytes, sizeof(bytes)), &s->next, err);
}

static enum wh_rc read_kind(struct api_search *s, struct wh_err *err)
{
    s->kind = api_arg(&s->reading.job->request, "kind");
    if (s->kind.len == 0) {
        return WH_OK;
    }
    s->query.whats = search_what_mask(s->kind);
    return s->query.whats
               ? WH_OK
               : wh_fail(err, WH_E_INVALID,
                         "no kind %.*s; there are issue, incident, merge_request, comment, "
                         "pipeline, job, project, service, customer and others (/api/v1/kinds)",
                         (int)(s->kind.len < 40 ? s->kind.len : 40), s->kind.ptr);
}

static enum wh_rc read_request(struct api_search *s, struct wh_err *err)
{
    const struct api_request *r = &s->reading.job->request;
    int64_t size = SIZE_DEFAULT;

    s->text = api_arg(r, "_search");
    s->text = s->text.ptr ? s->text : api_arg(r, "q");
    if (s->text.ptr == NULL) {
        return wh_fail(err, WH_E_INVALID, "no text: GET ?_search=words");
    }
    if (api_arg_int(r, "_size", 1, SEARCH_HITS_MAX, SIZE_DEFAULT, &size, err) != WH_OK ||
        read_kind(s, err) != WH_OK || read_next(s, err) != WH_OK) {
        return err->rc;
    }
    s->reading.when = SINK_NOW;
    s->query.text = s->text;
    s->query.size = (size_t)size;
    s->query.confidential = !s->reading.job->limited;
    return WH_OK;
}

/* ---- rows ---- */

/* Records without a title are called by what they belong to. */
static enum wh_rc make_title(struct api_search *s, struct api_search_row *row, struct wh_err *err)
{
    const struct wh_head *h = row->head;
    const struct wh_value *item = past_field(h, "work_item");
    struct wh_slice ref = past_string(h, "ref");
    const struct wh_head *about = NULL;
    char text[TITLE_MAX];

    text[0] = '\0';
    if (h->body.def->kind == WH_KIND_BUILD_RECORD) {
        (void)snprintf(text, sizeof(text), "Pipeline %.*s%s%.*s", WH_SLICE_ARG(h->source.id),
                       ref.len ? " of " : "", WH_SLICE_ARG(ref));
    } else if (h->body.def->kind == WH_KIND_NOTE && item) {
        if (past_head(s->reading.past, WH_KIND_WORK_ITEM, &item->u.ref, &s->reading.arena, &about,
                      err) != WH_OK) {
            return err->rc;
        }
        (void)snprintf(text, sizeof(text), "Comment on %.*s",
                       WH_SLICE_ARG(about ? past_string(about, "title") : WH_LIT("?")));
    }
    return wh_arena_dup(&s->reading.arena, wh_slice_str(text), &row->title, err);
}

static enum wh_rc read_title(struct api_search *s, struct api_search_row *row, struct wh_err *err)
{
    static const char *const names[] = {"title", "name", "environment_name", "product", "service"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && row->title.len == 0; i++) {
        const struct wh_value *v = past_field(row->head, names[i]);
        int at = wh_kind_field(row->head->body.def, wh_slice_str(names[i]));

        if (v && row->head->body.def->fields[at].type == WH_FIELD_STRING &&
            past_text(s->reading.past, row->head, names[i], &s->reading.arena, &row->title, err) !=
                WH_OK) {
            return err->rc;
        }
    }
    return row->title.len ? WH_OK : make_title(s, row, err);
}

static enum wh_rc read_project(struct api_search *s, struct api_search_row *row, struct wh_err *err)
{
    const struct wh_value *project = past_field(row->head, "project");
    const struct wh_head *of = NULL;

    if (row->head->body.def->kind == WH_KIND_PROJECT) {
        row->project_path = past_string(row->head, "path");
    }
    if (project == NULL || row->head->body.def->kind == WH_KIND_SERVICE_OWNERSHIP) {
        return WH_OK;
    }
    if (past_head(s->reading.past, WH_KIND_PROJECT, &project->u.ref, &s->reading.arena, &of, err) !=
        WH_OK) {
        return err->rc;
    }
    row->project_path = of ? past_string(of, "path") : (struct wh_slice){NULL, 0};
    return WH_OK;
}

static bool is_shown(const struct api_search *s, const struct wh_head *head)
{
    for (size_t i = 0; i < s->n_rows; i++) {
        if (wh_entity_id_cmp(&s->rows[i].head->id, &head->id) == 0) {
            return true;
        }
    }
    return false;
}

/* The store has the last word: whether the record is there, and who may see it. */
static enum wh_rc add_row(struct api_search *s, enum wh_kind kind, const struct wh_entity_id *id,
                          const struct search_hit *hit, struct wh_err *err)
{
    struct api_search_row row = {.hit = hit};

    if (past_head(s->reading.past, kind, id, &s->reading.arena, &row.head, err) != WH_OK) {
        return err->rc;
    }
    if (row.head == NULL || is_shown(s, row.head)) {
        return WH_OK;
    }
    if (search_look(s->reading.past, row.head, &s->reading.arena, &row.what, &row.confidential,
                    err) != WH_OK) {
        return err->rc;
    }
    if ((row.confidential && !s->query.confidential) ||
        (s->query.whats && !(s->query.whats >> row.what & 1))) {
        return WH_OK;
    }
    if (hit && hit->former &&
        search_revision_number(s->reading.job->api->deps.store, s->reading.snap, kind, id,
                               hit->version, &row.revision, err) != WH_OK) {
        return err->rc;
    }
    if (read_title(s, &row, err) != WH_OK || read_project(s, &row, err) != WH_OK) {
        return err->rc;
    }
    s->rows[s->n_rows++] = row;
    return WH_OK;
}

static enum wh_rc add_references(struct api_search *s, struct wh_err *err)
{
    struct past_found found[API_SEARCH_REFERENCES];
    size_t most = s->query.size < API_SEARCH_REFERENCES ? s->query.size : API_SEARCH_REFERENCES;
    size_t n = 0;
    enum wh_rc rc = WH_OK;

    if (!s->query.after.set) {
        rc = search_references(s->reading.past, s->reading.job->api->deps.store, s->reading.snap,
                               s->text, found, most, &n, err);
    }
    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        rc = add_row(s, found[i].kind, &found[i].id, NULL, err);
    }
    /* Hits take what is left of the page; one at least, behind which the next page begins. */
    s->query.size = s->query.size > s->n_rows ? s->query.size - s->n_rows : 1;
    return rc;
}

static enum wh_rc add_hits(struct api_search *s, struct wh_err *err)
{
    struct search *index = s->reading.job->api->deps.search;
    enum wh_rc rc =
        index ? search_run(index, &s->query, &s->reading.arena, &s->answer, err) : WH_E_UNAVAILABLE;

    if (index) {
        search_status_get(index, &s->status);
    }
    if (rc == WH_E_UNAVAILABLE) {
        s->status.ready = false;
        s->status.building = true;
        return WH_OK;
    }
    for (size_t i = 0; rc == WH_OK && i < s->answer.n_hits; i++) {
        rc = add_row(s, s->answer.hits[i].kind, &s->answer.hits[i].id, &s->answer.hits[i], err);
    }
    if (rc == WH_OK && s->answer.more && s->answer.n_hits) {
        rc = write_next(s, err);
    }
    return rc;
}

static enum wh_rc answer(void *ctx, struct wh_err *err)
{
    struct api_search *s = ctx;
    void *memory = NULL;

    if (wh_arena_zalloc(&s->reading.arena, s->query.size + API_SEARCH_REFERENCES, sizeof(*s->rows),
                        &memory, err) != WH_OK) {
        return err->rc;
    }
    s->rows = memory;
    if (add_references(s, err) != WH_OK || add_hits(s, err) != WH_OK) {
        return err->rc;
    }
    return api_search_write(s, err);
}

static bool is_over(void *ctx)
{
    const struct api_reading *r = ctx;

    return atomic_load(&r->job->canceled) ||
           wh_clock_mono_ns(&r->job->api->deps.clock) > r->deadline_ns;
}

enum wh_rc api_answer_search(struct api_job *job, struct wh_err *err)
{
    struct api_search s = {.reading = {.job = job}};
    enum wh_rc rc;

    s.query.over = is_over;
    s.query.ctx = &s.reading;
    wh_buf_init(&s.next, API_SEARCH_NEXT_MAX);
    rc = read_request(&s, err);
    rc = rc == WH_OK ? api_read_state(&s.reading, answer, &s, err) : rc;
    wh_buf_done(&s.next);
    return rc;
}
