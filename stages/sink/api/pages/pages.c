/* How a page is found, made and shown; what pages there are: page_areas. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/page/render.h"

enum { DOCUMENT_MAX_BYTES = 24 << 20, ARGS_MAX = 130 };

static const struct page_area *const page_areas[] = {
    &page_area_home,    &page_area_connections, &page_area_incidents, &page_area_work_lists,
    &page_area_records, &page_area_entity,      &page_area_ask,       &page_area_sql,
    &page_area_model,   &page_area_tokens,      &page_area_search,    &page_area_charts,
    &page_area_rules,   &page_area_views,
};

/* ---- paths ---- */

/* '*' stands for one segment that is not empty. */
static bool fits(const char *pattern, struct wh_slice path, struct wh_slice *ret_id)
{
    const char *star = strchr(pattern, '*');
    size_t before = star ? (size_t)(star - pattern) : 0;
    struct wh_slice rest;
    const char *slash;

    *ret_id = wh_slice(NULL, 0);
    if (star == NULL) {
        return wh_slice_eq(path, wh_slice_str(pattern));
    }
    if (!wh_slice_starts(path, wh_slice(pattern, before))) {
        return false;
    }
    rest = wh_slice_from(path, before);
    slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    *ret_id = wh_slice(rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len);
    return ret_id->len > 0 && wh_slice_eq(wh_slice_from(rest, ret_id->len), wh_slice_str(star + 1));
}

static bool cut_end(struct wh_slice *path, const char *end)
{
    size_t n = strlen(end);

    if (path->len <= n || memcmp(path->ptr + path->len - n, end, n) != 0) {
        return false;
    }
    path->len -= n;
    return true;
}

/* Cuts the end off that names the twin; the first page's name is index then. */
static enum api_twin cut_twin(struct wh_slice *path)
{
    enum api_twin twin = cut_end(path, ".json")  ? API_TWIN_JSON
                         : cut_end(path, ".csv") ? API_TWIN_CSV
                                                 : API_TWIN_HTML;

    if (twin != API_TWIN_HTML && wh_slice_eq(*path, WH_LIT("/index"))) {
        *path = WH_LIT("/");
    }
    return twin;
}

const struct api_page *api_page_find(struct wh_slice path, enum api_twin *ret_twin,
                                     struct wh_slice *ret_id)
{
    *ret_twin = cut_twin(&path);
    for (size_t i = 0; i < sizeof(page_areas) / sizeof(page_areas[0]); i++) {
        for (size_t k = 0; k < page_areas[i]->n; k++) {
            if (fits(page_areas[i]->pages[k].path, path, ret_id)) {
                return &page_areas[i]->pages[k];
            }
        }
    }
    return NULL;
}

/* ---- parts ---- */

static size_t part_args(const struct api_job *job, const struct page_part *part,
                        struct api_arg args[ARGS_MAX])
{
    size_t n = 0;

    if (part->sql) {
        args[n++] = (struct api_arg){WH_LIT("sql"), wh_slice_str(part->sql)};
        args[n] = (struct api_arg){WH_LIT("id"), job->id};
        return job->id.ptr ? n + 1 : n;
    }
    if (part->takes_kind) {
        args[n++] = (struct api_arg){WH_LIT("kind"), job->id};
    }
    for (size_t i = 0; i < job->request.n_args && n < ARGS_MAX; i++) {
        args[n++] = job->request.args[i];
    }
    return n;
}

enum wh_rc page_capture(struct api_job *job, const struct page_part *part, struct wh_buf *out,
                        struct wh_err *err)
{
    struct api_arg args[ARGS_MAX];
    size_t n = part_args(job, part, args);

    return api_capture(job, part->answer ? part->answer : api_answer_sql, args, n, out, err);
}

/* ---- the document ---- */

static bool is_asked(const struct api_job *job, const struct page_part *part)
{
    return part->needs == NULL || api_arg(&job->request, part->needs).len > 0;
}

/* {"ok": false, "failed": {...}}, in place of the part. */
static void write_failure(struct wh_json_writer *w, const struct wh_err *failed)
{
    wh_jw_object(w);
    wh_jw_put_bool(w, "ok", false);
    wh_jw_key(w, "failed");
    wh_jw_object(w);
    wh_jw_put_str(w, "message", wh_slice_str(failed->msg));
    wh_jw_put_str(w, "code", wh_slice_str(wh_rc_name(failed->rc)));
    wh_jw_put_bool(w, "timed_out", failed->rc == WH_E_TIMEOUT);
    wh_jw_end(w);
    wh_jw_end(w);
}

/* A part that fails says so in its place. The page fails when its first part does. */
static enum wh_rc write_parts(struct api_job *job, struct wh_json_writer *w, struct wh_err *err)
{
    for (size_t i = 0; i < PAGE_PARTS_MAX && job->page->parts[i].name; i++) {
        const struct page_part *part = &job->page->parts[i];
        WH_AUTO(buf) struct wh_buf text;

        wh_buf_init(&text, PAGE_PART_MAX_BYTES);
        if (!is_asked(job, part)) {
            continue;
        }
        if (page_capture(job, part, &text, err) == WH_OK) {
            wh_jw_key(w, part->name);
            wh_jw_raw(w, wh_buf_slice(&text));
        } else if (i == 0 && part->needs == NULL) {
            return err->rc;
        } else {
            wh_jw_key(w, part->name);
            write_failure(w, err);
        }
    }
    return WH_OK;
}

static enum wh_rc write_html(struct api_job *job, const char *file, struct wh_slice document,
                             struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, PAGE_DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf html;
    struct wh_json_val root;
    enum wh_rc rc;

    wh_buf_init(&html, RENDER_MAX_BYTES);
    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a page");
    }
    rc = wh_json_parse(parser, document, &root, err);
    if (rc == WH_OK) {
        rc = page_render(file, root, job->api->zone, &html, err);
    }
    wh_json_parser_free(parser);
    job->content_type = API_HTML;
    return rc == WH_OK ? api_spool_write(&job->out, wh_buf_slice(&html), err) : rc;
}

static void begin(struct api_json *j, const struct api_job *job, const char *title)
{
    struct wh_slice path = job->request.path;

    (void)cut_twin(&path);
    api_json_begin(j);
    page_write_navigation(&j->w, job->page, job->api->views);
    page_write_frame(&j->w, job, path, title);
}

static enum wh_rc answer_error(struct api_job *job, const struct wh_err *failed, struct wh_err *err)
{
    struct api_json j;
    enum wh_rc rc;

    job->status = api_status_of(failed->rc);
    begin(&j, job, job->status == 404 ? "Not found" : "This page could not be made");
    wh_jw_put_str(&j.w, "error", wh_slice_str(failed->msg));
    wh_jw_end(&j.w);
    rc = wh_jw_finish(&j.w, err);
    if (rc == WH_OK) {
        rc = write_html(job, "error", wh_buf_slice(&j.buf), err);
    }
    wh_buf_done(&j.buf);
    return rc;
}

const struct page_part *page_rows_part(const struct api_page *page)
{
    for (size_t i = 0; i < PAGE_PARTS_MAX && page->parts[i].name; i++) {
        if (page->parts[i].sql || page->parts[i].has_rows) {
            return &page->parts[i];
        }
    }
    return NULL;
}

static enum wh_rc answer_rows(struct api_job *job, struct wh_err *err)
{
    const struct page_part *part = page_rows_part(job->page);
    struct api_arg args[ARGS_MAX];
    size_t n;

    if (part == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "this page has no rows; ask for its .json");
    }
    n = part_args(job, part, args);
    if (api_set_args(job, args, n, err) != WH_OK ||
        api_add_arg(job, "_format", WH_LIT("csv"), err) != WH_OK) {
        return err->rc;
    }
    return part->answer ? part->answer(job, err) : api_answer_sql(job, err);
}

bool api_page_takes_forms(const struct api_page *page)
{
    return page->act != NULL;
}

static enum wh_rc answer_document(struct api_job *job, const struct wh_err *problem,
                                  struct wh_err *err)
{
    struct api_json j;
    struct wh_err failed;
    enum wh_rc rc;

    begin(&j, job, job->page->title);
    if (problem) {
        wh_jw_put_str(&j.w, "problem", wh_slice_str(problem->msg));
    }
    rc = write_parts(job, &j.w, err);
    if (rc != WH_OK) {
        failed = *err;
        wh_buf_done(&j.buf);
        return job->twin == API_TWIN_HTML ? answer_error(job, &failed, err) : rc;
    }
    if (job->twin == API_TWIN_JSON) {
        job->content_type = "application/json";
        return api_json_end(&j, job, err);
    }
    wh_jw_end(&j.w);
    rc = wh_jw_finish(&j.w, err);
    if (rc == WH_OK) {
        rc = write_html(job, job->page->file, wh_buf_slice(&j.buf), err);
    }
    wh_buf_done(&j.buf);
    return rc;
}

enum wh_rc page_answer_problem(struct api_job *job, const struct wh_err *problem,
                               struct wh_err *err)
{
    job->status = api_status_of(problem->rc);
    return answer_document(job, problem, err);
}

enum wh_rc api_answer_page(struct api_job *job, struct wh_err *err)
{
    const struct wh_err nothing = {.rc = WH_E_NOT_FOUND, .msg = "nothing is at this address"};

    if (job->page == NULL) {
        return answer_error(job, &nothing, err);
    }
    return job->twin == API_TWIN_CSV ? answer_rows(job, err) : answer_document(job, NULL, err);
}
