#include "stages/fetcher/check/evidence.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/num.h"

enum { ID_TEXT = 24 };

static struct absence_key key_of(const struct check_env *env, const struct numbers *n,
                                 const char *id)
{
    return (struct absence_key){.connection = env->connection,
                                .project = n->project,
                                .kind = numbers_stream_kind(n->stream),
                                .id = id};
}

static struct absence *next_absence(const struct check_env *env, const struct numbers *n,
                                    const char *after)
{
    return absences_next(env->absences, env->connection, n->project, numbers_stream_kind(n->stream),
                         after);
}

void evidence_shown(const struct check_env *env, const struct numbers *n, const char *id)
{
    const struct absence_key key = key_of(env, n, id);

    absences_remove(env->absences, absences_find(env->absences, &key));
}

/* What is held has been proved before. */
void evidence_absent(const struct check_env *env, const struct numbers *n, int64_t number,
                     bool proof)
{
    struct number_set_entry e = number_set_get(n->set, number);
    char id[ID_TEXT];
    const struct absence_key key = key_of(env, n, id);

    if (e.fate != NUMBER_HELD) {
        (void)snprintf(id, sizeof(id), "%" PRId64, e.id);
        (void)absences_note(env->absences, &key, number, wh_clock_now_ms(&env->clock), proof);
    }
}

/* ---- what was absent before ---- */

/* A re-read knows the id of a pipeline, but not its number. */
static int64_t number_of(const struct numbers *n, const struct absence *a)
{
    int64_t number = a->number;
    int64_t id = 0;
    struct wh_err err;

    if (number || wh_num_i64(wh_slice_str(a->id), &id, &err) != WH_OK) {
        return number;
    }
    while (number_set_next(n->set, number, 1u << NUMBER_HAVE, &number)) {
        if (number_set_get(n->set, number).id == id) {
            return number;
        }
    }
    return 0;
}

int64_t evidence_due(const struct check_env *env, const struct numbers *n,
                     char at_id[ABSENCE_ID_MAX])
{
    struct absence *a;

    while ((a = next_absence(env, n, at_id)) != NULL) {
        int64_t number = number_of(n, a);

        memcpy(at_id, a->id, sizeof(a->id));
        if (number_set_get(n->set, number).fate != NUMBER_HAVE) {
            absences_remove(env->absences, a);
        } else if (wh_clock_now_ms(&env->clock) >= absence_due_ms(a, env->limits.confirm_ms)) {
            a->number = number;
            return number;
        }
    }
    return 0;
}

/* ---- the proof ---- */

static bool proved(const struct check_env *env, const struct absence *a)
{
    return a->number && absence_proved(a, env->limits.confirm_ms);
}

bool evidence_any(const struct check_env *env, const struct numbers *n)
{
    const struct absence *a = next_absence(env, n, "");

    while (a && !proved(env, a)) {
        a = next_absence(env, n, a->id);
    }
    return a != NULL;
}

void evidence_hold(const struct check_env *env, struct numbers *n)
{
    char after[ABSENCE_ID_MAX] = "";
    struct absence *a;

    while ((a = next_absence(env, n, after)) != NULL) {
        struct number_set_entry e = number_set_get(n->set, a->number);
        struct wh_err err;

        memcpy(after, a->id, sizeof(after));
        /* Without memory it stays unsure. */
        if (proved(env, a) &&
            number_set_put(n->set, a->number, e.id, NUMBER_HELD, e.confidential, &err) == WH_OK) {
            absences_remove(env->absences, a);
        }
    }
}
