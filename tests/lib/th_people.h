/* th_people.h - a small world of accounts, rows of a directory and decisions, for tests of who is who. */
#ifndef TH_PEOPLE_H
#define TH_PEOPLE_H

#include "stages/sink/people/resolve.h"

enum { TH_PEOPLE_MAX = 12, TH_DECISIONS_MAX = 10 };

struct th_people {
    struct people_account accounts[TH_PEOPLE_MAX];
    struct people_row rows[TH_PEOPLE_MAX];
    struct people_decision decisions[TH_DECISIONS_MAX];
    struct wh_slice emails[TH_PEOPLE_MAX][3];
    struct wh_slice named[TH_PEOPLE_MAX][3];
    char ids[TH_DECISIONS_MAX][24];
    struct people_input in;
    struct wh_arena arena;
    struct people people;
};

void th_people_init(struct th_people *w);
void th_people_done(struct th_people *w);
/* Resolves, as often as the test likes. */
void th_people_resolve(struct th_people *w);

/* An id that sorts by its number. Accounts have 1, 2, 3, ... in the order in which they are added, rows 101, 102,
 * ..., and decisions the ids d0, d1, ... and the times 0, 1, ... */
struct wh_entity_id th_people_id(unsigned n);

/* Additions are active and may be changed. Texts are kept. */
struct people_account *th_account(struct th_people *w, const char *instance, const char *username,
                                  const char *email, const char *name);
struct people_row *th_row(struct th_people *w, const char *directory_id, const char *name,
                          const char *email, const char *named);
struct people_decision *th_decide(struct th_people *w, enum people_action action, unsigned subject,
                                  unsigned object);

#endif
