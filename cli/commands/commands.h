/* commands.h - the commands. Each returns an exit code, after it said why it failed. */
#ifndef WH_CLI_COMMANDS_COMMANDS_H
#define WH_CLI_COMMANDS_COMMANDS_H

#include "cli/core/cli.h"

int cli_connect(struct cli *cli);
int cli_status(struct cli *cli);
int cli_sql(struct cli *cli);
/* Sends the query and prints its rows; `doing` is the command's name in messages. */
int cli_sql_query(struct cli *cli, const char *doing, struct wh_slice query);
/* The same for a path of the sink that answers with rows. */
int cli_get_rows(struct cli *cli, const char *doing, const char *path);
int cli_tables(struct cli *cli);
int cli_measures(struct cli *cli);
int cli_model(struct cli *cli);
int cli_show(struct cli *cli);
int cli_replay(struct cli *cli);
int cli_topics(struct cli *cli);
/* `topics read NAME`, called by cli_topics. */
int cli_topics_read(struct cli *cli, const char *name);
int cli_open(struct cli *cli);
int cli_tokens(struct cli *cli);
int cli_doctor(struct cli *cli);
int cli_disconnect(struct cli *cli);
int cli_purge(struct cli *cli);
int cli_people(struct cli *cli);
int cli_rotate_key(struct cli *cli);
int cli_import(struct cli *cli);
int cli_impact(struct cli *cli);
int cli_ask(struct cli *cli);
int cli_search(struct cli *cli);
int cli_watch(struct cli *cli);
int cli_rules(struct cli *cli);
int cli_export(struct cli *cli);
int cli_backup(struct cli *cli);
int cli_restore(struct cli *cli);

/* All of them, in the order in which help lists them. */
const struct cli_command *cli_command_table(size_t *ret_n);

#endif
