#include "tests/lib/th_reader.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/gitlab/streams.h"
#include "tests/lib/th_cmocka.h"

#define INSTANCE "https://gitlab.example.com"

enum {
    LARGE_QUEUE = 100000,
    TINY_QUEUE = 4,
    OVERLAP_MS = 30000,
    BODY_MAX = 16 << 20,
    DEPTH = 32,
    STEPS_MAX = 100000
};

static size_t queue_max_records = LARGE_QUEUE;

int th_reader_large_queue(void **state)
{
    (void)state;
    queue_max_records = LARGE_QUEUE;
    return 0;
}

int th_reader_tiny_queue(void **state)
{
    (void)state;
    queue_max_records = TINY_QUEUE;
    return 0;
}

/* ---- the environment ---- */

static void on_room(void *ctx)
{
    client_wake(((struct th_reader *)ctx)->client);
}

static bool may_send(void *ctx)
{
    return outbox_has_room(((struct th_reader *)ctx)->outbox);
}

static bool owns(void *ctx, const char *project)
{
    assert_true(project == NULL || strcmp(project, "7") == 0);
    return !((struct th_reader *)ctx)->foreign;
}

static bool stopped(void *ctx)
{
    return ((struct th_reader *)ctx)->stopped;
}

static struct outbox_row row(void *ctx)
{
    (void)ctx;
    return (struct outbox_row){
        .topic = "raw.c", .connection = WH_LIT("c"), .instance = WH_LIT(INSTANCE), .run = 1};
}

static void on_row(void *ctx, const struct listing_task *task, const struct gitlab_row *known,
                   struct wh_json_val value)
{
    (void)task;
    (void)known;
    (void)value;
    ((struct th_reader *)ctx)->rows++;
}

static enum wh_rc save(void *ctx, const struct listing_task *task, struct wh_slice key,
                       struct wh_slice json, struct wh_bus_ack *ack, struct wh_err *err)
{
    struct th_reader *r = ctx;
    const struct outbox_document doc = {.schema = WH_DOCUMENT_FETCH_STATE,
                                        .topic = "fetch-state",
                                        .key = key,
                                        .connection = WH_LIT("c"),
                                        .json = json};

    assert_ptr_equal(task->project, task->stream ? &r->project : NULL);
    return outbox_state(r->outbox, 0, &doc, ack, err);
}

static void on_end(void *ctx, const struct listing_task *task, const struct listing_result *result)
{
    struct th_reader *r = ctx;

    assert_ptr_equal(task->project, task->stream ? &r->project : NULL);
    r->result = *result;
    r->ended++;
}

/* ---- life ---- */

static void make_clients(struct th_reader *r)
{
    const struct client_conf client = {.loop = r->loop,
                                       .http = r->http,
                                       .clock = r->clock,
                                       .instance = INSTANCE,
                                       .max_in_flight = 8,
                                       .retry_max = 4,
                                       .backoff_ms = 1,
                                       .backoff_max_ms = 60000,
                                       .timeout_ms = 60000,
                                       .body_max = BODY_MAX,
                                       .may_send = may_send,
                                       .ctx = r};
    const struct mcp_conf mcp = {.loop = r->loop,
                                 .http = r->http,
                                 .clock = r->clock,
                                 .endpoint = WH_LIT(INSTANCE "/api/v4/mcp"),
                                 .version = "2025-11-25",
                                 .client_name = "t",
                                 .client_version = "1",
                                 .retry_max = 8,
                                 .backoff_ms = 1,
                                 .timeout_ms = 60000,
                                 .body_max = BODY_MAX,
                                 .allowed = mcp_tool_is_read};
    struct wh_err err;

    r->client = client_new(&client);
    assert_non_null(r->client);
    th_ok(client_set_token(r->client, WH_LIT("glpat-1"), &err), &err);
    th_ok(mcp_new(&mcp, &r->mcp, &err), &err);
}

/* The cursors of fetch-state, oldest first, as a start reads them. */
static void take_state(struct th_reader *r)
{
    const struct wh_bus_header *headers;
    struct wh_document doc;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(r->bus, "fetch-state", i, &msg, &headers, &n); i++) {
        struct cursor *cursor = cursors_get(r->env.cursors, msg.key);

        assert_non_null(cursor);
        th_ok(wh_document_decode(msg.value, &doc, &err), &err);
        th_ok(cursor_parse(doc.document, r->documents, cursor, &err), &err);
    }
}

void th_reader_born(struct th_reader *r)
{
    struct wh_producer_conf conf;
    struct wh_err err;

    wh_producer_conf_init(&conf);
    conf.queue_max_records = queue_max_records;
    conf.queue_max_bytes = 1 << 30;
    th_ok(wh_bus_mem_producer(r->bus, &conf, &r->producer, &err), &err);
    r->outbox = outbox_new(
        &(struct outbox_conf){.loop = r->loop, .clock = r->clock, .on_room = on_room, .ctx = r});
    r->documents = wh_json_parser_new(BODY_MAX, DEPTH);
    r->env = (struct listing_env){.outbox = r->outbox,
                                  .cursors = cursors_new(),
                                  .heads = mr_heads_new(),
                                  .open = open_pipelines_new(),
                                  .arrays = wh_json_parser_new(BODY_MAX, DEPTH),
                                  .clock = r->clock,
                                  .connection = "c",
                                  .instance = INSTANCE,
                                  .overlap_ms = OVERLAP_MS,
                                  .read_links = r->read_links,
                                  .owns = owns,
                                  .stopped = stopped,
                                  .row = row,
                                  .on_row = on_row,
                                  .save = save,
                                  .on_end = on_end,
                                  .ctx = r};
    assert_true(r->outbox && r->documents && r->env.cursors && r->env.heads && r->env.open &&
                r->env.arrays);
    outbox_set_producer(r->outbox, r->producer);
    r->project = (struct project){.id = "7"};
    make_clients(r);
    take_state(r);
}

void th_reader_die(struct th_reader *r)
{
    outbox_abandon(r->outbox);
    listings_free(&r->listings);
    client_free(r->client);
    r->client = NULL;
    mcp_free(r->mcp);
    wh_producer_free(r->producer);
    outbox_free(r->outbox);
    cursors_free(r->env.cursors);
    mr_heads_free(r->env.heads);
    open_pipelines_free(r->env.open);
    wh_json_parser_free(r->env.arrays);
    wh_json_parser_free(r->documents);
}

/* ---- use ---- */

void th_reader_start(struct th_reader *r, const char *stream, const char *tool)
{
    struct listing_task task = {.client = r->client,
                                .tool = tool,
                                .mcp = r->mcp,
                                .from_ms = r->from_ms,
                                .count = &r->count};
    struct wh_err err;

    while (strcmp(streams[task.stream].name, stream) != 0) {
        task.stream++;
        assert_true(task.stream < STREAMS);
    }
    task.project = task.stream ? &r->project : NULL;
    th_ok(listing_start(&r->listings, &r->env, &task, &err), &err);
}

bool th_reader_rests(const struct th_reader *r)
{
    return r->listings.n == 0 && outbox_pending(r->outbox) == 0;
}

/* ---- the whole ---- */

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return INT64_C(1700000000000);
}

static int64_t mono_ns(void *ctx)
{
    (void)ctx;
    return 42;
}

void th_reader_open(struct th_reader *r, th_script_fn gitlab, void *ctx)
{
    struct wh_err err;

    r->bus = wh_bus_mem_new();
    r->loop = wh_loop_new();
    r->script = th_script_new(gitlab, ctx);
    assert_true(r->bus && r->loop && r->script);
    r->clock = (struct wh_clock){now_ms, mono_ns, r};
    r->http = th_script_http(r->script);
    th_ok(wh_bus_mem_topic(r->bus, "fetch-state", 1, &err), &err);
    th_ok(wh_bus_mem_topic(r->bus, "raw.c", 1, &err), &err);
    th_reader_born(r);
}

void th_reader_close(struct th_reader *r)
{
    th_reader_die(r);
    th_script_free(r->script);
    wh_loop_free(r->loop);
    wh_bus_mem_free(r->bus);
}

void th_reader_read(struct th_reader *r, const char *stream)
{
    th_reader_start(r, stream, NULL);
    for (unsigned i = 0; !th_reader_rests(r); i++) {
        assert_true(i < STEPS_MAX);
        wh_loop_turn(r->loop, false);
        if (th_script_waiting(r->script)) {
            th_script_answer_one(r->script, 0);
        } else if (!wh_producer_pending(r->producer) && !th_reader_rests(r)) {
            wh_loop_turn(r->loop, true); /* a request waits to be tried again */
        }
        (void)wh_producer_poll(r->producer, 0);
    }
}
