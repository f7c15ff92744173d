/*
 * line.h - a record of Kafka as one line of JSON:
 *
 *   {"topic":..,"partition":..,"offset":..,"timestamp":..,"key":..,"headers":{..},
 *    "schema_id":..,"schema":..,"value":..}
 *
 * Keys, headers and bytes are text where they are UTF-8, else {"base64":".."}; bytes that hold a JSON
 * object or array are that. A tombstone's value is null. A value without a schema's frame is shown as
 * JSON or text, with "schema_id":null. The input inside a dead letter is decoded, too. Of the secrets
 * in connections, which are sealed, only the length is shown.
 *
 * A record that cannot be decoded has "error" and "value_bytes", its length, in place of "value".
 */
#ifndef WH_CLI_RECORD_LINE_H
#define WH_CLI_RECORD_LINE_H

#include "cli/record/schemas.h"
#include "common/json/json_doc.h"

struct cli_line;

/* schemas is borrowed. own: as for cli_schemas_new. */
WH_MUST_CHECK enum wh_rc cli_line_new(struct cli_schemas *schemas, bool own, struct cli_line **ret,
                                      struct wh_err *err);
/* Accepts NULL. */
void cli_line_free(struct cli_line *line);
/*
 * Builds the line of a message, with its newline; it is valid until the next call. *ret_decoded is
 * false for one that has "error". Fails only with an error that ends the command: the registry does
 * not answer, or there is no memory.
 */
WH_MUST_CHECK enum wh_rc cli_line_of(struct cli_line *line, struct wh_consumer *consumer,
                                     const struct wh_bus_msg *msg, struct wh_slice *ret,
                                     bool *ret_decoded, struct wh_err *err);

#endif
