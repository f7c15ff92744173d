/*
 * index.h - the rows of a command, in a file without a name that vanishes with the process: by their identity, and in the
 * order in which they came. Memory stays constant whatever their number. Thread: one at a time.
 */
#ifndef WH_CLI_IMPORT_INDEX_H
#define WH_CLI_IMPORT_INDEX_H

#include "cli/import/row.h"

struct import_index;

struct import_entry {
    int64_t number; /* of the row, counted over all files */
    int64_t line;
    int64_t file;
    uint32_t shown;
    struct wh_hash128 content;
};

/* A row that waits to be sent. */
struct import_kept {
    int64_t kind;
    int64_t file;
    int64_t line;
    struct wh_slice identity;
    struct wh_slice payload;
};

enum import_list { IMPORT_LISTED, IMPORT_MISSING, IMPORT_LISTS };

WH_MUST_CHECK enum wh_rc import_index_new(struct import_index **ret, struct wh_err *err);
/* Accepts NULL. */
void import_index_free(struct import_index *index);
/* *ret_new false: a row of that id is there already; *entry is then that row. */
WH_MUST_CHECK enum wh_rc import_index_add(struct import_index *index, const struct wh_entity_id *id,
                                          struct import_entry *entry, bool *ret_new,
                                          struct wh_err *err);
WH_MUST_CHECK enum wh_rc import_index_find(struct import_index *index,
                                           const struct wh_entity_id *id, bool *ret_found,
                                           struct import_entry *ret, struct wh_err *err);
/* Appends a row to a list. */
WH_MUST_CHECK enum wh_rc import_index_keep(struct import_index *index, enum import_list list,
                                           const struct import_kept *row, struct wh_err *err);
/* The next call gives the first row of the list. */
void import_index_rewind(struct import_index *index, enum import_list list);
/* *ret_any false at the end. The slices are valid until the next call. */
WH_MUST_CHECK enum wh_rc import_index_next(struct import_index *index, enum import_list list,
                                           bool *ret_any, struct import_kept *ret,
                                           struct wh_err *err);

#endif
