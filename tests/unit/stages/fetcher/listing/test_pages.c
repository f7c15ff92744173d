/*
 * Listings by page number, the list of projects, and follow-ups against a GitLab behind a proxy that
 * changes what the headers say about pages: each row is read once, and nothing is left out in
 * silence.
 */
#include "tests/lib/th_cmocka.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/event/raw_event.h"
#include "tests/lib/th_reader.h"

enum { PAGE = 100, IDS_MAX = 1000 };

enum headers {
    AS_GITLAB,  /* x-next-page and links at the connection's address */
    OTHER_HOST, /* links alone, at another address */
    NUMBERS,    /* x-next-page alone */
    EMPTY,      /* x-next-page, always empty */
    NOTHING,    /* none of them */
    HEADERS
};

struct world {
    enum headers headers;
    unsigned rows;     /* of the listing, or of the jobs of the only pipeline */
    unsigned bad;      /* a page that holds this row is answered with 500; 0: none */
    unsigned requests; /* of pages of the rows */
    struct th_reader reader;
};

/* ---- GitLab ---- */

static unsigned number(struct wh_slice url, const char *name, unsigned otherwise)
{
    const char *at = memmem(url.ptr, url.len, name, strlen(name));

    return at ? (unsigned)strtoul(at + strlen(name), NULL, 10) : otherwise;
}

static void link_to(const struct world *w, const char *path, const char *param, unsigned n,
                    struct th_script_answer *a)
{
    th_script_header(a, "link", "<%s%s%s%u>; rel=\"next\"",
                     w->headers == OTHER_HOST ? "http://internal.example:8080/gitlab"
                                              : "https://gitlab.example.com",
                     path, param, n);
}

/* n rows from `from` on, as far as there are any. */
static void put_rows(struct world *w, unsigned from, unsigned n, struct th_script_answer *a)
{
    struct wh_err err;

    w->requests++;
    if (w->bad > from && w->bad <= from + n) {
        a->status = 500;
        return;
    }
    th_ok(wh_buf_append_char(&a->body, '[', &err), &err);
    for (unsigned i = from; i < from + n && i < w->rows; i++) {
        th_ok(wh_buf_printf(&a->body, &err, "%s{\"id\":%u}", i > from ? "," : "", i + 1), &err);
    }
    th_ok(wh_buf_append_char(&a->body, ']', &err), &err);
}

static void put_numbered(struct world *w, struct wh_slice url, const char *path,
                         struct th_script_answer *a)
{
    unsigned page = number(url, "&page=", 1);
    unsigned n = number(url, "per_page=", PAGE);
    bool more = page * n < w->rows;

    put_rows(w, (page - 1) * n, n, a);
    if (more && (w->headers == AS_GITLAB || w->headers == OTHER_HOST)) {
        link_to(w, path, "&page=", page + 1, a);
    }
    if (more && (w->headers == AS_GITLAB || w->headers == NUMBERS)) {
        th_script_header(a, "x-next-page", "%u", page + 1);
    } else if (w->headers != NOTHING && w->headers != OTHER_HOST) {
        th_script_header(a, "x-next-page", "%s", "");
    }
}

/* As GitLab does, there is a link after each page that is full. */
static void put_projects(struct world *w, struct wh_slice url, struct th_script_answer *a)
{
    unsigned after = number(url, "id_after=", 0);

    put_rows(w, after, PAGE, a);
    if (after + PAGE <= w->rows && (w->headers == AS_GITLAB || w->headers == OTHER_HOST)) {
        link_to(w, "/api/v4/projects?pagination=keyset&per_page=100&order_by=id",
                "&id_after=", after + PAGE, a);
    }
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct world *w = ctx;
    struct wh_err err;

    (void)secret;
    if (memmem(url.ptr, url.len, "/projects?", 10)) {
        put_projects(w, url, a);
    } else if (memmem(url.ptr, url.len, "/jobs?", 6)) {
        put_numbered(w, url, "/api/v4/projects/7/pipelines/5/jobs?per_page=100", a);
    } else if (memmem(url.ptr, url.len, "/pipelines?", 11)) {
        th_ok(wh_buf_append(&a->body, WH_LIT("[{\"id\":5}]"), &err), &err);
    } else if (memmem(url.ptr, url.len, "/members/all?", 13)) {
        put_numbered(w, url, "/api/v4/projects/7/members/all?per_page=100", a);
    } else {
        th_ok(wh_buf_append(&a->body, WH_LIT("{\"id\":5}"), &err), &err);
    }
}

/* ---- one listing ---- */

static void read_all(struct world *w, const char *stream)
{
    th_reader_open(&w->reader, gitlab, w);
    th_reader_read(&w->reader, stream);
    assert_int_equal(w->reader.result.outcome, LISTING_ENDED);
}

static void each_row_once(struct world *w, const char *kind)
{
    static unsigned times[IDS_MAX + 1];
    const struct wh_bus_header *headers;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    memset(times, 0, sizeof(times));
    wh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; wh_bus_mem_get(w->reader.bus, "raw.c", i, &msg, &headers, &n); i++) {
        struct wh_raw_event e;

        wh_arena_reset(&arena);
        th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
        if (wh_slice_eq(e.kind, wh_slice_str(kind))) {
            times[number(e.object_id, "", 0)]++;
        }
    }
    wh_arena_done(&arena);
    for (unsigned i = 1; i <= IDS_MAX; i++) {
        assert_int_equal(times[i], i <= w->rows && i != w->bad);
    }
}

static void try_all(const char *stream, const char *kind)
{
    static const unsigned rows[] = {0, 1, 99, 100, 101, 200, 350};

    for (unsigned h = 0; h < HEADERS; h++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct world w = {.headers = (enum headers)h, .rows = rows[i]};

            read_all(&w, stream);
            each_row_once(&w, kind);
            /* One request for each page, and one more where the last page is full. */
            assert_int_equal(w.requests, rows[i] / PAGE + 1);
            th_reader_close(&w.reader);
        }
    }
}

/* ---- tests ---- */

static void by_number(void **state)
{
    (void)state;
    try_all("members", "member");
}

static void the_list_of_projects(void **state)
{
    (void)state;
    try_all("projects", "project");
}

static void a_bad_row(void **state)
{
    static const unsigned bad[] = {1, 50, 100, 101, 250};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct world w = {.headers = AS_GITLAB, .rows = 250, .bad = bad[i]};

        read_all(&w, "members");
        each_row_once(&w, "member");
        assert_int_equal(w.reader.result.unread, 1);
        assert_string_equal(w.reader.result.error,
                            "members: 1 row is not read completely: GitLab answers 500 to GET "
                            "/api/v4/projects/7/members/all");
        assert_in_range(w.requests, 10, 40);
        th_reader_close(&w.reader);
    }
}

static void follow_ups(void **state)
{
    (void)state;
    try_all("pipelines_running", "job");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_number),
        cmocka_unit_test(the_list_of_projects),
        cmocka_unit_test(a_bad_row),
        cmocka_unit_test(follow_ups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
