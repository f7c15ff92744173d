/*
 * GET /api/v1/entities?kind=work_items&state=opened&created_at__gte=2026-11-01&_sort_desc=version_at
 *
 * A list is a query over the kind's table: names come from the catalogue, values are parameters. Pages
 * go on behind the last row's (sort column, id), so that rows that come or go meanwhile move no other
 * row from one page to the next.
 */
#include <stdio.h>

#include "common/base/enc.h"
#include "stages/sink/api_internal.h"
#include "stages/sink/sql_near.h"

enum {
    SIZE_DEFAULT = 100,
    SIZE_MAX_ROWS = 1000,
    PARAMS_MAX = 64,
    SQL_MAX_BYTES = 32 << 10,
    TOKEN_MAX_BYTES = 8 << 10,
    MEMBERS_MAX_BYTES = 32 << 10,
    NAME_BYTES = 24,
    SEPARATOR = '\x1f',
};

struct list {
    struct api_job *job;
    char table[64];
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n_columns;
    const struct sql_column *shown[SQL_COLUMNS_MAX];
    size_t n_shown;
    enum sql_shape shapes[SQL_COLUMNS_MAX + 2];
    const struct sql_column *sort;
    bool desc;
    int64_t size;
    struct wh_buf sql;
    struct sql_param params[PARAMS_MAX];
    char names[PARAMS_MAX][NAME_BYTES];
    size_t n_params;
    unsigned n_conditions;
    /* The last row: where the next page begins. */
    struct wh_buf last;
    bool too_long;
};

static const struct sql_column *find_column(const struct list *l, struct wh_slice name)
{
    for (size_t i = 0; i < l->n_columns; i++) {
        if (wh_slice_eq(name, wh_slice_str(l->columns[i].name))) {
            return &l->columns[i];
        }
    }
    return NULL;
}

static enum wh_rc unknown_column(const struct list *l, struct wh_slice name, struct wh_err *err)
{
    char near[160];

    sql_near_column(wh_slice_str(l->table), name, near, sizeof(near));
    return wh_fail(err, WH_E_INVALID, "%s has no column %.*s%s", l->table,
                   (int)(name.len < 60 ? name.len : 60), name.ptr, near);
}

/* ---- the table ---- */

static enum wh_rc all_kinds(struct wh_err *err)
{
    return wh_fail(err, WH_E_INVALID,
                   "kind must be one of work_items, build_records, jobs, team_members, projects, "
                   "deployments, environments, releases, milestones, notes, memberships, incidents, "
                   "issues, merge_requests, pipelines; or ask with url=");
}

static enum wh_rc read_kind(struct list *l, struct wh_err *err)
{
    struct wh_slice kind = api_arg(&l->job->request, "kind");
    struct wh_slice deleted = api_arg(&l->job->request, "_deleted");
    const struct wh_kind_def *def = wh_kind_by_name(kind);
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    if (def) {
        kind = wh_slice_str(def->table);
    }
    for (size_t i = 0; i < n; i++) {
        if (tables[i].kind != WH_KIND_NONE && wh_slice_eq(kind, wh_slice_str(tables[i].name))) {
            (void)snprintf(l->table, sizeof(l->table), "%s%s", tables[i].name,
                           wh_slice_eq(deleted, WH_LIT("include")) ? "_all" : "");
        }
    }
    if (l->table[0] == 0) {
        return all_kinds(err);
    }
    if (deleted.ptr && !wh_slice_eq(deleted, WH_LIT("include"))) {
        return wh_fail(err, WH_E_INVALID, "_deleted must be include");
    }
    l->n_columns = sql_columns(wh_slice_str(l->table), l->columns);
    return WH_OK;
}

static enum wh_rc read_columns(struct list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        const struct sql_column *column;

        if (!wh_slice_eq(r->args[i].name, WH_LIT("_col"))) {
            continue;
        }
        column = find_column(l, r->args[i].value);
        if (column == NULL) {
            return unknown_column(l, r->args[i].value, err);
        }
        if (l->n_shown < SQL_COLUMNS_MAX) {
            l->shown[l->n_shown++] = column;
        }
    }
    for (size_t i = 0; l->n_shown == 0 && i < l->n_columns; i++) {
        l->shown[i] = &l->columns[i];
    }
    l->n_shown = l->n_shown ? l->n_shown : l->n_columns;
    return WH_OK;
}

static enum wh_rc read_sort(struct list *l, struct wh_err *err)
{
    struct wh_slice up = api_arg(&l->job->request, "_sort");
    struct wh_slice down = api_arg(&l->job->request, "_sort_desc");
    struct wh_slice name = up.ptr ? up : down;

    if (up.ptr && down.ptr) {
        return wh_fail(err, WH_E_INVALID, "_sort and _sort_desc exclude each other");
    }
    l->desc = down.ptr != NULL;
    l->sort = find_column(l, name.ptr ? name : WH_LIT("id"));
    return l->sort ? WH_OK : unknown_column(l, name, err);
}

/* ---- conditions ---- */

static enum wh_rc add_param(struct list *l, struct sql_value value, const char **ret_name,
                            struct wh_err *err)
{
    if (l->n_params == PARAMS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "more than %d values in one question", PARAMS_MAX);
    }
    (void)snprintf(l->names[l->n_params], NAME_BYTES, "p%zu", l->n_params);
    l->params[l->n_params] = (struct sql_param){wh_slice_str(l->names[l->n_params]), value};
    *ret_name = l->names[l->n_params++];
    return WH_OK;
}

static enum wh_rc begin_condition(struct list *l, struct wh_err *err)
{
    return wh_buf_printf(&l->sql, err, "%s", l->n_conditions++ ? " AND " : " WHERE ");
}

/* What a filter's text means for this column. */
static enum wh_rc typed_value(struct list *l, const struct sql_column *column,
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
            return wh_fail(err, WH_E_INVALID,
                           "%s is a time: 2026-11-24 or 2026-11-24T10:00:00Z", column->name);
        }
        (void)wh_time_format(at.ms, formatted);
        return wh_arena_dup(&l->job->arena, wh_slice_str(formatted), &ret->bytes, err);
    }
    return WH_OK;
}

/* %s: the quoted column, then the parameter. */
struct operator {
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

static enum wh_rc add_list(struct list *l, const struct sql_column *column, const char *verb,
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
            add_param(l, typed, &name, err) != WH_OK ||
            wh_buf_printf(&l->sql, err, "%s:%s", first ? "" : ",", name) != WH_OK) {
            return err->rc;
        }
        value = wh_slice_from(value, one.len + 1);
    }
    return wh_buf_append_char(&l->sql, ')', err);
}

static enum wh_rc add_array(struct list *l, const struct sql_column *column, const char *not,
                            struct wh_slice value, struct wh_err *err)
{
    const char *name;

    if (column->shape != SQL_SHAPE_JSON) {
        return wh_fail(err, WH_E_INVALID, "%s is no list", column->name);
    }
    if (add_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = value}, &name, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_printf(&l->sql, err,
                         "%sEXISTS (SELECT 1 FROM json_each(coalesce(\"%s\", '[]')) AS item"
                         " WHERE item.value = :%s)",
                         not, column->name, name);
}

static enum wh_rc add_operator(struct list *l, const struct sql_column *column,
                               const struct operator *op, struct wh_slice value,
                               struct wh_err *err)
{
    struct sql_value typed = {.type = SQL_TEXT, .bytes = value};
    struct wh_slice before;
    struct wh_slice after;
    const char *name;
    const char *mark = strstr(op->sql, "%s");
    const char *second = strstr(mark + 2, "%s");

    if ((op->typed && typed_value(l, column, value, &typed, err) != WH_OK) ||
        add_param(l, typed, &name, err) != WH_OK) {
        return err->rc;
    }
    before = wh_slice(op->sql, (size_t)(mark - op->sql));
    after = wh_slice(mark + 2, (size_t)(second - mark - 2));
    return wh_buf_printf(&l->sql, err, "%.*s\"%s\"%.*s%s%s", WH_SLICE_ARG(before), column->name,
                         WH_SLICE_ARG(after), name, second + 2);
}

static enum wh_rc add_plain(struct list *l, const struct sql_column *column,
                            const struct plain_operator *op, struct wh_err *err)
{
    const char *mark = strstr(op->sql, "%s");

    return wh_buf_printf(&l->sql, err, "%.*s\"%s\"%s", (int)(mark - op->sql), op->sql, column->name,
                         mark + 2);
}

static enum wh_rc add_filter(struct list *l, const struct sql_column *column, struct wh_slice op,
                             struct wh_slice value, struct wh_err *err)
{
    if (begin_condition(l, err) != WH_OK) {
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
    static const char *const names[] = {"kind", "_sort", "_sort_desc", "_size", "_next", "_col",
                                        "_shape", "_format", "_nl", "_deleted", "_timelimit"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(names[i]))) {
            return true;
        }
    }
    return false;
}

static enum wh_rc read_filter(struct list *l, const struct api_arg *arg, struct wh_err *err)
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
    column = find_column(l, name);
    return column ? add_filter(l, column, op, arg->value, err) : unknown_column(l, name, err);
}

static enum wh_rc read_filters(struct list *l, struct wh_err *err)
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

/* ---- pages: the token is column, direction, id, type and value, separated, in base64url ---- */

static enum wh_rc put_part(struct wh_buf *out, struct wh_slice part, struct wh_err *err)
{
    return wh_buf_append(out, part, err) == WH_OK ? wh_buf_append_char(out, SEPARATOR, err)
                                                  : err->rc;
}

/* The hidden columns of a row: sort value, id. */
static void keep_last(void *ctx, const struct sql_value *values, size_t n)
{
    struct list *l = ctx;
    const struct sql_value *v = &values[0];
    struct wh_err err;
    enum wh_rc rc;

    wh_buf_reset(&l->last);
    rc = n == 2 ? put_part(&l->last, wh_slice_str(l->sort->name), &err) : WH_E_INTERNAL;
    if (rc == WH_OK && (put_part(&l->last, l->desc ? WH_LIT("d") : WH_LIT("u"), &err) != WH_OK ||
                        put_part(&l->last, values[1].bytes, &err) != WH_OK)) {
        rc = err.rc;
    }
    if (rc == WH_OK) {
        switch (v->type) {
        case SQL_INT:
            rc = wh_buf_printf(&l->last, &err, "i%c%lld", SEPARATOR, (long long)v->i);
            break;
        case SQL_DOUBLE:
            rc = wh_buf_printf(&l->last, &err, "f%c%.17g", SEPARATOR, v->num);
            break;
        case SQL_TEXT:
        case SQL_BLOB:
            rc = put_part(&l->last, WH_LIT("t"), &err) == WH_OK
                     ? wh_buf_append(&l->last, v->bytes, &err)
                     : err.rc;
            break;
        case SQL_NULL:
        default:
            rc = put_part(&l->last, WH_LIT("n"), &err);
            break;
        }
    }
    l->too_long = rc != WH_OK;
}

static bool take_part(struct wh_slice *rest, struct wh_slice *ret)
{
    const char *at = rest->len ? memchr(rest->ptr, SEPARATOR, rest->len) : NULL;

    if (at == NULL) {
        return false;
    }
    *ret = wh_slice(rest->ptr, (size_t)(at - rest->ptr));
    *rest = wh_slice_from(*rest, ret->len + 1);
    return true;
}

static enum wh_rc bad_token(struct wh_err *err)
{
    return wh_fail(err, WH_E_INVALID,
                   "_next is not a token of this list; take it from the answer before, with the same "
                   "sort");
}

static enum wh_rc parse_token(struct list *l, struct wh_slice token, struct wh_slice *ret_id,
                              char *ret_type, struct wh_slice *ret_value, struct wh_err *err)
{
    struct wh_buf decoded;
    struct wh_slice rest;
    struct wh_slice column;
    struct wh_slice direction;
    struct wh_slice type;
    enum wh_rc rc;

    wh_buf_init(&decoded, TOKEN_MAX_BYTES);
    rc = wh_base64_decode(token, &decoded, err);
    if (rc == WH_OK) {
        rc = wh_arena_dup(&l->job->arena, wh_buf_slice(&decoded), &rest, err);
    }
    wh_buf_done(&decoded);
    if (rc != WH_OK || !take_part(&rest, &column) || !take_part(&rest, &direction) ||
        !take_part(&rest, ret_id) || !take_part(&rest, &type) || type.len != 1 ||
        !wh_slice_eq(column, wh_slice_str(l->sort->name)) ||
        !wh_slice_eq(direction, l->desc ? WH_LIT("d") : WH_LIT("u"))) {
        return bad_token(err);
    }
    *ret_type = type.ptr[0];
    *ret_value = rest;
    return WH_OK;
}

static bool is_id(const struct list *l)
{
    return strcmp(l->sort->name, "id") == 0;
}

static enum wh_rc add_place(struct list *l, struct wh_slice id, char type, struct wh_slice value,
                            struct wh_err *err)
{
    const char *c = l->sort->name;
    const char *op = l->desc ? "<" : ">";
    /* Numbers go as text: CAST makes them what the column has. */
    const char *cast = type == 'i' ? "INTEGER" : type == 'f' ? "REAL" : "TEXT";
    const char *i;
    const char *v;

    if (add_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = id}, &i, err) != WH_OK ||
        begin_condition(l, err) != WH_OK) {
        return err->rc;
    }
    if (is_id(l)) {
        return wh_buf_printf(&l->sql, err, "id %s :%s", op, i);
    }
    if (type == 'n') {
        /* NULL is smaller than all else. */
        return wh_buf_printf(&l->sql, err,
                             l->desc ? "(\"%s\" IS NULL AND id < :%s)"
                                     : "(\"%s\" IS NOT NULL OR id > :%s)",
                             c, i);
    }
    if (add_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = value}, &v, err) != WH_OK ||
        wh_buf_printf(&l->sql, err,
                      "(\"%s\" %s CAST(:%s AS %s) OR (\"%s\" = CAST(:%s AS %s) AND id %s :%s)", c,
                      op, v, cast, c, v, cast, op, i) != WH_OK) {
        return err->rc;
    }
    if (l->desc && wh_buf_printf(&l->sql, err, " OR \"%s\" IS NULL", c) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append_char(&l->sql, ')', err);
}

/* Times are never NULL in an index: a plain bound lets the store begin at the page. */
static enum wh_rc add_bound(struct list *l, struct wh_slice value, struct wh_err *err)
{
    const char *v;

    if (strcmp(l->sort->name, "version_at") != 0) {
        return WH_OK;
    }
    if (add_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = value}, &v, err) != WH_OK ||
        begin_condition(l, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_printf(&l->sql, err, "version_at %s :%s", l->desc ? "<=" : ">=", v);
}

static enum wh_rc read_place(struct list *l, struct wh_err *err)
{
    struct wh_slice token = api_arg(&l->job->request, "_next");
    struct wh_slice id = {NULL, 0};
    struct wh_slice value = {NULL, 0};
    char type = 0;

    if (token.ptr == NULL) {
        return WH_OK;
    }
    if (parse_token(l, token, &id, &type, &value, err) != WH_OK ||
        add_bound(l, value, err) != WH_OK) {
        return err->rc;
    }
    return add_place(l, id, type, value, err);
}

/* ---- the query ---- */

static enum wh_rc write_select(struct list *l, struct wh_err *err)
{
    if (wh_buf_append(&l->sql, WH_LIT("SELECT "), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n_shown; i++) {
        if (wh_buf_printf(&l->sql, err, "\"%s\",", l->shown[i]->name) != WH_OK) {
            return err->rc;
        }
        l->shapes[i] = l->shown[i]->shape;
    }
    return wh_buf_printf(&l->sql, err, "\"%s\",id FROM \"%s\"", l->sort->name, l->table);
}

static enum wh_rc write_order(struct list *l, struct wh_err *err)
{
    const char *direction = l->desc ? "DESC" : "ASC";

    if (is_id(l)) {
        return wh_buf_printf(&l->sql, err, " ORDER BY id %s LIMIT %lld", direction,
                             (long long)l->size + 1);
    }
    return wh_buf_printf(&l->sql, err, " ORDER BY \"%s\" %s, id %s LIMIT %lld", l->sort->name,
                         direction, direction, (long long)l->size + 1);
}

static enum wh_rc build(struct list *l, struct wh_err *err)
{
    if (read_kind(l, err) != WH_OK || read_columns(l, err) != WH_OK || read_sort(l, err) != WH_OK ||
        api_arg_int(&l->job->request, "_size", 1, SIZE_MAX_ROWS, SIZE_DEFAULT, &l->size, err) !=
            WH_OK ||
        write_select(l, err) != WH_OK || read_filters(l, err) != WH_OK ||
        read_place(l, err) != WH_OK) {
        return err->rc;
    }
    return write_order(l, err);
}

/* The same question with another _next. */
static enum wh_rc next_url(const struct list *l, struct wh_slice token, struct wh_buf *out,
                           struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    if (wh_buf_append(out, r->path, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < r->n_args; i++) {
        if (wh_slice_eq(r->args[i].name, WH_LIT("_next"))) {
            continue;
        }
        if (wh_buf_append_char(out, out->len == r->path.len ? '?' : '&', err) != WH_OK ||
            wh_percent_encode(r->args[i].name, out, err) != WH_OK ||
            wh_buf_append_char(out, '=', err) != WH_OK ||
            wh_percent_encode(r->args[i].value, out, err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_printf(out, err, "&_next=%.*s", WH_SLICE_ARG(token));
}

static enum wh_rc write_next(struct list *l, bool more, struct wh_buf *members, struct wh_err *err)
{
    struct wh_json_writer w;
    struct wh_buf token;
    struct wh_buf url;
    enum wh_rc rc;

    if (!more || l->too_long) {
        return wh_buf_printf(members, err, "\"next\":null,\"next_url\":null,\"truncated\":%s",
                             more ? "true" : "false");
    }
    wh_buf_init(&token, 2 * TOKEN_MAX_BYTES);
    wh_buf_init(&url, MEMBERS_MAX_BYTES / 2);
    rc = wh_base64url_encode(wh_buf_slice(&l->last), &token, err);
    if (rc == WH_OK) {
        rc = next_url(l, wh_buf_slice(&token), &url, err);
    }
    if (rc == WH_OK) {
        (void)snprintf(l->job->link, sizeof(l->job->link), url.len < sizeof(l->job->link) - 16
                           ? "<%s>; rel=\"next\"" : "", wh_buf_str(&url));
        rc = wh_buf_printf(members, err, "\"next\":\"%s\",\"next_url\":", wh_buf_str(&token));
    }
    if (rc == WH_OK) {
        wh_json_writer_init(&w, members);
        wh_jw_str(&w, wh_buf_slice(&url));
        rc = wh_jw_finish(&w, err);
    }
    if (rc == WH_OK) {
        rc = wh_buf_printf(members, err, ",\"truncated\":true");
    }
    wh_buf_done(&token);
    wh_buf_done(&url);
    return rc;
}

static enum wh_rc run(struct list *l, enum api_format format, struct wh_err *err)
{
    const struct sink_api_conf *conf = &l->job->api->deps.conf;
    struct sql_query query = {
        .text = wh_buf_slice(&l->sql),
        .params = l->params,
        .n_params = l->n_params,
        .timeout_ms = conf->sql_timeout_ms,
        .max_rows = l->size,
        .canceled = &l->job->canceled,
    };
    struct sql_outcome outcome;
    struct api_rows rows;
    struct sql_rows sink;
    struct wh_buf members;
    enum wh_rc rc;

    wh_buf_init(&members, MEMBERS_MAX_BYTES);
    api_rows_init(&rows, &l->job->out, &l->job->arena, format, conf->sql_bytes);
    rows.arrays = wh_slice_eq(api_arg(&l->job->request, "_shape"), WH_LIT("arrays"));
    rows.shapes = l->shapes;
    rows.hidden = 2;
    rows.on_hidden = keep_last;
    rows.ctx = l;
    sink = api_rows_sink(&rows);
    rc = sql_run(l->job->api->engine, &query, &sink, &outcome, err);
    if (rc == WH_OK) {
        rc = write_next(l, outcome.cut != SQL_WHOLE, &members, err);
    }
    if (rc == WH_OK) {
        rc = api_rows_end(&rows, NULL, wh_buf_slice(&members), err);
    }
    wh_buf_done(&members);
    api_rows_done(&rows);
    return rc;
}

static enum wh_rc answer_list(struct list *l, struct wh_err *err)
{
    enum api_format format;

    if (build(l, err) != WH_OK ||
        api_format_of(&l->job->request, (struct wh_slice){NULL, 0}, &format, err) != WH_OK) {
        return err->rc;
    }
    l->job->content_type = api_format_type(format);
    return run(l, format, err);
}

enum wh_rc api_answer_entities(struct api_job *job, struct wh_err *err)
{
    struct wh_slice url = api_arg(&job->request, "url");
    struct wh_entity_id id;
    struct list *l;
    void *memory;
    enum wh_rc rc;

    if (url.ptr && api_arg(&job->request, "kind").ptr == NULL) {
        return api_find_url(job, url, &id, err) == WH_OK ? api_entity_json(job, &id, err) : err->rc;
    }
    if (wh_arena_zalloc(&job->arena, 1, sizeof(*l), &memory, err) != WH_OK) {
        return err->rc;
    }
    l = memory;
    l->job = job;
    wh_buf_init(&l->sql, SQL_MAX_BYTES);
    wh_buf_init(&l->last, TOKEN_MAX_BYTES);
    rc = answer_list(l, err);
    wh_buf_done(&l->sql);
    wh_buf_done(&l->last);
    return rc;
}
