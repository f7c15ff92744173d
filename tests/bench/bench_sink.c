/*
 * bench_sink.c - how fast observations become durable, and how that compares with a bare loop that
 * writes the same keys and values to the same kind of store.
 *
 *   bench_sink FOLDER OBSERVATIONS ROUNDS TEXT [alone]
 *
 * The observations look like REST rows of merge requests: some 25 fields, ROUNDS for each entity,
 * with a description of TEXT bytes on average that stays the same. Times are of one thread:
 * decoding, history, links and indexes, one synced write for each batch of 2048.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/time.h"
#include "stages/sink/ingest/committer.h"
#include "tests/bench/bench.h"

enum { BATCH = 2048, RECORD_MAX = 1 << 16 };

static const int64_t epoch_ms = 1750000000000;

static void need(enum wh_rc rc, const struct wh_err *err)
{
    if (rc != WH_OK) {
        (void)fprintf(stderr, "bench_sink: %s\n", err->msg);
        exit(1);
    }
}

static double seconds(void)
{
    struct wh_clock clock = wh_clock_real();

    return (double)wh_clock_mono_ns(&clock) / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- a store that remembers what is put ---- */

struct spy_op {
    unsigned family;
    bool remove;
    size_t key;
    size_t value;
};

struct spy {
    struct wh_store base;
    struct wh_store_ops ops;
    struct wh_store *inner;
    char *bytes;
    size_t len;
    size_t cap;
    size_t *ends; /* of batches */
    size_t n_ends;
};

struct spy_batch {
    struct wh_batch base;
    struct spy *spy;
    struct wh_batch *inner;
};

static void spy_note(struct spy *s, unsigned family, bool remove, struct wh_slice key,
                     struct wh_slice value)
{
    struct spy_op op = {family, remove, key.len, value.len};
    size_t need_bytes = sizeof(op) + key.len + value.len;

    while (s->len + need_bytes > s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1 << 26;
        s->bytes = wh_mem_resize(s->bytes, s->cap, 1);
        if (s->bytes == NULL) {
            exit(1);
        }
    }
    memcpy(s->bytes + s->len, &op, sizeof(op));
    memcpy(s->bytes + s->len + sizeof(op), key.ptr, key.len);
    if (value.len) {
        memcpy(s->bytes + s->len + sizeof(op) + key.len, value.ptr, value.len);
    }
    s->len += need_bytes;
}

static enum wh_rc spy_get(struct wh_store *s, const struct wh_snapshot *snap, unsigned family,
                          struct wh_slice key, struct wh_buf *out, bool *ret_found,
                          struct wh_err *err)
{
    return wh_store_get(((struct spy *)(void *)s)->inner, snap, family, key, out, ret_found, err);
}

static enum wh_rc spy_batch_new(struct wh_store *s, struct wh_batch **ret, struct wh_err *err)
{
    struct spy_batch *b = wh_mem_zalloc(1, sizeof(*b));

    b->base.ops = s->ops;
    b->spy = (struct spy *)(void *)s;
    *ret = &b->base;
    return wh_batch_new(b->spy->inner, &b->inner, err);
}

static enum wh_rc spy_put(struct wh_batch *b, unsigned family, struct wh_slice key,
                          struct wh_slice value, struct wh_err *err)
{
    struct spy_batch *p = (struct spy_batch *)(void *)b;

    spy_note(p->spy, family, false, key, value);
    return wh_batch_put(p->inner, family, key, value, err);
}

static enum wh_rc spy_remove(struct wh_batch *b, unsigned family, struct wh_slice key,
                             struct wh_err *err)
{
    struct spy_batch *p = (struct spy_batch *)(void *)b;

    spy_note(p->spy, family, true, key, wh_slice("", 0));
    return wh_batch_remove(p->inner, family, key, err);
}

static void spy_reset(struct wh_batch *b)
{
    wh_batch_reset(((struct spy_batch *)(void *)b)->inner);
}

static size_t spy_bytes(const struct wh_batch *b)
{
    return wh_batch_bytes(((const struct spy_batch *)(const void *)b)->inner);
}

static void spy_batch_free(struct wh_batch *b)
{
    wh_batch_free(((struct spy_batch *)(void *)b)->inner);
    wh_mem_free(b);
}

static enum wh_rc spy_write(struct wh_store *s, struct wh_batch *b, bool sync, struct wh_err *err)
{
    struct spy *spy = (struct spy *)(void *)s;

    spy->ends[spy->n_ends++] = spy->len;
    return wh_store_write(spy->inner, ((struct spy_batch *)(void *)b)->inner, sync, err);
}

static enum wh_rc spy_iter(struct wh_store *s, const struct wh_snapshot *snap, unsigned family,
                           struct wh_slice lower, struct wh_slice upper, struct wh_iter **ret,
                           struct wh_err *err)
{
    return wh_iter_new(((struct spy *)(void *)s)->inner, snap, family, lower, upper, ret, err);
}

static void spy_init(struct spy *s, struct wh_store *inner, size_t batches)
{
    s->inner = inner;
    s->ops.get = spy_get;
    s->ops.batch_new = spy_batch_new;
    s->ops.put = spy_put;
    s->ops.remove = spy_remove;
    s->ops.batch_reset = spy_reset;
    s->ops.batch_bytes = spy_bytes;
    s->ops.batch_free = spy_batch_free;
    s->ops.write = spy_write;
    s->ops.iter_new = spy_iter;
    s->base.ops = &s->ops;
    s->ends = wh_mem_zalloc(batches, sizeof(*s->ends));
}

/* ---- observations ---- */

struct list {
    char *bytes;
    size_t *ends;
    size_t n;
};

static struct wh_entity_id id_of(const char *kind, size_t n)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%zu", n);
    return wh_entity_id_make(WH_LIT("https://gitlab.example.com"), wh_slice_str(kind),
                             wh_slice_str(text));
}

static void set_field(struct wh_body *body, const char *name, struct wh_value v)
{
    int i = wh_kind_field(body->def, wh_slice_str(name));

    if (i >= 0) {
        body->present |= UINT64_C(1) << i;
        body->values[i] = v;
    }
}

static void set_str(struct wh_body *body, const char *name, const char *text)
{
    set_field(body, name, (struct wh_value){.u.str = wh_slice_str(text)});
}

static void fill(struct wh_observation *o, size_t entity, unsigned round, char text[4][160],
                 const char *description)
{
    struct wh_body *body = &o->body;
    struct wh_entity_id *assignees = (struct wh_entity_id *)(void *)text[3];

    (void)snprintf(text[0], 160, "%zu", entity);
    (void)snprintf(text[1], 160,
                   "https://gitlab.example.com/group/project-%zu/-/merge_requests/%zu", entity % 97,
                   entity);
    (void)snprintf(text[2], 160, "Make the queue's retry loop fair, part %zu of %u", entity, round);
    o->id = id_of("merge_request", entity);
    o->source = (struct wh_source_id){WH_LIT("gitlab"),        WH_LIT("https://gitlab.example.com"),
                                      WH_LIT("merge_request"), WH_LIT("97"),
                                      wh_slice_str(text[0]),   wh_slice_str(text[0]),
                                      wh_slice_str(text[1])};
    body->def = wh_kind_def(WH_KIND_WORK_ITEM);
    set_str(body, "type", "merge_request");
    set_field(body, "iid", (struct wh_value){.u.i = (int64_t)entity});
    set_str(body, "title", text[2]);
    set_str(body, "description", description);
    set_str(body, "state", round ? "merged" : "opened");
    set_field(body, "created_at", (struct wh_value){.u.i = epoch_ms});
    set_field(body, "updated_at", (struct wh_value){.u.i = epoch_ms + round * 1000});
    set_field(body, "closed_at", (struct wh_value){.is_null = true});
    set_field(body, "merged_at", (struct wh_value){.is_null = round == 0, .u.i = epoch_ms + 9});
    set_field(body, "project", (struct wh_value){.u.ref = id_of("project", entity % 97)});
    set_field(body, "author", (struct wh_value){.u.ref = id_of("user", entity % 500)});
    assignees[0] = id_of("user", entity % 499);
    set_field(body, "assignees", (struct wh_value){.u.refs = {assignees, 1}});
    set_field(body, "reviewers", (struct wh_value){.u.refs = {assignees, 0}});
    set_field(body, "milestone", (struct wh_value){.is_null = true});
    set_field(body, "draft", (struct wh_value){.u.b = false});
    set_str(body, "source_branch", "fair-retries");
    set_str(body, "target_branch", "main");
    set_str(body, "sha", "0f3c5f7c8f4d0a6b8f6d2b1c9e7a5d3b1f0e2c4a");
    set_str(body, "merge_status", "mergeable");
    set_field(body, "upvotes", (struct wh_value){.u.i = 2});
    set_field(body, "downvotes", (struct wh_value){.u.i = 0});
    set_field(body, "notes_count", (struct wh_value){.u.i = 7 + round});
    set_field(body, "time_estimate", (struct wh_value){.u.i = 0});
    set_field(body, "time_spent", (struct wh_value){.u.i = 0});
    o->provenance = (struct wh_provenance){.origin = WH_ORIGIN_REST,
                                           .delivery_id = WH_LIT("01JQ8Z6M3V9E"),
                                           .observed_at_ms = epoch_ms + 5000,
                                           .topic = WH_LIT("wellhead.raw.gitlab-example-com"),
                                           .offset = (int64_t)entity,
                                           .view = WH_LIT("gitlab.merge_request.rest@1")};
    o->version.order =
        wh_version_order((struct wh_instant){epoch_ms + round * 1000, true}, 0, WH_ORIGIN_REST);
}

/* One text for each entity: between a fifth and nine fifths of the mean. */
static void describe(char *to, size_t entity, size_t mean)
{
    uint64_t seed = (uint64_t)entity * UINT64_C(0x9E3779B97F4A7C15) | 1;
    size_t len = mean / 5 + (size_t)(bench_random(&seed) % (mean * 8 / 5 + 1));

    to[bench_pad(to, len, &seed)] = '\0';
}

static struct list make_list(size_t n, size_t rounds, size_t mean)
{
    static char text[4][160];
    static char description[RECORD_MAX];
    size_t entities = n / rounds + 1;
    struct list l = {.n = n};
    struct wh_buf out;
    struct wh_buf scratch;
    struct wh_err err;

    wh_buf_init(&out, (size_t)1 << 40);
    wh_buf_init(&scratch, RECORD_MAX);
    l.ends = wh_mem_zalloc(n, sizeof(*l.ends));
    for (size_t i = 0; i < n; i++) {
        struct wh_observation o = {0};
        size_t entity = i % entities * 7919 % entities;

        describe(description, entity, mean);
        fill(&o, entity, (unsigned)(i / entities), text, description);
        wh_buf_reset(&scratch);
        need(wh_observation_tie(&o, &scratch, &o.version.tie, &err), &err);
        need(wh_observation_encode(&o, &out, &err), &err);
        l.ends[i] = out.len;
    }
    l.bytes = wh_buf_take(&out, &(size_t){0});
    wh_buf_done(&scratch);
    return l;
}

/* ---- the two runs ---- */

static struct wh_store *open_store(const char *folder, const char *name)
{
    static char path[4096];
    const struct wh_store_conf conf = {.path = path,
                                       .families = sink_families,
                                       .n_families = SINK_FAMILY_COUNT,
                                       .cache_bytes = 128 << 20,
                                       .memtable_bytes = 32 << 20};
    struct wh_store *s;
    struct wh_err err;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    need(wh_store_rocks_open(&conf, &s, &err), &err);
    return s;
}

static void build(struct sink_apply *a, const struct list *l, size_t from, size_t to)
{
    struct wh_history_result result;
    struct wh_observation o;
    struct wh_err err;

    for (size_t i = from; i < to; i++) {
        size_t at = i ? l->ends[i - 1] : 0;

        need(wh_observation_decode(wh_slice(l->bytes + at, l->ends[i] - at), sink_apply_arena(a),
                                   &o, &err),
             &err);
        need(sink_apply_observation(a, &o, epoch_ms, &result, &err), &err);
    }
    need(sink_apply_offset(a, "wellhead.entities.c1", 0, (int64_t)to, &err), &err);
    need(sink_apply_seal(a, &err), &err);
}

/* As the writer does it: a batch is written while the next one is built. */
static void run_sink(struct wh_store *store, const struct list *l)
{
    struct sink_committer *committer;
    struct sink_apply *pair[2];
    struct sink_apply *flying = NULL;
    struct wh_err err;
    int64_t took_ns;
    unsigned turn = 0;

    need(sink_apply_new(store, BATCH, &pair[0], &err), &err);
    need(sink_apply_new_beside(pair[0], &pair[1], &err), &err);
    need(sink_committer_new(&committer, &err), &err);
    for (size_t i = 0; i < l->n; i += BATCH, turn++) {
        struct sink_apply *a = pair[turn % 2];

        sink_apply_begin_over(a, flying);
        build(a, l, i, i + BATCH < l->n ? i + BATCH : l->n);
        if (flying) {
            need(sink_committer_await(committer, &took_ns, &err), &err);
            sink_apply_written(flying);
        }
        flying = a;
        sink_committer_give(committer, a, true);
    }
    need(sink_committer_await(committer, &took_ns, &err), &err);
    sink_committer_free(committer);
    sink_apply_free(pair[1]);
    sink_apply_free(pair[0]);
}

static void run_bare(struct wh_store *store, const struct spy *spy)
{
    struct wh_batch *b;
    struct wh_err err;
    size_t at = 0;

    need(wh_batch_new(store, &b, &err), &err);
    for (size_t i = 0; i < spy->n_ends; i++) {
        while (at < spy->ends[i]) {
            struct spy_op op;
            const char *key;

            memcpy(&op, spy->bytes + at, sizeof(op));
            key = spy->bytes + at + sizeof(op);
            need(op.remove ? wh_batch_remove(b, op.family, wh_slice(key, op.key), &err)
                           : wh_batch_put(b, op.family, wh_slice(key, op.key),
                                          wh_slice(key + op.key, op.value), &err),
                 &err);
            at += sizeof(op) + op.key + op.value;
        }
        need(wh_store_write(store, b, true, &err), &err);
        wh_batch_reset(b);
    }
    wh_batch_free(b);
}

static void report(const char *name, size_t n, double wall, double cpu)
{
    (void)printf("%-6s %8.0f observations/s  %6.2f s wall  %6.2f s cpu\n", name, (double)n / wall,
                 wall, cpu);
}

static void print_families(const struct spy *spy, size_t n)
{
    size_t puts[SINK_FAMILY_COUNT] = {0};
    size_t removes[SINK_FAMILY_COUNT] = {0};
    size_t bytes[SINK_FAMILY_COUNT] = {0};

    for (size_t at = 0; at < spy->len;) {
        struct spy_op op;

        memcpy(&op, spy->bytes + at, sizeof(op));
        puts[op.family] += !op.remove;
        removes[op.family] += op.remove;
        bytes[op.family] += op.key + op.value;
        at += sizeof(op) + op.key + op.value;
    }
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        (void)printf("  %-10s %5.2f puts %5.2f removes %7.1f bytes an observation\n",
                     sink_families[f].name, (double)puts[f] / (double)n,
                     (double)removes[f] / (double)n, (double)bytes[f] / (double)n);
    }
}

static size_t number(const char *text)
{
    struct wh_err err;
    int64_t n;

    if (wh_num_i64(wh_slice_str(text), &n, &err) != WH_OK || n < 1 || n > 1 << 24) {
        (void)fprintf(stderr, "bench_sink: not a number: %s\n", text);
        exit(2);
    }
    return (size_t)n;
}

int main(int argc, char **argv)
{
    struct spy spy = {0};
    struct list l;
    struct wh_store *store;
    double sink_wall;
    double wall;
    double cpu;

    if (argc < 5) {
        (void)fprintf(stderr, "usage: bench_sink FOLDER OBSERVATIONS ROUNDS TEXT [alone]\n");
        return 2;
    }
    l = make_list(number(argv[2]), number(argv[3]), number(argv[4]));
    (void)printf("%zu observations of %zu bytes on average\n", l.n, l.ends[l.n - 1] / l.n);
    store = open_store(argv[1], "sink");
    wall = seconds();
    cpu = cpu_seconds();
    run_sink(store, &l);
    sink_wall = seconds() - wall;
    report("sink", l.n, sink_wall, cpu_seconds() - cpu);
    wh_store_free(store);
    if (argc > 5) {
        return 0; /* the sink alone, for a profiler */
    }
    store = open_store(argv[1], "spy");
    spy_init(&spy, store, l.n / BATCH + 16);
    run_sink(&spy.base, &l);
    wh_store_free(store);
    store = open_store(argv[1], "bare");
    wall = seconds();
    cpu = cpu_seconds();
    run_bare(store, &spy);
    wall = seconds() - wall;
    report("bare", l.n, wall, cpu_seconds() - cpu);
    print_families(&spy, l.n);
    (void)printf("sink is %.2f of bare; %zu bytes put for each observation\n", wall / sink_wall,
                 spy.len / l.n);
    wh_store_free(store);
    wh_mem_free(spy.bytes);
    wh_mem_free(spy.ends);
    wh_mem_free(l.bytes);
    wh_mem_free(l.ends);
    return 0;
}
