#include "stages/mapper/view/loader_priv.h"

#include <stdio.h>

bool view_loader_fail(struct view_loader *l, const char *fmt, ...)
{
    char what[WH_ERR_MSG_MAX];
    va_list args;

    /* Keeps the innermost reason and prefixes it with the outer one. */
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (l->err->rc == WH_E_CONFIG) {
        return false;
    }
    (void)wh_fail(l->err, WH_E_CONFIG, "%s: view '%.*s': %s", l->file, WH_SLICE_ARG(l->view), what);
    return false;
}

void *view_loader_alloc(struct view_loader *l, size_t n, size_t size)
{
    void *ptr;

    if (wh_arena_zalloc(l->arena, n, size, &ptr, l->err) != WH_OK) {
        return NULL;
    }
    return ptr;
}

bool view_loader_dup(struct view_loader *l, struct wh_slice text, struct wh_slice *ret)
{
    return wh_arena_dup(l->arena, text, ret, l->err) == WH_OK;
}

bool view_loader_define(const struct view_loader *l, struct wh_slice name, struct wh_json_val *ret)
{
    for (unsigned i = l->n_defines; i-- > 0;) {
        if (wh_slice_eq(l->defines[i].name, name)) {
            *ret = l->defines[i].val;
            return true;
        }
    }
    return false;
}

const struct view_map *view_loader_map(const struct view_map *maps, unsigned n,
                                       struct wh_slice name)
{
    for (unsigned i = n; i-- > 0;) {
        if (wh_slice_eq(maps[i].name, name)) {
            return &maps[i];
        }
    }
    return NULL;
}
