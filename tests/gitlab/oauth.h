/*
 * oauth.h - applications, codes and tokens as GitLab's Doorkeeper keeps them, in memory; and who a
 * request comes from. Access and refresh token are two columns of one record: rotating or revoking
 * ends both at once.
 */
#ifndef GL_OAUTH_H
#define GL_OAUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/httpd/http.h"
#include "tests/gitlab/out.h"

struct gl_call;
struct gl_server;

enum gl_scope { GL_SCOPE_MCP = 1, GL_SCOPE_READ_API = 2, GL_SCOPE_API = 4, GL_SCOPE_READ_USER = 8 };

enum {
    GL_TOKEN_BYTES = 65,
    GL_APPS_MAX = 64,
    GL_CODES_MAX = 64,
    GL_TOKENS_MAX = 4096,
    GL_PATS_MAX = 8,
    GL_REDIRECTS_MAX = 4,
    GL_URL_BYTES = 256,
    GL_NAME_BYTES = 240,
    GL_CODE_LIFE_S = 600
};

struct gl_app {
    char id[GL_TOKEN_BYTES];
    char secret[GL_TOKEN_BYTES]; /* "": public */
    char name[GL_NAME_BYTES];
    char redirects[GL_REDIRECTS_MAX][GL_URL_BYTES];
    unsigned n_redirects;
    unsigned scopes;
    bool dynamic;
    int64_t created_s;
};

struct gl_code {
    char code[GL_TOKEN_BYTES];
    char redirect[GL_URL_BYTES];
    char challenge[GL_TOKEN_BYTES];
    unsigned app;
    unsigned scopes;
    int64_t until_s; /* 0: used */
};

enum gl_token_state { GL_TOKEN_LIVE, GL_TOKEN_ROTATED, GL_TOKEN_REVOKED };

struct gl_oauth_token {
    char access[GL_TOKEN_BYTES];
    char refresh[GL_TOKEN_BYTES];
    unsigned app;
    unsigned scopes;
    unsigned family; /* all that came from one approval */
    int64_t created_s;
    int64_t life_s;
    enum gl_token_state state;
};

/* A personal access token besides that of --token-file. */
struct gl_pat {
    char *token;
    unsigned scopes;
    unsigned user; /* whose budget it uses */
    bool hooks;    /* may see webhooks */
};

struct gl_oauth {
    struct gl_app *apps;
    unsigned n_apps;
    struct gl_code *codes; /* a ring */
    uint64_t n_codes;
    struct gl_oauth_token *tokens; /* a ring */
    uint64_t n_tokens;
    struct gl_pat pats[GL_PATS_MAX];
    unsigned n_pats;
    int64_t hour; /* of registrations */
    int64_t registered;
    unsigned families;
    uint64_t n_registered;
    uint64_t n_granted;
    uint64_t n_refreshed;
    uint64_t n_revoked;
    uint64_t n_reused; /* refresh tokens that came again */
    uint64_t n_refused;
};

enum gl_who_state { GL_WHO_NOBODY, GL_WHO_UNKNOWN, GL_WHO_EXPIRED, GL_WHO_REVOKED, GL_WHO_OK };

struct gl_who {
    enum gl_who_state state;
    unsigned scopes;
    unsigned user;
    bool hooks;
    bool oauth;
};

/* From PRIVATE-TOKEN (personal ones only) or Authorization: Bearer. */
struct gl_who gl_who_asks(const struct gl_server *server, const struct wh_http_req *req);
/* The answer to a request that is not OK, with its WWW-Authenticate header; gives the status. */
unsigned gl_who_refuse(struct gl_call *call, enum gl_who_state state);

/* "mcp read_api"; false when one is not known. */
bool gl_scopes_parse(struct wh_slice text, unsigned *ret);
void gl_scopes_put(unsigned scopes, const char *between, struct gl_out *out);

/* oauth_store.c. Seconds are those of the stand-in's clock. */
int64_t gl_oauth_now_s(const struct gl_server *server);
WH_MUST_CHECK bool gl_oauth_id(char to[GL_TOKEN_BYTES]);
struct gl_app *gl_app_find(const struct gl_oauth *o, struct wh_slice id);
/* A zeroed one at the end, or NULL. */
struct gl_app *gl_app_add(struct gl_oauth *o);
bool gl_app_redirect_fits(const struct gl_app *app, struct wh_slice uri);
struct gl_code *gl_code_add(struct gl_oauth *o);
struct gl_code *gl_code_find(const struct gl_oauth *o, struct wh_slice code);
struct gl_oauth_token *gl_token_add(struct gl_oauth *o);
struct gl_oauth_token *gl_token_by_access(const struct gl_oauth *o, struct wh_slice access);
struct gl_oauth_token *gl_token_by_refresh(const struct gl_oauth *o, struct wh_slice refresh);
void gl_family_revoke(struct gl_oauth *o, unsigned family);
void gl_oauth_release(struct gl_oauth *o);

/* True when the path was one of discovery or OAuth; it was answered then. */
bool gl_discovery_route(const struct gl_call *call);
bool gl_oauth_route(const struct gl_call *call);
unsigned gl_oauth_authorize(struct gl_call *call);

/* The control port's part: {"id":"..","secret":"..","scopes":"mcp","redirect_uri":".."}. */
const char *gl_oauth_add_app(struct gl_server *server, struct wh_slice json);
/* {"token":"..","scopes":"read_api","user":1,"hooks":true} */
const char *gl_oauth_add_pat(struct gl_server *server, struct wh_slice json);
/* {"expire":true} or {"revoke":true}: all OAuth tokens. */
void gl_oauth_end_tokens(struct gl_server *server, bool revoke);
void gl_oauth_render(const struct gl_server *server, struct gl_out *out);

#endif
