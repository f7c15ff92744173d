/*
 * backup.h - a copy of the store in a folder of its own that proves that it is whole, and the way back.
 *
 *   <folder>/manifest.json   made_at, version, store_format, sequence; rows of each kind, keys of each family, next
 *                            offset of each partition; each file with its length and SHA-256. Written last.
 *   <folder>/store/...       the files of a checkpoint of RocksDB
 *
 * A checkpoint holds the offsets of what is in it, so a sink that starts on it goes on where the backup ends. On the
 * file system of the store it costs no room at first: its files are links. The writer goes on while it is made.
 *
 * Thread: any; each call for itself.
 */
#ifndef WH_SINK_BACKUP_H
#define WH_SINK_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/time.h"
#include "common/store/store.h"
#include "stages/sink/store/data_folder.h"

enum sink_backup_step {
    SINK_BACKUP_COPYING,   /* bytes; total -1 while RocksDB makes the checkpoint */
    SINK_BACKUP_COUNTING,  /* keys; total -1 when it is not known */
    SINK_BACKUP_DIGESTING, /* bytes */
    SINK_BACKUP_STEPS
};

/* "copying", "counting", "checking": what is done, and of what done and total are numbers: "bytes", "keys". */
const char *sink_backup_step_name(enum sink_backup_step step);
const char *sink_backup_step_unit(enum sink_backup_step step);

/* Called every few milliseconds; false ends the work with WH_E_CANCELED. */
struct sink_backup_watch {
    bool (*go_on)(void *ctx, enum sink_backup_step step, int64_t done, int64_t total);
    void *ctx;
};

/* What is in it. */
struct sink_backup_summary {
    int64_t entities; /* deleted ones included */
    int64_t revisions;
    int64_t bytes;
    int64_t files;
};

/*
 * Makes a backup in the folder, which must not exist and is removed again after a failure. It is opened, every key of
 * it is read and counted, and the numbers must be those that the store has of itself. WH_E_EXISTS, WH_E_NO_SPACE,
 * WH_E_IO, WH_E_CORRUPT, WH_E_CANCELED.
 */
WH_MUST_CHECK enum wh_rc sink_backup_make(struct wh_store *store, const char *folder,
                                          struct wh_clock clock,
                                          const struct sink_backup_watch *watch,
                                          struct sink_backup_summary *ret, struct wh_err *err);

struct sink_restore_conf {
    const char *from;      /* a backup's folder */
    const char *data_path; /* that of the sink (data_folder.h) */
    const char
        *confirm; /* the name of the store that it replaces; "": replaces none that has rows */
};

/*
 * Copies a backup beside the store in use, compares every file with its digest, opens it, counts it, and makes it the store
 * in use. The old store stays, in its folder. A sink that runs on the data path goes on with the old one until it is
 * started again. *ret_path is the new store. WH_E_EXISTS: there are rows, and confirm is not the name of
 * that store. WH_E_CORRUPT: the backup is damaged or incomplete. WH_E_UNSUPPORTED: its format is another one's.
 */
WH_MUST_CHECK enum wh_rc sink_restore(const struct sink_restore_conf *conf,
                                      const struct sink_backup_watch *watch,
                                      char ret_path[SINK_PATH_MAX], struct sink_backup_summary *ret,
                                      struct wh_err *err);

/* Removes a backup's folder. Accepts one that is not there. */
WH_MUST_CHECK enum wh_rc sink_backup_remove(const char *folder, struct wh_err *err);

#endif
