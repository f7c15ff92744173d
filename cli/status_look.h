/* status_look.h - what the parts of `wellhead status` share. */
#ifndef WH_CLI_STATUS_LOOK_H
#define WH_CLI_STATUS_LOOK_H

#include "cli/cli.h"

/* One look at fetcher and sink. */
struct status_look {
    struct cli_answer fetcher;
    struct cli_answer sink;
    struct wh_json_parser *fetcher_parser;
    struct wh_json_parser *sink_parser;
    struct wh_json_val fetcher_root;
    struct wh_json_val sink_root;
    bool fetcher_ok;
    bool sink_ok;
    struct wh_err fetcher_err;
    struct wh_err sink_err;
};

/* ---- cmd_status.c ---- */

/* False: out of memory. Done in any case. */
bool status_look_at(struct cli *cli, struct status_look *l);
void status_look_done(struct status_look *l);
bool status_flag(struct wh_json_val object, const char *key);
/* False: the fetcher did not answer. */
bool status_connections(const struct status_look *l, struct wh_json_val *ret);
/* Disconnected on purpose, or not connected yet: nothing of it is read, nothing is owed. */
bool status_is_left(struct wh_json_val connection);
void status_pause_ms(int64_t ms);

/* ---- status_sync.c ---- */

/* Runs, skipped projects, webhooks and completeness, for people. */
void status_print_sync(const struct cli *cli, const struct status_look *l);

/* ---- status_verify.c ---- */

/* Every number of every project looked for, and counted in the store. */
int status_verify(struct cli *cli);
/* Lets the deletions that are held go. */
int status_confirm_deletes(struct cli *cli);

#endif
