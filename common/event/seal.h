/*
 * seal.h - secrets that are sealed into documents on Kafka: AES-256-GCM with the first key of the
 * key file (keyring.h).
 *
 * A sealed value is text: "2.<name of the key>.<base64>". Its associated data are the connection,
 * the purpose and the address of the GitLab, so that a value opens nowhere else: a token that one
 * GitLab issued can never be taken out to be sent to another address, not even when a document's
 * address or a value's place in Kafka has been changed.
 *
 * Versions before keys had names wrote bare base64, bound to connection and purpose only. Such a
 * value opens with a key that is as old (wh_key.opens_unnamed), for the address of the document it
 * stands in; the fetcher that owns the document seals it again for that address as soon as it has
 * read it. After a rotation no key opens such values any more.
 *
 * Thread: app, as the ring.
 */
#ifndef WH_EVENT_SEAL_H
#define WH_EVENT_SEAL_H

#include "common/base/buf.h"
#include "common/event/keyring.h"

struct wh_seal_place {
    struct wh_slice connection; /* its id */
    const char *purpose;        /* "oauth", "webhook_key", ... */
    struct wh_slice address;    /* wh_connection.instance, byte for byte */
};

/* Appends the sealed value to out. Reads the key file first if it has changed. */
WH_MUST_CHECK enum wh_rc wh_secret_seal(struct wh_keyring *ring, const struct wh_seal_place *place,
                                        struct wh_slice secret, struct wh_buf *out,
                                        struct wh_err *err);
/* Appends the secret to out; the caller wipes out. Reads the key file again when it does not know
 * the value's key. WH_E_AUTH: another place, another key, or damaged bytes. */
WH_MUST_CHECK enum wh_rc wh_secret_open(struct wh_keyring *ring, const struct wh_seal_place *place,
                                        struct wh_slice sealed, struct wh_buf *out,
                                        struct wh_err *err);
/* Whether the value has the present form and is sealed by the ring's first key. */
bool wh_secret_is_current(const struct wh_keyring *ring, struct wh_slice sealed);

#endif
