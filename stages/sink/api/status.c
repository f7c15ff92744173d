/* GET /api/v1/kinds and /api/v1/status. */
#include "stages/sink/api/api_priv.h"
#include "stages/sink/ingest/freshness.h"

enum { TOPICS_MAX = 512 };

static void str(struct wh_json_writer *w, const char *key, const char *text)
{
    wh_jw_key(w, key);
    if (text && text[0]) {
        wh_jw_str(w, wh_slice_str(text));
    } else {
        wh_jw_null(w);
    }
}

static void num(struct wh_json_writer *w, const char *key, int64_t v)
{
    wh_jw_key(w, key);
    wh_jw_int(w, v);
}

/* null while there was none. */
static void time_member(struct wh_json_writer *w, const char *key, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    str(w, key, ms ? wh_time_format(ms, text) : "");
}

static void write_counts(struct wh_json_writer *w, const struct sink_kind_counts *c)
{
    num(w, "entities", (int64_t)(c->entities - c->deleted));
    num(w, "deleted", (int64_t)c->deleted);
    num(w, "revisions", (int64_t)c->revisions);
}

/* ---- kinds ---- */

const char *api_field_type(enum wh_field_type type)
{
    static const char *const names[] = {
        [WH_FIELD_STRING] = "string", [WH_FIELD_LONG] = "integer",
        [WH_FIELD_DOUBLE] = "number", [WH_FIELD_BOOL] = "boolean",
        [WH_FIELD_TIME] = "time",     [WH_FIELD_STRINGS] = "strings",
        [WH_FIELD_REF] = "reference", [WH_FIELD_REFS] = "references",
    };

    return names[type];
}

static void write_field(struct wh_json_writer *w, const struct wh_field_def *f)
{
    const struct wh_kind_def *to = wh_kind_def(f->ref_kind);

    wh_jw_object(w);
    str(w, "name", f->name);
    str(w, "type", api_field_type(f->type));
    if (to) {
        str(w, "to", to->name);
    }
    num(w, "since", f->since);
    str(w, "doc", f->doc);
    wh_jw_end(w);
}

static void write_columns(struct wh_json_writer *w, const char *table)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = sql_columns(wh_slice_str(table), columns);

    wh_jw_key(w, "columns");
    wh_jw_array(w);
    for (size_t i = 0; i < n; i++) {
        wh_jw_object(w);
        str(w, "name", columns[i].name);
        str(w, "type", columns[i].type);
        str(w, "doc", columns[i].doc);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_kind(struct wh_json_writer *w, const struct wh_kind_def *def,
                       const struct sink_status *status)
{
    wh_jw_object(w);
    str(w, "kind", def->name);
    str(w, "table", def->table);
    str(w, "doc", def->doc);
    if (status) {
        write_counts(w, &status->kinds[def->kind]);
    }
    wh_jw_key(w, "fields");
    wh_jw_array(w);
    for (unsigned i = 0; i < def->n_fields; i++) {
        write_field(w, &def->fields[i]);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

static void write_tables(struct wh_json_writer *w)
{
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    wh_jw_key(w, "tables");
    wh_jw_array(w);
    for (size_t i = 0; i < n; i++) {
        wh_jw_object(w);
        str(w, "name", tables[i].name);
        str(w, "view_of", tables[i].base);
        str(w, "doc", tables[i].doc);
        write_columns(w, tables[i].name);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

enum wh_rc api_answer_kinds(struct api_job *job, struct wh_err *err)
{
    struct sink *sink = job->api->deps.sink;
    struct sink_status status;
    struct api_json j;

    if (sink) {
        sink_status_get(sink, &status);
    }
    api_json_begin(&j);
    wh_jw_key(&j.w, "rows");
    wh_jw_array(&j.w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        write_kind(&j.w, wh_kind_def((enum wh_kind)k), sink ? &status : NULL);
    }
    wh_jw_end(&j.w);
    write_tables(&j.w);
    return api_json_end(&j, job, err);
}

/* ---- status ---- */

static void write_lag(struct wh_json_writer *w, int64_t records)
{
    wh_jw_key(w, "lag_records");
    if (records < 0) {
        wh_jw_null(w);
    } else {
        wh_jw_int(w, records);
    }
}

static void seconds(struct wh_json_writer *w, const char *key, double s, bool known)
{
    wh_jw_key(w, key);
    if (known) {
        wh_jw_double(w, s);
    } else {
        wh_jw_null(w);
    }
}

static void write_quantiles(struct wh_json_writer *w, const char *key,
                            const struct sink_freshness *f)
{
    wh_jw_key(w, key);
    wh_jw_object(w);
    num(w, "count", (int64_t)f->count);
    seconds(w, "p50_s", f->p50_s, f->count > 0);
    seconds(w, "p99_s", f->p99_s, f->count > 0);
    wh_jw_end(w);
}

static void write_why(struct wh_json_writer *w, const char *key, const struct sink_why *y,
                      uint64_t all)
{
    char text[SINK_WHY_TEXT_MAX];

    sink_why_text(y, all, text);
    wh_jw_key(w, key);
    wh_jw_object(w);
    num(w, "late", (int64_t)y->counts[SINK_LATE]);
    num(w, "backlog", (int64_t)y->counts[SINK_BACKLOG]);
    num(w, "clock", (int64_t)y->counts[SINK_CLOCK]);
    str(w, "text", text);
    wh_jw_end(w);
}

static void write_freshness(struct wh_json_writer *w, const struct sink_status *s)
{
    wh_jw_key(w, "freshness");
    wh_jw_object(w);
    for (unsigned o = 0; o < WH_ORIGIN_COUNT; o++) {
        write_quantiles(w, wh_origin_name((enum wh_origin)o), &s->freshness[o]);
    }
    wh_jw_end(w);
    /* Of webhooks, by kind: kinds without one in the last day are left out. */
    wh_jw_key(w, "live");
    wh_jw_object(w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        const struct sink_live *l = &s->live[k];

        if (l->receipt_day.count > 0) {
            wh_jw_key(w, wh_kind_def((enum wh_kind)k)->name);
            wh_jw_object(w);
            write_quantiles(w, "receipt_hour", &l->receipt_hour);
            write_quantiles(w, "receipt_day", &l->receipt_day);
            write_quantiles(w, "event_hour", &l->event_hour);
            write_quantiles(w, "event_day", &l->event_day);
            write_why(w, "why_hour", &l->why_hour, l->event_hour.count);
            write_why(w, "why_day", &l->why_day, l->event_day.count);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
}

static void write_core(struct wh_json_writer *w, const struct sink_status *s)
{
    str(w, "state", sink_state_name(s->state));
    str(w, "reason", s->reason);
    time_member(w, "started_at", s->started_at_ms);
    time_member(w, "last_write", s->last_write_ms);
    num(w, "sequence", (int64_t)s->sequence);
    num(w, "observations", (int64_t)s->observations);
    num(w, "duplicates", (int64_t)s->duplicates);
    num(w, "dead_letters", (int64_t)s->dead_letters);
    wh_jw_key(w, "caught_up");
    wh_jw_bool(w, s->caught_up);
    write_lag(w, s->lag_records);
    wh_jw_key(w, "kinds");
    wh_jw_object(w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        wh_jw_key(w, wh_kind_def((enum wh_kind)k)->name);
        wh_jw_object(w);
        write_counts(w, &s->kinds[k]);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    write_freshness(w, s);
}

static enum wh_rc write_topics(struct api_job *job, struct wh_json_writer *w, struct wh_err *err)
{
    struct sink_topic_status *topics;
    void *memory;
    size_t n;

    if (wh_arena_zalloc(&job->arena, TOPICS_MAX, sizeof(*topics), &memory, err) != WH_OK) {
        return err->rc;
    }
    topics = memory;
    n = sink_topics_get(job->api->deps.sink, topics, TOPICS_MAX);
    wh_jw_key(w, "topics");
    wh_jw_array(w);
    for (size_t i = 0; i < n && i < TOPICS_MAX; i++) {
        const struct sink_topic_status *t = &topics[i];

        wh_jw_object(w);
        str(w, "topic", t->topic);
        str(w, "connection", t->connection);
        num(w, "partitions", t->partitions);
        num(w, "stored_records", t->stored_records);
        write_lag(w, t->lag_records);
        wh_jw_key(w, "lag_seconds");
        wh_jw_double(w, t->lag_seconds);
        time_member(w, "last_record", t->last_record_ms);
        wh_jw_key(w, "held");
        wh_jw_bool(w, t->held);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    return WH_OK;
}

static void write_rows(struct rowtopics *rows, struct changes *changes, struct wh_json_writer *w)
{
    struct rowtopics_status now;
    uint64_t last = changes_last(changes);

    rowtopics_status_get(rows, &now);
    wh_jw_key(w, "rows_topics");
    wh_jw_object(w);
    str(w, "state", rowtopics_state_name(now.state));
    str(w, "reason", now.reason);
    num(w, "sequence", (int64_t)now.sequence);
    num(w, "behind", last > now.sequence ? (int64_t)(last - now.sequence) : 0);
    num(w, "rows", (int64_t)now.rows);
    num(w, "sent", (int64_t)now.sent);
    num(w, "tombstones", (int64_t)now.tombstones);
    time_member(w, "compared_at", now.compared_ms);
    wh_jw_end(w);
}

static enum wh_rc write_connections(struct api_job *job, struct wh_json_writer *w,
                                    struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc;

    if (wh_iter_new(job->api->deps.store, NULL, SINK_META, WH_LIT("x"), WH_LIT("y"), &it, err) !=
        WH_OK) {
        return err->rc;
    }
    wh_jw_key(w, "connections");
    wh_jw_array(w);
    for (wh_iter_seek(it, WH_LIT("x"), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        wh_jw_raw(w, value);
    }
    wh_jw_end(w);
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

enum wh_rc api_answer_status(struct api_job *job, struct wh_err *err)
{
    struct sink *sink = job->api->deps.sink;
    struct sink_status status;
    struct api_json j;
    enum wh_rc rc = WH_OK;

    api_json_begin(&j);
    if (job->api->deps.watch) {
        wh_jw_key(&j.w, "health");
        sink_watch_told(job->api->deps.watch, &j.w);
    }
    if (sink) {
        sink_status_get(sink, &status);
        write_core(&j.w, &status);
        rc = write_topics(job, &j.w, err);
    }
    if (job->api->deps.rows) {
        write_rows(job->api->deps.rows, job->api->deps.changes, &j.w);
    }
    api_write_search_status(job, &j.w);
    if (rc == WH_OK) {
        rc = write_connections(job, &j.w, err);
    }
    if (rc == WH_OK) {
        rc = api_write_set_aside(job, &j.w, err);
    }
    if (rc == WH_OK) {
        rc = api_write_successes(job, &j.w, err);
    }
    if (rc == WH_OK) {
        rc = api_write_streams(job, &j.w, err);
    }
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    return api_json_end(&j, job, err);
}
