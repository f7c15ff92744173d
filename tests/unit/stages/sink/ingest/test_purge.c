/*
 * What a purge leaves behind is what the store would hold if the connection had never been: the
 * same bytes in every family, the same counts. At whatever write it is cut off, it is taken up.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "tests/lib/store_mem.h"
#include "stages/sink/batch/apply.h"
#include "stages/sink/ingest/purge.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"
#include "tests/lib/th_store.h"
#include "tests/lib/th_tmp.h"

#define GONE "https://gitlab.test" /* of th_observations_new */
#define KEPT "https://kept.test"

enum { BATCH = 16, NOW_MS = 1, TURNS_MAX = 1000, REPORT_BYTES = 1 << 16 };

struct world {
    char *dir; /* NULL: in memory */
    struct wh_store *store;
    struct sink_apply *apply;
    struct sink_purge *purge;
    struct wh_log *log;
};

static int64_t now(void *ctx)
{
    (void)ctx;
    return 5000;
}

static void purge_open(struct world *w)
{
    struct wh_err err;

    th_ok(
        sink_purge_new(w->store, (struct wh_clock){now, now, NULL}, w->log, false, &w->purge, &err),
        &err);
}

static void world_open(struct world *w, bool rocks)
{
    char path[512];
    struct wh_store_conf conf = {.families = sink_families,
                                 .n_families = SINK_FAMILY_COUNT,
                                 .cache_bytes = 1 << 20,
                                 .memtable_bytes = 1 << 20};
    struct wh_err err;

    *w = (struct world){.dir = rocks ? th_tmp_new() : NULL};
    (void)snprintf(path, sizeof(path), "%s/store", w->dir ? w->dir : "");
    conf.path = path;
    th_ok(rocks ? wh_store_rocks_open(&conf, &w->store, &err)
                : wh_store_mem_open(&conf, &w->store, &err),
          &err);
    th_ok(sink_apply_new(w->store, 64, &w->apply, &err), &err);
    purge_open(w);
}

static void world_close(struct world *w)
{
    sink_purge_free(w->purge);
    sink_apply_free(w->apply);
    wh_store_free(w->store);
    if (w->dir) {
        th_tmp_remove(w->dir);
    }
}

static void commit(struct sink_apply *a)
{
    struct wh_err err;

    th_ok(sink_apply_seal(a, &err), &err);
    th_ok(sink_apply_commit(a, false, &err), &err);
    sink_apply_begin(a);
}

/* The same observation as another GitLab would have shown it. */
static void move_to_kept(struct wh_observation *o, char url[64])
{
    o->source.instance = WH_LIT(KEPT);
    o->id = wh_entity_id_make(o->source.instance, o->source.kind, o->source.id);
    if (o->source.url.len > 0) {
        (void)snprintf(url, 64, KEPT "/%.40s", o->source.url.ptr + sizeof(GONE));
        o->source.url = wh_slice_str(url);
    }
}

/* Every third observation is one of the GitLab that stays; the others only with the one that goes.
 */
static void fill(struct world *w, const struct th_encoded *list, size_t n, bool both)
{
    for (size_t i = 0; i < n; i++) {
        bool kept = i % 3 == 0;
        struct wh_history_result result;
        struct wh_observation o;
        struct wh_err err;
        char url[64];

        if (kept || both) {
            th_ok(wh_observation_decode(wh_slice(list[i].bytes, list[i].len),
                                        sink_apply_arena(w->apply), &o, &err),
                  &err);
            if (kept) {
                move_to_kept(&o, url);
            }
            th_ok(sink_apply_observation(w->apply, &o, NOW_MS, &result, &err), &err);
        }
        commit(w->apply);
    }
}

static void connect_both(struct world *w)
{
    struct wh_err err;

    th_ok(sink_apply_connection(w->apply, WH_LIT("gone"),
                                WH_LIT("{\"id\":\"gone\",\"instance\":\"" GONE "\"}"), &err),
          &err);
    commit(w->apply);
    th_ok(sink_apply_connection(w->apply, WH_LIT("kept"),
                                WH_LIT("{\"id\":\"kept\",\"instance\":\"" KEPT "\"}"), &err),
          &err);
    commit(w->apply);
}

/* As the writer does with a tombstone. */
static void mark(struct world *w)
{
    struct wh_err err;
    bool due = false;

    th_ok(sink_purge_mark(w->purge, w->apply, WH_LIT("gone"), &due, &err), &err);
    assert_true(due);
    th_ok(sink_apply_connection(w->apply, WH_LIT("gone"), wh_slice(NULL, 0), &err), &err);
    commit(w->apply);
    th_ok(sink_purge_start(w->purge, &err), &err);
    assert_true(sink_purge_due(w->purge));
    assert_string_equal(sink_purge_connection(w->purge), "gone");
}

static void run(struct world *w)
{
    struct wh_err err;

    for (unsigned i = 0; sink_purge_due(w->purge); i++) {
        assert_true(i < TURNS_MAX);
        th_ok(sink_purge_step(w->purge, w->apply, &err), &err);
    }
}

static int64_t reported(struct world *w, const char *name)
{
    struct wh_json_parser *parser = wh_json_parser_new(REPORT_BYTES, 8);
    struct wh_json_val report;
    struct wh_json_val v;
    struct wh_buf key;
    struct wh_buf text;
    struct wh_err err;
    bool found = false;
    int64_t n;

    wh_buf_init(&key, 128);
    wh_buf_init(&text, REPORT_BYTES);
    th_ok(sink_purge_report_key(WH_LIT("gone"), &key, &err), &err);
    th_ok(wh_store_get(w->store, NULL, SINK_META, wh_buf_slice(&key), &text, &found, &err), &err);
    assert_true(found);
    th_ok(wh_json_parse(parser, wh_buf_slice(&text), &report, &err), &err);
    assert_true(wh_json_get(report, wh_slice_str(name), &v));
    n = wh_json_int(v);
    wh_buf_done(&key);
    wh_buf_done(&text);
    wh_json_parser_free(parser);
    return n;
}

static size_t changes_in(struct wh_store *store)
{
    struct wh_iter *it;
    struct wh_err err;
    size_t n = 0;

    th_ok(wh_iter_new(store, NULL, SINK_CHANGES, wh_slice("", 0), wh_slice("", 0), &it, &err),
          &err);
    for (wh_iter_seek(it, wh_slice("", 0), false); wh_iter_valid(it, NULL, NULL);
         wh_iter_step(it, false)) {
        n++;
    }
    wh_iter_free(it);
    return n;
}

/* All but the log of changes, whose numbers have gaps now, and meta. */
static void same(struct world *a, struct world *b)
{
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        char *left;
        char *right;

        if (f == SINK_CHANGES || f == SINK_META) {
            continue;
        }
        left = th_store_dump(a->store, f);
        right = th_store_dump(b->store, f);
        if (strcmp(left, right) != 0) {
            fail_msg("family %s differs", sink_families[f].name);
        }
        wh_mem_free(left);
        wh_mem_free(right);
    }
    assert_memory_equal(sink_apply_counts(a->apply), sink_apply_counts(b->apply),
                        sizeof(struct sink_kind_counts) * WH_KIND_COUNT);
    assert_int_equal(changes_in(a->store), changes_in(b->store));
}

static void purge_is_as_if_never_there(bool rocks, size_t n, unsigned entities, uint64_t seed)
{
    struct th_encoded *list = th_observations_new(seed, n, entities, 1000);
    struct world purged;
    struct world never;

    world_open(&purged, rocks);
    world_open(&never, false);
    connect_both(&purged);
    fill(&purged, list, n, true);
    fill(&never, list, n, false);
    mark(&purged);
    run(&purged);
    same(&purged, &never);
    assert_int_equal(reported(&purged, "leftovers"), 0);
    assert_int_equal(reported(&purged, "finished_at_ms"), 5000);
    assert_true(reported(&purged, "entities") > 0);
    assert_true(reported(&purged, "revisions") > 0);
    world_close(&purged);
    world_close(&never);
    th_observations_free(list, n);
}

static void test_as_if_never_there(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        purge_is_as_if_never_there(false, 240, 40, seed);
    }
}

/* More keys than one step looks at, and files that are written anew. */
static void test_on_disk(void **state)
{
    (void)state;
    purge_is_as_if_never_there(true, 3 * SINK_PURGE_KEYS, 2 * SINK_PURGE_KEYS, 3);
}

/* Each write fails once, as on a full disk, or the process ends there. */
static void test_cut_off_anywhere(void **state)
{
    enum { N = 120 };
    struct th_encoded *list = th_observations_new(11, N, 30, 1000);
    struct world never;

    (void)state;
    world_open(&never, false);
    fill(&never, list, N, false);
    for (int after = 0, failures = 1; failures > 0; after++) {
        struct world w;
        struct wh_err err;
        int64_t entities;

        failures = 0;
        world_open(&w, false);
        connect_both(&w);
        fill(&w, list, N, true);
        mark(&w);
        wh_store_mem_fail(w.store, WH_STORE_MEM_WRITE, WH_E_NO_SPACE, after, 1);
        for (unsigned i = 0; sink_purge_due(w.purge); i++) {
            enum wh_rc rc = sink_purge_step(w.purge, w.apply, &err);

            assert_true(i < TURNS_MAX);
            assert_true(rc == WH_OK || rc == WH_E_NO_SPACE);
            failures += rc == WH_E_NO_SPACE;
            if (rc == WH_E_NO_SPACE && after % 2 == 0) {
                sink_purge_free(w.purge);
                purge_open(&w);
            }
        }
        same(&w, &never);
        entities = reported(&w, "entities");
        assert_int_equal(reported(&w, "leftovers"), 0);
        assert_true(entities > 0 && entities <= N);
        world_close(&w);
    }
    world_close(&never);
    th_observations_free(list, N);
}

static void test_unknown_connection(void **state)
{
    struct world w;
    struct wh_err err;
    bool due = true;

    (void)state;
    world_open(&w, false);
    th_ok(sink_purge_mark(w.purge, w.apply, WH_LIT("never-seen"), &due, &err), &err);
    assert_false(due);
    assert_false(sink_purge_due(w.purge));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_if_never_there),
        cmocka_unit_test(test_on_disk),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_unknown_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
