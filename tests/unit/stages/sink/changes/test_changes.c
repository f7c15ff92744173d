/* The log of changes: every change once, in order, judged as of after it, and as JSON. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/changes/changes.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_map.h"

enum { MAX = 64 };

struct world {
    struct th_facts facts;
    struct changes *changes;
    struct wh_json_parser *parser;
    struct wh_buf text;
};

/* The writer notes when it begins a store. */
static void note_begin(struct wh_store *store)
{
    unsigned char ms[8];
    struct wh_batch *batch;
    struct wh_err err;

    wh_be_put64(ms, UINT64_C(1780000000000));
    th_ok(wh_batch_new(store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, SINK_META, WH_LIT("b"), wh_slice(ms, sizeof(ms)), &err), &err);
    th_ok(wh_store_write(store, batch, false, &err), &err);
    wh_batch_free(batch);
}

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct changes_conf conf = {.clock = wh_clock_real()};
    struct wh_err err;

    th_facts_init(&w->facts);
    note_begin(w->facts.store);
    conf.store = w->facts.store;
    th_ok(changes_new(&conf, &w->changes, &err), &err);
    w->parser = wh_json_parser_new(1 << 20, 16);
    wh_buf_init(&w->text, 1 << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    changes_free(w->changes);
    th_facts_done(&w->facts);
    wh_json_parser_free(w->parser);
    wh_buf_done(&w->text);
    wh_mem_free(w);
    return 0;
}

static void store(struct world *w, const char *json)
{
    w->facts.now_ms += 1000;
    th_facts_put(&w->facts, json);
    changes_notify(w->changes, sink_apply_sequence(w->facts.apply));
}

#define PIPELINE(at_, status_)                                                                     \
    "{\"kind\":\"build_record\",\"id\":\"5\",\"at\":\"" at_ "\",\"status\":\"" status_             \
    "\",\"url\":\"https://gitlab.test/shop/web/-/pipelines/5\"}"

static size_t read_all(struct world *w, uint64_t after, struct change list[MAX])
{
    struct wh_err err;
    size_t n;

    th_ok(changes_read(w->changes, after, list, MAX, &n, &err), &err);
    return n;
}

static bool matches(struct world *w, const char *table, const char *where,
                    const struct change *change)
{
    struct change_condition *condition;
    struct wh_err err;
    bool is = false;

    th_ok(change_condition_new(w->changes, wh_slice_str(table), wh_slice_str(where), false,
                               &condition, &err),
          &err);
    th_ok(change_matches(w->changes, condition, change, NULL, &is, &err), &err);
    change_condition_free(condition);
    return is;
}

static struct wh_json_val shown(struct world *w, const struct change *change)
{
    struct wh_json_val root;
    struct wh_err err;

    wh_buf_reset(&w->text);
    th_ok(change_write(w->changes, change, &w->text, &err), &err);
    th_ok(wh_json_parse(w->parser, wh_buf_slice(&w->text), &root, &err), &err);
    return root;
}

static void text_is(struct wh_json_val root, const char *path, const char *want)
{
    struct wh_slice is = wh_json_string(th_json(root, path));
    char text[128];

    (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(is));
    assert_string_equal(text, want);
}

static void every_change_has_its_number_and_its_state(void **state)
{
    struct world *w = *state;
    struct change list[MAX];

    store(w, PIPELINE("2026-05-01T10:00:00Z", "running"));
    store(w, PIPELINE("2026-05-01T10:01:00Z", "failed"));
    store(w, PIPELINE("2026-05-01T10:02:00Z", "success"));
    assert_int_equal(read_all(w, 0, list), 3);
    assert_int_equal(list[0].sequence, 1);
    assert_int_equal(list[2].sequence, 3);
    /* Each is judged as it was then, and the newest as it is. */
    assert_false(matches(w, "pipelines", "status = 'failed'", &list[0]));
    assert_true(matches(w, "pipelines", "status = 'failed'", &list[1]));
    assert_false(matches(w, "pipelines", "status = 'failed'", &list[2]));
    assert_true(matches(w, "build_records", "status = 'success' -- a comment", &list[2]));
    assert_false(matches(w, "jobs", "1", &list[2]));
    assert_int_equal(read_all(w, 2, list), 1);
    assert_int_equal(list[0].sequence, 3);
    assert_int_equal(read_all(w, 3, list), 0);
}

static void changes_stored_together_are_told_apart(void **state)
{
    struct world *w = *state;
    struct change list[MAX];

    store(w, "[" PIPELINE("2026-05-01T10:00:00Z", "running") "," PIPELINE(
                 "2026-05-01T10:01:00Z", "failed") "," PIPELINE("2026-05-01T10:02:00Z",
                                                                "success") "]");
    assert_int_equal(read_all(w, 0, list), 3);
    assert_true(list[0].superseded && list[1].superseded && !list[2].superseded);
    assert_false(matches(w, "pipelines", "status = 'failed'", &list[0]));
    assert_true(matches(w, "pipelines", "status = 'failed'", &list[1]));
    assert_false(matches(w, "pipelines", "status = 'failed'", &list[2]));
}

static void a_part_of_a_batch_waits_for_the_rest(void **state)
{
    struct world *w = *state;
    struct change list[2];
    struct wh_err err;
    size_t n;

    store(w, PIPELINE("2026-05-01T10:00:00Z", "running"));
    store(w, "[" PIPELINE("2026-05-01T10:01:00Z", "failed") "," PIPELINE("2026-05-01T10:02:00Z",
                                                                         "success") "]");
    th_ok(changes_read(w->changes, 0, list, 2, &n, &err), &err);
    assert_int_equal(n, 1);
    /* What alone fills the list is given as it is. */
    th_ok(changes_read(w->changes, 1, list, 1, &n, &err), &err);
    assert_int_equal(n, 1);
}

static void a_change_says_what_was_before_and_after(void **state)
{
    struct world *w = *state;
    struct change list[MAX];
    struct wh_json_val root;

    store(w, PIPELINE("2026-05-01T10:00:00Z", "running"));
    store(w, PIPELINE("2026-05-01T10:01:00Z", "failed"));
    store(w, "{\"kind\":\"build_record\",\"id\":\"5\",\"at\":\"2026-05-01T10:02:00Z\","
             "\"delete\":\"deleted\"}");
    assert_int_equal(read_all(w, 0, list), 3);
    root = shown(w, &list[0]);
    text_is(root, "operation", "new");
    text_is(root, "kind", "build_record");
    text_is(root, "changes.status.after", "running");
    assert_true(wh_json_type(th_json(root, "changes.status.before")) == WH_JSON_NULL);
    root = shown(w, &list[1]);
    text_is(root, "operation", "changed");
    text_is(root, "changes.status.before", "running");
    text_is(root, "changes.status.after", "failed");
    text_is(root, "row.status", "failed");
    text_is(root, "row.url", "https://gitlab.test/shop/web/-/pipelines/5");
    text_is(root, "time", "2026-05-01T10:01:00.000Z");
    assert_int_equal(wh_json_int(th_json(root, "sequence")), 2);
    root = shown(w, &list[2]);
    text_is(root, "operation", "deleted");
    assert_true(wh_json_bool(th_json(root, "row.deleted")));
}

static void a_long_text_is_shortened_and_named(void **state)
{
    struct world *w = *state;
    struct change list[MAX];
    struct wh_json_val root;
    struct wh_err err;

    wh_buf_reset(&w->text);
    th_ok(wh_buf_printf(&w->text, &err,
                        "{\"kind\":\"work_item\",\"id\":\"7\",\"at\":\"2026-05-01T10:00:00Z\","
                        "\"title\":\"T\",\"description\":\"%0*d\"}",
                        2 * CHANGE_TEXT_MAX_BYTES, 0),
          &err);
    store(w, wh_buf_str(&w->text));
    assert_int_equal(read_all(w, 0, list), 1);
    root = shown(w, &list[0]);
    text_is(root, "shortened.0", "description");
    assert_int_equal(wh_json_string(th_json(root, "row.description")).len, CHANGE_TEXT_MAX_BYTES);
    assert_int_equal(wh_json_string(th_json(root, "changes.description.after")).len,
                     CHANGE_TEXT_MAX_BYTES);
}

static void a_condition_passes_the_guard_of_statements(void **state)
{
    static const char *const bad[] = {"status = ", "nothing = 1", "1); delete from jobs; --",
                                      "load_extension('x')"};
    struct world *w = *state;
    struct change_condition *condition;
    struct wh_err err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(change_condition_new(w->changes, WH_LIT("jobs"), wh_slice_str(bad[i]),
                                                  false, &condition, &err),
                             WH_OK);
        assert_int_equal(wh_rc_class(err.rc), WH_CLASS_POISON);
    }
    assert_int_equal(
        change_condition_new(w->changes, WH_LIT("revisions"), WH_LIT(""), false, &condition, &err),
        WH_E_INVALID);
}

static void a_place_names_its_store(void **state)
{
    struct world *w = *state;
    char text[CHANGES_PLACE_TEXT];
    struct changes_place place;
    struct wh_err err;

    changes_place_format((struct changes_place){changes_store(w->changes), 42}, text);
    th_ok(changes_place_parse(wh_slice_str(text), &place, &err), &err);
    assert_true(place.store == changes_store(w->changes) && place.store != 0);
    assert_int_equal(place.sequence, 42);
    th_ok(changes_place_parse(WH_LIT("7"), &place, &err), &err);
    assert_true(place.store == 0 && place.sequence == 7);
    assert_int_equal(changes_place_parse(WH_LIT("x-7"), &place, &err), WH_E_INVALID);
    assert_int_equal(changes_place_parse(WH_LIT("-7"), &place, &err), WH_E_INVALID);
    assert_int_equal(changes_place_parse(WH_LIT(""), &place, &err), WH_E_INVALID);
}

static void the_first_change_since_a_time_is_found(void **state)
{
    struct world *w = *state;
    int64_t began_ms = w->facts.now_ms;
    struct wh_err err;
    uint64_t sequence;

    store(w, PIPELINE("2026-05-01T10:00:00Z", "running"));
    store(w, PIPELINE("2026-05-01T10:01:00Z", "failed"));
    store(w, PIPELINE("2026-05-01T10:02:00Z", "success"));
    for (uint64_t i = 0; i <= 3; i++) {
        th_ok(changes_since(w->changes, began_ms + (int64_t)i * 1000, &sequence, &err), &err);
        assert_int_equal(sequence, i == 0 ? 1 : i);
    }
    th_ok(changes_since(w->changes, began_ms + 3001, &sequence, &err), &err);
    assert_int_equal(sequence, 4);
}

static void a_wait_ends_with_a_change_or_a_stop(void **state)
{
    struct world *w = *state;

    assert_false(changes_await(w->changes, 0, 0, NULL));
    store(w, PIPELINE("2026-05-01T10:00:00Z", "running"));
    assert_true(changes_await(w->changes, 0, 60000, NULL));
    changes_stop(w->changes);
    assert_false(changes_await(w->changes, 1, 60000, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_change_has_its_number_and_its_state, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(changes_stored_together_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_part_of_a_batch_waits_for_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_says_what_was_before_and_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_text_is_shortened_and_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_condition_passes_the_guard_of_statements, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_place_names_its_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_change_since_a_time_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wait_ends_with_a_change_or_a_stop, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
