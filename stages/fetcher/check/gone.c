#include "stages/fetcher/check/gone.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"

enum { PAYLOAD_MAX = 256, NUMBER_TEXT = 24 };

/* ---- what GitLab lets us know ---- */

const char *gone_reason(enum numbers_stream stream, const struct number_set_entry *e,
                        const char *lost, int64_t access)
{
    if (lost) {
        return lost;
    }
    if (stream == NUMBERS_ISSUES && (e->confidential || access < GITLAB_REPORTER)) {
        return "deleted_or_hidden";
    }
    return "deleted";
}

enum number_fate gone_fate(const char *reason)
{
    if (strcmp(reason, "deleted") == 0) {
        return NUMBER_DELETED;
    }
    return strcmp(reason, "deleted_or_hidden") == 0 ? NUMBER_HIDDEN : NUMBER_NO_ACCESS;
}

enum number_fate gone_fate_unknown(enum numbers_stream stream, int64_t access)
{
    return stream == NUMBERS_ISSUES && access < GITLAB_REPORTER ? NUMBER_HIDDEN : NUMBER_DELETED;
}

bool gone_too_many(int64_t held, int64_t known, int64_t hold_min, int64_t hold_percent)
{
    int64_t share = known / 100 * hold_percent + known % 100 * hold_percent / 100;

    return held > (share > hold_min ? share : hold_min);
}

/* ---- records that Kafka has not answered yet ---- */

struct gone_wait {
    struct wh_bus_ack ack; /* first: the record carries it */
    struct gone_wait *next;
    struct gone_wait *prev;
    struct gone *gone;
    struct numbers *n; /* NULL: it is about an object without a number */
    struct absences *absences;
    struct absence *absence; /* a copy */
    int64_t number;
    struct number_set_entry becomes;
    unsigned records;
    bool failed;
};

struct gone {
    struct gone_env env;
    struct gone_wait *waits;
    size_t n_waits;
};

struct gone *gone_new(const struct gone_env *env)
{
    struct gone *g = wh_mem_zalloc(1, sizeof(*g));

    if (g) {
        g->env = *env;
    }
    return g;
}

static void unlink_wait(struct gone_wait *w)
{
    if (w->prev) {
        w->prev->next = w->next;
    } else {
        w->gone->waits = w->next;
    }
    if (w->next) {
        w->next->prev = w->prev;
    }
    w->gone->n_waits--;
    wh_mem_free(w->absence);
    wh_mem_free(w);
}

static void tell_absence(const struct gone_wait *w)
{
    const struct absence_key key = {w->absence->connection, w->absence->project, w->absence->kind,
                                    w->absence->id};
    struct absence *a = absences_find(w->absences, &key);

    if (a) {
        absences_tell(w->absences, a, "deleted");
    }
}

static void take_fate(const struct gone_wait *w)
{
    struct wh_err err;

    if (number_set_put(w->n->set, w->number, w->becomes.id, w->becomes.fate,
                       w->becomes.confidential, &err) != WH_OK) {
        wh_log_debug(w->gone->env.log, "number not recorded", WH_RC(&err));
    }
}

static void settle(struct gone_wait *w)
{
    struct gone *g = w->gone;

    if (w->records > 0) {
        return;
    }
    if (!w->failed && w->n) {
        take_fate(w);
    } else if (!w->failed) {
        tell_absence(w);
    }
    unlink_wait(w);
    g->env.settled(g->env.ctx);
}

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct gone_wait *w = (struct gone_wait *)ack;

    w->failed = w->failed || d->rc != WH_OK;
    w->records--;
    settle(w);
}

static struct gone_wait *begin(struct gone *g, struct numbers *n, int64_t number,
                               struct number_set_entry becomes)
{
    struct gone_wait *w = wh_mem_zalloc(1, sizeof(*w));

    if (w) {
        *w = (struct gone_wait){.ack = {.fn = on_record},
                                .next = g->waits,
                                .gone = g,
                                .n = n,
                                .number = number,
                                .becomes = becomes};
        if (w->next) {
            w->next->prev = w;
        }
        g->waits = w;
        g->n_waits++;
    }
    return w;
}

static void end(struct gone_wait *w, bool failed)
{
    w->failed = w->failed || failed;
    settle(w);
}

size_t gone_waiting(const struct gone *g)
{
    return g->n_waits;
}

void gone_free(struct gone *g)
{
    while (g && g->waits) {
        unlink_wait(g->waits);
    }
    wh_mem_free(g);
}

/* ---- records ---- */

static enum wh_rc emit(struct gone_wait *w, struct outbox_row *row, struct wh_err *err)
{
    if (outbox_row(w->gone->env.outbox, row, &w->ack, err) != WH_OK) {
        return err->rc;
    }
    w->records++;
    return WH_OK;
}

static enum wh_rc emit_note(struct gone_wait *w, const char *kind, int64_t id, const char *reason,
                            struct wh_err *err)
{
    bool project = w->n->stream == NUMBERS_PROJECT;
    char payload[PAYLOAD_MAX];
    char text[NUMBER_TEXT];
    struct outbox_row row = w->gone->env.row(w->gone->env.ctx);
    int n =
        snprintf(payload, sizeof(payload),
                 "{\"reason\":\"%s\",\"kind\":\"%s\",\"id\":\"%" PRId64 "\",\"project_id\":\"%s\"}",
                 reason, numbers_stream_kind(w->n->stream), id, project ? "" : w->n->project);

    (void)snprintf(text, sizeof(text), "%" PRId64, id);
    row.kind = wh_slice_str(kind);
    row.project = wh_slice_str(project ? "" : w->n->project);
    row.object_id = wh_slice_str(text);
    row.path = row.kind;
    row.payload = wh_slice(payload, n > 0 ? (size_t)n : 0);
    return emit(w, &row, err);
}

static bool was_published(const struct number_set_entry *e)
{
    return e->id != 0 &&
           (e->fate == NUMBER_DELETED || e->fate == NUMBER_HIDDEN || e->fate == NUMBER_NO_ACCESS);
}

bool gone_back(struct gone *g, struct numbers *n, int64_t number, int64_t id, bool confidential)
{
    struct number_set_entry e = number_set_get(n->set, number);
    struct gone_wait *w;
    struct wh_err err;

    if (!was_published(&e)) {
        return true;
    }
    w = begin(
        g, n, number,
        (struct number_set_entry){.id = id, .fate = NUMBER_HAVE, .confidential = confidential});
    if (w) {
        end(w, emit_note(w, "back", id, "", &err) != WH_OK);
    }
    return false;
}

enum wh_rc gone_publish(struct gone *g, struct numbers *n, int64_t number, const char *reason,
                        struct wh_err *err)
{
    struct number_set_entry e = number_set_get(n->set, number);
    struct gone_wait *w;
    enum wh_rc rc;

    e.fate = gone_fate(reason);
    w = begin(g, n, number, e);
    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a tombstone");
    }
    rc = emit_note(w, "gone", e.id, reason, err);
    end(w, rc != WH_OK);
    return rc;
}

enum wh_rc gone_row(struct gone *g, struct numbers *n, struct wh_slice path, struct wh_slice text,
                    const struct gitlab_row *row, struct wh_json_val value, struct wh_err *err)
{
    struct number_set_entry was;
    struct number_set_entry becomes = {.id = row->number, .fate = NUMBER_HAVE};
    struct outbox_row out = g->env.row(g->env.ctx);
    struct gone_wait *w;
    int64_t number = 0;
    enum wh_rc rc;

    if (wh_num_i64(wh_slice_str(row->iid), &number, err) != WH_OK) {
        return err->rc;
    }
    if (n->stream == NUMBERS_ISSUES) {
        becomes.confidential = numbers_row_confidential(value);
        becomes.fate = numbers_row_moved(value) ? NUMBER_MOVED : NUMBER_HAVE;
    }
    was = number_set_get(n->set, number);
    w = begin(g, n, number, becomes);
    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a row");
    }
    out.kind = wh_slice_str(numbers_stream_kind(n->stream));
    out.project = wh_slice_str(n->project);
    out.object_id = wh_slice_str(row->id);
    out.path = path;
    out.payload = text;
    rc = emit(w, &out, err);
    if (rc == WH_OK && was_published(&was)) {
        rc = emit_note(w, "back", row->number, "", err);
    }
    end(w, rc != WH_OK);
    return rc;
}

/* ---- objects without numbers ---- */

static enum wh_rc emit_absence(struct gone_wait *w, struct wh_err *err)
{
    struct outbox_row row = w->gone->env.row(w->gone->env.ctx);
    WH_AUTO(buf) struct wh_buf payload;

    wh_buf_init(&payload, ABSENCE_EVENT_MAX);
    if (absence_event(w->absence, "deleted", &payload, err) != WH_OK) {
        return err->rc;
    }
    row.kind = WH_LIT("gone");
    row.project = wh_slice_str(w->absence->project);
    row.object_id = wh_slice_str(w->absence->id);
    row.path = row.kind;
    row.payload = wh_buf_slice(&payload);
    return emit(w, &row, err);
}

enum wh_rc gone_absence(struct gone *g, struct absences *t, const struct absence *a,
                        struct wh_err *err)
{
    struct gone_wait *w = begin(g, NULL, 0, (struct number_set_entry){0});
    enum wh_rc rc;

    if (w) {
        w->absences = t;
        w->absence = wh_mem_alloc(sizeof(*a));
    }
    if (w && w->absence == NULL) {
        unlink_wait(w);
        w = NULL;
    }
    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a tombstone");
    }
    *w->absence = *a;
    rc = emit_absence(w, err);
    end(w, rc != WH_OK);
    return rc;
}
