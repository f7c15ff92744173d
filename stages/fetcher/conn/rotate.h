/*
 * rotate.h - sealed secrets follow the key file (common/event/keyring.h).
 *
 *   wellhead rotate-key ─ a new key, first in the key file ─ each fetcher seals the secrets of the
 *   connections it owns again, one document at a time ─ every document in Kafka is sealed by the
 *   new key ─ a while passes ─ the old key leaves the file
 *
 * The key file and the documents show the progress, and a fetcher that starts continues from there. At
 * every moment the file holds each key that a document in Kafka needs, so a process may be killed at
 * any time. A process that meets an unknown key reads the file again, so nothing has to be restarted.
 * The rotation also reseals values of the old form (seal.h), and it begins by itself when a person has
 * put a new key first into the file. Thread: app.
 */
#ifndef WH_FETCHER_ROTATE_H
#define WH_FETCHER_ROTATE_H

#include "common/json/json_write.h"
#include "stages/fetcher/conn/conn.h"

struct rotation;

/* Returns NULL without memory. */
struct rotation *rotation_new(struct fetcher *f);
/* Accepts NULL. */
void rotation_free(struct rotation *r);
/* Makes the new key. Returns WH_OK also when a rotation is under way, which then continues.
 * WH_E_CONFIG: the key file cannot be written. */
WH_MUST_CHECK enum wh_rc rotation_begin(struct rotation *r, struct wh_err *err);
/* Writes members of an object: the names of the keys, the number of connections, how many of them are
 * still sealed by other keys, and which cannot be resealed. */
void rotation_write(const struct rotation *r, struct wh_json_writer *w);

#endif
