#include "common/event/connection.h"

#include "common/json/json_doc.h"
#include "common/json/json_write.h"

/* ---- the document ---- */

static void write_pairs(const struct wh_connection *c, struct wh_json_writer *w)
{
    wh_jw_key(w, "pairs");
    wh_jw_array(w);
    for (size_t i = 0; i < c->n_pairs; i++) {
        const struct wh_connection_pair *pair = &c->pairs[i];

        wh_jw_object(w);
        wh_jw_put_str(w, "fingerprint", pair->fingerprint);
        wh_jw_put_str(w, "state", pair->state);
        wh_jw_put_str(w, "reason", pair->reason);
        wh_jw_put_str(w, "address", pair->address);
        wh_jw_put_str(w, "sealed", pair->sealed);
        wh_jw_put_int(w, "at_ms", pair->at_ms);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    wh_jw_put_int(w, "pairs_forgotten", c->pairs_forgotten);
}

enum wh_rc wh_connection_write(const struct wh_connection *c, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "id", c->id);
    wh_jw_put_str(&w, "instance", c->instance);
    if (c->identity.len) {
        wh_jw_put_str(&w, "identity", c->identity);
    }
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
    if (c->n_pairs || c->pairs_forgotten) {
        write_pairs(c, &w);
    }
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

static enum wh_rc read_pair(struct wh_json_val v, struct wh_arena *arena,
                            struct wh_connection_pair *ret, struct wh_err *err)
{
    const struct {
        const char *key;
        struct wh_slice *to;
    } texts[] = {{"fingerprint", &ret->fingerprint},
                 {"state", &ret->state},
                 {"reason", &ret->reason},
                 {"address", &ret->address},
                 {"sealed", &ret->sealed}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (read_text(v, texts[i].key, arena, texts[i].to, err) != WH_OK) {
            return err->rc;
        }
    }
    ret->at_ms = wh_json_get_int(v, "at_ms", 0);
    return WH_OK;
}

static enum wh_rc read_pairs(struct wh_json_val root, struct wh_arena *arena,
                             struct wh_connection *c, struct wh_err *err)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    c->pairs_forgotten = wh_json_get_int(root, "pairs_forgotten", 0);
    if (!wh_json_get(root, WH_LIT("pairs"), &list) || wh_json_type(list) != WH_JSON_ARRAY) {
        return WH_OK;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        if (c->n_pairs == WH_CONNECTION_PAIRS_MAX || wh_json_type(item) != WH_JSON_OBJECT) {
            return wh_fail(err, WH_E_INVALID, "connection: the list of pairs is damaged");
        }
        if (read_pair(item, arena, &c->pairs[c->n_pairs++], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
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
        {"identity", &c.identity},
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
    if (read_pairs(root, arena, &c, err) != WH_OK) {
        return err->rc;
    }
    c.created_at_ms = wh_json_get_int(root, "created_at_ms", 0);
    c.updated_at_ms = wh_json_get_int(root, "updated_at_ms", 0);
    *ret = c;
    return WH_OK;
}

bool wh_connection_is_import(const struct wh_connection *c)
{
    return wh_slice_starts(c->instance, WH_LIT(WH_CONNECTION_IMPORT));
}

struct wh_slice wh_connection_identity(const struct wh_connection *c)
{
    return c->identity.len ? c->identity : c->instance;
}

size_t wh_connection_secrets(struct wh_connection *c,
                             struct wh_connection_secret ret[WH_CONNECTION_SECRETS_MAX])
{
    const struct wh_connection_secret all[] = {
        {"read_api", &c->token_sealed, c->instance},
        {"oauth", &c->oauth_sealed, c->instance},
        {"client", &c->client_sealed, c->instance},
        {"webhook_key", &c->webhook_key_sealed, c->instance},
        {"webhook_token", &c->webhook_token_sealed, c->instance},
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].sealed->len) {
            ret[n++] = all[i];
        }
    }
    for (size_t i = 0; i < c->n_pairs; i++) {
        if (c->pairs[i].sealed.len) {
            ret[n++] = (struct wh_connection_secret){WH_CONNECTION_PAIR_PURPOSE,
                                                     &c->pairs[i].sealed, c->pairs[i].address};
        }
    }
    return n;
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
