#include "stages/fetcher/state/cursors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/json/json_write.h"

enum { BUCKETS = 4096 };

struct slot {
    struct slot *next;
    char *key;
    size_t key_len;
    struct cursor cursor;
};

struct cursors {
    struct slot *buckets[BUCKETS];
};

void cursor_key(char ret[CURSOR_KEY_MAX], const char *connection, struct wh_slice project,
                const char *stream)
{
    int n = snprintf(ret, CURSOR_KEY_MAX, "%s:%.*s:%s", connection, WH_SLICE_ARG(project), stream);

    assert(n > 0 && n < CURSOR_KEY_MAX);
}

struct cursors *cursors_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct cursors));
}

void cursors_forget(struct cursors *s, struct wh_slice prefix)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct slot **link = &s->buckets[i];

        while (*link) {
            struct slot *slot = *link;

            if (!wh_slice_starts(wh_slice(slot->key, slot->key_len), prefix)) {
                link = &slot->next;
                continue;
            }
            *link = slot->next;
            cursor_clear(&slot->cursor);
            wh_mem_free(slot->key);
            wh_mem_free(slot);
        }
    }
}

void cursors_free(struct cursors *s)
{
    if (s) {
        cursors_forget(s, WH_LIT(""));
        wh_mem_free(s);
    }
}

struct cursor *cursors_get(struct cursors *s, struct wh_slice key)
{
    struct slot **bucket = &s->buckets[wh_hash64(key) % BUCKETS];
    struct slot *slot;

    for (slot = *bucket; slot; slot = slot->next) {
        if (wh_slice_eq(wh_slice(slot->key, slot->key_len), key)) {
            return &slot->cursor;
        }
    }
    slot = wh_mem_zalloc(1, sizeof(*slot));
    if (slot) {
        slot->key = wh_mem_dup(key.ptr, key.len);
    }
    if (slot == NULL || slot->key == NULL) {
        wh_mem_free(slot);
        return NULL;
    }
    slot->key_len = key.len;
    slot->next = *bucket;
    *bucket = slot;
    return &slot->cursor;
}

void cursors_each(struct cursors *s, struct wh_slice prefix, cursors_fn fn, void *ctx)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct slot *slot = s->buckets[i]; slot; slot = slot->next) {
            struct wh_slice key = wh_slice(slot->key, slot->key_len);

            if (wh_slice_starts(key, prefix)) {
                fn(ctx, key, &slot->cursor);
            }
        }
    }
}

enum wh_rc cursor_owe(struct cursor *c, int64_t number, struct wh_err *err)
{
    int64_t *more;

    for (unsigned i = 0; i < c->n_owed; i++) {
        if (c->owed[i] == number) {
            return WH_OK;
        }
    }
    if (c->n_owed == CURSOR_OWED_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "the details of %d objects are owed already",
                       CURSOR_OWED_MAX);
    }
    more = wh_mem_resize(c->owed, c->n_owed + 1, sizeof(*more));
    if (more == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a cursor");
    }
    c->owed = more;
    c->owed[c->n_owed++] = number;
    return WH_OK;
}

void cursor_pay(struct cursor *c, int64_t number)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_owed; i++) {
        if (c->owed[i] != number) {
            c->owed[n++] = c->owed[i];
        }
    }
    c->n_owed = n;
}

void cursor_clear(struct cursor *c)
{
    wh_mem_free(c->hashes);
    wh_mem_free(c->spans);
    wh_mem_free(c->place);
    wh_mem_free(c->owed);
    *c = (struct cursor){0};
}

void cursor_set_hash(struct cursor *c, unsigned index, uint64_t hash)
{
    if (index >= CURSOR_HASHES_MAX) {
        return;
    }
    if (index >= c->n_hashes) {
        uint64_t *more = wh_mem_resize(c->hashes, index + 1, sizeof(*more));

        if (more == NULL) {
            return;
        }
        memset(more + c->n_hashes, 0, (index + 1 - c->n_hashes) * sizeof(*more));
        c->hashes = more;
        c->n_hashes = index + 1;
    }
    c->hashes[index] = hash;
}

enum wh_rc cursor_set_spans(struct cursor *c, unsigned n, struct wh_err *err)
{
    if (n > CURSOR_SPANS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "fetch-state: too many spans");
    }
    if (n > c->n_spans) {
        struct cursor_span *more = wh_mem_resize(c->spans, n, sizeof(*more));

        if (more == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a cursor");
        }
        memset(more + c->n_spans, 0, (n - c->n_spans) * sizeof(*more));
        c->spans = more;
    }
    c->n_spans = n;
    return WH_OK;
}

enum wh_rc cursor_set_place(struct cursor *c, const struct cursor_place *place, struct wh_err *err)
{
    if (place == NULL) {
        wh_mem_free(c->place);
        c->place = NULL;
        return WH_OK;
    }
    if (c->place == NULL) {
        c->place = wh_mem_zalloc(1, sizeof(*c->place));
    }
    if (c->place == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a cursor");
    }
    *c->place = *place;
    return WH_OK;
}

static void write_place(struct wh_json_writer *w, const struct cursor_place *place)
{
    wh_jw_key(w, "place");
    wh_jw_object(w);
    wh_jw_put_int(w, "pages", place->pages);
    wh_jw_put_str(w, "mark", wh_slice_str(place->mark));
    wh_jw_put_str(w, "newest", wh_slice_str(place->newest));
    wh_jw_put_int(w, "begun_ms", place->begun_ms);
    wh_jw_put_int(w, "low_ms", place->low_ms);
    wh_jw_end(w);
}

static void write_spans(struct wh_json_writer *w, const struct cursor *c)
{
    wh_jw_key(w, "spans");
    wh_jw_array(w);
    for (unsigned i = 0; i < c->n_spans; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "after", wh_slice_str(c->spans[i].after));
        wh_jw_put_int(w, "before_ms", c->spans[i].before_ms);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_owed(struct wh_json_writer *w, const struct cursor *c)
{
    wh_jw_key(w, "owed");
    wh_jw_array(w);
    for (unsigned i = 0; i < c->n_owed; i++) {
        wh_jw_int(w, c->owed[i]);
    }
    wh_jw_end(w);
}

enum wh_rc cursor_write(const struct cursor *c, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "after", wh_slice_str(c->after));
    wh_jw_put_int(&w, "rows", (int64_t)c->rows);
    wh_jw_put_int(&w, "finished_at_ms", c->finished_at_ms);
    wh_jw_key(&w, "hashes");
    wh_jw_array(&w);
    for (unsigned i = 0; i < c->n_hashes; i++) {
        char text[20];

        (void)snprintf(text, sizeof(text), "%016" PRIx64, c->hashes[i]);
        wh_jw_str(&w, wh_slice_str(text));
    }
    wh_jw_end(&w);
    if (c->n_spans) {
        write_spans(&w, c);
    }
    if (c->place) {
        write_place(&w, c->place);
    }
    if (c->n_owed) {
        write_owed(&w, c);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static void parse_hashes(struct wh_json_val list, struct cursor *c)
{
    struct wh_json_iter it = wh_json_iter(list);
    struct wh_json_val item;
    struct wh_slice key;

    for (unsigned i = 0; wh_json_next(&it, &key, &item) && i < CURSOR_HASHES_MAX; i++) {
        char text[20];

        (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(wh_json_string(item)));
        cursor_set_hash(c, i, strtoull(text, NULL, 16));
    }
}

static enum wh_rc copy_text(struct wh_json_val object, const char *name, char *to, size_t max,
                            struct wh_err *err)
{
    struct wh_json_val v;
    struct wh_slice text;

    if (!wh_json_get(object, wh_slice_str(name), &v)) {
        return WH_OK;
    }
    text = wh_json_string(v);
    if (text.len >= max) {
        return wh_fail(err, WH_E_TOO_LARGE, "fetch-state: the cursor is too long");
    }
    if (text.len) {
        memcpy(to, text.ptr, text.len);
    }
    to[text.len] = '\0';
    return WH_OK;
}

/* Leaving one out would leave its rows out. */
static enum wh_rc parse_spans(struct wh_json_val list, struct cursor *c, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_iter(list);
    struct wh_json_val item;
    struct wh_json_val before;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &item)) {
        struct cursor_span *span;

        if (cursor_set_spans(c, c->n_spans + 1, err) != WH_OK) {
            return err->rc;
        }
        span = &c->spans[c->n_spans - 1];
        if (copy_text(item, "after", span->after, sizeof(span->after), err) != WH_OK) {
            return err->rc;
        }
        if (!wh_json_get(item, WH_LIT("before_ms"), &before) ||
            wh_json_type(before) != WH_JSON_INT) {
            return wh_fail(err, WH_E_TYPE, "fetch-state: a span without an end");
        }
        span->before_ms = wh_json_int(before);
    }
    return WH_OK;
}

static enum wh_rc parse_place(struct wh_json_val v, struct cursor *c, struct wh_err *err)
{
    struct cursor_place place = {.begun_ms = wh_json_get_int(v, "begun_ms", 0),
                                 .low_ms = wh_json_get_int(v, "low_ms", 0)};
    int64_t pages = wh_json_get_int(v, "pages", 0);

    if (pages < 1 || pages > INT32_MAX || place.begun_ms < 1) {
        return wh_fail(err, WH_E_TYPE, "fetch-state: a place without its pages or its time");
    }
    place.pages = (unsigned)pages;
    if (copy_text(v, "mark", place.mark, sizeof(place.mark), err) != WH_OK ||
        copy_text(v, "newest", place.newest, sizeof(place.newest), err) != WH_OK) {
        return err->rc;
    }
    return cursor_set_place(c, &place, err);
}

static enum wh_rc parse_owed(struct wh_json_val list, struct cursor *c, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_iter(list);
    struct wh_json_val item;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &item)) {
        if (cursor_owe(c, wh_json_int(item), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc cursor_parse(struct wh_slice json, struct wh_json_parser *parser, struct cursor *ret,
                        struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_json_val v;
    struct cursor c = {0};

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return wh_err_prefix(err, "fetch-state");
    }
    if (copy_text(root, "after", c.after, sizeof(c.after), err) != WH_OK ||
        (wh_json_get(root, WH_LIT("spans"), &v) && parse_spans(v, &c, err) != WH_OK) ||
        (wh_json_get(root, WH_LIT("place"), &v) && parse_place(v, &c, err) != WH_OK) ||
        (wh_json_get(root, WH_LIT("owed"), &v) && parse_owed(v, &c, err) != WH_OK)) {
        cursor_clear(&c);
        return err->rc;
    }
    if (wh_json_get(root, WH_LIT("rows"), &v)) {
        c.rows = (uint64_t)wh_json_int(v);
    }
    if (wh_json_get(root, WH_LIT("finished_at_ms"), &v)) {
        c.finished_at_ms = wh_json_int(v);
    }
    if (wh_json_get(root, WH_LIT("hashes"), &v)) {
        parse_hashes(v, &c);
    }
    cursor_clear(ret);
    *ret = c;
    return WH_OK;
}
