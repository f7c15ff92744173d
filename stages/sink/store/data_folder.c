#include "stages/sink/store/data_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/num.h"
#include "common/base/slice.h"

static const char store_prefix[] = "store-";

static enum wh_rc join(char ret[SINK_PATH_MAX], struct wh_err *err, const char *dir,
                       const char *name)
{
    int n = snprintf(ret, SINK_PATH_MAX, "%s/%s", dir, name);

    if (n < 0 || n >= SINK_PATH_MAX) {
        return wh_fail(err, WH_E_CONFIG, "data.path is too long");
    }
    return WH_OK;
}

static enum wh_rc fail_errno(struct wh_err *err, const char *what, const char *path)
{
    int code = errno;
    char text[64];

    return wh_fail(err, code == ENOSPC ? WH_E_NO_SPACE : WH_E_CONFIG, "%s %.150s: %s", what, path,
                   strerror_r(code, text, sizeof(text)));
}

/* Creates the folder and its parents. */
static enum wh_rc make_folder(const char *path, struct wh_err *err)
{
    char part[SINK_PATH_MAX];

    if (strlen(path) >= sizeof(part)) {
        return wh_fail(err, WH_E_CONFIG, "data.path is too long");
    }
    for (size_t i = 1;; i++) {
        if (path[i - 1] == '\0') {
            return WH_OK;
        }
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return fail_errno(err, "cannot make the folder", part);
        }
    }
}

static enum wh_rc read_link(const char *data_path, char name[64], struct wh_err *err)
{
    char path[SINK_PATH_MAX];
    ssize_t n;

    if (join(path, err, data_path, "current") != WH_OK) {
        return err->rc;
    }
    name[0] = '\0';
    n = readlink(path, name, 63);
    if (n < 0) {
        return errno == ENOENT ? WH_OK : fail_errno(err, "cannot read the link", path);
    }
    name[n] = '\0';
    return WH_OK;
}

/* The number of the store in use, 0 when there is none. */
static enum wh_rc current_number(const char *data_path, int64_t *ret, struct wh_err *err)
{
    char name[64] = "";

    *ret = 0;
    if (read_link(data_path, name, err) != WH_OK) {
        return err->rc;
    }
    if (name[0] == '\0') {
        return WH_OK;
    }
    if (strncmp(name, store_prefix, sizeof(store_prefix) - 1) != 0 ||
        wh_num_i64(wh_slice_str(name + sizeof(store_prefix) - 1), ret, err) != WH_OK || *ret < 1) {
        return wh_fail(err, WH_E_CONFIG, "%.150s/current does not point to a store-<number>",
                       data_path);
    }
    return WH_OK;
}

static enum wh_rc store_path(const char *data_path, int64_t number, char ret[SINK_PATH_MAX],
                             struct wh_err *err)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s%lld", store_prefix, (long long)number);
    return join(ret, err, data_path, name);
}

enum wh_rc sink_data_switch(const char *data_path, const char *path, struct wh_err *err)
{
    char link[SINK_PATH_MAX];
    char temp[SINK_PATH_MAX];
    const char *name = strrchr(path, '/');
    int fd;

    if (join(link, err, data_path, "current") != WH_OK ||
        join(temp, err, data_path, "current.new") != WH_OK) {
        return err->rc;
    }
    if (unlink(temp) != 0 && errno != ENOENT) {
        return fail_errno(err, "cannot remove", temp);
    }
    if (symlink(name ? name + 1 : path, temp) != 0 || rename(temp, link) != 0) {
        return fail_errno(err, "cannot make the link", link);
    }
    fd = open(data_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    return WH_OK;
}

enum wh_rc sink_data_current(const char *data_path, char ret[SINK_PATH_MAX], struct wh_err *err)
{
    int64_t number;

    if (make_folder(data_path, err) != WH_OK || current_number(data_path, &number, err) != WH_OK) {
        return err->rc;
    }
    if (number > 0) {
        return store_path(data_path, number, ret, err);
    }
    if (store_path(data_path, 1, ret, err) != WH_OK) {
        return err->rc;
    }
    return sink_data_switch(data_path, ret, err);
}

enum wh_rc sink_data_next(const char *data_path, char ret[SINK_PATH_MAX], struct wh_err *err)
{
    int64_t number;

    if (make_folder(data_path, err) != WH_OK || current_number(data_path, &number, err) != WH_OK) {
        return err->rc;
    }
    return store_path(data_path, number + 1, ret, err);
}

enum wh_rc sink_data_unused(const char *data_path, char ret[SINK_PATH_MAX], struct wh_err *err)
{
    int64_t number;
    struct stat st;

    if (make_folder(data_path, err) != WH_OK || current_number(data_path, &number, err) != WH_OK) {
        return err->rc;
    }
    do {
        if (store_path(data_path, ++number, ret, err) != WH_OK) {
            return err->rc;
        }
    } while (stat(ret, &st) == 0);
    return WH_OK;
}
