/* Rows become records, when they differ from what the topics hold. */
#include <stdio.h>

#include "common/base/hash.h"
#include "stages/sink/rowtopics/rowtopics_priv.h"

enum {
    TABLE_TIMEOUT_MS = 24 * 3600 * 1000,
    ROW_TIMEOUT_MS = 60000,
    FLUSH_MS = 120000,
    POLL_MS = 100,
    POLL_EVERY = 256,
    ROWS_MAX = INT32_MAX,
};

/* ---- Kafka ---- */

enum wh_rc rows_produce(struct rowtopics *r, const char *topic, struct wh_slice key,
                        struct wh_slice value, struct wh_err *err)
{
    const struct wh_bus_record record = {
        .topic = topic, .partition = -1, .key = key, .value = value, .ack = &r->acks.ack};
    enum wh_rc rc;

    while ((rc = wh_producer_produce(r->producer, &record, err)) == WH_E_BUSY) {
        (void)wh_producer_poll(r->producer, POLL_MS);
        if (atomic_load(&r->stop)) {
            return wh_fail(err, WH_E_CANCELED, "the sink stops");
        }
    }
    return rc;
}

enum wh_rc rows_flush(struct rowtopics *r, struct wh_err *err)
{
    if (wh_producer_flush(r->producer, FLUSH_MS, err) != WH_OK) {
        return err->rc;
    }
    return r->acks.failed == 0
               ? WH_OK
               : wh_fail(err, WH_E_UNAVAILABLE, "Kafka refused rows: %.150s", r->acks.reason);
}

static enum wh_rc send(struct rowtopics *r, unsigned table, const struct wh_entity_id *id,
                       struct wh_slice value, struct wh_err *err)
{
    char text[WH_ENTITY_ID_TEXT + 1];
    bool gone = value.ptr == NULL;

    (void)wh_entity_id_format(id, text);
    if (rows_produce(r, r->tables[table].topic, wh_slice_str(text), value, err) != WH_OK) {
        return err->rc;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->status.sent++;
    r->status.tombstones += gone;
    if (r->status.sent % POLL_EVERY == 0) {
        (void)wh_producer_poll(r->producer, 0);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return WH_OK;
}

static void count_row(struct rowtopics *r, int64_t change)
{
    (void)pthread_mutex_lock(&r->lock);
    r->status.rows += (uint64_t)change;
    (void)pthread_mutex_unlock(&r->lock);
}

static enum wh_rc send_gone(struct rowtopics *r, struct known_row *row, struct wh_err *err)
{
    const struct known_row old = *row;

    if (old.hash == 0) {
        return WH_OK;
    }
    row->hash = 0;
    row->label = 0;
    count_row(r, -1);
    return send(r, old.table - 1U, &old.id, wh_slice(NULL, 0), err);
}

/* ---- rows ---- */

struct reading {
    struct rowtopics *r;
    unsigned table;
    size_t n;
};

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    const struct reading *reading = ctx;

    (void)names;
    return n == reading->r->tables[reading->table].n
               ? WH_OK
               : wh_fail(err, WH_E_INTERNAL, "a row has %zu columns", n);
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct reading *reading = ctx;
    struct rowtopics *r = reading->r;
    const struct row_table *t = &r->tables[reading->table];
    struct known_row *known;
    struct wh_entity_id id;
    uint64_t label = row_label(t, values);
    uint64_t hash;

    (void)n;
    (void)ret_full;
    reading->n++;
    wh_buf_reset(&r->value);
    if (wh_entity_id_parse(values[0].bytes, &id, err) != WH_OK ||
        row_encode(t, values, &r->value, err) != WH_OK) {
        return err->rc;
    }
    known = known_at(&r->known, reading->table, &id);
    if (known == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to remember the rows of the topics");
    }
    hash = wh_hash64(wh_buf_slice(&r->value)) | 1;
    known->seen = r->sweep;
    r->refers = known->label != label;
    known->label = label;
    if (known->hash == hash) {
        return WH_OK;
    }
    count_row(r, known->hash == 0);
    known->hash = hash;
    return send(r, reading->table, &id, wh_buf_slice(&r->value), err);
}

static enum wh_rc run(struct rowtopics *r, unsigned table, const char *text,
                      const struct sql_param *id, int64_t timeout_ms, size_t *ret_n,
                      struct wh_err *err)
{
    struct reading reading = {.r = r, .table = table};
    const struct sql_query query = {.text = wh_slice_str(text),
                                    .params = id,
                                    .n_params = id ? 1 : 0,
                                    .timeout_ms = timeout_ms,
                                    .max_rows = ROWS_MAX,
                                    .canceled = &r->stop};
    const struct sql_rows rows = {.columns = on_columns, .row = on_row, .ctx = &reading};
    struct sql_outcome outcome;
    enum wh_rc rc = sql_run(r->engine, &query, &rows, &outcome, err);

    *ret_n = reading.n;
    return rc == WH_OK ? rc : wh_err_prefix(err, "%s", r->tables[table].topic);
}

enum wh_rc rows_send_table(struct rowtopics *r, unsigned table, struct wh_err *err)
{
    size_t n;

    return run(r, table, r->tables[table].all, NULL, TABLE_TIMEOUT_MS, &n, err);
}

enum wh_rc rows_send_one(struct rowtopics *r, unsigned table, const struct wh_entity_id *id,
                         struct wh_err *err)
{
    char text[WH_ENTITY_ID_TEXT + 1];
    struct sql_param param = {.name = WH_LIT("id"), .value = {.type = SQL_TEXT}};
    struct known_row *known;
    size_t n;

    param.value.bytes = wh_slice_str(wh_entity_id_format(id, text));
    r->refers = false;
    if (run(r, table, r->tables[table].one, &param, ROW_TIMEOUT_MS, &n, err) != WH_OK || n > 0) {
        return n > 0 ? WH_OK : err->rc;
    }
    known = known_at(&r->known, table, id);
    if (known == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to remember the rows of the topics");
    }
    r->refers = known->hash != 0;
    return send_gone(r, known, err);
}

enum wh_rc rows_send_gone(struct rowtopics *r, struct wh_err *err)
{
    for (size_t i = 0; i < r->known.n_slots; i++) {
        struct known_row *row = &r->known.slots[i];

        if (row->table && row->hash && row->seen != r->sweep && send_gone(r, row, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

bool rows_table_of(const struct rowtopics *r, enum wh_kind kind, unsigned *ret)
{
    for (unsigned i = 0; i < r->n_tables; i++) {
        if (r->tables[i].kind == kind) {
            *ret = i;
            return true;
        }
    }
    return false;
}
