/* Members of a list's answer besides its rows: what _extra asks for. */
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/sink/api/lists/list_priv.h"

enum { URL_MAX_BYTES = 32 << 10, EXTRAS_MAX_BYTES = 4 << 20, SQL_TEXT_BYTES = 64 << 10 };

/* ---- addresses ---- */

enum wh_rc api_list_address_add(struct wh_buf *out, const char *name, struct wh_slice value,
                                struct wh_err *err)
{
    const char *at = wh_buf_str(out);

    if (wh_buf_append_char(out, strchr(at, '?') ? '&' : '?', err) != WH_OK ||
        wh_percent_encode(wh_slice_str(name), out, err) != WH_OK ||
        wh_buf_append_char(out, '=', err) != WH_OK) {
        return err->rc;
    }
    return wh_percent_encode(value, out, err);
}

/* The table of a page is in its path. */
static bool is_skipped(const struct api_list *l, size_t arg, const char *skip)
{
    struct wh_slice name = l->job->request.args[arg].name;

    return (l->job->n_given && arg >= l->job->n_given) || wh_slice_eq(name, WH_LIT("_next")) ||
           (skip && wh_slice_eq(name, wh_slice_str(skip))) ||
           (l->job->page &&
            (wh_slice_eq(name, WH_LIT("kind")) || wh_slice_eq(name, WH_LIT("_extra"))));
}

enum wh_rc api_list_address(const struct api_list *l, const char *skip, size_t skip_arg,
                            bool frozen, struct wh_buf *out, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    if (wh_buf_append(out, r->path, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < r->n_args; i++) {
        bool moved = frozen && i < API_LIST_ARGS_MAX && l->frozen[i].ptr;
        char name[128];

        if (i == skip_arg || is_skipped(l, i, skip)) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%.*s",
                       (int)(r->args[i].name.len < 120 ? r->args[i].name.len : 120),
                       r->args[i].name.ptr);
        if (api_list_address_add(out, name, moved ? l->frozen[i] : r->args[i].value, err) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc put_address(const struct api_list *l, struct wh_json_writer *w, const char *key,
                              const char *skip, size_t skip_arg, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf url;

    wh_buf_init(&url, URL_MAX_BYTES);
    if (api_list_address(l, skip, skip_arg, false, &url, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, key, wh_buf_slice(&url));
    return WH_OK;
}

/* ---- columns ---- */

static const char *type_name(const struct sql_column *column)
{
    switch (column->shape) {
    case SQL_SHAPE_BOOL:
        return "boolean";
    case SQL_SHAPE_TIME:
        return "time";
    case SQL_SHAPE_JSON:
        return "list";
    case SQL_SHAPE_PLAIN:
    default:
        return strcmp(column->type, "TEXT") == 0 ? "text" : "number";
    }
}

static bool is_shown(const struct api_list *l, const struct sql_column *column)
{
    for (size_t i = 0; i < l->n_shown; i++) {
        if (l->shown[i] == column) {
            return true;
        }
    }
    return false;
}

static enum wh_rc put_sort(const struct api_list *l, struct wh_json_writer *w,
                           const struct sql_column *column, struct wh_err *err)
{
    const char *sorted = l->sort ? l->sort->name : l->key;
    bool is_sorted = strcmp(sorted, column->name) == 0;
    const char *word = is_sorted ? (l->desc ? "_sort" : "_sort_desc")
                       : column->shape == SQL_SHAPE_TIME || strcmp(column->type, "TEXT") != 0
                           ? "_sort_desc"
                           : "_sort";
    WH_AUTO(buf) struct wh_buf url;

    wh_buf_init(&url, URL_MAX_BYTES);
    if (api_list_address(l, l->desc ? "_sort_desc" : "_sort", API_LIST_ARGS_MAX, false, &url,
                         err) != WH_OK ||
        api_list_address_add(&url, word, wh_slice_str(column->name), err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "sort_url", wh_buf_slice(&url));
    if (is_sorted) {
        wh_jw_put_str(w, "sorted", wh_slice_str(l->desc ? "descending" : "ascending"));
    }
    return WH_OK;
}

static enum wh_rc put_column(const struct api_list *l, struct wh_json_writer *w,
                             const struct sql_column *c, struct wh_err *err)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "name", wh_slice_str(c->name));
    wh_jw_put_str(w, "type", wh_slice_str(type_name(c)));
    wh_jw_put_str(w, "meaning", wh_slice_str(c->doc));
    wh_jw_put_bool(w, "shown", is_shown(l, c));
    if (put_sort(l, w, c, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(w);
    return WH_OK;
}

/* What people call the entity behind a reference stands in a column of its own: author_name, assignee_names. */
static bool is_label_of(const char *label, const char *column)
{
    static const char *const ends[] = {"_name", "_path", "_title", "_url"};
    size_t n = strlen(column);
    bool many = n > 1 && column[n - 1] == 's';

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n_end = strlen(ends[i]);

        if (strncmp(label, column, n) == 0 && strcmp(label + n, ends[i]) == 0) {
            return true;
        }
        if (many && strncmp(label, column, n - 1) == 0 &&
            strncmp(label + n - 1, ends[i], n_end) == 0 &&
            strcmp(label + n - 1 + n_end, "s") == 0) {
            return true;
        }
    }
    return false;
}

static bool has_label(const struct api_list *l, const struct sql_column *c)
{
    for (size_t i = 0; i < l->n_shown; i++) {
        if (is_label_of(l->shown[i]->name, c->name)) {
            return true;
        }
    }
    return false;
}

/* The columns as a page shows them: references that have a label are no columns of their own. */
static enum wh_rc put_heads(const struct api_list *l, struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_key(w, "heads");
    wh_jw_array(w);
    for (size_t i = 0; i < l->n_shown; i++) {
        const struct sql_column *c = l->shown[i];

        if (!has_label(l, c) && put_column(l, w, c, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc put_columns(const struct api_list *l, struct wh_json_writer *w,
                              struct wh_err *err)
{
    if (put_heads(l, w, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_key(w, "column_details");
    wh_jw_array(w);
    for (size_t i = 0; i < l->n_columns; i++) {
        if (put_column(l, w, &l->columns[i], err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

/* ---- filters ---- */

static const char *words_of(const struct api_operator *op, const struct sql_column *column)
{
    bool is_time = column && column->shape == SQL_SHAPE_TIME;

    return op == NULL ? "" : is_time && op->time_words ? op->time_words : op->words;
}

static enum wh_rc put_filter(const struct api_list *l, struct wh_json_writer *w, size_t arg,
                             struct wh_err *err)
{
    const struct api_arg *a = &l->job->request.args[arg];
    const struct api_operator *op;
    struct wh_slice column;
    struct wh_slice name;

    api_list_split(a->name, &column, &name);
    op = api_operator_find(name);
    wh_jw_object(w);
    wh_jw_put_str(w, "column", column);
    wh_jw_put_str(w, "operator", name);
    wh_jw_put_str(w, "words", wh_slice_str(words_of(op, api_list_column(l, column))));
    wh_jw_put_str(w, "name", a->name);
    if (op && !op->plain) {
        wh_jw_put_str(w, "value", a->value);
    }
    if (l->frozen[arg].ptr) {
        wh_jw_put_str(w, "means", l->frozen[arg]);
    }
    if (put_address(l, w, "remove_url", NULL, arg, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc put_filters(const struct api_list *l, struct wh_json_writer *w,
                              struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    wh_jw_key(w, "filters");
    wh_jw_array(w);
    for (size_t i = 0; i < r->n_args; i++) {
        if (!api_list_knows(r->args[i].name) && put_filter(l, w, i, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

/* ---- the query ---- */

/* What the rows are in SQL: without the columns and the row that only the next page needs. */
static enum wh_rc shown_sql(const struct api_list *l, struct wh_buf *out, struct wh_err *err)
{
    const char *sql = wh_buf_str(&l->sql);

    if (wh_buf_append(out, wh_slice(sql, l->hidden_from), err) != WH_OK ||
        wh_buf_append(out, wh_slice(sql + l->hidden_to, l->limit_at - l->hidden_to), err) !=
            WH_OK) {
        return err->rc;
    }
    return l->size ? wh_buf_printf(out, err, " LIMIT %lld", (long long)l->size) : WH_OK;
}

static struct wh_slice param_text(const struct sql_value *v, char text[40])
{
    if (v->type == SQL_TEXT) {
        return v->bytes;
    }
    if (v->type == SQL_INT) {
        (void)snprintf(text, 40, "%lld", (long long)v->i);
    } else {
        (void)snprintf(text, 40, "%.17g", v->num);
    }
    return wh_slice_str(text);
}

static enum wh_rc sql_address(const struct api_list *l, struct wh_slice sql, struct wh_buf *out,
                              struct wh_err *err)
{
    char text[40];

    if (wh_buf_append(out, WH_LIT("/sql"), err) != WH_OK ||
        api_list_address_add(out, "sql", sql, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n_params; i++) {
        if (api_list_address_add(out, l->names[i], param_text(&l->params[i].value, text), err) !=
            WH_OK) {
            return err->rc;
        }
    }
    if (l->when.stored_ms != INT64_MAX) {
        char at[WH_TIME_TEXT_MAX];

        return api_list_address_add(out, "as_of",
                                    wh_slice_str(wh_time_format(l->when.stored_ms, at)), err);
    }
    return WH_OK;
}

static enum wh_rc put_query(const struct api_list *l, struct wh_json_writer *w, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf sql;
    WH_AUTO(buf) struct wh_buf url;
    char text[40];

    wh_buf_init(&sql, SQL_TEXT_BYTES);
    wh_buf_init(&url, (size_t)4 * SQL_TEXT_BYTES);
    if (shown_sql(l, &sql, err) != WH_OK ||
        sql_address(l, wh_buf_slice(&sql), &url, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_key(w, "query");
    wh_jw_object(w);
    wh_jw_put_str(w, "sql", wh_buf_slice(&sql));
    wh_jw_key(w, "params");
    wh_jw_object(w);
    for (size_t i = 0; i < l->n_params; i++) {
        wh_jw_put_str(w, l->names[i], param_text(&l->params[i].value, text));
    }
    wh_jw_end(w);
    wh_jw_put_str(w, "url", wh_buf_slice(&url));
    wh_jw_end(w);
    return WH_OK;
}

/* ---- a link that shows the same rows later ---- */

static int64_t sequence_of(const struct api_list *l)
{
    const struct sink *sink = l->job->api->deps.sink;

    return sink ? (int64_t)sink_sequence(sink) : 0;
}

static enum wh_rc put_permalink(const struct api_list *l, struct wh_json_writer *w,
                                struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf url;
    char text[32];

    wh_buf_init(&url, URL_MAX_BYTES);
    (void)snprintf(text, sizeof(text), "%lld", (long long)sequence_of(l));
    if (api_list_address(l, NULL, API_LIST_ARGS_MAX, true, &url, err) != WH_OK ||
        (sink_is_now(l->when) && l->of_entities &&
         api_list_address_add(&url, "_asof", wh_slice_str(text), err) != WH_OK)) {
        return err->rc;
    }
    wh_jw_put_str(w, "permalink", wh_buf_slice(&url));
    return WH_OK;
}

/* ---- all of them ---- */

static enum wh_rc put_extras(struct api_list *l, struct wh_json_writer *w, struct wh_err *err)
{
    char at[WH_TIME_TEXT_MAX];

    if (api_list_count(l, w, err) != WH_OK ||
        (l->extras & API_EXTRA_COLUMNS && put_columns(l, w, err) != WH_OK) ||
        (l->extras & API_EXTRA_FILTERS && put_filters(l, w, err) != WH_OK) ||
        (l->extras & API_EXTRA_QUERY && put_query(l, w, err) != WH_OK) ||
        (l->extras & API_EXTRA_PERMALINK && put_permalink(l, w, err) != WH_OK)) {
        return err->rc;
    }
    if (l->extras & API_EXTRA_SEQUENCE) {
        wh_jw_put_int(w, "sequence", sequence_of(l));
    }
    if (l->when.stored_ms != INT64_MAX) {
        wh_jw_put_str(w, "as_of", wh_slice_str(wh_time_format(l->when.stored_ms, at)));
    }
    return WH_OK;
}

enum wh_rc api_list_extras(struct api_list *l, struct wh_buf *members, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf object;
    struct wh_json_writer w;

    wh_buf_init(&object, EXTRAS_MAX_BYTES);
    wh_json_writer_init(&w, &object);
    wh_jw_object(&w);
    if (put_extras(l, &w, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    /* The members without the braces around them. */
    return object.len <= 2
               ? WH_OK
               : wh_buf_printf(members, err, ",%.*s", (int)(object.len - 2), object.ptr + 1);
}
