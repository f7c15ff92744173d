/* The answer to a search, as JSON or as CSV. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/csv.h"
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/sink/api/search_priv.h"

enum { ADDRESS_MAX_BYTES = 8192, LINE_MAX_BYTES = 1 << 20, CELLS = 16, TITLE_LETTERS = 80 };

/* ---- one row ---- */

/* A text without its marks. */
static enum wh_rc plain(struct api_search *s, struct wh_slice marked, struct wh_slice *ret,
                        struct wh_err *err)
{
    void *memory = NULL;
    size_t n = 0;

    if (wh_arena_alloc(&s->reading.arena, marked.len + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < marked.len; i++) {
        if (marked.ptr[i] != SEARCH_MARK_BEGIN && marked.ptr[i] != SEARCH_MARK_END) {
            ((char *)memory)[n++] = marked.ptr[i];
        }
    }
    *ret = wh_slice(memory, n);
    return WH_OK;
}

struct cells {
    struct wh_slice title;
    struct wh_slice snippet;
    char id[WH_ENTITY_ID_TEXT + 1];
    char changed_at[WH_TIME_TEXT_MAX];
    char former_at[WH_TIME_TEXT_MAX];
    struct wh_slice state;
};

static enum wh_rc read_cells(struct api_search *s, const struct api_search_row *row,
                             struct cells *ret, struct wh_err *err)
{
    const struct wh_head *h = row->head;

    *ret = (struct cells){.title = row->title};
    if (row->hit && plain(s, row->hit->snippet, &ret->snippet, err) != WH_OK) {
        return err->rc;
    }
    (void)wh_entity_id_format(&h->id, ret->id);
    (void)wh_time_format(wh_head_changed_ms(past_field(h, "updated_at"), h->version),
                         ret->changed_at);
    if (row->hit && row->hit->former) {
        (void)wh_time_format(wh_version_at_ms(row->hit->version.order), ret->former_at);
    }
    ret->state = past_string(h, "state");
    ret->state = ret->state.len ? ret->state : past_string(h, "status");
    return WH_OK;
}

/* [{"text", "match"}]: the parts of a text, one after the other. */
static void write_parts(struct wh_json_writer *w, const char *key, struct wh_slice marked)
{
    bool match = false;
    size_t from = 0;

    wh_jw_key(w, key);
    wh_jw_array(w);
    for (size_t i = 0; i <= marked.len; i++) {
        bool ends = i == marked.len || marked.ptr[i] == SEARCH_MARK_BEGIN ||
                    marked.ptr[i] == SEARCH_MARK_END;

        if (!ends) {
            continue;
        }
        if (i > from) {
            wh_jw_object(w);
            wh_jw_put_str(w, "text", wh_slice(marked.ptr + from, i - from));
            wh_jw_put_bool(w, "match", match);
            wh_jw_end(w);
        }
        match = i < marked.len && marked.ptr[i] == SEARCH_MARK_BEGIN;
        from = i + 1;
    }
    wh_jw_end(w);
}

static void put_text(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    if (text.len) {
        wh_jw_str(w, text);
    } else {
        wh_jw_null(w);
    }
}

/* What a person reads about a former text. */
static void write_former(struct wh_json_writer *w, const struct api_search_row *row,
                         const struct cells *cells)
{
    char note[128];

    if (row->revision) {
        (void)snprintf(note, sizeof(note), "only in revision %lld; the text is gone now",
                       (long long)row->revision);
    } else {
        (void)snprintf(note, sizeof(note), "only in an older revision; the text is gone now");
    }
    wh_jw_put_int(w, "revision", row->revision);
    wh_jw_put_str(w, "former_at", wh_slice_str(cells->former_at));
    wh_jw_put_str(w, "note", wh_slice_str(note));
}

static void write_row(struct wh_json_writer *w, const struct api_search_row *row,
                      const struct cells *cells, bool parts)
{
    const struct search_hit *hit = row->hit;

    wh_jw_object(w);
    wh_jw_put_str(w, "kind", wh_slice_str(search_what_name(row->what)));
    wh_jw_put_str(w, "id", wh_slice_str(cells->id));
    put_text(w, "title", cells->title);
    put_text(w, "state", cells->state);
    put_text(w, "project_path", row->project_path);
    put_text(w, "url", row->head->source.url);
    wh_jw_put_str(w, "changed_at", wh_slice_str(cells->changed_at));
    wh_jw_put_str(w, "field", wh_slice_str(hit ? hit->field : "reference"));
    put_text(w, "snippet", cells->snippet);
    wh_jw_put_bool(w, "former", hit && hit->former);
    wh_jw_put_bool(w, "deleted", wh_head_is_gone(row->head));
    wh_jw_put_bool(w, "confidential", row->confidential);
    if (hit && hit->former) {
        write_former(w, row, cells);
    }
    if (!parts) {
        wh_jw_end(w);
        return;
    }
    /* The title that a former text had is not the one that the record has. */
    write_parts(w, "title_parts", hit && !hit->former && hit->title.len ? hit->title : row->title);
    write_parts(w, "snippet_parts",
                hit && hit->former && hit->title.len ? hit->title
                : hit                                ? hit->snippet
                                                     : (struct wh_slice){NULL, 0});
    wh_jw_end(w);
}

/* ---- around the rows ---- */

static enum wh_rc add_argument(struct wh_buf *out, const char *name, struct wh_slice value,
                               struct wh_err *err)
{
    if (value.len == 0) {
        return WH_OK;
    }
    return wh_buf_printf(out, err, "&%s=", name) == WH_OK ? wh_percent_encode(value, out, err)
                                                          : err->rc;
}

/* The address of this search, for another kind or another page. */
static enum wh_rc address(const struct api_search *s, struct wh_slice path, struct wh_slice kind,
                          struct wh_slice next, struct wh_buf *out, struct wh_err *err)
{
    struct wh_slice size = api_arg(&s->reading.job->request, "_size");

    wh_buf_reset(out);
    if (wh_buf_append(out, path, err) != WH_OK ||
        wh_buf_append(out, WH_LIT("?_search="), err) != WH_OK ||
        wh_percent_encode(s->text, out, err) != WH_OK ||
        add_argument(out, "kind", kind, err) != WH_OK ||
        add_argument(out, "_size", size, err) != WH_OK) {
        return err->rc;
    }
    return add_argument(out, "_next", next, err);
}

static void write_kind(const struct api_search *s, struct wh_json_writer *w, struct wh_slice name,
                       size_t count, bool selected)
{
    WH_AUTO(buf) struct wh_buf page;
    struct wh_err err;

    wh_buf_init(&page, ADDRESS_MAX_BYTES);
    wh_jw_object(w);
    wh_jw_put_str(w, "kind", name);
    wh_jw_put_int(w, "count", (int64_t)count);
    wh_jw_put_bool(w, "selected", selected);
    if (address(s, WH_LIT("/search"), name, WH_LIT(""), &page, &err) == WH_OK) {
        wh_jw_put_str(w, "page", wh_buf_slice(&page));
    }
    wh_jw_end(w);
}

/* How many records of each kind match, the most first, whichever kind was asked for. */
static void write_kinds(const struct api_search *s, struct wh_json_writer *w)
{
    size_t counts[SEARCH_WHATS_MAX];

    memcpy(counts, s->answer.whats, sizeof(counts));
    wh_jw_key(w, "kinds");
    wh_jw_array(w);
    for (;;) {
        unsigned best = 0;

        for (unsigned i = 1; i < SEARCH_WHATS_MAX; i++) {
            best = counts[i] > counts[best] ? i : best;
        }
        if (counts[best] == 0) {
            break;
        }
        write_kind(s, w, wh_slice_str(search_what_name(best)), counts[best],
                   s->query.whats >> best & 1);
        counts[best] = 0;
    }
    wh_jw_end(w);
}

/* The page of all kinds. */
static void write_all_page(const struct api_search *s, struct wh_json_writer *w)
{
    WH_AUTO(buf) struct wh_buf page;
    struct wh_err err;

    wh_buf_init(&page, ADDRESS_MAX_BYTES);
    if (address(s, WH_LIT("/search"), WH_LIT(""), WH_LIT(""), &page, &err) == WH_OK) {
        wh_jw_put_str(w, "all_page", wh_buf_slice(&page));
    }
}

static const char *mode_text(const struct api_search *s)
{
    if (s->answer.no_words) {
        return "There is no letter and no digit to search for.";
    }
    switch (s->answer.n_hits ? s->answer.mode : SEARCH_AS_TYPED) {
    case SEARCH_ALL_WORDS:
        return "Nothing has these words as they were typed; these records have all of them, the "
               "last one as the beginning of a word.";
    case SEARCH_ANY_WORD:
        return "No record has all of these words; these have some of them.";
    case SEARCH_AS_TYPED:
    default:
        return "";
    }
}

static void write_status(const struct search_status *status, struct wh_json_writer *w)
{
    wh_jw_object(w);
    wh_jw_put_bool(w, "ready", status->ready);
    wh_jw_put_bool(w, "building", status->building);
    wh_jw_put_int(w, "records", (int64_t)status->records);
    wh_jw_put_int(w, "read", (int64_t)status->read);
    wh_jw_put_int(w, "sequence", (int64_t)status->sequence);
    wh_jw_put_int(w, "behind", (int64_t)status->behind);
    wh_jw_put_int(w, "lag_ms", status->lag_ms);
    wh_jw_put_int(w, "bytes", status->bytes);
    put_text(w, "error", wh_slice_str(status->error));
    wh_jw_end(w);
}

void api_write_search_status(const struct api_job *job, struct wh_json_writer *w)
{
    struct search_status status;

    if (job->api->deps.search) {
        search_status_get(job->api->deps.search, &status);
        wh_jw_key(w, "search");
        write_status(&status, w);
    }
}

static enum wh_rc write_next(const struct api_search *s, struct wh_json_writer *w,
                             struct wh_err *err)
{
    struct api_job *job = s->reading.job;
    WH_AUTO(buf) struct wh_buf url;

    wh_buf_init(&url, ADDRESS_MAX_BYTES);
    put_text(w, "next", wh_buf_slice(&s->next));
    if (s->next.len == 0) {
        wh_jw_key(w, "next_url");
        wh_jw_null(w);
        wh_jw_put_bool(w, "truncated", false);
        return WH_OK;
    }
    if (address(s, job->request.path, s->kind, wh_buf_slice(&s->next), &url, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "next_url", wh_buf_slice(&url));
    wh_jw_put_bool(w, "truncated", true);
    if (url.len < sizeof(job->link) - 16) {
        (void)snprintf(job->link, sizeof(job->link), "<%s>; rel=\"next\"", wh_buf_str(&url));
    }
    return WH_OK;
}

static enum wh_rc write_json(struct api_search *s, struct wh_err *err)
{
    struct api_json j;
    enum wh_rc rc = WH_OK;

    api_json_begin(&j);
    put_text(&j.w, "query", wh_utf8_valid(s->text) ? s->text : (struct wh_slice){NULL, 0});
    put_text(&j.w, "kind", s->kind);
    wh_jw_put_int(&j.w, "total", (int64_t)s->answer.total);
    wh_jw_put_bool(&j.w, "partial", s->answer.partial);
    put_text(&j.w, "hint", wh_slice_str(mode_text(s)));
    write_kinds(s, &j.w);
    write_all_page(s, &j.w);
    wh_jw_key(&j.w, "index");
    write_status(&s->status, &j.w);
    wh_jw_key(&j.w, "rows");
    wh_jw_array(&j.w);
    for (size_t i = 0; rc == WH_OK && i < s->n_rows; i++) {
        struct cells cells;

        rc = read_cells(s, &s->rows[i], &cells, err);
        if (rc == WH_OK) {
            /* Agents read texts; marks would only make them longer. */
            write_row(&j.w, &s->rows[i], &cells,
                      !wh_slice_eq(s->reading.job->request.path, WH_LIT("/mcp")));
        }
    }
    wh_jw_end(&j.w);
    rc = rc == WH_OK ? write_next(s, &j.w, err) : rc;
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    return api_json_end(&j, s->reading.job, err);
}

/* ---- CSV ---- */

static const char csv_head[] = "kind,id,title,state,project_path,url,changed_at,field,snippet,"
                               "former,deleted,confidential,revision,former_at\r\n";

static enum wh_rc csv_row(struct api_search *s, const struct api_search_row *row, bool safe,
                          struct wh_buf *line, struct wh_err *err)
{
    struct cells c;
    char flags[96];

    if (read_cells(s, row, &c, err) != WH_OK) {
        return err->rc;
    }
    {
        const struct wh_slice texts[] = {wh_slice_str(search_what_name(row->what)),
                                         wh_slice_str(c.id),
                                         c.title,
                                         c.state,
                                         row->project_path,
                                         row->head->source.url,
                                         wh_slice_str(c.changed_at),
                                         wh_slice_str(row->hit ? row->hit->field : "reference"),
                                         c.snippet};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
            if ((texts[i].len && wh_csv_text(texts[i], safe, line, err) != WH_OK) ||
                wh_buf_append_char(line, ',', err) != WH_OK) {
                return err->rc;
            }
        }
    }
    (void)snprintf(flags, sizeof(flags), "%d,%d,%d,", row->hit && row->hit->former,
                   wh_head_is_gone(row->head), row->confidential);
    return row->revision ? wh_buf_printf(line, err, "%s%lld,%s\r\n", flags,
                                         (long long)row->revision, c.former_at)
                         : wh_buf_printf(line, err, "%s,%s\r\n", flags, c.former_at);
}

static enum wh_rc write_csv(struct api_search *s, bool safe, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf line;
    enum wh_rc rc;

    wh_buf_init(&line, LINE_MAX_BYTES);
    rc = api_spool_write(&s->reading.job->out, wh_slice_str(csv_head), err);
    for (size_t i = 0; rc == WH_OK && i < s->n_rows; i++) {
        wh_buf_reset(&line);
        rc = csv_row(s, &s->rows[i], safe, &line, err);
        rc = rc == WH_OK ? api_spool_write(&s->reading.job->out, wh_buf_slice(&line), err) : rc;
    }
    return rc;
}

enum wh_rc api_search_write(struct api_search *s, struct wh_err *err)
{
    struct api_job *job = s->reading.job;
    enum api_format format = API_JSON;

    if (api_format_of(&job->request, (struct wh_slice){NULL, 0}, &format, err) != WH_OK) {
        return err->rc;
    }
    if (format == API_NDJSON) {
        return wh_fail(err, WH_E_INVALID, "a search gives json, csv or csv-raw");
    }
    job->content_type = api_format_type(format);
    return format == API_JSON ? write_json(s, err) : write_csv(s, format == API_CSV, err);
}
