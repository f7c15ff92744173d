/* The second half of a connect: the topics, the sealed record, and the source of each stream. */
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/fetcher/control/connect_priv.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/conn/purge.h"
#include "stages/fetcher/conn/run.h"

enum {
    SECRET_BYTES = 32,
    SEALED_MAX_BYTES = 32 << 10,
    ARENA_BLOCK = 4096,
    ARENA_MAX = 256 << 10,
    ADMIN_TIMEOUT_MS = 30000,
    MESSAGE_MAX_BYTES = 30 << 20,
    DAY_MS = 86400000,
    DEAD_LETTER_DAYS = 30,
};

/* ---- the end ---- */

static void on_sources(void *ctx)
{
    struct connect *k = ctx;
    struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));

    k->working = false;
    if (c == NULL || k->dropped) {
        connect_fail(k, 503, "the connection is gone");
        return;
    }
    wh_log_info(fetcher_deps(k->f)->log, "connected", WH_STR("connection", conn_id(c)),
                WH_STR("instance", conn_instance(c)), WH_B("existing", k->existing));
    connect_step(k, "sync", "the first sync begins");
    conn_run(c);
    connect_done(k);
}

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct connect *k = (struct connect *)ack;
    struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));

    if (d->rc != WH_OK || c == NULL || k->dropped) {
        k->working = false;
        connect_fail(k, 503, "Kafka did not take the connection; try again");
        return;
    }
    k->asked_at_ms = 0;
    conn_set_saved(c, true);
    revoke_look(access_revoke(conn_access(c)));
    connect_step(k, "saved", "the credentials are sealed and in Kafka");
    sources_outdated(access_sources(conn_access(c)));
    sources_find(access_sources(conn_access(c)), &k->sources_wait, on_sources, k);
}

/* ---- secrets ---- */

static enum wh_rc make_secrets(struct connect *k, struct wh_err *err)
{
    unsigned char key[SECRET_BYTES];
    unsigned char token[SECRET_BYTES];
    enum wh_rc rc = WH_OK;

    if (wh_random_bytes(key, sizeof(key), err) != WH_OK ||
        wh_random_bytes(token, sizeof(token), err) != WH_OK ||
        wh_buf_append(&k->signing_key, WH_LIT("whsec_"), err) != WH_OK ||
        wh_base64_encode(wh_slice(key, sizeof(key)), &k->signing_key, err) != WH_OK ||
        wh_hex_encode(wh_slice(token, sizeof(token)), &k->webhook_token, err) != WH_OK) {
        rc = err->rc;
    }
    wh_mem_wipe(key, sizeof(key));
    wh_mem_wipe(token, sizeof(token));
    return rc;
}

static enum wh_rc seal(struct connect *k, const char *purpose, struct wh_slice secret,
                       struct wh_arena *arena, struct wh_slice *ret, struct wh_err *err)
{
    const struct wh_seal_place place = {.connection = wh_buf_slice(&k->id),
                                        .purpose = purpose,
                                        .address = wh_buf_slice(&k->instance)};
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, SEALED_MAX_BYTES);
    if (wh_secret_seal(fetcher_deps(k->f)->keys, &place, secret, &text, err) != WH_OK) {
        return err->rc;
    }
    return wh_arena_dup(arena, wh_buf_slice(&text), ret, err);
}

static enum wh_rc seal_webhook(struct connect *k, struct wh_arena *arena, struct wh_connection *doc,
                               struct wh_err *err)
{
    if (make_secrets(k, err) != WH_OK || seal(k, "webhook_key", wh_buf_slice(&k->signing_key),
                                              arena, &doc->webhook_key_sealed, err) != WH_OK) {
        return err->rc;
    }
    return seal(k, "webhook_token", wh_buf_slice(&k->webhook_token), arena,
                &doc->webhook_token_sealed, err);
}

static enum wh_rc seal_approval(struct connect *k, struct wh_arena *arena,
                                struct wh_connection *doc, struct wh_err *err)
{
    struct oauth *o = mcp_login_oauth(k->login);
    struct oauth_kept kept;
    struct wh_buf text;
    enum wh_rc rc;

    connect_kept(k, &kept);
    wh_buf_init_secret(&text, SEALED_MAX_BYTES);
    rc = oauth_kept_write(&kept, &text, err);
    if (rc == WH_OK) {
        rc = seal(k, "client", wh_buf_slice(&text), arena, &doc->client_sealed, err);
    }
    wh_buf_done(&text);
    if (rc == WH_OK) {
        rc = oauth_tokens_write(oauth_tokens(o), &text, err);
    }
    if (rc == WH_OK) {
        rc = seal(k, "oauth", wh_buf_slice(&text), arena, &doc->oauth_sealed, err);
    }
    wh_buf_done(&text);
    return rc;
}

/* ---- the record ---- */

/* Seals a secret of the webhook, which is our own, for the new address. Secrets that the old address
 * has issued are not moved. */
static enum wh_rc move_secret(struct connect *k, const struct conn *old, const char *purpose,
                              struct wh_arena *arena, struct wh_slice *sealed, struct wh_err *err)
{
    const struct wh_seal_place from = {.connection = wh_slice_str(conn_id(old)),
                                       .purpose = purpose,
                                       .address = wh_slice_str(conn_instance(old))};
    struct wh_buf text;
    enum wh_rc rc;

    if (sealed->len == 0) {
        return WH_OK;
    }
    wh_buf_init_secret(&text, SEALED_MAX_BYTES);
    rc = wh_secret_open(fetcher_deps(k->f)->keys, &from, *sealed, &text, err);
    if (rc == WH_OK) {
        rc = seal(k, purpose, wh_buf_slice(&text), arena, sealed, err);
    }
    wh_buf_done(&text);
    return rc;
}

static enum wh_rc move_document(struct connect *k, const struct conn *old, struct wh_arena *arena,
                                struct wh_connection *doc, struct wh_err *err)
{
    doc->identity = wh_connection_identity(conn_document(old));
    doc->token_sealed = WH_LIT("");
    doc->oauth_sealed = WH_LIT("");
    doc->client_sealed = WH_LIT("");
    if (move_secret(k, old, "webhook_key", arena, &doc->webhook_key_sealed, err) != WH_OK) {
        return err->rc;
    }
    return move_secret(k, old, "webhook_token", arena, &doc->webhook_token_sealed, err);
}

/* Fills the document of a new connection, or the old document with what is new. */
static enum wh_rc fill_document(struct connect *k, const struct conn *old, struct wh_arena *arena,
                                struct wh_connection *doc, struct wh_err *err)
{
    *doc = old ? *conn_document(old) : (struct wh_connection){0};
    doc->id = wh_buf_slice(&k->id);
    doc->instance = wh_buf_slice(&k->instance);
    doc->state = WH_LIT("processing");
    doc->detail = WH_LIT("");
    if (doc->created_at_ms == 0) {
        doc->created_at_ms = wh_clock_now_ms(&fetcher_deps(k->f)->clock);
    }
    if (k->version.len) {
        doc->gitlab_version = wh_buf_slice(&k->version);
    }
    if (k->projects.len) {
        doc->projects = wh_buf_slice(&k->projects);
    }
    if (connect_list_pairs(k, old, arena, doc, err) != WH_OK) {
        return err->rc;
    }
    if (k->moving && move_document(k, old, arena, doc, err) != WH_OK) {
        return err->rc;
    }
    if (k->token &&
        seal(k, "read_api", wh_slice_str(k->token), arena, &doc->token_sealed, err) != WH_OK) {
        return err->rc;
    }
    if (k->by_oauth && seal_approval(k, arena, doc, err) != WH_OK) {
        return err->rc;
    }
    return doc->webhook_key_sealed.len && !k->new_secret ? WH_OK : seal_webhook(k, arena, doc, err);
}

static void save(struct connect *k)
{
    struct conn *old = fetcher_find(k->f, wh_buf_slice(&k->id));
    struct wh_connection doc;
    struct conn *c = NULL;
    struct wh_arena arena;
    struct wh_err err;
    enum wh_rc rc;

    if (old && purge_under_way(old)) {
        connect_fail(k, 409, "it is being purged; try again when that is done");
        return;
    }
    if (connect_still_fits(k, old, &err) != WH_OK) {
        connect_fail(k, 409, err.msg);
        return;
    }
    k->existing = old != NULL && !wh_slice_eq(conn_document(old)->state, WH_LIT("to_configure"));
    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    rc = fill_document(k, old, &arena, &doc, &err);
    if (rc == WH_OK) {
        rc = fetcher_adopt(k->f, &doc, &c, &err);
    }
    if (rc == WH_OK) {
        k->asked_at_ms = 0; /* from now on the document holds the pair */
        conn_set_saved(c, false);
        k->ack.fn = on_saved;
        k->working = true;
        rc = conn_save(c, &k->ack, &err);
    }
    wh_arena_done(&arena);
    if (rc != WH_OK) {
        k->working = false;
        connect_fail(k, 503, err.msg);
    }
}

/* ---- topics ---- */

static void make_topics(void *ctx)
{
    struct connect *k = ctx;
    const struct fetcher_conf *conf = &fetcher_deps(k->f)->conf;
    static const enum wh_topic_role roles[] = {WH_TOPIC_RAW, WH_TOPIC_ENTITIES,
                                               WH_TOPIC_DEAD_LETTER};
    char names[3][WH_TOPIC_MAX];
    struct wh_bus_topic topics[3];

    k->admin_rc = WH_OK;
    for (unsigned i = 0; i < 3 && k->admin_rc == WH_OK; i++) {
        k->admin_rc = wh_topic_name(conf->topic_prefix, roles[i], wh_buf_slice(&k->id), names[i],
                                    &k->admin_err);
        topics[i] = (struct wh_bus_topic){
            .name = names[i],
            .partitions = (int32_t)conf->partitions,
            .replication = (int32_t)conf->replication,
            .retention_ms =
                roles[i] == WH_TOPIC_DEAD_LETTER ? (int64_t)DEAD_LETTER_DAYS * DAY_MS : -1,
            .max_message_bytes = MESSAGE_MAX_BYTES,
        };
    }
    if (k->admin_rc == WH_OK) {
        k->admin_rc =
            wh_admin_create(fetcher_deps(k->f)->admin, topics, 3, ADMIN_TIMEOUT_MS, &k->admin_err);
    }
}

static void topics_made(void *ctx)
{
    struct connect *k = ctx;

    k->working = false;
    if (k->admin_rc != WH_OK || k->dropped) {
        connect_fail(k, 503, k->admin_rc != WH_OK ? k->admin_err.msg : "stopping");
        return;
    }
    connect_step(k, "topics", "the topics are there");
    save(k);
}

void connect_save(struct connect *k)
{
    struct wh_err err;

    k->working = true;
    if (wh_loop_work(fetcher_deps(k->f)->loop, make_topics, topics_made, k, &err) != WH_OK) {
        k->working = false;
        connect_fail(k, 503, err.msg);
    }
}
