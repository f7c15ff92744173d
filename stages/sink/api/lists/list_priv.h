/*
 * list_priv.h - shared by the list_*.c files: a list of rows of one table in the making. Names come from the
 * catalogue, values are parameters: nothing that a request says becomes part of the statement's text.
 */
#ifndef WH_SINK_API_LIST_PRIV_H
#define WH_SINK_API_LIST_PRIV_H

#include "stages/sink/api/api_priv.h"

enum {
    API_LIST_PARAMS_MAX = 64,
    API_LIST_NAME_BYTES = 24,
    API_LIST_KEY_BYTES = 2048,
    API_LIST_ARGS_MAX = 132,
    API_LIST_FACETS_MAX = 8,
};

/* What _extra asks for. */
enum api_list_extra {
    API_EXTRA_COUNT = 1 << 0,
    API_EXTRA_COLUMNS = 1 << 1,
    API_EXTRA_FACETS = 1 << 2,
    API_EXTRA_QUERY = 1 << 3,
    API_EXTRA_SEQUENCE = 1 << 4,
    API_EXTRA_PERMALINK = 1 << 5,
    API_EXTRA_FILTERS = 1 << 6,
};

struct api_list {
    struct api_job *job;
    char table[64];
    bool of_entities; /* rows of the store, which have a past, deleted ones and counters */
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n_columns;
    const struct sql_column *shown[SQL_COLUMNS_MAX];
    size_t n_shown;
    enum sql_shape shapes[SQL_COLUMNS_MAX + 2];
    const struct sql_column *sort; /* NULL: by the key alone */
    bool desc;
    /* SQL of what tells the rows apart: id, sequence or an array of the plain columns. */
    const char *key;
    struct wh_buf key_text;
    int64_t size; /* 0: all rows */
    int64_t timeout_ms;
    unsigned extras;
    bool no_count;
    struct wh_zone zone;
    int64_t now_ms;
    struct wh_history_when when;
    struct wh_buf where; /* the conditions, without the page's */
    struct wh_buf sql;
    size_t hidden_from; /* in sql: the columns that are not shown, and the limit */
    size_t hidden_to;
    size_t limit_at;
    struct sql_param params[API_LIST_PARAMS_MAX];
    char names[API_LIST_PARAMS_MAX][API_LIST_NAME_BYTES];
    size_t n_params;
    size_t n_where; /* of them, those of `where` */
    unsigned n_conditions;
    unsigned n_filters;
    struct wh_slice
        frozen[API_LIST_ARGS_MAX]; /* arguments with times that do not move; ptr NULL: as it came */
    bool relative;                 /* one of them says a time that moves */
    const struct sql_column *facets[API_LIST_FACETS_MAX];
    size_t n_facets;
    int64_t facet_size;
    int64_t n_rows; /* on this page */
    bool whole;     /* and there are no others */
    /* The last row: where the next page begins. */
    struct wh_buf last;
    bool too_long;
};

/* ---- list_words.c: the arguments of a list that are not filters ---- */

/* Is it one of the words that lists know? */
bool api_list_knows(struct wh_slice name);
/* WH_E_INVALID with the nearest word. */
WH_MUST_CHECK enum wh_rc api_list_unknown_word(struct wh_slice name, struct wh_err *err);
/* Reads _zone, _asof, _extra, _facet, _facet_size and _nocount. */
WH_MUST_CHECK enum wh_rc api_list_words(struct api_list *l, struct wh_err *err);

/* ---- list_filter.c ---- */

/* NULL when the table has no such column. */
const struct sql_column *api_list_column(const struct api_list *l, struct wh_slice name);
/* WH_E_INVALID with the nearest names. */
enum wh_rc api_list_unknown(const struct api_list *l, struct wh_slice name, struct wh_err *err);
/* Adds a value; its name goes into the text. */
WH_MUST_CHECK enum wh_rc api_list_param(struct api_list *l, struct sql_value value,
                                        const char **ret_name, struct wh_err *err);
/* WHERE or AND. */
WH_MUST_CHECK enum wh_rc api_list_condition(struct api_list *l, struct wh_buf *to,
                                            struct wh_err *err);
/* The conditions of the request's arguments, into l->where. */
WH_MUST_CHECK enum wh_rc api_list_filters(struct api_list *l, struct wh_err *err);
/* COLUMN__OPERATOR; the operator is exact without one. */
void api_list_split(struct wh_slice name, struct wh_slice *ret_column, struct wh_slice *ret_op);

/* ---- list_operators.c: conditions by operator ---- */

enum api_operator_for { API_FOR_ANY, API_FOR_TEXT, API_FOR_ORDER, API_FOR_LIST, API_FOR_TIME };

struct api_operator {
    const char *name;
    const char
        *sql; /* '@' stands for the column, '?' for the value; NULL: it has code of its own */
    const char *words;
    const char *time_words; /* of a time; NULL: the same */
    bool typed;             /* the value has the column's type */
    bool plain;             /* there is no value */
    enum api_operator_for fits;
};

const struct api_operator *api_operators(size_t *ret_n);
/* NULL when there is none of that name. */
const struct api_operator *api_operator_find(struct wh_slice name);
bool api_operator_fits(const struct api_operator *op, const struct sql_column *column);
/* arg: the number of the request's argument, whose frozen value is noted. */
WH_MUST_CHECK enum wh_rc api_list_compare(struct api_list *l, const struct sql_column *column,
                                          struct wh_slice op, struct wh_slice value, size_t arg,
                                          struct wh_err *err);

/* ---- list_value.c ---- */

/*
 * Converts the text of a filter to a value of the column's type. A time is an instant, a day of the list's
 * zone, or relative: now, today, yesterday, -7d, -24h, -30min, -4w; *ret_frozen is then the instant as
 * text, otherwise its ptr is NULL.
 */
WH_MUST_CHECK enum wh_rc api_list_value(struct api_list *l, const struct sql_column *column,
                                        struct wh_slice text, struct sql_value *ret,
                                        struct wh_slice *ret_frozen, struct wh_err *err);
/* The day that a text names, counted from 1970; today and yesterday too. */
WH_MUST_CHECK enum wh_rc api_list_day(struct api_list *l, struct wh_slice text, int64_t *ret_day,
                                      struct wh_err *err);
/* The instant as a value of the memory of the job. */
WH_MUST_CHECK enum wh_rc api_list_time(struct api_list *l, int64_t ms, struct wh_slice *ret,
                                       struct wh_err *err);
/* False: it is no relative time. */
bool api_list_relative(const struct api_list *l, struct wh_slice text, int64_t *ret_ms);

/* ---- list_cursor.c ---- */

/* For api_rows.on_hidden: remembers the row's place (sort value, key). */
void api_list_keep(void *ctx, const struct sql_value *values, size_t n);
/* The condition that _next asks for. */
WH_MUST_CHECK enum wh_rc api_list_place(struct api_list *l, struct wh_err *err);
/* next, next_url and truncated, the last members of an answer; more: there are more rows. */
WH_MUST_CHECK enum wh_rc api_list_next(struct api_list *l, bool more, struct wh_buf *members,
                                       struct wh_err *err);

/* ---- list_extra.c: members of a list's answer besides its rows ---- */

/* Appends ,"name":value for each of l->extras. */
WH_MUST_CHECK enum wh_rc api_list_extras(struct api_list *l, struct wh_buf *members,
                                         struct wh_err *err);
/* The request's address without _next, the arguments named `skip` and that of the number `skip_arg`, which may be
 * NULL and API_LIST_ARGS_MAX; frozen: with times that do not move. */
WH_MUST_CHECK enum wh_rc api_list_address(const struct api_list *l, const char *skip,
                                          size_t skip_arg, bool frozen, struct wh_buf *out,
                                          struct wh_err *err);
/* Appends ?name=value or &name=value. */
WH_MUST_CHECK enum wh_rc api_list_address_add(struct wh_buf *out, const char *name,
                                              struct wh_slice value, struct wh_err *err);

/* ---- list_facets.c ---- */

/* Writes the members count, count_at_least and facet_results. */
WH_MUST_CHECK enum wh_rc api_list_count(struct api_list *l, struct wh_json_writer *w,
                                        struct wh_err *err);

#endif
