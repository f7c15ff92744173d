/* book_priv.h - a book that is being made: book.c, load.c and marks.c. */
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

/* ---- marks.c ---- */

/* The state that the source's word for it means. */
enum people_state people_state_of(struct wh_slice state, bool deleted);
/* User names that GitLab gives to accounts of no person: users of tokens, service accounts and its own. */
bool people_is_bot_name(struct wh_slice username);
/* Appends the words of a name in alphabetical order, so that "Adams, Ana" is similar to "Ana Adams". */
WH_MUST_CHECK enum wh_rc people_name_key(struct wh_slice name, struct wh_buf *out,
                                         struct wh_err *err);

#endif
