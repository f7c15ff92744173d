/*
 * Follow-ups that fail are owed: the listing goes on, each run tries them again, and nothing but the
 * row that they belong to is read again for it.
 */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>

#include "common/event/raw_event.h"
#include "tests/lib/th_listing.h"
#include "tests/lib/th_reader.h"

enum { PIPELINES = 250 };

enum answer { GOOD, STATUS_500, HTML, NETWORK, NOT_THERE };

struct world {
    struct th_reader reader;
    struct th_listing listing;
    enum answer jobs[PIPELINES + 1]; /* what /jobs of each pipeline answers */
    enum answer detail[PIPELINES + 1];
    unsigned follow_ups;
};

static void answer(enum answer how, struct wh_slice good, struct th_script_answer *a)
{
    struct wh_slice body = how == GOOD ? good : WH_LIT("<html></html>");
    struct wh_err err;

    a->rc = how == NETWORK ? WH_E_TIMEOUT : WH_OK;
    a->status = how == STATUS_500 ? 500 : how == NOT_THERE ? 404 : 200;
    th_ok(wh_buf_append(&a->body, how == NOT_THERE ? WH_LIT("{}") : body, &err), &err);
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct world *w = ctx;
    const char *at = memmem(url.ptr, url.len, "/pipelines/", 11);
    unsigned long id = at ? strtoul(at + 11, NULL, 10) : 0;

    (void)secret;
    if (at == NULL) {
        th_listing_answer(&w->listing, url, a);
        return;
    }
    assert_in_range(id, 1, PIPELINES);
    w->follow_ups++;
    if (memmem(url.ptr, url.len, "/jobs?", 6)) {
        answer(w->jobs[id], WH_LIT("[{\"id\":1}]"), a);
    } else if (memmem(url.ptr, url.len, "/bridges?", 9)) {
        answer(GOOD, WH_LIT("[]"), a);
    } else {
        answer(w->detail[id], WH_LIT("{\"id\":1}"), a);
    }
}

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){.listing = {.total_max = 10000}};
    for (unsigned i = 1; i <= PIPELINES; i++) {
        /* Long before the time of the reader, a minute from each other. */
        th_listing_add(&w.listing, INT64_C(1600000000000000) + i * INT64_C(60000000));
    }
    th_reader_open(&w.reader, gitlab, &w);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_reader_close(&w->reader);
    th_listing_done(&w->listing);
    return 0;
}

/* Records of that kind in Kafka. */
static unsigned published(const struct world *w, const char *kind)
{
    const struct wh_bus_header *headers;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    unsigned found = 0;
    size_t n;

    wh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; wh_bus_mem_get(w->reader.bus, "raw.c", i, &msg, &headers, &n); i++) {
        struct wh_raw_event e;

        wh_arena_reset(&arena);
        th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
        found += wh_slice_eq(e.kind, wh_slice_str(kind));
    }
    wh_arena_done(&arena);
    return found;
}

/* One more run, by a reader that knows only what Kafka has. */
static void next_run(struct world *w)
{
    th_reader_die(&w->reader);
    th_reader_born(&w->reader);
    w->follow_ups = 0;
    th_reader_read(&w->reader, "pipelines");
    assert_int_equal(w->reader.result.outcome, LISTING_ENDED);
}

/* ---- tests ---- */

static void failures_are_owed_until_they_are_paid(void **state)
{
    struct world *w = *state;
    unsigned all;

    w->jobs[17] = STATUS_500;
    w->jobs[18] = HTML;
    w->detail[130] = HTML;
    w->jobs[249] = NETWORK;
    th_reader_read(&w->reader, "pipelines");
    all = w->follow_ups;
    assert_int_equal(w->reader.result.outcome, LISTING_ENDED);
    assert_int_equal(w->reader.result.unread, 4);
    assert_memory_equal(w->reader.result.error, "pipelines: 4 rows are not read completely: ", 43);
    assert_int_equal(published(w, "pipeline"), PIPELINES);
    assert_int_equal(published(w, "job"), PIPELINES - 3);
    assert_int_equal(published(w, "pipeline_detail"), PIPELINES - 1);
    /* Again, and only those. */
    next_run(w);
    assert_int_equal(w->reader.result.unread, 4);
    assert_in_range(w->follow_ups, 4, all / 10);
    w->jobs[17] = w->jobs[18] = w->jobs[249] = GOOD;
    next_run(w);
    assert_int_equal(w->reader.result.unread, 1);
    w->detail[130] = GOOD;
    next_run(w);
    assert_int_equal(w->reader.result.unread, 0);
    assert_string_equal(w->reader.result.error, "");
    /* Nothing is owed any more. */
    next_run(w);
    assert_int_equal(w->follow_ups, 0);
}

/* GitLab says that it is not there: that is an answer. */
static void gone_is_no_debt(void **state)
{
    struct world *w = *state;

    w->jobs[17] = NOT_THERE;
    th_reader_read(&w->reader, "pipelines");
    assert_int_equal(w->reader.result.outcome, LISTING_ENDED);
    assert_int_equal(w->reader.result.unread, 0);
    assert_int_equal(w->reader.count.skipped, 1);
}

/* More than the cursor can keep apart: too much is read again, and nothing is left out. */
static void many_debts(void **state)
{
    struct world *w = *state;

    for (unsigned i = 3; i <= PIPELINES; i += 5) {
        w->jobs[i] = STATUS_500;
    }
    th_reader_read(&w->reader, "pipelines");
    assert_int_equal(w->reader.result.outcome, LISTING_ENDED);
    assert_int_equal(w->reader.result.unread, 50);
    assert_int_equal(published(w, "job"), PIPELINES - 50);
    for (unsigned i = 3; i <= PIPELINES; i += 5) {
        w->jobs[i] = GOOD;
    }
    next_run(w);
    assert_int_equal(w->reader.result.unread, 0);
    assert_true(published(w, "job") >= PIPELINES);
    next_run(w);
    assert_int_equal(w->follow_ups, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failures_are_owed_until_they_are_paid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gone_is_no_debt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_debts, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
