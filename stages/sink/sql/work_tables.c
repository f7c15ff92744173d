/* Tables of rollbacks and of names that link to nothing; see impact/impact.h. */
#include "common/json/json_write.h"
#include "stages/sink/impact/impact.h"
#include "stages/sink/sql/computed.h"

/* ---- rollbacks, one project at a time ---- */

enum {
    R_DEPLOYMENT,
    R_REPLACED,
    R_ENVIRONMENT,
    R_PROJECT_PATH,
    R_AT,
    R_RULE,
    R_SERVICE,
    R_SERVICE_NAME,
    R_COLUMNS
};

static const struct sql_column rollback_columns[R_COLUMNS] = {
    {"deployment", "TEXT", SQL_SHAPE_PLAIN, "the rollback"},
    {"replaced_deployment", "TEXT", SQL_SHAPE_PLAIN,
     "the last success in that environment before it"},
    {"environment", "TEXT", SQL_SHAPE_PLAIN, "name of the environment"},
    {"project_path", "TEXT", SQL_SHAPE_PLAIN, "the project's path"},
    {"at", "TEXT", SQL_SHAPE_TIME, "when it finished"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN, "older_commit, older_pipeline, revert or name"},
    {"service", "TEXT", SQL_SHAPE_PLAIN, "service that owns the project or the environment"},
    {"service_name", "TEXT", SQL_SHAPE_PLAIN, "its name"},
};

static enum wh_rc projects_start(struct sql_computing *c, int key, struct wh_slice value,
                                 struct wh_err *err)
{
    struct past_scan *scan = NULL;

    (void)key;
    (void)value;
    if (past_each(c->past, WH_KIND_PROJECT, &scan, err) != WH_OK) {
        return err->rc;
    }
    c->state = scan;
    return WH_OK;
}

static void projects_stop(struct sql_computing *c)
{
    past_scan_free(c->state);
}

static enum wh_rc add_rollback(struct sql_computing *c, const struct impact_rollback *r,
                               struct wh_slice path, const struct impact_service *s,
                               struct wh_err *err)
{
    struct sql_value row[R_COLUMNS] = {
        [R_ENVIRONMENT] = sql_value_of_text(r->environment),
        [R_PROJECT_PATH] = sql_value_of_text(path),
        [R_RULE] = sql_value_of_text(wh_slice_str(r->rule)),
    };

    if (sql_value_of_id(c, &r->deployment, &row[R_DEPLOYMENT], err) != WH_OK ||
        sql_value_of_time(c, r->at_ms, &row[R_AT], err) != WH_OK ||
        (r->has_replaced && sql_value_of_id(c, &r->replaced, &row[R_REPLACED], err) != WH_OK)) {
        return err->rc;
    }
    if (s) {
        row[R_SERVICE_NAME] = sql_value_of_text(s->name);
        if (sql_value_of_id(c, &s->id, &row[R_SERVICE], err) != WH_OK) {
            return err->rc;
        }
    }
    return sql_computed_add(c, row, err);
}

/* One row for each service; one without a service when there is none. */
static enum wh_rc add_with_services(struct sql_computing *c, const struct impact_rollback *r,
                                    struct wh_slice path, struct wh_err *err)
{
    struct impact_service *s = NULL;

    if (impact_deployed_services(c->past, &r->project, r->environment, &c->step, &s, err) !=
        WH_OK) {
        return err->rc;
    }
    do {
        if (add_rollback(c, r, path, s, err) != WH_OK) {
            return err->rc;
        }
        s = s ? s->next : NULL;
    } while (s);
    return WH_OK;
}

static enum wh_rc rollbacks_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    const struct wh_head *project = NULL;
    struct impact_rollback *list = NULL;
    struct past_found found;
    bool more = false;

    if (past_next(c->state, &found, &more, err) != WH_OK) {
        return err->rc;
    }
    *ret_end = !more;
    if (!more) {
        return WH_OK;
    }
    if (past_live(c->past, found.kind, &found.id, &c->step, &project, err) != WH_OK) {
        return err->rc;
    }
    if (project && impact_rollbacks(c->past, &project->id, INT64_MIN, INT64_MAX, &c->step, &list,
                                    err) != WH_OK) {
        return err->rc;
    }
    for (; list; list = list->next) {
        if (add_with_services(c, list, past_string(project, "path"), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

const struct sql_computed_def sql_rollbacks = {
    .name = "rollbacks",
    .columns = rollback_columns,
    .n_columns = R_COLUMNS,
    .rows = 1000,
    .start = projects_start,
    .step = rollbacks_step,
    .stop = projects_stop,
};

/* ---- unresolved ---- */

enum { U_KEY, U_BY, U_BY_URL, U_RULE, U_FIELD, U_COUNT, U_AMBIGUOUS, U_CLAIMANTS, U_COLUMNS };

static const struct sql_column unresolved_columns[U_COLUMNS] = {
    {"key", "TEXT", SQL_SHAPE_PLAIN, "the name, with its kind in front"},
    {"mentioned_by", "TEXT", SQL_SHAPE_PLAIN, "who mentions it; NULL: nobody"},
    {"mentioned_by_url", "TEXT", SQL_SHAPE_PLAIN, "its page"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN, "label, heading, environment, project; import for a row"},
    {"field", "TEXT", SQL_SHAPE_PLAIN, "where it is mentioned"},
    {"count", "INTEGER", SQL_SHAPE_PLAIN, "how many mention it"},
    {"ambiguous", "INTEGER", SQL_SHAPE_BOOL, "several claim it, so that it links to none of them"},
    {"claimants", "TEXT", SQL_SHAPE_JSON, "who claims it, when it is ambiguous"},
};

static enum wh_rc unresolved_start(struct sql_computing *c, int key, struct wh_slice value,
                                   struct wh_err *err)
{
    struct impact_unresolved_scan *scan = NULL;

    (void)key;
    (void)value;
    if (impact_unresolved_new(c->past, &scan, err) != WH_OK) {
        return err->rc;
    }
    c->state = scan;
    return WH_OK;
}

static void unresolved_stop(struct sql_computing *c)
{
    impact_unresolved_free(c->state);
}

static enum wh_rc put_claimants(struct sql_computing *c, const struct impact_loose *loose,
                                struct sql_value *ret, struct wh_err *err)
{
    struct wh_buf text;
    struct wh_slice copy = {NULL, 0};
    char id[WH_ENTITY_ID_TEXT + 1];
    enum wh_rc rc = WH_OK;

    if (loose->n_claimants == 0) {
        return WH_OK;
    }
    wh_buf_init(&text, 1 << 20);
    for (size_t i = 0; rc == WH_OK && i < loose->n_claimants; i++) {
        rc = wh_buf_printf(&text, err, "%s\"%s\"", i ? "," : "[",
                           wh_entity_id_format(&loose->claimants[i], id));
    }
    rc = rc == WH_OK ? wh_buf_append_char(&text, ']', err) : rc;
    rc = rc == WH_OK ? wh_arena_dup(&c->step, wh_buf_slice(&text), &copy, err) : rc;
    wh_buf_done(&text);
    *ret = sql_value_of_text(copy);
    return rc;
}

static enum wh_rc add_unresolved(struct sql_computing *c, const struct impact_unresolved *u,
                                 struct wh_err *err)
{
    const struct impact_loose *loose = &u->loose;
    struct sql_value row[U_COLUMNS] = {
        [U_KEY] = sql_value_of_text(loose->name),
        [U_COUNT] = sql_value_of_int(u->count),
        [U_AMBIGUOUS] = sql_value_of_int(loose->n_claimants > 0),
    };
    const struct wh_head *by = NULL;

    if (put_claimants(c, loose, &row[U_CLAIMANTS], err) != WH_OK) {
        return err->rc;
    }
    if (u->mentioned) {
        if (past_head(c->past, loose->kind, &loose->by, &c->step, &by, err) != WH_OK ||
            sql_value_of_id(c, &loose->by, &row[U_BY], err) != WH_OK) {
            return err->rc;
        }
        row[U_RULE] = sql_value_of_text(wh_slice_str(loose->rule));
        row[U_BY_URL] = sql_value_of_text(by ? by->source.url : (struct wh_slice){NULL, 0});
        if (loose->field >= 0) {
            row[U_FIELD] = sql_value_of_text(
                wh_slice_str(wh_kind_def(loose->kind)->fields[loose->field].name));
        }
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc unresolved_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    struct impact_unresolved *list = NULL;
    size_t n = 0;

    if (impact_unresolved_next(c->state, &c->step, &list, &n, ret_end, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (add_unresolved(c, &list[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

const struct sql_computed_def sql_unresolved = {
    .name = "unresolved",
    .columns = unresolved_columns,
    .n_columns = U_COLUMNS,
    .rows = 1000,
    .start = unresolved_start,
    .step = unresolved_step,
    .stop = unresolved_stop,
};
