/*
 * book.h - everybody in one state of the store: accounts, rows of directories, decisions, and who is who
 * (resolve.h). A book is not changed after it was made and may be shared by threads.
 *
 * Accounts that a directory names of systems that nothing is read from, such as github:alice, are accounts of
 * the book too. Their ids follow from system, host and user name.
 *
 * A cache keeps the newest book until what people are made of changes. So a statement that asks for a name does
 * not read everybody again.
 *
 * Thread: any.
 */
#ifndef WH_SINK_PEOPLE_BOOK_H
#define WH_SINK_PEOPLE_BOOK_H

#include "common/event/decision.h"
#include "stages/sink/past/past.h"
#include "stages/sink/people/resolve.h"

enum { PEOPLE_BOOK_MAX_BYTES = 256 << 20 };

/* What an account shows, as its source writes it. */
struct people_shown {
    struct wh_slice username;
    struct wh_slice name;
    struct wh_slice email;
    struct wh_slice state;
    struct wh_slice url;
    bool named; /* by a directory alone: there is no entity */
};

/* What a row of a directory says, as it was written. */
struct people_said {
    struct wh_slice source; /* the name of the import */
    struct wh_slice name;
    struct wh_slice team;
    struct wh_slice title;
    struct wh_slice url;
    const struct wh_slice *emails; /* as many as the row has */
    const struct wh_slice *accounts;
};

struct people_book {
    struct people_input in;
    struct people people;
    const struct people_shown *shown;    /* of each account */
    const struct people_said *said;      /* of each row */
    const struct wh_decision *decisions; /* of each decision */
};

struct people_book_conf {
    struct wh_store *store;         /* decisions are read from it */
    const struct wh_snapshot *snap; /* NULL: the current state */
    struct past *past;              /* entities are read from it */
    struct wh_history_when when;    /* which decisions count: when they were stored, and made */
};

struct people_cache;

WH_MUST_CHECK enum wh_rc people_cache_new(struct people_cache **ret, struct wh_err *err);
/* No book may be in use. Accepts NULL. */
void people_cache_free(struct people_cache *cache);

/* The book of the state, which the caller gives back with people_book_free. cache is NULL for the past.
 * WH_E_TOO_LARGE: it would have more than PEOPLE_BOOK_MAX_BYTES; WH_E_CANCELED as past.h says. */
WH_MUST_CHECK enum wh_rc people_book_get(struct people_cache *cache,
                                         const struct people_book_conf *conf,
                                         const struct people_book **ret, struct wh_err *err);
/* Accepts NULL. */
void people_book_free(const struct people_book *book);

/* The node of an account or a row, PEOPLE_NONE when nobody has the id. Fast. */
size_t people_book_find(const struct people_book *book, const struct wh_entity_id *id);
/* The team member of an account or a row; NULL: nobody has the id. */
const struct people_member *people_book_member(const struct people_book *book,
                                               const struct wh_entity_id *id);
/* What people call the team member; empty when nothing is known. */
struct wh_slice people_book_name(const struct people_book *book, const struct people_member *m);

#endif
