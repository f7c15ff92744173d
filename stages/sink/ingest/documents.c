/* Records of the topics that all connections share are stored as documents. The sink publishes the
 * outcomes of runs to one of these topics itself. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/event/connection.h"
#include "common/event/decision.h"
#include "common/event/messages.h"
#include "stages/sink/ingest/writer_priv.h"

enum { KEY_MAX_BYTES = 512, OUTCOME_MAX_BYTES = 64 << 10, PUBLISH_MS = 500 };

static const int64_t runs_kept_ms = INT64_C(90) * 86400000;

/* ---- keys: a letter, the connection, a zero, the rest ---- */

static enum wh_rc doc_key(struct wh_buf *out, char family, struct wh_slice connection,
                          struct wh_slice rest, struct wh_err *err)
{
    if (wh_buf_append_char(out, family, err) != WH_OK ||
        wh_buf_append(out, connection, err) != WH_OK ||
        wh_buf_append_char(out, '\0', err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, rest, err);
}

static enum wh_rc remove_below(struct sink_writer *w, char family, struct wh_slice connection,
                               int64_t run, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf from;
    WH_AUTO(buf) struct wh_buf to;
    unsigned char number[8];

    wh_buf_init(&from, KEY_MAX_BYTES);
    wh_buf_init(&to, KEY_MAX_BYTES);
    wh_be_put64(number, (uint64_t)run);
    if (doc_key(&from, family, connection, WH_LIT(""), err) != WH_OK ||
        doc_key(&to, family, connection, wh_slice(number, sizeof(number)), err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_meta_remove(w->apply, wh_buf_slice(&from), wh_buf_slice(&to), err);
}

/* ---- connections ---- */

/* The connection was removed: its documents are removed in this batch, its rows step by step once
 * the batch is durable. */
static enum wh_rc forget_connection(struct sink_writer *w, struct wh_slice id, struct wh_err *err)
{
    static const char families[] = {'h', 'r', 's', 'u', 'w'};

    for (size_t i = 0; i < sizeof(families); i++) {
        if (remove_below(w, families[i], id, -1, err) != WH_OK) {
            return err->rc;
        }
    }
    sink_outcomes_drop(w->outcomes, id);
    if (sink_purge_mark(w->purge, w->apply, id, &w->purge_marked, err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_connection(w->apply, id, wh_slice(NULL, 0), err);
}

static enum wh_rc keep_connection(struct sink_writer *w, const struct wh_bus_msg *msg,
                                  struct wh_err *err)
{
    struct wh_arena *arena = sink_apply_arena(w->apply);
    struct wh_connection_secret secrets[WH_CONNECTION_SECRETS_MAX];
    struct wh_document document;
    struct wh_connection c;
    size_t n;

    if (msg->value.ptr == NULL) {
        return forget_connection(w, msg->key, err);
    }
    if (wh_document_decode(msg->value, &document, err) != WH_OK ||
        wh_connection_parse(document.document, w->json, arena, &c, err) != WH_OK) {
        return err->rc;
    }
    n = wh_connection_secrets(&c, secrets);
    for (size_t i = 0; i < n; i++) {
        *secrets[i].sealed = wh_slice("", 0);
    }
    wh_buf_reset(&w->scratch);
    if (wh_connection_write(&c, &w->scratch, err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_connection(w->apply, msg->key, wh_buf_slice(&w->scratch), err);
}

/* ---- runs ---- */

/* Key "<connection>:<run>", no value: removes the run of a purged connection. */
static enum wh_rc forget_run(struct sink_writer *w, struct wh_slice record_key, struct wh_err *err)
{
    const char *colon = record_key.len ? memchr(record_key.ptr, ':', record_key.len) : NULL;
    size_t len = colon ? (size_t)(colon - record_key.ptr) : 0;
    WH_AUTO(buf) struct wh_buf from;
    WH_AUTO(buf) struct wh_buf to;
    unsigned char number[8];
    int64_t run;

    wh_buf_init(&from, KEY_MAX_BYTES);
    wh_buf_init(&to, KEY_MAX_BYTES);
    if (colon == NULL || wh_num_i64(wh_slice_from(record_key, len + 1), &run, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID, "a run without a connection");
    }
    wh_be_put64(number, (uint64_t)run);
    if (doc_key(&from, 'r', wh_slice(record_key.ptr, len), wh_slice(number, sizeof(number)), err) !=
            WH_OK ||
        wh_buf_append(&to, wh_buf_slice(&from), err) != WH_OK ||
        wh_buf_append_char(&to, '\0', err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_meta_remove(w->apply, wh_buf_slice(&from), wh_buf_slice(&to), err);
}

/* A run that was cut off is closed by the next process. It may have ended all the same, just before. */
static enum wh_rc has_ended(struct sink_writer *w, struct wh_slice key, bool *ret_ended,
                            struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_json_val state;
    bool found = false;

    wh_buf_reset(&w->scratch);
    if (wh_store_get(w->deps.store, NULL, SINK_META, key, &w->scratch, &found, err) != WH_OK) {
        return err->rc;
    }
    *ret_ended = found && wh_json_parse(w->json, wh_buf_slice(&w->scratch), &root, err) == WH_OK &&
                 wh_json_get(root, WH_LIT("state"), &state) &&
                 !wh_slice_eq(wh_json_string(state), WH_LIT("in_progress"));
    return WH_OK;
}

static bool is_interrupted(struct wh_json_val run)
{
    struct wh_json_val state;

    return wh_json_get(run, WH_LIT("state"), &state) && wh_json_type(state) == WH_JSON_STRING &&
           wh_slice_eq(wh_json_string(state), WH_LIT("interrupted"));
}

static enum wh_rc keep_run(struct sink_writer *w, const struct wh_bus_msg *msg, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf key;
    struct wh_document document;
    struct wh_json_val root;
    struct wh_json_val run;
    unsigned char number[8];
    bool interrupted;
    bool ended = false;

    wh_buf_init(&key, KEY_MAX_BYTES);
    if (msg->value.ptr == NULL) {
        return forget_run(w, msg->key, err);
    }
    if (wh_document_decode(msg->value, &document, err) != WH_OK ||
        wh_json_parse(w->json, document.document, &root, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_json_get(root, WH_LIT("started_at_ms"), &run) || wh_json_type(run) != WH_JSON_INT) {
        return wh_fail(err, WH_E_MISSING, "a run's report does not say when it began");
    }
    wh_be_put64(number, (uint64_t)wh_json_int(run));
    interrupted = is_interrupted(root);
    if (doc_key(&key, 'r', document.connection, wh_slice(number, sizeof(number)), err) != WH_OK ||
        remove_below(w, 'r', document.connection, wh_json_int(run) - runs_kept_ms, err) != WH_OK ||
        remove_below(w, 'u', document.connection, wh_json_int(run) - runs_kept_ms, err) != WH_OK ||
        (interrupted && has_ended(w, wh_buf_slice(&key), &ended, err) != WH_OK)) {
        return err->rc;
    }
    if (ended) {
        return WH_OK;
    }
    return sink_apply_meta(w->apply, wh_buf_slice(&key), document.document, err);
}

/* ---- health ---- */

/* "<connection>:<rest>" */
static enum wh_rc keep_health(struct sink_writer *w, const struct wh_bus_msg *msg,
                              struct wh_err *err)
{
    const char *colon = msg->key.len ? memchr(msg->key.ptr, ':', msg->key.len) : NULL;
    WH_AUTO(buf) struct wh_buf key;
    struct wh_document document;
    struct wh_json_val root;
    size_t len;

    wh_buf_init(&key, KEY_MAX_BYTES);
    if (colon == NULL) {
        return wh_fail(err, WH_E_INVALID, "a health record without a connection");
    }
    len = (size_t)(colon - msg->key.ptr);
    if (doc_key(&key, 'h', wh_slice(msg->key.ptr, len), wh_slice_from(msg->key, len + 1), err) !=
        WH_OK) {
        return err->rc;
    }
    if (msg->value.ptr == NULL) {
        WH_AUTO(buf) struct wh_buf end;

        wh_buf_init(&end, KEY_MAX_BYTES);
        if (wh_buf_append(&end, wh_buf_slice(&key), err) != WH_OK ||
            wh_buf_append_char(&end, '\0', err) != WH_OK) {
            return err->rc;
        }
        return sink_apply_meta_remove(w->apply, wh_buf_slice(&key), wh_buf_slice(&end), err);
    }
    if (wh_document_decode(msg->value, &document, err) != WH_OK ||
        wh_json_parse(w->json, document.document, &root, err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_meta(w->apply, wh_buf_slice(&key), document.document, err);
}

/* ---- decisions ---- */

static enum wh_rc keep_decision(struct sink_writer *w, const struct wh_bus_msg *msg,
                                struct wh_err *err)
{
    int64_t now_ms = wh_clock_now_ms(&w->deps.clock);
    struct wh_document document;
    struct wh_decision decision;

    if (msg->value.ptr == NULL) {
        return sink_apply_decision(w->apply, msg->key, wh_slice(NULL, 0), now_ms, err);
    }
    if (wh_document_decode(msg->value, &document, err) != WH_OK ||
        wh_decision_parse(document.document, w->json, &decision, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_slice_eq(decision.id, msg->key)) {
        return wh_fail(err, WH_E_INVALID, "a decision whose id is not its key");
    }
    return sink_apply_decision(w->apply, msg->key, document.document, now_ms, err);
}

enum wh_rc sink_keep_document(struct sink_writer *w, enum wh_topic_role role,
                              const struct wh_bus_msg *msg, struct wh_err *err)
{
    if (role == WH_TOPIC_RUNS) {
        return keep_run(w, msg, err);
    }
    if (role == WH_TOPIC_DECISIONS) {
        return keep_decision(w, msg, err);
    }
    return role == WH_TOPIC_HEALTH ? keep_health(w, msg, err) : keep_connection(w, msg, err);
}

/* ---- publishing outcomes ---- */

static enum wh_rc publish(struct sink_writer *w, const struct wh_outcome *outcome,
                          const char *topic, struct wh_err *err)
{
    char key[128];
    int n = snprintf(key, sizeof(key), "%.*s:outcome", WH_SLICE_ARG(outcome->connection));
    WH_AUTO(buf) struct wh_buf json;
    struct wh_document document = {.connection = outcome->connection,
                                   .key = wh_slice(key, n > 0 ? (size_t)n : 0),
                                   .at_ms = outcome->at_ms};

    wh_buf_init(&json, OUTCOME_MAX_BYTES);
    if (wh_outcome_write(outcome, &json, err) != WH_OK) {
        return err->rc;
    }
    document.document = wh_buf_slice(&json);
    wh_buf_reset(&w->scratch);
    if (wh_document_encode(WH_DOCUMENT_HEALTH, &document, &w->scratch, err) != WH_OK) {
        return err->rc;
    }
    return wh_producer_produce(w->deps.dead_letters,
                               &(struct wh_bus_record){.topic = topic,
                                                       .partition = -1,
                                                       .key = document.key,
                                                       .value = wh_buf_slice(&w->scratch)},
                               err);
}

void sink_publish_outcomes(struct sink_writer *w)
{
    int64_t now_ns = wh_clock_mono_ns(&w->deps.clock);
    const struct wh_outcome *outcome;
    char topic[WH_TOPIC_MAX];
    struct wh_err err;

    if (w->conf.rebuild || now_ns < w->publish_at_ns || !sink_table_caught_up(&w->table)) {
        return;
    }
    if (wh_topic_name(w->conf.topic_prefix, WH_TOPIC_HEALTH, WH_LIT(""), topic, &err) != WH_OK) {
        return;
    }
    w->publish_at_ns = now_ns + (int64_t)PUBLISH_MS * 1000000;
    (void)wh_producer_poll(w->deps.dead_letters, 0);
    while ((outcome = sink_outcomes_next(w->outcomes)) != NULL) {
        if (publish(w, outcome, topic, &err) != WH_OK) {
            wh_log_warn(w->deps.log, "outcome of a run not published", WH_RC(&err));
        }
    }
}
