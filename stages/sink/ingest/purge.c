#include "stages/sink/ingest/purge.h"

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"
#include "stages/sink/batch/removal.h"

enum {
    INSTANCE_MAX = 1024,
    REPORT_MAX_BYTES = 4096,
    DOCUMENT_MAX_BYTES = 1 << 20,
    DOCUMENT_MAX_DEPTH = 16,
    KEY_MAX_BYTES = 8192,
    VALUE_MAX_BYTES = 64 << 20,
    STEP_BYTES = 4 << 20,
};

enum purge_phase { PURGE_NONE, PURGE_ROWS, PURGE_CHANGES, PURGE_RUNS, PURGE_FILES, PURGE_SEARCH };

struct sink_purge {
    struct wh_store *store;
    struct sink_apply *apply; /* of the current step; the writer alternates between two */
    struct wh_clock clock;
    struct wh_log *log;
    bool sync;
    struct wh_json_parser *json;
    struct wh_buf text;
    enum purge_phase phase;
    char connection[WH_CONNECTION_ID_MAX];
    char instance[INSTANCE_MAX];
    int64_t requested_at_ms;
    uint64_t entities;
    uint64_t revisions;
    uint64_t changes;
    uint64_t leftovers;
    struct wh_buf cursor; /* the next key to examine */
    unsigned family;      /* in the phases FILES and SEARCH */
};

/* ---- the report ---- */

enum wh_rc sink_purge_report_key(struct wh_slice connection, struct wh_buf *out, struct wh_err *err)
{
    if (wh_buf_append_char(out, 'g', err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, connection, err);
}

static void member(struct wh_json_writer *w, const char *key, uint64_t value)
{
    wh_jw_put_int(w, key, (int64_t)value);
}

static enum wh_rc write_report(const struct sink_purge *p, int64_t finished_at_ms,
                               struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_key(&w, "connection");
    wh_jw_str(&w, wh_slice_str(p->connection));
    member(&w, "requested_at_ms", (uint64_t)p->requested_at_ms);
    member(&w, "finished_at_ms", (uint64_t)finished_at_ms);
    member(&w, "entities", p->entities);
    member(&w, "revisions", p->revisions);
    member(&w, "changes", p->changes);
    member(&w, "leftovers", p->leftovers);
    if (finished_at_ms == 0) {
        wh_jw_key(&w, "instance");
        wh_jw_str(&w, wh_slice_str(p->instance));
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* Adds the report to the current batch. */
static enum wh_rc put_report(struct sink_purge *p, int64_t finished_at_ms, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf key;
    WH_AUTO(buf) struct wh_buf value;

    wh_buf_init(&key, WH_CONNECTION_ID_MAX + 1);
    wh_buf_init(&value, REPORT_MAX_BYTES);
    if (sink_purge_report_key(wh_slice_str(p->connection), &key, err) != WH_OK ||
        write_report(p, finished_at_ms, &value, err) != WH_OK) {
        return err->rc;
    }
    return sink_replace_meta(p->apply, wh_buf_slice(&key), wh_buf_slice(&value), err);
}

static bool copy_text(struct wh_json_val object, const char *key, char *ret, size_t size)
{
    struct wh_json_val v;
    struct wh_slice text;

    if (!wh_json_get(object, wh_slice_str(key), &v)) {
        return false;
    }
    text = wh_json_string(v);
    if (text.len == 0 || text.len >= size) {
        return false;
    }
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

static uint64_t number_of(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) ? (uint64_t)wh_json_int(v) : 0;
}

/* ---- which purge is next ---- */

static void begin(struct sink_purge *p, struct wh_json_val report)
{
    p->requested_at_ms = (int64_t)number_of(report, "requested_at_ms");
    p->entities = number_of(report, "entities");
    p->revisions = number_of(report, "revisions");
    p->changes = number_of(report, "changes");
    p->leftovers = 0;
    p->family = 0;
    p->phase = PURGE_ROWS;
    wh_buf_reset(&p->cursor);
    wh_log_info(p->log, "purge of a connection started", WH_STR("connection", p->connection));
}

/* Continues with the first purge that is not finished. */
static enum wh_rc find_due(struct sink_purge *p, struct wh_err *err)
{
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc = WH_OK;

    p->phase = PURGE_NONE;
    if (wh_iter_new(p->store, NULL, SINK_META, WH_LIT("g"), WH_LIT("h"), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, WH_LIT("g"), false);
         p->phase == PURGE_NONE && wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        struct wh_json_val report;

        rc = wh_json_parse(p->json, value, &report, err);
        if (rc != WH_OK) {
            rc = wh_fail(err, WH_E_CORRUPT, "the report of a purge cannot be read");
            break;
        }
        if (number_of(report, "finished_at_ms") == 0 &&
            copy_text(report, "connection", p->connection, sizeof(p->connection)) &&
            copy_text(report, "instance", p->instance, sizeof(p->instance))) {
            begin(p, report);
        }
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

enum wh_rc sink_purge_start(struct sink_purge *p, struct wh_err *err)
{
    return p->phase == PURGE_NONE ? find_due(p, err) : WH_OK;
}

bool sink_purge_due(const struct sink_purge *p)
{
    return p->phase != PURGE_NONE;
}

const char *sink_purge_connection(const struct sink_purge *p)
{
    return p->phase == PURGE_NONE ? "" : p->connection;
}

/* The instance by which the rows of a stored connection are known; it stays the same when the
 * connection's address changes. Empty when there is no such document. */
static enum wh_rc instance_of(struct sink_purge *p, struct sink_apply *apply,
                              struct wh_slice connection, char ret[INSTANCE_MAX],
                              struct wh_err *err)
{
    struct wh_json_val document;
    WH_AUTO(buf) struct wh_buf key;
    bool found = false;

    ret[0] = '\0';
    wh_buf_init(&key, WH_CONNECTION_ID_MAX + 1);
    wh_buf_reset(&p->text);
    if (wh_buf_append_char(&key, 'x', err) != WH_OK ||
        wh_buf_append(&key, connection, err) != WH_OK ||
        sink_apply_get(apply, SINK_META, wh_buf_slice(&key), &p->text, &found, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        return WH_OK;
    }
    if (wh_json_parse(p->json, wh_buf_slice(&p->text), &document, err) != WH_OK ||
        (!copy_text(document, "identity", ret, INSTANCE_MAX) &&
         !copy_text(document, "instance", ret, INSTANCE_MAX))) {
        return wh_fail(err, WH_E_CORRUPT, "a stored connection cannot be read");
    }
    return WH_OK;
}

enum wh_rc sink_purge_mark(struct sink_purge *p, struct sink_apply *apply,
                           struct wh_slice connection, bool *ret_due, struct wh_err *err)
{
    struct sink_purge mark = {.apply = apply, .requested_at_ms = wh_clock_now_ms(&p->clock)};

    *ret_due = false;
    if (connection.len == 0 || connection.len >= sizeof(mark.connection)) {
        return WH_OK;
    }
    if (instance_of(p, apply, connection, mark.instance, err) != WH_OK) {
        return err->rc;
    }
    if (mark.instance[0] == '\0') {
        return WH_OK;
    }
    memcpy(mark.connection, connection.ptr, connection.len);
    *ret_due = true;
    return put_report(&mark, 0, err);
}

/* ---- steps ---- */

static enum wh_rc write_step(struct sink_purge *p, struct wh_err *err)
{
    enum wh_rc rc = put_report(p, 0, err);

    if (rc == WH_OK) {
        rc = sink_apply_seal(p->apply, err);
    }
    if (rc == WH_OK) {
        rc = sink_apply_commit(p->apply, p->sync, err);
    }
    return rc;
}

/* Moves the cursor to the smallest key after this one. */
static enum wh_rc move_cursor(struct sink_purge *p, struct wh_slice key, struct wh_err *err)
{
    wh_buf_reset(&p->cursor);
    if (wh_buf_append(&p->cursor, key, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append_char(&p->cursor, '\0', err);
}

static void next_phase(struct sink_purge *p, enum purge_phase phase)
{
    p->phase = phase;
    p->family = 0;
    wh_buf_reset(&p->cursor);
}

/*
 * Calls look for the next keys of a family; *ret_end when there are no more. The iterator sees the
 * store as it was when the iterator was created.
 */
static enum wh_rc walk(struct sink_purge *p, unsigned family,
                       enum wh_rc (*look)(struct sink_purge *p, struct wh_slice key,
                                          struct wh_slice value, struct wh_err *err),
                       bool *ret_end, struct wh_err *err)
{
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc = WH_OK;
    size_t n = 0;

    *ret_end = true;
    if (wh_iter_new(p->store, NULL, family, wh_slice("", 0), wh_slice("", 0), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, wh_buf_slice(&p->cursor), false);
         rc == WH_OK && wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        if (n++ == SINK_PURGE_KEYS || sink_apply_full(p->apply, STEP_BYTES)) {
            *ret_end = false;
            break;
        }
        rc = move_cursor(p, key, err);
        if (rc == WH_OK) {
            rc = look(p, key, value, err);
        }
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static enum wh_rc look_at_head(struct sink_purge *p, struct wh_slice key, struct wh_slice value,
                               struct wh_err *err)
{
    struct wh_entity_id id;
    uint64_t revisions = 0;
    bool removed = false;

    if (key.len != SINK_ENTITY_KEY) {
        return wh_fail(err, WH_E_CORRUPT, "an entity's key has %zu bytes", key.len);
    }
    memcpy(id.bytes, key.ptr + 1, sizeof(id.bytes));
    if (sink_remove_entity(p->apply, (enum wh_kind)(unsigned char)key.ptr[0], &id, value,
                           wh_slice_str(p->instance), &removed, &revisions, err) != WH_OK) {
        return err->rc;
    }
    p->entities += removed;
    p->revisions += revisions;
    return WH_OK;
}

static enum wh_rc entity_is_there(struct sink_purge *p, const char *kind_and_id, bool *ret,
                                  struct wh_err *err)
{
    wh_buf_reset(&p->text);
    return wh_store_get(p->store, NULL, SINK_ENTITIES, wh_slice(kind_and_id, SINK_ENTITY_KEY),
                        &p->text, ret, err);
}

static enum wh_rc look_at_change(struct sink_purge *p, struct wh_slice key, struct wh_slice value,
                                 struct wh_err *err)
{
    bool there = false;

    if (value.len < SINK_ENTITY_KEY) {
        return wh_fail(err, WH_E_CORRUPT, "an entry of the changes log is too short");
    }
    if (entity_is_there(p, value.ptr, &there, err) != WH_OK) {
        return err->rc;
    }
    if (there) {
        return WH_OK;
    }
    p->changes++;
    return sink_remove_key(p->apply, SINK_CHANGES, key, err);
}

/* Runs, outcomes, values set aside, webhooks and health of the connection: a letter, its id, 0. */
static bool is_of_connection(const struct sink_purge *p, struct wh_slice key)
{
    size_t len = strlen(p->connection);

    return key.len > len + 1 && strchr("rsuwh", key.ptr[0]) != NULL &&
           memcmp(key.ptr + 1, p->connection, len) == 0 && key.ptr[len + 1] == '\0';
}

static enum wh_rc look_at_meta(struct sink_purge *p, struct wh_slice key, struct wh_slice value,
                               struct wh_err *err)
{
    (void)value;
    return is_of_connection(p, key) ? sink_remove_key(p->apply, SINK_META, key, err) : WH_OK;
}

/* The entity of a key of claims, mentions or former. */
static enum wh_rc namer_is_there(struct sink_purge *p, struct wh_slice key, bool *ret,
                                 struct wh_err *err)
{
    if (key.len <= SINK_ENTITY_KEY) {
        return WH_OK;
    }
    return entity_is_there(p,
                           p->family != SINK_FORMER && key.ptr[0] == 'e'
                               ? key.ptr + 1
                               : key.ptr + key.len - SINK_ENTITY_KEY,
                           ret, err);
}

/* Counts a row that names the instance, or belongs to an entity that does not exist. */
static enum wh_rc look_for_rest(struct sink_purge *p, struct wh_slice key, struct wh_slice value,
                                struct wh_err *err)
{
    struct wh_slice instance = wh_slice_str(p->instance);
    bool there = true;

    if (p->family == SINK_CHANGES && value.len >= SINK_ENTITY_KEY) {
        if (entity_is_there(p, value.ptr, &there, err) != WH_OK) {
            return err->rc;
        }
    } else if (p->family == SINK_SOURCE_IDS && value.len >= SINK_ENTITY_KEY) {
        if (entity_is_there(p, value.ptr, &there, err) != WH_OK) {
            return err->rc;
        }
    } else if (p->family == SINK_CLAIMS || p->family == SINK_MENTIONS || p->family == SINK_FORMER) {
        if (namer_is_there(p, key, &there, err) != WH_OK) {
            return err->rc;
        }
    } else if (p->family == SINK_ENTITIES) {
        there = !sink_head_is_of(p->apply, key, value, instance);
    } else if (p->family == SINK_META) {
        /* An unfinished report names its instance, and a new connection may have that name. */
        there = key.len == 0 || key.ptr[0] == 'g' || key.ptr[0] == 'x' ||
                (!is_of_connection(p, key) &&
                 memmem(value.ptr ? value.ptr : "", value.len, instance.ptr, instance.len) == NULL);
    }
    p->leftovers += !there;
    return WH_OK;
}

static enum wh_rc step_rows(struct sink_purge *p, struct wh_err *err)
{
    bool end = false;

    if (walk(p, SINK_ENTITIES, look_at_head, &end, err) != WH_OK || write_step(p, err) != WH_OK) {
        return err->rc;
    }
    if (end) {
        next_phase(p, PURGE_CHANGES);
    }
    return WH_OK;
}

static enum wh_rc step_changes(struct sink_purge *p, struct wh_err *err)
{
    bool end = false;

    if (walk(p, SINK_CHANGES, look_at_change, &end, err) != WH_OK || write_step(p, err) != WH_OK) {
        return err->rc;
    }
    if (end) {
        next_phase(p, PURGE_RUNS);
    }
    return WH_OK;
}

static enum wh_rc step_runs(struct sink_purge *p, struct wh_err *err)
{
    bool end = false;

    if (walk(p, SINK_META, look_at_meta, &end, err) != WH_OK || write_step(p, err) != WH_OK) {
        return err->rc;
    }
    if (end) {
        next_phase(p, PURGE_FILES);
    }
    return WH_OK;
}

static enum wh_rc step_files(struct sink_purge *p, struct wh_err *err)
{
    if (wh_store_compact(p->store, p->family, err) != WH_OK) {
        return err->rc;
    }
    if (++p->family == SINK_FAMILY_COUNT) {
        next_phase(p, PURGE_SEARCH);
    }
    return WH_OK;
}

static enum wh_rc finish(struct sink_purge *p, struct wh_err *err)
{
    if (put_report(p, wh_clock_now_ms(&p->clock), err) != WH_OK ||
        sink_apply_seal(p->apply, err) != WH_OK ||
        sink_apply_commit(p->apply, p->sync, err) != WH_OK) {
        return err->rc;
    }
    wh_log_info(p->log, "purge of a connection finished", WH_STR("connection", p->connection),
                WH_I("entities", p->entities), WH_I("leftovers", p->leftovers));
    wh_mem_wipe(p->instance, sizeof(p->instance));
    return find_due(p, err);
}

static enum wh_rc step_search(struct sink_purge *p, struct wh_err *err)
{
    bool end = false;

    if (walk(p, p->family, look_for_rest, &end, err) != WH_OK) {
        return err->rc;
    }
    if (!end) {
        return WH_OK;
    }
    wh_buf_reset(&p->cursor);
    return ++p->family == SINK_FAMILY_COUNT ? finish(p, err) : WH_OK;
}

static enum wh_rc do_step(struct sink_purge *p, struct wh_err *err)
{
    switch (p->phase) {
    case PURGE_ROWS:
        return step_rows(p, err);
    case PURGE_CHANGES:
        return step_changes(p, err);
    case PURGE_RUNS:
        return step_runs(p, err);
    case PURGE_FILES:
        return step_files(p, err);
    case PURGE_SEARCH:
        return step_search(p, err);
    case PURGE_NONE:
        break;
    }
    return WH_OK;
}

enum wh_rc sink_purge_step(struct sink_purge *p, struct sink_apply *apply, struct wh_err *err)
{
    enum wh_rc rc;

    p->apply = apply;
    sink_apply_begin(apply);
    rc = do_step(p, err);
    sink_apply_begin(apply);
    if (rc == WH_E_NO_SPACE) {
        /* Repeat the step from the last one that was written. */
        struct wh_err ignored;

        if (find_due(p, &ignored) != WH_OK) {
            p->phase = PURGE_NONE;
        }
    }
    return rc;
}

/* ---- birth and end ---- */

enum wh_rc sink_purge_new(struct wh_store *store, struct wh_clock clock, struct wh_log *log,
                          bool sync, struct sink_purge **ret, struct wh_err *err)
{
    struct sink_purge *p = wh_mem_zalloc(1, sizeof(*p));

    if (p == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for purges");
    }
    p->store = store;
    p->clock = clock;
    p->log = log;
    p->sync = sync;
    wh_buf_init(&p->text, VALUE_MAX_BYTES);
    wh_buf_init(&p->cursor, KEY_MAX_BYTES);
    p->json = wh_json_parser_new(DOCUMENT_MAX_BYTES, DOCUMENT_MAX_DEPTH);
    if (p->json == NULL) {
        sink_purge_free(p);
        return wh_fail(err, WH_E_NOMEM, "no memory for purges");
    }
    if (find_due(p, err) != WH_OK) {
        sink_purge_free(p);
        return err->rc;
    }
    *ret = p;
    return WH_OK;
}

void sink_purge_free(struct sink_purge *p)
{
    if (p == NULL) {
        return;
    }
    wh_buf_done(&p->text);
    wh_buf_done(&p->cursor);
    wh_json_parser_free(p->json);
    wh_mem_free(p);
}
