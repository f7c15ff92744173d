/* The schemas of the rows, those of earlier builds too. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/rowtopics/rowtopics_priv.h"

void row_schemas_done(struct row_schemas *s)
{
    for (size_t i = 0; i < s->n; i++) {
        wh_mem_free(s->items[i]->text);
        wh_mem_free(s->items[i]);
    }
    s->n = 0;
}

static bool has(const struct row_schemas *s, int32_t id, const char *subject, int *ret_version)
{
    *ret_version = 1;
    for (size_t i = 0; i < s->n; i++) {
        bool same = strcmp(s->items[i]->subject, subject) == 0;

        if (same && s->items[i]->id == id) {
            return true;
        }
        *ret_version += same;
    }
    return false;
}

static enum wh_rc add(struct row_schemas *s, int32_t id, const char *topic, struct wh_slice text,
                      bool *ret_new, struct wh_err *err)
{
    struct rowtopics_schema *item;
    char subject[sizeof(item->subject)];
    int version;

    (void)snprintf(subject, sizeof(subject), "%.249s-value", topic);
    *ret_new = !has(s, id, subject, &version);
    if (!*ret_new) {
        return WH_OK;
    }
    item = s->n < ROW_SCHEMAS_MAX ? wh_mem_zalloc(1, sizeof(*item)) : NULL;
    if (item) {
        item->text = wh_mem_dup(text.ptr, text.len);
    }
    if (item == NULL || item->text == NULL) {
        wh_mem_free(item);
        return wh_fail(err, WH_E_NOMEM, "no memory for a schema");
    }
    item->id = id;
    item->version = version;
    item->len = text.len;
    memcpy(item->subject, subject, sizeof(subject));
    s->items[s->n++] = item;
    return WH_OK;
}

enum wh_rc row_schemas_add(struct row_schemas *s, int32_t id, const char *topic,
                           struct wh_slice text, bool *ret_new, struct wh_err *err)
{
    enum wh_rc rc;
    bool is_new;

    (void)pthread_mutex_lock(&s->lock);
    rc = add(s, id, topic, text, ret_new ? ret_new : &is_new, err);
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

size_t rowtopics_schemas(struct rowtopics *r)
{
    size_t n;

    (void)pthread_mutex_lock(&r->schemas.lock);
    n = r->schemas.n;
    (void)pthread_mutex_unlock(&r->schemas.lock);
    return n;
}

const struct rowtopics_schema *rowtopics_schema_at(struct rowtopics *r, size_t i)
{
    const struct rowtopics_schema *item;

    (void)pthread_mutex_lock(&r->schemas.lock);
    item = i < r->schemas.n ? r->schemas.items[i] : NULL;
    (void)pthread_mutex_unlock(&r->schemas.lock);
    return item;
}
