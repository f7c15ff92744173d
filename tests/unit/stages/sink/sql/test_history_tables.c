/* links, revisions and changes as tables. */
#include <pthread.h>

#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum { ENTITIES = 12, REVISIONS = 9, TEXT_MAX_BYTES = 8 << 20 };

struct fixture {
    struct wh_store *store;
    struct th_heads heads;
    struct sql_engine *engine;
};

static struct wh_version version(unsigned i)
{
    struct wh_instant at = {INT64_C(1763000000000) + i * 1000, true};

    return (struct wh_version){wh_version_order(at, 0, WH_ORIGIN_WEBHOOK), 77 + i};
}

static void put(struct wh_batch *b, unsigned family, const void *key, size_t len,
                struct wh_slice value)
{
    struct wh_err err;

    th_ok(wh_batch_put(b, family, wh_slice(key, len), value, &err), &err);
}

static void put_revision(struct wh_batch *b, const struct wh_head *head, unsigned i)
{
    struct wh_entry e = {
        .version = version(i),
        .revision = i % 3 != 2,
        .change = i == REVISIONS - 1 ? WH_CHANGE_DELETE : WH_CHANGE_UPSERT,
        .reason = i == REVISIONS - 1 ? WH_LIT("moved") : WH_LIT(""),
        .shown = 5,
        .delta = {.def = head->body.def, .present = 4},
        .provenance = {.origin = WH_ORIGIN_WEBHOOK,
                       .delivery_id = WH_LIT("d\"1"),
                       .observed_at_ms = INT64_C(1763000000500),
                       .topic = WH_LIT("wellhead.raw.c1"),
                       .partition = 3,
                       .offset = INT64_C(5000000000) + i,
                       .view = WH_LIT("gitlab.issue.webhook@1")},
    };
    unsigned char key[SINK_REVISION_KEY];
    struct wh_buf bytes;
    struct wh_err err;

    e.delta.values[2] = (struct wh_value){.u.str = WH_LIT("new \"title\"")};
    wh_buf_init(&bytes, 1 << 16);
    th_ok(wh_entry_encode(&e, &bytes, &err), &err);
    sink_revision_key(key, &head->id, e.version);
    put(b, SINK_REVISIONS, key, sizeof(key), wh_buf_slice(&bytes));
    wh_buf_done(&bytes);
}

static void put_link(struct wh_batch *b, const struct wh_head *from, const struct wh_head *to)
{
    unsigned field = (unsigned)wh_kind_field(from->body.def, WH_LIT("blocks"));
    unsigned char key[SINK_LINK_KEY];
    unsigned char value[16];

    wh_be_put64(value, version(1).order);
    wh_be_put64(value + 8, version(1).tie);
    sink_link_key(key, &from->id, WH_KIND_WORK_ITEM, field, &to->id);
    put(b, SINK_LINKS, key, sizeof(key), wh_slice(value, sizeof(value)));
    sink_link_key(key, &to->id, WH_KIND_WORK_ITEM, field, &from->id);
    put(b, SINK_BACKLINKS, key, sizeof(key), wh_slice(value, sizeof(value)));
}

static void put_change(struct wh_batch *b, const struct wh_head *head, uint64_t sequence)
{
    unsigned char key[8];
    unsigned char value[42];

    wh_be_put64(key, sequence);
    value[0] = WH_KIND_WORK_ITEM;
    memcpy(value + 1, head->id.bytes, 16);
    wh_be_put64(value + 17, version(0).order);
    wh_be_put64(value + 25, version(0).tie);
    value[33] = WH_HISTORY_REVISION;
    wh_be_put64(value + 34, UINT64_C(1763000009000));
    put(b, SINK_CHANGES, key, sizeof(key), wh_slice(value, sizeof(value)));
}

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_batch *b = NULL;
    struct wh_err err;

    f->store = th_sink_store();
    th_heads_init(&f->heads, f->store, WH_KIND_WORK_ITEM, 5);
    th_heads_add(&f->heads, ENTITIES);
    th_ok(wh_batch_new(f->store, &b, &err), &err);
    for (unsigned i = 0; i < ENTITIES; i++) {
        for (unsigned k = 0; k < REVISIONS; k++) {
            put_revision(b, f->heads.items[i], k);
        }
        /* All to the first, and a ring. */
        put_link(b, f->heads.items[i], f->heads.items[0]);
        put_link(b, f->heads.items[i], f->heads.items[(i + 1) % ENTITIES]);
        put_change(b, f->heads.items[i], i + 1);
    }
    th_ok(wh_store_write(f->store, b, false, &err), &err);
    wh_batch_free(b);
    conf.store = f->store;
    th_ok(sql_engine_new(&conf, &f->engine, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sql_engine_free(f->engine);
    th_heads_done(&f->heads);
    wh_store_free(f->store);
    wh_mem_free(f);
    return 0;
}

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct wh_buf *out = ctx;

    (void)ret_full;
    for (size_t i = 0; i < n; i++) {
        enum wh_rc rc;

        if (i && wh_buf_append_char(out, '|', err) != WH_OK) {
            return err->rc;
        }
        if (values[i].type == SQL_INT) {
            rc = wh_buf_printf(out, err, "%lld", (long long)values[i].i);
        } else if (values[i].type == SQL_NULL) {
            rc = wh_buf_append(out, WH_LIT("NULL"), err);
        } else {
            rc = wh_buf_append(out, values[i].bytes, err);
        }
        if (rc != WH_OK) {
            return rc;
        }
    }
    return wh_buf_append_char(out, '\n', err);
}

static void rows_are(struct fixture *f, const char *sql, const char *want)
{
    const struct sql_query query = {
        .text = wh_slice_str(sql), .timeout_ms = 10000, .max_rows = 100000};
    struct sql_outcome outcome;
    struct wh_buf out;
    struct sql_rows rows;
    struct wh_err err;

    wh_buf_init(&out, TEXT_MAX_BYTES);
    rows = (struct sql_rows){on_columns, on_row, &out};
    th_ok(sql_run(f->engine, &query, &rows, &outcome, &err), &err);
    if (strcmp(wh_buf_str(&out), want) != 0) {
        fail_msg("%s\ngot\n%s\nwant\n%s", sql, wh_buf_str(&out), want);
    }
    wh_buf_done(&out);
}

static void formatted(struct fixture *f, const char *before, size_t item, const char *after,
                      const char *want)
{
    char sql[512];
    char id[WH_ENTITY_ID_TEXT + 1];

    (void)snprintf(sql, sizeof(sql), "%s'%s'%s", before,
                   wh_entity_id_format(&f->heads.items[item]->id, id), after);
    rows_are(f, sql, want);
}

static void revisions(void **state)
{
    struct fixture *f = *state;

    rows_are(f, "SELECT count(*), count(DISTINCT entity_id), sum(revision) FROM revisions",
             "108|12|72\n");
    formatted(
        f,
        "SELECT kind, change, reason, origin, delivery_id, observed_at, topic, partition,"
        " offset, view, shown, changed, version_at FROM revisions WHERE entity_id = ",
        3, " ORDER BY version DESC LIMIT 1",
        "work_item|delete|moved|webhook|d\"1|2025-11-13T02:13:20.500Z|wellhead.raw.c1|3|"
        "5000000008|gitlab.issue.webhook@1|[\"type\",\"title\"]|{\"title\":\"new \\\"title\\\"\"}"
        "|2025-11-13T02:13:28.000Z\n");
    formatted(f,
              "SELECT group_concat(offset - 5000000000) FROM (SELECT * FROM revisions"
              " WHERE entity_id = ",
              4, " ORDER BY version)", "0,1,2,3,4,5,6,7,8\n");
    formatted(f,
              "SELECT group_concat(offset - 5000000000) FROM (SELECT * FROM revisions"
              " WHERE entity_id = ",
              4, " ORDER BY version DESC)", "8,7,6,5,4,3,2,1,0\n");
    /* A range between two versions of the same entity, from both sides. */
    formatted(
        f,
        "WITH v AS (SELECT version, offset - 5000000000 AS n FROM revisions WHERE entity_id = ", 4,
        ") SELECT count(*) FROM v a, revisions r, v b WHERE r.entity_id ="
        " (SELECT entity_id FROM revisions WHERE offset = 5000000000 LIMIT 1)"
        " AND a.n = 2 AND b.n = 5 AND r.version > a.version AND r.version <= b.version",
        "3\n");
    rows_are(f, "SELECT count(*) FROM revisions WHERE entity_id = 'x'", "0\n");
    rows_are(f,
             "SELECT count(*) FROM (SELECT * FROM revisions ORDER BY entity_id DESC, version DESC)",
             "108\n");
}

static void links(void **state)
{
    struct fixture *f = *state;

    rows_are(f, "SELECT count(*), min(relation), min(from_kind), min(to_kind) FROM links",
             "23|blocks|work_item|work_item\n");
    formatted(f, "SELECT count(*) FROM links WHERE to_id = ", 0, "", "12\n");
    formatted(f, "SELECT count(*) FROM links WHERE +to_id = ", 0, "", "12\n");
    formatted(f, "SELECT count(*) FROM links WHERE from_id = ", 3, "", "2\n");
    formatted(f, "SELECT count(*) FROM links WHERE to_id = ", 3, "", "1\n");
    formatted(f, "SELECT to_id = ", 4,
              " FROM links WHERE from_id <> to_id AND from_id IN"
              " (SELECT from_id FROM links WHERE relation = 'nosuch')",
              "");
    rows_are(f, "SELECT version_at FROM links LIMIT 1", "2025-11-13T02:13:21.000Z\n");
    /* Every link both ways. */
    rows_are(f,
             "SELECT count(*) FROM links a WHERE EXISTS (SELECT 1 FROM links b"
             " WHERE b.to_id = a.to_id AND b.from_id = a.from_id)",
             "23\n");
}

static void changes(void **state)
{
    struct fixture *f = *state;

    rows_are(f,
             "SELECT group_concat(sequence) FROM (SELECT sequence FROM changes ORDER BY sequence)",
             "1,2,3,4,5,6,7,8,9,10,11,12\n");
    rows_are(f,
             "SELECT sequence, kind, outcome, stored_at FROM changes WHERE sequence > 10"
             " ORDER BY sequence DESC",
             "12|work_item|revision|2025-11-13T02:13:29.000Z\n"
             "11|work_item|revision|2025-11-13T02:13:29.000Z\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence = 7", "1\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence = 700", "0\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence = 7.0", "1\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence = 7.5", "0\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence BETWEEN -5 AND 3", "3\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence < 3.5", "3\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence <= -1", "0\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence > 9223372036854775807", "0\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence <= 9223372036854775807", "12\n");
    rows_are(f, "SELECT count(*) FROM changes WHERE sequence = NULL", "0\n");
    /* Joins push the bound of one table to the other. */
    rows_are(f, "SELECT count(*) FROM changes c JOIN work_items_all w ON w.id = c.entity_id",
             "12\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(revisions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
