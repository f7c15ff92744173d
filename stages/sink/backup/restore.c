/* The way back: a backup becomes the store in use. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/sink/backup/backup_priv.h"

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static enum wh_rc check_replaced(const struct sink_restore_conf *conf, struct wh_err *err)
{
    char used[SINK_PATH_MAX];
    struct stat st;

    if (sink_data_current(conf->data_path, used, err) != WH_OK) {
        return err->rc;
    }
    if (stat(used, &st) != 0 || strcmp(conf->confirm, name_of(used)) == 0 ||
        !backup_has_rows(used)) {
        return WH_OK;
    }
    return wh_fail(err, WH_E_EXISTS,
                   "%.150s has rows; to replace it, confirm its name, %.32s (restore.confirm)",
                   used, name_of(used));
}

/* Each file must have the length and the digest of the manifest. */
static enum wh_rc compare_files(const struct backup_files *has, const struct backup_files *want,
                                struct wh_err *err)
{
    for (size_t i = 0; i < want->n && i < has->n; i++) {
        const struct backup_file *a = &has->items[i];
        const struct backup_file *b = &want->items[i];

        if (strcmp(a->name, b->name) != 0 || a->bytes != b->bytes ||
            strcmp(a->sha256, b->sha256) != 0) {
            return wh_fail(err, WH_E_CORRUPT, "the backup's file %s is not the one that was made",
                           b->name);
        }
    }
    return has->n == want->n ? WH_OK
                             : wh_fail(err, WH_E_CORRUPT, "the backup has %zu files instead of %zu",
                                       has->n, want->n);
}

static int64_t sum_of(const int64_t keys[SINK_FAMILY_COUNT])
{
    int64_t sum = 0;

    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        sum += keys[f];
    }
    return sum;
}

static enum wh_rc compare_counts(const struct backup_count *has, const struct backup_count *want,
                                 struct wh_err *err)
{
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        if (has->keys[f] != want->keys[f]) {
            return wh_fail(err, WH_E_CORRUPT, "the backup has %lld keys of %s instead of %lld",
                           (long long)has->keys[f], sink_families[f].name,
                           (long long)want->keys[f]);
        }
    }
    return WH_OK;
}

static enum wh_rc take(const struct backup_manifest *m, const char *from, const char *to,
                       const struct sink_backup_watch *watch, struct wh_err *err)
{
    struct backup_count count = {0};
    struct backup_files copied = {0};
    char source[SINK_PATH_MAX];
    enum wh_rc rc = backup_join(source, from, "store", err);

    rc = rc == WH_OK ? backup_copy(source, to, &m->files, watch, err) : rc;
    rc = rc == WH_OK ? backup_list(to, &copied, err) : rc;
    rc = rc == WH_OK ? backup_digest(to, &copied, watch, err) : rc;
    rc = rc == WH_OK ? compare_files(&copied, &m->files, err) : rc;
    rc = rc == WH_OK ? backup_count_store(to, sum_of(m->count.keys), watch, &count, err) : rc;
    rc = rc == WH_OK ? compare_counts(&count, &m->count, err) : rc;
    backup_files_done(&copied);
    backup_count_done(&count);
    return rc;
}

/* Into a folder that no sink uses; it gets the name of a store when it is whole. */
static enum wh_rc take_aside(const struct sink_restore_conf *conf, const struct backup_manifest *m,
                             const struct sink_backup_watch *watch, const char *to,
                             struct wh_err *err)
{
    char aside[SINK_PATH_MAX];
    char store[SINK_PATH_MAX];
    enum wh_rc rc;

    if (backup_join(aside, conf->data_path, "restoring", err) != WH_OK ||
        backup_join(store, aside, "store", err) != WH_OK ||
        sink_backup_remove(aside, err) != WH_OK) {
        return err->rc;
    }
    rc = mkdir(aside, 0700) == 0 && mkdir(store, 0700) == 0
             ? take(m, conf->from, store, watch, err)
             : wh_file_fail(err, "cannot make the folder", store);
    if (rc == WH_OK && rename(store, to) != 0) {
        rc = wh_file_fail(err, "cannot make", to);
    }
    backup_drop(aside);
    return rc;
}

static enum wh_rc restore(const struct sink_restore_conf *conf, struct backup_manifest *m,
                          const struct sink_backup_watch *watch, char to[SINK_PATH_MAX],
                          struct wh_err *err)
{
    if (backup_manifest_read(conf->from, m, err) != WH_OK) {
        return err->rc;
    }
    if (m->store_format != SINK_FORMAT_VERSION) {
        return wh_fail(err, WH_E_UNSUPPORTED,
                       "the backup's store has format %lld, and this version reads %d",
                       (long long)m->store_format, SINK_FORMAT_VERSION);
    }
    if (check_replaced(conf, err) != WH_OK || sink_data_unused(conf->data_path, to, err) != WH_OK ||
        take_aside(conf, m, watch, to, err) != WH_OK) {
        return err->rc;
    }
    return sink_data_switch(conf->data_path, to, err);
}

enum wh_rc sink_restore(const struct sink_restore_conf *conf, const struct sink_backup_watch *watch,
                        char ret_path[SINK_PATH_MAX], struct sink_backup_summary *ret,
                        struct wh_err *err)
{
    struct backup_manifest m;
    enum wh_rc rc = restore(conf, &m, watch, ret_path, err);

    if (rc == WH_OK) {
        *ret = m.said;
    }
    backup_manifest_done(&m);
    return rc;
}
