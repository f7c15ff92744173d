#include "stages/webhook-intake/key.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/be.h"
#include "common/base/hash.h"

enum { KIND_MAX = 64, EVENT_MAX = 128 };

static struct wh_slice hash_text(struct wh_hash128 hash, char text[INTAKE_HASH_TEXT])
{
    (void)snprintf(text, INTAKE_HASH_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
    return wh_slice(text, INTAKE_HASH_TEXT - 1);
}

/* ---- delivery id ---- */

static bool usable(struct wh_slice id)
{
    if (id.len == 0 || id.len > INTAKE_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] < '!' || id.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

/* Two steps, so that a large body is not copied behind the header. */
static struct wh_hash128 hash_of(struct wh_slice event, struct wh_slice body)
{
    struct wh_hash128 inner = wh_hash128(body);
    char bytes[EVENT_MAX + 1 + 16];
    size_t n = event.len < EVENT_MAX ? event.len : EVENT_MAX;

    if (n) {
        memcpy(bytes, event.ptr, n);
    }
    bytes[n++] = '\n';
    wh_be_put64(bytes + n, inner.high);
    wh_be_put64(bytes + n + 8, inner.low);
    return wh_hash128(wh_slice(bytes, n + 16));
}

void intake_delivery_id(struct wh_slice webhook_id, struct wh_slice idempotency_key,
                        struct wh_slice event, struct wh_slice body, struct intake_delivery_id *ret)
{
    if (usable(webhook_id)) {
        ret->text = webhook_id;
    } else if (usable(idempotency_key)) {
        ret->text = idempotency_key;
    } else {
        ret->text = hash_text(hash_of(event, body), ret->hash);
    }
}

/* ---- key ---- */

static bool kind_like(struct wh_slice text)
{
    if (text.len == 0 || text.len > KIND_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_') {
            return false;
        }
    }
    return true;
}

/* A string that may stand in a record key; the parser has checked that it is UTF-8. */
static bool text_like(struct wh_slice text)
{
    if (text.len == 0 || text.len > INTAKE_TEXT_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c <= ' ' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool id_text(struct wh_json_val v, char *text, size_t size, struct wh_slice *ret)
{
    enum wh_json_type type = wh_json_type(v);
    int n;

    if (type == WH_JSON_STRING) {
        *ret = wh_json_string(v);
        return text_like(*ret);
    }
    if (type == WH_JSON_INT) {
        n = snprintf(text, size, "%" PRId64, wh_json_int(v));
    } else if (type == WH_JSON_UINT) {
        n = snprintf(text, size, "%" PRIu64, wh_json_uint(v));
    } else {
        return false;
    }
    *ret = wh_slice(text, n > 0 ? (size_t)n : 0);
    return n > 0;
}

static bool child_id(struct wh_json_val root, struct wh_slice name, char *text, size_t size,
                     struct wh_slice *ret)
{
    struct wh_json_val child;
    struct wh_json_val id;

    return wh_json_get(root, name, &child) && wh_json_get(child, WH_LIT("id"), &id) &&
           id_text(id, text, size, ret);
}

static bool field_id(struct wh_json_val root, struct wh_slice name, char *text, size_t size,
                     struct wh_slice *ret)
{
    struct wh_json_val v;

    return wh_json_get(root, name, &v) && id_text(v, text, size, ret);
}

static void read_kind(struct wh_json_val root, struct intake_key *ret)
{
    static const struct wh_slice names[] = {{"object_kind", 11}, {"event_name", 10}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct wh_json_val v;

        if (wh_json_get(root, names[i], &v) && kind_like(wh_json_string(v))) {
            ret->kind = wh_json_string(v);
            return;
        }
    }
}

static void read_object_id(struct wh_json_val root, struct intake_key *ret)
{
    static const struct wh_slice names[] = {
        {"build_id", 8}, {"deployment_id", 13}, {"id", 2}, {"user_id", 7},
        {"group_id", 8}, {"project_id", 10},    {"ref", 3}};
    struct wh_slice found;

    if (child_id(root, WH_LIT("object_attributes"), ret->object_text, sizeof(ret->object_text),
                 &found)) {
        ret->object_id = found;
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (field_id(root, names[i], ret->object_text, sizeof(ret->object_text), &found)) {
            ret->object_id = found;
            return;
        }
    }
}

void intake_key_read(struct wh_json_parser *parser, struct wh_slice body, struct intake_key *ret)
{
    struct wh_json_val root;
    struct wh_slice project;
    struct wh_err err;

    ret->kind = WH_LIT("unknown");
    ret->project = WH_LIT("");
    ret->object_id = wh_slice(NULL, 0);
    if (wh_json_parse(parser, body, &root, &err) == WH_OK && wh_json_type(root) == WH_JSON_OBJECT) {
        read_kind(root, ret);
        read_object_id(root, ret);
        if (child_id(root, WH_LIT("project"), ret->project_text, sizeof(ret->project_text),
                     &project) ||
            field_id(root, WH_LIT("project_id"), ret->project_text, sizeof(ret->project_text),
                     &project)) {
            ret->project = project;
        }
    }
    if (ret->object_id.len == 0) {
        ret->object_id = hash_text(wh_hash128(body), ret->object_text);
    }
}
