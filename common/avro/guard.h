/*
 * guard.h - what stands between foreign bytes and avro-c.
 *
 * avro-c 1.11.1 trusts its input: a length in a record sizes an allocation before it is compared with
 * the bytes that follow, nesting ends with the stack, five bytes can declare millions of items, and
 * bytes after the value are ignored. So avro-c sees a schema only after wh_guard_text, and the bytes of
 * a record only after wh_guard_check, which walks over the record by the writer's schema and without
 * an allocation. It accepts a record only if
 *
 *   - every length and count is within the bytes that are left, and no byte is left over;
 *   - every union branch and enum symbol exists, every boolean is 0 or 1, every int has 32 bits;
 *   - every string and map key is UTF-8, and no map key contains NUL, where avro-c would cut it;
 *   - it is nested at most WH_GUARD_DEPTH_MAX levels deep;
 *   - avro-c needs at most WH_GUARD_MEMORY_MAX for it. The estimate is above what avro-c allocates: a
 *     union, for example, has room for its largest branch.
 *
 * Only generic.c uses it. Thread: app.
 */
#ifndef WH_AVRO_GUARD_H
#define WH_AVRO_GUARD_H

#include <avro.h>

#include "common/base/err.h"
#include "common/base/slice.h"

enum {
    WH_GUARD_TEXT_MAX = 1 << 20,     /* bytes of a schema */
    WH_GUARD_TEXT_DEPTH_MAX = 128,   /* nesting of a schema's JSON */
    WH_GUARD_NODES_MAX = 16384,      /* types in a schema */
    WH_GUARD_BYTES_MAX = 32 << 20,   /* of a record */
    WH_GUARD_DEPTH_MAX = 56,         /* levels of records, unions, arrays and maps */
    WH_GUARD_MEMORY_MAX = 256 << 20, /* of a decoded record */
};

struct wh_guard;

/* Checks a schema's text before avro-c parses it. WH_E_TOO_LARGE, WH_E_TOO_DEEP, WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc wh_guard_text(struct wh_slice schema, struct wh_err *err);
/* Compiles the shape of a schema whose text had that many bytes; keeps nothing of it. WH_E_TOO_LARGE,
 * WH_E_INVALID, WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc wh_guard_new(avro_schema_t schema, size_t text_bytes,
                                      struct wh_guard **ret, struct wh_err *err);
/* Checks a record; see above. The errors have class POISON. */
WH_MUST_CHECK enum wh_rc wh_guard_check(const struct wh_guard *guard, struct wh_slice bytes,
                                        struct wh_err *err);
/* Accepts NULL. */
void wh_guard_free(struct wh_guard *guard);

#endif
