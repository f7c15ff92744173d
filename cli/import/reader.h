/*
 * reader.h - files of rows: CSV with a header (RFC 4180), a JSON array, or JSON Lines. Each is read in pieces, so that
 * a file of any length needs the memory of one row. Thread: one at a time.
 */
#ifndef WH_CLI_IMPORT_READER_H
#define WH_CLI_IMPORT_READER_H

#include "cli/import/row.h"

struct import_file {
    const char *name; /* its ending tells the format; where it does not, the first byte */
    int fd;
    const struct import_kind *kind;
};

/*
 * Reads to the end. What is wrong with a row, or with the file as a whole, is reported by the row's report and is no
 * error; WH_E_IO and the errors of rows are.
 */
WH_MUST_CHECK enum wh_rc import_read(const struct import_file *file, struct import_row *row,
                                     const struct import_rows *rows, struct wh_err *err);

#endif
