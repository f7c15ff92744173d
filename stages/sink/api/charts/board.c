/* The pages of measures: the board, one measure, and the rows behind a number. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/api/charts/charts_priv.h"

enum { PANELS_MAX = 8, PANEL_TIMEOUT_MS = 2000, BOARD_TIMEOUT_MS = 8000 };

static const struct section {
    const char *title;
    const char *panels[PANELS_MAX];
} sections[] = {
    {"DORA",
     {"deployment_frequency", "lead_time_for_changes", "change_failure_rate", "time_to_restore"}},
    {"Merge requests",
     {"merge_requests_opened", "merge_requests_merged", "open_merge_requests", "time_to_merge",
      "time_to_first_review"}},
    {"Pipelines",
     {"pipelines", "pipeline_success", "pipeline_duration", "default_branch_failures",
      "jobs_failed", "job_duration"}},
    {"Issues", {"issues_opened", "issues_closed", "open_issues", "issue_lead_time"}},
    {"Incidents", {"incidents_opened", "open_incidents", "revenue_at_risk"}},
};

/* ---- the form ---- */

static const struct choice {
    const char *value;
    const char *name;
} periods[] = {{"-4w", "4 weeks"},
               {"-12w", "12 weeks"},
               {"-26w", "26 weeks"},
               {"-52w", "52 weeks"}},
  units[] = {{"day", "day"}, {"week", "week"}, {"month", "month"}};

/* The usual choice when nothing is asked for. A value that is none of the choices becomes one. */
static void write_choices(struct wh_json_writer *w, const char *name, const struct choice *list,
                          size_t n, const char *usual, struct wh_slice asked)
{
    struct wh_slice chosen = asked.len ? asked : wh_slice_str(usual);
    bool found = false;

    wh_jw_key(w, name);
    wh_jw_array(w);
    for (size_t i = 0; i < n; i++) {
        bool now = wh_slice_eq(chosen, wh_slice_str(list[i].value));

        wh_jw_object(w);
        wh_jw_put_str(w, "value", wh_slice_str(list[i].value));
        wh_jw_put_str(w, "name", wh_slice_str(list[i].name));
        wh_jw_put_bool(w, "chosen", now);
        wh_jw_end(w);
        found = found || now;
    }
    if (!found) {
        wh_jw_object(w);
        wh_jw_put_str(w, "value", chosen);
        wh_jw_put_str(w, "name", chosen);
        wh_jw_put_bool(w, "chosen", true);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_form(struct wh_json_writer *w, const struct api_job *job)
{
    const struct api_request *r = &job->request;

    wh_jw_key(w, "form");
    wh_jw_object(w);
    write_choices(w, "periods", periods, sizeof(periods) / sizeof(periods[0]), "-12w",
                  api_arg(r, "since"));
    write_choices(w, "units", units, sizeof(units) / sizeof(units[0]), "week", api_arg(r, "over"));
    wh_jw_put_str(w, "project", api_arg(r, "project"));
    wh_jw_put_str(w, "until", api_arg(r, "until"));
    wh_jw_end(w);
}

/* ---- a panel ---- */

static enum wh_rc write_panel_of(struct numbers *n, const struct measure *m, const char *id,
                                 bool large, struct wh_json_writer *w, struct wh_err *err)
{
    if (numbers_ask(n, m, err) != WH_OK || numbers_read(n, err) != WH_OK ||
        numbers_write(n, w, err) != WH_OK) {
        return err->rc;
    }
    return n->job->twin == API_TWIN_HTML ? numbers_draw(n, id, large, w, err) : WH_OK;
}

/* A panel that fails says why; the others are shown. */
static enum wh_rc write_panel(struct api_job *job, const struct measure *m, const char *id,
                              const struct numbers_gaps *gaps, int64_t timeout_ms,
                              struct wh_json_writer *w, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer panel;
    struct numbers n;
    enum wh_rc rc;

    wh_buf_init(&text, PAGE_PART_MAX_BYTES);
    wh_json_writer_init(&panel, &text);
    wh_jw_object(&panel);
    numbers_init(&n, job);
    n.timeout_ms = timeout_ms;
    n.gaps = gaps;
    rc = write_panel_of(&n, m, id, false, &panel, err);
    numbers_done(&n);
    wh_jw_end(&panel);
    if (rc == WH_OK && wh_jw_finish(&panel, err) == WH_OK) {
        wh_jw_raw(w, wh_buf_slice(&text));
        return WH_OK;
    }
    if (err->rc == WH_E_CANCELED || err->rc == WH_E_NOMEM) {
        return err->rc;
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "title", m->title);
    wh_jw_put_str(w, "error", wh_slice_str(err->msg));
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_section(struct api_job *job, const struct section *s,
                                const struct numbers_gaps *gaps, int64_t until_ns,
                                struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "title", wh_slice_str(s->title));
    wh_jw_key(w, "panels");
    wh_jw_array(w);
    for (size_t i = 0; i < PANELS_MAX && s->panels[i]; i++) {
        const struct measure *m = measures_find(job->api->measures, wh_slice_str(s->panels[i]));
        int64_t left = (until_ns - wh_clock_mono_ns(&job->api->deps.clock)) / 1000000;

        if (m && write_panel(job, m, s->panels[i], gaps,
                             left < 1                  ? 1
                             : left < PANEL_TIMEOUT_MS ? left
                                                       : PANEL_TIMEOUT_MS,
                             w, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_board(struct api_job *job, const struct numbers_gaps *gaps,
                              struct wh_json_writer *w, struct wh_err *err)
{
    int64_t until_ns =
        wh_clock_mono_ns(&job->api->deps.clock) + (int64_t)BOARD_TIMEOUT_MS * 1000000;

    write_form(w, job);
    wh_jw_key(w, "sections");
    wh_jw_array(w);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (write_section(job, &sections[i], gaps, until_ns, w, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc answer_board(struct api_job *job, struct wh_err *err)
{
    struct numbers_gaps gaps;
    struct api_json j;
    enum wh_rc rc;

    api_json_begin(&j);
    rc = numbers_gaps_read(job, &gaps, err);
    rc = rc == WH_OK ? write_board(job, &gaps, &j.w, err) : rc;
    numbers_gaps_done(&gaps);
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    return api_json_end(&j, job, err);
}

/* ---- one measure ---- */

/* What it may be grouped by, as choices. */
static void write_by(struct wh_json_writer *w, const struct measure *m, struct wh_slice asked)
{
    wh_jw_key(w, "by_choices");
    wh_jw_array(w);
    for (size_t i = 0; i < m->n_by; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "value", m->by[i]->id);
        wh_jw_put_str(w, "name", m->by[i]->title);
        wh_jw_put_bool(w, "chosen", wh_slice_eq(asked, m->by[i]->id));
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

/* A measure of one's own, before it is complete: what can be chosen. */
static bool is_begun(const struct api_job *job)
{
    struct wh_slice table = api_arg(&job->request, "table");
    struct wh_slice measure = api_arg(&job->request, "measure");
    struct wh_slice was = api_arg(&job->request, "was"); /* the table whose columns the form had */

    return table.len == 0 || (was.len && !wh_slice_eq(was, table)) ||
           (measure.len && !wh_slice_eq(measure, WH_LIT("count")) &&
            api_arg(&job->request, "column").len == 0);
}

static enum wh_rc write_one(struct api_job *job, struct wh_json_writer *w, struct wh_err *err)
{
    bool own = wh_slice_eq(job->id, WH_LIT("new"));
    const struct measure *m = NULL;
    struct numbers_gaps gaps;
    struct numbers n;
    enum wh_rc rc;

    write_form(w, job);
    if (own) {
        numbers_write_builder(job, w);
    }
    if (own && is_begun(job)) {
        return WH_OK;
    }
    if (numbers_measure(job, &m, err) != WH_OK) {
        return err->rc;
    }
    if (!own) {
        write_by(w, m, api_arg(&job->request, "by"));
    }
    numbers_init(&n, job);
    n.gaps = &gaps;
    rc = numbers_gaps_read(job, &gaps, err);
    rc = rc == WH_OK ? write_panel_of(&n, m, "chart", true, w, err) : rc;
    numbers_done(&n);
    numbers_gaps_done(&gaps);
    return rc;
}

static enum wh_rc answer_one(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    if (job->twin == API_TWIN_CSV) {
        return api_answer_measure(job, err);
    }
    api_json_begin(&j);
    if (write_one(job, &j.w, err) != WH_OK) {
        wh_buf_done(&j.buf);
        return err->rc;
    }
    return api_json_end(&j, job, err);
}

/* What the rows are of: the measure, and the statement that reads them. */
static enum wh_rc write_about(struct numbers *n, const struct measure *m, struct wh_json_writer *w,
                              struct wh_err *err)
{
    struct measure_statement s;

    if (numbers_ask(n, m, err) != WH_OK ||
        measure_rows_statement(&n->query, &n->arena, &s, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "title", m->title);
    wh_jw_put_str(w, "definition", m->definition);
    wh_jw_put_str(w, "id", m->id);
    wh_jw_put_str(w, "sql", s.sql);
    wh_jw_key(w, "params");
    wh_jw_array(w);
    for (size_t i = 0; i < s.n_params; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "name", s.params[i].name);
        wh_jw_put_str(w, "value", s.params[i].value);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc answer_about(struct api_job *job, struct wh_err *err)
{
    const struct measure *m = NULL;
    struct numbers n;
    struct api_json j;
    enum wh_rc rc;

    if (numbers_measure(job, &m, err) != WH_OK) {
        return err->rc;
    }
    api_json_begin(&j);
    numbers_init(&n, job);
    rc = write_about(&n, m, &j.w, err);
    numbers_done(&n);
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    return api_json_end(&j, job, err);
}

static const struct api_page pages[] = {
    {.path = "/charts",
     .file = "charts",
     .title = "Charts",
     .section = "/charts",
     .parts = {{.name = "board", .answer = answer_board}}},
    {.path = "/charts/*",
     .file = "chart",
     .title = "Chart",
     .section = "/charts",
     .parts = {{.name = "chart", .answer = answer_one, .has_rows = true}}},
    {.path = "/rows/*",
     .file = "measure_rows",
     .title = "Rows behind a number",
     .section = "/charts",
     .parts = {{.name = "about", .answer = answer_about},
               {.name = "result", .answer = api_answer_measure_rows, .has_rows = true}}},
};

const struct page_area page_area_charts = PAGE_AREA(pages);
