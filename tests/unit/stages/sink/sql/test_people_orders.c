/*
 * Accounts, rows of directories, work items and decisions in any order and any batches: every table of people and
 * every reference shows the same in the end.
 */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_sql.h"

enum { ORDERS = 30, FACTS_MAX = 32 };

#define ACCOUNT(id, at, more)                                                                      \
    "{\"kind\":\"team_member\",\"id\":\"" id "\",\"at\":\"" at "\"," more "}"
#define ROW(source, id, at, more)                                                                  \
    "{\"kind\":\"person\",\"source\":\"" source "\",\"id\":\"" id "\",\"at\":\"" at "\"," more "}"

/* A decision is "d", its id and its JSON; A and B stand for the ids of users 6 and 7. */
static const char *const facts[] = {
    ACCOUNT("1", "2026-05-01", "\"username\":\"ana\",\"name\":\"Ana A.\",\"state\":\"active\""),
    ACCOUNT("1", "2026-05-04", "\"username\":\"ana\",\"email\":\"ana@x.test\""),
    ACCOUNT("2", "2026-05-02",
            "\"username\":\"ana2\",\"email\":\"lead@x.test\",\"created_at\":\"2019-01-01\""),
    ACCOUNT("2", "2026-05-05",
            "\"username\":\"ana-admin\",\"email\":\"a@x.test\",\"state\":\"active\""),
    ACCOUNT("3", "2026-05-02",
            "\"username\":\"ben\",\"email\":\"lead@x.test\",\"state\":\"blocked\""),
    ACCOUNT("4", "2026-05-02",
            "\"username\":\"cleo\",\"email\":\"lead@x.test\",\"state\":\"active\""),
    ACCOUNT("5", "2026-05-02",
            "\"username\":\"group_3_bot_1\",\"name\":\"Ana A.\",\"email\":\"ana@x.test\""),
    ACCOUNT("6", "2026-05-02",
            "\"username\":\"kim\",\"name\":\"Kim Lee\",\"created_at\":\"2020-01-02\""),
    ACCOUNT("7", "2026-05-02",
            "\"username\":\"kim2\",\"name\":\"Lee Kim\",\"created_at\":\"2020-01-01\""),
    ACCOUNT("8", "2026-05-02", "\"username\":\"old\",\"email\":\"cleo@x.test\""),
    "{\"kind\":\"team_member\",\"id\":\"8\",\"at\":\"2026-05-09\",\"delete\":\"deleted\"}",
    ROW("hr", "e1", "2026-05-03",
        "\"name\":\"Ana Adams\",\"accounts\":[\"gitlab:ana\",\"github:ana\"]"),
    ROW("hr", "e1", "2026-05-06", "\"emails\":[\"ana@x.test\",\"a@x.test\"],\"status\":\"active\""),
    ROW("hr", "e2", "2026-05-03",
        "\"name\":\"Ben\",\"accounts\":[\"gitlab:ben\"],\"emails\":[\"lead@x.test\"]"),
    ROW("hr", "e2", "2026-05-07", "\"status\":\"left\""),
    ROW("okta", "e3", "2026-05-03",
        "\"name\":\"Cleo\",\"emails\":[\"lead@x.test\",\"cleo@x.test\"]"),
    ROW("okta", "e1", "2026-05-03", "\"name\":\"Ana from okta\",\"accounts\":[\"github:ana\"]"),
    "{\"kind\":\"work_item\",\"id\":\"7\",\"at\":\"2026-05-09\",\"type\":\"issue\",\"author\":"
    "\"user:2\","
    "\"assignees\":[\"user:1\",\"user:2\",\"user:5\",\"user:6\",\"user:7\"]}",
    "d1merge",
    "d2split",
    "d3undo",
};

enum { FACTS = sizeof(facts) / sizeof(facts[0]) };

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void put_decision(struct th_facts *f, char number, const char *action)
{
    struct wh_entity_id a = th_facts_id(NULL, "user", number == '1' ? "6" : "1");
    struct wh_entity_id b = th_facts_id(NULL, "user", "7");
    char one[WH_ENTITY_ID_TEXT + 1];
    char two[WH_ENTITY_ID_TEXT + 1];
    char key[] = {'d', number, '\0'};
    char json[512];
    struct wh_err err;

    (void)snprintf(json, sizeof(json),
                   "{\"id\":\"d%c\",\"at\":\"2026-06-0%c\",\"who\":\"eve\",\"action\":\"%s\","
                   "\"subject\":\"%s\",\"object\":\"%s\",\"why\":\"so\"}",
                   number, number, action, number == '3' ? "d2" : wh_entity_id_format(&a, one),
                   wh_entity_id_format(&b, two));
    sink_apply_begin(f->apply);
    th_ok(sink_apply_decision(f->apply, wh_slice_str(key), wh_slice_str(json), f->now_ms, &err),
          &err);
    th_ok(sink_apply_seal(f->apply, &err), &err);
    th_ok(sink_apply_commit(f->apply, false, &err), &err);
}

static void put(struct th_facts *f, const char *fact)
{
    if (fact[0] == 'd') {
        put_decision(f, fact[1], fact + 2);
    } else {
        th_facts_put(f, fact);
    }
}

/* What people can see, in one text. */
static char *shown(struct sql_engine *engine)
{
    static const char *const queries[] = {
        "select id, name, team, type, status, emails, accounts, source, username, state, "
        "created_at from team_members order by id",
        "select id, team_member, team_member_name, system, username, name, email, state, type, "
        "rule, evidence from accounts order by id",
        "select * from people_review order by 1, 2, 3, 5",
        "select * from decisions order by at",
        "select id, author, author_name, author_account, assignees, assignee_names, "
        "assignee_accounts from work_items",
    };
    struct wh_buf all;
    struct wh_err err;
    size_t len;

    wh_buf_init(&all, 1 << 20);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        int64_t read;
        char *rows = th_sql_rows(engine, queries[i], &read);

        th_ok(wh_buf_append(&all, wh_slice_str(rows), &err), &err);
        wh_mem_free(rows);
    }
    return wh_buf_take(&all, &len);
}

static char *shown_after(const size_t *order, bool ask_between)
{
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct sql_engine *engine = NULL;
    struct th_facts f;
    struct wh_err err;
    char *text;

    th_facts_init(&f);
    conf.store = f.store;
    th_ok(sql_engine_new(&conf, &engine, &err), &err);
    for (size_t i = 0; i < FACTS; i++) {
        put(&f, facts[order[i]]);
        if (ask_between && i % 5 == 0) {
            wh_mem_free(shown(engine)); /* what is kept from here must not be shown later */
        }
    }
    text = shown(engine);
    sql_engine_free(engine);
    th_facts_done(&f);
    return text;
}

static void every_order_shows_the_same(void **state)
{
    uint64_t seed = 88172645463325252ULL;
    size_t order[FACTS];
    char *first;

    (void)state;
    for (size_t i = 0; i < FACTS; i++) {
        order[i] = i;
    }
    first = shown_after(order, false);
    assert_non_null(strstr(first, "[\"gitlab:ana-admin\",\"github:ana\",\"gitlab:ana\"]"));
    assert_non_null(strstr(first, "[\"gitlab:kim2\",\"gitlab:kim\"]"));
    for (unsigned n = 0; n < ORDERS; n++) {
        char *text;

        for (size_t i = FACTS; i > 1; i--) {
            size_t k = next_random(&seed) % i;
            size_t swapped = order[i - 1];

            order[i - 1] = order[k];
            order[k] = swapped;
        }
        text = shown_after(order, true);
        assert_string_equal(text, first);
        wh_mem_free(text);
    }
    wh_mem_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_shows_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
