/* Accounts and rows of directories say whose they are, and an id that was merged away answers. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_facts.h"

#define PERSON                                                                                     \
    "{\"kind\":\"person\",\"source\":\"hr\",\"id\":\"e1\",\"at\":\"2026-05-01\",\"name\":\"Ana "   \
    "Adams\",\"accounts\":[\"gitlab:ana\"],\"status\":\"left\"}"
#define ACCOUNT                                                                                    \
    "{\"kind\":\"team_member\",\"id\":\"1\",\"at\":\"2026-05-01\",\"username\":\"ana\","           \
    "\"name\":\"A.\",\"state\":\"active\"}"

/* The facts become heads of the API's store. */
static void put(struct th_api *f)
{
    struct th_facts facts = {.store = f->store};
    struct wh_err err;

    facts.parser = wh_json_parser_new(1 << 20, 8);
    th_ok(sink_apply_new(f->store, 64, &facts.apply, &err), &err);
    th_facts_put(&facts, "[" PERSON "," ACCOUNT "]");
    sink_apply_free(facts.apply);
    wh_json_parser_free(facts.parser);
}

static void answer_has(struct th_api *f, const char *path, const char *member, const char *part)
{
    struct th_http_req req;

    th_api_request(f, &req, "GET", path);
    if (member) {
        th_http_arg(&req, "kind", "team_members");
        th_http_arg(&req, "_col", "name");
        th_http_arg(&req, "id", member);
    }
    th_http_send(&req, &f->handler, f->loop);
    if (req.status != 200) {
        fail_msg("%s: %u %.300s", path, req.status, wh_buf_str(&req.answer));
    }
    if (strstr(wh_buf_str(&req.answer), part) == NULL) {
        fail_msg("%s is not in: %.800s", part, wh_buf_str(&req.answer));
    }
    th_http_done(&req);
}

static void an_account_says_whose_it_is(void **state)
{
    const struct sink_api_conf conf = {
        .sql_timeout_ms = 5000, .sql_timeout_max_ms = 5000, .sql_rows = 100, .sql_bytes = 1 << 20};
    struct th_api *f = th_api_new(&conf, 1, 5);
    struct wh_entity_id account = th_facts_id(NULL, "user", "1");
    struct wh_entity_id row = th_facts_id("hr", "person", "e1");
    char id[WH_ENTITY_ID_TEXT + 1];
    char path[128];
    char part[160];

    (void)state;
    put(f);
    (void)snprintf(part, sizeof(part),
                   "\"team_member\":{\"id\":\"%s\",\"name\":\"Ana Adams\",\"type\":\"person\","
                   "\"status\":\"left\"}",
                   wh_entity_id_format(&row, id));
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s", id);
    answer_has(f, path, NULL, part);
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s", wh_entity_id_format(&account, id));
    answer_has(f, path, NULL, part);
    answer_has(f, "/api/v1/entities", id, "Ana Adams");
    th_api_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_says_whose_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
