#include "stages/fetcher/oauth/keep.h"

#include "common/json/json_write.h"

enum wh_rc oauth_kept_write(const struct oauth_kept *k, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "issuer", k->client.issuer);
    wh_jw_put_str(&w, "client_id", k->client.client_id);
    wh_jw_put_str(&w, "client_secret", k->client.client_secret);
    wh_jw_put_str(&w, "auth_method", k->client.auth_method);
    wh_jw_put_str(&w, "redirect_uri", k->client.redirect_uri);
    wh_jw_put_str(&w, "token_endpoint", k->token_endpoint);
    wh_jw_put_str(&w, "revocation_endpoint", k->revocation_endpoint);
    wh_jw_put_str(&w, "resource", k->resource);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc oauth_kept_read(struct wh_slice json, struct wh_json_parser *parser,
                           struct wh_arena *arena, struct oauth_kept *ret, struct wh_err *err)
{
    struct oauth_kept k = {0};
    const struct {
        const char *key;
        struct wh_slice *to;
    } texts[] = {
        {"issuer", &k.client.issuer},
        {"client_id", &k.client.client_id},
        {"client_secret", &k.client.client_secret},
        {"auth_method", &k.client.auth_method},
        {"redirect_uri", &k.client.redirect_uri},
        {"token_endpoint", &k.token_endpoint},
        {"revocation_endpoint", &k.revocation_endpoint},
        {"resource", &k.resource},
    };
    struct wh_json_val root;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (wh_arena_dup(arena, wh_json_get_str(root, texts[i].key), texts[i].to, err) != WH_OK) {
            return err->rc;
        }
    }
    if (k.client.client_id.len == 0 || k.token_endpoint.len == 0) {
        return wh_fail(err, WH_E_MISSING, "a kept registration without client or endpoint");
    }
    *ret = k;
    return WH_OK;
}

enum wh_rc oauth_tokens_write(const struct oauth_tokens *t, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "access_token", wh_buf_slice(&t->access));
    wh_jw_put_str(&w, "refresh_token", wh_buf_slice(&t->refresh));
    wh_jw_put_str(&w, "scope", wh_slice_str(t->scope));
    wh_jw_key(&w, "got_at_ms");
    wh_jw_int(&w, t->got_at_ms);
    wh_jw_key(&w, "expires_at_ms");
    wh_jw_int(&w, t->expires_at_ms);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc oauth_tokens_read(struct wh_slice json, struct wh_json_parser *parser,
                             struct oauth_tokens *ret, struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_slice scope;

    oauth_tokens_done(ret);
    if (wh_json_parse(parser, json, &root, err) != WH_OK ||
        wh_buf_append(&ret->access, wh_json_get_str(root, "access_token"), err) != WH_OK ||
        wh_buf_append(&ret->refresh, wh_json_get_str(root, "refresh_token"), err) != WH_OK) {
        return err->rc;
    }
    if (ret->access.len == 0) {
        return wh_fail(err, WH_E_MISSING, "a kept pair without an access token");
    }
    scope = wh_json_get_str(root, "scope");
    if (scope.len < sizeof(ret->scope)) {
        memcpy(ret->scope, scope.ptr ? scope.ptr : "", scope.len);
    }
    ret->got_at_ms = wh_json_get_int(root, "got_at_ms", 0);
    ret->expires_at_ms = wh_json_get_int(root, "expires_at_ms", 0);
    return WH_OK;
}
