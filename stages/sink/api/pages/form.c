/* Forms of pages: what a browser sends, and where it goes afterwards. */
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/sink/api/pages/pages_priv.h"

enum { FIELDS_MAX = 128 };

static enum wh_rc decode(struct api_job *job, struct wh_slice text, struct wh_slice *ret,
                         struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf plain;

    wh_buf_init(&plain, PAGE_FORM_MAX_BYTES);
    return wh_percent_decode(text, true, &plain, err) == WH_OK
               ? wh_arena_dup(&job->arena, wh_buf_slice(&plain), ret, err)
               : err->rc;
}

static struct wh_slice cut_pair(struct wh_slice *rest)
{
    const char *end = memchr(rest->ptr, '&', rest->len);
    size_t n = end ? (size_t)(end - rest->ptr) : rest->len;
    struct wh_slice pair = wh_slice(rest->ptr, n);

    *rest = wh_slice_from(*rest, end ? n + 1 : n);
    return pair;
}

/* The fields become the arguments of the request, in place of those of its query. */
static enum wh_rc take_fields(struct api_job *job, struct wh_err *err)
{
    struct wh_slice rest = job->request.body;
    struct api_arg args[FIELDS_MAX];
    size_t n = 0;

    while (rest.len) {
        struct wh_slice pair = cut_pair(&rest);
        const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
        size_t at = equals ? (size_t)(equals - pair.ptr) : pair.len;

        if (n == FIELDS_MAX) {
            return wh_fail(err, WH_E_TOO_LARGE, "more than %d fields", FIELDS_MAX);
        }
        if (decode(job, wh_slice(pair.ptr, at), &args[n].name, err) != WH_OK ||
            decode(job, wh_slice_from(pair, equals ? at + 1 : at), &args[n].value, err) != WH_OK) {
            return err->rc;
        }
        n++;
    }
    return api_set_args(job, args, n, err);
}

enum wh_rc page_go(struct api_job *job, struct wh_slice path, struct wh_err *err)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7f) {
            return wh_fail(err, WH_E_INVALID, "an address has visible ASCII only");
        }
    }
    if (path.len < 1 || path.ptr[0] != '/' || (path.len > 1 && path.ptr[1] == '/') ||
        path.len >= API_HEADER_MAX_BYTES) {
        return wh_fail(err, WH_E_INVALID, "a form leads to a page of this server");
    }
    memcpy(job->location, path.ptr, path.len);
    job->location[path.len] = '\0';
    return WH_OK;
}

enum wh_rc api_answer_form(struct api_job *job, struct wh_err *err)
{
    struct wh_err failed = {0};

    if (take_fields(job, err) != WH_OK) {
        return err->rc;
    }
    if (job->page->act(job, &failed) != WH_OK) {
        return page_answer_problem(job, &failed, err);
    }
    if (job->location[0] == '\0' && page_go(job, job->request.path, err) != WH_OK) {
        return err->rc;
    }
    job->status = 303;
    job->content_type = NULL;
    return WH_OK;
}
