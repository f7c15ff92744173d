/*
 * The index's thread. Its turns alternate between two pieces of work: the file in use follows the log of changes, and,
 * when there is no good file, the next one is built from all heads. A build notes the last change before it begins,
 * and the finished file follows from there: what it has read already is written again with no effect.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/search/search_priv.h"

enum {
    WAIT_MS = 50,
    RETRY_MS = 1000,
    CHANGES_OF_TURN = 512,
    ENTITIES_OF_TURN = 1024,
    TURN_MS = 250, /* a transaction is committed after this time */
    NICENESS = 5,
    ARENA_BLOCK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 128 << 20,
    META_MAX_BYTES = 1 << 10,
    REPORT_MAX_BYTES = 1 << 16,
    REPORT_DEPTH = 8,
};

struct follow {
    struct search *s;
    const struct search_conf *conf;
    struct wh_arena arena;
    struct search_writer *writer; /* of the file in use; NULL: there is none */
    uint64_t sequence;            /* which it follows up to */
    bool outdated;                /* a new file must be built */
    int64_t number;               /* of the newest file */
    struct search_writer *build;
    uint64_t build_from;  /* the last change before the build */
    struct wh_buf cursor; /* the next head to read */
    uint64_t build_read;
    uint64_t store_seen; /* the number of the store's last write when nothing was left to do */
    uint64_t purges;     /* hash of the purges that the file in use knows */
    bool failed;         /* the last turn */
};

/* ---- what the store says ---- */

static enum wh_rc read_meta(struct follow *f, const struct wh_snapshot *snap, struct wh_slice key,
                            uint64_t *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf value;
    bool found = false;

    *ret = 0;
    wh_buf_init(&value, META_MAX_BYTES);
    if (wh_store_get(f->conf->store, snap, SINK_META, key, &value, &found, err) != WH_OK) {
        return err->rc;
    }
    if (found && value.len == 8) {
        *ret = wh_be_get64(value.ptr);
    }
    return WH_OK;
}

static bool is_finished(struct wh_json_parser *parser, struct wh_slice report)
{
    struct wh_json_val root;
    struct wh_err ignored;

    return wh_json_parse(parser, report, &root, &ignored) == WH_OK &&
           wh_json_get_int(root, "finished_at_ms", 0) != 0;
}

/* One number for all purges that have ended: what a file read before one of them must not stay. */
static enum wh_rc read_purges(struct follow *f, uint64_t *ret, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(REPORT_MAX_BYTES, REPORT_DEPTH);
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc;

    *ret = 0;
    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the search index");
    }
    rc = wh_iter_new(f->conf->store, NULL, SINK_META, WH_LIT("g"), WH_LIT("h"), &it, err);
    if (rc == WH_OK) {
        for (wh_iter_seek(it, WH_LIT("g"), false); wh_iter_valid(it, &key, &value);
             wh_iter_step(it, false)) {
            if (is_finished(parser, value)) {
                uint64_t parts[3] = {*ret, wh_hash64(key), wh_hash64(value)};

                *ret = wh_hash64(wh_slice(parts, sizeof(parts)));
            }
        }
        rc = wh_iter_error(it, err);
        wh_iter_free(it);
    }
    wh_json_parser_free(parser);
    return rc;
}

static enum wh_rc look(struct follow *f, struct search_source *ret, struct wh_err *err)
{
    struct past_conf conf = {.store = f->conf->store};

    *ret = (struct search_source){.store = f->conf->store, .arena = &f->arena};
    if (wh_store_snapshot(f->conf->store, &ret->snap, err) != WH_OK) {
        return err->rc;
    }
    conf.snap = ret->snap;
    return past_new(&conf, &ret->past, err);
}

static void look_away(struct search_source *from)
{
    past_free(from->past);
    wh_store_snapshot_free(from->store, from->snap);
}

/* ---- what the file says ---- */

static enum wh_rc put_number(struct search_writer *w, const char *key, uint64_t n,
                             struct wh_err *err)
{
    unsigned char bytes[8];

    wh_be_put64(bytes, n);
    return search_meta_put(w, key, wh_slice(bytes, sizeof(bytes)), err);
}

static enum wh_rc get_number(struct search_writer *w, const char *key, uint64_t *ret,
                             struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf value;

    *ret = 0;
    wh_buf_init(&value, META_MAX_BYTES);
    if (search_meta_get(w, key, &value, err) != WH_OK) {
        return err->rc;
    }
    if (value.len == 8) {
        *ret = wh_be_get64(value.ptr);
    }
    return WH_OK;
}

/* The log has the same change at the position of the file; or none, because a purge removed it. */
static enum wh_rc same_change(struct follow *f, struct search_writer *w, bool *ret,
                              struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf ours;
    WH_AUTO(buf) struct wh_buf theirs;
    unsigned char key[8];
    bool found = false;

    wh_buf_init(&ours, META_MAX_BYTES);
    wh_buf_init(&theirs, META_MAX_BYTES);
    wh_be_put64(key, f->sequence);
    if (search_meta_get(w, "change", &ours, err) != WH_OK ||
        wh_store_get(f->conf->store, NULL, SINK_CHANGES, wh_slice(key, sizeof(key)), &theirs,
                     &found, err) != WH_OK) {
        return err->rc;
    }
    *ret = !found || ours.len == 0 || wh_slice_eq(wh_buf_slice(&ours), wh_buf_slice(&theirs));
    return WH_OK;
}

/* Is it an index of this store, in this form? */
static enum wh_rc is_ours(struct follow *f, struct search_writer *w, bool *ret, struct wh_err *err)
{
    uint64_t version = 0;
    uint64_t begun[2] = {0, 0};
    uint64_t last = 0;

    if (get_number(w, "version", &version, err) != WH_OK ||
        get_number(w, "begun", &begun[0], err) != WH_OK ||
        get_number(w, "sequence", &f->sequence, err) != WH_OK ||
        get_number(w, "purges", &f->purges, err) != WH_OK ||
        read_meta(f, NULL, WH_LIT("b"), &begun[1], err) != WH_OK ||
        read_meta(f, NULL, WH_LIT("n"), &last, err) != WH_OK ||
        same_change(f, w, ret, err) != WH_OK) {
        return err->rc;
    }
    *ret = *ret && version == SEARCH_VERSION && begun[0] == begun[1] && f->sequence <= last;
    return WH_OK;
}

/* ---- status ---- */

static void report(struct follow *f)
{
    struct search_status *st = &f->s->status;

    (void)pthread_mutex_lock(&f->s->lock);
    st->ready = f->s->file != NULL;
    st->building = f->outdated;
    st->sequence = f->sequence;
    st->records = f->writer  ? search_writer_rows(f->writer)
                  : f->build ? search_writer_rows(f->build)
                             : 0;
    st->read = f->build ? f->build_read : 0;
    (void)pthread_cond_broadcast(&f->s->moved);
    (void)pthread_mutex_unlock(&f->s->lock);
}

static void report_failure(struct follow *f, const struct wh_err *err)
{
    (void)pthread_mutex_lock(&f->s->lock);
    (void)snprintf(f->s->status.error, sizeof(f->s->status.error), "%.120s",
                   err->rc == WH_OK ? "" : err->msg);
    (void)pthread_mutex_unlock(&f->s->lock);
    if (err->rc != WH_OK && !f->failed) {
        wh_log_warn(f->conf->log, "the search index could not be written", WH_RC(err));
    }
    f->failed = err->rc != WH_OK;
}

/* ---- the file that answers ---- */

static bool is_damaged(struct follow *f)
{
    bool damaged;

    (void)pthread_mutex_lock(&f->s->lock);
    damaged = f->s->damaged;
    f->s->damaged = false;
    (void)pthread_mutex_unlock(&f->s->lock);
    return damaged;
}

static void answer_from(struct follow *f, struct search_file *file)
{
    struct search_file *old;

    (void)pthread_mutex_lock(&f->s->lock);
    old = f->s->file;
    f->s->file = file;
    (void)pthread_mutex_unlock(&f->s->lock);
    if (old) {
        (void)pthread_mutex_lock(&old->lock);
        old->unlink = true;
        (void)pthread_mutex_unlock(&old->lock);
    }
    search_file_drop(old);
}

/* The file is of no use any more. */
static void give_up(struct follow *f)
{
    search_writer_close(f->writer);
    f->writer = NULL;
    f->sequence = 0;
    f->outdated = true;
    answer_from(f, NULL);
}

static enum wh_rc use(struct follow *f, struct wh_err *err)
{
    struct search_file *file = NULL;
    struct search_writer *w = NULL;
    char path[SEARCH_PATH_MAX];
    bool ours = false;

    search_folder_path(f->conf->folder, f->number, false, path);
    if (search_writer_open(path, false, &w, err) != WH_OK) {
        return err->rc;
    }
    if (is_ours(f, w, &ours, err) != WH_OK || !ours || search_file_new(path, &file, err) != WH_OK) {
        search_writer_close(w);
        return ours ? err->rc
                    : wh_fail(err, WH_E_NOT_FOUND, "the search index is of another store");
    }
    search_writer_close(f->writer);
    f->writer = w;
    f->store_seen = 0;
    answer_from(f, file);
    return WH_OK;
}

static void open_newest(struct follow *f)
{
    struct wh_err err = {0};

    f->number = search_folder_newest(f->conf->folder);
    search_folder_clean(f->conf->folder, f->number);
    if (f->number == 0 || use(f, &err) != WH_OK) {
        f->sequence = 0;
        f->outdated = true;
        search_folder_clean(f->conf->folder, 0);
        wh_log_info(f->conf->log, "the search index is built from the store",
                    WH_STR("reason", f->number ? err.msg : "there is none"));
    }
}

/* ---- following ---- */

static bool turn_is_over(const struct follow *f, int64_t since_ns)
{
    return wh_clock_mono_ns(&f->conf->clock) - since_ns > (int64_t)TURN_MS * 1000000;
}

/* A record that cannot be read is left out: it must not hold up the others. */
static enum wh_rc write_entity(struct follow *f, struct search_writer *w,
                               const struct search_source *from, enum wh_kind kind,
                               const struct wh_entity_id *id, struct wh_version version,
                               bool *ret_access_changed, struct wh_err *err)
{
    enum wh_rc rc;

    wh_arena_reset(&f->arena);
    rc = search_write_entity(w, from, kind, id, version, ret_access_changed, err);
    if (rc == WH_E_CORRUPT && !search_writer_damaged(w)) {
        wh_log_warn(f->conf->log, "a record was not indexed", WH_RC(err));
        wh_err_clear(err);
        return WH_OK;
    }
    return rc;
}

/* Comments are as confidential as what they are about. */
static enum wh_rc write_comments(struct follow *f, const struct search_source *from,
                                 const struct wh_entity_id *item, struct wh_err *err)
{
    const struct wh_version newest = {UINT64_MAX, UINT64_MAX};
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    bool changed;
    enum wh_rc rc = past_links_to(from->past, item, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more && found.kind == WH_KIND_NOTE) {
            rc = write_entity(f, f->writer, from, found.kind, &found.id, newest, &changed, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

static enum wh_rc write_change(struct follow *f, const struct search_source *from,
                               struct wh_slice change, struct wh_err *err)
{
    enum wh_kind kind = (enum wh_kind)(unsigned char)change.ptr[0];
    struct wh_version version = {wh_be_get64(change.ptr + SINK_ENTITY_KEY),
                                 wh_be_get64(change.ptr + SINK_ENTITY_KEY + 8)};
    struct wh_entity_id id;
    bool access_changed = false;

    memcpy(id.bytes, change.ptr + 1, sizeof(id.bytes));
    if (wh_kind_def(kind) == NULL) {
        return WH_OK;
    }
    if (write_entity(f, f->writer, from, kind, &id, version, &access_changed, err) != WH_OK) {
        return err->rc;
    }
    return access_changed && kind == WH_KIND_WORK_ITEM ? write_comments(f, from, &id, err) : WH_OK;
}

/* Writes changes until the turn is over; *ret_last is where they end. */
static enum wh_rc write_changes(struct follow *f, const struct search_source *from,
                                uint64_t *ret_last, struct wh_buf *ret_change, bool *ret_end,
                                struct wh_err *err)
{
    int64_t since_ns = wh_clock_mono_ns(&f->conf->clock);
    unsigned char first[8];
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    size_t n = 0;
    enum wh_rc rc;

    wh_be_put64(first, f->sequence + 1);
    rc = wh_iter_new(f->conf->store, from->snap, SINK_CHANGES, wh_slice(first, sizeof(first)),
                     (struct wh_slice){NULL, 0}, &it, err);
    if (rc != WH_OK) {
        return rc;
    }
    for (wh_iter_seek(it, wh_slice(first, sizeof(first)), false);
         rc == WH_OK && wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        if (n++ == CHANGES_OF_TURN || turn_is_over(f, since_ns)) {
            break;
        }
        rc = value.len >= SEARCH_CHANGE_BYTES ? write_change(f, from, value, err) : WH_OK;
        *ret_last = wh_be_get64(key.ptr);
        wh_buf_reset(ret_change);
        rc = rc == WH_OK ? wh_buf_append(ret_change, value, err) : rc;
    }
    /* Behind the last one there is nothing, or only what a purge removed. */
    *ret_end = !wh_iter_valid(it, &key, &value);
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static enum wh_rc follow_changes(struct follow *f, const struct search_source *from, uint64_t last,
                                 struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf change;
    uint64_t reached = f->sequence;
    bool end = false;
    enum wh_rc rc = search_writer_begin(f->writer, err);

    wh_buf_init(&change, META_MAX_BYTES);
    rc = rc == WH_OK ? write_changes(f, from, &reached, &change, &end, err) : rc;
    reached = end ? last : reached;
    rc = rc == WH_OK ? put_number(f->writer, "sequence", reached, err) : rc;
    rc = rc == WH_OK ? search_meta_put(f->writer, "change", wh_buf_slice(&change), err) : rc;
    rc = rc == WH_OK ? search_writer_commit(f->writer, err) : rc;
    if (rc != WH_OK) {
        bool damaged = search_writer_damaged(f->writer);

        search_writer_rollback(f->writer);
        if (damaged) {
            give_up(f);
        }
        return rc;
    }
    f->sequence = reached;
    report(f);
    return WH_OK;
}

/* *ret_more: there is something left to do at once. */
static enum wh_rc follow_turn(struct follow *f, bool *ret_more, struct wh_err *err)
{
    uint64_t store_now = wh_store_sequence(f->conf->store);
    struct search_source from = {0};
    uint64_t last = 0;
    uint64_t purges = 0;
    enum wh_rc rc;

    if (f->writer && is_damaged(f)) {
        give_up(f);
    }
    if (f->writer == NULL || (f->store_seen && store_now == f->store_seen)) {
        return WH_OK;
    }
    if (read_purges(f, &purges, err) != WH_OK) {
        return err->rc;
    }
    f->outdated = f->outdated || purges != f->purges;
    rc = look(f, &from, err);
    rc = rc == WH_OK ? read_meta(f, from.snap, WH_LIT("n"), &last, err) : rc;
    if (rc == WH_OK && last > f->sequence) {
        rc = follow_changes(f, &from, last, err);
    }
    look_away(&from);
    if (rc == WH_OK && f->sequence >= last) {
        f->store_seen = store_now;
        report(f);
    }
    *ret_more = *ret_more || f->sequence < last;
    return rc;
}

/* ---- building ---- */

static void forget_build(struct follow *f)
{
    char path[SEARCH_PATH_MAX];

    search_writer_close(f->build);
    f->build = NULL;
    search_folder_path(f->conf->folder, f->number + 1, true, path);
    (void)unlink(path);
}

static enum wh_rc build_begin(struct follow *f, struct wh_err *err)
{
    char path[SEARCH_PATH_MAX];
    uint64_t purges = 0;
    uint64_t begun = 0;

    search_folder_path(f->conf->folder, f->number + 1, true, path);
    (void)unlink(path);
    wh_buf_reset(&f->cursor);
    f->build_read = 0;
    if (read_purges(f, &purges, err) != WH_OK ||
        read_meta(f, NULL, WH_LIT("n"), &f->build_from, err) != WH_OK ||
        read_meta(f, NULL, WH_LIT("b"), &begun, err) != WH_OK ||
        search_writer_open(path, true, &f->build, err) != WH_OK) {
        return err->rc;
    }
    if (put_number(f->build, "version", SEARCH_VERSION, err) != WH_OK ||
        put_number(f->build, "begun", begun, err) != WH_OK ||
        put_number(f->build, "purges", purges, err) != WH_OK) {
        return err->rc;
    }
    return put_number(f->build, "sequence", f->build_from, err);
}

static enum wh_rc build_entity(struct follow *f, const struct search_source *from,
                               struct wh_slice key, struct wh_err *err)
{
    enum wh_kind kind = (enum wh_kind)(unsigned char)key.ptr[0];
    struct wh_entity_id id;
    bool ignored;

    f->build_read++;
    wh_buf_reset(&f->cursor);
    if (wh_buf_append(&f->cursor, key, err) != WH_OK ||
        wh_buf_append_char(&f->cursor, '\0', err) != WH_OK) {
        return err->rc;
    }
    if (key.len != SINK_ENTITY_KEY || wh_kind_def(kind) == NULL) {
        return WH_OK;
    }
    memcpy(id.bytes, key.ptr + 1, sizeof(id.bytes));
    return write_entity(f, f->build, from, kind, &id, (struct wh_version){0}, &ignored, err);
}

static enum wh_rc build_entities(struct follow *f, const struct search_source *from, bool *ret_end,
                                 struct wh_err *err)
{
    int64_t since_ns = wh_clock_mono_ns(&f->conf->clock);
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    size_t n = 0;
    enum wh_rc rc = wh_iter_new(f->conf->store, from->snap, SINK_ENTITIES,
                                (struct wh_slice){NULL, 0}, (struct wh_slice){NULL, 0}, &it, err);

    if (rc != WH_OK) {
        return rc;
    }
    wh_iter_seek(it, wh_buf_slice(&f->cursor), false);
    while (rc == WH_OK && wh_iter_valid(it, &key, &value) && n++ < ENTITIES_OF_TURN &&
           !turn_is_over(f, since_ns)) {
        rc = build_entity(f, from, key, err);
        wh_iter_step(it, false);
    }
    *ret_end = !wh_iter_valid(it, &key, &value);
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

/* The new file takes over. */
static enum wh_rc build_end(struct follow *f, struct wh_err *err)
{
    char building[SEARCH_PATH_MAX];
    char path[SEARCH_PATH_MAX];
    enum wh_rc rc = search_writer_finish(f->build, err);

    search_writer_close(f->build);
    f->build = NULL;
    if (rc != WH_OK) {
        return rc;
    }
    search_folder_path(f->conf->folder, f->number + 1, true, building);
    search_folder_path(f->conf->folder, f->number + 1, false, path);
    if (rename(building, path) != 0) {
        return wh_fail(err, WH_E_IO, "the new search index could not be put into place");
    }
    f->number++;
    f->outdated = false;
    rc = use(f, err);
    f->outdated = rc != WH_OK;
    return rc;
}

static enum wh_rc build_turn(struct follow *f, bool *ret_more, struct wh_err *err)
{
    struct search_source from = {0};
    bool end = false;
    enum wh_rc rc;

    if (!f->outdated) {
        return WH_OK;
    }
    *ret_more = true;
    if (f->build == NULL && build_begin(f, err) != WH_OK) {
        forget_build(f);
        return err->rc;
    }
    rc = look(f, &from, err);
    rc = rc == WH_OK ? search_writer_begin(f->build, err) : rc;
    rc = rc == WH_OK ? build_entities(f, &from, &end, err) : rc;
    rc = rc == WH_OK ? search_writer_commit(f->build, err) : rc;
    look_away(&from);
    if (rc != WH_OK) {
        forget_build(f);
        return rc;
    }
    report(f);
    return end ? build_end(f, err) : WH_OK;
}

/* ---- the thread ---- */

/* Returns false when the thread must end. */
static bool pause_for(struct follow *f, int64_t ms)
{
    const struct timespec until = search_deadline(ms);
    bool stop;

    (void)pthread_mutex_lock(&f->s->lock);
    if (!f->s->stop && ms > 0) {
        (void)pthread_cond_timedwait(&f->s->stirred, &f->s->lock, &until);
    }
    stop = f->s->stop;
    (void)pthread_mutex_unlock(&f->s->lock);
    return !stop;
}

static int64_t turn(struct follow *f)
{
    struct wh_err err = {0};
    bool more = false;
    enum wh_rc rc = follow_turn(f, &more, &err);

    rc = rc == WH_OK ? build_turn(f, &more, &err) : rc;
    report_failure(f, &err);
    return rc != WH_OK ? RETRY_MS : more ? 0 : WAIT_MS;
}

void *search_follow_main(void *ctx)
{
    struct follow f = {.s = ctx, .conf = &((struct search *)ctx)->conf};

    /* Of Linux: the niceness of one thread. */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
    wh_arena_init(&f.arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    wh_buf_init(&f.cursor, META_MAX_BYTES);
    open_newest(&f);
    while (pause_for(&f, turn(&f))) {
    }
    search_writer_close(f.writer);
    if (f.build) {
        forget_build(&f);
    }
    wh_buf_done(&f.cursor);
    wh_arena_done(&f.arena);
    return NULL;
}
