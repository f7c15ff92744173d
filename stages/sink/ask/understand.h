/*
 * understand.h - what a question asks, by tables of words alone: no model, no data, the same question at the
 * same time is always understood in the same way.
 *
 * A question has a form (what is asked), and may name a time, an incident, a severity, and words that are
 * neither: the names of customers and services, or words of a title. Who asks decides which (answer.h).
 *
 * Times are days in a zone: today, yesterday, a weekday, a week (from Monday on), a month, a quarter, a year,
 * dates, "3 days ago", "the last 7 days", and ranges of them. "Last Tuesday" is the most recent one before
 * today. A date without a year is the most recent one that is not in the future.
 *
 * A question has at most 1000 bytes. Thread: any. Pure functions. The result refers to the question's bytes.
 */
#ifndef WH_SINK_ASK_UNDERSTAND_H
#define WH_SINK_ASK_UNDERSTAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/base/zone.h"

enum { ASK_TERMS_MAX = 8 };

enum ask_form {
    ASK_INCIDENTS, /* what happened */
    ASK_CUSTOMERS,
    ASK_SERVICES,
    ASK_OPEN,     /* follow-ups that are open */
    ASK_DURATION, /* how long */
    ASK_REVENUE,
    ASK_COUNT, /* how many incidents */
    ASK_FORMS
};

/* "customers", "services", ... */
const char *ask_form_name(enum ask_form form);
/* A question of that form, for suggestions. */
const char *ask_form_example(enum ask_form form);

enum ask_of { ASK_OF_ANY, ASK_OF_CUSTOMER, ASK_OF_SERVICE };

/* Words that the tables do not know, as they were typed. */
struct ask_term {
    struct wh_slice text;
    enum ask_of of; /* "the customer Acme", "the service checkout" */
};

struct ask_understood {
    enum ask_form form;
    bool has_time;
    int64_t from_ms; /* INT64_MIN: no begin */
    int64_t to_ms;   /* exclusive; INT64_MAX: no end */
    /* The days of it in the zone, since 1970-01-01, both inclusive; without a begin or an end, or of hours, as far
     * as they are known. */
    int64_t first_day;
    int64_t last_day;
    struct wh_slice reference; /* "45", "group/project#45" or an address; empty: none */
    const char *severity;      /* "critical", "high", "medium", "low"; NULL: any */
    struct ask_term terms[ASK_TERMS_MAX];
    size_t n_terms;
};

/* WH_E_INVALID: not understood; the message says why. */
WH_MUST_CHECK enum wh_rc ask_understand(struct wh_slice question, int64_t now_ms,
                                        struct wh_zone zone, struct ask_understood *ret,
                                        struct wh_err *err);

/*
 * A question after another one: what it does not say itself is as in the one before. WH_E_INVALID: it is not
 * understood, or says nothing of its own. The result refers to the bytes of both.
 */
WH_MUST_CHECK enum wh_rc ask_understand_after(struct wh_slice question, int64_t now_ms,
                                              struct wh_zone zone,
                                              const struct ask_understood *before,
                                              struct ask_understood *ret, struct wh_err *err);

/* Does the question speak of incidents, by their name or by a number? */
bool ask_names_incidents(struct wh_slice question);

/* The forms that are nearest to what was typed, best first; returns how many, at least one. */
size_t ask_nearest_forms(struct wh_slice question, enum ask_form ret[ASK_FORMS]);

#endif
