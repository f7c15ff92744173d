#include "stages/fetcher/state/ids.h"

#include <stdlib.h>

#include "common/avro/wire.h"
#include "common/base/mem.h"

enum {
    PAGE = 1024,
    PAGES_MAX = IDS_NUMBER_MAX / PAGE + 1,
    PAGES_FREE = 4096, /* pages that may be thin */
    DENSE = 64,        /* numbers that each further page asks for */
    FATE_BITS = 4,
};

struct number {
    int64_t id;
    uint32_t seq; /* segment of its newest state */
    uint8_t fate;
    uint8_t confidential;
    uint8_t listed;
};

/* A segment that is being filled or is not written yet. */
struct segment {
    struct segment *next;
    uint32_t seq;
    uint32_t n;
    bool dirty;
    bool closed; /* takes no more */
    uint32_t numbers[IDS_SEGMENT];
};

struct ids {
    struct number **pages;
    size_t cap_pages; /* of the directory */
    size_t n_pages;
    int64_t highest;
    int64_t n_numbers;
    int64_t by_fate[IDS_FATES];
    int64_t confidential;
    struct segment *segments; /* the last one is being filled */
    uint32_t next_seq;
};

struct ids *ids_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct ids));
}

void ids_free(struct ids *ids)
{
    if (ids == NULL) {
        return;
    }
    for (size_t i = 0; i < ids->cap_pages; i++) {
        wh_mem_free(ids->pages[i]);
    }
    while (ids->segments) {
        struct segment *next = ids->segments->next;

        wh_mem_free(ids->segments);
        ids->segments = next;
    }
    wh_mem_free(ids->pages);
    wh_mem_free(ids);
}

/* ---- numbers ---- */

static struct number *find(const struct ids *ids, int64_t number)
{
    size_t page = (size_t)number / PAGE;

    if (number < 1 || page >= ids->cap_pages || ids->pages[page] == NULL) {
        return NULL;
    }
    return &ids->pages[page][number % PAGE];
}

static enum wh_rc grow_directory(struct ids *ids, size_t page, struct wh_err *err)
{
    size_t cap = ids->cap_pages ? ids->cap_pages : 16;
    struct number **grown;

    while (cap <= page) {
        cap *= 2;
    }
    grown = wh_mem_resize(ids->pages, cap, sizeof(struct number *));
    if (grown == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for numbers");
    }
    for (size_t i = ids->cap_pages; i < cap; i++) {
        grown[i] = NULL;
    }
    ids->pages = grown;
    ids->cap_pages = cap;
    return WH_OK;
}

static enum wh_rc make(struct ids *ids, int64_t number, struct number **ret, struct wh_err *err)
{
    size_t page = (size_t)number / PAGE;

    if (number < 1 || number > IDS_NUMBER_MAX) {
        return wh_fail(err, WH_E_RANGE, "%lld is no number that is followed", (long long)number);
    }
    if (page >= ids->cap_pages && grow_directory(ids, page, err) != WH_OK) {
        return err->rc;
    }
    if (ids->pages[page] == NULL) {
        if (ids->n_pages >= PAGES_FREE + (size_t)(ids->n_numbers / DENSE)) {
            return wh_fail(err, WH_E_RANGE, "the numbers lie too far apart to be followed");
        }
        ids->pages[page] = wh_mem_zalloc(PAGE, sizeof(struct number));
        if (ids->pages[page] == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for numbers");
        }
        ids->n_pages++;
    }
    *ret = &ids->pages[page][number % PAGE];
    return WH_OK;
}

static void put(struct ids *ids, struct number *n, int64_t number, int64_t id, enum ids_fate fate,
                bool confidential)
{
    if (n->fate == IDS_UNKNOWN) {
        ids->n_numbers++;
    } else {
        ids->by_fate[n->fate]--;
        ids->confidential -= n->fate == IDS_HAVE && n->confidential;
    }
    n->id = id;
    n->fate = (uint8_t)fate;
    n->confidential = confidential;
    ids->by_fate[fate]++;
    ids->confidential += fate == IDS_HAVE && confidential;
    if (number > ids->highest) {
        ids->highest = number;
    }
}

/* The segment that takes the next number. */
static struct segment *filling(struct ids *ids)
{
    struct segment **last = &ids->segments;

    while (*last && (*last)->next) {
        last = &(*last)->next;
    }
    if (*last && (*last)->n < IDS_SEGMENT && !(*last)->closed) {
        return *last;
    }
    if (*last && !(*last)->dirty) {
        wh_mem_free(*last);
        *last = NULL;
    } else if (*last) {
        last = &(*last)->next;
    }
    *last = wh_mem_zalloc(1, sizeof(struct segment));
    if (*last) {
        (*last)->seq = ids->next_seq++;
    }
    return *last;
}

enum wh_rc ids_set(struct ids *ids, int64_t number, int64_t id, enum ids_fate fate,
                   bool confidential, struct wh_err *err)
{
    struct segment *segment;
    struct number *n;

    if (make(ids, number, &n, err) != WH_OK) {
        return err->rc;
    }
    if (n->fate == fate && n->id == id && n->confidential == confidential) {
        return WH_OK;
    }
    segment = filling(ids);
    if (segment == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a segment of numbers");
    }
    if (n->fate == IDS_UNKNOWN || n->seq != segment->seq) {
        segment->numbers[segment->n++] = (uint32_t)number;
    }
    n->seq = segment->seq;
    segment->dirty = true;
    put(ids, n, number, id, fate, confidential);
    return WH_OK;
}

struct ids_entry ids_get(const struct ids *ids, int64_t number)
{
    const struct number *n = find(ids, number);

    return n ? (struct ids_entry){.id = n->id,
                                  .fate = (enum ids_fate)n->fate,
                                  .confidential = n->confidential,
                                  .listed = n->listed}
             : (struct ids_entry){0};
}

struct ids_counts ids_counts(const struct ids *ids)
{
    return (struct ids_counts){
        .expected = ids->highest,
        .have = ids->by_fate[IDS_HAVE],
        .missing = ids->highest - ids->n_numbers,
        .deleted = ids->by_fate[IDS_DELETED],
        .hidden = ids->by_fate[IDS_HIDDEN],
        .moved = ids->by_fate[IDS_MOVED],
        .no_access = ids->by_fate[IDS_NO_ACCESS],
        .held = ids->by_fate[IDS_HELD],
        .confidential = ids->confidential,
    };
}

bool ids_next(const struct ids *ids, int64_t after, unsigned fates, int64_t *ret)
{
    int64_t i = after < 0 ? 1 : after + 1;

    while (i <= ids->highest) {
        const struct number *n = find(ids, i);

        if (n == NULL && (fates & 1u << IDS_UNKNOWN) == 0) {
            i = (i / PAGE + 1) * PAGE;
            continue;
        }
        if (fates & 1u << (n ? n->fate : IDS_UNKNOWN)) {
            *ret = i;
            return true;
        }
        i++;
    }
    return false;
}

void ids_unmark_all(struct ids *ids)
{
    for (size_t p = 0; p < ids->cap_pages; p++) {
        for (size_t i = 0; ids->pages[p] && i < PAGE; i++) {
            ids->pages[p][i].listed = 0;
        }
    }
}

void ids_mark(struct ids *ids, int64_t number)
{
    struct number *n = find(ids, number);

    if (n) {
        n->listed = 1;
    }
}

/* ---- the log ---- */

bool ids_dirty(const struct ids *ids, uint32_t *ret_seq)
{
    for (const struct segment *s = ids->segments; s; s = s->next) {
        if (s->dirty) {
            *ret_seq = s->seq;
            return true;
        }
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Segments that are full and written are not needed any more. */
static void forget_written(struct ids *ids)
{
    while (ids->segments && ids->segments->next && !ids->segments->dirty) {
        struct segment *next = ids->segments->next;

        wh_mem_free(ids->segments);
        ids->segments = next;
    }
}

enum wh_rc ids_segment_write(struct ids *ids, uint32_t seq, struct wh_buf *out, struct wh_err *err)
{
    struct segment *s = ids->segments;
    struct wh_avro_writer w;
    int64_t number = 0;
    int64_t id = 0;

    while (s && s->seq != seq) {
        s = s->next;
    }
    if (s == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "no segment %u to write", seq);
    }
    qsort(s->numbers, s->n, sizeof(s->numbers[0]), compare);
    wh_avro_writer_init(&w, out, err);
    for (uint32_t i = 0; i < s->n; i++) {
        struct ids_entry n = ids_get(ids, s->numbers[i]);

        wh_avro_write_long(&w, ((int64_t)s->numbers[i] - number) << FATE_BITS |
                                   (int64_t)n.fate << 1 | n.confidential);
        wh_avro_write_long(&w, (int64_t)((uint64_t)n.id - (uint64_t)id));
        number = s->numbers[i];
        id = n.id;
    }
    if (w.rc == WH_OK) {
        s->dirty = false;
        forget_written(ids);
    }
    return w.rc;
}

/* One number of a segment; false at its end, or with the reader failed. */
static bool read_number(struct wh_avro_reader *r, int64_t *number, struct number *ret)
{
    int64_t head;

    if (r->rc != WH_OK || r->p == r->end) {
        return false;
    }
    head = wh_avro_read_long(r);
    ret->fate = (uint8_t)(head >> 1 & 7);
    ret->confidential = head & 1;
    ret->id = (int64_t)((uint64_t)ret->id + (uint64_t)wh_avro_read_long(r));
    if (r->rc != WH_OK) {
        return false;
    }
    head >>= FATE_BITS;
    if (head < 1 || head > IDS_NUMBER_MAX - *number || ret->fate == IDS_UNKNOWN ||
        ret->fate >= IDS_FATES) {
        wh_avro_fail(r, WH_E_INVALID, "a segment of numbers is damaged");
        return false;
    }
    *number += head;
    return true;
}

static enum wh_rc check_segment(struct wh_slice bytes, struct wh_err *err)
{
    struct wh_avro_reader r;
    struct number n = {0};
    int64_t number = 0;
    size_t count = 0;

    wh_avro_reader_init(&r, bytes);
    while (read_number(&r, &number, &n)) {
        count++;
    }
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return err->rc;
    }
    return count <= IDS_SEGMENT
               ? WH_OK
               : wh_fail(err, WH_E_RANGE, "a segment of numbers with %zu of them", count);
}

enum wh_rc ids_segment_take(struct ids *ids, uint32_t seq, struct wh_slice bytes,
                            struct wh_err *err)
{
    struct wh_avro_reader r;
    struct number read = {0};
    int64_t number = 0;

    if (check_segment(bytes, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, bytes);
    while (read_number(&r, &number, &read)) {
        struct number *n = NULL;

        if (make(ids, number, &n, err) != WH_OK || n == NULL) {
            return err->rc;
        }
        if (n->fate != IDS_UNKNOWN && n->seq > seq) {
            continue;
        }
        put(ids, n, number, read.id, (enum ids_fate)read.fate, read.confidential);
        n->seq = seq;
    }
    if (seq >= ids->next_seq) {
        ids->next_seq = seq + 1;
        /* Somebody else wrote: what is noted from now on must be newer than that. */
        for (struct segment *s = ids->segments; s; s = s->next) {
            s->closed = true;
        }
    }
    return WH_OK;
}
