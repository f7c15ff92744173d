#include "stages/fetcher/listing/overlap.h"

#include "common/base/mem.h"

void listing_overlap_done(struct listing_overlap *o)
{
    wh_mem_free(o->rows);
    *o = (struct listing_overlap){0};
}

static void drop_old(struct listing_overlap *o, int64_t width_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < o->n; i++) {
        if (o->rows[i].at_ms >= o->newest_ms - width_ms) {
            o->rows[n++] = o->rows[i];
        }
    }
    o->n = n;
}

void listing_overlap_add(struct listing_overlap *o, struct listing_overlap_row row,
                         int64_t width_ms)
{
    if (o->rows == NULL) {
        o->rows = wh_mem_zalloc(CURSOR_HASHES_MAX, sizeof(*o->rows));
    }
    if (row.at_ms > o->newest_ms) {
        o->newest_ms = row.at_ms;
    }
    if (o->rows && o->n == CURSOR_HASHES_MAX) {
        drop_old(o, width_ms);
    }
    if (o->rows && o->n < CURSOR_HASHES_MAX && row.at_ms >= o->newest_ms - width_ms) {
        o->rows[o->n++] = row;
    }
}

void listing_overlap_keep(struct listing_overlap *o, int64_t width_ms, struct cursor *c)
{
    drop_old(o, width_ms);
    c->n_hashes = 0;
    for (size_t i = 0; i < o->n; i++) {
        cursor_set_hash(c, (unsigned)i, o->rows[i].hash);
    }
}

bool listing_overlap_knows(const struct cursor *c, uint64_t hash)
{
    for (unsigned i = 0; i < c->n_hashes; i++) {
        if (c->hashes[i] == hash) {
            return true;
        }
    }
    return false;
}
