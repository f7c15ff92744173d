/* The history of a record: before and after, pages, the difference of two revisions, repairs, relations. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api.h"
#include "stages/sink/batch/apply.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { TYPE = 0, TITLE = 2, STATE = 4, MANY = 900, PARSED_MAX = 8 << 20 };

#define BEGIN_MS INT64_C(1763000000000)

struct world {
    struct th_api *f;
    struct sink_apply *apply;
    struct wh_json_parser *parser;
    struct wh_entity_id id;
    struct th_http_req req;
};

/* Revision n of issue 7, a minute after the one before. */
static void store(struct world *w, int n, const char *title, const char *state,
                  enum wh_origin origin, int64_t late_ms)
{
    struct wh_observation *o = calloc(1, sizeof(*o));
    int64_t at_ms = BEGIN_MS + n * INT64_C(60000);
    struct wh_history_result result;
    struct wh_buf scratch;
    struct wh_err err;

    assert_non_null(o);
    o->source = (struct wh_source_id){
        WH_LIT("gitlab"), WH_LIT("https://g"),           WH_LIT("issue"), WH_LIT("1"), WH_LIT("7"),
        WH_LIT("7"),      WH_LIT("https://g/-/issues/7")};
    o->id = wh_entity_id_make(o->source.instance, o->source.kind, o->source.id);
    w->id = o->id;
    o->provenance = (struct wh_provenance){.origin = origin,
                                           .delivery_id = WH_LIT("r"),
                                           .observed_at_ms = at_ms + late_ms,
                                           .topic = WH_LIT("wellhead.raw.c"),
                                           .offset = n,
                                           .view = WH_LIT("v@1")};
    o->body.def = wh_kind_def(WH_KIND_WORK_ITEM);
    o->body.present = 1 << TYPE | 1 << TITLE | 1 << STATE;
    o->body.values[TYPE].u.str = WH_LIT("issue");
    o->body.values[TITLE].u.str = wh_slice_str(title);
    o->body.values[STATE].u.str = wh_slice_str(state);
    o->version.order = wh_version_order((struct wh_instant){.ms = at_ms}, 0, origin);
    wh_buf_init(&scratch, 1 << 16);
    th_ok(wh_observation_tie(o, &scratch, &o->version.tie, &err), &err);
    wh_buf_done(&scratch);
    th_ok(sink_apply_observation(w->apply, o, at_ms + late_ms, &result, &err), &err);
    th_ok(sink_apply_seal(w->apply, &err), &err);
    th_ok(sink_apply_commit(w->apply, false, &err), &err);
    sink_apply_begin(w->apply);
    free(o);
}

/* The first webhook of project 1 came before all of them. */
static void store_cover(struct world *w)
{
    static const char key[] = "wc\0"
                              "1";
    unsigned char value[16] = {0};
    struct wh_batch *batch;
    struct wh_err err;

    wh_be_put64(value, 1);
    wh_be_put64(value + 8, 1);
    th_ok(wh_batch_new(w->f->store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, SINK_META, wh_slice(key, 4), wh_slice(value, sizeof(value)), &err),
          &err);
    th_ok(wh_store_write(w->f->store, batch, false, &err), &err);
    wh_batch_free(batch);
}

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 20000,
                                       .sql_timeout_max_ms = 20000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 8 << 20};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct wh_err err;

    w->f = th_api_new(&conf, 0, 3);
    w->parser = wh_json_parser_new(PARSED_MAX, 32);
    th_ok(sink_apply_new(w->f->store, 8, &w->apply, &err), &err);
    sink_apply_begin(w->apply);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_http_done(&w->req);
    wh_json_parser_free(w->parser);
    sink_apply_free(w->apply);
    th_api_free(w->f);
    wh_mem_free(w);
    return 0;
}

/* The part of the page of the record; end: "", "/diff". */
static struct wh_json_val page(struct world *w, const char *end, const char *part,
                               const char *const *args)
{
    char id[WH_ENTITY_ID_TEXT + 1];
    char path[128];
    struct wh_json_val root = {0};
    struct wh_json_val v = {0};
    struct wh_err err;

    (void)snprintf(path, sizeof(path), "/e/%s%s.json", wh_entity_id_format(&w->id, id), end);
    th_http_done(&w->req);
    th_api_request(w->f, &w->req, "GET", path);
    for (; args && args[0]; args += 2) {
        th_http_arg(&w->req, args[0], args[1]);
    }
    th_http_send(&w->req, &w->f->handler, w->f->loop);
    th_ok(wh_json_parse(w->parser, wh_buf_slice(&w->req.answer), &root, &err), &err);
    if (w->req.status != 200 || !wh_json_get(root, wh_slice_str(part), &v)) {
        fail_msg("%s: %u %.400s", path, w->req.status, wh_buf_str(&w->req.answer));
    }
    return v;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct wh_json_val get(struct wh_json_val v, const char *key)
{
    struct wh_json_val ret = {0};

    if (!wh_json_get(v, wh_slice_str(key), &ret)) {
        fail_msg("no member %s", key);
    }
    return ret;
}

static struct wh_slice text(struct wh_json_val change, const char *side)
{
    return wh_json_get_str(get(change, side), "text");
}

/* E3: every page says what was before, also when the revision that set it is far behind the page. */
static void pages_say_what_was_before(void **state)
{
    struct world *w = *state;
    char next[40] = "";
    char title[32];
    int seen = 0;

    for (int n = 0; n < MANY; n++) {
        /* The state changes once at the end; its value before is in the first revision. */
        (void)snprintf(title, sizeof(title), "title %d", n);
        store(w, n, title, n == MANY - 1 ? "closed" : "opened", WH_ORIGIN_WEBHOOK, 5);
    }
    for (int pages = 0; pages < MANY; pages++) {
        struct wh_json_val history = page(
            w, "", "history", next[0] ? ARGS("_size", "70", "_next", next) : ARGS("_size", "70"));
        struct wh_json_iter it = wh_json_iter(get(history, "list"));
        struct wh_json_val revision;

        while (wh_json_next(&it, NULL, &revision)) {
            struct wh_json_iter changes = wh_json_iter(get(revision, "changes"));
            int n = MANY - 1 - seen++;
            struct wh_json_val change;

            assert_int_equal(wh_json_get_int(revision, "offset", -1), n);
            while (wh_json_next(&changes, NULL, &change)) {
                if (wh_slice_eq(wh_json_get_str(change, "field"), WH_LIT("title"))) {
                    (void)snprintf(title, sizeof(title), "title %d", n - 1);
                    assert_true(n == 0 || wh_slice_eq(text(change, "before"), wh_slice_str(title)));
                }
                if (wh_slice_eq(wh_json_get_str(change, "field"), WH_LIT("state")) && n) {
                    assert_true(wh_slice_eq(text(change, "before"), WH_LIT("opened")));
                    assert_true(wh_slice_eq(text(change, "after"), WH_LIT("closed")));
                }
            }
        }
        if (!wh_json_get_flag(history, "truncated")) {
            break;
        }
        (void)snprintf(next, sizeof(next), "%.*s", WH_SLICE_ARG(wh_json_get_str(history, "next")));
    }
    assert_int_equal(seen, MANY);
}

/* E4: any two. */
static void a_difference(void **state)
{
    struct world *w = *state;
    char versions[2][40];
    struct wh_json_iter it;
    struct wh_json_val v;
    size_t n = 0;

    store(w, 0, "one", "opened", WH_ORIGIN_REST, 5);
    store(w, 1, "two", "opened", WH_ORIGIN_REST, 5);
    store(w, 2, "three", "closed", WH_ORIGIN_REST, 5);
    it = wh_json_iter(get(page(w, "", "history", NULL), "list"));
    while (wh_json_next(&it, NULL, &v)) {
        if (n++ != 1) {
            (void)snprintf(versions[n == 1], sizeof(versions[0]), "%.*s",
                           WH_SLICE_ARG(wh_json_get_str(v, "version")));
        }
    }
    v = page(w, "/diff", "diff", ARGS("from", versions[0], "to", versions[1]));
    it = wh_json_iter(get(v, "list"));
    assert_true(wh_json_next(&it, NULL, &v));
    assert_true(wh_slice_eq(text(v, "before"), WH_LIT("one")));
    assert_true(wh_slice_eq(text(v, "after"), WH_LIT("three")));
    assert_true(wh_json_next(&it, NULL, &v));
    assert_true(wh_slice_eq(text(v, "after"), WH_LIT("closed")));
    assert_false(wh_json_next(&it, NULL, &v));
}

/* E7: a read found what a webhook should have said; a webhook's own change is none. */
static void a_repair_is_said(void **state)
{
    struct world *w = *state;
    struct wh_json_iter it;
    struct wh_json_val v;

    store_cover(w);
    store(w, 0, "one", "opened", WH_ORIGIN_WEBHOOK, 5);
    store(w, 1, "one", "closed", WH_ORIGIN_WEBHOOK, 5);
    store(w, 2, "two", "closed", WH_ORIGIN_REST, 840000);
    it = wh_json_iter(get(page(w, "", "history", NULL), "list"));
    assert_true(wh_json_next(&it, NULL, &v));
    assert_int_equal(wh_json_get_int(v, "repaired_after_s", -1), 840);
    while (wh_json_next(&it, NULL, &v)) {
        assert_int_equal(wh_json_get_int(v, "repaired_after_s", -1), -1);
    }
}

static void the_page_shows_it(void **state)
{
    struct world *w = *state;
    char id[WH_ENTITY_ID_TEXT + 1];
    char path[128];

    store_cover(w);
    store(w, 0, "<b>one", "opened", WH_ORIGIN_WEBHOOK, 5);
    store(w, 2, "two", "closed", WH_ORIGIN_REST, 840000);
    (void)snprintf(path, sizeof(path), "/e/%s", wh_entity_id_format(&w->id, id));
    th_http_done(&w->req);
    th_api_request(w->f, &w->req, "GET", path);
    th_http_send(&w->req, &w->f->handler, w->f->loop);
    assert_int_equal(w->req.status, 200);
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<h1>two</h1>"));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "missed by webhook, repaired 14 min later"));
    assert_non_null(
        strstr(wh_buf_str(&w->req.answer), "wellhead topics read wellhead.raw.c --from 0:2"));
    assert_null(strstr(wh_buf_str(&w->req.answer), "<b>one"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_say_what_was_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_difference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repair_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_page_shows_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
