/*
 * bench_search.c - full-text search over a store of merge requests, issues, comments, pipelines and jobs.
 *
 *   bench_search FOLDER ROWS
 *
 * Prints how fast rows become durable without and with an index that follows, how long a build takes,
 * and the times of queries. Words are distributed as in prose: the n-th of 20,000 words occurs 1/n times as
 * often as the first one.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/sink/batch/apply.h"
#include "stages/sink/past/past.h"
#include "stages/sink/search/search.h"
#include "tests/bench/bench.h"

enum {
    BATCH = 1024,
    PROJECTS = 500,
    WORDS = 20000,
    TEXT_MAX = 4000,
    TITLE_WORDS = 7,
    ROUNDS = 200, /* of each query */
    AWAIT_MS = 3600000,
};

static const int64_t epoch_ms = 1750000000000;
static const char instance[] = "https://gitlab.example.com";

static void need(enum wh_rc rc, const struct wh_err *err)
{
    if (rc != WH_OK) {
        (void)fprintf(stderr, "bench_search: %s\n", err->msg);
        exit(1);
    }
}

static double seconds_of(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

/* ---- words ---- */

/* Syllables make a word that is always the same for its number. */
static size_t put_word(char *to, size_t n)
{
    static const char *const parts[] = {"ba", "de", "ki", "lo", "mu", "na", "pe", "ri",
                                        "so", "tu", "va", "xe", "zi", "go", "fu", "ca"};
    size_t len = 0;

    n += 17;
    while (n) {
        memcpy(to + len, parts[n % 16], 2);
        len += 2;
        n /= 16;
    }
    return len;
}

/* 1/n: the inverse of the logarithm of the sum. */
static size_t any_word(uint64_t *seed)
{
    double part = (double)(bench_random(seed) % 1000000) / 1e6;

    return (size_t)(exp(part * log((double)WORDS)) - 1);
}

static size_t put_words(char *to, size_t max, uint64_t *seed)
{
    size_t len = 0;

    while (len + 16 < max) {
        len += put_word(to + len, any_word(seed));
        to[len++] = ' ';
    }
    return len;
}

/* ---- rows ---- */

struct texts {
    char id[24];
    char url[128];
    char title[TITLE_WORDS * 12 + 16];
    char text[TEXT_MAX];
    char sha[41];
};

static void set_field(struct wh_body *body, const char *name, struct wh_value v)
{
    int i = wh_kind_field(body->def, wh_slice_str(name));

    if (i >= 0) {
        body->present |= UINT64_C(1) << i;
        body->values[i] = v;
    }
}

static void set_str(struct wh_body *body, const char *name, struct wh_slice text)
{
    set_field(body, name, (struct wh_value){.u.str = text});
}

static struct wh_entity_id id_of(const char *kind, const char *id)
{
    return wh_entity_id_make(wh_slice_str(instance), wh_slice_str(kind), wh_slice_str(id));
}

static const struct shape {
    enum wh_kind kind;
    const char *source;
    const char *path;
} shapes[] = {{WH_KIND_JOB, "job", "jobs"},
              {WH_KIND_BUILD_RECORD, "pipeline", "pipelines"},
              {WH_KIND_WORK_ITEM, "merge_request", "merge_requests"},
              {WH_KIND_JOB, "job", "jobs"},
              {WH_KIND_NOTE, "note", "notes"},
              {WH_KIND_BUILD_RECORD, "pipeline", "pipelines"},
              {WH_KIND_JOB, "job", "jobs"},
              {WH_KIND_WORK_ITEM, "issue", "issues"},
              {WH_KIND_JOB, "job", "jobs"},
              {WH_KIND_WORK_ITEM, "merge_request", "merge_requests"}};

static void fill(struct wh_observation *o, size_t n, struct texts *t)
{
    const struct shape *shape = &shapes[n % 10];
    uint64_t seed = (uint64_t)n * UINT64_C(0x9E3779B97F4A7C15) | 1;
    struct wh_body *body = &o->body;
    size_t text;
    size_t title;

    (void)snprintf(t->id, sizeof(t->id), "%zu", n);
    (void)snprintf(t->url, sizeof(t->url), "%s/group/project-%zu/-/%s/%zu", instance, n % PROJECTS,
                   shape->path, n);
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(t->sha + i * 8, 9, "%08x", (unsigned)bench_random(&seed));
    }
    title = put_words(t->title, sizeof(t->title), &seed);
    text = bench_random(&seed) % 1000;
    text = put_words(t->text, 20 + text * text * text / 250000, &seed);
    o->id = id_of(shape->source, t->id);
    o->source = (struct wh_source_id){
        WH_LIT("gitlab"),    wh_slice_str(instance), wh_slice_str(shape->source), WH_LIT("97"),
        wh_slice_str(t->id), wh_slice_str(t->id),    wh_slice_str(t->url)};
    body->def = wh_kind_def(shape->kind);
    set_str(body, "type", wh_slice_str(shape->source));
    set_str(body, "title", wh_slice(t->title, title));
    set_str(body, "description", wh_slice(t->text, text));
    set_str(body, "text", wh_slice(t->text, text));
    set_str(body, "name", n % 3 ? WH_LIT("unit tests") : WH_LIT("deploy to production"));
    set_str(body, "stage", WH_LIT("test"));
    set_str(body, "ref", WH_LIT("main"));
    set_str(body, "sha", wh_slice(t->sha, 40));
    set_field(body, "confidential", (struct wh_value){.u.b = n % 50 == 7});
    set_field(body, "updated_at", (struct wh_value){.u.i = epoch_ms + (int64_t)n});
    o->provenance = (struct wh_provenance){.origin = WH_ORIGIN_REST,
                                           .delivery_id = WH_LIT("01JQ8Z6M3V9E"),
                                           .observed_at_ms = epoch_ms + 5000,
                                           .topic = WH_LIT("wellhead.raw.gitlab-example-com"),
                                           .offset = (int64_t)n,
                                           .view = WH_LIT("gitlab.rest@1")};
    o->version.order =
        wh_version_order((struct wh_instant){epoch_ms + (int64_t)n, true}, 0, WH_ORIGIN_REST);
}

/* Rows [from, to); gives rows a second. */
static double put(struct sink_apply *a, size_t from, size_t to)
{
    static struct texts texts[BATCH];
    struct wh_history_result result;
    struct wh_buf scratch;
    struct wh_err err;
    double begun = seconds();

    wh_buf_init(&scratch, 1 << 16);
    for (size_t at = from; at < to; at += BATCH) {
        sink_apply_begin(a);
        for (size_t i = at; i < to && i < at + BATCH; i++) {
            struct wh_observation o = {0};

            fill(&o, i, &texts[i - at]);
            wh_buf_reset(&scratch);
            need(wh_observation_tie(&o, &scratch, &o.version.tie, &err), &err);
            need(sink_apply_observation(a, &o, epoch_ms, &result, &err), &err);
        }
        need(sink_apply_seal(a, &err), &err);
        need(sink_apply_commit(a, true, &err), &err);
    }
    wh_buf_done(&scratch);
    return (double)(to - from) / (seconds() - begun);
}

/* ---- queries ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

struct tried {
    size_t total;
    bool partial;
};

static struct tried search_once(struct search *s, const char *text, struct wh_arena *arena)
{
    const struct search_query query = {
        .text = wh_slice_str(text), .confidential = true, .size = 20};
    struct search_answer answer;
    struct wh_err err;

    wh_arena_reset(arena);
    need(search_run(s, &query, arena, &answer, &err), &err);
    return (struct tried){answer.total, answer.partial};
}

/* The text of round i: the words' numbers move on, so that nothing is asked twice. */
static void make_text(const char *form, size_t i, char out[256])
{
    size_t len = 0;

    for (; *form && len < 200; form++) {
        size_t least = *form == 'c' ? 0 : *form == 'm' ? 100 : 10000; /* common, medium, rare */
        size_t range = *form == 'c' ? 20 : *form == 'm' ? 1000 : 9000;

        if (strchr("cmr", *form)) {
            len += put_word(out + len, least + (i * 7919 + (size_t)len) % range);
        } else if (*form == '<') {
            len += put_word(out + len, least + (i * 7919) % range) - 2; /* cut */
            out[len++] = '*';
        } else {
            out[len++] = *form;
        }
    }
    out[len] = '\0';
}

static void measure(struct search *s, const char *what, const char *form)
{
    static double took[ROUNDS];
    static double cpu[ROUNDS];
    struct wh_arena arena;
    struct tried tried = {0};
    size_t most = 0;
    char text[256];

    wh_arena_init(&arena, 1 << 20, 256 << 20);
    for (size_t i = 0; i < ROUNDS; i++) {
        double begun;
        double cpu_begun;

        make_text(form, i, text);
        begun = seconds();
        cpu_begun = seconds_of(CLOCK_THREAD_CPUTIME_ID);
        tried = search_once(s, text, &arena);
        most = tried.total > most ? tried.total : most;
        took[i] = (seconds() - begun) * 1e3;
        cpu[i] = (seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_begun) * 1e3;
    }
    wh_arena_done(&arena);
    qsort(took, ROUNDS, sizeof(took[0]), by_size);
    qsort(cpu, ROUNDS, sizeof(cpu[0]), by_size);
    (void)printf("%-34s p50 %6.1f ms  p95 %6.1f ms  max %6.1f ms  CPU p50 %5.1f ms  p95 %5.1f ms  "
                 "up to %zu%s hits\n",
                 what, took[ROUNDS / 2], took[ROUNDS * 95 / 100], took[ROUNDS - 1], cpu[ROUNDS / 2],
                 cpu[ROUNDS * 95 / 100], most, tried.partial ? " or more" : "");
}

static void queries(struct search *s)
{
    measure(s, "a rare word", "r");
    measure(s, "two words", "m m");
    measure(s, "a common and a rare word", "c r");
    measure(s, "three common words", "c c c");
    measure(s, "one common word", "c");
    measure(s, "the same words in half of the rows", "unit tests");
    measure(s, "a phrase of common words", "\"c c\"");
    measure(s, "the beginning of a word", "<");
    measure(s, "words that no record has", "r qqqq");
}

static struct search *build(const struct search_conf *conf, struct sink_apply *a)
{
    double begun = seconds();
    double cpu_begun = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    struct search_status status;
    struct search *s;
    struct wh_err err;

    need(search_new(conf, &s, &err), &err);
    if (!search_await(s, sink_apply_sequence(a), AWAIT_MS)) {
        exit(1);
    }
    search_status_get(s, &status);
    (void)printf("build: %.1f s, %.1f s of CPU, for %llu rows, %.0f MB\n", seconds() - begun,
                 seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_begun,
                 (unsigned long long)status.records, (double)status.bytes / 1e6);
    return s;
}

int main(int argc, char **argv)
{
    struct wh_store_conf store_conf = {.families = sink_families,
                                       .n_families = SINK_FAMILY_COUNT,
                                       .cache_bytes = 128 << 20,
                                       .memtable_bytes = 32 << 20};
    struct search_conf conf = {.clock = wh_clock_real()};
    struct sink_apply *a;
    struct search *s;
    struct wh_err err;
    double rates[2] = {0};
    double begun;
    int64_t rows;

    if (argc != 3 || wh_num_i64(wh_slice_str(argv[2]), &rows, &err) != WH_OK || rows < 0) {
        (void)fprintf(stderr, "usage: bench-search FOLDER ROWS   (0: what is there)\n");
        return 2;
    }
    store_conf.path = argv[1];
    conf.folder = argv[1];
    need(wh_store_rocks_open(&store_conf, &conf.store, &err), &err);
    need(sink_apply_new(conf.store, BATCH, &a, &err), &err);
    if (rows) {
        (void)put(a, 0, (size_t)rows * 8 / 10);
        rates[0] = put(a, (size_t)rows * 8 / 10, (size_t)rows * 9 / 10);
    }
    s = build(&conf, a);
    if (rows) {
        rates[1] = put(a, (size_t)rows * 9 / 10, (size_t)rows);
        begun = seconds();
        if (!search_await(s, sink_apply_sequence(a), AWAIT_MS)) {
            return 1;
        }
        (void)printf("ingestion: %.0f rows/s without, %.0f rows/s with an index that follows: "
                     "%.1f %% slower; the index was %.1f s behind\n",
                     rates[0], rates[1], (1 - rates[1] / rates[0]) * 100, seconds() - begun);
    }
    queries(s);
    search_free(s);
    sink_apply_free(a);
    wh_store_free(conf.store);
    return 0;
}
