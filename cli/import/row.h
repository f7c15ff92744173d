/*
 * row.h - one row of a file: its values are checked, and become the payload of a raw event.
 *
 *   import_row_begin; import_row_text or import_row_json for each value; import_row_end
 *
 * A wrong value is reported and the row goes on, so that all mistakes of a row are found at once.
 * Thread: one at a time.
 */
#ifndef WH_CLI_IMPORT_ROW_H
#define WH_CLI_IMPORT_ROW_H

#include <stdint.h>

#include "cli/import/kinds.h"
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/event/entity.h"
#include "common/json/json_doc.h"

/* Receives what is wrong. The slices are valid during the call. */
struct import_report {
    void (*wrong)(void *ctx, int64_t line, struct wh_slice column, const char *reason);
    void *ctx;
};

/* A row that is right. The slices are valid until the next row begins. */
struct import_record {
    int64_t line;
    struct wh_entity_id id;
    struct wh_slice identity; /* the raw event's object_id */
    struct wh_slice payload;  /* a JSON object */
    uint32_t shown; /* bit i: column i of the kind is compared; bit 31: the other columns */
    struct wh_hash128 content; /* of what is shown; as import_stored_content */
};

/* Receives each row in turn, and whether it is right; what is wrong has been reported by then. */
struct import_rows {
    enum wh_rc (*row)(void *ctx, bool good, const struct import_record *record, struct wh_err *err);
    /* The columns that the kind does not have, once for each file of CSV. */
    void (*other)(void *ctx, struct wh_slice column);
    void *ctx;
};

struct import_row;

/* NULL when out of memory. instance is that of the connection, for entity ids; it is borrowed. */
struct import_row *import_row_new(struct wh_slice instance, const struct import_report *report);
/* Accepts NULL. */
void import_row_free(struct import_row *row);

/* Begins a row, of which line is the first. */
void import_row_begin(struct import_row *row, const struct import_kind *kind, int64_t line);
/* Reports that something is wrong with the row itself. */
void import_row_wrong(struct import_row *row, struct wh_slice column, const char *reason);
/* The row is wrong for a reason that the header's report has given: the file lacks the column (-1: another reason). */
void import_row_lacks(struct import_row *row, int column);
/* A cell of CSV: of that column of the kind, or with -1 of another one, which has this name. Both are borrowed until
 * import_row_end. */
void import_row_text(struct import_row *row, int i, struct wh_slice column, struct wh_slice text);
/* A member of a JSON object; both are borrowed until import_row_end. */
void import_row_json(struct import_row *row, struct wh_slice column, struct wh_json_val value);
/* False when the row is wrong, which has been reported, or in its place has an error of the command's (err). */
WH_MUST_CHECK enum wh_rc import_row_end(struct import_row *row, bool *ret_good,
                                        struct import_record *ret, struct wh_err *err);

/*
 * The content of a row as the sink has it, to compare with import_record.content: the next values are those of
 * the kind's columns that are stored, in the table's order, and then attributes. `shown` chooses.
 */
WH_MUST_CHECK enum wh_rc import_stored_content(struct import_row *row,
                                               const struct import_kind *kind, uint32_t shown,
                                               struct wh_json_iter *values, struct wh_hash128 *ret,
                                               struct wh_err *err);

#endif
