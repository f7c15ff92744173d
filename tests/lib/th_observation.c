#include "tests/lib/th_observation.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/history.h"
#include "tests/lib/th_cmocka.h"

enum { POOL_BYTES = 1 << 20, VERSIONS = 12 };

static const int64_t epoch_ms = 1700000000000;

#define ADDRESS "https://gitlab.test/x"

uint64_t th_random_next(struct th_random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}

unsigned th_random_below(struct th_random *r, unsigned n)
{
    return (unsigned)(th_random_next(r) % n);
}

void th_shuffle(struct th_random *r, size_t *order, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = th_random_below(r, (unsigned)i);
        size_t t = order[i - 1];

        order[i - 1] = order[j];
        order[j] = t;
    }
}

static struct wh_slice text(struct wh_arena *arena, const char *format, unsigned a, unsigned b)
{
    char line[128];
    struct wh_slice copy = {NULL, 0};
    struct wh_err err;
    int n = snprintf(line, sizeof(line), "%s-%u-%u", format, a, b);

    assert_true(n > 0);
    th_ok(wh_arena_dup(arena, wh_slice(line, (size_t)n), &copy, &err), &err);
    return copy;
}

/* Few values, so that they come again; one of them so long that heads do not carry it. */
static struct wh_slice string_value(struct wh_arena *arena, unsigned n)
{
    static char lengthy[WH_FAR_BYTES + 44];

    if (n > 0) {
        return text(arena, "value", n, 0);
    }
    memset(lengthy, 'x', sizeof(lengthy));
    return wh_slice(lengthy, sizeof(lengthy));
}

static struct wh_entity_id entity(unsigned e)
{
    char id[16];

    (void)snprintf(id, sizeof(id), "%u", e);
    return wh_entity_id_make(WH_LIT("https://gitlab.test"), WH_LIT("thing"), wh_slice_str(id));
}

static int id_cmp(const void *a, const void *b)
{
    return wh_entity_id_cmp(a, b);
}

static void random_refs(struct th_random *r, struct wh_arena *arena, unsigned entities,
                        struct wh_value *v)
{
    struct wh_entity_id *items;
    struct wh_err err;
    void *memory = NULL;
    size_t n = th_random_below(r, 4);
    size_t kept = 0;

    th_ok(wh_arena_zalloc(arena, n + 1, sizeof(*items), &memory, &err), &err);
    items = memory;
    for (size_t i = 0; i < n; i++) {
        items[i] = entity(th_random_below(r, entities));
    }
    qsort(items, n, sizeof(*items), id_cmp);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || wh_entity_id_cmp(&items[kept - 1], &items[i]) != 0) {
            items[kept++] = items[i];
        }
    }
    v->u.refs.items = items;
    v->u.refs.n = kept;
}

static void random_value(struct th_random *r, struct wh_arena *arena, enum wh_field_type type,
                         unsigned entities, struct wh_value *v)
{
    memset(v, 0, sizeof(*v));
    v->is_null = th_random_below(r, 8) == 0;
    if (v->is_null) {
        return;
    }
    switch (type) {
    case WH_FIELD_STRING:
        v->u.str = string_value(arena, th_random_below(r, 3));
        break;
    case WH_FIELD_LONG:
    case WH_FIELD_TIME:
        v->u.i = th_random_below(r, 3);
        break;
    case WH_FIELD_DOUBLE:
        v->u.num = th_random_below(r, 3) / 2.0;
        break;
    case WH_FIELD_BOOL:
        v->u.b = th_random_below(r, 2) == 0;
        break;
    case WH_FIELD_STRINGS: {
        struct wh_slice *items;
        struct wh_err err;
        void *memory = NULL;

        v->u.strs.n = th_random_below(r, 3);
        th_ok(wh_arena_zalloc(arena, v->u.strs.n + 1, sizeof(*items), &memory, &err), &err);
        items = memory;
        for (size_t i = 0; i < v->u.strs.n; i++) {
            items[i] = text(arena, "label", th_random_below(r, 3), (unsigned)i);
        }
        v->u.strs.items = items;
        break;
    }
    case WH_FIELD_REF:
        v->u.ref = entity(th_random_below(r, entities));
        break;
    case WH_FIELD_REFS:
        random_refs(r, arena, entities, v);
        break;
    }
}

static void random_body(struct th_random *r, struct wh_arena *arena, unsigned entities,
                        struct wh_body *body)
{
    body->present = 0;
    for (unsigned i = 0; i < body->def->n_fields; i++) {
        bool ref =
            body->def->fields[i].type == WH_FIELD_REF || body->def->fields[i].type == WH_FIELD_REFS;

        if (th_random_below(r, ref ? 2 : 5) == 0) {
            body->present |= UINT64_C(1) << i;
            random_value(r, arena, body->def->fields[i].type, entities, &body->values[i]);
        }
    }
}

static void random_observation(struct th_random *r, struct wh_arena *arena, unsigned entities,
                               size_t number, int64_t at_ms, struct wh_observation *o)
{
    unsigned e = th_random_below(r, entities);
    unsigned k = 1 + e % (WH_KIND_COUNT - 1);
    struct wh_instant at = {epoch_ms + (int64_t)th_random_below(r, VERSIONS) * 1000, false};
    enum wh_origin origin = (enum wh_origin)th_random_below(r, WH_ORIGIN_COUNT);

    memset(o, 0, sizeof(*o));
    o->id = entity(e);
    o->body.def = wh_kind_def((enum wh_kind)k);
    o->source.system = WH_LIT("gitlab");
    o->source.instance = WH_LIT("https://gitlab.test");
    o->source.kind = WH_LIT("thing");
    o->source.id = text(arena, "id", e, 0);
    if (th_random_below(r, 2) == 0) {
        o->source.project = text(arena, "project", e % 3, 0);
        o->source.iid = text(arena, "iid", e, th_random_below(r, 2));
    }
    if (th_random_below(r, 2) == 0) {
        o->source.url = text(arena, ADDRESS, e, th_random_below(r, 2));
    }
    o->change = th_random_below(r, 10) == 0 ? WH_CHANGE_DELETE : WH_CHANGE_UPSERT;
    if (o->change == WH_CHANGE_DELETE) {
        o->reason = th_random_below(r, 2) == 0 ? WH_LIT("deleted") : WH_LIT("lost_access");
    } else {
        random_body(r, arena, entities, &o->body);
    }
    o->version.order = wh_version_order(at, th_random_below(r, 2), origin);
    o->provenance.origin = origin;
    o->provenance.delivery_id = text(arena, "delivery", (unsigned)number, 0);
    o->provenance.observed_at_ms = at_ms + (int64_t)number;
    o->provenance.topic = WH_LIT("wellhead.raw.c1");
    o->provenance.offset = (int64_t)number;
    o->provenance.view = WH_LIT("gitlab.thing.webhook@1");
}

/* Projects have two addresses by turns; objects were seen under an older one. */
static void at_moving_project(struct wh_arena *arena, struct wh_observation *o)
{
    const char *at = o->body.def->kind == WH_KIND_PROJECT ? "https://gitlab.test/g/p"
                                                          : "https://gitlab.test/g/old/-/x";

    struct wh_slice own = wh_slice_from(o->source.url, strlen(ADDRESS));
    char url[128];
    struct wh_err err;
    int n;

    if (o->source.url.len) {
        n = snprintf(url, sizeof(url), "%s%.*s", at, WH_SLICE_ARG(own));
        th_ok(wh_arena_dup(arena, wh_slice(url, (size_t)n), &o->source.url, &err), &err);
    }
}

static struct th_encoded *encoded(uint64_t seed, size_t n, unsigned entities, int64_t at_ms,
                                  bool moving)
{
    struct th_random r = {seed * 2654435761u + 88172645463325252u};
    struct th_encoded *list = calloc(n, sizeof(*list));
    struct wh_arena arena;
    struct wh_buf scratch;
    struct wh_err err;

    assert_non_null(list);
    wh_arena_init(&arena, 65536, POOL_BYTES);
    wh_buf_init(&scratch, POOL_BYTES);
    for (size_t i = 0; i < n; i++) {
        struct wh_observation o;
        struct wh_buf out;

        wh_arena_reset(&arena);
        random_observation(&r, &arena, entities, i, at_ms, &o);
        if (moving) {
            at_moving_project(&arena, &o);
        }
        wh_buf_reset(&scratch);
        th_ok(wh_observation_tie(&o, &scratch, &o.version.tie, &err), &err);
        wh_buf_init(&out, POOL_BYTES);
        th_ok(wh_observation_encode(&o, &out, &err), &err);
        list[i].id = o.id;
        list[i].bytes = wh_buf_take(&out, &list[i].len);
    }
    wh_buf_done(&scratch);
    wh_arena_done(&arena);
    return list;
}

struct th_encoded *th_observations_new(uint64_t seed, size_t n, unsigned entities, int64_t at_ms)
{
    return encoded(seed, n, entities, at_ms, false);
}

struct th_encoded *th_observations_moving_new(uint64_t seed, size_t n, unsigned entities,
                                              int64_t at_ms)
{
    return encoded(seed, n, entities, at_ms, true);
}

void th_observations_free(struct th_encoded *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        wh_mem_free(list[i].bytes);
    }
    free(list);
}
