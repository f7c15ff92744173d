/*
 * Framed records of all schemas: hostile bytes end in an error, in memory proportional to them;
 * what is accepted is encoded again and then decodes to the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/event/messages.h"
#include "common/event/observation.h"
#include "common/event/raw_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX_BYTES = 64 << 20, SLACK_BYTES = 65536 };

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Decodes as whatever the frame says, and encodes again. */
static bool again(struct wh_slice bytes, struct wh_arena *arena, struct wh_buf *out)
{
    struct wh_raw_event e;
    struct wh_observation o;
    struct wh_dead_letter d;
    struct wh_reread q;
    struct wh_document doc;
    struct wh_err err;

    if (wh_raw_event_decode(bytes, arena, &e, &err) == WH_OK) {
        check(wh_raw_event_encode(&e, out, &err) == WH_OK);
    } else if (wh_observation_decode(bytes, arena, &o, &err) == WH_OK) {
        check(wh_observation_encode(&o, out, &err) == WH_OK);
    } else if (wh_dead_letter_decode(bytes, &d, &err) == WH_OK) {
        check(wh_dead_letter_encode(&d, out, &err) == WH_OK);
    } else if (wh_reread_decode(bytes, &q, &err) == WH_OK) {
        check(wh_reread_encode(&q, out, &err) == WH_OK);
    } else {
        /* All documents have one shape; written under one of their ids. */
        return wh_document_decode(bytes, &doc, &err) == WH_OK &&
               wh_document_encode(WH_DOCUMENT_CONNECTION, &doc, out, &err) == WH_OK;
    }
    return true;
}

static void try_store_forms(struct wh_slice bytes, struct wh_arena *arena)
{
    const struct wh_kind_def *def;
    struct wh_value value;
    struct wh_body body;
    struct wh_err err;
    bool present;
    size_t used;

    if (bytes.len == 0) {
        return;
    }
    def = wh_kind_def((enum wh_kind)(1 + (unsigned char)bytes.ptr[0] % (WH_KIND_COUNT - 1)));
    bytes = wh_slice_from(bytes, 1);
    if (wh_body_decode(def, bytes, arena, &body, &used, &err) == WH_OK) {
        check(used <= bytes.len);
        /* Each field alone is found, too. */
        for (unsigned i = 0; i < def->n_fields; i++) {
            check(wh_body_decode_field(def, bytes, i, arena, &present, &value, &err) == WH_OK);
            check(present == ((body.present >> i & 1) != 0));
            check(!present || wh_value_eq(def->fields[i].type, &value, &body.values[i]));
        }
    } else {
        (void)!wh_body_decode_field(def, bytes, def->n_fields - 1, arena, &present, &value, &err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wh_slice bytes = wh_slice(data, size);
    struct wh_arena arena;
    struct wh_buf first;
    struct wh_buf second;

    wh_arena_init(&arena, 4096, OUT_MAX_BYTES);
    wh_buf_init(&first, OUT_MAX_BYTES);
    wh_buf_init(&second, OUT_MAX_BYTES);
    if (again(bytes, &arena, &first)) {
        check(again(wh_buf_slice(&first), &arena, &second));
        check(wh_slice_eq(wh_buf_slice(&first), wh_buf_slice(&second)));
    }
    check(arena.used_bytes <= 128 * size + SLACK_BYTES);
    wh_arena_reset(&arena);
    try_store_forms(bytes, &arena);
    wh_buf_done(&second);
    wh_buf_done(&first);
    wh_arena_done(&arena);
    return 0;
}
