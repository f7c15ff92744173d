/* The operators of filters, and the conditions that they become. */
#include "stages/sink/api/lists/list_priv.h"

#include <stdio.h>

#include "common/base/nearest.h"

static const struct api_operator operators[] = {
    {"exact", "@ = ?", "is", NULL, true, false, API_FOR_ANY},
    {"not", "@ IS NOT ?", "is not", NULL, true, false, API_FOR_ANY},
    {"contains", "instr(lower(@), lower(?)) > 0", "contains", NULL, false, false, API_FOR_TEXT},
    {"notcontains", "coalesce(instr(lower(@), lower(?)), 0) = 0", "does not contain", NULL, false,
     false, API_FOR_TEXT},
    {"startswith", "instr(lower(@), lower(?)) = 1", "starts with", NULL, false, false,
     API_FOR_TEXT},
    {"endswith", "substr(lower(@), length(@) - length(?) + 1) = lower(?)", "ends with", NULL, false,
     false, API_FOR_TEXT},
    {"gt", "@ > ?", "is more than", "is after", true, false, API_FOR_ORDER},
    {"gte", "@ >= ?", "is at least", "is at or after", true, false, API_FOR_ORDER},
    {"lt", "@ < ?", "is less than", "is before", true, false, API_FOR_ORDER},
    {"lte", "@ <= ?", "is at most", "is at or before", true, false, API_FOR_ORDER},
    {"like", "@ LIKE ?", "is like (% _)", NULL, false, false, API_FOR_TEXT},
    {"notlike", "@ NOT LIKE ?", "is not like (% _)", NULL, false, false, API_FOR_TEXT},
    {"glob", "@ GLOB ?", "matches (* ?)", NULL, false, false, API_FOR_TEXT},
    {"in", NULL, "is one of", NULL, true, false, API_FOR_ANY},
    {"notin", NULL, "is none of", NULL, true, false, API_FOR_ANY},
    {"arraycontains", NULL, "has", NULL, false, false, API_FOR_LIST},
    {"arraynotcontains", NULL, "does not have", NULL, false, false, API_FOR_LIST},
    {"date", NULL, "is on", NULL, false, false, API_FOR_TIME},
    {"isnull", "@ IS NULL", "is not known", NULL, false, true, API_FOR_ANY},
    {"notnull", "@ IS NOT NULL", "is known", NULL, false, true, API_FOR_ANY},
    {"isblank", "coalesce(@, '') = ''", "is blank", NULL, false, true, API_FOR_ANY},
    {"notblank", "coalesce(@, '') <> ''", "is not blank", NULL, false, true, API_FOR_ANY},
};

enum { N_OPERATORS = sizeof(operators) / sizeof(operators[0]) };

const struct api_operator *api_operators(size_t *ret_n)
{
    *ret_n = N_OPERATORS;
    return operators;
}

const struct api_operator *api_operator_find(struct wh_slice name)
{
    for (size_t i = 0; i < N_OPERATORS; i++) {
        if (wh_slice_eq(name, wh_slice_str(operators[i].name))) {
            return &operators[i];
        }
    }
    return NULL;
}

bool api_operator_fits(const struct api_operator *op, const struct sql_column *column)
{
    bool is_text = column->shape == SQL_SHAPE_PLAIN && strcmp(column->type, "TEXT") == 0;

    switch (op->fits) {
    case API_FOR_TEXT:
        return is_text;
    case API_FOR_ORDER:
        return !is_text && column->shape != SQL_SHAPE_BOOL && column->shape != SQL_SHAPE_JSON;
    case API_FOR_LIST:
        return column->shape == SQL_SHAPE_JSON;
    case API_FOR_TIME:
        return column->shape == SQL_SHAPE_TIME;
    case API_FOR_ANY:
    default:
        return true;
    }
}

static enum wh_rc unknown_operator(struct wh_slice name, struct wh_err *err)
{
    struct wh_nearest near;
    char hint[96];

    wh_nearest_init(&near, name);
    for (size_t i = 0; i < N_OPERATORS; i++) {
        wh_nearest_offer(&near, operators[i].name);
    }
    wh_nearest_hint(&near, hint, sizeof(hint));
    return wh_fail(err, WH_E_INVALID, "unknown operator %.*s%s%s",
                   (int)(name.len < 40 ? name.len : 40), name.len ? name.ptr : "", hint,
                   hint[0] ? "" : "; there are exact, not, contains, gt, lt, in, isnull and more");
}

/* ---- conditions ---- */

static enum wh_rc put_name(struct wh_buf *out, const char *form, const char *param,
                           struct wh_err *err)
{
    const char *at = strchr(form, '%');

    return wh_buf_printf(out, err, "%.*s%s%s", (int)(at - form), form, param, at + 2);
}

/* The text of a condition: '@' is the column, '?' the parameter, which a link to /sql gives as a text. */
static enum wh_rc expand(struct api_list *l, const char *sql, const struct sql_column *column,
                         const char *param, enum sql_type type, struct wh_err *err)
{
    const char *form = type == SQL_INT      ? "CAST(:%s AS INTEGER)"
                       : type == SQL_DOUBLE ? "CAST(:%s AS REAL)"
                                            : ":%s";

    for (; *sql; sql++) {
        enum wh_rc rc = *sql == '@'   ? wh_buf_printf(&l->where, err, "\"%s\"", column->name)
                        : *sql == '?' ? put_name(&l->where, form, param, err)
                                      : wh_buf_append_char(&l->where, *sql, err);

        if (rc != WH_OK) {
            return rc;
        }
    }
    return WH_OK;
}

static enum wh_rc add_param(struct api_list *l, const char *sql, const struct sql_column *column,
                            struct sql_value value, struct wh_err *err)
{
    const char *name;

    return api_list_param(l, value, &name, err) == WH_OK
               ? expand(l, sql, column, name, value.type, err)
               : err->rc;
}

static struct sql_value text_value(struct wh_slice text)
{
    return (struct sql_value){.type = SQL_TEXT, .bytes = text};
}

static enum wh_rc add_list(struct api_list *l, const struct sql_column *column, const char *verb,
                           struct wh_slice value, struct wh_err *err)
{
    struct wh_slice frozen;
    struct sql_value typed;

    if (wh_buf_printf(&l->where, err, "\"%s\" %s (", column->name, verb) != WH_OK) {
        return err->rc;
    }
    for (bool first = true; first || value.len; first = false) {
        const char *comma = value.len ? memchr(value.ptr, ',', value.len) : NULL;
        struct wh_slice one = wh_slice(value.ptr, comma ? (size_t)(comma - value.ptr) : value.len);

        if (api_list_value(l, column, one, &typed, &frozen, err) != WH_OK ||
            add_param(l, first ? "?" : ",?", column, typed, err) != WH_OK) {
            return err->rc;
        }
        value = wh_slice_from(value, one.len + (comma != NULL));
    }
    return wh_buf_append_char(&l->where, ')', err);
}

static enum wh_rc add_array(struct api_list *l, const struct sql_column *column, const char *verb,
                            struct wh_slice value, struct wh_err *err)
{
    if (column->shape != SQL_SHAPE_JSON) {
        return wh_fail(err, WH_E_INVALID, "%s is no list", column->name);
    }
    if (wh_buf_append(&l->where, wh_slice_str(verb), err) != WH_OK) {
        return err->rc;
    }
    return add_param(l,
                     "EXISTS (SELECT 1 FROM json_each(coalesce(@, '[]')) AS item"
                     " WHERE item.value = ?)",
                     column, text_value(value), err);
}

/* A day of the list's zone has bounds, which an index may answer. */
static enum wh_rc add_day(struct api_list *l, const struct sql_column *column,
                          struct wh_slice value, size_t arg, struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX];
    struct wh_slice bounds[2];
    int64_t day = 0;

    if (column->shape != SQL_SHAPE_TIME) {
        return add_param(l, "substr(@, 1, 10) = ?", column, text_value(value), err);
    }
    if (api_list_day(l, value, &day, err) != WH_OK ||
        api_list_time(l, wh_zone_day_begin(l->zone, day), &bounds[0], err) != WH_OK ||
        api_list_time(l, wh_zone_day_begin(l->zone, day + 1), &bounds[1], err) != WH_OK) {
        return err->rc;
    }
    if (value.len && (value.ptr[0] == 't' || value.ptr[0] == 'y')) {
        (void)wh_time_format(day * 86400000, text);
        l->relative = true;
        if (wh_arena_dup(&l->job->arena, wh_slice(text, 10), &l->frozen[arg], err) != WH_OK) {
            return err->rc;
        }
    }
    return add_param(l, "(@ >= ?", column, text_value(bounds[0]), err) == WH_OK
               ? add_param(l, " AND @ < ?)", column, text_value(bounds[1]), err)
               : err->rc;
}

static enum wh_rc add_usual(struct api_list *l, const struct sql_column *column,
                            const struct api_operator *op, struct wh_slice value, size_t arg,
                            struct wh_err *err)
{
    struct sql_value typed = text_value(value);

    if (op->plain) {
        return expand(l, op->sql, column, "", SQL_TEXT, err);
    }
    if (op->typed && api_list_value(l, column, value, &typed, &l->frozen[arg], err) != WH_OK) {
        return err->rc;
    }
    return add_param(l, op->sql, column, typed, err);
}

enum wh_rc api_list_compare(struct api_list *l, const struct sql_column *column,
                            struct wh_slice name, struct wh_slice value, size_t arg,
                            struct wh_err *err)
{
    const struct api_operator *op = api_operator_find(name);

    if (op == NULL) {
        return unknown_operator(name, err);
    }
    if (api_list_condition(l, &l->where, err) != WH_OK) {
        return err->rc;
    }
    if (op->sql) {
        return add_usual(l, column, op, value, arg, err);
    }
    if (op->fits == API_FOR_TIME) {
        return add_day(l, column, value, arg, err);
    }
    if (op->fits == API_FOR_LIST) {
        return add_array(l, column, strcmp(op->name, "arraycontains") == 0 ? "" : "NOT ", value,
                         err);
    }
    return add_list(l, column, strcmp(op->name, "in") == 0 ? "IN" : "NOT IN", value, err);
}
