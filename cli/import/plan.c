/* The rows of the files: counted, indexed, and kept until they are sent. */
#include <inttypes.h>

#include "cli/import/plan_priv.h"
#include "common/base/mem.h"
#include "common/json/json_write.h"

enum { MARKS_STEP = 1 << 16, ERRORS_MAX_BYTES = 4 << 20 };

/* ---- what is wrong ---- */

static void keep_error(struct import_plan *plan, const char *file, int64_t line,
                       struct wh_slice column, const char *reason)
{
    struct wh_json_writer w;
    struct wh_err err;

    if (plan->errors_json.len) {
        (void)!wh_buf_append_char(&plan->errors_json, ',', &err);
    }
    wh_json_writer_init(&w, &plan->errors_json);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "file", wh_slice_str(file));
    wh_jw_put_int(&w, "line", line);
    wh_jw_put_str(&w, "column", column);
    wh_jw_put_str(&w, "reason", wh_slice_str(reason));
    wh_jw_end(&w);
    (void)!wh_jw_finish(&w, &err);
}

static void say_wrong(struct import_plan *plan, const char *file, int64_t line,
                      struct wh_slice column, const char *reason)
{
    cli_note(&plan->cli->out, "%s:%lld: %.*s: %s\n", file, (long long)line, WH_SLICE_ARG(column),
             reason);
    if (plan->errors++ < IMPORT_ERRORS_KEPT) {
        keep_error(plan, file, line, column, reason);
    }
}

static void on_wrong(void *ctx, int64_t line, struct wh_slice column, const char *reason)
{
    struct import_plan *plan = ctx;

    say_wrong(plan, plan->files[plan->n_files - 1], line, column, reason);
}

static void on_other(void *ctx, struct wh_slice column)
{
    struct import_plan *plan = ctx;

    if (!plan->cli->opt.quiet && plan->cli->opt.format == CLI_TEXT) {
        cli_note(&plan->cli->out, "%s: the column %.*s is kept as an attribute\n",
                 plan->files[plan->n_files - 1], WH_SLICE_ARG(column));
    }
}

/* ---- the plan ---- */

enum wh_rc import_plan_new(struct cli *cli, const char *source, struct import_plan **ret,
                           struct wh_err *err)
{
    struct import_plan *plan = wh_mem_zalloc(1, sizeof(*plan));
    const struct import_kind *kinds = import_kinds(&plan->n_kinds);

    if (plan == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the plan");
    }
    plan->cli = cli;
    for (size_t i = 0; i < plan->n_kinds; i++) {
        plan->counts[i].kind = &kinds[i];
    }
    wh_buf_init(&plan->errors_json, ERRORS_MAX_BYTES);
    (void)snprintf(plan->connection, sizeof(plan->connection), "import-%.57s", source);
    (void)snprintf(plan->instance, sizeof(plan->instance), "import:%.64s", source);
    plan->row = import_row_new(wh_slice_str(plan->instance),
                               &(struct import_report){.wrong = on_wrong, .ctx = plan});
    if (plan->row == NULL) {
        import_plan_free(plan);
        return wh_fail(err, WH_E_NOMEM, "no memory for the plan");
    }
    if (import_index_new(&plan->index, err) != WH_OK) {
        import_plan_free(plan);
        return err->rc;
    }
    *ret = plan;
    return WH_OK;
}

void import_plan_free(struct import_plan *plan)
{
    if (plan) {
        import_row_free(plan->row);
        import_index_free(plan->index);
        wh_buf_done(&plan->errors_json);
        wh_mem_free(plan->marks);
        wh_mem_free(plan);
    }
}

/* ---- rows ---- */

static enum wh_rc make_room(struct import_plan *plan, struct wh_err *err)
{
    void *marks;

    if ((size_t)plan->n_rows < plan->marks_size) {
        return WH_OK;
    }
    marks = wh_mem_resize(plan->marks, plan->marks_size + MARKS_STEP, 1);
    if (marks == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for more rows");
    }
    plan->marks = marks;
    memset(plan->marks + plan->marks_size, IMPORT_ADDED, MARKS_STEP);
    plan->marks_size += MARKS_STEP;
    return WH_OK;
}

static enum wh_rc on_row(void *ctx, bool good, const struct import_record *record,
                         struct wh_err *err)
{
    struct import_plan *plan = ctx;

    import_progress(&plan->progress, plan->cli, "checking", plan->n_rows, -1);
    if (!good) {
        return WH_OK;
    }
    if (make_room(plan, err) != WH_OK) {
        return err->rc;
    }
    plan->n_rows++;
    plan->counts[plan->kind].rows++;
    return import_index_keep(plan->index, IMPORT_LISTED,
                             &(struct import_kept){.line = record->line,
                                                   .kind = (int64_t)plan->kind,
                                                   .file = (int64_t)plan->n_files - 1,
                                                   .id = record->id,
                                                   .shown = record->shown,
                                                   .content = record->content,
                                                   .identity = record->identity,
                                                   .payload = record->payload},
                             err);
}

enum wh_rc import_plan_read(struct import_plan *plan, const struct import_file *file,
                            struct wh_err *err)
{
    const struct import_rows rows = {.row = on_row, .other = on_other, .ctx = plan};
    enum wh_rc rc;

    while (plan->counts[plan->kind].kind != file->kind) {
        plan->kind = (plan->kind + 1) % plan->n_kinds;
    }
    plan->counts[plan->kind].given = true;
    plan->files[plan->n_files++] = file->name;
    import_progress_begin(&plan->progress, plan->cli);
    rc = import_read(file, plan->row, &rows, err);
    cli_progress_end(&plan->cli->out);
    return rc;
}

static void on_twice(void *ctx, const struct import_twice *t)
{
    struct import_plan *plan = ctx;
    struct import_count *count = &plan->counts[t->kind];
    char reason[IMPORT_REASON_MAX];

    (void)snprintf(reason, sizeof(reason), "the row repeats %.150s:%" PRId64,
                   plan->files[t->first_file], t->first_line);
    say_wrong(plan, plan->files[t->file], t->line, wh_slice_str(count->kind->columns[0].name),
              reason);
    plan->marks[t->number] = IMPORT_SAME;
    count->rows--;
}

enum wh_rc import_plan_seal(struct import_plan *plan, struct wh_err *err)
{
    return import_index_seal(plan->index, on_twice, plan, err);
}

const struct import_count *import_plan_counts(const struct import_plan *plan, size_t *ret_n)
{
    *ret_n = plan->n_kinds;
    return plan->counts;
}

int64_t import_plan_errors(const struct import_plan *plan)
{
    return plan->errors;
}

struct wh_slice import_plan_errors_json(const struct import_plan *plan)
{
    return wh_buf_slice(&plan->errors_json);
}

const char *import_plan_connection(const struct import_plan *plan)
{
    return plan->connection;
}

const char *import_plan_instance(const struct import_plan *plan)
{
    return plan->instance;
}

int64_t import_plan_newest_ms(const struct import_plan *plan)
{
    return plan->newest_ms;
}

/* ---- what is to be sent ---- */

void import_plan_rewind(struct import_plan *plan, bool gone)
{
    plan->next = 0;
    plan->list = IMPORT_LISTED;
    plan->with_missing = gone;
    import_index_rewind(plan->index, IMPORT_LISTED);
    import_index_rewind(plan->index, IMPORT_MISSING);
}

enum wh_rc import_plan_next(struct import_plan *plan, bool *ret_any, struct import_item *ret,
                            struct wh_err *err)
{
    struct import_kept kept = {0};
    bool skip = true;
    bool gone;

    while (skip) {
        if (import_index_next(plan->index, plan->list, ret_any, &kept, err) != WH_OK) {
            return err->rc;
        }
        skip = *ret_any && plan->list == IMPORT_LISTED && plan->marks[plan->next++] == IMPORT_SAME;
        if (!*ret_any && plan->list == IMPORT_LISTED && plan->with_missing) {
            plan->list = IMPORT_MISSING;
            skip = true;
        }
    }
    gone = plan->list == IMPORT_MISSING;
    *ret = (struct import_item){.kind = plan->counts[kept.kind].kind,
                                .gone = gone,
                                .file = gone ? NULL : plan->files[kept.file],
                                .line = kept.line,
                                .identity = kept.identity,
                                .payload = kept.payload};
    return WH_OK;
}
