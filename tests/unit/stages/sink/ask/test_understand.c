/* What questions mean: a list written by hand, and dates that Python's calendar and zones agree with. */
#include "stages/sink/ask/understand.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/time.h"
#include "tests/lib/th_cmocka.h"

enum { LINE_MAX_BYTES = 2048, PARTS = 7, ORACLE_CASES = 3000 };

struct present {
    int64_t now_ms;
    struct wh_zone zone;
};

static void set_present(const char *line, struct present *p)
{
    char time[40];
    char zone[64];
    struct wh_instant at;
    struct wh_err err;

    assert_int_equal(sscanf(line, "@ %39s %63s", time, zone), 2);
    th_ok(wh_time_parse(wh_slice_str(time), &at, &err), &err);
    th_ok(wh_zone_find(wh_slice_str(zone), &p->zone, &err), &err);
    p->now_ms = at.ms;
}

static void day_text(int64_t day, bool open, char text[16])
{
    char time[WH_TIME_TEXT_MAX];

    (void)snprintf(text, 16, "%.10s", open ? ".." : wh_time_format(day * 86400000, time));
}

static void add_terms(const struct ask_understood *u, struct wh_buf *out)
{
    static const char *const of[] = {
        [ASK_OF_ANY] = "", [ASK_OF_CUSTOMER] = "customer:", [ASK_OF_SERVICE] = "service:"};
    struct wh_err err;

    for (size_t i = 0; i < u->n_terms; i++) {
        th_ok(wh_buf_printf(out, &err, "%s%s%.*s", i ? ";" : "", of[u->terms[i].of],
                            WH_SLICE_ARG(u->terms[i].text)),
              &err);
    }
    if (u->n_terms == 0) {
        th_ok(wh_buf_printf(out, &err, "-"), &err);
    }
}

/* The understanding in the form of the list. */
static void describe(struct wh_slice question, const struct present *p, struct wh_buf *out)
{
    struct ask_understood u;
    struct wh_err err;
    char first[16] = "-";
    char last[16] = "-";

    if (ask_understand(question, p->now_ms, p->zone, &u, &err) != WH_OK) {
        th_ok(wh_buf_printf(out, &err, "! | - | - | - | - | -"), &err);
        return;
    }
    if (u.has_time) {
        day_text(u.first_day, u.from_ms == INT64_MIN, first);
        day_text(u.last_day, u.to_ms == INT64_MAX, last);
    }
    th_ok(wh_buf_printf(out, &err, "%s | %s | %s | %.*s%s | %s | ", ask_form_name(u.form), first,
                        last, WH_SLICE_ARG(u.reference), u.reference.len ? "" : "-",
                        u.severity ? u.severity : "-"),
          &err);
    add_terms(&u, out);
}

/* The text from the first separator on; the question before it. */
static char *cut_question(char *line)
{
    char *bar = strstr(line, " | ");

    assert_non_null(bar);
    *bar = '\0';
    return bar + 3;
}

static void questions_mean_what_is_written(void **state)
{
    FILE *file = fopen("tests/unit/stages/sink/ask/questions.txt", "r");
    struct present present = {0};
    char line[LINE_MAX_BYTES];
    size_t failed = 0;
    size_t n = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        struct wh_buf got;
        char *want;

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '@') {
            set_present(line, &present);
        }
        if (strchr("@#", line[0]) || line[0] == '\0') {
            if (!(line[0] == '#' && line[1] >= '0' && line[1] <= '9')) {
                continue;
            }
        }
        wh_buf_init(&got, LINE_MAX_BYTES);
        want = cut_question(line);
        describe(wh_slice_str(line), &present, &got);
        if (strcmp(want, wh_buf_str(&got)) != 0) {
            (void)fprintf(stderr, "'%s'\n  means %s\n  want  %s\n", line, wh_buf_str(&got), want);
            failed++;
        }
        wh_buf_done(&got);
        n++;
    }
    (void)fclose(file);
    assert_int_equal(failed, 0);
    assert_true(n >= 200);
}

/* Lines of the oracle: now in ms, zone, from and to in ms, then the question. */
static void dates_are_those_of_python(void **state)
{
    FILE *oracle = popen("python3 tests/unit/stages/sink/ask/dates_oracle.py 1", "r");
    char line[LINE_MAX_BYTES];
    size_t n = 0;

    (void)state;
    assert_non_null(oracle);
    while (fgets(line, sizeof(line), oracle)) {
        long long now;
        long long from;
        long long to;
        char zone_name[64];
        struct ask_understood u;
        struct wh_zone zone;
        struct wh_err err;
        int at = 0;

        line[strcspn(line, "\n")] = '\0';
        assert_int_equal(sscanf(line, "%lld %63s %lld %lld %n", &now, zone_name, &from, &to, &at),
                         4);
        th_ok(wh_zone_find(wh_slice_str(zone_name), &zone, &err), &err);
        if (ask_understand(wh_slice_str(line + at), now, zone, &u, &err) != WH_OK ||
            u.from_ms != from || u.to_ms != to) {
            fail_msg("%s\n got %lld %lld", line, (long long)u.from_ms, (long long)u.to_ms);
        }
        n++;
    }
    assert_int_equal(pclose(oracle), 0);
    assert_int_equal(n, ORACLE_CASES);
}

static void nearest_forms_are_offered(void **state)
{
    enum ask_form forms[ASK_FORMS];

    (void)state;
    assert_int_equal(ask_nearest_forms(WH_LIT("which customers do we have"), forms), 3);
    assert_int_equal(forms[0], ASK_CUSTOMERS);
    assert_int_equal(ask_nearest_forms(WH_LIT(""), forms), 3);
    assert_int_equal(forms[0], ASK_INCIDENTS);
}

static void long_questions_are_refused(void **state)
{
    struct ask_understood u;
    struct wh_buf text;
    struct wh_err err;

    (void)state;
    wh_buf_init(&text, 4096);
    for (size_t i = 0; i < 150; i++) {
        th_ok(wh_buf_append(&text, WH_LIT("who "), &err), &err);
    }
    assert_int_equal(ask_understand(wh_buf_slice(&text), 0, wh_zone_utc(), &u, &err), WH_E_INVALID);
    for (size_t i = 0; i < 150; i++) {
        th_ok(wh_buf_append(&text, WH_LIT("whom "), &err), &err);
    }
    assert_int_equal(ask_understand(wh_buf_slice(&text), 0, wh_zone_utc(), &u, &err), WH_E_INVALID);
    wh_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_mean_what_is_written),
        cmocka_unit_test(dates_are_those_of_python),
        cmocka_unit_test(nearest_forms_are_offered),
        cmocka_unit_test(long_questions_are_refused),
    };

    return cmocka_run_group_tests_name("sink/ask/understand", tests, NULL, NULL);
}
