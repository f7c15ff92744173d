/*
 * Backups of the store (backup/backups.h):
 *
 *   POST /api/v1/backups                 begins one; {"remove": NAME} removes it when it was fetched
 *   GET  /api/v1/backups                 how far it is, and its manifest when it is made
 *   GET  /api/v1/backups/NAME/FILE       a file of it; manifest.json is one
 */
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"

enum { BODY_DEPTH_MAX = 4, ACCEPTED = 202 };

static enum wh_rc have_backups(const struct api_job *job, struct wh_err *err)
{
    return job->api->backups ? WH_OK : wh_fail(err, WH_E_NOT_FOUND, "this sink makes no backups");
}

static void write_made(const struct sink_backup_summary *made, struct wh_json_writer *w)
{
    wh_jw_put_int(w, "entities", made->entities);
    wh_jw_put_int(w, "revisions", made->revisions);
    wh_jw_put_int(w, "files", made->files);
    wh_jw_put_int(w, "bytes", made->bytes);
}

static void write_status(const struct sink_backups_status *s, struct wh_json_writer *w)
{
    static const char *const states[] = {
        [SINK_BACKUPS_NONE] = "none",
        [SINK_BACKUPS_MAKING] = "making",
        [SINK_BACKUPS_MADE] = "made",
        [SINK_BACKUPS_FAILED] = "failed",
    };

    wh_jw_put_str(w, "state", wh_slice_str(states[s->state]));
    if (s->state != SINK_BACKUPS_NONE) {
        wh_jw_put_str(w, "name", wh_slice_str(s->name));
    }
    if (s->state == SINK_BACKUPS_MAKING) {
        wh_jw_put_str(w, "step", wh_slice_str(sink_backup_step_name(s->step)));
        wh_jw_put_str(w, "unit", wh_slice_str(sink_backup_step_unit(s->step)));
        wh_jw_put_int(w, "done", s->done);
        wh_jw_put_int(w, "total", s->total);
    } else if (s->state == SINK_BACKUPS_MADE) {
        write_made(&s->summary, w);
    } else if (s->state == SINK_BACKUPS_FAILED) {
        wh_jw_put_str(w, "error", wh_slice_str(s->err.msg));
    }
}

static enum wh_rc answer_status(struct api_job *job, struct wh_err *err)
{
    struct sink_backups_status now;
    struct api_json j;

    sink_backups_status(job->api->backups, &now);
    api_json_begin(&j);
    wh_jw_key(&j.w, "backup");
    wh_jw_object(&j.w);
    write_status(&now, &j.w);
    wh_jw_end(&j.w);
    return api_json_end(&j, job, err);
}

/* An empty body, or an object without "remove", begins the next backup. */
static enum wh_rc change(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser;
    struct wh_json_val root;
    struct wh_slice name = {NULL, 0};
    enum wh_rc rc = WH_OK;

    parser = wh_json_parser_new(job->request.body.len + 1, BODY_DEPTH_MAX);
    if (parser == NULL) {
        return wh_fail(err, WH_E_UNAVAILABLE, "out of memory");
    }
    if (job->request.body.len) {
        rc = wh_json_parse(parser, job->request.body, &root, err);
        name = rc == WH_OK ? wh_json_get_str(root, "remove") : name;
    }
    if (rc == WH_OK && name.len) {
        rc = sink_backups_remove(job->api->backups, name, err);
    } else if (rc == WH_OK) {
        rc = sink_backups_begin(job->api->backups, err);
        job->status = ACCEPTED;
    }
    wh_json_parser_free(parser);
    return rc;
}

enum wh_rc api_answer_backups(struct api_job *job, struct wh_err *err)
{
    if (have_backups(job, err) != WH_OK ||
        (wh_slice_eq(job->request.method, WH_LIT("POST")) && change(job, err) != WH_OK)) {
        return err->rc;
    }
    return answer_status(job, err);
}

enum wh_rc api_answer_backup_file(struct api_job *job, struct wh_err *err)
{
    static const char base[] = "/api/v1/backups/";
    struct wh_slice rest = wh_slice_from(job->request.path, sizeof(base) - 1);
    const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    size_t n = slash ? (size_t)(slash - rest.ptr) : rest.len;

    if (have_backups(job, err) != WH_OK) {
        return err->rc;
    }
    job->content_type = "application/octet-stream";
    return sink_backups_open(job->api->backups, wh_slice(rest.ptr, n), wh_slice_from(rest, n + 1),
                             &job->out.fd, &job->out.in_file, err);
}
