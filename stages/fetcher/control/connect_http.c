/* A connect over HTTP: its request, its session, its answers and the redirect from GitLab. */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/gitlab/address.h"
#include "stages/fetcher/control/connect_priv.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/gitlab/streams.h"

enum {
    TEXT_MAX_BYTES = 4096,
    URL_MAX_BYTES = 16 << 10,
    ANSWER_MAX_BYTES = 64 << 10,
    SESSIONS_MAX = 32,
    KEPT_MS = 600000,
};

/* ---- life ---- */

struct connects *connects_new(struct fetcher *f)
{
    struct connects *all = wh_mem_zalloc(1, sizeof(*all));

    if (all) {
        all->f = f;
    }
    return all;
}

static void unlink_connect(struct connect *k)
{
    struct connects *all = k->all;
    struct connect **link = all ? &all->first : NULL;

    while (link && *link && *link != k) {
        link = &(*link)->next;
    }
    if (link && *link) {
        *link = k->next;
        all->n--;
    }
}

/* The connect has ended and needs its secrets no more. */
static void forget_secrets(struct connect *k)
{
    mcp_login_free(k->login);
    k->login = NULL;
    client_free(k->probe);
    k->probe = NULL;
    wh_buf_done(&k->client_secret);
    wh_mem_free_secret(k->token);
    k->token = NULL;
}

static void connect_free(struct connect *k)
{
    if (k->req) {
        wh_http_set_user(k->req, NULL);
        k->req = NULL;
    }
    if (k->working) {
        k->dropped = true;
        return;
    }
    unlink_connect(k);
    if (k->phase == CONNECT_RUNNING) {
        connect_give_up_pairs(k);
    }
    forget_secrets(k);
    wh_timer_free(k->timer);
    wh_buf_done(&k->instance);
    wh_buf_done(&k->moved_from);
    wh_buf_done(&k->id);
    wh_buf_done(&k->wanted);
    wh_buf_done(&k->projects);
    wh_buf_done(&k->client_id);
    wh_buf_done(&k->user);
    wh_buf_done(&k->version);
    wh_buf_done(&k->scopes);
    wh_buf_done(&k->approve_url);
    wh_buf_done(&k->signing_key);
    wh_buf_done(&k->webhook_token);
    wh_mem_free(k);
}

static void on_forget(void *ctx)
{
    connect_free(ctx);
}

void connects_free(struct connects *all)
{
    if (all == NULL) {
        return;
    }
    while (all->first) {
        struct connect *k = all->first;

        /* A connect that Kafka or a pool thread still uses is not freed: the process ends soon. */
        all->first = k->next;
        k->all = NULL;
        connect_free(k);
    }
    connect_forget_clients(all);
    wh_mem_free(all);
}

void connect_forget(struct wh_http_req *req)
{
    struct connect *k = wh_http_user(req);

    if (k) {
        k->req = NULL;
    }
}

/* ---- answers ---- */

void connect_step(struct connect *k, const char *name, const char *fmt, ...)
{
    struct connect_step *s;
    va_list args;

    if (k->n_steps == CONNECT_STEPS_MAX) {
        return;
    }
    s = &k->steps[k->n_steps++];
    s->name = name;
    va_start(args, fmt);
    (void)vsnprintf(s->text, sizeof(s->text), fmt, args);
    va_end(args);
}

static void write_streams(const struct connect *k, struct wh_json_writer *w)
{
    const struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));

    wh_jw_key(w, "streams");
    wh_jw_array(w);
    for (unsigned i = 0; i < STREAMS && c; i++) {
        const struct source *s = source_of(access_sources(conn_access(c)), i);

        wh_jw_object(w);
        wh_jw_put_str(w, "stream", wh_slice_str(streams[i].name));
        wh_jw_put_str(w, "read_by", wh_slice_str(source_word(s)));
        if (s->tool) {
            wh_jw_put_str(w, "tool", wh_slice_str(s->tool));
        }
        if (s->kind == SOURCE_NONE && s->reason) {
            wh_jw_put_str(w, "reason", wh_slice_str(s->reason));
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_webhook(const struct connect *k, struct wh_json_writer *w)
{
    const char *public_url = fetcher_deps(k->f)->conf.public_url;
    char path[128];
    char url[1024];

    (void)snprintf(path, sizeof(path), "/hooks/%.*s", WH_SLICE_ARG(wh_buf_slice(&k->id)));
    wh_jw_key(w, "webhook");
    wh_jw_object(w);
    wh_jw_put_str(w, "path", wh_slice_str(path));
    if (public_url[0]) {
        (void)snprintf(url, sizeof(url), "%s%s", public_url, path);
        wh_jw_put_str(w, "url", wh_slice_str(url));
    }
    if (k->signing_key.len) {
        /* They are shown this once. */
        wh_jw_put_str(w, "signing_key", wh_buf_slice(&k->signing_key));
        wh_jw_put_str(w, "token", wh_buf_slice(&k->webhook_token));
    }
    wh_jw_end(w);
}

/* Writes the members that describe the new connection. */
static void write_result(const struct connect *k, struct wh_json_writer *w)
{
    wh_jw_put_str(w, "connection", wh_buf_slice(&k->id));
    wh_jw_put_str(w, "instance", wh_buf_slice(&k->instance));
    wh_jw_put_str(w, "gitlab_version", wh_buf_slice(&k->version));
    wh_jw_put_str(w, "user", wh_buf_slice(&k->user));
    wh_jw_put_str(w, "scopes", wh_buf_slice(&k->scopes));
    wh_jw_put_bool(w, "existing", k->existing);
    if (k->moving) {
        wh_jw_put_str(w, "moved_from", wh_buf_slice(&k->moved_from));
    }
    write_streams(k, w);
    write_webhook(k, w);
}

static void answer_waiting(struct connect *k)
{
    struct wh_http_req *req = k->req;
    struct wh_json_writer w;
    struct wh_buf out;

    wh_http_set_user(req, NULL);
    k->req = NULL;
    wh_buf_init(&out, ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    write_result(k, &w);
    wh_jw_end(&w);
    wh_http_reply_written(req, 200, &w);
}

void connect_done(struct connect *k)
{
    k->phase = CONNECT_DONE;
    forget_secrets(k);
    if (k->session[0] == '\0') {
        if (k->req) {
            answer_waiting(k);
        }
        connect_free(k);
        return;
    }
    wh_timer_start(k->timer, KEPT_MS, 0);
}

void connect_fail(struct connect *k, unsigned status, const char *reason)
{
    k->phase = CONNECT_FAILED;
    connect_give_up_pairs(k);
    connect_keep_client(k);
    k->status = status;
    (void)snprintf(k->error, sizeof(k->error), "%s", reason);
    if (k->req) {
        struct wh_http_req *req = k->req;

        wh_http_set_user(req, NULL);
        k->req = NULL;
        wh_http_reply_error(req, status, reason, status == 503 ? 5 : 0);
    }
    wh_timer_start(k->timer, k->session[0] && !k->dropped ? KEPT_MS : 0, 0);
}

/* ---- the request ---- */

static enum wh_rc take_text(struct wh_json_val root, const char *key, struct wh_buf *to,
                            struct wh_err *err)
{
    struct wh_json_val v;

    if (!wh_json_get(root, wh_slice_str(key), &v)) {
        return WH_OK;
    }
    if (wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_TYPE, "%s is not a string", key);
    }
    return wh_buf_append(to, wh_json_string(v), err);
}

static enum wh_rc take_project(struct wh_json_val item, struct wh_buf *to, struct wh_err *err)
{
    const char *space = to->len ? " " : "";

    if (wh_json_type(item) == WH_JSON_INT && wh_json_int(item) > 0) {
        return wh_buf_printf(to, err, "%s%lld", space, (long long)wh_json_int(item));
    }
    if (wh_json_type(item) == WH_JSON_STRING && connect_is_project_path(wh_json_string(item))) {
        return wh_buf_printf(to, err, "%s%.*s", space, WH_SLICE_ARG(wh_json_string(item)));
    }
    return wh_fail(err, WH_E_TYPE,
                   "projects are numbers, each of which stands on its project's page in GitLab, or "
                   "paths, as in \"group/project\"");
}

static enum wh_rc take_projects(struct wh_json_val root, struct wh_buf *to, struct wh_err *err)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(root, WH_LIT("projects"), &list)) {
        return WH_OK;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        if (take_project(item, to, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static bool asked_for(struct wh_json_val root, struct wh_slice name)
{
    struct wh_json_val v;

    return wh_json_get(root, name, &v) && wh_json_type(v) == WH_JSON_BOOL && wh_json_bool(v);
}

static enum wh_rc read_request(struct connect *k, struct wh_slice body, struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_json_val v;

    if (wh_json_parse(fetcher_parser(k->f), body, &root, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_json_get(root, WH_LIT("url"), &v) || wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_MISSING, "the body needs url");
    }
    if (address_canonical(wh_json_string(v), fetcher_deps(k->f)->conf.allow_http, &k->instance,
                          err) != WH_OK ||
        take_text(root, "client_id", &k->client_id, err) != WH_OK ||
        take_text(root, "client_secret", &k->client_secret, err) != WH_OK ||
        take_projects(root, &k->wanted, err) != WH_OK) {
        return err->rc;
    }
    if (wh_json_get(root, WH_LIT("token"), &v) && wh_json_type(v) == WH_JSON_STRING) {
        k->token = wh_mem_dup(wh_json_string(v).ptr, wh_json_string(v).len);
        if (k->token == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a token");
        }
    }
    k->by_oauth = k->token == NULL || asked_for(root, WH_LIT("oauth"));
    k->new_client = asked_for(root, WH_LIT("new_client"));
    k->new_secret = asked_for(root, WH_LIT("new_secret"));
    k->move = asked_for(root, WH_LIT("move"));
    return WH_OK;
}

static struct connect *connect_new(struct connects *all)
{
    struct connect *k = wh_mem_zalloc(1, sizeof(*k));

    if (k == NULL) {
        return NULL;
    }
    k->all = all;
    k->f = all->f;
    wh_buf_init(&k->instance, TEXT_MAX_BYTES);
    wh_buf_init(&k->moved_from, TEXT_MAX_BYTES);
    wh_buf_init(&k->id, TEXT_MAX_BYTES);
    wh_buf_init(&k->wanted, TEXT_MAX_BYTES);
    wh_buf_init(&k->projects, TEXT_MAX_BYTES);
    wh_buf_init(&k->client_id, TEXT_MAX_BYTES);
    wh_buf_init_secret(&k->client_secret, TEXT_MAX_BYTES);
    wh_buf_init_secret(&k->approve_url, URL_MAX_BYTES);
    wh_buf_init(&k->user, TEXT_MAX_BYTES);
    wh_buf_init(&k->version, TEXT_MAX_BYTES);
    wh_buf_init(&k->scopes, TEXT_MAX_BYTES);
    wh_buf_init_secret(&k->signing_key, TEXT_MAX_BYTES);
    wh_buf_init_secret(&k->webhook_token, TEXT_MAX_BYTES);
    k->timer = wh_timer_new(fetcher_deps(k->f)->loop, on_forget, k);
    k->next = all->first;
    all->first = k;
    all->n++;
    if (k->timer == NULL) {
        connect_free(k);
        return NULL;
    }
    return k;
}

/* Answers at once. The name of the session is a secret: it gives access to the webhook's secrets. */
static enum wh_rc answer_session(struct connect *k, struct wh_http_req *req, struct wh_err *err)
{
    unsigned char bytes[CONNECT_SESSION_TEXT / 2];
    WH_AUTO(buf) struct wh_buf name;
    struct wh_json_writer w;
    struct wh_buf out;

    wh_buf_init(&name, CONNECT_SESSION_TEXT + 1);
    if (wh_random_bytes(bytes, sizeof(bytes), err) != WH_OK ||
        wh_hex_encode(wh_slice(bytes, sizeof(bytes)), &name, err) != WH_OK) {
        return err->rc;
    }
    memcpy(k->session, name.ptr, CONNECT_SESSION_TEXT);
    wh_buf_init(&out, TEXT_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    wh_jw_put_str(&w, "session", wh_slice_str(k->session));
    wh_jw_put_str(&w, "connection", wh_buf_slice(&k->id));
    wh_jw_end(&w);
    wh_http_reply_written(req, 202, &w);
    return WH_OK;
}

void connect_begin(struct connects *all, struct wh_http_req *req)
{
    struct connect *k = all->n < SESSIONS_MAX ? connect_new(all) : NULL;
    struct wh_err err;

    if (k == NULL) {
        wh_http_reply_error(req, 503, "too many connects at a time", 10);
        return;
    }
    if (read_request(k, wh_http_body(req), &err) != WH_OK) {
        wh_http_reply_error(req, 400, err.msg, 0);
        connect_free(k);
        return;
    }
    if (connect_place(k, &err) != WH_OK) {
        wh_http_reply_error(req, 409, err.msg, 0);
        connect_free(k);
        return;
    }
    if (k->by_oauth && answer_session(k, req, &err) != WH_OK) {
        wh_http_reply_error(req, 503, err.msg, 0);
        connect_free(k);
        return;
    }
    if (!k->by_oauth) {
        k->req = req;
        wh_http_set_user(req, k);
    }
    connect_start(k);
}

/* ---- a session ---- */

static struct connect *find_session(const struct connects *all, struct wh_slice name)
{
    for (struct connect *k = all->first; k; k = k->next) {
        if (k->session[0] && wh_constant_time_eq(wh_slice_str(k->session), name)) {
            return k;
        }
    }
    return NULL;
}

static void write_session(const struct connect *k, struct wh_json_writer *w)
{
    static const char *const phases[] = {"running", "done", "failed"};
    bool waits = k->login && oauth_waiting(mcp_login_oauth(k->login));

    wh_jw_object(w);
    wh_jw_put_bool(w, "ok", true);
    wh_jw_put_str(w, "state", wh_slice_str(phases[k->phase]));
    wh_jw_key(w, "steps");
    wh_jw_array(w);
    for (size_t i = 0; i < k->n_steps; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "step", wh_slice_str(k->steps[i].name));
        wh_jw_put_str(w, "text", wh_slice_str(k->steps[i].text));
        wh_jw_end(w);
    }
    wh_jw_end(w);
    if (waits && k->phase == CONNECT_RUNNING) {
        wh_jw_put_str(w, "approve_url", wh_buf_slice(&k->approve_url));
        wh_jw_put_str(w, "redirect_uri", wh_slice_str(fetcher_deps(k->f)->conf.redirect_url));
    }
    if (k->phase == CONNECT_FAILED) {
        wh_jw_put_str(w, "error", wh_slice_str(k->error));
        wh_jw_put_int(w, "status", k->status);
    }
    if (k->phase == CONNECT_DONE) {
        write_result(k, w);
    }
    wh_jw_end(w);
}

void connect_show(struct connects *all, struct wh_http_req *req, struct wh_slice session)
{
    struct connect *k = find_session(all, session);
    struct wh_json_writer w;
    struct wh_buf out;

    if (k == NULL) {
        wh_http_reply_error(req, 404, "no such session, or it is over", 0);
        return;
    }
    wh_buf_init(&out, ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    write_session(k, &w);
    wh_http_reply_written(req, 200, &w);
    if (k->phase == CONNECT_DONE) {
        connect_free(k);
    }
}

void connect_pasted(struct connects *all, struct wh_http_req *req, struct wh_slice session)
{
    struct connect *k = find_session(all, session);
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_err err;

    if (k == NULL || k->login == NULL) {
        wh_http_reply_error(req, 404, "no such session, or it is over", 0);
        return;
    }
    if (wh_json_parse(fetcher_parser(k->f), wh_http_body(req), &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("url"), &v) || wh_json_type(v) != WH_JSON_STRING) {
        wh_http_reply_error(req, 400, "the body needs url: the address GitLab sent you to", 0);
        return;
    }
    if (oauth_redirected(mcp_login_oauth(k->login), wh_json_string(v), &err) != WH_OK) {
        wh_http_reply_error(req, 400, err.msg, 0);
        return;
    }
    wh_http_reply(req, &(struct wh_http_reply){.status = 202,
                                               .content_type = "application/json",
                                               .body = WH_LIT("{\"ok\":true}\n")});
}

/* ---- the redirect ---- */

static void show_page(struct wh_http_req *req, unsigned status, struct wh_slice page)
{
    static const struct wh_http_header headers[] = {
        {{"Content-Security-Policy", 23}, {"default-src 'none'", 18}},
        {{"Referrer-Policy", 15}, {"no-referrer", 11}},
        {{"Cache-Control", 13}, {"no-store", 8}},
    };

    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = "text/html; charset=utf-8",
                                               .body = page,
                                               .headers = headers,
                                               .n_headers = 3});
}

/* Only the host of the redirect address is served, not another name that resolves to this machine. */
static bool right_host(const struct fetcher *f, struct wh_slice host)
{
    struct wh_url u;
    struct wh_err err;
    struct wh_slice authority;

    if (wh_url_parse(wh_slice_str(fetcher_deps(f)->conf.redirect_url), &u, &err) != WH_OK) {
        return false;
    }
    authority = wh_slice_from(u.origin, u.https ? 8 : 7);
    return host.len == authority.len && strncasecmp(host.ptr, authority.ptr, host.len) == 0;
}

void connect_redirected(struct connects *all, struct wh_http_req *req)
{
    struct wh_slice query = wh_http_raw_query(req);
    struct wh_err err;

    if (!right_host(all->f, wh_http_header(req, "Host"))) {
        show_page(req, 421, WH_LIT("<!doctype html><title>Wellhead</title><p>Not here.\n"));
        return;
    }
    for (struct connect *k = all->first; k; k = k->next) {
        struct oauth *o = k->login ? mcp_login_oauth(k->login) : NULL;

        if (o && oauth_knows_state(o, query) && oauth_redirected(o, query, &err) == WH_OK) {
            show_page(req, 200,
                      WH_LIT("<!doctype html><title>Wellhead</title><p>GitLab has answered. You "
                             "may close this page: Wellhead goes on by itself.\n"));
            return;
        }
    }
    /* Another fetcher may wait for it: the proxy in front tries the next one after a 404. */
    show_page(req, 404,
              WH_LIT("<!doctype html><title>Wellhead</title><p>This is not the answer to an "
                     "approval that is being waited for. Begin again with <code>wellhead "
                     "connect</code>.\n"));
}
