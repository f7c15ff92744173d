/*
 * paging.h - where a listing goes on after one of its pages, from the answer's headers and from how
 * full the page is. GitLab names the next page in the Link header (RFC 8288) and in x-next-page;
 * proxies may remove either of them, and may not know the address at which we reach GitLab. So of a
 * link only the path and the query are used. A listing has ended only when its last page is not
 * full and no header names another one; after a full page, one more is requested.
 *
 * Pure: no I/O.
 */
#ifndef WH_FETCHER_PAGING_H
#define WH_FETCHER_PAGING_H

#include "stages/fetcher/gitlab/client.h"

enum {
    PAGING_ROWS = 100, /* of a full page: the most that GitLab allows */
    PAGING_PATH_MAX = 1024,
};

enum paging_outcome {
    PAGING_MORE,
    PAGING_ENDED, /* proved: no further row exists */
    PAGING_STUCK, /* further rows may exist, but how to request them is not known */
};

struct paging {
    enum paging_outcome outcome;
    const char *reason;         /* PAGING_STUCK: for people */
    char path[PAGING_PATH_MAX]; /* PAGING_MORE: path and query of the next page */
};

/* path: of the page that was answered, which was requested with per_page=PAGING_ROWS. rows: how many
 * the answer has. */
void paging_next(const struct client_answer *answer, const char *path, size_t rows,
                 struct paging *ret);

/* Makes the path of a part of a page: of its rows, `size` from `offset` on. size divides PAGING_ROWS
 * and offset. Returns false when the page has no number (keyset), or the path is too long. */
bool paging_part(const char *path, size_t offset, size_t size, char to[PAGING_PATH_MAX]);

#endif
