#include "stages/webhook-intake/connections.h"

#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "common/event/messages.h"

enum {
    DOCUMENT_MAX_BYTES = 1 << 20,
    STRANGER_BYTES = 32,
    DOCUMENT_DEPTH = 16,
    ARENA_BLOCK = 16 << 10,
    SECRET_MAX_BYTES = 4096,
    INSTANCE_MAX_BYTES = 2048,
};

/* ---- one connection ---- */

struct intake_connection *intake_connection_ref(struct intake_connection *c)
{
    c->refs++;
    return c;
}

void intake_connection_unref(struct intake_connection *c)
{
    if (c == NULL || --c->refs > 0) {
        return;
    }
    wh_buf_done(&c->key);
    wh_buf_done(&c->token);
    wh_buf_done(&c->instance);
    intake_health_done(&c->health);
    wh_mem_free(c);
}

static enum wh_rc open_secret(struct intake_connections *cs, const struct wh_connection *doc,
                              const char *purpose, struct wh_slice sealed, struct wh_buf *out,
                              struct wh_err *err)
{
    const struct wh_seal_place place = {
        .connection = doc->id, .purpose = purpose, .address = doc->instance};

    return wh_secret_open(cs->keys, &place, sealed, out, err);
}

static enum wh_rc open_key(struct intake_connections *cs, const struct wh_connection *doc,
                           struct wh_buf *out, struct wh_err *err)
{
    struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init_secret(&text, SECRET_MAX_BYTES);
    rc = open_secret(cs, doc, "webhook_key", doc->webhook_key_sealed, &text, err);
    if (rc == WH_OK) {
        rc = intake_verify_key(wh_buf_slice(&text), out, err);
    }
    wh_buf_done(&text);
    return rc;
}

/* Empty secrets are none. */
static enum wh_rc open_secrets(struct intake_connections *cs, const struct wh_connection *doc,
                               struct intake_connection *c, struct wh_err *err)
{
    if (doc->webhook_key_sealed.len && open_key(cs, doc, &c->key, err) != WH_OK) {
        return wh_err_prefix(err, "webhook_key");
    }
    if (doc->webhook_token_sealed.len &&
        open_secret(cs, doc, "webhook_token", doc->webhook_token_sealed, &c->token, err) != WH_OK) {
        return wh_err_prefix(err, "webhook_token");
    }
    return WH_OK;
}

static enum wh_rc make(struct intake_connections *cs, const struct wh_connection *doc,
                       struct intake_connection **ret, struct wh_err *err)
{
    struct intake_connection *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a connection");
    }
    c->refs = 1;
    wh_buf_init(&c->instance, INSTANCE_MAX_BYTES);
    wh_buf_init_secret(&c->key, SECRET_MAX_BYTES);
    wh_buf_init_secret(&c->token, SECRET_MAX_BYTES);
    c->disabled = wh_slice_eq(doc->state, WH_LIT("disabled"));
    (void)snprintf(c->id, sizeof(c->id), "%.*s", WH_SLICE_ARG(doc->id));
    if (wh_topic_name(cs->prefix, WH_TOPIC_RAW, doc->id, c->raw_topic, err) != WH_OK ||
        wh_buf_append(&c->instance, wh_connection_identity(doc), err) != WH_OK) {
        intake_connection_unref(c);
        return err->rc;
    }
    if (open_secrets(cs, doc, c, err) != WH_OK) {
        c->sealed = true;
        wh_log_error(cs->log, "webhook secrets cannot be used: is secrets.key_file the fetcher's?",
                     WH_STR("connection", c->id), WH_RC(err));
    }
    *ret = c;
    return WH_OK;
}

/* Compared with what claims to be for a connection that does not exist. */
static enum wh_rc make_stranger(struct intake_connections *cs, struct wh_err *err)
{
    unsigned char secret[2 * STRANGER_BYTES];
    struct intake_connection *c = wh_mem_zalloc(1, sizeof(*c));
    enum wh_rc rc;

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a connection");
    }
    c->refs = 1;
    wh_buf_init(&c->key, SECRET_MAX_BYTES);
    wh_buf_init(&c->token, SECRET_MAX_BYTES);
    cs->stranger = c;
    rc = wh_random_bytes(secret, sizeof(secret), err);
    if (rc == WH_OK) {
        rc = wh_buf_append(&c->key, wh_slice(secret, STRANGER_BYTES), err);
    }
    if (rc == WH_OK) {
        rc = wh_hex_encode(wh_slice(secret + STRANGER_BYTES, STRANGER_BYTES), &c->token, err);
    }
    wh_mem_wipe(secret, sizeof(secret));
    return rc;
}

/* ---- the table ---- */

enum wh_rc intake_connections_init(struct intake_connections *cs, const char *prefix,
                                   struct wh_keyring *keys, struct wh_log *log, struct wh_err *err)
{
    *cs = (struct intake_connections){.prefix = prefix, .keys = keys, .log = log};
    wh_arena_init(&cs->arena, ARENA_BLOCK, (size_t)4 * DOCUMENT_MAX_BYTES);
    cs->parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, DOCUMENT_DEPTH);
    if (cs->parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    return make_stranger(cs, err);
}

void intake_connections_done(struct intake_connections *cs)
{
    for (size_t i = 0; i < cs->n; i++) {
        intake_connection_unref(cs->items[i]);
    }
    intake_connection_unref(cs->stranger);
    wh_mem_free(cs->items);
    wh_json_parser_free(cs->parser);
    wh_arena_done(&cs->arena);
    *cs = (struct intake_connections){0};
}

/* Where the id is, or where it would go. */
static size_t place(const struct intake_connections *cs, struct wh_slice id, bool *ret_found)
{
    size_t low = 0;
    size_t high = cs->n;

    *ret_found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = wh_slice_cmp(wh_slice_str(cs->items[mid]->id), id);

        if (c == 0) {
            *ret_found = true;
            return mid;
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct intake_connection *intake_connections_find(const struct intake_connections *cs,
                                                  struct wh_slice id)
{
    bool found;
    size_t i = place(cs, id, &found);

    return found ? cs->items[i] : cs->stranger;
}

static void take_out(struct intake_connections *cs, struct wh_slice id)
{
    bool found;
    size_t i = place(cs, id, &found);

    if (!found) {
        return;
    }
    wh_log_info(cs->log, "connection removed", WH_STR("connection", cs->items[i]->id));
    cs->n_sealed -= cs->items[i]->sealed;
    intake_connection_unref(cs->items[i]);
    memmove(&cs->items[i], &cs->items[i + 1], (cs->n - i - 1) * sizeof(cs->items[0]));
    cs->n--;
}

static enum wh_rc grow(struct intake_connections *cs, struct wh_err *err)
{
    size_t cap = cs->cap ? cs->cap * 2 : 16;
    struct intake_connection **items;

    if (cs->n < cs->cap) {
        return WH_OK;
    }
    if (cs->n >= INTAKE_CONNECTIONS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "more than %d connections", INTAKE_CONNECTIONS_MAX);
    }
    items = wh_mem_resize(cs->items, cap, sizeof(cs->items[0]));
    if (items == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for connections");
    }
    cs->items = items;
    cs->cap = cap;
    return WH_OK;
}

static enum wh_rc put_in(struct intake_connections *cs, struct intake_connection *c,
                         struct wh_err *err)
{
    bool found;
    size_t i = place(cs, wh_slice_str(c->id), &found);

    if (found) {
        c->warmed = cs->items[i]->warmed;
        c->last_delivery = cs->items[i]->last_delivery;
        c->health = cs->items[i]->health;
        cs->items[i]->health = (struct intake_health){0};
        cs->n_sealed -= cs->items[i]->sealed;
        cs->n_sealed += c->sealed;
        intake_connection_unref(cs->items[i]);
        cs->items[i] = c;
        return WH_OK;
    }
    if (grow(cs, err) != WH_OK) {
        return err->rc;
    }
    memmove(&cs->items[i + 1], &cs->items[i], (cs->n - i) * sizeof(cs->items[0]));
    cs->items[i] = c;
    cs->n++;
    cs->n_sealed += c->sealed;
    wh_log_info(cs->log, "connection added", WH_STR("connection", c->id),
                WH_B("disabled", c->disabled), WH_B("signed", c->key.len > 0));
    return WH_OK;
}

enum wh_rc intake_connections_apply(struct intake_connections *cs, const struct wh_bus_msg *msg,
                                    struct wh_err *err)
{
    struct wh_document doc;
    struct wh_connection parsed;
    struct intake_connection *c = NULL;

    if (msg->value.ptr == NULL) {
        take_out(cs, msg->key);
        return WH_OK;
    }
    wh_arena_reset(&cs->arena);
    if (wh_document_decode(msg->value, &doc, err) != WH_OK ||
        wh_connection_parse(doc.document, cs->parser, &cs->arena, &parsed, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_slice_eq(parsed.id, msg->key)) {
        return wh_fail(err, WH_E_INVALID, "a connection's document is under another key");
    }
    if (wh_connection_is_import(&parsed)) {
        return WH_OK; /* nobody sends it webhooks */
    }
    if (make(cs, &parsed, &c, err) != WH_OK) {
        return err->rc;
    }
    if (c == NULL || put_in(cs, c, err) != WH_OK) {
        intake_connection_unref(c);
        return err->rc;
    }
    return WH_OK;
}
