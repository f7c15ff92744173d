#include "stages/fetcher/conn/rereads.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/shown.h"

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
    unsigned gone_n; /* 404s in a row */
    bool asked;
    bool again; /* requested once more while it was being read */
    bool tells; /* its record is a tombstone */
    char path[600];
};

struct rereads {
    struct fetcher *f;
    struct reread *buckets[BUCKETS];
    size_t n;
    struct wh_timer *tick;
};

/* What may be gone. The id is that of the entity, and empty when it is not known. */
struct subject {
    char id[240];
    char project[24]; /* of the absence */
    int64_t number;
    bool numbered; /* the check of the next run concludes (check.h) */
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

static struct absence *absence_of(const struct reread *q);

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct reread *q = (struct reread *)ack;
    struct absence *a = q->tells ? absence_of(q) : NULL;

    if (a && d->rc == WH_OK) {
        absences_tell(q->owner->f->absences, a, "deleted");
    }
    q->tells = false;
    done(q, d->rc != WH_OK);
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

static enum numbers_stream numbers_kind(const char *kind)
{
    unsigned s = 0;

    while (s < NUMBERS_PROJECT && strcmp(numbers_stream_kind((enum numbers_stream)s), kind) != 0) {
        s++;
    }
    return s < NUMBERS_PROJECT ? (enum numbers_stream)s : NUMBERS_STREAMS;
}

/* Merge requests and issues are requested by their number; what was read before tells the id. */
static void find_by_number(const struct reread *q, enum numbers_stream stream, struct subject *s)
{
    const struct numbers *n =
        numbers_of(q->owner->f->numbers, q->conn->id, q->project, stream, false);
    struct number_set_entry e = {0};
    struct wh_err err;

    s->id[0] = '\0';
    if (n && wh_num_i64(wh_slice_str(q->id), &s->number, &err) == WH_OK) {
        e = number_set_get(n->set, s->number);
    }
    if (e.fate == NUMBER_HAVE && e.id != 0) {
        (void)snprintf(s->id, sizeof(s->id), "%" PRId64, e.id);
    }
}

static struct absence_key find_subject(const struct reread *q, struct subject *s)
{
    enum numbers_stream stream = numbers_kind(q->kind);
    bool release = strcmp(q->kind, "release") == 0;

    *s = (struct subject){.numbered = stream != NUMBERS_STREAMS};
    (void)snprintf(s->project, sizeof(s->project), "%s", q->project);
    (void)snprintf(s->id, sizeof(s->id), "%s%s%s", release ? q->project : "", release ? ":" : "",
                   q->id);
    if (s->numbered && stream != NUMBERS_PIPELINES) {
        find_by_number(q, stream, s);
    }
    return (struct absence_key){q->conn->id, s->project, q->kind, s->id};
}

static struct absence *absence_of(const struct reread *q)
{
    struct subject s;
    const struct absence_key key = find_subject(q, &s);

    return absences_find(q->owner->f->absences, &key);
}

static enum wh_rc emit_gone(struct reread *q, const struct absence *a, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf payload;

    wh_buf_init(&payload, ABSENCE_EVENT_MAX);
    return absence_event(a, "deleted", &payload, err) == WH_OK
               ? emit(q, "gone", wh_buf_slice(&payload), err)
               : err->rc;
}

/* The credential must still be able to read what contains the object: a 404 is also GitLab's answer to a
 * token that lost the right to see it. */
static void on_container(void *ctx, const struct client_answer *a)
{
    struct reread *q = ctx;
    struct absence *absence = absence_of(q);
    struct wh_err err;

    if (a->outcome != CLIENT_OK || absence == NULL) {
        done(q, a->outcome == CLIENT_FAILED);
    } else {
        q->tells = true;
        if (emit_gone(q, absence, &err) != WH_OK) {
            q->tells = false;
            done(q, true);
        }
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

static void ask_again(struct reread *q, const struct absence *a, int64_t now)
{
    const struct fetcher_conf *conf = &q->owner->f->deps.conf;
    int64_t due = absence_due_ms(a, conf->gone_confirm_ms);

    q->asked = false;
    q->again = false;
    q->due_ms = now + (conf->reread_delay_ms << (q->gone_n < 16 ? q->gone_n : 16));
    q->due_ms = q->due_ms > due ? due : q->due_ms;
}

/* GitLab's API can lag behind its webhooks. So the object is requested again, soon at first, and it is
 * gone only when GitLab still says so after gone.confirm. Of objects with numbers the check of the next
 * run says so, which also knows how many others are gone. */
static void on_gone(struct reread *q)
{
    struct fetcher *f = q->owner->f;
    int64_t now = wh_clock_now_ms(&f->deps.clock);
    struct subject s;
    const struct absence_key key = find_subject(q, &s);
    const struct absence *a = absences_find(f->absences, &key);

    if (strcmp(q->kind, "project") == 0 || (a && a->told)) {
        done(q, false);
        return;
    }
    a = absences_note(f->absences, &key, s.number, now, true);
    q->gone_n++;
    if (a == NULL || (s.numbered && absence_proved(a, f->deps.conf.gone_confirm_ms))) {
        done(q, false);
    } else if (absence_proved(a, f->deps.conf.gone_confirm_ms)) {
        ask_container(q);
    } else {
        ask_again(q, a, now);
    }
}

/* ---- requests ---- */

static void is_shown(struct reread *q, struct wh_slice body)
{
    struct subject s;
    const struct absence_key key = find_subject(q, &s);
    struct wh_json_val value;
    struct wh_err err;

    if (wh_json_parse(q->owner->f->rows, body, &value, &err) == WH_OK) {
        shown_by_reread(q->conn, &key, value);
    }
}

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
    q->gone_n = 0;
    is_shown(q, wh_slice(a->body->ptr ? a->body->ptr : "", a->body->len));
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
