/*
 * The heart of the promise "any order, any duplication, any crash gives the same state": random
 * sets of observations, applied in many orders, must end in the same bytes, and those must say what
 * a naive fold over the sorted set says.
 */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/event/history.h"

enum { OBSERVATIONS = 14, STORED_MAX = 64, CASES = 3000, ORDERS = 4, USED_FIELDS = 8 };

/* ---- randomness that can be repeated ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static unsigned below(uint64_t *seed, unsigned n)
{
    return (unsigned)(next_random(seed) % n);
}

/* ---- a store of entries in memory ---- */

struct stored {
    struct wh_version version;
    char *bytes;
    size_t len;
};

struct memory {
    struct stored items[STORED_MAX];
    size_t n;
    const struct wh_kind_def *def;
};

static void memory_clear(struct memory *m)
{
    for (size_t i = 0; i < m->n; i++) {
        wh_mem_free(m->items[i].bytes);
    }
    m->n = 0;
}

static enum wh_rc memory_put(void *ctx, const struct wh_entity_id *id, const struct wh_entry *e,
                             struct wh_err *err)
{
    struct memory *m = ctx;
    struct wh_buf out;
    size_t i = 0;

    (void)id;
    wh_buf_init(&out, 65536);
    th_ok(wh_entry_encode(e, &out, err), err);
    while (i < m->n && wh_version_cmp(m->items[i].version, e->version) < 0) {
        i++;
    }
    if (i < m->n && wh_version_cmp(m->items[i].version, e->version) == 0) {
        wh_mem_free(m->items[i].bytes);
    } else {
        assert_true(m->n < STORED_MAX);
        memmove(&m->items[i + 1], &m->items[i], (m->n - i) * sizeof(m->items[0]));
        m->n++;
    }
    m->items[i].version = e->version;
    m->items[i].bytes = wh_buf_take(&out, &m->items[i].len);
    return WH_OK;
}

static enum wh_rc memory_decode(struct memory *m, size_t i, struct wh_arena *arena,
                                struct wh_entry *e, struct wh_err *err)
{
    struct wh_slice copy;

    /* Copied: a put during the fold may free the stored bytes. */
    th_ok(wh_arena_dup(arena, wh_slice(m->items[i].bytes, m->items[i].len), &copy, err), err);
    th_ok(wh_entry_decode(m->def, copy, arena, e, err), err);
    e->version = m->items[i].version;
    return WH_OK;
}

static enum wh_rc memory_entries(void *ctx, const struct wh_entity_id *id, struct wh_arena *arena,
                                 struct wh_entry **ret, size_t *ret_n, struct wh_err *err)
{
    struct memory *m = ctx;
    void *items;

    (void)id;
    th_ok(wh_arena_zalloc(arena, m->n, sizeof(struct wh_entry), &items, err), err);
    *ret = items;
    *ret_n = m->n;
    for (size_t i = 0; i < m->n; i++) {
        (void)!memory_decode(m, i, arena, &(*ret)[i], err);
    }
    return WH_OK;
}

static enum wh_rc memory_find(void *ctx, const struct wh_entity_id *id, struct wh_version version,
                              struct wh_arena *arena, const struct wh_kind_def *def,
                              bool *ret_found, struct wh_entry *ret, struct wh_err *err)
{
    struct memory *m = ctx;

    (void)id;
    (void)def;
    *ret_found = false;
    for (size_t i = 0; i < m->n; i++) {
        if (wh_version_cmp(m->items[i].version, version) == 0) {
            *ret_found = true;
            return memory_decode(m, i, arena, ret, err);
        }
    }
    return WH_OK;
}

/* ---- random observations ---- */

#define LONG_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_TEXT LONG_64 LONG_64 LONG_64 LONG_64

/* The last ones are so long that heads do not carry them. */
static const struct wh_slice texts[] = {
    {"a", 1}, {"b", 1}, {"", 0}, {LONG_TEXT, 256}, {LONG_TEXT "+", 257}};
static const struct wh_entity_id ids[] = {{{1}}, {{2}}, {{3}}};

/* type, iid, title, state, labels, author, assignees, confidential: one of each sort. */
static const unsigned used_fields[USED_FIELDS] = {0, 1, 2, 4, 16, 11, 12, 18};

static void random_value(uint64_t *seed, enum wh_field_type type, struct wh_value *v)
{
    *v = (struct wh_value){.is_null = below(seed, 5) == 0};
    if (v->is_null) {
        return;
    }
    switch (type) {
    case WH_FIELD_LONG:
    case WH_FIELD_TIME:
        v->u.i = below(seed, 3);
        break;
    case WH_FIELD_BOOL:
        v->u.b = below(seed, 2);
        break;
    case WH_FIELD_STRINGS:
        v->u.strs.n = below(seed, 3);
        v->u.strs.items = &texts[below(seed, 2)];
        break;
    case WH_FIELD_REF:
        v->u.ref = ids[below(seed, 3)];
        break;
    case WH_FIELD_REFS:
        v->u.refs.n = below(seed, 3);
        v->u.refs.items = ids;
        break;
    case WH_FIELD_DOUBLE:
        v->u.num = below(seed, 3);
        break;
    case WH_FIELD_STRING:
    default:
        v->u.str = texts[below(seed, 5)];
        break;
    }
}

static void random_observation(uint64_t *seed, struct wh_observation *o)
{
    const struct wh_kind_def *def = wh_kind_def(WH_KIND_WORK_ITEM);
    enum wh_origin origin = (enum wh_origin)below(seed, WH_ORIGIN_COUNT);
    struct wh_instant at = {.ms = 1000 * (int64_t)below(seed, 4), .has_fraction = below(seed, 2)};
    struct wh_buf scratch;
    struct wh_err err;

    memset(o, 0, sizeof(*o));
    o->source = (struct wh_source_id){
        WH_LIT("gitlab"), WH_LIT("https://g"),   WH_LIT("issue"),      WH_LIT("5"),
        WH_LIT("7"),      texts[below(seed, 3)], texts[below(seed, 3)]};
    o->id = wh_entity_id_make(o->source.instance, o->source.kind, o->source.id);
    at.ms += at.has_fraction ? below(seed, 3) : 0;
    o->provenance.origin = origin;
    o->provenance.delivery_id = texts[below(seed, 2)];
    o->provenance.observed_at_ms = 5000 + (int64_t)below(seed, 5) * (WH_SEEN_MS / 2);
    o->provenance.topic = WH_LIT("raw");
    o->provenance.partition = (int32_t)below(seed, 2);
    o->provenance.offset = below(seed, 100);
    o->provenance.view = WH_LIT("v@1");
    o->body.def = def;
    o->reason = WH_LIT("");
    if (below(seed, 6) == 0) {
        o->change = WH_CHANGE_DELETE;
        o->reason = below(seed, 2) ? WH_LIT("deleted") : WH_LIT("moved");
    } else {
        for (size_t i = 0; i < USED_FIELDS; i++) {
            if (below(seed, 2)) {
                o->body.present |= UINT64_C(1) << used_fields[i];
                random_value(seed, def->fields[used_fields[i]].type,
                             &o->body.values[used_fields[i]]);
            }
        }
    }
    wh_buf_init(&scratch, 65536);
    o->version.order = wh_version_order(at, below(seed, 2), origin);
    th_ok(wh_observation_tie(o, &scratch, &o->version.tie, &err), &err);
    wh_buf_done(&scratch);
}

/* ---- one run over a set in one order ---- */

struct outcome {
    struct wh_buf head;
    struct memory entries;
};

/* The i-th one is stored at the time i; only where stored is true. */
static void run_at(const struct wh_observation *o, const size_t *order, size_t n, bool stored,
                   struct outcome *out)
{
    struct wh_arena arena;
    struct wh_history_io io = {memory_entries, memory_find, memory_put, &out->entries, 0};
    struct wh_head *head = calloc(1, sizeof(*head));
    struct wh_err err;

    wh_arena_init(&arena, 65536, 8 << 20);
    out->entries.n = 0;
    out->entries.def = wh_kind_def(WH_KIND_WORK_ITEM);
    wh_buf_init(&out->head, 65536);
    for (size_t i = 0; i < n; i++) {
        struct wh_history_result result;

        if (i > 0) {
            /* As a sink does: the head comes back from its bytes each time. */
            struct wh_slice copy;

            wh_arena_reset(&arena);
            th_ok(wh_arena_dup(&arena, wh_buf_slice(&out->head), &copy, &err), &err);
            th_ok(wh_head_decode(out->entries.def, copy, &arena, head, &err), &err);
            head->id = o[0].id;
        }
        io.now_ms = stored ? (int64_t)i : 0;
        th_ok(wh_history_apply(head, i == 0, &o[order[i]], &io, &arena, &result, &err), &err);
        wh_buf_reset(&out->head);
        th_ok(wh_head_encode(head, &out->head, &err), &err);
    }
    free(head);
    wh_arena_done(&arena);
}

static void run(const struct wh_observation *o, const size_t *order, size_t n, struct outcome *out)
{
    run_at(o, order, n, false, out);
}

static void outcome_done(struct outcome *out)
{
    wh_buf_done(&out->head);
    memory_clear(&out->entries);
}

static void same_outcome(const struct outcome *a, const struct outcome *b, uint64_t seed)
{
    bool same = a->head.len == b->head.len && memcmp(a->head.ptr, b->head.ptr, a->head.len) == 0 &&
                a->entries.n == b->entries.n;

    for (size_t i = 0; same && i < a->entries.n; i++) {
        const struct stored *x = &a->entries.items[i];
        const struct stored *y = &b->entries.items[i];

        same = wh_version_cmp(x->version, y->version) == 0 && x->len == y->len &&
               memcmp(x->bytes, y->bytes, x->len) == 0;
    }
    if (!same) {
        fail_msg("two orders of the same observations differ, seed %llu", (unsigned long long)seed);
    }
}

/* ---- the naive oracle ---- */

static int by_version(const void *a, const void *b)
{
    const struct wh_observation *const *x = a;
    const struct wh_observation *const *y = b;

    return wh_version_cmp((*x)->version, (*y)->version);
}

/* A text is far exactly when it is long, and then the entry that set it has it. */
static void check_far(const struct outcome *out, const struct wh_head *head, unsigned field,
                      const struct wh_value *want, struct wh_arena *arena)
{
    const struct wh_kind_def *def = out->entries.def;
    struct wh_version set;
    struct wh_value got;
    struct wh_err err;
    bool is_long;

    if (want == NULL || def->fields[field].type != WH_FIELD_STRING || want->is_null) {
        return;
    }
    is_long = want->u.str.len >= WH_FAR_BYTES;
    assert_int_equal(head->body.values[field].is_far, is_long);
    th_ok(wh_head_set_version(def, wh_buf_slice(&out->head), field, &set, &err), &err);
    assert_int_equal(wh_version_cmp(set, head->set[field]), 0);
    for (size_t i = 0; i < out->entries.n; i++) {
        const struct stored *e = &out->entries.items[i];

        if (wh_version_cmp(e->version, set) == 0) {
            th_ok(wh_entry_field(def, wh_slice(e->bytes, e->len), field, arena, &got, &err), &err);
            assert_true(!got.is_far && wh_slice_eq(got.u.str, want->u.str));
            return;
        }
    }
    fail_msg("no entry has the version that set field %u", field);
}

/* Sorts the set, takes each version once, and says for each field who showed it last. */
static void check_oracle(const struct wh_observation *o, size_t n, const struct outcome *out,
                         uint64_t seed)
{
    const struct wh_kind_def *def = wh_kind_def(WH_KIND_WORK_ITEM);
    const struct wh_observation *sorted[OBSERVATIONS];
    const struct wh_value *state[WH_FIELDS_MAX] = {0};
    struct wh_head *head = calloc(1, sizeof(*head));
    struct wh_arena arena;
    struct wh_err err;
    bool deleted = false;
    struct wh_slice reason = WH_LIT("");
    size_t distinct = 0;

    wh_arena_init(&arena, 65536, 8 << 20);
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &o[i];
    }
    qsort(sorted, n, sizeof(sorted[0]), by_version);
    for (size_t i = 0; i < n; i++) {
        const struct wh_observation *x = sorted[i];
        struct wh_entry e;
        bool is_delete = x->change == WH_CHANGE_DELETE;
        bool changes =
            distinct == 0 || is_delete != deleted || (is_delete && !wh_slice_eq(reason, x->reason));

        if (i > 0 && wh_version_cmp(sorted[i - 1]->version, x->version) == 0) {
            continue;
        }
        for (unsigned f = 0; f < def->n_fields; f++) {
            if (!is_delete && (x->body.present >> f & 1)) {
                changes = changes || state[f] == NULL ||
                          !wh_value_eq(def->fields[f].type, state[f], &x->body.values[f]);
                state[f] = &x->body.values[f];
            }
        }
        deleted = is_delete;
        reason = is_delete ? x->reason : WH_LIT("");
        th_ok(wh_entry_decode(
                  def,
                  wh_slice(out->entries.items[distinct].bytes, out->entries.items[distinct].len),
                  &arena, &e, &err),
              &err);
        if (e.revision != changes) {
            fail_msg("revision flag of entry %zu is wrong, seed %llu", distinct,
                     (unsigned long long)seed);
        }
        distinct++;
    }
    assert_int_equal(distinct, out->entries.n);
    th_ok(wh_head_decode(def, wh_buf_slice(&out->head), &arena, head, &err), &err);
    assert_int_equal(head->deleted, deleted);
    for (unsigned f = 0; f < def->n_fields; f++) {
        assert_int_equal(head->body.present >> f & 1, state[f] != NULL);
        if (state[f] && !wh_value_eq(def->fields[f].type, state[f], &head->body.values[f])) {
            fail_msg("field %s is wrong, seed %llu", def->fields[f].name, (unsigned long long)seed);
        }
        check_far(out, head, f, state[f], &arena);
    }
    free(head);
    wh_arena_done(&arena);
}

static void shuffle(uint64_t *seed, size_t *order, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = below(seed, (unsigned)i);
        size_t t = order[i - 1];

        order[i - 1] = order[k];
        order[k] = t;
    }
}

static void test_any_order_same_bytes(void **state)
{
    (void)state;
    for (uint64_t c = 1; c <= CASES; c++) {
        uint64_t seed = c * 0x9E3779B97F4A7C15ULL;
        struct wh_observation *o = calloc(OBSERVATIONS, sizeof(*o));
        size_t order[OBSERVATIONS * 2];
        struct outcome first;
        size_t n = 2 + below(&seed, OBSERVATIONS - 2);

        for (size_t i = 0; i < n; i++) {
            random_observation(&seed, &o[i]);
            order[i] = i;
            order[n + i] = i;
            if (i > 0 && below(&seed, 4) == 0) {
                /* The same observation by another delivery. */
                struct wh_provenance p = o[i].provenance;

                o[i] = o[i - 1];
                o[i].provenance = p;
            }
        }
        run(o, order, n, &first);
        check_oracle(o, n, &first, c);
        for (unsigned k = 0; k < ORDERS; k++) {
            /* Every second time all of it twice. */
            size_t m = k % 2 ? n * 2 : n;
            struct outcome other;

            for (size_t i = 0; i < m; i++) {
                order[i] = i % n;
            }
            shuffle(&seed, order, m);
            run(o, order, m, &other);
            same_outcome(&first, &other, c);
            outcome_done(&other);
        }
        outcome_done(&first);
        free(o);
    }
}

/* ---- the past ---- */

static void same_entry(const struct wh_entry *got, const struct stored *want, uint64_t seed)
{
    struct wh_buf bytes;
    struct wh_err err;

    wh_buf_init(&bytes, 65536);
    th_ok(wh_entry_encode(got, &bytes, &err), &err);
    if (wh_version_cmp(got->version, want->version) != 0 || bytes.len != want->len ||
        memcmp(bytes.ptr, want->bytes, bytes.len) != 0) {
        fail_msg("an entry of the past differs, seed %llu", (unsigned long long)seed);
    }
    wh_buf_done(&bytes);
}

/* The head and entries of `all` at a time are those of `then`, which has seen only what had arrived. */
static void check_past(struct outcome *all, const struct outcome *then, struct wh_history_when when,
                       uint64_t seed)
{
    struct wh_history_past *past = NULL;
    struct wh_head *head = calloc(1, sizeof(*head));
    struct wh_arena arena;
    struct wh_buf bytes;
    struct wh_err err;
    size_t n = 0;

    wh_arena_init(&arena, 65536, 8 << 20);
    wh_buf_init(&bytes, 65536);
    th_ok(wh_head_decode(all->entries.def, wh_buf_slice(&all->head), &arena, head, &err), &err);
    th_ok(wh_history_past_new(head, when, &arena, &past, &err), &err);
    for (size_t i = 0; i < all->entries.n; i++) {
        struct wh_entry e;

        (void)!memory_decode(&all->entries, i, &arena, &e, &err);
        if (wh_history_past_add(past, &e)) {
            assert_true(n < then->entries.n);
            same_entry(&e, &then->entries.items[n++], seed);
        }
    }
    assert_int_equal(n, then->entries.n);
    th_ok(wh_head_encode(wh_history_past_head(past), &bytes, &err), &err);
    if (bytes.len != then->head.len || memcmp(bytes.ptr, then->head.ptr, bytes.len) != 0) {
        fail_msg("a head of the past differs, seed %llu", (unsigned long long)seed);
    }
    wh_buf_done(&bytes);
    wh_arena_done(&arena);
    free(head);
}

static size_t distinct_observations(uint64_t *seed, struct wh_observation *o, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool again = false;

        random_observation(seed, &o[kept]);
        for (size_t k = 0; k < kept; k++) {
            again = again || wh_version_cmp(o[k].version, o[kept].version) == 0;
        }
        kept += !again;
    }
    return kept;
}

/* At any time, the past is what a store would have that saw only what had been stored by then. */
static void test_past_is_a_store_of_then(void **state)
{
    (void)state;
    for (uint64_t c = 1; c <= CASES; c++) {
        uint64_t seed = c * 0x9E3779B97F4A7C15ULL;
        struct wh_observation *o = calloc(OBSERVATIONS, sizeof(*o));
        size_t n = distinct_observations(&seed, o, 2 + below(&seed, OBSERVATIONS - 2));
        size_t order[OBSERVATIONS];
        struct outcome all;

        for (size_t i = 0; i < n; i++) {
            order[i] = i;
        }
        run_at(o, order, n, true, &all);
        for (size_t m = 1; m <= n; m++) {
            struct outcome then;

            run_at(o, order, m, true, &then);
            check_past(&all, &then, (struct wh_history_when){(int64_t)m - 1, INT64_MAX}, c);
            outcome_done(&then);
        }
        outcome_done(&all);
        free(o);
    }
}

/* By the source's own times, the past is what the observations of versions by then make. */
static void test_past_by_versions(void **state)
{
    (void)state;
    for (uint64_t c = 1; c <= CASES; c++) {
        uint64_t seed = c * 0x9E3779B97F4A7C15ULL;
        struct wh_observation *o = calloc(OBSERVATIONS, sizeof(*o));
        size_t n = distinct_observations(&seed, o, OBSERVATIONS);
        size_t order[OBSERVATIONS];
        struct wh_history_when when = {INT64_MAX, 1000 + (int64_t)below(&seed, 3000)};
        struct outcome all;
        struct outcome then;
        size_t m = 0;

        for (size_t i = 0; i < n; i++) {
            order[i] = i;
        }
        run(o, order, n, &all);
        for (size_t i = 0; i < n; i++) {
            if (wh_version_at_ms(o[i].version.order) <= when.valid_ms) {
                order[m++] = i;
            }
        }
        if (m) {
            run(o, order, m, &then);
            check_past(&all, &then, when, c);
            outcome_done(&then);
        }
        outcome_done(&all);
        free(o);
    }
}

/* A later delivery of the same content does not change when it was stored. */
static void test_stored_first(void **state)
{
    static const int64_t at_ms[] = {70, 90, 50};
    struct wh_observation *o = calloc(3, sizeof(*o));
    const size_t order[] = {0, 1, 2};
    struct wh_arena arena;
    struct wh_entry e;
    struct outcome out;
    struct wh_err err;
    uint64_t seed = 42;

    (void)state;
    wh_arena_init(&arena, 65536, 1 << 20);
    random_observation(&seed, &o[0]);
    for (size_t i = 0; i < 3; i++) {
        o[i] = o[0];
        o[i].provenance.observed_at_ms = at_ms[i];
    }
    run_at(o, order, 3, true, &out);
    assert_int_equal(out.entries.n, 1);
    (void)!memory_decode(&out.entries, 0, &arena, &e, &err);
    assert_int_equal(e.stored_ms, 0);
    assert_int_equal(e.provenance.observed_at_ms, 50);
    outcome_done(&out);
    wh_arena_done(&arena);
    free(o);
}

/* A late read cannot bring back what was deleted after it; a later one can. */
static void test_deletion_is_a_version(void **state)
{
    static const enum wh_change changes[] = {WH_CHANGE_UPSERT, WH_CHANGE_DELETE, WH_CHANGE_UPSERT,
                                             WH_CHANGE_UPSERT};
    static const int64_t at[] = {1000, 3000, 2000, 4000};
    static const bool want_deleted[] = {false, true, true, false};
    struct wh_observation *o = calloc(4, sizeof(*o));
    uint64_t seed = 42;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        do {
            random_observation(&seed, &o[i]);
        } while (o[i].change != changes[i]);
        o[i].version.order = wh_version_order((struct wh_instant){.ms = at[i]}, 0, WH_ORIGIN_REST);
    }
    for (size_t n = 1; n <= 4; n++) {
        const size_t order[] = {0, 1, 2, 3};
        struct wh_head *head = calloc(1, sizeof(*head));
        struct wh_arena arena;
        struct outcome out;
        struct wh_err err;

        wh_arena_init(&arena, 65536, 1 << 20);
        run(o, order, n, &out);
        th_ok(wh_head_decode(out.entries.def, wh_buf_slice(&out.head), &arena, head, &err), &err);
        assert_int_equal(head->deleted, want_deleted[n - 1]);
        outcome_done(&out);
        wh_arena_done(&arena);
        free(head);
    }
    free(o);
}

/* The same content seen again counts once in WH_SEEN_MS; an earlier one always counts. */
static void test_seen_again(void **state)
{
    static const int64_t at_ms[] = {WH_SEEN_MS + 5, WH_SEEN_MS + 6, 2 * WH_SEEN_MS - 1,
                                    2 * WH_SEEN_MS, WH_SEEN_MS + 4};
    static const bool same[] = {false, true, true, false, false};
    struct wh_observation *o = calloc(5, sizeof(*o));
    const size_t order[] = {0, 1, 2, 3, 4};
    struct outcome before;
    uint64_t seed = 42;

    (void)state;
    do {
        random_observation(&seed, &o[0]);
    } while (wh_version_is_aside(o[0].version));
    run(o, order, 1, &before);
    for (size_t i = 0; i < 5; i++) {
        struct outcome now;

        o[i] = o[0];
        o[i].provenance.observed_at_ms = at_ms[i];
        run(o, order, i + 1, &now);
        assert_int_equal(now.entries.n, 1);
        assert_int_equal(same[i], now.head.len == before.head.len &&
                                      memcmp(now.head.ptr, before.head.ptr, now.head.len) == 0);
        outcome_done(&before);
        before = now;
    }
    outcome_done(&before);
    assert_int_equal(wh_head_last_seen_ms(WH_SEEN_MS + 4, 2 * WH_SEEN_MS), 2 * WH_SEEN_MS);
    assert_int_equal(wh_head_last_seen_ms(WH_SEEN_MS + 4, WH_SEEN_MS), WH_SEEN_MS + 4);
    assert_int_equal(wh_head_last_seen_ms(0, 0), 0);
    free(o);
}

/* updated_at where it is known, within what versions can say. */
static void test_changed_ms(void **state)
{
    const struct wh_version v = {
        wh_version_order((struct wh_instant){1763000000123, true}, 0, WH_ORIGIN_REST), 7};
    struct wh_value at = {.u.i = 1760000000001};

    (void)state;
    assert_int_equal(wh_head_changed_ms(NULL, v), 1763000000123);
    assert_int_equal(wh_head_changed_ms(&at, v), 1760000000001);
    at.u.i = -5;
    assert_int_equal(wh_head_changed_ms(&at, v), 0);
    at.u.i = INT64_MAX;
    assert_int_equal(wh_head_changed_ms(&at, v), wh_version_at_ms(UINT64_MAX));
    at.is_null = true;
    assert_int_equal(wh_head_changed_ms(&at, v), 1763000000123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_same_bytes),
        cmocka_unit_test(test_deletion_is_a_version),
        cmocka_unit_test(test_seen_again),
        cmocka_unit_test(test_changed_ms),
        cmocka_unit_test(test_past_is_a_store_of_then),
        cmocka_unit_test(test_past_by_versions),
        cmocka_unit_test(test_stored_first),
    };

    return cmocka_run_group_tests_name("event/history", tests, NULL, NULL);
}
