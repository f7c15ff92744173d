#include "stages/fetcher/gitlab/paging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API "/api/v4/"

enum { PAGE_TEXT_MAX = 32 };

/* ---- links ---- */

/* Takes one "<url>; rel="next"" off a list. */
static bool take_link(struct wh_slice *rest, struct wh_slice *url, struct wh_slice *params)
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

/* The API's path and the query of a URL, whatever its host and the folder before the path are. */
static bool path_of(struct wh_slice url, char to[PAGING_PATH_MAX])
{
    const char *query = url.len ? memchr(url.ptr, '?', url.len) : NULL;
    size_t before = query ? (size_t)(query - url.ptr) : url.len;
    const char *api = before ? memmem(url.ptr, before, API, strlen(API)) : NULL;
    size_t len = api ? (size_t)(url.ptr + url.len - api) : 0;

    if (len == 0 || len >= PAGING_PATH_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (api[i] <= ' ' || api[i] > '~' || api[i] == '#') {
            return false;
        }
    }
    memcpy(to, api, len);
    to[len] = '\0';
    return true;
}

static bool linked(struct wh_slice header, char to[PAGING_PATH_MAX])
{
    struct wh_slice url;
    struct wh_slice params;

    while (take_link(&header, &url, &params)) {
        if (memmem(params.ptr, params.len, "rel=\"next\"", 10) != NULL ||
            memmem(params.ptr, params.len, "rel=next", 8) != NULL) {
            return path_of(url, to);
        }
    }
    return false;
}

/* ---- page numbers ---- */

static bool has_digit(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9') {
            return true;
        }
    }
    return false;
}

/* The page after that of the path; a path without a number is that of page 1. */
static bool numbered(const char *path, char to[PAGING_PATH_MAX])
{
    const char *at = strstr(path, "&page=");
    const char *rest = "";
    char *end;
    unsigned long page = 1;
    size_t kept = strlen(path);
    int n;

    if (at == NULL) {
        at = strstr(path, "?page=");
    }
    if (at) {
        kept = (size_t)(at - path);
        page = strtoul(at + strlen("&page="), &end, 10);
        rest = end;
    }
    if (kept + strlen(rest) + PAGE_TEXT_MAX > PAGING_PATH_MAX) {
        return false;
    }
    memcpy(to, path, kept);
    n = snprintf(to + kept, PAGE_TEXT_MAX, "%cpage=%lu", memchr(path, '?', kept) ? '&' : '?',
                 page + 1);
    memcpy(to + kept + n, rest, strlen(rest) + 1);
    return true;
}

void paging_next(const struct client_answer *answer, const char *path, size_t rows,
                 struct paging *ret)
{
    bool keyset = strstr(path, "pagination=keyset") != NULL;
    bool full = rows >= PAGING_ROWS;

    *ret = (struct paging){.outcome = PAGING_MORE};
    if (linked(answer->link, ret->path)) {
        if (strcmp(ret->path, path) == 0) {
            ret->outcome = PAGING_STUCK;
            ret->reason = "GitLab names a page as its own next page";
        }
    } else if (!full && !has_digit(answer->next_page)) {
        ret->outcome = PAGING_ENDED;
    } else if (keyset && strstr(path, "&cursor=") != NULL) {
        ret->outcome = PAGING_ENDED; /* the link to this page came, so that of a next one would */
    } else if (keyset || !numbered(path, ret->path)) {
        ret->outcome = PAGING_STUCK;
        ret->reason = "GitLab's answer does not name the next page";
    }
}
