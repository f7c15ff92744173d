#include "tests/gitlab/reqlog.h"

#include <stdio.h>

#include "common/base/mem.h"

enum { LINE_MAX_BYTES = 1024 };

/* Numbers in a path become :id, so that a route is counted as one. */
static void route_of(struct wh_slice path, char to[GL_ROUTE_BYTES])
{
    size_t used = 0;

    for (size_t i = 0; i < path.len && used + 8 < GL_ROUTE_BYTES; i++) {
        size_t n = 0;

        while (i + n < path.len && path.ptr[i + n] >= '0' && path.ptr[i + n] <= '9') {
            n++;
        }
        if (n > 0 && path.ptr[i - (i > 0)] == '/' &&
            (i + n == path.len || path.ptr[i + n] == '/')) {
            memcpy(to + used, ":id", 3);
            used += 3;
            i += n - 1;
        } else {
            to[used++] = path.ptr[i] >= ' ' && path.ptr[i] < 127 ? path.ptr[i] : '?';
        }
    }
    to[used] = '\0';
}

static void count_route(struct gl_reqlog *log, struct wh_slice path)
{
    char route[GL_ROUTE_BYTES];

    route_of(path, route);
    for (unsigned i = 0; i < log->n_routes; i++) {
        if (strcmp(log->routes[i].route, route) == 0) {
            log->routes[i].n++;
            return;
        }
    }
    if (log->n_routes < GL_ROUTES_MAX) {
        memcpy(log->routes[log->n_routes].route, route, sizeof(route));
        log->routes[log->n_routes++].n = 1;
    }
}

/* Whether the path may be asked by that method; what MCP is asked is judged by its caller. */
static bool is_write(const struct wh_http_req *req)
{
    static const char *const posts[] = {"/oauth/register", "/oauth/token", "/oauth/revoke",
                                        "/oauth/authorize_device", "/api/v4/mcp"};
    struct wh_slice method = wh_http_method(req);
    struct wh_slice path = wh_http_path(req);

    if (wh_slice_eq(method, WH_LIT("GET"))) {
        return false;
    }
    if (wh_slice_eq(method, WH_LIT("DELETE"))) {
        /* The end of an MCP session. */
        return !wh_slice_eq(path, WH_LIT("/api/v4/mcp")) ||
               wh_http_header(req, "Mcp-Session-Id").len == 0;
    }
    for (size_t i = 0; i < sizeof(posts) / sizeof(posts[0]); i++) {
        if (wh_slice_eq(path, wh_slice_str(posts[i]))) {
            return !wh_slice_eq(method, WH_LIT("POST"));
        }
    }
    return true;
}

static bool is_secret(struct wh_slice name, bool *ret_leak)
{
    static const char *const tokens[] = {"access_token", "private_token", "job_token",
                                         "token",        "refresh_token", "client_secret"};
    static const char *const others[] = {"code", "state", "code_challenge", "code_verifier"};

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(tokens[i]))) {
            *ret_leak = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(others[i]))) {
            return true;
        }
    }
    return false;
}

/* The query with the values of secrets as "-". */
static void plain_query(struct gl_reqlog *log, struct wh_slice query, char to[LINE_MAX_BYTES])
{
    size_t used = 0;

    while (query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        struct wh_slice part = {query.ptr, end ? (size_t)(end - query.ptr) : query.len};
        const char *equal = part.len ? memchr(part.ptr, '=', part.len) : NULL;
        struct wh_slice name = {part.ptr, equal ? (size_t)(equal - part.ptr) : part.len};
        bool leak = false;
        bool hide = is_secret(name, &leak);
        int n = hide ? snprintf(to + used, LINE_MAX_BYTES - used, "%s%.*s=-", used ? "&" : "",
                                WH_SLICE_ARG(name))
                     : snprintf(to + used, LINE_MAX_BYTES - used, "%s%.*s", used ? "&" : "",
                                WH_SLICE_ARG(part));

        log->leaks += leak;
        if (n < 0 || (size_t)n >= LINE_MAX_BYTES - used) {
            break;
        }
        used += (size_t)n;
        query = wh_slice_from(query, part.len + (end != NULL));
    }
    to[used] = '\0';
}

static void count_minute(struct gl_reqlog *log, const struct wh_http_req *req, int64_t now_ms,
                         unsigned status)
{
    int64_t minute = now_ms / 60000;
    struct gl_minute *m = &log->minutes[minute % GL_MINUTES_KEEP];

    if (!wh_slice_starts(wh_http_path(req), WH_LIT("/api/"))) {
        return;
    }
    if (m->minute != minute) {
        *m = (struct gl_minute){.minute = minute};
    }
    m->n++;
    m->limited += status == 429;
}

void gl_reqlog_add(struct gl_reqlog *log, const struct wh_http_req *req, int64_t now_ms,
                   unsigned status, const char *note, bool write)
{
    char shown[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    struct wh_slice method = wh_http_method(req);
    struct wh_slice path = wh_http_path(req);
    struct wh_slice query = wh_http_raw_query(req);
    struct gl_req_entry *entry;
    int n;

    log->total++;
    log->by_status[status < 600 ? status : 599]++;
    write = write || is_write(req);
    log->writes += write;
    plain_query(log, query, shown);
    count_route(log, path);
    count_minute(log, req, now_ms, status);
    if (log->ring == NULL) {
        log->ring = wh_mem_zalloc(GL_REQLOG_KEEP, sizeof(*log->ring));
    }
    if (log->ring == NULL) {
        return;
    }
    entry = &log->ring[log->total % GL_REQLOG_KEEP];
    n = snprintf(line, sizeof(line), "%.*s %.*s%s%.700s%s%s%s", WH_SLICE_ARG(method),
                 WH_SLICE_ARG(path), query.len ? "?" : "", shown, note[0] ? " " : "", note,
                 write ? " WRITE" : "");
    wh_mem_free(entry->line);
    entry->line = wh_mem_dup(line, n < 0                      ? 0
                                   : (size_t)n < sizeof(line) ? (size_t)n
                                                              : sizeof(line) - 1);
    entry->at_ms = now_ms;
    entry->seq = log->total;
    entry->status = status;
}

void gl_reqlog_render(const struct gl_reqlog *log, int64_t last, struct gl_out *out)
{
    uint64_t keep = last < 0                          ? 0
                    : (uint64_t)last < GL_REQLOG_KEEP ? (uint64_t)last
                                                      : GL_REQLOG_KEEP;
    uint64_t from = log->total > keep ? log->total - keep + 1 : 1;
    bool comma = false;

    gl_out_tpl(out, "{'total':%d,'writes':%d,'leaks':%d,'by_status':{", (int64_t)log->total,
               (int64_t)log->writes, (int64_t)log->leaks);
    for (unsigned s = 0; s < 600; s++) {
        if (log->by_status[s]) {
            gl_out_tpl(out, "%s'%d':%d", comma ? WH_LIT(",") : WH_LIT(""), (int64_t)s,
                       (int64_t)log->by_status[s]);
            comma = true;
        }
    }
    gl_out_str(out, "},\"by_route\":{");
    for (unsigned i = 0; i < log->n_routes; i++) {
        gl_out_str(out, i ? "," : "");
        gl_out_quoted(out, wh_slice_str(log->routes[i].route));
        gl_out_tpl(out, ":%d", (int64_t)log->routes[i].n);
    }
    gl_out_str(out, "},\"by_minute\":[");
    comma = false;
    for (unsigned i = 0; i < GL_MINUTES_KEEP; i++) {
        const struct gl_minute *m = &log->minutes[i];

        if (m->n > 0) {
            gl_out_tpl(out, "%s{'at':%t,'requests':%d,'limited':%d}",
                       comma ? WH_LIT(",") : WH_LIT(""), m->minute * 60000, (int64_t)m->n,
                       (int64_t)m->limited);
            comma = true;
        }
    }
    gl_out_str(out, "],\"requests\":[");
    for (uint64_t seq = from; seq <= log->total && log->ring; seq++) {
        const struct gl_req_entry *e = &log->ring[seq % GL_REQLOG_KEEP];

        gl_out_tpl(out, "%s{'seq':%d,'at':%t,'status':%d,'request':",
                   seq > from ? WH_LIT(",") : WH_LIT(""), (int64_t)e->seq, e->at_ms,
                   (int64_t)e->status);
        gl_out_quoted(out, wh_slice_str(e->line));
        gl_out_str(out, "}");
    }
    gl_out_str(out, "]}");
}

void gl_reqlog_clear(struct gl_reqlog *log)
{
    for (size_t i = 0; log->ring && i < GL_REQLOG_KEEP; i++) {
        wh_mem_free(log->ring[i].line);
    }
    wh_mem_free(log->ring);
    *log = (struct gl_reqlog){0};
}
