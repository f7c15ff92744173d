/*
 * records_priv.h - what the pages of records share: how each table looks when its address says nothing else.
 *
 * Thread: any; the tables are constant.
 */
#ifndef WH_SINK_API_RECORDS_PRIV_H
#define WH_SINK_API_RECORDS_PRIV_H

#include "stages/sink/api/api_priv.h"

enum { RECORDS_WORDS_MAX = 16 };

struct records_look {
    const char *table;
    const char *sort; /* descending; NULL: by the key */
    const char *columns[RECORDS_WORDS_MAX];
    const char *facets[RECORDS_WORDS_MAX];
};

/* Of a table without one: all columns, in the order of its key. */
const struct records_look *records_look_of(struct wh_slice table);

/* The tables as a person looks for them. */
struct records_group {
    const char *name;
    const char *tables[RECORDS_WORDS_MAX + 4];
};

const struct records_group *records_groups(size_t *ret_n);

/* Writes the rows of a statement as the member "list", which is no table of the page's CSV. */
WH_MUST_CHECK enum wh_rc page_answer_listed(struct api_job *job, const char *sql,
                                            struct wh_err *err);

#endif
