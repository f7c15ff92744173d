/* Conversations: a question refines the one before, they are kept in files, listed and deleted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/conversations/conversations.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_tmp.h"

#define NOW "2026-05-14T10:00:00Z"

struct world {
    struct th_api *api;
    struct th_facts facts;
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
    w->facts.now_ms = INT64_C(1778700000000);
    th_facts_put(&w->facts, th_story);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_facts_done(&w->facts);
    th_api_free(w->api);
    wh_mem_free(w);
    return 0;
}

/* The answer; free with wh_mem_free. question and conversation may be NULL. */
static char *call(struct world *w, const char *method, const char *path, const char *question,
                  const char *conversation, unsigned status)
{
    struct th_http_req req;
    char *text;

    th_api_request(w->api, &req, method, path);
    if (question) {
        th_http_arg(&req, "q", question);
        th_http_arg(&req, "now", NOW);
    }
    if (conversation) {
        th_http_arg(&req, "conversation", conversation);
    }
    th_http_send(&req, &w->api->handler, w->api->loop);
    text = wh_mem_dup(req.answer.ptr, req.answer.len);
    if (req.status != status) {
        fail_msg("%s %s: %u %s", path, question ? question : "", req.status, text);
    }
    th_http_done(&req);
    return text;
}

static void says(char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in\n%s", part, text);
    }
    wh_mem_free(text);
}

static void id_of(const char *text, char ret[CONVERSATION_ID + 1])
{
    const char *at = strstr(text, "\"conversation\":\"");

    assert_non_null(at);
    (void)snprintf(ret, CONVERSATION_ID + 1, "%s", at + strlen("\"conversation\":\""));
}

static void a_follow_up_refines_what_is_kept(void **state)
{
    struct world *w = *state;
    char id[CONVERSATION_ID + 1];
    char path[64];
    char *text = call(w, "POST", "/api/v1/ask", "how many issues are open", NULL, 200);

    id_of(text, id);
    says(text, "\"restated\":\"Number of issues (open)\"");
    says(call(w, "POST", "/api/v1/ask", "by project", id, 200),
         "\"restated\":\"Number of issues (open), by project\"");
    /* Looking again keeps nothing; a question without POST neither. */
    says(call(w, "GET", "/api/v1/ask", "and the closed ones", id, 200),
         "\"restated\":\"Number of issues (closed), by project\"");
    says(call(w, "GET", "/api/v1/ask", NULL, id, 200),
         "\"restated\":\"Number of issues (open), by project\"");
    says(call(w, "GET", "/api/v1/conversations", NULL, NULL, 200),
         "\"turns\":[{\"question\":\"how many issues are open\"");
    (void)snprintf(path, sizeof(path), "/api/v1/conversations/%s", id);
    says(call(w, "DELETE", path, NULL, NULL, 200), "\"deleted\":true");
    says(call(w, "DELETE", path, NULL, NULL, 404), "there is no conversation");
    says(call(w, "POST", "/api/v1/ask", "by project", id, 404), "there is no conversation");
    says(call(w, "GET", "/api/v1/conversations/zz", NULL, NULL, 400), "hexadecimal digits");
}

/* The incident is kept by its id: it is the same one when its title, its number and its time have changed. */
static void an_incident_stays_the_same_one(void **state)
{
    struct world *w = *state;
    char id[CONVERSATION_ID + 1];
    char *text = call(w, "POST", "/api/v1/ask",
                      "which customers were impacted by last Tuesday's incident", NULL, 200);

    id_of(text, id);
    says(text, "2 customers:");
    says(call(w, "POST", "/api/v1/ask", "and what is still open?", id, 200),
         "The same incident:\\n#1 Payments fail");
    says(call(w, "POST", "/api/v1/ask", "how long did it last?", id, 200),
         "restored after 2 h 50 min");
    says(call(w, "POST", "/api/v1/ask", "which services?", id, 200),
         "services: Checkout API, Search, Web");
    says(call(w, "POST", "/api/v1/ask", "of the moon", id, 422), "not_understood");
}

static void the_oldest_one_goes_first(void **state)
{
    struct conversation_id ids[CONVERSATIONS_MAX];
    struct conversation_id first;
    struct conversation_id id;
    char *folder = th_tmp_new();
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;
    char path[256];

    (void)state;
    wh_buf_init(&text, CONVERSATION_MAX_BYTES);
    (void)snprintf(path, sizeof(path), "%s/conversations", folder);
    assert_int_equal(conversations_list(path, ids), 0);
    for (int i = 0; i < CONVERSATIONS_MAX + 1; i++) {
        th_ok(conversation_id_new(&id, &err), &err);
        th_ok(conversations_save(path, &id, WH_LIT("{}"), &err), &err);
        first = i == 0 ? id : first;
    }
    assert_int_equal(conversations_list(path, ids), CONVERSATIONS_MAX);
    assert_int_equal(conversations_load(path, &first, &text, &err), WH_E_NOT_FOUND);
    th_ok(conversations_load(path, &id, &text, &err), &err);
    assert_int_equal(conversation_id_parse(WH_LIT("../../etc/passwd"), &id, &err), WH_E_INVALID);
    assert_int_equal(conversation_id_parse(WH_LIT("0123456789ABCDEF"), &id, &err), WH_E_INVALID);
    th_tmp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_follow_up_refines_what_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_incident_stays_the_same_one, set_up, tear_down),
        cmocka_unit_test(the_oldest_one_goes_first),
    };

    return cmocka_run_group_tests_name("sink/api/conversations", tests, NULL, NULL);
}
