#include "cli/record/raw.h"

#include <inttypes.h>

#include "cli/out/value.h"
#include "common/base/mem.h"

enum {
    POLL_MS = 100,
    PREFETCH_BYTES = 1 << 20,
    ARENA_BLOCK_BYTES = 4096,
    ARENA_MAX_BYTES = 1 << 20,
};

struct cli_raw {
    struct cli *cli;
    struct wh_consumer *consumer;
    struct wh_arena arena;
};

enum wh_rc cli_raw_new(struct cli *cli, struct cli_raw **ret, struct wh_err *err)
{
    struct cli_raw *raw = wh_mem_zalloc(1, sizeof(*raw));
    struct wh_consumer_conf conf;

    if (raw == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to read Kafka");
    }
    raw->cli = cli;
    wh_arena_init(&raw->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    wh_consumer_conf_init(&conf);
    conf.bootstrap = cli->conf.bootstrap;
    conf.client_id = "wellhead-cli";
    conf.extra = &cli->conf.kafka;
    conf.fetch_max_bytes = PREFETCH_BYTES;
    if (cli->world.consumer(&conf, &raw->consumer, err) != WH_OK) {
        cli_raw_free(raw);
        return err->rc;
    }
    *ret = raw;
    return WH_OK;
}

void cli_raw_free(struct cli_raw *raw)
{
    if (raw) {
        wh_consumer_free(raw->consumer);
        wh_arena_done(&raw->arena);
        wh_mem_free(raw);
    }
}

static enum wh_rc gone(const struct wh_bus_partition *at, struct wh_err *err)
{
    return wh_fail(err, WH_E_NOT_FOUND, "Kafka no longer has offset %" PRId64 " of %.120s/%d",
                   at->offset, at->topic, at->partition);
}

/* Polls until the record or a later one comes. */
static enum wh_rc await(struct cli_raw *raw, const struct wh_bus_partition *at, int64_t wait_ms,
                        struct wh_bus_msg *ret, struct wh_err *err)
{
    size_t n = 0;

    for (int64_t waited = 0; waited < wait_ms; waited += n ? 0 : POLL_MS) {
        if (wh_consumer_poll(raw->consumer, POLL_MS, 1, ret, &n, err) != WH_OK) {
            return err->rc;
        }
        if (n && ret->partition == at->partition && ret->offset >= at->offset) {
            return ret->offset == at->offset ? WH_OK : gone(at, err);
        }
    }
    return wh_fail(err, WH_E_TIMEOUT, "no record came from Kafka for too long");
}

enum wh_rc cli_raw_get(struct cli_raw *raw, const char *topic, int32_t partition, int64_t offset,
                       int64_t wait_ms, struct wh_raw_event *ret, struct wh_err *err)
{
    const struct wh_bus_partition at = {topic, partition, offset};
    struct wh_bus_msg msg;

    if (wh_consumer_assign(raw->consumer, &at, 1, err) != WH_OK ||
        await(raw, &at, wait_ms, &msg, err) != WH_OK) {
        return err->rc;
    }
    wh_arena_reset(&raw->arena);
    return wh_raw_event_decode(msg.value, &raw->arena, ret, err);
}

void cli_raw_person(const struct wh_raw_event *event, struct wh_json_parser *parser,
                    struct wh_buf *out)
{
    struct wh_json_val root;
    struct wh_json_val user;
    struct wh_slice name;
    struct wh_slice login;
    struct wh_err err;

    if (event->origin != WH_ORIGIN_WEBHOOK ||
        wh_json_parse(parser, event->payload, &root, &err) != WH_OK) {
        return;
    }
    if (wh_json_get(root, WH_LIT("user"), &user) && wh_json_type(user) == WH_JSON_OBJECT) {
        name = wh_json_get_str(user, "name");
        login = wh_json_get_str(user, "username");
    } else {
        name = wh_json_get_str(root, "user_name");
        login = wh_json_get_str(root, "user_username");
    }
    if (name.len || login.len) {
        (void)!wh_buf_printf(out, &err, "%.*s%s%s%.*s", WH_SLICE_ARG(name),
                             name.len && login.len ? " " : "", login.len ? "@" : "",
                             WH_SLICE_ARG(login));
    }
}
