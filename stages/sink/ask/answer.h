/*
 * answer.h - the answer to a question about incidents: which ones are meant, what they did, and the words for
 * people. It computes nothing of its own: facts, services, customers and revenue are those of impact.h.
 *
 * An incident is on the day on which it started, in the zone. When none fits, that is the answer, with the
 * nearest before and after. Names are looked up as everywhere (keys.h); words that nobody claims must be in the
 * title.
 *
 * Thread: that of the reader. Ownership: everything lives in the arena that was given, and refers to the question.
 */
#ifndef WH_SINK_ASK_ANSWER_H
#define WH_SINK_ASK_ANSWER_H

#include "stages/sink/ask/understand.h"
#include "stages/sink/impact/impact.h"

enum { ASK_REPORTS_MAX = 100 };

struct ask_conf {
    struct wh_zone zone;
    struct wh_slice zone_name;
    int64_t now_ms;
};

/* A service or a customer that the question names, or could name. */
struct ask_name {
    struct ask_name *next;
    enum wh_kind kind;
    struct wh_entity_id id;
    struct wh_slice name;
};

struct ask_incident {
    struct ask_incident *next;
    const struct wh_head *head;
    struct impact_facts facts;
    struct impact_report *report; /* NULL: not read */
};

struct ask_answer {
    struct ask_understood understood;
    struct ask_name *names;               /* that the question names */
    struct wh_slice title[ASK_TERMS_MAX]; /* words that the title must have */
    size_t n_title;
    struct ask_incident *incidents; /* that fit, by their start; each has a report */
    size_t n_incidents;
    bool cut;                    /* there are more */
    struct ask_incident *before; /* when none fits: the nearest, NULL when there is none */
    struct ask_incident *after;
    /* Not NULL: the question is ambiguous, and one of these is meant. */
    struct ask_name *choices;
    struct impact_choice *incident_choices;
    struct wh_slice text; /* the answer in words; empty when it is ambiguous */
    struct wh_slice sql;  /* a statement with the same rows */
};

/* understood: what the question means, when that is known; or NULL. WH_E_INVALID: not understood, the message says
 * why. */
WH_MUST_CHECK enum wh_rc ask_answer(struct past *p, struct wh_slice question,
                                    const struct ask_understood *understood,
                                    const struct ask_conf *conf, struct wh_arena *arena,
                                    struct ask_answer *ret, struct wh_err *err);
/* Writes the object "understood". */
void ask_write_understood(const struct ask_answer *answer, const struct ask_conf *conf,
                          struct wh_json_writer *w);

#endif
