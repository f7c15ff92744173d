/* The thread of the rules, and what others may do with them. */
#include "stages/sink/automation/automation_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"

enum {
    LIST_MAX = 4096,
    LOOK_MS = 1000,   /* the thread looks at least this often */
    PRODUCER_MS = 20, /* while records of Kafka are on their way */
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
    PUT_DEPTH = 8,
};

/* ---- rules ---- */

struct automation_rule *automation_find(struct automation *a, struct wh_slice id)
{
    for (struct automation_rule *r = a->rules; r; r = r->next) {
        if (!r->removed && wh_slice_eq(wh_slice_str(r->def.id), id)) {
            return r;
        }
    }
    return NULL;
}

void automation_rule_free(struct automation_rule *rule)
{
    if (rule) {
        automation_def_done(&rule->def);
        change_condition_free(rule->condition);
        wh_mem_free(rule);
    }
}

/* ---- the thread ---- */

void automation_notify(struct automation *a)
{
    (void)pthread_mutex_lock(&a->stir);
    a->stirred = true;
    (void)pthread_cond_signal(&a->work);
    (void)pthread_mutex_unlock(&a->stir);
}

/* Only here is a rule taken away: everybody else has the lock when they look at it. */
static void drop_removed(struct automation *a)
{
    struct automation_rule **at = &a->rules;

    while (*at) {
        struct automation_rule *rule = *at;

        if (rule->removed && rule->attempt == NULL) {
            *at = rule->next;
            automation_rule_free(rule);
        } else {
            at = &rule->next;
        }
    }
}

static void set_gauges(struct automation *a)
{
    uint64_t waiting = 0;
    uint64_t failed = 0;

    for (const struct automation_rule *r = a->rules; r; r = r->next) {
        waiting += r->state.next - r->state.first;
        failed += r->state.failed;
    }
    wh_gauge_set(a->waiting, (double)waiting);
    wh_gauge_set(a->failed, (double)failed);
}

/* One step of each rule. True: there is more to do at once. */
static bool step_all(struct automation *a, int64_t *ret_due_ns)
{
    bool worked = false;

    *ret_due_ns = INT64_MAX;
    (void)pthread_mutex_lock(&a->lock);
    for (struct automation_rule *r = a->rules; r && !atomic_load(&a->stop); r = r->next) {
        int64_t due_ns;

        worked |= automation_deliver(a, r);
        worked |= !r->removed && automation_judge(a, r);
        due_ns = automation_due_ns(a, r);
        *ret_due_ns = due_ns < *ret_due_ns ? due_ns : *ret_due_ns;
    }
    drop_removed(a);
    set_gauges(a);
    (void)pthread_mutex_unlock(&a->lock);
    return worked;
}

static int64_t clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

static int64_t pause_ns(struct automation *a, int64_t due_ns)
{
    int64_t left_ns = due_ns == INT64_MAX ? INT64_MAX : due_ns - automation_now_ns(a);
    int64_t most_ms =
        a->deps.producer && wh_producer_pending(a->deps.producer) ? PRODUCER_MS : LOOK_MS;

    left_ns = left_ns < 0 ? 0 : left_ns;
    return left_ns < most_ms * NS_PER_MS ? left_ns : most_ms * NS_PER_MS;
}

static void await_work(struct automation *a, int64_t due_ns)
{
    int64_t until_ns = clock_ns() + pause_ns(a, due_ns);
    const struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};

    (void)pthread_mutex_lock(&a->stir);
    if (!a->stirred && !atomic_load(&a->stop)) {
        (void)pthread_cond_timedwait(&a->work, &a->stir, &until);
    }
    a->stirred = false;
    (void)pthread_mutex_unlock(&a->stir);
}

static void *run(void *ctx)
{
    struct automation *a = ctx;

    while (!atomic_load(&a->stop)) {
        int64_t due_ns;

        if (a->deps.producer) {
            (void)wh_producer_poll(a->deps.producer, 0);
        }
        if (!step_all(a, &due_ns)) {
            await_work(a, due_ns);
        }
    }
    return NULL;
}

/* ---- birth and death ---- */

static enum wh_rc make_metrics(struct automation *a, struct wh_err *err)
{
    static const char *const labels[] = {"outcome=\"delivered\"", "outcome=\"repeated\"",
                                         "outcome=\"failed\""};
    struct wh_metrics *m = a->deps.metrics;

    for (size_t i = 0; m && i < 3; i++) {
        a->outcomes[i] =
            wh_metrics_counter(m, "wellhead_rule_attempts_total", labels[i],
                               "attempts to deliver what rules tell, by their outcome");
    }
    if (m) {
        a->waiting = wh_metrics_gauge(m, "wellhead_rule_deliveries_waiting", NULL,
                                      "deliveries of all rules that are not acknowledged yet");
        a->failed =
            wh_metrics_gauge(m, "wellhead_rule_deliveries_failed", NULL,
                             "deliveries of all rules that have failed and were not replayed");
    }
    return m == NULL || (a->outcomes[2] && a->waiting && a->failed)
               ? WH_OK
               : wh_fail(err, WH_E_NOMEM, "no memory for metrics");
}

static enum wh_rc start(struct automation *a, struct wh_err *err)
{
    a->wake = wh_wake_new(a->deps.loop, automation_fly, a);
    a->list = wh_mem_alloc(LIST_MAX * sizeof(*a->list));
    if (a->wake == NULL || a->list == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the rules");
    }
    if (make_metrics(a, err) != WH_OK || automation_load_file(a, err) != WH_OK ||
        automation_load_stored(a, err) != WH_OK) {
        return err->rc;
    }
    if (pthread_create(&a->thread, NULL, run, a) != 0) {
        return wh_fail(err, WH_E_NOMEM, "the thread of the rules cannot be started");
    }
    a->running = true;
    return WH_OK;
}

enum wh_rc automation_new(const struct automation_deps *deps, struct automation **ret,
                          struct wh_err *err)
{
    struct automation *a = wh_mem_zalloc(1, sizeof(*a));
    pthread_condattr_t attr;

    if (a == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the rules");
    }
    a->deps = *deps;
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_mutex_init(&a->stir, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&a->work, &attr);
    (void)pthread_condattr_destroy(&attr);
    wh_jitter_init(&a->jitter, (uint64_t)wh_clock_mono_ns(&deps->clock) | 1);
    if (start(a, err) != WH_OK) {
        automation_free(a);
        return err->rc;
    }
    *ret = a;
    return WH_OK;
}

void automation_stop(struct automation *a)
{
    atomic_store(&a->stop, true);
    automation_notify(a);
    if (a->running) {
        (void)pthread_join(a->thread, NULL);
        a->running = false;
        automation_land(a);
    }
}

void automation_free(struct automation *a)
{
    if (a == NULL) {
        return;
    }
    automation_stop(a);
    while (a->rules) {
        struct automation_rule *rule = a->rules;

        a->rules = rule->next;
        automation_rule_free(rule);
    }
    wh_wake_free(a->wake);
    wh_mem_free(a->list);
    (void)pthread_cond_destroy(&a->work);
    (void)pthread_mutex_destroy(&a->stir);
    (void)pthread_mutex_destroy(&a->lock);
    wh_mem_free(a);
}

/* ---- changes by the API ---- */

static enum wh_rc check_condition(struct automation *a, struct automation_rule *rule,
                                  struct wh_err *err)
{
    return change_condition_new(a->deps.changes, wh_slice_str(rule->def.table),
                                wh_slice_str(rule->def.enters), false, &rule->condition, err);
}

/* With the lock. A rule that is replaced hands over what is known of it; its thread sees whether the condition is
 * another one. */
static enum wh_rc install(struct automation *a, struct automation_rule *rule, struct wh_err *err)
{
    struct automation_rule *former = automation_find(a, wh_slice_str(rule->def.id));
    struct automation_rule **end = &a->rules;

    if (former && (former->from_file || former->beginning)) {
        return wh_fail(err, WH_E_BUSY,
                       former->from_file ? "this rule is one of rules.file; change it there"
                                         : "this rule is just beginning; try again");
    }
    if (former == NULL && a->n_rules == AUTOMATION_RULES_MAX) {
        return wh_fail(err, WH_E_BUSY, "there are %d rules, as many as may be",
                       AUTOMATION_RULES_MAX);
    }
    if (automation_def_store(a, rule, err) != WH_OK ||
        automation_state_read(a, rule, err) != WH_OK) {
        return err->rc;
    }
    if (former) {
        former->removed = true;
        a->n_rules--;
    }
    while (*end) {
        end = &(*end)->next;
    }
    *end = rule;
    a->n_rules++;
    return WH_OK;
}

static enum wh_rc put(struct automation *a, struct wh_json_val json, struct wh_err *err)
{
    struct automation_rule *rule = wh_mem_zalloc(1, sizeof(*rule));
    enum wh_rc rc;

    if (rule == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a rule");
    }
    rc = automation_def_read(&a->deps.conf, json, false, &rule->def, err);
    rc = rc == WH_OK ? check_condition(a, rule, err) : rc;
    if (rc == WH_OK) {
        (void)pthread_mutex_lock(&a->lock);
        rc = install(a, rule, err);
        (void)pthread_mutex_unlock(&a->lock);
    }
    if (rc != WH_OK) {
        automation_rule_free(rule);
    }
    return rc;
}

enum wh_rc automation_put(struct automation *a, struct wh_slice json, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DEFINITION_MAX_BYTES, PUT_DEPTH);
    struct wh_json_val root;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a rule");
    }
    rc = wh_json_parse(parser, json, &root, err);
    rc = rc == WH_OK ? put(a, root, err) : rc;
    wh_json_parser_free(parser);
    automation_notify(a);
    return rc;
}

static enum wh_rc find_own(struct automation *a, struct wh_slice id, struct automation_rule **ret,
                           struct wh_err *err)
{
    *ret = automation_find(a, id);
    return *ret ? WH_OK : wh_fail(err, WH_E_NOT_FOUND, "there is no such rule");
}

static enum wh_rc remove_rule(struct automation *a, struct wh_slice id, struct wh_err *err)
{
    struct automation_rule *rule;

    if (find_own(a, id, &rule, err) != WH_OK) {
        return err->rc;
    }
    if (rule->from_file || rule->beginning) {
        return wh_fail(err, WH_E_BUSY,
                       rule->from_file ? "this rule is one of rules.file; remove it there"
                                       : "this rule is just beginning; try again");
    }
    if (automation_forget(a, rule, err) != WH_OK) {
        return err->rc;
    }
    rule->removed = true;
    a->n_rules--;
    return WH_OK;
}

enum wh_rc automation_remove(struct automation *a, struct wh_slice id, struct wh_err *err)
{
    enum wh_rc rc;

    (void)pthread_mutex_lock(&a->lock);
    rc = remove_rule(a, id, err);
    (void)pthread_mutex_unlock(&a->lock);
    automation_notify(a);
    return rc;
}
