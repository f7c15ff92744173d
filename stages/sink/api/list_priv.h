/*
 * list_priv.h - shared by list.c, list_filter.c and list_cursor.c: a list of entities in the
 * making.
 */
#ifndef WH_SINK_API_LIST_PRIV_H
#define WH_SINK_API_LIST_PRIV_H

#include "stages/sink/api/api_priv.h"

enum { API_LIST_PARAMS_MAX = 64, API_LIST_NAME_BYTES = 24 };

struct api_list {
    struct api_job *job;
    char table[64];
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n_columns;
    const struct sql_column *shown[SQL_COLUMNS_MAX];
    size_t n_shown;
    enum sql_shape shapes[SQL_COLUMNS_MAX + 2];
    const struct sql_column *sort;
    bool desc;
    int64_t size; /* 0: all rows */
    int64_t timeout_ms;
    struct wh_buf sql;
    struct sql_param params[API_LIST_PARAMS_MAX];
    char names[API_LIST_PARAMS_MAX][API_LIST_NAME_BYTES];
    size_t n_params;
    unsigned n_conditions;
    /* The last row: where the next page begins. */
    struct wh_buf last;
    bool too_long;
};

/* ---- list_filter.c ---- */

/* NULL when the table has no such column. */
const struct sql_column *api_list_column(const struct api_list *l, struct wh_slice name);
/* WH_E_INVALID with the nearest names. */
enum wh_rc api_list_unknown(const struct api_list *l, struct wh_slice name, struct wh_err *err);
/* Adds a value; its name goes into the text. */
WH_MUST_CHECK enum wh_rc api_list_param(struct api_list *l, struct sql_value value,
                                        const char **ret_name, struct wh_err *err);
/* WHERE or AND. */
WH_MUST_CHECK enum wh_rc api_list_condition(struct api_list *l, struct wh_err *err);
/* The conditions of the request's arguments. */
WH_MUST_CHECK enum wh_rc api_list_filters(struct api_list *l, struct wh_err *err);

/* ---- list_cursor.c ---- */

/* For api_rows.on_hidden: remembers the row's place (sort value, id). */
void api_list_keep(void *ctx, const struct sql_value *values, size_t n);
/* The condition that _next asks for. */
WH_MUST_CHECK enum wh_rc api_list_place(struct api_list *l, struct wh_err *err);
/* next, next_url and truncated, the last members of an answer; more: there are more rows. */
WH_MUST_CHECK enum wh_rc api_list_next(struct api_list *l, bool more, struct wh_buf *members,
                                       struct wh_err *err);
bool api_list_by_id(const struct api_list *l);

#endif
