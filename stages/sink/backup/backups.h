/*
 * backups.h - the backups that a running sink makes: one at a time, on a thread of its own, while the writer goes
 * on. The newest one stays in its folder until it is removed, or until the next one is made.
 *
 *   <folder>/<time>/   a backup (backup.h)
 *
 * Thread: any for all functions but new and free.
 */
#ifndef WH_SINK_BACKUPS_H
#define WH_SINK_BACKUPS_H

#include "common/log/log.h"
#include "stages/sink/backup/backup.h"

struct sink_backups;

enum sink_backups_state {
    SINK_BACKUPS_NONE,
    SINK_BACKUPS_MAKING,
    SINK_BACKUPS_MADE,
    SINK_BACKUPS_FAILED
};
enum { SINK_BACKUP_NAME_MAX = 32 };

struct sink_backups_status {
    enum sink_backups_state state;
    char name[SINK_BACKUP_NAME_MAX]; /* of the newest one; empty: none was made since the start */
    enum sink_backup_step step;      /* while it is made, as the two below */
    int64_t done;
    int64_t total;
    struct sink_backup_summary summary; /* of one that is made */
    struct wh_err err;                  /* of one that failed */
};

/* The store and the log are kept, and so is the folder's path, which is made with the first backup. */
WH_MUST_CHECK enum wh_rc sink_backups_new(struct wh_store *store, const char *folder,
                                          struct wh_clock clock, struct wh_log *log,
                                          struct sink_backups **ret, struct wh_err *err);
/* Ends one that is being made, and removes it. Accepts NULL. */
void sink_backups_free(struct sink_backups *b);
/* Begins the next one, and removes the last one. WH_E_BUSY while one is being made. */
WH_MUST_CHECK enum wh_rc sink_backups_begin(struct sink_backups *b, struct wh_err *err);
void sink_backups_status(struct sink_backups *b, struct sink_backups_status *ret);
/*
 * Opens a file of the newest backup for reading: "manifest.json", or one of the folder store. WH_E_NOT_FOUND for
 * any other name, and for another backup.
 */
WH_MUST_CHECK enum wh_rc sink_backups_open(struct sink_backups *b, struct wh_slice name,
                                           struct wh_slice file, int *ret_fd, int64_t *ret_bytes,
                                           struct wh_err *err);
/* Removes the backup of that name. WH_E_NOT_FOUND, WH_E_BUSY while it is being made. */
WH_MUST_CHECK enum wh_rc sink_backups_remove(struct sink_backups *b, struct wh_slice name,
                                             struct wh_err *err);

#endif
