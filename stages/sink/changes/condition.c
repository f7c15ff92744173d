/* Conditions in SQL over the entity of a change. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/changes/changes_priv.h"
#include "stages/sink/store/head_at.h"

enum {
    WHERE_MAX_BYTES = 16 << 10,
    TIMEOUT_MS = 5000,      /* of one condition */
    ALL_TIMEOUT_MS = 60000, /* of all rows of a table */
};

struct change_condition {
    enum wh_kind kind;
    struct wh_buf one; /* is it true of :id? */
    struct wh_buf all; /* the ids of which it is true */
};

/* ---- statements ---- */

static struct wh_history_when after(const struct change *change)
{
    return (struct wh_history_when){.stored_ms = change->stored_ms,
                                    .valid_ms = change->superseded && !change->late
                                                    ? wh_version_at_ms(change->version.order)
                                                    : INT64_MAX};
}

static enum wh_rc run(struct changes *c, struct wh_slice text, const struct wh_entity_id *id,
                      const struct wh_history_when *when, const atomic_bool *canceled,
                      const struct sql_rows *rows, struct wh_err *err)
{
    char id_text[WH_ENTITY_ID_TEXT + 1];
    const struct sql_param param = {
        WH_LIT("id"), {.type = SQL_TEXT, .bytes = wh_slice_str(wh_entity_id_format(id, id_text))}};
    const struct sql_query query = {.text = text,
                                    .params = &param,
                                    .n_params = 1,
                                    .timeout_ms = TIMEOUT_MS,
                                    .max_rows = 1,
                                    .canceled = canceled,
                                    .when = when};
    struct sql_outcome outcome;

    return sql_run(c->engine, &query, rows, &outcome, err);
}

/*
 * The state after the newest change of all is the present one, which is read faster than the past. It
 * is not any more when something was stored meanwhile.
 */
enum wh_rc changes_ask(struct changes *c, const struct changes_question *q,
                       const struct change *change, struct wh_err *err)
{
    const struct wh_history_when when = after(change);
    uint64_t stored = 0;
    enum wh_rc rc;

    if (change->sequence != changes_last(c)) {
        return run(c, q->text, &change->id, &when, q->canceled, &q->rows, err);
    }
    rc = run(c, q->text, &change->id, NULL, q->canceled, &q->rows, err);
    if (rc != WH_OK || changes_stored(c, &stored, err) != WH_OK || stored == change->sequence) {
        return rc == WH_OK && stored != change->sequence ? err->rc : rc;
    }
    q->again(q->rows.ctx);
    return run(c, q->text, &change->id, &when, q->canceled, &q->rows, err);
}

/* ---- birth and death ---- */

static const struct sql_table_info *find_table(struct wh_slice name, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_by_name(name);
    size_t n;
    const struct sql_table_info *tables = sql_tables(&n);

    name = def ? wh_slice_str(def->table) : name;
    for (size_t i = 0; i < n; i++) {
        if (tables[i].kind != WH_KIND_NONE && wh_slice_eq(name, wh_slice_str(tables[i].name))) {
            return &tables[i];
        }
    }
    (void)wh_fail(err, WH_E_INVALID,
                  "'%.*s' is no table of records; there are work_items, merge_requests, issues, "
                  "incidents, pipelines, jobs, deployments and others (`wellhead tables`)",
                  (int)(name.len < 64 ? name.len : 64), name.ptr);
    return NULL;
}

static enum wh_rc no_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc note_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                           struct wh_err *err)
{
    (void)values;
    (void)n;
    (void)ret_full;
    (void)err;
    *(bool *)ctx = true;
    return WH_OK;
}

/* Asks once, of no entity: a text that is no condition is refused now. */
static enum wh_rc check(struct changes *c, const struct change_condition *condition,
                        struct wh_err *err)
{
    const struct wh_entity_id none = {{0}};
    bool found = false;
    const struct sql_rows rows = {.columns = no_columns, .row = note_row, .ctx = &found};

    return run(c, wh_buf_slice(&condition->one), &none, NULL, NULL, &rows, err);
}

static enum wh_rc write_statements(struct change_condition *condition,
                                   const struct sql_table_info *table, struct wh_slice where,
                                   bool deleted, struct wh_err *err)
{
    const char *suffix = deleted ? "_all" : "";

    where = where.len ? where : WH_LIT("1");
    /* The condition ends with its line, in which it may have a comment. */
    return wh_buf_printf(&condition->one, err, "SELECT 1 FROM \"%s%s\" WHERE id = :id AND (%.*s\n)",
                         table->name, suffix, WH_SLICE_ARG(where)) == WH_OK
               ? wh_buf_printf(&condition->all, err, "SELECT id FROM \"%s%s\" WHERE (%.*s\n)",
                               table->name, suffix, WH_SLICE_ARG(where))
               : err->rc;
}

enum wh_rc change_condition_new(struct changes *c, struct wh_slice table, struct wh_slice where,
                                bool deleted, struct change_condition **ret, struct wh_err *err)
{
    const struct sql_table_info *info = find_table(table, err);
    struct change_condition *condition;

    if (info == NULL) {
        return err->rc;
    }
    if (where.len > WHERE_MAX_BYTES) {
        return wh_fail(err, WH_E_INVALID, "a condition of more than %d bytes", WHERE_MAX_BYTES);
    }
    condition = wh_mem_zalloc(1, sizeof(*condition));
    if (condition == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a condition");
    }
    condition->kind = info->kind;
    wh_buf_init(&condition->one, 2 * WHERE_MAX_BYTES);
    wh_buf_init(&condition->all, 2 * WHERE_MAX_BYTES);
    if (write_statements(condition, info, where, deleted, err) != WH_OK ||
        check(c, condition, err) != WH_OK) {
        change_condition_free(condition);
        return err->rc;
    }
    *ret = condition;
    return WH_OK;
}

void change_condition_free(struct change_condition *condition)
{
    if (condition) {
        wh_buf_done(&condition->one);
        wh_buf_done(&condition->all);
        wh_mem_free(condition);
    }
}

enum wh_kind change_condition_kind(const struct change_condition *condition)
{
    return condition->kind;
}

/* ---- asking ---- */

static void forget_row(void *ctx)
{
    *(bool *)ctx = false;
}

enum wh_rc change_matches(struct changes *c, const struct change_condition *condition,
                          const struct change *change, const atomic_bool *canceled, bool *ret,
                          struct wh_err *err)
{
    const struct changes_question q = {
        .text = wh_buf_slice(&condition->one),
        .rows = {.columns = no_columns, .row = note_row, .ctx = ret},
        .again = forget_row,
        .canceled = canceled,
    };

    *ret = false;
    return change->kind == condition->kind ? changes_ask(c, &q, change, err) : WH_OK;
}

struct visitor {
    enum wh_rc (*visit)(void *ctx, const struct wh_entity_id *id, struct wh_err *err);
    void *ctx;
};

static enum wh_rc visit_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                            struct wh_err *err)
{
    const struct visitor *v = ctx;
    struct wh_entity_id id;

    (void)n;
    (void)ret_full;
    return wh_entity_id_parse(values[0].bytes, &id, err) == WH_OK ? v->visit(v->ctx, &id, err)
                                                                  : err->rc;
}

enum wh_rc change_matches_now(struct changes *c, const struct change_condition *condition,
                              enum wh_rc (*visit)(void *ctx, const struct wh_entity_id *id,
                                                  struct wh_err *err),
                              void *ctx, struct wh_err *err)
{
    struct visitor visitor = {visit, ctx};
    const struct sql_rows rows = {.columns = no_columns, .row = visit_row, .ctx = &visitor};
    const struct sql_query query = {
        .text = wh_buf_slice(&condition->all), .timeout_ms = ALL_TIMEOUT_MS, .max_rows = INT64_MAX};
    struct sql_outcome outcome;

    return sql_run(c->engine, &query, &rows, &outcome, err);
}
