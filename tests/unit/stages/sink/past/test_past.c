/* The reader of the state: heads, names and links, as a batch has just written them. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/batch/parents.h"
#include "stages/sink/batch/removal.h"
#include "stages/sink/past/past.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_store.h"

struct world {
    struct th_facts facts;
    struct past *past;
    struct wh_arena arena;
};

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct past_conf conf = {0};
    struct wh_err err;

    assert_non_null(w);
    th_facts_init(&w->facts);
    conf.store = w->facts.store;
    th_ok(past_new(&conf, &w->past, &err), &err);
    wh_arena_init(&w->arena, 4096, 1 << 22);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    past_free(w->past);
    wh_arena_done(&w->arena);
    th_facts_done(&w->facts);
    wh_mem_free(w);
    return 0;
}

/* The source ids of what a scan finds, each followed by a space. */
static void finds(struct world *w, struct past_scan *scan, const char *want)
{
    struct past_found found;
    struct wh_buf text;
    bool more = true;
    struct wh_err err;

    wh_buf_init(&text, 1024);
    while (more) {
        const struct wh_head *head;

        th_ok(past_next(scan, &found, &more, &err), &err);
        if (more) {
            th_ok(past_head(w->past, found.kind, &found.id, &w->arena, &head, &err), &err);
            assert_non_null(head);
            th_ok(wh_buf_printf(&text, &err, "%.*s ", WH_SLICE_ARG(head->source.id)), &err);
        }
    }
    past_scan_free(scan);
    assert_string_equal(wh_buf_str(&text), want);
    wh_buf_done(&text);
}

static void claimed_by(struct world *w, const char *name, const char *want)
{
    struct past_scan *scan = NULL;
    struct wh_err err;

    th_ok(past_claimants(w->past, wh_slice_str(name), &scan, &err), &err);
    finds(w, scan, want);
}

static void mentioned_by(struct world *w, const char *name, const char *want)
{
    struct past_scan *scan = NULL;
    struct wh_err err;

    th_ok(past_mentioners(w->past, wh_slice_str(name), &scan, &err), &err);
    finds(w, scan, want);
}

static void a_rename_takes_effect_at_once(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts,
                 "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S-1\",\"at\":\"2026-05-01\","
                 "\"name\":\"Checkout API\",\"aliases\":[\"co\"],\"labels\":[\"Team/Pay\"]}");
    claimed_by(w, "service:checkout-api", "S-1 ");
    claimed_by(w, "service:s-1", "S-1 ");
    claimed_by(w, "service:co", "S-1 ");
    claimed_by(w, "label:team-pay", "S-1 ");
    claimed_by(w, "service:checkout", "");
    th_facts_put(&w->facts,
                 "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S-1\",\"at\":\"2026-05-02\","
                 "\"name\":\"Checkout\"}");
    claimed_by(w, "service:checkout", "S-1 ");
    claimed_by(w, "service:checkout-api", "");
    claimed_by(w, "service:co", "S-1 ");
    th_facts_put(&w->facts,
                 "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S-1\",\"at\":\"2026-05-03\","
                 "\"delete\":\"deleted\"}");
    claimed_by(w, "service:checkout", "");
    claimed_by(w, "service:s-1", "");
}

static void a_late_observation_changes_no_name(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts,
                 "[{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S-1\",\"at\":\"2026-05-02\","
                 "\"name\":\"Checkout\"},"
                 "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S-1\",\"at\":\"2026-05-01\","
                 "\"name\":\"Old Name\"}]");
    claimed_by(w, "service:checkout", "S-1 ");
    claimed_by(w, "service:old-name", "");
}

static void only_incidents_mention_their_labels(void **state)
{
    struct world *w = *state;

    th_facts_put(
        &w->facts,
        "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"type\":\"incident\","
        "\"labels\":[\"db\"],\"label_services\":[\"Check Out\"],\"stated_services\":[\"Search\"]},"
        "{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-02\",\"type\":\"issue\","
        "\"labels\":[\"db\"],\"follow_up_label\":\"follow-up\","
        "\"mentions\":[\"https://gitlab.test/a/b/-/issues/1\"]}]");
    mentioned_by(w, "label:db", "1 ");
    mentioned_by(w, "service:check-out", "1 ");
    mentioned_by(w, "service:search", "1 ");
    mentioned_by(w, "url:https:-gitlab.test-a-b-issues-1", "2 ");
    claimed_by(w, "type:incident", "1 ");
    th_facts_put(&w->facts,
                 "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-03\",\"type\":\"issue\"}");
    claimed_by(w, "type:incident", "");
    mentioned_by(w, "label:db", "");
}

static void ownership_columns_hold_together(void **state)
{
    struct world *w = *state;

    th_facts_put(
        &w->facts,
        "[{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"1\",\"at\":\"2026-05-02\","
        "\"service\":\"s\",\"project\":\"shop/web\"},"
        "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"2\",\"at\":\"2026-05-02\","
        "\"service\":\"s\",\"project\":\"shop/web\",\"environment\":\"eu/live\"},"
        "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"3\",\"at\":\"2026-05-02\","
        "\"service\":\"s\",\"environment\":\"live\"},"
        "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"4\",\"at\":\"2026-05-02\","
        "\"service\":\"s\",\"label\":\"pay\"},"
        "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"5\",\"at\":\"2026-05-02\","
        "\"service\":\"s\",\"project\":\"42\",\"label\":\"pay\"},"
        "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"6\",\"at\":\"2026-05-02\","
        "\"service\":\"s\",\"project\":\"42\",\"label\":\"pay\",\"environment\":\"live\"},"
        "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"7\",\"at\":\"2026-05-02\","
        "\"service\":\"s\",\"project\":\"42\",\"path\":\"apps/x\"}]");
    claimed_by(w, "project:shop-web", "1 ");
    claimed_by(w, "environment:shop-web#eu-live", "2 ");
    claimed_by(w, "environment:#live", "3 ");
    claimed_by(w, "label:pay", "4 ");
    claimed_by(w, "label:42#pay", "5 ");
    claimed_by(w, "label:42#pay#live", "6 ");
    claimed_by(w, "path:42###apps-x", "7 ");
    claimed_by(w, "project:42", "");
}

static void names_and_links_are_found(void **state)
{
    struct world *w = *state;
    struct wh_entity_id one = th_facts_id(NULL, "issue", "1");
    struct wh_entity_id project = th_facts_id(NULL, "project", "9");
    struct past_scan *scan = NULL;
    struct past_found found;
    bool there = false;
    struct wh_err err;

    th_facts_put(
        &w->facts,
        "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"type\":\"incident\","
        "\"project\":\"project:9\",\"relates_to\":[\"issue:2\"],\"url\":\"https://gitlab.test/1\","
        "\"created_at\":\"2026-05-01T10:00:00Z\"},"
        "{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-02\",\"path\":\"a/b\"},"
        "{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-02\",\"type\":\"issue\","
        "\"relates_to\":[\"issue:1\"],\"created_at\":\"2026-05-01T11:00:00Z\"}]");
    th_ok(past_links_from(w->past, &one, &scan, &err), &err);
    finds(w, scan, "9 2 ");
    th_ok(past_links_to(w->past, &one, &scan, &err), &err);
    finds(w, scan, "2 ");
    th_ok(past_of_project(w->past, WH_KIND_WORK_ITEM, &project, &scan, &err), &err);
    finds(w, scan, "1 ");
    th_ok(past_by_time(w->past, WH_KIND_WORK_ITEM, "created_at", INT64_C(1777629600000),
                       INT64_C(1777633200000), &scan, &err),
          &err);
    finds(w, scan, "1 2 ");
    th_ok(past_by_time(w->past, WH_KIND_WORK_ITEM, "created_at", INT64_C(1777629600001),
                       INT64_C(1777633199999), &scan, &err),
          &err);
    finds(w, scan, "");
    th_ok(past_by_url(w->past, WH_LIT("https://gitlab.test/1"), &found, &there, &err), &err);
    assert_true(there);
    assert_int_equal(wh_entity_id_cmp(&found.id, &one), 0);
    th_ok(past_by_url(w->past, WH_LIT("https://gitlab.test/3"), &found, &there, &err), &err);
    assert_false(there);
}

static void a_purge_leaves_no_name(void **state)
{
    struct world *w = *state;
    struct wh_entity_id id = th_facts_id("crm", "service", "S-1");
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_buf head;
    uint64_t revisions = 0;
    bool removed = false;
    struct wh_err err;
    char *left;

    th_facts_put(&w->facts,
                 "[{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S-1\",\"at\":\"2026-05-02\","
                 "\"name\":\"Checkout\",\"aliases\":[\"a\",\"b\"]},"
                 "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S-1\",\"at\":\"2026-05-01\","
                 "\"name\":\"Old Name\"}]");
    sink_entity_key(key, WH_KIND_SERVICE, &id);
    wh_buf_init(&head, 1 << 16);
    th_ok(wh_store_get(w->facts.store, NULL, SINK_ENTITIES, wh_slice(key, sizeof(key)), &head,
                       &removed, &err),
          &err);
    sink_apply_begin(w->facts.apply);
    th_ok(sink_remove_entity(w->facts.apply, WH_KIND_SERVICE, &id, wh_buf_slice(&head),
                             WH_LIT("import:crm"), &removed, &revisions, &err),
          &err);
    th_ok(sink_apply_seal(w->facts.apply, &err), &err);
    th_ok(sink_apply_commit(w->facts.apply, false, &err), &err);
    left = th_store_dump(w->facts.store, SINK_CLAIMS);
    assert_string_equal(left, "\n");
    wh_mem_free(left);
    wh_buf_done(&head);
}

static bool is_live(struct world *w)
{
    const struct wh_entity_id id = th_facts_id(NULL, "issue", "1");
    const struct wh_head *head = NULL;
    struct wh_err err;

    th_ok(past_live(w->past, WH_KIND_WORK_ITEM, &id, &w->arena, &head, &err), &err);
    return head != NULL;
}

static void a_project(struct world *w, const char *fact)
{
    bool more = true;
    struct wh_err err;

    th_facts_put(&w->facts, fact);
    while (more) {
        th_ok(sink_parents_step(w->facts.apply, 10, false, &more, &err), &err);
    }
}

static void what_is_gone_with_its_project_is_not_live(void **state)
{
    struct world *w = *state;

    a_project(w, "{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-01\",\"name\":\"web\"}");
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\","
                            "\"type\":\"incident\",\"project\":\"project:9\"}");
    assert_true(is_live(w));
    a_project(
        w, "{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-03\",\"delete\":\"lost_access\"}");
    assert_false(is_live(w));
    a_project(w, "{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-04\",\"name\":\"web\"}");
    assert_true(is_live(w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rename_takes_effect_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_observation_changes_no_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_incidents_mention_their_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ownership_columns_hold_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_and_links_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_purge_leaves_no_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_gone_with_its_project_is_not_live, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
