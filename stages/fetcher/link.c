#include "stages/fetcher/link.h"

#include "common/event/topics.h"

static bool strip(struct wh_slice *text, const char *prefix)
{
    size_t n = strlen(prefix);

    if (text->len < n || strncasecmp(text->ptr, prefix, n) != 0) {
        return false;
    }
    *text = wh_slice_from(*text, n);
    return true;
}

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == ':' || c == '[' || c == ']';
}

static bool path_char(char c)
{
    return host_char(c) || c == '/' || c == '_' || c == '~';
}

enum wh_rc link_normalise(struct wh_slice text, bool allow_http, struct wh_buf *out,
                          struct wh_err *err)
{
    bool plain = strip(&text, "http://");
    size_t host = 0;

    if (plain && !allow_http) {
        return wh_fail(err, WH_E_INVALID,
                       "http:// is refused; use https://, or allow it with allow.http=true");
    }
    if (!plain) {
        (void)strip(&text, "https://");
    }
    while (text.len && text.ptr[text.len - 1] == '/') {
        text.len--;
    }
    while (host < text.len && host_char(text.ptr[host])) {
        host++;
    }
    if (host == 0 || text.len > 500) {
        return wh_fail(err, WH_E_INVALID, "not the address of a GitLab");
    }
    for (size_t i = host; i < text.len; i++) {
        if (!path_char(text.ptr[i])) {
            return wh_fail(err, WH_E_INVALID,
                           "an address takes a host, a port and a path only, as in "
                           "https://gitlab.example.com");
        }
    }
    if (wh_buf_append(out, plain ? WH_LIT("http://") : WH_LIT("https://"), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (wh_buf_append_char(out, i < host && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c, err) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc link_connection_id(struct wh_slice instance, struct wh_buf *out, struct wh_err *err)
{
    struct wh_slice rest = instance;
    bool dash = true; /* none at the start */

    if (!strip(&rest, "https://")) {
        (void)strip(&rest, "http://");
    }
    for (size_t i = 0; i < rest.len && out->len < 64; i++) {
        char c = rest.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');

        if (!word && dash) {
            continue;
        }
        dash = !word;
        if (wh_buf_append_char(out,
                               !word                  ? '-'
                               : c >= 'A' && c <= 'Z' ? (char)(c + 32)
                                                      : c,
                               err) != WH_OK) {
            return err->rc;
        }
    }
    while (out->len && out->ptr[out->len - 1] == '-') {
        out->ptr[--out->len] = '\0';
    }
    if (!wh_connection_id_valid(wh_buf_slice(out))) {
        return wh_fail(err, WH_E_INVALID, "the address gives no connection id");
    }
    return WH_OK;
}

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
