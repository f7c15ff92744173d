/* The records of an import. */
#include "cli/import/send_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "common/json/json_write.h"

enum {
    QUEUE_BYTES = 32 << 20,
    QUEUE_RECORDS = 100000,
    DELIVERY_MS = 120000,
    POLL_MS = 100,
    BITS_STEP = 1 << 13,
    RECORD_MAX_BYTES = 32 << 20,
    DELIVERY_ID_MAX = 160,
    NAME_SHOWN_MAX = 80,
    FAR_APART = 1 << 27, /* offsets of one partition that one import may span */
};

/* ---- which offsets are ours ---- */

bool import_sent_note(struct import_sending *s, int32_t partition, int64_t offset)
{
    struct import_sent_part *part = &s->parts[partition];
    size_t at;
    size_t size;
    void *bits;

    part->first = part->bits ? part->first : offset;
    if (offset < part->first || offset - part->first >= FAR_APART) {
        return false;
    }
    at = (size_t)(offset - part->first);
    if (at / 8 >= part->bytes) {
        size = (at / 8 / BITS_STEP + 1) * BITS_STEP;
        bits = wh_mem_resize(part->bits, size, 1);
        if (bits == NULL) {
            return false;
        }
        part->bits = bits;
        memset(part->bits + part->bytes, 0, size - part->bytes);
        part->bytes = size;
    }
    part->bits[at / 8] |= (unsigned char)(1U << at % 8);
    s->waiting++;
    return true;
}

bool import_sent_mapped(struct import_sending *s, int32_t partition, int64_t offset)
{
    struct import_sent_part *part;
    unsigned char bit;
    size_t at;

    if (partition < 0 || partition >= IMPORT_PARTITIONS_MAX) {
        return false;
    }
    part = &s->parts[partition];
    if (part->bits == NULL || offset < part->first) {
        return false;
    }
    at = (size_t)(offset - part->first);
    bit = (unsigned char)(1U << at % 8);
    if (at / 8 >= part->bytes || !(part->bits[at / 8] & bit)) {
        return false;
    }
    part->bits[at / 8] &= (unsigned char)~bit;
    s->waiting--;
    return true;
}

static void on_ack(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct import_sending *s = (struct import_sending *)ack;

    if (s->rc != WH_OK) {
        return;
    }
    if (d->rc != WH_OK) {
        s->rc = wh_fail(&s->err, d->rc, "Kafka did not take a row: %s",
                        d->reason ? d->reason : "no reason");
    } else if (d->partition < 0 || d->partition >= IMPORT_PARTITIONS_MAX ||
               !import_sent_note(s, d->partition, d->offset)) {
        s->rc =
            wh_fail(&s->err, WH_E_TOO_LARGE, "%.100s has too many partitions or rows", d->topic);
    }
}

/* ---- records ---- */

/* Where a row comes from, for people: "import:1732950000000:services.csv:12". */
static struct wh_slice delivery_id(const struct import_sending *s, const struct import_item *item,
                                   char text[DELIVERY_ID_MAX])
{
    const char *slash = item->file ? strrchr(item->file, '/') : NULL;
    const char *name = slash ? slash + 1 : item->file ? item->file : "replace";
    int n = snprintf(text, DELIVERY_ID_MAX, "import:%" PRId64 ":", s->observed_at_ms);

    for (size_t i = 0; name[i] && i < NAME_SHOWN_MAX; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-' || c == '_';

        text[n++] = plain ? c : '_';
    }
    n += snprintf(text + n, (size_t)(DELIVERY_ID_MAX - n), ":%" PRId64, item->line);
    return wh_slice(text, (size_t)n);
}

static enum wh_rc write_gone(const struct import_item *item, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "kind", wh_slice_str(item->kind->entity));
    wh_jw_put_str(&w, "id", item->identity);
    wh_jw_put_str(&w, "reason", WH_LIT("not_listed"));
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

struct scratch {
    struct wh_buf key;
    struct wh_buf value;
    struct wh_buf gone;
};

static enum wh_rc send_item(struct import_sending *s, const struct import_item *item,
                            struct scratch *scratch, struct wh_err *err)
{
    char id[DELIVERY_ID_MAX];
    struct wh_raw_event e = {
        .connection = wh_slice_str(import_plan_connection(s->plan)),
        .instance = wh_slice_str(import_plan_instance(s->plan)),
        .origin = WH_ORIGIN_IMPORT,
        .kind = item->gone ? WH_LIT("gone") : wh_slice_str(item->kind->name),
        .object_id = item->identity,
        .observed_at_ms = s->observed_at_ms,
        .delivery_id = delivery_id(s, item, id),
        .payload = item->payload,
    };
    struct wh_bus_record record = {.topic = s->topics[0], .partition = -1, .ack = &s->ack};
    enum wh_rc rc;

    wh_buf_reset(&scratch->key);
    wh_buf_reset(&scratch->value);
    wh_buf_reset(&scratch->gone);
    if (item->gone) {
        if (write_gone(item, &scratch->gone, err) != WH_OK) {
            return err->rc;
        }
        e.payload = wh_buf_slice(&scratch->gone);
    }
    if (wh_raw_event_key(&e, &scratch->key, err) != WH_OK ||
        wh_raw_event_encode(&e, &scratch->value, err) != WH_OK) {
        return err->rc;
    }
    record.key = wh_buf_slice(&scratch->key);
    record.value = wh_buf_slice(&scratch->value);
    while ((rc = wh_producer_produce(s->producer, &record, err)) == WH_E_BUSY) {
        (void)wh_producer_poll(s->producer, POLL_MS);
    }
    s->ret->sent += rc == WH_OK;
    return rc;
}

static enum wh_rc await_acks(struct import_sending *s, struct wh_err *err)
{
    while (wh_producer_pending(s->producer) && s->rc == WH_OK) {
        (void)wh_producer_poll(s->producer, POLL_MS);
        if (cli_interrupted(s->cli)) {
            return wh_fail(err, WH_E_CANCELED, "interrupted");
        }
        import_progress_now(&s->progress, s->cli, "sending",
                            s->ret->sent - (int64_t)wh_producer_pending(s->producer), s->ret->sent);
    }
    if (s->rc != WH_OK) {
        *err = s->err;
    }
    return s->rc;
}

static enum wh_rc send_all(struct import_sending *s, bool gone, struct scratch *scratch,
                           struct wh_err *err)
{
    struct import_item item;
    bool any = false;

    import_plan_rewind(s->plan, gone);
    for (;;) {
        if (import_plan_next(s->plan, &any, &item, err) != WH_OK) {
            return err->rc;
        }
        if (!any) {
            return await_acks(s, err);
        }
        if (send_item(s, &item, scratch, err) != WH_OK) {
            return err->rc;
        }
        if (s->ret->sent % 1024 == 0) {
            (void)wh_producer_poll(s->producer, 0);
            if (s->rc != WH_OK || cli_interrupted(s->cli)) {
                return s->rc != WH_OK ? await_acks(s, err)
                                      : wh_fail(err, WH_E_CANCELED, "interrupted");
            }
            import_progress_now(&s->progress, s->cli, "sending", s->ret->sent, -1);
        }
    }
}

static enum wh_rc send_rows(struct import_sending *s, bool gone, struct wh_err *err)
{
    struct scratch scratch;
    enum wh_rc rc;

    wh_buf_init(&scratch.key, RECORD_MAX_BYTES);
    wh_buf_init(&scratch.value, RECORD_MAX_BYTES);
    wh_buf_init(&scratch.gone, RECORD_MAX_BYTES);
    import_progress_begin(&s->progress, s->cli);
    rc = send_all(s, gone, &scratch, err);
    cli_progress_end(&s->cli->out);
    wh_buf_done(&scratch.key);
    wh_buf_done(&scratch.value);
    wh_buf_done(&scratch.gone);
    return rc;
}

/* ---- the whole ---- */

static int interrupted(const struct import_sending *s)
{
    cli_note(&s->cli->out,
             "wellhead: import: interrupted after %lld rows were sent; the same command sends the "
             "rest\n",
             (long long)s->ret->sent);
    return CLI_INTERRUPTED;
}

static int send_and_await(struct import_sending *s, bool gone, bool wait)
{
    struct import_await *await = NULL;
    struct wh_err err;
    int code = CLI_OK;

    if ((wait && import_await_new(s, &await, &err) != WH_OK) || send_rows(s, gone, &err) != WH_OK) {
        code = err.rc == WH_E_CANCELED ? interrupted(s) : cli_fail_kafka(s->cli, "import", &err);
    } else if (wait) {
        code = import_await(s, await);
    }
    import_await_free(await);
    return code;
}

static enum wh_rc open_kafka(struct import_sending *s, struct wh_err *err)
{
    struct wh_producer_conf conf;

    wh_producer_conf_init(&conf);
    conf.bootstrap = s->cli->conf.bootstrap;
    conf.client_id = "wellhead-cli";
    conf.extra = &s->cli->conf.kafka;
    conf.profile = WH_BUS_BULK;
    conf.queue_max_bytes = QUEUE_BYTES;
    conf.queue_max_records = QUEUE_RECORDS;
    conf.delivery_timeout_ms = DELIVERY_MS;
    return cli_admin(s->cli, &s->admin, err) == WH_OK
               ? s->cli->world.producer(&conf, &s->producer, err)
               : err->rc;
}

int import_send(struct cli *cli, struct import_plan *plan, bool gone, bool wait,
                struct import_sent *ret)
{
    int64_t newest_ms = import_plan_newest_ms(plan);
    struct import_sending s = {
        .ack = {on_ack}, .cli = cli, .plan = plan, .ret = ret, .observed_at_ms = cli_now_ms(cli)};
    struct wh_err err;
    int code;

    /* What this file says is newer than what the store has, whatever the clocks were. */
    s.observed_at_ms = s.observed_at_ms > newest_ms ? s.observed_at_ms : newest_ms + 1;
    *ret = (struct import_sent){0};
    cli_catch_interrupt(cli);
    if (open_kafka(&s, &err) != WH_OK) {
        code = cli_fail_kafka(cli, "import", &err);
    } else {
        code = import_place(&s);
        code = code == CLI_OK ? send_and_await(&s, gone, wait) : code;
    }
    wh_producer_free(s.producer);
    wh_admin_free(s.admin);
    for (size_t i = 0; i < IMPORT_PARTITIONS_MAX; i++) {
        wh_mem_free(s.parts[i].bits);
    }
    return code;
}
