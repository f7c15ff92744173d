/*
 * Sweeps against a model of GitLab: issues come, go and come back between any two requests,
 * requests fail, answers come in any order, the fetcher is killed anywhere. Whatever happens:
 * nothing is reported as gone that was there all the time, and once it is quiet every number has its
 * right fate.
 */
#include "tests/lib/th_cmocka.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "tests/lib/bus_mem.h"
#include "common/event/raw_event.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/run.h"
#include "stages/fetcher/conn/status.h"
#include "tests/lib/httpc_script.h"
#include "tests/lib/th_fetcher.h"

#define INSTANCE "https://gitlab.example.com"
#define START_MS INT64_C(1700000000000)

enum { NUMBERS = 400, PER_PAGE = 100, STEPS_MAX = 300000, ID_OFFSET = 5000 };

struct issue {
    bool there;
    bool was_gone; /* at any time */
    int64_t updated_ms;
};

struct world {
    uint64_t random;
    struct issue issues[NUMBERS + 1];
    unsigned last; /* highest number given */
    unsigned changes;
    unsigned faults; /* per thousand answers */
    unsigned kills;
    bool project_there;
    bool project_was_gone;
    int64_t now_ms;
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct th_script *http;
    struct wh_producer *producer;
    struct fetcher *f;
    int64_t hold_min;
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
    return ((struct world *)ctx)->now_ms;
}

static int64_t clock_mono(void *ctx)
{
    return ((struct world *)ctx)->now_ms * 1000000;
}

/* ---- GitLab ---- */

static void put_issue(const struct world *w, unsigned number, struct wh_buf *out)
{
    char created[WH_TIME_TEXT_MAX];
    char updated[WH_TIME_TEXT_MAX];
    struct wh_err err;

    th_ok(wh_buf_printf(out, &err,
                        "{\"id\":%u,\"iid\":%u,\"created_at\":\"%s\",\"updated_at\":\"%s\","
                        "\"confidential\":false}",
                        number + ID_OFFSET, number,
                        wh_time_format(START_MS + (int64_t)number * 1000, created),
                        wh_time_format(w->issues[number].updated_ms, updated)),
          &err);
}

static int64_t query_number(struct wh_slice url, const char *name, int64_t otherwise)
{
    const char *at = memmem(url.ptr, url.len, name, strlen(name));

    return at ? strtoll(at + strlen(name), NULL, 10) : otherwise;
}

static int64_t query_time(struct wh_slice url, const char *name, int64_t otherwise)
{
    const char *at = memmem(url.ptr, url.len, name, strlen(name));
    WH_AUTO(buf) struct wh_buf text;
    struct wh_slice value;
    struct wh_instant when;
    struct wh_err err;
    size_t len = 0;

    wh_buf_init(&text, 256);
    if (at == NULL) {
        return otherwise;
    }
    at += strlen(name);
    while (at + len < url.ptr + url.len && at[len] != '&') {
        len++;
    }
    value = wh_slice(at, len);
    th_ok(wh_percent_decode(value, true, &text, &err), &err);
    th_ok(wh_time_parse(wh_buf_slice(&text), &when, &err), &err);
    return when.ms;
}

/* By creation or by update: rows in that order, page by page. */
static void answer_list(struct world *w, struct wh_slice url, struct th_script_answer *a)
{
    bool by_creation = memmem(url.ptr, url.len, "created_at", 10) != NULL;
    int64_t page = query_number(url, "&page=", query_number(url, "?page=", 1));
    int64_t after_ms = query_time(url, "updated_after=", 0);
    int64_t before_ms = query_time(url, "updated_before=", INT64_MAX);
    unsigned order[NUMBERS];
    unsigned n = 0;
    struct wh_err err;

    for (unsigned i = 1; i <= w->last; i++) {
        if (w->issues[i].there && (by_creation || (w->issues[i].updated_ms >= after_ms &&
                                                   w->issues[i].updated_ms <= before_ms))) {
            order[n++] = i;
        }
    }
    for (unsigned i = 0; !by_creation && i < n; i++) {
        for (unsigned k = i;
             k > 0 && w->issues[order[k - 1]].updated_ms > w->issues[order[k]].updated_ms; k--) {
            unsigned swap = order[k];

            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    }
    th_ok(wh_buf_append(&a->body, WH_LIT("["), &err), &err);
    for (unsigned i = (unsigned)(page - 1) * PER_PAGE; i < n && i < page * PER_PAGE; i++) {
        if (i > (unsigned)(page - 1) * PER_PAGE) {
            th_ok(wh_buf_append(&a->body, WH_LIT(","), &err), &err);
        }
        put_issue(w, order[i], &a->body);
    }
    th_ok(wh_buf_append(&a->body, WH_LIT("]"), &err), &err);
    if (page * PER_PAGE < n) {
        th_script_header(a, "x-next-page", "%" PRId64, page + 1);
    } else {
        th_script_header(a, "x-next-page", "%s", "");
    }
}

static void fail_on_purpose(struct world *w, struct th_script_answer *a)
{
    static const unsigned bad[] = {429, 502, 500, 503};

    if (dice(w, 2)) {
        a->rc = dice(w, 2) ? WH_E_NET : WH_E_TIMEOUT;
    } else {
        a->status = bad[dice(w, 4)];
    }
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    static const char single[] = "/api/v4/projects/7/issues/";
    struct world *w = ctx;
    const char *at = memmem(url.ptr, url.len, single, sizeof(single) - 1);
    struct wh_err err;

    (void)secret;
    if (dice(w, 1000) < w->faults) {
        fail_on_purpose(w, a);
    } else if (at) {
        int64_t number = strtoll(at + sizeof(single) - 1, NULL, 10);

        if (w->project_there && number <= w->last && w->issues[number].there) {
            put_issue(w, (unsigned)number, &a->body);
        } else {
            a->status = 404;
        }
    } else if (memmem(url.ptr, url.len, "/api/v4/projects?", 17)) {
        th_ok(wh_buf_append(
                  &a->body,
                  w->project_there
                      ? WH_LIT("[{\"id\":7,\"path_with_namespace\":\"a/b\",\"permissions\":{"
                               "\"project_access\":{\"access_level\":30}}}]")
                      : WH_LIT("[]"),
                  &err),
              &err);
    } else if (memmem(url.ptr, url.len, "/api/v4/user", 12)) {
        th_ok(wh_buf_append(&a->body, WH_LIT("{}"), &err), &err);
    } else if (!w->project_there) {
        a->status = 404;
    } else if (memmem(url.ptr, url.len, "/projects/7/issues?", 19)) {
        answer_list(w, url, a);
    } else {
        th_ok(wh_buf_append(&a->body, WH_LIT("[]"), &err), &err);
    }
}

/* ---- what happens meanwhile ---- */

static void vanish(struct world *w, unsigned number)
{
    w->issues[number].there = false;
    w->issues[number].was_gone = true;
}

static void change(struct world *w)
{
    unsigned number = 1 + (unsigned)dice(w, w->last);

    w->now_ms += 1000;
    switch (dice(w, 6)) {
    case 0:
        if (w->last < NUMBERS) {
            w->issues[++w->last] = (struct issue){.there = true, .updated_ms = w->now_ms};
        }
        break;
    case 1:
    case 2:
        vanish(w, number);
        break;
    case 3:
        /* Hidden and shown again: its updated_at stays. */
        w->issues[number].there = true;
        break;
    default:
        w->issues[number].updated_ms = w->now_ms;
        break;
    }
}

/* ---- a fetcher ---- */

static void be_born(struct world *w)
{
    struct fetcher_deps deps = {
        .loop = w->loop,
        .clock = {.now_ms = clock_now, .mono_ns = clock_mono, .ctx = w},
        .http = th_script_http(w->http),
        .conf = th_fetcher_conf(),
    };

    deps.conf.hold_min = w->hold_min;
    deps.conf.numbers_max = 1000;
    th_fetcher_new(&deps, w->bus, &w->producer, &w->f);
    th_fetcher_connect(w->f, INSTANCE, "", "read_api", WH_LIT("glpat-1"));
    th_fetcher_take_state(w->f, w->bus);
    w->f->conns->run.want_verify = true; /* every run lists everything */
    fetcher_start(w->f);
}

static void die(struct world *w)
{
    fetcher_drain(w->f);
    wh_producer_free(w->producer);
    fetcher_free(w->f);
}

static void world_new(struct world *w, uint64_t seed, unsigned issues, int64_t hold_min)
{
    static const char *const topics[] = {"fetch-state", "connections", "runs",
                                         "rereads",     "raw.c",       "health"};
    struct wh_err err;

    *w = (struct world){.random = seed * 2654435761u + 88172645463325252u,
                        .last = issues,
                        .project_there = true,
                        .hold_min = hold_min,
                        .now_ms = START_MS + INT64_C(10000000)};
    for (unsigned i = 1; i <= issues; i++) {
        w->issues[i] = (struct issue){.there = true, .updated_ms = START_MS + (int64_t)i * 1000};
    }
    w->bus = wh_bus_mem_new();
    w->loop = wh_loop_new();
    w->http = th_script_new(gitlab, w);
    assert_true(w->bus && w->loop && w->http);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        th_ok(wh_bus_mem_topic(w->bus, topics[i], 1, &err), &err);
    }
}

static void world_free(struct world *w)
{
    die(w);
    th_script_free(w->http);
    wh_loop_free(w->loop);
    wh_bus_mem_free(w->bus);
}

static void one_step(struct world *w)
{
    uint64_t what = dice(w, 100);

    wh_loop_turn(w->loop, false);
    if (w->kills > 0 && dice(w, 60) == 0) {
        w->kills--;
        die(w);
        be_born(w);
    } else if (what < 65 && th_script_waiting(w->http)) {
        th_script_answer_one(w->http, dice(w, th_script_waiting(w->http)));
    } else if (what < 90) {
        (void)wh_producer_poll(w->producer, 0);
    } else if (w->changes > 0) {
        w->changes--;
        change(w);
    } else if (!th_script_waiting(w->http) && !wh_producer_pending(w->producer)) {
        w->now_ms += 200;
        wh_loop_turn(w->loop, true);
    }
}

/* What the status says of the lists of the run: never more read than there are, and in the end all. */
static void check_lists(const struct world *w, bool ended)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 32);
    struct wh_json_val root;
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_json_writer writer;
    struct wh_buf text;
    struct wh_err err;

    assert_non_null(parser);
    wh_buf_init(&text, 1 << 20);
    wh_json_writer_init(&writer, &text);
    status_write(w->f, &writer, true);
    th_ok(wh_jw_finish(&writer, &err), &err);
    th_ok(wh_json_parse(parser, wh_buf_slice(&text), &root, &err), &err);
    assert_true(wh_json_get(root, WH_LIT("connections"), &list));
    it = wh_json_iter(list);
    assert_true(wh_json_next(&it, &key, &c));
    assert_true(wh_json_get_int(c, "lists_read", -1) >= 0);
    assert_true(wh_json_get_int(c, "lists_read", -1) <= wh_json_get_int(c, "lists", -1));
    if (ended) {
        assert_int_equal(wh_json_get_int(c, "lists_read", -1), wh_json_get_int(c, "lists", -1));
    }
    wh_buf_done(&text);
    wh_json_parser_free(parser);
}

/* To the end of a run that went well. */
static void run(struct world *w)
{
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        struct conn *c = w->f->conns;

        if (c->run.phase == RUN_IDLE && c->run.count > 0 && !outbox_pending(w->f->outbox)) {
            check_lists(w, true);
            if (!c->run.failed) {
                return;
            }
            c->run.want_verify = true;
            conn_run(c);
        }
        if (i % 256 == 0) {
            check_lists(w, false);
        }
        one_step(w);
    }
    fail_msg("the run does not end");
}

static void run_again(struct world *w)
{
    w->now_ms += 60000;
    w->f->conns->run.count = 0;
    w->f->conns->run.want_verify = true;
    conn_run(w->f->conns);
    run(w);
}

/* ---- what must hold ---- */

/* How an entity ends up: by the newest of its events, as versions order them. */
struct fold {
    int64_t at_ms;
    bool gone;
    bool seen;
};

static void fold_event(struct world *w, const struct wh_raw_event *e, struct fold *folds)
{
    bool gone = wh_slice_eq(e->kind, WH_LIT("gone"));
    bool back = wh_slice_eq(e->kind, WH_LIT("back"));
    struct wh_err err;
    int64_t id = 0;
    struct fold *f;
    int64_t at_ms;

    if ((!gone && !back && !wh_slice_eq(e->kind, WH_LIT("issue"))) || e->project.len == 0) {
        return;
    }
    th_ok(wh_num_i64(e->object_id, &id, &err), &err);
    assert_in_range(id - ID_OFFSET, 1, NUMBERS);
    f = &folds[id - ID_OFFSET];
    if (gone && !w->issues[id - ID_OFFSET].was_gone && !w->project_was_gone) {
        fail_msg("issue %" PRId64 " was there all the time and is told to be gone", id - ID_OFFSET);
    }
    at_ms = gone || back ? e->observed_at_ms : START_MS; /* rows are older than what is told here */
    f->seen = f->seen || (!gone && !back);
    if ((gone || back) && at_ms >= f->at_ms) {
        f->at_ms = at_ms;
        f->gone = gone;
    }
}

static unsigned check_raw(struct world *w, struct fold folds[NUMBERS + 1])
{
    const struct wh_bus_header *headers;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    unsigned gone = 0;
    size_t n;

    memset(folds, 0, sizeof(*folds) * (NUMBERS + 1));
    wh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; wh_bus_mem_get(w->bus, "raw.c", i, &msg, &headers, &n); i++) {
        struct wh_raw_event e;

        wh_arena_reset(&arena);
        th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
        fold_event(w, &e, folds);
    }
    wh_arena_done(&arena);
    for (unsigned i = 1; i <= NUMBERS; i++) {
        gone += folds[i].gone;
    }
    return gone;
}

/* All is quiet and one more sweep went well: every number has its fate. */
static void all_is_known(struct world *w)
{
    struct fold folds[NUMBERS + 1];
    const struct numbers *n = numbers_of(w->f->numbers, "c", "7", NUMBERS_ISSUES, false);

    (void)check_raw(w, folds);
    assert_non_null(n);
    assert_int_equal(number_set_counts(n->set).missing, 0);
    assert_int_equal(number_set_counts(n->set).held, 0);
    for (unsigned i = 1; i <= w->last; i++) {
        struct number_set_entry e = number_set_get(n->set, i);

        if (w->issues[i].there) {
            assert_true(folds[i].seen);
            assert_false(folds[i].gone);
            assert_int_equal(e.fate, NUMBER_HAVE);
        } else if (folds[i].seen) {
            assert_true(folds[i].gone);
            assert_int_equal(e.fate, NUMBER_DELETED);
        }
    }
}

/* ---- tests ---- */

static void whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world w;

        world_new(&w, seed, 250 + (unsigned)seed, 1000);
        w.changes = seed % 5 ? 120 : 0;
        w.faults = seed % 3 ? 0 : 40;
        w.kills = seed % 4 ? 0 : 4;
        be_born(&w);
        run(&w);
        for (int i = 0; i < 3; i++) {
            w.changes += 40;
            run_again(&w);
        }
        w.changes = 0;
        w.faults = 0;
        run_again(&w); /* what went has the first 404 */
        run_again(&w);
        all_is_known(&w);
        world_free(&w);
    }
}

/* Every answer of the sweep is bad: nothing is gone, whatever is. */
static void nothing_from_bad_answers(void **state)
{
    struct fold folds[NUMBERS + 1];
    struct world w;

    (void)state;
    world_new(&w, 77, 300, 1000);
    be_born(&w);
    run(&w);
    for (unsigned i = 1; i <= 300; i += 3) {
        vanish(&w, i);
    }
    w.faults = 1000;
    w.f->conns->run.count = 0;
    w.f->conns->run.want_verify = true;
    conn_run(w.f->conns);
    for (unsigned i = 0; i < 600; i++) {
        one_step(&w);
    }
    assert_int_equal(check_raw(&w, folds), 0);
    w.faults = 0;
    run(&w);
    run_again(&w);
    assert_int_equal(check_raw(&w, folds), 100);
    all_is_known(&w);
    world_free(&w);
}

/* GitLab shows less than it has, for one run: the list lacks objects, and single reads answer 404. */
static void not_there_once(void **state)
{
    struct world w;

    (void)state;
    world_new(&w, 9, 200, 1000);
    be_born(&w);
    run(&w);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1 + round; i <= 200; i += 4) {
            w.issues[i].there = false;
        }
        run_again(&w);
        assert_int_equal(absences_unsure(w.f->absences, "c"), 50);
        for (unsigned i = 1; i <= 200; i++) {
            w.issues[i].there = true;
        }
        run_again(&w);
        assert_int_equal(absences_unsure(w.f->absences, "c"), 0);
    }
    w.project_there = false;
    run_again(&w);
    w.project_there = true;
    run_again(&w);
    all_is_known(&w); /* and nothing was told */
    world_free(&w);
}

static void a_mass_waits(void **state)
{
    struct fold folds[NUMBERS + 1];
    struct world w;

    (void)state;
    world_new(&w, 5, 200, 10);
    be_born(&w);
    run(&w);
    for (unsigned i = 1; i <= 60; i++) {
        vanish(&w, i);
    }
    run_again(&w);
    assert_int_equal(w.f->conns->run.held, 0);
    die(&w); /* whoever goes on knows the first answers */
    be_born(&w);
    run(&w);
    run_again(&w);
    assert_int_equal(check_raw(&w, folds), 0);
    assert_int_equal(w.f->conns->run.held, 60);
    /* Another process knows what is held; some of it is shown again; a person lets the rest go. */
    die(&w);
    be_born(&w);
    run(&w);
    assert_int_equal(check_raw(&w, folds), 0);
    for (unsigned i = 1; i <= 20; i++) {
        w.issues[i].there = true;
    }
    w.f->conns->run.want_confirm = true;
    run_again(&w);
    assert_int_equal(check_raw(&w, folds), 40);
    assert_int_equal(w.f->conns->run.held, 0);
    all_is_known(&w);
    world_free(&w);
}

static void a_project_goes_and_returns(void **state)
{
    struct fold folds[NUMBERS + 1];
    struct world w;

    (void)state;
    world_new(&w, 6, 150, 1000);
    be_born(&w);
    run(&w);
    w.project_there = false;
    w.project_was_gone = true;
    run_again(&w);
    assert_int_equal(check_raw(&w, folds), 0);
    run_again(&w);
    assert_int_equal(check_raw(&w, folds), 150);
    w.project_there = true;
    w.now_ms += 1000;
    run_again(&w);
    assert_int_equal(check_raw(&w, folds), 0);
    all_is_known(&w);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens),
        cmocka_unit_test(nothing_from_bad_answers),
        cmocka_unit_test(not_there_once),
        cmocka_unit_test(a_mass_waits),
        cmocka_unit_test(a_project_goes_and_returns),
    };

    return cmocka_run_group_tests_name("with a large queue", tests, th_fetcher_large_queue, NULL) +
           cmocka_run_group_tests_name("with a queue of 4 records", tests, th_fetcher_tiny_queue,
                                       NULL);
}
