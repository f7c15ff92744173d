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
#include "stages/fetcher/gitlab/row.h"

enum {
    STATE_AFTER_MAX = ROW_TIME_MAX,
    STATE_HASHES_MAX = 128,
    STATE_SPANS_MAX = 16,
    STATE_MARK_MAX = 1024,
};

/* A part of a listing that is not read to its end. */
struct cursor_span {
    char after[STATE_AFTER_MAX];
    int64_t before_ms; /* where it ends, excluded */
};

/* How far a listing by a tool is read and acknowledged (tool_walk.c). */
struct cursor_place {
    unsigned pages;
    char mark[STATE_MARK_MAX]; /* the server's cursor of the next page; empty: by page number */
    char newest[STATE_AFTER_MAX];
    int64_t begun_ms; /* when its first page was asked for */
    int64_t low_ms;   /* time of the last row; 0 none */
};

/* What is not read: after..the newest row, and each span. */
struct cursor {
    char after[STATE_AFTER_MAX]; /* updated_at of the last row read, as GitLab wrote it; or empty */
    uint64_t rows;               /* read so far */
    uint64_t *hashes;            /* of each page of a listing without versions; NULL */
    unsigned n_hashes;
    struct cursor_span *spans; /* NULL */
    unsigned n_spans;
    struct cursor_place *place; /* NULL: the beginning */
    int64_t finished_at_ms;     /* when the stream was last read to its end; 0 never */
};

struct state;

struct state *state_new(void);
void state_free(struct state *s);
/* Makes an empty one where there is none; NULL: no memory. The pointer stays. */
struct cursor *state_cursor(struct state *s, struct wh_slice key);
/* Forgets every cursor whose key begins so; nothing may use one of them. */
void state_forget(struct state *s, struct wh_slice prefix);
/* Each key that begins with prefix; fn makes no new ones. */
typedef void (*state_fn)(void *ctx, struct wh_slice key, struct cursor *c);
void state_each(struct state *s, struct wh_slice prefix, state_fn fn, void *ctx);
/* Grows the list with zeros; without memory, or past STATE_HASHES_MAX, nothing is noted. */
void cursor_set_hash(struct cursor *c, unsigned index, uint64_t hash);
/* n at most STATE_SPANS_MAX; the entries stay as they were, new ones are zeros. */
WH_MUST_CHECK enum wh_rc cursor_set_spans(struct cursor *c, unsigned n, struct wh_err *err);
/* NULL: the beginning. Copied. */
WH_MUST_CHECK enum wh_rc cursor_set_place(struct cursor *c, const struct cursor_place *place,
                                          struct wh_err *err);
void cursor_clear(struct cursor *c);
WH_MUST_CHECK enum wh_rc cursor_write(const struct cursor *c, struct wh_buf *out,
                                      struct wh_err *err);
/* Leaves the cursor as it is when the document is damaged. */
WH_MUST_CHECK enum wh_rc cursor_parse(struct wh_slice json, struct wh_json_parser *parser,
                                      struct cursor *ret, struct wh_err *err);

#endif
