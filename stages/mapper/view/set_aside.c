#include "stages/mapper/view/set_aside.h"

#include <stdio.h>

/* The message without the pointer at its start. */
static struct wh_slice reason_of(const struct wh_err *err, const char *pointer)
{
    struct wh_slice msg = wh_slice_str(err->msg);
    size_t n = strlen(pointer);

    if (wh_slice_starts(msg, wh_slice_str(pointer)) && msg.len > n + 2 && msg.ptr[n] == ':') {
        return wh_slice_from(msg, n + 2);
    }
    return msg;
}

/* Truncates to at most WH_SET_ASIDE_EXAMPLE_MAX bytes of whole characters. */
static struct wh_slice beginning(struct wh_slice text)
{
    size_t n = text.len;

    if (n > WH_SET_ASIDE_EXAMPLE_MAX) {
        n = WH_SET_ASIDE_EXAMPLE_MAX;
        while (n > 0 && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) {
            n--;
        }
    }
    return wh_slice(text.ptr, n);
}

static struct wh_slice example_of(struct wh_json_val value, char text[32])
{
    if (value.doc == NULL) {
        return WH_LIT("");
    }
    switch (wh_json_type(value)) {
    case WH_JSON_STRING:
        return wh_json_string(value);
    case WH_JSON_INT:
        (void)snprintf(text, 32, "%lld", (long long)wh_json_int(value));
        return wh_slice_str(text);
    case WH_JSON_UINT:
        (void)snprintf(text, 32, "%llu", (unsigned long long)wh_json_uint(value));
        return wh_slice_str(text);
    case WH_JSON_DOUBLE:
        (void)snprintf(text, 32, "%.17g", wh_json_double(value));
        return wh_slice_str(text);
    case WH_JSON_BOOL:
        return wh_json_bool(value) ? WH_LIT("true") : WH_LIT("false");
    case WH_JSON_ARRAY:
        return WH_LIT("[...]");
    case WH_JSON_OBJECT:
        return WH_LIT("{...}");
    case WH_JSON_NULL:
    default:
        return WH_LIT("null");
    }
}

static struct wh_slice keep(struct wh_arena *arena, struct wh_slice text)
{
    struct wh_slice copy;
    struct wh_err err;

    return wh_arena_dup(arena, text, &copy, &err) == WH_OK ? copy : WH_LIT("");
}

static struct wh_set_aside *find(struct set_aside *notes, struct wh_slice pointer)
{
    for (size_t i = 0; i < notes->n; i++) {
        if (wh_slice_eq(notes->items[i].pointer, pointer)) {
            return &notes->items[i];
        }
    }
    return notes->n == WH_SET_ASIDE_MAX ? &notes->items[WH_SET_ASIDE_MAX - 1] : NULL;
}

void set_aside_add(struct set_aside *notes, struct wh_arena *arena, const char *pointer,
                   const struct wh_err *err, struct wh_json_val value)
{
    char text[32];

    set_aside_add_text(notes, arena, pointer, err, example_of(value, text));
}

void set_aside_add_text(struct set_aside *notes, struct wh_arena *arena, const char *pointer,
                        const struct wh_err *err, struct wh_slice example)
{
    struct wh_set_aside *note = find(notes, wh_slice_str(pointer));

    if (note) {
        note->count += note->count < INT32_MAX;
        return;
    }
    notes->items[notes->n++] = (struct wh_set_aside){.pointer = wh_slice_str(pointer),
                                                     .reason = keep(arena, reason_of(err, pointer)),
                                                     .example = keep(arena, beginning(example)),
                                                     .count = 1};
}
