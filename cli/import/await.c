/*
 * Waits until mapper and sink have what was sent. The mapper answers each raw event with an observation or a dead
 * letter, both of which name the event by topic, partition and offset: they are read from Kafka as they come. The sink
 * stores each partition in order, so it has everything when it has the last observation of each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/core/query.h"
#include "cli/import/send_priv.h"
#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/event/observation.h"

enum {
    BATCH = 256,
    POLL_MS = 200,
    LOOK_MS = 100,
    LOOKS = 100,
    PREFETCH_BYTES = 16 << 20,
    ARENA_BLOCK = 64 << 10,
    ARENA_MAX = 64 << 20,
    ANSWER_MAX_BYTES = 1 << 20,
    ANSWER_DEPTH = 16,
    PATIENCE_MS = 600000,
    REASONS_SHOWN = 5,
};

/* The last observation of a partition of the entities topic that is ours. */
struct last {
    bool any;
    struct wh_entity_id id;
    int32_t partition; /* of the raw event */
    int64_t offset;
};

struct import_await {
    struct import_sending *s;
    struct wh_consumer *consumer;
    struct wh_bus_partition parts[2 * IMPORT_PARTITIONS_MAX];
    size_t n_parts;
    struct last last[IMPORT_PARTITIONS_MAX];
    struct wh_arena arena;
    struct wh_bus_msg batch[BATCH];
};

/* ---- before: where the answers will begin ---- */

static enum wh_rc add_parts(struct import_await *a, const char *topic, int32_t n,
                            struct wh_err *err)
{
    struct wh_bus_partition *first = &a->parts[a->n_parts];

    if (n > IMPORT_PARTITIONS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "%.100s has %d partitions; at most %d can be awaited",
                       topic, n, IMPORT_PARTITIONS_MAX);
    }
    for (int32_t i = 0; i < n; i++) {
        a->parts[a->n_parts++] = (struct wh_bus_partition){.topic = topic, .partition = i};
    }
    return wh_admin_offsets(a->s->admin, first, (size_t)n, WH_OFFSET_END, IMPORT_ADMIN_MS, err);
}

static int32_t partitions_of(const struct wh_bus_topic_info *list, size_t n, const char *topic)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, topic) == 0) {
            return list[i].partitions;
        }
    }
    return 0;
}

/* WH_E_UNAVAILABLE: a topic that was just made is not listed, or has no leader yet. */
static enum wh_rc look_for_parts(struct import_await *a, struct wh_err *err)
{
    const char *entities = a->s->topics[1];
    const char *letters = a->s->topics[2];
    struct wh_bus_topic_info *list = NULL;
    int32_t n_entities;
    int32_t n_letters;
    size_t n = 0;

    a->n_parts = 0;
    if (wh_admin_list(a->s->admin, IMPORT_ADMIN_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    n_entities = partitions_of(list, n, entities);
    n_letters = partitions_of(list, n, letters);
    wh_bus_topic_list_free(list, n);
    if (n_entities == 0 || n_letters == 0) {
        return wh_fail(err, WH_E_UNAVAILABLE, "Kafka does not list the topics of the connection");
    }
    return add_parts(a, entities, n_entities, err) == WH_OK ? add_parts(a, letters, n_letters, err)
                                                            : err->rc;
}

static enum wh_rc find_parts(struct import_await *a, struct wh_err *err)
{
    enum wh_rc rc = look_for_parts(a, err);

    for (unsigned look = 1; rc == WH_E_UNAVAILABLE && look < LOOKS; look++) {
        cli_pause_ms(a->s->cli, LOOK_MS);
        rc = look_for_parts(a, err);
    }
    return rc;
}

enum wh_rc import_await_new(struct import_sending *s, struct import_await **ret, struct wh_err *err)
{
    struct import_await *a = wh_mem_zalloc(1, sizeof(*a));
    struct wh_consumer_conf conf;

    if (a == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to wait for the mapper");
    }
    *ret = a;
    a->s = s;
    wh_arena_init(&a->arena, ARENA_BLOCK, ARENA_MAX);
    wh_consumer_conf_init(&conf);
    conf.bootstrap = s->cli->conf.bootstrap;
    conf.client_id = "wellhead-cli";
    conf.extra = &s->cli->conf.kafka;
    conf.fetch_max_bytes = PREFETCH_BYTES;
    if (find_parts(a, err) != WH_OK || s->cli->world.consumer(&conf, &a->consumer, err) != WH_OK ||
        wh_consumer_assign(a->consumer, a->parts, a->n_parts, err) != WH_OK) {
        return err->rc;
    }
    return WH_OK;
}

void import_await_free(struct import_await *a)
{
    if (a) {
        wh_consumer_free(a->consumer);
        wh_arena_done(&a->arena);
        wh_mem_free(a);
    }
}

/* ---- the mapper ---- */

static void take_letter(struct import_await *a, const struct wh_bus_msg *msg)
{
    struct import_sending *s = a->s;
    struct wh_dead_letter letter;
    struct wh_err err;

    if (wh_dead_letter_decode(msg->value, &letter, &err) != WH_OK ||
        !wh_slice_eq(letter.topic, wh_slice_str(s->topics[0])) ||
        !import_sent_mapped(s, letter.partition, letter.offset)) {
        return;
    }
    if (s->ret->refused++ < REASONS_SHOWN) {
        cli_note(&s->cli->out, "wellhead: import: the mapper refused a row: %.*s\n",
                 WH_SLICE_ARG(letter.text));
    }
}

static void take_observation(struct import_await *a, const struct wh_bus_msg *msg)
{
    struct import_sending *s = a->s;
    struct wh_observation o;
    struct wh_err err;

    wh_arena_reset(&a->arena);
    if (wh_observation_decode(msg->value, &a->arena, &o, &err) != WH_OK ||
        !wh_slice_eq(o.provenance.topic, wh_slice_str(s->topics[0])) ||
        !import_sent_mapped(s, o.provenance.partition, o.provenance.offset)) {
        return;
    }
    a->last[msg->partition] =
        (struct last){true, o.id, o.provenance.partition, o.provenance.offset};
}

static int timed_out(struct import_sending *s, const char *stage)
{
    cli_progress_end(&s->cli->out);
    cli_note(
        &s->cli->out,
        "wellhead: import: the rows are in Kafka, and the %s has not answered for too long; it "
        "goes on by itself: see `wellhead status`\n",
        stage);
    return CLI_TIMED_OUT;
}

static int interrupted(struct import_sending *s)
{
    cli_progress_end(&s->cli->out);
    cli_note(&s->cli->out, "wellhead: import: the rows are in Kafka; mapper and sink go on by "
                           "themselves\n");
    return CLI_INTERRUPTED;
}

static int64_t patience_ms(const struct cli *cli)
{
    return cli->opt.timeout_ms ? cli->opt.timeout_ms : PATIENCE_MS;
}

static int await_mapper(struct import_await *a)
{
    struct import_sending *s = a->s;
    int64_t advanced_ms = cli_now_ms(s->cli);
    int64_t total = s->waiting;
    struct wh_err err;

    import_progress_begin(&s->progress, s->cli);
    while (s->waiting > 0) {
        int64_t before = s->waiting;
        size_t n = 0;

        if (wh_consumer_poll(a->consumer, POLL_MS, BATCH, a->batch, &n, &err) != WH_OK) {
            return cli_fail_kafka(s->cli, "import", &err);
        }
        for (size_t i = 0; i < n; i++) {
            (strcmp(a->batch[i].topic, s->topics[1]) == 0 ? take_observation
                                                          : take_letter)(a, &a->batch[i]);
        }
        if (cli_interrupted(s->cli)) {
            return interrupted(s);
        }
        advanced_ms = s->waiting < before ? cli_now_ms(s->cli) : advanced_ms;
        if (cli_now_ms(s->cli) - advanced_ms > patience_ms(s->cli)) {
            return timed_out(s, "mapper");
        }
        import_progress_now(&s->progress, s->cli, "mapping", total - s->waiting, total);
        if (n == 0 && s->cli->world.pause_ms) {
            cli_pause_ms(s->cli, POLL_MS);
        }
    }
    return CLI_OK;
}

/* ---- the sink ---- */

/* Has the sink stored this observation? Gives an exit code. */
static int is_stored(struct import_await *a, const struct last *last, bool *ret)
{
    struct cli *cli = a->s->cli;
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, ANSWER_DEPTH);
    char id[WH_ENTITY_ID_TEXT + 1];
    char partition[16];
    char offset[24];
    struct cli_query query = {
        .text = "select 1 from revisions where entity_id = :id and topic = :topic and "
                "\"partition\" = cast(:partition as int) and \"offset\" = cast(:offset as int)",
        .names = {"id", "topic", "partition", "offset"}};
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    int code;

    (void)snprintf(partition, sizeof(partition), "%d", (int)last->partition);
    (void)snprintf(offset, sizeof(offset), "%" PRId64, last->offset);
    query.values[0] = wh_slice_str(wh_entity_id_format(&last->id, id));
    query.values[1] = wh_slice_str(a->s->topics[0]);
    query.values[2] = wh_slice_str(partition);
    query.values[3] = wh_slice_str(offset);
    code = parser ? cli_query(cli, "import", &query, parser, &rows) : CLI_FAILED;
    if (code == CLI_OK) {
        it = wh_json_iter(rows);
        *ret = wh_json_next(&it, NULL, &row);
    }
    wh_json_parser_free(parser);
    return code;
}

static int await_sink(struct import_await *a)
{
    struct import_sending *s = a->s;
    int64_t since_ms = cli_now_ms(s->cli);
    int code = CLI_OK;

    import_progress_begin(&s->progress, s->cli);
    for (size_t i = 0; i < IMPORT_PARTITIONS_MAX && code == CLI_OK; i++) {
        bool stored = !a->last[i].any;

        while (!stored && code == CLI_OK) {
            code = is_stored(a, &a->last[i], &stored);
            if (code != CLI_OK || stored) {
                break;
            }
            if (cli_interrupted(s->cli)) {
                return interrupted(s);
            }
            if (cli_now_ms(s->cli) - since_ms > patience_ms(s->cli)) {
                return timed_out(s, "sink");
            }
            import_progress_now(&s->progress, s->cli, "storing", s->ret->sent, -1);
            cli_pause_ms(s->cli, LOOK_MS);
        }
    }
    return code;
}

int import_await(struct import_sending *s, struct import_await *await)
{
    int code = await_mapper(await);

    cli_progress_end(&s->cli->out);
    code = code == CLI_OK ? await_sink(await) : code;
    cli_progress_end(&s->cli->out);
    s->ret->awaited = code == CLI_OK;
    return code;
}
