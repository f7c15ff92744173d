/*
 * bench_impact.c - how long the impact of one incident takes, in a store of its own on RocksDB.
 *
 *   bench_impact FOLDER ISSUES SERVICES QUESTIONS
 *
 * The store has that many issues, a hundredth of them incidents with two services each; services with five
 * customers each; customers with four contracts; a row of service_ownership for each service. A question reads
 * one incident by its id and writes the whole answer as JSON. Prints the number of entities, and the median, the
 * 99th percentile and the longest in ms: of the time that passed, then of the thread's CPU time, which other work
 * on the machine does not lengthen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/time.h"
#include "stages/sink/batch/apply.h"
#include "stages/sink/impact/impact.h"
#include "tests/bench/bench.h"

enum {
    BATCH = 2000,
    CACHE_BYTES = 128 << 20,
    MEMTABLE_BYTES = 32 << 20,
    CUSTOMERS_OF_SERVICE = 5,
    CONTRACTS_OF_CUSTOMER = 4,
    ARENA_MAX_BYTES = 256 << 20,
    TEXT_MAX = 96,
};

struct bench {
    struct wh_store *store;
    struct sink_apply *apply;
    struct wh_observation *o;
    unsigned in_batch;
    uint64_t entities;
    uint64_t seed;
    unsigned issues;
    unsigned services;
};

static void need(enum wh_rc rc, const struct wh_err *err)
{
    if (rc != WH_OK) {
        (void)fprintf(stderr, "bench_impact: %s\n", err->msg);
        exit(1);
    }
}

/* ---- filling ---- */

static struct wh_slice text(struct bench *b, const char *format, unsigned n)
{
    char line[TEXT_MAX];
    struct wh_slice copy;
    struct wh_err err;

    (void)snprintf(line, sizeof(line), "%s%u", format, n);
    need(wh_arena_dup(sink_apply_arena(b->apply), wh_slice_str(line), &copy, &err), &err);
    return copy;
}

static void commit(struct bench *b)
{
    struct wh_err err;

    need(sink_apply_seal(b->apply, &err), &err);
    need(sink_apply_commit(b->apply, false, &err), &err);
    sink_apply_begin(b->apply);
    b->in_batch = 0;
}

static struct wh_entity_id issue_id(struct wh_slice number)
{
    return wh_entity_id_make(WH_LIT("https://gitlab.bench"), WH_LIT("issue"), number);
}

static void begin(struct bench *b, enum wh_kind kind, const char *prefix, unsigned n)
{
    bool gitlab = kind == WH_KIND_WORK_ITEM || kind == WH_KIND_PROJECT;
    void *memory = NULL;
    struct wh_err err;

    if (b->in_batch >= BATCH) {
        commit(b);
    }
    need(wh_arena_zalloc(sink_apply_arena(b->apply), 1, sizeof(*b->o), &memory, &err), &err);
    b->o = memory;
    b->o->body.def = wh_kind_def(kind);
    b->o->source.system = gitlab ? WH_LIT("gitlab") : WH_LIT("import");
    b->o->source.instance = gitlab ? WH_LIT("https://gitlab.bench") : WH_LIT("import:bench");
    b->o->source.kind =
        kind == WH_KIND_WORK_ITEM ? WH_LIT("issue") : wh_slice_str(wh_kind_def(kind)->name);
    b->o->source.id = text(b, prefix, n);
    b->o->id = wh_entity_id_make(b->o->source.instance, b->o->source.kind, b->o->source.id);
    b->o->version.order =
        wh_version_order((struct wh_instant){INT64_C(1780000000000), true}, 0, WH_ORIGIN_REST);
    b->o->provenance.topic = WH_LIT("wellhead.raw.bench");
    b->o->provenance.observed_at_ms = INT64_C(1780000000000);
}

static struct wh_value *value(struct bench *b, const char *field)
{
    int i = wh_kind_field(b->o->body.def, wh_slice_str(field));

    b->o->body.present |= UINT64_C(1) << i;
    return &b->o->body.values[i];
}

static void put_list(struct bench *b, const char *field, struct wh_slice item)
{
    void *memory = NULL;
    struct wh_err err;

    need(wh_arena_dup(sink_apply_arena(b->apply), item, &item, &err), &err);
    need(wh_arena_zalloc(sink_apply_arena(b->apply), 1, sizeof(item), &memory, &err), &err);
    *(struct wh_slice *)memory = item;
    value(b, field)->u.strs.items = memory;
    value(b, field)->u.strs.n = 1;
}

static void end(struct bench *b)
{
    struct wh_history_result result;
    struct wh_err err;

    need(sink_apply_observation(b->apply, b->o, INT64_C(1780000000000), &result, &err), &err);
    b->in_batch++;
    b->entities++;
}

static unsigned any(struct bench *b, unsigned below)
{
    return (unsigned)(bench_random(&b->seed) % below);
}

static void fill_services(struct bench *b)
{
    for (unsigned i = 0; i < b->services; i++) {
        begin(b, WH_KIND_SERVICE, "s", i);
        value(b, "name")->u.str = text(b, "Service ", i);
        put_list(b, "aliases", text(b, "alias-", i));
        end(b);
        begin(b, WH_KIND_SERVICE_OWNERSHIP, "o", i);
        value(b, "service")->u.str = text(b, "s", i);
        value(b, "project")->u.str = text(b, "group/project-", i);
        end(b);
        begin(b, WH_KIND_CUSTOMER, "c", i);
        value(b, "name")->u.str = text(b, "Customer ", i);
        end(b);
        for (unsigned k = 0; k < CUSTOMERS_OF_SERVICE; k++) {
            begin(b, WH_KIND_SERVICE_CUSTOMER, "u", i * CUSTOMERS_OF_SERVICE + k);
            value(b, "service")->u.str = text(b, "Service ", i);
            value(b, "customer")->u.str = text(b, "c", any(b, b->services));
            end(b);
        }
        for (unsigned k = 0; k < CONTRACTS_OF_CUSTOMER; k++) {
            begin(b, WH_KIND_SUBSCRIPTION, "k", i * CONTRACTS_OF_CUSTOMER + k);
            value(b, "customer")->u.str = text(b, "Customer ", i);
            value(b, "amount_minor")->u.i = 1000 + k;
            value(b, "currency")->u.str = WH_LIT("EUR");
            value(b, "period")->u.str = WH_LIT("month");
            end(b);
        }
    }
}

static void fill_issues(struct bench *b)
{
    for (unsigned i = 0; i < b->issues; i++) {
        bool incident = i % 100 == 0;

        begin(b, WH_KIND_WORK_ITEM, "", i);
        b->o->source.url = text(b, "https://gitlab.bench/group/project/-/issues/", i);
        value(b, "type")->u.str = incident ? WH_LIT("incident") : WH_LIT("issue");
        value(b, "title")->u.str = text(b, "Issue ", i);
        value(b, "state")->u.str = WH_LIT("opened");
        value(b, "created_at")->u.i = INT64_C(1780000000000);
        if (incident) {
            put_list(b, "label_services", text(b, "alias-", any(b, b->services)));
            put_list(b, "stated_services", text(b, "service ", any(b, b->services)));
        } else if (i % 100 < 3) {
            void *memory = NULL;
            struct wh_err err;

            need(wh_arena_zalloc(sink_apply_arena(b->apply), 1, sizeof(struct wh_entity_id),
                                 &memory, &err),
                 &err);
            *(struct wh_entity_id *)memory = issue_id(text(b, "", i - i % 100));
            value(b, "relates_to")->u.refs.items = memory;
            value(b, "relates_to")->u.refs.n = 1;
        }
        end(b);
    }
}

/* ---- questions ---- */

static void ask(struct bench *b, unsigned incident)
{
    const struct past_conf conf = {.store = b->store};
    struct impact_choice *choice = NULL;
    struct impact_report report;
    struct wh_json_writer w;
    struct wh_arena arena;
    struct past *past = NULL;
    struct wh_buf answer;
    char number[TEXT_MAX];
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_entity_id entity;
    struct wh_err err;

    (void)snprintf(number, sizeof(number), "%u", incident);
    entity = issue_id(wh_slice_str(number));
    wh_arena_init(&arena, 256 << 10, ARENA_MAX_BYTES);
    wh_buf_init(&answer, ARENA_MAX_BYTES);
    wh_json_writer_init(&w, &answer);
    need(past_new(&conf, &past, &err), &err);
    need(impact_find(past, wh_slice_str(wh_entity_id_format(&entity, id)), &arena, &choice, &err),
         &err);
    if (choice == NULL) {
        (void)fprintf(stderr, "bench_impact: incident %u is not there\n", incident);
        exit(1);
    }
    need(impact_read(past, choice->incident, wh_zone_utc(), &arena, &report, &err), &err);
    wh_jw_object(&w);
    need(impact_write(past, &report, &arena, &w, &err), &err);
    wh_jw_end(&w);
    need(wh_jw_finish(&w, &err), &err);
    if (report.customers == NULL || report.follow_ups == NULL) {
        (void)fprintf(stderr, "bench_impact: incident %u has no customers\n", incident);
        exit(1);
    }
    past_free(past);
    wh_buf_done(&answer);
    wh_arena_done(&arena);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void print_times(int64_t *ns, unsigned n)
{
    qsort(ns, n, sizeof(*ns), compare);
    (void)printf(" %.2f %.2f %.2f", (double)ns[n / 2] / 1e6, (double)ns[n * 99 / 100] / 1e6,
                 (double)ns[n - 1] / 1e6);
}

static void measure(struct bench *b, unsigned questions)
{
    const struct wh_clock clock = wh_clock_real();
    int64_t *passed = calloc(questions + 1, sizeof(*passed));
    int64_t *used = calloc(questions + 1, sizeof(*used));

    if (passed == NULL || used == NULL) {
        exit(1);
    }
    for (unsigned i = 0; i < questions; i++) {
        unsigned incident = any(b, b->issues / 100) * 100;
        int64_t start = wh_clock_mono_ns(&clock);
        int64_t start_cpu = cpu_ns();

        ask(b, incident);
        passed[i] = wh_clock_mono_ns(&clock) - start;
        used[i] = cpu_ns() - start_cpu;
    }
    (void)printf("%llu", (unsigned long long)b->entities);
    print_times(passed, questions);
    print_times(used, questions);
    (void)printf("\n");
    free(passed);
    free(used);
}

int main(int argc, char **argv)
{
    struct bench b = {.seed = 1};
    struct wh_store_conf conf = {.families = sink_families,
                                 .n_families = SINK_FAMILY_COUNT,
                                 .cache_bytes = CACHE_BYTES,
                                 .memtable_bytes = MEMTABLE_BYTES};
    struct wh_err err;

    if (argc != 5) {
        (void)fprintf(stderr, "usage: bench_impact FOLDER ISSUES SERVICES QUESTIONS\n");
        return 2;
    }
    conf.path = argv[1];
    b.issues = (unsigned)strtoul(argv[2], NULL, 10);
    b.services = (unsigned)strtoul(argv[3], NULL, 10);
    need(wh_store_rocks_open(&conf, &b.store, &err), &err);
    need(sink_apply_new(b.store, BATCH + 1, &b.apply, &err), &err);
    sink_apply_begin(b.apply);
    fill_services(&b);
    fill_issues(&b);
    commit(&b);
    measure(&b, (unsigned)strtoul(argv[4], NULL, 10));
    sink_apply_free(b.apply);
    wh_store_free(b.store);
    return 0;
}
