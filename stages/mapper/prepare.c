/* Builds the records of one input record. */
#include "stages/mapper/mapper_priv.h"

#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

enum { OUTS_FIRST = 64, OUTS_MAX = 200000, HEADERS_MAX = 12 };

/* CloudEvents types by kind, as constants, because formatting for each record is expensive. */
#define TYPES(suffix)                                                                              \
    {                                                                                              \
        [WH_KIND_WORK_ITEM] = "wellhead.work_item." suffix,                                        \
        [WH_KIND_BUILD_RECORD] = "wellhead.build_record." suffix,                                  \
        [WH_KIND_JOB] = "wellhead.job." suffix,                                                    \
        [WH_KIND_TEAM_MEMBER] = "wellhead.team_member." suffix,                                    \
        [WH_KIND_PROJECT] = "wellhead.project." suffix,                                            \
        [WH_KIND_DEPLOYMENT] = "wellhead.deployment." suffix,                                      \
        [WH_KIND_ENVIRONMENT] = "wellhead.environment." suffix,                                    \
        [WH_KIND_RELEASE] = "wellhead.release." suffix,                                            \
        [WH_KIND_MILESTONE] = "wellhead.milestone." suffix,                                        \
        [WH_KIND_NOTE] = "wellhead.note." suffix,                                                  \
        [WH_KIND_MEMBERSHIP] = "wellhead.membership." suffix,                                      \
        [WH_KIND_SERVICE] = "wellhead.service." suffix,                                            \
        [WH_KIND_CUSTOMER] = "wellhead.customer." suffix,                                          \
        [WH_KIND_SERVICE_CUSTOMER] = "wellhead.service_customer." suffix,                          \
        [WH_KIND_SUBSCRIPTION] = "wellhead.subscription." suffix,                                  \
        [WH_KIND_PERSON] = "wellhead.person." suffix,                                              \
        [WH_KIND_SERVICE_OWNERSHIP] = "wellhead.service_ownership." suffix                         \
    }

static const char *const observed_types[WH_KIND_COUNT] = TYPES("observed");
static const char *const deleted_types[WH_KIND_COUNT] = TYPES("deleted");

/* ---- records ---- */

static enum wh_rc add_out(struct mapper *m, enum out_topic topic, struct out **ret,
                          struct wh_err *err)
{
    if (m->n_outs == m->cap_outs) {
        size_t cap = m->cap_outs ? m->cap_outs * 2 : OUTS_FIRST;
        struct out *grown = cap > OUTS_MAX ? NULL : wh_mem_resize(m->outs, cap, sizeof(*grown));

        if (grown == NULL) {
            return cap > OUTS_MAX ? wh_fail(err, WH_E_TOO_LARGE,
                                            "more than %d entities in one event", OUTS_MAX)
                                  : wh_fail(err, WH_E_NOMEM, "no memory for %zu records", cap);
        }
        m->outs = grown;
        m->cap_outs = cap;
    }
    *ret = &m->outs[m->n_outs];
    **ret = (struct out){.topic = topic, .key = m->bytes.len};
    return WH_OK;
}

static enum wh_rc finish_out(struct mapper *m, struct out *out, struct wh_err *err)
{
    out->value_len = m->bytes.len - out->value;
    if (out->value_len > m->conf.max_record_bytes) {
        return wh_fail(err, WH_E_TOO_LARGE, "a record of %zu bytes exceeds the limit of %zu",
                       out->value_len, m->conf.max_record_bytes);
    }
    m->n_outs++;
    return WH_OK;
}

/* ---- what did not change ---- */

static struct sent_origin origin_of(const struct mapper *m)
{
    return (struct sent_origin){m->event.observed_at_ms, m->origin.offset, m->origin.partition};
}

static bool on_known(void *ctx, uint64_t inputs)
{
    struct mapper *m = ctx;
    const struct sent_origin at = origin_of(m);
    bool known = sent_covers(m->sent, inputs ^ m->sent_salt, &at);

    wh_counter_add(m->unchanged, known);
    return known;
}

/*
 * True when the observation need not be produced. What reads show is produced each time, because the
 * sink counts the rows of a run. Values that are set aside are counted, too.
 */
static bool is_unchanged(struct mapper *m, const struct wh_observation *o, uint64_t inputs)
{
    uint64_t key = (inputs ? inputs : sent_key(o)) ^ m->sent_salt;
    const struct sent_origin at = origin_of(m);

    if (o->n_set_aside ||
        (o->provenance.origin != WH_ORIGIN_WEBHOOK && !wh_version_is_aside(o->version))) {
        return false;
    }
    if (sent_covers(m->sent, key, &at)) {
        wh_counter_add(m->unchanged, 1);
        return true;
    }
    sent_add(m->sent, key, &at, wh_version_is_aside(o->version));
    return false;
}

static enum wh_rc on_observation(void *ctx, const struct wh_observation *o, uint64_t inputs,
                                 struct wh_err *err)
{
    struct mapper *m = ctx;
    char id[WH_ENTITY_ID_TEXT + 1];
    struct out *out;

    if (is_unchanged(m, o, inputs)) {
        return WH_OK;
    }
    if (add_out(m, OUT_ENTITIES, &out, err) != WH_OK) {
        return err->rc;
    }
    out->kind = o->body.def->kind;
    out->deleted = o->change == WH_CHANGE_DELETE;
    (void)wh_entity_id_format(&o->id, id);
    if (wh_buf_append(&m->bytes, wh_slice(id, WH_ENTITY_ID_TEXT), err) != WH_OK) {
        return err->rc;
    }
    out->key_len = WH_ENTITY_ID_TEXT;
    out->value = m->bytes.len;
    if (wh_observation_encode(o, &m->bytes, err) != WH_OK) {
        return err->rc;
    }
    return finish_out(m, out, err);
}

/* ---- rereads ---- */

static enum wh_rc reread_key(const struct wh_reread *r, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_slice parts[] = {r->connection, r->kind, r->project, r->id};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if ((i && wh_buf_append_char(out, ':', err) != WH_OK) ||
            wh_buf_append(out, parts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc on_reread(void *ctx, const struct mapper_reread *request, struct wh_err *err)
{
    struct mapper *m = ctx;
    int64_t now = wh_clock_now_ms(&m->deps.clock);
    const struct wh_reread r = {.connection = m->event.connection,
                                .kind = request->kind,
                                .project = request->project,
                                .id = request->id,
                                .reason = request->reason,
                                .asked_at_ms = now};
    struct out *out;

    if (!mapper_rereads_ask(m->rereads, m->event.connection, request, now)) {
        return WH_OK;
    }
    if (add_out(m, OUT_REREADS, &out, err) != WH_OK || reread_key(&r, &m->bytes, err) != WH_OK) {
        return err->rc;
    }
    out->key_len = m->bytes.len - out->key;
    out->value = m->bytes.len;
    if (wh_reread_encode(&r, &m->bytes, err) != WH_OK) {
        return err->rc;
    }
    wh_counter_add(m->rereads_sent, 1);
    return finish_out(m, out, err);
}

enum wh_rc prepare_send_reread(struct mapper *m, const struct wh_reread *request,
                               struct wh_bus_ack *ack, struct wh_err *err)
{
    size_t key_len;

    wh_buf_reset(&m->scratch);
    if (reread_key(request, &m->scratch, err) != WH_OK) {
        return err->rc;
    }
    key_len = m->scratch.len;
    if (wh_reread_encode(request, &m->scratch, err) != WH_OK) {
        return err->rc;
    }
    return wh_producer_produce(
        m->producer,
        &(struct wh_bus_record){.topic = m->reread_topic,
                                .partition = -1,
                                .key = wh_slice(m->scratch.ptr, key_len),
                                .value = wh_slice_from(wh_buf_slice(&m->scratch), key_len),
                                .ack = ack},
        err);
}

/* ---- the origin of an event ---- */

/* The message itself, or the input inside of a dead letter that is replayed. */
static enum wh_rc find_origin(struct mapper *m, const struct part *part,
                              const struct wh_bus_msg *msg, struct wh_err *err)
{
    struct wh_dead_letter letter;

    m->origin = (struct origin){.topic = wh_slice_str(part->topic),
                                .partition = msg->partition,
                                .offset = msg->offset,
                                .value = msg->value,
                                .attempt = 1};
    if (!m->conf.replay_dead_letters || msg->value.ptr == NULL) {
        return WH_OK;
    }
    if (wh_dead_letter_decode(msg->value, &letter, err) != WH_OK) {
        return err->rc;
    }
    m->origin = (struct origin){.topic = letter.topic,
                                .partition = letter.partition,
                                .offset = letter.offset,
                                .value = letter.value,
                                .attempt = letter.attempt + 1};
    /* A dead letter of the sink contains no raw event. */
    if (!wh_slice_eq(letter.stage, WH_LIT("mapper"))) {
        m->origin.value = wh_slice(NULL, 0);
    }
    return WH_OK;
}

/* ---- dead letters ---- */

/* Says that the dead letter does not contain the bytes. */
static struct wh_slice too_large_text(const struct mapper *m, char text[WH_ERR_MSG_MAX + 64])
{
    (void)snprintf(text, WH_ERR_MSG_MAX + 64,
                   "%s; the bytes are too large for a dead letter, read them at their origin",
                   m->why.msg);
    return wh_slice_str(text);
}

static enum wh_rc add_dead_letter(struct mapper *m, const struct part *part,
                                  const struct wh_bus_msg *msg, struct wh_err *err)
{
    struct wh_dead_letter d = {.connection = part->connection,
                               .stage = WH_LIT("mapper"),
                               .class_ = wh_slice_str(wh_class_name(wh_rc_class(m->why.rc))),
                               .code = wh_slice_str(wh_rc_name(m->why.rc)),
                               .text = wh_slice_str(m->why.msg),
                               .topic = m->origin.topic,
                               .partition = m->origin.partition,
                               .offset = m->origin.offset,
                               .attempt = m->origin.attempt,
                               .at_ms = wh_clock_now_ms(&m->deps.clock),
                               .key = msg->key,
                               .value = m->origin.value};
    char text[WH_ERR_MSG_MAX + 64];
    struct out *out;

    m->n_outs = 0;
    wh_buf_reset(&m->bytes);
    sent_undo(m->sent);
    if (msg->value.len + msg->key.len > m->conf.max_record_bytes / 10 * 9) {
        d.value = wh_slice("", 0);
        d.text = too_large_text(m, text);
    }
    if (add_out(m, OUT_DEAD_LETTER, &out, err) != WH_OK ||
        wh_buf_append(&m->bytes, msg->key, err) != WH_OK) {
        return err->rc;
    }
    out->key_len = msg->key.len;
    out->value = m->bytes.len;
    if (wh_dead_letter_encode(&d, &m->bytes, err) != WH_OK) {
        return err->rc;
    }
    return finish_out(m, out, err);
}

/* ---- one event ---- */

/* Decodes the bytes as ours; if they have another schema, as that. */
static enum wh_rc decode_event(struct mapper *m, const struct part *part, struct wh_err *err)
{
    struct wh_slice ours;

    if (wh_raw_event_decode(m->origin.value, &m->arena, &m->event, err) == WH_OK) {
        return WH_OK;
    }
    if (m->deps.foreign == NULL ||
        foreign_convert(m->deps.foreign, m->origin.value,
                        !stream_is_held(part->streams, STREAM_UNREADABLE), &ours, err) != WH_OK) {
        return err->rc;
    }
    return wh_raw_event_decode(ours, &m->arena, &m->event, err);
}

/* Decodes the event, unless it has no value. Sets m->stream. */
static enum wh_rc find_event(struct mapper *m, const struct part *part,
                             const struct wh_bus_msg *msg, struct wh_err *err)
{
    wh_arena_reset(&m->arena);
    m->stream = STREAM_UNREADABLE;
    if (find_origin(m, part, msg, err) != WH_OK) {
        return err->rc;
    }
    if (m->origin.value.ptr == NULL) {
        return WH_OK;
    }
    if (decode_event(m, part, err) != WH_OK) {
        return err->rc;
    }
    m->stream = m->event.origin;
    return WH_OK;
}

static enum wh_rc map_event(struct mapper *m, const struct part *part, enum mapper_outcome *ret,
                            struct wh_err *err)
{
    const struct mapper_out sinks = {
        .known = on_known, .observation = on_observation, .reread = on_reread, .ctx = m};
    const struct wh_provenance at = {
        .topic = m->origin.topic, .partition = m->origin.partition, .offset = m->origin.offset};

    if (m->origin.value.ptr == NULL) {
        *ret = MAPPER_IGNORED;
        return WH_OK;
    }
    if (!wh_slice_eq(m->event.connection, part->connection)) {
        return wh_fail(err, WH_E_INVALID,
                       "the connection in the event differs from that of its topic");
    }
    if (m->event.instance.len == 0) {
        return wh_fail(err, WH_E_MISSING, "the event does not name its GitLab instance");
    }
    m->sent_salt = wh_hash64(m->event.connection);
    return mapper_eval_map(m->eval, &m->event, &at, &sinks, ret, err);
}

/* The event cannot be mapped. */
static enum wh_rc set_event_aside(struct mapper *m, const struct part *part,
                                  const struct wh_bus_msg *msg, struct wh_err *err)
{
    wh_counter_add(m->poison, 1);
    streams_dead_letter(&m->streams, part->streams, m->why.rc);
    m->trace = wh_consumer_header(m->consumer, msg, "traceparent");
    return add_dead_letter(m, part, msg, err);
}

enum wh_rc prepare_event(struct mapper *m, const struct part *part, const struct wh_bus_msg *msg,
                         bool *ret_held, struct wh_err *err)
{
    enum mapper_outcome outcome = MAPPER_IGNORED;
    enum wh_rc rc = find_event(m, part, msg, &m->why);

    m->n_outs = 0;
    wh_buf_reset(&m->bytes);
    sent_begin(m->sent);
    if (rc == WH_E_BUSY) {
        *err = m->why;
        return rc;
    }
    *ret_held = stream_is_held(part->streams, m->stream) && wh_rc_class(rc) != WH_CLASS_FATAL;
    if (*ret_held) {
        wh_counter_add(m->passed_over, 1);
        return WH_OK;
    }
    if (rc == WH_OK) {
        rc = map_event(m, part, &outcome, &m->why);
    }
    switch (wh_rc_class(rc)) {
    case WH_CLASS_NONE:
        wh_counter_add(outcome == MAPPER_IGNORED ? m->ignored : m->mapped, 1);
        m->why.rc = WH_OK;
        m->trace =
            m->n_outs ? wh_consumer_header(m->consumer, msg, "traceparent") : wh_slice(NULL, 0);
        return WH_OK;
    case WH_CLASS_POISON:
        return set_event_aside(m, part, msg, err);
    case WH_CLASS_TRANSIENT:
        stream_hold(&m->streams, part->streams, m->stream, m->why.msg);
        wh_counter_add(m->passed_over, 1);
        *ret_held = true;
        return WH_OK;
    case WH_CLASS_FATAL:
    case WH_CLASS_CANCELED:
    default:
        *err = m->why;
        return rc;
    }
}

/* ---- producing ---- */

static size_t entity_headers(const struct mapper *m, const struct out *out,
                             struct wh_bus_header headers[HEADERS_MAX])
{
    size_t n = 0;

    headers[n++] = (struct wh_bus_header){WH_LIT("ce_specversion"), WH_LIT("1.0")};
    headers[n++] = (struct wh_bus_header){
        WH_LIT("ce_type"),
        wh_slice_str(out->deleted ? deleted_types[out->kind] : observed_types[out->kind])};
    headers[n++] = (struct wh_bus_header){WH_LIT("ce_source"), m->event.instance};
    headers[n++] = (struct wh_bus_header){WH_LIT("ce_id"), m->event.delivery_id};
    return n;
}

static size_t dead_headers(const struct mapper *m, char numbers[2][24],
                           struct wh_bus_header headers[HEADERS_MAX])
{
    size_t n = 0;

    (void)snprintf(numbers[0], sizeof(numbers[0]), "%d", m->origin.partition);
    (void)snprintf(numbers[1], sizeof(numbers[1]), "%lld", (long long)m->origin.offset);
    headers[n++] = (struct wh_bus_header){WH_LIT("__dlq.errors.topic"), m->origin.topic};
    headers[n++] =
        (struct wh_bus_header){WH_LIT("__dlq.errors.partition"), wh_slice_str(numbers[0])};
    headers[n++] = (struct wh_bus_header){WH_LIT("__dlq.errors.offset"), wh_slice_str(numbers[1])};
    headers[n++] = (struct wh_bus_header){WH_LIT("__dlq.errors.message"), wh_slice_str(m->why.msg)};
    headers[n++] = (struct wh_bus_header){WH_LIT("wellhead.stage"), WH_LIT("mapper")};
    headers[n++] = (struct wh_bus_header){WH_LIT("wellhead.error.class"),
                                          wh_slice_str(wh_class_name(wh_rc_class(m->why.rc)))};
    headers[n++] =
        (struct wh_bus_header){WH_LIT("wellhead.error.code"), wh_slice_str(wh_rc_name(m->why.rc))};
    return n;
}

const char *prepare_topic(const struct mapper *m, const struct part *part, size_t i)
{
    switch (m->outs[i].topic) {
    case OUT_ENTITIES:
        return part->entities;
    case OUT_DEAD_LETTER:
        return part->dead_letters;
    case OUT_REREADS:
    default:
        return m->reread_topic;
    }
}

enum wh_rc prepare_send(struct mapper *m, const struct part *part, size_t i, struct wh_err *err)
{
    const struct out *out = &m->outs[i];
    struct wh_bus_header headers[HEADERS_MAX];
    char numbers[2][24];
    struct wh_bus_record record = {
        .topic = prepare_topic(m, part, i),
        .partition = -1,
        .key = wh_slice(m->bytes.ptr + out->key, out->key_len),
        .value = wh_slice(m->flight->bytes + out->value, out->value_len),
        .keep_value = true,
        .headers = headers,
        .ack = &m->flight->ack,
    };

    if (out->topic == OUT_ENTITIES) {
        record.n_headers = entity_headers(m, out, headers);
    } else if (out->topic == OUT_DEAD_LETTER) {
        record.n_headers = dead_headers(m, numbers, headers);
    }
    if (m->trace.len) {
        headers[record.n_headers++] = (struct wh_bus_header){WH_LIT("traceparent"), m->trace};
    }
    return wh_producer_produce(m->producer, &record, err);
}
