/* ETag and If-None-Match, HEAD, gzip. */
#include <stdlib.h>
#include <zlib.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { HEADS = 200, PLAIN_MAX = 32 << 20, ETAG_MAX = 64 };

#define BIG_SQL                                                                                    \
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 30000)"                  \
    " SELECT x, 'a text that can be compressed' AS t FROM c"

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 60000,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = 100000,
                                       .sql_bytes = 32 << 20};

    *state = th_api_new(&conf, HEADS, 11);
    return 0;
}

static int tear_down(void **state)
{
    th_api_free(*state);
    return 0;
}

/* The value of a header; "" when it is not there. */
static const char *header(const struct th_http_req *req, const char *name, char text[ETAG_MAX])
{
    const char *at = strstr(wh_buf_str(&req->answer_headers), name);
    size_t n = at ? strcspn(at + strlen(name), "\n") : 0;

    assert_true(n < ETAG_MAX);
    (void)snprintf(text, ETAG_MAX, "%.*s", (int)n, at ? at + strlen(name) : "");
    return text;
}

static const char *etag(const struct th_http_req *req, char text[ETAG_MAX])
{
    return header(req, "ETag: ", text);
}

static void send(struct th_api *f, struct th_http_req *req)
{
    th_http_send(req, &f->handler, f->loop);
}

/* Status of a request for an entity under that condition. */
static unsigned status_if(struct th_api *f, size_t head, const char *condition)
{
    struct th_http_req req;
    char path[128];
    unsigned status;

    th_api_entity(f, &req, "GET", head, path);
    th_http_header(&req, "If-None-Match", condition);
    send(f, &req);
    status = req.status;
    assert_int_equal(req.answer.len == 0, status == 304);
    assert_int_equal(req.content_type[0] == 0, status == 304);
    assert_non_null(strstr(wh_buf_str(&req.answer_headers), "ETag: \""));
    assert_non_null(strstr(wh_buf_str(&req.answer_headers), "Vary: Accept, Accept-Encoding\n"));
    th_http_done(&req);
    return status;
}

static void conditions(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;
    char path[128];
    char tag[ETAG_MAX];
    char list[3 * ETAG_MAX];

    th_api_entity(f, &req, "GET", 0, path);
    send(f, &req);
    assert_int_equal(strlen(etag(&req, tag)), 34);
    th_http_done(&req);
    assert_int_equal(status_if(f, 0, tag), 304);
    assert_int_equal(status_if(f, 1, tag), 200);
    assert_int_equal(status_if(f, 0, "*"), 304);
    assert_int_equal(status_if(f, 0, "\"x\""), 200);
    assert_int_equal(status_if(f, 0, ""), 200);
    (void)snprintf(list, sizeof(list), "\"x\" ,\tW/%s,\"y\"", tag);
    assert_int_equal(status_if(f, 0, list), 304);
    tag[5] = tag[5] == '0' ? '1' : '0';
    assert_int_equal(status_if(f, 0, tag), 200);
}

/* Also what is not a revision of its own changes the answer, and so the tag. */
static void a_link_changes_the_tag(void **state)
{
    struct th_api *f = *state;
    unsigned char key[SINK_LINK_KEY];
    struct th_http_req req;
    struct wh_batch *batch;
    struct wh_err err;
    char path[128];
    char tag[ETAG_MAX];

    th_api_entity(f, &req, "GET", 0, path);
    send(f, &req);
    (void)etag(&req, tag);
    th_http_done(&req);
    sink_link_key(key, &f->heads.items[0]->id, WH_KIND_WORK_ITEM, 1, &f->heads.items[1]->id);
    th_ok(wh_batch_new(f->store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, SINK_BACKLINKS, wh_slice(key, sizeof(key)),
                       WH_LIT("0123456789abcdef"), &err),
          &err);
    th_ok(wh_store_write(f->store, batch, false, &err), &err);
    wh_batch_free(batch);
    assert_int_equal(status_if(f, 0, tag), 200);
}

/* What HEAD says is what GET would say. */
static void every_address_answers_head(void **state)
{
    static const char *const paths[] = {
        "/api/v1/kinds",      "/api/v1/status",  "/api/v1/purges/nosuch", "/api/v1/entities",
        "/api/v1/entities/x", "/api/v1/nothing", "/registry/subjects",    "/registry/nothing"};
    struct th_api *f = *state;
    char id[WH_ENTITY_ID_TEXT + 1];
    char own[3][128];
    const char *all[11];
    size_t n = sizeof(paths) / sizeof(paths[0]);

    (void)wh_entity_id_format(&f->heads.items[0]->id, id);
    (void)snprintf(own[0], sizeof(own[0]), "/api/v1/entities/%s", id);
    (void)snprintf(own[1], sizeof(own[1]), "/api/v1/entities/%s/links", id);
    (void)snprintf(own[2], sizeof(own[2]), "/api/v1/entities/%s/revisions", id);
    memcpy(all, paths, sizeof(paths));
    for (size_t i = 0; i < 3; i++) {
        all[n + i] = own[i];
    }
    for (size_t i = 0; i < n + 3; i++) {
        struct th_http_req get;
        struct th_http_req head;

        th_api_request(f, &get, "GET", all[i]);
        th_api_request(f, &head, "HEAD", all[i]);
        th_http_arg(&get, "kind", "work_items");
        th_http_arg(&head, "kind", "work_items");
        send(f, &get);
        send(f, &head);
        assert_int_equal(get.status, head.status);
        assert_string_equal(get.content_type, head.content_type);
        /* The status names the time of its answer. */
        if (i != 1) {
            assert_string_equal(wh_buf_str(&get.answer_headers), wh_buf_str(&head.answer_headers));
        }
        th_http_done(&get);
        th_http_done(&head);
    }
}

static void inflate_to(struct wh_slice in, struct wh_buf *out)
{
    z_stream z = {0};
    struct wh_err err;
    int rc;

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    memcpy(&z.next_in, &in.ptr, sizeof(z.next_in));
    z.avail_in = (unsigned)in.len;
    do {
        th_ok(wh_buf_reserve(out, 65536, &err), &err);
        z.next_out = (unsigned char *)out->ptr + out->len;
        z.avail_out = 65536;
        rc = inflate(&z, Z_NO_FLUSH);
        assert_true(rc == Z_OK || rc == Z_STREAM_END);
        out->len += 65536 - z.avail_out;
        out->ptr[out->len] = 0;
    } while (rc != Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    (void)inflateEnd(&z);
}

/* Asks twice, without and with gzip. Returns true when the second answer was compressed. */
static bool same_compressed(struct th_api *f, const char *sql, const char *size, const char *accept)
{
    struct th_http_req req[2];
    WH_AUTO(buf) struct wh_buf plain;
    char encoding[ETAG_MAX];
    bool compressed;

    for (size_t i = 0; i < 2; i++) {
        th_api_request(f, &req[i], "GET", "/api/v1/sql");
        th_http_arg(&req[i], "sql", sql);
        th_http_arg(&req[i], "_format", "csv");
        th_http_arg(&req[i], "_size", size);
        if (i) {
            th_http_header(&req[i], "Accept-Encoding", accept);
        }
        send(f, &req[i]);
        assert_int_equal(req[i].status, 200);
    }
    compressed = strcmp(header(&req[1], "Content-Encoding: ", encoding), "gzip") == 0;
    wh_buf_init(&plain, PLAIN_MAX);
    if (compressed) {
        assert_true(req[1].answer.len < req[0].answer.len / 2);
        inflate_to(wh_buf_slice(&req[1].answer), &plain);
        assert_string_equal(wh_buf_str(&plain), wh_buf_str(&req[0].answer));
    } else {
        assert_string_equal(wh_buf_str(&req[1].answer), wh_buf_str(&req[0].answer));
    }
    assert_string_equal(header(&req[0], "Content-Encoding: ", encoding), "");
    th_http_done(&req[0]);
    th_http_done(&req[1]);
    return compressed;
}

/* In memory, in a file, as a stream; and a short one, which is not worth it. */
static void long_answers_are_compressed(void **state)
{
    static const char *const yes[] = {"gzip", "GZIP", "deflate, gzip;q=0.5", "br , gzip ; q=1"};
    static const char *const no[] = {"", "deflate", "gzip;q=0", "gzip; q=0.000", "xgzip"};
    struct th_api *f = *state;

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        assert_true(same_compressed(f, BIG_SQL, "1000", yes[i]));
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        assert_false(same_compressed(f, BIG_SQL, "1000", no[i]));
    }
    assert_true(same_compressed(f, BIG_SQL, "30000", "gzip"));
    assert_true(same_compressed(f, BIG_SQL, "0", "gzip"));
    assert_false(same_compressed(f, BIG_SQL, "100", "gzip"));
}

/* A compressed answer has a tag of its own, which works as well. */
static void compressed_answers_have_their_own_tag(void **state)
{
    struct th_api *f = *state;
    char tag[3][ETAG_MAX];

    for (size_t i = 0; i < 4; i++) {
        struct th_http_req req;

        th_api_request(f, &req, "GET", "/api/v1/entities");
        th_http_arg(&req, "kind", "work_items");
        if (i) {
            th_http_header(&req, "Accept-Encoding", "gzip");
        }
        if (i == 2) {
            th_http_header(&req, "If-None-Match", tag[1]);
        }
        send(f, &req);
        assert_int_equal(req.status, i == 2 ? 304 : 200);
        (void)etag(&req, tag[i < 3 ? i : 2]);
        th_http_done(&req);
    }
    assert_string_equal(tag[1], tag[2]);
    assert_string_not_equal(tag[0], tag[1]);
}

/* No request for a change has a tag: what it answers is not a state. */
static void posts_have_no_tag(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;
    char tag[ETAG_MAX];

    th_api_request(f, &req, "POST", "/api/v1/sql");
    req.body = WH_LIT("{\"query\":\"SELECT 1\"}");
    th_http_header(&req, "If-None-Match", "*");
    send(f, &req);
    assert_int_equal(req.status, 200);
    assert_string_equal(etag(&req, tag), "");
    th_http_done(&req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(conditions),
        T(a_link_changes_the_tag),
        T(every_address_answers_head),
        T(long_answers_are_compressed),
        T(compressed_answers_have_their_own_tag),
        T(posts_have_no_tag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
