/* Arguments of a list -> conditions: COLUMN[__OPERATOR]=VALUE and _search. */
#include <stdio.h>

#include "stages/sink/api/lists/list_priv.h"
#include "stages/sink/sql/near.h"

const struct sql_column *api_list_column(const struct api_list *l, struct wh_slice name)
{
    for (size_t i = 0; i < l->n_columns; i++) {
        if (wh_slice_eq(name, wh_slice_str(l->columns[i].name))) {
            return &l->columns[i];
        }
    }
    return NULL;
}

enum wh_rc api_list_unknown(const struct api_list *l, struct wh_slice name, struct wh_err *err)
{
    char near[160];

    sql_near_column(wh_slice_str(l->table), name, near, sizeof(near));
    return wh_fail(err, WH_E_INVALID, "%s has no column %.*s%s", l->table,
                   (int)(name.len < 60 ? name.len : 60), name.ptr, near);
}

enum wh_rc api_list_param(struct api_list *l, struct sql_value value, const char **ret_name,
                          struct wh_err *err)
{
    if (l->n_params == API_LIST_PARAMS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "more than %d values in one question",
                       API_LIST_PARAMS_MAX);
    }
    (void)snprintf(l->names[l->n_params], API_LIST_NAME_BYTES, "p%zu", l->n_params);
    l->params[l->n_params] = (struct sql_param){wh_slice_str(l->names[l->n_params]), value};
    *ret_name = l->names[l->n_params++];
    return WH_OK;
}

enum wh_rc api_list_condition(struct api_list *l, struct wh_buf *to, struct wh_err *err)
{
    return wh_buf_printf(to, err, "%s", l->n_conditions++ ? " AND " : " WHERE ");
}

void api_list_split(struct wh_slice name, struct wh_slice *ret_column, struct wh_slice *ret_op)
{
    *ret_column = name;
    *ret_op = WH_LIT("exact");
    for (size_t i = 1; i + 2 < name.len; i++) {
        if (name.ptr[i] == '_' && name.ptr[i + 1] == '_') {
            *ret_op = wh_slice_from(name, i + 2);
            ret_column->len = i;
        }
    }
}

static enum wh_rc read_filter(struct api_list *l, size_t arg, struct wh_err *err)
{
    const struct api_arg *a = &l->job->request.args[arg];
    const struct sql_column *column;
    struct wh_slice name;
    struct wh_slice op;

    api_list_split(a->name, &name, &op);
    column = api_list_column(l, name);
    l->n_filters++;
    return column ? api_list_compare(l, column, op, a->value, arg, err)
                  : api_list_unknown(l, name, err);
}

/* ---- _search: every word is in one of the columns by which people name things ---- */

static enum wh_rc search_word(struct api_list *l, struct wh_slice word, struct wh_err *err)
{
    static const char *const names[] = {"title", "name",   "path",         "username",     "ref",
                                        "tag",   "key",    "labels",       "source_iid",   "url",
                                        "rule",  "reason", "service_name", "customer_name"};
    const char *param;
    bool any = false;

    if (api_list_condition(l, &l->where, err) != WH_OK ||
        api_list_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = word}, &param, err) !=
            WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (api_list_column(l, wh_slice_str(names[i])) == NULL) {
            continue;
        }
        if (wh_buf_printf(&l->where, err, "%sinstr(lower(\"%s\"), lower(:%s)) > 0",
                          any ? " OR " : "(", names[i], param) != WH_OK) {
            return err->rc;
        }
        any = true;
    }
    return any ? wh_buf_append_char(&l->where, ')', err)
               : wh_fail(err, WH_E_INVALID, "%s has no column of names to search in", l->table);
}

static enum wh_rc search(struct api_list *l, struct wh_err *err)
{
    struct wh_slice text = api_arg(&l->job->request, "_search");

    while (text.len) {
        const char *blank = memchr(text.ptr, ' ', text.len);
        struct wh_slice word = wh_slice(text.ptr, blank ? (size_t)(blank - text.ptr) : text.len);

        if (word.len && search_word(l, word, err) != WH_OK) {
            return err->rc;
        }
        l->n_filters += word.len > 0;
        text = wh_slice_from(text, word.len + (blank != NULL));
    }
    return WH_OK;
}

enum wh_rc api_list_filters(struct api_list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        if (api_list_knows(r->args[i].name)) {
            continue;
        }
        if (wh_slice_starts(r->args[i].name, WH_LIT("_"))) {
            return api_list_unknown_word(r->args[i].name, err);
        }
        if (read_filter(l, i, err) != WH_OK) {
            return err->rc;
        }
    }
    if (search(l, err) != WH_OK) {
        return err->rc;
    }
    l->n_where = l->n_params;
    return WH_OK;
}
