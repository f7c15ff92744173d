#include "tests/lib/store_mem.h"
#include "tests/lib/th_heads.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { HEAD_MAX_BYTES = 1 << 20, ARENA_BYTES = 256 << 20 };

static const char *const words[] = {
    "opened",
    "closed",
    "merged",
    "a, b",
    "say \"hi\"",
    "two\r\nlines",
    "",
    "50%_off",
    "it's",
    "\xc3\xa4\xc3\xb6\xe2\x82\xac \xf0\x9f\x98\x80",
    "'; DROP TABLE work_items; --",
    " padded ",
    "incident",
    "issue",
    "merge_request",
    "main",
};

struct wh_store *th_sink_store(void)
{
    const struct wh_store_conf conf = {.families = sink_families, .n_families = SINK_FAMILY_COUNT};
    struct wh_store *store = NULL;
    struct wh_err err;

    th_ok(wh_store_mem_open(&conf, &store, &err), &err);
    return store;
}

void th_heads_init(struct th_heads *h, struct wh_store *store, enum wh_kind kind, uint64_t seed)
{
    *h = (struct th_heads){.store = store, .random = {seed}, .def = wh_kind_def(kind)};
    wh_arena_init(&h->arena, 64 << 10, ARENA_BYTES);
}

void th_heads_done(struct th_heads *h)
{
    wh_arena_done(&h->arena);
    wh_mem_free(h->items);
}

struct wh_entity_id th_project(unsigned i)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", i);
    return wh_entity_id_make(WH_LIT("https://gitlab.test"), WH_LIT("project"), wh_slice_str(text));
}

static void *take(struct th_heads *h, size_t n, size_t size)
{
    void *memory = NULL;
    struct wh_err err;

    th_ok(wh_arena_zalloc(&h->arena, n, size, &memory, &err), &err);
    return memory;
}

static struct wh_slice word(struct th_heads *h)
{
    return wh_slice_str(words[th_random_below(&h->random, sizeof(words) / sizeof(words[0]))]);
}

/* Now and then one that heads do not carry. */
static struct wh_slice string_value(struct th_heads *h)
{
    size_t n = WH_FAR_BYTES + th_random_below(&h->random, 500);
    char *text;

    if (!h->long_texts || th_random_below(&h->random, 12) != 0) {
        return word(h);
    }
    text = take(h, n, 1);
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)('a' + th_random_below(&h->random, 26));
    }
    return wh_slice(text, n);
}

static int cmp_ids(const void *a, const void *b)
{
    return wh_entity_id_cmp(a, b);
}

static void random_list(struct th_heads *h, enum wh_field_type type, struct wh_value *v)
{
    size_t n = th_random_below(&h->random, 4);

    if (type == WH_FIELD_STRINGS) {
        struct wh_slice *items = take(h, n + 1, sizeof(*items));

        for (size_t i = 0; i < n; i++) {
            items[i] = word(h);
        }
        v->u.strs.items = items;
        v->u.strs.n = n;
    } else {
        struct wh_entity_id *items = take(h, n + 1, sizeof(*items));

        for (size_t i = 0; i < n; i++) {
            items[i] = th_project((unsigned)i * 7 + 100);
        }
        qsort(items, n, sizeof(*items), cmp_ids);
        v->u.refs.items = items;
        v->u.refs.n = n;
    }
}

static void random_value(struct th_heads *h, enum wh_field_type type, struct wh_value *v)
{
    *v = (struct wh_value){.is_null = th_random_below(&h->random, 6) == 0};
    if (v->is_null) {
        return;
    }
    switch (type) {
    case WH_FIELD_LONG:
        v->u.i = (int64_t)th_random_below(&h->random, 50) - 10;
        break;
    case WH_FIELD_TIME:
        v->u.i = INT64_C(1760000000000) + (int64_t)th_random_below(&h->random, 4000) * 60001;
        break;
    case WH_FIELD_DOUBLE:
        v->u.num = (double)th_random_below(&h->random, 1000) / 8;
        break;
    case WH_FIELD_BOOL:
        v->u.b = th_random_below(&h->random, 2) != 0;
        break;
    case WH_FIELD_REF:
        v->u.ref = th_project(th_random_below(&h->random, TH_PROJECTS));
        break;
    case WH_FIELD_STRINGS:
    case WH_FIELD_REFS:
        random_list(h, type, v);
        break;
    case WH_FIELD_STRING:
    default:
        v->u.str = string_value(h);
        break;
    }
}

static struct wh_slice print(struct th_heads *h, const char *before, const char *what, size_t i)
{
    char text[128];
    struct wh_slice copy = {NULL, 0};
    struct wh_err err;

    (void)snprintf(text, sizeof(text), "%s%s%zu", before, what, i);
    th_ok(wh_arena_dup(&h->arena, wh_slice_str(text), &copy, &err), &err);
    return copy;
}

static void random_source(struct th_heads *h, struct wh_head *head, size_t i)
{
    head->source = (struct wh_source_id){
        .system = WH_LIT("gitlab"),
        .instance = WH_LIT("https://gitlab.test"),
        .kind = wh_slice_str(h->def->name),
        .project = WH_LIT("7"),
        .id = print(h, "", "", i),
        .iid = print(h, "", "", i + 1),
        .url = print(h, "https://gitlab.test/g/p/-/", h->def->table, i),
    };
    head->id = wh_entity_id_make(head->source.instance, head->source.kind, head->source.id);
}

static struct wh_version random_version(struct th_heads *h)
{
    struct wh_instant at = {INT64_C(1763000000000) + th_random_below(&h->random, 2000) * 1501,
                            true};

    return (struct wh_version){wh_version_order(at, 0, WH_ORIGIN_REST), th_random_next(&h->random)};
}

static struct wh_head *random_head(struct th_heads *h)
{
    struct wh_head *head = take(h, 1, sizeof(*head));

    random_source(h, head, h->n);
    head->version = random_version(h);
    head->deleted = th_random_below(&h->random, 8) == 0;
    head->reason = head->deleted ? WH_LIT("deleted") : WH_LIT("");
    head->deleted_version = head->version;
    head->first_seen_ms = wh_version_at_ms(head->version.order) + 5;
    head->last_seen_ms = wh_seen_ms(head->first_seen_ms) + WH_SEEN_MS;
    head->body.def = h->def;
    for (unsigned i = 0; i < h->def->n_fields; i++) {
        if (th_random_below(&h->random, 5) != 0) {
            head->body.present |= UINT64_C(1) << i;
            head->shown[i] = head->version;
            head->set[i] = head->version;
            random_value(h, h->def->fields[i].type, &head->body.values[i]);
        }
    }
    return head;
}

const struct wh_value *th_field(const struct wh_head *head, const char *name)
{
    int i = wh_kind_field(head->body.def, wh_slice_str(name));

    if (i < 0 || !(head->body.present >> i & 1) || head->body.values[i].is_null) {
        return NULL;
    }
    return &head->body.values[i];
}

int64_t th_changed_ms(const struct wh_head *head)
{
    const struct wh_value *updated_at = th_field(head, "updated_at");

    return updated_at ? updated_at->u.i : wh_version_at_ms(head->version.order);
}

static void put(struct wh_batch *b, unsigned family, const void *key, size_t len,
                struct wh_slice value)
{
    struct wh_err err;

    th_ok(wh_batch_put(b, family, wh_slice(key, len), value, &err), &err);
}

static bool has_long_text(const struct wh_head *head)
{
    for (unsigned i = 0; i < head->body.def->n_fields; i++) {
        const struct wh_value *v = &head->body.values[i];

        if ((head->body.present >> i & 1) && !v->is_null &&
            head->body.def->fields[i].type == WH_FIELD_STRING && v->u.str.len >= WH_FAR_BYTES) {
            return true;
        }
    }
    return false;
}

/* The revision that set all fields: where long texts are. */
static void put_entry(struct wh_batch *batch, const struct wh_head *head)
{
    struct wh_entry *e = wh_mem_zalloc(1, sizeof(*e));
    unsigned char key[SINK_REVISION_KEY];
    struct wh_buf bytes;
    struct wh_err err;

    assert_non_null(e);
    e->revision = true;
    e->shown = head->body.present;
    e->delta = head->body;
    wh_buf_init(&bytes, HEAD_MAX_BYTES);
    th_ok(wh_entry_encode(e, &bytes, &err), &err);
    sink_revision_key(key, &head->id, head->version);
    put(batch, SINK_REVISIONS, key, sizeof(key), wh_buf_slice(&bytes));
    wh_buf_done(&bytes);
    wh_mem_free(e);
}

/* The counter of the kind, in the place of a head that may be there already. */
static void put_counts(struct wh_store *store, struct wh_batch *batch, struct wh_slice entity,
                       bool deleted)
{
    const char key[2] = {'c', entity.ptr[0]};
    unsigned char counts[24] = {0};
    struct wh_slice body;
    struct wh_buf old;
    struct wh_err err;
    bool was_deleted = false;
    bool found = false;

    wh_buf_init(&old, HEAD_MAX_BYTES);
    th_ok(wh_store_get(store, NULL, SINK_META, wh_slice(key, 2), &old, &found, &err), &err);
    if (found) {
        memcpy(counts, old.ptr, sizeof(counts));
    }
    wh_buf_reset(&old);
    th_ok(wh_store_get(store, NULL, SINK_ENTITIES, entity, &old, &found, &err), &err);
    if (found) {
        th_ok(wh_head_flags(wh_buf_slice(&old), &body, &was_deleted, &err), &err);
    }
    wh_be_put64(counts, wh_be_get64(counts) + !found);
    wh_be_put64(counts + 8, wh_be_get64(counts + 8) + deleted - was_deleted);
    put(batch, SINK_META, key, 2, wh_slice(counts, sizeof(counts)));
    wh_buf_done(&old);
}

/* Counts a change of what people are made of, as the sink does. */
static void put_people(struct wh_store *store, struct wh_batch *batch, enum wh_kind kind)
{
    unsigned char number[8];
    struct wh_buf value;
    struct wh_err err;
    bool found = false;

    if (kind != WH_KIND_TEAM_MEMBER && kind != WH_KIND_PERSON) {
        return;
    }
    wh_buf_init(&value, 64);
    th_ok(wh_store_get(store, NULL, SINK_META, WH_LIT("p"), &value, &found, &err), &err);
    wh_be_put64(number, (found ? wh_be_get64(wh_buf_str(&value)) : 0) + 1);
    put(batch, SINK_META, "p", 1, wh_slice(number, sizeof(number)));
    wh_buf_done(&value);
}

void th_head_put(struct wh_store *store, const struct wh_head *head)
{
    const struct wh_value *project = th_field(head, "project");
    enum wh_kind kind = head->body.def->kind;
    unsigned char entity[SINK_ENTITY_KEY];
    unsigned char key[SINK_BY_PROJECT_KEY];
    int64_t at = th_changed_ms(head);
    struct wh_batch *batch = NULL;
    struct wh_buf bytes;
    struct wh_buf url;
    struct wh_err err;

    wh_buf_init(&bytes, HEAD_MAX_BYTES);
    wh_buf_init(&url, SINK_SOURCE_KEY_MAX);
    th_ok(wh_batch_new(store, &batch, &err), &err);
    th_ok(wh_head_encode(head, &bytes, &err), &err);
    sink_entity_key(entity, kind, &head->id);
    put_counts(store, batch, wh_slice(entity, sizeof(entity)), head->deleted);
    put_people(store, batch, kind);
    put(batch, SINK_ENTITIES, entity, sizeof(entity), wh_buf_slice(&bytes));
    if (has_long_text(head)) {
        put_entry(batch, head);
    }
    sink_by_time_key(key, kind, at, &head->id);
    put(batch, SINK_BY_TIME, key, SINK_BY_TIME_KEY, WH_LIT(""));
    if (project) {
        sink_by_project_key(key, kind, &project->u.ref, at, &head->id);
        put(batch, SINK_BY_PROJECT, key, SINK_BY_PROJECT_KEY, WH_LIT(""));
    }
    for (unsigned i = 0; i < head->body.def->n_fields; i++) {
        unsigned char by_value[SINK_BY_VALUE_KEY];
        size_t len = (head->body.present >> i & 1) && sink_value_indexed(&head->body.def->fields[i])
                         ? sink_value_prefix(by_value, kind, i, &head->body.values[i])
                         : 0;

        if (len) {
            memcpy(by_value + len, head->id.bytes, sizeof(head->id.bytes));
            put(batch, SINK_BY_VALUE, by_value, len + sizeof(head->id.bytes), WH_LIT(""));
        }
    }
    th_ok(sink_url_key(head->source.url, &url, &err), &err);
    put(batch, SINK_SOURCE_IDS, url.ptr, url.len, wh_slice(entity, sizeof(entity)));
    th_ok(wh_store_write(store, batch, false, &err), &err);
    wh_batch_free(batch);
    wh_buf_done(&bytes);
    wh_buf_done(&url);
}

void th_heads_add(struct th_heads *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (h->n == h->cap) {
            h->cap = h->cap ? 2 * h->cap : 64;
            h->items = wh_mem_resize(h->items, h->cap, sizeof(struct wh_head *));
            assert_non_null(h->items);
        }
        h->items[h->n] = random_head(h);
        th_head_put(h->store, h->items[h->n]);
        h->n++;
    }
}
