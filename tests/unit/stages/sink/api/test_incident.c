/* GET /api/v1/incidents/<id>/impact. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_facts.h"

struct world {
    struct th_api *api;
    struct th_facts facts;
    struct wh_json_parser *parser;
};

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 60000,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = 100000,
                                       .sql_bytes = 32 << 20};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));

    assert_non_null(w);
    w->api = th_api_new(&conf, 0, 1);
    th_facts_init_on(&w->facts, w->api->store);
    w->parser = wh_json_parser_new(1 << 20, 32);
    assert_non_null(w->parser);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_json_parser_free(w->parser);
    th_facts_done(&w->facts);
    th_api_free(w->api);
    wh_mem_free(w);
    return 0;
}

/* The answer, parsed; the request is done. */
static struct wh_json_val get(struct world *w, const char *incident, unsigned status)
{
    struct th_http_req req;
    struct wh_json_val root;
    struct wh_err err;
    char path[512];

    (void)snprintf(path, sizeof(path), "/api/v1/incidents/%s/impact", incident);
    th_api_request(w->api, &req, "GET", path);
    th_http_send(&req, &w->api->handler, w->api->loop);
    if (req.status != status) {
        fail_msg("%s: %u %s", path, req.status, wh_buf_str(&req.answer));
    }
    th_ok(wh_json_parse(w->parser, wh_buf_slice(&req.answer), &root, &err), &err);
    th_http_done(&req);
    return root;
}

static struct wh_json_val at(struct wh_json_val v, const char *key)
{
    struct wh_json_val member;

    if (!wh_json_get(v, wh_slice_str(key), &member)) {
        fail_msg("there is no %s", key);
    }
    return member;
}

static struct wh_json_val item(struct wh_json_val array, size_t n)
{
    struct wh_json_iter it = wh_json_iter(array);
    struct wh_json_val v;

    for (size_t i = 0; wh_json_next(&it, NULL, &v); i++) {
        if (i == n) {
            return v;
        }
    }
    fail_msg("there is no item %zu", n);
    return array;
}

static size_t length(struct wh_json_val array)
{
    struct wh_json_iter it = wh_json_iter(array);
    struct wh_json_val v;
    size_t n = 0;

    while (wh_json_next(&it, NULL, &v)) {
        n++;
    }
    return n;
}

static void is_text(struct wh_json_val v, const char *key, const char *want)
{
    th_slice_is(wh_json_string(at(v, key)), want);
}

static void the_answer_has_all_of_it(void **state)
{
    struct world *w = *state;
    struct wh_json_val root;
    struct wh_json_val incident;
    struct wh_json_val customer;
    struct wh_json_val link;

    th_facts_put(&w->facts, th_story);
    root = get(w, "shop/web#1", 200);
    assert_true(wh_json_bool(at(root, "ok")));
    assert_int_equal(wh_json_type(at(root, "as_of")), WH_JSON_NULL);
    incident = at(root, "incident");
    is_text(incident, "title", "Payments fail");
    is_text(incident, "severity", "high");
    is_text(incident, "started_at", "2026-05-12T22:10:00.000Z");
    is_text(at(at(incident, "times"), "started_at"), "rule", "line");
    is_text(at(at(incident, "times"), "started_at"), "field", "stated_started_at");
    is_text(at(at(incident, "times"), "restored_at"), "rule", "closed_at");
    assert_int_equal(wh_json_type(at(incident, "mitigated_at")), WH_JSON_NULL);
    assert_int_equal(wh_json_int(at(incident, "duration_s")), 10200);
    assert_int_equal(length(at(root, "services")), 3);
    is_text(item(at(root, "services"), 0), "name", "Checkout API");
    assert_int_equal(length(at(root, "customers")), 2);
    customer = item(at(root, "customers"), 0);
    is_text(customer, "name", "Acme");
    assert_int_equal(length(at(customer, "services")), 2);
    assert_int_equal(length(at(customer, "open_follow_ups")), 1);
    /* Both services: the contract for any service counts once. */
    assert_int_equal(wh_json_int(at(item(at(customer, "revenue"), 0), "monthly_minor")), 1100);
    is_text(item(at(customer, "revenue"), 1), "currency", "USD");
    assert_int_equal(length(at(item(at(customer, "revenue"), 0), "subscriptions")), 2);
    link = item(at(customer, "evidence"), 0);
    is_text(link, "rule", "label");
    is_text(link, "source", "gitlab");
    is_text(link, "topic", "wellhead.raw.gitlab");
    assert_int_equal(wh_json_int(at(link, "offset")), 16);
    assert_int_equal(length(at(root, "follow_ups")), 2);
    is_text(item(at(root, "unresolved"), 0), "key", "service:printer");
    assert_int_equal(wh_json_int(at(at(root, "totals"), "customers")), 2);
    assert_int_equal(length(at(at(root, "totals"), "revenue")), 2);
    assert_false(wh_json_bool(at(at(root, "completeness"), "known")));
}

static void an_incident_has_many_names(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {
        "https://gitlab.test/shop/web/-/issues/1",
        "https://gitlab.test/shop/web/-/issues/incident/1?tab=x#note_2",
        "http://gitlab.test/shop/web/issues/1",
        "Shop/Web#1",
        "#1",
        "1",
    };
    struct wh_entity_id id = th_facts_id(NULL, "issue", "1");
    char text[WH_ENTITY_ID_TEXT + 1];

    th_facts_put(&w->facts, th_story);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        is_text(at(get(w, names[i], 200), "incident"), "title", "Payments fail");
    }
    is_text(at(get(w, wh_entity_id_format(&id, text), 200), "incident"), "title", "Payments fail");
    (void)get(w, "shop/web#2", 404);
    (void)get(w, "other/web#1", 404);
    (void)get(w, "https://gitlab.test/other/-/issues/1", 404);
    (void)get(w, "https://gitlab.test/2", 404);
    (void)get(w, "what", 404);
}

static void several_are_a_choice(void **state)
{
    struct world *w = *state;
    struct wh_json_val root;

    th_facts_put(&w->facts, th_story);
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"7\",\"at\":\"2026-05-13\","
                            "\"type\":\"incident\",\"iid\":\"1\",\"title\":\"Other\","
                            "\"url\":\"https://gitlab.test/x/-/issues/1\"}");
    root = get(w, "#1", 409);
    is_text(root, "code", "ambiguous");
    assert_int_equal(length(at(root, "choices")), 2);
    is_text(at(get(w, "shop/web#1", 200), "incident"), "title", "Payments fail");
}

static void the_past_is_answered(void **state)
{
    struct world *w = *state;
    struct th_http_req req;

    th_facts_put(&w->facts, th_story);
    w->facts.now_ms += 1000;
    th_facts_put(&w->facts, "{\"kind\":\"customer\",\"source\":\"crm\",\"id\":\"C1\","
                            "\"at\":\"2026-05-20\",\"name\":\"Acme Renamed\"}");
    th_api_request(w->api, &req, "GET", "/api/v1/incidents/1/impact");
    th_http_send(&req, &w->api->handler, w->api->loop);
    assert_non_null(strstr(wh_buf_str(&req.answer), "Acme Renamed"));
    th_http_done(&req);
    /* 1780000000000 ms */
    th_api_request(w->api, &req, "GET", "/api/v1/incidents/1/impact");
    th_http_arg(&req, "as_of", "2026-05-28T20:26:40.500Z");
    th_http_send(&req, &w->api->handler, w->api->loop);
    if (req.status != 200) {
        fail_msg("%u %s", req.status, wh_buf_str(&req.answer));
    }
    assert_null(strstr(wh_buf_str(&req.answer), "Acme Renamed"));
    assert_non_null(strstr(wh_buf_str(&req.answer), "\"as_of\":\"2026-05-28T20:26:40.500Z\""));
    th_http_done(&req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_answer_has_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_incident_has_many_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_are_a_choice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_past_is_answered, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
