#include "stages/fetcher/conn/rotate.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/conn/purge.h"

enum {
    CHECK_MS = 1000, /* without fetcher_conf.key_look_ms */
    /* An earlier owner may still have a refresh under way, whose pair it seals by the old key. This is
     * longer than a refresh takes, so its record has been seen when the old key is removed. */
    DROP_AFTER_MS = 15000,
    SECRET_MAX_BYTES = 24 << 10,
    SEALED_MAX_BYTES = 48 << 10,
    ARENA_BLOCK = 8192,
    ARENA_MAX = 256 << 10,
};

struct rotation {
    struct wh_bus_ack ack; /* first: a document that was sealed again carries it */
    struct fetcher *f;
    struct wh_timer *timer;
    char saving
        [WH_CONNECTION_ID_MAX]; /* id of the connection whose document is on its way to Kafka; or "" */
    int64_t clean_since_ms;     /* since when no document needs an older key; 0: some do */
    bool unreadable;            /* the key file could not be read, and that was logged */
    uint64_t resealed;
};

static int64_t now_ms(const struct rotation *r)
{
    return wh_clock_now_ms(&r->f->deps.clock);
}

static int64_t check_ms(const struct rotation *r)
{
    int64_t ms = r->f->deps.conf.key_look_ms;

    return ms > 0 ? ms : CHECK_MS;
}

/* ---- one document ---- */

static bool is_current(const struct rotation *r, const struct conn *c)
{
    struct wh_connection doc = c->doc;
    struct wh_connection_secret secrets[WH_CONNECTION_SECRETS_MAX];
    size_t n = wh_connection_secrets(&doc, secrets);

    for (size_t i = 0; i < n; i++) {
        if (!wh_secret_is_current(r->f->deps.keys, *secrets[i].sealed)) {
            return false;
        }
    }
    return !c->seals.unsaved;
}

static enum wh_rc seal_again(struct rotation *r, const struct wh_seal_place *place,
                             struct wh_arena *arena, struct wh_slice *sealed, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf fresh;
    WH_AUTO(buf) struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&fresh, SEALED_MAX_BYTES);
    wh_buf_init_secret(&text, SECRET_MAX_BYTES);
    rc = wh_secret_open(r->f->deps.keys, place, *sealed, &text, err);
    if (rc == WH_OK) {
        rc = wh_secret_seal(r->f->deps.keys, place, wh_buf_slice(&text), &fresh, err);
    }
    return rc == WH_OK ? wh_arena_dup(arena, wh_buf_slice(&fresh), sealed, err) : rc;
}

static enum wh_rc seal_document(struct rotation *r, struct conn *c, struct wh_arena *arena,
                                struct wh_err *err)
{
    struct wh_connection doc = c->doc;
    struct wh_connection_secret secrets[WH_CONNECTION_SECRETS_MAX];
    size_t n = wh_connection_secrets(&doc, secrets);

    for (size_t i = 0; i < n; i++) {
        const struct wh_seal_place place = {.connection = wh_slice_str(c->id),
                                            .purpose = secrets[i].purpose,
                                            .address = secrets[i].address};

        if (!wh_secret_is_current(r->f->deps.keys, *secrets[i].sealed) &&
            seal_again(r, &place, arena, secrets[i].sealed, err) != WH_OK) {
            return wh_err_prefix(err, "%s", secrets[i].purpose);
        }
    }
    return conn_set_document(c, &doc, err);
}

static enum wh_rc save_again(struct rotation *r, struct conn *c, struct wh_err *err)
{
    struct wh_arena arena;
    enum wh_rc rc;

    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    rc = seal_document(r, c, &arena, err);
    wh_arena_done(&arena);
    if (rc != WH_OK) {
        c->seals.problem_at_ms = c->doc.updated_at_ms;
        (void)snprintf(c->seals.problem, sizeof(c->seals.problem), "%.159s", err->msg);
        return rc;
    }
    c->seals.unsaved = true;
    c->seals.problem[0] = '\0';
    (void)snprintf(r->saving, sizeof(r->saving), "%s", c->id);
    rc = conn_save(c, &r->ack, err);
    if (rc != WH_OK) {
        r->saving[0] = '\0';
    }
    return rc;
}

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct rotation *r = (struct rotation *)ack;
    struct conn *c = fetcher_find(r->f, wh_slice_str(r->saving));

    r->saving[0] = '\0';
    if (d->rc == WH_OK && c) {
        c->seals.unsaved = false;
        revoke_look(access_revoke(c->access));
        r->resealed++;
        wh_log_info(r->f->deps.log, "secrets resealed", WH_STR("connection", c->id),
                    WH_STR("key", r->f->deps.keys->keys[0].name));
    }
    wh_timer_start(r->timer, d->rc == WH_OK ? 0 : check_ms(r), 0);
}

/* ---- all of them ---- */

/* Only the owner writes the document: others may not have the newest pair of tokens. */
static bool may_seal(const struct rotation *r, const struct conn *c)
{
    return fetcher_owns(r->f, c->id, "") && credential_settled(access_credential(c->access)) &&
           !purge_under_way(c) &&
           (c->seals.problem[0] == '\0' || c->seals.problem_at_ms != c->doc.updated_at_ms);
}

/* True when every document is sealed by the first key. */
static bool seal_next(struct rotation *r)
{
    bool clean = true;

    for (struct conn *c = r->f->conns; c; c = c->next) {
        struct wh_err err;

        if (c->dropped || is_current(r, c)) {
            continue;
        }
        clean = false;
        if (!may_seal(r, c)) {
            continue;
        }
        if (save_again(r, c, &err) == WH_OK) {
            return false;
        }
        wh_log_error(r->f->deps.log, "secrets cannot be resealed", WH_STR("connection", c->id),
                     WH_RC(&err));
    }
    return clean;
}

static void drop_old_keys(struct rotation *r)
{
    struct wh_keyring *keys = r->f->deps.keys;
    struct wh_err err;

    if (wh_keyring_drop_old(keys, &err) != WH_OK) {
        wh_log_warn(r->f->deps.log, "no secret needs the old key, but it stays in the key file",
                    WH_RC(&err));
        r->clean_since_ms = now_ms(r);
        return;
    }
    wh_log_info(r->f->deps.log, "old key removed", WH_STR("key", keys->keys[0].name));
}

static void check_key_file(struct rotation *r)
{
    struct wh_keyring *keys = r->f->deps.keys;
    bool changed = false;
    struct wh_err err;

    if (wh_keyring_refresh(keys, &changed, &err) != WH_OK) {
        if (!r->unreadable) {
            wh_log_error(r->f->deps.log, "key file not readable; keeping the keys in memory",
                         WH_RC(&err));
        }
        r->unreadable = true;
        return;
    }
    r->unreadable = false;
    if (changed) {
        r->clean_since_ms = 0;
        wh_log_info(r->f->deps.log, "key file changed", WH_STR("key", keys->keys[0].name),
                    WH_I("keys", (int64_t)keys->n_file));
    }
}

static void on_timer(void *ctx)
{
    struct rotation *r = ctx;

    if (r->f->draining || r->saving[0]) {
        return;
    }
    wh_timer_start(r->timer, check_ms(r), 0);
    check_key_file(r);
    if (!r->f->caught_up) {
        return;
    }
    if (!seal_next(r)) {
        r->clean_since_ms = 0;
    } else if (r->clean_since_ms == 0) {
        r->clean_since_ms = now_ms(r);
    }
    if (r->clean_since_ms && r->f->deps.keys->n_file > 1 &&
        now_ms(r) - r->clean_since_ms >= DROP_AFTER_MS) {
        drop_old_keys(r);
    }
}

/* ---- life ---- */

struct rotation *rotation_new(struct fetcher *f)
{
    struct rotation *r = wh_mem_zalloc(1, sizeof(*r));

    if (r == NULL) {
        return NULL;
    }
    r->f = f;
    r->ack.fn = on_saved;
    r->timer = wh_timer_new(f->deps.loop, on_timer, r);
    if (r->timer == NULL) {
        wh_mem_free(r);
        return NULL;
    }
    wh_timer_start(r->timer, check_ms(r), 0);
    return r;
}

void rotation_free(struct rotation *r)
{
    if (r) {
        wh_timer_free(r->timer);
        wh_mem_free(r);
    }
}

enum wh_rc rotation_begin(struct rotation *r, struct wh_err *err)
{
    enum wh_rc rc = wh_keyring_add(r->f->deps.keys, err);

    if (rc != WH_OK && rc != WH_E_BUSY) {
        return rc;
    }
    if (rc == WH_OK) {
        r->clean_since_ms = 0;
        wh_log_info(r->f->deps.log, "new key in use", WH_STR("key", r->f->deps.keys->keys[0].name));
    }
    if (r->saving[0] == '\0') {
        wh_timer_start(r->timer, 0, 0);
    }
    return WH_OK;
}

/* ---- the status ---- */

static void write_problems(const struct rotation *r, struct wh_json_writer *w)
{
    wh_jw_key(w, "problems");
    wh_jw_array(w);
    for (const struct conn *c = r->f->conns; c; c = c->next) {
        if (!c->dropped && c->seals.problem[0] && !is_current(r, c)) {
            wh_jw_object(w);
            wh_jw_put_str(w, "connection", wh_slice_str(c->id));
            wh_jw_put_str(w, "reason", wh_slice_str(c->seals.problem));
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
}

static void write_keys(const struct wh_keyring *keys, struct wh_json_writer *w)
{
    wh_jw_put_str(w, "key", wh_slice_str(keys->keys[0].name));
    wh_jw_key(w, "keys");
    wh_jw_array(w);
    for (size_t i = 0; i < keys->n_file; i++) {
        wh_jw_str(w, wh_slice_str(keys->keys[i].name));
    }
    wh_jw_end(w);
}

void rotation_write(const struct rotation *r, struct wh_json_writer *w)
{
    int64_t connections = 0;
    int64_t left = 0;

    for (const struct conn *c = r->f->conns; c; c = c->next) {
        connections += !c->dropped;
        left += !c->dropped && !is_current(r, c);
    }
    write_keys(r->f->deps.keys, w);
    wh_jw_put_bool(w, "rotating", r->f->deps.keys->n_file > 1);
    wh_jw_put_int(w, "connections", connections);
    wh_jw_put_int(w, "left", left);
    wh_jw_put_int(w, "resealed", (int64_t)r->resealed);
    wh_jw_put_int(w, "old_key_leaves_in_ms",
                  r->clean_since_ms ? r->clean_since_ms + DROP_AFTER_MS - now_ms(r) : -1);
    write_problems(r, w);
}
