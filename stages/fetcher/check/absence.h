/*
 * absence.h - what GitLab says is not there: the evidence that every path collects before it publishes
 * a tombstone, and the tombstones that were published for objects without numbers (state/numbers.h).
 *
 * An object is gone when GitLab has answered 404 with JSON of its own twice in a row, at least
 * gone.confirm apart (absence_proved), and the same credential can then still read what contains the
 * object, which the caller asks for. Until then it is unsure: it stays as it is, it is counted
 * (absences_unsure), and it is asked for again. Any answer that shows the object ends the absence.
 *
 * fetch-state keeps each absence under "<connection>:<project>:absent:<kind>:<id>" with the project's
 * cursors, so that another member continues with the same evidence. The project of a project is the
 * project itself; that of a user is empty.
 *
 * Pure data: no clock, no requests. Changes are handed to absences_save. Thread: app.
 */
#ifndef WH_FETCHER_ABSENCE_H
#define WH_FETCHER_ABSENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/event/topics.h"
#include "common/json/json_doc.h"

enum {
    ABSENCES_MAX = 100000, /* unsure ones of all connections; what is beyond is not proved yet */
    ABSENCES_TOLD_MAX = 200000, /* with a tombstone; what is beyond is not remembered */
    ABSENCE_ID_MAX = 160,
    ABSENCE_KEY_MAX = 320,
};

struct absence_key {
    const char *connection;
    const char *project; /* its id */
    const char *kind;    /* "issue", "job", "membership": as in schemas/views/gone.json */
    const char *id;      /* that of the entity, as in the tombstone */
};

struct absence {
    char connection[WH_CONNECTION_ID_MAX];
    char project[24];
    char kind[16];
    char id[ABSENCE_ID_MAX];
    int64_t number; /* within the project; 0: it has none, or it is not known */
    int64_t
        first_ms; /* of the first 404 since the object was last shown; 0: no 404 of GitLab's own */
    int64_t last_ms; /* of the newest 404 */
    unsigned times;  /* how many there were */
    bool told;       /* its tombstone was published */
    bool returning;  /* for the caller: a record that it is back is under way; not saved */
    bool held;       /* for the caller: its tombstone waits for a person; not saved */
    char reason[20]; /* of the tombstone */
};

struct absences;

/* Called for each change that must survive a restart. removed: the record is removed. */
typedef void (*absences_save_fn)(void *ctx, const struct absence *a, bool removed);

/* save may be NULL. NULL: no memory. */
struct absences *absences_new(absences_save_fn save, void *ctx);
void absences_free(struct absences *t);

/* Returns NULL when nothing is known against the object. The pointer is valid until the absence is
 * removed. */
struct absence *absences_find(const struct absences *t, const struct absence_key *key);
/* GitLab did not show the object at now_ms. proof: it answered 404 with JSON of its own; any other
 * answer only makes the object unsure. number 0: not known. Returns NULL without memory, above
 * ABSENCES_MAX, and when a part of the key is too long. */
struct absence *absences_note(struct absences *t, const struct absence_key *key, int64_t number,
                              int64_t now_ms, bool proof);
/* Two 404s or more, the newest at least confirm_ms after the first. */
bool absence_proved(const struct absence *a, int64_t confirm_ms);
/* The earliest time (ms) at which the next 404 would prove it. */
int64_t absence_due_ms(const struct absence *a, int64_t confirm_ms);
/* Its tombstone was published; the absence is kept, so that it is noticed when GitLab shows the object
 * again. Above ABSENCES_TOLD_MAX it is removed. */
void absences_tell(struct absences *t, struct absence *a, const char *reason);
/* GitLab has shown the object, or its fate is kept elsewhere. a may be NULL. */
void absences_remove(struct absences *t, struct absence *a);

/* Returns the absence of that project and kind whose id comes next after the given one; "" begins.
 * NULL: there is none. */
struct absence *absences_next(const struct absences *t, const char *connection, const char *project,
                              const char *kind, const char *after);
/* False when nothing at all is known to be absent. */
bool absences_any(const struct absences *t);
/* How many objects of the connection are unsure: absences without a tombstone. */
size_t absences_unsure(const struct absences *t, const char *connection);
/* Calls fn for each of them. fn must not add or remove absences. */
typedef void (*absences_fn)(void *ctx, const struct absence *a);
void absences_each_unsure(const struct absences *t, const char *connection, absences_fn fn,
                          void *ctx);
/* Removes the absences of a connection without saving. */
void absences_forget(struct absences *t, const char *connection);

/* Writes the payload of the event that says that the object is gone, for that reason, or, with the reason
 * "", that it is back: {"reason","kind","id","project_id"}. */
enum { ABSENCE_EVENT_MAX = 1024 };
WH_MUST_CHECK enum wh_rc absence_event(const struct absence *a, const char *reason,
                                       struct wh_buf *out, struct wh_err *err);
/* Writes the key and the document of one absence. */
WH_MUST_CHECK enum wh_rc absence_write(const struct absence *a, char key[ABSENCE_KEY_MAX],
                                       struct wh_buf *json, struct wh_err *err);
/* Takes a record of fetch-state if it is an absence, and returns false if it is none. key and json may
 * be damaged; empty json is its removal. foreign: this member works for the project, so the record is
 * its own, or another member's that has read the object again: it only adds what is not known here. */
bool absences_take(struct absences *t, struct wh_json_parser *parser, struct wh_slice key,
                   struct wh_slice json, bool foreign);

#endif
