#include "stages/fetcher/oauth/approve.h"

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "stages/fetcher/oauth/token.h"

enum { PARAM_MAX_BYTES = 4096, VERIFIER_RANDOM = 32 };

enum wh_rc oauth_challenge_s256(struct wh_slice verifier, struct wh_buf *out, struct wh_err *err)
{
    unsigned char digest[WH_SHA256_BYTES];

    if (wh_sha256(verifier, digest, err) != WH_OK) {
        return err->rc;
    }
    return wh_base64url_encode(wh_slice(digest, sizeof(digest)), out, err);
}

static enum wh_rc random_word(char to[OAUTH_VERIFIER_BYTES + 1], struct wh_err *err)
{
    unsigned char bytes[VERIFIER_RANDOM];
    WH_AUTO(buf) struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init_secret(&text, OAUTH_VERIFIER_BYTES + 1);
    rc = wh_random_bytes(bytes, sizeof(bytes), err);
    if (rc == WH_OK) {
        rc = wh_base64url_encode(wh_slice(bytes, sizeof(bytes)), &text, err);
    }
    wh_mem_wipe(bytes, sizeof(bytes));
    if (rc == WH_OK) {
        memcpy(to, text.ptr, OAUTH_VERIFIER_BYTES);
        to[OAUTH_VERIFIER_BYTES] = '\0';
    }
    return rc;
}

enum wh_rc oauth_secrets_make(struct oauth_secrets *ret, struct wh_err *err)
{
    if (random_word(ret->state, err) != WH_OK) {
        return err->rc;
    }
    return random_word(ret->verifier, err);
}

/* ---- the request ---- */

static bool next_param(struct wh_slice *rest, struct wh_slice *name, struct wh_slice *value)
{
    const char *end;
    const char *equals;
    size_t n;

    while (rest->len && rest->ptr[0] == '&') {
        *rest = wh_slice_from(*rest, 1);
    }
    if (rest->len == 0) {
        return false;
    }
    end = memchr(rest->ptr, '&', rest->len);
    n = end ? (size_t)(end - rest->ptr) : rest->len;
    equals = memchr(rest->ptr, '=', n);
    *name = wh_slice(rest->ptr, equals ? (size_t)(equals - rest->ptr) : n);
    *value = equals ? wh_slice(equals + 1, n - name->len - 1) : wh_slice("", 0);
    *rest = wh_slice_from(*rest, n);
    return true;
}

static bool is_ours(struct wh_slice name)
{
    static const char *const ours[] = {
        "response_type", "client_id",      "redirect_uri", "state",
        "scope",         "code_challenge", "resource",     "code_challenge_method"};
    WH_AUTO(buf) struct wh_buf plain;
    struct wh_err err;

    wh_buf_init(&plain, PARAM_MAX_BYTES);
    if (wh_percent_decode(name, true, &plain, &err) != WH_OK) {
        return true;
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (wh_slice_eq(wh_buf_slice(&plain), wh_slice_str(ours[i]))) {
            return true;
        }
    }
    return false;
}

static enum wh_rc endpoint_params(struct wh_slice query, struct wh_buf *out, struct wh_err *err)
{
    struct wh_slice name;
    struct wh_slice value;

    while (next_param(&query, &name, &value)) {
        if (!is_ours(name) && wh_buf_printf(out, err, "%s%.*s=%.*s", out->len ? "&" : "",
                                            WH_SLICE_ARG(name), WH_SLICE_ARG(value)) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc oauth_request_url(const struct oauth_request *r, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf form;
    WH_AUTO(buf) struct wh_buf proof;
    struct wh_url u;

    wh_buf_init(&form, 4 * PARAM_MAX_BYTES);
    wh_buf_init(&proof, 64);
    if (wh_url_parse(r->endpoint, &u, err) != WH_OK ||
        oauth_challenge_s256(wh_slice_str(r->secrets->verifier), &proof, err) != WH_OK ||
        endpoint_params(u.query, &form, err) != WH_OK ||
        oauth_form_add(&form, "response_type", WH_LIT("code"), err) != WH_OK ||
        oauth_form_add(&form, "client_id", r->client_id, err) != WH_OK ||
        oauth_form_add(&form, "redirect_uri", r->redirect_uri, err) != WH_OK ||
        oauth_form_add(&form, "state", wh_slice_str(r->secrets->state), err) != WH_OK ||
        oauth_form_add(&form, "code_challenge", wh_buf_slice(&proof), err) != WH_OK ||
        oauth_form_add(&form, "code_challenge_method", WH_LIT("S256"), err) != WH_OK ||
        (r->scope.len && oauth_form_add(&form, "scope", r->scope, err) != WH_OK) ||
        oauth_form_add(&form, "resource", r->resource, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_printf(out, err, "%.*s%.*s?%s", WH_SLICE_ARG(u.origin), WH_SLICE_ARG(u.path),
                         wh_buf_str(&form));
}

/* ---- the redirect ---- */

void oauth_redirect_done(struct oauth_redirect *r)
{
    wh_buf_done(&r->code);
    wh_buf_done(&r->state);
    wh_buf_done(&r->iss);
    wh_buf_done(&r->error);
}

static struct wh_slice query_of(struct wh_slice text)
{
    const char *mark = text.len ? memchr(text.ptr, '?', text.len) : NULL;
    const char *hash;

    if (mark) {
        text = wh_slice_from(text, (size_t)(mark - text.ptr) + 1);
    }
    hash = text.len ? memchr(text.ptr, '#', text.len) : NULL;
    if (hash) {
        text.len = (size_t)(hash - text.ptr);
    }
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r' ||
                        text.ptr[text.len - 1] == ' ')) {
        text.len--;
    }
    return text;
}

enum wh_rc oauth_redirect_read(struct wh_slice query_or_url, struct oauth_redirect *ret,
                               struct wh_err *err)
{
    struct wh_slice query = query_of(query_or_url);
    const struct {
        const char *name;
        struct wh_buf *to;
    } texts[] = {
        {"code", &ret->code}, {"state", &ret->state}, {"iss", &ret->iss}, {"error", &ret->error}};
    bool seen[4] = {false, false, false, false};
    struct wh_slice name;
    struct wh_slice value;

    for (size_t i = 0; i < 4; i++) {
        wh_buf_init_secret(texts[i].to, PARAM_MAX_BYTES);
    }
    ret->has_iss = false;
    while (next_param(&query, &name, &value)) {
        for (size_t i = 0; i < 4; i++) {
            if (!wh_slice_eq(name, wh_slice_str(texts[i].name))) {
                continue;
            }
            if (seen[i]) {
                return wh_fail(err, WH_E_INVALID, "the redirect names %s twice", texts[i].name);
            }
            seen[i] = true;
            if (wh_percent_decode(value, true, texts[i].to, err) != WH_OK) {
                return wh_err_prefix(err, "the redirect's %s", texts[i].name);
            }
        }
    }
    ret->has_iss = seen[2];
    return WH_OK;
}

enum wh_rc oauth_issuer_check(const struct oauth_server *server, const struct oauth_redirect *r,
                              struct wh_err *err)
{
    if (!r->has_iss && server->iss_promised) {
        return wh_fail(err, WH_E_FORBIDDEN,
                       "the answer does not say who gave it, though the server promises to");
    }
    if (r->has_iss && !wh_slice_eq(wh_buf_slice(&r->iss), server->issuer)) {
        return wh_fail(err, WH_E_FORBIDDEN, "the answer comes from another issuer");
    }
    return WH_OK;
}
