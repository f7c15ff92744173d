#include "common/event/connection.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"

enum { KEY_TEXT = WH_AEAD_KEY_BYTES * 2, AAD_MAX_BYTES = 256, SECRET_MAX_BYTES = 64 << 10 };

/* ---- the document ---- */

enum wh_rc wh_connection_write(const struct wh_connection *c, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "id", c->id);
    wh_jw_put_str(&w, "instance", c->instance);
    wh_jw_put_str(&w, "state", c->state);
    wh_jw_put_str(&w, "detail", c->detail);
    wh_jw_key(&w, "created_at_ms");
    wh_jw_int(&w, c->created_at_ms);
    wh_jw_key(&w, "updated_at_ms");
    wh_jw_int(&w, c->updated_at_ms);
    wh_jw_put_str(&w, "gitlab_version", c->gitlab_version);
    wh_jw_put_str(&w, "token_sealed", c->token_sealed);
    wh_jw_put_str(&w, "oauth_sealed", c->oauth_sealed);
    wh_jw_put_str(&w, "client_sealed", c->client_sealed);
    wh_jw_put_str(&w, "projects", c->projects);
    wh_jw_put_str(&w, "webhook_key_sealed", c->webhook_key_sealed);
    wh_jw_put_str(&w, "webhook_token_sealed", c->webhook_token_sealed);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static enum wh_rc read_text(struct wh_json_val root, const char *key, struct wh_arena *arena,
                            struct wh_slice *ret, struct wh_err *err)
{
    struct wh_json_val v;

    *ret = wh_slice("", 0);
    if (!wh_json_get(root, wh_slice_str(key), &v) || wh_json_type(v) == WH_JSON_NULL) {
        return WH_OK;
    }
    if (wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_TYPE, "connection: %s is not a string", key);
    }
    return wh_arena_dup(arena, wh_json_string(v), ret, err);
}

enum wh_rc wh_connection_parse(struct wh_slice document, struct wh_json_parser *parser,
                               struct wh_arena *arena, struct wh_connection *ret,
                               struct wh_err *err)
{
    struct wh_connection c = {0};
    const struct {
        const char *key;
        struct wh_slice *to;
    } texts[] = {
        {"id", &c.id},
        {"instance", &c.instance},
        {"state", &c.state},
        {"detail", &c.detail},
        {"gitlab_version", &c.gitlab_version},
        {"token_sealed", &c.token_sealed},
        {"oauth_sealed", &c.oauth_sealed},
        {"client_sealed", &c.client_sealed},
        {"projects", &c.projects},
        {"webhook_key_sealed", &c.webhook_key_sealed},
        {"webhook_token_sealed", &c.webhook_token_sealed},
    };
    struct wh_json_val root;

    if (wh_json_parse(parser, document, &root, err) != WH_OK) {
        return wh_err_prefix(err, "connection");
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (read_text(root, texts[i].key, arena, texts[i].to, err) != WH_OK) {
            return err->rc;
        }
    }
    if (c.id.len == 0 || c.instance.len == 0) {
        return wh_fail(err, WH_E_MISSING, "connection: id or instance is missing");
    }
    c.created_at_ms = wh_json_get_int(root, "created_at_ms", 0);
    c.updated_at_ms = wh_json_get_int(root, "updated_at_ms", 0);
    *ret = c;
    return WH_OK;
}

enum wh_connection_class wh_connection_class(struct wh_slice state)
{
    static const struct {
        const char *state;
        enum wh_connection_class class;
    } known[] = {
        {"", WH_CONNECTION_MISSING},          {"to_configure", WH_CONNECTION_MISSING},
        {"disabled", WH_CONNECTION_MISSING},  {"processing", WH_CONNECTION_CONNECTING},
        {"enabled", WH_CONNECTION_CONNECTED},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (wh_slice_eq(state, wh_slice_str(known[i].state))) {
            return known[i].class;
        }
    }
    return WH_CONNECTION_ERROR;
}

/* ---- the key file ---- */

static enum wh_rc create_key(const char *path, struct wh_err *err)
{
    unsigned char bytes[WH_AEAD_KEY_BYTES];
    WH_AUTO(buf) struct wh_buf hex;
    enum wh_rc rc;

    wh_buf_init(&hex, KEY_TEXT);
    rc = wh_random_bytes(bytes, sizeof(bytes), err);
    if (rc == WH_OK) {
        rc = wh_hex_encode(wh_slice(bytes, sizeof(bytes)), &hex, err);
    }
    if (rc == WH_OK) {
        rc = wh_conf_secret_create(path, wh_buf_slice(&hex), err);
    }
    wh_mem_wipe(bytes, sizeof(bytes));
    if (hex.ptr) {
        wh_mem_wipe(hex.ptr, hex.len);
    }
    return rc;
}

enum wh_rc wh_secret_key_load(const char *path, bool create, struct wh_secret_key *ret,
                              struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf bytes = {0};
    char *text = NULL;
    enum wh_rc rc;

    if (create && access(path, F_OK) != 0 && create_key(path, err) != WH_OK) {
        return err->rc;
    }
    if (wh_conf_secret_read(path, KEY_TEXT, &text, err) != WH_OK) {
        return err->rc;
    }
    wh_buf_init(&bytes, WH_AEAD_KEY_BYTES);
    rc = wh_hex_decode(wh_slice_str(text), &bytes, err);
    wh_mem_wipe(text, strlen(text));
    wh_mem_free(text);
    if (rc != WH_OK || bytes.len != WH_AEAD_KEY_BYTES) {
        return wh_fail(err, WH_E_CONFIG, "%.160s does not hold %d hex digits", path, KEY_TEXT);
    }
    memcpy(ret->bytes, bytes.ptr, sizeof(ret->bytes));
    wh_mem_wipe(bytes.ptr, bytes.len);
    return WH_OK;
}

/* ---- seals ---- */

static enum wh_rc aad_of(struct wh_slice id, const char *purpose, struct wh_buf *out,
                         struct wh_err *err)
{
    wh_buf_init(out, AAD_MAX_BYTES);
    return wh_buf_printf(out, err, "%.*s/%s", WH_SLICE_ARG(id), purpose);
}

enum wh_rc wh_secret_seal(const struct wh_secret_key *key, struct wh_slice id, const char *purpose,
                          struct wh_slice secret, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf aad;
    WH_AUTO(buf) struct wh_buf sealed;

    wh_buf_init(&sealed, SECRET_MAX_BYTES);
    if (aad_of(id, purpose, &aad, err) != WH_OK ||
        wh_aead_seal(key->bytes, secret, wh_buf_slice(&aad), &sealed, err) != WH_OK) {
        return err->rc;
    }
    return wh_base64_encode(wh_buf_slice(&sealed), out, err);
}

enum wh_rc wh_secret_open(const struct wh_secret_key *key, struct wh_slice id, const char *purpose,
                          struct wh_slice sealed, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf aad;
    WH_AUTO(buf) struct wh_buf bytes = {0};

    wh_buf_init(&bytes, SECRET_MAX_BYTES);
    if (aad_of(id, purpose, &aad, err) != WH_OK || wh_base64_decode(sealed, &bytes, err) != WH_OK) {
        return err->rc;
    }
    return wh_aead_open(key->bytes, wh_buf_slice(&bytes), wh_buf_slice(&aad), out, err);
}
