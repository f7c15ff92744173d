/* GET /api/v1/incidents/<id, address or reference>/impact: what an incident did, now or in the past. */
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/impact/impact.h"

enum {
    DOCUMENT_MAX_BYTES = 1 << 20,
    DOCUMENT_DEPTH = 16,
    CHOICES_MAX = 20,
};

/* ---- completeness ---- */

/* Is the key one of completeness of the project? Keys: 'h' connection 0 completeness:<project>. */
static bool is_of_project(struct wh_slice key, struct wh_slice project,
                          struct wh_slice *ret_connection)
{
    static const char word[] = "completeness:";
    const char *zero = memchr(key.ptr, '\0', key.len);
    struct wh_slice subject;

    if (zero == NULL || project.len == 0) {
        return false;
    }
    *ret_connection = wh_slice(key.ptr + 1, (size_t)(zero - key.ptr) - 1);
    subject = wh_slice_from(key, (size_t)(zero - key.ptr) + 1);
    return wh_slice_starts(subject, wh_slice_str(word)) &&
           wh_slice_eq(wh_slice_from(subject, sizeof(word) - 1), project);
}

/* Is the connection one to this GitLab? */
static enum wh_rc is_of_instance(const struct api_reading *a, struct wh_json_parser *parser,
                                 struct wh_slice connection, struct wh_slice instance, bool *ret,
                                 struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf key;
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_val document;
    struct wh_json_val value;
    struct wh_err ignored;
    bool found = false;

    *ret = false;
    wh_buf_init(&key, 1024);
    wh_buf_init(&text, DOCUMENT_MAX_BYTES);
    if (wh_buf_append_char(&key, 'x', err) != WH_OK ||
        wh_buf_append(&key, connection, err) != WH_OK ||
        wh_store_get(a->job->api->deps.store, a->snap, SINK_META, wh_buf_slice(&key), &text, &found,
                     err) != WH_OK) {
        return err->rc;
    }
    *ret = found && wh_json_parse(parser, wh_buf_slice(&text), &document, &ignored) == WH_OK &&
           wh_json_get(document, WH_LIT("instance"), &value) &&
           wh_slice_eq(wh_json_string(value), instance);
    return WH_OK;
}

/* {"expected", "have", "missing", "checked_at"} of the issues in one report. */
static void write_report(struct wh_json_writer *w, struct wh_json_parser *parser,
                         struct wh_slice document)
{
    static const char *const numbers[] = {"expected", "have", "missing", "hidden", "no_access"};
    struct wh_json_val root;
    struct wh_json_val streams;
    struct wh_json_val issues;
    struct wh_err ignored;

    if (wh_json_parse(parser, document, &root, &ignored) != WH_OK ||
        !wh_json_get(root, WH_LIT("streams"), &streams) ||
        !wh_json_get(streams, WH_LIT("issues"), &issues)) {
        return;
    }
    wh_jw_put_bool(w, "known", true);
    wh_jw_put_bool(w, "complete", wh_json_get_int(issues, "missing", 1) == 0);
    wh_jw_key(w, "issues");
    wh_jw_object(w);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        wh_jw_put_int(w, numbers[i], wh_json_get_int(issues, numbers[i], 0));
    }
    wh_jw_end(w);
    wh_jw_put_ms(w, "checked_at_ms", wh_json_get_int(root, "at_ms", 0));
}

/* Whether all issues of the incident's project were read, as the fetcher says. *ret_known: it says so. */
static enum wh_rc write_completeness(const struct api_reading *a, const struct wh_head *incident,
                                     struct wh_json_parser *parser, struct wh_json_writer *w,
                                     bool *ret_known, struct wh_err *err)
{
    struct wh_slice connection;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(a->job->api->deps.store, a->snap, SINK_META, WH_LIT("h"), WH_LIT("i"), &it,
                    err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, WH_LIT("h"), false);
         rc == WH_OK && !*ret_known && wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        if (is_of_project(key, incident->source.project, &connection)) {
            rc = is_of_instance(a, parser, connection, incident->source.instance, ret_known, err);
        }
        if (rc == WH_OK && *ret_known) {
            write_report(w, parser, value);
        }
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static enum wh_rc put_completeness(const struct api_reading *a, const struct wh_head *incident,
                                   struct wh_json_writer *w, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, DOCUMENT_DEPTH);
    bool known = false;
    enum wh_rc rc = WH_OK;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an answer");
    }
    wh_jw_key(w, "completeness");
    wh_jw_object(w);
    if (sink_is_now(a->when)) {
        rc = write_completeness(a, incident, parser, w, &known, err);
    }
    if (!known) {
        wh_jw_put_bool(w, "known", false);
        wh_jw_key(w, "complete");
        wh_jw_null(w);
    }
    wh_jw_end(w);
    wh_json_parser_free(parser);
    return rc;
}

enum wh_rc api_put_completeness(struct api_job *job, const struct wh_snapshot *snap,
                                struct wh_history_when when, const struct wh_head *incident,
                                struct wh_json_writer *w, struct wh_err *err)
{
    const struct api_reading a = {.job = job, .snap = snap, .when = when};

    return put_completeness(&a, incident, w, err);
}

/* ---- the answer ---- */

/* A number of incidents in several projects: the user chooses. */
static enum wh_rc answer_choices(struct api_reading *a, const struct impact_choice *list,
                                 struct wh_err *err)
{
    struct wh_json_writer w;
    struct wh_buf body;
    char id[WH_ENTITY_ID_TEXT + 1];
    enum wh_rc rc;

    a->job->status = 409;
    wh_buf_init(&body, DOCUMENT_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", false);
    wh_jw_put_str(&w, "error", WH_LIT("several incidents have that number; choose one"));
    wh_jw_put_str(&w, "code", WH_LIT("ambiguous"));
    wh_jw_put_int(&w, "status", 409);
    wh_jw_key(&w, "choices");
    wh_jw_array(&w);
    for (int i = 0; list && i < CHOICES_MAX; i++, list = list->next) {
        wh_jw_object(&w);
        wh_jw_put_str(&w, "id", wh_slice_str(wh_entity_id_format(&list->incident->id, id)));
        wh_jw_put_str(&w, "url", list->incident->source.url);
        wh_jw_put_str(&w, "title", past_string(list->incident, "title"));
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    rc = wh_jw_finish(&w, err);
    rc = rc == WH_OK ? api_spool_write(&a->job->out, wh_buf_slice(&body), err) : rc;
    wh_buf_done(&body);
    return rc;
}

static void put_when(struct wh_json_writer *w, struct wh_history_when when)
{
    if (when.stored_ms == INT64_MAX) {
        wh_jw_key(w, "as_of");
        wh_jw_null(w);
    }
    api_write_when(w, when);
}

static enum wh_rc answer_one(struct api_reading *a, const struct wh_head *incident,
                             struct wh_err *err)
{
    struct impact_report report;
    struct api_json j;
    enum wh_rc rc = impact_read(a->past, incident, a->job->api->zone, &a->arena, &report, err);

    if (rc != WH_OK) {
        return rc;
    }
    api_json_begin(&j);
    put_when(&j.w, a->when);
    rc = impact_write(a->past, &report, &a->arena, &j.w, err);
    rc = rc == WH_OK ? put_completeness(a, incident, &j.w, err) : rc;
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    return api_json_end(&j, a->job, err);
}

static enum wh_rc answer(void *ctx, struct wh_err *err)
{
    struct api_reading *a = ctx;
    struct impact_choice *list = NULL;

    if (impact_find(a->past, a->job->id, &a->arena, &list, err) != WH_OK) {
        return err->rc;
    }
    if (list == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "no incident has this id, address or reference%s",
                       sink_is_now(a->when) ? "" : " at that time");
    }
    return list->next ? answer_choices(a, list, err) : answer_one(a, list->incident, err);
}

enum wh_rc api_answer_impact(struct api_job *job, struct wh_err *err)
{
    struct api_reading a = {.job = job};

    return api_arg_when(&job->request, &a.when, err) == WH_OK ? api_read_state(&a, answer, &a, err)
                                                              : err->rc;
}
