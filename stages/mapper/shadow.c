#include "stages/mapper/shadow.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/mapper/shadow_text.h"

enum {
    BATCH = 64,
    POLL_MS = 1000,
    ENTITIES_MAX = 50000, /* that differ and are compared */
    PLACES = 1 << 17,     /* of the table: a power of two, more than twice ENTITIES_MAX */
    OBSERVED_MAX = 4096,  /* of one event */
    EXAMPLES_MAX = 3,
    ARENA_BLOCK = 1 << 16,
    ARENA_MAX = 64 << 20,
    SIDES = 2,
    SILENCE_MAX = 120, /* polls without a record */
};

/* A field as one side has it. */
struct value {
    struct wh_version version; /* order 0: never shown */
    uint64_t hash;
    char *text; /* its beginning, as people read it */
};

struct side {
    bool seen;
    struct wh_version deleted; /* order 0: never */
    struct wh_version newest;
    struct value *values; /* of each field of the kind */
};

struct entity {
    struct wh_entity_id id;
    const struct wh_kind_def *def;
    char *url;
    struct side sides[SIDES];
};

struct observed {
    struct wh_entity_id id;
    struct wh_version version; /* without the edition */
};

struct shadow {
    const struct shadow_conf *conf;
    struct mapper_eval *evals[SIDES];
    unsigned editions[SIDES];
    struct wh_arena arena;
    struct wh_bus_partition *at; /* where each partition is read */
    struct entity *entities;
    uint32_t *places; /* 1 + index of an entity */
    size_t n;
    int64_t not_compared;
    int64_t records;
    int64_t unreadable;
    int64_t dead[SIDES];
    struct observed *observed[SIDES];
    size_t n_observed[SIDES];
    int side;     /* which is mapped */
    bool compare; /* the second pass */
};

/* ---- entities that differ ---- */

static uint32_t *place_of(struct shadow *s, const struct wh_entity_id *id)
{
    uint32_t at = (uint32_t)wh_hash64(wh_slice(id->bytes, sizeof(id->bytes))) & (PLACES - 1);

    while (s->places[at] && wh_entity_id_cmp(&s->entities[s->places[at] - 1].id, id) != 0) {
        at = (at + 1) & (PLACES - 1);
    }
    return &s->places[at];
}

static struct entity *find(struct shadow *s, const struct wh_entity_id *id)
{
    const uint32_t *place = place_of(s, id);

    return *place ? &s->entities[*place - 1] : NULL;
}

static void add(struct shadow *s, const struct wh_entity_id *id)
{
    uint32_t *place = place_of(s, id);

    if (*place) {
        return;
    }
    if (s->n == ENTITIES_MAX) {
        s->not_compared++;
        return;
    }
    s->entities[s->n++].id = *id;
    *place = (uint32_t)s->n;
}

/* ---- what a side makes of an event ---- */

static void observe(struct shadow *s, const struct wh_observation *o)
{
    size_t *n = &s->n_observed[s->side];

    if (*n < OBSERVED_MAX) {
        s->observed[s->side][*n] = (struct observed){o->id, o->version};
        s->observed[s->side][(*n)++].version.order -= s->editions[s->side];
    }
}

static enum wh_rc keep_value(struct value *to, enum wh_field_type type, const struct wh_value *v,
                             struct wh_version version, struct wh_err *err)
{
    char *text = shadow_text(type, v, &to->hash);

    if (text == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for values");
    }
    wh_mem_free(to->text);
    to->text = text;
    to->version = version;
    return WH_OK;
}

static enum wh_rc merge(struct shadow *s, struct entity *e, const struct wh_observation *o,
                        struct wh_err *err)
{
    struct side *side = &e->sides[s->side];

    e->def = o->body.def;
    side->seen = true;
    if (side->values == NULL) {
        side->values = wh_mem_zalloc(e->def->n_fields, sizeof(*side->values));
    }
    if (e->url == NULL && o->source.url.len) {
        e->url = wh_mem_dup(o->source.url.ptr, o->source.url.len);
    }
    if (side->values == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for entities");
    }
    if (o->change == WH_CHANGE_DELETE) {
        side->deleted = wh_version_cmp(o->version, side->deleted) > 0 ? o->version : side->deleted;
        return WH_OK;
    }
    side->newest = wh_version_cmp(o->version, side->newest) > 0 ? o->version : side->newest;
    for (unsigned f = 0; f < e->def->n_fields; f++) {
        struct value *to = &side->values[f];

        if (o->body.present >> f & 1 &&
            (to->text == NULL || wh_version_cmp(o->version, to->version) > 0) &&
            keep_value(to, e->def->fields[f].type, &o->body.values[f], o->version, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc on_observation(void *ctx, const struct wh_observation *o, uint64_t inputs,
                                 struct wh_err *err)
{
    struct shadow *s = ctx;
    struct entity *e;

    (void)inputs;
    if (!s->compare) {
        observe(s, o);
        return WH_OK;
    }
    e = find(s, &o->id);
    return e ? merge(s, e, o, err) : WH_OK;
}

static enum wh_rc on_reread(void *ctx, const struct mapper_reread *r, struct wh_err *err)
{
    (void)ctx, (void)r, (void)err;
    return WH_OK;
}

/* All entities of which the sides show something else. */
static void compare_observed(struct shadow *s)
{
    size_t most = s->n_observed[0] > s->n_observed[1] ? s->n_observed[0] : s->n_observed[1];

    for (size_t i = 0; i < most; i++) {
        bool both = i < s->n_observed[0] && i < s->n_observed[1];

        if (both && memcmp(&s->observed[0][i], &s->observed[1][i], sizeof(struct observed)) == 0) {
            continue;
        }
        for (int side = 0; side < SIDES; side++) {
            if (i < s->n_observed[side]) {
                add(s, &s->observed[side][i].id);
            }
        }
    }
}

static enum wh_rc map_event(struct shadow *s, const struct wh_bus_msg *msg, struct wh_err *err)
{
    const struct mapper_out out = {.observation = on_observation, .reread = on_reread, .ctx = s};
    const struct wh_provenance at = {
        .topic = wh_slice_str(msg->topic), .partition = msg->partition, .offset = msg->offset};
    struct wh_raw_event event;
    enum mapper_outcome outcome;

    wh_arena_reset(&s->arena);
    s->records += s->compare;
    if (wh_raw_event_decode(msg->value, &s->arena, &event, err) != WH_OK) {
        s->unreadable += s->compare;
        return wh_rc_class(err->rc) == WH_CLASS_POISON ? WH_OK : err->rc;
    }
    for (s->side = 0; s->side < SIDES; s->side++) {
        s->n_observed[s->side] = 0;
        if (mapper_eval_map(s->evals[s->side], &event, &at, &out, &outcome, err) != WH_OK) {
            if (wh_rc_class(err->rc) != WH_CLASS_POISON) {
                return err->rc;
            }
            s->dead[s->side] += s->compare;
        }
    }
    if (!s->compare) {
        compare_observed(s);
    }
    return WH_OK;
}

/* ---- reading ---- */

static bool at_end(const struct shadow *s)
{
    for (size_t i = 0; i < s->conf->n; i++) {
        if (s->at[i].offset < s->conf->ends[i].offset) {
            return false;
        }
    }
    return true;
}

/* Records behind the end that was found first are not read. */
static enum wh_rc take(struct shadow *s, const struct wh_bus_msg *msg, struct wh_err *err)
{
    for (size_t i = 0; i < s->conf->n; i++) {
        if (s->at[i].partition != msg->partition || msg->offset < s->at[i].offset) {
            continue;
        }
        s->at[i].offset = msg->offset + 1;
        return msg->offset < s->conf->ends[i].offset && msg->value.ptr ? map_event(s, msg, err)
                                                                       : WH_OK;
    }
    return WH_OK;
}

static enum wh_rc read_all(struct shadow *s, struct wh_err *err)
{
    const struct shadow_conf *conf = s->conf;
    struct wh_bus_msg batch[BATCH];
    int silent = 0;

    memcpy(s->at, conf->begins, conf->n * sizeof(*s->at));
    if (wh_consumer_assign(conf->consumer, conf->begins, conf->n, err) != WH_OK) {
        return err->rc;
    }
    while (!at_end(s)) {
        size_t n = 0;
        enum wh_rc rc = wh_consumer_poll(conf->consumer, POLL_MS, BATCH, batch, &n, err);

        for (size_t i = 0; i < n; i++) {
            rc = rc == WH_OK ? take(s, &batch[i], err) : rc;
        }
        if (rc != WH_OK) {
            return rc;
        }
        silent = n ? 0 : silent + 1;
        if (silent == SILENCE_MAX) {
            return wh_fail(err, WH_E_TIMEOUT, "the raw topic's records do not come");
        }
    }
    return WH_OK;
}

/* ---- the report ---- */

static bool is_live(const struct side *side)
{
    return side->seen && wh_version_cmp(side->newest, side->deleted) > 0;
}

static bool differs(const struct entity *e, unsigned field)
{
    const struct value *before = &e->sides[0].values[field];
    const struct value *after = &e->sides[1].values[field];

    return (before->text == NULL) != (after->text == NULL) || before->hash != after->hash;
}

static bool is_changed(const struct entity *e)
{
    for (unsigned f = 0; f < e->def->n_fields; f++) {
        if (differs(e, f)) {
            return true;
        }
    }
    return false;
}

static void write_text(struct wh_json_writer *w, const char *key, const char *text)
{
    wh_jw_key(w, key);
    if (text) {
        wh_jw_str(w, wh_slice_str(text));
    } else {
        wh_jw_null(w);
    }
}

static void write_example(struct wh_json_writer *w, const struct entity *e, unsigned field)
{
    char id[WH_ENTITY_ID_TEXT + 1];

    wh_jw_object(w);
    write_text(w, "id", wh_entity_id_format(&e->id, id));
    write_text(w, "url", e->url);
    write_text(w, "before", e->sides[0].values[field].text);
    write_text(w, "after", e->sides[1].values[field].text);
    wh_jw_end(w);
}

static bool both_live(const struct entity *e)
{
    return e->def && is_live(&e->sides[0]) && is_live(&e->sides[1]);
}

static void write_field(const struct shadow *s, struct wh_json_writer *w,
                        const struct wh_kind_def *def, unsigned field)
{
    int64_t changed = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct entity *e = &s->entities[i];

        if (e->def != def || !both_live(e) || !differs(e, field)) {
            continue;
        }
        if (changed++ == 0) {
            wh_jw_object(w);
            wh_jw_put_str(w, "kind", wh_slice_str(def->name));
            wh_jw_put_str(w, "field", wh_slice_str(def->fields[field].name));
            wh_jw_key(w, "examples");
            wh_jw_array(w);
        }
        if (changed <= EXAMPLES_MAX) {
            write_example(w, e, field);
        }
    }
    if (changed) {
        wh_jw_end(w);
        wh_jw_put_int(w, "changed", changed);
        wh_jw_end(w);
    }
}

static void write_entities(const struct shadow *s, struct wh_json_writer *w)
{
    int64_t changed = 0;
    int64_t added = 0;
    int64_t removed = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct entity *e = &s->entities[i];
        bool before = is_live(&e->sides[0]);
        bool after = is_live(&e->sides[1]);

        added += after && !before;
        removed += before && !after;
        changed += both_live(e) && is_changed(e);
    }
    wh_jw_key(w, "entities");
    wh_jw_object(w);
    wh_jw_put_int(w, "changed", changed);
    wh_jw_put_int(w, "added", added);
    wh_jw_put_int(w, "removed", removed);
    wh_jw_put_int(w, "not_compared", s->not_compared);
    wh_jw_end(w);
}

static enum wh_rc write_report(const struct shadow *s, struct wh_buf *out, struct wh_err *err)
{
    static const char *const names[SIDES] = {"before", "after"};
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    wh_jw_put_int(&w, "records", s->records);
    wh_jw_put_int(&w, "unreadable", s->unreadable);
    for (int i = 0; i < SIDES; i++) {
        wh_jw_key(&w, names[i]);
        wh_jw_object(&w);
        wh_jw_put_int(&w, "edition", s->editions[i]);
        wh_jw_put_int(&w, "dead_letters", s->dead[i]);
        wh_jw_end(&w);
    }
    write_entities(s, &w);
    wh_jw_key(&w, "fields");
    wh_jw_array(&w);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        for (unsigned f = 0; f < def->n_fields; f++) {
            write_field(s, &w, def, f);
        }
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* ---- the whole ---- */

static void shadow_done(struct shadow *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct entity *e = &s->entities[i];

        for (int side = 0; side < SIDES; side++) {
            for (unsigned f = 0; e->sides[side].values && f < e->def->n_fields; f++) {
                wh_mem_free(e->sides[side].values[f].text);
            }
            wh_mem_free(e->sides[side].values);
        }
        wh_mem_free(e->url);
    }
    for (int side = 0; side < SIDES; side++) {
        mapper_eval_free(s->evals[side]);
        wh_mem_free(s->observed[side]);
    }
    wh_mem_free(s->entities);
    wh_mem_free(s->places);
    wh_mem_free(s->at);
    wh_arena_done(&s->arena);
}

static bool shadow_init(struct shadow *s, const struct shadow_conf *conf)
{
    const struct mapper_views *const views[SIDES] = {conf->before, conf->after};
    bool good;

    *s = (struct shadow){.conf = conf};
    wh_arena_init(&s->arena, ARENA_BLOCK, ARENA_MAX);
    s->at = wh_mem_zalloc(conf->n + 1, sizeof(*s->at));
    s->entities = wh_mem_zalloc(ENTITIES_MAX, sizeof(*s->entities));
    s->places = wh_mem_zalloc(PLACES, sizeof(*s->places));
    good = s->at && s->entities && s->places;
    for (int side = 0; side < SIDES; side++) {
        s->evals[side] = mapper_eval_new(views[side], conf->max_bytes, conf->max_depth);
        s->observed[side] = wh_mem_zalloc(OBSERVED_MAX, sizeof(*s->observed[side]));
        s->editions[side] = mapper_views_edition(views[side]);
        good = good && s->evals[side] && s->observed[side];
    }
    return good;
}

enum wh_rc shadow_run(const struct shadow_conf *conf, struct wh_buf *report, struct wh_err *err)
{
    struct shadow s;
    enum wh_rc rc = shadow_init(&s, conf) ? read_all(&s, err)
                                          : wh_fail(err, WH_E_NOMEM, "no memory to compare views");

    s.compare = true;
    rc = rc == WH_OK ? read_all(&s, err) : rc;
    rc = rc == WH_OK ? write_report(&s, report, err) : rc;
    shadow_done(&s);
    return rc;
}
