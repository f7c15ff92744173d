/* GET /api/v1/entities/<id>: the head of an entity, now or in the past, and which revision set each field. */
#include "common/base/mem.h"
#include "common/event/history.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/sql/field_json.h"

enum { VALUE_MAX_BYTES = 64 << 20, VERSION_TEXT = 33, KEY_MAX_BYTES = 5000 };

/* The revision that set fields of the head; bytes is the stored entry. */
struct setter {
    struct wh_version version;
    char text[VERSION_TEXT];
    struct wh_slice bytes;
};

struct reading {
    const struct api_entity_source *from;
    struct wh_arena *arena;
    const struct wh_kind_def *def;
    struct wh_head head;
    struct setter setters[WH_FIELDS_MAX]; /* in the order of the fields that they set first */
    size_t n_setters;
    size_t of_field[WH_FIELDS_MAX]; /* index of its setter, for present fields */
    size_t bytes;                   /* read so far */
    int64_t known;                  /* revisions and sightings that count in the past */
    int64_t counts[API_ENTITY_ITERS];
};

static const char *version_text(struct wh_version v, char text[VERSION_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 16; i++) {
        text[15 - i] = digits[v.order >> 4 * i & 15];
        text[31 - i] = digits[v.tie >> 4 * i & 15];
    }
    text[32] = '\0';
    return text;
}

static void str(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    if (text.len) {
        wh_jw_str(w, text);
    } else {
        wh_jw_null(w);
    }
}

static void time_member(struct wh_json_writer *w, const char *key, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    wh_jw_key(w, key);
    if (ms == 0) {
        wh_jw_null(w); /* not known */
    } else {
        wh_jw_str(w, wh_slice_str(wh_time_format(ms, text)));
    }
}

/* ---- reading ---- */

/* Copies stored bytes; an iterator's are gone with its next step. */
static enum wh_rc keep(struct reading *r, struct wh_slice bytes, struct wh_slice *ret,
                       struct wh_err *err)
{
    r->bytes += bytes.len;
    if (r->from->max_bytes && r->bytes > r->from->max_bytes) {
        return wh_fail(err, WH_E_BUSY, "too large to be read at once");
    }
    return wh_arena_dup(r->arena, bytes, ret, err);
}

static enum wh_rc find_head(struct reading *r, const struct wh_entity_id *id, struct wh_buf *value,
                            struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_slice copy;
    bool found = false;

    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT && !found; k++) {
        r->def = wh_kind_def((enum wh_kind)k);
        sink_entity_key(key, (enum wh_kind)k, id);
        if (wh_store_get(r->from->store, r->from->snap, SINK_ENTITIES, wh_slice(key, sizeof(key)),
                         value, &found, err) != WH_OK) {
            return err->rc;
        }
    }
    if (!found) {
        return wh_fail(err, WH_E_NOT_FOUND, "no entity has this id");
    }
    if (keep(r, wh_buf_slice(value), &copy, err) != WH_OK ||
        wh_head_decode(r->def, copy, r->arena, &r->head, err) != WH_OK) {
        return err->rc;
    }
    r->head.id = *id;
    return WH_OK;
}

static enum wh_rc count_known(void *ctx, const struct wh_entry *entry, struct wh_err *err)
{
    struct reading *r = ctx;

    (void)entry;
    (void)err;
    r->known++;
    return WH_OK;
}

/* The head becomes what it was. */
static enum wh_rc go_back(struct reading *r, struct wh_err *err)
{
    const struct sink_history_visit visit = {.entry = count_known, .ctx = r};
    const struct wh_head *past = NULL;

    if (sink_is_now(r->from->when)) {
        return WH_OK;
    }
    if (sink_head_at(r->from->store, r->from->snap, &r->head, r->from->when, r->arena, &visit,
                     &past, err) != WH_OK) {
        return err->rc;
    }
    if (past == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "nothing was known of this entity then");
    }
    r->head = *past;
    return WH_OK;
}

static bool present(const struct reading *r, unsigned field)
{
    return (r->head.body.present >> field & 1) != 0;
}

static struct setter *find_setter(struct reading *r, struct wh_version version)
{
    for (size_t i = 0; i < r->n_setters; i++) {
        if (wh_version_cmp(r->setters[i].version, version) == 0) {
            return &r->setters[i];
        }
    }
    return NULL;
}

static void list_setters(struct reading *r)
{
    for (unsigned i = 0; i < r->def->n_fields; i++) {
        struct setter *s;

        if (!present(r, i)) {
            continue;
        }
        s = find_setter(r, r->head.set[i]);
        if (s == NULL) {
            s = &r->setters[r->n_setters++];
            *s = (struct setter){.version = r->head.set[i]};
            (void)version_text(s->version, s->text);
        }
        r->of_field[i] = (size_t)(s - r->setters);
    }
}

/* Is this the entry that set a field of the head? */
static enum wh_rc note_revision(struct reading *r, struct wh_slice key, struct wh_slice value,
                                struct wh_err *err)
{
    struct setter *s;

    if (key.len != SINK_REVISION_KEY) {
        return wh_fail(err, WH_E_CORRUPT, "the key of a revision has %zu bytes", key.len);
    }
    s = find_setter(r, (struct wh_version){.order = wh_be_get64(key.ptr + 16),
                                           .tie = wh_be_get64(key.ptr + 24)});
    return s ? keep(r, value, &s->bytes, err) : WH_OK;
}

/* Counts the keys of the entity, and keeps the revisions that the answer shows. */
static enum wh_rc scan(struct reading *r, enum api_entity_iter which, struct wh_err *err)
{
    struct wh_iter *it = r->from->iters[which];
    const struct wh_slice prefix = wh_slice(r->head.id.bytes, WH_ENTITY_ID_BYTES);
    struct wh_slice value;
    struct wh_slice key;

    for (wh_iter_seek(it, prefix, false);
         wh_iter_valid(it, &key, &value) && wh_slice_starts(key, prefix); wh_iter_step(it, false)) {
        r->counts[which]++;
        if (r->from->max_keys && r->counts[which] > r->from->max_keys) {
            return wh_fail(err, WH_E_BUSY, "too much to be read at once");
        }
        if (which == API_ENTITY_REVISIONS && note_revision(r, key, value, err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_iter_error(it, err);
}

/* ---- writing ---- */

static enum wh_rc write_far(struct reading *r, struct wh_json_writer *w, unsigned field,
                            struct wh_err *err)
{
    struct wh_slice entry = r->setters[r->of_field[field]].bytes;
    struct wh_value value;

    if (entry.ptr == NULL) {
        return wh_fail(err, WH_E_CORRUPT, "the revision that set %s is not there",
                       r->def->fields[field].name);
    }
    if (wh_entry_field(r->def, entry, field, r->arena, &value, err) != WH_OK) {
        return err->rc;
    }
    sql_field_json(w, r->def->fields[field].type, &value);
    return WH_OK;
}

static enum wh_rc write_fields(struct reading *r, struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_key(w, "fields");
    wh_jw_object(w);
    for (unsigned i = 0; i < r->def->n_fields; i++) {
        if (!present(r, i)) {
            continue;
        }
        wh_jw_key(w, r->def->fields[i].name);
        if (!r->head.body.values[i].is_far) {
            sql_field_json(w, r->def->fields[i].type, &r->head.body.values[i]);
        } else if (write_far(r, w, i, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

static void write_identity(const struct reading *r, struct wh_json_writer *w)
{
    char id[WH_ENTITY_ID_TEXT + 1];
    char version[VERSION_TEXT];
    const struct wh_head *h = &r->head;

    str(w, "id", wh_slice_str(wh_entity_id_format(&h->id, id)));
    str(w, "kind", wh_slice_str(r->def->name));
    str(w, "table", wh_slice_str(r->def->table));
    wh_jw_key(w, "source");
    wh_jw_object(w);
    str(w, "system", h->source.system);
    str(w, "instance", h->source.instance);
    str(w, "kind", h->source.kind);
    str(w, "project_id", h->source.project);
    str(w, "id", h->source.id);
    str(w, "iid", h->source.iid);
    str(w, "url", h->source.url);
    wh_jw_end(w);
    wh_jw_key(w, "deleted");
    wh_jw_bool(w, wh_head_is_gone(h));
    if (wh_head_is_gone(h)) {
        str(w, "deleted_reason", wh_head_gone_reason(h));
        time_member(w, "deleted_at", wh_version_at_ms(wh_head_gone_version(h).order));
    }
    str(w, "version", wh_slice_str(version_text(h->version, version)));
    time_member(w, "version_at", wh_version_at_ms(h->version.order));
    time_member(w, "first_seen", h->first_seen_ms);
    time_member(w, "last_seen", wh_head_last_seen_ms(h->first_seen_ms, h->last_seen_ms));
}

/* ---- whose account it is ---- */

static bool is_of_people(const struct wh_kind_def *def)
{
    return def->kind == WH_KIND_TEAM_MEMBER || def->kind == WH_KIND_PERSON;
}

static enum wh_rc get_book(const struct reading *r, struct past *past,
                           const struct people_book **ret, struct wh_err *err)
{
    struct people_book_conf conf = {.store = r->from->store, .snap = r->from->snap, .past = past};
    conf.when = r->from->when;
    return people_book_get(sink_is_now(conf.when) ? r->from->people : NULL, &conf, ret, err);
}

static void write_member(const struct people_book *book, const struct wh_entity_id *id,
                         struct wh_json_writer *w)
{
    const struct people_member *m = people_book_member(book, id);
    char text[WH_ENTITY_ID_TEXT + 1];

    wh_jw_key(w, "team_member");
    if (m == NULL) {
        wh_jw_null(w);
        return;
    }
    wh_jw_object(w);
    str(w, "id", wh_slice_str(wh_entity_id_format(&m->id, text)));
    str(w, "name", people_book_name(book, m));
    str(w, "type", wh_slice_str(people_type_name(m->type)));
    str(w, "status", wh_slice_str(people_state_name(m->state)));
    wh_jw_end(w);
}

/* The team member of an account or of a directory's row, which an id that was merged away leads to. */
static enum wh_rc write_whose(const struct reading *r, struct wh_json_writer *w, struct wh_err *err)
{
    const struct past_conf conf = {
        .store = r->from->store, .snap = r->from->snap, .when = &r->from->when};
    const struct people_book *book = NULL;
    struct past *past = NULL;

    if (!is_of_people(r->def)) {
        return WH_OK;
    }
    if (past_new(&conf, &past, err) != WH_OK) {
        return err->rc;
    }
    if (get_book(r, past, &book, err) == WH_OK) {
        write_member(book, &r->head.id, w);
        people_book_free(book);
    }
    past_free(past);
    return book ? WH_OK : err->rc;
}

/* ---- who set a field ---- */

static enum wh_rc write_setter(struct reading *r, struct wh_json_writer *w, const struct setter *s,
                               struct wh_err *err)
{
    struct wh_entry entry;

    wh_jw_object(w);
    time_member(w, "version_at", wh_version_at_ms(s->version.order));
    if (s->bytes.ptr) {
        if (wh_entry_decode(r->def, s->bytes, r->arena, &entry, err) != WH_OK) {
            return err->rc;
        }
        str(w, "origin", wh_slice_str(wh_origin_name(entry.provenance.origin)));
        str(w, "delivery_id", entry.provenance.delivery_id);
        time_member(w, "observed_at", entry.provenance.observed_at_ms);
        str(w, "topic", entry.provenance.topic);
        wh_jw_key(w, "partition");
        wh_jw_int(w, entry.provenance.partition);
        wh_jw_key(w, "offset");
        wh_jw_int(w, entry.provenance.offset);
        str(w, "view", entry.provenance.view);
    }
    wh_jw_end(w);
    return WH_OK;
}

/* set_by: field -> version; set_by_versions: version -> where it came from. */
static enum wh_rc write_provenance(struct reading *r, struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_key(w, "set_by");
    wh_jw_object(w);
    for (unsigned i = 0; i < r->def->n_fields; i++) {
        if (present(r, i)) {
            str(w, r->def->fields[i].name, wh_slice_str(r->setters[r->of_field[i]].text));
        }
    }
    wh_jw_end(w);
    wh_jw_key(w, "set_by_versions");
    wh_jw_object(w);
    for (size_t i = 0; i < r->n_setters; i++) {
        wh_jw_key(w, r->setters[i].text);
        if (write_setter(r, w, &r->setters[i], err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

/* The links of an entity are derived from its head. */
static int64_t links_out(const struct reading *r)
{
    int64_t n = 0;

    for (unsigned i = 0; i < r->def->n_fields; i++) {
        const struct wh_value *v = &r->head.body.values[i];

        if (!present(r, i) || v->is_null) {
            continue;
        }
        n += r->def->fields[i].type == WH_FIELD_REF    ? 1
             : r->def->fields[i].type == WH_FIELD_REFS ? (int64_t)v->u.refs.n
                                                       : 0;
    }
    return n;
}

static void write_counts(const struct reading *r, struct wh_json_writer *w)
{
    wh_jw_key(w, "counts");
    wh_jw_object(w);
    wh_jw_put_int(w, "links_out", links_out(r));
    if (sink_is_now(r->from->when)) {
        wh_jw_put_int(w, "links_in", r->counts[API_ENTITY_BACKLINKS]);
        wh_jw_put_int(w, "revisions", r->counts[API_ENTITY_REVISIONS]);
    } else {
        wh_jw_put_int(w, "revisions", r->known);
    }
    wh_jw_end(w);
}

static enum wh_rc write_entity(struct reading *r, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    api_write_when(&w, r->from->when);
    wh_jw_key(&w, "entity");
    wh_jw_object(&w);
    write_identity(r, &w);
    if (write_whose(r, &w, err) != WH_OK || write_fields(r, &w, err) != WH_OK ||
        write_provenance(r, &w, err) != WH_OK) {
        return err->rc;
    }
    write_counts(r, &w);
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc api_entity_write(const struct api_entity_source *from, const struct wh_entity_id *id,
                            struct wh_arena *arena, struct wh_buf *out, struct wh_err *err)
{
    struct reading r = {.from = from, .arena = arena};

    /* out has room for the stored head until the answer is written. */
    if (find_head(&r, id, out, err) != WH_OK || go_back(&r, err) != WH_OK) {
        return err->rc;
    }
    if (is_of_people(r.def) && from->people == NULL) {
        return wh_fail(err, WH_E_BUSY, "whose it is depends on others: not read at once");
    }
    wh_buf_reset(out);
    list_setters(&r);
    for (unsigned i = 0; i < API_ENTITY_ITERS; i++) {
        if (scan(&r, (enum api_entity_iter)i, err) != WH_OK) {
            return err->rc;
        }
    }
    return write_entity(&r, out, err);
}

/* ---- on a thread of the lane ---- */

const enum sink_family api_entity_families[API_ENTITY_ITERS] = {
    [API_ENTITY_REVISIONS] = SINK_REVISIONS, [API_ENTITY_BACKLINKS] = SINK_BACKLINKS};

/*
 * The iterators have no bounds, as those of at_once.c: each reads the block behind the entity's keys,
 * too, so that the next read of this entity finds it in memory.
 */
static enum wh_rc open_iters(struct api_entity_source *from, struct wh_err *err)
{
    const struct wh_slice all = wh_slice("", 0);

    for (size_t i = 0; i < API_ENTITY_ITERS; i++) {
        if (wh_iter_new(from->store, from->snap, api_entity_families[i], all, all, &from->iters[i],
                        err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc entity_job(struct api_job *job, const struct wh_entity_id *id, struct wh_err *err)
{
    struct api_entity_source from = {.store = job->api->deps.store,
                                     .people = sql_engine_people(job->api->engine)};
    WH_AUTO(buf) struct wh_buf out = {0};
    struct wh_snapshot *snap;
    enum wh_rc rc;

    if (api_arg_when(&job->request, &from.when, err) != WH_OK ||
        wh_store_snapshot(from.store, &snap, err) != WH_OK) {
        return err->rc;
    }
    from.snap = snap;
    wh_buf_init(&out, VALUE_MAX_BYTES);
    rc = open_iters(&from, err);
    if (rc == WH_OK) {
        rc = api_entity_write(&from, id, &job->arena, &out, err);
    }
    if (rc == WH_OK) {
        rc = api_spool_write(&job->out, wh_buf_slice(&out), err);
    }
    for (size_t i = 0; i < API_ENTITY_ITERS; i++) {
        wh_iter_free(from.iters[i]);
    }
    wh_store_snapshot_free(from.store, snap);
    return rc;
}

enum wh_rc api_answer_entity(struct api_job *job, struct wh_err *err)
{
    struct wh_entity_id id;

    if (wh_entity_id_parse(job->id, &id, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID,
                       "the id is a uuid; an entity is also found by the address of its page");
    }
    return entity_job(job, &id, err);
}

enum wh_rc api_answer_url(struct api_job *job, struct wh_err *err)
{
    struct wh_entity_id id;

    return api_find_url(job->api->deps.store, NULL, api_arg(&job->request, "url"), &id, err) ==
                   WH_OK
               ? entity_job(job, &id, err)
               : err->rc;
}

/* ---- by the page at the source ---- */

static enum wh_rc lookup(struct wh_store *store, const struct wh_snapshot *snap,
                         struct wh_slice url, bool *ret_found, struct wh_entity_id *ret,
                         struct wh_err *err)
{
    struct wh_buf key;
    struct wh_buf value;
    enum wh_rc rc;

    wh_buf_init(&key, KEY_MAX_BYTES);
    wh_buf_init(&value, 64);
    rc = sink_url_key(url, &key, err);
    if (rc == WH_OK) {
        rc = wh_store_get(store, snap, SINK_SOURCE_IDS, wh_buf_slice(&key), &value, ret_found, err);
    }
    if (rc == WH_OK && *ret_found) {
        *ret_found = value.len == SINK_ENTITY_KEY;
        if (*ret_found) {
            memcpy(ret->bytes, value.ptr + 1, sizeof(ret->bytes));
        }
    }
    wh_buf_done(&key);
    wh_buf_done(&value);
    return rc;
}

static size_t cut_at(struct wh_slice url, char mark)
{
    const char *at = url.len ? memchr(url.ptr, mark, url.len) : NULL;

    return at ? (size_t)(at - url.ptr) : url.len;
}

enum wh_rc api_find_url(struct wh_store *store, const struct wh_snapshot *snap, struct wh_slice url,
                        struct wh_entity_id *ret, struct wh_err *err)
{
    bool found = false;

    /* As it is (a comment's page has a #mark), then without mark, query and slash. */
    if (lookup(store, snap, url, &found, ret, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        url.len = cut_at(url, '#');
        url.len = cut_at(url, '?');
        while (url.len && url.ptr[url.len - 1] == '/') {
            url.len--;
        }
        if (lookup(store, snap, url, &found, ret, err) != WH_OK) {
            return err->rc;
        }
    }
    return found ? WH_OK : wh_fail(err, WH_E_NOT_FOUND, "no entity has this page at the source");
}
