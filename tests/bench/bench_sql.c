/*
 * bench_sql.c - how long statements take over a store of merge requests and pipelines.
 *
 *   bench_sql FOLDER ROWS
 *
 * ROWS of each kind, every pipeline with the head commit of one merge request. Each statement runs
 * twice: the first figure includes what the store reads for the first time. The third one is the
 * CPU time of the second run. Then the numbers of measures by day: of one day, and of all days.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/sink/batch/apply.h"
#include "stages/sink/measures/measures.h"
#include "stages/sink/sql/sql.h"
#include "tests/bench/bench.h"

enum { BATCH = 2048, PROJECTS = 97 };

static const int64_t epoch_ms = 1750000000000;

static void need(enum wh_rc rc, const struct wh_err *err)
{
    if (rc != WH_OK) {
        (void)fprintf(stderr, "bench_sql: %s\n", err->msg);
        exit(1);
    }
}

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

static void set_str(struct wh_body *body, const char *name, struct wh_slice text)
{
    set_field(body, name, (struct wh_value){.u.str = text});
}

struct texts {
    char id[24];
    char url[160];
    char title[80];
    char sha[41];
};

static void print_texts(struct texts *t, const char *path, size_t n)
{
    uint64_t seed = (uint64_t)n * UINT64_C(0x9E3779B97F4A7C15) | 1;

    (void)snprintf(t->id, sizeof(t->id), "%zu", n);
    (void)snprintf(t->url, sizeof(t->url), "https://gitlab.example.com/group/project-%zu/-/%s/%zu",
                   n % PROJECTS, path, n);
    (void)snprintf(t->title, sizeof(t->title), "Make the queue's retry loop fair, part %zu", n);
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(t->sha + i * 8, 9, "%08x", (unsigned)bench_random(&seed));
    }
}

static void fill(struct wh_observation *o, enum wh_kind kind, size_t n, struct texts *t)
{
    bool work = kind == WH_KIND_WORK_ITEM;
    const char *source = work ? "merge_request" : "pipeline";
    struct wh_body *body = &o->body;

    print_texts(t, work ? "merge_requests" : "pipelines", n);
    o->id = id_of(source, n);
    o->source = (struct wh_source_id){WH_LIT("gitlab"),     WH_LIT("https://gitlab.example.com"),
                                      wh_slice_str(source), WH_LIT("97"),
                                      wh_slice_str(t->id),  wh_slice_str(t->id),
                                      wh_slice_str(t->url)};
    body->def = wh_kind_def(kind);
    if (work) {
        set_str(body, "type", WH_LIT("merge_request"));
        set_str(body, "title", wh_slice_str(t->title));
        set_str(body, "state", n % 3 ? WH_LIT("merged") : WH_LIT("opened"));
    } else {
        set_str(body, "status", n % 9 ? WH_LIT("success") : WH_LIT("failed"));
        set_field(body, "duration", (struct wh_value){.u.i = (int64_t)(n * 37 % 4000)});
    }
    set_field(body, "iid", (struct wh_value){.u.i = (int64_t)n});
    set_str(body, work ? "source_branch" : "ref", WH_LIT("fair-retries"));
    set_str(body, "sha", wh_slice(t->sha, 40));
    set_field(body, "created_at", (struct wh_value){.u.i = epoch_ms + (int64_t)n * 1000});
    set_field(body, "updated_at",
              (struct wh_value){.u.i = epoch_ms + (int64_t)(n * 7919 % 100003)});
    set_field(body, "project", (struct wh_value){.u.ref = id_of("project", n % PROJECTS)});
    set_field(body, "author", (struct wh_value){.u.ref = id_of("user", n % 500)});
    o->provenance = (struct wh_provenance){.origin = WH_ORIGIN_REST,
                                           .delivery_id = WH_LIT("01JQ8Z6M3V9E"),
                                           .observed_at_ms = epoch_ms + 5000,
                                           .topic = WH_LIT("wellhead.raw.gitlab-example-com"),
                                           .offset = (int64_t)n,
                                           .view = WH_LIT("gitlab.rest@1")};
    o->version.order = wh_version_order((struct wh_instant){epoch_ms, true}, 0, WH_ORIGIN_REST);
}

static void fill_store(struct wh_store *store, size_t rows)
{
    struct wh_history_result result;
    struct sink_apply *a;
    struct wh_buf scratch;
    struct wh_err err;

    wh_buf_init(&scratch, 1 << 16);
    need(sink_apply_new(store, BATCH, &a, &err), &err);
    for (size_t from = 0; from < 2 * rows; from += BATCH) {
        static struct texts texts[BATCH];

        sink_apply_begin(a);
        for (size_t i = from; i < 2 * rows && i < from + BATCH; i++) {
            struct wh_observation o = {0};

            fill(&o, i % 2 ? WH_KIND_WORK_ITEM : WH_KIND_BUILD_RECORD, i / 2, &texts[i - from]);
            wh_buf_reset(&scratch);
            need(wh_observation_tie(&o, &scratch, &o.version.tie, &err), &err);
            need(sink_apply_observation(a, &o, epoch_ms, &result, &err), &err);
        }
        need(sink_apply_seal(a, &err), &err);
        need(sink_apply_commit(a, false, &err), &err);
    }
    sink_apply_free(a);
    wh_buf_done(&scratch);
}

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    (void)ctx;
    (void)values;
    (void)n;
    (void)ret_full;
    (void)err;
    return WH_OK;
}

static double cpu_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run_with(struct sql_engine *engine, struct wh_slice sql, const struct sql_param *params,
                     size_t n_params, const char *name)
{
    const struct sql_query query = {.text = sql,
                                    .params = params,
                                    .n_params = n_params,
                                    .timeout_ms = 60000,
                                    .max_rows = INT64_MAX};
    const struct sql_rows rows = {on_columns, on_row, NULL};
    struct sql_outcome outcome[2];
    struct wh_err err;
    double cpu = 0;

    for (size_t i = 0; i < 2; i++) {
        cpu = cpu_ms();
        need(sql_run(engine, &query, &rows, &outcome[i], &err), &err);
        cpu = cpu_ms() - cpu;
    }
    (void)printf("%8.1f ms %8.1f ms %8.1f ms cpu %8lld rows %9lld read  %s\n",
                 (double)outcome[0].elapsed_us / 1e3, (double)outcome[1].elapsed_us / 1e3, cpu,
                 (long long)outcome[1].rows, (long long)outcome[1].rows_read, name);
}

static void run(struct sql_engine *engine, const char *sql)
{
    run_with(engine, wh_slice_str(sql), NULL, 0, sql);
}

static void run_measure(struct sql_engine *engine, const struct measure *m, int64_t days)
{
    const struct measure_query query = {.measure = m,
                                        .over = "day",
                                        .zone = WH_LIT("Europe/Berlin"),
                                        .from_ms = epoch_ms,
                                        .to_ms = epoch_ms + days * 86400000};
    struct sql_param params[MEASURE_PARAMS_MAX];
    struct measure_statement s;
    struct wh_arena arena;
    struct wh_err err;
    char name[120];

    wh_arena_init(&arena, 16 << 10, 1 << 20);
    need(measure_statement(&query, &arena, &s, &err), &err);
    for (size_t i = 0; i < s.n_params; i++) {
        params[i] =
            (struct sql_param){s.params[i].name, {.type = SQL_TEXT, .bytes = s.params[i].value}};
    }
    (void)snprintf(name, sizeof(name), "%.*s, %lld days", WH_SLICE_ARG(m->id), (long long)days);
    run_with(engine, s.sql, params, s.n_params, name);
    wh_arena_done(&arena);
}

static void run_measures(struct sql_engine *engine)
{
    static const char *const ids[] = {"merge_requests_opened", "open_merge_requests", "pipelines",
                                      "time_to_first_review"};
    struct measures *measures = NULL;
    struct wh_err err;

    need(measures_new(measures_file(), &measures, &err), &err);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        run_measure(engine, measures_find(measures, wh_slice_str(ids[i])), 1);
        run_measure(engine, measures_find(measures, wh_slice_str(ids[i])), 100);
    }
    measures_free(measures);
}

static const char *const statements[] = {
    "select count(*) from pipelines p join merge_requests m on m.sha = p.sha",
    "select p.status, m.title from pipelines p join merge_requests m on m.sha = p.sha",
    "select count(*) from work_items",
    "select count(*) from merge_requests",
    "select title from merge_requests order by updated_at desc limit 10",
    "select title from merge_requests where created_at > '2025-06-16' limit 10",
};

int main(int argc, char **argv)
{
    struct wh_store_conf store_conf = {.families = sink_families,
                                       .n_families = SINK_FAMILY_COUNT,
                                       .cache_bytes = 128 << 20,
                                       .memtable_bytes = 32 << 20};
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct sql_engine *engine;
    struct wh_err err;
    int64_t rows;

    if (argc < 3 || wh_num_i64(wh_slice_str(argv[2]), &rows, &err) != WH_OK || rows < 1) {
        (void)fprintf(stderr, "usage: bench-sql FOLDER ROWS\n");
        return 2;
    }
    store_conf.path = argv[1];
    conf.folder = argv[1];
    need(wh_store_rocks_open(&store_conf, &conf.store, &err), &err);
    fill_store(conf.store, (size_t)rows);
    need(sql_engine_new(&conf, &engine, &err), &err);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        run(engine, statements[i]);
    }
    run_measures(engine);
    for (int i = 3; i < argc; i++) {
        run(engine, argv[i]);
    }
    sql_engine_free(engine);
    wh_store_free(conf.store);
    return 0;
}
