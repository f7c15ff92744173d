/*
 * seal.h - encrypts secrets in documents on Kafka: AES-256-GCM with the first key of the key file
 * (keyring.h).
 *
 * A sealed value is text: "2.<name of the key>.<base64>". Its associated data are the connection, the
 * purpose and the address of the GitLab, so it opens for these only: a token that one GitLab issued
 * cannot be sent to another address, even if someone edits a document's address or moves a value in
 * Kafka.
 *
 * Versions without named keys wrote bare base64, bound to connection and purpose only. Such a value
 * opens with a key of that time (wh_key.opens_unnamed). The fetcher that owns the document seals it
 * again, for the document's address, as soon as it has read it. After a rotation no key opens it.
 *
 * Thread: app.
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

/* Appends the sealed value to out. Reads the key file again if it has changed. */
WH_MUST_CHECK enum wh_rc wh_secret_seal(struct wh_keyring *ring, const struct wh_seal_place *place,
                                        struct wh_slice secret, struct wh_buf *out,
                                        struct wh_err *err);
/* Appends the secret to out, which the caller wipes. Reads the key file again if the value's key is
 * unknown. WH_E_AUTH: the place or the key differs, or the bytes are damaged. */
WH_MUST_CHECK enum wh_rc wh_secret_open(struct wh_keyring *ring, const struct wh_seal_place *place,
                                        struct wh_slice sealed, struct wh_buf *out,
                                        struct wh_err *err);
/* Whether the value has the current form and was sealed with the ring's first key. */
bool wh_secret_is_current(const struct wh_keyring *ring, struct wh_slice sealed);

#endif
