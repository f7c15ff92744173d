#include "cli/backup/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"

enum { DIGEST_TEXT = 2 * WH_SHA256_BYTES };

/* Of a path and of a name that come together. */
#define BOUNDED "%.3900s/%.120s"
enum { PATH_SHOWN = 3900, NAME_SHOWN = 120 };

static enum wh_rc join(char ret[BACKUP_PATH_MAX], const char *dir, const char *name,
                       struct wh_err *err)
{
    if (strlen(dir) > PATH_SHOWN || strlen(name) > NAME_SHOWN) {
        return wh_fail(err, WH_E_INVALID, "the path is too long");
    }
    (void)snprintf(ret, BACKUP_PATH_MAX, BOUNDED, dir, name);
    return WH_OK;
}

static enum wh_rc path_in(const struct backup_folder *f, const char *name,
                          char ret[BACKUP_PATH_MAX], struct wh_err *err)
{
    return join(ret, f->part, name, err);
}

static const char part[] = ".part";

enum wh_rc backup_folder_begin(struct backup_folder *f, const char *dir, struct wh_err *err)
{
    char store[BACKUP_PATH_MAX];
    struct stat st;
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    if (len > PATH_SHOWN - sizeof(part)) {
        return wh_fail(err, WH_E_INVALID, "the path is too long");
    }
    memcpy(f->path, dir, len);
    f->path[len] = '\0';
    memcpy(f->part, dir, len);
    memcpy(f->part + len, part, sizeof(part));
    if (stat(f->path, &st) == 0) {
        return wh_fail(err, WH_E_EXISTS, "%.150s exists already: name a folder that does not",
                       f->path);
    }
    if (path_in(f, "store", store, err) != WH_OK) {
        return err->rc;
    }
    if (mkdir(f->part, 0700) != 0 || mkdir(store, 0700) != 0) {
        return wh_file_fail(err, "cannot make the folder", f->part);
    }
    return WH_OK;
}

int backup_folder_create(const struct backup_folder *f, const char *name, struct wh_err *err)
{
    char path[BACKUP_PATH_MAX];
    int fd = -1;

    if (path_in(f, name, path, err) == WH_OK) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        err->rc = fd < 0 ? wh_file_fail(err, "cannot make", path) : WH_OK;
    }
    return fd;
}

enum wh_rc backup_folder_check(const struct backup_folder *f, const char *name, int64_t bytes,
                               struct wh_slice digest, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    unsigned char has[WH_SHA256_BYTES];
    char path[BACKUP_PATH_MAX];
    struct stat st;

    wh_buf_init(&text, DIGEST_TEXT + 1);
    if (path_in(f, name, path, err) != WH_OK || wh_sha256_file(path, has, err) != WH_OK ||
        wh_hex_encode(wh_slice(has, sizeof(has)), &text, err) != WH_OK) {
        return err->rc;
    }
    if (stat(path, &st) != 0 || st.st_size != bytes || !wh_slice_eq(wh_buf_slice(&text), digest)) {
        return wh_fail(err, WH_E_CORRUPT, "%.150s did not arrive as it was sent", name);
    }
    return WH_OK;
}

enum wh_rc backup_folder_save(const struct backup_folder *f, const char *name,
                              struct wh_slice bytes, struct wh_err *err)
{
    char path[BACKUP_PATH_MAX];

    return path_in(f, name, path, err) == WH_OK ? wh_file_save(path, bytes, err) : err->rc;
}

enum wh_rc backup_folder_end(const struct backup_folder *f, struct wh_err *err)
{
    char store[BACKUP_PATH_MAX];

    if (path_in(f, "store", store, err) != WH_OK || wh_folder_sync(store, err) != WH_OK ||
        wh_folder_sync(f->part, err) != WH_OK) {
        return err->rc;
    }
    return rename(f->part, f->path) == 0 ? WH_OK : wh_file_fail(err, "cannot make", f->path);
}

static void remove_files(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        if (entry->d_type != DT_DIR) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)rmdir(folder);
}

void backup_folder_drop(const struct backup_folder *f)
{
    char store[BACKUP_PATH_MAX];
    struct wh_err err;

    if (path_in(f, "store", store, &err) == WH_OK) {
        remove_files(store);
        remove_files(f->part);
    }
}

enum wh_rc backup_folder_manifest(const char *dir, struct wh_buf *out, struct wh_err *err)
{
    char path[BACKUP_PATH_MAX];
    enum wh_rc rc = join(path, dir, "manifest.json", err);

    rc = rc == WH_OK ? wh_file_load(path, out, err) : rc;
    return rc == WH_E_NOT_FOUND
               ? wh_fail(err, rc, "%.150s is no backup: it has no manifest.json", dir)
               : rc;
}
