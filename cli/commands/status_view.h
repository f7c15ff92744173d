/* status_view.h - what fetcher and sink say of themselves at one moment, for the parts of
 * `wellhead status`. */
#ifndef WH_CLI_COMMANDS_STATUS_VIEW_H
#define WH_CLI_COMMANDS_STATUS_VIEW_H

#include "cli/core/cli.h"
#include "common/json/json_doc.h"
#include "common/judge/judge.h"

enum {
    STATUS_ANSWER_MAX_BYTES = 32 << 20,
    STATUS_POLL_MS = 500,
    STATUS_TIMEOUT_MS = 10000, /* a stage that hangs is a finding, not a reason to wait */
};

/* Either of the two may not have answered: then why is in its error, and in the findings. */
struct status_view {
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
    struct wh_findings *findings; /* the sink's, and what this command saw itself */
};

/* Asks both. False: out of memory. Call status_view_done in any case. */
bool status_view_read(struct cli *cli, struct status_view *view);
void status_view_done(struct status_view *view);
/* The fetcher's connections; false when it did not answer. */
bool status_connections(const struct status_view *view, struct wh_json_val *ret);
/* Is the connection disconnected, or not connected yet? Then nothing of it is read. */
bool status_is_left(struct wh_json_val connection);
/* What the findings say; true only when it is known. */
bool status_is_healthy(const struct status_view *view);
/* What the sink says of all stages; false when it did not answer. */
bool status_health(const struct status_view *view, struct wh_json_val *ret);
/*
 * How many records of the connections wait for the mapper and the sink; -1: not known. Of what was read until since_ms
 * (Unix time), nothing is known before the sink has looked again: 0: it may have looked at any time.
 */
int64_t status_waiting(const struct status_view *view, int64_t since_ms);

#endif
