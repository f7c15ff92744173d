/* Projects that a person named by their paths: GitLab says which numbers they have. The connection
 * keeps the numbers, because a path may change. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "stages/fetcher/control/connect_priv.h"
#include "stages/fetcher/gitlab/client.h"
#include "stages/fetcher/listing/tool_page.h"

enum { PATH_MAX_BYTES = 1024, ARGUMENTS_MAX = 2048, REASON_MAX = 400 };

/* ---- the list as it was given ---- */

bool connect_is_project_path(struct wh_slice text)
{
    bool slash = false;

    if (text.len == 0 || text.len > CONNECT_PROJECT_MAX || text.ptr[0] == '/' ||
        text.ptr[text.len - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        slash = slash || c == '/';
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr("/_.-", c))) {
            return false;
        }
    }
    return slash;
}

/* The first one that has no number yet; empty: there is none. */
static struct wh_slice first_wanted(const struct connect *k)
{
    struct wh_slice rest = wh_slice_from(wh_buf_slice(&k->wanted), k->n_wanted);
    const char *space = rest.len ? memchr(rest.ptr, ' ', rest.len) : NULL;

    return space ? wh_slice(rest.ptr, (size_t)(space - rest.ptr)) : rest;
}

/* The first one that is wanted has that number. Returns false when the connect has failed. */
static bool take_number(struct connect *k, int64_t number)
{
    struct wh_err err;

    k->n_wanted += first_wanted(k).len;
    k->n_wanted += k->n_wanted < k->wanted.len;
    if (wh_buf_printf(&k->projects, &err, "%s%" PRId64, k->projects.len ? " " : "", number) !=
        WH_OK) {
        connect_fail(k, 400, err.msg);
        return false;
    }
    return true;
}

static void go_on(struct connect *k, int64_t number)
{
    if (take_number(k, number)) {
        connect_find_projects(k);
    }
}

static void not_found(struct connect *k, const char *why)
{
    char text[REASON_MAX];

    (void)snprintf(text, sizeof(text), "no project %.*s for this user: %.100s",
                   WH_SLICE_ARG(first_wanted(k)), why);
    connect_fail(k, 422, text);
}

/* ---- by REST ---- */

static void on_project(void *ctx, const struct client_answer *a)
{
    struct connect *k = ctx;
    struct wh_json_val root;
    struct wh_err err;

    if (a->outcome != CLIENT_OK) {
        not_found(k, a->error);
    } else if (wh_json_parse(fetcher_parser(k->f), wh_buf_slice(a->body), &root, &err) != WH_OK ||
               wh_json_get_int(root, "id", 0) < 1) {
        not_found(k, "GitLab's answer has no number");
    } else {
        go_on(k, wh_json_get_int(root, "id", 0));
    }
}

static enum wh_rc ask_rest(struct connect *k, struct wh_slice path, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf request;

    wh_buf_init(&request, PATH_MAX_BYTES);
    if (wh_buf_append(&request, WH_LIT("/api/v4/projects/"), err) != WH_OK ||
        wh_percent_encode(path, &request, err) != WH_OK) {
        return err->rc;
    }
    return client_get(k->probe, wh_buf_slice(&request), on_project, k, err);
}

/* ---- by tools ---- */

static void take_id(struct connect *k, struct wh_json_val row)
{
    char id[24];
    struct wh_err err;
    int64_t number = 0;

    if (!listing_tool_row_id(row, "id", id) ||
        wh_num_i64(wh_slice_str(id), &number, &err) != WH_OK || number < 1) {
        not_found(k, "the tool's answer has no number");
    } else {
        go_on(k, number);
    }
}

static void on_got(void *ctx, const struct mcp_answer *a)
{
    struct connect *k = ctx;
    struct wh_json_val content = {0};

    if (a->outcome != MCP_OK) {
        not_found(k, a->error ? a->error : "the tool failed");
    } else {
        (void)wh_json_get(a->result, WH_LIT("structuredContent"), &content);
        take_id(k, content);
    }
}

/* GitLab finds projects by a part of their names, and takes upper for lower case in paths. */
static bool has_path(struct wh_json_val row, struct wh_slice path)
{
    struct wh_slice text = {0};
    struct wh_json_val v;

    if (wh_json_get(row, WH_LIT("path_with_namespace"), &v)) {
        text = wh_json_string(v);
    }
    return text.ptr && text.len == path.len && strncasecmp(text.ptr, path.ptr, path.len) == 0;
}

static void on_found(void *ctx, const struct mcp_answer *a)
{
    struct connect *k = ctx;
    struct wh_json_parser *texts = NULL;
    struct wh_json_val around;
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it = {0};
    struct wh_slice key;

    if (a->outcome != MCP_OK) {
        not_found(k, a->error ? a->error : "the tool failed");
        return;
    }
    if (listing_tool_rows(a->result, &texts, &rows, &around)) {
        it = wh_json_iter(rows);
    }
    while (wh_json_next(&it, &key, &row)) {
        if (has_path(row, first_wanted(k))) {
            take_id(k, row);
            wh_json_parser_free(texts);
            return;
        }
    }
    wh_json_parser_free(texts);
    not_found(k, "GitLab's search does not find it; its number stands on its page in GitLab");
}

static enum wh_rc call(struct connect *k, const struct mcp_tool *tool, struct wh_slice path,
                       struct wh_err *err)
{
    bool gets = wh_slice_eq(mcp_tool_name(tool), WH_LIT("get_project"));
    const char *slash = memrchr(path.ptr, '/', path.len);
    WH_AUTO(buf) struct wh_buf arguments;
    struct wh_json_writer w;

    wh_buf_init(&arguments, ARGUMENTS_MAX);
    wh_json_writer_init(&w, &arguments);
    wh_jw_object(&w);
    if (gets) {
        wh_jw_put_str(&w, mcp_tool_takes(tool, "project_id") ? "project_id" : "id", path);
    } else {
        wh_jw_put_str(&w, "scope", WH_LIT("projects"));
        wh_jw_put_str(&w, "search", wh_slice_from(path, (size_t)(slash - path.ptr) + 1));
        wh_jw_put_int(&w, "per_page", 100);
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    return mcp_call_tool(mcp_login_mcp(k->login), mcp_tool_name(tool), wh_buf_slice(&arguments),
                         gets ? on_got : on_found, k, NULL, err);
}

static enum wh_rc ask_tool(struct connect *k, struct wh_slice path, struct wh_err *err)
{
    static const char *const names[] = {"get_project", "search", "gitlab_search"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct mcp_tool *tool =
            mcp_tool_find(mcp_login_mcp(k->login), wh_slice_str(names[i]));

        if (tool) {
            return call(k, tool, path, err);
        }
    }
    return wh_fail(err, WH_E_UNAVAILABLE,
                   "this GitLab finds no project by its path; name its number, which stands on its "
                   "page in GitLab");
}

/* ---- one after the other ---- */

void connect_find_projects(struct connect *k)
{
    struct wh_slice wanted;
    int64_t number;
    struct wh_err err;

    while ((wanted = first_wanted(k)).len > 0) {
        if (wh_num_i64(wanted, &number, &err) != WH_OK) {
            if ((k->probe ? ask_rest(k, wanted, &err) : ask_tool(k, wanted, &err)) != WH_OK) {
                connect_fail(k, 422, err.msg);
            }
            return;
        }
        if (!take_number(k, number)) {
            return;
        }
    }
    connect_save(k);
}
