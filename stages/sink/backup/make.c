/* Makes a backup of a store, and proves that it is whole before it says so. */
#include <stdio.h>
#include <sys/stat.h>

#include "stages/sink/backup/backup_priv.h"

static const struct {
    const char *name;
    const char *unit;
} steps[SINK_BACKUP_STEPS] = {
    [SINK_BACKUP_COPYING] = {"copying", "bytes"},
    [SINK_BACKUP_COUNTING] = {"counting", "keys"},
    [SINK_BACKUP_DIGESTING] = {"checking", "bytes"},
};

const char *sink_backup_step_name(enum sink_backup_step step)
{
    return steps[step].name;
}

const char *sink_backup_step_unit(enum sink_backup_step step)
{
    return steps[step].unit;
}

static enum wh_rc fill(struct wh_store *store, const char *folder,
                       const struct sink_backup_watch *watch, struct backup_manifest *m,
                       struct wh_err *err)
{
    char path[SINK_PATH_MAX];

    if (!backup_go_on(watch, SINK_BACKUP_COPYING, 0, -1)) {
        return backup_canceled(err);
    }
    if (backup_join(path, folder, "store", err) != WH_OK ||
        wh_store_checkpoint(store, path, err) != WH_OK ||
        backup_count_store(path, -1, watch, &m->count, err) != WH_OK ||
        backup_list(path, &m->files, err) != WH_OK ||
        backup_digest(path, &m->files, watch, err) != WH_OK) {
        return err->rc;
    }
    return backup_manifest_write(m, folder, err);
}

enum wh_rc sink_backup_make(struct wh_store *store, const char *folder, struct wh_clock clock,
                            const struct sink_backup_watch *watch, struct sink_backup_summary *ret,
                            struct wh_err *err)
{
    struct backup_manifest m = {.made_at_ms = wh_clock_now_ms(&clock)};
    enum wh_rc rc;

    if (mkdir(folder, 0700) != 0) {
        return wh_file_fail(err, "cannot make the folder", folder);
    }
    rc = fill(store, folder, watch, &m, err);
    if (rc == WH_OK) {
        backup_summarize(&m, ret);
    } else {
        backup_drop(folder);
    }
    backup_manifest_done(&m);
    return rc;
}
