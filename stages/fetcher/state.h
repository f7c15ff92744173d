/*
 * state.h - cursors: what the fetch-state topic says, by key "<connection>:<project>:<stream>".
 */
#ifndef WH_FETCHER_STATE_H
#define WH_FETCHER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/json/json_doc.h"

enum { STATE_AFTER_MAX = 40, STATE_HASHES_MAX = 128 };

struct cursor {
    char after[STATE_AFTER_MAX]; /* updated_at of the last row read, as GitLab wrote it; or empty */
    uint64_t rows;               /* read so far */
    uint64_t hashes[STATE_HASHES_MAX]; /* of each page of a listing without versions */
    unsigned n_hashes;
    int64_t finished_at_ms; /* when the stream was last read to its end; 0 never */
};

struct state;

struct state *state_new(void);
void state_free(struct state *s);
/* Makes an empty one where there is none; NULL: no memory. The pointer stays. */
struct cursor *state_cursor(struct state *s, struct wh_slice key);
WH_MUST_CHECK enum wh_rc cursor_write(const struct cursor *c, struct wh_buf *out,
                                      struct wh_err *err);
/* Leaves the cursor as it is when the document is damaged. */
WH_MUST_CHECK enum wh_rc cursor_parse(struct wh_slice json, struct wh_json_parser *parser,
                                      struct cursor *ret, struct wh_err *err);

#endif
