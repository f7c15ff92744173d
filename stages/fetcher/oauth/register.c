#include "stages/fetcher/oauth/register.h"

#include "common/json/json_write.h"

/* An array of one text, or of two where there is a second. */
static void words(struct wh_json_writer *w, const char *key, struct wh_slice first,
                  struct wh_slice second)
{
    wh_jw_key(w, key);
    wh_jw_array(w);
    wh_jw_str(w, first);
    if (second.len) {
        wh_jw_str(w, second);
    }
    wh_jw_end(w);
}

enum wh_rc oauth_register_body(struct wh_slice client_name, struct wh_slice redirect_uri,
                               struct wh_slice scope, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "client_name", client_name);
    words(&w, "redirect_uris", redirect_uri, WH_LIT(""));
    words(&w, "grant_types", WH_LIT("authorization_code"), WH_LIT("refresh_token"));
    words(&w, "response_types", WH_LIT("code"), WH_LIT(""));
    wh_jw_put_str(&w, "token_endpoint_auth_method", WH_LIT("none"));
    wh_jw_put_str(&w, "application_type", WH_LIT("native"));
    if (scope.len) {
        wh_jw_put_str(&w, "scope", scope);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

struct wh_slice oauth_auth_method(const struct oauth_server *server, bool secret)
{
    if (!secret) {
        return WH_LIT("none");
    }
    /* Basic is what every server must know (RFC 6749 2.3.1). */
    if (server->auth_methods.len == 0 ||
        oauth_scope_has(server->auth_methods, WH_LIT("client_secret_basic")) ||
        !oauth_scope_has(server->auth_methods, WH_LIT("client_secret_post"))) {
        return WH_LIT("client_secret_basic");
    }
    return WH_LIT("client_secret_post");
}

/* RFC 6749 appendix A: an id and a secret are visible ASCII and spaces. */
static bool plain(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static enum wh_rc member(struct wh_json_val root, const char *key, struct wh_arena *arena,
                         struct wh_slice *ret, struct wh_err *err)
{
    struct wh_json_val v;

    *ret = wh_slice("", 0);
    if (!wh_json_get(root, wh_slice_str(key), &v) || wh_json_type(v) != WH_JSON_STRING) {
        return WH_OK;
    }
    if (wh_json_string(v).len > OAUTH_CLIENT_TEXT_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "the registration's %s is longer than %d bytes", key,
                       OAUTH_CLIENT_TEXT_MAX);
    }
    if (!plain(wh_json_string(v))) {
        return wh_fail(err, WH_E_INVALID, "the registration's %s is not plain ASCII", key);
    }
    return wh_arena_dup(arena, wh_json_string(v), ret, err);
}

static bool known_method(struct wh_slice method)
{
    return wh_slice_eq(method, WH_LIT("none")) ||
           wh_slice_eq(method, WH_LIT("client_secret_basic")) ||
           wh_slice_eq(method, WH_LIT("client_secret_post"));
}

enum wh_rc oauth_register_read(struct wh_slice json, struct wh_json_parser *parser,
                               const struct oauth_server *server, struct wh_slice redirect_uri,
                               struct wh_arena *arena, struct oauth_client *ret, struct wh_err *err)
{
    struct oauth_client c = {0};
    struct wh_json_val root;

    if (wh_json_parse(parser, json, &root, err) != WH_OK ||
        member(root, "client_id", arena, &c.client_id, err) != WH_OK ||
        member(root, "client_secret", arena, &c.client_secret, err) != WH_OK ||
        member(root, "token_endpoint_auth_method", arena, &c.auth_method, err) != WH_OK ||
        wh_arena_dup(arena, server->issuer, &c.issuer, err) != WH_OK ||
        wh_arena_dup(arena, redirect_uri, &c.redirect_uri, err) != WH_OK) {
        return err->rc;
    }
    if (c.client_id.len == 0) {
        return wh_fail(err, WH_E_MISSING, "the registration gave no client id");
    }
    /* What the registration says wins over the server's metadata. */
    if (c.auth_method.len == 0) {
        c.auth_method = oauth_auth_method(server, c.client_secret.len > 0);
    }
    if (c.client_secret.len == 0) {
        c.auth_method = WH_LIT("none");
    }
    if (!known_method(c.auth_method)) {
        return wh_fail(err, WH_E_UNSUPPORTED,
                       "the registration asks for a client authentication that is not supported");
    }
    *ret = c;
    return WH_OK;
}
