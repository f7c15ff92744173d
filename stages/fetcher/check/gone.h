/*
 * gone.h - publishes that an object no longer exists, or that it exists again.
 *
 * An object that is proved to be gone (absence.h) is held first (NUMBER_HELD). At the end of the check a
 * tombstone is published for it, unless more objects of its stream and project, or of the connection,
 * are held than a configured share; then the tombstones wait until a person confirms them, or until GitLab shows the objects again. A tombstone
 * names one of these reasons:
 *
 *   deleted            a merge request, or an issue that this token could see if it existed
 *   deleted_or_hidden  an issue that was confidential, or that may have become confidential
 *   lost_access        its project answers 404; GitLab does not say whether the project was
 *                      removed or we lost the right to see it
 *   project_removed    as lost_access, and the project was marked for deletion when last read
 *   out_of_scope       its project can be read, but the token is no longer a member
 *
 * Moved issues need no tombstone from here: their row names the project that they moved to, and the
 * mapper publishes the tombstone.
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_GONE_H
#define WH_FETCHER_GONE_H

#include "common/log/log.h"
#include "stages/fetcher/check/absence.h"
#include "stages/fetcher/outbox/outbox.h"
#include "stages/fetcher/state/numbers.h"

enum {
    GITLAB_REPORTER = 20, /* the lowest access level that sees confidential issues */
};

/* Borrowed from the connection, which outlives what is made of it. */
struct gone_env {
    struct outbox *outbox;
    struct wh_log *log;
    /* Returns a record of the present run with the connection's members filled in. */
    struct outbox_row (*row)(void *ctx);
    /* Kafka acknowledged or refused the records of one number. Called from the loop, or from inside
     * gone_back, gone_publish and gone_row when the outbox did not take a record. */
    void (*settled)(void *ctx);
    void *ctx;
};

struct gone;

/* env is copied. NULL: no memory. */
struct gone *gone_new(const struct gone_env *env);
/* Forgets the numbers whose records are not acknowledged: the outbox must not call them any more
 * (outbox_abandon). g may be NULL. */
void gone_free(struct gone *g);

/* The reason for the tombstone of a held object. lost is the reason why its whole project is gone,
 * or NULL; access is our access level in the project, 0 when it is not known. */
const char *gone_reason(enum numbers_stream stream, const struct number_set_entry *e,
                        const char *lost, int64_t access);
/* The fate of a number after a tombstone with this reason. */
enum number_fate gone_fate(const char *reason);
/* The fate of a number that we never read and that GitLab answers with 404. */
enum number_fate gone_fate_unknown(enum numbers_stream stream, int64_t access);
/* True when more objects are held than may be published without a confirmation: more than hold_min,
 * and more than hold_percent of the known ones (read or held). */
bool gone_too_many(int64_t held, int64_t known, int64_t hold_min, int64_t hold_percent);

/* GitLab shows an object. Returns true when the caller may set its number to NUMBER_HAVE at once. When
 * a tombstone was published for it, returns false and publishes that the object is back; the number
 * becomes NUMBER_HAVE when Kafka has acknowledged that record. */
bool gone_back(struct gone *g, struct numbers *n, int64_t number, int64_t id, bool confidential);
/* Publishes the tombstone of a held number. The number gets its new fate when Kafka has
 * acknowledged the record; it stays held when Kafka refuses it. Errors: WH_E_NOMEM, and those of
 * outbox_row. */
WH_MUST_CHECK enum wh_rc gone_publish(struct gone *g, struct numbers *n, int64_t number,
                                      const char *reason, struct wh_err *err);
/* Publishes the tombstone of an object that has no number and is proved to be gone. The absence counts as
 * published once Kafka has acknowledged the record. Errors: WH_E_NOMEM, and those of outbox_row. */
WH_MUST_CHECK enum wh_rc gone_absence(struct gone *g, struct absences *t, const struct absence *a,
                                      struct wh_err *err);
/* Publishes a row that no cursor covers: one that was read alone or by the listing of a check. Its
 * number becomes NUMBER_HAVE, or NUMBER_MOVED, when Kafka has acknowledged the record. Errors: WH_E_RANGE
 * or WH_E_INVALID when the row has no usable number, WH_E_NOMEM, and those of outbox_row. */
WH_MUST_CHECK enum wh_rc gone_row(struct gone *g, struct numbers *n, struct wh_slice path,
                                  struct wh_slice text, const struct gitlab_row *row,
                                  struct wh_json_val value, struct wh_err *err);
/* The numbers whose records Kafka has not answered yet. */
size_t gone_waiting(const struct gone *g);

#endif
