/*
 * Saved views. GET /api/v1/saved-views lists them, POST {"name", "path"} names an address, DELETE
 * /api/v1/saved-views/ID forgets one.
 */
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/views/views.h"

enum { BODY_MAX_BYTES = 8 << 10, DEPTH_MAX = 4 };

static enum wh_rc list(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    wh_jw_key(&j.w, "rows");
    views_write(job->api->views, wh_slice("", 0), &j.w);
    return api_json_end(&j, job, err);
}

enum wh_rc api_save_view(struct api_job *job, struct wh_slice name, struct wh_slice path,
                         char ret_id[VIEW_ID_TEXT + 1], struct wh_err *err)
{
    const char *query = path.len ? memchr(path.ptr, '?', path.len) : NULL;
    struct wh_slice page = wh_slice(path.ptr, query ? (size_t)(query - path.ptr) : path.len);
    enum api_twin twin;
    struct wh_slice id;

    if (!api_page_find(page, &twin, &id) || twin != API_TWIN_HTML) {
        return wh_fail(err, WH_E_INVALID, "a view is the address of a page, as in /t/issues");
    }
    return views_put(job->api->views, name, path, ret_id, err);
}

static enum wh_rc save_root(struct api_job *job, struct wh_json_val root, struct wh_err *err)
{
    char id[VIEW_ID_TEXT + 1];
    struct api_json j;

    if (wh_json_type(root) != WH_JSON_OBJECT) {
        return wh_fail(err, WH_E_INVALID, "the body is {\"name\": TEXT, \"path\": ADDRESS}");
    }
    if (api_save_view(job, wh_json_get_str(root, "name"), wh_json_get_str(root, "path"), id, err) !=
        WH_OK) {
        return err->rc;
    }
    job->status = 201;
    api_json_begin(&j);
    wh_jw_put_str(&j.w, "id", wh_slice_str(id));
    return api_json_end(&j, job, err);
}

static enum wh_rc save(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(BODY_MAX_BYTES, DEPTH_MAX);
    struct wh_json_val root;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    rc = wh_json_parse(parser, job->request.body, &root, err);
    rc = rc == WH_OK ? save_root(job, root, err) : rc;
    wh_json_parser_free(parser);
    return rc;
}

enum wh_rc api_answer_views(struct api_job *job, struct wh_err *err)
{
    return wh_slice_eq(job->request.method, WH_LIT("POST")) ? save(job, err) : list(job, err);
}

enum wh_rc api_answer_view(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    if (!wh_slice_eq(job->request.method, WH_LIT("DELETE"))) {
        return wh_fail(err, WH_E_NOT_FOUND,
                       "a view is deleted here; /api/v1/saved-views lists all");
    }
    if (views_end(job->api->views, job->id, err) != WH_OK) {
        return err->rc;
    }
    api_json_begin(&j);
    return api_json_end(&j, job, err);
}
