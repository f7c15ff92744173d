/* Team members, accounts, reviews and decisions as tables; references that show team members. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_sql.h"

struct world {
    struct th_facts facts;
    struct sql_engine *engine;
};

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    assert_non_null(w);
    th_facts_init(&w->facts);
    conf.store = w->facts.store;
    th_ok(sql_engine_new(&conf, &w->engine, &err), &err);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sql_engine_free(w->engine);
    th_facts_done(&w->facts);
    wh_mem_free(w);
    return 0;
}

#define USER(id, username, more)                                                                   \
    "{\"kind\":\"team_member\",\"id\":\"" id "\",\"at\":\"2026-05-0" id                            \
    "\",\"username\":\"" username "\",\"state\":\"active\",\"created_at\":\"2020-01-0" id          \
    "\"" more "}"
#define PERSON(source, id, name, more)                                                             \
    "{\"kind\":\"person\",\"source\":\"" source "\",\"id\":\"" id                                  \
    "\",\"at\":\"2026-05-09\",\"name\":\"" name "\"" more "}"

/* Ana has three accounts, and a bot writes under her name. */
static void put_ana(struct world *w)
{
    th_facts_put(
        &w->facts,
        "[" USER("1", "ana", ",\"name\":\"Ana A.\",\"avatar_url\":\"https://x/a.png\"") "," USER("2", "ana-admin", ",\"name\":\"Ana Adams\",\"email\":\"Ana@x.test\"") "," USER(
            "3", "project_7_bot_9f",
            ",\"name\":\"Ana Adams\","
            "\"email\":\"ana@x.test\"") "," PERSON("hr", "e1", "Ana Adams",
                                                   ",\"emails\":[\"ana@x.test\",\"a.adams@x.test\"]"
                                                   ",\"accounts\":[\"gitlab:ana\",\"github:ana-a\"]"
                                                   ","
                                                   "\"team\":\"Platform\",\"title\":\"Engineer\","
                                                   "\"status\":\"active\",\"type\":\"person\"") "]");
}

static void accounts_of_one_person(void **state)
{
    struct world *w = *state;

    put_ana(w);
    th_sql_is(
        w->engine,
        "select name, title, team, type, status, emails, accounts, source, username, avatar_url"
        " from team_members order by type, name",
        "Ana "
        "Adams|||bot|active|[\"ana@x.test\"]|[\"gitlab:project_7_bot_9f\"]|gitlab|project_7_bot_9f|"
        "|\n"
        "Ana Adams|Engineer|Platform|person|active|[\"ana@x.test\",\"a.adams@x.test\"]|"
        "[\"gitlab:ana\",\"gitlab:ana-admin\",\"github:ana-a\"]|hr|ana|https://x/a.png|\n");
    th_sql_is(
        w->engine,
        "select system, username, type, state, rule, team_member_name, source_id, url is null,"
        " json_extract(evidence, '$.key'), json_extract(evidence, '$.source'),"
        " json_extract(evidence, '$.field') from accounts order by username",
        "gitlab|ana|person|active|account|Ana Adams|1|1|gitlab:ana|hr|accounts|\n"
        "github|ana-a|person||account|Ana Adams||1|github:ana-a|hr|accounts|\n"
        "gitlab|ana-admin|person|active|email|Ana Adams|2|1|ana@x.test|hr|emails|\n"
        "gitlab|project_7_bot_9f|bot|active||Ana Adams|3|1||||\n");
}

/* The revision that the evidence names has the value. */
static void evidence_names_a_revision(void **state)
{
    struct world *w = *state;

    put_ana(w);
    th_sql_is(w->engine,
              "select a.username, json_extract(r.changed, '$.emails[0]') from accounts a"
              " join revisions r on r.entity_id = json_extract(a.evidence, '$.row')"
              " and r.version = json_extract(a.evidence, '$.revision') where a.rule = 'email'",
              "ana-admin|ana@x.test|\n");
}

static void references_show_team_members(void **state)
{
    struct world *w = *state;

    put_ana(w);
    th_facts_put(&w->facts,
                 "{\"kind\":\"work_item\",\"id\":\"7\",\"at\":\"2026-05-09\",\"type\":\"issue\","
                 "\"author\":\"user:2\","
                 "\"assignees\":[\"user:1\",\"user:2\",\"user:3\"],\"closed_by\":\"user:9\"}");
    th_sql_is(
        w->engine,
        "select author = (select id from team_members where source = 'hr'), author_name,"
        " (select username from accounts where id = author_account),"
        " json_array_length(assignees), json_array_length(assignee_accounts),"
        " json_array_length(assignee_names), closed_by = closed_by_account, closed_by_name is null"
        " from issues",
        "1|Ana Adams|ana-admin|2|3|2|1|1|\n");
    th_sql_is(w->engine, "select t.team from issues i join team_members t on t.id = i.author",
              "Platform|\n");
}

/* An id that was merged away answers with the one that replaced it. */
static void merged_ids_answer(void **state)
{
    struct world *w = *state;
    struct wh_entity_id id = th_facts_id(NULL, "user", "2");
    char text[WH_ENTITY_ID_TEXT + 1];
    char sql[256];

    put_ana(w);
    (void)snprintf(sql, sizeof(sql), "select source, username from team_members where id = '%s'",
                   wh_entity_id_format(&id, text));
    th_sql_is(w->engine, sql, "hr|ana|\n");
    th_sql_is(
        w->engine,
        "select count(*) from accounts where team_member = (select id from team_members where "
        "source = 'hr')",
        "3|\n");
    th_sql_is(w->engine, "select count(*) from team_members where id = 'x'", "0|\n");
    th_sql_is(w->engine,
              "select count(*) from accounts where id = "
              "(select id from team_members where source = 'hr')",
              "0|\n");
}

static void put_decision(struct world *w, const char *id, const char *action, const char *subject,
                         const char *object)
{
    char json[512];
    struct wh_err err;

    (void)snprintf(json, sizeof(json),
                   "{\"id\":\"%s\",\"at\":\"2026-05-1%c\",\"who\":\"eve\",\"action\":\"%s\","
                   "\"subject\":\"%s\",\"object\":\"%s\",\"why\":\"because\"}",
                   id, id[2], action, subject, object);
    sink_apply_begin(w->facts.apply);
    th_ok(sink_apply_decision(w->facts.apply, wh_slice_str(id), wh_slice_str(json), w->facts.now_ms,
                              &err),
          &err);
    th_ok(sink_apply_seal(w->facts.apply, &err), &err);
    th_ok(sink_apply_commit(w->facts.apply, false, &err), &err);
}

static const char *user(const char *id, char text[WH_ENTITY_ID_TEXT + 1])
{
    struct wh_entity_id of = th_facts_id(NULL, "user", id);

    return wh_entity_id_format(&of, text);
}

static void decisions_count_until_they_are_undone(void **state)
{
    struct world *w = *state;
    char one[WH_ENTITY_ID_TEXT + 1];
    char two[WH_ENTITY_ID_TEXT + 1];
    char *before;
    char *after;
    int64_t read;
    static const char all[] = "select t.id, t.name, a.id, a.rule, a.evidence from team_members t"
                              " join accounts a on a.team_member = t.id order by 1, 3";

    th_facts_put(&w->facts, "[" USER("1", "kim", ",\"name\":\"Kim Lee\"") "," USER(
                                "2", "kim2", ",\"name\":\"Lee, Kim\"") "]");
    th_sql_is(w->engine, "select key, rule, min(left_name, right_name), since from people_review",
              "name:kim-lee|name|Kim Lee|2026-05-02T00:00:00.000Z|\n");
    before = th_sql_rows(w->engine, all, &read);
    put_decision(w, "d-1", "merge", user("1", one), user("2", two));
    th_sql_is(w->engine, "select name, accounts from team_members",
              "Kim Lee|[\"gitlab:kim\",\"gitlab:kim2\"]|\n");
    th_sql_is(w->engine, "select count(*) from people_review", "0|\n");
    put_decision(w, "d-2", "undo", "d-1", "");
    th_sql_is(
        w->engine,
        "select id, at, who, action, subject_name, object_name, why, undone_at from decisions "
        "order by at",
        "d-1|2026-05-11T00:00:00.000Z|eve|merge|Kim Lee|Lee, "
        "Kim|because|2026-05-12T00:00:00.000Z|\n"
        "d-2|2026-05-12T00:00:00.000Z|eve|undo|||because||\n");
    after = th_sql_rows(w->engine, all, &read);
    assert_string_equal(before, after);
    wh_mem_free(before);
    wh_mem_free(after);
}

static void rows_at(struct world *w, const char *sql, int64_t stored_ms, int64_t valid_ms,
                    const char *want)
{
    const struct wh_history_when when = {stored_ms, valid_ms};
    int64_t read;
    char *got = th_sql_rows_at(w->engine, sql, &when, &read);

    assert_string_equal(got + strlen("rows\n"), want);
    wh_mem_free(got);
}

/* Of the past, a decision counts when it had been stored, or made, by then. */
static void decisions_have_a_past(void **state)
{
    static const char sql[] = "select (select count(*) from decisions), count(*) from team_members";
    const int64_t made_ms = 1778457600000; /* 2026-05-11 */
    struct world *w = *state;
    char one[WH_ENTITY_ID_TEXT + 1];
    char two[WH_ENTITY_ID_TEXT + 1];

    w->facts.now_ms = 1000;
    th_facts_put(&w->facts, "[" USER("1", "kim", "") "," USER("2", "kim2", "") "]");
    w->facts.now_ms = 5000;
    put_decision(w, "d-1", "merge", user("1", one), user("2", two));
    w->facts.now_ms = 9000;
    put_decision(w, "d-1", "merge", user("1", one), user("2", two)); /* delivered again */
    rows_at(w, sql, 4999, INT64_MAX, "0|2|\n");
    rows_at(w, sql, 5000, INT64_MAX, "1|1|\n");
    rows_at(w, sql, INT64_MAX, made_ms - 1, "0|2|\n");
    rows_at(w, sql, INT64_MAX, made_ms, "1|1|\n");
}

static void states_are_told_apart(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, "[" USER("1", "gone", "") "," USER("2", "left", "") "," USER(
                                "3", "here",
                                "") ","
                                    "{\"kind\":\"team_member\",\"id\":\"4\",\"at\":\"2026-05-01\","
                                    "\"username\":\"block\",\"state\":\"blocked\"},"
                                    "{\"kind\":\"team_member\",\"id\":\"5\",\"at\":\"2026-05-01\","
                                    "\"username\":\"seen\"}," PERSON(
                                        "hr", "e2", "Left",
                                        ",\"accounts\":[\"gitlab:left\"],\"status\":\"left\"") "]");
    th_facts_put(
        &w->facts,
        "{\"kind\":\"team_member\",\"id\":\"1\",\"at\":\"2026-06-01\",\"delete\":\"deleted\"}");
    th_sql_is(w->engine,
              "select a.username, t.status, a.state from team_members t join accounts a on "
              "a.team_member = t.id"
              " order by 1",
              "block|blocked|blocked|\ngone|deleted|deleted|\nhere|active|active|\nleft|left|"
              "active|\nseen|||\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accounts_of_one_person, set_up, tear_down),
        cmocka_unit_test_setup_teardown(evidence_names_a_revision, set_up, tear_down),
        cmocka_unit_test_setup_teardown(references_show_team_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merged_ids_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decisions_count_until_they_are_undone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decisions_have_a_past, set_up, tear_down),
        cmocka_unit_test_setup_teardown(states_are_told_apart, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
