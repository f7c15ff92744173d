/* Who matches: before and after each change. */
#include <stdio.h>

#include "common/base/be.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/sink/automation/automation_priv.h"

enum {
    LIST_MAX = 4096,     /* of automation.list */
    STEP_NS = 200000000, /* a rule works for so long before the next one does */
    NS_PER_S = 1000000000,
    TROUBLE_WAIT_S = 10,
};

/* ---- helpers ---- */

static void in_trouble(struct automation *a, struct automation_rule *rule, const struct wh_err *err)
{
    if (rule->trouble[0] == '\0') {
        wh_log_warn(a->deps.log, "a rule stands still", WH_STR("rule", rule->def.id), WH_RC(err));
    }
    (void)snprintf(rule->trouble, sizeof(rule->trouble), "%.200s", err->msg);
    rule->judge_at_ns = automation_now_ns(a) + TROUBLE_WAIT_S * (int64_t)NS_PER_S;
}

static void out_of_trouble(struct automation *a, struct automation_rule *rule)
{
    if (rule->trouble[0]) {
        wh_log_info(a->deps.log, "a rule goes on", WH_STR("rule", rule->def.id));
    }
    rule->trouble[0] = '\0';
    rule->judge_at_ns = 0;
}

static enum wh_rc matched_before(struct automation *a, const struct automation_rule *rule,
                                 const struct wh_entity_id *id, bool *ret, struct wh_err *err)
{
    struct automation_text key;
    WH_AUTO(buf) struct wh_buf value;

    wh_buf_init(&value, 64);
    return wh_store_get(a->deps.store, NULL, AUTOMATION_FAMILY,
                        automation_key(&key, KEY_MATCH, rule, id->bytes, sizeof(id->bytes)), &value,
                        ret, err);
}

static enum wh_rc put_match(struct wh_batch *batch, const struct automation_rule *rule,
                            const struct wh_entity_id *id, uint64_t generation, bool matches,
                            struct wh_err *err)
{
    unsigned char value[8];
    struct automation_text text;
    struct wh_slice key = automation_key(&text, KEY_MATCH, rule, id->bytes, sizeof(id->bytes));

    wh_be_put64(value, generation);
    return matches
               ? wh_batch_put(batch, AUTOMATION_FAMILY, key, wh_slice(value, sizeof(value)), err)
               : wh_batch_remove(batch, AUTOMATION_FAMILY, key, err);
}

static bool tells(const struct automation_rule *rule, bool entered)
{
    return entered ? rule->def.on_enter : rule->def.on_leave;
}

/* ---- what is sent ---- */

void automation_message_id(const struct automation_rule *rule, const struct wh_entity_id *entity,
                           struct wh_version version, bool entered, char ret[MESSAGE_ID_BYTES])
{
    unsigned char bytes[AUTOMATION_ID_MAX + 1 + 16 + 16 + 1];
    size_t n = strlen(rule->def.id) + 1;
    struct wh_hash128 hash;

    memcpy(bytes, rule->def.id, n);
    memcpy(bytes + n, entity->bytes, 16);
    wh_be_put64(bytes + n + 16, version.order);
    wh_be_put64(bytes + n + 24, version.tie);
    bytes[n + 32] = entered;
    hash = wh_hash128(wh_slice(bytes, n + 33));
    (void)snprintf(ret, MESSAGE_ID_BYTES, "msg_%016llx%016llx", (unsigned long long)hash.high,
                   (unsigned long long)hash.low);
}

/* One delivery that is about to be queued. */
struct telling {
    const struct automation_rule *rule;
    const struct wh_entity_id *id;
    const struct change *change; /* NULL: found when all records were compared */
    bool entered;
    int64_t at_ms;
    struct wh_slice json; /* of the change */
};

static void write_about(const struct telling *t, struct wh_json_writer *w)
{
    char text[WH_ENTITY_ID_TEXT + WH_TIME_TEXT_MAX];
    char message[MESSAGE_ID_BYTES];
    const struct wh_version none = {(uint64_t)t->at_ms, 0};

    automation_message_id(t->rule, t->id, t->change ? t->change->version : none, t->entered,
                          message);
    wh_jw_object(w);
    wh_jw_put_str(w, "message", wh_slice_str(message));
    wh_jw_put_str(w, "event", t->entered ? WH_LIT("enter") : WH_LIT("leave"));
    wh_jw_put_str(w, "entity", wh_slice_str(wh_entity_id_format(t->id, text)));
    wh_jw_put_int(w, "sequence", t->change ? (int64_t)t->change->sequence : 0);
    wh_jw_put_str(w, "at", wh_slice_str(wh_time_format(t->at_ms, text)));
    wh_jw_end(w);
}

/* The payload has the members that the specification recommends: type, timestamp, data. */
static void write_payload(const struct telling *t, struct wh_json_writer *w)
{
    char text[WH_ENTITY_ID_TEXT + WH_TIME_TEXT_MAX];

    wh_jw_object(w);
    wh_jw_put_str(w, "type",
                  t->entered ? WH_LIT("wellhead.rule.enter") : WH_LIT("wellhead.rule.leave"));
    wh_jw_put_str(w, "timestamp", wh_slice_str(wh_time_format(t->at_ms, text)));
    wh_jw_key(w, "data");
    wh_jw_object(w);
    wh_jw_put_str(w, "rule", wh_slice_str(t->rule->def.id));
    wh_jw_put_str(w, "description",
                  wh_slice_str(t->rule->def.description ? t->rule->def.description : ""));
    wh_jw_put_str(w, "id", wh_slice_str(wh_entity_id_format(t->id, text)));
    wh_jw_key(w, "change");
    if (t->json.len) {
        wh_jw_raw(w, t->json);
    } else {
        wh_jw_null(w);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

static enum wh_rc write_delivery(const struct telling *t, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    write_about(t, &w);
    if (wh_jw_finish(&w, err) != WH_OK || wh_buf_append_char(out, '\n', err) != WH_OK) {
        return err->rc;
    }
    wh_json_writer_init(&w, out);
    write_payload(t, &w);
    return wh_jw_finish(&w, err);
}

/* Appends to the batch, and counts in *state. */
static enum wh_rc queue(struct wh_batch *batch, const struct telling *t,
                        struct automation_state *state, struct wh_err *err)
{
    struct automation_text key;
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, DELIVERY_MAX_BYTES);
    if (write_delivery(t, &text, err) != WH_OK) {
        return err->rc;
    }
    return wh_batch_put(batch, AUTOMATION_FAMILY,
                        automation_key_number(&key, KEY_QUEUE, t->rule, state->next++),
                        wh_buf_slice(&text), err);
}

/* ---- one change ---- */

enum wh_rc automation_is_silent(struct automation *a, const struct automation_def *def,
                                const struct change *change, bool *ret, struct wh_err *err)
{
    int64_t learned_ms;

    *ret = false;
    if (def->max_age_ms == 0) {
        return WH_OK;
    }
    if (change_learned_ms(a->deps.changes, change, &learned_ms, err) != WH_OK) {
        return err->rc;
    }
    *ret = learned_ms - change_at_ms(change) > def->max_age_ms;
    return WH_OK;
}

/* Everything about one change is one batch: who matches, what is to be delivered, how far the rule is. */
static enum wh_rc store_step(struct automation *a, struct automation_rule *rule,
                             const struct telling *t, bool silent, uint64_t position,
                             struct wh_err *err)
{
    struct automation_state state = rule->state;
    struct wh_batch *batch;
    enum wh_rc rc = wh_batch_new(a->deps.store, &batch, err);

    if (rc != WH_OK) {
        return rc;
    }
    state.position = position;
    if (t) {
        rc = put_match(batch, rule, t->id, state.generation, t->entered, err);
        state.silent += silent && tells(rule, t->entered);
        if (rc == WH_OK && !silent && tells(rule, t->entered)) {
            rc = queue(batch, t, &state, err);
        }
    }
    rc = rc == WH_OK ? automation_state_put(batch, rule, &state, err) : rc;
    rc = rc == WH_OK ? wh_store_write(a->deps.store, batch, false, err) : rc;
    wh_batch_free(batch);
    if (rc == WH_OK) {
        rule->state = state;
    }
    return rc;
}

/* Without the lock: asks what the change means. json is empty unless somebody is told. */
static enum wh_rc ask(struct automation *a, const struct automation_rule *rule,
                      const struct change *change, struct telling *t, bool *ret_crossed,
                      bool *ret_silent, struct wh_buf *json, struct wh_err *err)
{
    bool before;

    if (change_matches(a->deps.changes, rule->condition, change, &a->stop, &t->entered, err) !=
            WH_OK ||
        matched_before(a, rule, &change->id, &before, err) != WH_OK) {
        return err->rc;
    }
    *ret_crossed = before != t->entered;
    if (!*ret_crossed || !tells(rule, t->entered)) {
        return WH_OK;
    }
    if (automation_is_silent(a, &rule->def, change, ret_silent, err) != WH_OK) {
        return err->rc;
    }
    return *ret_silent ? WH_OK : change_write(a->deps.changes, change, json, err);
}

static enum wh_rc judge_change(struct automation *a, struct automation_rule *rule,
                               const struct change *change, struct wh_err *err)
{
    struct telling t = {
        .rule = rule, .id = &change->id, .change = change, .at_ms = change_at_ms(change)};
    WH_AUTO(buf) struct wh_buf json;
    bool crossed = false;
    bool silent = false;
    enum wh_rc rc;

    wh_buf_init(&json, 2 * CHANGE_JSON_MAX_BYTES);
    (void)pthread_mutex_unlock(&a->lock);
    rc = ask(a, rule, change, &t, &crossed, &silent, &json, err);
    (void)pthread_mutex_lock(&a->lock);
    if (rc != WH_OK || !crossed || rule->removed) {
        return rc;
    }
    t.json = wh_buf_slice(&json);
    return store_step(a, rule, &t, silent, change->sequence, err);
}

static bool is_full(const struct automation_rule *rule)
{
    return rule->state.next - rule->state.first >= QUEUE_MAX || rule->state.failed >= FAILED_MAX;
}

/* As many changes as there is time and room for. */
static enum wh_rc judge_some(struct automation *a, struct automation_rule *rule, size_t n,
                             struct wh_err *err)
{
    int64_t until_ns = automation_now_ns(a) + STEP_NS;
    enum wh_kind kind = change_condition_kind(rule->condition);
    uint64_t judged = rule->state.position;

    for (size_t i = 0; i < n && !is_full(rule) && !rule->removed && !atomic_load(&a->stop); i++) {
        if (a->list[i].kind == kind) {
            if (automation_now_ns(a) > until_ns) {
                break;
            }
            if (judge_change(a, rule, &a->list[i], err) != WH_OK) {
                (void)(judged > rule->state.position &&
                       store_step(a, rule, NULL, false, judged, &(struct wh_err){0}));
                return err->rc;
            }
        }
        judged = a->list[i].sequence;
    }
    return judged > rule->state.position && !rule->removed
               ? store_step(a, rule, NULL, false, judged, err)
               : WH_OK;
}

static enum wh_rc judge_changes(struct automation *a, struct automation_rule *rule,
                                struct wh_err *err)
{
    uint64_t last = changes_last(a->deps.changes);
    uint64_t position = rule->state.position;
    enum wh_rc rc;
    size_t n;

    (void)pthread_mutex_unlock(&a->lock);
    rc = changes_read(a->deps.changes, position, a->list, LIST_MAX, &n, err);
    (void)pthread_mutex_lock(&a->lock);
    if (rc != WH_OK || rule->removed) {
        return rc;
    }
    /* A purge has removed the rest. */
    return n == 0 && last > position ? store_step(a, rule, NULL, false, last, err)
                                     : judge_some(a, rule, n, err);
}

/* ---- all records: a rule that is new or altered, or another store ---- */

struct comparing {
    struct automation *a;
    struct automation_rule *rule;
    uint64_t generation;
    bool tell; /* the rule is as it was, and the store is another one */
    struct wh_batch *batch;
    struct automation_state state;
    size_t n;
};

static enum wh_rc flush(struct comparing *c, struct wh_err *err)
{
    enum wh_rc rc = automation_state_put(c->batch, c->rule, &c->state, err);

    (void)pthread_mutex_lock(&c->a->lock);
    if (rc == WH_OK && !c->rule->removed) {
        rc = wh_store_write(c->a->deps.store, c->batch, false, err);
    }
    if (rc == WH_OK) {
        c->rule->state = c->state;
    }
    (void)pthread_mutex_unlock(&c->a->lock);
    wh_batch_reset(c->batch);
    c->n = 0;
    return rc;
}

static enum wh_rc compare(struct comparing *c, const struct wh_entity_id *id, bool matches,
                          bool tell, struct wh_err *err)
{
    const struct telling t = {
        .rule = c->rule, .id = id, .entered = matches, .at_ms = wh_clock_now_ms(&c->a->deps.clock)};

    if (put_match(c->batch, c->rule, id, c->generation, matches, err) != WH_OK ||
        (tell && tells(c->rule, matches) && queue(c->batch, &t, &c->state, err) != WH_OK)) {
        return err->rc;
    }
    return ++c->n >= 500 ? flush(c, err) : WH_OK;
}

static enum wh_rc on_match(void *ctx, const struct wh_entity_id *id, struct wh_err *err)
{
    struct comparing *c = ctx;
    bool before = true;

    if (c->tell && matched_before(c->a, c->rule, id, &before, err) != WH_OK) {
        return err->rc;
    }
    return compare(c, id, true, !before, err);
}

static enum wh_rc on_former(void *ctx, struct wh_slice rest, struct wh_slice value, bool *ret_more,
                            struct wh_err *err)
{
    struct comparing *c = ctx;
    struct wh_entity_id id;

    (void)ret_more;
    if (rest.len != sizeof(id.bytes) || value.len != 8 || wh_be_get64(value.ptr) == c->generation) {
        return WH_OK;
    }
    memcpy(id.bytes, rest.ptr, sizeof(id.bytes));
    return compare(c, &id, false, c->tell, err);
}

static enum wh_rc compare_all(struct comparing *c, struct wh_err *err)
{
    const struct automation_visit former = {on_former, c};
    struct changes *changes = c->a->deps.changes;
    uint64_t position = changes_last(changes);

    if (change_matches_now(changes, c->rule->condition, on_match, c, err) != WH_OK ||
        flush(c, err) != WH_OK ||
        automation_each(c->a, KEY_MATCH, c->rule, false, &former, err) != WH_OK) {
        return err->rc;
    }
    c->state.position = position;
    c->state.store = (uint64_t)changes_store(changes);
    c->state.generation = c->generation;
    c->state.fingerprint = automation_def_fingerprint(&c->rule->def);
    return flush(c, err);
}

/*
 * A table may be large, so nothing is locked meanwhile, and nobody replays deliveries of this rule. What a
 * kill interrupts is begun again: what matches now is noted already, and nobody is told twice.
 */
static enum wh_rc begin(struct automation *a, struct automation_rule *rule, struct wh_err *err)
{
    struct comparing c = {.a = a,
                          .rule = rule,
                          .generation = (uint64_t)wh_clock_now_ms(&a->deps.clock),
                          .tell = rule->state.store &&
                                  rule->state.fingerprint == automation_def_fingerprint(&rule->def),
                          .state = rule->state};
    enum wh_rc rc = wh_batch_new(a->deps.store, &c.batch, err);

    if (rc != WH_OK) {
        return rc;
    }
    rule->beginning = true;
    (void)pthread_mutex_unlock(&a->lock);
    rc = compare_all(&c, err);
    (void)pthread_mutex_lock(&a->lock);
    rule->beginning = false;
    wh_batch_free(c.batch);
    if (rc == WH_OK) {
        wh_log_info(a->deps.log, "a rule has begun", WH_STR("rule", rule->def.id),
                    WH_I("position", (int64_t)rule->state.position));
    }
    return rc;
}

bool automation_has_begun(const struct automation *a, const struct automation_rule *rule)
{
    return rule->state.store == (uint64_t)changes_store(a->deps.changes) &&
           rule->state.fingerprint == automation_def_fingerprint(&rule->def);
}

/* ---- the step ---- */

static enum wh_rc make_condition(struct automation *a, struct automation_rule *rule,
                                 struct wh_err *err)
{
    if (rule->condition) {
        return WH_OK;
    }
    return change_condition_new(a->deps.changes, wh_slice_str(rule->def.table),
                                wh_slice_str(rule->def.enters), false, &rule->condition, err);
}

bool automation_judge(struct automation *a, struct automation_rule *rule)
{
    struct wh_err err;
    enum wh_rc rc;

    if (changes_store(a->deps.changes) == 0 || is_full(rule) || rule->state.ended ||
        automation_now_ns(a) < rule->judge_at_ns ||
        (automation_has_begun(a, rule) && rule->state.position >= changes_last(a->deps.changes))) {
        return false;
    }
    rc = make_condition(a, rule, &err);
    if (rc == WH_OK) {
        rc = automation_has_begun(a, rule) ? judge_changes(a, rule, &err) : begin(a, rule, &err);
    }
    if (rc != WH_OK && !atomic_load(&a->stop)) {
        in_trouble(a, rule, &err);
        return false;
    }
    out_of_trouble(a, rule);
    return rc == WH_OK;
}
