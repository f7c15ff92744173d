/* book_priv.h - a book that is being made: book.c and load.c. */
#ifndef WH_SINK_PEOPLE_BOOK_PRIV_H
#define WH_SINK_PEOPLE_BOOK_PRIV_H

#include <stdatomic.h>

#include "stages/sink/people/book.h"

struct people_bound {
    struct people_book book; /* first */
    struct wh_arena arena;
    uint32_t *slots; /* node + 1 by the hash of its id; 0: free */
    size_t slot_mask;
    atomic_uint users;
    uint64_t version;
};

/* Reads accounts, rows and decisions into the book's arena. */
WH_MUST_CHECK enum wh_rc people_load(struct people_bound *b, const struct people_book_conf *conf,
                                     struct wh_err *err);

#endif
