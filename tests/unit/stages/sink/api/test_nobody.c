/*
 * Nobody gets in: on every path that the sources name, no token, a wrong one, one in the address and a foreign page are
 * refused, and what GitLab stores or a client sends comes out of no page as markup and into no header as a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_facts.h"

enum { PATHS_MAX = 200, PATH_BYTES = 256, ANSWER_BYTES = 4 << 20, TEXT = 512 };

#define HOST "127.0.0.1:8704"
#define HERE "http://" HOST

/* ---- the paths, from the sources: a new one cannot be forgotten ---- */

struct paths {
    char list[PATHS_MAX][PATH_BYTES];
    bool page[PATHS_MAX];
    size_t n;
};

/* A '*' stands for a table on /t and /model, and for an entity elsewhere. */
static void add_path(struct paths *p, const char *pattern, size_t len, const char *id, bool page)
{
    const char *table = len > 2 && memcmp(pattern, "/t/", 3) == 0 ? "customers" : id;
    char *to = p->list[p->n];
    size_t n = 0;

    assert_true(p->n < PATHS_MAX);
    for (size_t i = 0; i < len; i++) {
        if (pattern[i] == '*') {
            n += (size_t)snprintf(to + n, PATH_BYTES - n, "%s", table);
            i += i + 1 < len && pattern[i + 1] == '*';
        } else {
            assert_true(n + 1 < PATH_BYTES);
            to[n++] = pattern[i];
            to[n] = 0;
        }
    }
    p->page[p->n] = page;
    p->n++;
}

/* Every quoted path behind the mark in the sources. */
static void read_paths(struct paths *p, const char *command, const char *mark, const char *id,
                       bool page)
{
    FILE *pipe = popen(command, "r"); /* NOLINT: a constant */
    char line[1024];

    assert_non_null(pipe);
    while (fgets(line, sizeof(line), pipe)) {
        const char *at = strstr(line, mark);

        if (at && at[strlen(mark)] == '/') {
            at += strlen(mark);
            add_path(p, at, strcspn(at, "\""), id, page);
        }
    }
    assert_int_equal(pclose(pipe), 0);
}

static void all_paths(struct paths *p, const char *id)
{
    *p = (struct paths){.n = 0};
    read_paths(p, "cat stages/sink/api/api.c", "    {\"", id, false);
    read_paths(p, "cat stages/sink/api/pages/*.c", ".path = \"", id, true);
    add_path(p, "/api/v1/login-links", strlen("/api/v1/login-links"), id, false);
    add_path(p, "/logout", strlen("/logout"), id, false);
    add_path(p, "/mcp", strlen("/mcp"), id, false);
    assert_true(p->n > 20);
}

/* ---- a world in which every text is hostile ---- */

#define SCRIPT "<script>alert(1)</script>"
#define BREAK "\\\" onmouseover=\\\"alert(1)"
#define TITLE SCRIPT "<img src=x onerror=alert(1)>" BREAK
#define MARKDOWN                                                                                   \
    "[a](javascript:alert(1)) ![b](https://evil.example/i.png) <img src=https://evil.example/>\\n" \
    "<svg onload=alert(1)>\\n\\n[c](data:text/html,x) <a href='vbscript:x'>d</a> " SCRIPT

static const char hostile[] =
    "[{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-01\",\"path\":\"" TITLE "\"},"
    "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S1\",\"at\":\"2026-05-01\",\"name\":\"" TITLE
    "\",\"labels\":[\"" TITLE "\"]},"
    "{\"kind\":\"customer\",\"source\":\"crm\",\"id\":\"C1\",\"at\":\"2026-05-01\",\"name\":"
    "\"" TITLE "\"},"
    "{\"kind\":\"work_item\",\"id\":\"1\",\"iid\":\"1\",\"project_id\":\"9\",\"at\":\"2026-05-13\","
    "\"url\":\"javascript:alert(1)//" BREAK "\",\"type\":\"incident\",\"state\":\"opened\","
    "\"created_at\":\"2026-05-12T22:30:00Z\",\"project\":\"project:9\",\"title\":\"" TITLE
    "\",\"description\":\"" MARKDOWN "\",\"labels\":[\"" TITLE "\",\"team::x\"],"
    "\"severity\":\"" SCRIPT "\"}]";

struct world {
    struct th_api *api;
    struct th_facts facts;
    struct paths paths;
    char id[WH_ENTITY_ID_TEXT + 1];
    char cookie[TEXT];
    char *answer;
    char headers[8192];
};

struct send {
    const char *method;
    const char *path;
    const char *body;
    const char *origin;
    const char *cookie;
    const char *authorization;
    const char *name; /* of an argument */
    const char *value;
};

static void optional(struct th_http_req *req, const char *name, const char *value)
{
    if (value) {
        th_http_header(req, name, value);
    }
}

static unsigned send(struct world *w, const struct send *s)
{
    struct th_http_req req;
    unsigned status;

    th_http_init(&req, s->method, s->path);
    th_http_header(&req, "Host", HOST);
    th_http_header(&req, "Accept", "text/html");
    optional(&req, "Origin", s->origin);
    optional(&req, "Cookie", s->cookie);
    optional(&req, "Authorization", s->authorization);
    if (s->name) {
        th_http_arg(&req, s->name, s->value);
    }
    req.body = wh_slice_str(s->body);
    req.read_max = ANSWER_BYTES / 2;
    th_http_send(&req, &w->api->handler, w->api->loop);
    (void)snprintf(w->answer, ANSWER_BYTES, "%s", req.answer.ptr ? req.answer.ptr : "");
    (void)snprintf(w->headers, sizeof(w->headers), "%s",
                   req.answer_headers.ptr ? req.answer_headers.ptr : "");
    status = req.status;
    th_http_done(&req);
    return status;
}

static void between(const char *text, const char *before, const char *after, char ret[TEXT])
{
    const char *at = strstr(text, before);

    assert_non_null(at);
    at += strlen(before);
    assert_true(strcspn(at, after) < TEXT);
    memcpy(ret, at, strcspn(at, after));
    ret[strcspn(at, after)] = 0;
}

static void log_in(struct world *w)
{
    char code[TEXT];
    char body[TEXT + 8];
    char value[TEXT];

    (void)send(w, &(struct send){.method = "POST",
                                 .path = "/api/v1/login-links",
                                 .authorization = w->api->authorization});
    between(w->answer, "code=", "\"", code);
    (void)snprintf(body, sizeof(body), "code=%s", code);
    (void)send(w, &(struct send){.method = "POST", .path = "/login", .body = body, .origin = HERE});
    between(w->headers, "wellhead=", ";", value);
    (void)snprintf(w->cookie, TEXT, "wellhead=%.100s", value);
}

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 20000,
                                       .sql_timeout_max_ms = 20000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 8 << 20};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct wh_entity_id id = th_facts_id(NULL, "issue", "1");

    assert_non_null(w);
    w->answer = wh_mem_alloc(ANSWER_BYTES);
    w->api = th_api_new(&conf, 5, 3);
    th_facts_init_on(&w->facts, w->api->store);
    th_facts_put(&w->facts, hostile);
    all_paths(&w->paths, wh_entity_id_format(&id, w->id));
    log_in(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_facts_done(&w->facts);
    th_api_free(w->api);
    wh_mem_free(w->answer);
    wh_mem_free(w);
    return 0;
}

/* ---- who asks ---- */

static void refused(struct world *w, struct send s, size_t i, const char *why)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};

    s.path = w->paths.list[i];
    for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
        unsigned status;

        s.method = methods[m];
        status = send(w, &s);
        if (status != 401) {
            fail_msg("%s: %s %s: %u", why, s.method, s.path, status);
        }
        if (strstr(w->answer, "alert(1)")) {
            fail_msg("%s: %s %s tells something", why, s.method, s.path);
        }
    }
}

static void no_token_a_wrong_token_and_a_token_in_the_address_are_refused(void **state)
{
    struct world *w = *state;
    const char *token = w->api->authorization + strlen("Bearer ");
    char wrong[128];
    char longer[160];
    char basic[160];

    (void)snprintf(wrong, sizeof(wrong), "%s", w->api->authorization);
    wrong[strlen(wrong) - 1] ^= 1;
    (void)snprintf(longer, sizeof(longer), "%s0", w->api->authorization);
    (void)snprintf(basic, sizeof(basic), "Basic %s", token);
    for (size_t i = 0; i < w->paths.n; i++) {
        refused(w, (struct send){.path = NULL}, i, "no token");
        refused(w, (struct send){.authorization = wrong}, i, "a wrong token");
        refused(w, (struct send){.authorization = longer}, i, "a longer token");
        refused(w, (struct send){.authorization = basic}, i, "another scheme");
        refused(w, (struct send){.authorization = "Bearer "}, i, "an empty token");
        refused(w, (struct send){.cookie = "wellhead="}, i, "an empty cookie");
        refused(w, (struct send){.name = "access_token", .value = token}, i, "in the address");
        refused(w, (struct send){.name = "token", .value = token}, i, "in the address");
    }
}

/* A browser sends the cookie with what a foreign page asks for, if it is old; the origin still gives it away. */
static void no_foreign_page_changes_anything(void **state)
{
    static const char *const origins[] = {NULL,
                                          "null",
                                          "https://evil.example",
                                          "http://" HOST ".evil.example",
                                          "http://127.0.0.1:1",
                                          "http://evil.example/" HOST,
                                          "ftp://" HOST,
                                          "http://localhost:8704"};
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH"};
    struct world *w = *state;

    for (size_t i = 0; i < w->paths.n; i++) {
        for (size_t o = 0; o < sizeof(origins) / sizeof(origins[0]); o++) {
            for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
                unsigned status = send(w, &(struct send){.method = methods[m],
                                                         .path = w->paths.list[i],
                                                         .cookie = w->cookie,
                                                         .origin = origins[o]});

                /* /mcp says 403 to a foreign origin before it looks at anything else. */
                if (status != 401 && status != 403) {
                    fail_msg("%s %s from %s: %u", methods[m], w->paths.list[i],
                             origins[o] ? origins[o] : "nowhere", status);
                }
            }
        }
    }
    assert_int_equal(send(w, &(struct send){.method = "GET", .path = "/sql", .cookie = w->cookie}),
                     200);
}

/* ---- what comes out ---- */

static const char *markup_in(const char *html)
{
    static const char *const bad[] = {
        "<script>alert",      "<img",         "<svg onload",      "\" onmouseover=",
        "href=\"javascript:", "href=\"data:", "href=\"vbscript:", "href='",
        "src=\"http"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (strstr(html, bad[i])) {
            return bad[i];
        }
    }
    return NULL;
}

static void stored_markup_is_text_on_every_page(void **state)
{
    struct world *w = *state;
    unsigned shown = 0;
    unsigned hostile_ones = 0;

    for (size_t i = 0; i < w->paths.n; i++) {
        const char *bad;

        if (!w->paths.page[i]) {
            continue;
        }
        shown +=
            send(w, &(struct send){
                        .method = "GET", .path = w->paths.list[i], .cookie = w->cookie}) == 200;
        bad = markup_in(w->answer);
        if (bad) {
            fail_msg("%s has %s", w->paths.list[i], bad);
        }
        if (strstr(w->headers, "Content-Type: text/html") || strstr(w->answer, "<!doctype html>")) {
            assert_non_null(strstr(w->headers, "Content-Security-Policy: default-src 'none'; "
                                               "script-src 'self'"));
        }
        hostile_ones += strstr(w->answer, "&lt;script&gt;alert") != NULL;
    }
    assert_true(shown >= 8);
    assert_true(hostile_ones >= 3);
}

static void what_a_client_sends_is_text_and_no_header(void **state)
{
    static const char *const names[] = {
        "q",  "sql",  "_search", "kind", "_next", "_size", "as_of",   "url",   "_sort", "_col",
        "id", "zone", "now",     "name", "state", "by",    "measure", "title", "_shape"};
    static const char value[] =
        "<script>alert(1)</script>\r\nInjected: yes\r\n\r\n\" onmouseover=\"x";
    struct world *w = *state;

    for (size_t i = 0; i < w->paths.n; i++) {
        /* A stream of events has no end. */
        bool endless = strcmp(w->paths.list[i], "/api/v1/changes") == 0;

        for (size_t k = 0; !endless && k < sizeof(names) / sizeof(names[0]); k++) {
            const char *bad;

            (void)send(w, &(struct send){.method = "GET",
                                         .path = w->paths.list[i],
                                         .cookie = w->cookie,
                                         .name = names[k],
                                         .value = value});
            if (strstr(w->headers, "\nInjected") || strchr(w->headers, '\r')) {
                fail_msg("%s?%s is a header", w->paths.list[i], names[k]);
            }
            bad = strstr(w->answer, "<!doctype html>") ? markup_in(w->answer) : NULL;
            if (bad) {
                fail_msg("%s?%s has %s", w->paths.list[i], names[k], bad);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            no_token_a_wrong_token_and_a_token_in_the_address_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_foreign_page_changes_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stored_markup_is_text_on_every_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_client_sends_is_text_and_no_header, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
