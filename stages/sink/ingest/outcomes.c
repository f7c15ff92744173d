#include "stages/sink/ingest/outcomes.h"

#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/event/run_id.h"

enum {
    RUNS = 16,         /* kept in memory; an older one is read from the store when it is needed */
    PENDING = 1 << 12, /* repairs that a late webhook may still undo */
    KEY_MAX_BYTES = 256,
    DOCUMENT_MAX_BYTES = 64 << 10,
};

struct run {
    struct wh_outcome now; /* including the current batch; its connection is `connection` */
    struct wh_outcome durable;
    char connection[WH_CONNECTION_ID_MAX];
    bool dirty;   /* the current batch changes it */
    bool untaken; /* changed durably since sink_outcomes_next returned it */
    uint64_t used;
};

/* A repair that was counted. */
struct pending {
    struct wh_entity_id id;
    size_t run; /* index of a slot, which may hold another run by now: compare the id */
    int64_t run_id;
    unsigned kind;
    int64_t second; /* second of the repairing version */
    bool added;
    bool live;
};

/* First and last webhook of one project. */
struct cover {
    char connection[WH_CONNECTION_ID_MAX];
    char project[24];
    int64_t first_ms;
    int64_t last_ms;
    int64_t durable_first_ms;
    int64_t durable_last_ms;
    bool used;
    bool dirty;
};

struct sink_outcomes {
    struct sink_repairs repairs;
    struct wh_store *store;
    struct wh_json_parser *parser;
    struct run runs[RUNS];
    size_t last;
    uint64_t clock;
    struct pending *pending; /* hashed by entity id; a newer repair replaces an older one */
    size_t n_pending;
    struct cover *covers; /* open addressing */
    size_t cap_covers;
    size_t n_covers;
    bool changed; /* the current batch changed something */
    struct wh_buf key;
    struct wh_buf value;
    uint64_t telling[WH_KIND_COUNT]; /* fields whose changes webhooks report */
};

/* ---- which changes webhooks tell ---- */

static const struct telling {
    enum wh_kind kind;
    const char *fields[24];
} told[] = {
    {WH_KIND_WORK_ITEM,
     {"title", "description", "state", "due_date", "assignees", "reviewers", "labels", "milestone",
      "confidential", "draft", "target_branch", "sha", "merge_commit_sha", "moved_to", NULL}},
    {WH_KIND_BUILD_RECORD, {"status", NULL}},
    {WH_KIND_JOB, {"status", NULL}},
    {WH_KIND_DEPLOYMENT, {"status", NULL}},
    {WH_KIND_RELEASE, {"name", "description", NULL}},
    {WH_KIND_MILESTONE, {"title", "state", NULL}},
};

uint64_t sink_outcomes_telling(enum wh_kind kind)
{
    const struct wh_kind_def *def = wh_kind_def(kind);
    uint64_t fields = 0;

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        for (size_t f = 0; told[i].kind == kind && told[i].fields[f]; f++) {
            int field = wh_kind_field(def, wh_slice_str(told[i].fields[f]));

            fields |= field >= 0 ? UINT64_C(1) << field : 0;
        }
    }
    return fields;
}

static void init_telling(struct sink_outcomes *o)
{
    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        o->telling[k] = sink_outcomes_telling((enum wh_kind)k);
    }
}

/* ---- keys ---- */

static enum wh_rc run_key(struct wh_buf *out, const char *connection, int64_t run,
                          struct wh_err *err)
{
    unsigned char number[8];

    wh_be_put64(number, (uint64_t)run);
    wh_buf_reset(out);
    if (wh_buf_append_char(out, 'u', err) != WH_OK ||
        wh_buf_append(out, wh_slice_str(connection), err) != WH_OK ||
        wh_buf_append_char(out, '\0', err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, wh_slice(number, sizeof(number)), err);
}

static enum wh_rc cover_key(struct wh_buf *out, const struct cover *c, struct wh_err *err)
{
    wh_buf_reset(out);
    if (wh_buf_append_char(out, 'w', err) != WH_OK ||
        wh_buf_append(out, wh_slice_str(c->connection), err) != WH_OK ||
        wh_buf_append_char(out, '\0', err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, wh_slice_str(c->project), err);
}

/* ---- covers ---- */

static size_t cover_slot(const struct cover *covers, size_t cap, const char *connection,
                         const char *project)
{
    uint64_t hash = wh_hash64(wh_slice_str(connection)) * 31 + wh_hash64(wh_slice_str(project));
    size_t i = (size_t)hash & (cap - 1);

    while (covers[i].used && (strcmp(covers[i].connection, connection) != 0 ||
                              strcmp(covers[i].project, project) != 0)) {
        i = (i + 1) & (cap - 1);
    }
    return i;
}

static enum wh_rc grow_covers(struct sink_outcomes *o, struct wh_err *err)
{
    size_t cap = o->cap_covers ? o->cap_covers * 2 : 64;
    struct cover *grown = wh_mem_zalloc(cap, sizeof(*grown));

    if (grown == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the webhooks of projects");
    }
    for (size_t i = 0; i < o->cap_covers; i++) {
        const struct cover *c = &o->covers[i];

        if (c->used) {
            grown[cover_slot(grown, cap, c->connection, c->project)] = *c;
        }
    }
    wh_mem_free(o->covers);
    o->covers = grown;
    o->cap_covers = cap;
    return WH_OK;
}

/* Creates an empty one when `make` is set. NULL when there is none, or with *err set. */
static struct cover *cover_of(struct sink_outcomes *o, const char *connection,
                              struct wh_slice project, bool make, struct wh_err *err)
{
    char text[sizeof(o->covers->project)];
    struct cover *c;

    if (project.len >= sizeof(text) || project.len == 0) {
        return NULL;
    }
    memcpy(text, project.ptr, project.len);
    text[project.len] = '\0';
    if (make && (o->n_covers + 1) * 2 > o->cap_covers && grow_covers(o, err) != WH_OK) {
        return NULL;
    }
    if (o->cap_covers == 0) {
        return NULL;
    }
    c = &o->covers[cover_slot(o->covers, o->cap_covers, connection, text)];
    if (!c->used && make) {
        *c = (struct cover){.used = true};
        (void)snprintf(c->connection, sizeof(c->connection), "%s", connection);
        memcpy(c->project, text, sizeof(text));
        o->n_covers++;
    }
    return c->used ? c : NULL;
}

/* ---- runs ---- */

static enum wh_rc load_run(struct sink_outcomes *o, struct sink_apply *a, struct run *r,
                           struct wh_err *err)
{
    struct wh_outcome kept;
    bool found = false;

    wh_buf_reset(&o->value);
    if (run_key(&o->key, r->connection, r->now.run, err) != WH_OK ||
        sink_apply_get(a, SINK_META, wh_buf_slice(&o->key), &o->value, &found, err) != WH_OK) {
        return err->rc;
    }
    if (found && wh_outcome_parse(wh_buf_slice(&o->value), o->parser, &kept, err) == WH_OK) {
        kept.connection = wh_slice_str(r->connection);
        r->now = kept;
        r->durable = kept;
    }
    return WH_OK;
}

static bool is_run(const struct run *r, const char *connection, int64_t run)
{
    return r->now.run == run && strcmp(r->connection, connection) == 0;
}

static struct run *run_of(struct sink_outcomes *o, struct sink_apply *a, const char *connection,
                          int64_t run, struct wh_err *err)
{
    struct run *r = &o->runs[o->last];

    if (is_run(r, connection, run)) {
        return r;
    }
    r = &o->runs[0];
    for (size_t i = 0; i < RUNS; i++) {
        if (is_run(&o->runs[i], connection, run)) {
            r = &o->runs[i];
            break;
        }
        if (!o->runs[i].dirty && (r->dirty || o->runs[i].used < r->used)) {
            r = &o->runs[i];
        }
    }
    o->last = (size_t)(r - o->runs);
    if (is_run(r, connection, run)) {
        return r;
    }
    if (r->dirty) {
        (void)wh_fail(err, WH_E_TOO_LARGE, "more than %d runs in a batch", RUNS);
        return NULL;
    }
    *r = (struct run){0};
    (void)snprintf(r->connection, sizeof(r->connection), "%s", connection);
    r->now = (struct wh_outcome){.connection = wh_slice_str(r->connection), .run = run};
    r->durable = r->now;
    return load_run(o, a, r, err) == WH_OK ? r : NULL;
}

/* ---- repairs ---- */

static struct pending *pending_of(struct sink_outcomes *o, const struct wh_entity_id *id)
{
    return &o->pending[wh_be_get64(id->bytes + 8) % PENDING];
}

static int64_t second_of(const struct wh_observation *x)
{
    return wh_version_at_ms(x->version.order) / 1000;
}

static int64_t created_ms(const struct wh_observation *x)
{
    int field = wh_kind_field(x->body.def, WH_LIT("created_at"));

    if (field < 0 || (x->body.present & UINT64_C(1) << field) == 0 ||
        x->body.values[field].is_null) {
        return 0;
    }
    return x->body.values[field].u.i;
}

static bool repairs(struct sink_outcomes *o, const char *connection, const struct wh_observation *x,
                    const struct sink_before *before, const struct wh_history_result *result,
                    struct wh_err *err)
{
    uint64_t telling = o->telling[x->body.def->kind];
    const struct cover *c = telling ? cover_of(o, connection, x->source.project, false, err) : NULL;

    if (c == NULL || c->first_ms == 0 || x->change == WH_CHANGE_DELETE) {
        return false;
    }
    if (before->is_new) {
        return created_ms(x) > c->first_ms;
    }
    return (result->changed & telling & before->present) != 0 &&
           wh_version_at_ms(x->version.order) > c->first_ms &&
           wh_version_at_ms(before->version.order) / 1000 < second_of(x);
}

static void note_repair(struct sink_outcomes *o, struct run *r, unsigned kind,
                        const struct wh_observation *x)
{
    struct pending *p = pending_of(o, &x->id);
    int64_t at_ms = wh_version_at_ms(x->version.order);

    r->now.kinds[kind].repaired++;
    if (r->now.repaired_oldest_ms == 0 || at_ms < r->now.repaired_oldest_ms) {
        r->now.repaired_oldest_ms = at_ms;
    }
    o->n_pending += !p->live;
    *p = (struct pending){.id = x->id,
                          .run = o->last,
                          .run_id = r->now.run,
                          .kind = kind,
                          .second = at_ms / 1000,
                          .added = true,
                          .live = true};
}

/* A webhook that arrives after the read that it should have preceded. */
static void take_back(struct sink_outcomes *o, const struct wh_observation *x)
{
    struct pending *p = pending_of(o, &x->id);
    struct run *r;

    if (!p->live || wh_entity_id_cmp(&p->id, &x->id) != 0) {
        return;
    }
    r = &o->runs[p->run];
    if (r->now.run != p->run_id ||
        (x->body.def->kind == WH_KIND_WORK_ITEM && second_of(x) < p->second)) {
        return;
    }
    r->now.kinds[p->kind].repaired--;
    r->dirty = true;
    p->live = false;
    o->n_pending--;
}

/* ---- observations ---- */

static enum wh_rc note_webhook(struct sink_outcomes *o, const char *connection,
                               const struct wh_observation *x,
                               const struct wh_history_result *result, struct wh_err *err)
{
    struct cover *c;

    if (o->telling[x->body.def->kind] == 0) {
        return WH_OK;
    }
    wh_err_clear(err);
    c = cover_of(o, connection, x->source.project, true, err);
    if (c == NULL) {
        return err->rc;
    }
    if (c->first_ms == 0 || x->provenance.observed_at_ms < c->first_ms) {
        c->first_ms = x->provenance.observed_at_ms;
    }
    if (x->provenance.observed_at_ms > c->last_ms) {
        c->last_ms = x->provenance.observed_at_ms;
    }
    c->dirty = true;
    o->changed = true;
    if (o->n_pending > 0 && result->outcome != WH_HISTORY_REVISION) {
        take_back(o, x);
    }
    return WH_OK;
}

enum wh_rc sink_outcomes_note(struct sink_outcomes *o, const char *connection,
                              const struct wh_observation *x, struct sink_apply *a,
                              const struct wh_history_result *result, struct wh_err *err)
{
    const struct sink_before *before = sink_apply_before(a);
    unsigned kind = wh_outcome_kind_of(x->source.kind);
    struct wh_outcome_counts *n;
    struct run *r;
    int64_t run;

    if (wh_version_is_aside(x->version)) {
        return WH_OK;
    }
    if (x->provenance.origin == WH_ORIGIN_WEBHOOK) {
        return note_webhook(o, connection, x, result, err);
    }
    run = wh_run_id_of(x->provenance.delivery_id);
    if (run == 0) {
        return WH_OK;
    }
    r = run_of(o, a, connection, run, err);
    if (r == NULL) {
        return err->rc;
    }
    n = &r->now.kinds[kind];
    n->read++;
    n->added += before->is_new;
    n->changed += !before->is_new && (result->changed != 0 || result->deleted_changed);
    n->deleted += result->deleted_changed && x->change == WH_CHANGE_DELETE;
    if (repairs(o, connection, x, before, result, err)) {
        note_repair(o, r, kind, x);
        wh_counter_add(before->is_new ? o->repairs.missing[kind] : o->repairs.stale[kind], 1);
    }
    r->dirty = true;
    r->used = ++o->clock;
    o->changed = true;
    return WH_OK;
}

void sink_outcomes_drop(struct sink_outcomes *o, struct wh_slice connection)
{
    for (size_t i = 0; i < RUNS; i++) {
        if (wh_slice_eq(wh_slice_str(o->runs[i].connection), connection)) {
            o->runs[i] = (struct run){0};
        }
    }
    for (size_t i = 0; i < o->cap_covers; i++) {
        struct cover *c = &o->covers[i];

        if (c->used && wh_slice_eq(wh_slice_str(c->connection), connection)) {
            c->first_ms = c->last_ms = c->durable_first_ms = c->durable_last_ms = 0;
            c->dirty = false;
        }
    }
}

/* ---- the batch ---- */

static int64_t last_webhook_ms(const struct sink_outcomes *o, const char *connection)
{
    int64_t last = 0;

    for (size_t i = 0; i < o->cap_covers; i++) {
        const struct cover *c = &o->covers[i];

        if (c->used && c->last_ms > last && strcmp(c->connection, connection) == 0) {
            last = c->last_ms;
        }
    }
    return last;
}

static enum wh_rc seal_run(struct sink_outcomes *o, struct sink_apply *a, struct run *r,
                           int64_t now_ms, struct wh_err *err)
{
    r->now.at_ms = now_ms;
    r->now.connection = wh_slice_str(r->connection);
    r->now.last_webhook_ms = last_webhook_ms(o, r->connection);
    if (wh_outcome_sum(&r->now).repaired == 0) {
        r->now.repaired_oldest_ms = 0;
    }
    wh_buf_reset(&o->value);
    if (wh_outcome_write(&r->now, &o->value, err) != WH_OK ||
        run_key(&o->key, r->connection, r->now.run, err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_meta_last(a, wh_buf_slice(&o->key), wh_buf_slice(&o->value), err);
}

static enum wh_rc seal_cover(struct sink_outcomes *o, struct sink_apply *a, const struct cover *c,
                             struct wh_err *err)
{
    unsigned char value[16];

    wh_be_put64(value, (uint64_t)c->first_ms);
    wh_be_put64(value + 8, (uint64_t)c->last_ms);
    if (cover_key(&o->key, c, err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_meta_last(a, wh_buf_slice(&o->key), wh_slice(value, sizeof(value)), err);
}

enum wh_rc sink_outcomes_seal(struct sink_outcomes *o, struct sink_apply *a, int64_t now_ms,
                              struct wh_err *err)
{
    if (!o->changed) {
        return WH_OK;
    }
    for (size_t i = 0; i < RUNS; i++) {
        if (o->runs[i].dirty && seal_run(o, a, &o->runs[i], now_ms, err) != WH_OK) {
            return err->rc;
        }
    }
    for (size_t i = 0; i < o->cap_covers; i++) {
        if (o->covers[i].dirty && seal_cover(o, a, &o->covers[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

void sink_outcomes_committed(struct sink_outcomes *o)
{
    if (!o->changed) {
        return;
    }
    o->changed = false;
    for (size_t i = 0; i < RUNS; i++) {
        struct run *r = &o->runs[i];

        if (r->dirty) {
            r->dirty = false;
            r->untaken = true;
            r->durable = r->now;
        }
    }
    for (size_t i = 0; i < o->cap_covers; i++) {
        struct cover *c = &o->covers[i];

        c->dirty = false;
        c->durable_first_ms = c->first_ms;
        c->durable_last_ms = c->last_ms;
    }
    for (size_t i = 0; i < PENDING && o->n_pending; i++) {
        o->pending[i].added = false;
    }
}

void sink_outcomes_forget(struct sink_outcomes *o)
{
    if (!o->changed) {
        return;
    }
    o->changed = false;
    for (size_t i = 0; i < RUNS; i++) {
        o->runs[i].now = o->runs[i].durable;
        o->runs[i].dirty = false;
    }
    for (size_t i = 0; i < o->cap_covers; i++) {
        struct cover *c = &o->covers[i];

        c->dirty = false;
        c->first_ms = c->durable_first_ms;
        c->last_ms = c->durable_last_ms;
    }
    for (size_t i = 0; i < PENDING; i++) {
        struct pending *p = &o->pending[i];

        if (p->live && p->added) {
            p->live = false;
            o->n_pending--;
        }
    }
}

const struct wh_outcome *sink_outcomes_next(struct sink_outcomes *o)
{
    for (size_t i = 0; i < RUNS; i++) {
        if (o->runs[i].untaken) {
            o->runs[i].untaken = false;
            o->runs[i].durable.connection = wh_slice_str(o->runs[i].connection);
            return &o->runs[i].durable;
        }
    }
    return NULL;
}

/* ---- birth and end ---- */

static enum wh_rc load_cover(struct sink_outcomes *o, struct wh_slice key, struct wh_slice value,
                             struct wh_err *err)
{
    const char *zero = memchr(key.ptr, '\0', key.len);
    char connection[WH_CONNECTION_ID_MAX];
    struct cover *c;
    size_t len;

    len = zero ? (size_t)(zero - key.ptr) - 1 : WH_CONNECTION_ID_MAX;
    if (len >= WH_CONNECTION_ID_MAX || value.len != 16) {
        return wh_fail(err, WH_E_CORRUPT, "a damaged record of a project's webhooks");
    }
    memcpy(connection, key.ptr + 1, len);
    connection[len] = '\0';
    wh_err_clear(err);
    c = cover_of(o, connection, wh_slice_from(key, len + 2), true, err);
    if (c) {
        c->first_ms = c->durable_first_ms = (int64_t)wh_be_get64(value.ptr);
        c->last_ms = c->durable_last_ms = (int64_t)wh_be_get64(value.ptr + 8);
    }
    return err->rc;
}

static enum wh_rc load_covers(struct sink_outcomes *o, struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(o->store, NULL, SINK_META, WH_LIT("w"), WH_LIT("x"), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, WH_LIT("w"), false); rc == WH_OK && wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        rc = load_cover(o, key, value, err);
    }
    if (rc == WH_OK) {
        rc = wh_iter_error(it, err);
    }
    wh_iter_free(it);
    return rc;
}

enum wh_rc sink_outcomes_new(struct wh_store *store, struct wh_json_parser *parser,
                             struct sink_outcomes **ret, struct wh_err *err)
{
    struct sink_outcomes *o = wh_mem_zalloc(1, sizeof(*o));

    if (o == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the outcomes of runs");
    }
    o->store = store;
    o->parser = parser;
    wh_buf_init(&o->key, KEY_MAX_BYTES);
    wh_buf_init(&o->value, DOCUMENT_MAX_BYTES);
    init_telling(o);
    o->pending = wh_mem_zalloc(PENDING, sizeof(*o->pending));
    if (o->pending == NULL) {
        sink_outcomes_free(o);
        return wh_fail(err, WH_E_NOMEM, "no memory for the outcomes of runs");
    }
    if (load_covers(o, err) != WH_OK) {
        sink_outcomes_free(o);
        return err->rc;
    }
    *ret = o;
    return WH_OK;
}

void sink_outcomes_set_counters(struct sink_outcomes *o, const struct sink_repairs *repairs)
{
    o->repairs = *repairs;
}

void sink_outcomes_free(struct sink_outcomes *o)
{
    if (o) {
        wh_buf_done(&o->key);
        wh_buf_done(&o->value);
        wh_mem_free(o->pending);
        wh_mem_free(o->covers);
        wh_mem_free(o);
    }
}
