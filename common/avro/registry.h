/*
 * registry.h - what a schema registry is asked for and answers (the API of Confluent's Schema Registry,
 * which Karapace, Apicurio and the sink serve too). The request itself is the caller's.
 */
#ifndef WH_AVRO_REGISTRY_H
#define WH_AVRO_REGISTRY_H

#include "common/base/buf.h"
#include "common/base/err.h"

enum { WH_REGISTRY_PATH_MAX = 64, WH_REGISTRY_ANSWER_MAX = 4 << 20 };

/* The path below the registry's address: "/schemas/ids/12". Returns path. */
const char *wh_registry_path(int32_t id, char path[WH_REGISTRY_PATH_MAX]);
/*
 * Appends the schema's text of an answer. WH_E_NOT_FOUND: the registry says that it has no schema of
 * that id. WH_E_UNSUPPORTED: it is no Avro schema, or refers to other schemas. WH_E_UNAVAILABLE: the
 * registry refuses, cannot answer now, or is no registry.
 */
WH_MUST_CHECK enum wh_rc wh_registry_answer(int32_t id, unsigned status, struct wh_slice body,
                                            struct wh_buf *out, struct wh_err *err);

#endif
