/* Arguments of a list -> conditions: COLUMN[__OPERATOR]=VALUE. */
#include <stdio.h>

#include "stages/sink/api/list_priv.h"
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

enum wh_rc api_list_condition(struct api_list *l, struct wh_err *err)
{
    return wh_buf_printf(&l->sql, err, "%s", l->n_conditions++ ? " AND " : " WHERE ");
}

/* Converts the text of a filter to a value of the column's type. */
static enum wh_rc typed_value(struct api_list *l, const struct sql_column *column,
                              struct wh_slice text, struct sql_value *ret, struct wh_err *err)
{
    struct wh_instant at;
    char formatted[WH_TIME_TEXT_MAX];

    *ret = (struct sql_value){.type = SQL_TEXT, .bytes = text};
    if (column->shape == SQL_SHAPE_BOOL) {
        bool yes = wh_slice_eq(text, WH_LIT("true")) || wh_slice_eq(text, WH_LIT("1"));

        if (!yes && !wh_slice_eq(text, WH_LIT("false")) && !wh_slice_eq(text, WH_LIT("0"))) {
            return wh_fail(err, WH_E_INVALID, "%s is true or false", column->name);
        }
        *ret = (struct sql_value){.type = SQL_INT, .i = yes};
    } else if (column->shape == SQL_SHAPE_TIME) {
        if (wh_time_parse(text, &at, err) != WH_OK) {
            return wh_fail(err, WH_E_INVALID, "%s is a time: 2026-11-24 or 2026-11-24T10:00:00Z",
                           column->name);
        }
        (void)wh_time_format(at.ms, formatted);
        return wh_arena_dup(&l->job->arena, wh_slice_str(formatted), &ret->bytes, err);
    }
    return WH_OK;
}

/* %s: the quoted column, then the parameter. */
struct operator
{
    const char *name;
    const char *sql;
    bool typed; /* the value has the column's type */
};

static const struct operator operators[] = {
    {"exact", "%s = :%s", true},
    {"not", "%s IS NOT :%s", true},
    {"gt", "%s > :%s", true},
    {"gte", "%s >= :%s", true},
    {"lt", "%s < :%s", true},
    {"lte", "%s <= :%s", true},
    {"contains", "instr(lower(%s), lower(:%s)) > 0", false},
    {"notcontains", "coalesce(instr(lower(%s), lower(:%s)), 0) = 0", false},
    {"startswith", "instr(lower(%s), lower(:%s)) = 1", false},
    {"like", "%s LIKE :%s", false},
    {"glob", "%s GLOB :%s", false},
    {"date", "substr(%s, 1, 10) = :%s", false},
};

struct plain_operator {
    const char *name;
    const char *sql;
};

static const struct plain_operator plain_operators[] = {
    {"isnull", "%s IS NULL"},
    {"notnull", "%s IS NOT NULL"},
    {"isblank", "coalesce(%s, '') = ''"},
    {"notblank", "coalesce(%s, '') <> ''"},
};

static enum wh_rc add_list(struct api_list *l, const struct sql_column *column, const char *verb,
                           struct wh_slice value, struct wh_err *err)
{
    struct sql_value typed;
    const char *name;

    if (wh_buf_printf(&l->sql, err, "\"%s\" %s (", column->name, verb) != WH_OK) {
        return err->rc;
    }
    for (bool first = true; first || value.len; first = false) {
        const char *comma = value.len ? memchr(value.ptr, ',', value.len) : NULL;
        struct wh_slice one = wh_slice(value.ptr, comma ? (size_t)(comma - value.ptr) : value.len);

        if (typed_value(l, column, one, &typed, err) != WH_OK ||
            api_list_param(l, typed, &name, err) != WH_OK ||
            wh_buf_printf(&l->sql, err, "%s:%s", first ? "" : ",", name) != WH_OK) {
            return err->rc;
        }
        value = wh_slice_from(value, one.len + 1);
    }
    return wh_buf_append_char(&l->sql, ')', err);
}

static enum wh_rc add_array(struct api_list *l, const struct sql_column *column, const char * not,
                            struct wh_slice value, struct wh_err *err)
{
    const char *name;

    if (column->shape != SQL_SHAPE_JSON) {
        return wh_fail(err, WH_E_INVALID, "%s is no list", column->name);
    }
    if (api_list_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = value}, &name, err) !=
        WH_OK) {
        return err->rc;
    }
    return wh_buf_printf(&l->sql, err,
                         "%sEXISTS (SELECT 1 FROM json_each(coalesce(\"%s\", '[]')) AS item"
                         " WHERE item.value = :%s)",
                         not, column->name, name);
}

static enum wh_rc add_operator(struct api_list *l, const struct sql_column *column,
                               const struct operator* op, struct wh_slice value, struct wh_err *err)
{
    struct sql_value typed = {.type = SQL_TEXT, .bytes = value};
    struct wh_slice before;
    struct wh_slice after;
    const char *name;
    const char *mark = strstr(op->sql, "%s");
    const char *second = strstr(mark + 2, "%s");

    if ((op->typed && typed_value(l, column, value, &typed, err) != WH_OK) ||
        api_list_param(l, typed, &name, err) != WH_OK) {
        return err->rc;
    }
    before = wh_slice(op->sql, (size_t)(mark - op->sql));
    after = wh_slice(mark + 2, (size_t)(second - mark - 2));
    return wh_buf_printf(&l->sql, err, "%.*s\"%s\"%.*s%s%s", WH_SLICE_ARG(before), column->name,
                         WH_SLICE_ARG(after), name, second + 2);
}

static enum wh_rc add_plain(struct api_list *l, const struct sql_column *column,
                            const struct plain_operator *op, struct wh_err *err)
{
    const char *mark = strstr(op->sql, "%s");

    return wh_buf_printf(&l->sql, err, "%.*s\"%s\"%s", (int)(mark - op->sql), op->sql, column->name,
                         mark + 2);
}

static enum wh_rc add_filter(struct api_list *l, const struct sql_column *column,
                             struct wh_slice op, struct wh_slice value, struct wh_err *err)
{
    if (api_list_condition(l, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (wh_slice_eq(op, wh_slice_str(operators[i].name))) {
            return add_operator(l, column, &operators[i], value, err);
        }
    }
    for (size_t i = 0; i < sizeof(plain_operators) / sizeof(plain_operators[0]); i++) {
        if (wh_slice_eq(op, wh_slice_str(plain_operators[i].name))) {
            return add_plain(l, column, &plain_operators[i], err);
        }
    }
    if (wh_slice_eq(op, WH_LIT("in")) || wh_slice_eq(op, WH_LIT("notin"))) {
        return add_list(l, column, op.len == 2 ? "IN" : "NOT IN", value, err);
    }
    if (wh_slice_eq(op, WH_LIT("arraycontains")) || wh_slice_eq(op, WH_LIT("arraynotcontains"))) {
        return add_array(l, column, op.len == 13 ? "" : "NOT ", value, err);
    }
    return wh_fail(err, WH_E_INVALID,
                   "unknown operator; there are exact, not, gt, gte, lt, lte, in, notin, contains, "
                   "notcontains, startswith, like, glob, date, isnull, notnull, isblank, notblank, "
                   "arraycontains, arraynotcontains");
}

static bool is_reserved(struct wh_slice name)
{
    static const char *const names[] = {"kind",  "_sort",    "_sort_desc", "_size",
                                        "_next", "_col",     "_shape",     "_format",
                                        "_nl",   "_deleted", "_timelimit"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static enum wh_rc read_filter(struct api_list *l, const struct api_arg *arg, struct wh_err *err)
{
    struct wh_slice name = arg->name;
    struct wh_slice op = WH_LIT("exact");
    const struct sql_column *column;

    for (size_t i = 1; i + 2 < name.len; i++) {
        if (name.ptr[i] == '_' && name.ptr[i + 1] == '_') {
            op = wh_slice_from(name, i + 2);
            name.len = i;
        }
    }
    column = api_list_column(l, name);
    return column ? add_filter(l, column, op, arg->value, err) : api_list_unknown(l, name, err);
}

enum wh_rc api_list_filters(struct api_list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        if (is_reserved(r->args[i].name)) {
            continue;
        }
        if (wh_slice_starts(r->args[i].name, WH_LIT("_"))) {
            return wh_fail(err, WH_E_INVALID, "unknown argument %.40s",
                           r->args[i].name.len < 40 ? r->args[i].name.ptr : "");
        }
        if (read_filter(l, &r->args[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
