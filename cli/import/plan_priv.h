/* plan_priv.h - the plan, for plan.c and compare.c. */
#ifndef WH_CLI_IMPORT_PLAN_PRIV_H
#define WH_CLI_IMPORT_PLAN_PRIV_H

#include "cli/import/index.h"
#include "cli/import/plan.h"
#include "cli/import/progress.h"

enum import_mark { IMPORT_ADDED, IMPORT_CHANGED, IMPORT_SAME };

struct import_plan {
    struct cli *cli;
    char connection[CLI_CONNECTION_ID_MAX + 1];
    char instance[IMPORT_INSTANCE_MAX];
    struct import_count counts[IMPORT_KINDS_MAX];
    size_t n_kinds;
    struct import_row *row;
    struct import_index *index;
    const char *files[CLI_ARGS_MAX];
    size_t n_files;
    size_t kind;          /* of the file that is read, or of the rows that are compared */
    int64_t n_rows;       /* of all files */
    unsigned char *marks; /* a byte for each row: import_mark */
    size_t marks_size;
    int64_t errors;
    struct wh_buf errors_json;
    struct import_progress progress;
    int64_t newest_ms;
    int64_t next; /* of import_plan_next: the number of the next row */
    enum import_list list;
    bool with_missing;
};

#endif
