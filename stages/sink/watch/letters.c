/*
 * Dead letters after the last replay, by connection, stage and class. How many there are follows from
 * offsets; of which kind they are is read from their headers, each once. What a replay passes is read
 * anew, so that nothing needs to be remembered for longer than the process lives.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/watch/watch_priv.h"

enum {
    STAGES = 3,  /* mapper, sink, others */
    CLASSES = 4, /* transient, poison, fatal, others */
    PARTITIONS = 1024,
    BATCH = 256,
    READ_NS = 1000000000, /* of one look */
    POLL_MS = 50,
};

static const char *const stage_names[STAGES] = {"mapper", "sink", "unknown"};
static const char *const class_names[CLASSES] = {"poison", "transient", "fatal", "unknown"};

struct pile {
    char topic[WH_TOPIC_MAX];
    int32_t partition;
    int64_t from; /* the first that is not replayed */
    int64_t next; /* the first that was not read */
    int64_t end;
    int64_t counts[STAGES][CLASSES];
    bool found; /* in this look */
};

struct watch_letters {
    struct pile *piles; /* PARTITIONS */
    size_t n;
    struct wh_consumer *consumer; /* NULL until there are letters */
    struct wh_bus_msg msgs[BATCH];
};

struct watch_letters *watch_letters_new(void)
{
    struct watch_letters *l = wh_mem_zalloc(1, sizeof(*l));

    if (l) {
        l->piles = wh_mem_zalloc(PARTITIONS, sizeof(*l->piles));
    }
    if (l && l->piles == NULL) {
        watch_letters_free(l);
        return NULL;
    }
    return l;
}

void watch_letters_free(struct watch_letters *l)
{
    if (l) {
        wh_consumer_free(l->consumer);
        wh_mem_free(l->piles);
        wh_mem_free(l);
    }
}

/* ---- which there are ---- */

static struct pile *pile_of(struct watch_letters *l, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->piles[i].partition == partition && strcmp(l->piles[i].topic, topic) == 0) {
            return &l->piles[i];
        }
    }
    return NULL;
}

static void find_piles(struct sink_watch *w)
{
    struct watch_letters *l = w->letters;
    struct wh_slice connection;

    for (size_t i = 0; i < l->n; i++) {
        l->piles[i].found = false;
    }
    for (size_t i = 0; i < w->n_topics; i++) {
        const struct wh_bus_topic_info *t = &w->topics[i];

        if (!wh_topic_connection(w->deps.topic_prefix, WH_TOPIC_DEAD_LETTER, t->name,
                                 &connection)) {
            continue;
        }
        for (int32_t p = 0; p < t->partitions; p++) {
            struct pile *pile = pile_of(l, t->name, p);

            if (pile == NULL && l->n < PARTITIONS) {
                pile = &l->piles[l->n++];
                *pile = (struct pile){.partition = p, .from = -1};
                (void)snprintf(pile->topic, sizeof(pile->topic), "%s", t->name);
            }
            if (pile) {
                pile->found = true;
            }
        }
    }
    for (size_t i = 0; i < l->n;) {
        if (l->piles[i].found) {
            i++;
        } else {
            l->piles[i] = l->piles[--l->n];
        }
    }
}

/* Where the pile begins and ends; *ret_moved when some are to be read from another place. */
static enum wh_rc bound_piles(struct sink_watch *w, bool *ret_moved, struct wh_err *err)
{
    struct watch_letters *l = w->letters;
    WH_AUTO_FREE struct wh_lag *lags = wh_mem_zalloc(l->n + 1, sizeof(*lags));
    char group[WH_TOPIC_MAX + 16];

    if (lags == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for dead letters");
    }
    for (size_t i = 0; i < l->n; i++) {
        lags[i] = (struct wh_lag){.topic = l->piles[i].topic, .partition = l->piles[i].partition};
    }
    (void)snprintf(group, sizeof(group), "%s" WH_DEAD_LETTER_GROUP, w->deps.topic_prefix);
    if (wh_lag_ask(w->deps.admin, group, lags, l->n, w->evidence.now_ms, WATCH_TIMEOUT_MS, err) !=
        WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n; i++) {
        struct pile *pile = &l->piles[i];

        if (lags[i].records < 0) {
            continue;
        }
        if (lags[i].position != pile->from) {
            memset(pile->counts, 0, sizeof(pile->counts));
            pile->from = lags[i].position;
            pile->next = pile->from;
            *ret_moved = true;
        }
        pile->end = lags[i].position + lags[i].records;
    }
    return WH_OK;
}

/* ---- what they are ---- */

static size_t index_of(const char *const *names, size_t n, struct wh_slice name)
{
    size_t i = 0;

    while (i + 1 < n && !wh_slice_eq(name, wh_slice_str(names[i]))) {
        i++;
    }
    return i;
}

static void count(struct watch_letters *l, const struct wh_bus_msg *msg)
{
    struct pile *pile = pile_of(l, msg->topic, msg->partition);

    if (pile == NULL || msg->offset < pile->next) {
        return;
    }
    pile->next = msg->offset + 1;
    pile->counts[index_of(stage_names, STAGES,
                          wh_consumer_header(l->consumer, msg, "wellhead.stage"))]
                [index_of(class_names, CLASSES,
                          wh_consumer_header(l->consumer, msg, "wellhead.error.class"))]++;
}

static enum wh_rc read_from(struct sink_watch *w, struct wh_err *err)
{
    struct watch_letters *l = w->letters;
    WH_AUTO_FREE struct wh_bus_partition *parts = wh_mem_zalloc(l->n + 1, sizeof(*parts));

    if (parts == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for dead letters");
    }
    if (l->consumer == NULL && w->deps.make_consumer(w->deps.ctx, &l->consumer, err) != WH_OK) {
        l->consumer = NULL;
        return err->rc;
    }
    for (size_t i = 0; i < l->n; i++) {
        parts[i] = (struct wh_bus_partition){.topic = l->piles[i].topic,
                                             .partition = l->piles[i].partition,
                                             .offset = l->piles[i].next};
    }
    return wh_consumer_assign(l->consumer, parts, l->n, err);
}

static bool all_read(const struct watch_letters *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->piles[i].next < l->piles[i].end) {
            return false;
        }
    }
    return true;
}

static enum wh_rc read_on(struct sink_watch *w, struct wh_err *err)
{
    int64_t until_ns = wh_clock_mono_ns(&w->deps.clock) + READ_NS;
    struct watch_letters *l = w->letters;
    size_t n = 0;

    while (l->consumer && !all_read(l) && !atomic_load(&w->stop) &&
           wh_clock_mono_ns(&w->deps.clock) < until_ns) {
        if (wh_consumer_poll(l->consumer, POLL_MS, BATCH, l->msgs, &n, err) != WH_OK) {
            wh_consumer_free(l->consumer);
            l->consumer = NULL;
            return err->rc;
        }
        for (size_t i = 0; i < n; i++) {
            count(l, &l->msgs[i]);
        }
    }
    return WH_OK;
}

/* ---- the evidence ---- */

static void add(struct sink_watch *w, struct wh_seen_letters *all, struct wh_slice connection,
                const char *stage, const char *class_, int64_t n)
{
    size_t i = 0;

    while (i < w->evidence.n_letters && !(wh_slice_eq(all[i].connection, connection) &&
                                          wh_slice_eq(all[i].stage, wh_slice_str(stage)) &&
                                          wh_slice_eq(all[i].class_, wh_slice_str(class_)))) {
        i++;
    }
    if (i == WATCH_LETTERS_MAX || n == 0) {
        return;
    }
    if (i == w->evidence.n_letters) {
        w->evidence.n_letters++;
        all[i] = (struct wh_seen_letters){
            .connection = connection, .stage = wh_slice_str(stage), .class_ = wh_slice_str(class_)};
    }
    all[i].count += n;
}

static enum wh_rc sum_up(struct sink_watch *w, struct wh_err *err)
{
    const struct watch_letters *l = w->letters;
    struct wh_slice connection;
    void *all;

    if (wh_arena_zalloc(&w->arena, WATCH_LETTERS_MAX, sizeof(struct wh_seen_letters), &all, err) !=
        WH_OK) {
        return err->rc;
    }
    w->evidence.letters = all;
    for (size_t i = 0; i < l->n; i++) {
        const struct pile *pile = &l->piles[i];
        int64_t unread = pile->end - pile->next;

        if (!wh_topic_connection(w->deps.topic_prefix, WH_TOPIC_DEAD_LETTER, pile->topic,
                                 &connection)) {
            continue;
        }
        for (size_t k = 0; k < (size_t)STAGES * CLASSES; k++) {
            add(w, all, connection, stage_names[k / CLASSES], class_names[k % CLASSES],
                pile->counts[k / CLASSES][k % CLASSES]);
        }
        add(w, all, connection, "unknown", "unknown", unread > 0 ? unread : 0);
    }
    return WH_OK;
}

enum wh_rc watch_letters_count(struct sink_watch *w, struct wh_err *err)
{
    bool moved = false;

    find_piles(w);
    if (bound_piles(w, &moved, err) != WH_OK) {
        return err->rc;
    }
    if (!all_read(w->letters)) {
        moved = moved || w->letters->consumer == NULL;
        if ((moved && read_from(w, err) != WH_OK) || read_on(w, err) != WH_OK) {
            return err->rc;
        }
    }
    return sum_up(w, err);
}
