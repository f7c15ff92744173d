/*
 * generic.h - reads records of any Avro schema, by avro-c: as JSON, or converted to another schema.
 *
 * Our own topics are read by wire.h and common/event, which are faster by far; this is for
 * `wellhead topics read` and for records that another program wrote. Schemas and records may come from
 * anybody: guard.h says what is checked before avro-c sees them. avro-c keeps some hundred bytes of a
 * schema that names a type twice even after wh_generic_free, so callers keep schemas and bound their
 * number.
 *
 * Not supported, because avro-c does not support them: defaults and aliases of the reader's schema, and
 * schemas in several documents (references).
 *
 * Thread: app, because avro-c has one error text per process.
 */
#ifndef WH_AVRO_GENERIC_H
#define WH_AVRO_GENERIC_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/json/json_write.h"

#define WH_GENERIC_NAME_MAX 256

/* A schema that records were written with. */
struct wh_generic;

/* Parses a schema; the text is not kept. All errors but WH_E_NOMEM have class POISON. */
WH_MUST_CHECK enum wh_rc wh_generic_new(struct wh_slice schema, struct wh_generic **ret,
                                        struct wh_err *err);
/* Accepts NULL. */
void wh_generic_free(struct wh_generic *g);
/* "wellhead.RawEvent"; of a schema that is no record: "string". */
const char *wh_generic_name(const struct wh_generic *g);

/*
 * How texts and bytes are written: each call writes one JSON value. field is the name of the record's
 * field that holds the value, "" when an array or a map holds it.
 */
struct wh_generic_json {
    void (*text)(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice text);
    void (*bytes)(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice bytes);
    void *ctx;
};

/*
 * Writes a record, an Avro body without frame, as one JSON value: records and maps as objects, unions
 * as the value itself, enums as their symbol, and floating-point values that JSON does not have as
 * "NaN", "Infinity" and "-Infinity". The errors have class POISON; what w was given before remains.
 */
WH_MUST_CHECK enum wh_rc wh_generic_json(const struct wh_generic *g, struct wh_slice body,
                                         const struct wh_generic_json *how,
                                         struct wh_json_writer *w, struct wh_err *err);

/* Converts records of a writer's schema to a reader's schema. */
struct wh_generic_resolver;

/* Borrows both schemas. WH_E_UNSUPPORTED, with avro-c's reason, when the one cannot be read as the other. */
WH_MUST_CHECK enum wh_rc wh_generic_resolver_new(const struct wh_generic *writer,
                                                 const struct wh_generic *reader,
                                                 struct wh_generic_resolver **ret,
                                                 struct wh_err *err);
/* Accepts NULL. */
void wh_generic_resolver_free(struct wh_generic_resolver *r);
/* Appends the record, in the reader's schema, to out. The errors have class POISON. */
WH_MUST_CHECK enum wh_rc wh_generic_resolve(const struct wh_generic_resolver *r,
                                            struct wh_slice body, struct wh_buf *out,
                                            struct wh_err *err);

#endif
