/*
 * The hash of what an observation depends on: equal hashes mean equal observations, whatever part of an
 * event, of its element or of its envelope differs.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/mapper/view/view.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum { EVENTS = 30000, PAIRS = 1 << 16 };

/* A job of each element: conditions, templates, alternatives, the envelope, ranks, its parent's time. */
static const char view[] =
    "{\"about\":\"t\",\"ranks\":{\"ci\":{\"a\":1,\"b\":2}},\"views\":[{\"name\":\"t@1\",\"match\":{"
    "\"origin\":[\"webhook\",\"rest\"],\"kind\":[\"k\"]},\"emit\":[{\"kind\":\"build_record\","
    "\"source\":{\"kind\":\"pipeline\",\"id\":\"/id\"},\"version\":{\"first_of\":[\"/"
    "at\"],\"else\":"
    "\"observed\"},\"fields\":{\"ref\":\"/ref\"}},{\"at\":\"/jobs/*\",\"kind\":\"job\",\"when\":{"
    "\"!/gone\":\"true\"},\"source\":{\"kind\":\"job\",\"id\":\"/id\",\"project\":\"@project\","
    "\"url\":\"={^/web}/-/jobs/{/id}\"},\"version\":{\"latest_of\":[\"/end\",\"/start\"],\"else\":"
    "\"parent\",\"rank\":{\"from\":\"/status\",\"table\":\"ci\"}},\"fields\":{\"name\":[\"/name\","
    "\"^/name\"],\"stage\":{\"from\":\"/stage\",\"when\":{\"/shown\":\"true\"}},\"tag\":\"^/tag\","
    "\"duration\":\"/duration\",\"pipeline\":\"^/id\"}}]}]}";

struct pair {
    uint64_t inputs;
    struct wh_entity_id id;
    struct wh_version version;
};

struct seen {
    struct pair pairs[PAIRS];
    size_t hashed;
    size_t again;
};

static bool never_known(void *ctx, uint64_t inputs)
{
    (void)ctx;
    assert_true(inputs != 0);
    return false;
}

static enum wh_rc on_observation(void *ctx, const struct wh_observation *o, uint64_t inputs,
                                 struct wh_err *err)
{
    struct seen *seen = ctx;
    struct pair *p = &seen->pairs[inputs % PAIRS];

    (void)err;
    if (o->body.def->kind != WH_KIND_JOB) {
        assert_int_equal(inputs, 0);
        return WH_OK;
    }
    seen->hashed += inputs != 0;
    if (inputs && p->inputs == inputs) {
        seen->again++;
        assert_int_equal(wh_entity_id_cmp(&p->id, &o->id), 0);
        assert_int_equal(wh_version_cmp(p->version, o->version), 0);
    }
    *p = (struct pair){inputs, o->id, o->version};
    return WH_OK;
}

static enum wh_rc on_reread(void *ctx, const struct mapper_reread *r, struct wh_err *err)
{
    (void)ctx, (void)r, (void)err;
    return WH_OK;
}

/* Mostly a, so that the same inputs occur again. */
static const char *pick(struct th_random *r, const char *a, const char *b, const char *c)
{
    unsigned n = th_random_below(r, 8);

    return n == 0 ? b : n == 1 ? c : a;
}

static size_t any_event(struct th_random *r, char *out, size_t room)
{
    return (size_t)snprintf(
        out, room,
        "{\"id\":%u,\"at\":%s,\"ref\":\"r%u\",\"web\":%s,\"name\":%s,\"tag\":%s,\"jobs\":[{\"id\":%"
        "u,"
        "\"gone\":%s,\"end\":%s,\"start\":%s,\"status\":%s,\"name\":%s,\"stage\":%s,\"shown\":%s,"
        "\"duration\":%s}]}",
        1 + th_random_below(r, 2),
        pick(r, "\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00.000Z\"", "null"),
        th_random_below(r, 2), pick(r, "\"a\"", "\"b\"", "null"), pick(r, "\"n\"", "\"\"", "null"),
        pick(r, "true", "false", "null"), 1 + th_random_below(r, 2),
        pick(r, "false", "null", "\"true\""), pick(r, "null", "null", "\"2026-01-01T00:00:00Z\""),
        pick(r, "null", "\"\"", "\"2026-01-01T00:00:01Z\""), pick(r, "\"a\"", "\"b\"", "null"),
        pick(r, "\"m\"", "{}", "null"), pick(r, "\"s\"", "7", "null"),
        pick(r, "true", "false", "\"true\""), pick(r, "1", "1.0", "\"1\""));
}

static void map_any(struct mapper_eval *eval, struct th_random *r, struct seen *seen)
{
    const struct wh_provenance at = {.topic = WH_LIT("wellhead.raw.c")};
    const struct mapper_out out = {
        .known = never_known, .observation = on_observation, .reread = on_reread, .ctx = seen};
    struct wh_raw_event e = {.connection = WH_LIT("c"), .kind = WH_LIT("k")};
    enum mapper_outcome outcome;
    char json[1000];
    struct wh_err err;
    enum wh_rc rc;

    e.instance = wh_slice_str(pick(r, "https://a", "https://a", "https://b"));
    e.origin = th_random_below(r, 8) ? WH_ORIGIN_WEBHOOK : WH_ORIGIN_REST;
    e.project = wh_slice_str(pick(r, "1", "2", ""));
    e.observed_at_ms = 1700000000000 + (int64_t)th_random_below(r, 3) * 1000;
    e.payload = wh_slice(json, any_event(r, json, sizeof(json)));
    rc = mapper_eval_map(eval, &e, &at, &out, &outcome, &err);
    th_ok(rc, &err);
}

static void test_equal_inputs(void **state)
{
    struct seen *seen = wh_mem_zalloc(1, sizeof(*seen));
    struct th_random r = {7};
    struct mapper_views *views;
    struct mapper_eval *eval;
    struct wh_err err;

    (void)state;
    th_ok(mapper_views_load_text(wh_slice_str(view), &views, &err), &err);
    eval = mapper_eval_new(views, 1 << 20, 64);
    for (unsigned i = 0; i < EVENTS; i++) {
        map_any(eval, &r, seen);
    }
    /* Most events have a hash, and many hashes occur again. */
    assert_true(seen->hashed > EVENTS / 3);
    assert_true(seen->again > EVENTS / 100);
    mapper_eval_free(eval);
    mapper_views_free(views);
    wh_mem_free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal_inputs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
