#include "stages/sink/views/views.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/savefile.h"
#include "common/crypto/crypto.h"
#include "common/json/json_doc.h"

enum { FILE_MAX_BYTES = 2 << 20, FILE_DEPTH = 4 };

struct view {
    char id[VIEW_ID_TEXT + 1];
    char name[VIEW_NAME_MAX + 1];
    char path[VIEW_PATH_MAX + 1];
    int64_t created_ms;
};

struct views {
    const char *path;
    struct wh_clock clock;
    pthread_mutex_t mutex;
    size_t n;
    struct view *list[VIEWS_MAX]; /* by name */
};

/* ---- the file ---- */

static void write_view(const struct view *view, struct wh_json_writer *w)
{
    char at[WH_TIME_TEXT_MAX];

    wh_jw_object(w);
    wh_jw_put_str(w, "id", wh_slice_str(view->id));
    wh_jw_put_str(w, "name", wh_slice_str(view->name));
    wh_jw_put_str(w, "path", wh_slice_str(view->path));
    wh_jw_put_str(w, "created_at", wh_slice_str(wh_time_format(view->created_ms, at)));
    wh_jw_end(w);
}

static enum wh_rc save(const struct views *v, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text = {0};
    struct wh_json_writer w;

    if (v->path == NULL) {
        return WH_OK;
    }
    wh_buf_init(&text, FILE_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    wh_jw_array(&w);
    for (size_t i = 0; i < v->n; i++) {
        write_view(v->list[i], &w);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err) == WH_OK ? wh_savefile(v->path, wh_buf_slice(&text), err)
                                          : err->rc;
}

static bool copy(char *to, size_t max, struct wh_slice text)
{
    if (text.len == 0 || text.len > max) {
        return false;
    }
    memcpy(to, text.ptr, text.len);
    to[text.len] = 0;
    return true;
}

static enum wh_rc load_view(struct views *v, struct wh_json_val item, struct wh_err *err)
{
    struct view *view = v->n < VIEWS_MAX ? wh_mem_zalloc(1, sizeof(*view)) : NULL;
    struct wh_instant at;

    if (view == NULL || !copy(view->id, VIEW_ID_TEXT, wh_json_get_str(item, "id")) ||
        !copy(view->name, VIEW_NAME_MAX, wh_json_get_str(item, "name")) ||
        !copy(view->path, VIEW_PATH_MAX, wh_json_get_str(item, "path")) ||
        wh_time_parse(wh_json_get_str(item, "created_at"), &at, err) != WH_OK) {
        wh_mem_free(view);
        return wh_fail(err, WH_E_CORRUPT, "%.200s is damaged: move it away, or restore it",
                       v->path);
    }
    view->created_ms = at.ms;
    v->list[v->n++] = view;
    return WH_OK;
}

static enum wh_rc load_text(struct views *v, struct wh_slice text, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(FILE_MAX_BYTES, FILE_DEPTH);
    struct wh_json_iter it;
    struct wh_json_val root;
    struct wh_json_val item;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for saved views");
    }
    rc = wh_json_parse(parser, text, &root, err);
    it = wh_json_iter(root);
    while (rc == WH_OK && wh_json_next(&it, NULL, &item)) {
        rc = load_view(v, item, err);
    }
    wh_json_parser_free(parser);
    return rc;
}

static enum wh_rc load(struct views *v, struct wh_err *err)
{
    FILE *f = fopen(v->path, "re");
    WH_AUTO(buf) struct wh_buf text;
    size_t n;

    wh_buf_init(&text, FILE_MAX_BYTES);
    if (f == NULL) {
        return errno == ENOENT
                   ? WH_OK
                   : wh_fail(err, WH_E_IO, "cannot read %.200s: error %d", v->path, errno);
    }
    if (wh_buf_reserve(&text, FILE_MAX_BYTES - 1, err) != WH_OK) {
        (void)fclose(f);
        return err->rc;
    }
    n = fread(text.ptr, 1, FILE_MAX_BYTES - 1, f);
    text.len = n;
    (void)fclose(f);
    return load_text(v, wh_buf_slice(&text), err);
}

enum wh_rc views_new(const char *path, struct wh_clock clock, struct views **ret,
                     struct wh_err *err)
{
    struct views *v = wh_mem_zalloc(1, sizeof(*v));

    if (v == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for saved views");
    }
    v->path = path;
    v->clock = clock;
    (void)pthread_mutex_init(&v->mutex, NULL);
    if (path && load(v, err) != WH_OK) {
        views_free(v);
        return err->rc;
    }
    *ret = v;
    return WH_OK;
}

void views_free(struct views *v)
{
    if (v == NULL) {
        return;
    }
    for (size_t i = 0; i < v->n; i++) {
        wh_mem_free(v->list[i]);
    }
    (void)pthread_mutex_destroy(&v->mutex);
    wh_mem_free(v);
}

/* ---- changes ---- */

static bool is_address(struct wh_slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7f || path.ptr[i] == '\\') {
            return false;
        }
    }
    return path.len > 0 && path.len <= VIEW_PATH_MAX && path.ptr[0] == '/' &&
           !(path.len > 1 && path.ptr[1] == '/');
}

static bool is_name(struct wh_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] < 0x20) {
            return false;
        }
    }
    return name.len > 0 && name.len <= VIEW_NAME_MAX;
}

static struct view *find(const struct views *v, struct wh_slice name)
{
    for (size_t i = 0; i < v->n; i++) {
        if (wh_slice_eq(name, wh_slice_str(v->list[i]->name))) {
            return v->list[i];
        }
    }
    return NULL;
}

static enum wh_rc new_view(struct views *v, struct wh_slice name, struct view **ret,
                           struct wh_err *err)
{
    unsigned char random[VIEW_ID_TEXT / 2];
    WH_AUTO(buf) struct wh_buf text;
    struct view *view;

    wh_buf_init(&text, VIEW_ID_TEXT);
    if (v->n == VIEWS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "there are %d saved views: delete one first",
                       VIEWS_MAX);
    }
    if (wh_random_bytes(random, sizeof(random), err) != WH_OK ||
        wh_hex_encode(wh_slice(random, sizeof(random)), &text, err) != WH_OK) {
        return err->rc;
    }
    view = wh_mem_zalloc(1, sizeof(*view));
    if (view == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a saved view");
    }
    (void)copy(view->id, VIEW_ID_TEXT, wh_buf_slice(&text));
    (void)copy(view->name, VIEW_NAME_MAX, name);
    view->created_ms = wh_clock_now_ms(&v->clock);
    *ret = view;
    return WH_OK;
}

static void insert(struct views *v, struct view *view)
{
    size_t at = v->n++;

    for (; at > 0 && strcmp(v->list[at - 1]->name, view->name) > 0; at--) {
        v->list[at] = v->list[at - 1];
    }
    v->list[at] = view;
}

static void take_out(struct views *v, const struct view *view)
{
    size_t n = 0;

    for (size_t i = 0; i < v->n; i++) {
        if (v->list[i] != view) {
            v->list[n++] = v->list[i];
        }
    }
    v->n = n;
}

static enum wh_rc add(struct views *v, struct wh_slice name, struct wh_slice path,
                      char ret_id[VIEW_ID_TEXT + 1], struct wh_err *err)
{
    struct view *view = NULL;

    if (new_view(v, name, &view, err) != WH_OK) {
        return err->rc;
    }
    (void)copy(view->path, VIEW_PATH_MAX, path);
    insert(v, view);
    if (save(v, err) != WH_OK) {
        take_out(v, view);
        wh_mem_free(view);
        return err->rc;
    }
    memcpy(ret_id, view->id, sizeof(view->id));
    return WH_OK;
}

static enum wh_rc change(struct views *v, struct view *view, struct wh_slice path,
                         char ret_id[VIEW_ID_TEXT + 1], struct wh_err *err)
{
    const struct view before = *view;

    (void)copy(view->path, VIEW_PATH_MAX, path);
    memcpy(ret_id, view->id, sizeof(view->id));
    if (save(v, err) != WH_OK) {
        *view = before;
        return err->rc;
    }
    return WH_OK;
}

enum wh_rc views_put(struct views *v, struct wh_slice name, struct wh_slice path,
                     char ret_id[VIEW_ID_TEXT + 1], struct wh_err *err)
{
    struct view *view;
    enum wh_rc rc;

    if (!is_name(name)) {
        return wh_fail(err, WH_E_INVALID, "a view has a name of at most %d bytes", VIEW_NAME_MAX);
    }
    if (!is_address(path)) {
        return wh_fail(err, WH_E_INVALID,
                       "a view is an address of this server, as in /t/issues?state=opened, of at "
                       "most %d bytes",
                       VIEW_PATH_MAX);
    }
    (void)pthread_mutex_lock(&v->mutex);
    view = find(v, name);
    rc = view ? change(v, view, path, ret_id, err) : add(v, name, path, ret_id, err);
    (void)pthread_mutex_unlock(&v->mutex);
    return rc;
}

static enum wh_rc end_one(struct views *v, struct wh_slice id, struct wh_err *err)
{
    struct view *view = NULL;

    for (size_t i = 0; i < v->n; i++) {
        if (wh_slice_eq(id, wh_slice_str(v->list[i]->id))) {
            view = v->list[i];
        }
    }
    if (view == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "there is no such view");
    }
    take_out(v, view);
    if (save(v, err) != WH_OK) {
        insert(v, view);
        return err->rc;
    }
    wh_mem_free(view);
    return WH_OK;
}

enum wh_rc views_end(struct views *v, struct wh_slice id, struct wh_err *err)
{
    enum wh_rc rc;

    (void)pthread_mutex_lock(&v->mutex);
    rc = end_one(v, id, err);
    (void)pthread_mutex_unlock(&v->mutex);
    return rc;
}

void views_write(struct views *v, struct wh_slice prefix, struct wh_json_writer *w)
{
    (void)pthread_mutex_lock(&v->mutex);
    wh_jw_array(w);
    for (size_t i = 0; i < v->n; i++) {
        if (prefix.len == 0 || wh_slice_starts(wh_slice_str(v->list[i]->path), prefix)) {
            write_view(v->list[i], w);
        }
    }
    wh_jw_end(w);
    (void)pthread_mutex_unlock(&v->mutex);
}

void views_write_items(struct views *v, size_t n, struct wh_json_writer *w)
{
    (void)pthread_mutex_lock(&v->mutex);
    wh_jw_array(w);
    for (size_t i = 0; i < v->n && i < n; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "name", wh_slice_str(v->list[i]->name));
        wh_jw_put_str(w, "href", wh_slice_str(v->list[i]->path));
        wh_jw_end(w);
    }
    wh_jw_end(w);
    (void)pthread_mutex_unlock(&v->mutex);
}
