/*
 * Who may see the pages. POST /api/v1/login-links, with the API's token, gives a path that works once; opened in a browser it shows a
 * button, which posts the code and gets a cookie. So a program that only looks at the link does not use it up.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/page/files.h"
#include "stages/sink/page/render.h"
#include "stages/sink/tokens/sessions.h"

enum {
    FORM_MAX_BYTES = 1024,
    COOKIE_MAX_AGE_S = SESSION_DAYS * 86400,
    COOKIE_BYTES = 200,
    HTML_MAX_BYTES = 64 << 10,
    DOCUMENT_MAX_BYTES = 32 << 10,
};

#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

size_t api_html_headers(struct wh_http_header out[3])
{
    out[0] = (struct wh_http_header){WH_LIT("Content-Security-Policy"), WH_LIT(POLICY)};
    out[1] = (struct wh_http_header){WH_LIT("Referrer-Policy"), WH_LIT("same-origin")};
    out[2] = (struct wh_http_header){WH_LIT("Cross-Origin-Opener-Policy"), WH_LIT("same-origin")};
    return 3;
}

/* ---- who asks ---- */

static bool is_read(struct wh_slice method)
{
    return wh_slice_eq(method, WH_LIT("GET")) || wh_slice_eq(method, WH_LIT("HEAD"));
}

/* A browser names the page that sends a POST; its host must be the one that is asked. */
static bool from_here(const struct wh_http_req *req)
{
    struct wh_slice origin = wh_http_header(req, "Origin");
    struct wh_slice host = wh_http_header(req, "Host");
    size_t n = wh_slice_starts(origin, WH_LIT("https://"))  ? strlen("https://")
               : wh_slice_starts(origin, WH_LIT("http://")) ? strlen("http://")
                                                            : 0;

    return n > 0 && host.len > 0 && wh_slice_eq(wh_slice_from(origin, n), host);
}

bool api_knows(struct sink_api *api, const struct wh_http_req *req)
{
    if (own_token_fits(api->token, wh_http_header(req, "Authorization"))) {
        return true;
    }
    return (is_read(wh_http_method(req)) || from_here(req)) &&
           page_sessions_fits(api->sessions, wh_http_header(req, "Cookie"));
}

/* ---- pages without a session ---- */

void api_reply_template(struct wh_http_req *req, unsigned status, const char *name,
                        struct wh_slice document, const char *form_action)
{
    struct wh_json_parser *parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, 4);
    char policy[sizeof(POLICY) + API_ORIGIN_MAX];
    struct wh_http_header headers[3];
    size_t n = api_html_headers(headers);
    WH_AUTO(buf) struct wh_buf html;
    struct wh_json_val root;
    struct wh_err err;

    wh_buf_init(&html, HTML_MAX_BYTES);
    if (parser == NULL || wh_json_parse(parser, document, &root, &err) != WH_OK ||
        page_render(name, root, wh_zone_utc(), &html, &err) != WH_OK) {
        wh_buf_reset(&html);
    }
    wh_json_parser_free(parser);
    (void)snprintf(policy, sizeof(policy), POLICY " %s", form_action);
    headers[0].value = wh_slice_str(policy);
    api_reply(req, status, API_HTML, wh_buf_slice(&html), headers, n);
}

static void reply_login(struct wh_http_req *req, unsigned status, struct wh_slice document)
{
    api_reply_template(req, status, "login", document, "");
}

/* After a link from another site the browser keeps its cookie back; from our own page it sends it. */
void api_ask_login(struct wh_http_req *req)
{
    struct wh_slice path = wh_http_path(req);
    struct wh_slice query = wh_http_raw_query(req);
    WH_AUTO(buf) struct wh_buf text;
    WH_AUTO(buf) struct wh_buf again;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&again, DOCUMENT_MAX_BYTES / 2);
    wh_buf_init(&text, DOCUMENT_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    if (path.len > 1 && isalnum((unsigned char)path.ptr[1]) &&
        wh_buf_printf(&again, &err, "%.*s%s%.*s", WH_SLICE_ARG(path), query.len ? "?" : "",
                      WH_SLICE_ARG(query)) == WH_OK) {
        wh_jw_put_str(&w, "again", wh_buf_slice(&again));
    }
    wh_jw_end(&w);
    reply_login(req, 401, wh_jw_finish(&w, &err) == WH_OK ? wh_buf_slice(&text) : WH_LIT("{}"));
}

static void show_link(struct wh_http_req *req)
{
    struct wh_slice code = wh_http_query(req, "code");
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&text, FORM_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    if (code.len == SESSION_TEXT) {
        wh_jw_put_str(&w, "code", code);
    }
    wh_jw_end(&w);
    reply_login(req, 200, wh_jw_finish(&w, &err) == WH_OK ? wh_buf_slice(&text) : WH_LIT("{}"));
}

/* The code of "code=..." */
static struct wh_slice code_of(struct wh_slice body)
{
    return wh_slice_starts(body, WH_LIT("code=")) ? wh_slice_from(body, strlen("code="))
                                                  : wh_slice("", 0);
}

static void go_home(struct wh_http_req *req, const char *cookie)
{
    const struct wh_http_header headers[] = {{WH_LIT("Location"), WH_LIT("/")},
                                             {WH_LIT("Set-Cookie"), wh_slice_str(cookie)}};

    api_reply(req, 303, NULL, wh_slice("", 0), headers, 2);
}

static bool is_https(const struct wh_http_req *req)
{
    return wh_slice_starts(wh_http_header(req, "Origin"), WH_LIT("https://"));
}

static void log_in(struct sink_api *api, struct wh_http_req *req)
{
    char cookie[SESSION_TEXT + 1];
    char header[COOKIE_BYTES];
    struct wh_err err;

    if (!from_here(req)) {
        reply_login(req, 403, WH_LIT("{\"used\":true}"));
        return;
    }
    if (page_sessions_login(api->sessions, code_of(wh_http_body(req)),
                            wh_http_header(req, "User-Agent"), cookie, &err) != WH_OK) {
        reply_login(req, err.rc == WH_E_AUTH ? 401 : 500, WH_LIT("{\"used\":true}"));
        return;
    }
    (void)snprintf(header, sizeof(header),
                   "wellhead=%s; Max-Age=%d; Path=/; HttpOnly; SameSite=Strict%s", cookie,
                   COOKIE_MAX_AGE_S, is_https(req) ? "; Secure" : "");
    go_home(req, header);
}

static void send_asset(struct wh_http_req *req, struct wh_slice name)
{
    struct wh_http_header headers[API_HEADERS_MAX];
    struct wh_slice bytes;
    const char *type;

    if (!page_asset(name, &bytes, &type)) {
        api_reply_error(req, 404, "not_found", "there is no such file", NULL);
        return;
    }
    api_reply_answer(req, type, bytes, headers, api_common_headers(headers));
}

bool api_is_public(struct wh_slice path, struct wh_slice method, size_t *ret_body)
{
    bool login = wh_slice_eq(path, WH_LIT("/login"));

    *ret_body = login && wh_slice_eq(method, WH_LIT("POST")) ? FORM_MAX_BYTES : 0;
    return login || wh_slice_starts(path, WH_LIT("/assets/"));
}

void api_public(struct sink_api *api, struct wh_http_req *req)
{
    struct wh_slice path = wh_http_path(req);
    bool read = is_read(wh_http_method(req));

    if (wh_slice_starts(path, WH_LIT("/assets/")) && read) {
        send_asset(req, wh_slice_from(path, strlen("/assets/")));
    } else if (read) {
        show_link(req);
    } else if (wh_slice_eq(wh_http_method(req), WH_LIT("POST")) &&
               wh_slice_eq(path, WH_LIT("/login"))) {
        log_in(api, req);
    } else {
        api_reply_error(req, 405, "method_not_allowed", "this address is read with GET", NULL);
    }
}

/* ---- sessions ---- */

bool api_is_session(struct wh_slice path)
{
    return wh_slice_eq(path, WH_LIT("/api/v1/login-links")) || wh_slice_eq(path, WH_LIT("/logout"));
}

static void give_link(struct sink_api *api, struct wh_http_req *req)
{
    char code[SESSION_TEXT + 1];
    struct wh_err err;
    WH_AUTO(buf) struct wh_buf body;

    wh_buf_init_secret(&body, FORM_MAX_BYTES);
    /* Only the token makes links, so that a stolen session cannot make further sessions. */
    if (!own_token_fits(api->token, wh_http_header(req, "Authorization"))) {
        api_reply_error(req, 403, "forbidden", "links are made with the API's token", NULL);
    } else if (page_sessions_link(api->sessions, code, &err) != WH_OK ||
               wh_buf_printf(&body, &err,
                             "{\"ok\":true,\"path\":\"/login?code=%s\",\"seconds\":300}",
                             code) != WH_OK) {
        api_reply_failure(api, req, &err);
    } else {
        api_reply(req, 200, "application/json", wh_buf_slice(&body), NULL, 0);
    }
    wh_mem_wipe(code, sizeof(code));
}

static void log_out(struct sink_api *api, struct wh_http_req *req)
{
    struct wh_err err;

    /* A session that is not there has ended already. */
    if (page_sessions_end(api->sessions, wh_slice("", 0), wh_http_header(req, "Cookie"), &err) !=
            WH_OK &&
        err.rc != WH_E_NOT_FOUND) {
        api_reply_failure(api, req, &err);
        return;
    }
    go_home(req, "wellhead=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
}

void api_session(struct sink_api *api, struct wh_http_req *req)
{
    if (!wh_slice_eq(wh_http_method(req), WH_LIT("POST"))) {
        api_reply_error(req, 405, "method_not_allowed", "this address takes POST", NULL);
    } else if (wh_slice_eq(wh_http_path(req), WH_LIT("/logout"))) {
        log_out(api, req);
    } else {
        give_link(api, req);
    }
}
