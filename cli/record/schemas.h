/*
 * schemas.h - the schemas of records that are read, by id: those that are built in (schemas/), and
 * those of the registry at registry.url. Each is fetched and compiled once.
 */
#ifndef WH_CLI_RECORD_SCHEMAS_H
#define WH_CLI_RECORD_SCHEMAS_H

#include "cli/core/cli.h"
#include "common/avro/generic.h"
#include "common/avro/schemas.h"

struct cli_schemas;

/* own: the topic is one of the installation's, so that the built-in ids come first. cli is borrowed. */
WH_MUST_CHECK enum wh_rc cli_schemas_new(struct cli *cli, bool own, struct cli_schemas **ret,
                                         struct wh_err *err);
/* Accepts NULL. */
void cli_schemas_free(struct cli_schemas *s);
/*
 * The schema of an id, which belongs to s. Class POISON: there is none, or it cannot be used; the same
 * id fails in the same way again. Class TRANSIENT: the registry does not answer. *ret_info is NULL for
 * a schema that is not built in.
 */
WH_MUST_CHECK enum wh_rc cli_schemas_get(struct cli_schemas *s, int32_t id,
                                         const struct wh_generic **ret,
                                         const struct wh_schema_info **ret_info,
                                         struct wh_err *err);

#endif
