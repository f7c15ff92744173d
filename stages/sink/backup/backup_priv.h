/* backup_priv.h - what the files of this room share. */
#ifndef WH_SINK_BACKUP_PRIV_H
#define WH_SINK_BACKUP_PRIV_H

#include "common/base/buf.h"
#include "common/base/file.h"
#include "stages/sink/backup/backup.h"
#include "stages/sink/status/status.h"
#include "stages/sink/store/data_folder.h"
#include "stages/sink/store/keyspace.h"

enum {
    BACKUP_FORMAT = 1,
    BACKUP_NAME_MAX = 64, /* of a file, its NUL included */
    BACKUP_DIGEST_TEXT = 64,
    BACKUP_FILES_MAX = 1 << 16,
    BACKUP_OFFSETS_MAX_BYTES = 4 << 20,
    BACKUP_MANIFEST_MAX_BYTES = 32 << 20,
};

struct backup_file {
    char name[BACKUP_NAME_MAX]; /* in the folder store */
    int64_t bytes;
    char sha256[BACKUP_DIGEST_TEXT + 1]; /* hexadecimal */
};

struct backup_files {
    struct backup_file *items; /* by name */
    size_t n;
    int64_t bytes;
};

/* What a store has, read from end to end. */
struct backup_count {
    uint64_t sequence;
    struct sink_kind_counts kinds[WH_KIND_COUNT]; /* that the store has of itself */
    int64_t keys[SINK_FAMILY_COUNT];
    struct wh_buf offsets; /* JSON: elements of an array */
};

struct backup_manifest {
    int64_t made_at_ms;
    int64_t store_format;
    struct backup_count count;
    struct backup_files files;
    struct sink_backup_summary said; /* of one that was read */
};

bool backup_go_on(const struct sink_backup_watch *watch, enum sink_backup_step step, int64_t done,
                  int64_t total);
WH_MUST_CHECK enum wh_rc backup_canceled(struct wh_err *err);

/* ---- files.c ---- */

WH_MUST_CHECK enum wh_rc backup_join(char ret[SINK_PATH_MAX], const char *folder, const char *name,
                                     struct wh_err *err);
/* Can the name be that of a file of a checkpoint? */
bool backup_name_ok(struct wh_slice name);
/* The files of a folder with their lengths, but for RocksDB's own logs and lock. */
WH_MUST_CHECK enum wh_rc backup_list(const char *folder, struct backup_files *ret,
                                     struct wh_err *err);
void backup_files_done(struct backup_files *files);
WH_MUST_CHECK enum wh_rc backup_digest(const char *folder, struct backup_files *files,
                                       const struct sink_backup_watch *watch, struct wh_err *err);
WH_MUST_CHECK enum wh_rc backup_copy(const char *from, const char *to,
                                     const struct backup_files *files,
                                     const struct sink_backup_watch *watch, struct wh_err *err);

/* Removes what a failure leaves, if it can; the failure itself is what the caller tells. */
void backup_drop(const char *folder);

/* ---- count.c ---- */

/* Opens the store and reads all of it. expected: how many keys there will be; -1: not known. */
WH_MUST_CHECK enum wh_rc backup_count_store(const char *path, int64_t expected,
                                            const struct sink_backup_watch *watch,
                                            struct backup_count *ret, struct wh_err *err);
void backup_count_done(struct backup_count *count);
/* Does it open, and has it any entity? What does not open may have some. */
bool backup_has_rows(const char *path);
void backup_summarize(const struct backup_manifest *m, struct sink_backup_summary *ret);

/* ---- manifest.c ---- */

WH_MUST_CHECK enum wh_rc backup_manifest_write(const struct backup_manifest *m, const char *folder,
                                               struct wh_err *err);
WH_MUST_CHECK enum wh_rc backup_manifest_read(const char *folder, struct backup_manifest *ret,
                                              struct wh_err *err);
void backup_manifest_done(struct backup_manifest *m);

#endif
