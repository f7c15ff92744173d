/* raw.h - single raw events, by their places in Kafka: what a revision was made of. */
#ifndef WH_CLI_RECORD_RAW_H
#define WH_CLI_RECORD_RAW_H

#include "cli/core/cli.h"
#include "common/event/raw_event.h"
#include "common/json/json_doc.h"

struct cli_raw;

/* Opens a consumer without a group. cli is borrowed. */
WH_MUST_CHECK enum wh_rc cli_raw_new(struct cli *cli, struct cli_raw **ret, struct wh_err *err);
/* Accepts NULL. */
void cli_raw_free(struct cli_raw *raw);
/*
 * Reads the event; its slices are valid until the next call. WH_E_NOT_FOUND: Kafka has it no longer. WH_E_TIMEOUT:
 * Kafka did not answer within wait_ms.
 */
WH_MUST_CHECK enum wh_rc cli_raw_get(struct cli_raw *raw, const char *topic, int32_t partition,
                                     int64_t offset, int64_t wait_ms, struct wh_raw_event *ret,
                                     struct wh_err *err);
/* Who did what a webhook tells, as in "Ana Lopez @ana"; appends nothing where it does not say. */
void cli_raw_person(const struct wh_raw_event *event, struct wh_json_parser *parser,
                    struct wh_buf *out);

#endif
