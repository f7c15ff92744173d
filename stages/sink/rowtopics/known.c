/* The rows that are in the topics, in a table of open addressing: ids are random, so they are their own hash. */
#include "common/base/mem.h"
#include "stages/sink/rowtopics/rowtopics_priv.h"

enum { FIRST_SLOTS = 1 << 12 };

void known_done(struct known *k)
{
    wh_mem_free(k->slots);
    *k = (struct known){0};
}

static size_t home_of(const struct wh_entity_id *id)
{
    return (size_t)wh_be_get64(id->bytes);
}

static struct known_row *find(struct known_row *slots, size_t n, unsigned table,
                              const struct wh_entity_id *id)
{
    size_t at = home_of(id) & (n - 1);

    while (slots[at].table && (slots[at].table != table + 1 ||
                               memcmp(slots[at].id.bytes, id->bytes, sizeof(id->bytes)) != 0)) {
        at = (at + 1) & (n - 1);
    }
    return &slots[at];
}

static bool grow(struct known *k)
{
    size_t n = k->n_slots ? k->n_slots * 2 : FIRST_SLOTS;
    struct known_row *slots = wh_mem_zalloc(n, sizeof(*slots));

    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < k->n_slots; i++) {
        if (k->slots[i].table) {
            *find(slots, n, k->slots[i].table - 1U, &k->slots[i].id) = k->slots[i];
        }
    }
    wh_mem_free(k->slots);
    k->slots = slots;
    k->n_slots = n;
    return true;
}

struct known_row *known_at(struct known *k, unsigned table, const struct wh_entity_id *id)
{
    struct known_row *row;

    if (k->used + 1 > k->n_slots - k->n_slots / 4 && !grow(k)) {
        return NULL;
    }
    row = find(k->slots, k->n_slots, table, id);
    if (row->table == 0) {
        row->table = (unsigned char)(table + 1);
        row->id = *id;
        k->used++;
    }
    return row;
}
