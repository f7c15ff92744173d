#include "common/judge/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/time.h"
#include "common/event/connection.h"
#include "common/judge/streams.h"

/* ---- findings ---- */

void wh_findings_add(struct wh_findings *f, enum wh_severity severity, const char *subject,
                     const char *text, const char *advice)
{
    struct wh_finding *at;
    size_t i = f->n;

    if (f->n == WH_FINDINGS_MAX) {
        f->left_out++;
        if (f->list[f->n - 1].severity <= severity) {
            return;
        }
        i = --f->n;
    }
    while (i > 0 && f->list[i - 1].severity > severity) {
        i--;
    }
    at = &f->list[i];
    memmove(at + 1, at, (f->n - i) * sizeof(*at));
    f->n++;
    at->severity = severity;
    (void)snprintf(at->subject, sizeof(at->subject), "%s", subject);
    (void)snprintf(at->text, sizeof(at->text), "%s", text);
    (void)snprintf(at->advice, sizeof(at->advice), "%s", advice);
}

enum wh_verdict wh_findings_verdict(const struct wh_findings *f)
{
    if (f->n == 0 || f->list[0].severity >= WH_SEVERITY_WARNING) {
        return WH_VERDICT_HEALTHY;
    }
    return f->list[0].severity == WH_SEVERITY_ERROR ? WH_VERDICT_NOT_HEALTHY : WH_VERDICT_UNKNOWN;
}

const char *wh_verdict_name(enum wh_verdict verdict)
{
    static const char *const names[] = {"healthy", "not healthy", "unknown"};

    return names[verdict];
}

static const char *const severities[] = {"error", "unknown", "warning", "note"};

const char *wh_severity_name(enum wh_severity severity)
{
    return severities[severity];
}

enum wh_severity wh_severity_parse(struct wh_slice name)
{
    for (unsigned i = 0; i < sizeof(severities) / sizeof(severities[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(severities[i]))) {
            return (enum wh_severity)i;
        }
    }
    return WH_SEVERITY_ERROR;
}

void wh_findings_write(const struct wh_findings *f, struct wh_json_writer *w)
{
    enum wh_verdict verdict = wh_findings_verdict(f);

    wh_jw_key(w, "healthy");
    if (verdict == WH_VERDICT_UNKNOWN) {
        wh_jw_null(w);
    } else {
        wh_jw_bool(w, verdict == WH_VERDICT_HEALTHY);
    }
    wh_jw_put_str(w, "verdict", wh_slice_str(wh_verdict_name(verdict)));
    wh_jw_key(w, "findings");
    wh_jw_array(w);
    for (size_t i = 0; i < f->n; i++) {
        const struct wh_finding *at = &f->list[i];

        wh_jw_object(w);
        wh_jw_put_str(w, "severity", wh_slice_str(wh_severity_name(at->severity)));
        wh_jw_put_str(w, "subject", wh_slice_str(at->subject));
        wh_jw_put_str(w, "text", wh_slice_str(at->text));
        wh_jw_put_str(w, "advice", wh_slice_str(at->advice));
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

/* ---- judging ---- */

struct judging {
    const struct wh_evidence *e;
    struct wh_findings *f;
};

#define SUBJECT_MAX (sizeof(((struct wh_finding *)0)->subject))
#define TEXT_MAX (sizeof(((struct wh_finding *)0)->text))

static const char start_it[] =
    "start it again; its log says why it ended, `wellhead doctor` asks every process";

__attribute__((format(printf, 5, 6))) static void say(struct judging *j, enum wh_severity severity,
                                                      const char *subject, const char *advice,
                                                      const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    wh_findings_add(j->f, severity, subject, text, advice);
}

static bool is_stage(const struct wh_seen_process *p, const char *stage)
{
    return wh_slice_eq(p->beat.stage, wh_slice_str(stage));
}

/* The last sign of the process; before the observer began, it could not be missed. */
static int64_t last_sign(const struct wh_evidence *e, const struct wh_seen_process *p)
{
    return p->seen_ms > e->since_ms ? p->seen_ms : e->since_ms;
}

bool wh_judge_lives(const struct wh_evidence *e, const struct wh_seen_process *p)
{
    return !p->beat.stopped && p->seen_ms > 0 && e->now_ms - last_sign(e, p) <= WH_JUDGE_SILENCE_MS;
}

/* Silent for too long, and it has not said goodbye. */
static bool is_lost(const struct wh_evidence *e, const struct wh_seen_process *p)
{
    return !p->beat.stopped && e->now_ms - last_sign(e, p) > WH_JUDGE_SILENCE_MS;
}

/* Has another process of the stage begun since, as a container that takes the place of another? */
static bool is_replaced(const struct wh_evidence *e, const struct wh_seen_process *lost)
{
    for (size_t i = 0; i < e->n_processes; i++) {
        const struct wh_seen_process *p = &e->processes[i];

        if (wh_slice_eq(p->beat.stage, lost->beat.stage) && wh_judge_lives(e, p) &&
            p->beat.started_ms >= lost->beat.at_ms) {
            return true;
        }
    }
    return e->now_ms - lost->beat.at_ms > WH_JUDGE_FORGET_MS;
}

static int64_t waiting(const struct wh_evidence *e, const char *stage)
{
    int64_t sum = 0;

    for (size_t i = 0; i < e->n_flows; i++) {
        if (wh_slice_eq(e->flows[i].stage, wh_slice_str(stage)) && e->flows[i].lag_records > 0) {
            sum += e->flows[i].lag_records;
        }
    }
    return sum;
}

/* No process of the stage lives: `last` is the one that was heard of last, or NULL. */
static void say_away(struct judging *j, const char *stage, const struct wh_seen_process *last)
{
    const struct wh_evidence *e = j->e;
    int64_t waits = waiting(e, stage);
    char at[WH_TIME_TEXT_MAX];
    char wait[64] = "";

    if (waits > 0) {
        (void)snprintf(wait, sizeof(wait), "; %" PRId64 " records wait for it", waits);
    }
    if (last == NULL) {
        say(j, WH_SEVERITY_UNKNOWN, stage, "start it, or ask it with `wellhead doctor`",
            "no heartbeat of it has ever been seen%s", wait);
    } else if (last->beat.stopped) {
        say(j, WH_SEVERITY_ERROR, stage, start_it, "it was stopped at %s%s",
            wh_time_format(last->beat.at_ms, at), wait);
    } else if (is_lost(e, last)) {
        say(j, WH_SEVERITY_ERROR, stage, start_it,
            "%.*s has been silent since %s: it was killed, or it hangs%s",
            WH_SLICE_ARG(last->beat.process), wh_time_format(last->beat.at_ms, at), wait);
    } else {
        say(j, WH_SEVERITY_UNKNOWN, stage, "wait some seconds",
            "no heartbeat of it has come yet since the sink began to look");
    }
}

static void judge_process(struct judging *j, const char *stage, const struct wh_seen_process *p)
{
    char at[WH_TIME_TEXT_MAX];

    if (!wh_judge_lives(j->e, p)) {
        if (is_lost(j->e, p) && !is_replaced(j->e, p)) {
            say(j, WH_SEVERITY_ERROR, stage, start_it,
                "%.*s has been silent since %s: it was killed, or it hangs; others of its stage "
                "go on",
                WH_SLICE_ARG(p->beat.process), wh_time_format(p->beat.at_ms, at));
        }
        return;
    }
    for (size_t i = 0; i < p->beat.n_held; i++) {
        const struct wh_heartbeat_held *h = &p->beat.held[i];

        say(j, WH_SEVERITY_ERROR, stage,
            "look at them: `wellhead sql \"select * from set_aside\"` and the dead letters; "
            "after the correction start it again",
            "its breaker is open%s%.*s%s%.*s since %s: %.*s", h->connection.len ? " for " : "",
            WH_SLICE_ARG(h->connection), h->what.len ? ", " : "", WH_SLICE_ARG(h->what),
            h->since_ms ? wh_time_format(h->since_ms, at) : "an unknown time",
            WH_SLICE_ARG(h->reason));
    }
    if (!p->beat.ready && p->beat.n_held == 0) {
        say(j, WH_SEVERITY_ERROR, stage, "its log says more; `wellhead doctor` asks every process",
            "%.*s is not ready: %.*s", WH_SLICE_ARG(p->beat.process), WH_SLICE_ARG(p->beat.reason));
    }
}

static void judge_stage(struct judging *j, const char *stage)
{
    const struct wh_evidence *e = j->e;
    const struct wh_seen_process *last = NULL;
    bool any = false;

    for (size_t i = 0; i < e->n_processes; i++) {
        const struct wh_seen_process *p = &e->processes[i];

        if (is_stage(p, stage)) {
            any = any || wh_judge_lives(e, p);
            last = last == NULL || p->beat.at_ms > last->beat.at_ms ? p : last;
        }
    }
    if (!any) {
        say_away(j, stage, last);
        return;
    }
    for (size_t i = 0; i < e->n_processes; i++) {
        if (is_stage(&e->processes[i], stage)) {
            judge_process(j, stage, &e->processes[i]);
        }
    }
}

/* Heartbeats come to the observer through its own store: when its own do not come back, what the
 * others do is not known. True when they do, or when it is too early to say. */
static bool sees(const struct wh_evidence *e)
{
    for (size_t i = 0; i < e->n_processes; i++) {
        if (wh_slice_eq(e->processes[i].beat.process, e->observer) &&
            is_stage(&e->processes[i], "sink")) {
            return wh_judge_lives(e, &e->processes[i]) || !is_lost(e, &e->processes[i]);
        }
    }
    return e->observer.len == 0 || e->now_ms - e->since_ms <= WH_JUDGE_SILENCE_MS;
}

static bool lives(const struct wh_evidence *e, struct wh_slice stage)
{
    for (size_t i = 0; i < e->n_processes; i++) {
        if (wh_slice_eq(e->processes[i].beat.stage, stage) && wh_judge_lives(e, &e->processes[i])) {
            return true;
        }
    }
    return false;
}

/* Is it an open breaker that keeps the records of the flow waiting? That was said already. */
static bool is_held(const struct wh_evidence *e, const struct wh_seen_flow *flow)
{
    for (size_t i = 0; i < e->n_processes; i++) {
        const struct wh_seen_process *p = &e->processes[i];

        for (size_t k = 0; wh_slice_eq(p->beat.stage, flow->stage) && k < p->beat.n_held; k++) {
            struct wh_slice held = p->beat.held[k].connection;

            if (held.len == 0 || wh_slice_eq(held, flow->connection)) {
                return true;
            }
        }
    }
    return false;
}

/* A dead stage was said already; its lag stands there. */
static void judge_flow(struct judging *j, const struct wh_seen_flow *flow)
{
    char subject[SUBJECT_MAX];
    int64_t still_ms = j->e->now_ms - flow->advanced_ms;

    (void)snprintf(subject, sizeof(subject), "%.*s", WH_SLICE_ARG(flow->stage));
    if (flow->lag_records < 0) {
        say(j, WH_SEVERITY_UNKNOWN, subject, "`wellhead doctor` asks Kafka and every process",
            "how far it is behind in %.*s is not known", WH_SLICE_ARG(flow->topic));
    } else if (flow->lag_records > 0 && flow->patience_ms > 0 && still_ms > flow->patience_ms &&
               lives(j->e, flow->stage) && !is_held(j->e, flow)) {
        say(j, WH_SEVERITY_ERROR, subject, "its log says what it waits for; start it again",
            "it stands still: %" PRId64 " records of %.*s wait, and none was taken for %" PRId64
            " s",
            flow->lag_records, WH_SLICE_ARG(flow->topic), still_ms / 1000);
    }
}

/* The fetcher has not noticed, as it hangs. One that is dead was said already. */
static void judge_streams(struct judging *j, const struct wh_seen_connection *c,
                          const char *subject)
{
    struct wh_streams_verdict v;

    if (c->streams == NULL || !lives(j->e, WH_LIT("fetcher"))) {
        return;
    }
    wh_streams_judge(c->streams, j->e->now_ms, &v);
    if (v.detail[0]) {
        say(j, WH_SEVERITY_ERROR, subject, "`wellhead status` shows its streams and runs", "%s: %s",
            v.state, v.detail);
    }
}

static void judge_connection(struct judging *j, const struct wh_seen_connection *c)
{
    char subject[SUBJECT_MAX];
    char advice[sizeof(((struct wh_finding *)0)->advice)];

    (void)snprintf(subject, sizeof(subject), "connection %.*s", WH_SLICE_ARG(c->id));
    switch (wh_connection_class(c->state)) {
    case WH_CONNECTION_MISSING:
        say(j, WH_SEVERITY_NOTE, subject, "", "%s: nothing of it is read, its rows stay%s%.*s",
            wh_slice_eq(c->state, WH_LIT("disabled")) ? "disconnected" : "not connected yet",
            c->detail.len ? "; " : "", WH_SLICE_ARG(c->detail));
        break;
    case WH_CONNECTION_CONNECTING:
        say(j, WH_SEVERITY_NOTE, subject, "", "the first sync is under way");
        judge_streams(j, c, subject);
        break;
    case WH_CONNECTION_ERROR:
        (void)snprintf(advice, sizeof(advice),
                       wh_slice_eq(c->state, WH_LIT("need_reconnect"))
                           ? "`wellhead connect %.*s`"
                           : "`wellhead status` shows its streams and runs",
                       WH_SLICE_ARG(c->instance));
        say(j, WH_SEVERITY_ERROR, subject, advice, "%.*s%s%.*s", WH_SLICE_ARG(c->state),
            c->detail.len ? ": " : "", WH_SLICE_ARG(c->detail));
        break;
    case WH_CONNECTION_CONNECTED:
    default:
        judge_streams(j, c, subject);
        break;
    }
}

static void judge_letters(struct judging *j)
{
    char subject[SUBJECT_MAX];
    char advice[sizeof(((struct wh_finding *)0)->advice)];

    for (size_t i = 0; i < j->e->n_letters; i++) {
        const struct wh_seen_letters *l = &j->e->letters[i];

        (void)snprintf(subject, sizeof(subject), "connection %.*s", WH_SLICE_ARG(l->connection));
        (void)snprintf(advice, sizeof(advice),
                       "after the correction: `wellhead replay %.*s --dead-letters --execute`",
                       WH_SLICE_ARG(l->connection));
        if (l->count > 0) {
            say(j, WH_SEVERITY_WARNING, subject, advice,
                "%" PRId64 " dead letters of the %.*s (%.*s) are not replayed", l->count,
                WH_SLICE_ARG(l->stage), WH_SLICE_ARG(l->class_));
        }
    }
}

void wh_judge_connections(const struct wh_evidence *e, struct wh_findings *f)
{
    struct judging j = {.e = e, .f = f};

    for (size_t i = 0; i < e->n_connections; i++) {
        judge_connection(&j, &e->connections[i]);
    }
}

void wh_judge(const struct wh_evidence *e, struct wh_findings *ret)
{
    static const char *const stages[] = {"fetcher", "webhook-intake", "mapper", "sink"};
    struct judging j = {.e = e, .f = ret};

    memset(ret, 0, sizeof(*ret));
    if (e->kafka_error.len) {
        say(&j, WH_SEVERITY_UNKNOWN, "kafka", "start the broker; `wellhead doctor` tries it",
            "it does not answer, so that nothing is known of the stages: %.*s",
            WH_SLICE_ARG(e->kafka_error));
    } else if (!sees(e)) {
        say(&j, WH_SEVERITY_ERROR, "sink", "its log and `wellhead doctor` say what it waits for",
            "it answers, but it has stored nothing for %d s, so that nothing is known of the "
            "others",
            WH_JUDGE_SILENCE_MS / 1000);
    } else {
        for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
            judge_stage(&j, stages[i]);
        }
        for (size_t i = 0; i < e->n_flows; i++) {
            judge_flow(&j, &e->flows[i]);
        }
    }
    wh_judge_connections(e, ret);
    if (e->n_connections == 0 && e->kafka_error.len == 0) {
        say(&j, WH_SEVERITY_NOTE, "connections", "`wellhead connect URL`", "there is none yet");
    }
    judge_letters(&j);
}
