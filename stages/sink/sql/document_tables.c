/* Tables over documents of the family meta: connections, runs and health; and views over these. */
#include "stages/sink/sql/sql_priv.h"

/* Keys: <letter> id, or <letter> connection 0 rest. */
static enum wh_rc letter_range(struct sql_cursor *c, char letter, bool backwards,
                               struct wh_err *err)
{
    const char from = letter;
    const char to = (char)(letter + 1);

    return sql_cursor_range(c, SINK_META, wh_slice(&from, 1), wh_slice(&to, 1), backwards, err);
}

static enum wh_rc document_row(struct sql_cursor *c, bool *ret_skip, struct wh_err *err)
{
    (void)c;
    (void)ret_skip;
    (void)err;
    return WH_OK;
}

/* The part of the key after the zero. */
static struct wh_slice rest_of(struct wh_slice key)
{
    const char *zero = memchr(key.ptr, '\0', key.len);

    return zero ? wh_slice_from(key, (size_t)(zero - key.ptr) + 1) : wh_slice("", 0);
}

static struct wh_slice connection_of(struct wh_slice key)
{
    const char *zero = memchr(key.ptr, '\0', key.len);

    return zero ? wh_slice(key.ptr + 1, (size_t)(zero - key.ptr) - 1) : wh_slice("", 0);
}

/* ---- connections ---- */

static const struct sql_index_def connections_indexes[] = {
    {NULL, NULL, "id", NULL, false, 10, 1, 0, false},
};

static enum wh_rc connections_filter(struct sql_cursor *c, unsigned index,
                                     const struct sql_bounds *bounds, struct wh_err *err)
{
    (void)index;
    return letter_range(c, 'x', bounds->backwards, err);
}

static enum wh_rc connections_column(struct sql_cursor *c, struct sql_out *out, int number,
                                     struct wh_err *err)
{
    (void)err;
    sql_result_slice(out, number == 0 ? wh_slice_from(c->key, 1) : c->value);
    return WH_OK;
}

const struct sql_table_def sql_connections = {connections_indexes,
                                              1,
                                              connections_filter,
                                              document_row,
                                              connections_column,
                                              SINK_META,
                                              0,
                                              NULL};

/* ---- runs ---- */

enum runs_column { R_CONNECTION, R_RUN, R_DOCUMENT, R_OUTCOME };

static const struct sql_index_def runs_indexes[] = {
    {NULL, NULL, NULL, NULL, false, 1000, 1, 0, false},
};

static enum wh_rc runs_filter(struct sql_cursor *c, unsigned index, const struct sql_bounds *bounds,
                              struct wh_err *err)
{
    (void)index;
    return letter_range(c, 'r', bounds->backwards, err);
}

/* The outcome of the run: the document with the same key under the letter u. */
static enum wh_rc outcome_result(struct sql_cursor *c, struct sql_out *out, struct wh_err *err)
{
    const struct sql_conn *conn = c->table->conn;
    bool found = false;

    wh_buf_reset(&c->text);
    wh_buf_reset(&c->fetched);
    if (wh_buf_append_char(&c->text, 'u', err) != WH_OK ||
        wh_buf_append(&c->text, wh_slice_from(c->key, 1), err) != WH_OK ||
        wh_store_get(conn->store, conn->snap, SINK_META, wh_buf_slice(&c->text), &c->fetched,
                     &found, err) != WH_OK) {
        return err->rc;
    }
    if (found) {
        sql_result_slice(out, wh_buf_slice(&c->fetched));
    }
    return WH_OK;
}

static enum wh_rc runs_column(struct sql_cursor *c, struct sql_out *out, int number,
                              struct wh_err *err)
{
    struct wh_slice rest = rest_of(c->key);

    if (rest.len != 8) {
        return wh_fail(err, WH_E_CORRUPT, "a run with a key of %zu bytes", c->key.len);
    }
    switch ((enum runs_column)number) {
    case R_CONNECTION:
        sql_result_slice(out, connection_of(c->key));
        break;
    case R_RUN:
        sql_result_int(out, (int64_t)wh_be_get64(rest.ptr));
        break;
    case R_OUTCOME:
        return outcome_result(c, out, err);
    case R_DOCUMENT:
    default:
        sql_result_slice(out, c->value);
        break;
    }
    return WH_OK;
}

const struct sql_table_def sql_runs = {runs_indexes, 1,         runs_filter, document_row,
                                       runs_column,  SINK_META, 0,           NULL};

/* ---- health ---- */

static const struct sql_index_def health_indexes[] = {
    {NULL, NULL, NULL, NULL, false, 100, 1, 0, false},
};

static enum wh_rc health_filter(struct sql_cursor *c, unsigned index,
                                const struct sql_bounds *bounds, struct wh_err *err)
{
    (void)index;
    return letter_range(c, 'h', bounds->backwards, err);
}

static enum wh_rc health_column(struct sql_cursor *c, struct sql_out *out, int number,
                                struct wh_err *err)
{
    (void)err;
    if (number == 0) {
        sql_result_slice(out, connection_of(c->key));
    } else {
        sql_result_slice(out, number == 1 ? rest_of(c->key) : c->value);
    }
    return WH_OK;
}

const struct sql_table_def sql_health = {
    health_indexes, 1, health_filter, document_row, health_column, SINK_META, 0, NULL};

/* ---- values that could not be converted ---- */

enum set_aside_column { S_CONNECTION, S_VIEW, S_POINTER, S_PARTITION, S_OFFSET, S_DOCUMENT };

enum { SET_ASIDE_TAIL = 4 + 8 /* partition and offset */ };

static const struct sql_index_def set_aside_indexes[] = {
    {NULL, NULL, NULL, NULL, false, 1000, 1, 0, false},
};

static enum wh_rc set_aside_filter(struct sql_cursor *c, unsigned index,
                                   const struct sql_bounds *bounds, struct wh_err *err)
{
    (void)index;
    return letter_range(c, 's', bounds->backwards, err);
}

/* The part of the text before its first zero; *rest is what follows the zero. */
static struct wh_slice until_zero(struct wh_slice text, struct wh_slice *rest)
{
    const char *zero = text.len ? memchr(text.ptr, '\0', text.len) : NULL;
    size_t n = zero ? (size_t)(zero - text.ptr) : text.len;

    *rest = wh_slice_from(text, zero ? n + 1 : n);
    return wh_slice(text.ptr, n);
}

static enum wh_rc set_aside_column(struct sql_cursor *c, struct sql_out *out, int number,
                                   struct wh_err *err)
{
    struct wh_slice rest = rest_of(c->key);
    struct wh_slice view = until_zero(rest, &rest);
    struct wh_slice pointer = until_zero(rest, &rest);

    if (rest.len != SET_ASIDE_TAIL) {
        return wh_fail(err, WH_E_CORRUPT, "a value set aside with a key of %zu bytes", c->key.len);
    }
    switch ((enum set_aside_column)number) {
    case S_CONNECTION:
        sql_result_slice(out, connection_of(c->key));
        break;
    case S_VIEW:
        sql_result_slice(out, view);
        break;
    case S_POINTER:
        sql_result_slice(out, pointer);
        break;
    case S_PARTITION:
        sql_result_int(out, (int64_t)wh_be_get32(rest.ptr));
        break;
    case S_OFFSET:
        sql_result_int(out, (int64_t)wh_be_get64(rest.ptr + 4));
        break;
    case S_DOCUMENT:
    default:
        sql_result_slice(out, c->value);
        break;
    }
    return WH_OK;
}

const struct sql_table_def sql_set_aside = {
    set_aside_indexes, 1, set_aside_filter, document_row, set_aside_column, SINK_META, 0, NULL};
