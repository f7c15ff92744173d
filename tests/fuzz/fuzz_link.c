/*
 * Link headers of a server, and addresses that a person types. The first line is the address, the
 * rest the header: a next page is a path of the API; a normalised address normalises to itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/fetcher/gitlab/address.h"
#include "stages/fetcher/gitlab/paging.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX_BYTES = 1 << 16 };

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void try_address(struct wh_slice text)
{
    struct wh_buf once;
    struct wh_buf twice;
    struct wh_buf id;
    struct wh_err err;

    wh_buf_init(&once, TEXT_MAX_BYTES);
    wh_buf_init(&twice, TEXT_MAX_BYTES);
    wh_buf_init(&id, TEXT_MAX_BYTES);
    if (address_canonical(text, true, &once, &err) == WH_OK) {
        check(address_canonical(wh_buf_slice(&once), true, &twice, &err) == WH_OK);
        check(wh_slice_eq(wh_buf_slice(&once), wh_buf_slice(&twice)));
        (void)!address_connection_id(wh_buf_slice(&once), &id, &err);
    }
    wh_buf_done(&id);
    wh_buf_done(&twice);
    wh_buf_done(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *end = size ? memchr(data, '\n', size) : NULL;
    size_t n = end ? (size_t)(end - (const char *)data) : size;
    const struct client_answer answer = {.link =
                                             wh_slice_from(wh_slice(data, size), end ? n + 1 : n)};
    struct paging next;

    paging_next(&answer, "/api/v4/x?per_page=100", 0, &next);
    check(next.outcome != PAGING_MORE || strncmp(next.path, "/api/v4/", 8) == 0);
    try_address(wh_slice(data, n));
    return 0;
}
