/* people.h - a decision about who is who, on its way: people.c asks for it, people_decide.c publishes it. */
#ifndef WH_CLI_COMMANDS_PEOPLE_H
#define WH_CLI_COMMANDS_PEOPLE_H

#include "cli/commands/commands.h"
#include "cli/core/query.h"
#include "common/event/decision.h"

struct people_named {
    char id[WH_DECISION_ID_MAX + 1];
    char name[200];
};

struct people_decided {
    enum wh_action action;
    struct people_named subject;
    struct people_named object; /* of a merge */
};

/* Publishes the decision with --why, waits until the sink has it, and says how to undo it. An exit code. */
int people_decide(struct cli *cli, const struct people_decided *p, struct wh_json_parser *parser);

#endif
