/* people_priv.h - what the tables of people share: people_tables.c and decision_tables.c. */
#ifndef WH_SINK_SQL_PEOPLE_PRIV_H
#define WH_SINK_SQL_PEOPLE_PRIV_H

#include "stages/sink/sql/computed_priv.h"

/* One reading of such a table, one thing at a time. */
struct sql_people_reading {
    const struct people_book *book;
    const struct people_member *m; /* only this one; NULL: all */
    size_t node;                   /* only this account; PEOPLE_NONE: all of m, or all */
    size_t at;
    bool none;
};

/* Key 0 is the id of a row or an account, key 1 that of a team member. */
WH_MUST_CHECK enum wh_rc sql_people_start(struct sql_computing *c, int key, struct wh_slice value,
                                          struct wh_err *err);

/* A copy in the memory of the step; NULL when it is empty. */
WH_MUST_CHECK enum wh_rc sql_people_text(struct sql_computing *c, struct wh_slice text,
                                         struct sql_value *ret, struct wh_err *err);
/* A static text; NULL for NULL. */
struct sql_value sql_people_word(const char *text);
/* NULL for 0. */
WH_MUST_CHECK enum wh_rc sql_people_time(struct sql_computing *c, int64_t ms, struct sql_value *ret,
                                         struct wh_err *err);

#endif
