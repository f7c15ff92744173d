#include "stages/fetcher/gitlab/paging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API "/api/v4/"

enum { NUMBERS_TEXT_MAX = 64 };

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

bool paging_part(const char *path, size_t offset, size_t size, char to[PAGING_PATH_MAX])
{
    const char *query = path + strcspn(path, "?");
    size_t base = (size_t)(query - path);
    size_t used = base;
    unsigned long page = 1;

    if (strstr(path, "pagination=keyset") || strlen(path) + NUMBERS_TEXT_MAX > PAGING_PATH_MAX) {
        return false;
    }
    memcpy(to, path, base);
    while (*query) {
        size_t len = 1 + strcspn(query + 1, "&");

        if (strncmp(query + 1, "page=", 5) == 0) {
            page = strtoul(query + 6, NULL, 10);
        } else if (strncmp(query + 1, "per_page=", 9) != 0) {
            memcpy(to + used, query, len);
            used += len;
        }
        query += len;
    }
    (void)snprintf(to + used, NUMBERS_TEXT_MAX, "&per_page=%zu&page=%zu", size,
                   ((page - 1) * PAGING_ROWS + offset) / size + 1);
    to[base] = '?';
    return true;
}

void paging_next(const struct client_answer *answer, const char *path, size_t rows,
                 struct paging *ret)
{
    *ret = (struct paging){.outcome = PAGING_MORE};
    if (linked(answer->link, ret->path)) {
        if (strcmp(ret->path, path) == 0) {
            ret->outcome = PAGING_STUCK;
            ret->reason = "GitLab names a page as its own next page";
        }
    } else if (rows < PAGING_ROWS && !has_digit(answer->next_page)) {
        ret->outcome = PAGING_ENDED;
    } else if (strstr(path, "&cursor=") != NULL) {
        ret->outcome = PAGING_ENDED; /* the link to this page came, so that of a next one would */
    } else if (!paging_part(path, PAGING_ROWS, PAGING_ROWS, ret->path)) {
        ret->outcome = PAGING_STUCK;
        ret->reason = "GitLab's answer does not name the next page";
    }
}
