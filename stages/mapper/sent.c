#include "stages/mapper/sent.h"

#include "common/base/mem.h"
#include "common/event/history.h"

enum { WAYS = 2, PLACES_MAX = 1 << 26, ADDED_MAX = 64 };

static const uint32_t always = UINT32_MAX;

/* A set of two places is as large as a line of the CPU's caches, because a look-up costs little else. */
struct place {
    uint64_t key;     /* 0: empty */
    int64_t first_ms; /* the earliest that was produced */
    int64_t first_offset;
    int32_t first_partition;
    uint32_t last; /* when the latest was seen, in WH_SEEN_MS; `always` for mentions */
};

/* The newer entry is first. */
struct set {
    struct place ways[WAYS];
};

struct sent {
    struct set *sets; /* NULL: nothing is remembered */
    size_t mask;
    uint64_t salt; /* a new one makes all entries unreachable */
    uint64_t added[ADDED_MAX];
    size_t n_added; /* of this event, also beyond ADDED_MAX */
};

struct sent *sent_new(size_t places)
{
    struct sent *s = wh_mem_zalloc(1, sizeof(*s));
    size_t sets = 1;

    if (s == NULL || places == 0) {
        return s;
    }
    while (sets * WAYS < places && sets < PLACES_MAX) {
        sets *= 2;
    }
    s->mask = sets - 1;
    s->sets = wh_mem_zalloc(sets, sizeof(*s->sets));
    if (s->sets == NULL) {
        wh_mem_free(s);
        return NULL;
    }
    return s;
}

void sent_free(struct sent *s)
{
    if (s) {
        wh_mem_free(s->sets);
        wh_mem_free(s);
    }
}

void sent_clear(struct sent *s)
{
    s->salt = s->salt * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL;
    s->n_added = 0;
}

/* ---- places ---- */

static struct set *set_of(struct sent *s, uint64_t salted)
{
    return &s->sets[(salted ^ salted >> 32) & s->mask];
}

/* The entry, which becomes the first of its set; NULL: not there. */
static struct place *find(struct set *set, uint64_t salted)
{
    struct place found;

    if (set->ways[0].key == salted) {
        return &set->ways[0];
    }
    if (set->ways[1].key != salted) {
        return NULL;
    }
    found = set->ways[1];
    set->ways[1] = set->ways[0];
    set->ways[0] = found;
    return &set->ways[0];
}

static uint64_t salt(const struct sent *s, uint64_t key)
{
    uint64_t salted = key ^ s->salt;

    return salted ? salted : 1;
}

static bool is_later(const struct sent_origin *at, const struct place *p)
{
    if (at->observed_at_ms != p->first_ms) {
        return at->observed_at_ms > p->first_ms;
    }
    return at->partition != p->first_partition ? at->partition > p->first_partition
                                               : at->offset > p->first_offset;
}

/* False for a time that no clock shows. */
static bool last_of(const struct sent_origin *at, uint32_t *ret)
{
    int64_t last = wh_seen_ms(at->observed_at_ms) / WH_SEEN_MS;

    *ret = (uint32_t)last;
    return at->observed_at_ms >= 0 && last < always;
}

static void set_first(struct place *p, const struct sent_origin *at)
{
    p->first_ms = at->observed_at_ms;
    p->first_offset = at->offset;
    p->first_partition = at->partition;
}

/* ---- one event ---- */

void sent_begin(struct sent *s)
{
    s->n_added = 0;
}

void sent_undo(struct sent *s)
{
    if (s->n_added > ADDED_MAX) {
        sent_clear(s);
        return;
    }
    for (size_t i = 0; i < s->n_added; i++) {
        struct place *p = find(set_of(s, s->added[i]), s->added[i]);

        if (p) {
            p->key = 0;
        }
    }
    s->n_added = 0;
}

uint64_t sent_key(const struct wh_observation *o)
{
    struct {
        struct wh_entity_id id;
        struct wh_version version;
    } content = {o->id, o->version};

    return wh_hash64(wh_slice(&content, sizeof(content)));
}

bool sent_covers(struct sent *s, uint64_t key, const struct sent_origin *at)
{
    const struct place *p;
    uint32_t last;

    if (s->sets == NULL || !last_of(at, &last)) {
        return false;
    }
    key = salt(s, key);
    p = find(set_of(s, key), key);
    return p && is_later(at, p) && last <= p->last;
}

void sent_add(struct sent *s, uint64_t key, const struct sent_origin *at, bool mention)
{
    struct place *p;
    struct set *set;
    uint32_t last;

    if (s->sets == NULL || !last_of(at, &last)) {
        return;
    }
    last = mention ? always : last;
    key = salt(s, key);
    set = set_of(s, key);
    p = find(set, key);
    if (p == NULL) {
        set->ways[1] = set->ways[0];
        p = &set->ways[0];
        *p = (struct place){.key = key, .last = last};
        set_first(p, at);
    } else if (!is_later(at, p)) {
        set_first(p, at);
    }
    p->last = last > p->last ? last : p->last;
    if (s->n_added < ADDED_MAX) {
        s->added[s->n_added] = key;
    }
    s->n_added++;
}
