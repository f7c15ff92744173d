#include "stages/sink/conversations/conversations.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"

enum { PATH_BYTES = 1024, READ_BYTES = 8192 };

#define SUFFIX ".json"

/* ---- ids and paths ---- */

enum wh_rc conversation_id_parse(struct wh_slice text, struct conversation_id *ret,
                                 struct wh_err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("0123456789abcdef", text.ptr[i]) == NULL || text.ptr[i] == '\0') {
            text.len = 0;
        }
    }
    if (text.len != CONVERSATION_ID) {
        return wh_fail(err, WH_E_INVALID, "a conversation's id has %d hexadecimal digits",
                       CONVERSATION_ID);
    }
    memcpy(ret->text, text.ptr, text.len);
    ret->text[text.len] = '\0';
    return WH_OK;
}

enum wh_rc conversation_id_new(struct conversation_id *ret, struct wh_err *err)
{
    unsigned char bytes[CONVERSATION_ID / 2];
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, CONVERSATION_ID);
    if (wh_random_bytes(bytes, sizeof(bytes), err) != WH_OK ||
        wh_hex_encode(wh_slice(bytes, sizeof(bytes)), &text, err) != WH_OK) {
        return err->rc;
    }
    return conversation_id_parse(wh_buf_slice(&text), ret, err);
}

static enum wh_rc path_of(const char *folder, const struct conversation_id *id, const char *end,
                          char ret[PATH_BYTES], struct wh_err *err)
{
    int n = snprintf(ret, PATH_BYTES, "%s/%s%s", folder, id->text, end);

    return n > 0 && n < PATH_BYTES
               ? WH_OK
               : wh_fail(err, WH_E_TOO_LARGE, "the path of the conversations is too long");
}

/* ---- one of them ---- */

static enum wh_rc read_all(int fd, struct wh_buf *out, struct wh_err *err)
{
    char bytes[READ_BYTES];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return wh_fail(err, WH_E_IO, "cannot read a conversation: error %d", errno);
        }
        if (wh_buf_append(out, wh_slice(bytes, (size_t)n), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc conversations_load(const char *folder, const struct conversation_id *id,
                              struct wh_buf *out, struct wh_err *err)
{
    char path[PATH_BYTES];
    enum wh_rc rc;
    int fd;

    if (path_of(folder, id, SUFFIX, path, err) != WH_OK) {
        return err->rc;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT
                   ? wh_fail(err, WH_E_NOT_FOUND, "there is no conversation %s", id->text)
                   : wh_fail(err, WH_E_IO, "cannot open a conversation: error %d", errno);
    }
    rc = read_all(fd, out, err);
    (void)close(fd);
    return rc;
}

static bool write_all(int fd, struct wh_slice text)
{
    ssize_t n = 0;

    for (; text.len && n >= 0; text = wh_slice_from(text, (size_t)n)) {
        n = write(fd, text.ptr, text.len);
        n = n < 0 && errno == EINTR ? 0 : n;
    }
    return n >= 0 && fsync(fd) == 0;
}

static enum wh_rc replace(const char *temp, const char *path, struct wh_slice text,
                          struct wh_err *err)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool written = fd >= 0 && write_all(fd, text);

    if (fd >= 0) {
        written = close(fd) == 0 && written;
    }
    return written && rename(temp, path) == 0
               ? WH_OK
               : wh_fail(err, WH_E_IO, "cannot write a conversation: error %d", errno);
}

enum wh_rc conversations_remove(const char *folder, const struct conversation_id *id,
                                struct wh_err *err)
{
    char path[PATH_BYTES];

    if (path_of(folder, id, SUFFIX, path, err) != WH_OK) {
        return err->rc;
    }
    if (unlink(path) == 0) {
        return WH_OK;
    }
    return errno == ENOENT ? wh_fail(err, WH_E_NOT_FOUND, "there is no conversation %s", id->text)
                           : wh_fail(err, WH_E_IO, "cannot delete a conversation: error %d", errno);
}

/* ---- all of them ---- */

struct entry {
    struct conversation_id id;
    struct timespec at;
};

static int newest_first(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;

    if (a->at.tv_sec != b->at.tv_sec) {
        return a->at.tv_sec < b->at.tv_sec ? 1 : -1;
    }
    if (a->at.tv_nsec != b->at.tv_nsec) {
        return a->at.tv_nsec < b->at.tv_nsec ? 1 : -1;
    }
    return strcmp(a->id.text, b->id.text);
}

/* One more than may be kept: it is the one that is deleted. */
enum { ENTRIES = CONVERSATIONS_MAX + 1 };

static size_t read_folder(const char *folder, struct entry list[ENTRIES])
{
    DIR *dir = opendir(folder);
    struct dirent *file;
    struct stat status;
    struct wh_err ignored;
    size_t n = 0;

    /* A directory stream of this call's own. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (dir && n < ENTRIES && (file = readdir(dir)) != NULL) {
        struct wh_slice name = wh_slice_str(file->d_name);

        if (wh_slice_ends(name, WH_LIT(SUFFIX)) &&
            conversation_id_parse(wh_slice(name.ptr, name.len - strlen(SUFFIX)), &list[n].id,
                                  &ignored) == WH_OK &&
            fstatat(dirfd(dir), file->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            list[n++].at = status.st_mtim;
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    qsort(list, n, sizeof(list[0]), newest_first);
    return n;
}

size_t conversations_list(const char *folder, struct conversation_id ret[CONVERSATIONS_MAX])
{
    struct entry list[ENTRIES];
    size_t n = read_folder(folder, list);

    n = n < CONVERSATIONS_MAX ? n : CONVERSATIONS_MAX;
    for (size_t i = 0; i < n; i++) {
        ret[i] = list[i].id;
    }
    return n;
}

enum wh_rc conversations_save(const char *folder, const struct conversation_id *id,
                              struct wh_slice document, struct wh_err *err)
{
    struct entry list[ENTRIES];
    char path[PATH_BYTES];
    char temp[PATH_BYTES];
    size_t n;

    if (document.len > CONVERSATION_MAX_BYTES) {
        return wh_fail(err, WH_E_TOO_LARGE, "the conversation is too long; begin another one");
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return wh_fail(err, WH_E_IO, "cannot make the folder of the conversations: error %d",
                       errno);
    }
    if (path_of(folder, id, SUFFIX, path, err) != WH_OK ||
        path_of(folder, id, ".new", temp, err) != WH_OK ||
        replace(temp, path, document, err) != WH_OK) {
        return err->rc;
    }
    n = read_folder(folder, list);
    return n > CONVERSATIONS_MAX ? conversations_remove(folder, &list[n - 1].id, err) : WH_OK;
}
