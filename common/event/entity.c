#include "common/event/entity.h"

#include "common/base/be.h"
#include "common/crypto/crypto.h"

/* The namespace of all entity ids: a random UUID that must never change. */
static const unsigned char workspace_namespace[] = {0x5d, 0x0f, 0x8a, 0x31, 0x9c, 0x42, 0x4e, 0x0b,
                                                    0xa7, 0x6d, 0x1e, 0x55, 0xb2, 0x90, 0xc3, 0x7f};

/* RFC 9562 section 5.5: the hash of namespace and name, overwritten by version and variant. */
struct wh_entity_id wh_entity_id_make(struct wh_slice instance, struct wh_slice source_kind,
                                      struct wh_slice source_id)
{
    const struct wh_slice parts[] = {wh_slice(workspace_namespace, sizeof(workspace_namespace)),
                                     instance,
                                     WH_LIT("/"),
                                     source_kind,
                                     WH_LIT("/"),
                                     source_id};
    unsigned char hash[WH_SHA1_BYTES];
    struct wh_entity_id id;

    wh_sha1(parts, sizeof(parts) / sizeof(parts[0]), hash);
    memcpy(id.bytes, hash, sizeof(id.bytes));
    id.bytes[6] = (unsigned char)((id.bytes[6] & 0x0F) | 0x50);
    id.bytes[8] = (unsigned char)((id.bytes[8] & 0x3F) | 0x80);
    return id;
}

/* Four bytes as eight hex digits: spreads nibbles into bytes, then maps bytes to characters. */
static uint64_t hex(uint32_t v)
{
    uint64_t x = v;
    uint64_t above_nine;

    x = (x << 16 | x) & UINT64_C(0x0000FFFF0000FFFF);
    x = (x << 8 | x) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x << 4 | x) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    above_nine = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return x + UINT64_C(0x3030303030303030) + above_nine * ('a' - '0' - 10);
}

const char *wh_entity_id_format(const struct wh_entity_id *id, char text[WH_ENTITY_ID_TEXT + 1])
{
    char digits[2 * WH_ENTITY_ID_BYTES];

    for (size_t i = 0; i < WH_ENTITY_ID_BYTES; i += 4) {
        wh_be_put64(digits + 2 * i, hex(wh_be_get32(id->bytes + i)));
    }
    memcpy(text, digits, 8);
    memcpy(text + 9, digits + 8, 4);
    memcpy(text + 14, digits + 12, 4);
    memcpy(text + 19, digits + 16, 4);
    memcpy(text + 24, digits + 20, 12);
    text[8] = text[13] = text[18] = text[23] = '-';
    text[WH_ENTITY_ID_TEXT] = '\0';
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
