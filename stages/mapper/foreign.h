/*
 * foreign.h - raw events that another producer wrote with a schema of its own, or with one of a newer
 * version: their schema comes from the registry at registry.url, and avro-c resolves them to ours.
 *
 * Only events whose schema id is not that of our RawEvent come here. The registry is asked once for an
 * id, without blocking the loop. While it answers slowly or not at all, callers wait for WAIT_MS at most
 * and then hold the event's stream, so that other connections go on; it is asked again after RETRY_MS.
 *
 * Thread: app.
 */
#ifndef WH_MAPPER_FOREIGN_H
#define WH_MAPPER_FOREIGN_H

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/base/time.h"
#include "common/httpc/httpc.h"
#include "common/log/log.h"

/* All members are borrowed. */
struct foreign_conf {
    const char *registry_url; /* "http://registry:8081" */
    const char *token;        /* a bearer token; NULL: none */
    struct wh_httpc *http;
    struct wh_clock clock;
    struct wh_log *log;
};

struct foreign;

WH_MUST_CHECK enum wh_rc foreign_new(const struct foreign_conf *conf, struct foreign **ret,
                                     struct wh_err *err);
/* Accepts NULL. */
void foreign_free(struct foreign *f);
/*
 * Converts a framed value to our RawEvent, framed, which is valid until the next call. *err holds the
 * error of decoding it as ours; it stays when the value has no frame, or when neither this build nor the
 * registry knows the id of a newer version. WH_E_BUSY: the registry was asked, try again soon. Class
 * POISON: there is no such schema, it cannot be read as ours, or the bytes are damaged. Class TRANSIENT:
 * the registry does not answer. may_ask: false while the stream of such events is held, so that bad ids do
 * not make the caller wait again and again; only schemas that are here already are then used.
 */
WH_MUST_CHECK enum wh_rc foreign_convert(struct foreign *f, struct wh_slice framed, bool may_ask,
                                         struct wh_slice *ret, struct wh_err *err);

#endif
