/* query_priv.h - a statement as it was asked: query.c, and query_next.c, which knows its pages. */
#ifndef WH_SINK_API_QUERY_PRIV_H
#define WH_SINK_API_QUERY_PRIV_H

#include "stages/sink/api/api_priv.h"

enum { QUERY_PARAMS_MAX = 64 };

struct sql_request {
    struct wh_slice text;
    struct wh_slice format;
    struct wh_slice shape;
    struct wh_slice as_of;
    struct wh_slice valid_at;
    int64_t limit;      /* -1: not given */
    int64_t timeout_ms; /* 0: not given */
    struct sql_param params[QUERY_PARAMS_MAX];
    size_t n_params;
};

/* How many rows the pages before had; next.ptr NULL: none. WH_E_INVALID: it is no cursor of this statement. */
WH_MUST_CHECK enum wh_rc api_query_offset(const struct sql_request *r, struct wh_slice next,
                                          int64_t *ret, struct wh_err *err);
/* Appends the member "next" for the page after so many rows; null when given is 0, or beyond what can be paged. */
WH_MUST_CHECK enum wh_rc api_query_next(const struct sql_request *r, int64_t given,
                                        struct wh_buf *out, struct wh_err *err);

#endif
