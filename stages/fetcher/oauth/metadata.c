#include "stages/fetcher/oauth/metadata.h"

#include "common/base/mem.h"

enum { SCOPES_MAX_BYTES = 4096, WORDS_MAX = 256 };

/* ---- where to look ---- */

static enum wh_rc add_place(struct oauth_places *p, struct wh_arena *arena, struct wh_slice origin,
                            struct wh_slice before, const char *known, struct wh_slice after,
                            struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf url;
    struct wh_slice kept;

    wh_buf_init(&url, 2 * WH_URL_MAX);
    if (wh_buf_printf(&url, err, "%.*s%.*s/.well-known/%s%.*s", WH_SLICE_ARG(origin),
                      WH_SLICE_ARG(before), known, WH_SLICE_ARG(after)) != WH_OK ||
        wh_arena_dup(arena, wh_buf_slice(&url), &kept, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (wh_slice_eq(p->url[i], kept)) {
            return WH_OK;
        }
    }
    if (p->n < OAUTH_PLACES_MAX) {
        p->url[p->n++] = kept;
    }
    return WH_OK;
}

static struct wh_slice bare_path(const struct wh_url *u)
{
    struct wh_slice path = u->path;

    while (path.len && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    return path;
}

static enum wh_rc add_named(const struct wh_url *endpoint, struct wh_slice named,
                            struct oauth_places *p, struct wh_err *err)
{
    struct wh_url u;

    if (named.len == 0) {
        return WH_OK;
    }
    if (wh_url_parse(named, &u, err) != WH_OK || !oauth_url_same_origin(&u, endpoint)) {
        return wh_fail(err, WH_E_FORBIDDEN,
                       "the challenge names metadata at another origin than the server's");
    }
    p->url[p->n++] = named;
    return WH_OK;
}

enum wh_rc oauth_resource_places(const struct wh_url *endpoint, struct wh_slice named,
                                 struct wh_arena *arena, struct oauth_places *ret,
                                 struct wh_err *err)
{
    static const char known[] = "oauth-protected-resource";
    struct wh_slice none = wh_slice("", 0);
    struct wh_slice path = bare_path(endpoint);

    *ret = (struct oauth_places){0};
    if (add_named(endpoint, named, ret, err) != WH_OK ||
        add_place(ret, arena, endpoint->origin, none, known, path, err) != WH_OK ||
        add_place(ret, arena, endpoint->origin, none, known, none, err) != WH_OK) {
        return err->rc;
    }
    return add_place(ret, arena, endpoint->origin, path, known, none, err);
}

enum wh_rc oauth_server_places(const struct wh_url *issuer, const struct wh_url *endpoint,
                               struct wh_arena *arena, struct oauth_places *ret, struct wh_err *err)
{
    static const char oauth[] = "oauth-authorization-server";
    static const char openid[] = "openid-configuration";
    struct wh_slice none = wh_slice("", 0);
    struct wh_slice path = bare_path(issuer);

    *ret = (struct oauth_places){0};
    if (add_place(ret, arena, issuer->origin, none, oauth, path, err) != WH_OK ||
        add_place(ret, arena, issuer->origin, none, openid, path, err) != WH_OK ||
        add_place(ret, arena, issuer->origin, path, openid, none, err) != WH_OK) {
        return err->rc;
    }
    if (endpoint == NULL) {
        return WH_OK;
    }
    path = bare_path(endpoint);
    if (add_place(ret, arena, endpoint->origin, path, oauth, none, err) != WH_OK) {
        return err->rc;
    }
    return add_place(ret, arena, endpoint->origin, path, openid, none, err);
}

/* ---- reading ---- */

/* "" when absent; another type is an error. */
static enum wh_rc text_of(struct wh_json_val root, const char *key, struct wh_arena *arena,
                          struct wh_slice *ret, struct wh_err *err)
{
    struct wh_json_val v;

    *ret = wh_slice("", 0);
    if (!wh_json_get(root, wh_slice_str(key), &v) || wh_json_type(v) == WH_JSON_NULL) {
        return WH_OK;
    }
    if (wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_TYPE, "%s is not a string", key);
    }
    return wh_arena_dup(arena, wh_json_string(v), ret, err);
}

/* An array of words joined by spaces. Each word is compared with those before it, so that their
 * number is bounded too. */
static enum wh_rc words_of(struct wh_json_val root, const char *key, struct wh_arena *arena,
                           struct wh_slice *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf words;
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice name;
    size_t n = 0;

    wh_buf_init(&words, SCOPES_MAX_BYTES);
    *ret = wh_slice("", 0);
    if (!wh_json_get(root, wh_slice_str(key), &list) || wh_json_type(list) != WH_JSON_ARRAY) {
        return WH_OK;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &name, &item);) {
        if (++n > WORDS_MAX) {
            return wh_fail(err, WH_E_TOO_LARGE, "%s lists more than %d words", key, WORDS_MAX);
        }
        if (wh_json_type(item) == WH_JSON_STRING &&
            oauth_scope_add(&words, wh_json_string(item), err) != WH_OK) {
            return wh_err_prefix(err, "%s", key);
        }
    }
    return wh_arena_dup(arena, wh_buf_slice(&words), ret, err);
}

static bool fits(struct wh_slice resource, const struct wh_url *endpoint)
{
    struct wh_url u;
    struct wh_err err;

    return wh_url_parse(resource, &u, &err) == WH_OK && oauth_url_same_origin(&u, endpoint) &&
           oauth_url_below(&u, endpoint);
}

/* Of several that fit (an older GitLab names two) the longest is the closest. */
static struct wh_slice pick_resource(struct wh_json_val v, const struct wh_url *endpoint)
{
    struct wh_slice best = wh_slice(NULL, 0);
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice name;

    if (wh_json_type(v) == WH_JSON_STRING) {
        return fits(wh_json_string(v), endpoint) ? wh_json_string(v) : best;
    }
    if (wh_json_type(v) != WH_JSON_ARRAY) {
        return best;
    }
    for (it = wh_json_iter(v); wh_json_next(&it, &name, &item);) {
        struct wh_slice text = wh_json_string(item);

        if (wh_json_type(item) == WH_JSON_STRING && fits(text, endpoint) && text.len > best.len) {
            best = text;
        }
    }
    return best;
}

enum wh_rc oauth_resource_read(struct wh_slice json, struct wh_json_parser *parser,
                               const struct wh_url *endpoint, struct wh_arena *arena,
                               struct oauth_resource *ret, struct wh_err *err)
{
    struct oauth_resource r;
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_json_val first;
    struct wh_json_iter it;
    struct wh_slice name;
    struct wh_slice picked;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_json_get(root, WH_LIT("resource"), &v)) {
        return wh_fail(err, WH_E_MISSING, "protected resource metadata without resource");
    }
    picked = pick_resource(v, endpoint);
    if (picked.len == 0) {
        return wh_fail(err, WH_E_FORBIDDEN,
                       "the metadata are of another resource than the one that is asked");
    }
    if (!wh_json_get(root, WH_LIT("authorization_servers"), &v) ||
        wh_json_type(v) != WH_JSON_ARRAY) {
        return wh_fail(err, WH_E_MISSING, "protected resource metadata name no server");
    }
    it = wh_json_iter(v);
    if (!wh_json_next(&it, &name, &first) || wh_json_type(first) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_MISSING, "protected resource metadata name no server");
    }
    if (wh_arena_dup(arena, picked, &r.resource, err) != WH_OK ||
        wh_arena_dup(arena, wh_json_string(first), &r.issuer, err) != WH_OK ||
        words_of(root, "scopes_supported", arena, &r.scopes, err) != WH_OK) {
        return err->rc;
    }
    *ret = r;
    return WH_OK;
}

static bool same_issuer(struct wh_slice a, struct wh_slice b)
{
    if (a.len && a.ptr[a.len - 1] == '/') {
        a.len--;
    }
    if (b.len && b.ptr[b.len - 1] == '/') {
        b.len--;
    }
    return wh_slice_eq(a, b);
}

static enum wh_rc check_endpoint(struct wh_slice text, const char *what,
                                 const struct wh_url *issuer, bool allow_http, struct wh_err *err)
{
    struct wh_url u;

    if (text.len == 0) {
        return WH_OK;
    }
    if (wh_url_parse(text, &u, err) != WH_OK || oauth_url_secure(&u, allow_http, err) != WH_OK) {
        return wh_err_prefix(err, "%s", what);
    }
    if (!oauth_url_same_origin(&u, issuer)) {
        return wh_fail(err, WH_E_FORBIDDEN, "the %s is at another origin than its server", what);
    }
    return WH_OK;
}

static enum wh_rc check_server(const struct oauth_server *s, struct wh_json_val root,
                               bool allow_http, struct wh_arena *arena, struct wh_err *err)
{
    struct wh_slice methods;
    struct wh_url issuer;

    if (s->authorization_endpoint.len == 0 || s->token_endpoint.len == 0) {
        return wh_fail(err, WH_E_MISSING, "server metadata without its endpoints");
    }
    if (words_of(root, "code_challenge_methods_supported", arena, &methods, err) != WH_OK) {
        return err->rc;
    }
    if (!oauth_scope_has(methods, WH_LIT("S256"))) {
        return wh_fail(err, WH_E_FORBIDDEN, "the server does not offer PKCE with S256");
    }
    if (wh_url_parse(s->issuer, &issuer, err) != WH_OK ||
        check_endpoint(s->authorization_endpoint, "authorization endpoint", &issuer, allow_http,
                       err) != WH_OK ||
        check_endpoint(s->token_endpoint, "token endpoint", &issuer, allow_http, err) != WH_OK ||
        check_endpoint(s->registration_endpoint, "registration endpoint", &issuer, allow_http,
                       err) != WH_OK) {
        return err->rc;
    }
    return check_endpoint(s->revocation_endpoint, "revocation endpoint", &issuer, allow_http, err);
}

enum wh_rc oauth_server_read(struct wh_slice json, struct wh_json_parser *parser,
                             struct wh_slice issuer, bool allow_http, struct wh_arena *arena,
                             struct oauth_server *ret, struct wh_err *err)
{
    struct oauth_server s = {0};
    const struct {
        const char *key;
        struct wh_slice *to;
    } texts[] = {
        {"issuer", &s.issuer},
        {"authorization_endpoint", &s.authorization_endpoint},
        {"token_endpoint", &s.token_endpoint},
        {"registration_endpoint", &s.registration_endpoint},
        {"revocation_endpoint", &s.revocation_endpoint},
    };
    struct wh_json_val root;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (text_of(root, texts[i].key, arena, texts[i].to, err) != WH_OK) {
            return err->rc;
        }
    }
    if (s.issuer.len == 0) {
        return wh_fail(err, WH_E_MISSING, "server metadata without issuer");
    }
    if (!same_issuer(s.issuer, issuer)) {
        return wh_fail(err, WH_E_FORBIDDEN,
                       "the metadata are of another issuer than the one that was asked");
    }
    if (words_of(root, "scopes_supported", arena, &s.scopes, err) != WH_OK ||
        words_of(root, "token_endpoint_auth_methods_supported", arena, &s.auth_methods, err) !=
            WH_OK) {
        return err->rc;
    }
    s.iss_promised = wh_json_get_flag(root, "authorization_response_iss_parameter_supported");
    s.takes_metadata_url = wh_json_get_flag(root, "client_id_metadata_document_supported");
    if (check_server(&s, root, allow_http, arena, err) != WH_OK) {
        return err->rc;
    }
    *ret = s;
    return WH_OK;
}

/* ---- scopes ---- */

static bool next_word(struct wh_slice *rest, struct wh_slice *word)
{
    size_t n = 0;

    while (rest->len && rest->ptr[0] == ' ') {
        *rest = wh_slice_from(*rest, 1);
    }
    while (n < rest->len && rest->ptr[n] != ' ') {
        n++;
    }
    *word = wh_slice(rest->ptr, n);
    *rest = wh_slice_from(*rest, n);
    return n > 0;
}

bool oauth_scope_has(struct wh_slice scopes, struct wh_slice scope)
{
    struct wh_slice word;

    while (next_word(&scopes, &word)) {
        if (wh_slice_eq(word, scope)) {
            return true;
        }
    }
    return false;
}

enum wh_rc oauth_scope_add(struct wh_buf *out, struct wh_slice more, struct wh_err *err)
{
    struct wh_slice word;

    while (next_word(&more, &word)) {
        if (oauth_scope_has(wh_buf_slice(out), word)) {
            continue;
        }
        if ((out->len && wh_buf_append_char(out, ' ', err) != WH_OK) ||
            wh_buf_append(out, word, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
