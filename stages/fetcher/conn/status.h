/*
 * status.h - what GET /api/v1/connections and GET /api/v1/status answer. Thread: app.
 */
#ifndef WH_FETCHER_STATUS_H
#define WH_FETCHER_STATUS_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct fetcher;

/* Appends the state of the fetcher and of its connections as a JSON object. full: also what each run
 * has read, the health of the webhooks, and completeness. Errors: WH_E_NOMEM, and WH_E_TOO_LARGE
 * when out is full. */
WH_MUST_CHECK enum wh_rc status_write(const struct fetcher *f, struct wh_buf *out, bool full,
                                      struct wh_err *err);

#endif
