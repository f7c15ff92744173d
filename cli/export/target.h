/*
 * target.h - where an export goes: a file of SQLite with a typed table for each table, or a folder with a CSV file for
 * each. Nothing has the name that was asked for before all of it is there and counted; a failure leaves nothing.
 *
 *   open -> (table -> row ... -> table_end) ... -> close
 *
 * Thread: app. Memory: one row.
 */
#ifndef WH_CLI_EXPORT_TARGET_H
#define WH_CLI_EXPORT_TARGET_H

#include "common/base/buf.h"
#include "common/json/json_doc.h"

enum { EXPORT_COLUMNS_MAX = 256, EXPORT_PATH_MAX = 4096 };

struct export_column {
    char name[64];
    const char *type; /* TEXT, INTEGER, REAL; static */
};

struct export_target;
struct export_target_ops {
    enum wh_rc (*table)(struct export_target *t, const char *name,
                        const struct export_column *columns, size_t n, struct wh_err *err);
    enum wh_rc (*row)(struct export_target *t, struct wh_json_val row, struct wh_err *err);
    /* *ret_rows: as many as can be counted in what was written. */
    enum wh_rc (*table_end)(struct export_target *t, int64_t *ret_rows, struct wh_err *err);
    /* done: gives it its name. Frees t in any case. */
    enum wh_rc (*close)(struct export_target *t, bool done, struct wh_err *err);
};
struct export_target {
    const struct export_target_ops *ops;
};

/* WH_E_EXISTS when there is something of that name, or the rest of an export. */
WH_MUST_CHECK enum wh_rc export_sqlite_open(const char *file, struct export_target **ret,
                                            struct wh_err *err);
WH_MUST_CHECK enum wh_rc export_csv_open(const char *folder, struct export_target **ret,
                                         struct wh_err *err);

/* path and path.part; WH_E_EXISTS, WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc export_paths(const char *path, char part[EXPORT_PATH_MAX],
                                      struct wh_err *err);

#endif
