/* A request as the lanes see it: a copy, and how its arguments are read. */
#include <strings.h>

#include "common/base/num.h"
#include "stages/sink/api/api_priv.h"

enum { ARGS_MAX = 128, JSON_MAX_BYTES = 32 << 20 };

struct wh_slice api_arg(const struct api_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_args; i++) {
        if (wh_slice_eq(request->args[i].name, wh_slice_str(name))) {
            return request->args[i].value;
        }
    }
    return (struct wh_slice){NULL, 0};
}

enum wh_rc api_arg_int(const struct api_request *request, const char *name, int64_t min,
                       int64_t max, int64_t otherwise, int64_t *ret, struct wh_err *err)
{
    struct wh_slice text = api_arg(request, name);
    int64_t v = otherwise;

    if (text.ptr && wh_num_i64(text, &v, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID, "%s must be a whole number", name);
    }
    if (text.ptr && (v < min || v > max)) {
        return wh_fail(err, WH_E_RANGE, "%s must be %lld to %lld", name, (long long)min,
                       (long long)max);
    }
    *ret = v;
    return WH_OK;
}

static enum wh_rc read_time(const char *name, struct wh_slice text, int64_t *ret_ms,
                            struct wh_err *err)
{
    struct wh_instant at;

    *ret_ms = INT64_MAX;
    if (text.ptr == NULL) {
        return WH_OK;
    }
    if (wh_time_parse(text, &at, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID, "%s must be a time, as in 2026-11-24T10:00:00Z", name);
    }
    *ret_ms = at.ms;
    return WH_OK;
}

enum wh_rc api_read_when(struct wh_slice as_of, struct wh_slice valid_at,
                         struct wh_history_when *ret, struct wh_err *err)
{
    return read_time("as_of", as_of, &ret->stored_ms, err) == WH_OK
               ? read_time("valid_at", valid_at, &ret->valid_ms, err)
               : err->rc;
}

enum wh_rc api_arg_when(const struct api_request *request, struct wh_history_when *ret,
                        struct wh_err *err)
{
    return api_read_when(api_arg(request, "as_of"), api_arg(request, "valid_at"), ret, err);
}

static void write_time(struct wh_json_writer *w, const char *key, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    if (ms != INT64_MAX) {
        wh_jw_key(w, key);
        wh_jw_str(w, wh_slice_str(wh_time_format(ms, text)));
    }
}

void api_write_when(struct wh_json_writer *w, struct wh_history_when when)
{
    write_time(w, "as_of", when.stored_ms);
    write_time(w, "valid_at", when.valid_ms);
}

void api_json_begin(struct api_json *j)
{
    wh_buf_init(&j->buf, JSON_MAX_BYTES);
    wh_json_writer_init(&j->w, &j->buf);
    wh_jw_object(&j->w);
    wh_jw_key(&j->w, "ok");
    wh_jw_bool(&j->w, true);
}

enum wh_rc api_json_end(struct api_json *j, struct api_job *job, struct wh_err *err)
{
    enum wh_rc rc;

    wh_jw_end(&j->w);
    rc = wh_jw_finish(&j->w, err);
    if (rc == WH_OK) {
        rc = api_spool_write(&job->out, wh_buf_slice(&j->buf), err);
    }
    wh_buf_done(&j->buf);
    return rc;
}

int64_t api_waited_ms(const struct api_job *job)
{
    return (wh_clock_mono_ns(&job->api->deps.clock) - job->submitted_ns) / 1000000;
}

enum wh_rc api_set_args(struct api_job *job, const struct api_arg *args, size_t n,
                        struct wh_err *err)
{
    void *memory;

    if (wh_arena_zalloc(&job->arena, n + 1, sizeof(*args), &memory, err) != WH_OK) {
        return err->rc;
    }
    if (n) {
        memcpy(memory, args, n * sizeof(*args));
    }
    job->request.args = memory;
    job->request.n_args = n;
    return WH_OK;
}

enum wh_rc api_add_arg(struct api_job *job, const char *name, struct wh_slice value,
                       struct wh_err *err)
{
    struct api_request *r = &job->request;
    struct api_arg *args;
    void *memory;

    if (wh_arena_zalloc(&job->arena, r->n_args + 1, sizeof(*args), &memory, err) != WH_OK) {
        return err->rc;
    }
    args = memory;
    if (r->n_args) {
        memcpy(args, r->args, r->n_args * sizeof(*args));
    }
    args[r->n_args++] = (struct api_arg){wh_slice_str(name), value};
    r->args = args;
    return WH_OK;
}

struct copying {
    struct api_job *job;
    struct api_arg *args;
    struct wh_err err;
};

static void count_arg(void *ctx, struct wh_slice name, struct wh_slice value)
{
    struct copying *c = ctx;

    (void)name;
    (void)value;
    c->job->request.n_args++;
}

static void copy_arg(void *ctx, struct wh_slice name, struct wh_slice value)
{
    struct copying *c = ctx;
    struct api_arg *arg = &c->args[c->job->request.n_args];

    if (c->err.rc == WH_OK && wh_arena_dup(&c->job->arena, name, &arg->name, &c->err) == WH_OK &&
        wh_arena_dup(&c->job->arena, value, &arg->value, &c->err) == WH_OK) {
        c->job->request.n_args++;
    }
}

static enum wh_rc copy_args(struct api_job *job, struct wh_err *err)
{
    struct copying c = {.job = job};
    void *memory;
    size_t n;

    wh_http_query_each(job->http, count_arg, &c);
    n = job->request.n_args;
    job->request.n_args = 0;
    if (n > ARGS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "more than %d arguments", ARGS_MAX);
    }
    if (wh_arena_zalloc(&job->arena, n + 1, sizeof(struct api_arg), &memory, err) != WH_OK) {
        return err->rc;
    }
    c.args = memory;
    wh_http_query_each(job->http, copy_arg, &c);
    job->request.args = c.args;
    if (c.err.rc != WH_OK) {
        *err = c.err;
    }
    return c.err.rc;
}

/* Headers that repeat what the body of an MCP request says become arguments; they are in no query. */
static enum wh_rc copy_mcp_headers(struct api_job *job, struct wh_err *err)
{
    static const char *const names[] = {"MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"};
    struct wh_slice copy;

    if (!wh_slice_eq(job->request.path, WH_LIT("/mcp"))) {
        return WH_OK;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct wh_slice value = wh_http_header(job->http, names[i]);

        if (value.ptr == NULL) {
            continue;
        }
        if (wh_arena_dup(&job->arena, value, &copy, err) != WH_OK ||
            api_add_arg(job, names[i], copy, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* RFC 9110 section 10.1.4; "trailers" stands alone or beside codings. */
static bool reads_trailers(struct wh_slice te)
{
    static const char word[] = "trailers";

    for (size_t at = 0; te.ptr && at + strlen(word) <= te.len; at++) {
        if (strncasecmp(te.ptr + at, word, strlen(word)) == 0) {
            return true;
        }
    }
    return false;
}

enum wh_rc api_copy_request(struct api_job *job, struct wh_err *err)
{
    struct wh_http_req *req = job->http;
    struct api_request *r = &job->request;

    job->out.gzip = api_accepts_gzip(req);
    r->trailers = reads_trailers(wh_http_header(req, "TE"));
    if (wh_arena_dup(&job->arena, wh_http_method(req), &r->method, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_http_path(req), &r->path, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_http_raw_query(req), &r->query, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_http_header(req, "Accept"), &r->accept, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_http_header(req, "Last-Event-ID"), &r->last_event, err) !=
            WH_OK ||
        wh_arena_dup(&job->arena, wh_http_body(req), &r->body, err) != WH_OK) {
        return err->rc;
    }
    return copy_args(job, err) == WH_OK ? copy_mcp_headers(job, err) : err->rc;
}
