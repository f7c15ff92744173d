/*
 * gone.h - objects that are not there any more, and objects that are there again.
 *
 * What a full listing did not show and GitLab answers with 404 is held first (IDS_HELD). At the end
 * of the check it is told as a tombstone, unless more is held than a set share: then it waits for a
 * person, or for GitLab to show it again. Reasons are what GitLab lets us know:
 *
 *   deleted            a merge request, or an issue that this token would see if it were there
 *   deleted_or_hidden  an issue that was confidential, or that may have become so
 *   lost_access        its project answers 404 or 403; GitLab tells no removal from a lost right
 *   project_removed    likewise, and the project was marked for deletion when last seen
 *   out_of_scope       its project can be read, but the token is no member any more
 *
 * Moved issues are no matter of this file: their row names where they went, and the mapper makes
 * the tombstone.
 */
#ifndef WH_FETCHER_GONE_H
#define WH_FETCHER_GONE_H

#include "common/log/log.h"
#include "stages/fetcher/outbox/outbox.h"
#include "stages/fetcher/state/numbers.h"

enum {
    GITLAB_REPORTER = 20, /* sees confidential issues */
};

/* What the connection lends. */
struct gone_env {
    struct outbox *outbox;
    struct wh_log *log;
    /* The connection's part of a record that belongs to the present run. */
    struct outbox_row (*row)(void *ctx);
    /* The records of one number were acknowledged or refused. Called from the loop, or from inside a
     * call here when a record could not be posted. */
    void (*settled)(void *ctx);
    void *ctx;
};

struct gone;

/* env is copied. NULL: no memory. */
struct gone *gone_new(const struct gone_env *env);
/* Forgets the numbers whose records are not acknowledged. g may be NULL. */
void gone_free(struct gone *g);

/* Why an object that is held is gone. lost: why its project is, or NULL; access: our access level
 * in the project, 0 when it is not known. */
const char *gone_reason(enum numbered stream, const struct ids_entry *e, const char *lost,
                        int64_t access);
/* What becomes of its number once the tombstone is told. */
enum ids_fate gone_fate(const char *reason);
/* A number that was never had, and that GitLab answers with 404. */
enum ids_fate gone_fate_unknown(enum numbered stream, int64_t access);
/* More than may be told without a person? known: numbers that are had or held. */
bool gone_too_many(int64_t held, int64_t known, int64_t hold_min, int64_t hold_percent);

/* Something is shown: true when its number may count as had at once. Else a tombstone was told of
 * it, and it counts when its return is in Kafka. */
bool gone_back(struct gone *g, struct numbers *n, int64_t number, int64_t id, bool confidential);
/* Tells the tombstone of a held number; its fate follows when it is in Kafka. */
WH_MUST_CHECK enum wh_rc gone_tell(struct gone *g, struct numbers *n, int64_t number,
                                   const char *reason, struct wh_err *err);
/* A row that was read by itself, or by a listing without a cursor; its number counts as had when
 * the row is in Kafka. */
WH_MUST_CHECK enum wh_rc gone_row(struct gone *g, struct numbers *n, struct wh_slice path,
                                  struct wh_slice text, const struct row *row,
                                  struct wh_json_val value, struct wh_err *err);
/* Records that are not acknowledged. */
size_t gone_waiting(const struct gone *g);

#endif
