#include "cli/import/value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/num.h"
#include "common/base/time.h"

enum { WORD_MAX = 16, SHOWN_MAX = 40 };

WH_PRINTF(2, 3)
static bool wrong(char reason[IMPORT_REASON_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason, IMPORT_REASON_MAX, format, args);
    va_end(args);
    return false;
}

/* What is shown of a wrong value: its beginning. */
static int shown_len(struct wh_slice text)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

    while (len < text.len && len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80) {
        len--;
    }
    return (int)len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct wh_slice trimmed(struct wh_slice text)
{
    while (text.len && is_blank(text.ptr[0])) {
        text = wh_slice_from(text, 1);
    }
    while (text.len && is_blank(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

bool import_text_good(struct wh_slice text, char reason[IMPORT_REASON_MAX])
{
    if (text.len > IMPORT_TEXT_MAX) {
        return wrong(reason, "a text of %zu bytes is too long: at most %d are allowed", text.len,
                     IMPORT_TEXT_MAX);
    }
    if (text.len && memchr(text.ptr, '\0', text.len)) {
        return wrong(reason, "a NUL byte is not allowed in a text");
    }
    return wh_utf8_valid(text) ? true : wrong(reason, "the text is not valid UTF-8");
}

/* ---- types ---- */

static bool cased(struct wh_slice text, struct wh_arena *arena, char from, char to,
                  struct wh_slice *ret)
{
    struct wh_err err;
    void *copy = NULL;
    char *p;

    if (wh_arena_alloc(arena, text.len + 1, &copy, &err) != WH_OK) {
        return false;
    }
    p = copy;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        p[i] = c >= from && c <= from + 25 ? (char)(c - from + to) : c;
    }
    *ret = wh_slice(p, text.len);
    return true;
}

/* *ret is the number without leading zeros. */
static bool take_whole(struct wh_slice text, struct wh_slice *ret, char reason[IMPORT_REASON_MAX])
{
    struct wh_err err;
    int64_t number;
    size_t n = 0;

    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') {
        n++;
    }
    if (text.len > 1 && text.ptr[0] == '-' && n == 0) {
        return wrong(reason, "'%.*s' is negative", shown_len(text), text.ptr);
    }
    if (n != text.len) {
        return wrong(reason, "'%.*s' is not a whole number", shown_len(text), text.ptr);
    }
    *ret = text;
    while (ret->len > 1 && ret->ptr[0] == '0') {
        *ret = wh_slice_from(*ret, 1);
    }
    return wh_num_i64(*ret, &number, &err) == WH_OK
               ? true
               : wrong(reason, "'%.*s' is above 9223372036854775807", shown_len(text), text.ptr);
}

static bool take_currency(struct wh_slice text, struct wh_arena *arena, struct wh_slice *ret,
                          char reason[IMPORT_REASON_MAX])
{
    if (!cased(text, arena, 'a', 'A', ret)) {
        return wrong(reason, "out of memory");
    }
    return import_is_currency(*ret)
               ? true
               : wrong(reason, "'%.*s' is not a currency of ISO 4217", shown_len(text), text.ptr);
}

/* Is the word one of "month|quarter|year"? */
static bool is_word(const char *words, struct wh_slice word)
{
    for (const char *p = words; *p; p += strspn(p, "|")) {
        size_t n = strcspn(p, "|");

        if (wh_slice_eq(word, wh_slice(p, n))) {
            return true;
        }
        p += n;
    }
    return false;
}

static bool take_word(const char *words, struct wh_slice text, struct wh_arena *arena,
                      struct wh_slice *ret, char reason[IMPORT_REASON_MAX])
{
    char list[WORD_MAX * 4];
    size_t n = 0;

    if (!cased(text, arena, 'A', 'a', ret)) {
        return wrong(reason, "out of memory");
    }
    if (is_word(words, *ret)) {
        return true;
    }
    for (const char *p = words; *p && n + 3 < sizeof(list); p++) {
        list[n++] = *p == '|' ? ',' : *p;
        if (*p == '|') {
            list[n++] = ' ';
        }
    }
    list[n] = '\0';
    return wrong(reason, "'%.*s' is none of %s", shown_len(text), text.ptr, list);
}

static bool take_date(struct wh_slice text, char reason[IMPORT_REASON_MAX])
{
    return wh_date_valid(text) ? true
                               : wrong(reason, "'%.*s' is not a day of the calendar: YYYY-MM-DD",
                                       shown_len(text), text.ptr);
}

/* ---- lists ---- */

/* NULL after the reason was written. */
static struct wh_slice *list_new(size_t n, struct wh_arena *arena, char reason[IMPORT_REASON_MAX])
{
    struct wh_err err;
    void *memory = NULL;

    if (n > IMPORT_LIST_MAX) {
        (void)wrong(reason, "a list of %zu is too long: at most %d are allowed", n,
                    IMPORT_LIST_MAX);
        return NULL;
    }
    if (wh_arena_zalloc(arena, n ? n : 1, sizeof(struct wh_slice), &memory, &err) != WH_OK) {
        (void)wrong(reason, "out of memory");
        return NULL;
    }
    return memory;
}

/* Empty texts between the separators do not count. */
static bool take_list(struct wh_slice text, struct wh_arena *arena, struct import_value *ret,
                      char reason[IMPORT_REASON_MAX])
{
    struct wh_slice *items;
    size_t most = 1;

    for (size_t i = 0; i < text.len; i++) {
        most += text.ptr[i] == ';';
    }
    items = list_new(most, arena, reason);
    if (items == NULL) {
        return false;
    }
    while (text.len) {
        const char *end = memchr(text.ptr, ';', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct wh_slice item = trimmed(wh_slice(text.ptr, len));

        if (!import_text_good(item, reason)) {
            return false;
        }
        if (item.len) {
            items[ret->n_items++] = item;
        }
        text = wh_slice_from(text, end ? len + 1 : len);
    }
    ret->items = items;
    return true;
}

static bool take_text(struct wh_json_val json, struct wh_arena *arena, struct wh_slice *ret,
                      char reason[IMPORT_REASON_MAX])
{
    char digits[24];
    struct wh_err err;

    if (wh_json_type(json) == WH_JSON_STRING) {
        *ret = trimmed(wh_json_string(json));
        return true;
    }
    if (wh_json_type(json) != WH_JSON_INT) {
        return wrong(reason, "a text is needed, and this is none");
    }
    (void)snprintf(digits, sizeof(digits), "%" PRId64, wh_json_int(json));
    return wh_arena_dup(arena, wh_slice_str(digits), ret, &err) == WH_OK
               ? true
               : wrong(reason, "out of memory");
}

static bool take_array(struct wh_json_val json, struct wh_arena *arena, struct import_value *ret,
                       char reason[IMPORT_REASON_MAX])
{
    struct wh_json_iter it = wh_json_iter(json);
    struct wh_json_val each;
    struct wh_slice *items;
    size_t n = 0;

    while (wh_json_next(&it, NULL, &each)) {
        n++;
    }
    items = list_new(n, arena, reason);
    if (items == NULL) {
        return false;
    }
    for (it = wh_json_iter(json); wh_json_next(&it, NULL, &each);) {
        struct wh_slice item = {NULL, 0};

        if (!take_text(each, arena, &item, reason) || !import_text_good(item, reason)) {
            return false;
        }
        if (item.len) {
            items[ret->n_items++] = item;
        }
    }
    ret->items = items;
    return true;
}

/* ---- values ---- */

bool import_value_text(const struct import_column *column, struct wh_slice text,
                       struct wh_arena *arena, struct import_value *ret,
                       char reason[IMPORT_REASON_MAX])
{
    *ret = (struct import_value){.state = IMPORT_SHOWN, .text = trimmed(text)};
    if (column->type == IMPORT_LIST) {
        return take_list(ret->text, arena, ret, reason);
    }
    if (!import_text_good(ret->text, reason)) {
        return false;
    }
    if (ret->text.len == 0) {
        ret->state = IMPORT_EMPTY;
        return true;
    }
    switch (column->type) {
    case IMPORT_WHOLE:
        return take_whole(ret->text, &ret->text, reason);
    case IMPORT_CURRENCY:
        return take_currency(ret->text, arena, &ret->text, reason);
    case IMPORT_WORD:
        return take_word(column->words, ret->text, arena, &ret->text, reason);
    case IMPORT_DATE:
        return take_date(ret->text, reason);
    case IMPORT_TEXT:
    case IMPORT_URL:
    case IMPORT_LIST:
    default:
        return true;
    }
}

bool import_value_json(const struct import_column *column, struct wh_json_val json,
                       struct wh_arena *arena, struct import_value *ret,
                       char reason[IMPORT_REASON_MAX])
{
    struct wh_slice text = {NULL, 0};

    if (column->type == IMPORT_LIST && wh_json_type(json) == WH_JSON_ARRAY) {
        *ret = (struct import_value){.state = IMPORT_SHOWN};
        return take_array(json, arena, ret, reason);
    }
    if (column->type == IMPORT_WHOLE && wh_json_type(json) == WH_JSON_UINT) {
        return wrong(reason, "the number is above 9223372036854775807");
    }
    if (column->type == IMPORT_WHOLE && wh_json_type(json) == WH_JSON_DOUBLE) {
        return wrong(reason, "the number is not a whole number below 9223372036854775808");
    }
    return take_text(json, arena, &text, reason) &&
           import_value_text(column, text, arena, ret, reason);
}

void import_value_write(struct wh_json_writer *w, const struct import_column *column,
                        const struct import_value *value)
{
    if (column->type == IMPORT_LIST) {
        wh_jw_array(w);
        for (size_t i = 0; i < value->n_items; i++) {
            wh_jw_str(w, value->items[i]);
        }
        wh_jw_end(w);
    } else if (value->state == IMPORT_EMPTY) {
        wh_jw_null(w);
    } else if (column->type == IMPORT_WHOLE) {
        wh_jw_raw(w, value->text);
    } else {
        wh_jw_str(w, value->text);
    }
}

static enum wh_rc print_text(struct wh_buf *out, char kind, struct wh_slice text,
                             struct wh_err *err)
{
    uint64_t len = text.len;

    if (wh_buf_append_char(out, kind, err) != WH_OK ||
        wh_buf_append(out, wh_slice(&len, sizeof(len)), err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, text, err);
}

enum wh_rc import_value_print(struct wh_buf *out, const struct import_value *value,
                              struct wh_err *err)
{
    if (value->n_items == 0 && value->text.len == 0) {
        return wh_buf_append_char(out, '-', err);
    }
    for (size_t i = 0; i < value->n_items; i++) {
        if (print_text(out, 'l', value->items[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return value->n_items ? wh_buf_append_char(out, '.', err)
                          : print_text(out, 't', value->text, err);
}
