/* imported.h - columns of imported kinds that follow from what was imported. */
#ifndef WH_SINK_SQL_IMPORTED_H
#define WH_SINK_SQL_IMPORTED_H

#include "common/event/kind.h"
#include "stages/sink/sql/sql.h"

enum sql_imported {
    SQL_IMPORTED_SOURCE, /* the name that --source gave */
    SQL_IMPORTED_KEY,    /* the text of a field, as it was imported */
    SQL_IMPORTED_MONTHLY,
};

struct sql_imported_column {
    enum sql_imported what;
    const char *field; /* whose text a KEY is, which the kind must have */
    struct sql_column column;
};

/* The columns behind the fields of a kind, at most n of them; gives how many. */
enum { SQL_IMPORTED_MAX = 4 };
size_t sql_imported_columns(const struct wh_kind_def *kind,
                            const struct sql_imported_column *ret[SQL_IMPORTED_MAX]);
/* What an amount of one period is worth in a month, rounded half to even. False when that is not known. */
bool sql_imported_monthly(struct wh_slice period, int64_t amount, int64_t *ret);

/*
 * Is the field a key of a service or customer? Then its column has the id of the only one that claims the key,
 * and a column with this name and what people call it stands behind it. WH_KIND_NONE: it is not.
 */
enum wh_kind sql_imported_key(const struct wh_kind_def *kind, unsigned field,
                              struct sql_column ret[2]);

#endif
