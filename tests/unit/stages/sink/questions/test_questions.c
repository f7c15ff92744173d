/* Forms of questions: what is understood, in words and as SQL; words of the forms in any order never fail otherwise
 * than by not being understood. Names, and answers over the demo's story: tests/integration/ask.py. */
#include "stages/sink/questions/questions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"

#define NOW "2026-11-26T12:00:00Z" /* a Thursday */

enum { ARENA_BYTES = 1 << 20, RANDOM_QUESTIONS = 300, RANDOM_WORDS_MAX = 12, WORDS_MAX = 4000 };

struct world {
    struct questions *q;
    struct wh_arena arena;
    struct question_conf conf;
};

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct wh_instant now;
    struct wh_err err;

    assert_non_null(w);
    th_ok(questions_new((struct wh_slice){NULL, 0}, &w->q, &err), &err);
    th_ok(wh_time_parse(WH_LIT(NOW), &now, &err), &err);
    wh_arena_init(&w->arena, 64 << 10, ARENA_BYTES);
    w->conf =
        (struct question_conf){.zone = wh_zone_utc(), .zone_name = WH_LIT("UTC"), .now_ms = now.ms};
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_arena_done(&w->arena);
    questions_free(w->q);
    wh_mem_free(w);
    return 0;
}

static enum wh_rc read_after(struct world *w, const char *text, const struct question *before,
                             struct question *ret, struct wh_err *err)
{
    bool about;

    return questions_read(w->q, wh_slice_str(text), before ? before->frame : NULL, &w->conf,
                          &w->arena, ret, &about, err);
}

static void is_restated(struct world *w, const char *text, const struct question *before,
                        const char *restated, struct question *ret)
{
    struct wh_err err;

    if (read_after(w, text, before, ret, &err) != WH_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    if (!wh_slice_eq(ret->restated, wh_slice_str(restated))) {
        fail_msg("%s:\n%.*s, not\n%s", text, WH_SLICE_ARG(ret->restated), restated);
    }
}

static void questions_are_restated(void **state)
{
    static const char *const cases[][2] = {
        {"which merge requests are open", "Merge requests (open)"},
        {"show me all open MRs", "Merge requests (open)"},
        {"how many pull requests were merged last week",
         "Number of merge requests (merged), merged from Monday, 16 November 2026 to Sunday, 22 "
         "November 2026 (UTC)"},
        {"merge requests that were not merged", "Merge requests (not merged)"},
        {"draft merge requests without a reviewer", "Merge requests (draft, without a reviewer)"},
        {"open or draft merge requests", "Merge requests (open or draft)"},
        {"open and closed issues", "Issues (open or closed)"},
        {"opened issues", "Issues (open)"},
        {"issues opened yesterday", "Issues, created on Wednesday, 25 November 2026 (UTC)"},
        {"what is the average time to merge per month",
         "Average time to merge of merge requests, by month"},
        {"who merged the most merge requests",
         "Number of merge requests (merged), by merger, the most first"},
        {"which project has the fewest failed builds",
         "Number of pipelines (failed), by project, the fewest first"},
        {"top 5 authors of merge requests",
         "Number of merge requests, by author, the most first, at most 5"},
        {"3 slowest jobs", "Jobs, the highest duration first, at most 3"},
        {"the oldest open issue", "Issues (open), the oldest first, at most 1"},
        {"pipelines that took longer than 2 hours", "Pipelines (longer than 2 hours)"},
        {"what share of jobs failed by stage",
         "Failure rate (of those that succeeded or failed) of jobs, by stage"},
        {"issues labelled \"needs review\"", "Issues (label needs review)"},
        {"how many isues are opne", "Number of issues (open)"},
        {"90th percentile of pipeline duration by branch weekly",
         "90th percentile of duration of pipelines, by branch and week"},
    };
    struct world *w = *state;
    struct question q;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_restated(w, cases[i][0], NULL, cases[i][1], &q);
    }
}

static void statements_say_the_same(void **state)
{
    static const char *const cases[][2] = {
        {"how many merge requests were merged yesterday",
         "select count(*) as count from merge_requests where 1 and ((state = 'merged')) and "
         "merged_at is not null and "
         "merged_at >= '2026-11-25T00:00:00.000Z' and merged_at < '2026-11-26T00:00:00.000Z'"},
        {"issues labelled \"it's\"",
         "select title, state, project_path, author_name, assignee_names, created_at, closed_at, "
         "url from "
         "issues where 1 and ((exists (select 1 from json_each(labels) where lower(value) = "
         "lower('it''s')))) order by created_at desc, 1"},
        {"how many pipelines failed by week", "select date_trunc('week', created_at, 'UTC') as "
                                              "week, count(*) as count from build_records where 1 "
                                              "and ((status = 'failed')) group by 1 order by 1"},
    };
    struct world *w = *state;
    struct question q;
    struct wh_err err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        th_ok(read_after(w, cases[i][0], NULL, &q, &err), &err);
        if (!wh_slice_eq(q.sql, wh_slice_str(cases[i][1]))) {
            fail_msg("%s:\n%.*s", cases[i][0], WH_SLICE_ARG(q.sql));
        }
    }
}

/* Whatever could change the meaning and is not understood makes the question one that is not understood. */
static void no_word_is_passed_over(void **state)
{
    static const char *const cases[][2] = {
        {"open merge requests that smell", "\"smell\" is not understood"},
        {"my merge requests", "\"my\" is not understood"},
        {"merge requests but not", "what \"not\" belongs to"},
        {"merge requests with more than 3 comments", "is not understood"},
        {"average merge requests compared to last year", "\"compared\" is not understood"},
        {"what is the weather", "not one that can be answered"},
        {"issues last week yesterday", "names two times"},
    };
    struct world *w = *state;
    struct question q;
    struct wh_err err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_after(w, cases[i][0], NULL, &q, &err), WH_E_INVALID);
        if (strstr(err.msg, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], err.msg);
        }
    }
}

static void corrections_are_told(void **state)
{
    struct world *w = *state;
    struct question q;
    struct wh_err err;

    th_ok(read_after(w, "pipelnes that faild", NULL, &q, &err), &err);
    assert_int_equal(q.n_notes, 2);
    assert_true(wh_slice_eq(q.notes[0], WH_LIT("\"pipelnes\" was read as \"pipelines\"")));
    th_ok(read_after(w, "pipelines that failed", NULL, &q, &err), &err);
    assert_int_equal(q.n_notes, 0);
}

static void a_follow_up_refines(void **state)
{
    struct world *w = *state;
    struct question first;
    struct question next;

    is_restated(
        w, "how many merge requests were merged last week by project", NULL,
        "Number of merge requests (merged), merged from Monday, 16 November 2026 to Sunday, 22 "
        "November 2026 (UTC), by project",
        &first);
    is_restated(
        w, "and the week before?", &first,
        "Number of merge requests (merged), merged from Monday, 9 November 2026 to Sunday, 15 "
        "November 2026 (UTC), by project",
        &next);
    is_restated(
        w, "by author", &next,
        "Number of merge requests (merged), merged from Monday, 9 November 2026 to Sunday, 15 "
        "November 2026 (UTC), by author",
        &next);
    is_restated(
        w, "only drafts", &next,
        "Number of merge requests (merged, draft), merged from Monday, 9 November 2026 to Sunday, "
        "15 November 2026 (UTC), by author",
        &next);
    is_restated(
        w, "and which are still open?", &first,
        "Merge requests (open), created from Monday, 16 November 2026 to Sunday, 22 November "
        "2026 (UTC)",
        &next);
    is_restated(
        w, "who wrote them?", &next,
        "Number of merge requests (open), created from Monday, 16 November 2026 to Sunday, 22 "
        "November 2026 (UTC), by author",
        &next);
}

/* All words of the file of forms. */
static size_t words_of(char *text, const char **ret, size_t max)
{
    size_t n = 0;

    for (char *at = strtok(text, " \n\t\"|~[]{},:()"); at && n < max;
         at = strtok(NULL, " \n\t\"|~[]{},:()")) {
        ret[n++] = at;
    }
    return n;
}

static char *read_forms(void)
{
    FILE *f = fopen("schemas/questions.json", "r");
    char *text = wh_mem_zalloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* Each is answered, not understood, or a choice; what is understood is SQL that runs within its limits. */
static void words_in_any_order_are_answered_or_refused(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 60000,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 8 << 20};
    struct th_api *api = th_api_new(&conf, 20, 7);
    static const char *words[WORDS_MAX];
    char *text = read_forms();
    size_t n = words_of(text, words, WORDS_MAX);
    struct th_random random = {42};
    size_t answered = 0;

    (void)state;
    for (int i = 0; i < RANDOM_QUESTIONS; i++) {
        char question[1000] = "";
        struct th_http_req req;

        for (size_t k = th_random_below(&random, RANDOM_WORDS_MAX) + 1; k > 0; k--) {
            const char *word = words[th_random_below(&random, (unsigned)n)];

            if (strlen(question) + strlen(word) + 2 < sizeof(question)) {
                strcat(strcat(question, question[0] ? " " : ""), word);
            }
        }
        th_api_request(api, &req, "GET", "/api/v1/ask");
        th_http_arg(&req, "q", question);
        th_http_send(&req, &api->handler, api->loop);
        if (req.status != 200 && req.status != 409 && req.status != 422) {
            fail_msg("%s: %u %s", question, req.status, wh_buf_str(&req.answer));
        }
        answered += req.status == 200;
        th_http_done(&req);
    }
    assert_true(answered > 0);
    wh_mem_free(text);
    th_api_free(api);
}

/* The example of each form is understood as that form, or needs a name that only the demo has. */
static void a_file_of_forms_is_checked(void **state)
{
    struct questions *q;
    struct wh_err err;

    (void)state;
    assert_int_equal(questions_new(WH_LIT("{\"version\":2}"), &q, &err), WH_E_INVALID);
    assert_non_null(strstr(err.msg, "version is not 1"));
    assert_null(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions_are_restated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statements_say_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_word_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(corrections_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_follow_up_refines, set_up, tear_down),
        cmocka_unit_test(words_in_any_order_are_answered_or_refused),
        cmocka_unit_test(a_file_of_forms_is_checked),
    };

    return cmocka_run_group_tests_name("sink/questions", tests, NULL, NULL);
}
