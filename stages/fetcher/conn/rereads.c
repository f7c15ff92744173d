#include "stages/fetcher/conn/rereads.h"

#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"

enum { OPEN_MAX = 20000, TICK_MS = 200, BUCKETS = 1024 };

struct reread {
    struct wh_bus_ack ack; /* first: records carry it */
    struct reread *next;   /* in its bucket */
    struct rereads *owner;
    struct conn *conn;
    char kind[32];
    char project[24];
    char id[200];
    int64_t due_ms;
    int64_t gone_ms; /* when GitLab first said that there is no such object; 0: it did not */
    unsigned gone_n; /* how often it said so since then */
    bool asked;
    bool again; /* requested once more while it was being read */
    char path[600];
};

struct rereads {
    struct fetcher *f;
    struct reread *buckets[BUCKETS];
    size_t n;
    struct wh_timer *tick;
};

/* The path of each kind is <before><project><between><id>, or <before><id> without a project. */
struct resource {
    const char *kind;
    const char *raw_kind;
    const char *before;
    const char *between; /* NULL: the address has no project */
};

#define OF_PROJECT(kind, raw_kind, name)                                                           \
    {                                                                                              \
        kind, raw_kind, "/api/v4/projects/", "/" name "/"                                          \
    }

static const struct resource resources[] = {
    OF_PROJECT("merge_request", "merge_request", "merge_requests"),
    OF_PROJECT("issue", "issue", "issues"),
    OF_PROJECT("pipeline", "pipeline_detail", "pipelines"),
    OF_PROJECT("job", "job", "jobs"),
    OF_PROJECT("deployment", "deployment", "deployments"),
    OF_PROJECT("release", "release", "releases"),
    OF_PROJECT("milestone", "milestone", "milestones"),
    OF_PROJECT("environment", "environment", "environments"),
    {"project", "project", "/api/v4/projects/", NULL},
    {"user", "user", "/api/v4/users/", NULL},
};

static const struct resource *resource_of(const char *kind)
{
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        if (strcmp(resources[i].kind, kind) == 0) {
            return &resources[i];
        }
    }
    return NULL;
}

static struct reread **bucket_of(struct rereads *r, const struct conn *conn, const char *kind,
                                 const char *project, const char *id)
{
    char key[400];
    int n = snprintf(key, sizeof(key), "%s %s %s %s", conn->id, kind, project, id);

    return &r->buckets[wh_hash64(wh_slice(key, n > 0 ? (size_t)n : 0)) % BUCKETS];
}

static void forget(struct reread *q)
{
    struct reread **link = bucket_of(q->owner, q->conn, q->kind, q->project, q->id);

    while (*link != q) {
        link = &(*link)->next;
    }
    *link = q->next;
    q->owner->n--;
    wh_mem_free(q);
}

static void done(struct reread *q, bool again)
{
    if (!again && !q->again) {
        forget(q);
        return;
    }
    q->asked = false;
    q->again = false;
    q->due_ms = wh_clock_now_ms(&q->owner->f->deps.clock) + q->owner->f->deps.conf.reread_delay_ms;
}

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    done((struct reread *)ack, d->rc != WH_OK);
}

static enum wh_rc emit(struct reread *q, const char *kind, struct wh_slice payload,
                       struct wh_err *err)
{
    struct outbox_row row = conn_row(q->conn, WH_ORIGIN_REST, 0);

    row.kind = wh_slice_str(kind);
    row.project = wh_slice_str(q->project);
    row.object_id = wh_slice_str(q->id);
    row.path = wh_slice_str(q->path);
    row.payload = payload;
    return outbox_row(q->owner->f->outbox, &row, &q->ack, err);
}

/* ---- an object that is not there ---- */

static enum wh_rc emit_gone(struct reread *q, struct wh_err *err)
{
    char payload[400];
    int n = snprintf(payload, sizeof(payload),
                     "{\"reason\":\"deleted\",\"kind\":\"%s\",\"id\":\"%s\",\"project_id\":\"%s\"}",
                     q->kind, q->id, q->project);

    return emit(q, "gone", wh_slice(payload, n > 0 ? (size_t)n : 0), err);
}

/* Merge requests and issues are requested by their number, so their id is not known after a 404. */
static bool gone_is_known(const struct reread *q)
{
    return strcmp(q->kind, "pipeline") == 0 || strcmp(q->kind, "job") == 0 ||
           strcmp(q->kind, "deployment") == 0 || strcmp(q->kind, "user") == 0;
}

/* The credential must still be able to read what contains the object: a 404 is also GitLab's answer to a
 * token that lost the right to see it. */
static void on_container(void *ctx, const struct client_answer *a)
{
    struct reread *q = ctx;
    struct wh_err err;

    if (a->outcome != CLIENT_OK) {
        done(q, a->outcome == CLIENT_FAILED);
    } else if (emit_gone(q, &err) != WH_OK) {
        done(q, true);
    }
}

static void ask_container(struct reread *q)
{
    char path[64] = "/api/v4/user";
    struct wh_err err;

    if (q->project[0]) {
        (void)snprintf(path, sizeof(path), "/api/v4/projects/%s", q->project);
    }
    if (client_get(access_client(q->conn->access), wh_slice_str(path), on_container, q, &err) !=
        WH_OK) {
        done(q, true);
    }
}

/* GitLab's API can lag behind its webhooks. So the object is requested again, soon at first, and it is
 * gone only when GitLab still says so after gone.confirm. */
static void on_gone(struct reread *q)
{
    const struct fetcher_conf *conf = &q->owner->f->deps.conf;
    int64_t now = wh_clock_now_ms(&q->owner->f->deps.clock);
    int64_t wait_ms = conf->reread_delay_ms << (q->gone_n < 16 ? q->gone_n : 16);

    if (!gone_is_known(q)) {
        done(q, false);
        return;
    }
    q->gone_n++;
    q->gone_ms = q->gone_ms ? q->gone_ms : now;
    if (q->gone_n > 1 && now - q->gone_ms >= conf->gone_confirm_ms) {
        ask_container(q);
        return;
    }
    q->asked = false;
    q->again = false;
    q->due_ms = now + wait_ms;
    if (q->due_ms > q->gone_ms + conf->gone_confirm_ms) {
        q->due_ms = q->gone_ms + conf->gone_confirm_ms;
    }
}

/* ---- requests ---- */

static void on_answer(void *ctx, const struct client_answer *a)
{
    struct reread *q = ctx;
    const struct resource *res = resource_of(q->kind);
    struct wh_err err;

    if (a->outcome == CLIENT_GONE) {
        on_gone(q);
        return;
    }
    if (a->outcome != CLIENT_OK) {
        done(q, a->outcome == CLIENT_FAILED);
        return;
    }
    q->gone_ms = 0;
    q->gone_n = 0;
    if (emit(q, res->raw_kind, wh_slice(a->body->ptr ? a->body->ptr : "", a->body->len), &err) !=
        WH_OK) {
        done(q, true);
    }
}

static void ask(struct reread *q)
{
    const struct resource *res = resource_of(q->kind);
    WH_AUTO(buf) struct wh_buf id;
    struct wh_err err;

    wh_buf_init(&id, 700);
    if (wh_percent_encode(wh_slice_str(q->id), &id, &err) != WH_OK) {
        forget(q);
        return;
    }
    (void)snprintf(q->path, sizeof(q->path), "%s%s%s%s", res->before,
                   res->between ? q->project : "", res->between ? res->between : "",
                   wh_buf_str(&id));
    q->asked = true;
    if (client_get(access_client(q->conn->access), wh_slice_str(q->path), on_answer, q, &err) !=
        WH_OK) {
        done(q, true);
    }
}

static void on_tick(void *ctx)
{
    struct rereads *r = ctx;
    int64_t now = wh_clock_now_ms(&r->f->deps.clock);

    for (size_t i = 0; !r->f->draining && i < BUCKETS; i++) {
        struct reread *next;

        for (struct reread *q = r->buckets[i]; q; q = next) {
            next = q->next;
            if (!q->asked && q->conn->stopped) {
                forget(q);
            } else if (!q->asked && now >= q->due_ms && access_client(q->conn->access)) {
                ask(q);
            }
        }
    }
}

struct rereads *rereads_new(struct fetcher *f)
{
    struct rereads *r = wh_mem_zalloc(1, sizeof(*r));

    if (r == NULL) {
        return NULL;
    }
    r->f = f;
    r->tick = wh_timer_new(f->deps.loop, on_tick, r);
    if (r->tick == NULL) {
        wh_mem_free(r);
        return NULL;
    }
    wh_timer_start(r->tick, TICK_MS, TICK_MS);
    return r;
}

void rereads_free(struct rereads *r)
{
    for (size_t i = 0; r && i < BUCKETS; i++) {
        while (r->buckets[i]) {
            struct reread *next = r->buckets[i]->next;

            wh_mem_free(r->buckets[i]);
            r->buckets[i] = next;
        }
    }
    if (r) {
        wh_timer_free(r->tick);
        wh_mem_free(r);
    }
}

static bool copy_text(char *to, size_t size, struct wh_slice text)
{
    if (text.len >= size) {
        return false;
    }
    if (text.len) {
        memcpy(to, text.ptr, text.len);
    }
    to[text.len] = '\0';
    return true;
}

static bool digits_only(const char *text)
{
    return strspn(text, "0123456789") == strlen(text);
}

void rereads_take(struct rereads *r, const struct wh_reread *q)
{
    struct conn *conn = fetcher_find(r->f, q->connection);
    struct reread made = {.owner = r, .conn = conn};
    struct reread **bucket;
    struct reread *known;

    /* Requests beyond the limit are dropped: the next run reads everything that has changed. */
    if (conn == NULL || r->n >= OPEN_MAX || !copy_text(made.kind, sizeof(made.kind), q->kind) ||
        !copy_text(made.project, sizeof(made.project), q->project) ||
        !copy_text(made.id, sizeof(made.id), q->id) || made.id[0] == '\0' ||
        !digits_only(made.project) || resource_of(made.kind) == NULL) {
        return;
    }
    bucket = bucket_of(r, conn, made.kind, made.project, made.id);
    for (known = *bucket; known; known = known->next) {
        if (known->conn == conn && strcmp(known->kind, made.kind) == 0 &&
            strcmp(known->project, made.project) == 0 && strcmp(known->id, made.id) == 0) {
            known->again = known->again || known->asked;
            return;
        }
    }
    known = wh_mem_alloc(sizeof(*known));
    if (known == NULL) {
        return;
    }
    *known = made;
    known->ack.fn = on_record;
    known->due_ms = wh_clock_now_ms(&r->f->deps.clock) + r->f->deps.conf.reread_delay_ms;
    known->next = *bucket;
    *bucket = known;
    r->n++;
}

size_t rereads_open(const struct rereads *r)
{
    return r->n;
}

size_t rereads_unsure(const struct rereads *r, const struct conn *c)
{
    size_t n = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct reread *q = r->buckets[i]; q; q = q->next) {
            n += q->conn == c && q->gone_ms != 0;
        }
    }
    return n;
}
