/* impact_print.h - one incident's impact for people, as the sink's JSON has it; also for `wellhead ask`. */
#ifndef WH_CLI_COMMANDS_IMPACT_PRINT_H
#define WH_CLI_COMMANDS_IMPACT_PRINT_H

#include "cli/core/cli.h"
#include "common/json/json_doc.h"

/* impact: an object with incident, services, customers, follow_ups, unresolved and totals. Prints facts, services
 * with their reasons, customers with revenue, open follow-ups, and names that link to nothing. */
void impact_print(const struct cli *cli, struct wh_json_val impact);

#endif
