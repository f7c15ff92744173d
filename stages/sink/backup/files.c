/* Files of a backup: listed, copied, compared by their digests, removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "stages/sink/backup/backup_priv.h"

enum { PIECE_BYTES = 1 << 20 };

bool backup_go_on(const struct sink_backup_watch *watch, enum sink_backup_step step, int64_t done,
                  int64_t total)
{
    return watch == NULL || watch->go_on(watch->ctx, step, done, total);
}

enum wh_rc backup_canceled(struct wh_err *err)
{
    return wh_fail(err, WH_E_CANCELED, "it was stopped before its end");
}

enum wh_rc backup_join(char ret[SINK_PATH_MAX], const char *folder, const char *name,
                       struct wh_err *err)
{
    int n = snprintf(ret, SINK_PATH_MAX, "%s/%s", folder, name);

    return n > 0 && n < SINK_PATH_MAX ? WH_OK
                                      : wh_fail(err, WH_E_CONFIG, "the folder's path is too long");
}

bool backup_name_ok(struct wh_slice name)
{
    if (name.len == 0 || name.len >= BACKUP_NAME_MAX || name.ptr[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.')) {
            return false;
        }
    }
    return true;
}

/* RocksDB writes its own log and lock into every folder that it opens. */
static bool is_data(const char *name)
{
    return name[0] != '.' && strncmp(name, "LOG", 3) != 0 && strcmp(name, "LOCK") != 0;
}

static enum wh_rc add_file(const char *folder, const char *name, struct backup_files *files,
                           struct wh_err *err)
{
    struct backup_file *more;
    char path[SINK_PATH_MAX];
    struct stat st;

    if (backup_join(path, folder, name, err) != WH_OK) {
        return err->rc;
    }
    if (stat(path, &st) != 0) {
        return wh_file_fail(err, "cannot look at", path);
    }
    if (!S_ISREG(st.st_mode) || !backup_name_ok(wh_slice_str(name)) ||
        files->n >= BACKUP_FILES_MAX) {
        return wh_fail(err, WH_E_CORRUPT, "%.150s is no file of a store", path);
    }
    more = wh_mem_resize(files->items, files->n + 1, sizeof(*more));
    if (more == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a list of files");
    }
    files->items = more;
    more[files->n] = (struct backup_file){.bytes = st.st_size};
    (void)snprintf(more[files->n].name, BACKUP_NAME_MAX, "%s", name);
    files->bytes += st.st_size;
    files->n++;
    return WH_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct backup_file *)a)->name, ((const struct backup_file *)b)->name);
}

enum wh_rc backup_list(const char *folder, struct backup_files *ret, struct wh_err *err)
{
    DIR *dir = opendir(folder);
    enum wh_rc rc = WH_OK;
    struct dirent *entry;

    *ret = (struct backup_files){0};
    if (dir == NULL) {
        return wh_file_fail(err, "cannot list", folder);
    }
    while (rc == WH_OK && (entry = readdir(dir)) != NULL) {
        rc = is_data(entry->d_name) ? add_file(folder, entry->d_name, ret, err) : WH_OK;
    }
    (void)closedir(dir);
    if (rc == WH_OK && ret->n > 0) {
        qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
    }
    return rc;
}

void backup_files_done(struct backup_files *files)
{
    wh_mem_free(files->items);
    *files = (struct backup_files){0};
}

/* ---- digests ---- */

enum wh_rc backup_digest(const char *folder, struct backup_files *files,
                         const struct sink_backup_watch *watch, struct wh_err *err)
{
    int64_t done = 0;

    for (size_t i = 0; i < files->n; i++) {
        struct backup_file *f = &files->items[i];
        unsigned char digest[WH_SHA256_BYTES];
        WH_AUTO(buf) struct wh_buf text;
        char path[SINK_PATH_MAX];

        wh_buf_init(&text, BACKUP_DIGEST_TEXT + 1);
        if (!backup_go_on(watch, SINK_BACKUP_DIGESTING, done, files->bytes)) {
            return backup_canceled(err);
        }
        if (backup_join(path, folder, f->name, err) != WH_OK ||
            wh_sha256_file(path, digest, err) != WH_OK ||
            wh_hex_encode(wh_slice(digest, sizeof(digest)), &text, err) != WH_OK) {
            return err->rc;
        }
        (void)snprintf(f->sha256, sizeof(f->sha256), "%s", wh_buf_str(&text));
        done += f->bytes;
    }
    return WH_OK;
}

/* ---- copies ---- */

struct copying {
    const struct sink_backup_watch *watch;
    char *piece;
    int64_t done;
    int64_t total;
};

static enum wh_rc copy_bytes(struct copying *c, int in, int out, const char *path,
                             struct wh_err *err)
{
    ssize_t n;

    while ((n = read(in, c->piece, PIECE_BYTES)) > 0) {
        if (!backup_go_on(c->watch, SINK_BACKUP_COPYING, c->done, c->total)) {
            return backup_canceled(err);
        }
        if (wh_file_write(out, wh_slice(c->piece, (size_t)n), path, err) != WH_OK) {
            return err->rc;
        }
        c->done += n;
    }
    if (n < 0 || fsync(out) != 0) {
        return wh_file_fail(err, "cannot copy to", path);
    }
    return WH_OK;
}

static enum wh_rc copy_file(struct copying *c, const char *from, const char *to, struct wh_err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out;
    enum wh_rc rc;

    if (in < 0) {
        return wh_file_fail(err, "cannot read", from);
    }
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0) {
        (void)close(in);
        return wh_file_fail(err, "cannot make", to);
    }
    rc = copy_bytes(c, in, out, to, err);
    (void)close(in);
    (void)close(out);
    return rc;
}

enum wh_rc backup_copy(const char *from, const char *to, const struct backup_files *files,
                       const struct sink_backup_watch *watch, struct wh_err *err)
{
    WH_AUTO_FREE char *piece = wh_mem_alloc(PIECE_BYTES);
    struct copying c = {.watch = watch, .piece = piece, .total = files->bytes};

    if (piece == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a copy");
    }
    for (size_t i = 0; i < files->n; i++) {
        char source[SINK_PATH_MAX];
        char target[SINK_PATH_MAX];

        if (backup_join(source, from, files->items[i].name, err) != WH_OK ||
            backup_join(target, to, files->items[i].name, err) != WH_OK ||
            copy_file(&c, source, target, err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_folder_sync(to, err);
}

/* ---- removal ---- */

/* Files of the folder, not of folders in it. */
static enum wh_rc empty_folder(const char *folder, struct wh_err *err)
{
    DIR *dir = opendir(folder);
    enum wh_rc rc = WH_OK;
    struct dirent *entry;

    if (dir == NULL) {
        return errno == ENOENT ? WH_OK : wh_file_fail(err, "cannot list", folder);
    }
    while (rc == WH_OK && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, "store") != 0 && unlinkat(dirfd(dir), entry->d_name, 0) != 0) {
            rc = wh_file_fail(err, "cannot remove from", folder);
        }
    }
    (void)closedir(dir);
    return rc;
}

enum wh_rc sink_backup_remove(const char *folder, struct wh_err *err)
{
    char store[SINK_PATH_MAX];

    if (backup_join(store, folder, "store", err) != WH_OK || empty_folder(store, err) != WH_OK ||
        empty_folder(folder, err) != WH_OK) {
        return err->rc;
    }
    if ((rmdir(store) != 0 && errno != ENOENT) || (rmdir(folder) != 0 && errno != ENOENT)) {
        return wh_file_fail(err, "cannot remove", folder);
    }
    return WH_OK;
}

void backup_drop(const char *folder)
{
    struct wh_err ignored;
    enum wh_rc rc = sink_backup_remove(folder, &ignored);

    (void)rc;
}
