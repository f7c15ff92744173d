/* When would a rule have fired? The same questions as evaluate.c asks, about the changes of the past. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/automation/automation_priv.h"

enum { READ_AT_ONCE = 4096, SEEN_FIRST = 1024, SEEN_MAX = 1 << 20, DEPTH = 8 };

/* What is known of an entity: a table with open addresses. */
struct seen {
    struct wh_entity_id id;
    enum { SEEN_FREE, SEEN_OUT, SEEN_IN } is;
};

struct dry {
    struct automation *a;
    struct automation_def def;
    struct change_condition *condition;
    struct automation_dry_run *run;
    struct seen *seen;
    size_t n_seen;
    size_t cap;
    struct change *list;
};

/* ---- what is known ---- */

static struct seen *place_of(struct seen *table, size_t cap, const struct wh_entity_id *id)
{
    uint64_t hash;
    size_t i;

    memcpy(&hash, id->bytes, sizeof(hash)); /* ids are hashes */
    i = (size_t)hash & (cap - 1);
    while (table[i].is != SEEN_FREE && memcmp(&table[i].id, id, sizeof(*id)) != 0) {
        i = (i + 1) & (cap - 1);
    }
    return &table[i];
}

static enum wh_rc grow(struct dry *d, struct wh_err *err)
{
    size_t cap = d->cap ? 2 * d->cap : SEEN_FIRST;
    struct seen *table = cap > SEEN_MAX ? NULL : wh_mem_zalloc(cap, sizeof(*table));

    if (table == NULL) {
        return wh_fail(err, WH_E_TOO_LARGE,
                       "too many records have changed since then; choose a "
                       "later time");
    }
    for (size_t i = 0; i < d->cap; i++) {
        if (d->seen[i].is != SEEN_FREE) {
            *place_of(table, cap, &d->seen[i].id) = d->seen[i];
        }
    }
    wh_mem_free(d->seen);
    d->seen = table;
    d->cap = cap;
    return WH_OK;
}

/* What was before the first change that is looked at: as of the moment before it. */
static enum wh_rc state_before(struct dry *d, const struct change *change, bool matches,
                               struct seen **ret, struct wh_err *err)
{
    struct change before = *change;
    bool matched = false;

    if (d->n_seen * 4 >= d->cap * 3 && grow(d, err) != WH_OK) {
        return err->rc;
    }
    *ret = place_of(d->seen, d->cap, &change->id);
    if ((*ret)->is != SEEN_FREE) {
        return WH_OK;
    }
    before.sequence = 0;
    /* Nobody would be told that it was left. */
    if (!matches && !d->def.on_leave) {
        **ret = (struct seen){.id = change->id, .is = SEEN_OUT};
        d->n_seen++;
        return WH_OK;
    }
    before.superseded = false;
    before.stored_ms--;
    if (change_matches(d->a->deps.changes, d->condition, &before, d->run->canceled, &matched,
                       err) != WH_OK) {
        return err->rc;
    }
    **ret = (struct seen){.id = change->id, .is = matched ? SEEN_IN : SEEN_OUT};
    d->n_seen++;
    return WH_OK;
}

/* ---- changes ---- */

static enum wh_rc tell(struct dry *d, const struct change *change, bool entered, struct wh_err *err)
{
    struct automation_fired fired = {.change = change, .entered = entered};

    if (!(entered ? d->def.on_enter : d->def.on_leave)) {
        return WH_OK;
    }
    if (automation_is_silent(d->a, &d->def, change, &fired.silent, err) != WH_OK) {
        return err->rc;
    }
    return d->run->fired(d->run->ctx, &fired, err);
}

static enum wh_rc look(struct dry *d, const struct change *change, struct wh_err *err)
{
    struct seen *seen = NULL;
    bool matches = false;
    bool before;

    d->run->looked_at++;
    if (change->kind != change_condition_kind(d->condition)) {
        return WH_OK;
    }
    if (change_matches(d->a->deps.changes, d->condition, change, d->run->canceled, &matches, err) !=
            WH_OK ||
        state_before(d, change, matches, &seen, err) != WH_OK) {
        return err->rc;
    }
    before = seen->is == SEEN_IN;
    seen->is = matches ? SEEN_IN : SEEN_OUT;
    return before == matches ? WH_OK : tell(d, change, matches, err);
}

static bool is_over(const struct dry *d)
{
    return automation_now_ns(d->a) > d->run->deadline_ns ||
           (d->run->canceled && atomic_load(d->run->canceled));
}

static enum wh_rc look_at_all(struct dry *d, struct wh_err *err)
{
    struct changes *changes = d->a->deps.changes;
    uint64_t last = changes_last(changes);
    uint64_t at;
    size_t n = 1;

    if (changes_since(changes, d->run->since_ms, &at, err) != WH_OK) {
        return err->rc;
    }
    for (at--; at < last && n;) {
        if (changes_read(changes, at, d->list, READ_AT_ONCE, &n, err) != WH_OK) {
            return err->rc;
        }
        for (size_t i = 0; i < n && d->list[i].sequence <= last; i++) {
            if (is_over(d)) {
                d->run->left_out = last - at;
                return WH_OK;
            }
            if (look(d, &d->list[i], err) != WH_OK) {
                return err->rc;
            }
            at = d->list[i].sequence;
        }
        at = n && d->list[n - 1].sequence > last ? last : at;
    }
    return WH_OK;
}

/* ---- the rule ---- */

static enum wh_rc copy_known(struct automation *a, struct wh_slice id, struct wh_buf *out,
                             struct wh_err *err)
{
    const struct automation_rule *rule;
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    (void)pthread_mutex_lock(&a->lock);
    rule = automation_find(a, id);
    if (rule) {
        automation_def_write(&rule->def, true, &w);
    }
    (void)pthread_mutex_unlock(&a->lock);
    wh_jw_end(&w);
    return rule ? wh_jw_finish(&w, err) : wh_fail(err, WH_E_NOT_FOUND, "there is no such rule");
}

static enum wh_rc read_rule(struct dry *d, struct wh_slice json, bool known, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DEFINITION_MAX_BYTES, DEPTH);
    struct wh_json_val root;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a rule");
    }
    rc = wh_json_parse(parser, json, &root, err);
    rc = rc == WH_OK ? automation_def_read(&d->a->deps.conf, root, known, &d->def, err) : rc;
    wh_json_parser_free(parser);
    return rc == WH_OK
               ? change_condition_new(d->a->deps.changes, wh_slice_str(d->def.table),
                                      wh_slice_str(d->def.enters), false, &d->condition, err)
               : rc;
}

static enum wh_rc test(struct dry *d, struct wh_slice json, struct wh_slice id, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    bool known = json.ptr == NULL;

    wh_buf_init(&text, DEFINITION_MAX_BYTES);
    if (known && copy_known(d->a, id, &text, err) != WH_OK) {
        return err->rc;
    }
    if (read_rule(d, known ? wh_buf_slice(&text) : json, known, err) != WH_OK) {
        return err->rc;
    }
    d->list = wh_mem_alloc(READ_AT_ONCE * sizeof(*d->list));
    return d->list ? look_at_all(d, err) : wh_fail(err, WH_E_NOMEM, "no memory to read changes");
}

enum wh_rc automation_test(struct automation *a, struct wh_slice json, struct wh_slice id,
                           struct automation_dry_run *run, struct wh_err *err)
{
    struct dry d = {.a = a, .run = run};
    enum wh_rc rc = test(&d, json, id, err);

    automation_def_done(&d.def);
    change_condition_free(d.condition);
    wh_mem_free(d.seen);
    wh_mem_free(d.list);
    return rc;
}
