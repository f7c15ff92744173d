/* The file of the grants: {"clients": [...], "grants": [...]}. */
#include <errno.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/savefile.h"
#include "common/json/json_doc.h"
#include "stages/sink/tokens/grants_priv.h"

enum { FILE_MAX_BYTES = 1 << 20, DEPTH_MAX = 8 };

bool grants_set(char *to, size_t n, struct wh_slice text)
{
    if (text.len >= n) {
        return false;
    }
    if (text.len) {
        memcpy(to, text.ptr, text.len);
    }
    to[text.len] = 0;
    return true;
}

/* ---- which members there are ---- */

struct text_member {
    const char *name;
    size_t offset;
    size_t size;
};

struct time_member {
    const char *name;
    size_t offset;
};

#define TEXT(type, member)                                                                         \
    {                                                                                              \
#member, offsetof(struct type, member), sizeof(((struct type *)0)->member)                 \
    }
#define TIME(type, member)                                                                         \
    {                                                                                              \
#member, offsetof(struct type, member)                                                     \
    }

static const struct text_member client_texts[] = {
    TEXT(grants_client, id), TEXT(grants_client, name), TEXT(grants_client, uris), {NULL, 0, 0}};
static const struct time_member client_times[] = {TIME(grants_client, made_ms), {NULL, 0}};
static const struct text_member grant_texts[] = {
    TEXT(grant, id),       TEXT(grant, client), TEXT(grant, name),   TEXT(grant, redirect),
    TEXT(grant, resource), TEXT(grant, family), TEXT(grant, access), TEXT(grant, refresh),
    TEXT(grant, code),     {NULL, 0, 0}};
static const struct time_member grant_times[] = {
    TIME(grant, created_ms), TIME(grant, used_ms), TIME(grant, access_until_ms), {NULL, 0}};

/* ---- writing ---- */

static void write_row(struct wh_json_writer *w, const void *row, const struct text_member *texts,
                      const struct time_member *times)
{
    const char *bytes = row;
    int64_t ms;

    wh_jw_object(w);
    for (; texts->name; texts++) {
        wh_jw_put_str(w, texts->name, wh_slice_str(bytes + texts->offset));
    }
    for (; times->name; times++) {
        memcpy(&ms, bytes + times->offset, sizeof(ms));
        wh_jw_put_int(w, times->name, ms);
    }
    wh_jw_end(w);
}

enum wh_rc grants_save(const struct grants *g, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;

    wh_buf_init(&text, FILE_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    wh_jw_key(&w, "clients");
    wh_jw_array(&w);
    for (size_t i = 0; i < g->n_clients; i++) {
        write_row(&w, &g->clients[i], client_texts, client_times);
    }
    wh_jw_end(&w);
    wh_jw_key(&w, "grants");
    wh_jw_array(&w);
    for (size_t i = 0; i < g->n; i++) {
        write_row(&w, &g->list[i], grant_texts, grant_times);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    return g->path ? wh_savefile(g->path, wh_buf_slice(&text), err) : WH_OK;
}

/* ---- reading ---- */

static bool read_row(struct wh_json_val v, void *row, const struct text_member *texts,
                     const struct time_member *times)
{
    char *bytes = row;
    int64_t ms;

    for (; texts->name; texts++) {
        if (!grants_set(bytes + texts->offset, texts->size, wh_json_get_str(v, texts->name))) {
            return false;
        }
    }
    for (; times->name; times++) {
        ms = wh_json_get_int(v, times->name, 0);
        memcpy(bytes + times->offset, &ms, sizeof(ms));
    }
    return true;
}

static enum wh_rc read_tables(struct grants *g, struct wh_slice text, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(FILE_MAX_BYTES, DEPTH_MAX);
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_json_iter it;
    bool fits = true;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    if (wh_json_parse(parser, text, &root, err) != WH_OK) {
        wh_json_parser_free(parser);
        return wh_err_prefix(err, "the file of the agents' grants");
    }
    it = wh_json_get_iter(root, "clients");
    while (fits && g->n_clients < GRANT_CLIENTS_MAX && wh_json_next(&it, NULL, &v)) {
        fits = read_row(v, &g->clients[g->n_clients++], client_texts, client_times);
    }
    it = wh_json_get_iter(root, "grants");
    while (fits && g->n < GRANTS_MAX && wh_json_next(&it, NULL, &v)) {
        fits = read_row(v, &g->list[g->n++], grant_texts, grant_times);
    }
    wh_json_parser_free(parser);
    return fits ? WH_OK : wh_fail(err, WH_E_INVALID, "the file of the agents' grants is damaged");
}

enum wh_rc grants_load(struct grants *g, struct wh_err *err)
{
    FILE *f = g->path ? fopen(g->path, "re") : NULL;
    WH_AUTO(buf) struct wh_buf text;
    char block[4096];
    enum wh_rc rc = WH_OK;
    size_t n;

    wh_buf_init(&text, FILE_MAX_BYTES);
    if (f == NULL) {
        return g->path == NULL || errno == ENOENT
                   ? WH_OK
                   : wh_fail(err, WH_E_IO, "cannot read %.200s: error %d", g->path, errno);
    }
    while (rc == WH_OK && (n = fread(block, 1, sizeof(block), f)) > 0) {
        rc = wh_buf_append(&text, wh_slice(block, n), err);
    }
    (void)fclose(f);
    return rc == WH_OK ? read_tables(g, wh_buf_slice(&text), err) : rc;
}
