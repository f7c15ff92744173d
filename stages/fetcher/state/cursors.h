/*
 * cursors.h - how far each stream is read: the cursors that the fetch-state topic keeps under the
 * keys "<connection>:<project>:<stream>". Pure data: no clock, no I/O. Thread: app.
 */
#ifndef WH_FETCHER_CURSORS_H
#define WH_FETCHER_CURSORS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/json/json_doc.h"
#include "stages/fetcher/gitlab/row.h"

enum {
    CURSOR_AFTER_MAX = GITLAB_ROW_TIME_MAX,
    CURSOR_HASHES_MAX = 1024,
    CURSOR_SPANS_MAX = 16,
    CURSOR_MARK_MAX = 1024,
    CURSOR_OWED_MAX = 1024,
    CURSOR_KEY_MAX = 160,
};

/* A part of a listing that is not read completely. */
struct cursor_span {
    char after[CURSOR_AFTER_MAX];
    int64_t before_ms; /* its end; rows of this time do not belong to it */
};

/* How far a listing by an MCP tool is read and acknowledged by Kafka. */
struct cursor_place {
    unsigned pages;
    char mark[CURSOR_MARK_MAX]; /* the server's cursor of the next page; empty: numbered pages */
    char newest[CURSOR_AFTER_MAX];
    int64_t begun_ms; /* when its first page was requested */
    int64_t low_ms;   /* time of the last row; 0: no row yet */
};

/* Not read yet are the rows after `after`, and those of each span. */
struct cursor {
    char after[CURSOR_AFTER_MAX]; /* updated_at of the last row, as GitLab wrote it; or empty */
    uint64_t rows;                /* number of rows read */
    /* Of each page of a listing without updated_at, or of each row that the next listing by updated_at
     * meets again; or NULL. */
    uint64_t *hashes;
    unsigned n_hashes;
    struct cursor_span *spans; /* or NULL */
    unsigned n_spans;
    struct cursor_place *place; /* NULL: at the beginning */
    int64_t *owed;              /* numbers of objects whose details a tool did not show; or NULL */
    unsigned n_owed;
    int64_t finished_at_ms; /* when the stream was last read completely; 0: never */
};

struct cursors;

/* Writes the key of a cursor. project "": the connection itself. Every key fits. */
void cursor_key(char ret[CURSOR_KEY_MAX], const char *connection, struct wh_slice project,
                const char *stream);

struct cursors *cursors_new(void);
void cursors_free(struct cursors *s);
/* Returns the cursor of that key, and adds an empty one when there is none; NULL without memory.
 * The pointer is valid until cursors_forget or cursors_free. */
struct cursor *cursors_get(struct cursors *s, struct wh_slice key);
/* Removes the cursors whose keys begin with prefix, to which no pointer may be left. */
void cursors_forget(struct cursors *s, struct wh_slice prefix);
/* Calls fn for each key that begins with prefix. fn must not add or remove cursors. */
typedef void (*cursors_fn)(void *ctx, struct wh_slice key, struct cursor *c);
void cursors_each(struct cursors *s, struct wh_slice prefix, cursors_fn fn, void *ctx);
/* Extends the list with zeros as needed. Without memory, or from CURSOR_HASHES_MAX on, the hash is
 * not kept, and the page counts as changed in the next run. */
void cursor_set_hash(struct cursor *c, unsigned index, uint64_t hash);
/* Sets the number of spans; new ones are zeros. Errors: WH_E_TOO_LARGE above CURSOR_SPANS_MAX, and
 * WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc cursor_set_spans(struct cursor *c, unsigned n, struct wh_err *err);
/* Copies place; NULL is the beginning. Errors: WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc cursor_set_place(struct cursor *c, const struct cursor_place *place,
                                          struct wh_err *err);
/* The object's details are owed, which may be known already. Errors: WH_E_TOO_LARGE above
 * CURSOR_OWED_MAX, and WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc cursor_owe(struct cursor *c, int64_t number, struct wh_err *err);
/* They are not owed any more. */
void cursor_pay(struct cursor *c, int64_t number);
void cursor_clear(struct cursor *c);
WH_MUST_CHECK enum wh_rc cursor_write(const struct cursor *c, struct wh_buf *out,
                                      struct wh_err *err);
/* Replaces *ret by the cursor of the document. A damaged document leaves *ret unchanged: WH_E_TYPE,
 * WH_E_TOO_LARGE, or an error of the parser. */
WH_MUST_CHECK enum wh_rc cursor_parse(struct wh_slice json, struct wh_json_parser *parser,
                                      struct cursor *ret, struct wh_err *err);

#endif
