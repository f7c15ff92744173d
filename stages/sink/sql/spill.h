/* spill.h - bytes that grow in memory first and then in an unlinked, mapped file. Thread: one. */
#ifndef WH_SINK_SQL_SPILL_H
#define WH_SINK_SQL_SPILL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct sql_spill {
    char *ptr; /* moves when it grows; aligned for any type */
    size_t cap;
    int fd; /* of the file; -1 while the bytes are in memory */
    const char *folder;
    size_t memory_max;
    size_t *file_bytes; /* of all files that share the limit */
    size_t file_max;
};

/* folder NULL: no file. The folder and *file_bytes are kept. */
void sql_spill_init(struct sql_spill *s, const char *folder, size_t memory_max, size_t *file_bytes,
                    size_t file_max);
/* Makes room for `bytes` in all, new ones undefined. WH_E_TOO_LARGE past the limit, WH_E_NO_SPACE
 * without a file or room on the disk; the bytes stay as they are. */
WH_MUST_CHECK enum wh_rc sql_spill_reserve(struct sql_spill *s, size_t bytes, struct wh_err *err);
void sql_spill_done(struct sql_spill *s);

#endif
