/*
 * evidence.h - the absences (absence.h) of one stream of a project that has numbers: what a job of a
 * check saw and did not see, and what that proves. Thread: app.
 */
#ifndef WH_FETCHER_EVIDENCE_H
#define WH_FETCHER_EVIDENCE_H

#include "stages/fetcher/check/check_env.h"

/* GitLab shows the object with that id. */
void evidence_shown(const struct check_env *env, const struct numbers *n, const char *id);
/* GitLab does not show the object with that number. proof: it has said so itself. */
void evidence_absent(const struct check_env *env, const struct numbers *n, int64_t number,
                     bool proof);
/* The next object that was absent before and is to be asked for again now; 0: there is none. at_id is
 * the place, empty at the beginning. Absences of objects that are not known as read are removed. */
int64_t evidence_due(const struct check_env *env, const struct numbers *n,
                     char at_id[ABSENCE_ID_MAX]);
/* Whether any absence is proved, as long as the project can be read. */
bool evidence_any(const struct check_env *env, const struct numbers *n);
/* The project can be read: what is proved is held from now on, and the number set keeps its fate. */
void evidence_hold(const struct check_env *env, struct numbers *n);

#endif
