#include <stdio.h>

#include "common/event/messages.h"
#include "stages/sink/ingest/writer_priv.h"

enum { FLUSH_TIMEOUT_MS = 5000, NUMBER_TEXT = 24 };

static void on_letter(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    struct sink_letters *letters = (struct sink_letters *)ack;

    if (delivery->rc != WH_OK) {
        letters->failed++;
        (void)snprintf(letters->reason, sizeof(letters->reason), "%s",
                       delivery->reason ? delivery->reason : wh_rc_text(delivery->rc));
    }
}

void sink_letters_init(struct sink_letters *letters)
{
    *letters = (struct sink_letters){.ack = {.fn = on_letter}};
}

static struct wh_bus_header header(const char *name, const char *value)
{
    return (struct wh_bus_header){wh_slice_str(name), wh_slice_str(value)};
}

static enum wh_rc produce(struct sink_writer *w, const struct wh_bus_msg *msg,
                          const char *dead_letter_topic, enum wh_rc code, struct wh_err *err)
{
    char partition[NUMBER_TEXT];
    char offset[NUMBER_TEXT];
    enum wh_rc rc;

    (void)snprintf(partition, sizeof(partition), "%d", msg->partition);
    (void)snprintf(offset, sizeof(offset), "%lld", (long long)msg->offset);

    const struct wh_bus_header headers[] = {
        header("__dlq.errors.topic", msg->topic),
        header("__dlq.errors.partition", partition),
        header("__dlq.errors.offset", offset),
        header("__dlq.errors.message", wh_rc_text(code)),
        header("wellhead.error.class", wh_class_name(wh_rc_class(code))),
        header("wellhead.error.code", wh_rc_name(code)),
        header("wellhead.stage", "sink"),
    };
    const struct wh_bus_record record = {
        .topic = dead_letter_topic,
        .partition = -1,
        .key = msg->key,
        .value = wh_buf_slice(&w->scratch),
        .headers = headers,
        .n_headers = sizeof(headers) / sizeof(headers[0]),
        .ack = &w->letters.ack,
    };

    rc = wh_producer_produce(w->deps.dead_letters, &record, err);
    if (rc != WH_E_BUSY) {
        return rc;
    }
    (void)wh_producer_poll(w->deps.dead_letters, FLUSH_TIMEOUT_MS);
    return wh_producer_produce(w->deps.dead_letters, &record, err);
}

static enum wh_rc set_one_aside(struct sink_writer *w, const struct wh_bus_msg *msg,
                                enum wh_rc code, struct wh_err *err)
{
    char topic[WH_TOPIC_MAX];
    struct sink_topic *from = NULL;
    struct wh_dead_letter letter;

    if (sink_table_find(&w->table, msg->topic, msg->partition, &from) == NULL ||
        from->connection[0] == '\0') {
        return WH_OK; /* a record of a shared topic is logged and skipped */
    }
    if (wh_topic_name(w->conf.topic_prefix, WH_TOPIC_DEAD_LETTER, wh_slice_str(from->connection),
                      topic, err) != WH_OK) {
        return err->rc;
    }
    letter = (struct wh_dead_letter){
        .connection = wh_slice_str(from->connection),
        .stage = WH_LIT("sink"),
        .class_ = wh_slice_str(wh_class_name(wh_rc_class(code))),
        .code = wh_slice_str(wh_rc_name(code)),
        .text = wh_slice_str(wh_rc_text(code)),
        .topic = wh_slice_str(msg->topic),
        .partition = msg->partition,
        .offset = msg->offset,
        .attempt = 1,
        .at_ms = wh_clock_now_ms(&w->deps.clock),
        .key = msg->key,
        .value = msg->value,
    };
    wh_buf_reset(&w->scratch);
    if (wh_dead_letter_encode(&letter, &w->scratch, err) != WH_OK) {
        return err->rc;
    }
    return produce(w, msg, topic, code, err);
}

enum wh_rc sink_set_aside(struct sink_writer *w, struct wh_err *err)
{
    if (w->n_set_aside == 0 || w->conf.rebuild) {
        return WH_OK;
    }
    w->letters.failed = 0;
    for (size_t i = 0; i < w->n_set_aside; i++) {
        if (set_one_aside(w, &w->msgs[w->set_aside[i]], w->set_aside_rc[i], err) != WH_OK) {
            return err->rc;
        }
    }
    if (wh_producer_flush(w->deps.dead_letters, FLUSH_TIMEOUT_MS, err) != WH_OK) {
        return err->rc;
    }
    if (w->letters.failed > 0) {
        return wh_fail(err, WH_E_UNAVAILABLE, "%s", w->letters.reason);
    }
    return WH_OK;
}
