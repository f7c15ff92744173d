/*
 * calls.h - what agents asked, and what they read: a log on disk that people can look into.
 *
 * It is two files of JSON lines, PATH and the older PATH.1, of at most CALLS_FILE_MAX each: the oldest calls make room. A
 * line is written at once and outlives the process; what the operating system has not written when
 * the power fails is lost. Thread: any.
 */
#ifndef WH_SINK_CALLS_CALLS_H
#define WH_SINK_CALLS_CALLS_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct calls;

enum {
    CALLS_FILE_MAX = 4 << 20,
    CALLS_LINE_MAX = 8 << 10,
    CALLS_ARGUMENTS_MAX = 1000,
    CALLS_IDS_MAX = 20
};

struct calls_call {
    int64_t at_ms;
    struct wh_slice agent; /* id of its grant; empty: it used the API's token */
    struct wh_slice name;  /* what it calls itself */
    struct wh_slice tool;
    struct wh_slice arguments; /* JSON, cut after CALLS_ARGUMENTS_MAX bytes */
    struct wh_slice result;    /* ok, or what was wrong */
    int64_t rows;              /* that it was given */
    struct wh_slice ids;       /* JSON array of the first CALLS_IDS_MAX records in the result */
    int64_t n_ids;             /* different records in it */
    int64_t took_ms;
};

/* path is kept. WH_E_NOMEM, WH_E_IO. */
WH_MUST_CHECK enum wh_rc calls_new(const char *path, struct calls **ret, struct wh_err *err);
/* NULL is accepted. */
void calls_free(struct calls *calls);
/* WH_E_IO, WH_E_NO_SPACE: the call was not logged, and must not be answered. */
WH_MUST_CHECK enum wh_rc calls_add(struct calls *calls, const struct calls_call *call,
                                   struct wh_err *err);

/* ---- reading, oldest first ---- */

struct calls_reading;

WH_MUST_CHECK enum wh_rc calls_read(struct calls *calls, struct calls_reading **ret,
                                    struct wh_err *err);
/* False at the end. The texts are valid until the next call; a damaged line is left out. */
bool calls_next(struct calls_reading *reading, struct calls_call *ret);
void calls_read_end(struct calls_reading *reading);

#endif
