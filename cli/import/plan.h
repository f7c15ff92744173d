/*
 * plan.h - what an import is going to do: the right rows of its files, compared with the rows that the sink has.
 *
 *   import_plan_new; import_plan_read for each file; import_plan_seal; import_plan_compare; then rows with
 *   import_plan_next
 *
 * Rows wait in a file without a name, so memory stays constant. Thread: one at a time.
 */
#ifndef WH_CLI_IMPORT_PLAN_H
#define WH_CLI_IMPORT_PLAN_H

#include "cli/core/cli.h"
#include "cli/import/reader.h"

enum {
    IMPORT_KINDS_MAX = 8,
    IMPORT_INSTANCE_MAX = 80,
    IMPORT_ERRORS_KEPT = 1000, /* in the answer to --json */
};

struct import_count {
    const struct import_kind *kind;
    bool given; /* a file of that kind was given */
    int64_t rows;
    int64_t added;
    int64_t changed;
    int64_t same;
    int64_t missing; /* the sink has them, and no file does */
};

/* A row to be sent. The slices are valid until the next one. */
struct import_item {
    const struct import_kind *kind;
    bool gone; /* the row is not listed any more */
    const char *file;
    int64_t line;
    struct wh_slice identity;
    struct wh_slice payload;
};

struct import_plan;

/* source is the name that --source gives. It and cli are borrowed. */
WH_MUST_CHECK enum wh_rc import_plan_new(struct cli *cli, const char *source,
                                         struct import_plan **ret, struct wh_err *err);
/* Accepts NULL. */
void import_plan_free(struct import_plan *plan);

/* Reads a file; what is wrong with it is printed at once. name is kept. */
WH_MUST_CHECK enum wh_rc import_plan_read(struct import_plan *plan, const struct import_file *file,
                                          struct wh_err *err);
/* After the last file: finds rows that are there twice, of which the first counts. */
WH_MUST_CHECK enum wh_rc import_plan_seal(struct import_plan *plan, struct wh_err *err);
/* Asks the sink for the rows of each kind that was given. False after the reason was printed; *ret_code
 * is then the exit code. */
WH_MUST_CHECK bool import_plan_compare(struct import_plan *plan, int *ret_code);

/* One for each kind; *ret_n of them. */
const struct import_count *import_plan_counts(const struct import_plan *plan, size_t *ret_n);
/* How many mistakes were found. */
int64_t import_plan_errors(const struct import_plan *plan);
/* The first IMPORT_ERRORS_KEPT of them, as elements of a JSON array. */
struct wh_slice import_plan_errors_json(const struct import_plan *plan);
/* The connection's id, and its instance. */
const char *import_plan_connection(const struct import_plan *plan);
const char *import_plan_instance(const struct import_plan *plan);
/* The newest time of a version that the sink has of these kinds, in ms; 0: none. */
int64_t import_plan_newest_ms(const struct import_plan *plan);

/* Begins at the first row again. gone: missing rows come too, after the others. */
void import_plan_rewind(struct import_plan *plan, bool gone);
/* The next row that is new, has changed, or is gone; *ret_any false: there are no more. */
WH_MUST_CHECK enum wh_rc import_plan_next(struct import_plan *plan, bool *ret_any,
                                          struct import_item *ret, struct wh_err *err);

#endif
