/* What descriptions and labels state: severity, times, services, environments, postmortems, follow-ups. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/lib/th_map.h"
#include "tests/lib/th_tmp.h"

enum { BODY_MAX = 1 << 16 };

#define FIELDS "observations.0.fields."

static int setup(void **state)
{
    *state = th_map_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    th_map_free(*state);
    return 0;
}

/* An issue with a description and labels, both as JSON ("a\\nb", "[\"x\"]"). */
static struct wh_json_val rest(void **state, const char *description, const char *labels)
{
    WH_AUTO(buf) struct wh_buf body;
    struct wh_json_val v;
    struct wh_err err;

    wh_buf_init(&body, BODY_MAX);
    th_ok(
        wh_buf_printf(&body, &err,
                      "{\"id\":9,\"iid\":3,\"project_id\":14,\"title\":\"t\",\"updated_at\":"
                      "\"2026-11-24T15:00:00Z\",\"web_url\":"
                      "\"https://gitlab.example.com/acme/shop/-/issues/3\",\"description\":\"%s\","
                      "\"labels\":%s}",
                      description, labels),
        &err);
    v = th_map(*state, WH_ORIGIN_REST, "issue", "14", "9", wh_buf_slice(&body));
    th_slice_is(wh_json_string(th_json(v, "rc")), "ok");
    return v;
}

static struct wh_json_val described(void **state, const char *description)
{
    return rest(state, description, "[]");
}

/* The texts of a field, joined; "-" for null. */
static void texts_are(struct wh_json_val v, const char *field, const char *want)
{
    WH_AUTO(buf) struct wh_buf got;
    char path[64];
    struct wh_json_iter it;
    struct wh_json_val each;
    struct wh_err err;

    wh_buf_init(&got, BODY_MAX);
    (void)snprintf(path, sizeof(path), FIELDS "%s", field);
    v = th_json(v, path);
    th_ok(wh_buf_append(&got, wh_json_type(v) == WH_JSON_NULL ? WH_LIT("-") : wh_json_string(v),
                        &err),
          &err);
    it = wh_json_iter(v);
    while (wh_json_next(&it, NULL, &each)) {
        th_ok(wh_buf_printf(&got, &err, "%s%.*s", got.len ? "|" : "",
                            WH_SLICE_ARG(wh_json_string(each))),
              &err);
    }
    if (strcmp(wh_buf_str(&got), want) != 0) {
        fail_msg("%s is '%s', not '%s'", field, wh_buf_str(&got), want);
    }
}

struct text_case {
    const char *text;
    const char *want;
};

#define EACH(cases) (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++)

/* ---- times ---- */

#define AT_1405 "2026-11-24T14:05:00.000Z"

static void test_time_lines(void **state)
{
    static const struct text_case cases[] = {
        {"Started: 2026-11-24 14:05 UTC", AT_1405},
        {"started: 2026-11-24 14:05", AT_1405},
        {"**Started:** 2026-11-24T14:05:00Z", AT_1405},
        {"**Started**: 2026-11-24T15:05+01:00", AT_1405},
        {"__Started:__ `2026-11-24 14:05 UTC`", AT_1405},
        {"* *Started:* 2026-11-24 14:05 UTC", AT_1405},
        {"**Started: 2026-11-24 14:05 UTC**", AT_1405},
        {"- Started: 2026-11-24 14:05 UTC  ", AT_1405},
        {"1. a\\n   - [x] **Impact Start:** 2026-11-24 14:05 UTC\\\\", AT_1405},
        {"IMPACT-START : 2026-11-24 14:05 UTC", AT_1405},
        {"> Started: 2026-11-24 14:05 UTC", AT_1405},
        {"### Started: 2026-11-24 14:05 UTC", AT_1405},
        {"| What | When |\\n|--|--|\\n| **Started** | 2026-11-24 14:05 UTC |", AT_1405},
        {"a\\r\\n\\r\\nStarted: 2026-11-24 14:05 UTC\\r\\nb", AT_1405},
        {"a\\rStarted: 2026-11-24 14:05 UTC\\rb", AT_1405},
        {"Started: 2026-11-24", "2026-11-24T00:00:00.000Z"},
        {"Started: 2026-11-24 14:05 UTC (first alert)", AT_1405},
        {"Started: 2026-11-24 15:05 +01:00, see below", AT_1405},
        {"Started: 2026-11-24 14:05 UTC.", AT_1405},
        {"Started: [2026-11-24 14:05 UTC](https://time.example.com/a:b)", AT_1405},
        {"Started\xEF\xBC\x9A 2026-11-24 14:05 UTC", AT_1405},
        {"Started: <!-- UTC! --> 2026-11-24 14:05 UTC", AT_1405},
        /* The first word is preferred, and of its lines the first one that can be read. */
        {"Impact start: 2026-11-24 13:00\\nStarted: noon\\nStarted: 2026-11-24 14:05", AT_1405},
        {"Started:\\nStarted: tbd\\nImpact start: 2026-11-24 14:05", AT_1405},
        /* Nothing is guessed. */
        {"Started: 2026-11-24 14:05 CET", "-"},
        {"Started: 2026-11-24 14:05 (CET)", "-"},
        {"Started: 2026-11-24, in the morning", "-"},
        {"Started: 14:05 UTC", "-"},
        {"Started: 2026-02-30 14:05 UTC", "-"},
        {"Started: 2026-11-24 14:05 UTC+1", "-"},
        {"Started:", "-"},
        {"Started: n/a", "-"},
        {"Restarted: 2026-11-24 14:05 UTC", "-"},
        {"Started by: 2026-11-24 14:05 UTC", "-"},
        {"We started: 2026-11-24 14:05 UTC", "-"},
        {"<!-- Started: 2026-11-24 14:05 UTC -->", "-"},
        {"<!--\\nStarted: 2026-11-24 14:05 UTC\\n-->", "-"},
        {"<!-- never closed\\nStarted: 2026-11-24 14:05 UTC", "-"},
        {"```\\nStarted: 2026-11-24 14:05 UTC\\n```", "-"},
        {"- ~~~ text\\n  Started: 2026-11-24 14:05 UTC\\n  ~~~", "-"},
        {"a\\n\\n    Started: 2026-11-24 14:05 UTC", "-"},
        {"- [ ] Started: 2026-11-24 14:05 UTC", "-"},
        {"", "-"},
    };

    for
        EACH(cases)
        {
            struct wh_json_val v = described(state, cases[i].text);
            struct wh_json_val got = th_json(v, FIELDS "stated_started_at");
            char text[WH_TIME_TEXT_MAX] = "-";

            if (wh_json_type(got) == WH_JSON_INT) {
                (void)wh_time_format(wh_json_int(got), text);
            }
            if (strcmp(text, cases[i].want) != 0) {
                fail_msg("%s: %s, not %s", cases[i].text, text, cases[i].want);
            }
        }
}

static void test_all_times(void **state)
{
    struct wh_json_val v =
        described(state, "Detected: 2026-11-24 14:06\\nMitigated: 2026-11-24 14:07\\n"
                         "Resolved: 2026-11-24 15:00\\nRestored: 2026-11-24 14:08");

    assert_int_equal(wh_json_int(th_json(v, FIELDS "stated_detected_at")), 1795529160000);
    assert_int_equal(wh_json_int(th_json(v, FIELDS "stated_mitigated_at")), 1795529220000);
    assert_int_equal(wh_json_int(th_json(v, FIELDS "stated_restored_at")), 1795529280000);
    texts_are(v, "stated_started_at", "-");
}

/* A description that is not shown states nothing; one that is null states that there is nothing. */
static void test_not_shown(void **state)
{
    struct wh_json_val v = th_map(*state, WH_ORIGIN_REST, "issue", "1", "1", WH_LIT("{\"id\":3}"));

    assert_false(th_json_has(v, FIELDS "stated_started_at"));
    assert_false(th_json_has(v, FIELDS "stated_services"));
    assert_false(th_json_has(v, FIELDS "stated_severity"));
    assert_false(th_json_has(v, FIELDS "postmortem_rule"));
    v = th_map(*state, WH_ORIGIN_REST, "issue", "1", "1",
               WH_LIT("{\"id\":3,\"description\":null,\"labels\":[]}"));
    texts_are(v, "stated_started_at", "-");
    texts_are(v, "stated_services", "-");
    texts_are(v, "postmortem_rule", "-");
}

/* ---- services and environments ---- */

static void test_services(void **state)
{
    static const struct text_case cases[] = {
        {"## Affected services\\n\\n- checkout-api\\n- Payments\\n", "checkout-api|Payments"},
        {"Affected services\\n---\\n* a\\n* b", "a|b"},
        {"Services\\n========\\na\\nb\\n\\nWe were down.", "a|b"},
        {"**Affected Services**\\n1. a\\n2) b\\n", "a|b"},
        {"__Services:__\\n- a", "a"},
        {"Affected services:\\n\\n- a\\n- b\\n\\nNot this.\\n- nor this", "a|b"},
        {"Affected services:\\na\\nb\\n\\nNot this.", "a|b"},
        {"Services: a, b; c.", "a|b|c"},
        {"**Services:** [a](https://x.example.com/a_(b)), `b`", "a|b"},
        {"### Affected-Services ###\\n- [checkout-api](https://wiki.example.com/a)\\n- **b_c**\\n- "
         "`d`\\n"
         "- [e][1]\\n- <https://f.example.com>\\n",
         "checkout-api|b_c|d|e|https://f.example.com"},
        {"## Services\\n- [x] a\\n- [ ] b\\n- [X] c\\n- [~] d\\n", "a|c"},
        {"## Services\\n- none", "-"},
        {"## Services\\n- N/A.\\n- \xE2\x80\x94\\n", "-"},
        {"## Services\\n<!-- list them\\n- template\\n-->\\n- a <!-- why? -->\\n", "a"},
        {"## Services\\n```\\n- a\\n```\\n", "-"},
        {"```\\n## Services\\n- a\\n```\\n## Services\\n- b\\n", "b"},
        {"## Services\\n- a\\n## Timeline\\n- b\\n", "a"},
        {"## Services\\n- a\\n\\n**Timeline**\\n- b\\n", "a"},
        {"## Services\\n- a\\n***\\n- b\\n", "a"},
        {"Services:\\n- a\\nImpact:\\n- b\\n", "a"},
        {"## Services\\nThe following were down:\\n- a\\n- b", "a|b"},
        {"## Services\\n\\na\\n\\nWe were down.", "a"},
        {"## Services\\n- a\\n  which was slow\\n- b\\n\\n  and more of it\\n- c\\n", "a|b|c"},
        {"## Services\\n- EU:\\n  - a\\n  - b\\n- US:\\n    - c\\n", "a|b|c"},
        {"- **Services:**\\n  - a\\n  - b\\n- **Other:**\\n  - c\\n", "a|b"},
        {"- Services: a\\n- b\\n", "a"},
        {"> ## Services\\n> - a\\n", "a"},
        {"## Services\\r\\n- a\\r\\n- b\\r\\n", "a|b"},
        {"## Services\\n- a\\n- a\\n\\n# Affected services\\n- b\\n", "a|b"},
        {"## Services\\n- \xC3\x9C"
         "bersicht\\n- \xE6\x94\xAF\xE6\x89\x95\\n",
         "\xC3\x9C"
         "bersicht|\xE6\x94\xAF\xE6\x89\x95"},
        {"## Services\\n- a\\\\_b\\n- c \\\\[d\\\\]\\n", "a_b|c [d]"},
        {"Services\\n- a", "-"},
        {"## Our services\\n- a", "-"},
        {"## Services", "-"},
    };

    for
        EACH(cases)
        {
            struct wh_json_val v = described(state, cases[i].text);

            texts_are(v, "stated_services", cases[i].want);
        }
}

static void test_environments(void **state)
{
    texts_are(described(state, "Environment: production\\n**Environment:** `eu/prod`"),
              "stated_environments", "production|eu/prod");
    texts_are(described(state, "Environment: none"), "stated_environments", "-");
    texts_are(rest(state, "", "[\"Environment::Prod EU\",\"environment::\",\"service::None\"]"),
              "label_environments", "Prod EU");
}

/* ---- labels ---- */

static void test_severity(void **state)
{
    static const struct text_case cases[] = {
        {"[\"severity::1\"]", "critical"},
        {"[\"Severity::2\",\"bug\"]", "high"},
        {"[\"severity::high\"]", "high"},
        {"[\"S3\"]", "medium"},
        {"[\"s4\"]", "low"},
        {"[\"critical\"]", "critical"},
        {"[\"S4\",\"severity::2\"]", "high"},
        {"[\"severity::2\",\"severity::high\"]", "high"},
        {"[\"severity::unknown\"]", "-"},
        {"[\"severity::5\"]", "-"},
        {"[\"S1\",\"S2\"]", "-"},
        {"[\"S12\",\"priority::high\",\"sev\"]", "-"},
        {"[]", "-"},
        {"[{\"title\":\"S1\"}]", "critical"},
        {"[{\"name\":\"S1\"}]", "critical"},
    };

    for
        EACH(cases)
        {
            texts_are(rest(state, "", cases[i].text), "stated_severity", cases[i].want);
        }
    assert_true(th_json_has(rest(state, "", "[\"S1\",\"S2\"]"), "observations.0.set_aside.0"));
}

static void test_label_services(void **state)
{
    texts_are(
        rest(state, "", "[\"service::Checkout API\",\"bug\",\"SERVICE:: b \",\"microservice::c\"]"),
        "label_services", "Checkout API|b");
    texts_are(rest(state, "", "[\"bug\"]"), "label_services", "-");
}

static void test_marks(void **state)
{
    texts_are(rest(state, "", "[\"Post-Mortem\"]"), "postmortem_rule", "label");
    texts_are(rest(state, "## Root cause\\nA disk.", "[\"postmortem\"]"), "postmortem_rule",
              "label");
    texts_are(described(state, "## Root Cause\\nA disk."), "postmortem_rule", "heading");
    texts_are(described(state, "**Timeline:**\\n- a"), "postmortem_rule", "heading");
    texts_are(described(state, "See the timeline below.\\nTimeline"), "postmortem_rule", "-");
    texts_are(rest(state, "", "[\"Follow up\"]"), "follow_up_label", "Follow up");
    texts_are(rest(state, "", "[\"Corrective_Action\"]"), "follow_up_label", "Corrective_Action");
    texts_are(rest(state, "", "[\"followed\"]"), "follow_up_label", "-");
}

/* ---- references ---- */

#define HOME "https://gitlab.example.com/acme/shop/-/"

static void test_mentions(void **state)
{
    static const struct text_case cases[] = {
        {"See #12, !13 and (#14).", HOME "issues/12|" HOME "merge_requests/13|" HOME "issues/14"},
        {"other/app#5 a/b.c/d-e!6 web#7", "https://gitlab.example.com/other/app/-/issues/5|"
                                          "https://gitlab.example.com/a/b.c/d-e/-/merge_requests/6|"
                                          "https://gitlab.example.com/acme/web/-/issues/7"},
        {"https://gitlab.example.com/acme/shop/-/issues/12#note_4", HOME "issues/12"},
        {"<" HOME "incidents/12> [x](" HOME "issues/incident/15?a=b) " HOME "work_items/16.",
         HOME "issues/12|" HOME "issues/15|" HOME "issues/16"},
        {"http://git.example.org:8080/x/y/z/merge_requests/9/diffs",
         "http://git.example.org:8080/x/y/z/-/merge_requests/9"},
        {"**#12** _#13_ > !14+", HOME "issues/12|" HOME "issues/13|" HOME "merge_requests/14"},
        {"- [ ] #12\\n\\n| a | #13 |\\n", HOME "issues/12|" HOME "issues/13"},
        {"#12 #12 #3 " HOME "issues/3 " HOME "issues/12", HOME "issues/12"},
        {"`#12` ``a`#13`` ``` #14", HOME "issues/14"},
        {"```\\n#12\\n```\\n<!-- #13 -->", "-"},
        {"# 12\\n&#39; \\\\#12 #0 #12a #12345678901 ##12 a/#13 #", "-"},
        {"https://example.com/page#12 https://example.com/-/issues/5 ftp://x/a/b/issues/5", "-"},
        {HOME "issues " HOME "issues/x " HOME "issues/12x", "-"},
        {"", "-"},
    };

    for
        EACH(cases)
        {
            texts_are(described(state, cases[i].text), "mentions", cases[i].want);
        }
}

static struct wh_json_val request(void **state, const char *title, const char *description)
{
    WH_AUTO(buf) struct wh_buf body;
    struct wh_err err;

    wh_buf_init(&body, BODY_MAX);
    th_ok(
        wh_buf_printf(&body, &err,
                      "{\"object_attributes\":{\"id\":9,\"iid\":3,\"title\":\"%s\",\"url\":\"" HOME
                      "merge_requests/3\",\"description\":%s}}",
                      title, description),
        &err);
    return th_map(*state, WH_ORIGIN_WEBHOOK, "merge_request", "14", "9", wh_buf_slice(&body));
}

static void test_reverts(void **state)
{
    texts_are(request(state, "Revert \\\"A\\\"", "\"This reverts merge request !12\""), "reverts",
              HOME "merge_requests/12");
    texts_are(request(state, "Undo",
                      "\"a\\n\\nThis reverts commit 0123456789abcdef0123456789abcdef"
                      "01234567, reversing\\nchanges.\""),
              "reverts", "0123456789abcdef0123456789abcdef01234567");
    texts_are(request(state, "t", "\"This reverts merge request other/app!5\""), "reverts",
              "https://gitlab.example.com/other/app/-/merge_requests/5");
    texts_are(request(state, "Revert \\\"A\\\"", "null"), "reverts", "Revert \"A\"");
    texts_are(request(state, "Revert A", "\"This reverts commit xyz\""), "reverts", "-");
    texts_are(request(state, "Follow-up of #12", "null"), "mentions", HOME "issues/12");
    texts_are(request(state, "t", "\"Closes #12\""), "mentions", HOME "issues/12");
}

/* Without its own address a reference within the project means nothing. */
static void test_mentions_without_url(void **state)
{
    struct wh_json_val v = th_map(*state, WH_ORIGIN_REST, "issue", "1", "1",
                                  WH_LIT("{\"id\":3,\"title\":\"t\",\"description\":\"#12\"}"));

    assert_false(th_json_has(v, FIELDS "mentions"));
    v = th_map(*state, WH_ORIGIN_REST, "issue", "1", "1",
               WH_LIT("{\"id\":3,\"title\":\"t\",\"web_url\":null,\"description\":\"#12 a/b#5\"}"));
    texts_are(v, "mentions", "https://gitlab.example.com/a/b/-/issues/5");
}

static void test_parent(void **state)
{
    struct wh_json_val v =
        th_map(*state, WH_ORIGIN_MCP, "work_item_node", "14", "9",
               WH_LIT("{\"id\":\"gid://gitlab/WorkItem/9\",\"widgets\":[{\"type\":\"HIERARCHY\","
                      "\"parent\":{\"id\":\"gid://gitlab/WorkItem/5\"}}]}"));
    struct wh_entity_id id =
        wh_entity_id_make(WH_LIT(TH_MAP_INSTANCE), WH_LIT("issue"), WH_LIT("5"));
    char want[WH_ENTITY_ID_TEXT + 1];

    th_slice_is(wh_json_string(th_json(v, "observations.1.fields.parent")),
                wh_entity_id_format(&id, want));
}

/* ---- the same by webhook and tool ---- */

static void facts_are(struct wh_json_val v)
{
    texts_are(v, "stated_severity", "critical");
    texts_are(v, "label_services", "checkout");
    texts_are(v, "stated_services", "a");
    texts_are(v, "postmortem_rule", "heading");
    assert_int_equal(wh_json_int(th_json(v, FIELDS "stated_started_at")), 1795529100000);
}

#define FACTS "Started: 2026-11-24 14:05\\n## Services\\n- a\\n## Timeline"

static void test_same_facts(void **state)
{
    struct wh_json_val v;

    facts_are(rest(state, FACTS, "[\"severity::1\",\"service::checkout\"]"));
    v = th_map(*state, WH_ORIGIN_WEBHOOK, "issue", "14", "9",
               WH_LIT("{\"labels\":[{\"title\":\"severity::1\"},{\"title\":\"service::checkout\"}],"
                      "\"object_attributes\":{\"id\":9,\"description\":\"" FACTS "\"}}"));
    facts_are(v);
    v = th_map(
        *state, WH_ORIGIN_MCP, "work_item_node", "14", "9",
        WH_LIT("{\"id\":\"gid://gitlab/WorkItem/9\",\"description\":\"" FACTS "\",\"labels\":"
               "{\"nodes\":[{\"title\":\"severity::1\"},{\"title\":\"service::checkout\"}]}}"));
    facts_are(v);
    v = th_map(
        *state, WH_ORIGIN_MCP, "work_item_node", "14", "9",
        WH_LIT("{\"id\":\"gid://gitlab/WorkItem/9\",\"description\":\"" FACTS "\",\"widgets\":"
               "[{\"type\":\"LABELS\",\"labels\":{\"nodes\":[{\"title\":\"severity::1\"}]}}]}"));
    assert_false(th_json_has(v, FIELDS "stated_severity"));
    th_slice_is(wh_json_string(th_json(v, "observations.1.fields.stated_severity")), "critical");
    th_slice_is(wh_json_string(th_json(v, "observations.1.fields.postmortem_rule")), "heading");
}

/* ---- other languages ---- */

static void test_override(void **state)
{
    char *dir = th_tmp_new();
    char path[512];
    struct mapper_views *views;
    struct th_map *map;
    struct wh_json_val v;
    struct wh_err err;
    FILE *f;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/deutsch.json", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    (void)fputs(
        "{\"words\":{\"started\":[\"Beginn der St\xC3\xB6rung\",\"Started\"],"
        "\"services\":[\"Betroffene Dienste\"],\"nothing\":[\"keine\"]},"
        "\"labels\":{\"severity\":[{\"schweregrad::hoch\":\"high\"}],\"service\":[\"dienst::*\"]}}",
        f);
    assert_int_equal(fclose(f), 0);
    th_ok(mapper_views_load(dir, &views, &err), &err);
    map = th_map_new(views);
    v = rest((void **)&map,
             "**BEGINN DER ST\xC3\x96RUNG:** 2026-11-24 14:05\\n## Betroffene Dienste\\n- "
             "Kasse\\n- keine",
             "[\"Schweregrad::Hoch\",\"Dienst::K\xC3\xBC"
             "che\",\"severity::1\"]");
    texts_are(v, "stated_services", "Kasse");
    texts_are(v, "stated_severity", "high");
    texts_are(v, "label_services",
              "K\xC3\xBC"
              "che");
    assert_int_equal(wh_json_int(th_json(v, FIELDS "stated_started_at")), 1795529100000);
    th_map_free(map);
    mapper_views_free(views);
    th_tmp_remove(dir);
}

/* ---- hostile texts: linear time, bounded results ---- */

static void test_hostile(void **state)
{
    static const char *const parts[] = {
        "<!--",         "[",      "](", "`", "- ", "> ",  "\\r",   "|",      "**", "\\n", "\\n---",
        "Services:\\n", "- x\\n", "#1", "a", "!",  "://", "`a``b", "a/b#12 "};
    size_t room = 4 << 20;
    char *body = test_malloc(room);

    for
        EACH(parts)
        {
            size_t n =
                (size_t)snprintf(body, room, "{\"id\":9,\"description\":\"## Services\\n- a\\n");
            size_t len = strlen(parts[i]);
            struct wh_json_val v;

            while (n < (1 << 20)) {
                memcpy(body + n, parts[i], len);
                n += len;
            }
            n += (size_t)snprintf(body + n, room - n, "\",\"labels\":[]}");
            v = th_map(*state, WH_ORIGIN_REST, "issue", "1", "1", wh_slice(body, n));
            th_slice_is(wh_json_string(th_json(v, "rc")), "ok");
            th_slice_is(wh_json_string(th_json(v, FIELDS "stated_services.0")), "a");
        }
    test_free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_services, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_severity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_label_services, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mentions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reverts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mentions_without_url, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_facts, setup, teardown),
        cmocka_unit_test(test_override),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
