#include "stages/fetcher/state/number_set.h"

#include <stdlib.h>

#include "common/avro/wire.h"
#include "common/base/mem.h"

enum {
    PAGE = 1024,
    PAGES_MAX = NUMBER_SET_NUMBER_MAX / PAGE + 1,
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
    uint32_t numbers[NUMBER_SET_SEGMENT];
};

struct number_set {
    struct number **pages;
    size_t cap_pages; /* of the directory */
    size_t n_pages;
    int64_t highest;
    int64_t n_numbers;
    int64_t by_fate[NUMBER_FATES];
    int64_t confidential;
    struct segment *segments; /* the last one is being filled */
    uint32_t next_seq;
};

struct number_set *number_set_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct number_set));
}

void number_set_free(struct number_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->cap_pages; i++) {
        wh_mem_free(set->pages[i]);
    }
    while (set->segments) {
        struct segment *next = set->segments->next;

        wh_mem_free(set->segments);
        set->segments = next;
    }
    wh_mem_free(set->pages);
    wh_mem_free(set);
}

/* ---- numbers ---- */

static struct number *find(const struct number_set *set, int64_t number)
{
    size_t page = (size_t)number / PAGE;

    if (number < 1 || page >= set->cap_pages || set->pages[page] == NULL) {
        return NULL;
    }
    return &set->pages[page][number % PAGE];
}

static enum wh_rc grow_directory(struct number_set *set, size_t page, struct wh_err *err)
{
    size_t cap = set->cap_pages ? set->cap_pages : 16;
    struct number **grown;

    while (cap <= page) {
        cap *= 2;
    }
    grown = wh_mem_resize(set->pages, cap, sizeof(struct number *));
    if (grown == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for numbers");
    }
    for (size_t i = set->cap_pages; i < cap; i++) {
        grown[i] = NULL;
    }
    set->pages = grown;
    set->cap_pages = cap;
    return WH_OK;
}

static enum wh_rc make(struct number_set *set, int64_t number, struct number **ret,
                       struct wh_err *err)
{
    size_t page = (size_t)number / PAGE;

    if (number < 1 || number > NUMBER_SET_NUMBER_MAX) {
        return wh_fail(err, WH_E_RANGE, "%lld is no number that is followed", (long long)number);
    }
    if (page >= set->cap_pages && grow_directory(set, page, err) != WH_OK) {
        return err->rc;
    }
    if (set->pages[page] == NULL) {
        if (set->n_pages >= PAGES_FREE + (size_t)(set->n_numbers / DENSE)) {
            return wh_fail(err, WH_E_RANGE, "the numbers lie too far apart to be followed");
        }
        set->pages[page] = wh_mem_zalloc(PAGE, sizeof(struct number));
        if (set->pages[page] == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for numbers");
        }
        set->n_pages++;
    }
    *ret = &set->pages[page][number % PAGE];
    return WH_OK;
}

static void put(struct number_set *set, struct number *n, int64_t number, int64_t id,
                enum number_fate fate, bool confidential)
{
    if (n->fate == NUMBER_UNKNOWN) {
        set->n_numbers++;
    } else {
        set->by_fate[n->fate]--;
        set->confidential -= n->fate == NUMBER_HAVE && n->confidential;
    }
    n->id = id;
    n->fate = (uint8_t)fate;
    n->confidential = confidential;
    set->by_fate[fate]++;
    set->confidential += fate == NUMBER_HAVE && confidential;
    if (number > set->highest) {
        set->highest = number;
    }
}

/* The segment that takes the next number. */
static struct segment *filling(struct number_set *set)
{
    struct segment **last = &set->segments;

    while (*last && (*last)->next) {
        last = &(*last)->next;
    }
    if (*last && (*last)->n < NUMBER_SET_SEGMENT && !(*last)->closed) {
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
        (*last)->seq = set->next_seq++;
    }
    return *last;
}

enum wh_rc number_set_put(struct number_set *set, int64_t number, int64_t id, enum number_fate fate,
                          bool confidential, struct wh_err *err)
{
    struct segment *segment;
    struct number *n;

    if (make(set, number, &n, err) != WH_OK) {
        return err->rc;
    }
    if (n->fate == fate && n->id == id && n->confidential == confidential) {
        return WH_OK;
    }
    segment = filling(set);
    if (segment == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a segment of numbers");
    }
    if (n->fate == NUMBER_UNKNOWN || n->seq != segment->seq) {
        segment->numbers[segment->n++] = (uint32_t)number;
    }
    n->seq = segment->seq;
    segment->dirty = true;
    put(set, n, number, id, fate, confidential);
    return WH_OK;
}

struct number_set_entry number_set_get(const struct number_set *set, int64_t number)
{
    const struct number *n = find(set, number);

    return n ? (struct number_set_entry){.id = n->id,
                                         .fate = (enum number_fate)n->fate,
                                         .confidential = n->confidential,
                                         .listed = n->listed}
             : (struct number_set_entry){0};
}

struct number_counts number_set_counts(const struct number_set *set)
{
    return (struct number_counts){
        .expected = set->highest,
        .have = set->by_fate[NUMBER_HAVE],
        .missing = set->highest - set->n_numbers,
        .deleted = set->by_fate[NUMBER_DELETED],
        .hidden = set->by_fate[NUMBER_HIDDEN],
        .moved = set->by_fate[NUMBER_MOVED],
        .no_access = set->by_fate[NUMBER_NO_ACCESS],
        .held = set->by_fate[NUMBER_HELD],
        .confidential = set->confidential,
    };
}

bool number_set_next(const struct number_set *set, int64_t after, unsigned fates, int64_t *ret)
{
    int64_t i = after < 0 ? 1 : after + 1;

    while (i <= set->highest) {
        const struct number *n = find(set, i);

        if (n == NULL && (fates & 1u << NUMBER_UNKNOWN) == 0) {
            i = (i / PAGE + 1) * PAGE;
            continue;
        }
        if (fates & 1u << (n ? n->fate : NUMBER_UNKNOWN)) {
            *ret = i;
            return true;
        }
        i++;
    }
    return false;
}

void number_set_unmark_all(struct number_set *set)
{
    for (size_t p = 0; p < set->cap_pages; p++) {
        for (size_t i = 0; set->pages[p] && i < PAGE; i++) {
            set->pages[p][i].listed = 0;
        }
    }
}

void number_set_mark(struct number_set *set, int64_t number)
{
    struct number *n = find(set, number);

    if (n) {
        n->listed = 1;
    }
}

/* ---- the log ---- */

bool number_set_dirty(const struct number_set *set, uint32_t *ret_seq)
{
    for (const struct segment *s = set->segments; s; s = s->next) {
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
static void forget_written(struct number_set *set)
{
    while (set->segments && set->segments->next && !set->segments->dirty) {
        struct segment *next = set->segments->next;

        wh_mem_free(set->segments);
        set->segments = next;
    }
}

enum wh_rc number_set_segment_write(struct number_set *set, uint32_t seq, struct wh_buf *out,
                                    struct wh_err *err)
{
    struct segment *s = set->segments;
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
        struct number_set_entry n = number_set_get(set, s->numbers[i]);

        wh_avro_write_long(&w, ((int64_t)s->numbers[i] - number) << FATE_BITS |
                                   (int64_t)n.fate << 1 | n.confidential);
        wh_avro_write_long(&w, (int64_t)((uint64_t)n.id - (uint64_t)id));
        number = s->numbers[i];
        id = n.id;
    }
    if (w.rc == WH_OK) {
        s->dirty = false;
        forget_written(set);
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
    if (head < 1 || head > NUMBER_SET_NUMBER_MAX - *number || ret->fate == NUMBER_UNKNOWN ||
        ret->fate >= NUMBER_FATES) {
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
    return count <= NUMBER_SET_SEGMENT
               ? WH_OK
               : wh_fail(err, WH_E_RANGE, "a segment of numbers with %zu of them", count);
}

enum wh_rc number_set_segment_take(struct number_set *set, uint32_t seq, struct wh_slice bytes,
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

        if (make(set, number, &n, err) != WH_OK || n == NULL) {
            return err->rc;
        }
        if (n->fate != NUMBER_UNKNOWN && n->seq > seq) {
            continue;
        }
        put(set, n, number, read.id, (enum number_fate)read.fate, read.confidential);
        n->seq = seq;
    }
    if (seq >= set->next_seq) {
        set->next_seq = seq + 1;
        /* Somebody else wrote: what is noted from now on must be newer than that. */
        for (struct segment *s = set->segments; s; s = s->next) {
            s->closed = true;
        }
    }
    return WH_OK;
}
