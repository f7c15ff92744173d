/*
 * Connecting with a read token: is the token good, then topics, then the record, then the answer.
 * Each step ends in the next one's start; the person who asked may go away meanwhile.
 */
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/control.h"
#include "stages/fetcher/link.h"
#include "stages/fetcher/streams.h"

enum {
    SECRET_BYTES = 32,
    TEXT_MAX_BYTES = 4096,
    ARENA_BLOCK = 4096,
    ARENA_MAX = 256 << 10,
    PROBE_BODY_MAX = 1 << 20,
    PROBE_TIMEOUT_MS = 15000,
    ADMIN_TIMEOUT_MS = 30000,
    MESSAGE_MAX_BYTES = 30 << 20,
    DAY_MS = 86400000,
    DEAD_LETTER_DAYS = 30,
};

struct connect {
    struct ack ack; /* first: the connection's record carries it */
    struct fetcher *f;
    struct wh_http_req *req; /* NULL when its peer is gone */
    struct client *probe;
    struct wh_buf instance;
    struct wh_buf id;
    char *token;
    struct wh_buf user;
    struct wh_buf version;
    struct wh_buf scopes;
    struct wh_buf signing_key;
    struct wh_buf webhook_token;
    bool existing;
    enum wh_rc admin_rc;
    struct wh_err admin_err;
};

static void wipe(struct wh_buf *buf)
{
    if (buf->ptr) {
        wh_mem_wipe(buf->ptr, buf->len);
    }
    wh_buf_done(buf);
}

static void connect_free(struct connect *k)
{
    if (k->req) {
        wh_http_set_user(k->req, NULL);
    }
    client_free(k->probe);
    wh_buf_done(&k->instance);
    wh_buf_done(&k->id);
    wh_buf_done(&k->user);
    wh_buf_done(&k->version);
    wh_buf_done(&k->scopes);
    wipe(&k->signing_key);
    wipe(&k->webhook_token);
    if (k->token) {
        wh_mem_wipe(k->token, strlen(k->token));
        wh_mem_free(k->token);
    }
    wh_mem_free(k);
}

void connect_forget(struct wh_http_req *req)
{
    struct connect *k = wh_http_user(req);

    if (k) {
        k->req = NULL;
    }
}

static void fail(struct connect *k, unsigned status, const char *text)
{
    if (k->req) {
        struct wh_http_req *req = k->req;

        wh_http_set_user(req, NULL);
        k->req = NULL;
        wh_http_reply_error(req, status, text, status == 503 ? 5 : 0);
    }
    connect_free(k);
}

/* ---- the last step: the record is in Kafka ---- */

static void write_answer(struct connect *k, struct wh_json_writer *w)
{
    wh_jw_object(w);
    wh_jw_key(w, "ok");
    wh_jw_bool(w, true);
    wh_jw_key(w, "connection");
    wh_jw_str(w, wh_buf_slice(&k->id));
    wh_jw_key(w, "instance");
    wh_jw_str(w, wh_buf_slice(&k->instance));
    wh_jw_key(w, "gitlab_version");
    wh_jw_str(w, wh_buf_slice(&k->version));
    wh_jw_key(w, "user");
    wh_jw_str(w, wh_buf_slice(&k->user));
    wh_jw_key(w, "scopes");
    wh_jw_str(w, wh_buf_slice(&k->scopes));
    wh_jw_key(w, "existing");
    wh_jw_bool(w, k->existing);
    wh_jw_key(w, "streams");
    wh_jw_array(w);
    for (unsigned i = 0; i < STREAMS; i++) {
        wh_jw_object(w);
        wh_jw_key(w, "stream");
        wh_jw_str(w, wh_slice_str(streams[i].name));
        wh_jw_key(w, "read_by");
        wh_jw_str(w, WH_LIT("rest"));
        wh_jw_end(w);
    }
    wh_jw_end(w);
    wh_jw_key(w, "webhook");
    wh_jw_object(w);
}

static void reply(struct connect *k)
{
    struct wh_json_writer w;
    struct wh_buf out;
    struct wh_buf path;
    struct wh_err err;
    size_t len;
    char *bytes;

    wh_buf_init(&out, 64 << 10);
    wh_buf_init(&path, 256);
    (void)!wh_buf_printf(&path, &err, "/hooks/%.*s", WH_SLICE_ARG(wh_buf_slice(&k->id)));
    wh_json_writer_init(&w, &out);
    write_answer(k, &w);
    wh_jw_key(&w, "path");
    wh_jw_str(&w, wh_buf_slice(&path));
    if (!k->existing) {
        /* Shown this once. */
        wh_jw_key(&w, "signing_key");
        wh_jw_str(&w, wh_buf_slice(&k->signing_key));
        wh_jw_key(&w, "token");
        wh_jw_str(&w, wh_buf_slice(&k->webhook_token));
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    wh_buf_done(&path);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        wh_buf_done(&out);
        fail(k, 500, err.msg);
        return;
    }
    bytes = wh_buf_take(&out, &len);
    if (k->req) {
        struct wh_http_req *req = k->req;

        wh_http_set_user(req, NULL);
        k->req = NULL;
        wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                                   .content_type = "application/json",
                                                   .body = wh_slice(bytes, len),
                                                   .body_taken = true});
    } else {
        wh_mem_free(bytes);
    }
    connect_free(k);
}

static void on_saved(struct ack *ack, const struct wh_bus_delivery *d)
{
    struct connect *k = (struct connect *)ack;
    struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));

    if (d->rc != WH_OK || c == NULL) {
        fail(k, 503, "Kafka did not take the connection; try again");
        return;
    }
    wh_log_info(k->f->deps.log, "connected", WH_STR("connection", c->id),
                WH_STR("instance", c->instance), WH_B("existing", k->existing));
    conn_run(c);
    reply(k);
}

/* ---- secrets and the record ---- */

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
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, 16384);
    if (wh_secret_seal(&k->f->deps.key, wh_buf_slice(&k->id), purpose, secret, &text, err) !=
        WH_OK) {
        return err->rc;
    }
    return wh_arena_dup(arena, wh_buf_slice(&text), ret, err);
}

/* The document of a new connection, or the old one with a new token. */
static enum wh_rc fill_document(struct connect *k, struct conn *old, struct wh_arena *arena,
                                struct wh_connection *doc, struct wh_err *err)
{
    *doc = (struct wh_connection){
        .id = wh_buf_slice(&k->id),
        .instance = wh_buf_slice(&k->instance),
        .state = WH_LIT("processing"),
        .detail = WH_LIT(""),
        .created_at_ms = wh_clock_now_ms(&k->f->deps.clock),
        .gitlab_version = wh_buf_slice(&k->version),
    };
    if (seal(k, "read_api", wh_slice_str(k->token), arena, &doc->token_sealed, err) != WH_OK) {
        return err->rc;
    }
    if (old) {
        doc->created_at_ms = old->doc.created_at_ms;
        doc->webhook_key_sealed = old->doc.webhook_key_sealed;
        doc->webhook_token_sealed = old->doc.webhook_token_sealed;
        return WH_OK;
    }
    if (make_secrets(k, err) != WH_OK || seal(k, "webhook_key", wh_buf_slice(&k->signing_key),
                                              arena, &doc->webhook_key_sealed, err) != WH_OK) {
        return err->rc;
    }
    return seal(k, "webhook_token", wh_buf_slice(&k->webhook_token), arena,
                &doc->webhook_token_sealed, err);
}

/* Through the same door as the records that are read at start. */
static enum wh_rc adopt(struct connect *k, const struct wh_connection *doc, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf record;
    struct wh_document full = {.connection = doc->id, .key = doc->id};
    struct wh_bus_msg msg = {.key = doc->id};

    wh_buf_init(&json, 64 << 10);
    wh_buf_init(&record, 128 << 10);
    if (wh_connection_write(doc, &json, err) != WH_OK) {
        return err->rc;
    }
    full.document = wh_buf_slice(&json);
    full.at_ms = doc->created_at_ms;
    if (wh_document_encode(WH_DOCUMENT_CONNECTION, &full, &record, err) != WH_OK) {
        return err->rc;
    }
    msg.value = wh_buf_slice(&record);
    fetcher_take_connection(k->f, &msg);
    return fetcher_find(k->f, doc->id) ? WH_OK : wh_fail(err, WH_E_INTERNAL, "connection not made");
}

static void save(struct connect *k)
{
    struct conn *old = fetcher_find(k->f, wh_buf_slice(&k->id));
    struct wh_connection doc;
    struct wh_arena arena;
    struct wh_err err;
    enum wh_rc rc;

    k->existing = old != NULL;
    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    rc = fill_document(k, old, &arena, &doc, &err);
    if (rc == WH_OK) {
        rc = adopt(k, &doc, &err);
    }
    if (rc == WH_OK) {
        k->ack.fn = on_saved;
        rc = conn_save(fetcher_find(k->f, wh_buf_slice(&k->id)), &k->ack, &err);
    }
    wh_arena_done(&arena);
    if (rc != WH_OK) {
        fail(k, 503, err.msg);
    }
}

/* ---- topics ---- */

static void make_topics(void *ctx)
{
    struct connect *k = ctx;
    const struct fetcher_conf *conf = &k->f->deps.conf;
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
        k->admin_rc = wh_admin_create(k->f->deps.admin, topics, 3, ADMIN_TIMEOUT_MS, &k->admin_err);
    }
}

static void topics_made(void *ctx)
{
    struct connect *k = ctx;

    if (k->admin_rc != WH_OK) {
        fail(k, 503, k->admin_err.msg);
        return;
    }
    save(k);
}

/* ---- the probe ---- */

static void copy_field(struct fetcher *f, const struct client_answer *a, const char *key,
                       struct wh_buf *out)
{
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_err err;

    if (wh_json_parse(f->rows, wh_buf_slice(a->body), &root, &err) == WH_OK &&
        wh_json_get(root, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_STRING) {
        (void)!wh_buf_append(out, wh_json_string(v), &err);
    }
}

static void on_scopes(void *ctx, const struct client_answer *a)
{
    struct connect *k = ctx;
    struct wh_json_val root;
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_err err;

    /* Only personal tokens can say it of themselves: no answer is no fault. */
    if (a->outcome == CLIENT_OK &&
        wh_json_parse(k->f->rows, wh_buf_slice(a->body), &root, &err) == WH_OK &&
        wh_json_get(root, WH_LIT("scopes"), &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
            (void)!wh_buf_printf(&k->scopes, &err, "%s%.*s", k->scopes.len ? " " : "",
                                 WH_SLICE_ARG(wh_json_string(item)));
        }
    }
    if (wh_loop_work(k->f->deps.loop, make_topics, topics_made, k, &err) != WH_OK) {
        fail(k, 503, err.msg);
    }
}

static void on_version(void *ctx, const struct client_answer *a)
{
    struct connect *k = ctx;
    struct wh_err err;

    if (a->outcome == CLIENT_OK) {
        copy_field(k->f, a, "version", &k->version);
    }
    if (client_get(k->probe, WH_LIT("/api/v4/personal_access_tokens/self"), on_scopes, k, &err) !=
        WH_OK) {
        fail(k, 503, err.msg);
    }
}

static void on_user(void *ctx, const struct client_answer *a)
{
    struct connect *k = ctx;
    struct wh_err err;
    char text[300];

    switch (a->outcome) {
    case CLIENT_OK:
        break;
    case CLIENT_SIGN_IN:
    case CLIENT_DENIED:
        fail(k, 403, "GitLab refuses the token: it needs scope read_api and must not be expired");
        return;
    case CLIENT_GONE:
        fail(k, 422, "no GitLab API at that address (404): is the path right?");
        return;
    case CLIENT_REFUSED:
    case CLIENT_FAILED:
    default:
        (void)snprintf(text, sizeof(text), "GitLab could not be reached: %s",
                       a->error ? a->error : "it answers with errors");
        fail(k, 502, text);
        return;
    }
    copy_field(k->f, a, "username", &k->user);
    if (client_get(k->probe, WH_LIT("/api/v4/version"), on_version, k, &err) != WH_OK) {
        fail(k, 503, err.msg);
    }
}

static enum wh_rc start_probe(struct connect *k, struct wh_err *err)
{
    const struct fetcher_deps *d = &k->f->deps;
    const struct client_conf conf = {
        .loop = d->loop,
        .http = d->http,
        .log = d->log,
        .clock = d->clock,
        .instance = wh_buf_str(&k->instance),
        .max_in_flight = 1,
        .retry_max = 2,
        .backoff_ms = 200,
        .backoff_max_ms = 1000,
        .timeout_ms = PROBE_TIMEOUT_MS,
        .body_max = PROBE_BODY_MAX,
    };

    k->probe = client_new(&conf);
    if (k->probe == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a client");
    }
    if (client_set_token(k->probe, wh_slice_str(k->token), err) != WH_OK) {
        return err->rc;
    }
    return client_get(k->probe, WH_LIT("/api/v4/user"), on_user, k, err);
}

/* ---- the request ---- */

static enum wh_rc read_request(struct connect *k, struct wh_slice body, struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_json_val url;
    struct wh_json_val token;

    if (wh_json_parse(k->f->rows, body, &root, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_json_get(root, WH_LIT("url"), &url) || wh_json_type(url) != WH_JSON_STRING ||
        !wh_json_get(root, WH_LIT("token"), &token) || wh_json_type(token) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_MISSING, "the body needs url and token");
    }
    k->token = wh_mem_dup(wh_json_string(token).ptr, wh_json_string(token).len);
    if (k->token == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a token");
    }
    if (link_normalise(wh_json_string(url), k->f->deps.conf.allow_http, &k->instance, err) !=
        WH_OK) {
        return err->rc;
    }
    return link_connection_id(wh_buf_slice(&k->instance), &k->id, err);
}

void connect_begin(struct fetcher *f, struct wh_http_req *req)
{
    struct connect *k = wh_mem_zalloc(1, sizeof(*k));
    struct wh_err err;

    if (k == NULL) {
        wh_http_reply_error(req, 503, "out of memory", 1);
        return;
    }
    wh_buf_init(&k->instance, TEXT_MAX_BYTES);
    wh_buf_init(&k->id, TEXT_MAX_BYTES);
    wh_buf_init(&k->user, TEXT_MAX_BYTES);
    wh_buf_init(&k->version, TEXT_MAX_BYTES);
    wh_buf_init(&k->scopes, TEXT_MAX_BYTES);
    wh_buf_init(&k->signing_key, TEXT_MAX_BYTES);
    wh_buf_init(&k->webhook_token, TEXT_MAX_BYTES);
    k->f = f;
    k->req = req;
    wh_http_set_user(req, k);
    if (read_request(k, wh_http_body(req), &err) != WH_OK || start_probe(k, &err) != WH_OK) {
        fail(k, 400, err.msg);
    }
}
