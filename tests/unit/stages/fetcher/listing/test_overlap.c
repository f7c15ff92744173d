/*
 * Rows that a listing by updated_at meets again: unchanged ones are neither published nor followed
 * up again, also after a restart; changed ones are, and those whose follow-ups failed.
 */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "stages/fetcher/listing/overlap.h"
#include "tests/lib/th_reader.h"

#define ROW(id, seconds, more)                                                                     \
    "{\"id\":" #id ",\"iid\":" #id ",\"updated_at\":\"2023-01-01T00:00:" #seconds "Z\"" more "}"
#define OLD ROW(1, 00, "")
#define NEW ROW(2, 40, "")
#define NEWEST ROW(3, 50, "")

enum { WIDTH_MS = 1000 };

struct world {
    struct th_reader reader;
    const char *rows;    /* of every page */
    unsigned bad_answer; /* instead of the links; 0: none */
    unsigned follow_ups;
};

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct world *w = ctx;
    struct wh_slice body = wh_slice_str(w->rows);
    struct wh_err err;

    (void)secret;
    a->status = 200;
    if (memmem(url.ptr, url.len, "/links", 6)) {
        w->follow_ups++;
        a->status = w->bad_answer ? w->bad_answer : 200;
        body = WH_LIT("[]");
        if (w->bad_answer) {
            body = WH_LIT("{}");
        }
    }
    th_ok(wh_buf_append(&a->body, body, &err), &err);
}

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){.rows = "[" OLD "," NEW "," NEWEST "]", .reader.read_links = true};
    th_reader_open(&w.reader, gitlab, &w);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    th_reader_close(&((struct world *)*state)->reader);
    return 0;
}

/* Reads the issues; so many rows were published, and so many follow-ups requested. */
static void reads(struct world *w, unsigned rows, unsigned follow_ups)
{
    uint64_t before = w->reader.count.rows;

    w->follow_ups = 0;
    th_reader_read(&w->reader, "issues");
    assert_int_equal(w->reader.result.outcome, LISTING_ENDED);
    assert_int_equal(w->reader.count.rows - before, rows);
    assert_int_equal(w->follow_ups, follow_ups);
}

static void restart(struct world *w)
{
    th_reader_die(&w->reader);
    th_reader_born(&w->reader);
}

/* ---- listings ---- */

static void unchanged_rows_are_not_taken_again(void **state)
{
    struct world *w = *state;

    reads(w, 3, 3);
    w->rows = "[" NEW "," NEWEST "]";
    reads(w, 0, 0);
    /* They still are what the connection sees of its rows. */
    assert_int_equal(w->reader.rows, 5);
    reads(w, 0, 0);
    restart(w);
    reads(w, 0, 0);
}

static void changed_rows_are_taken_again(void **state)
{
    struct world *w = *state;

    reads(w, 3, 3);
    w->rows = "[" NEW "," ROW(3, 50, ",\"upvotes\":1") "]";
    reads(w, 1, 1);
    reads(w, 0, 0);
    w->rows = "[" NEW "," ROW(4, 49, "") "," ROW(3, 50, ",\"upvotes\":1") "]";
    reads(w, 1, 1);
    /* A row is known until it lies before the overlap. */
    w->rows = "[" ROW(3, 50, ",\"upvotes\":1") "," ROW(5, 59, "") "]";
    reads(w, 1, 1);
    w->rows = "[" NEWEST "," ROW(5, 59, "") "]";
    reads(w, 1, 1);
}

static void rows_are_taken_again_for_other_follow_ups(void **state)
{
    struct world *w = *state;

    w->reader.env.read_links = false;
    reads(w, 3, 0);
    w->rows = "[" NEW "," NEWEST "]";
    reads(w, 0, 0);
    w->reader.env.read_links = true;
    reads(w, 2, 2);
    reads(w, 0, 0);
}

static void rows_are_taken_again_when_follow_ups_failed(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 2; i++) {
        w->bad_answer = i == 0 ? 500 : 404;
        w->rows = i == 0 ? "[" NEW "," NEWEST "]" : "[" ROW(6, 52, "") "," ROW(7, 53, "") "]";
        th_reader_read(&w->reader, "issues");
        assert_int_equal(w->reader.result.unread, i == 0 ? 2 : 0);
        w->bad_answer = 0;
        w->follow_ups = 0;
        th_reader_read(&w->reader, "issues");
        assert_true(w->follow_ups >= 2);
        reads(w, 0, 0);
    }
}

static void all_is_taken_again_when_webhooks_were_lost(void **state)
{
    struct world *w = *state;

    reads(w, 3, 3);
    w->reader.from_ms = INT64_C(1672531200000); /* the time of the oldest row */
    reads(w, 3, 3);
    w->reader.from_ms = 0;
    w->rows = "[" NEW "," NEWEST "]";
    reads(w, 0, 0);
}

/* ---- what is remembered ---- */

static void the_newest_rows_are_remembered(void **state)
{
    struct listing_overlap o = {0};
    struct cursor c = {0};

    (void)state;
    cursor_set_hash(&c, 3, 77);
    for (uint64_t i = 1; i <= 3 * CURSOR_HASHES_MAX; i++) {
        listing_overlap_add(&o, (struct listing_overlap_row){i, (int64_t)i * 100}, WIDTH_MS);
    }
    listing_overlap_add(&o, (struct listing_overlap_row){9, 900}, WIDTH_MS);
    listing_overlap_keep(&o, WIDTH_MS, &c);
    assert_int_equal(c.n_hashes, 11);
    assert_false(listing_overlap_knows(&c, 77));
    assert_false(listing_overlap_knows(&c, 9));
    for (uint64_t i = 0; i < 11; i++) {
        assert_true(listing_overlap_knows(&c, 3 * CURSOR_HASHES_MAX - i));
    }
    cursor_clear(&c);
    listing_overlap_done(&o);
}

static void too_many_rows_are_not_all_remembered(void **state)
{
    struct listing_overlap o = {0};
    struct cursor c = {0};

    (void)state;
    for (uint64_t i = 1; i <= 3 * CURSOR_HASHES_MAX; i++) {
        listing_overlap_add(&o, (struct listing_overlap_row){i, 5}, WIDTH_MS);
    }
    listing_overlap_keep(&o, WIDTH_MS, &c);
    assert_int_equal(c.n_hashes, CURSOR_HASHES_MAX);
    assert_true(listing_overlap_knows(&c, CURSOR_HASHES_MAX));
    assert_false(listing_overlap_knows(&c, CURSOR_HASHES_MAX + 1));
    cursor_clear(&c);
    listing_overlap_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unchanged_rows_are_not_taken_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_rows_are_taken_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_are_taken_again_for_other_follow_ups, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(rows_are_taken_again_when_follow_ups_failed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(all_is_taken_again_when_webhooks_were_lost, set_up,
                                        tear_down),
        cmocka_unit_test(the_newest_rows_are_remembered),
        cmocka_unit_test(too_many_rows_are_not_all_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
