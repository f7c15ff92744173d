/*
 * A cache of entity ids, because a SHA-1 costs more than the rest of a small event. It fits into a
 * core's cache; people and projects, which occur in most events, profit from it.
 */
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/mapper/view/convert_priv.h"

enum { PLACES = 4096, TEXT_MAX = 22, INSTANCES = 8, INSTANCE_MAX = 127 };

/* Kinds are texts of the views, so their address identifies them; instances are numbered. */
struct entry {
    struct wh_entity_id id;
    const char *kind;
    unsigned char instance;
    unsigned char len; /* of text; 0: empty */
    char text[TEXT_MAX];
};

struct instance {
    size_t len;
    char text[INSTANCE_MAX];
};

struct view_idcache {
    struct entry entries[PLACES];
    struct instance instances[INSTANCES];
    unsigned n_instances;
    unsigned last;
};

struct view_idcache *view_idcache_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct view_idcache));
}

void view_idcache_free(struct view_idcache *cache)
{
    wh_mem_free(cache);
}

static bool instance_is(const struct instance *x, struct wh_slice instance)
{
    return wh_slice_eq(wh_slice(x->text, x->len), instance);
}

/* False when all numbers for instances are used up. */
static bool find_instance(struct view_idcache *cache, struct wh_slice instance)
{
    if (cache->n_instances && instance_is(&cache->instances[cache->last], instance)) {
        return true;
    }
    for (unsigned i = 0; i < cache->n_instances; i++) {
        if (instance_is(&cache->instances[i], instance)) {
            cache->last = i;
            return true;
        }
    }
    if (cache->n_instances == INSTANCES || instance.len == 0 || instance.len > INSTANCE_MAX) {
        return false;
    }
    cache->last = cache->n_instances++;
    cache->instances[cache->last].len = instance.len;
    memcpy(cache->instances[cache->last].text, instance.ptr, instance.len);
    return true;
}

struct wh_entity_id view_idcache_make(struct view_idcache *cache, struct wh_slice instance,
                                      struct wh_slice kind, struct wh_slice id)
{
    struct entry *e;

    if (id.len == 0 || id.len > TEXT_MAX || !find_instance(cache, instance)) {
        return wh_entity_id_make(instance, kind, id);
    }
    e = &cache->entries[(wh_hash64(id) + (uintptr_t)kind.ptr * 31 + cache->last) % PLACES];
    if (e->len != id.len || e->kind != kind.ptr || e->instance != cache->last ||
        memcmp(e->text, id.ptr, id.len) != 0) {
        e->id = wh_entity_id_make(instance, kind, id);
        e->kind = kind.ptr;
        e->instance = (unsigned char)cache->last;
        e->len = (unsigned char)id.len;
        memcpy(e->text, id.ptr, id.len);
    }
    return e->id;
}
