/* formats.h - the formats of files, for reader.c. The input is behind a byte order mark. */
#ifndef WH_CLI_IMPORT_FORMATS_H
#define WH_CLI_IMPORT_FORMATS_H

#include "cli/import/input.h"
#include "cli/import/row.h"

/* As import_read. */
WH_MUST_CHECK enum wh_rc import_read_csv(struct import_input *in, const struct import_kind *kind,
                                         struct import_row *row, const struct import_rows *rows,
                                         struct wh_err *err);
WH_MUST_CHECK enum wh_rc import_read_json(struct import_input *in, const struct import_kind *kind,
                                          struct import_row *row, const struct import_rows *rows,
                                          struct wh_err *err);

#endif
