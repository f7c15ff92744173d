/*
 * Random histories: services that are renamed, merged and deleted, keys that several claim, rows that come late.
 * Whatever the order of arrival and the batches, the tables say what a naive model in Python says, and two
 * orders say it in the same bytes. As of a time they say what a store says that saw only what was there then.
 * HISTORIES and SEED in the environment ask for more, and for others.
 */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_observation.h"
#include "tests/lib/th_sql.h"

enum { HISTORIES = 25, LINE_MAX_BYTES = 1 << 20 };

static const struct {
    const char *name;
    const char *sql;
} tables[] = {
    {"services",
     "select i.source_id || '|' || s.source_id || '|' || t.rule from incident_services t "
     "join work_items i on i.id = t.incident join services s on s.id = t.service order by 1"},
    {"impact",
     "select i.source_id || '|' || s.source_id || '|' || ifnull(c.source_id, '') || '|' || "
     "ifnull(t.revenue_minor, '') || '|' || ifnull(t.currency, '') || '|' || t.open_follow_ups "
     "from "
     "incident_impact t join work_items i on i.id = t.incident join services s on s.id = t.service "
     "left join customers c on c.id = t.customer order by 1"},
    {"follow_ups", "select i.source_id || '|' || w.source_id || '|' || t.rule || '|' || "
                   "ifnull(t.state, '') from incident_follow_ups t join work_items i on i.id = "
                   "t.incident join work_items w on w.id = t.work_item order by 1"},
    {"unresolved",
     "select distinct t.key || '|' || coalesce(i.source_id, u.source_id, k.source_id, o.source_id) "
     "|| '|' || t.rule || '|' || t.ambiguous from unresolved t left join work_items i on i.id = "
     "t.mentioned_by left join service_customers u on u.id = t.mentioned_by left join "
     "subscriptions k on k.id = t.mentioned_by left join service_ownership o on o.id = "
     "t.mentioned_by where t.mentioned_by is not null order by 1"},
};

/* What two orders of arrival must give in the same bytes. */
static const char *const whole[] = {
    "select incident, service, service_name, rule from incident_services",
    "select incident, incident_url, severity, started_at, service, service_name, customer, "
    "customer_name, revenue_minor, currency, open_follow_ups from incident_impact",
    "select * from incident_facts",
    "select * from incident_revenue",
    "select * from incident_follow_ups",
    "select * from postmortems",
    "select * from unresolved",
    "select id, service, service_name, customer, customer_name from service_customers",
};

struct world {
    struct th_facts facts;
    struct sql_engine *engine;
};

static void begin(struct world *w)
{
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    th_facts_init(&w->facts);
    conf.store = w->facts.store;
    th_ok(sql_engine_new(&conf, &w->engine, &err), &err);
}

static void end(struct world *w)
{
    sql_engine_free(w->engine);
    th_facts_done(&w->facts);
}

static bool read_line(FILE *oracle, char *line)
{
    if (fgets(line, LINE_MAX_BYTES, oracle) == NULL) {
        return false;
    }
    assert_non_null(strchr(line, '\n'));
    return true;
}

/* The rows of the table as the oracle has them, in the form of th_sql_rows. */
static void want_rows(struct wh_json_val want, const char *table, struct wh_buf *out)
{
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_err err;

    wh_buf_reset(out);
    assert_true(wh_json_get(want, wh_slice_str(table), &rows));
    for (it = wh_json_iter(rows); wh_json_next(&it, NULL, &row);) {
        th_ok(wh_buf_printf(out, &err, "%.*s|\n", WH_SLICE_ARG(wh_json_string(row))), &err);
    }
}

static void compare(struct world *w, const char *facts, struct wh_json_val want, unsigned history)
{
    struct wh_buf text;
    int64_t read;

    wh_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char *rows = th_sql_rows(w->engine, tables[i].sql, &read);

        want_rows(want, tables[i].name, &text);
        if (strcmp(rows + strlen("rows\n"), wh_buf_str(&text)) != 0) {
            fail_msg("history %u, %s:\n%s\nwant\n%s\n%s", history, tables[i].name, rows,
                     wh_buf_str(&text), facts);
        }
        wh_mem_free(rows);
    }
    wh_buf_done(&text);
}

/* when: of a; b is as it is now. NULL: a is so, too. */
static void same_bytes(struct world *a, struct world *b, const struct wh_history_when *when,
                       unsigned history)
{
    int64_t read;

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        char *left = th_sql_rows_at(a->engine, whole[i], when, &read);
        char *right = th_sql_rows(b->engine, whole[i], &read);

        if (strcmp(left, right) != 0) {
            fail_msg("history %u, %s:\n%s\nand\n%s", history, whole[i], left, right);
        }
        wh_mem_free(left);
        wh_mem_free(right);
    }
}

/* Of half of the time: as a store that saw only what had arrived by then. */
static void then(struct world *all, const char *facts, unsigned history)
{
    struct world half;
    struct wh_history_when when = {.valid_ms = INT64_MAX};
    size_t n = 1 + history * 7 % 60;

    begin(&half);
    when.stored_ms = half.facts.now_ms + (int64_t)n * 1000 - 500;
    th_facts_put_singly(&half.facts, facts, n);
    same_bytes(all, &half, &when, history);
    end(&half);
}

static void one_history(FILE *oracle, char *lines[3], struct wh_json_parser *parser,
                        unsigned history)
{
    struct world one;
    struct world other;
    struct wh_json_val want;
    struct wh_err err;

    begin(&one);
    begin(&other);
    assert_true(read_line(oracle, lines[1]));
    assert_true(read_line(oracle, lines[2]));
    th_ok(wh_json_parse(parser, wh_slice_str(lines[2]), &want, &err), &err);
    th_facts_put(&one.facts, lines[0]);
    th_facts_put_singly(&other.facts, lines[1], SIZE_MAX);
    compare(&one, lines[0], want, history);
    same_bytes(&one, &other, NULL, history);
    then(&other, lines[1], history);
    end(&one);
    end(&other);
}

static unsigned number(const char *variable, unsigned otherwise)
{
    const char *text = getenv(variable);

    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void tables_say_what_the_model_says(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(LINE_MAX_BYTES, 8);
    char *lines[3];
    char command[128];
    FILE *oracle;
    unsigned n = 0;
    unsigned wanted = number("HISTORIES", HISTORIES);

    (void)state;
    (void)snprintf(command, sizeof(command),
                   "python3 tests/unit/stages/sink/impact/oracle.py %u %u", number("SEED", 1),
                   wanted);
    oracle = popen(command, "r");
    assert_non_null(oracle);
    for (size_t i = 0; i < 3; i++) {
        lines[i] = malloc(LINE_MAX_BYTES);
        assert_non_null(lines[i]);
    }
    while (read_line(oracle, lines[0])) {
        one_history(oracle, lines, parser, n++);
    }
    assert_int_equal(pclose(oracle), 0);
    assert_int_equal(n, wanted);
    for (size_t i = 0; i < 3; i++) {
        free(lines[i]);
    }
    wh_json_parser_free(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_say_what_the_model_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
