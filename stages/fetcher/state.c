#include "stages/fetcher/state.h"

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

struct state {
    struct slot *buckets[BUCKETS];
};

struct state *state_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct state));
}

void state_free(struct state *s)
{
    for (size_t i = 0; s && i < BUCKETS; i++) {
        while (s->buckets[i]) {
            struct slot *next = s->buckets[i]->next;

            wh_mem_free(s->buckets[i]->key);
            wh_mem_free(s->buckets[i]);
            s->buckets[i] = next;
        }
    }
    wh_mem_free(s);
}

struct cursor *state_cursor(struct state *s, struct wh_slice key)
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

enum wh_rc cursor_write(const struct cursor *c, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_key(&w, "after");
    wh_jw_str(&w, wh_slice_str(c->after));
    wh_jw_key(&w, "rows");
    wh_jw_int(&w, (int64_t)c->rows);
    wh_jw_key(&w, "finished_at_ms");
    wh_jw_int(&w, c->finished_at_ms);
    wh_jw_key(&w, "hashes");
    wh_jw_array(&w);
    for (unsigned i = 0; i < c->n_hashes; i++) {
        char text[20];

        (void)snprintf(text, sizeof(text), "%016" PRIx64, c->hashes[i]);
        wh_jw_str(&w, wh_slice_str(text));
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static void parse_hashes(struct wh_json_val list, struct cursor *c)
{
    struct wh_json_iter it = wh_json_iter(list);
    struct wh_json_val item;
    struct wh_slice key;

    c->n_hashes = 0;
    while (wh_json_next(&it, &key, &item) && c->n_hashes < STATE_HASHES_MAX) {
        char text[20];

        (void)snprintf(text, sizeof(text), "%.*s", 16, wh_json_string(item).ptr);
        c->hashes[c->n_hashes++] = strtoull(text, NULL, 16);
    }
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
    if (wh_json_get(root, WH_LIT("after"), &v)) {
        struct wh_slice text = wh_json_string(v);

        if (text.len >= sizeof(c.after)) {
            return wh_fail(err, WH_E_TOO_LARGE, "fetch-state: the cursor is too long");
        }
        memcpy(c.after, text.ptr ? text.ptr : "", text.len);
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
    *ret = c;
    return WH_OK;
}
