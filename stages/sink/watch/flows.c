/* Which records wait for whom, by Kafka's own offsets. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/batch/apply.h"
#include "stages/sink/watch/watch_priv.h"

/* A group and the topics that it reads. */
struct reader {
    struct wh_slice stage;
    struct wh_slice process; /* empty: the processes of the stage share the group */
    char group[WH_TOPIC_MAX + WATCH_NAME_MAX];
    enum wh_topic_role role;
    int64_t patience_ms;
};

static bool reads(const struct sink_watch *w, const struct reader *r, const char *topic,
                  struct wh_slice *ret_connection)
{
    char shared[WH_TOPIC_MAX];
    struct wh_err err;

    *ret_connection = wh_slice("", 0);
    if (r->role == WH_TOPIC_REREADS) {
        return wh_topic_name(w->deps.topic_prefix, r->role, WH_LIT(""), shared, &err) == WH_OK &&
               strcmp(shared, topic) == 0;
    }
    return wh_topic_connection(w->deps.topic_prefix, r->role, topic, ret_connection);
}

/* ---- standing still ---- */

static struct watch_stand *stand_of(struct sink_watch *w, const struct wh_seen_flow *flow)
{
    char key[sizeof(w->stands->key)];

    (void)snprintf(key, sizeof(key), "%.*s %.*s", WH_SLICE_ARG(flow->topic),
                   WH_SLICE_ARG(flow->process));
    for (size_t i = 0; i < w->n_stands; i++) {
        if (strcmp(w->stands[i].key, key) == 0) {
            return &w->stands[i];
        }
    }
    /* Topics of purged connections leave their places; a full table begins anew. */
    w->n_stands = w->n_stands < WATCH_FLOWS_MAX ? w->n_stands : 0;
    w->stands[w->n_stands] = (struct watch_stand){.position = -1};
    memcpy(w->stands[w->n_stands].key, key, sizeof(key));
    return &w->stands[w->n_stands++];
}

static void note_advance(struct sink_watch *w, struct wh_seen_flow *flow, int64_t position)
{
    struct watch_stand *stand = stand_of(w, flow);

    if (position != stand->position || flow->lag_records <= 0 || stand->advanced_ms < w->since_ms) {
        stand->position = position;
        stand->advanced_ms = w->evidence.now_ms;
    }
    flow->advanced_ms = stand->advanced_ms;
}

/* ---- lag ---- */

static void add_flow(struct sink_watch *w, const struct reader *r, struct wh_slice connection,
                     const struct wh_lag *lags, size_t n)
{
    struct wh_seen_flow flow = {.topic = wh_slice_str(lags[0].topic),
                                .connection = connection,
                                .stage = r->stage,
                                .process = r->process,
                                .patience_ms = r->patience_ms};
    int64_t position = 0;

    if (w->evidence.n_flows == WATCH_FLOWS_MAX) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool known = lags[i].records >= 0 && flow.lag_records >= 0;

        position += lags[i].position;
        flow.lag_records = known ? flow.lag_records + lags[i].records : -1;
        flow.lag_ms = !known ? -1 : lags[i].ms > flow.lag_ms ? lags[i].ms : flow.lag_ms;
    }
    note_advance(w, &flow, position);
    w->flows[w->evidence.n_flows++] = flow;
}

/* Adds the partitions of the reader's topics to the lags; gives their number. */
static size_t add_partitions(struct sink_watch *w, const struct reader *r)
{
    size_t before = w->n_lags;
    struct wh_slice connection;

    for (size_t i = 0; i < w->n_topics; i++) {
        int32_t n = w->topics[i].partitions;

        if (reads(w, r, w->topics[i].name, &connection) &&
            w->n_lags + (size_t)n <= WATCH_PARTITIONS_MAX) {
            for (int32_t p = 0; p < n; p++) {
                w->lags[w->n_lags++] = (struct wh_lag){.topic = w->topics[i].name, .partition = p};
            }
        }
    }
    return w->n_lags - before;
}

static enum wh_rc ask_reader(struct sink_watch *w, const struct reader *r, struct wh_err *err)
{
    size_t first = w->n_lags;
    size_t n = add_partitions(w, r);
    struct wh_slice connection;

    if (wh_lag_ask(w->deps.admin, r->group, w->lags + first, n, w->evidence.now_ms,
                   WATCH_TIMEOUT_MS, err) != WH_OK) {
        w->n_lags = first;
        return err->rc == WH_E_NOT_FOUND ? WH_OK : err->rc; /* the topics were just deleted */
    }
    for (size_t i = first, end; i < first + n; i = end) {
        for (end = i + 1; end < first + n && w->lags[end].topic == w->lags[i].topic;) {
            end++;
        }
        (void)reads(w, r, w->lags[i].topic, &connection);
        add_flow(w, r, connection, w->lags + i, end - i);
    }
    return WH_OK;
}

/* ---- readers ---- */

/* The group that the newest heartbeat of the stage names. */
static void group_of(const struct sink_watch *w, struct reader *r, const char *otherwise)
{
    int64_t newest_ms = 0;

    (void)snprintf(r->group, sizeof(r->group), "%s%s", w->deps.topic_prefix, otherwise);
    for (size_t i = 0; i < w->evidence.n_processes; i++) {
        const struct wh_heartbeat *h = &w->processes[i].beat;

        if (wh_slice_eq(h->stage, r->stage) && h->group.len > 0 && h->at_ms > newest_ms) {
            newest_ms = h->at_ms;
            (void)snprintf(r->group, sizeof(r->group), "%.*s", WH_SLICE_ARG(h->group));
        }
    }
}

/* Every sink reads everything, and has a group of its own. */
static enum wh_rc ask_sinks(struct sink_watch *w, bool own, struct wh_err *err)
{
    for (size_t i = 0; i < w->evidence.n_processes; i++) {
        const struct wh_heartbeat *h = &w->processes[i].beat;
        struct reader r = {.stage = WH_LIT("sink"),
                           .process = h->process,
                           .role = WH_TOPIC_ENTITIES,
                           .patience_ms = WH_JUDGE_PATIENCE_MS};

        if (!wh_slice_eq(h->stage, r.stage) || h->group.len == 0 ||
            own != wh_slice_eq(h->process, w->evidence.observer) ||
            !wh_judge_lives(&w->evidence, &w->processes[i])) {
            continue;
        }
        (void)snprintf(r.group, sizeof(r.group), "%.*s", WH_SLICE_ARG(h->group));
        if (ask_reader(w, &r, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* Stored offsets are durable. */
static enum wh_rc commit_own(struct sink_watch *w, struct wh_err *err)
{
    const struct reader own = {.role = WH_TOPIC_ENTITIES};
    WH_AUTO_FREE struct wh_bus_partition *parts =
        wh_mem_zalloc(WATCH_PARTITIONS_MAX, sizeof(*parts));
    size_t n_lags = add_partitions(w, &own);
    int64_t sum = 0;
    size_t n = 0;

    if (parts == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for offsets");
    }
    for (size_t i = 0; i < n_lags; i++) {
        struct wh_bus_partition *part = &parts[n];
        bool found = false;

        *part =
            (struct wh_bus_partition){.topic = w->lags[i].topic, .partition = w->lags[i].partition};
        if (sink_offset_get(w->deps.store, part->topic, part->partition, &part->offset, &found,
                            err) != WH_OK) {
            return err->rc;
        }
        sum += found ? part->offset + 1 : 0;
        n += found;
    }
    w->n_lags = 0;
    if (sum != w->committed && n > 0) {
        if (wh_admin_group_set(w->deps.admin, w->deps.group, parts, n, WATCH_TIMEOUT_MS, err) !=
            WH_OK) {
            return err->rc;
        }
        w->committed = sum;
    }
    return WH_OK;
}

enum wh_rc watch_flows(struct sink_watch *w, struct wh_err *err)
{
    struct reader mapper = {.stage = WH_LIT("mapper"),
                            .process = WH_LIT(""),
                            .role = WH_TOPIC_RAW,
                            .patience_ms = WH_JUDGE_PATIENCE_MS};
    /* Re-reads wait for GitLab, for as long as it takes. */
    struct reader fetcher = {
        .stage = WH_LIT("fetcher"), .process = WH_LIT(""), .role = WH_TOPIC_REREADS};

    w->evidence.flows = w->flows;
    if (commit_own(w, err) != WH_OK) {
        return err->rc;
    }
    group_of(w, &mapper, "mapper");
    group_of(w, &fetcher, "fetcher.rereads");
    if (ask_reader(w, &mapper, err) != WH_OK || ask_reader(w, &fetcher, err) != WH_OK) {
        return err->rc;
    }
    if (ask_sinks(w, true, err) != WH_OK) {
        return err->rc;
    }
    w->n_own_lags = w->n_lags;
    return ask_sinks(w, false, err);
}
