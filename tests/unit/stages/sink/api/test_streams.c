/* Answers without a bound: complete, in constant memory, and never mistaken for complete. */
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { HEADS = 400, SQL_ROWS = 10, MANY = 1200000, MEMORY_KIB = 16 << 10, SLOW = 3 };

/* About 100 bytes a row. */
#define ROWS_TO(n)                                                                                 \
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT " n ")"                  \
    " SELECT x, 'a text that makes the row longer, because rows of tables are long, too, and more" \
    " than a number' AS t FROM c"

/* Fails in the row 50001. */
#define BREAKS                                                                                     \
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"                              \
    " SELECT x, abs(CASE x WHEN 50001 THEN -9223372036854775807 - 1 ELSE x END) FROM c"

static int set_up(void **state)
{
    /* The usual limit is too short for what is streamed here. */
    const struct sink_api_conf conf = {.sql_timeout_ms = 300,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = SQL_ROWS,
                                       .sql_bytes = 1 << 20};

    *state = th_api_new(&conf, HEADS, 5);
    return 0;
}

static int tear_down(void **state)
{
    th_api_free(*state);
    return 0;
}

static void ask(struct th_api *f, struct th_http_req *req, const char *sql, const char *format)
{
    th_api_request(f, req, "GET", "/api/v1/sql");
    th_http_arg(req, "sql", sql);
    th_http_arg(req, "_format", format);
    th_http_arg(req, "_size", "0");
}

static void begin(struct th_api *f, struct th_http_req *req)
{
    th_http_begin(req, &f->handler);
    while (!req->replied) {
        wh_loop_turn(f->loop, true);
    }
}

static void finish(struct th_api *f, struct th_http_req *req)
{
    req->read_max = 0;
    th_http_read(req);
    while (req->streaming) {
        wh_loop_turn(f->loop, true);
    }
    th_http_over(req, &f->handler);
}

static size_t lines(const struct th_http_req *req)
{
    size_t n = 0;

    for (size_t i = 0; i < req->answer.len; i++) {
        n += req->answer.ptr[i] == '\n';
    }
    return n;
}

static bool has(const struct wh_buf *fields, const char *line)
{
    return strstr(wh_buf_str(fields), line) != NULL;
}

static void a_short_answer_has_its_result_in_the_head(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;

    ask(f, &req, "SELECT 1 AS a UNION ALL SELECT 2", "ndjson");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 200);
    assert_false(req.streamed);
    assert_string_equal(wh_buf_str(&req.answer), "{\"a\":1}\n{\"a\":2}\n");
    assert_true(has(&req.answer_headers, "Wellhead-Result: complete\n"));
    th_http_done(&req);
    /* Arrays have their names once. */
    ask(f, &req, "SELECT 1 AS a, 'x' AS b", "ndjson");
    th_http_arg(&req, "_shape", "arrays");
    th_http_send(&req, &f->handler, f->loop);
    assert_string_equal(wh_buf_str(&req.answer), "[\"a\",\"b\"]\n[1,\"x\"]\n");
    th_http_done(&req);
    /* A statement that fails before it has rows has the status of its failure. */
    ask(f, &req, "SELECT nothing FROM work_items", "csv");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 400);
    th_http_done(&req);
}

static void every_format_streams_every_row(void **state)
{
    static const char *const formats[] = {"csv", "csv-raw", "ndjson", "json"};
    struct th_api *f = *state;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct th_http_req req;

        ask(f, &req, ROWS_TO("20000"), formats[i]);
        th_http_send(&req, &f->handler, f->loop);
        assert_int_equal(req.status, 200);
        assert_true(req.streamed);
        assert_false(req.aborted);
        assert_true(has(&req.answer_headers, "Cache-Control: private, no-cache\n"));
        assert_true(has(&req.answer_headers, "Trailer: Wellhead-Result, Wellhead-Reason\n"));
        assert_string_equal(wh_buf_str(&req.answer_trailers), "Wellhead-Result: complete\n");
        assert_int_equal(lines(&req), i == 3 ? 0 : i == 2 ? 20000 : 20001);
        if (i == 3) {
            assert_non_null(strstr(wh_buf_str(&req.answer), "],\"truncated\":false"));
            assert_non_null(strstr(wh_buf_str(&req.answer), "\"row_count\":20000,"));
        }
        th_http_done(&req);
    }
}

static void a_list_streams_every_row_once(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;

    th_api_request(f, &req, "GET", "/api/v1/entities");
    th_http_arg(&req, "kind", "work_items");
    th_http_arg(&req, "_deleted", "include");
    th_http_arg(&req, "_size", "0");
    th_http_arg(&req, "_format", "ndjson");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 200);
    assert_true(req.streamed);
    assert_int_equal(lines(&req), HEADS);
    for (size_t i = 0; i < HEADS; i++) {
        char text[WH_ENTITY_ID_TEXT + 32];
        char id[WH_ENTITY_ID_TEXT + 1];
        const char *at;

        (void)snprintf(text, sizeof(text), "\n{\"id\":\"%s\"",
                       wh_entity_id_format(&f->heads.items[i]->id, id));
        at = strstr(wh_buf_str(&req.answer), text + 1);
        assert_non_null(at);
        assert_null(strstr(at + 1, text + 1));
    }
    th_http_done(&req);
}

static void a_limit_beyond_the_bound_of_rows_streams(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;

    ask(f, &req, ROWS_TO("20000"), "csv");
    req.n_args--;
    th_http_arg(&req, "_size", "15000");
    th_http_send(&req, &f->handler, f->loop);
    assert_true(req.streamed);
    assert_int_equal(lines(&req), 15001);
    assert_true(has(&req.answer_trailers, "Wellhead-Result: truncated\nWellhead-Reason: there"));
    th_http_done(&req);
    /* Without a limit every format has the same one, and says that it applied. */
    ask(f, &req, ROWS_TO("20000"), "csv");
    req.n_args--;
    th_http_arg(&req, "_timelimit", "60000");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(lines(&req), SQL_ROWS + 1);
    assert_true(has(&req.answer_headers, "Wellhead-Result: truncated\nWellhead-Reason: there"));
    th_http_done(&req);
}

static long peak_kib(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 120 MB by a reader that takes them in small portions. */
static void many_rows_need_little_memory(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;
    size_t n = 0;
    long before;

    ask(f, &req, ROWS_TO("1200000"), "csv");
    req.read_max = 1;
    begin(f, &req);
    before = peak_kib();
    while (req.streaming || req.answer.len > 0) {
        n += lines(&req);
        wh_buf_reset(&req.answer);
        req.read_max = 64 << 10;
        th_http_read(&req);
        while (req.streaming && req.answer.len == 0) {
            wh_loop_turn(f->loop, true);
        }
    }
    assert_false(req.aborted);
    assert_int_equal(n, MANY + 1);
    assert_string_equal(wh_buf_str(&req.answer_trailers), "Wellhead-Result: complete\n");
    /* Sanitizers keep freed memory. */
    assert_true(SANITIZED || peak_kib() - before < MEMORY_KIB);
    th_http_over(&req, &f->handler);
    th_http_done(&req);
}

static void slow_readers_hold_up_nobody(void **state)
{
    struct th_api *f = *state;
    struct th_http_req slow[SLOW];
    struct th_http_req req;

    for (size_t i = 0; i < SLOW; i++) {
        ask(f, &slow[i], ROWS_TO("50000"), "csv");
        slow[i].read_max = 1;
        begin(f, &slow[i]);
        assert_true(slow[i].streaming);
    }
    ask(f, &req, "SELECT count(*) FROM work_items", "csv");
    req.n_args--;
    th_http_arg(&req, "_timelimit", "60000");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 200);
    th_http_done(&req);
    ask(f, &req, ROWS_TO("50000"), "csv");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(lines(&req), 50001);
    th_http_done(&req);
    for (size_t i = 0; i < SLOW; i++) {
        finish(f, &slow[i]);
        assert_false(slow[i].aborted);
        assert_int_equal(lines(&slow[i]), 50001);
        th_http_done(&slow[i]);
    }
}

/* Without trailers the body breaks off; no row is made of the error. */
static void a_failure_in_the_middle_is_seen(void **state)
{
    static const struct {
        const char *sql;
        const char *limit_ms;
        const char *reason;
    } cases[] = {
        {BREAKS, "60000", "Wellhead-Reason: integer overflow"},
        {ROWS_TO("1000000000"), "200", "Wellhead-Reason: stopped after 200 ms, the time limit"},
    };
    struct th_api *f = *state;

    for (size_t i = 0; i < 4; i++) {
        struct th_http_req req;
        bool trailers = i % 2;

        ask(f, &req, cases[i / 2].sql, "ndjson");
        th_http_arg(&req, "_timelimit", cases[i / 2].limit_ms);
        if (trailers) {
            th_http_header(&req, "TE", "gzip, trailers");
        }
        th_http_send(&req, &f->handler, f->loop);
        assert_int_equal(req.status, 200);
        assert_int_equal(req.aborted, !trailers);
        assert_null(strstr(wh_buf_str(&req.answer), "error"));
        if (trailers) {
            assert_true(has(&req.answer_trailers, "Wellhead-Result: failed\n"));
            assert_true(has(&req.answer_trailers, cases[i / 2].reason));
        }
        th_http_done(&req);
    }
}

/* T3: the last line of a file says that it is not whole, besides the broken transfer. */
static void a_cut_file_says_so(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;
    const char *at;

    ask(f, &req, ROWS_TO("1000000000"), "csv");
    th_http_arg(&req, "_timelimit", "200");
    th_http_send(&req, &f->handler, f->loop);
    assert_true(req.aborted);
    at = strstr(wh_buf_str(&req.answer), "\r\nerror: not all rows are here: stopped after 200 ms");
    assert_non_null(at);
    th_http_done(&req);
}

/* Readers that leave give their threads back: more of them come than there are threads. */
static void readers_that_leave(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;

    for (size_t i = 0; i < 10; i++) {
        ask(f, &req, ROWS_TO("1000000000"), "csv");
        req.read_max = 1;
        begin(f, &req);
        th_http_over(&req, &f->handler);
        th_http_done(&req);
    }
    ask(f, &req, ROWS_TO("20000"), "csv");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(lines(&req), 20001);
    th_http_done(&req);
}

/* A drain ends streams in the middle; what the server still reads afterwards is harmless. */
static void a_drain_ends_streams(void **state)
{
    struct th_api *f = *state;
    struct th_http_req reqs[2];

    for (size_t i = 0; i < 2; i++) {
        ask(f, &reqs[i], ROWS_TO("1000000000"), "csv");
        reqs[i].read_max = 1;
        begin(f, &reqs[i]);
    }
    sink_api_drain(f->api);
    finish(f, &reqs[0]);
    assert_true(reqs[0].aborted);
    sink_api_free(f->api);
    f->api = NULL;
    reqs[1].read_max = 0;
    th_http_read(&reqs[1]);
    assert_true(reqs[1].aborted);
    th_http_over(&reqs[1], &f->handler);
    th_http_done(&reqs[0]);
    th_http_done(&reqs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_short_answer_has_its_result_in_the_head),
        T(every_format_streams_every_row),
        T(a_list_streams_every_row_once),
        T(a_limit_beyond_the_bound_of_rows_streams),
        T(many_rows_need_little_memory),
        T(slow_readers_hold_up_nobody),
        T(a_failure_in_the_middle_is_seen),
        T(a_cut_file_says_so),
        T(readers_that_leave),
        T(a_drain_ends_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
