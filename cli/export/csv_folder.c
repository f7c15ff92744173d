/* A folder of CSV files. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/export/target.h"
#include "cli/out/value.h"
#include "common/base/csv.h"
#include "common/base/file.h"
#include "common/base/mem.h"

enum { PIECE_BYTES = 1 << 20, LINE_MAX_BYTES = 128 << 20 };

struct csv_target {
    struct export_target base;
    char path[EXPORT_PATH_MAX];
    char part[EXPORT_PATH_MAX];
    char file[EXPORT_PATH_MAX];
    int fd;
    int64_t rows; /* written */
    struct wh_buf text;
};

enum wh_rc export_paths(const char *path, char part[EXPORT_PATH_MAX], struct wh_err *err)
{
    if (strlen(path) == 0 || strlen(path) > EXPORT_PATH_MAX - 128 ||
        path[strlen(path) - 1] == '/') {
        return wh_fail(err, WH_E_INVALID, "the path does not name what to make, or is too long");
    }
    (void)snprintf(part, EXPORT_PATH_MAX, "%.3968s.part", path);
    if (access(path, F_OK) == 0 || access(part, F_OK) == 0) {
        return wh_fail(err, WH_E_EXISTS, "%.150s exists already",
                       access(path, F_OK) == 0 ? path : part);
    }
    return WH_OK;
}

static struct csv_target *of(struct export_target *t)
{
    return (struct csv_target *)t;
}

static enum wh_rc put(struct csv_target *t, bool all, struct wh_err *err)
{
    if (!all && t->text.len < PIECE_BYTES) {
        return WH_OK;
    }
    if (wh_file_write(t->fd, wh_buf_slice(&t->text), t->file, err) != WH_OK) {
        return err->rc;
    }
    wh_buf_reset(&t->text);
    return WH_OK;
}

static enum wh_rc begin_table(struct export_target *base, const char *name,
                              const struct export_column *columns, size_t n, struct wh_err *err)
{
    struct csv_target *t = of(base);
    enum wh_rc rc = WH_OK;

    t->rows = 0;
    wh_buf_reset(&t->text);
    (void)snprintf(t->file, sizeof(t->file), "%.3980s/%.64s.csv", t->part, name);
    t->fd = open(t->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (t->fd < 0) {
        return wh_file_fail(err, "cannot make", t->file);
    }
    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        rc = wh_buf_printf(&t->text, err, "%s%s", i ? "," : "", columns[i].name);
    }
    return rc == WH_OK ? wh_buf_append_char(&t->text, '\n', err) : rc;
}

static enum wh_rc add_value(struct csv_target *t, struct wh_json_val v, struct wh_err *err)
{
    switch (wh_json_type(v)) {
    case WH_JSON_NULL:
        return WH_OK;
    case WH_JSON_STRING:
        return wh_csv_text(wh_json_string(v), false, &t->text, err);
    case WH_JSON_OBJECT:
        return wh_csv_text(wh_json_get_str(v, "encoded"), false, &t->text, err);
    case WH_JSON_BOOL:
    case WH_JSON_INT:
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
    case WH_JSON_ARRAY:
    default:
        cli_value_text(v, &t->text);
        return WH_OK;
    }
}

static enum wh_rc add_row(struct export_target *base, struct wh_json_val row, struct wh_err *err)
{
    struct csv_target *t = of(base);
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val v;

    for (bool first = true; wh_json_next(&it, NULL, &v); first = false) {
        if ((!first && wh_buf_append_char(&t->text, ',', err) != WH_OK) ||
            add_value(t, v, err) != WH_OK) {
            return err->rc;
        }
    }
    t->rows++;
    return wh_buf_append_char(&t->text, '\n', err) == WH_OK ? put(t, false, err) : err->rc;
}

static enum wh_rc end_table(struct export_target *base, int64_t *ret_rows, struct wh_err *err)
{
    struct csv_target *t = of(base);
    enum wh_rc rc = put(t, true, err);

    if (rc == WH_OK && fsync(t->fd) != 0) {
        rc = wh_file_fail(err, "cannot write", t->file);
    }
    (void)close(t->fd);
    t->fd = -1;
    *ret_rows = t->rows;
    return rc;
}

static void drop(const char *folder)
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

static enum wh_rc close_folder(struct export_target *base, bool done, struct wh_err *err)
{
    struct csv_target *t = of(base);
    enum wh_rc rc = WH_OK;

    if (t->fd >= 0) {
        (void)close(t->fd);
    }
    rc = done ? wh_folder_sync(t->part, err) : rc;
    if (done && rc == WH_OK && rename(t->part, t->path) != 0) {
        rc = wh_file_fail(err, "cannot make", t->path);
    }
    if (!done || rc != WH_OK) {
        drop(t->part);
    }
    wh_buf_done(&t->text);
    wh_mem_free(t);
    return rc;
}

static const struct export_target_ops csv_ops = {
    .table = begin_table, .row = add_row, .table_end = end_table, .close = close_folder};

enum wh_rc export_csv_open(const char *folder, struct export_target **ret, struct wh_err *err)
{
    struct csv_target *t = wh_mem_zalloc(1, sizeof(*t));

    if (t == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an export");
    }
    t->base.ops = &csv_ops;
    t->fd = -1;
    wh_buf_init(&t->text, LINE_MAX_BYTES);
    if (export_paths(folder, t->part, err) != WH_OK) {
        wh_mem_free(t);
        return err->rc;
    }
    (void)snprintf(t->path, sizeof(t->path), "%s", folder);
    if (mkdir(t->part, 0700) != 0) {
        (void)wh_file_fail(err, "cannot make the folder", t->part);
        wh_mem_free(t);
        return err->rc;
    }
    *ret = &t->base;
    return WH_OK;
}
