/*
 * The history of a record, the newest revision first: when, by which way, and each field before and after. What was
 * before is in an older revision, perhaps behind the page: the reading goes on until it is found, without keeping
 * what it passes.
 */
#include "common/base/mem.h"
#include "stages/sink/api/records/record_priv.h"
#include "stages/sink/ingest/outcomes.h"

enum {
    SIZE_DEFAULT = 50,
    SIZE_MOST = 200,
    BLOCK_BYTES = 64 << 10,
    ENTRY_MAX_BYTES = 64 << 20,
    KEY_MAX_BYTES = 4096,
};

struct field_change {
    unsigned field;
    const struct wh_value *after;
    const struct wh_value *before; /* NULL: not known */
    struct field_change *next;
};

struct shown {
    struct wh_entry *entry;
    struct field_change *changes;
    const struct wh_entry *older; /* the entry before it; NULL: it is the first */
    struct shown *next;
};

struct history {
    struct api_record *r;
    int64_t size;
    int64_t n;
    struct shown *first;
    struct shown *last;
    struct field_change *pending[WH_FIELDS_MAX]; /* changes that wait for what was before */
    uint64_t waiting;                            /* bit i: pending[i] */
    struct shown *needs_older;
    bool more;
    struct wh_version next; /* the page behind this one begins before it */
    struct wh_arena passing;
};

/* ---- reading ---- */

static enum wh_rc decode(struct history *h, struct wh_arena *arena, struct wh_slice key,
                         struct wh_slice value, struct wh_entry **ret, struct wh_err *err)
{
    struct wh_slice copy;
    void *memory;

    if (wh_arena_zalloc(arena, 1, sizeof(struct wh_entry), &memory, err) != WH_OK ||
        wh_arena_dup(arena, value, &copy, err) != WH_OK) {
        return err->rc;
    }
    *ret = memory;
    if (wh_entry_decode(h->r->def, copy, arena, *ret, err) != WH_OK) {
        return err->rc;
    }
    (*ret)->version = (struct wh_version){wh_be_get64(key.ptr + 16), wh_be_get64(key.ptr + 24)};
    return WH_OK;
}

/* Does the entry have what a revision of the page waits for? */
static bool is_needed(const struct history *h, const struct wh_entry *e)
{
    return h->needs_older || (e->delta.present & h->waiting) != 0;
}

static void fill(struct history *h, const struct wh_entry *e)
{
    for (unsigned i = 0; i < h->r->def->n_fields; i++) {
        if (h->pending[i] && e->delta.present >> i & 1) {
            h->pending[i]->before = &e->delta.values[i];
            h->pending[i] = NULL;
            h->waiting &= ~(UINT64_C(1) << i);
        }
    }
    if (h->needs_older) {
        h->needs_older->older = e;
        h->needs_older = NULL;
    }
}

static enum wh_rc add_changes(struct history *h, struct shown *s, struct wh_err *err)
{
    struct field_change **end = &s->changes;

    for (unsigned i = 0; i < h->r->def->n_fields; i++) {
        void *memory;

        if (!(s->entry->delta.present >> i & 1)) {
            continue;
        }
        if (wh_arena_zalloc(&h->r->arena, 1, sizeof(struct field_change), &memory, err) != WH_OK) {
            return err->rc;
        }
        *end = memory;
        **end = (struct field_change){.field = i, .after = &s->entry->delta.values[i]};
        h->pending[i] = *end;
        h->waiting |= UINT64_C(1) << i;
        end = &(*end)->next;
    }
    return WH_OK;
}

static enum wh_rc show(struct history *h, struct wh_entry *e, struct wh_err *err)
{
    struct shown *s;
    void *memory;

    if (wh_arena_zalloc(&h->r->arena, 1, sizeof(*s), &memory, err) != WH_OK) {
        return err->rc;
    }
    s = memory;
    s->entry = e;
    if (h->last) {
        h->last->next = s;
    } else {
        h->first = s;
    }
    h->last = s;
    h->needs_older = s;
    h->next = e->version;
    h->n++;
    return add_changes(h, s, err);
}

/* One older entry; *ret_end when nothing further is needed. */
static enum wh_rc take(struct history *h, struct wh_slice key, struct wh_slice value, bool *ret_end,
                       struct wh_err *err)
{
    bool full = h->n == h->size;
    struct wh_arena *arena = full ? &h->passing : &h->r->arena;
    struct wh_entry *e = NULL;

    wh_arena_reset(&h->passing);
    if (decode(h, arena, key, value, &e, err) != WH_OK) {
        return err->rc;
    }
    if (full && is_needed(h, e) && decode(h, &h->r->arena, key, value, &e, err) != WH_OK) {
        return err->rc;
    }
    if (full) {
        h->more = h->more || e->revision;
    }
    if (is_needed(h, e)) {
        fill(h, e);
    }
    if (!full && e->revision) {
        return show(h, e, err);
    }
    *ret_end = full && h->more && h->waiting == 0 && h->needs_older == NULL;
    return WH_OK;
}

static enum wh_rc read_entries(struct history *h, struct wh_iter *it, struct wh_err *err)
{
    const struct wh_slice prefix = wh_slice(h->r->id.bytes, WH_ENTITY_ID_BYTES);
    struct wh_slice next = api_arg(&h->r->job->request, "_next");
    struct wh_version from = {UINT64_MAX, UINT64_MAX};
    unsigned char key[SINK_REVISION_KEY];
    struct wh_slice value;
    struct wh_slice at;
    bool end = false;

    if (next.ptr && !api_version_parse(next, &from)) {
        return wh_fail(err, WH_E_INVALID, "_next is not a token of this list");
    }
    sink_revision_key(key, &h->r->id, from);
    wh_iter_seek(it, wh_slice(key, sizeof(key)), true);
    if (next.ptr && wh_iter_valid(it, &at, &value) && wh_slice_eq(at, wh_slice(key, sizeof(key)))) {
        wh_iter_step(it, true);
    }
    while (!end && wh_iter_valid(it, &at, &value) && wh_slice_starts(at, prefix)) {
        if (at.len != SINK_REVISION_KEY) {
            return wh_fail(err, WH_E_CORRUPT, "the key of a revision has %zu bytes", at.len);
        }
        if (take(h, at, value, &end, err) != WH_OK) {
            return err->rc;
        }
        wh_iter_step(it, true);
    }
    return wh_iter_error(it, err);
}

/* ---- what a webhook should have said (outcomes.h) ---- */

/* The first webhook of the project that the entry was seen in, in ms; 0: there was none. */
static enum wh_rc first_webhook(struct history *h, const struct wh_entry *e, int64_t *ret,
                                struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf value;
    WH_AUTO(buf) struct wh_buf key;
    struct wh_slice topic = e->provenance.topic;
    const char *raw = topic.len ? memmem(topic.ptr, topic.len, "raw.", 4) : NULL;
    bool found = false;

    *ret = 0;
    wh_buf_init(&key, KEY_MAX_BYTES);
    wh_buf_init(&value, 64);
    if (raw == NULL || e->source.project.len == 0) {
        return WH_OK;
    }
    topic = wh_slice_from(topic, (size_t)(raw + 4 - topic.ptr));
    if (wh_buf_append_char(&key, 'w', err) != WH_OK || wh_buf_append(&key, topic, err) != WH_OK ||
        wh_buf_append_char(&key, '\0', err) != WH_OK ||
        wh_buf_append(&key, e->source.project, err) != WH_OK ||
        wh_store_get(h->r->store, h->r->snap, SINK_META, wh_buf_slice(&key), &value, &found, err) !=
            WH_OK) {
        return err->rc;
    }
    if (found && value.len >= 8) {
        *ret = (int64_t)wh_be_get64(value.ptr);
    }
    return WH_OK;
}

static bool by_reading(const struct wh_entry *e)
{
    return e->provenance.origin == WH_ORIGIN_REST || e->provenance.origin == WH_ORIGIN_MCP;
}

/* A read found a change that a webhook should have reported: what was stored is older than the change. */
static enum wh_rc is_repair(struct history *h, const struct shown *s, bool *ret, struct wh_err *err)
{
    const struct wh_entry *e = s->entry;
    int64_t at_ms = wh_version_at_ms(e->version.order);
    uint64_t telling = sink_outcomes_telling(h->r->def->kind);
    int64_t first_ms = 0;

    *ret = false;
    if (!by_reading(e) || s->older == NULL || e->change == WH_CHANGE_DELETE ||
        (e->delta.present & telling) == 0 ||
        wh_version_at_ms(s->older->version.order) / 1000 >= at_ms / 1000) {
        return WH_OK;
    }
    if (first_webhook(h, e, &first_ms, err) != WH_OK) {
        return err->rc;
    }
    *ret = first_ms > 0 && at_ms > first_ms && e->provenance.observed_at_ms > at_ms;
    return WH_OK;
}

/* ---- writing ---- */

static enum wh_rc write_changes(struct history *h, const struct shown *s, struct wh_json_writer *w,
                                struct wh_err *err)
{
    wh_jw_key(w, "changes");
    wh_jw_array(w);
    for (const struct field_change *c = s->changes; c; c = c->next) {
        const struct wh_field_def *field = &h->r->def->fields[c->field];

        wh_jw_object(w);
        wh_jw_put_str(w, "field", wh_slice_str(field->name));
        if (api_record_value(h->r, w, "before", field, c->before, err) != WH_OK ||
            api_record_value(h->r, w, "after", field, c->after, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_revision(struct history *h, const struct shown *s, struct wh_json_writer *w,
                                 struct wh_err *err)
{
    char version[API_VERSION_TEXT + 1];
    bool repair = false;

    if (is_repair(h, s, &repair, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_object(w);
    api_record_provenance(w, s->entry);
    wh_jw_put_bool(w, "deleted", s->entry->change == WH_CHANGE_DELETE);
    wh_jw_put_bool(w, "first", s->older == NULL);
    wh_jw_put_bool(w, "to_chosen", s == h->first);
    wh_jw_put_bool(w, "from_chosen", s == h->first->next);
    if (s->older) {
        wh_jw_put_str(w, "older", wh_slice_str(api_version_text(s->older->version, version)));
    }
    if (repair) {
        wh_jw_put_int(
            w, "repaired_after_s",
            (s->entry->provenance.observed_at_ms - wh_version_at_ms(s->entry->version.order)) /
                1000);
    }
    if (write_changes(h, s, w, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_list(struct history *h, struct wh_json_writer *w, struct wh_err *err)
{
    char version[API_VERSION_TEXT + 1];

    wh_jw_key(w, "list");
    wh_jw_array(w);
    for (const struct shown *s = h->first; s; s = s->next) {
        if (write_revision(h, s, w, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    if (h->r->job->api->deps.conf.brokers) {
        wh_jw_put_str(w, "brokers", wh_slice_str(h->r->job->api->deps.conf.brokers));
    }
    wh_jw_put_bool(w, "truncated", h->more);
    wh_jw_key(w, "next");
    if (h->more) {
        wh_jw_str(w, wh_slice_str(api_version_text(h->next, version)));
    } else {
        wh_jw_null(w);
    }
    return WH_OK;
}

static enum wh_rc write_history(struct api_record *r, struct wh_json_writer *w, struct wh_err *err)
{
    const struct wh_slice all = wh_slice("", 0);
    struct history h = {.r = r};
    struct wh_iter *it = NULL;
    enum wh_rc rc;

    if (api_arg_int(&r->job->request, "_size", 1, SIZE_MOST, SIZE_DEFAULT, &h.size, err) != WH_OK ||
        wh_iter_new(r->store, r->snap, SINK_REVISIONS, all, all, &it, err) != WH_OK) {
        return err->rc;
    }
    wh_arena_init(&h.passing, BLOCK_BYTES, ENTRY_MAX_BYTES);
    rc = read_entries(&h, it, err);
    wh_iter_free(it);
    wh_arena_done(&h.passing);
    return rc == WH_OK ? write_list(&h, w, err) : rc;
}

enum wh_rc api_answer_history(struct api_job *job, struct wh_err *err)
{
    return api_record_answer(job, write_history, err);
}
