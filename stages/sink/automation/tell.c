/* What is said of the rules and their deliveries; and failed ones again. */
#include <stdio.h>
#include <string.h>

#include "common/base/be.h"
#include "common/base/mem.h"
#include "stages/sink/automation/automation_priv.h"

/* ---- rules ---- */

static const char *state_of(const struct automation *a, const struct automation_rule *rule)
{
    const struct automation_state *s = &rule->state;

    if (s->ended) {
        return "ended";
    }
    if (rule->trouble[0]) {
        return "in trouble";
    }
    if (s->failed >= FAILED_MAX) {
        return "stopped";
    }
    if (rule->refusal[0] && s->first < s->next) {
        return "repeating";
    }
    if (rule->beginning || !automation_has_begun(a, rule)) {
        return "beginning";
    }
    return s->position < changes_last(a->deps.changes) ? "reading" : "watching";
}

static const char *why(const struct automation_rule *rule)
{
    if (rule->state.ended) {
        return "the target answered 410, that it wants no more; a replay begins again";
    }
    if (rule->trouble[0]) {
        return rule->trouble;
    }
    if (rule->state.failed >= FAILED_MAX) {
        return "too many deliveries have failed; replay or discard them";
    }
    return rule->refusal;
}

static void write_rule(const struct automation *a, const struct automation_rule *rule,
                       struct wh_json_writer *w)
{
    const struct automation_state *s = &rule->state;
    uint64_t last = changes_last(a->deps.changes);
    char text[WH_TIME_TEXT_MAX];

    wh_jw_object(w);
    automation_def_write(&rule->def, false, w);
    wh_jw_put_str(w, "source", rule->from_file ? WH_LIT("file") : WH_LIT("api"));
    wh_jw_put_str(w, "state", wh_slice_str(state_of(a, rule)));
    wh_jw_put_str(w, "reason", wh_slice_str(why(rule)));
    wh_jw_put_int(w, "position", (int64_t)s->position);
    wh_jw_put_int(w, "behind", last > s->position ? (int64_t)(last - s->position) : 0);
    wh_jw_put_int(w, "waiting", (int64_t)(s->next - s->first));
    wh_jw_put_int(w, "attempts", (int64_t)s->attempts);
    wh_jw_put_int(w, "delivered", (int64_t)s->delivered);
    wh_jw_put_int(w, "failed", (int64_t)s->failed);
    wh_jw_put_int(w, "silent", (int64_t)s->silent);
    wh_jw_key(w, "last_delivery");
    if (s->last_ms) {
        wh_jw_str(w, wh_slice_str(wh_time_format((int64_t)s->last_ms, text)));
    } else {
        wh_jw_null(w);
    }
    wh_jw_end(w);
}

void automation_list(struct automation *a, struct wh_json_writer *w)
{
    wh_jw_array(w);
    (void)pthread_mutex_lock(&a->lock);
    for (const struct automation_rule *r = a->rules; r; r = r->next) {
        if (!r->removed) {
            write_rule(a, r, w);
        }
    }
    (void)pthread_mutex_unlock(&a->lock);
    wh_jw_end(w);
}

/* ---- deliveries ---- */

struct listing {
    struct wh_json_writer *w;
    const struct automation_rule *rule;
    const char *state; /* NULL: of the log, whose entries say it */
    size_t left;
};

/* In the queue and the list of failed ones the first line says what it is; of the log everything does. */
static enum wh_rc list_item(void *ctx, struct wh_slice rest, struct wh_slice value, bool *ret_more,
                            struct wh_err *err)
{
    struct listing *l = ctx;
    const char *end = value.len ? memchr(value.ptr, '\n', value.len) : NULL;
    struct wh_slice json = end ? wh_slice(value.ptr, (size_t)(end - value.ptr)) : value;

    (void)err;
    if (l->left == 0 || rest.len != 8) {
        *ret_more = false;
        return WH_OK;
    }
    l->left--;
    wh_jw_object(l->w);
    wh_jw_put_str(l->w, "rule", wh_slice_str(l->rule->def.id));
    wh_jw_put_int(l->w, "number", (int64_t)wh_be_get64(rest.ptr));
    if (l->state) {
        wh_jw_put_str(l->w, "state", wh_slice_str(l->state));
    }
    wh_jw_key(l->w, l->state ? "about" : "entry");
    wh_jw_raw(l->w, json);
    wh_jw_end(l->w);
    return WH_OK;
}

static enum wh_rc list_rule(struct automation *a, const struct automation_rule *rule, size_t max,
                            struct wh_json_writer *w, struct wh_err *err)
{
    static const struct {
        const char *state;
        enum automation_key type;
    } lists[] = {{"waiting", KEY_QUEUE}, {"failed", KEY_FAILED}, {NULL, KEY_LOG}};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct listing l = {.w = w, .rule = rule, .state = lists[i].state, .left = max};
        const struct automation_visit visit = {list_item, &l};

        if (automation_each(a, lists[i].type, rule, true, &visit, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc automation_deliveries(struct automation *a, struct wh_slice id, size_t max,
                                 struct wh_json_writer *w, struct wh_err *err)
{
    bool found = id.len == 0;
    enum wh_rc rc = WH_OK;

    wh_jw_array(w);
    (void)pthread_mutex_lock(&a->lock);
    for (const struct automation_rule *r = a->rules; r && rc == WH_OK; r = r->next) {
        if (!r->removed && (id.len == 0 || wh_slice_eq(wh_slice_str(r->def.id), id))) {
            found = true;
            rc = list_rule(a, r, max, w, err);
        }
    }
    (void)pthread_mutex_unlock(&a->lock);
    wh_jw_end(w);
    return rc != WH_OK || found ? rc : wh_fail(err, WH_E_NOT_FOUND, "there is no such rule");
}

/* ---- again ---- */

struct again {
    struct automation_rule *rule;
    struct automation_state state;
    struct wh_batch *batch;
    uint64_t number; /* 0: all */
    bool discard;
    size_t n;
};

static enum wh_rc take_again(void *ctx, struct wh_slice rest, struct wh_slice value, bool *ret_more,
                             struct wh_err *err)
{
    struct again *x = ctx;
    struct automation_text key;
    uint64_t number = rest.len == 8 ? wh_be_get64(rest.ptr) : 0;

    if (x->number && number != x->number) {
        return WH_OK;
    }
    if (x->state.next - x->state.first >= QUEUE_MAX && !x->discard) {
        *ret_more = false; /* the rest can be replayed when these are delivered */
        return WH_OK;
    }
    if (!x->discard &&
        wh_batch_put(x->batch, AUTOMATION_FAMILY,
                     automation_key_number(&key, KEY_QUEUE, x->rule, x->state.next++), value,
                     err) != WH_OK) {
        return err->rc;
    }
    x->state.failed -= x->state.failed > 0;
    x->n++;
    return wh_batch_remove(x->batch, AUTOMATION_FAMILY,
                           automation_key_number(&key, KEY_FAILED, x->rule, number), err);
}

static enum wh_rc replay(struct automation *a, struct again *x, struct wh_err *err)
{
    const struct automation_visit visit = {take_again, x};
    enum wh_rc rc = wh_batch_new(a->deps.store, &x->batch, err);

    if (rc != WH_OK) {
        return rc;
    }
    x->state = x->rule->state;
    x->state.ended = 0;
    rc = automation_each(a, KEY_FAILED, x->rule, false, &visit, err);
    if (rc == WH_OK && x->number && x->n == 0) {
        rc = wh_fail(err, WH_E_NOT_FOUND, "no failed delivery has this number");
    }
    rc = rc == WH_OK ? automation_state_put(x->batch, x->rule, &x->state, err) : rc;
    rc = rc == WH_OK ? wh_store_write(a->deps.store, x->batch, true, err) : rc;
    wh_batch_free(x->batch);
    if (rc == WH_OK) {
        x->rule->state = x->state;
        x->rule->try_at_ns = 0;
    }
    return rc;
}

enum wh_rc automation_replay(struct automation *a, struct wh_slice id, uint64_t number,
                             bool discard, size_t *ret_n, struct wh_err *err)
{
    struct again x = {.number = number, .discard = discard};
    enum wh_rc rc;

    (void)pthread_mutex_lock(&a->lock);
    x.rule = automation_find(a, id);
    if (x.rule == NULL) {
        rc = wh_fail(err, WH_E_NOT_FOUND, "there is no such rule");
    } else if (x.rule->beginning) {
        rc = wh_fail(err, WH_E_BUSY, "this rule is just beginning; try again");
    } else {
        rc = replay(a, &x, err);
    }
    (void)pthread_mutex_unlock(&a->lock);
    *ret_n = x.n;
    automation_notify(a);
    return rc;
}
