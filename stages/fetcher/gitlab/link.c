#include "stages/fetcher/gitlab/link.h"

/* One "<url>; rel="next"" of a list; moves past it. */
static bool next_link(struct wh_slice *rest, struct wh_slice *url, struct wh_slice *params)
{
    const char *open = rest->len ? memchr(rest->ptr, '<', rest->len) : NULL;
    const char *shut;
    const char *comma;
    size_t left;

    if (open == NULL) {
        return false;
    }
    *rest = wh_slice_from(*rest, (size_t)(open - rest->ptr) + 1);
    shut = rest->len ? memchr(rest->ptr, '>', rest->len) : NULL;
    if (shut == NULL) {
        return false;
    }
    *url = wh_slice(rest->ptr, (size_t)(shut - rest->ptr));
    *rest = wh_slice_from(*rest, url->len + 1);
    comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    left = comma ? (size_t)(comma - rest->ptr) : rest->len;
    *params = wh_slice(rest->ptr, left);
    *rest = wh_slice_from(*rest, left);
    return true;
}

bool link_next(struct wh_slice header, struct wh_slice *ret_url)
{
    struct wh_slice url;
    struct wh_slice params;

    while (next_link(&header, &url, &params)) {
        if (memmem(params.ptr, params.len, "rel=\"next\"", 10) != NULL ||
            memmem(params.ptr, params.len, "rel=next", 8) != NULL) {
            *ret_url = url;
            return true;
        }
    }
    return false;
}

bool link_path_of(struct wh_slice url, struct wh_slice instance, struct wh_slice *ret_path)
{
    if (!wh_slice_starts(url, instance) || url.len == instance.len ||
        url.ptr[instance.len] != '/') {
        return false;
    }
    *ret_path = wh_slice_from(url, instance.len);
    return true;
}
