/*
 * The sink's promise: whatever the order, the batches, the duplicates and the failed writes, the
 * store ends with the same bytes, and all derived keys are what the heads say (an oracle that
 * recomputes them from the heads alone).
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "tests/lib/store_mem.h"
#include "stages/sink/batch/apply.h"
#include "stages/sink/batch/parents.h"

#include <ctype.h>
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"
#include "tests/lib/th_store.h"
#include "tests/lib/th_tmp.h"

enum { OBSERVATIONS = 160, ENTITIES = 18, SEEDS = 12, BATCH_MAX = 64, NOW_MS = 1 };

struct world {
    char *dir; /* NULL: in memory */
    struct wh_store *store;
    struct sink_apply *apply;
};

static void world_open(struct world *w, bool rocks)
{
    char path[512];
    struct wh_store_conf conf = {.families = sink_families,
                                 .n_families = SINK_FAMILY_COUNT,
                                 .cache_bytes = 1 << 20,
                                 .memtable_bytes = 1 << 20};
    struct wh_err err;

    w->dir = rocks ? th_tmp_new() : NULL;
    (void)snprintf(path, sizeof(path), "%s/store", w->dir ? w->dir : "");
    conf.path = path;
    th_ok(rocks ? wh_store_rocks_open(&conf, &w->store, &err)
                : wh_store_mem_open(&conf, &w->store, &err),
          &err);
    th_ok(sink_apply_new(w->store, BATCH_MAX, &w->apply, &err), &err);
}

static void world_close(struct world *w)
{
    sink_apply_free(w->apply);
    wh_store_free(w->store);
    if (w->dir) {
        th_tmp_remove(w->dir);
    }
}

static void apply_one(struct sink_apply *a, const struct th_encoded *e)
{
    struct wh_history_result result;
    struct wh_observation o;
    struct wh_err err;

    th_ok(wh_observation_decode(wh_slice(e->bytes, e->len), sink_apply_arena(a), &o, &err), &err);
    th_ok(sink_apply_observation(a, &o, NOW_MS, &result, &err), &err);
}

static void commit(struct sink_apply *a)
{
    struct wh_err err;

    th_ok(sink_apply_seal(a, &err), &err);
    th_ok(sink_apply_commit(a, false, &err), &err);
    sink_apply_begin(a);
}

/* In batches of random sizes; every so often a batch is given up and made again, a record comes twice,
 * and a few children are looked at between two batches. */
static void apply_all(struct sink_apply *a, const struct th_encoded *list, const size_t *order,
                      size_t n, struct th_random *r)
{
    struct wh_err err;
    size_t i = 0;
    bool more;

    while (i < n) {
        size_t end = i + 1 + th_random_below(r, BATCH_MAX / 2);

        end = end < n ? end : n;
        if (th_random_below(r, 4) == 0) {
            for (size_t k = i; k < end; k++) {
                apply_one(a, &list[order[k]]);
            }
            sink_apply_begin(a);
        }
        for (size_t k = i; k < end; k++) {
            apply_one(a, &list[order[k]]);
            if (th_random_below(r, 6) == 0) {
                apply_one(a, &list[order[th_random_below(r, (unsigned)(k + 1))]]);
            }
        }
        commit(a);
        if (th_random_below(r, 3) == 0) {
            th_ok(sink_parents_step(a, 2, false, &more, &err), &err);
        }
        i = end;
    }
}

/* The same, each batch built over one that is not written yet. */
static void apply_all_over(struct sink_apply *first, const struct th_encoded *list,
                           const size_t *order, size_t n, struct th_random *r)
{
    struct sink_apply *pair[2] = {first, NULL};
    struct sink_apply *before = NULL;
    struct wh_err err;
    size_t i = 0;

    th_ok(sink_apply_new_beside(first, &pair[1], &err), &err);
    for (unsigned turn = 0; i < n; turn++) {
        struct sink_apply *a = pair[turn % 2];
        size_t end = i + 1 + th_random_below(r, BATCH_MAX / 2);

        end = end < n ? end : n;
        sink_apply_begin_over(a, before);
        if (th_random_below(r, 4) == 0) {
            apply_one(a, &list[order[i]]);
            sink_apply_begin_over(a, before);
        }
        for (; i < end; i++) {
            apply_one(a, &list[order[i]]);
        }
        th_ok(sink_apply_seal(a, &err), &err);
        if (before) {
            th_ok(sink_apply_commit(before, false, &err), &err);
        }
        before = a;
    }
    th_ok(sink_apply_commit(before, false, &err), &err);
    sink_apply_free(pair[1]);
}

/* Children are looked at, a few at a time, until no parent is left whose children are to be. */
static void settle(struct world *w)
{
    bool more = true;
    struct wh_err err;

    while (more) {
        th_ok(sink_parents_step(w->apply, 3, false, &more, &err), &err);
    }
}

static const unsigned compared[] = {SINK_ENTITIES, SINK_REVISIONS,  SINK_LINKS,    SINK_BACKLINKS,
                                    SINK_BY_TIME,  SINK_BY_PROJECT, SINK_BY_VALUE, SINK_SOURCE_IDS,
                                    SINK_CLAIMS,   SINK_MENTIONS,   SINK_FORMER};

static void same_families(struct world *a, struct world *b)
{
    for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
        char *left = th_store_dump(a->store, compared[i]);
        char *right = th_store_dump(b->store, compared[i]);

        if (strcmp(left, right) != 0) {
            fail_msg("family %s differs", sink_families[compared[i]].name);
        }
        wh_mem_free(left);
        wh_mem_free(right);
    }
    assert_memory_equal(sink_apply_counts(a->apply), sink_apply_counts(b->apply),
                        WH_KIND_COUNT * sizeof(struct sink_kind_counts));
}

/* ---- the oracle ---- */

struct oracle {
    struct wh_store *want; /* derived families recomputed from the heads */
    struct wh_batch *batch;
    struct sink_kind_counts counts[WH_KIND_COUNT];
    unsigned gone_with_parent;
    unsigned moved_with_project;
};

static void oracle_put(struct oracle *o, unsigned family, const void *key, size_t len,
                       struct wh_slice value)
{
    struct wh_err err;

    th_ok(wh_batch_put(o->batch, family, wh_slice(key, len), value, &err), &err);
}

static void oracle_link(struct oracle *o, const struct wh_head *h, unsigned field,
                        const struct wh_entity_id *to)
{
    unsigned char key[SINK_LINK_KEY];
    unsigned char value[16];
    enum wh_kind kind = h->body.def->kind;

    wh_be_put64(value, h->set[field].order);
    wh_be_put64(value + 8, h->set[field].tie);
    sink_link_key(key, &h->id, kind, field, to);
    oracle_put(o, SINK_LINKS, key, sizeof(key), wh_slice(value, 16));
    sink_link_key(key, to, kind, field, &h->id);
    oracle_put(o, SINK_BACKLINKS, key, sizeof(key), wh_slice(value, 16));
}

/* updated_at where it is known: what the indexes are ordered by. */
static int64_t oracle_changed(const struct wh_head *h)
{
    int i = wh_kind_field(h->body.def, WH_LIT("updated_at"));

    if (i < 0 || (h->body.present >> i & 1) == 0 || h->body.values[i].is_null) {
        return wh_version_at_ms(h->version.order);
    }
    return h->body.values[i].u.i;
}

/* Commits in lower case, and times. */
static void oracle_value(struct oracle *o, const struct wh_head *h, unsigned i)
{
    static const char *const names[] = {"sha",       "merge_commit_sha", "created_at",
                                        "closed_at", "merged_at",        "finished_at"};
    const struct wh_value *v = &h->body.values[i];
    char key[512] = {(char)h->body.def->kind, (char)i};
    bool indexed = false;
    size_t len = 2;

    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        indexed = indexed || strcmp(names[k], h->body.def->fields[i].name) == 0;
    }
    if (!indexed || v->is_far) {
        return;
    }
    if (h->body.def->fields[i].type == WH_FIELD_TIME) {
        wh_be_put64(key + len, (uint64_t)v->u.i ^ UINT64_C(1) << 63);
        len += 8;
    }
    for (size_t k = 0; h->body.def->fields[i].type == WH_FIELD_STRING && k < v->u.str.len && k < 64;
         k++) {
        key[len++] = (char)tolower((unsigned char)v->u.str.ptr[k]);
    }
    memcpy(key + len, h->id.bytes, sizeof(h->id.bytes));
    oracle_put(o, SINK_BY_VALUE, key, len + sizeof(h->id.bytes), WH_LIT(""));
}

static void oracle_field(struct oracle *o, const struct wh_head *h, unsigned i)
{
    const struct wh_field_def *field = &h->body.def->fields[i];
    const struct wh_value *v = &h->body.values[i];

    if ((h->body.present >> i & 1) == 0 || v->is_null) {
        return;
    }
    oracle_value(o, h, i);
    if (field->type == WH_FIELD_REFS) {
        for (size_t k = 0; k < v->u.refs.n; k++) {
            oracle_link(o, h, i, &v->u.refs.items[k]);
        }
    }
    if (field->type != WH_FIELD_REF) {
        return;
    }
    oracle_link(o, h, i, &v->u.ref);
    if (strcmp(field->name, "project") == 0) {
        unsigned char key[SINK_BY_PROJECT_KEY];

        sink_by_project_key(key, h->body.def->kind, &v->u.ref, oracle_changed(h), &h->id);
        oracle_put(o, SINK_BY_PROJECT, key, sizeof(key), WH_LIT(""));
    }
}

static void oracle_sources(struct oracle *o, const struct wh_head *h)
{
    unsigned char owner[SINK_ENTITY_KEY];
    struct wh_buf key;
    struct wh_err err;

    wh_buf_init(&key, 8192);
    sink_entity_key(owner, h->body.def->kind, &h->id);
    if (h->source.url.len) {
        th_ok(wh_buf_append_char(&key, 'u', &err), &err);
        th_ok(wh_buf_append(&key, h->source.url, &err), &err);
        oracle_put(o, SINK_SOURCE_IDS, key.ptr, key.len, wh_slice(owner, sizeof(owner)));
    }
    if (h->source.iid.len) {
        wh_buf_reset(&key);
        th_ok(wh_buf_printf(&key, &err, "i%.*s%c%.*s%c%.*s%c%.*s", WH_SLICE_ARG(h->source.instance),
                            0, WH_SLICE_ARG(h->source.kind), 0, WH_SLICE_ARG(h->source.project), 0,
                            WH_SLICE_ARG(h->source.iid)),
              &err);
        oracle_put(o, SINK_SOURCE_IDS, key.ptr, key.len, wh_slice(owner, sizeof(owner)));
    }
    wh_buf_done(&key);
}

/* What belongs to something that is gone is gone with it, unless something newer is known of it. */
static void oracle_parents(struct wh_store *store, const struct wh_head *h, struct wh_arena *arena)
{
    static const char *const names[] = {"project", "pipeline", "work_item"};
    struct wh_slice reason = WH_LIT("");
    struct wh_version version = {0};
    struct wh_err err;

    for (size_t i = 0; i < 3; i++) {
        int field = wh_kind_field(h->body.def, wh_slice_str(names[i]));
        WH_AUTO(buf) struct wh_buf bytes;
        unsigned char key[SINK_ENTITY_KEY];
        struct wh_head parent = {0};
        struct wh_slice copy;
        bool found = false;

        wh_buf_init(&bytes, 1 << 20);
        if (h->body.def->kind > WH_KIND_MEMBERSHIP || field < 0 ||
            (h->body.present >> field & 1) == 0 || h->body.values[field].is_null) {
            continue;
        }
        sink_entity_key(key, h->body.def->fields[field].ref_kind, &h->body.values[field].u.ref);
        th_ok(wh_store_get(store, NULL, SINK_ENTITIES, wh_slice(key, sizeof(key)), &bytes, &found,
                           &err),
              &err);
        if (!found) {
            continue;
        }
        th_ok(wh_arena_dup(arena, wh_buf_slice(&bytes), &copy, &err), &err);
        th_ok(wh_head_decode(wh_kind_def(h->body.def->fields[field].ref_kind), copy, arena, &parent,
                             &err),
              &err);
        if (parent.deleted && wh_version_cmp(parent.deleted_version, h->version) > 0 &&
            wh_version_cmp(parent.deleted_version, version) > 0) {
            reason = parent.reason;
            version = parent.deleted_version;
        }
    }
    assert_true(wh_slice_eq(h->parent_reason, reason));
    assert_int_equal(wh_version_cmp(h->parent_version, version), 0);
}

/* An object's address begins with its project's, wherever it was shown. */
static bool oracle_address(struct wh_store *store, const struct wh_head *h, struct wh_arena *arena)
{
    int field = wh_kind_field(h->body.def, WH_LIT("project"));
    WH_AUTO(buf) struct wh_buf bytes = {0};
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_head project = {0};
    struct wh_slice copy;
    bool found = false;
    struct wh_err err;

    if (h->body.def->kind > WH_KIND_MEMBERSHIP || field < 0 ||
        (h->body.present >> field & 1) == 0 || h->body.values[field].is_null) {
        return false;
    }
    wh_buf_init(&bytes, 1 << 20);
    sink_entity_key(key, WH_KIND_PROJECT, &h->body.values[field].u.ref);
    th_ok(
        wh_store_get(store, NULL, SINK_ENTITIES, wh_slice(key, sizeof(key)), &bytes, &found, &err),
        &err);
    if (!found) {
        return false;
    }
    th_ok(wh_arena_dup(arena, wh_buf_slice(&bytes), &copy, &err), &err);
    th_ok(wh_head_decode(wh_kind_def(WH_KIND_PROJECT), copy, arena, &project, &err), &err);
    if (h->source.url.len == 0 || project.source.url.len == 0) {
        return false;
    }
    assert_true(wh_slice_starts(h->source.url, project.source.url));
    assert_memory_equal(h->source.url.ptr + project.source.url.len, "/-/x", 4);
    return true;
}

static void oracle_head(struct oracle *o, struct wh_store *store, struct wh_slice key,
                        struct wh_slice value, struct wh_arena *arena)
{
    const struct wh_kind_def *def = wh_kind_def((enum wh_kind)(unsigned char)key.ptr[0]);
    unsigned char by_time[SINK_BY_TIME_KEY];
    struct wh_head h;
    struct wh_err err;

    assert_non_null(def);
    memset(&h, 0, sizeof(h));
    th_ok(wh_head_decode(def, value, arena, &h, &err), &err);
    memcpy(h.id.bytes, key.ptr + 1, sizeof(h.id.bytes));
    h.body.def = def;
    sink_by_time_key(by_time, def->kind, oracle_changed(&h), &h.id);
    oracle_put(o, SINK_BY_TIME, by_time, sizeof(by_time), WH_LIT(""));
    oracle_sources(o, &h);
    for (unsigned i = 0; i < def->n_fields; i++) {
        oracle_field(o, &h, i);
    }
    o->counts[def->kind].entities++;
    o->counts[def->kind].deleted += wh_head_is_gone(&h);
    o->gone_with_parent += h.parent_reason.len > 0;
    oracle_parents(store, &h, arena);
    o->moved_with_project += oracle_address(store, &h, arena);
}

static void oracle_revisions(struct oracle *o, struct wh_store *store,
                             const struct wh_kind_def *def, const struct wh_entity_id *id)
{
    struct wh_arena arena;
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_entry e;
    struct wh_err err;

    wh_arena_init(&arena, 65536, 1 << 22);
    th_ok(wh_iter_new(store, NULL, SINK_REVISIONS, wh_slice(id->bytes, 16), WH_LIT(""), &it, &err),
          &err);
    for (wh_iter_seek(it, wh_slice(id->bytes, 16), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        if (memcmp(key.ptr, id->bytes, 16) != 0) {
            break;
        }
        th_ok(wh_entry_decode(def, value, &arena, &e, &err), &err);
        o->counts[def->kind].revisions += e.revision;
    }
    wh_iter_free(it);
    wh_arena_done(&arena);
}

/* How often the oracle saw what the test is about. */
struct sights {
    unsigned gone_with_parent;
    unsigned moved_with_project;
};

static void check_oracle(struct world *w, struct sights *sights)
{
    static const unsigned derived[] = {SINK_LINKS,      SINK_BACKLINKS, SINK_BY_TIME,
                                       SINK_BY_PROJECT, SINK_BY_VALUE,  SINK_SOURCE_IDS};
    const struct wh_store_conf conf = {.families = sink_families, .n_families = SINK_FAMILY_COUNT};
    struct oracle o;
    struct wh_arena arena;
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;

    memset(&o, 0, sizeof(o));
    settle(w);
    wh_arena_init(&arena, 65536, 1 << 24);
    th_ok(wh_store_mem_open(&conf, &o.want, &err), &err);
    th_ok(wh_batch_new(o.want, &o.batch, &err), &err);
    th_ok(wh_iter_new(w->store, NULL, SINK_ENTITIES, WH_LIT(""), WH_LIT(""), &it, &err), &err);
    for (wh_iter_seek(it, WH_LIT(""), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        struct wh_entity_id id;

        oracle_head(&o, w->store, key, value, &arena);
        memcpy(id.bytes, key.ptr + 1, sizeof(id.bytes));
        oracle_revisions(&o, w->store, wh_kind_def((enum wh_kind)(unsigned char)key.ptr[0]), &id);
    }
    wh_iter_free(it);
    th_ok(wh_store_write(o.want, o.batch, false, &err), &err);
    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
        char *want = th_store_dump(o.want, derived[i]);
        char *have = th_store_dump(w->store, derived[i]);

        if (strcmp(want, have) != 0) {
            fail_msg("family %s is not what the heads say", sink_families[derived[i]].name);
        }
        wh_mem_free(want);
        wh_mem_free(have);
    }
    assert_memory_equal(o.counts, sink_apply_counts(w->apply), sizeof(o.counts));
    wh_batch_free(o.batch);
    wh_store_free(o.want);
    wh_arena_done(&arena);
    sights->gone_with_parent += o.gone_with_parent;
    sights->moved_with_project += o.moved_with_project;
}

/* ---- tests ---- */

static void orders_agree(bool rocks, bool over, unsigned seeds)
{
    struct sights sights = {0};

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct th_random r = {seed * 7919};
        struct th_encoded *list = th_observations_moving_new(seed, OBSERVATIONS, ENTITIES, 1000);
        size_t order[OBSERVATIONS];
        struct world straight;
        struct world mixed;

        for (size_t i = 0; i < OBSERVATIONS; i++) {
            order[i] = i;
        }
        world_open(&straight, false);
        apply_all(straight.apply, list, order, OBSERVATIONS, &r);
        th_shuffle(&r, order, OBSERVATIONS);
        world_open(&mixed, rocks);
        (over ? apply_all_over : apply_all)(mixed.apply, list, order, OBSERVATIONS, &r);
        settle(&straight);
        settle(&mixed);
        same_families(&straight, &mixed);
        check_oracle(&straight, &sights);
        check_oracle(&mixed, &sights);
        world_close(&straight);
        world_close(&mixed);
        th_observations_free(list, OBSERVATIONS);
    }
    assert_true(sights.gone_with_parent > 0);
    assert_true(sights.moved_with_project > 0);
}

static void test_orders_agree(void **state)
{
    (void)state;
    orders_agree(false, false, SEEDS);
}

static void test_orders_agree_on_rocks(void **state)
{
    (void)state;
    orders_agree(true, false, 3);
}

static void test_orders_agree_over_unwritten(void **state)
{
    (void)state;
    orders_agree(false, true, SEEDS);
}

/* A write that fails changes nothing; the same batch written later is whole. */
static void test_failed_write(void **state)
{
    struct sights sights = {0};
    struct th_encoded *list = th_observations_moving_new(3, 40, 6, 1000);
    struct world w;
    struct wh_err err;
    int64_t next = 0;
    bool found = true;
    char *before;
    char *after;

    (void)state;
    world_open(&w, false);
    before = th_store_dump(w.store, SINK_META);
    for (size_t i = 0; i < 40; i++) {
        apply_one(w.apply, &list[i]);
    }
    th_ok(sink_apply_offset(w.apply, "wellhead.entities.c1", 0, 40, &err), &err);
    th_ok(sink_apply_seal(w.apply, &err), &err);
    wh_store_mem_fail(w.store, WH_STORE_MEM_WRITE, WH_E_NO_SPACE, 0, 1);
    assert_int_equal(sink_apply_commit(w.apply, true, &err), WH_E_NO_SPACE);
    after = th_store_dump(w.store, SINK_META);
    assert_string_equal(before, after);
    assert_int_equal(sink_apply_sequence(w.apply), 0);
    th_ok(sink_offset_get(w.store, "wellhead.entities.c1", 0, &next, &found, &err), &err);
    assert_false(found);
    th_ok(sink_apply_commit(w.apply, true, &err), &err);
    th_ok(sink_offset_get(w.store, "wellhead.entities.c1", 0, &next, &found, &err), &err);
    assert_true(found);
    assert_int_equal(next, 40);
    assert_true(sink_apply_sequence(w.apply) > 0);
    check_oracle(&w, &sights);
    wh_mem_free(before);
    wh_mem_free(after);
    world_close(&w);
    th_observations_free(list, 40);
}

/* Counts and sequence go on where they were. */
static void test_counts_survive(void **state)
{
    struct th_encoded *list = th_observations_moving_new(9, 60, 10, 1000);
    struct sink_kind_counts counts[WH_KIND_COUNT];
    struct world w;
    struct wh_err err;
    uint64_t sequence;

    (void)state;
    world_open(&w, false);
    for (size_t i = 0; i < 60; i++) {
        apply_one(w.apply, &list[i]);
        commit(w.apply);
    }
    memcpy(counts, sink_apply_counts(w.apply), sizeof(counts));
    sequence = sink_apply_sequence(w.apply);
    sink_apply_free(w.apply);
    th_ok(sink_apply_new(w.store, BATCH_MAX, &w.apply, &err), &err);
    assert_memory_equal(counts, sink_apply_counts(w.apply), sizeof(counts));
    assert_int_equal(sink_apply_sequence(w.apply), sequence);
    for (size_t i = 0; i < 60; i++) {
        apply_one(w.apply, &list[i]);
    }
    commit(w.apply);
    assert_int_equal(sink_apply_sequence(w.apply), sequence); /* nothing new in duplicates */
    assert_memory_equal(counts, sink_apply_counts(w.apply), sizeof(counts));
    world_close(&w);
    th_observations_free(list, 60);
}

static void test_forget_topic(void **state)
{
    struct world w;
    struct wh_err err;
    int64_t next;
    bool found;

    (void)state;
    world_open(&w, false);
    for (int32_t p = 0; p < 3; p++) {
        th_ok(sink_apply_offset(w.apply, "t.a", p, 5, &err), &err);
        th_ok(sink_apply_offset(w.apply, "t.ab", p, 6, &err), &err);
    }
    commit(w.apply);
    th_ok(sink_apply_forget_topic(w.apply, "t.a", &err), &err);
    commit(w.apply);
    for (int32_t p = 0; p < 3; p++) {
        th_ok(sink_offset_get(w.store, "t.a", p, &next, &found, &err), &err);
        assert_false(found);
        th_ok(sink_offset_get(w.store, "t.ab", p, &next, &found, &err), &err);
        assert_true(found);
        assert_int_equal(next, 6);
    }
    world_close(&w);
}

static void test_other_format_is_refused(void **state)
{
    struct world w;
    struct wh_batch *b;
    struct wh_err err;

    (void)state;
    world_open(&w, false);
    sink_apply_free(w.apply);
    th_ok(wh_batch_new(w.store, &b, &err), &err);
    th_ok(wh_batch_put(b, SINK_META, WH_LIT("f"), wh_slice("\0\0\0\7", 4), &err), &err);
    th_ok(wh_store_write(w.store, b, false, &err), &err);
    wh_batch_free(b);
    assert_int_equal(sink_apply_new(w.store, BATCH_MAX, &w.apply, &err), WH_E_CORRUPT);
    assert_non_null(strstr(err.msg, "rebuild"));
    w.apply = NULL;
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_agree),
        cmocka_unit_test(test_orders_agree_over_unwritten),
        cmocka_unit_test(test_orders_agree_on_rocks),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_counts_survive),
        cmocka_unit_test(test_forget_topic),
        cmocka_unit_test(test_other_format_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
