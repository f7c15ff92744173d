/* Webhook shapes, invented hooks, one object by three ways, poison. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "tests/lib/th_map.h"

#define HOOKS "tests/fixtures/gitlab/go-gitlab/webhooks/"
#define SYSTEM "tests/fixtures/gitlab/go-gitlab/systemhooks/"
#define OWN "tests/fixtures/mapper/"

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

static struct wh_json_val file(void **state, enum wh_origin origin, const char *kind,
                               const char *path)
{
    size_t len;
    char *bytes = th_file_read(path, &len);
    struct wh_json_val v = th_map(*state, origin, kind, "14", "", wh_slice(bytes, len));

    wh_mem_free(bytes);
    return v;
}

static struct wh_json_val text(void **state, enum wh_origin origin, const char *kind,
                               const char *json)
{
    return th_map(*state, origin, kind, "14", "9", wh_slice_str(json));
}

static void is(struct wh_json_val v, const char *path, const char *want)
{
    struct wh_json_val got = th_json(v, path);

    if (!wh_slice_eq(wh_json_string(got), wh_slice_str(want))) {
        fail_msg("%s is '%.*s', not '%s'", path, WH_SLICE_ARG(wh_json_string(got)), want);
    }
}

static void has(struct wh_json_val v, const char *path, const char *part)
{
    struct wh_slice text = wh_json_string(th_json(v, path));

    if (text.len == 0 || memmem(text.ptr, text.len, part, strlen(part)) == NULL) {
        fail_msg("%s: '%.*s' does not hold '%s'", path, WH_SLICE_ARG(text), part);
    }
}

static void is_int(struct wh_json_val v, const char *path, int64_t want)
{
    assert_int_equal(wh_json_int(th_json(v, path)), want);
}

static void is_null(struct wh_json_val v, const char *path)
{
    assert_int_equal(wh_json_type(th_json(v, path)), WH_JSON_NULL);
}

static void ref_is(struct wh_json_val v, const char *path, const char *kind, const char *id)
{
    struct wh_entity_id e =
        wh_entity_id_make(WH_LIT(TH_MAP_INSTANCE), wh_slice_str(kind), wh_slice_str(id));
    char want[WH_ENTITY_ID_TEXT + 1];

    is(v, path, wh_entity_id_format(&e, want));
}

static size_t count(struct wh_json_val v, const char *path)
{
    struct wh_json_iter it = wh_json_iter(th_json(v, path));
    struct wh_json_val each;
    size_t n = 0;

    while (wh_json_next(&it, NULL, &each)) {
        n++;
    }
    return n;
}

/* ---- webhooks ---- */

static void test_merge_request_hook(void **state)
{
    struct wh_json_val v =
        file(state, WH_ORIGIN_WEBHOOK, "merge_request", HOOKS "merge_request.json");

    is(v, "rc", "ok");
    is(v, "observations.0.kind", "work_item");
    is(v, "observations.0.source_kind", "merge_request");
    is(v, "observations.0.source_id", "99");
    is(v, "observations.0.project", "14");
    is(v, "observations.0.iid", "1");
    is(v, "observations.0.fields.state", "opened");
    is(v, "observations.0.fields.labels.0", "API");
    is(v, "observations.0.fields.sha", "da1560886d4f094c3e6c9ef40349f7d38b5d27d7");
    is(v, "observations.0.fields.merge_status", "mergeable");
    ref_is(v, "observations.0.fields.author", "user", "51");
    ref_is(v, "observations.0.fields.assignees.0", "user", "1");
    is_null(v, "observations.0.fields.milestone");
    assert_false(th_json_has(v, "observations.0.fields.merged_at"));
    assert_false(th_json_has(v, "observations.0.fields.email"));
    /* The same person acts, is assigned and reviews: one observation. */
    assert_int_equal(count(v, "observations"), 2);
    is(v, "observations.1.kind", "team_member");
    is(v, "rereads.0.kind", "user");
    is(v, "rereads.0.id", "51");
    is(v, "rereads.0.reason", "author_unknown");
}

static void test_pipeline_hook(void **state)
{
    struct wh_json_val v = file(state, WH_ORIGIN_WEBHOOK, "pipeline", HOOKS "pipeline.json");

    is(v, "rc", "ok");
    is(v, "observations.0.kind", "build_record");
    is(v, "observations.0.fields.detailed_status", "passed");
    is_int(v, "observations.0.fields.finished_at", 1471015589000);
    is_int(v, "observations.0.at", 1471015589000);
    ref_is(v, "observations.0.fields.merge_request", "merge_request", "1");
    ref_is(v, "observations.0.fields.parent", "pipeline", "30");
    assert_int_equal(count(v, "observations.0.fields.jobs"), 5);
    /* Pipeline, its person, five jobs: the jobs' people are the same. */
    assert_int_equal(count(v, "observations"), 7);
    is(v, "observations.2.kind", "job");
    is(v, "observations.2.fields.status", "skipped");
    ref_is(v, "observations.2.fields.pipeline", "pipeline", "31");
    assert_false(th_json_has(v, "observations.2.fields.failure_reason"));
    is(v, "rereads.0.kind", "pipeline");
    is(v, "rereads.0.project", "1");
    is(v, "rereads.0.reason", "no_version");
}

static void test_job_hook(void **state)
{
    struct wh_json_val v = file(state, WH_ORIGIN_WEBHOOK, "build", HOOKS "job.json");

    is(v, "observations.0.kind", "job");
    is(v, "observations.0.source_id", "3580121225");
    is(v, "observations.0.url", "https://gitlab.com/jsmithy2/release-tools-fake/-/jobs/3580121225");
    is(v, "observations.0.fields.environment", "production");
    is_int(v, "observations.0.fields.retries", 1);
    is_int(v, "observations.0.at", 1673358654000);
    is(v, "rereads.0.kind", "job");
    v = file(state, WH_ORIGIN_WEBHOOK, "build", HOOKS "build.json");
    is_null(v, "observations.0.fields.environment");
    is_null(v, "observations.0.fields.started_at");
    is_int(v, "observations.0.at", 1614048097886);
}

static void test_other_hooks(void **state)
{
    struct wh_json_val v = file(state, WH_ORIGIN_WEBHOOK, "deployment", HOOKS "deployment.json");

    is(v, "observations.0.kind", "deployment");
    is_int(v, "observations.0.at", 1619639400000);
    ref_is(v, "observations.0.fields.job", "job", "796");
    v = file(state, WH_ORIGIN_WEBHOOK, "release", HOOKS "release.json");
    is(v, "observations.0.source_id", "327622:1.0.0");
    is(v, "rereads.0.id", "1.0.0");
    v = file(state, WH_ORIGIN_WEBHOOK, "note", HOOKS "note_merge_request.json");
    is(v, "observations.0.kind", "note");
    ref_is(v, "observations.0.fields.work_item", "merge_request", "7");
    v = file(state, WH_ORIGIN_WEBHOOK, "note", HOOKS "note_commit.json");
    assert_false(th_json_has(v, "observations.0.fields.work_item"));
    v = file(state, WH_ORIGIN_WEBHOOK, "user_add_to_group", HOOKS "member.json");
    is(v, "observations.0.source_id", "group:100:64");
    is_int(v, "observations.0.fields.access_level", 10);
    is(v, "observations.0.fields.expires_at", "2020-12-14");
    is(v, "observations.1.fields.username", "user1");
}

static void test_system_hooks(void **state)
{
    struct wh_json_val v =
        file(state, WH_ORIGIN_WEBHOOK, "user_add_to_team", SYSTEM "user_add_to_team.json");

    is(v, "observations.0.source_id", "project:74:41");
    is_int(v, "observations.0.fields.access_level", 40);
    v = file(state, WH_ORIGIN_WEBHOOK, "user_remove_from_team",
             SYSTEM "user_remove_from_team.json");
    is(v, "observations.0.change", "delete");
    is(v, "observations.0.reason", "deleted");
    is_int(v, "observations.0.at", TH_MAP_OBSERVED);
    v = file(state, WH_ORIGIN_WEBHOOK, "user_rename", SYSTEM "user_rename.json");
    is(v, "observations.0.fields.username", "new-exciting-name");
    v = file(state, WH_ORIGIN_WEBHOOK, "user_destroy", SYSTEM "user_destroy.json");
    is(v, "observations.0.change", "delete");
    v = file(state, WH_ORIGIN_WEBHOOK, "project_transfer", SYSTEM "project_transfer.json");
    is(v, "observations.0.fields.path", "scores/underscore");
    v = file(state, WH_ORIGIN_WEBHOOK, "project_destroy", SYSTEM "project_destroy.json");
    is(v, "observations.0.change", "delete");
    is(v, "observations.0.source_id", "73");
    v = file(state, WH_ORIGIN_WEBHOOK, "merge_request", SYSTEM "merge_request.json");
    is(v, "rc", "ok");
    is_int(v, "observations.0.at", 1506601422365);
    v = file(state, WH_ORIGIN_WEBHOOK, "push", SYSTEM "push.json");
    is(v, "outcome", "ignored");
    assert_int_equal(count(v, "observations"), 0);
}

static void test_incident(void **state)
{
    char id[64];
    char order[32];
    struct wh_json_val v = file(state, WH_ORIGIN_WEBHOOK, "work_item", OWN "incident.json");

    is(v, "observations.0.fields.type", "incident");
    is(v, "observations.0.fields.severity", "critical");
    is(v, "observations.0.fields.escalation_status", "acknowledged");
    is(v, "observations.0.fields.labels.1", "prod");
    ref_is(v, "observations.0.fields.milestone", "milestone", "31");
    assert_int_equal(count(v, "observations.0.fields.assignees"), 2);
    assert_int_equal(count(v, "observations"), 3);
    assert_int_equal(count(v, "rereads"), 0); /* the author is among those shown */
    (void)snprintf(id, sizeof(id), "%.*s",
                   WH_SLICE_ARG(wh_json_string(th_json(v, "observations.0.id"))));
    (void)snprintf(order, sizeof(order), "%.*s",
                   WH_SLICE_ARG(wh_json_string(th_json(v, "observations.0.order"))));
    v = file(state, WH_ORIGIN_REST, "issue", OWN "incident_rest.json");
    is(v, "observations.0.id", id);
    is(v, "observations.0.fields.type", "incident");
    is(v, "observations.0.fields.severity", "critical");
    /* Same second: the read with milliseconds is newer than the push. */
    assert_true(
        wh_slice_cmp(wh_json_string(th_json(v, "observations.0.order")), wh_slice_str(order)) > 0);
    v = file(state, WH_ORIGIN_WEBHOOK, "work_item", OWN "work_item_test_case.json");
    is(v, "observations.0.fields.type", "test_case");
    is(v, "rereads.0.id", "99");
}

static void test_milestone(void **state)
{
    struct wh_json_val v = file(state, WH_ORIGIN_WEBHOOK, "milestone", OWN "milestone.json");

    is(v, "observations.0.kind", "milestone");
    is(v, "observations.0.url", "https://gitlab.example.com/acme/demo/-/milestones/2");
    is(v, "observations.0.fields.due_date", "2026-04-01");
    is_null(v, "observations.0.fields.start_date");
}

/* One pipeline by webhook, list, detail and as job's parent: one id. */
static void test_one_id(void **state)
{
    static const char hook[] =
        "{\"object_attributes\":{\"id\":31,\"status\":\"running\","
        "\"created_at\":\"2026-01-01 00:00:00 UTC\"},\"project\":{\"id\":14}}";
    static const char row[] = "{\"id\":31,\"project_id\":14,\"status\":\"running\","
                              "\"updated_at\":\"2026-01-01T00:00:01.000Z\"}";
    static const char job[] = "{\"id\":1,\"pipeline\":{\"id\":31},"
                              "\"created_at\":\"2026-01-01T00:00:01.000Z\"}";
    struct wh_json_val v = text(state, WH_ORIGIN_WEBHOOK, "pipeline", hook);

    ref_is(v, "observations.0.id", "pipeline", "31");
    v = text(state, WH_ORIGIN_REST, "pipeline", row);
    ref_is(v, "observations.0.id", "pipeline", "31");
    v = text(state, WH_ORIGIN_REST, "pipeline_detail", row);
    ref_is(v, "observations.0.id", "pipeline", "31");
    v = text(state, WH_ORIGIN_REST, "job", job);
    ref_is(v, "observations.0.fields.pipeline", "pipeline", "31");
}

static void test_state_rank(void **state)
{
    static const char *const states[] = {"created", "manual", "pending", "running", "success"};
    char last[32] = "";

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char json[200];
        struct wh_json_val v;

        (void)snprintf(json, sizeof(json),
                       "{\"id\":31,\"status\":\"%s\",\"created_at\":\"2026-01-01T00:00:00Z\"}",
                       states[i]);
        v = text(state, WH_ORIGIN_REST, "job", json);
        assert_true(wh_slice_cmp(wh_json_string(th_json(v, "observations.0.order")),
                                 wh_slice_str(last)) > 0);
        (void)snprintf(last, sizeof(last), "%.*s",
                       WH_SLICE_ARG(wh_json_string(th_json(v, "observations.0.order"))));
    }
}

static void test_links_and_gone(void **state)
{
    struct wh_json_val v = text(state, WH_ORIGIN_REST, "issue_links",
                                "[{\"id\":5,\"link_type\":\"blocks\"},{\"id\":7,\"link_type\":"
                                "\"relates_to\"},{\"id\":6,\"link_type\":\"blocks\"}]");

    ref_is(v, "observations.0.id", "issue", "9");
    assert_int_equal(count(v, "observations.0.fields.blocks"), 2);
    ref_is(v, "observations.0.fields.relates_to.0", "issue", "7");
    assert_int_equal(count(v, "observations.0.fields.is_blocked_by"), 0);
    v = text(state, WH_ORIGIN_REST, "mr_closes", "[{\"id\":5}]");
    ref_is(v, "observations.0.id", "merge_request", "9");
    ref_is(v, "observations.0.fields.closes.0", "issue", "5");
    v = text(state, WH_ORIGIN_REST, "gone", "{\"kind\":\"issue\",\"reason\":\"lost_access\"}");
    ref_is(v, "observations.0.id", "issue", "9");
    is(v, "observations.0.change", "delete");
    is(v, "observations.0.reason", "lost_access");
    v = text(state, WH_ORIGIN_REST, "gone", "{\"kind\":\"release\",\"id\":\"14:v1\"}");
    ref_is(v, "observations.0.id", "release", "14:v1");
    is(v, "observations.0.reason", "deleted");
    v = text(state, WH_ORIGIN_REST, "gone", "{\"kind\":\"unheard_of\"}");
    is(v, "rc", "unknown_kind");
}

/* A push moves no updated_at: the head is ordered by when it was seen. */
static void test_pushed(void **state)
{
    static const char hook[] =
        "{\"object_kind\":\"merge_request\",\"project\":{\"id\":14},\"object_attributes\":{\"id\":"
        "9,"
        "\"iid\":2,\"state\":\"opened\",\"oldrev\":\"aaa\",\"last_commit\":{\"id\":\"bbb\"},"
        "\"updated_at\":\"2020-01-02 03:04:05 UTC\"}}";
    struct wh_json_val v = text(state, WH_ORIGIN_WEBHOOK, "merge_request", hook);

    assert_int_equal(count(v, "observations"), 2);
    ref_is(v, "observations.1.id", "merge_request", "9");
    is(v, "observations.1.fields.sha", "bbb");
    v = text(state, WH_ORIGIN_REST, "merge_request_head",
             "{\"id\":9,\"iid\":2,\"sha\":\"ccc\",\"title\":\"t\",\"updated_at\":\"2020-01-02T03:"
             "04:05.678Z\"}");
    assert_int_equal(count(v, "observations"), 1);
    ref_is(v, "observations.0.id", "merge_request", "9");
    is(v, "observations.0.fields.sha", "ccc");
}

/* There again: no field is shown, but it lives. A moved issue is told by its own row. */
static void test_back_and_moved(void **state)
{
    static const char row[] =
        "{\"id\":9,\"iid\":2,\"title\":\"t\",\"state\":\"closed\",\"project_id\":14,"
        "\"updated_at\":\"2026-01-02T03:04:05.678Z\",\"moved_to_id\":77}";
    static const char hook[] = "{\"object_kind\":\"issue\",\"project\":{\"id\":14},"
                               "\"object_attributes\":{\"id\":9,\"iid\":2,\"state\":\"closed\","
                               "\"updated_at\":\"2026-01-02 03:04:05 UTC\",\"moved_to_id\":null}}";
    struct wh_json_val v =
        text(state, WH_ORIGIN_REST, "back", "{\"kind\":\"issue\",\"id\":\"9\",\"reason\":\"\"}");

    ref_is(v, "observations.0.id", "issue", "9");
    is(v, "observations.0.change", "upsert");
    v = text(state, WH_ORIGIN_REST, "issue", row);
    assert_int_equal(count(v, "observations"), 2);
    is(v, "observations.0.change", "upsert");
    ref_is(v, "observations.0.fields.moved_to", "issue", "77");
    ref_is(v, "observations.1.id", "issue", "9");
    is(v, "observations.1.change", "delete");
    is(v, "observations.1.reason", "moved");
    v = text(state, WH_ORIGIN_WEBHOOK, "issue", hook);
    assert_int_equal(count(v, "observations"), 1);
}

/* Whatever can be told to be gone can be told to be back, but for people, whose row has a state. */
static void test_back_of_each_kind(void **state)
{
    static const char *const kinds[] = {"issue",      "merge_request", "pipeline",  "job",
                                        "deployment", "environment",   "milestone", "note",
                                        "release",    "membership",    "project"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char json[80];
        struct wh_json_val v;

        (void)snprintf(json, sizeof(json), "{\"kind\":\"%s\",\"id\":\"9\"}", kinds[i]);
        v = text(state, WH_ORIGIN_REST, "gone", json);
        ref_is(v, "observations.0.id", kinds[i], "9");
        is(v, "observations.0.change", "delete");
        v = text(state, WH_ORIGIN_REST, "back", json);
        ref_is(v, "observations.0.id", kinds[i], "9");
        is(v, "observations.0.change", "upsert");
    }
}

static void test_release_deleted(void **state)
{
    struct wh_json_val v = text(state, WH_ORIGIN_WEBHOOK, "release",
                                "{\"tag\":\"v1\",\"action\":\"delete\",\"project\":{\"id\":3}}");

    ref_is(v, "observations.0.id", "release", "3:v1");
    is(v, "observations.0.change", "delete");
    assert_int_equal(count(v, "rereads"), 0);
}

/* Not shown, null, and a value are three things. */
static void test_shown(void **state)
{
    struct wh_json_val v = text(state, WH_ORIGIN_REST, "issue",
                                "{\"id\":1,\"updated_at\":\"2026-01-01T00:00:00.000Z\","
                                "\"closed_by\":null,\"milestone\":null,\"time_stats\":{},"
                                "\"moved_to_id\":0}");

    is_null(v, "observations.0.fields.closed_by");
    is_null(v, "observations.0.fields.milestone");
    is_null(v, "observations.0.fields.moved_to");
    assert_false(th_json_has(v, "observations.0.fields.author"));
    assert_false(th_json_has(v, "observations.0.fields.time_estimate"));
    is(v, "observations.0.fields.type", "issue");
    assert_int_equal(count(v, "observations"), 1);
    v = text(state, WH_ORIGIN_REST, "user", "{\"id\":1,\"public_email\":\"[REDACTED]\"}");
    assert_false(th_json_has(v, "observations.0.fields.email"));
    v = text(state, WH_ORIGIN_REST, "user", "{\"id\":1,\"public_email\":\"\"}");
    is_null(v, "observations.0.fields.email");
}

/* ---- poison ---- */

static void test_poison(void **state)
{
#define AT "\"updated_at\":\"2026-01-01T00:00:00Z\""
    static const struct {
        const char *kind;
        const char *json;
        const char *rc;
        const char *err;
    } cases[] = {
        {"issue", "{\"id\":9223372036854775807," AT "}", "ok", ""},
        {"issue", "{\"id\":9223372036854775808," AT "}", "out_of_range", "/id"},
        {"issue", "{\"id\":18446744073709551615," AT "}", "out_of_range", "/id"},
        {"issue", "{\"id\":18446744073709551616," AT "}", "invalid", "64 bits"},
        {"issue", "{\"id\":-5," AT "}", "out_of_range", "/id"},
        {"issue", "{\"id\":0," AT "}", "missing", "/id"},
        {"issue", "{\"id\":null," AT "}", "missing", "/id"},
        {"issue", "{" AT "}", "missing", "/id"},
        {"issue", "{\"id\":5.5," AT "}", "wrong_type", "/id"},
        {"issue", "{\"id\":[5]," AT "}", "wrong_type", "/id"},
        {"issue", "{\"id\":5,\"id\":6," AT "}", "missing", "/id"},
        {"issue", "{\"id\":\"five\"," AT "}", "wrong_type", "/id"},
        {"issue", "{\"id\":\"05\"," AT "}", "wrong_type", "/id"},
        {"issue", "{\"id\":\"9223372036854775808\"," AT "}", "wrong_type", "/id"},
        {"issue", "{\"id\":5,\"updated_at\":\"yesterday\"}", "invalid", "/updated_at"},
        {"issue", "{\"id\":5,\"updated_at\":12345}", "wrong_type", "/updated_at"},
        {"issue", "[]", "wrong_type", "/: an object"},
        {"issue", "7", "wrong_type", "/: an object"},
        {"issue", "{\"id\":5", "invalid", "malformed JSON"},
        {"issue", "", "invalid", "empty"},
        {"issue", "{\"id\":5,\"title\":\"\xff\"," AT "}", "invalid_utf8", "byte 17"},
        {"issue", "{\"id\":5,\"title\":\"\\ud800\"," AT "}", "invalid", "escape"},
        {"nonsense", "{}", "unknown_kind", "nonsense"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wh_json_val v = text(state, WH_ORIGIN_REST, cases[i].kind, cases[i].json);
        char err[300];

        (void)snprintf(err, sizeof(err), "%.*s", WH_SLICE_ARG(wh_json_string(th_json(v, "err"))));
        if (!wh_slice_eq(wh_json_string(th_json(v, "rc")), wh_slice_str(cases[i].rc)) ||
            strstr(err, cases[i].err) == NULL) {
            fail_msg("case %zu (%s): %.*s: %s", i, cases[i].json,
                     WH_SLICE_ARG(wh_json_string(th_json(v, "rc"))), err);
        }
    }
}

/* ---- values that cannot be converted ---- */

/* Each costs its own field; the rest of the event is mapped, and the note says where and why. */
static void test_set_aside(void **state)
{
#define ID "\"id\":5,\"project_id\":14,\"title\":\"kept\"," AT
    static const struct {
        const char *kind;
        const char *json;
        const char *pointer;
        const char *reason;
        const char *example;
        const char *field; /* not shown */
    } cases[] = {
        {"issue", "{" ID ",\"description\":{}}", "/description", "a text", "{...}", "description"},
        {"issue", "{" ID ",\"description\":true}", "/description", "a text", "true", "description"},
        {"issue", "{" ID ",\"confidential\":\"yes\"}", "/confidential", "a boolean", "yes",
         "confidential"},
        {"issue", "{" ID ",\"confidential\":2}", "/confidential", "a boolean", "2", "confidential"},
        {"issue", "{" ID ",\"weight\":\"heavy\"}", "/weight", "a number", "heavy", "weight"},
        {"issue", "{" ID ",\"weight\":18446744073709551615}", "/weight", "above",
         "18446744073709551615", "weight"},
        {"issue", "{" ID ",\"labels\":\"a\"}", "/labels", "an array", "a", "labels"},
        {"issue", "{" ID ",\"closed_at\":\"soon\"}", "/closed_at", "date or time", "soon",
         "closed_at"},
        {"issue", "{" ID ",\"closed_at\":99}", "/closed_at", "as text", "99", "closed_at"},
        {"issue", "{" ID ",\"due_date\":\"2026-13-45\"}", "/due_date", "date", "2026-13-45",
         "due_date"},
        {"issue", "{" ID ",\"author\":{\"id\":-1}}", "/author/id", "cannot be negative", "-1",
         "author"},
        {"issue", "{" ID ",\"author\":{\"id\":\"SHOP-1\"}}", "/author/id", "a whole number",
         "SHOP-1", "author"},
        {"issue", "{" ID ",\"author\":{\"id\":1,\"id\":2}}", "/author/id", "twice", "1", "author"},
        {"issue", "{" ID ",\"author\":{\"id\":1},\"author\":{\"id\":2}}", "/author", "twice",
         "{...}", "author"},
        {"issue", "{" ID ",\"weight\":1,\"weight\":2}", "/weight", "twice", "1", "weight"},
        {"issue", "{" ID ",\"moved_to_id\":\"SHOP-1\"}", "/moved_to_id", "a whole number", "SHOP-1",
         "moved_to"},
        {"pipeline", "{" ID ",\"coverage\":\"many\"}", "/coverage", "not a number", "many",
         "coverage"},
        {"pipeline", "{" ID ",\"finished_at\":\"2026-02-30T99:00:00Z\"}", "/finished_at",
         "date or time", "2026-02-30T99:00:00Z", "finished_at"},
        {"issue_links", "{}", "/", "an array", "{...}", "blocks"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wh_json_val v = text(state, WH_ORIGIN_REST, cases[i].kind, cases[i].json);
        char field[64];

        print_message("case %zu: %s\n", i, cases[i].json);
        is(v, "rc", "ok");
        is(v, "observations.0.set_aside.0.pointer", cases[i].pointer);
        has(v, "observations.0.set_aside.0.reason", cases[i].reason);
        is(v, "observations.0.set_aside.0.example", cases[i].example);
        (void)snprintf(field, sizeof(field), "observations.0.fields.%s", cases[i].field);
        assert_false(th_json_has(v, field));
        if (strcmp(cases[i].kind, "issue") == 0) {
            is(v, "observations.0.fields.title", "kept");
        }
    }
}

/* Of a list only the elements that cannot be converted are left out. */
static void test_set_aside_elements(void **state)
{
    struct wh_json_val v =
        text(state, WH_ORIGIN_REST, "issue",
             "{" ID ",\"labels\":[\"a\",{\"name\":\"b\"},{\"x\":1},7,null,[]],"
             "\"assignees\":[{\"id\":3,\"username\":\"p\"},{\"id\":-1},{\"id\":4,\"id\":4},9]}");

    is(v, "rc", "ok");
    assert_int_equal(count(v, "observations.0.fields.labels"), 3);
    is(v, "observations.0.fields.labels.2", "7");
    is(v, "observations.0.set_aside.0.pointer", "/assignees");
    is_int(v, "observations.0.set_aside.0.count", 2);
    is(v, "observations.0.set_aside.1.pointer", "/labels");
    is_int(v, "observations.0.set_aside.1.count", 3);
    assert_int_equal(count(v, "observations.0.fields.assignees"), 2);
    /* The person with an id is mentioned; what the others lack is said once, with the issue. */
    ref_is(v, "observations.1.id", "user", "3");
    assert_int_equal(count(v, "observations"), 3);
    ref_is(v, "observations.2.id", "issue", "5");
    is(v, "observations.2.set_aside.0.pointer", "/assignees/*/id");
}

/* Text that holds a number is a number, and a number where text belongs is text. */
static void test_numbers_as_text(void **state)
{
    struct wh_json_val v =
        text(state, WH_ORIGIN_REST, "issue",
             "{\"id\":\"5\",\"iid\":\"7\",\"title\":12,\"weight\":\"-3\",\"confidential\":\"true\","
             "\"milestone\":{\"id\":\"1\"},\"author\":{\"id\":\"\"},\"closed_at\":\"\"," AT "}");

    is(v, "rc", "ok");
    ref_is(v, "observations.0.id", "issue", "5");
    is_int(v, "observations.0.fields.iid", 7);
    is(v, "observations.0.fields.title", "12");
    is_int(v, "observations.0.fields.weight", -3);
    ref_is(v, "observations.0.fields.milestone", "milestone", "1");
    is_null(v, "observations.0.fields.author");
    is_null(v, "observations.0.fields.closed_at");
    assert_true(wh_json_bool(th_json(v, "observations.0.fields.confidential")));
    assert_int_equal(count(v, "observations.0.set_aside"), 0);
}

/* A word that a table does not know: null where the field is a number, and the word where it is a
 * text. */
static void test_unknown_words(void **state)
{
    struct wh_json_val v =
        text(state, WH_ORIGIN_WEBHOOK, "user_add_to_group",
             "{\"group_id\":2,\"user_id\":3,\"group_access\":\"Release Captain\","
             "\"updated_at\":\"2026-01-01T00:00:00Z\"}");

    is(v, "rc", "ok");
    is_null(v, "observations.0.fields.access_level");
    is(v, "observations.0.set_aside.0.pointer", "/group_access");
    is(v, "observations.0.set_aside.0.example", "Release Captain");
    v = text(state, WH_ORIGIN_REST, "project", "{\"id\":3,\"visibility\":\"members\"}");
    is(v, "observations.0.fields.visibility", "members");
    v = text(state, WH_ORIGIN_REST, "project", "{\"id\":3,\"visibility\":77}");
    is(v, "observations.0.fields.visibility", "77");
    assert_int_equal(count(v, "observations.0.set_aside"), 0);
}

/* A merge request closes an issue here and one of another tracker. */
static void test_foreign_references(void **state)
{
    static const char closes[] =
        "[{\"id\":\"SHOP-123\",\"title\":\"t\"},{\"id\":501701,\"iid\":1,\"project_id\":501},"
        "{\"id\":\"SHOP-9\",\"web_url\":\"https://jira.invalid/browse/SHOP-9\"}]";
    struct wh_json_val v = text(state, WH_ORIGIN_REST, "mr_closes", closes);

    is(v, "rc", "ok");
    assert_int_equal(count(v, "observations.0.fields.closes"), 1);
    ref_is(v, "observations.0.fields.closes.0", "issue", "501701");
    is(v, "observations.0.fields.external_links.0", "SHOP-123");
    is(v, "observations.0.fields.external_links.1", "SHOP-9 https://jira.invalid/browse/SHOP-9");
    assert_int_equal(count(v, "observations.0.set_aside"), 0);
    /* No more of them: the list is shown as empty, so that the old ones go. */
    v = text(state, WH_ORIGIN_REST, "mr_closes", "[]");
    assert_int_equal(count(v, "observations.0.fields.external_links"), 0);
    assert_true(th_json_has(v, "observations.0.fields.external_links"));
}

/* A trigger job names the pipeline that it started, which names no parent itself. */
static void test_bridge(void **state)
{
    static const char bridge[] =
        "{\"id\":7,\"name\":\"trigger\",\"stage\":\"test\",\"status\":\"success\",\"created_at\":"
        "\"2026-02-01T08:00:00.000Z\",\"pipeline\":{\"id\":21,\"project_id\":3},\"user\":{\"id\":5}"
        ","
        "\"downstream_pipeline\":%s}";
    char json[700];
    struct wh_json_val v;

    (void)snprintf(
        json, sizeof(json), bridge,
        "{\"id\":22,\"iid\":9,\"project_id\":4,\"status\":\"running\",\"source\":\"parent_"
        "pipeline\","
        "\"created_at\":\"2026-02-01T08:00:01.000Z\",\"updated_at\":\"2026-02-01T08:00:02.000Z\"}");
    v = text(state, WH_ORIGIN_REST, "bridge", json);
    is(v, "rc", "ok");
    is(v, "observations.0.kind", "job");
    ref_is(v, "observations.0.fields.pipeline", "pipeline", "21");
    is(v, "observations.2.kind", "build_record");
    is(v, "observations.2.fields.source", "parent_pipeline");
    ref_is(v, "observations.2.fields.parent", "pipeline", "21");
    ref_is(v, "observations.2.fields.project", "project", "4");
    /* It has not started anything yet. */
    (void)snprintf(json, sizeof(json), bridge, "null");
    v = text(state, WH_ORIGIN_REST, "bridge", json);
    is(v, "rc", "ok");
    assert_int_equal(count(v, "observations"), 2);
}

static void test_merge_request_of_ref(void **state)
{
    static const struct {
        const char *ref;
        int64_t iid; /* 0: not shown */
    } cases[] = {{"refs/merge-requests/12/head", 12}, {"refs/merge-requests/7/merge", 7},
                 {"refs/merge-requests/8/train", 8},  {"main", 0},
                 {"refs/merge-requests/x/head", 0},   {"refs/merge-requests/12", 0},
                 {"refs/merge-requests/0/head", 0},   {"refs/merge-requests/-3/head", 0},
                 {"refs/merge-requests/", 0},         {"refs/heads/refs/merge-requests/1/head", 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[200];
        struct wh_json_val v;

        (void)snprintf(
            json, sizeof(json),
            "{\"id\":3,\"project_id\":2,\"ref\":\"%s\",\"updated_at\":\"2026-02-01T08:00:00Z\"}",
            cases[i].ref);
        v = text(state, WH_ORIGIN_REST, "pipeline", json);
        is(v, "rc", "ok");
        assert_int_equal(count(v, "observations.0.set_aside"), 0);
        if (cases[i].iid) {
            is_int(v, "observations.0.fields.merge_request_iid", cases[i].iid);
        } else {
            assert_false(th_json_has(v, "observations.0.fields.merge_request_iid"));
        }
    }
}

/* A work item by a tool shows labels, people, milestone and due date in an array of widgets. */
static void test_widgets(void **state)
{
    static const char item[] =
        "{\"id\":\"gid://gitlab/WorkItem/"
        "31\",\"iid\":\"4\",\"title\":\"t\",\"updatedAt\":\"2026-02-01T08:00:00Z\","
        "\"widgets\":[{\"type\":\"DESCRIPTION\"},{\"type\":\"LABELS\",\"labels\":{\"nodes\":[{"
        "\"title\":\"bug\"},"
        "{\"title\":\"api\"}]}},{\"type\":\"ASSIGNEES\",\"assignees\":{\"nodes\":[{\"id\":\"gid://"
        "gitlab/User/5\"}]}},"
        "{\"type\":\"MILESTONE\",\"milestone\":{\"id\":\"gid://gitlab/Milestone/"
        "6\",\"title\":\"M6\"}},"
        "{\"type\":\"START_AND_DUE_DATE\",\"dueDate\":\"2026-03-01\"}]}";
    struct wh_json_val v = text(state, WH_ORIGIN_MCP, "work_item_node", item);

    is(v, "rc", "ok");
    assert_int_equal(count(v, "observations"), 6);
    for (unsigned i = 1; i < 6; i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "observations.%u.source_id", i);
        is(v, path, i == 4 ? "6" : "31");
    }
    is(v, "observations.1.fields.labels.1", "api");
    ref_is(v, "observations.2.fields.assignees.0", "user", "5");
    ref_is(v, "observations.3.fields.milestone", "milestone", "6");
    is(v, "observations.4.fields.title", "M6");
    is(v, "observations.5.fields.due_date", "2026-03-01");
}

/* A verdict of an approver is not the deployment's state, and a short commit id is not its commit.
 */
static void test_deployment_approval(void **state)
{
    static const char hook[] =
        "{\"status\":\"approved\",\"status_changed_at\":\"2026-02-01T08:05:35.000+00:00\","
        "\"deployment_id\":1503,\"project\":{\"id\":501},\"short_sha\":\"cccccccc\",%s"
        "\"ref\":\"trunk\",\"environment\":\"production\"}";
    static const char url[] =
        "\"commit_url\":\"http://h/team/p/-/commit/cccccccccccccccccccccccccccccccccccccccc\",";
    char json[600];
    struct wh_json_val v;

    (void)snprintf(json, sizeof(json), hook, url);
    v = text(state, WH_ORIGIN_WEBHOOK, "deployment", json);
    is(v, "rc", "ok");
    assert_false(th_json_has(v, "observations.0.fields.status"));
    is(v, "observations.0.fields.sha", "cccccccccccccccccccccccccccccccccccccccc");
    (void)snprintf(json, sizeof(json), hook, "");
    v = text(state, WH_ORIGIN_WEBHOOK, "deployment", json);
    assert_false(th_json_has(v, "observations.0.fields.sha"));
    is(v, "observations.1.fields.sha", "cccccccc");
    is_int(v, "observations.1.at", 0);
}

/* What a reviewer thinks of a merge request is no state of the person's account. */
static void test_reviewer_verdict(void **state)
{
    struct wh_json_val v = text(
        state, WH_ORIGIN_WEBHOOK, "merge_request",
        "{\"object_attributes\":{\"id\":9,\"iid\":1,\"state\":\"opened\",\"action\":\"approved\","
        "\"target_project_id\":14," AT "},"
        "\"reviewers\":[{\"id\":3,\"username\":\"p\",\"state\":\"requested_changes\"}]}");

    is(v, "rc", "ok");
    ref_is(v, "observations.1.id", "user", "3");
    is(v, "observations.1.fields.username", "p");
    assert_false(th_json_has(v, "observations.1.fields.state"));
}

/* A key that occurs twice where nothing is mapped from is nobody's business. */
static void test_unmapped_duplicates(void **state)
{
    struct wh_json_val v = text(state, WH_ORIGIN_REST, "issue",
                                "{\"id\":5,\"x\":1,\"x\":2,\"y\":{\"id\":1,\"id\":2}," AT "}");

    is(v, "rc", "ok");
}

/* Mapping is a function of the event: what came before leaves no trace. */
static void test_pure(void **state)
{
    char *first;
    size_t len;
    struct wh_json_val v = file(state, WH_ORIGIN_WEBHOOK, "issue", HOOKS "issue.json");

    (void)v;
    first = wh_mem_dup(th_map_text(*state), strlen(th_map_text(*state)));
    len = strlen(first);
    (void)text(state, WH_ORIGIN_REST, "issue", "{\"id\":5,\"title\":7}");
    (void)file(state, WH_ORIGIN_WEBHOOK, "pipeline", HOOKS "pipeline.json");
    (void)file(state, WH_ORIGIN_WEBHOOK, "issue", HOOKS "issue.json");
    assert_int_equal(strlen(th_map_text(*state)), len);
    assert_memory_equal(th_map_text(*state), first, len);
    wh_mem_free(first);
}

/* Rows of GitLab's MCP tools: the ids are those of REST, so that it is the same entity. */
static void test_tool_rows(void **state)
{
    struct wh_json_val v = text(
        state, WH_ORIGIN_MCP, "work_item_node",
        "{\"id\":\"gid://gitlab/WorkItem/120\",\"iid\":\"7\",\"title\":\"Down\",\"state\":\"OPEN\","
        "\"updatedAt\":\"2026-11-01T10:00:00Z\",\"workItemType\":{\"name\":\"Incident\"},"
        "\"author\":{\"id\":\"gid://gitlab/User/51\",\"username\":\"ada\"},"
        "\"webUrl\":\"https://gitlab.example.com/a/b/-/issues/7\"}");

    is(v, "err", "");
    is(v, "rc", "ok");
    is(v, "observations.0.source_kind", "issue");
    is(v, "observations.0.source_id", "120");
    is(v, "observations.0.iid", "7");
    is(v, "observations.0.project", "14");
    is(v, "observations.0.fields.state", "opened");
    is(v, "observations.0.fields.type", "incident");
    ref_is(v, "observations.0.fields.author", "user", "51");
    is(v, "observations.1.source_id", "51");
    assert_false(th_json_has(v, "observations.0.fields.labels"));

    v = text(state, WH_ORIGIN_MCP, "project",
             "{\"id\":14,\"name\":\"b\",\"fullPath\":\"a/b\",\"webUrl\":\"https://"
             "gitlab.example.com/a/b\","
             "\"archived\":true}");
    is(v, "rc", "ok");
    is(v, "observations.0.source_id", "14");
    is(v, "observations.0.fields.path", "a/b");

    v = text(
        state, WH_ORIGIN_MCP, "merge_request_node",
        "{\"id\":\"gid://gitlab/MergeRequest/99\",\"iid\":\"3\",\"title\":\"Fix\","
        "\"state\":\"merged\",\"sourceBranch\":\"fix\",\"targetBranch\":\"main\",\"author\":null}");
    is(v, "rc", "ok");
    is(v, "observations.0.source_kind", "merge_request");
    is(v, "observations.0.source_id", "99");
    is(v, "observations.0.fields.state", "merged");
    is(v, "observations.0.fields.source_branch", "fix");

    v = text(state, WH_ORIGIN_MCP, "member",
             "{\"id\":51,\"username\":\"ada\",\"name\":\"Ada\",\"access_level\":30,"
             "\"access_level_name\":\"Developer\",\"expires_at\":null}");
    is(v, "rc", "ok");
    is(v, "observations.0.kind", "membership");
    v = text(state, WH_ORIGIN_MCP, "work_item_node", "{\"id\":\"gid://gitlab/WorkItem/x\"}");
    is(v, "rc", "wrong_type");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_merge_request_hook),
        T(test_pipeline_hook),
        T(test_job_hook),
        T(test_other_hooks),
        T(test_system_hooks),
        T(test_incident),
        T(test_milestone),
        T(test_one_id),
        T(test_state_rank),
        T(test_links_and_gone),
        T(test_back_and_moved),
        T(test_back_of_each_kind),
        T(test_pushed),
        T(test_release_deleted),
        T(test_shown),
        T(test_poison),
        T(test_set_aside),
        T(test_set_aside_elements),
        T(test_numbers_as_text),
        T(test_unknown_words),
        T(test_bridge),
        T(test_merge_request_of_ref),
        T(test_widgets),
        T(test_foreign_references),
        T(test_deployment_approval),
        T(test_reviewer_verdict),

        T(test_unmapped_duplicates),
        T(test_pure),
        T(test_tool_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
