/*
 * The same object by webhook, as a row of a listing and by its own address: one entity with one set
 * of revisions, whatever comes first and however often. Mapper and sink together, without Kafka.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/batch/apply.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_map.h"
#include "tests/lib/th_store.h"

enum { SHAPES = 3, OBSERVATIONS_MAX = 16, ORDERS = 40, BATCH_MAX = 64 };

struct shape {
    enum wh_origin origin;
    const char *kind; /* of the raw event */
    const char *json;
};

struct object {
    const char *name;
    const char *source_kind;
    const char *source_id;
    enum wh_kind kind;
    struct shape shapes[SHAPES];
};

#define REST_MR                                                                                    \
    "\"id\":90,\"iid\":7,\"project_id\":14,\"title\":\"Fix\",\"state\":\"merged\","                \
    "\"created_at\":\"2026-01-01T08:00:00.100Z\",\"updated_at\":\"2026-01-02T09:00:00.250Z\","     \
    "\"merged_at\":\"2026-01-02T09:00:00.200Z\",\"labels\":[\"a\"],\"draft\":false,"               \
    "\"source_branch\":\"f\",\"target_branch\":\"main\",\"web_url\":\"https://gitlab.example.com/" \
    "g/p/-/merge_requests/7\",\"author\":{\"id\":3,\"username\":\"u\",\"name\":\"U\"}"
#define REST_ISSUE                                                                                 \
    "\"id\":91,\"iid\":8,\"project_id\":14,\"title\":\"Bug\",\"state\":\"opened\","                \
    "\"issue_type\":\"issue\",\"created_at\":\"2026-01-01T08:00:00.100Z\",\"updated_at\":"         \
    "\"2026-01-02T09:00:00.250Z\",\"labels\":[\"b\"],\"web_url\":\"https://gitlab.example.com/g/"  \
    "p/"                                                                                           \
    "-/issues/8\",\"author\":{\"id\":3,\"username\":\"u\",\"name\":\"U\"}"
#define REST_PIPELINE                                                                              \
    "\"id\":92,\"iid\":4,\"project_id\":14,\"status\":\"success\",\"ref\":\"main\",\"sha\":"       \
    "\"abc\",\"source\":\"push\",\"created_at\":\"2026-01-01T08:00:00.100Z\",\"updated_at\":"      \
    "\"2026-01-02T09:00:00.250Z\",\"web_url\":\"https://gitlab.example.com/g/p/-/pipelines/92\""

static const struct object objects[] = {
    {"merge request",
     "merge_request",
     "90",
     WH_KIND_WORK_ITEM,
     {{WH_ORIGIN_WEBHOOK, "merge_request",
       "{\"object_kind\":\"merge_request\",\"user\":{\"id\":3,\"username\":\"u\",\"name\":\"U\"},"
       "\"project\":{\"id\":14},\"labels\":[{\"id\":1,\"title\":\"a\"}],\"object_attributes\":{"
       "\"id\":90,\"iid\":7,\"target_project_id\":14,\"author_id\":3,\"title\":\"Fix\",\"state\":"
       "\"merged\",\"created_at\":\"2026-01-01 08:00:00 UTC\",\"updated_at\":\"2026-01-02 09:00:00 "
       "UTC\",\"source_branch\":\"f\",\"target_branch\":\"main\"}}"},
      {WH_ORIGIN_REST, "merge_request", "{" REST_MR "}"},
      {WH_ORIGIN_REST, "merge_request", "{" REST_MR ",\"merge_commit_sha\":\"beef\"}"}}},
    {"issue",
     "issue",
     "91",
     WH_KIND_WORK_ITEM,
     {{WH_ORIGIN_WEBHOOK, "issue",
       "{\"object_kind\":\"issue\",\"user\":{\"id\":3,\"username\":\"u\",\"name\":\"U\"},"
       "\"project\":{\"id\":14},\"labels\":[{\"id\":2,\"title\":\"b\"}],\"object_attributes\":{"
       "\"id\":91,\"iid\":8,\"project_id\":14,\"author_id\":3,\"title\":\"Bug\",\"state\":"
       "\"opened\",\"created_at\":\"2026-01-01 08:00:00 UTC\",\"updated_at\":\"2026-01-02 09:00:00 "
       "UTC\"}}"},
      {WH_ORIGIN_REST, "issue", "{" REST_ISSUE "}"},
      {WH_ORIGIN_REST, "issue", "{" REST_ISSUE ",\"weight\":3,\"due_date\":\"2026-02-01\"}"}}},
    {"pipeline",
     "pipeline",
     "92",
     WH_KIND_BUILD_RECORD,
     {{WH_ORIGIN_WEBHOOK, "pipeline",
       "{\"object_kind\":\"pipeline\",\"user\":{\"id\":3,\"username\":\"u\",\"name\":\"U\"},"
       "\"project\":{\"id\":14},\"object_attributes\":{\"id\":92,\"iid\":4,\"status\":\"success\","
       "\"ref\":\"main\",\"sha\":\"abc\",\"source\":\"push\",\"created_at\":\"2026-01-01 08:00:00 "
       "UTC\",\"finished_at\":\"2026-01-02 09:00:00 UTC\",\"duration\":60},\"builds\":[]}"},
      {WH_ORIGIN_REST, "pipeline", "{" REST_PIPELINE "}"},
      {WH_ORIGIN_REST, "pipeline_detail",
       "{" REST_PIPELINE ",\"duration\":60,\"started_at\":\"2026-01-02T08:59:00.000Z\","
       "\"finished_at\":\"2026-01-02T09:00:00.200Z\"}"}}},
};

struct mapped {
    char *bytes[OBSERVATIONS_MAX];
    size_t len[OBSERVATIONS_MAX];
    size_t n;
};

static void keep(void *ctx, struct wh_slice bytes)
{
    struct mapped *m = ctx;

    assert_true(m->n < OBSERVATIONS_MAX);
    m->bytes[m->n] = wh_mem_dup(bytes.ptr, bytes.len);
    m->len[m->n++] = bytes.len;
}

static void map_shapes(const struct object *object, struct mapped *m)
{
    struct th_map *map = th_map_new(NULL);

    m->n = 0;
    th_map_on_encoded(map, keep, m);
    for (int i = 0; i < SHAPES; i++) {
        const struct shape *s = &object->shapes[i];
        struct wh_json_val out =
            th_map(map, s->origin, s->kind, "14", object->source_id, wh_slice_str(s->json));

        if (!wh_slice_eq(wh_json_string(th_json(out, "rc")), WH_LIT("ok"))) {
            fail_msg("%s, shape %d: %s", object->name, i, th_map_text(map));
        }
    }
    th_map_free(map);
}

static void mapped_done(struct mapped *m)
{
    for (size_t i = 0; i < m->n; i++) {
        wh_mem_free(m->bytes[i]);
    }
}

/* Each in a batch of its own. */
static void apply(struct sink_apply *a, const struct mapped *m, const size_t *order, size_t n)
{
    struct wh_history_result result;
    struct wh_observation o;
    struct wh_err err;

    for (size_t i = 0; i < n; i++) {
        struct wh_slice bytes = wh_slice(m->bytes[order[i]], m->len[order[i]]);

        sink_apply_begin(a);
        th_ok(wh_observation_decode(bytes, sink_apply_arena(a), &o, &err), &err);
        th_ok(sink_apply_observation(a, &o, 1, &result, &err), &err);
        th_ok(sink_apply_seal(a, &err), &err);
        th_ok(sink_apply_commit(a, false, &err), &err);
    }
}

/* Heads and revisions as text; all but the log of changes, which is about arrival. */
static char *outcome_of(const struct mapped *m, const size_t *order, size_t n,
                        const struct object *object)
{
    struct wh_store *store = th_sink_store();
    const struct sink_kind_counts *counts;
    struct sink_apply *a;
    struct wh_buf all;
    struct wh_err err;
    size_t len;

    th_ok(sink_apply_new(store, BATCH_MAX, &a, &err), &err);
    apply(a, m, order, n);
    counts = sink_apply_counts(a);
    assert_int_equal(counts[object->kind].entities, 1);
    /* The push is older than the reads; of these, the one that shows less may change nothing. */
    assert_in_range(counts[object->kind].revisions, 2, SHAPES);
    wh_buf_init(&all, 64 << 20);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        char *text = f == SINK_CHANGES || f == SINK_META ? NULL : th_store_dump(store, f);

        th_ok(wh_buf_append(&all, wh_slice_str(text ? text : "-"), &err), &err);
        wh_mem_free(text);
    }
    sink_apply_free(a);
    wh_store_free(store);
    return wh_buf_take(&all, &len);
}

static void check_ids(const struct object *object, const struct mapped *m)
{
    struct wh_entity_id id =
        wh_entity_id_make(WH_LIT(TH_MAP_INSTANCE), wh_slice_str(object->source_kind),
                          wh_slice_str(object->source_id));
    struct wh_arena arena;
    size_t of_it = 0;

    wh_arena_init(&arena, 65536, 1 << 20);
    for (size_t i = 0; i < m->n; i++) {
        struct wh_observation o;
        struct wh_err err;

        th_ok(wh_observation_decode(wh_slice(m->bytes[i], m->len[i]), &arena, &o, &err), &err);
        if (o.body.def->kind == object->kind) {
            assert_memory_equal(o.id.bytes, id.bytes, sizeof(id.bytes));
            of_it++;
        }
    }
    assert_int_equal(of_it, SHAPES);
    wh_arena_done(&arena);
}

static void test_any_shape_any_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        struct th_random r = {i + 1};
        size_t order[2 * OBSERVATIONS_MAX];
        struct mapped m;
        char *first = NULL;

        map_shapes(&objects[i], &m);
        check_ids(&objects[i], &m);
        for (int k = 0; k < ORDERS; k++) {
            char *now;

            /* All of them twice. */
            for (size_t j = 0; j < 2 * m.n; j++) {
                order[j] = j % m.n;
            }
            th_shuffle(&r, order, 2 * m.n);
            now = outcome_of(&m, order, 2 * m.n, &objects[i]);
            if (first && strcmp(first, now) != 0) {
                fail_msg("%s: another order, another outcome", objects[i].name);
            }
            wh_mem_free(first);
            first = now;
        }
        wh_mem_free(first);
        mapped_done(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_shape_any_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
