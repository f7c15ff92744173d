/*
 * index.h - the rows of a command, in a file without a name that vanishes with the process: in the order in which they
 * came and, once all are there, by their identity. Memory stays constant whatever their number.
 *
 *   import_index_keep for each row; import_index_seal; then import_index_find, import_index_next
 *
 * Thread: one at a time.
 */
#ifndef WH_CLI_IMPORT_INDEX_H
#define WH_CLI_IMPORT_INDEX_H

#include "cli/import/row.h"

struct import_index;

/* A row. Of a missing one only kind and identity are known. */
struct import_kept {
    int64_t kind;
    int64_t file;
    int64_t line;
    struct wh_entity_id id;
    uint32_t shown;
    struct wh_hash128 content;
    struct wh_slice identity;
    struct wh_slice payload;
};

/* What import_index_find gives of a row. */
struct import_entry {
    int64_t number; /* of the row, counted from 0 in the order of keeping */
    uint32_t shown;
    struct wh_hash128 content;
};

/* A row whose identity an earlier row has. */
struct import_twice {
    int64_t number;
    int64_t kind;
    int64_t file;
    int64_t line;
    int64_t first_file;
    int64_t first_line;
};

enum import_list { IMPORT_LISTED, IMPORT_MISSING, IMPORT_LISTS };

WH_MUST_CHECK enum wh_rc import_index_new(struct import_index **ret, struct wh_err *err);
/* Accepts NULL. */
void import_index_free(struct import_index *index);
/* Appends a row to a list. */
WH_MUST_CHECK enum wh_rc import_index_keep(struct import_index *index, enum import_list list,
                                           const struct import_kept *row, struct wh_err *err);
/* Sorts the listed rows by identity, and calls twice for each that is there already, in the order of their identity. */
WH_MUST_CHECK enum wh_rc import_index_seal(struct import_index *index,
                                           void (*twice)(void *ctx, const struct import_twice *t),
                                           void *ctx, struct wh_err *err);
/* The first listed row of that id. */
WH_MUST_CHECK enum wh_rc import_index_find(struct import_index *index,
                                           const struct wh_entity_id *id, bool *ret_found,
                                           struct import_entry *ret, struct wh_err *err);
/* The next call gives the first row of the list. */
void import_index_rewind(struct import_index *index, enum import_list list);
/* *ret_any false at the end. kind, file, line, identity and payload are set; the slices are valid until the next
 * call. */
WH_MUST_CHECK enum wh_rc import_index_next(struct import_index *index, enum import_list list,
                                           bool *ret_any, struct import_kept *ret,
                                           struct wh_err *err);

#endif
