/*
 * wellhead topics read: prints the records of a topic as JSON lines. A consumer without a group reads
 * the chosen range of each partition; nothing is committed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/record/line.h"
#include "cli/record/position.h"
#include "common/base/nearest.h"
#include "common/event/topics.h"

enum {
    BATCH = 64,
    POLL_MS = 200,
    PREFETCH_BYTES = 16 << 20,
    PARTITIONS_MAX = 1024,
    NAME_MAX_BYTES = 2 * WH_BUS_TOPIC_MAX,
    ADMIN_TIMEOUT_MS = 10000,
};

/* A partition that is read. */
struct range {
    int32_t partition;
    int64_t next;
    int64_t end; /* the first offset that is not wanted; INT64_MAX: none */
};

struct reading {
    struct cli *cli;
    char topic[NAME_MAX_BYTES];
    int32_t partitions;
    bool own; /* one of the installation's topics */
    struct cli_position from;
    struct cli_position to;
    bool bounded; /* --to was given */
    size_t n;
    struct range ranges[PARTITIONS_MAX];
    struct cli_span spans[PARTITIONS_MAX];
    struct wh_bus_partition parts[PARTITIONS_MAX];
    struct wh_bus_msg batch[BATCH];
    struct wh_consumer *consumer;
    struct cli_schemas *schemas;
    struct cli_line *line;
    int64_t printed;
    int64_t undecoded;
};

/* ---- what is asked ---- */

static bool take_place(const struct cli *cli, const char *option, const char *text,
                       struct cli_position *ret)
{
    struct wh_err err;

    if (cli_position_parse(cli, text, ret, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: topics read: %s must be " CLI_POSITION_HELP ": %s\n", option,
                 err.msg);
        return false;
    }
    return true;
}

static bool take_range(struct reading *r)
{
    const struct cli_options *opt = &r->cli->opt;

    r->bounded = opt->to != NULL;
    if (!take_place(r->cli, "--from", opt->from ? opt->from : "start", &r->from) ||
        !take_place(r->cli, "--to", opt->to ? opt->to : "end", &r->to)) {
        return false;
    }
    if (r->from.partition >= 0 && r->to.partition >= 0 && r->from.partition != r->to.partition) {
        cli_note(&r->cli->out, "wellhead: topics read: --from and --to name two partitions\n");
        return false;
    }
    return true;
}

/* ---- the topic ---- */

static enum wh_rc no_topic(const struct reading *r, const struct wh_bus_topic_info *list, size_t n,
                           const char *name, struct wh_err *err)
{
    size_t prefix = strlen(r->cli->conf.topic_prefix);
    struct wh_nearest near;

    wh_nearest_init(&near, wh_slice_str(name));
    for (size_t i = 0; i < n; i++) {
        bool own = strncmp(list[i].name, r->cli->conf.topic_prefix, prefix) == 0;

        wh_nearest_offer(&near, list[i].name + (own ? prefix : 0));
    }
    if (wh_nearest_name(&near)) {
        return wh_fail(err, WH_E_NOT_FOUND, "there is no topic of that name; did you mean %.120s?",
                       wh_nearest_name(&near));
    }
    return wh_fail(err, WH_E_NOT_FOUND,
                   "there is no topic of that name; `wellhead topics` lists the topics");
}

/* TOPIC is a whole name, or one without topic.prefix. */
static enum wh_rc find_topic(struct reading *r, struct wh_admin *admin, const char *name,
                             struct wh_err *err)
{
    const char *prefix = r->cli->conf.topic_prefix;
    struct wh_bus_topic_info *list = NULL;
    struct wh_slice connection;
    size_t n = 0;
    enum wh_rc rc = WH_OK;

    if (wh_admin_list(admin, ADMIN_TIMEOUT_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (int pass = 0; pass < 2 && r->partitions == 0; pass++) {
        (void)snprintf(r->topic, sizeof(r->topic), "%s%s", pass == 0 ? "" : prefix, name);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(list[i].name, r->topic) == 0) {
                r->partitions = list[i].partitions;
            }
        }
    }
    if (r->partitions == 0) {
        rc = no_topic(r, list, n, name, err);
    }
    wh_bus_topic_list_free(list, n);
    r->own = wh_topic_role(prefix, r->topic, &connection) != WH_TOPIC_ROLE_COUNT;
    return rc;
}

/* ---- the range ---- */

/* An offset that was named is gone, or is not there yet: say so. */
static void note_missing(const struct reading *r, int32_t partition, const struct cli_span *span)
{
    if (r->from.kind != CLI_POSITION_OFFSET || r->from.partition < 0) {
        return;
    }
    if (r->from.value < span->low) {
        cli_note(&r->cli->out,
                 "wellhead: topics read: partition %d begins at offset %" PRId64
                 "; older records are gone\n",
                 partition, span->low);
    } else if (r->from.value >= span->high) {
        cli_note(&r->cli->out,
                 "wellhead: topics read: partition %d ends before offset %" PRId64 "\n", partition,
                 span->high);
    }
}

static enum wh_rc add_range(struct reading *r, struct wh_admin *admin, int32_t partition,
                            const struct cli_span *span, struct wh_err *err)
{
    struct range range = {.partition = partition};

    if (cli_position_offset(admin, r->topic, partition, span, &r->from, false, &range.next, err) !=
            WH_OK ||
        cli_position_offset(admin, r->topic, partition, span, &r->to, true, &range.end, err) !=
            WH_OK) {
        return err->rc;
    }
    note_missing(r, partition, span);
    range.next = range.next < span->low    ? span->low
                 : range.next > span->high ? span->high
                                           : range.next;
    if (r->cli->opt.follow && !r->bounded) {
        range.end = INT64_MAX;
    } else if (range.end > span->high &&
               !(r->cli->opt.follow && r->to.kind == CLI_POSITION_OFFSET)) {
        range.end = span->high;
    }
    if (range.next < range.end) {
        r->parts[r->n] = (struct wh_bus_partition){r->topic, partition, range.next};
        r->ranges[r->n++] = range;
    }
    return WH_OK;
}

static enum wh_rc find_ranges(struct reading *r, struct wh_admin *admin, struct wh_err *err)
{
    int32_t only = r->from.partition >= 0 ? r->from.partition : r->to.partition;

    if (only >= r->partitions) {
        return wh_fail(err, WH_E_NOT_FOUND, "%.120s has %d partitions, numbered from 0", r->topic,
                       r->partitions);
    }
    if (r->partitions > PARTITIONS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "%.120s has more than %d partitions", r->topic,
                       PARTITIONS_MAX);
    }
    if (cli_spans_find(admin, r->topic, r->partitions, r->spans, err) != WH_OK) {
        return err->rc;
    }
    for (int32_t p = 0; p < r->partitions; p++) {
        if ((only < 0 || p == only) && add_range(r, admin, p, &r->spans[p], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- reading ---- */

static enum wh_rc open_consumer(struct reading *r, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_consumer_conf_init(&conf);
    conf.bootstrap = r->cli->conf.bootstrap;
    conf.client_id = "wellhead-cli";
    conf.extra = &r->cli->conf.kafka;
    conf.fetch_max_bytes = PREFETCH_BYTES;
    conf.report_ends = true;
    if (r->cli->world.consumer(&conf, &r->consumer, err) != WH_OK) {
        return err->rc;
    }
    return wh_consumer_assign(r->consumer, r->parts, r->n, err);
}

static struct range *range_of(struct reading *r, int32_t partition)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->ranges[i].partition == partition) {
            return &r->ranges[i];
        }
    }
    return NULL;
}

/* The last offsets of a partition may hold no records; Kafka then reports its end. */
static bool at_end(const struct reading *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct range *range = &r->ranges[i];

        if (range->next < range->end &&
            wh_consumer_end(r->consumer, r->topic, range->partition) < range->end) {
            return false;
        }
    }
    return true;
}

static bool is_wanted(const struct reading *r, const struct wh_bus_msg *msg)
{
    const char *key = r->cli->opt.key;

    return key == NULL || (msg->key.ptr && wh_slice_eq(msg->key, wh_slice_str(key)));
}

/* Prints one record. *ret_open is false when nobody reads any more. */
static enum wh_rc print(struct reading *r, const struct wh_bus_msg *msg, bool *ret_open,
                        struct wh_err *err)
{
    struct range *range = range_of(r, msg->partition);
    struct wh_slice line;
    bool decoded;

    if (range == NULL || msg->offset >= range->end) {
        if (range) {
            range->next = range->end;
        }
        return WH_OK;
    }
    range->next = msg->offset + 1;
    if (!is_wanted(r, msg)) {
        return WH_OK;
    }
    if (cli_line_of(r->line, r->consumer, msg, &line, &decoded, err) != WH_OK) {
        return wh_err_prefix(err, "partition %d, offset %" PRId64, msg->partition, msg->offset);
    }
    r->printed++;
    r->undecoded += !decoded;
    *ret_open = cli_data(&r->cli->out, line) && cli_out_flush(&r->cli->out);
    return WH_OK;
}

/* One batch; *ret_n is its size. */
static enum wh_rc read_batch(struct reading *r, size_t *ret_n, bool *ret_open, struct wh_err *err)
{
    if (wh_consumer_poll(r->consumer, POLL_MS, BATCH, r->batch, ret_n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < *ret_n && *ret_open; i++) {
        if (print(r, &r->batch[i], ret_open, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc read_records(struct reading *r, bool *ret_open, struct wh_err *err)
{
    int64_t silent_ms = 0;
    size_t n = 0;

    while (r->n && *ret_open && !cli_interrupted(r->cli) && !at_end(r)) {
        if (read_batch(r, &n, ret_open, err) != WH_OK) {
            return err->rc;
        }
        silent_ms = n ? 0 : silent_ms + POLL_MS;
        if (!r->cli->opt.follow && silent_ms > r->cli->conf.timeout_ms) {
            return wh_fail(err, WH_E_TIMEOUT, "no record came from Kafka for too long");
        }
    }
    return WH_OK;
}

static int say_result(const struct reading *r, bool open)
{
    if (!open) {
        return CLI_FAILED;
    }
    if (r->undecoded) {
        cli_note(&r->cli->out,
                 "wellhead: topics read: %" PRId64 " of %" PRId64
                 " records could not be decoded; \"error\" in their lines says why\n",
                 r->undecoded, r->printed);
        return cli_interrupted(r->cli) ? CLI_INTERRUPTED : CLI_FAILED;
    }
    if (cli_interrupted(r->cli)) {
        return CLI_INTERRUPTED;
    }
    if (r->printed == 0) {
        cli_note(&r->cli->out, "wellhead: topics read: no record matches\n");
        return CLI_NOTHING;
    }
    return CLI_OK;
}

static int read_topic(struct reading *r, struct wh_admin *admin, const char *name)
{
    struct wh_err err;
    bool open = true;

    if (find_topic(r, admin, name, &err) != WH_OK || find_ranges(r, admin, &err) != WH_OK) {
        int code = cli_fail_kafka(r->cli, "topics read", &err);

        return err.rc == WH_E_NOT_FOUND ? CLI_NOTHING : code;
    }
    /* An interrupt ends the command between two lines, and the command then reports what it could not decode. */
    cli_catch_interrupt(r->cli);
    if (cli_schemas_new(r->cli, r->own, &r->schemas, &err) != WH_OK ||
        cli_line_new(r->schemas, r->own, &r->line, &err) != WH_OK ||
        open_consumer(r, &err) != WH_OK || read_records(r, &open, &err) != WH_OK) {
        return cli_fail_kafka(r->cli, "topics read", &err);
    }
    return say_result(r, open);
}

int cli_topics_read(struct cli *cli, const char *name)
{
    struct reading *r = wh_mem_zalloc(1, sizeof(*r));
    struct wh_admin *admin = NULL;
    struct wh_err err;
    int code = CLI_USAGE;

    if (r == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory to read a topic");
        return cli_fail(cli, "topics read", &err);
    }
    r->cli = cli;
    if (take_range(r)) {
        code = cli_admin(cli, &admin, &err) == WH_OK ? read_topic(r, admin, name)
                                                     : cli_fail_kafka(cli, "topics read", &err);
    }
    wh_consumer_free(r->consumer);
    cli_line_free(r->line);
    cli_schemas_free(r->schemas);
    wh_admin_free(admin);
    wh_mem_free(r);
    return code;
}
