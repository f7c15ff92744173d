/*
 * GET /api/v1/model[/KIND]: the kinds, their fields, and what fills them. What fills a field is what the mapper has
 * published about its views (event/health.h); counts, shares of null and examples come from the store.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/event/health.h"
#include "common/json/json_copy.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"

enum {
    SAMPLE_ROWS = 1000, /* the rows of a kind that changed last */
    EXAMPLE_MAX = 200,  /* bytes */
    QUERY_MAX_BYTES = 8 << 10,
    SOURCES_MAX_BYTES = 4 << 20,
    SOURCES_MAX_DEPTH = 16,
};

/* ---- queries ---- */

struct first_value {
    struct wh_arena *arena;
    struct sql_value value;
};

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx, (void)names, (void)n, (void)err;
    return WH_OK;
}

static enum wh_rc keep_value(struct wh_arena *arena, const struct sql_value *value,
                             struct sql_value *ret, struct wh_err *err)
{
    *ret = *value;
    return value->type == SQL_TEXT ? wh_arena_dup(arena, value->bytes, &ret->bytes, err) : WH_OK;
}

static enum wh_rc on_first(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                           struct wh_err *err)
{
    struct first_value *first = ctx;

    (void)ret_full;
    return n ? keep_value(first->arena, &values[0], &first->value, err) : WH_OK;
}

static enum wh_rc run(struct api_job *job, struct wh_slice text, const struct sql_rows *rows,
                      struct wh_err *err)
{
    const struct sql_query query = {.text = text,
                                    .timeout_ms = job->api->deps.conf.sql_timeout_ms,
                                    .waited_ms = api_waited_ms(job),
                                    .max_rows = SAMPLE_ROWS,
                                    .canceled = &job->canceled};
    struct sql_outcome outcome;

    return sql_run(job->api->engine, &query, rows, &outcome, err);
}

/* The first value of the first row; NULL when there is no row. */
static enum wh_rc ask_one(struct api_job *job, const char *sql, struct sql_value *ret,
                          struct wh_err *err)
{
    struct first_value first = {.arena = &job->arena};
    const struct sql_rows rows = {on_columns, on_first, &first};
    enum wh_rc rc = run(job, wh_slice_str(sql), &rows, err);

    *ret = first.value;
    return rc;
}

/* ---- a sample of a kind's rows ---- */

struct sampled_field {
    int64_t shown; /* rows in which it is not null */
    struct sql_value example;
};

struct sample {
    struct wh_arena *arena;
    struct sampled_field fields[WH_FIELDS_MAX];
    int64_t rows;
};

/* At most EXAMPLE_MAX bytes of whole characters. */
static struct wh_slice beginning(struct wh_slice text)
{
    size_t n = text.len < EXAMPLE_MAX ? text.len : EXAMPLE_MAX;

    while (n < text.len && n > 0 && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) {
        n--;
    }
    return wh_slice(text.ptr, n);
}

static enum wh_rc on_sample(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                            struct wh_err *err)
{
    struct sample *s = ctx;

    (void)ret_full;
    s->rows++;
    for (size_t i = 0; i < n && i < WH_FIELDS_MAX; i++) {
        struct sql_value value = values[i];

        if (value.type == SQL_NULL) {
            continue;
        }
        value.bytes = beginning(value.bytes);
        if (s->fields[i].shown++ == 0 &&
            keep_value(s->arena, &value, &s->fields[i].example, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static bool has_column(const struct sql_column *columns, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* "select "title", ... from work_items order by changed_at desc"; a field that is no column is null. */
static enum wh_rc sample_query(const struct wh_kind_def *def, struct wh_buf *out,
                               struct wh_err *err)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = sql_columns(wh_slice_str(def->table), columns);

    for (unsigned i = 0; i < def->n_fields; i++) {
        const char *name = def->fields[i].name;
        bool there = has_column(columns, n, name);

        if (wh_buf_printf(out, err, "%s%s%s%s", i ? ", " : "select ", there ? "\"" : "",
                          there ? name : "null", there ? "\"" : "") != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_printf(out, err, " from %s%s limit %d", def->table,
                         has_column(columns, n, "changed_at") ? " order by changed_at desc" : "",
                         SAMPLE_ROWS);
}

static enum wh_rc take_sample(struct api_job *job, const struct wh_kind_def *def,
                              struct sample *ret, struct wh_err *err)
{
    const struct sql_rows rows = {on_columns, on_sample, ret};
    WH_AUTO(buf) struct wh_buf query;

    wh_buf_init(&query, QUERY_MAX_BYTES);
    *ret = (struct sample){.arena = &job->arena};
    return sample_query(def, &query, err) == WH_OK ? run(job, wh_buf_slice(&query), &rows, err)
                                                   : err->rc;
}

/* ---- the answer ---- */

static void write_example(struct wh_json_writer *w, enum wh_field_type type,
                          const struct sql_value *v)
{
    wh_jw_key(w, "example");
    if (v->type == SQL_INT && type == WH_FIELD_BOOL) {
        wh_jw_bool(w, v->i != 0);
    } else if (v->type == SQL_INT) {
        wh_jw_int(w, v->i);
    } else if (v->type == SQL_DOUBLE) {
        wh_jw_double(w, v->num);
    } else if (v->type == SQL_TEXT) {
        wh_jw_str(w, v->bytes);
    } else {
        wh_jw_null(w);
    }
}

/* What fills the field; null when the mapper has not said it. */
static void write_source(struct wh_json_writer *w, struct wh_json_val sources, const char *kind,
                         const char *field)
{
    struct wh_json_val v = sources;

    wh_jw_key(w, "source");
    if (sources.doc && wh_json_get(v, WH_LIT("kinds"), &v) &&
        wh_json_get(v, wh_slice_str(kind), &v) && wh_json_get(v, wh_slice_str(field), &v)) {
        wh_jw_value(w, v);
    } else {
        wh_jw_null(w);
    }
}

static void write_field(struct wh_json_writer *w, const struct wh_kind_def *def, unsigned field,
                        const struct sample *s, struct wh_json_val sources)
{
    const struct wh_field_def *f = &def->fields[field];
    const struct wh_kind_def *to = wh_kind_def(f->ref_kind);

    wh_jw_object(w);
    wh_jw_put_str(w, "name", wh_slice_str(f->name));
    wh_jw_put_str(w, "type", wh_slice_str(api_field_type(f->type)));
    wh_jw_put_str(w, "meaning", wh_slice_str(f->doc));
    if (to) {
        wh_jw_put_str(w, "to", wh_slice_str(to->name));
    }
    write_source(w, sources, def->name, f->name);
    wh_jw_key(w, "null_share");
    if (s->rows) {
        wh_jw_double(w, (double)(s->rows - s->fields[field].shown) / (double)s->rows);
    } else {
        wh_jw_null(w);
    }
    write_example(w, f->type, &s->fields[field].example);
    wh_jw_end(w);
}

static void write_link(struct wh_json_writer *w, const struct wh_kind_def *from,
                       const struct wh_field_def *f, const struct wh_kind_def *to)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "from", wh_slice_str(from->name));
    wh_jw_put_str(w, "relation", wh_slice_str(f->name));
    wh_jw_put_str(w, "to", wh_slice_str(to->name));
    wh_jw_end(w);
}

/* The references of the kind, and those of others to it. */
static void write_links(struct wh_json_writer *w, const struct wh_kind_def *def)
{
    wh_jw_key(w, "links");
    wh_jw_array(w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *from = wh_kind_def((enum wh_kind)k);

        for (unsigned i = 0; i < from->n_fields; i++) {
            const struct wh_kind_def *to = wh_kind_def(from->fields[i].ref_kind);

            if (to && (from == def || to == def)) {
                write_link(w, from, &from->fields[i], to);
            }
        }
    }
    wh_jw_end(w);
}

static enum wh_rc write_kind(struct api_job *job, const struct wh_kind_def *def,
                             struct wh_json_val sources, struct wh_json_writer *w,
                             struct wh_err *err)
{
    struct sql_value count;
    struct sample s = {.arena = &job->arena};
    char sql[96];

    (void)snprintf(sql, sizeof(sql), "select count(*) from %.64s", def->table);
    if (ask_one(job, sql, &count, err) != WH_OK || take_sample(job, def, &s, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "kind", wh_slice_str(def->name));
    wh_jw_put_str(w, "table", wh_slice_str(def->table));
    wh_jw_put_str(w, "meaning", wh_slice_str(def->doc));
    wh_jw_put_int(w, "count", count.i);
    wh_jw_put_int(w, "sampled", s.rows);
    wh_jw_key(w, "fields");
    wh_jw_array(w);
    for (unsigned i = 0; i < def->n_fields; i++) {
        write_field(w, def, i, &s, sources);
    }
    wh_jw_end(w);
    write_links(w, def);
    wh_jw_end(w);
    return WH_OK;
}

/* What the mapper has published; sources.doc is NULL when it has not. */
static enum wh_rc read_sources(struct api_job *job, struct wh_json_parser *parser,
                               struct wh_json_val *ret, struct wh_err *err)
{
    struct sql_value document;

    *ret = (struct wh_json_val){NULL, 0};
    if (ask_one(job,
                "select document from health_documents where connection = '" WH_MODEL_OWNER "'",
                &document, err) != WH_OK) {
        return err->rc;
    }
    return document.type == SQL_TEXT ? wh_json_parse(parser, document.bytes, ret, err) : WH_OK;
}

static enum wh_rc write_model(struct api_job *job, const struct wh_kind_def *only,
                              struct wh_json_parser *parser, struct wh_json_writer *w,
                              struct wh_err *err)
{
    struct wh_json_val sources;

    if (read_sources(job, parser, &sources, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_key(w, "kinds");
    wh_jw_array(w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        if ((only == NULL || only == def) && write_kind(job, def, sources, w, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

enum wh_rc api_answer_model(struct api_job *job, struct wh_err *err)
{
    const struct wh_kind_def *only = job->id.len ? wh_kind_by_name(job->id) : NULL;
    struct wh_json_parser *parser;
    struct api_json j;
    enum wh_rc rc;

    if (job->id.len && only == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND,
                       "there is no kind of that name; /api/v1/model lists "
                       "all");
    }
    parser = wh_json_parser_new(SOURCES_MAX_BYTES, SOURCES_MAX_DEPTH);
    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the model");
    }
    api_json_begin(&j);
    rc = write_model(job, only, parser, &j.w, err);
    wh_json_parser_free(parser);
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    return api_json_end(&j, job, err);
}
