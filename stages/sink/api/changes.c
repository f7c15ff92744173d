/*
 * GET /api/v1/changes?kind=TABLE&where=CONDITION&since=SEQUENCE
 *
 * Server-sent events, one for each change behind `since`, in order, and then those that come:
 *
 *   : comment            every HEARTBEAT_MS at least, with the place so far as its id
 *   event: change        id: the place; data: change_write
 *   event: gone          data: {from, to, reason}: a purge has removed these changes
 *   event: end           data: {reason, code, resume}: the sink ends the stream
 *
 * The id of an event is a place (changes.h), and Last-Event-ID or since=PLACE resumes behind it; without
 * both the stream begins now, and since=0 begins with the first change. A place of another store, which was built
 * again since, is answered with 410: its numbers mean something else here.
 *
 * kind may be repeated. where is a condition over the rows of each of these tables, deleted ones too, as
 * they are after the change.
 *
 * A stream has a thread and a ring of its own (flow.h) and is cut when nobody reads it; at most
 * API_LIVE_MAX are open. It reads the store as everybody does and holds nothing of the writer.
 */
#include "common/base/mem.h"
#include "stages/sink/api/api_priv.h"

enum {
    KINDS_MAX = 16,
    READ_AT_ONCE = 4096,
    HEARTBEAT_MS = 10000,
    EVENT_MAX_BYTES = CHANGE_JSON_MAX_BYTES + 1024,
    GONE = 410,
};

struct following {
    struct api_job *job;
    struct changes *changes;
    struct change_condition *conditions[KINDS_MAX];
    size_t n_conditions; /* 0: every change */
    uint64_t at;         /* the last change that was looked at */
    int64_t said_ms;     /* when something was written last */
    struct change *list;
    struct wh_buf event;
};

/* ---- what is asked for ---- */

static enum wh_rc read_conditions(struct following *f, struct wh_err *err)
{
    const struct api_request *request = &f->job->request;
    struct wh_slice where = api_arg(request, "where");

    for (size_t i = 0; i < request->n_args; i++) {
        if (!wh_slice_eq(request->args[i].name, WH_LIT("kind"))) {
            continue;
        }
        if (f->n_conditions == KINDS_MAX) {
            return wh_fail(err, WH_E_INVALID, "more than %d kinds", KINDS_MAX);
        }
        if (change_condition_new(f->changes, request->args[i].value, where, true,
                                 &f->conditions[f->n_conditions], err) != WH_OK) {
            return err->rc;
        }
        f->n_conditions++;
    }
    if (where.len && f->n_conditions == 0) {
        return wh_fail(err, WH_E_INVALID, "where needs a kind, whose columns it names");
    }
    return WH_OK;
}

static enum wh_rc answer_gone(struct api_job *job, const char *why, struct wh_err *err)
{
    char place[CHANGES_PLACE_TEXT];
    struct changes *changes = job->api->deps.changes;
    struct api_json j;

    job->status = GONE;
    wh_buf_init(&j.buf, 4096);
    wh_json_writer_init(&j.w, &j.buf);
    wh_jw_object(&j.w);
    wh_jw_put_bool(&j.w, "ok", false);
    wh_jw_put_str(&j.w, "error", wh_slice_str(why));
    wh_jw_put_str(&j.w, "code", WH_LIT("gone"));
    wh_jw_put_int(&j.w, "status", GONE);
    wh_jw_put_str(
        &j.w, "now",
        wh_slice_str(changes_place_format(
            (struct changes_place){changes_store(changes), changes_last(changes)}, place)));
    return api_json_end(&j, job, err);
}

/* *ret_gone: it was answered that the place is gone. */
static enum wh_rc read_since(struct following *f, bool *ret_gone, struct wh_err *err)
{
    const struct api_request *request = &f->job->request;
    struct wh_slice text =
        request->last_event.len ? request->last_event : api_arg(request, "since");
    struct changes_place place;

    *ret_gone = false;
    f->at = changes_last(f->changes);
    if (text.ptr == NULL || text.len == 0) {
        return WH_OK;
    }
    if (changes_place_parse(text, &place, err) != WH_OK) {
        return err->rc;
    }
    *ret_gone = (place.store && place.store != changes_store(f->changes)) || place.sequence > f->at;
    if (*ret_gone) {
        return answer_gone(
            f->job,
            "this place is not in the log of changes: the store was built again, and "
            "its changes have other numbers. Read the records again, and follow the "
            "changes behind the place that `now` names",
            err);
    }
    f->at = place.sequence;
    return WH_OK;
}

/* ---- events ---- */

static enum wh_rc send_event(struct following *f, struct wh_err *err)
{
    f->said_ms = wh_clock_mono_ns(&f->job->api->deps.clock) / 1000000;
    return api_flow_write_whole(f->job->out.flow, wh_buf_slice(&f->event), err);
}

static enum wh_rc begin_event(struct following *f, const char *what, uint64_t sequence,
                              struct wh_err *err)
{
    char place[CHANGES_PLACE_TEXT];

    wh_buf_reset(&f->event);
    return wh_buf_printf(
        &f->event, err, "%sid: %s\n", what,
        changes_place_format((struct changes_place){changes_store(f->changes), sequence}, place));
}

static enum wh_rc send_heartbeat(struct following *f, const char *comment, struct wh_err *err)
{
    if (begin_event(f, comment, f->at, err) != WH_OK ||
        wh_buf_append_char(&f->event, '\n', err) != WH_OK || send_event(f, err) != WH_OK) {
        return err->rc;
    }
    api_flow_flush(f->job->out.flow);
    return WH_OK;
}

static enum wh_rc send_change(struct following *f, const struct change *change, struct wh_err *err)
{
    if (begin_event(f, "event: change\n", change->sequence, err) != WH_OK ||
        wh_buf_append(&f->event, WH_LIT("data: "), err) != WH_OK ||
        change_write(f->changes, change, &f->event, err) != WH_OK ||
        wh_buf_append(&f->event, WH_LIT("\n\n"), err) != WH_OK) {
        return err->rc;
    }
    return send_event(f, err);
}

static enum wh_rc send_gone(struct following *f, uint64_t to, struct wh_err *err)
{
    if (begin_event(f, "event: gone\n", to, err) != WH_OK ||
        wh_buf_printf(&f->event, err,
                      "data: {\"from\":%llu,\"to\":%llu,\"reason\":\"a purge has removed these "
                      "changes with their records\"}\n\n",
                      (unsigned long long)f->at + 1, (unsigned long long)to) != WH_OK) {
        return err->rc;
    }
    f->at = to;
    return send_event(f, err);
}

enum wh_rc api_changes_end(const struct api_job *job, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    if (wh_buf_append(out, WH_LIT("event: end\ndata: "), err) != WH_OK) {
        return err->rc;
    }
    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "reason", wh_slice_str(job->err.msg));
    wh_jw_put_str(&w, "code", wh_slice_str(wh_rc_name(job->err.rc)));
    wh_jw_put_str(&w, "resume", WH_LIT("send the id of the last event as Last-Event-ID"));
    wh_jw_end(&w);
    return wh_jw_finish(&w, err) == WH_OK ? wh_buf_append(out, WH_LIT("\n\n"), err) : err->rc;
}

/* ---- following ---- */

static enum wh_rc is_wanted(struct following *f, const struct change *change, bool *ret,
                            struct wh_err *err)
{
    *ret = f->n_conditions == 0;
    for (size_t i = 0; i < f->n_conditions && !*ret; i++) {
        if (change_matches(f->changes, f->conditions[i], change, &f->job->canceled, ret, err) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static bool is_silent(const struct following *f)
{
    return wh_clock_mono_ns(&f->job->api->deps.clock) / 1000000 - f->said_ms >= HEARTBEAT_MS;
}

static enum wh_rc take_change(struct following *f, const struct change *change, struct wh_err *err)
{
    bool wanted;

    if (change->sequence > f->at + 1 && send_gone(f, change->sequence - 1, err) != WH_OK) {
        return err->rc;
    }
    if (is_wanted(f, change, &wanted, err) != WH_OK ||
        (wanted && send_change(f, change, err) != WH_OK)) {
        return err->rc;
    }
    f->at = change->sequence;
    return is_silent(f) ? send_heartbeat(f, ": still reading\n", err) : WH_OK;
}

/* *ret_n 0: there is nothing more now. */
static enum wh_rc take_some(struct following *f, size_t *ret_n, struct wh_err *err)
{
    uint64_t last = changes_last(f->changes);

    if (changes_read(f->changes, f->at, f->list, READ_AT_ONCE, ret_n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < *ret_n; i++) {
        if (take_change(f, &f->list[i], err) != WH_OK) {
            return err->rc;
        }
    }
    if (*ret_n == 0 && last > f->at && send_gone(f, last, err) != WH_OK) {
        return err->rc;
    }
    api_flow_flush(f->job->out.flow);
    return WH_OK;
}

static enum wh_rc follow(struct following *f, struct wh_err *err)
{
    enum wh_rc rc = send_heartbeat(f, "retry: 2000\n: changes behind this id\n", err);

    while (rc == WH_OK) {
        size_t n = 0;

        if (atomic_load(&f->job->canceled)) {
            return wh_fail(err, WH_E_CANCELED, "this sink is stopping");
        }
        rc = take_some(f, &n, err);
        if (rc == WH_OK && n == 0 &&
            !changes_await(f->changes, f->at, HEARTBEAT_MS, &f->job->canceled) && is_silent(f)) {
            rc = send_heartbeat(f, ": nothing new\n", err);
        }
    }
    return rc;
}

static enum wh_rc answer(struct following *f, struct wh_err *err)
{
    struct api_job *job = f->job;
    bool gone;

    if (read_conditions(f, err) != WH_OK || read_since(f, &gone, err) != WH_OK) {
        return err->rc;
    }
    job->content_type = gone ? "application/json" : "text/event-stream";
    if (gone || wh_slice_eq(job->request.method, WH_LIT("HEAD"))) {
        return WH_OK;
    }
    if (job->out.flow == NULL) {
        job->live = true;
        job->wants_flow = true;
        return WH_OK;
    }
    job->out.gzip = false;
    f->list = wh_mem_alloc(READ_AT_ONCE * sizeof(*f->list));
    return f->list ? follow(f, err) : wh_fail(err, WH_E_NOMEM, "no memory to follow changes");
}

enum wh_rc api_answer_changes(struct api_job *job, struct wh_err *err)
{
    struct following f = {.job = job, .changes = job->api->deps.changes};
    enum wh_rc rc;

    if (f.changes == NULL) {
        return wh_fail(err, WH_E_UNAVAILABLE, "this sink has no stream of changes");
    }
    wh_buf_init(&f.event, EVENT_MAX_BYTES);
    rc = answer(&f, err);
    for (size_t i = 0; i < f.n_conditions; i++) {
        change_condition_free(f.conditions[i]);
    }
    wh_buf_done(&f.event);
    wh_mem_free(f.list);
    return rc;
}
