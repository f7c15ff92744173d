#include "stages/fetcher/conn/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"

enum {
    INTAKES_MAX = 16,
    NAME_MAX_BYTES = 128,
    PROJECT_MAX_BYTES = 24,
    EVENT_MAX_BYTES = 40,
    LINES_MAX = 1024, /* of one intake */
};

/* ---- the verdict ---- */

static void time_text(int64_t ms, char text[WH_TIME_TEXT_MAX])
{
    if (ms > 0) {
        (void)wh_time_format(ms, text);
    } else {
        (void)snprintf(text, WH_TIME_TEXT_MAX, "%s", "the beginning");
    }
}

static void say_why(const struct health_facts *f, char detail[HEALTH_DETAIL_MAX])
{
    char since[WH_TIME_TEXT_MAX];

    time_text(f->last_ok_ms, since);
    if (f->hook == HOOK_MISSING) {
        (void)snprintf(
            detail, HEALTH_DETAIL_MAX,
            "webhooks are lost: GitLab has no webhook for this address in the projects any more; "
            "enter it again, or look at the group's");
    } else if (f->hook == HOOK_DISABLED && f->hook_until[0]) {
        (void)snprintf(detail, HEALTH_DETAIL_MAX,
                       "webhooks are lost: GitLab has switched the webhook off until %s, after "
                       "failures; test it there to switch it on",
                       f->hook_until);
    } else if (f->hook == HOOK_DISABLED) {
        (void)snprintf(detail, HEALTH_DETAIL_MAX,
                       "webhooks are lost: GitLab has switched the webhook off, after failures; "
                       "test it there to switch it on");
    } else if (f->last_unauthorized_ms > f->last_ok_ms) {
        (void)snprintf(
            detail, HEALTH_DETAIL_MAX,
            "webhooks are refused: GitLab sends a wrong secret since %s; enter the one of "
            "`wellhead connect` there",
            since);
    } else {
        (void)snprintf(detail, HEALTH_DETAIL_MAX,
                       "webhooks are lost: %" PRId64
                       " changes came by reads only; the last delivery "
                       "came at %s: is the webhook there and enabled?",
                       f->repaired ? f->repaired : f->repaired_before, since);
    }
}

/* When GitLab says that the hook works, a silence proves nothing. */
static bool is_silent(const struct health_facts *f)
{
    return f->silence_ms > 0 && f->last_ok_ms > 0 && f->hook != HOOK_WORKS &&
           f->now_ms - f->last_ok_ms > f->silence_ms;
}

static void say_silence(const struct health_facts *f, char detail[HEALTH_DETAIL_MAX])
{
    char since[WH_TIME_TEXT_MAX];

    time_text(f->last_ok_ms, since);
    (void)snprintf(detail, HEALTH_DETAIL_MAX,
                   "no webhook came since %s: test it at GitLab. Reads go on and have missed "
                   "nothing (webhooks.silence)",
                   since);
}

/* One delivery is not enough while reads go on repairing: `settling` and `repaired` come first. */
static bool is_heard_again(const struct health_facts *f)
{
    return f->last_ok_ms >= f->degraded_ms || f->hook == HOOK_WORKS;
}

bool health_verdict(const struct health_facts *f, char detail[HEALTH_DETAIL_MAX])
{
    bool on = f->last_ok_ms > 0 || f->last_unauthorized_ms > 0 || f->hook == HOOK_WORKS ||
              f->hook == HOOK_DISABLED;

    detail[0] = '\0';
    if (f->held > 0) {
        (void)snprintf(detail, HEALTH_DETAIL_MAX,
                       "%" PRId64 " deletions wait, because too many objects are gone at once: "
                       "`wellhead status` shows them, `wellhead status --confirm-deletes` "
                       "applies them",
                       f->held);
    } else if ((f->repaired > 0 && on) || f->hook == HOOK_DISABLED) {
        say_why(f, detail);
    } else if (f->last_ok_ms == 0 && f->last_unauthorized_ms > 0) {
        say_why(f, detail);
    } else if (is_silent(f)) {
        say_silence(f, detail);
    } else if (f->degraded_ms > 0 && (f->settling || !is_heard_again(f))) {
        say_why(f, detail);
    }
    return detail[0] == '\0';
}

/* ---- what is known ---- */

/* The deliveries of one project and event, as one intake has counted them. */
struct line {
    char project[PROJECT_MAX_BYTES];
    char event[EVENT_MAX_BYTES];
    int64_t last_ms;
    int64_t count;
};

struct intake {
    char name[NAME_MAX_BYTES];
    struct line *lines;
    size_t n_lines;
    int64_t last_ok_ms;
    int64_t last_unauthorized_ms;
    int64_t accepted;
    int64_t unauthorized;
    int64_t refused;
};

struct health {
    struct health_env env;
    struct health_facts facts;
    struct intake intakes[INTAKES_MAX];
    unsigned n_intakes;
    int64_t sink_last_ms;   /* time of the newest webhook in the store */
    int64_t run;            /* id of the newest run that has ended */
    struct wh_outcome last; /* the newest that the sink has reported */
    struct wh_timer *later;
    bool later_due;
    bool settling; /* late webhooks of the newest run still have their time */
    struct hooks *hooks;
    bool hooks_seen; /* GitLab was asked for them since the start */
};

static int64_t now_ms(const struct health *h)
{
    return wh_clock_now_ms(&h->env.clock);
}

static void sum_up(struct health *h)
{
    struct health_facts *f = &h->facts;

    f->now_ms = now_ms(h);
    f->last_ok_ms = h->sink_last_ms;
    f->last_unauthorized_ms = 0;
    for (unsigned i = 0; i < h->n_intakes; i++) {
        const struct intake *n = &h->intakes[i];

        f->last_ok_ms = n->last_ok_ms > f->last_ok_ms ? n->last_ok_ms : f->last_ok_ms;
        f->last_unauthorized_ms = n->last_unauthorized_ms > f->last_unauthorized_ms
                                      ? n->last_unauthorized_ms
                                      : f->last_unauthorized_ms;
    }
    f->silence_ms = h->env.silence_ms;
    f->repaired = h->last.run == h->run ? wh_outcome_sum(&h->last).repaired : 0;
    f->repaired_before = f->repaired > 0 ? f->repaired : f->repaired_before;
    f->settling = h->settling;
}

/* ---- judging ---- */

static void on_hooks(void *ctx, enum hook_state state, const char *until);

static void ask_for_hooks(struct health *h)
{
    const struct hooks_conf conf = {.client = h->env.client(h->env.ctx),
                                    .parser = h->env.parser,
                                    .connection = h->env.connection,
                                    .projects = h->env.projects,
                                    .done = on_hooks,
                                    .ctx = h};

    h->hooks = hooks_start(&conf);
}

/* What GitLab sent and nobody received is read again, once. */
static void begin_degraded(struct health *h)
{
    int64_t since = h->facts.last_ok_ms;

    h->facts.degraded_ms = h->facts.now_ms;
    if (h->last.repaired_oldest_ms && (since == 0 || h->last.repaired_oldest_ms < since)) {
        since = h->last.repaired_oldest_ms;
    }
    if (h->hooks == NULL && h->facts.hook != HOOK_DISABLED) {
        ask_for_hooks(h);
    }
    if (h->facts.repaired > 0 && since > 0) {
        h->env.lost(h->env.ctx, h->facts.repaired, since);
    }
}

static void judge(struct health *h)
{
    char detail[HEALTH_DETAIL_MAX];
    bool healthy;

    sum_up(h);
    healthy = health_verdict(&h->facts, detail);
    if (healthy) {
        h->facts.degraded_ms = 0;
    }
    h->env.judged(h->env.ctx, healthy, detail);
    if (!healthy && h->facts.degraded_ms == 0 && h->facts.held == 0) {
        begin_degraded(h);
    }
}

static void on_hooks(void *ctx, enum hook_state state, const char *until)
{
    struct health *h = ctx;

    h->hooks = NULL;
    h->facts.hook = state;
    (void)snprintf(h->facts.hook_until, sizeof(h->facts.hook_until), "%s", until);
    if ((h->facts.degraded_ms || state == HOOK_DISABLED) && h->env.judgeable(h->env.ctx)) {
        judge(h);
    }
}

static bool hooks_due(const struct health *h, bool sweep)
{
    return !h->hooks && h->env.owns(h->env.ctx) &&
           (h->facts.degraded_ms || sweep || !h->hooks_seen);
}

static void on_later(void *ctx)
{
    struct health *h = ctx;

    h->settling = false;
    h->later_due = false;
    if (h->env.judgeable(h->env.ctx)) {
        judge(h);
    }
}

/* Deliveries come all the time and do not put the judgement off. */
static void judge_later(struct health *h)
{
    if (!h->later_due) {
        h->later_due = true;
        wh_timer_start(h->later, h->env.repair_delay_ms, 0);
    }
}

void health_run_ended(struct health *h, const struct health_run *run)
{
    h->run = run->run;
    h->facts.held = run->held;
    h->settling = true;
    h->later_due = false; /* the delay begins anew */
    sum_up(h);
    /* Repairs are judged when late webhooks have had their time, everything else at once. */
    if (h->facts.repaired == 0 || h->facts.degraded_ms) {
        judge(h);
    }
    if (hooks_due(h, run->sweep)) {
        ask_for_hooks(h);
        h->hooks_seen = true;
    }
    judge_later(h);
}

struct wh_outcome health_outcome(const struct health *h, int64_t run)
{
    return h->last.run == run ? h->last : (struct wh_outcome){.connection = WH_LIT("")};
}

/* ---- documents ---- */

static int by_silence(const void *left, const void *right)
{
    const struct line *a = left;
    const struct line *b = right;

    return (a->last_ms > b->last_ms) - (a->last_ms < b->last_ms);
}

/* Sorts by the time of the last delivery, oldest first. Without memory the old lines stay. */
static void take_lines(struct intake *n, const struct wh_webhook_health *doc)
{
    size_t count = doc->n_lines < LINES_MAX ? doc->n_lines : LINES_MAX;
    struct line *lines = wh_mem_zalloc(count + 1, sizeof(*lines));

    if (lines == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct wh_webhook_line *from = &doc->lines[i];

        (void)snprintf(lines[i].project, sizeof(lines[i].project), "%.*s",
                       WH_SLICE_ARG(from->project));
        (void)snprintf(lines[i].event, sizeof(lines[i].event), "%.*s", WH_SLICE_ARG(from->event));
        lines[i].last_ms = from->last_ms;
        lines[i].count = from->count;
    }
    qsort(lines, count, sizeof(*lines), by_silence);
    wh_mem_free(n->lines);
    n->lines = lines;
    n->n_lines = count;
}

void health_take_webhooks(struct health *h, const struct wh_webhook_health *doc)
{
    struct intake *n = NULL;
    char name[NAME_MAX_BYTES];

    (void)snprintf(name, sizeof(name), "%.*s", WH_SLICE_ARG(doc->intake));
    for (unsigned i = 0; i < h->n_intakes && n == NULL; i++) {
        n = strcmp(h->intakes[i].name, name) == 0 ? &h->intakes[i] : NULL;
    }
    if (n == NULL) {
        /* With more intakes than there are places, the last place is shared. */
        n = &h->intakes[h->n_intakes < INTAKES_MAX ? h->n_intakes++ : INTAKES_MAX - 1];
    }
    memcpy(n->name, name, sizeof(name));
    n->last_ok_ms = doc->last_ok_ms > n->last_ok_ms ? doc->last_ok_ms : n->last_ok_ms;
    n->last_unauthorized_ms = doc->last_unauthorized_ms;
    n->accepted = doc->accepted;
    n->unauthorized = doc->unauthorized;
    n->refused = doc->refused;
    take_lines(n, doc);
    if (h->env.judgeable(h->env.ctx)) {
        judge_later(h);
    }
}

void health_take_outcome(struct health *h, const struct wh_outcome *o)
{
    h->sink_last_ms = o->last_webhook_ms > h->sink_last_ms ? o->last_webhook_ms : h->sink_last_ms;
    if (o->run >= h->last.run) {
        h->last = *o;
        h->last.connection = WH_LIT(""); /* o's text is borrowed */
    }
    if (h->env.judgeable(h->env.ctx) && o->run == h->run) {
        judge_later(h);
    }
}

/* ---- the status ---- */

static void write_lines(const struct health *h, struct wh_json_writer *w)
{
    wh_jw_key(w, "deliveries");
    wh_jw_array(w);
    for (unsigned i = 0; i < h->n_intakes; i++) {
        const struct intake *n = &h->intakes[i];

        for (size_t k = 0; k < n->n_lines; k++) {
            wh_jw_object(w);
            wh_jw_put_str(w, "intake", wh_slice_str(n->name));
            wh_jw_put_str(w, "project", wh_slice_str(n->lines[k].project));
            wh_jw_put_str(w, "event", wh_slice_str(n->lines[k].event));
            wh_jw_put_ms(w, "last_ms", n->lines[k].last_ms);
            wh_jw_put_int(w, "count", n->lines[k].count);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
}

void health_write(const struct health *h, struct wh_json_writer *w)
{
    static const char *const hooks[] = {"unknown", "missing", "disabled", "works"};
    int64_t last_ok_ms = h->sink_last_ms;
    int64_t accepted = 0;
    int64_t unauthorized = 0;
    int64_t refused = 0;

    for (unsigned i = 0; i < h->n_intakes; i++) {
        const struct intake *n = &h->intakes[i];

        last_ok_ms = n->last_ok_ms > last_ok_ms ? n->last_ok_ms : last_ok_ms;
        accepted += n->accepted;
        unauthorized += n->unauthorized;
        refused += n->refused;
    }
    wh_jw_key(w, "webhooks");
    wh_jw_object(w);
    wh_jw_put_ms(w, "last_delivery_ms", last_ok_ms);
    wh_jw_put_ms(w, "last_unauthorized_ms", h->facts.last_unauthorized_ms);
    wh_jw_put_int(w, "accepted", accepted);
    wh_jw_put_int(w, "unauthorized", unauthorized);
    wh_jw_put_int(w, "refused", refused);
    wh_jw_put_ms(w, "degraded_since_ms", h->facts.degraded_ms);
    wh_jw_put_str(w, "hook", wh_slice_str(hooks[h->facts.hook]));
    wh_jw_put_str(w, "hook_disabled_until", wh_slice_str(h->facts.hook_until));
    write_lines(h, w);
    wh_jw_end(w);
}

/* ---- life ---- */

struct health *health_new(const struct health_env *env)
{
    struct health *h = wh_mem_zalloc(1, sizeof(*h));

    if (h == NULL) {
        return NULL;
    }
    h->env = *env;
    h->later = wh_timer_new(env->loop, on_later, h);
    if (h->later == NULL) {
        wh_mem_free(h);
        return NULL;
    }
    return h;
}

void health_free(struct health *h)
{
    if (h) {
        hooks_free(h->hooks);
        wh_timer_free(h->later);
        for (unsigned i = 0; i < h->n_intakes; i++) {
            wh_mem_free(h->intakes[i].lines);
        }
        wh_mem_free(h);
    }
}
