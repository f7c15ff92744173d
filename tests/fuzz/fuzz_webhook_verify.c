/*
 * Headers and body of a delivery. The input is id, timestamp, signature, token and body, each ended
 * by a newline (the body takes the rest). Whoever does not know the key or token is never
 * authentic; the key of any body can be made.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/webhook-intake/key.h"
#include "stages/webhook-intake/tally.h"
#include "stages/webhook-intake/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wh_slice line(struct wh_slice *left)
{
    const char *end = left->len ? memchr(left->ptr, '\n', left->len) : NULL;
    size_t n = end ? (size_t)(end - left->ptr) : left->len;
    struct wh_slice found = wh_slice(left->ptr, n);

    *left = wh_slice_from(*left, end ? n + 1 : n);
    return found;
}

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void try_key(struct wh_slice body, const struct intake_proof *proof)
{
    static struct wh_json_parser *parser;
    struct intake_delivery_id id;
    struct intake_key key;

    if (parser == NULL) {
        parser = wh_json_parser_new(1 << 20, 64);
        check(parser != NULL);
    }
    intake_key_read(parser, body, &key);
    check(key.kind.len > 0 && key.object_id.len > 0 && key.object_id.len <= INTAKE_TEXT_MAX);
    intake_delivery_id(proof->id, proof->timestamp, proof->token, body, &id);
    check(id.text.len > 0 && id.text.len <= INTAKE_ID_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct intake_secrets secrets = {{"0123456789abcdef0123456789abcdef", 32},
                                                  {"\001 no header can hold this", 25}};
    struct wh_slice left = wh_slice(data, size);
    struct intake_proof proof = {.id = line(&left), .timestamp = line(&left)};
    struct wh_buf out;
    struct wh_err err;

    proof.signature = line(&left);
    proof.token = line(&left);
    check(intake_verify_head(&proof, &secrets, INT64_C(1700000000000)) != INTAKE_AUTHENTIC);
    check(intake_verify_body(&proof, &secrets, left) != INTAKE_AUTHENTIC);
    check(intake_tally_event(proof.token) < INTAKE_EVENT_COUNT);
    wh_buf_init(&out, 1024);
    if (intake_verify_key(proof.token, &out, &err) == WH_OK) {
        check(out.len > 0 && out.len <= INTAKE_KEY_MAX_BYTES);
    }
    wh_buf_done(&out);
    try_key(left, &proof);
    return 0;
}
