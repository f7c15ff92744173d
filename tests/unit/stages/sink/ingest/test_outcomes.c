/* What runs changed: read, new, changed, repaired, deleted; batches that are forgotten; restarts.
 */
#include "stages/sink/ingest/outcomes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/run_id.h"
#include "tests/lib/store_mem.h"
#include "tests/lib/th_cmocka.h"

enum { RUN = 1000000, SECOND = 1000 };

struct fixture {
    struct wh_store *store;
    struct wh_json_parser *parser;
    struct sink_apply *apply;
    struct sink_outcomes *outcomes;
    struct wh_outcome last; /* taken last; texts not kept */
    unsigned taken;
};

static void open_all(struct fixture *f)
{
    struct wh_err err;

    th_ok(sink_apply_new(f->store, 100, &f->apply, &err), &err);
    th_ok(sink_outcomes_new(f->store, f->parser, &f->outcomes, &err), &err);
}

static void close_all(struct fixture *f)
{
    sink_outcomes_free(f->outcomes);
    sink_apply_free(f->apply);
}

static int setup(void **state)
{
    const struct wh_store_conf conf = {.families = sink_families, .n_families = SINK_FAMILY_COUNT};
    struct fixture *f = calloc(1, sizeof(*f));
    struct wh_err err;

    assert_non_null(f);
    th_ok(wh_store_mem_open(&conf, &f->store, &err), &err);
    f->parser = wh_json_parser_new(1 << 20, 16);
    assert_non_null(f->parser);
    open_all(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close_all(f);
    wh_json_parser_free(f->parser);
    wh_store_free(f->store);
    free(f);
    return 0;
}

/* One issue as somebody showed it. */
struct shown {
    unsigned number;
    enum wh_origin origin;
    int64_t run;        /* 0: outside of runs */
    int64_t updated_ms; /* with a fraction for reads, without for webhooks */
    int64_t seen_ms;
    int64_t created_ms;
    const char *title;
    int64_t notes; /* a counter, which webhooks do not tell; -1: not shown */
    bool gone;
};

static void put(struct wh_observation *o, const char *field, struct wh_value value)
{
    int i = wh_kind_field(o->body.def, wh_slice_str(field));

    assert_true(i >= 0);
    o->body.present |= UINT64_C(1) << i;
    o->body.values[i] = value;
}

static void note(struct fixture *f, const struct shown *s)
{
    static struct wh_observation o;
    struct wh_instant at = {.ms = s->updated_ms, .has_fraction = s->origin == WH_ORIGIN_REST};
    struct wh_history_result result;
    WH_AUTO(buf) struct wh_buf scratch;
    WH_AUTO(buf) struct wh_buf id;
    struct wh_slice kept;
    struct wh_err err;

    wh_buf_init(&scratch, 1 << 16);
    wh_buf_init(&id, 256);
    th_ok(wh_run_id_write(WH_LIT("/api/v4/projects/7/issues"), s->run, &id, &err), &err);
    th_ok(wh_arena_dup(sink_apply_arena(f->apply), wh_buf_slice(&id), &kept, &err), &err);
    memset(&o, 0, sizeof(o));
    o.body.def = wh_kind_def(WH_KIND_WORK_ITEM);
    o.id.bytes[0] = (unsigned char)s->number;
    o.id.bytes[15] = (unsigned char)s->number;
    o.source = (struct wh_source_id){.system = WH_LIT("gitlab"),
                                     .instance = WH_LIT("https://g"),
                                     .kind = WH_LIT("issue"),
                                     .project = WH_LIT("7"),
                                     .id = WH_LIT("1")};
    o.version.order = wh_version_order(at, s->gone ? 31 : 0, s->origin);
    o.change = s->gone ? WH_CHANGE_DELETE : WH_CHANGE_UPSERT;
    o.reason = s->gone ? WH_LIT("deleted") : WH_LIT("");
    o.provenance = (struct wh_provenance){.origin = s->origin,
                                          .delivery_id = kept,
                                          .observed_at_ms = s->seen_ms,
                                          .topic = WH_LIT("t"),
                                          .view = WH_LIT("v")};
    if (!s->gone) {
        put(&o, "title", (struct wh_value){.u.str = wh_slice_str(s->title)});
        put(&o, "created_at", (struct wh_value){.u.i = s->created_ms});
        put(&o, "updated_at", (struct wh_value){.u.i = s->updated_ms});
        if (s->notes >= 0) {
            put(&o, "notes_count", (struct wh_value){.u.i = s->notes});
        }
    }
    th_ok(wh_observation_tie(&o, &scratch, &o.version.tie, &err), &err);
    th_ok(sink_apply_observation(f->apply, &o, s->seen_ms, &result, &err), &err);
    th_ok(sink_outcomes_note(f->outcomes, "c", &o, f->apply, &result, &err), &err);
}

static void commit(struct fixture *f)
{
    const struct wh_outcome *o;
    struct wh_err err;

    th_ok(sink_outcomes_seal(f->outcomes, f->apply, 5, &err), &err);
    th_ok(sink_apply_seal(f->apply, &err), &err);
    th_ok(sink_apply_commit(f->apply, false, &err), &err);
    sink_outcomes_committed(f->outcomes);
    sink_apply_begin(f->apply);
    sink_outcomes_forget(f->outcomes);
    while ((o = sink_outcomes_next(f->outcomes)) != NULL) {
        f->last = *o;
        f->taken++;
    }
}

static struct wh_outcome_counts counts(const struct fixture *f)
{
    return f->last.kinds[wh_outcome_kind_of(WH_LIT("issue"))];
}

/* A webhook of another issue: from now on the project has webhooks. */
static void hooks_on(struct fixture *f, int64_t at_ms)
{
    note(f, &(struct shown){.number = 99,
                            .origin = WH_ORIGIN_WEBHOOK,
                            .updated_ms = at_ms,
                            .seen_ms = at_ms,
                            .title = "h",
                            .notes = -1});
    commit(f);
}

static void test_without_webhooks(void **state)
{
    struct fixture *f = *state;
    struct shown s = {.number = 1,
                      .origin = WH_ORIGIN_REST,
                      .run = RUN,
                      .updated_ms = 5 * SECOND + 1,
                      .seen_ms = 9 * SECOND,
                      .created_ms = SECOND,
                      .title = "a"};

    note(f, &s);
    note(f, &s); /* the same row twice */
    commit(f);
    assert_int_equal(f->last.run, RUN);
    assert_int_equal(counts(f).read, 2);
    assert_int_equal(counts(f).added, 1);
    assert_int_equal(counts(f).changed, 0);
    s.title = "b";
    s.updated_ms = 20 * SECOND + 7;
    s.run = RUN + 1;
    note(f, &s);
    commit(f);
    assert_int_equal(f->last.run, RUN + 1);
    assert_int_equal(counts(f).changed, 1);
    assert_int_equal(counts(f).repaired, 0); /* nobody promised a webhook */
    s.run = 0;
    s.title = "c";
    s.updated_ms = 30 * SECOND + 7;
    f->taken = 0;
    note(f, &s);
    commit(f);
    assert_int_equal(f->taken, 0); /* a re-read belongs to no run */
}

static void test_repairs(void **state)
{
    struct fixture *f = *state;
    struct shown s = {.number = 1,
                      .origin = WH_ORIGIN_REST,
                      .run = RUN,
                      .updated_ms = 5 * SECOND + 1,
                      .seen_ms = 9 * SECOND,
                      .created_ms = SECOND,
                      .title = "a"};

    note(f, &s);
    commit(f);
    hooks_on(f, 100 * SECOND);
    /* Changed before the first webhook: not promised. */
    s.run = RUN + 1;
    s.title = "b";
    s.updated_ms = 50 * SECOND + 1;
    note(f, &s);
    commit(f);
    assert_int_equal(counts(f).changed, 1);
    assert_int_equal(counts(f).repaired, 0);
    /* Only a counter moved: webhooks do not tell that. */
    s.run = RUN + 2;
    s.notes = 3;
    s.updated_ms = 150 * SECOND + 1;
    note(f, &s);
    commit(f);
    assert_int_equal(counts(f).changed, 1);
    assert_int_equal(counts(f).repaired, 0);
    /* A title that no webhook told. */
    s.run = RUN + 3;
    s.title = "c";
    s.updated_ms = 200 * SECOND + 1;
    note(f, &s);
    commit(f);
    assert_int_equal(counts(f).repaired, 1);
    assert_int_equal(f->last.repaired_oldest_ms, 200 * SECOND + 1);
    /* A new one that no webhook told; an old one that was merely not read yet. */
    s.run = RUN + 4;
    s.number = 2;
    s.created_ms = 210 * SECOND;
    s.updated_ms = 210 * SECOND + 3;
    note(f, &s);
    s.number = 3;
    s.created_ms = 20 * SECOND;
    note(f, &s);
    commit(f);
    assert_int_equal(counts(f).added, 2);
    assert_int_equal(counts(f).repaired, 1);
}

static void test_webhook_came_first(void **state)
{
    struct fixture *f = *state;
    struct shown hook = {.number = 1,
                         .origin = WH_ORIGIN_WEBHOOK,
                         .updated_ms = 200 * SECOND,
                         .seen_ms = 200 * SECOND,
                         .created_ms = 150 * SECOND,
                         .title = "a",
                         .notes = -1};
    struct shown read = {.number = 1,
                         .origin = WH_ORIGIN_REST,
                         .run = RUN,
                         .updated_ms = 200 * SECOND + 345,
                         .seen_ms = 300 * SECOND,
                         .created_ms = 150 * SECOND,
                         .title = "a",
                         .notes = 2};

    hooks_on(f, 100 * SECOND);
    note(f, &hook);
    note(f, &read);
    commit(f);
    assert_int_equal(counts(f).added, 0);
    assert_int_equal(counts(f).changed, 1); /* it shows more */
    assert_int_equal(counts(f).repaired, 0);
}

/* The read was faster than the webhook: late is not lost. */
static void test_taken_back(void **state)
{
    struct fixture *f = *state;
    struct shown hook = {.number = 1,
                         .origin = WH_ORIGIN_WEBHOOK,
                         .updated_ms = 200 * SECOND,
                         .seen_ms = 201 * SECOND,
                         .created_ms = 150 * SECOND,
                         .title = "a",
                         .notes = -1};
    struct shown read = {.number = 1,
                         .origin = WH_ORIGIN_REST,
                         .run = RUN,
                         .updated_ms = 200 * SECOND + 345,
                         .seen_ms = 200 * SECOND,
                         .created_ms = 150 * SECOND,
                         .title = "a",
                         .notes = 2};

    hooks_on(f, 100 * SECOND);
    note(f, &read);
    commit(f);
    assert_int_equal(counts(f).repaired, 1);
    hook.updated_ms = 199 * SECOND; /* tells of an older change */
    note(f, &hook);
    commit(f);
    assert_int_equal(counts(f).repaired, 1);
    hook.updated_ms = 200 * SECOND;
    note(f, &hook);
    note(f, &hook); /* delivered twice */
    commit(f);
    assert_int_equal(f->last.run, RUN);
    assert_int_equal(counts(f).repaired, 0);
    assert_int_equal(f->last.repaired_oldest_ms, 0);
}

static void test_deleted(void **state)
{
    struct fixture *f = *state;
    struct shown s = {.number = 1,
                      .origin = WH_ORIGIN_REST,
                      .run = RUN,
                      .updated_ms = 5 * SECOND + 1,
                      .seen_ms = 9 * SECOND,
                      .created_ms = SECOND,
                      .title = "a"};

    hooks_on(f, SECOND);
    note(f, &s);
    s.run = RUN + 1;
    s.gone = true;
    s.updated_ms = 30 * SECOND;
    note(f, &s);
    s.updated_ms = 31 * SECOND;
    note(f, &s); /* gone as before */
    commit(f);
    assert_int_equal(counts(f).deleted, 1);
    assert_int_equal(counts(f).repaired, 0);
}

/* A batch that is begun again counts once. */
static void test_forgotten_batch(void **state)
{
    struct fixture *f = *state;
    struct shown s = {.number = 1,
                      .origin = WH_ORIGIN_REST,
                      .run = RUN,
                      .updated_ms = 500 * SECOND + 1,
                      .seen_ms = 900 * SECOND,
                      .created_ms = 400 * SECOND,
                      .title = "a"};

    hooks_on(f, 100 * SECOND);
    for (int i = 0; i < 3; i++) {
        note(f, &s);
        sink_apply_begin(f->apply);
        sink_outcomes_forget(f->outcomes);
    }
    note(f, &s);
    commit(f);
    assert_int_equal(counts(f).read, 1);
    assert_int_equal(counts(f).added, 1);
    assert_int_equal(counts(f).repaired, 1);
}

/* Another process goes on counting where this one ended. */
static void test_restart(void **state)
{
    struct fixture *f = *state;
    struct shown s = {.number = 1,
                      .origin = WH_ORIGIN_REST,
                      .run = RUN,
                      .updated_ms = 500 * SECOND + 1,
                      .seen_ms = 900 * SECOND,
                      .created_ms = 400 * SECOND,
                      .title = "a"};

    hooks_on(f, 100 * SECOND);
    note(f, &s);
    commit(f);
    close_all(f);
    open_all(f);
    s.number = 2;
    note(f, &s);
    commit(f);
    assert_int_equal(counts(f).read, 2);
    assert_int_equal(counts(f).added, 2);
    assert_int_equal(counts(f).repaired, 2); /* that the project has webhooks is known still */
}

/* More runs than are held in memory. */
static void test_many_runs(void **state)
{
    struct fixture *f = *state;
    struct shown s = {.origin = WH_ORIGIN_REST,
                      .updated_ms = 500 * SECOND + 1,
                      .seen_ms = 900 * SECOND,
                      .created_ms = 400 * SECOND,
                      .title = "a"};

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 40; i++) {
            s.number = i + 1 + round * 100;
            s.run = RUN + i;
            note(f, &s);
            commit(f);
            assert_int_equal(f->last.run, s.run);
            assert_int_equal(counts(f).added, round + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_webhooks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repairs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_webhook_came_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_runs, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
