/*
 * folder.h - the folder of a backup on this machine: how its files are written, compared with their digests, and named
 * when all of them are there.
 *
 *   <dir>.part/   while it is made; renamed to <dir> at the end
 *   <dir>/        manifest.json and store/..., as stages/sink/backup/backup.h says
 *
 * Thread: app.
 */
#ifndef WH_CLI_BACKUP_FOLDER_H
#define WH_CLI_BACKUP_FOLDER_H

#include "common/base/buf.h"
#include "common/json/json_doc.h"

enum { BACKUP_PATH_MAX = 4096, BACKUP_MANIFEST_MAX = 32 << 20 };

struct backup_folder {
    char path[BACKUP_PATH_MAX];
    char part[BACKUP_PATH_MAX];
};

/* Makes <dir>.part and its store. WH_E_EXISTS when one of the two is there already. */
WH_MUST_CHECK enum wh_rc backup_folder_begin(struct backup_folder *f, const char *dir,
                                             struct wh_err *err);
/* Creates a file of it for writing; gives its descriptor, or -1 with *err set. */
int backup_folder_create(const struct backup_folder *f, const char *name, struct wh_err *err);
/* WH_E_CORRUPT unless that file has this length and digest (hexadecimal SHA-256). */
WH_MUST_CHECK enum wh_rc backup_folder_check(const struct backup_folder *f, const char *name,
                                             int64_t bytes, struct wh_slice digest,
                                             struct wh_err *err);
/* Writes a whole file, durably. */
WH_MUST_CHECK enum wh_rc backup_folder_save(const struct backup_folder *f, const char *name,
                                            struct wh_slice bytes, struct wh_err *err);
/* Gives it its name. */
WH_MUST_CHECK enum wh_rc backup_folder_end(const struct backup_folder *f, struct wh_err *err);
/* Removes what was made of it. */
void backup_folder_drop(const struct backup_folder *f);

/* Reads <dir>/manifest.json. WH_E_NOT_FOUND: that is no backup. */
WH_MUST_CHECK enum wh_rc backup_folder_manifest(const char *dir, struct wh_buf *out,
                                                struct wh_err *err);

#endif
