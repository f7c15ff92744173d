/*
 * key.h - what a delivery is called and which object it is about.
 *
 *   delivery id  webhook-id, else Idempotency-Key (both stay the same when a delivery is sent again),
 *                else the hash of the event header and the body: 32 hex digits of XXH3-128 over the
 *                header's value, a newline and the 16 bytes (big-endian) of the body's own XXH3-128
 *   kind         object_kind, else event_name; "unknown" when neither matches [a-z0-9_]{1,64}
 *   project      project.id, else project_id; may be empty
 *   object id    the first that is present of object_attributes.id, build_id, deployment_id, id,
 *                user_id, group_id, project_id, ref; else the body's hash
 *
 * A body that is no JSON object is kind "unknown", object id = hash: it was authentic, so it is
 * kept, and the mapper says what is wrong with it.
 */
#ifndef INTAKE_KEY_H
#define INTAKE_KEY_H

#include "common/base/slice.h"
#include "common/json/json_doc.h"

enum {
    INTAKE_ID_MAX = 256, /* longer ids, or such with other bytes than 0x21..0x7e, are not taken */
    INTAKE_TEXT_MAX = 128,
    INTAKE_HASH_TEXT = 33,
};

struct intake_delivery_id {
    struct wh_slice text; /* of a header, or of hash */
    char hash[INTAKE_HASH_TEXT];
};

/* ptr NULL for headers that are absent. Not to be copied. */
void intake_delivery_id(struct wh_slice webhook_id, struct wh_slice idempotency_key,
                        struct wh_slice event, struct wh_slice body,
                        struct intake_delivery_id *ret);

/* Slices live in the parser until its next parse, or in this struct: not to be copied. */
struct intake_key {
    struct wh_slice kind;
    struct wh_slice project;
    struct wh_slice object_id;
    char project_text[32];
    char object_text[INTAKE_HASH_TEXT];
};

void intake_key_read(struct wh_json_parser *parser, struct wh_slice body, struct intake_key *ret);

#endif
