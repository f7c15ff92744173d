/* Who may see the workspace: sessions of browsers, agents that a person allowed, and the API's own token. */
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/tokens/sessions.h"

enum { BODY_MAX_BYTES = 1 << 10, DEPTH_MAX = 4, LIST_MAX_BYTES = 256 << 10, ARGS_MAX = 16 };

/* Rows of SQL, so that they come in every format. */
static const char rows_sql[] =
    "select value->>'kind' as kind, value->>'id' as token, value->>'name' as name, "
    "value->>'detail' as detail, value->>'created_at' as created_at, value->>'used_at' as used_at, "
    "value->>'ends_at' as ends_at from json_each(:list) order by 1, 6 desc";

static void write_own(struct wh_json_writer *w)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "kind", WH_LIT("token"));
    wh_jw_put_str(w, "id", WH_LIT("api"));
    wh_jw_put_str(w, "name", WH_LIT("the API's token"));
    wh_jw_put_str(w, "detail", WH_LIT("api.token_file; may make links that log in"));
    wh_jw_end(w);
}

static enum wh_rc write_list(struct sink_api *api, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_array(&w);
    grants_write(api->grants, &w);
    page_sessions_write(api->sessions, &w);
    write_own(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static enum wh_rc list(struct api_job *job, struct wh_err *err)
{
    struct api_arg args[ARGS_MAX] = {{WH_LIT("sql"), WH_LIT(rows_sql)},
                                     {WH_LIT("list"), {NULL, 0}}};
    size_t n = 2;
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, LIST_MAX_BYTES);
    if (write_list(job->api, &text, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_buf_slice(&text), &args[1].value, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < job->request.n_args && n < ARGS_MAX; i++) {
        if (wh_slice_starts(job->request.args[i].name, WH_LIT("_"))) {
            args[n++] = job->request.args[i];
        }
    }
    return api_set_args(job, args, n, err) == WH_OK ? api_answer_sql(job, err) : err->rc;
}

enum wh_rc api_end_token(struct sink_api *api, struct wh_slice id, struct wh_err *err)
{
    enum wh_rc rc;

    if (wh_slice_eq(id, WH_LIT("api"))) {
        rc = own_token_replace(api->token, err);
    } else {
        rc = grants_end(api->grants, id, err);
        if (rc == WH_E_NOT_FOUND) {
            rc = page_sessions_end(api->sessions, id, wh_slice("", 0), err);
        }
    }
    if (rc == WH_OK) {
        wh_log_info(api->deps.log, "an access was ended", WH_S("id", id));
    }
    return rc == WH_E_NOT_FOUND
               ? wh_fail(err, WH_E_NOT_FOUND, "nothing has this id; GET lists what there is")
               : rc;
}

/* The body is {"end": ID}. */
static enum wh_rc end(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(BODY_MAX_BYTES, DEPTH_MAX);
    struct wh_json_val root;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    rc = wh_json_parse(parser, job->request.body, &root, err);
    if (rc == WH_OK) {
        struct wh_slice id = wh_json_get_str(root, "end");

        rc = id.len ? api_end_token(job->api, id, err)
                    : wh_fail(err, WH_E_INVALID, "the body is {\"end\": ID}");
    }
    wh_json_parser_free(parser);
    return rc == WH_OK ? api_spool_write(&job->out, WH_LIT("{\"ok\":true}"), err) : rc;
}

enum wh_rc api_answer_tokens(struct api_job *job, struct wh_err *err)
{
    bool post = job->page == NULL && wh_slice_eq(job->request.method, WH_LIT("POST"));

    return post ? end(job, err) : list(job, err);
}
