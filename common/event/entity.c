#include "common/event/entity.h"

#include <uuid/uuid.h>

enum { NAME_MAX_BYTES = 2048 };

/* The namespace of all entity ids: a random UUID, fixed for ever. */
static const uuid_t workspace_namespace = {0x5d, 0x0f, 0x8a, 0x31, 0x9c, 0x42, 0x4e, 0x0b,
                                           0xa7, 0x6d, 0x1e, 0x55, 0xb2, 0x90, 0xc3, 0x7f};

static size_t add(char *to, size_t len, struct wh_slice part)
{
    size_t n = part.len < NAME_MAX_BYTES - len ? part.len : NAME_MAX_BYTES - len;

    if (n) {
        memcpy(to + len, part.ptr, n);
    }
    return len + n;
}

struct wh_entity_id wh_entity_id_make(struct wh_slice instance, struct wh_slice source_kind,
                                      struct wh_slice source_id)
{
    char name[NAME_MAX_BYTES];
    struct wh_entity_id id;
    size_t len = 0;

    len = add(name, len, instance);
    len = add(name, len, WH_LIT("/"));
    len = add(name, len, source_kind);
    len = add(name, len, WH_LIT("/"));
    len = add(name, len, source_id);
    uuid_generate_sha1(id.bytes, workspace_namespace, name, len);
    return id;
}

const char *wh_entity_id_format(const struct wh_entity_id *id, char text[WH_ENTITY_ID_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    for (unsigned i = 0; i < WH_ENTITY_ID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            text[n++] = '-';
        }
        text[n++] = digits[id->bytes[i] >> 4];
        text[n++] = digits[id->bytes[i] & 15];
    }
    text[n] = '\0';
    return text;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum wh_rc wh_entity_id_parse(struct wh_slice text, struct wh_entity_id *ret, struct wh_err *err)
{
    struct wh_entity_id id = {{0}};
    unsigned nibbles = 0;

    if (text.len != WH_ENTITY_ID_TEXT) {
        return wh_fail(err, WH_E_INVALID, "an entity id has %d characters", WH_ENTITY_ID_TEXT);
    }
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        int value = digit(text.ptr[i]);

        if (dash ? text.ptr[i] != '-' : value < 0) {
            return wh_fail(err, WH_E_INVALID, "not an entity id: wrong character at %zu", i);
        }
        if (!dash) {
            id.bytes[nibbles / 2] =
                (unsigned char)(id.bytes[nibbles / 2] << 4 | (unsigned char)value);
            nibbles++;
        }
    }
    *ret = id;
    return WH_OK;
}

int wh_entity_id_cmp(const struct wh_entity_id *a, const struct wh_entity_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
