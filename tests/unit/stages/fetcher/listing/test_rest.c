/*
 * Listings by REST against a model of GitLab: rows change, come and go between any two requests,
 * requests fail, answers come in any order, the reader is killed anywhere. Whatever happens, every
 * row that is there at the end is in Kafka in its newest version, and few requests were made for it.
 */
#include "tests/lib/th_cmocka.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "tests/lib/httpc_script.h"
#include "tests/lib/th_fault.h"
#include "tests/lib/th_listing.h"
#include "tests/lib/th_reader.h"

#define SECOND_US INT64_C(1000000)
#define START_US INT64_C(1700000000000000)

enum { STEPS_MAX = 400000 };

/* One try: what there is, and what goes wrong. */
struct plan {
    uint64_t seed;
    unsigned rows;
    unsigned same;       /* of them with one and the same time */
    unsigned changes;    /* while it is read */
    unsigned faults;     /* per thousand answers */
    unsigned kills;      /* readers that die */
    bool no_memory;      /* of the reader while it takes an answer, once: see world.fault */
    size_t total_max;    /* GitLab gives totals up to here */
    bool no_headers;     /* a proxy removes them */
    size_t offset_max;   /* and refuses offsets past here; 0: never */
    const char *listing; /* "issues" or "merge_requests" */
};

struct world {
    struct plan plan;
    uint64_t random;
    struct th_listing listing;
    struct th_reader reader;
    struct th_script *http;
    size_t answered;
    unsigned killed;
    unsigned changed;
    struct th_fault fault;
    bool fault_reached;
};

static uint64_t dice(struct world *w, uint64_t sides)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % sides;
}

static int64_t clock_now(void *ctx)
{
    return ((struct world *)ctx)->listing.now_us / 1000;
}

static int64_t clock_mono(void *ctx)
{
    (void)ctx;
    return 42;
}

/* ---- GitLab ---- */

static void fail_on_purpose(struct world *w, struct th_script_answer *a)
{
    switch (dice(w, 4)) {
    case 0:
        a->rc = WH_E_NET; /* a cut body is one too */
        break;
    case 1:
        a->rc = WH_E_TIMEOUT;
        break;
    case 2:
        a->status = 429;
        break;
    default:
        a->status = 502;
        break;
    }
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct world *w = ctx;
    char part[64];

    th_slice_is(secret, "glpat-1");
    (void)snprintf(part, sizeof(part), "/api/v4/projects/7/%s?", w->plan.listing);
    w->answered++;
    if (dice(w, 1000) < w->plan.faults) {
        fail_on_purpose(w, a);
    } else {
        assert_non_null(memmem(url.ptr, url.len, part, strlen(part)));
        th_listing_answer(&w->listing, url, a);
    }
    /* From here on it is the reader that allocates. */
    if (w->plan.no_memory && !w->fault_reached) {
        th_fault_arm(&w->fault, w->fault.left);
    }
}

/* ---- what happens meanwhile ---- */

static void change(struct world *w)
{
    struct th_listing *l = &w->listing;

    w->changed++;
    l->now_us += (int64_t)dice(w, 3) * SECOND_US;
    switch (dice(w, 10)) {
    case 0:
        th_listing_add(l, ++l->now_us);
        break;
    case 1:
        th_listing_delete(l, dice(w, l->n));
        break;
    case 2:
    case 3:
        /* Those that are read next are the dangerous ones. */
        th_listing_touch(l, l->n / 2 + dice(w, l->n / 2));
        break;
    default:
        th_listing_touch(l, dice(w, l->n));
    }
}

/* ---- a reader, its birth and death ---- */

static void start(struct world *w)
{
    th_reader_start(&w->reader, w->plan.listing, NULL);
}

static void die_and_be_born(struct world *w)
{
    th_reader_die(&w->reader);
    th_reader_born(&w->reader);
    start(w);
}

static void world_new(struct world *w, const struct plan *plan)
{
    int64_t us = START_US;
    struct wh_err err;

    *w = (struct world){.plan = *plan, .random = plan->seed * 2654435761u + 88172645463325252u};
    w->listing.total_max = plan->total_max;
    w->listing.no_headers = plan->no_headers;
    w->listing.offset_max = plan->offset_max;
    for (unsigned i = 0; i < plan->rows; i++) {
        /* The bulk in one millisecond, half of it in one microsecond. */
        bool same = i >= plan->rows / 3 && i < plan->rows / 3 + plan->same;

        us += same ? (int64_t)(i % 2 && us % 1000 < 900) : (int64_t)dice(w, 100) * SECOND_US;
        th_listing_add(&w->listing, us);
    }
    w->listing.now_us += 3600 * SECOND_US;
    w->http = th_script_new(gitlab, w);
    assert_non_null(w->http);
    w->reader = (struct th_reader){.bus = wh_bus_mem_new(),
                                   .loop = wh_loop_new(),
                                   .clock = {clock_now, clock_mono, w},
                                   .http = th_script_http(w->http)};
    assert_true(w->reader.bus && w->reader.loop);
    th_ok(wh_bus_mem_topic(w->reader.bus, "fetch-state", 1, &err), &err);
    th_ok(wh_bus_mem_topic(w->reader.bus, "raw.c", 2, &err), &err);
    th_reader_born(&w->reader);
    start(w);
}

static void world_free(struct world *w)
{
    th_reader_die(&w->reader);
    th_script_free(w->http);
    wh_loop_free(w->reader.loop);
    wh_bus_mem_free(w->reader.bus);
    th_listing_done(&w->listing);
}

/* ---- running it ---- */

static void one_step(struct world *w)
{
    uint64_t what = dice(w, 100);

    wh_loop_turn(w->reader.loop, false);
    if (w->killed < w->plan.kills && dice(w, 40) == 0) {
        w->killed++;
        die_and_be_born(w);
    } else if (what < 65 && th_script_waiting(w->http)) {
        th_script_answer_one(w->http, dice(w, th_script_waiting(w->http)));
        w->fault_reached = th_fault_disarm(&w->fault) || w->fault_reached;
    } else if (what < 85) {
        (void)wh_producer_poll(w->reader.producer, 0);
    } else if (w->changed < w->plan.changes) {
        change(w);
    } else if (!th_script_waiting(w->http) && !wh_producer_pending(w->reader.producer)) {
        /* A request waits to be tried again: GitLab may have named a time. */
        w->listing.now_us += SECOND_US / 5;
        wh_loop_turn(w->reader.loop, true);
    }
}

/* A listing that cannot go on is started again, as by the next run. */
static void run_to_its_end(struct world *w)
{
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        if (th_reader_rests(&w->reader)) {
            if (w->reader.result.outcome == LISTING_ENDED) {
                return;
            }
            start(w);
        }
        one_step(w);
    }
    fail_msg("seed %" PRIu64 ": the listing does not end", w->plan.seed);
}

static void run_again(struct world *w)
{
    w->listing.now_us += 60 * SECOND_US;
    start(w);
    run_to_its_end(w);
}

/* ---- what must hold ---- */

struct newest {
    int64_t ms;
    unsigned times;
};

/* Newest version of each id in the raw topic; gives how many records there are. */
static size_t read_raw(struct world *w, struct newest *by_id, size_t n_ids)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    const struct wh_bus_header *headers;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t rows = 0;
    size_t n;

    assert_non_null(parser);
    wh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; wh_bus_mem_get(w->reader.bus, "raw.c", i, &msg, &headers, &n); i++) {
        struct wh_raw_event e;
        struct wh_json_val root;
        struct wh_json_val v;
        struct wh_instant at;
        uint64_t id;

        wh_arena_reset(&arena);
        th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
        rows++;
        th_ok(wh_json_parse(parser, e.payload, &root, &err), &err);
        assert_true(wh_json_get(root, WH_LIT("id"), &v));
        id = (uint64_t)wh_json_int(v);
        assert_true(id < n_ids);
        assert_true(wh_json_get(root, WH_LIT("updated_at"), &v));
        th_ok(wh_time_parse(wh_json_string(v), &at, &err), &err);
        by_id[id].times += at.ms == by_id[id].ms;
        if (at.ms > by_id[id].ms) {
            by_id[id] = (struct newest){at.ms, 1};
        }
    }
    wh_arena_done(&arena);
    wh_json_parser_free(parser);
    return rows;
}

static size_t all_is_there(struct world *w)
{
    size_t n_ids = w->listing.next_id + 1;
    struct newest *by_id = wh_mem_zalloc(n_ids, sizeof(*by_id));
    size_t records;
    size_t missing = 0;

    assert_non_null(by_id);
    records = read_raw(w, by_id, n_ids);
    for (size_t i = 0; i < w->listing.n; i++) {
        const struct th_row *row = &w->listing.rows[i];

        missing += by_id[row->id].ms != row->us / 1000 && !th_listing_is_bad(&w->listing, row->id);
    }
    if (missing) {
        fail_msg("seed %" PRIu64 " (%s): %zu of %zu rows are missing or old", w->plan.seed,
                 w->plan.listing, missing, w->listing.n);
    }
    wh_mem_free(by_id);
    return records;
}

static void try_plan(const struct plan *plan)
{
    struct world w;

    world_new(&w, plan);
    run_to_its_end(&w);
    /* What changed behind the newest row that was read is for the next run. */
    w.plan.changes = 0;
    run_again(&w);
    all_is_there(&w);
    world_free(&w);
}

/* ---- tests ---- */

static void undisturbed(void **state)
{
    const struct plan plan = {
        .seed = 1, .rows = 6000, .total_max = 10000, .listing = "merge_requests"};
    struct world w;

    (void)state;
    world_new(&w, &plan);
    run_to_its_end(&w);
    /* Each row once, and no more requests than five in a hundred past the least. */
    assert_int_equal(all_is_there(&w), plan.rows);
    assert_in_range(w.listing.requests, 60, 63);
    assert_true(w.reader.count.rows == plan.rows);
    assert_int_equal(w.reader.rows, plan.rows);
    /* Nothing changed: one request, and only what lies within the overlap comes again. */
    w.listing.requests = 0;
    run_again(&w);
    assert_int_equal(w.listing.requests, 1);
    world_free(&w);
}

/* More requests under way than one at a time: the listing is read side by side. */
static void many_pages_at_once(void **state)
{
    const struct plan plan = {
        .seed = 5, .rows = 20000, .total_max = 10000, .listing = "merge_requests"};
    struct world w;
    size_t most = 0;

    (void)state;
    world_new(&w, &plan);
    for (unsigned i = 0; i < STEPS_MAX && !th_reader_rests(&w.reader); i++) {
        wh_loop_turn(w.reader.loop, false);
        most = th_script_waiting(w.http) > most ? th_script_waiting(w.http) : most;
        if (th_script_waiting(w.http)) {
            th_script_answer_one(w.http, 0);
        }
        (void)wh_producer_poll(w.reader.producer, 0);
    }
    assert_true(most >= 4);
    assert_int_equal(all_is_there(&w), plan.rows);
    assert_in_range(w.listing.requests, 200, 210);
    world_free(&w);
}

static void with_changes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        try_plan(&(struct plan){.seed = seed,
                                .rows = 4500 + (unsigned)seed * 100,
                                .changes = 300,
                                .total_max = seed % 2 ? 10000 : 1000,
                                .listing = seed % 3 ? "merge_requests" : "issues"});
    }
}

static void with_one_time_for_thousands(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        /* With totals and without; refused past 1,500 rows where there is keyset paging. */
        bool keyset = seed % 3 == 0;

        try_plan(&(struct plan){.seed = seed,
                                .rows = 5000,
                                .same = 1000 + (unsigned)seed * 200,
                                .changes = seed % 4 ? 400 : 0,
                                .total_max = seed % 2 ? 10000 : 500,
                                .offset_max = keyset ? 1500 : 0,
                                .listing = keyset ? "issues" : "merge_requests"});
    }
}

/* Without headers a listing goes on until a page is not full, also where all pages are. */
static void without_headers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        try_plan(&(struct plan){.seed = 20 + i,
                                .rows = 100 * i + (i % 3 ? 0 : 50),
                                .same = i % 2 ? 100 * (i / 2) : 0,
                                .no_headers = true,
                                .listing = "merge_requests"});
    }
}

/* Keyset pages have no numbers: the listing does not pretend to have ended. */
static void keyset_without_headers_is_stuck(void **state)
{
    const struct plan plan = {.seed = 3,
                              .rows = 4000,
                              .same = 3000,
                              .no_headers = true,
                              .offset_max = 1500,
                              .listing = "issues"};
    struct world w;

    (void)state;
    world_new(&w, &plan);
    while (!th_reader_rests(&w.reader)) {
        one_step(&w);
    }
    assert_int_equal(w.reader.result.outcome, LISTING_CANNOT_GO_ON);
    assert_int_equal(w.reader.result.why, CLIENT_FAILED);
    assert_string_equal(w.reader.result.error,
                        "issues: GitLab's answer does not name the next page");
    world_free(&w);
}

static void a_refused_offset_is_read_by_keyset(void **state)
{
    const struct plan plan = {.seed = 3,
                              .rows = 4000,
                              .same = 3000,
                              .total_max = 10000,
                              .offset_max = 1500,
                              .listing = "issues"};
    struct world w;

    (void)state;
    world_new(&w, &plan);
    run_to_its_end(&w);
    assert_int_equal(all_is_there(&w), plan.rows);
    assert_int_equal(w.listing.refusals, 1);
    assert_in_range(w.listing.keyset_pages, 26, 27);
    world_free(&w);
}

static void with_faults(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        try_plan(&(struct plan){.seed = seed,
                                .rows = 4500,
                                .same = seed % 2 ? 700 : 0,
                                .changes = 200,
                                .faults = 80,
                                .total_max = 10000,
                                .listing = seed % 2 ? "issues" : "merge_requests"});
    }
}

/* ---- rows that make GitLab fail ---- */

static void make_bad(struct world *w, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        w->listing.bad[w->listing.n_bad++] = w->listing.rows[first + i].id;
    }
}

static void heal(struct world *w)
{
    w->listing.n_bad = 0;
    w->listing.unserved = 0;
    w->listing.requests = 0;
}

/* One row: all others are read, the row is counted, and the next run that can reads it, without
 * reading the rest again. */
static void one_bad_row(void **state)
{
    (void)state;
    for (unsigned html = 0; html < 2; html++) {
        const struct plan plan = {
            .seed = 30, .rows = 1000, .total_max = 10000, .listing = "merge_requests"};
        struct world w;

        world_new(&w, &plan);
        w.listing.html = html;
        make_bad(&w, 437, 1);
        run_to_its_end(&w);
        assert_int_equal(all_is_there(&w), plan.rows - 1);
        assert_int_equal(w.reader.result.unread, 1);
        assert_string_equal(
            w.reader.result.error,
            html ? "merge_requests: 1 row is not read completely: GitLab's answer is no list"
                 : "merge_requests: 1 row is not read completely: GitLab answers 500 to GET "
                   "/api/v4/projects/7/merge_requests");
        assert_in_range(w.listing.requests, 11, 60);
        /* It is not forgotten: the page is tried again, also by the next reader. */
        die_and_be_born(&w);
        run_to_its_end(&w);
        assert_int_equal(w.reader.result.unread, 1);
        heal(&w);
        run_again(&w);
        assert_int_equal(w.reader.result.unread, 0);
        (void)all_is_there(&w);
        assert_in_range(w.listing.requests, 2, 4);
        /* Nothing is left to do. */
        heal(&w);
        run_again(&w);
        assert_int_equal(w.listing.requests, 1);
        world_free(&w);
    }
}

/* The first and the newest row, neighbours, rows of one time, several pages. */
static void many_bad_rows(void **state)
{
    static const struct {
        size_t first;
        size_t n;
    } bad[] = {{0, 1}, {998, 2}, {95, 8}, {349, 3}, {500, 1}};

    (void)state;
    for (unsigned same = 0; same < 2; same++) {
        const struct plan plan = {.seed = 31 + same,
                                  .rows = 1000,
                                  .same = same ? 300 : 0,
                                  .total_max = 10000,
                                  .listing = "merge_requests"};
        struct world w;
        size_t n = 0;

        world_new(&w, &plan);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            make_bad(&w, bad[i].first, bad[i].n);
            n += bad[i].n;
        }
        run_to_its_end(&w);
        (void)all_is_there(&w);
        assert_true(w.reader.result.unread >= n);
        heal(&w);
        run_again(&w);
        assert_int_equal(w.reader.result.unread, 0);
        (void)all_is_there(&w);
        world_free(&w);
    }
}

static void bad_rows_among_changes_and_kills(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct plan plan = {.seed = seed + 40,
                            .rows = 3000,
                            .same = seed % 3 ? 0 : 500,
                            .changes = 200,
                            .kills = seed % 2 ? 4 : 0,
                            .total_max = 10000,
                            .listing = seed % 2 ? "issues" : "merge_requests"};
        struct world w;

        world_new(&w, &plan);
        for (unsigned i = 0; i < 6; i++) {
            make_bad(&w, dice(&w, w.listing.n), 1);
        }
        run_to_its_end(&w);
        w.plan.changes = 0;
        run_again(&w);
        (void)all_is_there(&w);
        heal(&w);
        run_again(&w);
        assert_int_equal(w.reader.result.unread, 0);
        (void)all_is_there(&w);
        world_free(&w);
    }
}

/* GitLab serves nothing: that is no bad row. Few requests, and the cursor stays. */
static void nothing_is_served(void **state)
{
    const struct plan plan = {
        .seed = 33, .rows = 1000, .faults = 0, .total_max = 10000, .listing = "merge_requests"};
    struct world w;
    size_t before;

    (void)state;
    world_new(&w, &plan);
    while (w.listing.requests < 4) {
        one_step(&w);
    }
    before = w.listing.requests;
    w.listing.down = true;
    while (!th_reader_rests(&w.reader)) {
        one_step(&w);
    }
    assert_int_equal(w.reader.result.outcome, LISTING_CANNOT_GO_ON);
    assert_int_equal(w.reader.result.unread, 0);
    assert_in_range(w.listing.unserved, 1, 40);
    w.listing.down = false;
    run_to_its_end(&w);
    (void)all_is_there(&w);
    assert_in_range(w.listing.requests, 11, before + 11);
    world_free(&w);
}

static void with_kills(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        try_plan(&(struct plan){.seed = seed,
                                .rows = 5000,
                                .same = seed % 3 ? 0 : 900,
                                .changes = seed % 2 ? 200 : 0,
                                .faults = seed % 4 ? 0 : 50,
                                .kills = 5,
                                .total_max = 10000,
                                .listing = seed % 2 ? "issues" : "merge_requests"});
    }
}

/* A kill costs the pages that were not acknowledged, not the listing. */
static void a_kill_costs_little(void **state)
{
    struct plan plan = {
        .seed = 9, .rows = 20000, .total_max = 10000, .kills = 4, .listing = "merge_requests"};
    struct world w;

    (void)state;
    world_new(&w, &plan);
    run_to_its_end(&w);
    (void)all_is_there(&w);
    assert_int_equal(w.killed, 4);
    assert_true(w.listing.requests < 210 + 4 * 34);
    world_free(&w);
}

/* Another member takes the project over: this one saves what it has read and stops, and the other
 * goes on there. */
static void another_member_goes_on(void **state)
{
    const struct plan plan = {
        .seed = 6, .rows = 20000, .total_max = 10000, .listing = "merge_requests"};
    struct world w;

    (void)state;
    world_new(&w, &plan);
    while (w.listing.requests < 50) {
        one_step(&w);
    }
    w.reader.foreign = true;
    listings_stop_foreign(&w.reader.listings);
    while (!th_reader_rests(&w.reader)) {
        one_step(&w);
    }
    assert_int_equal(w.reader.result.outcome, LISTING_MORE);
    assert_int_equal(w.reader.result.error[0], '\0');
    assert_in_range(w.listing.requests, 50, 58); /* those that were under way */
    w.reader.foreign = false;
    die_and_be_born(&w);
    run_to_its_end(&w);
    (void)all_is_there(&w);
    assert_in_range(w.listing.requests, 200, 220);
    world_free(&w);
}

/* The connection is disconnected: what is under way comes to nothing, and no further request. */
static void stopped_in_the_middle(void **state)
{
    const struct plan plan = {
        .seed = 7, .rows = 20000, .total_max = 10000, .listing = "merge_requests"};
    struct world w;

    (void)state;
    world_new(&w, &plan);
    while (w.listing.requests < 50) {
        one_step(&w);
    }
    w.reader.stopped = true;
    client_stop(w.reader.client);
    while (!th_reader_rests(&w.reader)) {
        one_step(&w);
    }
    assert_int_equal(w.reader.ended, 1);
    assert_int_equal(w.reader.result.outcome, LISTING_CANNOT_GO_ON);
    assert_int_equal(w.reader.result.why, CLIENT_FAILED);
    assert_in_range(w.listing.requests, 50, 58);
    world_free(&w);
}

/* Each allocation while an answer is taken fails once: the run says so or goes on, no row is lost.
 */
static void without_memory(void **state)
{
    const struct plan plan = {
        .seed = 4, .rows = 150, .total_max = 10000, .no_memory = true, .listing = "merge_requests"};
    bool more = true;
    long n = 0;

    (void)state;
    for (; more; n++) {
        struct world w;

        assert_true(n < 20000);
        world_new(&w, &plan);
        w.fault.left = n;
        run_to_its_end(&w);
        more = w.fault_reached;
        w.plan.no_memory = false;
        run_again(&w);
        (void)all_is_there(&w);
        world_free(&w);
    }
    assert_true(n > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed),
        cmocka_unit_test(many_pages_at_once),
        cmocka_unit_test(with_changes),
        cmocka_unit_test(with_one_time_for_thousands),
        cmocka_unit_test(a_refused_offset_is_read_by_keyset),
        cmocka_unit_test(without_headers),
        cmocka_unit_test(keyset_without_headers_is_stuck),
        cmocka_unit_test(with_faults),
        cmocka_unit_test(one_bad_row),
        cmocka_unit_test(many_bad_rows),
        cmocka_unit_test(bad_rows_among_changes_and_kills),
        cmocka_unit_test(nothing_is_served),
        cmocka_unit_test(with_kills),
        cmocka_unit_test(a_kill_costs_little),
        cmocka_unit_test(another_member_goes_on),
        cmocka_unit_test(stopped_in_the_middle),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests_name("with a large queue", tests, th_reader_large_queue, NULL) +
           cmocka_run_group_tests_name("with a queue of 4 records", tests, th_reader_tiny_queue,
                                       NULL);
}
