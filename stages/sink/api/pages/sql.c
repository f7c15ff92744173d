/* One statement, the fields for its parameters, its rows and its plan, and the stored queries. */
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/page/files.h"

enum { PARAMS_MAX = 32, ARGS_MAX = 130, STATEMENT_MAX_BYTES = 64 << 10 };

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Steps over a text in quotes, a name in quotes or a comment; *at is then behind it. */
static bool skip_quoted(struct wh_slice sql, size_t *at)
{
    char c = sql.ptr[*at];
    const char *end = NULL;

    if (c == '\'' || c == '"' || c == '`') {
        end = memchr(sql.ptr + *at + 1, c, sql.len - *at - 1);
    } else if (c == '-' && *at + 1 < sql.len && sql.ptr[*at + 1] == '-') {
        end = memchr(sql.ptr + *at, '\n', sql.len - *at);
    } else {
        return false;
    }
    *at = end ? (size_t)(end - sql.ptr) + 1 : sql.len;
    return true;
}

/* The next :name of the statement; *at moves behind it. */
static bool next_param(struct wh_slice sql, size_t *at, struct wh_slice *ret)
{
    while (*at < sql.len) {
        size_t from = *at + 1;

        if (skip_quoted(sql, at)) {
            continue;
        }
        if (sql.ptr[*at] != ':') {
            (*at)++;
            continue;
        }
        for (*at = from; *at < sql.len && is_word(sql.ptr[*at]); (*at)++) {
        }
        if (*at > from) {
            *ret = wh_slice(sql.ptr + from, *at - from);
            return true;
        }
    }
    return false;
}

static enum wh_rc answer_params(struct api_job *job, struct wh_err *err)
{
    struct wh_slice sql = api_arg(&job->request, "sql");
    struct wh_slice seen[PARAMS_MAX];
    struct wh_slice name;
    struct api_json j;
    size_t n = 0;
    size_t at = 0;

    api_json_begin(&j);
    wh_jw_key(&j.w, "list");
    wh_jw_array(&j.w);
    while (n < PARAMS_MAX && next_param(sql, &at, &name)) {
        bool again = false;
        char text[64];

        for (size_t i = 0; i < n; i++) {
            again = again || wh_slice_eq(seen[i], name);
        }
        if (again || name.len >= sizeof(text)) {
            continue;
        }
        seen[n++] = name;
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        wh_jw_object(&j.w);
        wh_jw_put_str(&j.w, "name", name);
        wh_jw_put_str(&j.w, "value", api_arg(&job->request, text));
        wh_jw_end(&j.w);
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, job, err);
}

static enum wh_rc answer_plan(struct api_job *job, struct wh_err *err)
{
    struct wh_slice sql = api_arg(&job->request, "sql");
    WH_AUTO(buf) struct wh_buf text;
    struct api_arg args[ARGS_MAX];
    size_t n = 0;

    wh_buf_init(&text, STATEMENT_MAX_BYTES);
    if (wh_buf_printf(&text, err, "explain query plan %.*s", WH_SLICE_ARG(sql)) != WH_OK) {
        return err->rc;
    }
    for (; n < job->request.n_args && n < ARGS_MAX; n++) {
        args[n] = job->request.args[n];
        if (wh_slice_eq(args[n].name, WH_LIT("sql"))) {
            args[n].value = wh_buf_slice(&text);
        }
    }
    return api_set_args(job, args, n, err) == WH_OK ? api_answer_sql(job, err) : err->rc;
}

/* The versioned file of queries, as it is. */
static enum wh_rc answer_stored(struct api_job *job, struct wh_err *err)
{
    struct wh_slice bytes;
    const char *type;

    if (!page_asset(WH_LIT("queries.json"), &bytes, &type)) {
        return wh_fail(err, WH_E_NOT_FOUND, "there is no file of queries");
    }
    return api_spool_write(&job->out, bytes, err);
}

static const struct api_page pages[] = {
    {.path = "/sql",
     .file = "sql",
     .title = "SQL",
     .section = "/sql",
     .parts = {{.name = "result", .answer = api_answer_sql, .needs = "sql", .has_rows = true},
               {.name = "params", .answer = answer_params, .needs = "sql"},
               {.name = "plan", .answer = answer_plan, .needs = "sql"},
               {.name = "stored", .answer = answer_stored}}},
};

const struct page_area page_area_sql = PAGE_AREA(pages);
