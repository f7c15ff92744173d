/* What GitLab says of the webhooks that lead to us; a script plays GitLab. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/hooks.h"
#include "tests/lib/httpc_script.h"

#define OURS "\"url\":\"https://wellhead.example.com/hooks/c\""

enum { TURNS_MAX = 1000, PROJECTS_ASKED_MAX = 20 };

struct fixture {
    struct wh_loop *loop;
    struct th_script *http;
    struct client *client;
    struct wh_json_parser *parser;
    struct projects projects;
    const char *answers[3]; /* of projects 1 to 3; NULL: 403 */
    unsigned calls;
    enum hook_state state;
    char until[64];
};

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    const struct fixture *x = ctx;
    unsigned project;
    struct wh_err err;

    (void)secret;
    for (project = 1; project <= 3; project++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/projects/%u/hooks", project);
        if (memmem(url.ptr, url.len, path, strlen(path))) {
            break;
        }
    }
    if (project > 3 || x->answers[project - 1] == NULL) {
        a->status = 403;
        return;
    }
    th_ok(wh_buf_append(&a->body, wh_slice_str(x->answers[project - 1]), &err), &err);
}

static void done(void *ctx, enum hook_state state, const char *until)
{
    struct fixture *x = ctx;

    x->calls++;
    x->state = state;
    (void)snprintf(x->until, sizeof(x->until), "%s", until);
}

static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct wh_err err;

    assert_non_null(x);
    x->loop = wh_loop_new();
    x->http = th_script_new(gitlab, x);
    x->parser = wh_json_parser_new(1 << 16, 16);
    assert_true(x->loop && x->http && x->parser);
    x->client = client_new(&(struct client_conf){.loop = x->loop,
                                                 .http = th_script_http(x->http),
                                                 .clock = wh_clock_real(),
                                                 .instance = "https://gitlab.example.com",
                                                 .max_in_flight = 4,
                                                 .retry_max = 1,
                                                 .backoff_ms = 1,
                                                 .backoff_max_ms = 1,
                                                 .timeout_ms = 1000,
                                                 .body_max = 1 << 16});
    assert_non_null(x->client);
    th_ok(client_set_token(x->client, WH_LIT("glpat-1"), &err), &err);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    client_free(x->client);
    projects_free(&x->projects);
    wh_json_parser_free(x->parser);
    th_script_free(x->http);
    wh_loop_free(x->loop);
    wh_mem_free(x);
    return 0;
}

static struct project *add_project(struct fixture *x, unsigned id)
{
    struct project *p;
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", id);
    p = projects_add(&x->projects, wh_slice_str(text));
    assert_non_null(p);
    p->listed_run = 1;
    return p;
}

static struct hooks *start(struct fixture *x, struct client *client)
{
    return hooks_start(&(struct hooks_conf){.client = client,
                                            .parser = x->parser,
                                            .connection = "c",
                                            .projects = &x->projects,
                                            .done = done,
                                            .ctx = x});
}

static enum hook_state ask(struct fixture *x)
{
    unsigned before = x->calls;

    assert_non_null(start(x, x->client));
    assert_int_equal(x->calls, before); /* never from inside the call */
    for (unsigned i = 0; i < TURNS_MAX && x->calls == before; i++) {
        wh_loop_turn(x->loop, false);
        if (th_script_waiting(x->http)) {
            th_script_answer_one(x->http, 0);
        }
    }
    assert_int_equal(x->calls, before + 1);
    return x->state;
}

static void test_what_the_lists_say(void **state)
{
    struct fixture *x = *state;

    for (unsigned i = 1; i <= 3; i++) {
        (void)add_project(x, i);
    }
    assert_int_equal(ask(x), HOOK_UNKNOWN); /* nobody may see them */
    x->answers[1] = "[{\"url\":\"https://elsewhere.example.com/hooks/other\"}]";
    assert_int_equal(ask(x), HOOK_MISSING);
    x->answers[2] = "[{" OURS "}]"; /* an older GitLab says nothing of its state */
    assert_int_equal(ask(x), HOOK_WORKS);
    x->answers[1] = "[{" OURS ",\"alert_status\":\"executable\"},{\"url\":3}]";
    assert_int_equal(ask(x), HOOK_WORKS);
    x->answers[0] = "[{" OURS ",\"alert_status\":\"temporarily_disabled\","
                    "\"disabled_until\":\"2026-01-01T00:00:00Z\"}]";
    assert_int_equal(ask(x), HOOK_DISABLED);
    assert_string_equal(x->until, "2026-01-01T00:00:00Z");
    x->answers[0] = "[{" OURS ",\"alert_status\":\"disabled\",\"disabled_until\":null}]";
    assert_int_equal(ask(x), HOOK_DISABLED);
    assert_string_equal(x->until, "");
    x->answers[0] = "{\"message\":\"not a list\"}";
    assert_int_equal(ask(x), HOOK_WORKS);
}

static void test_without_anybody_to_ask(void **state)
{
    struct fixture *x = *state;

    assert_null(start(x, x->client)); /* no project */
    add_project(x, 1)->listed_run = 0;
    (void)snprintf(add_project(x, 2)->skipped, 16, "gone");
    assert_null(start(x, x->client));
    (void)add_project(x, 3);
    assert_null(start(x, NULL));
    assert_int_equal(th_script_started(x->http), 0);
    assert_int_equal(ask(x), HOOK_UNKNOWN);
    assert_int_equal(th_script_started(x->http), 1);
}

static void test_no_more_than_twenty_projects_are_asked_for(void **state)
{
    struct fixture *x = *state;

    for (unsigned i = 1; i <= PROJECTS_ASKED_MAX + 5; i++) {
        (void)add_project(x, i);
    }
    assert_int_equal(ask(x), HOOK_UNKNOWN);
    assert_int_equal(th_script_started(x->http), PROJECTS_ASKED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_what_the_lists_say),
        T(test_without_anybody_to_ask),
        T(test_no_more_than_twenty_projects_are_asked_for),
    };

    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
