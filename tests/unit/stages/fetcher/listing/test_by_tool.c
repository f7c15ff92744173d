/*
 * Listings by MCP tools against a model of GitLab's server: the reader dies anywhere, rows come,
 * go and change, cursors are refused. What is there at the end is in Kafka, details included, and a
 * page that was acknowledged is not read again.
 */
#include "tests/lib/th_cmocka.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "tests/lib/httpc_script.h"
#include "tests/lib/th_reader.h"

enum { ROWS_MAX = 1200, PAGE = 100, STEPS_MAX = 400000, START_MS = 1700000000 };

enum listing_of {
    MERGE_REQUESTS, /* by cursor, without times */
    WORK_ITEMS,     /* by cursor, those updated after a time */
    PIPELINES,      /* by number, newest first */
    LISTINGS
};
/* Of one object: it is not there, the tool fails, it shows something else, the server fails. */
enum bad_detail { GOOD, NOT_FOUND, FAILS, NO_OBJECT, STATUS_500 };
/* The last one takes a while: it is tried again. */
enum refusal { TOOL_ERROR, RPC_ERROR, NO_ROWS, SERVER_ERROR, REFUSALS };

struct object {
    bool there;
    unsigned version;
    int64_t updated_ms;
};

struct world {
    enum listing_of listing;
    uint64_t random;
    struct object rows[ROWS_MAX]; /* by number */
    unsigned n;
    int64_t now_ms;
    unsigned epoch; /* of cursors: those of another one are refused */
    enum refusal refusal;
    unsigned denied; /* every answer has this status; 0: none */
    bool fails;      /* the tools that list report a failure */
    bool limited;    /* details are refused by a rate limit */
    unsigned lists;
    unsigned first_pages;
    unsigned refused;
    unsigned details[ROWS_MAX];
    enum bad_detail bad[ROWS_MAX];
    unsigned asked; /* for details */
    struct wh_json_parser *parser;
    struct th_reader reader;
    struct th_script *http;
    bool started; /* the listing that start asked for */
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
    (void)ctx;
    return 42;
}

/* ---- GitLab ---- */

static void put(struct wh_buf *out, const char *fmt, ...) WH_PRINTF(2, 3);
static void put(struct wh_buf *out, const char *fmt, ...)
{
    char text[512];
    struct wh_err err;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    th_ok(wh_buf_append(out, wh_slice_str(text), &err), &err);
}

static int64_t number_at(struct wh_json_val v, const char *key, int64_t otherwise)
{
    struct wh_json_val found;

    return wh_json_get(v, wh_slice_str(key), &found) ? wh_json_int(found) : otherwise;
}

static void tool_error(struct wh_buf *out, const char *type)
{
    put(out,
        "\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],"
        "\"structuredContent\":{\"error\":{\"type\":\"%s\"}}}",
        type, type);
}

static void refuse(struct world *w, struct th_script_answer *a)
{
    w->refused++;
    switch (w->refusal) {
    case TOOL_ERROR:
        tool_error(&a->body, "invalid");
        break;
    case RPC_ERROR:
        put(&a->body, "\"error\":{\"code\":-32602,\"message\":\"no such cursor\"}");
        break;
    case SERVER_ERROR:
        a->status = 500;
        break;
    case NO_ROWS:
    case REFUSALS:
    default:
        put(&a->body, "\"result\":{\"structuredContent\":{\"nodes\":[],\"pageInfo\":"
                      "{\"hasNextPage\":false,\"endCursor\":null}}}");
    }
}

/* One object by cursor: of a work item the time is there, too. */
static void put_node(const struct world *w, unsigned number, struct wh_buf *out)
{
    const struct object *o = &w->rows[number];
    char time[WH_TIME_TEXT_MAX];

    put(out, "\"id\":\"gid://gitlab/X/%u\",\"iid\":\"%u\",\"title\":\"v%u\"", number, number,
        o->version);
    if (w->listing == WORK_ITEMS) {
        put(out, ",\"updatedAt\":\"%s\"", wh_time_format(o->updated_ms, time));
    }
}

/* Newest number first. */
static void list_by_cursor(struct world *w, struct wh_json_val arguments,
                           struct th_script_answer *a)
{
    struct wh_instant since = {0};
    struct wh_json_val v;
    unsigned below = w->n + 1;
    unsigned epoch = w->epoch;
    unsigned last = 0;
    unsigned n = 0;
    struct wh_err err;

    w->lists++;
    assert_int_equal(number_at(arguments, "first", 0), PAGE);
    if (w->listing == WORK_ITEMS) {
        assert_true(wh_json_get(arguments, WH_LIT("state"), &v));
        th_slice_is(wh_json_string(v), "all");
    } else {
        assert_false(wh_json_get(arguments, WH_LIT("state"), &v));
    }
    if (wh_json_get(arguments, WH_LIT("updated_after"), &v)) {
        th_ok(wh_time_parse(wh_json_string(v), &since, &err), &err);
    }
    if (wh_json_get(arguments, WH_LIT("after"), &v)) {
        assert_int_equal(sscanf(wh_json_string(v).ptr, "e%u_%u", &epoch, &below), 2);
    } else {
        w->first_pages++;
    }
    if (epoch != w->epoch) {
        refuse(w, a);
        return;
    }
    put(&a->body, "\"result\":{\"structuredContent\":{\"nodes\":[");
    for (unsigned i = below - 1; i >= 1 && n < PAGE; i--) {
        if (w->rows[i].there && w->rows[i].updated_ms >= since.ms) {
            put(&a->body, "%s{", n++ ? "," : "");
            put_node(w, i, &a->body);
            put(&a->body, "}");
            last = i;
        }
    }
    put(&a->body, "],\"pageInfo\":{\"hasNextPage\":%s,\"endCursor\":\"e%u_%u\"}}}",
        n == PAGE ? "true" : "false", w->epoch, last);
}

static void get_one(struct world *w, struct wh_json_val arguments, struct th_script_answer *a)
{
    struct wh_buf *out = &a->body;
    int64_t iid =
        number_at(arguments, "merge_request_iid", number_at(arguments, "work_item_iid", 0));

    assert_in_range(iid, 1, w->n);
    w->asked++;
    if (w->limited) {
        tool_error(out, "rate_limit_exceeded");
    } else if (!w->rows[iid].there || w->bad[iid] == NOT_FOUND) {
        tool_error(out, "Merge request Not Found: it does not exist or you have no access to it");
    } else if (w->bad[iid] == FAILS) {
        tool_error(out, "Something went wrong");
    } else if (w->bad[iid] == NO_OBJECT) {
        put(out, "\"result\":{\"structuredContent\":{}}");
    } else if (w->bad[iid] == STATUS_500) {
        a->status = 500;
    } else {
        w->details[iid]++;
        put(out, "\"result\":{\"structuredContent\":{");
        put_node(w, (unsigned)iid, out);
        put(out, ",\"description\":\"d\"}}");
    }
}

static void list_pipelines(struct world *w, struct wh_json_val arguments, struct wh_buf *out)
{
    int64_t from = (number_at(arguments, "page", 1) - 1) * PAGE;
    static unsigned order[ROWS_MAX];
    unsigned n = 0;

    w->lists++;
    w->first_pages += from == 0;
    for (unsigned i = 1; i <= w->n; i++) {
        unsigned k = n;

        if (!w->rows[i].there) {
            continue;
        }
        for (; k > 0 && w->rows[order[k - 1]].updated_ms <= w->rows[i].updated_ms; k--) {
            order[k] = order[k - 1];
        }
        order[k] = i;
        n++;
    }
    put(out, "\"result\":{\"structuredContent\":{\"items\":[");
    for (unsigned i = (unsigned)from; i < n && i < from + PAGE; i++) {
        char time[WH_TIME_TEXT_MAX];

        put(out, "%s{\"id\":%u,\"status\":\"v%u\",\"updated_at\":\"%s\"}", i > from ? "," : "",
            order[i], w->rows[order[i]].version,
            wh_time_format(w->rows[order[i]].updated_ms, time));
    }
    put(out, "]}}");
}

static void list_tools(const struct world *w, struct wh_buf *out)
{
    static const char *const tools[LISTINGS] = {
        [MERGE_REQUESTS] = "{\"name\":\"list_merge_requests\",\"inputSchema\":{\"type\":\"object\","
                           "\"properties\":{\"project_id\":{},\"first\":{},\"after\":{}}}},"
                           "{\"name\":\"get_merge_request\",\"inputSchema\":{\"type\":\"object\","
                           "\"properties\":{\"project_id\":{},\"merge_request_iid\":{}}}}",
        [WORK_ITEMS] = "{\"name\":\"list_work_items\",\"inputSchema\":{\"type\":\"object\","
                       "\"properties\":{\"project_id\":{},\"first\":{},\"after\":{},"
                       "\"state\":{},\"updated_after\":{}}}},"
                       "{\"name\":\"get_work_item\",\"inputSchema\":{\"type\":\"object\","
                       "\"properties\":{\"project_id\":{},\"work_item_iid\":{}}}}",
        [PIPELINES] = "{\"name\":\"list_pipelines\",\"inputSchema\":{\"type\":\"object\","
                      "\"properties\":{\"id\":{},\"order_by\":{},\"sort\":{},\"page\":{},"
                      "\"per_page\":{}}}}",
    };

    put(out, "\"result\":{\"tools\":[%s]}", tools[w->listing]);
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct world *w = ctx;
    struct wh_json_val root;
    struct wh_json_val method;
    struct wh_json_val params;
    struct wh_json_val name;
    struct wh_json_val arguments;
    struct wh_err err;

    (void)secret;
    assert_non_null(memmem(url.ptr, url.len, "/api/v4/mcp", 11));
    if (w->denied) {
        a->status = w->denied;
        return;
    }
    if (wh_json_parse(w->parser, a->request, &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("id"), &method)) {
        a->status = 202; /* a notice */
        return;
    }
    put(&a->body, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",", wh_json_int(method));
    assert_true(wh_json_get(root, WH_LIT("method"), &method));
    if (wh_slice_eq(wh_json_string(method), WH_LIT("initialize"))) {
        put(&a->body, "\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
                      "\"serverInfo\":{\"name\":\"t\",\"version\":\"19.4\"}}");
    } else if (wh_slice_eq(wh_json_string(method), WH_LIT("tools/list"))) {
        list_tools(w, &a->body);
    } else {
        assert_true(wh_json_get(root, WH_LIT("params"), &params));
        assert_true(wh_json_get(params, WH_LIT("name"), &name));
        assert_true(wh_json_get(params, WH_LIT("arguments"), &arguments));
        if (wh_slice_starts(wh_json_string(name), WH_LIT("get_"))) {
            get_one(w, arguments, a);
        } else if (w->fails) {
            put(&a->body, "\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":"
                          "\"Project not found or inaccessible\"}]}");
        } else if (w->listing == PIPELINES) {
            list_pipelines(w, arguments, &a->body);
        } else {
            list_by_cursor(w, arguments, a);
        }
    }
    put(&a->body, "}");
}

/* ---- what happens meanwhile ---- */

static void touch(struct world *w, unsigned number)
{
    w->now_ms += 1000;
    w->rows[number].there = true;
    w->rows[number].version++;
    w->rows[number].updated_ms = w->now_ms;
}

static void add(struct world *w, unsigned n)
{
    while (n-- && w->n + 1 < ROWS_MAX) {
        touch(w, ++w->n);
    }
}

static void change(struct world *w)
{
    unsigned number = 1 + (unsigned)dice(w, w->n);

    switch (dice(w, 8)) {
    case 0:
        w->rows[number].there = false;
        break;
    case 1:
        add(w, 1 + (unsigned)dice(w, 5));
        break;
    case 2:
        /* In the midst of a walk, no rows are the end. */
        w->epoch += w->refusal != NO_ROWS && dice(w, 4) == 0;
        break;
    default:
        if (w->rows[number].there) {
            touch(w, number);
        }
    }
}

/* ---- a reader ---- */

static void on_tools(void *ctx, const struct mcp_answer *a)
{
    static const struct {
        const char *stream;
        const char *tool;
    } lists[LISTINGS] = {
        [MERGE_REQUESTS] = {"merge_requests", "list_merge_requests"},
        [WORK_ITEMS] = {"issues", "list_work_items"},
        [PIPELINES] = {"pipelines", "list_pipelines"},
    };
    struct world *w = ctx;

    assert_int_equal(a->outcome, MCP_OK);
    w->started = true;
    th_reader_start(&w->reader, lists[w->listing].stream, lists[w->listing].tool);
}

static void start(struct world *w)
{
    struct wh_err err;

    w->started = false;
    th_ok(mcp_list_tools(w->reader.mcp, on_tools, w, &err), &err);
}

static void be_born(struct world *w)
{
    th_reader_born(&w->reader);
    start(w);
}

static void die(struct world *w)
{
    th_reader_die(&w->reader);
    while (th_script_waiting(w->http)) {
        th_script_answer_one(w->http, 0); /* the end of a session; nobody waits */
    }
}

static void world_new(struct world *w, enum listing_of listing, unsigned rows, uint64_t seed)
{
    struct wh_err err;

    memset(w, 0, sizeof(*w));
    w->listing = listing;
    w->now_ms = START_MS * INT64_C(1000);
    w->random = seed * 2654435761u + 88172645463325252u;
    add(w, rows);
    w->now_ms += 3600000;
    w->parser = wh_json_parser_new(1 << 20, 16);
    w->http = th_script_new(gitlab, w);
    assert_true(w->parser && w->http);
    w->reader = (struct th_reader){.bus = wh_bus_mem_new(),
                                   .loop = wh_loop_new(),
                                   .clock = {clock_now, clock_mono, w},
                                   .http = th_script_http(w->http),
                                   .read_links = true};
    assert_true(w->reader.bus && w->reader.loop);
    th_ok(wh_bus_mem_topic(w->reader.bus, "fetch-state", 1, &err), &err);
    th_ok(wh_bus_mem_topic(w->reader.bus, "raw.c", 2, &err), &err);
    be_born(w);
}

static void world_free(struct world *w)
{
    die(w);
    th_script_free(w->http);
    wh_loop_free(w->reader.loop);
    wh_bus_mem_free(w->reader.bus);
    wh_json_parser_free(w->parser);
}

/* ---- running it ---- */

/* Requests are answered, but nothing is acknowledged, until there is nothing more to answer. */
static void answer_all(struct world *w)
{
    for (unsigned i = 0; i < 8; i++) {
        wh_loop_turn(w->reader.loop, false);
        while (th_script_waiting(w->http)) {
            th_script_answer_one(w->http, 0);
            wh_loop_turn(w->reader.loop, false);
            i = 0;
        }
    }
}

/* Also what waits for room in the queue. */
static void deliver(struct world *w)
{
    while (!outbox_has_room(w->reader.outbox)) {
        (void)wh_producer_poll(w->reader.producer, 0);
        wh_loop_turn(w->reader.loop, false);
    }
    (void)wh_producer_poll(w->reader.producer, 0);
    wh_loop_turn(w->reader.loop, false);
}

static void one_step(struct world *w)
{
    wh_loop_turn(w->reader.loop, false);
    if (th_script_waiting(w->http) && dice(w, 4)) {
        th_script_answer_one(w->http, dice(w, th_script_waiting(w->http)));
    } else if (wh_producer_pending(w->reader.producer)) {
        deliver(w);
    } else if (!th_script_waiting(w->http)) {
        wh_loop_turn(w->reader.loop, true);
    }
}

static bool at_rest(struct world *w)
{
    return w->started && th_reader_rests(&w->reader);
}

static bool run_failed(const struct world *w)
{
    return w->reader.result.outcome == LISTING_CANNOT_GO_ON;
}

static void run_once(struct world *w)
{
    for (unsigned i = 0; !at_rest(w); i++) {
        assert_true(i < STEPS_MAX);
        one_step(w);
    }
}

static void run_again(struct world *w)
{
    w->now_ms += 60000;
    start(w);
    run_once(w);
}

/* Records of fetch-state that hold a place. */
static unsigned places(struct world *w)
{
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    unsigned found = 0;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(w->reader.bus, "fetch-state", i, &msg, &headers, &n); i++) {
        found += msg.value.len && memmem(msg.value.ptr, msg.value.len, "\"place\"", 7) != NULL;
    }
    return found;
}

static void run_to_place(struct world *w, unsigned n)
{
    for (unsigned i = 0; places(w) < n; i++) {
        assert_true(i < STEPS_MAX);
        one_step(w);
    }
}

static void die_and_be_born(struct world *w)
{
    die(w);
    be_born(w);
}

/* ---- what must hold ---- */

static void all_is_there(struct world *w)
{
    static unsigned listed[ROWS_MAX];
    static unsigned shown[ROWS_MAX];
    const struct wh_bus_header *headers;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    memset(listed, 0, sizeof(listed));
    memset(shown, 0, sizeof(shown));
    wh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; wh_bus_mem_get(w->reader.bus, "raw.c", i, &msg, &headers, &n); i++) {
        struct wh_raw_event e;
        struct wh_json_val root;
        struct wh_json_val v;
        unsigned *to = listed;
        unsigned version;
        unsigned number;

        wh_arena_reset(&arena);
        th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
        th_ok(wh_json_parse(w->parser, e.payload, &root, &err), &err);
        if (wh_json_get(root, WH_LIT("description"), &v)) {
            to = shown;
        }
        number = (unsigned)strtoul(e.object_id.ptr, NULL, 10);
        assert_true(
            wh_json_get(root, w->listing == PIPELINES ? WH_LIT("status") : WH_LIT("title"), &v));
        version = (unsigned)strtoul(wh_json_string(v).ptr + 1, NULL, 10);
        assert_in_range(number, 1, w->n);
        to[number] = version > to[number] ? version : to[number];
    }
    wh_arena_done(&arena);
    for (unsigned i = 1; i <= w->n; i++) {
        if (w->rows[i].there) {
            assert_int_equal(listed[i], w->rows[i].version);
            assert_true(w->listing == PIPELINES || shown[i] == w->rows[i].version);
        }
    }
}

/* ---- tests ---- */

static void nothing_is_saved_before_it_is_acknowledged(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 250, 1);
    while (w.lists == 0) {
        one_step(&w);
    }
    answer_all(&w);
    assert_int_equal(w.details[250], 0); /* the rows are not in Kafka */
    deliver(&w);
    answer_all(&w);
    assert_int_equal(w.details[250], 1);
    assert_int_equal(w.details[151], 1);
    /* The details are not in Kafka. */
    die_and_be_born(&w);
    assert_int_equal(places(&w), 0);
    run_to_place(&w, 1);
    assert_int_equal(w.first_pages, 2);
    run_once(&w);
    all_is_there(&w);
    /* Nothing new: no details, no more places. */
    assert_int_equal(places(&w), 2);
    run_again(&w);
    assert_int_equal(places(&w), 2);
    assert_int_equal(w.details[1], 1);
    world_free(&w);
}

static void goes_on_after_a_saved_page(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 450, 2);
    run_to_place(&w, 2);
    die(&w);
    add(&w, 20);
    touch(&w, 440);
    w.rows[240].there = false;
    be_born(&w);
    run_once(&w);
    assert_false(run_failed(&w));
    assert_int_equal(w.first_pages, 1);
    assert_int_equal(w.details[450], 1);
    assert_int_equal(w.details[251], 1);
    assert_int_equal(w.details[1], 1);
    /* What changed behind it is for the next run. */
    run_again(&w);
    all_is_there(&w);
    world_free(&w);
}

static void a_refused_cursor_starts_over(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REFUSALS; i++) {
        static struct world w;

        world_new(&w, MERGE_REQUESTS, 250, 3);
        w.refusal = (enum refusal)i;
        run_to_place(&w, 1);
        die(&w);
        w.epoch++;
        be_born(&w);
        run_once(&w);
        assert_false(run_failed(&w));
        assert_int_equal(w.first_pages, 2);
        assert_in_range(w.refused, 1, i == SERVER_ERROR ? 10 : 1);
        all_is_there(&w);
        world_free(&w);
    }
}

/* Cursors that are refused all the time: the run fails, each time after a whole try. */
static void refused_for_ever_is_no_loop(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 250, 4);
    for (unsigned i = 1; i < 4; i++) {
        run_to_place(&w, i);
        w.epoch++;
        run_once(&w);
        start(&w);
    }
    run_once(&w);
    assert_in_range(w.lists, 1, 20);
    run_again(&w);
    all_is_there(&w);
    world_free(&w);
}

/* A page whose details did not come is no known page, in the same life of the reader too. */
static void details_that_failed_come_later(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 50, 5);
    run_once(&w);
    touch(&w, 7);
    w.limited = true;
    run_again(&w);
    assert_true(run_failed(&w));
    w.limited = false;
    run_again(&w);
    assert_false(run_failed(&w));
    all_is_there(&w);
    world_free(&w);
}

/* One more run: so many details are asked for and so many are still owed. */
static void run_owes(struct world *w, unsigned asked, unsigned owed)
{
    w->asked = 0;
    run_again(w);
    assert_false(run_failed(w));
    assert_int_equal(w->reader.result.unread, owed);
    assert_int_equal(w->asked, asked);
}

/* Details that one object does not have are owed: nothing else waits for them, and they are asked for
 * until they come, or GitLab says that the object is not there. */
static void details_of_one_object_are_owed(void **state)
{
    static const enum bad_detail bad[] = {FAILS, NO_OBJECT};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        static struct world w;

        world_new(&w, i % 2 ? WORK_ITEMS : MERGE_REQUESTS, 250, 5);
        w.bad[7] = bad[i / 2];
        w.bad[120] = bad[i / 2];
        w.bad[121] = NOT_FOUND;
        run_once(&w);
        assert_false(run_failed(&w));
        assert_int_equal(w.reader.result.unread, 2);
        assert_non_null(strstr(w.reader.result.error, ": 2 rows are not read completely: get_"));
        assert_int_equal(w.asked, 250);
        assert_int_equal(w.details[8], 1);
        run_again(&w); /* the overlap is another page than the first one was */
        run_owes(&w, 2, 2);
        die_and_be_born(&w);
        w.bad[7] = NOT_FOUND;
        run_once(&w);
        assert_int_equal(w.reader.result.unread, 1);
        w.bad[120] = GOOD;
        run_owes(&w, 1, 0);
        assert_int_equal(w.details[120], 1);
        run_owes(&w, 0, 0);
        world_free(&w);
    }
}

static void a_server_that_fails_for_one_object(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 150, 5);
    w.bad[7] = STATUS_500;
    run_once(&w);
    assert_false(run_failed(&w));
    assert_int_equal(w.reader.result.unread, 1);
    w.bad[7] = GOOD;
    run_owes(&w, 1, 0);
    all_is_there(&w);
    world_free(&w);
}

/* It fails for each of them: that is no debt of each. */
static void a_server_that_fails_for_all_objects(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 150, 5);
    for (unsigned i = 1; i <= 150; i++) {
        w.bad[i] = STATUS_500;
    }
    run_once(&w);
    assert_true(run_failed(&w));
    assert_in_range(w.asked, 10, 200); /* with the attempts of each */
    memset(w.bad, 0, sizeof(w.bad));
    start(&w);
    run_once(&w);
    assert_false(run_failed(&w));
    all_is_there(&w);
    world_free(&w);
}

static void goes_on_by_number(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, PIPELINES, 650, 6);
    run_to_place(&w, 4);
    assert_int_equal(w.first_pages, 1);
    die(&w);
    add(&w, 130);
    touch(&w, 20);
    w.rows[640].there = false;
    be_born(&w);
    run_once(&w);
    assert_int_equal(w.first_pages, 1);
    run_again(&w);
    all_is_there(&w);
    world_free(&w);
}

/* A row behind us, changed, and later one before us: the next run begins before both. */
static void changes_behind_are_for_the_next_run(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, WORK_ITEMS, 250, 8);
    run_to_place(&w, 1);
    die(&w);
    touch(&w, 240);
    w.now_ms += 600000;
    touch(&w, 40);
    be_born(&w);
    run_once(&w);
    assert_int_equal(w.first_pages, 1);
    run_again(&w);
    all_is_there(&w);
    /* And only what is new comes again. */
    assert_int_equal(w.details[40], 2);
    assert_int_equal(w.details[41], 1);
    world_free(&w);
}

/* Rows that went before the place would have moved others behind it. */
static void goes_back_when_rows_are_gone(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, PIPELINES, 650, 7);
    run_to_place(&w, 3);
    die(&w);
    for (unsigned i = 500; i < 640; i++) {
        w.rows[i].there = false;
    }
    be_born(&w);
    run_once(&w);
    assert_int_equal(w.first_pages, 2);
    all_is_there(&w);
    world_free(&w);
}

/* Another member takes the project over: the page under way is saved, and no other is requested. */
static void another_member_goes_on(void **state)
{
    static struct world w;
    unsigned lists;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 450, 9);
    run_to_place(&w, 1);
    lists = w.lists;
    w.reader.foreign = true;
    listings_stop_foreign(&w.reader.listings);
    run_once(&w);
    assert_int_equal(w.reader.result.outcome, LISTING_MORE);
    assert_in_range(w.lists, lists, lists + 1);
    w.reader.foreign = false;
    die_and_be_born(&w);
    run_once(&w);
    assert_int_equal(w.reader.result.outcome, LISTING_ENDED);
    assert_int_equal(w.first_pages, 1);
    all_is_there(&w);
    world_free(&w);
}

/* The reason says what was refused; what that means for the connection is not the listing's. */
static void refusals_are_reported(void **state)
{
    static const struct {
        unsigned status;
        enum client_outcome why;
    } cases[] = {
        {401, CLIENT_SIGN_IN}, {403, CLIENT_DENIED}, {404, CLIENT_GONE}, {400, CLIENT_REFUSED}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct world w;

        world_new(&w, MERGE_REQUESTS, 250, 10);
        run_to_place(&w, 1);
        w.denied = cases[i].status;
        run_once(&w);
        assert_int_equal(w.reader.result.outcome, LISTING_CANNOT_GO_ON);
        assert_int_equal(w.reader.result.why, cases[i].why);
        assert_memory_equal(w.reader.result.error, "list_merge_requests: ", 21);
        world_free(&w);
    }
}

static void a_tool_that_fails_says_why(void **state)
{
    static struct world w;

    (void)state;
    world_new(&w, MERGE_REQUESTS, 250, 10);
    run_to_place(&w, 1);
    w.fails = true;
    run_once(&w);
    assert_int_equal(w.reader.result.outcome, LISTING_CANNOT_GO_ON);
    assert_int_equal(w.reader.result.why, CLIENT_REFUSED);
    assert_string_equal(w.reader.result.error,
                        "list_merge_requests: the tool says: Project not found or inaccessible");
    world_free(&w);
}

static void anything_at_any_time(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        static struct world w;
        bool whole = false;

        world_new(&w, (enum listing_of)(seed % LISTINGS), 450, seed);
        w.refusal = (enum refusal)(seed / LISTINGS % SERVER_ERROR);
        for (unsigned i = 0, killed = 0; !whole; i++) {
            assert_true(i < STEPS_MAX);
            one_step(&w);
            /* Rows that go between two pages by number are the server's, not ours, to show. */
            if (dice(&w, 30) == 0 && i < 4000) {
                if (w.listing == PIPELINES) {
                    touch(&w, 1 + (unsigned)dice(&w, w.n));
                } else {
                    change(&w);
                }
            }
            if (killed < 5 && dice(&w, 150) == 0) {
                killed++;
                die(&w);
                w.epoch += dice(&w, 3) == 0;
                be_born(&w);
            }
            if (at_rest(&w) && !(whole = !run_failed(&w))) {
                start(&w);
            }
        }
        run_again(&w);
        if (run_failed(&w)) {
            run_again(&w);
        }
        assert_false(run_failed(&w));
        all_is_there(&w);
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_saved_before_it_is_acknowledged),
        cmocka_unit_test(goes_on_after_a_saved_page),
        cmocka_unit_test(a_refused_cursor_starts_over),
        cmocka_unit_test(refused_for_ever_is_no_loop),
        cmocka_unit_test(details_that_failed_come_later),
        cmocka_unit_test(details_of_one_object_are_owed),
        cmocka_unit_test(a_server_that_fails_for_one_object),
        cmocka_unit_test(a_server_that_fails_for_all_objects),
        cmocka_unit_test(goes_on_by_number),
        cmocka_unit_test(changes_behind_are_for_the_next_run),
        cmocka_unit_test(goes_back_when_rows_are_gone),
        cmocka_unit_test(another_member_goes_on),
        cmocka_unit_test(refusals_are_reported),
        cmocka_unit_test(a_tool_that_fails_says_why),
        cmocka_unit_test(anything_at_any_time),
    };

    return cmocka_run_group_tests_name("with a large queue", tests, th_reader_large_queue, NULL) +
           cmocka_run_group_tests_name("with a queue of 4 records", tests, th_reader_tiny_queue,
                                       NULL);
}
