/*
 * /oauth/authorize: may this program read the workspace? Only a person with a session is asked, and only the page that asks can answer: a
 * POST counts from a page of this origin alone, and nobody can frame it.
 *
 * What is wrong with the client or its redirect is said here, because nothing may be sent to an address that nobody
 * registered; everything else is sent back to the client (RFC 6749 section 4.1.2.1, with iss by RFC 9207).
 */
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/httpc/url.h"
#include "common/json/json_write.h"
#include "stages/sink/api/agents/oauth_priv.h"

enum { STATE_MAX = 2000, LOCATION_MAX = 8 << 10, DOCUMENT_MAX = 16 << 10 };

/* Arguments of a query or of a form. */
struct asked {
    struct grants_ask ask;
    struct wh_slice state;
    struct wh_slice type;
    struct wh_slice method;
    struct grants_client client;
    char issuer[API_ORIGIN_MAX];
    char resource[API_ORIGIN_MAX];
};

/* ---- replies ---- */

static void reply_problem(struct wh_http_req *req, unsigned status, const char *problem)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&text, DOCUMENT_MAX);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "problem", wh_slice_str(problem));
    wh_jw_end(&w);
    api_reply_template(req, status, "authorize",
                       wh_jw_finish(&w, &err) == WH_OK ? wh_buf_slice(&text) : WH_LIT("{}"), "");
}

static enum wh_rc add(struct wh_buf *out, const char *name, struct wh_slice value,
                      struct wh_err *err)
{
    char sign = out->len && memchr(out->ptr, '?', out->len) ? '&' : '?';

    return value.len == 0 ? WH_OK
           : wh_buf_printf(out, err, "%c%s=", sign, name) == WH_OK
               ? wh_percent_encode(value, out, err)
               : err->rc;
}

/* Sends the browser back to the client, with a code or with an error. */
static void send_back(struct wh_http_req *req, const struct asked *a, const char *name,
                      struct wh_slice value)
{
    WH_AUTO(buf) struct wh_buf to;
    struct wh_http_header location = {WH_LIT("Location"), {NULL, 0}};
    struct wh_err err;

    wh_buf_init_secret(&to, LOCATION_MAX);
    if (wh_buf_append(&to, a->ask.redirect, &err) != WH_OK ||
        add(&to, name, value, &err) != WH_OK || add(&to, "state", a->state, &err) != WH_OK ||
        add(&to, "iss", wh_slice_str(a->issuer), &err) != WH_OK) {
        reply_problem(req, 400, "The program's request is too long.");
        return;
    }
    location.value = wh_buf_slice(&to);
    api_reply(req, 303, NULL, wh_slice("", 0), &location, 1);
}

/* ---- what is asked ---- */

/* Replies when nothing may be sent to the client. */
static bool client_fits(struct sink_api *api, struct wh_http_req *req, struct asked *a)
{
    if (!grants_client(api->grants, a->ask.client, &a->client)) {
        reply_problem(
            req, 400,
            "The program is not registered here, or not any more. Remove this server from "
            "the program and add it again.");
        return false;
    }
    if (!grants_redirect_fits(&a->client, a->ask.redirect)) {
        reply_problem(req, 400,
                      "The program asks to be answered at an address that it has not registered.");
        return false;
    }
    return true;
}

/* The error of the request, for the client; NULL: there is none. */
static const char *error_of(struct asked *a)
{
    if (!wh_slice_eq(a->type, WH_LIT("code"))) {
        return "unsupported_response_type";
    }
    if (!wh_slice_eq(a->method, WH_LIT("S256")) || a->ask.challenge.len != 43 ||
        a->state.len > STATE_MAX) {
        return "invalid_request";
    }
    if (a->ask.resource.len == 0) {
        a->ask.resource = wh_slice_str(a->resource);
    }
    return wh_slice_eq(a->ask.resource, wh_slice_str(a->resource)) ? NULL : "invalid_target";
}

/* ---- the page ---- */

/* "https://a.example/b?c" -> "https://a.example" */
static struct wh_slice origin_of(struct wh_slice uri)
{
    struct wh_url u;
    struct wh_err err;

    return wh_url_parse(uri, &u, &err) == WH_OK ? u.origin : wh_slice("", 0);
}

static void show_question(struct wh_http_req *req, const struct asked *a)
{
    struct wh_slice origin = origin_of(a->ask.redirect);
    char form_action[GRANT_URI_MAX + 1];
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&text, DOCUMENT_MAX);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "name", wh_slice_str(a->client.name));
    wh_jw_put_str(&w, "host", origin);
    wh_jw_put_bool(&w, "here", !wh_slice_starts(origin, WH_LIT("https://")));
    wh_jw_put_str(&w, "client_id", a->ask.client);
    wh_jw_put_str(&w, "redirect_uri", a->ask.redirect);
    wh_jw_put_str(&w, "state", a->state);
    wh_jw_put_str(&w, "code_challenge", a->ask.challenge);
    wh_jw_put_str(&w, "resource", a->ask.resource);
    wh_jw_end(&w);
    (void)snprintf(form_action, sizeof(form_action), "%.*s", WH_SLICE_ARG(origin));
    api_reply_template(req, 200, "authorize",
                       wh_jw_finish(&w, &err) == WH_OK ? wh_buf_slice(&text) : WH_LIT("{}"),
                       form_action);
}

static void read_query(const struct wh_http_req *req, struct asked *ret)
{
    ret->ask = (struct grants_ask){.client = wh_http_query(req, "client_id"),
                                   .redirect = wh_http_query(req, "redirect_uri"),
                                   .challenge = wh_http_query(req, "code_challenge"),
                                   .resource = wh_http_query(req, "resource")};
    ret->state = wh_http_query(req, "state");
    ret->type = wh_http_query(req, "response_type");
    ret->method = wh_http_query(req, "code_challenge_method");
}

static bool read_names(const struct sink_api *api, const struct wh_http_req *req, struct asked *ret)
{
    return api_origin(api, req, "", ret->issuer) && api_origin(api, req, "/mcp", ret->resource);
}

void oauth_ask_person(struct sink_api *api, struct wh_http_req *req)
{
    struct asked a = {.issuer = ""};
    const char *error;

    read_query(req, &a);
    if (!read_names(api, req, &a)) {
        reply_problem(req, 403, "This name of the host is not one of ours (api.hosts).");
        return;
    }
    if (!client_fits(api, req, &a)) {
        return;
    }
    if (!api_knows(api, req)) {
        api_ask_login(req);
        return;
    }
    error = error_of(&a);
    if (error) {
        send_back(req, &a, "error", wh_slice_str(error));
    } else {
        show_question(req, &a);
    }
}

/* ---- the answer ---- */

static void allow(struct sink_api *api, struct wh_http_req *req, const struct asked *a)
{
    char code[GRANT_TOKEN_TEXT + 1];
    struct wh_err err;

    if (grants_allow(api->grants, &a->ask, code, &err) == WH_OK) {
        wh_log_info(api->deps.log, "a person allowed a program to read the workspace",
                    WH_STR("program", a->client.name));
        send_back(req, a, "code", wh_slice_str(code));
    } else if (err.rc == WH_E_BUSY) {
        reply_problem(req, 503, err.msg);
    } else {
        send_back(req, a, "error", WH_LIT("server_error"));
    }
}

static void decide(struct sink_api *api, struct wh_http_req *req, const struct oauth_form *form)
{
    struct asked a = {.type = WH_LIT("code"), .method = WH_LIT("S256")};
    const char *error;

    a.ask = (struct grants_ask){.client = oauth_form_get(form, "client_id"),
                                .redirect = oauth_form_get(form, "redirect_uri"),
                                .challenge = oauth_form_get(form, "code_challenge"),
                                .resource = oauth_form_get(form, "resource")};
    a.state = oauth_form_get(form, "state");
    if (!read_names(api, req, &a) || !client_fits(api, req, &a)) {
        return;
    }
    error = !wh_slice_eq(oauth_form_get(form, "decision"), WH_LIT("allow")) ? "access_denied"
                                                                            : error_of(&a);
    if (error) {
        send_back(req, &a, "error", wh_slice_str(error));
    } else {
        allow(api, req, &a);
    }
}

void oauth_decide(struct sink_api *api, struct wh_http_req *req)
{
    struct oauth_form form;
    struct wh_err err;

    if (!api_knows(api, req)) {
        reply_problem(req, 403,
                      "This answer did not come from a page of this workspace with a session.");
        return;
    }
    if (oauth_form_read(&form, wh_http_body(req), &err) == WH_OK) {
        decide(api, req, &form);
    } else {
        reply_problem(req, 400, "The answer is malformed.");
    }
    oauth_form_done(&form);
}
