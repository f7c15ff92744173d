#include "stages/mapper/streams.h"

#include <stdio.h>

#include "common/base/mem.h"

enum { FORGET_MS = 60000, NAME_MAX_BYTES = 80, LABEL_MAX = 160 };

static const int64_t wait_max_ms = INT64_C(24) * 3600 * 1000;

struct stream {
    struct mapper_breaker breaker;
    int64_t held_since_ms; /* 0: not held */
    int64_t wait_ms;       /* from the last hold to its retry */
    int64_t retried_ms;    /* the last retry; 0: none */
    char reason[WH_ERR_MSG_MAX];
    struct wh_gauge *gauge; /* NULL until it was held */
};

struct streams {
    struct streams *next;
    unsigned partitions; /* that are read */
    int64_t unread_since_ms;
    char connection[NAME_MAX_BYTES];
    struct stream items[STREAM_COUNT];
    struct wh_counter *dead_letters[WH_RC_COUNT]; /* NULL until there is one */
};

static const char *name_of(unsigned stream)
{
    return stream == STREAM_UNREADABLE ? "unreadable" : wh_origin_name((enum wh_origin)stream);
}

static int64_t now_ms(const struct stream_table *t)
{
    return wh_clock_now_ms(&t->clock);
}

/* ---- the streams of a connection ---- */

static void close_breaker(const struct stream_table *t, struct stream *s)
{
    mapper_breaker_init(&s->breaker, t->breaker_window, t->breaker_min, t->breaker_share);
}

static struct streams *add(struct stream_table *t, struct wh_slice connection)
{
    struct streams *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    (void)snprintf(s->connection, sizeof(s->connection), "%.*s", WH_SLICE_ARG(connection));
    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        close_breaker(t, &s->items[i]);
    }
    s->next = t->first;
    t->first = s;
    return s;
}

struct streams *streams_use(struct stream_table *t, struct wh_slice connection)
{
    struct streams *s = t->first;

    while (s && !wh_slice_eq(wh_slice_str(s->connection), connection)) {
        s = s->next;
    }
    if (s == NULL) {
        s = add(t, connection);
    }
    if (s) {
        s->partitions++;
    }
    return s;
}

void streams_leave(struct stream_table *t, struct streams *s)
{
    if (s && --s->partitions == 0) {
        s->unread_since_ms = now_ms(t);
    }
}

void stream_table_done(struct stream_table *t)
{
    while (t->first) {
        struct streams *s = t->first;

        t->first = s->next;
        wh_mem_free(s);
    }
}

/* ---- holding ---- */

bool stream_is_held(const struct streams *of, unsigned stream)
{
    return of->items[stream].held_since_ms != 0;
}

static bool all_held(const struct streams *of)
{
    unsigned n = 0;

    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        n += stream_is_held(of, i);
    }
    return n == STREAM_COUNT;
}

static void make_gauge(struct stream_table *t, struct streams *of, unsigned stream)
{
    char label[LABEL_MAX];

    (void)snprintf(label, sizeof(label), "connection=\"%s\",stream=\"%s\"", of->connection,
                   name_of(stream));
    of->items[stream].gauge = wh_metrics_gauge(t->metrics, "wellhead_mapper_stream_held", label,
                                               "1 while the events of this stream are not mapped");
}

static void hold(struct stream_table *t, struct streams *of, unsigned stream, const char *reason)
{
    struct stream *s = &of->items[stream];
    int64_t now = now_ms(t);

    if (s->held_since_ms) {
        return;
    }
    s->wait_ms = s->retried_ms && now - s->retried_ms < s->wait_ms ? s->wait_ms * 2 : t->retry_ms;
    if (s->wait_ms > wait_max_ms) {
        s->wait_ms = wait_max_ms;
    }
    s->held_since_ms = now;
    (void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
    if (t->metrics && s->gauge == NULL) {
        make_gauge(t, of, stream);
    }
    wh_gauge_set(s->gauge, 1);
}

void stream_hold(struct stream_table *t, struct streams *of, unsigned stream, const char *reason)
{
    if (!stream_is_held(of, stream)) {
        hold(t, of, stream, reason);
        wh_log_error(t->log, "stream held: its events are not mapped",
                     WH_STR("connection", of->connection), WH_STR("stream", name_of(stream)),
                     WH_STR("reason", reason), WH_I("retry_in_ms", of->items[stream].wait_ms));
    }
}

void streams_hold_all(struct stream_table *t, struct streams *of, const char *reason)
{
    bool held = all_held(of);

    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        hold(t, of, i, reason);
    }
    if (!held) {
        wh_log_warn(t->log, "all streams of the connection are held",
                    WH_STR("connection", of->connection), WH_STR("reason", reason));
    }
}

bool stream_count(struct stream_table *t, struct streams *of, unsigned stream,
                  const struct wh_err *why)
{
    struct mapper_breaker *b = &of->items[stream].breaker;
    char reason[WH_ERR_MSG_MAX];

    if (!mapper_breaker_count(b, why->rc != WH_OK)) {
        return false;
    }
    (void)snprintf(reason, sizeof(reason),
                   "%zu of the last %zu events could not be mapped; the last error: %.120s",
                   b->failed, b->seen, why->msg);
    stream_hold(t, of, stream, reason);
    return true;
}

/* ---- dead letters ---- */

void streams_dead_letter(struct stream_table *t, struct streams *s, enum wh_rc code)
{
    char label[LABEL_MAX];

    if (s->dead_letters[code] == NULL && t->metrics) {
        (void)snprintf(label, sizeof(label), "stage=\"mapper\",code=\"%s\",connection=\"%s\"",
                       wh_rc_name(code), s->connection);
        s->dead_letters[code] =
            wh_metrics_counter(t->metrics, "wellhead_records_dead_lettered_total", label,
                               "inputs written as dead letters, by reason and connection");
    }
    wh_counter_add(s->dead_letters[code], 1);
}

/* ---- retries ---- */

static bool is_due(const struct stream_table *t, const struct stream *s)
{
    return s->held_since_ms && t->retry_ms && now_ms(t) - s->held_since_ms >= s->wait_ms;
}

bool streams_due(const struct stream_table *t)
{
    for (const struct streams *of = t->first; of; of = of->next) {
        for (unsigned i = 0; of->partitions && i < STREAM_COUNT; i++) {
            if (is_due(t, &of->items[i])) {
                return true;
            }
        }
    }
    return false;
}

static void retry(struct stream_table *t, const struct streams *of, struct stream *s)
{
    s->held_since_ms = 0;
    s->retried_ms = now_ms(t);
    close_breaker(t, s);
    wh_gauge_set(s->gauge, 0);
    wh_log_info(t->log, "stream is tried again", WH_STR("connection", of->connection),
                WH_STR("stream", name_of((unsigned)(s - of->items))));
}

void streams_retry(struct stream_table *t)
{
    for (struct streams *of = t->first; of; of = of->next) {
        for (unsigned i = 0; i < STREAM_COUNT; i++) {
            if (is_due(t, &of->items[i])) {
                retry(t, of, &of->items[i]);
            }
        }
    }
}

/* ---- reports ---- */

static void update_gauges(const struct streams *of)
{
    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        wh_gauge_set(of->items[i].gauge, of->partitions && stream_is_held(of, i) ? 1 : 0);
    }
}

void streams_tick(struct stream_table *t)
{
    struct streams **at = &t->first;

    while (*at) {
        struct streams *of = *at;

        update_gauges(of);
        if (of->partitions == 0 && now_ms(t) - of->unread_since_ms >= FORGET_MS) {
            *at = of->next;
            wh_mem_free(of);
        } else {
            at = &of->next;
        }
    }
}

static struct wh_heartbeat_held held_of(const struct streams *of, unsigned stream, const char *what)
{
    return (struct wh_heartbeat_held){.connection = wh_slice_str(of->connection),
                                      .what = wh_slice_str(what),
                                      .reason = wh_slice_str(of->items[stream].reason),
                                      .since_ms = of->items[stream].held_since_ms};
}

size_t streams_held(const struct stream_table *t, struct wh_heartbeat_held *out, size_t max)
{
    size_t n = 0;

    for (const struct streams *of = t->first; of; of = of->next) {
        if (of->partitions && n < max && all_held(of)) {
            out[n++] = held_of(of, 0, "");
            continue;
        }
        for (unsigned i = 0; of->partitions && i < STREAM_COUNT && n < max; i++) {
            if (stream_is_held(of, i)) {
                out[n++] = held_of(of, i, name_of(i));
            }
        }
    }
    return n;
}
