/* The HTTP API without a server: requests in, answers out, over a store in memory. */
#include "stages/sink/api/api.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_http.h"
#include "tests/lib/th_tmp.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const int64_t LATE_NS = INT64_C(6000000000);
#else
static const int64_t LATE_NS = INT64_C(1000000000);
#endif

enum { ROWS = 150, JSON_MAX_BYTES = 64 << 20 };

struct fixture {
    struct wh_loop *loop;
    struct wh_store *store;
    struct th_heads heads;
    struct sink_api *api;
    struct wh_http_handler handler;
    struct wh_json_parser *parser;
    char *folder;
    char token_path[256];
    char authorization[128];
};

static void read_token(struct fixture *f)
{
    char text[80] = {0};
    FILE *file = fopen(f->token_path, "r");

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    assert_int_equal(strlen(text), 65);
    text[64] = 0;
    (void)snprintf(f->authorization, sizeof(f->authorization), "Bearer %s", text);
}

static void open_api(struct fixture *f)
{
    const struct sink_api_deps deps = {
        .store = f->store,
        .loop = f->loop,
        .clock = wh_clock_real(),
        .conf = {.sql_timeout_ms = 5000,
                 .sql_timeout_max_ms = 5000,
                 .sql_rows = 200000,
                 .sql_bytes = 20 << 20,
                 .data_path = f->folder,
                 .token_file = f->token_path},
    };
    struct wh_err err;

    th_ok(sink_api_new(&deps, &f->api, &err), &err);
    f->handler = sink_api_handler(f->api);
    read_token(f);
}

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));

    f->loop = wh_loop_new();
    f->store = th_sink_store();
    f->folder = th_tmp_new();
    f->parser = wh_json_parser_new(JSON_MAX_BYTES, 32);
    (void)snprintf(f->token_path, sizeof(f->token_path), "%s/api.token", f->folder);
    th_heads_init(&f->heads, f->store, WH_KIND_WORK_ITEM, 99);
    th_heads_add(&f->heads, ROWS);
    open_api(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sink_api_free(f->api);
    th_heads_done(&f->heads);
    wh_store_free(f->store);
    wh_json_parser_free(f->parser);
    wh_loop_free(f->loop);
    th_tmp_remove(f->folder);
    wh_mem_free(f);
    return 0;
}

static void send(struct fixture *f, struct th_http_req *req)
{
    th_http_header(req, "authorization", f->authorization);
    th_http_send(req, &f->handler, f->loop);
}

static struct wh_json_val parsed(struct fixture *f, const struct th_http_req *req)
{
    struct wh_json_val root = {0};
    struct wh_err err;

    if (wh_json_parse(f->parser, wh_buf_slice(&req->answer), &root, &err) != WH_OK) {
        fail_msg("%s: %.500s", err.msg, wh_buf_str(&req->answer));
    }
    return root;
}

static struct wh_json_val member(struct wh_json_val object, const char *key)
{
    struct wh_json_val v = {0};

    if (!wh_json_get(object, wh_slice_str(key), &v)) {
        fail_msg("no member %s", key);
    }
    return v;
}

static size_t count(struct wh_json_val array)
{
    struct wh_json_iter it = wh_json_iter(array);
    struct wh_slice key;
    struct wh_json_val v;
    size_t n = 0;

    while (wh_json_next(&it, &key, &v)) {
        n++;
    }
    return n;
}

/* GET with up to five arguments; the status and a part of the answer. */
static void get_is(struct fixture *f, const char *path, const char *const *args, unsigned status,
                   const char *part)
{
    struct th_http_req req;

    th_http_init(&req, "GET", path);
    for (; args && args[0]; args += 2) {
        th_http_arg(&req, args[0], args[1]);
    }
    send(f, &req);
    if (req.status != status || strstr(wh_buf_str(&req.answer), part) == NULL) {
        fail_msg("%s: %u %.600s", path, req.status, wh_buf_str(&req.answer));
    }
    if (!req.streamed) {
        assert_non_null(
            strstr(wh_buf_str(&req.answer_headers),
                   status == 200 ? "Cache-Control: private, no-cache" : "Cache-Control: no-store"));
    }
    if (req.status >= 400) {
        assert_non_null(strstr(wh_buf_str(&req.answer), "{\"ok\":false,\"error\":\""));
    }
    th_http_done(&req);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- who may ask ---- */

static void a_token_is_made_and_wanted(void **state)
{
    static const char *const bad[] = {"", "Bearer ", "Bearer x", "Basic abc", "bearer"};
    struct fixture *f = *state;
    struct th_http_req req;
    struct stat st;
    char first[128];

    assert_int_equal(stat(f->token_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        th_http_init(&req, "GET", "/api/v1/status");
        if (bad[i][0]) {
            th_http_header(&req, "Authorization", bad[i]);
        }
        th_http_send(&req, &f->handler, f->loop);
        assert_int_equal(req.status, 401);
        assert_non_null(strstr(wh_buf_str(&req.answer_headers), "WWW-Authenticate: Bearer"));
        th_http_done(&req);
    }
    get_is(f, "/api/v1/status", NULL, 200, "\"ok\":true");
    /* One character less or more is another token. */
    f->authorization[strlen(f->authorization) - 1] ^= 1;
    get_is(f, "/api/v1/status", NULL, 401, "Bearer");
    /* The next start finds the same one. */
    read_token(f);
    memcpy(first, f->authorization, sizeof(first));
    sink_api_free(f->api);
    open_api(f);
    assert_string_equal(first, f->authorization);
}

static void an_open_token_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sink_api_deps deps = {.store = f->store,
                                 .loop = f->loop,
                                 .clock = wh_clock_real(),
                                 .conf = {.token_file = f->token_path}};
    struct sink_api *api = NULL;
    struct wh_err err;

    assert_int_equal(chmod(f->token_path, 0644), 0);
    assert_int_equal(sink_api_new(&deps, &api, &err), WH_E_CONFIG);
    deps.conf.token_file = "";
    assert_int_equal(sink_api_new(&deps, &api, &err), WH_E_CONFIG);
    assert_null(api);
}

static void addresses_and_methods(void **state)
{
    struct fixture *f = *state;
    struct th_http_req req;

    get_is(f, "/api/v1/nothing", NULL, 404, "/api/v1/entities");
    get_is(f, "/api/v1/entities/", NULL, 404, "");
    get_is(f, "/api/v1/entities/x/y", NULL, 404, "");
    th_http_init(&req, "DELETE", "/api/v1/entities");
    send(f, &req);
    assert_int_equal(req.status, 405);
    assert_non_null(strstr(wh_buf_str(&req.answer_headers), "Allow: GET"));
    th_http_done(&req);
}

/* Whether a body was read before the answer, and which answer it was. */
static void post_is(struct fixture *f, const char *path, bool token, unsigned status, bool read)
{
    struct th_http_req req;

    th_http_init(&req, "POST", path);
    req.body = WH_LIT("{\"query\":\"SELECT 1\"}");
    if (token) {
        th_http_header(&req, "Authorization", f->authorization);
    }
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, status);
    assert_int_equal(req.body_read, read);
    th_http_done(&req);
}

static void bodies_are_read_with_a_token_only(void **state)
{
    struct fixture *f = *state;

    post_is(f, "/api/v1/sql", false, 401, false);
    post_is(f, "/api/v1/sql", true, 200, true);
    post_is(f, "/api/v1/entities", false, 401, false);
    post_is(f, "/api/v1/entities", true, 405, false);
    post_is(f, "/api/v1/nothing", true, 404, false);
    /* The registry asks for no token, and takes nothing. */
    post_is(f, "/registry/subjects/x/versions", false, 422, false);
}

/* ---- entities ---- */

static void an_entity(void **state)
{
    struct fixture *f = *state;
    const struct wh_head *head = f->heads.items[0];
    char path[128];
    char id[WH_ENTITY_ID_TEXT + 1];
    char url[128];
    struct th_http_req req;
    struct wh_json_val entity;

    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s", wh_entity_id_format(&head->id, id));
    th_http_init(&req, "GET", path);
    send(f, &req);
    assert_int_equal(req.status, 200);
    entity = member(parsed(f, &req), "entity");
    th_slice_is(wh_json_string(member(entity, "id")), id);
    th_slice_is(wh_json_string(member(entity, "table")), "work_items");
    assert_int_equal(wh_json_bool(member(entity, "deleted")), head->deleted);
    assert_int_equal(count(member(entity, "fields")), __builtin_popcountll(head->body.present));
    assert_int_equal(count(member(entity, "set_by")), __builtin_popcountll(head->body.present));
    assert_int_equal(count(member(entity, "set_by_versions")), 1);
    th_http_done(&req);

    (void)snprintf(url, sizeof(url), "%.*s", WH_SLICE_ARG(head->source.url));
    get_is(f, "/api/v1/entities", ARGS("url", url), 200, id);
    (void)snprintf(url, sizeof(url), "%.*s/?tab=x#note_1", WH_SLICE_ARG(head->source.url));
    get_is(f, "/api/v1/entities", ARGS("url", url), 200, id);
    get_is(f, "/api/v1/entities", ARGS("url", "https://elsewhere"), 404, "no entity");
    get_is(f, "/api/v1/entities", ARGS("url", ""), 404, "no entity");
    get_is(f, "/api/v1/entities/123", NULL, 400, "uuid");
    get_is(f, "/api/v1/entities/00000000-0000-0000-0000-000000000000", NULL, 404, "no entity");
    get_is(f, "/api/v1/entities/123/links", NULL, 400, "");
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s/links", id);
    get_is(f, path, NULL, 200, "\"rows\":[]");
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s/revisions", id);
    get_is(f, path, NULL, 200, "\"rows\":[]");
}

/* Texts that heads do not carry are shown all the same. */
static void long_texts(void **state)
{
    struct fixture *f = *state;
    size_t compared = 0;

    f->heads.long_texts = true;
    th_heads_add(&f->heads, 40);
    for (size_t i = ROWS; i < f->heads.n; i++) {
        const struct wh_head *head = f->heads.items[i];
        const struct wh_value *text = th_field(head, "description");
        char id[WH_ENTITY_ID_TEXT + 1];
        struct th_http_req req;
        struct wh_slice got;
        char path[128];

        if (text == NULL || text->u.str.len < WH_FAR_BYTES) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/api/v1/entities/%s",
                       wh_entity_id_format(&head->id, id));
        th_http_init(&req, "GET", path);
        send(f, &req);
        assert_int_equal(req.status, 200);
        got = wh_json_string(
            member(member(member(parsed(f, &req), "entity"), "fields"), "description"));
        assert_true(wh_slice_eq(got, text->u.str));
        th_http_done(&req);
        compared++;
    }
    assert_true(compared > 0);
}

static size_t live(const struct th_heads *heads)
{
    size_t n = 0;

    for (size_t i = 0; i < heads->n; i++) {
        n += !heads->items[i]->deleted;
    }
    return n;
}

/* All ids of a list, page by page; between two pages more rows come. */
static size_t walk(struct fixture *f, const char *sort_word, const char *sort, const char *size,
                   size_t more, char (*ids)[WH_ENTITY_ID_TEXT + 1], size_t max)
{
    char next[8192] = "";
    size_t n = 0;

    for (int page = 0; page < 1000; page++) {
        struct th_http_req req;
        struct wh_json_val root;
        struct wh_json_iter it;
        struct wh_json_val row;
        struct wh_slice key;
        struct wh_slice token;

        th_http_init(&req, "GET", "/api/v1/entities");
        th_http_arg(&req, "kind", "work_items");
        th_http_arg(&req, sort_word, sort);
        th_http_arg(&req, "_size", size);
        if (next[0]) {
            th_http_arg(&req, "_next", next);
        }
        send(f, &req);
        if (req.status != 200) {
            fail_msg("%s", wh_buf_str(&req.answer));
        }
        root = parsed(f, &req);
        it = wh_json_iter(member(root, "rows"));
        while (wh_json_next(&it, &key, &row)) {
            struct wh_slice id = wh_json_string(member(row, "id"));

            assert_true(n < max);
            memcpy(ids[n], id.ptr, WH_ENTITY_ID_TEXT);
            ids[n++][WH_ENTITY_ID_TEXT] = 0;
        }
        if (wh_json_type(member(root, "next")) == WH_JSON_NULL) {
            assert_false(wh_json_bool(member(root, "truncated")));
            th_http_done(&req);
            return n;
        }
        assert_true(wh_json_bool(member(root, "truncated")));
        token = wh_json_string(member(root, "next"));
        assert_true(token.len < sizeof(next));
        memcpy(next, token.ptr, token.len);
        next[token.len] = 0;
        assert_non_null(strstr(wh_buf_str(&req.answer_headers), "rel=\"next\""));
        th_http_done(&req);
        th_heads_add(&f->heads, more);
    }
    fail_msg("the pages do not end");
    return 0;
}

static int cmp_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* None twice; none of those that were there from the start is missing. */
static void check_walk(struct fixture *f, const char *word, const char *sort, const char *size,
                       size_t more)
{
    enum { MAX = 4 * ROWS };
    char(*ids)[WH_ENTITY_ID_TEXT + 1] = wh_mem_zalloc(MAX, sizeof(*ids));
    size_t before = f->heads.n;
    size_t n = walk(f, word, sort, size, more, ids, MAX);

    qsort(ids, n, sizeof(*ids), cmp_text);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(ids[i - 1], ids[i]) == 0) {
            fail_msg("%s by %s: twice", ids[i], sort);
        }
    }
    for (size_t i = 0; i < before; i++) {
        char id[WH_ENTITY_ID_TEXT + 1];

        if (f->heads.items[i]->deleted) {
            continue;
        }
        (void)wh_entity_id_format(&f->heads.items[i]->id, id);
        if (bsearch(id, ids, n, sizeof(*ids), cmp_text) == NULL) {
            fail_msg("%s by %s: lost", id, sort);
        }
    }
    if (more == 0) {
        assert_int_equal(n, live(&f->heads));
    }
    wh_mem_free(ids);
}

static void pages_lose_nothing(void **state)
{
    static const char *const sorts[] = {"id",    "changed_at", "title",      "iid",
                                        "draft", "created_at", "deleted_at", "labels"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        check_walk(f, "_sort", sorts[i], "17", 0);
        check_walk(f, "_sort_desc", sorts[i], "50", 0);
    }
    check_walk(f, "_sort", "id", "20", 5);
    check_walk(f, "_sort_desc", "changed_at", "20", 3);
    check_walk(f, "_sort", "title", "20", 3);
}

static size_t rows_of(struct fixture *f, const char *const *args)
{
    struct th_http_req req;
    size_t n;

    th_http_init(&req, "GET", "/api/v1/entities");
    th_http_arg(&req, "kind", "work_item");
    th_http_arg(&req, "_size", "1000");
    for (; args[0]; args += 2) {
        th_http_arg(&req, args[0], args[1]);
    }
    send(f, &req);
    if (req.status != 200) {
        fail_msg("%s", wh_buf_str(&req.answer));
    }
    n = count(member(parsed(f, &req), "rows"));
    th_http_done(&req);
    return n;
}

typedef bool (*keep_fn)(const struct wh_head *head);

static size_t model(struct fixture *f, keep_fn keep)
{
    size_t n = 0;

    for (size_t i = 0; i < f->heads.n; i++) {
        n += !f->heads.items[i]->deleted && keep(f->heads.items[i]);
    }
    return n;
}

static bool title_is(const struct wh_head *h, const char *text)
{
    const struct wh_value *v = th_field(h, "title");

    return v && wh_slice_eq(v->u.str, wh_slice_str(text));
}

static bool keep_quoted(const struct wh_head *h)
{
    return title_is(h, "say \"hi\"");
}

static bool keep_evil(const struct wh_head *h)
{
    return title_is(h, "'; DROP TABLE work_items; --");
}

static bool keep_percent(const struct wh_head *h)
{
    return title_is(h, "50%_off");
}

static bool keep_no_title(const struct wh_head *h)
{
    return th_field(h, "title") == NULL;
}

static bool keep_draft(const struct wh_head *h)
{
    const struct wh_value *v = th_field(h, "draft");

    return v && v->u.b;
}

static bool keep_big(const struct wh_head *h)
{
    const struct wh_value *v = th_field(h, "iid");

    return v && v->u.i >= 20;
}

static bool keep_labelled(const struct wh_head *h)
{
    const struct wh_value *v = th_field(h, "labels");

    for (size_t i = 0; v && i < v->u.strs.n; i++) {
        if (wh_slice_eq(v->u.strs.items[i], WH_LIT("it's"))) {
            return true;
        }
    }
    return false;
}

static bool keep_project(const struct wh_head *h)
{
    const struct wh_value *v = th_field(h, "project");
    struct wh_entity_id id = th_project(1);

    return v && wh_entity_id_cmp(&v->u.ref, &id) == 0;
}

static bool keep_two(const struct wh_head *h)
{
    return title_is(h, "opened") || title_is(h, "closed");
}

static bool keep_recent(const struct wh_head *h)
{
    return th_changed_ms(h) >= INT64_C(1763001000000);
}

static void filters(void **state)
{
    struct fixture *f = *state;
    struct wh_entity_id project = th_project(1);
    char id[WH_ENTITY_ID_TEXT + 1];

    (void)wh_entity_id_format(&project, id);
    assert_int_equal(rows_of(f, ARGS("title", "say \"hi\"")), model(f, keep_quoted));
    assert_int_equal(rows_of(f, ARGS("title__exact", "'; DROP TABLE work_items; --")),
                     model(f, keep_evil));
    assert_int_equal(rows_of(f, ARGS("title__contains", "%_OFF")), model(f, keep_percent));
    assert_int_equal(rows_of(f, ARGS("title__startswith", "50%")), model(f, keep_percent));
    assert_int_equal(rows_of(f, ARGS("title__isnull", "1")), model(f, keep_no_title));
    assert_int_equal(rows_of(f, ARGS("title__in", "opened,closed")), model(f, keep_two));
    assert_int_equal(rows_of(f, ARGS("draft", "true")), model(f, keep_draft));
    assert_int_equal(rows_of(f, ARGS("iid__gte", "20")), model(f, keep_big));
    assert_int_equal(rows_of(f, ARGS("labels__arraycontains", "it's")), model(f, keep_labelled));
    assert_int_equal(rows_of(f, ARGS("project", id)), model(f, keep_project));
    assert_int_equal(rows_of(f, ARGS("changed_at__gte", "2025-11-13T03:30:00+01:00")),
                     model(f, keep_recent));
    assert_int_equal(rows_of(f, ARGS("_deleted", "include")), ROWS);
    assert_int_equal(rows_of(f, ARGS("_deleted", "include", "deleted", "true")),
                     ROWS - live(&f->heads));
    assert_true(model(f, keep_quoted) && model(f, keep_evil) && model(f, keep_percent) &&
                model(f, keep_labelled) && model(f, keep_recent));
}

static void bad_questions(void **state)
{
    static const char *const cases[][4] = {
        {"titel", "x", "title", NULL},
        {"title\" OR 1=1 --", "x", "no column", NULL},
        {"title__regex", "x", "unknown operator", NULL},
        {"created_at__gt", "sometimes", "is a time", NULL},
        {"draft", "maybe", "true or false", NULL},
        {"_sort", "x); DROP TABLE y", "no column", NULL},
        {"_col", "secret", "no column", NULL},
        {"_next", "AAAA", "token", NULL},
        {"_next", "!", "token", NULL},
        {"_size", "-1", "_size", NULL},
        {"_size", "100000", "_size", NULL},
        {"_size", "x", "_size", NULL},
        {"_where", "1=1", "unknown argument", NULL},
        {"_format", "xml", "format", NULL},
        {"_deleted", "maybe", "include", NULL},
        {"title__arraycontains", "x", "no list", NULL},
        {"titel__contains", "x", "did you mean title", NULL},
        {"title__contain", "x", "did you mean contains", NULL},
        {"_facets", "state", "did you mean _facet", NULL},
        {"_facet", "stat", "did you mean state", NULL},
        {"_extra", "cout", "did you mean count", NULL},
        {"_shape", "tree", "_shape is objects", NULL},
        {"_zone", "Mars/Base", "_zone", NULL},
        {"_asof", "soon", "_asof is", NULL},
        {"iid__gt", "many", "is a number", NULL},
        {"created_at__date", "noon", "a day is a date", NULL},
    };
    struct fixture *f = *state;

    get_is(f, "/api/v1/entities", NULL, 400, "work_items");
    get_is(f, "/api/v1/entities", ARGS("kind", "sqlite_master"), 400, "kind must be");
    get_is(f, "/api/v1/entities", ARGS("kind", "work_item_s"), 400, "did you mean work_items");
    get_is(f, "/api/v1/entities", ARGS("kind", "links", "_deleted", "include"), 400, "_deleted");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        get_is(f, "/api/v1/entities", ARGS("kind", "work_items", cases[i][0], cases[i][1]), 400,
               cases[i][2]);
    }
}

/* ---- CSV ---- */

/* A reader of RFC 4180 that shares nothing with the writer: counts rows and cells. */
static size_t csv_cells(const char *text, size_t *ret_rows, char *second, size_t size)
{
    size_t cells = 0;
    size_t n = 0;
    bool quoted = false;
    size_t column = 0;

    *ret_rows = 0;
    for (const char *p = text; *p; p++) {
        if (quoted && p[0] == '"' && p[1] == '"') {
            p++;
        } else if (*p == '"') {
            quoted = !quoted;
            continue;
        } else if (!quoted && (*p == ',' || *p == '\r')) {
            cells++;
            column++;
            if (*p == '\r') {
                assert_int_equal(p[1], '\n');
                p++;
                ++*ret_rows;
                column = 0;
            }
            continue;
        }
        if (*ret_rows == 1 && column == 1 && n + 1 < size) {
            second[n++] = *p;
        }
    }
    second[n] = 0;
    assert_false(quoted);
    return cells;
}

static void csv_is_quoted(void **state)
{
    struct fixture *f = *state;
    struct th_http_req req;
    char second[256];
    size_t rows;

    th_http_init(&req, "GET", "/api/v1/sql");
    th_http_arg(&req, "sql", "SELECT 1 AS \"a,b\", :v AS v, NULL AS n, '' AS e, 1.5, x'00ff'");
    th_http_arg(&req, "v", "x \"y\", \r\nz");
    th_http_arg(&req, "_format", "csv");
    send(f, &req);
    assert_int_equal(req.status, 200);
    assert_non_null(strstr(req.content_type, "text/csv"));
    assert_string_equal(wh_buf_str(&req.answer),
                        "\"a,b\",v,n,e,1.5,x'00ff'\r\n1,\"x \"\"y\"\", \r\nz\",,\"\",1.5,AP8=\r\n");
    assert_int_equal(csv_cells(wh_buf_str(&req.answer), &rows, second, sizeof(second)), 12);
    assert_int_equal(rows, 2);
    assert_string_equal(second, "x \"y\", \r\nz");
    th_http_done(&req);

    th_http_init(&req, "GET", "/api/v1/entities");
    th_http_arg(&req, "kind", "work_items");
    th_http_arg(&req, "_col", "id");
    th_http_arg(&req, "_col", "title");
    th_http_arg(&req, "_size", "1000");
    th_http_header(&req, "Accept", "text/csv");
    send(f, &req);
    assert_int_equal(csv_cells(wh_buf_str(&req.answer), &rows, second, sizeof(second)),
                     2 * (live(&f->heads) + 1));
    th_http_done(&req);
}

/* One row of that expression as CSV, without its heading. */
static void csv_of(struct fixture *f, const char *format, const char *value, char *ret, size_t size)
{
    struct th_http_req req;
    const char *row;

    th_http_init(&req, "GET", "/api/v1/sql");
    th_http_arg(&req, "sql", "SELECT :v AS v");
    th_http_arg(&req, "v", value);
    th_http_arg(&req, "_format", format);
    send(f, &req);
    assert_int_equal(req.status, 200);
    assert_non_null(strstr(req.content_type, "text/csv"));
    row = strstr(wh_buf_str(&req.answer), "\r\n");
    assert_non_null(row);
    (void)snprintf(ret, size, "%s", row + 2);
    th_http_done(&req);
}

/* A text that a spreadsheet would run gets an apostrophe, unless it is asked for raw. */
static void csv_runs_nothing(void **state)
{
    static const struct {
        const char *text;
        const char *safe;
        const char *raw;
    } cases[] = {
        {"=1+1", "'=1+1\r\n", "=1+1\r\n"},
        {"+1", "'+1\r\n", "+1\r\n"},
        {"-5", "'-5\r\n", "-5\r\n"},
        {"@SUM(A1)", "'@SUM(A1)\r\n", "@SUM(A1)\r\n"},
        {"=HYPERLINK(\"http://x\",1)", "\"'=HYPERLINK(\"\"http://x\"\",1)\"\r\n",
         "\"=HYPERLINK(\"\"http://x\"\",1)\"\r\n"},
        {"\t=1", "'\t=1\r\n", "\t=1\r\n"},
        {"\r=1", "\"'\r=1\"\r\n", "\"\r=1\"\r\n"},
        {"\n=1", "\"'\n=1\"\r\n", "\"\n=1\"\r\n"},
        {"\xC2\x85=1", "'\xC2\x85=1\r\n", "\xC2\x85=1\r\n"},
        {"\xEF\xBC\x9D"
         "1",
         "'\xEF\xBC\x9D"
         "1\r\n",
         "\xEF\xBC\x9D"
         "1\r\n"},
        {"a=1", "a=1\r\n", "a=1\r\n"},
        {"'=1", "'=1\r\n", "'=1\r\n"},
    };
    struct fixture *f = *state;
    char text[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        csv_of(f, "csv", cases[i].text, text, sizeof(text));
        assert_string_equal(text, cases[i].safe);
        csv_of(f, "csv-raw", cases[i].text, text, sizeof(text));
        assert_string_equal(text, cases[i].raw);
    }
}

/* Headings and base64 are texts, too; a number is a number, also a negative one. */
static void csv_keeps_numbers(void **state)
{
    struct fixture *f = *state;
    struct th_http_req req;

    th_http_init(&req, "GET", "/api/v1/sql");
    th_http_arg(&req, "sql", "SELECT -5 AS \"=a\", -0.5 AS b, x'fbefbe' AS c, '-5' AS d");
    th_http_header(&req, "Accept", "text/csv");
    send(f, &req);
    assert_int_equal(req.status, 200);
    assert_string_equal(wh_buf_str(&req.answer), "'=a,b,c,d\r\n-5,-0.5,'++++,'-5\r\n");
    th_http_done(&req);
}

/* ---- SQL ---- */

static void post_sql_is(struct fixture *f, const char *body, unsigned status, const char *part)
{
    struct th_http_req req;

    th_http_init(&req, "POST", "/api/v1/sql");
    req.body = wh_slice_str(body);
    send(f, &req);
    if (req.status != status || strstr(wh_buf_str(&req.answer), part) == NULL) {
        fail_msg("%s: %u %.600s", body, req.status, wh_buf_str(&req.answer));
    }
    th_http_done(&req);
}

static void sql_requests(void **state)
{
    struct fixture *f = *state;

    post_sql_is(f, "{\"query\":\"SELECT 1 AS a, 'x' AS a\"}", 200,
                "{\"ok\":true,\"columns\":[\"a\",\"a_2\"],\"rows\":[{\"a\":1,\"a_2\":\"x\"}],"
                "\"truncated\":false");
    post_sql_is(f,
                "{\"query\":\"SELECT :t, :i, :d, :b, :n\",\"shape\":\"arrays\",\"params\":"
                "{\"t\":\"a\\\"b\",\"i\":5,\"d\":1.5,\"b\":true,\"n\":null}}",
                200, "[\"a\\\"b\",5,1.5,1,null]");
    post_sql_is(f, "{\"query\":\"SELECT 1 UNION SELECT 2\",\"format\":\"ndjson\"}", 200,
                "{\"1\":1}\n{\"1\":2}\n");
    post_sql_is(f, "{\"query\":\"SELECT id FROM work_items_all\",\"limit\":3}", 200,
                "\"truncated\":true,\"truncated_by\":\"rows\",\"row_count\":3");
    post_sql_is(f, "{\"query\":\"DELETE FROM work_items\"}", 400, "refused");
    post_sql_is(f, "{\"query\":\"ATTACH 'x' AS y\"}", 400, "refused");
    post_sql_is(f, "{\"query\":\"SELECT titel FROM work_items\"}", 400, "did you mean title");
    post_sql_is(f,
                "{\"query\":\"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c)"
                " SELECT count(*) FROM c\",\"timeout_ms\":100}",
                504, "time limit");
    post_sql_is(f, "{\"query\":\"SELECT 1\",\"timeout_ms\":9999999}", 400, "timeout_ms");
    post_sql_is(f, "{\"query\":\"SELECT 1\",\"limit\":-5}", 400, "limit");
    post_sql_is(f, "{\"query\":\"SELECT 1\",\"surprise\":\"x\"}", 400, "unknown member");
    post_sql_is(f, "{\"query\":\"SELECT 1\",\"params\":[1]}", 400, "params");
    post_sql_is(f, "{\"query\":5}", 400, "text");
    post_sql_is(f, "{}", 400, "no query");
    post_sql_is(f, "", 400, "JSON");
    post_sql_is(f, "[1]", 400, "object");
    get_is(f, "/api/v1/sql", ARGS("sql", "SELECT :x + 1 AS y", "x", "41"), 200, "\"y\":42");
    get_is(f, "/api/v1/sql", ARGS("sql", "SELECT 1", "_shape", "x"), 400, "_shape");
    get_is(f, "/api/v1/sql", ARGS("sql", "SELECT :x"), 400, ":x");
}

/* Longer than memory: through a file, streamed; past the byte limit: cut, and it says so. */
static void long_answers(void **state)
{
    static const char big[] =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000)"
        " SELECT x, 'some text that makes it longer' AS t FROM c";
    static const char bigger[] =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000)"
        " SELECT hex(zeroblob(500)) FROM c";
    struct fixture *f = *state;
    struct th_http_req req;
    char second[64];
    size_t rows;

    th_http_init(&req, "GET", "/api/v1/sql");
    th_http_arg(&req, "sql", big);
    th_http_arg(&req, "_format", "csv");
    send(f, &req);
    assert_int_equal(req.status, 200);
    assert_true(req.streamed);
    assert_false(req.aborted);
    assert_int_equal(csv_cells(wh_buf_str(&req.answer), &rows, second, sizeof(second)), 200002);
    assert_int_equal(rows, 100001);
    th_http_done(&req);

    th_http_init(&req, "GET", "/api/v1/sql");
    th_http_arg(&req, "sql", big);
    th_http_arg(&req, "_size", "100001");
    send(f, &req);
    assert_int_equal(count(member(parsed(f, &req), "rows")), 100000);
    th_http_done(&req);

    th_http_init(&req, "GET", "/api/v1/sql");
    th_http_arg(&req, "sql", bigger);
    th_http_arg(&req, "_format", "csv");
    send(f, &req);
    assert_int_equal(req.status, 200);
    assert_true(req.answer.len <= (20 << 20) + 200);
    assert_true(req.answer.len > (20 << 20) - 2000);
    assert_non_null(strstr(wh_buf_str(&req.answer_headers), "Wellhead-Result: truncated\n"));
    assert_non_null(
        strstr(wh_buf_str(&req.answer_headers), "Wellhead-Reason: the answer is longer"));
    assert_string_equal(req.answer.ptr + req.answer.len - 4, "00\r\n");
    th_http_done(&req);
}

static void two_at_once_and_a_reader_that_leaves(void **state)
{
    enum { N = 12 };
    struct fixture *f = *state;
    struct th_http_req *reqs = wh_mem_zalloc(N, sizeof(*reqs));

    for (size_t i = 0; i < N; i++) {
        th_http_init(&reqs[i], "GET", "/api/v1/sql");
        th_http_arg(&reqs[i], "sql",
                    i % 3 == 0 ? "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
                                 " SELECT count(*) FROM c"
                               : "SELECT count(*) FROM work_items_all");
        th_http_header(&reqs[i], "Authorization", f->authorization);
        th_http_begin(&reqs[i], &f->handler);
    }
    /* Endless ones: their readers go, so they end long before their time limit. */
    for (size_t i = 0; i < N; i += 3) {
        th_http_over(&reqs[i], &f->handler);
    }
    for (size_t i = 0; i < N; i++) {
        while (i % 3 != 0 && !reqs[i].replied) {
            wh_loop_turn(f->loop, true);
        }
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(reqs[i].replies, i % 3 == 0 ? 0 : 1);
        if (i % 3) {
            assert_int_equal(reqs[i].status, 200);
            th_http_over(&reqs[i], &f->handler);
        }
        th_http_done(&reqs[i]);
    }
    wh_mem_free(reqs);
}

/* Every thread for queries works on the worst that a query can be, and more of them wait. */
static void reads_never_wait_for_queries(void **state)
{
    enum { N = 8 };
    static const char worst[] =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
        " SELECT max(replace(printf('%.4000000c', 'a'), printf('%.2000000c', 'a') || 'b', x))"
        " FROM c";
    struct fixture *f = *state;
    struct th_http_req *reqs = wh_mem_zalloc(N, sizeof(*reqs));
    struct wh_clock clock = wh_clock_real();
    int64_t started = wh_clock_mono_ns(&clock);
    char text[WH_ENTITY_ID_TEXT + 1];
    char path[128];

    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s",
                   wh_entity_id_format(&f->heads.items[0]->id, text));
    for (size_t i = 0; i < N; i++) {
        th_http_init(&reqs[i], "GET", "/api/v1/sql");
        th_http_arg(&reqs[i], "sql", worst);
        th_http_arg(&reqs[i], "_timelimit", "2000");
        f->handler.on_request(f->handler.ctx, &reqs[i].http);
    }
    get_is(f, "/api/v1/status", NULL, 200, "\"ok\":true");
    get_is(f, path, NULL, 200, text);
    get_is(f, "/api/v1/kinds", NULL, 200, "\"table\"");
    get_is(f, "/api/v1/entities", ARGS("url", "https://nowhere"), 404, "no entity");
    for (size_t i = 0; i < N; i++) {
        assert_false(reqs[i].replied);
    }
    /* The wait is part of a query's time: those that never began end with the others. */
    for (size_t i = 0; i < N; i++) {
        while (!reqs[i].replied) {
            wh_loop_turn(f->loop, true);
        }
        assert_true(reqs[i].status == 504 || reqs[i].status == 503);
        th_http_over(&reqs[i], &f->handler);
        th_http_done(&reqs[i]);
    }
    assert_true(wh_clock_mono_ns(&clock) - started < INT64_C(2000000000) + LATE_NS);
    wh_mem_free(reqs);
}

static void too_many_wait(void **state)
{
    enum { N = 80 };
    struct fixture *f = *state;
    struct th_http_req *reqs = wh_mem_zalloc(N, sizeof(*reqs));
    size_t busy = 0;

    for (size_t i = 0; i < N; i++) {
        th_http_init(&reqs[i], "GET", "/api/v1/sql");
        th_http_arg(&reqs[i], "sql", "SELECT 1");
        f->handler.on_request(f->handler.ctx, &reqs[i].http);
        busy += reqs[i].replied && reqs[i].status == 503;
    }
    assert_int_equal(busy, N - 64 - 3);
    for (size_t i = 0; i < N; i++) {
        while (!reqs[i].replied) {
            wh_loop_turn(f->loop, true);
        }
        th_http_over(&reqs[i], &f->handler);
        th_http_done(&reqs[i]);
    }
    sink_api_drain(f->api);
    get_is(f, "/api/v1/kinds", NULL, 503, "stopping");
    wh_mem_free(reqs);
}

/* Stopped in the middle of work: every open request is answered, nothing is left on a thread. */
static void a_drain_answers_all(void **state)
{
    enum { N = 10 };
    struct fixture *f = *state;
    struct th_http_req *reqs = wh_mem_zalloc(N, sizeof(*reqs));

    for (size_t i = 0; i < N; i++) {
        th_http_init(&reqs[i], "GET", "/api/v1/sql");
        th_http_arg(&reqs[i], "sql",
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
                    " SELECT count(*) FROM c");
        f->handler.on_request(f->handler.ctx, &reqs[i].http);
    }
    sink_api_free(f->api);
    f->api = NULL;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(reqs[i].replies, 1);
        assert_int_equal(reqs[i].status, 503);
        th_http_over(&reqs[i], &f->handler);
        th_http_done(&reqs[i]);
    }
    wh_mem_free(reqs);
}

/* ---- kinds, status, registry ---- */

static void kinds_and_status(void **state)
{
    struct fixture *f = *state;

    get_is(f, "/api/v1/kinds", NULL, 200, "\"table\":\"work_items\"");
    get_is(f, "/api/v1/kinds", NULL, 200, "\"name\":\"changed_at\"");
    get_is(f, "/api/v1/model", NULL, 200, "\"kind\":\"service_ownership\"");
    get_is(f, "/api/v1/model/work_items", NULL, 200, "\"name\":\"title\",\"type\":\"string\"");
    get_is(f, "/api/v1/model/work_item", NULL, 200,
           "{\"from\":\"note\",\"relation\":\"work_item\",\"to\":\"work_item\"}");
    get_is(f, "/api/v1/model/nothing", NULL, 404, "no kind of that name");
    get_is(f, "/api/v1/status", NULL, 200, "\"connections\":[]");
}

static void registry_is(struct fixture *f, const char *method, const char *path, unsigned status,
                        const char *part)
{
    struct th_http_req req;

    th_http_init(&req, method, path);
    th_http_send(&req, &f->handler, f->loop);
    if (req.status != status || strstr(wh_buf_str(&req.answer), part) == NULL) {
        fail_msg("%s: %u %.300s", path, req.status, wh_buf_str(&req.answer));
    }
    assert_string_equal(req.content_type, "application/vnd.schemaregistry.v1+json");
    (void)parsed(f, &req);
    th_http_done(&req);
}

static void registry(void **state)
{
    struct fixture *f = *state;
    char path[128];
    const char *subject = "/registry/subjects/wellhead.connections-value";

    registry_is(f, "GET", "/registry", 200, "{}");
    registry_is(f, "GET", "/registry/subjects", 200, "\"wellhead.connections-value\"");
    registry_is(f, "GET", "/registry/schemas/types", 200, "[\"AVRO\"]");
    registry_is(f, "GET", "/registry/mode", 200, "READONLY");
    registry_is(f, "GET", "/registry/config/x", 200, "compatibilityLevel");
    (void)snprintf(path, sizeof(path), "%s/versions", subject);
    registry_is(f, "GET", path, 200, "[1");
    (void)snprintf(path, sizeof(path), "%s/versions/latest", subject);
    registry_is(f, "GET", path, 200, "\"subject\":\"wellhead.connections-value\"");
    (void)snprintf(path, sizeof(path), "%s/versions/1/schema", subject);
    registry_is(f, "GET", path, 200, "\"type\"");
    (void)snprintf(path, sizeof(path), "%s/versions/99", subject);
    registry_is(f, "GET", path, 404, "40402");
    registry_is(f, "GET", "/registry/subjects/nosuch/versions", 404, "40401");
    registry_is(f, "GET", "/registry/schemas/ids/999999", 404, "40403");
    registry_is(f, "GET", "/registry/schemas/ids/x", 404, "40403");
    registry_is(f, "GET", "/registry/schemas", 404, "40403");
    registry_is(f, "GET", "/registry/nothing", 404, "404");
    registry_is(f, "POST", "/registry/subjects/x/versions", 422, "42205");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_is_made_and_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_token_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_and_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_are_read_with_a_token_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(filters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_questions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_is_quoted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_runs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_keeps_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sql_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_at_once_and_a_reader_that_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_never_wait_for_queries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain_answers_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_and_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(registry, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
