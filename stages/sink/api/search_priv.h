/* search_priv.h - a search and its answer: search.c finds, search_write.c writes it as JSON or CSV. */
#ifndef WH_SINK_API_SEARCH_PRIV_H
#define WH_SINK_API_SEARCH_PRIV_H

#include "stages/sink/api/api_priv.h"
#include "stages/sink/past/past.h"
#include "stages/sink/search/search.h"

enum { API_SEARCH_REFERENCES = 20, API_SEARCH_NEXT_MAX = 64 };

/* A row of the answer. */
struct api_search_row {
    const struct wh_head *head;
    const struct search_hit *hit; /* NULL: what was typed names this record */
    unsigned what;
    bool confidential;
    struct wh_slice title; /* as it is now */
    struct wh_slice project_path;
    int64_t revision; /* of a former text: its number; 0: not known */
};

struct api_search {
    struct api_reading reading;
    struct wh_slice text;
    struct wh_slice kind;
    struct search_query query;
    struct search_answer answer;
    struct search_status status; /* not ready: nothing but references can be found yet */
    struct api_search_row *rows;
    size_t n_rows;
    struct wh_buf next; /* empty: this is the last page */
};

WH_MUST_CHECK enum wh_rc api_search_write(struct api_search *s, struct wh_err *err);

#endif
