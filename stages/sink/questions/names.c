/* Names of people, projects, services and customers, by statements of SQL with limits of their own. */
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/questions/frame.h"

enum { STATEMENT_MAX_BYTES = 8192, ROWS_MAX = 3 * QUESTION_CHOICES_MAX };

/* Rows: the kind, id, name, and how near it is: 1 the whole name, 2 a part of it. */
static const char *const lookups[FORM_ENTITIES + 1] = {
    [TAKES_PERSON] = "select 'person', id, name, case when lower(name) = lower(:t) or "
                     "lower(username) = lower(:t) or id = :t or "
                     "exists (select 1 from json_each(emails) where lower(value) = lower(:t)) or "
                     "exists (select 1 from json_each(accounts) where lower(substr(value, "
                     "instr(value, ':') + 1)) = lower(:t)) "
                     "then 1 else 2 end as nearness from team_members where nearness = 1 or "
                     "lower(substr(name, 1, length(:t) + 1)) = lower(:t) || ' ' or "
                     "lower(substr(name, -length(:t) - 1)) = ' ' || lower(:t)",
    [TAKES_PROJECT] =
        "select 'project', id, path, case when lower(path) = lower(:t) or id = :t then 1 else 2 "
        "end from "
        "projects where lower(path) = lower(:t) or id = :t or lower(name) = lower(:t) or "
        "lower(substr(path, -length(:t) - 1)) = '/' || lower(:t)",
    [TAKES_SERVICE] = "select 'service', id, name, 1 from services where lower(name) = lower(:t) "
                      "or lower(source_id) = "
                      "lower(:t) or id = :t or exists (select 1 from json_each(aliases) where "
                      "lower(value) = lower(:t))",
    [TAKES_CUSTOMER] = "select 'customer', id, name, 1 from customers where lower(name) = "
                       "lower(:t) or lower(source_id) "
                       "= lower(:t) or id = :t or lower(domain) = lower(:t) or "
                       "exists (select 1 from json_each(aliases) where lower(value) = lower(:t))",
};

struct taking {
    struct wh_arena *arena;
    struct found_names *names;
    int64_t nearness; /* of what was taken */
    struct wh_slice value;
};

static enum wh_rc take_columns(void *ctx, const struct wh_slice *names, size_t n,
                               struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static const char *kind_name(struct wh_slice name)
{
    for (int i = TAKES_PERSON; i <= TAKES_CUSTOMER; i++) {
        if (wh_slice_eq(name, wh_slice_str(form_takes_names[i]))) {
            return form_takes_names[i];
        }
    }
    return "";
}

/* The nearest ones alone. */
static enum wh_rc take_name(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                            struct wh_err *err)
{
    struct taking *t = ctx;
    struct question_choice *c;

    (void)n;
    if (t->names->n && values[3].i > t->nearness) {
        return WH_OK;
    }
    if (t->names->n && values[3].i < t->nearness) {
        t->names->n = 0;
    }
    if (t->names->n == QUESTION_CHOICES_MAX) {
        *ret_full = true;
        return WH_OK;
    }
    t->nearness = values[3].i;
    c = &t->names->list[t->names->n++];
    c->kind = kind_name(values[0].bytes);
    return wh_arena_dup(t->arena, values[1].bytes, &c->id, err) == WH_OK
               ? wh_arena_dup(t->arena, values[2].bytes, &c->name, err)
               : err->rc;
}

static enum wh_rc take_value(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                             struct wh_err *err)
{
    struct taking *t = ctx;

    (void)n;
    (void)ret_full;
    return wh_arena_dup(t->arena, values[0].bytes, &t->value, err);
}

static enum wh_rc run(const struct question_conf *conf, const char *sql, struct wh_slice text,
                      struct sql_rows rows, int64_t max, struct wh_err *err)
{
    const struct sql_param param = {WH_LIT("t"), {.type = SQL_TEXT, .bytes = text}};
    const struct sql_query query = {.text = wh_slice_str(sql),
                                    .params = &param,
                                    .n_params = 1,
                                    .timeout_ms = conf->timeout_ms,
                                    .max_rows = max,
                                    .canceled = conf->canceled,
                                    .when = conf->when};
    struct sql_outcome outcome;

    return sql_run(conf->engine, &query, &rows, &outcome, err);
}

static bool is_chosen(const struct question_conf *conf, struct wh_slice id)
{
    return conf->chosen.len && memmem(conf->chosen.ptr, conf->chosen.len, id.ptr, id.len);
}

/* What was chosen before is what is meant. */
static void choose(const struct question_conf *conf, struct found_names *names)
{
    for (size_t i = 0; names->n > 1 && i < names->n; i++) {
        if (is_chosen(conf, names->list[i].id)) {
            names->list[0] = names->list[i];
            names->n = 1;
        }
    }
}

enum wh_rc names_find(const struct question_conf *conf, struct wh_slice text, unsigned kinds,
                      struct wh_arena *arena, struct found_names *ret, struct wh_err *err)
{
    struct taking t = {.arena = arena, .names = ret};
    WH_AUTO(buf) struct wh_buf sql;
    enum wh_rc rc = WH_OK;

    ret->n = 0;
    wh_buf_init(&sql, STATEMENT_MAX_BYTES);
    for (int i = TAKES_PERSON; rc == WH_OK && i <= TAKES_CUSTOMER; i++) {
        if (kinds & 1u << i) {
            rc = wh_buf_printf(&sql, err, "%s%s", sql.len ? " union all " : "", lookups[i]);
        }
    }
    if (rc != WH_OK || sql.len == 0 || conf->engine == NULL) {
        return rc;
    }
    rc = run(conf, wh_buf_str(&sql), text, (struct sql_rows){take_columns, take_name, &t}, ROWS_MAX,
             err);
    choose(conf, ret);
    return rc;
}

enum wh_rc names_value(const struct question_conf *conf, const char *table, const char *column,
                       struct wh_slice text, struct wh_arena *arena, struct wh_slice *ret,
                       struct wh_err *err)
{
    struct taking t = {.arena = arena, .value = {NULL, 0}};
    const char *dot = strchr(column, '.');
    WH_AUTO(buf) struct wh_buf sql;
    enum wh_rc rc = WH_OK;

    *ret = t.value;
    wh_buf_init(&sql, STATEMENT_MAX_BYTES);
    if (conf->engine == NULL) {
        return WH_OK;
    }
    if (dot) {
        rc = wh_buf_printf(&sql, err, "select %s from %.*s where lower(%s) = lower(:t) limit 1",
                           dot + 1, (int)(dot - column), column, dot + 1);
    } else {
        rc = wh_buf_printf(&sql, err, "select %s from %s where lower(%s) = lower(:t) limit 1",
                           column, table, column);
    }
    rc = rc == WH_OK ? run(conf, wh_buf_str(&sql), text,
                           (struct sql_rows){take_columns, take_value, &t}, 1, err)
                     : rc;
    *ret = t.value;
    return rc;
}
