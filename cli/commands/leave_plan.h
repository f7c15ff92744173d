/* leave_plan.h - what `wellhead disconnect` and `wellhead purge` would do, and whether the user wants it. */
#ifndef WH_CLI_COMMANDS_LEAVE_PLAN_H
#define WH_CLI_COMMANDS_LEAVE_PLAN_H

#include "cli/commands/leave_parts.h"

enum leave_step { LEAVE_DISCONNECT, LEAVE_PURGE };

struct leave_plan {
    enum leave_step step;
    const char *id;
    const struct leave_view *view;
    int64_t rows;       /* of that GitLab, deleted ones too; -1: they could not be counted */
    struct wh_buf list; /* JSON: {"work_items":5,...}, what rows sums up */
    int topics;         /* of Kafka; -1: Kafka did not answer */
    int64_t records;    /* in them */
};

/* Counts. What cannot be counted is unknown, and no failure. Keeps id and view. */
void leave_plan_make(struct cli *cli, enum leave_step step, const char *id,
                     const struct leave_view *view, struct leave_plan *ret);
void leave_plan_done(struct leave_plan *plan);
/* To stdout, for --dry-run: gives the exit code. */
int leave_plan_print(const struct cli *cli, const struct leave_plan *plan);
/*
 * Shows the plan on stderr and asks for the connection's name; --confirm answers in advance. False after
 * the reason was printed.
 */
bool leave_plan_confirmed(const struct cli *cli, const struct leave_plan *plan);

#endif
