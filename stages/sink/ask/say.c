/* The answer in words: the dates that were understood, then each incident. */
#include "common/text/money.h"
#include "stages/sink/ask/answer_priv.h"
#include "stages/sink/ask/when.h"

struct saying {
    const struct ask_answer *a;
    const struct ask_conf *conf;
    struct wh_buf *out;
    struct wh_err *err;
    enum wh_rc rc; /* the first failure; nothing is said after it */
};

#define SAY(s_, ...)                                                                               \
    ((s_)->rc = (s_)->rc == WH_OK ? wh_buf_printf((s_)->out, (s_)->err, __VA_ARGS__) : (s_)->rc)

/* ---- times ---- */

/* "on Tuesday, 24 November 2026 (UTC)" */
static void say_time(struct saying *s)
{
    const struct ask_understood *u = &s->a->understood;
    const struct ask_interval interval = {u->from_ms, u->to_ms, u->first_day, u->last_day};

    if (u->has_time && s->rc == WH_OK) {
        s->rc = ask_say_interval(&interval, s->conf->zone, s->conf->zone_name, s->out, s->err);
    }
}

static void say_length(struct saying *s, int64_t seconds)
{
    s->rc = s->rc == WH_OK ? ask_say_length(seconds, s->out, s->err) : s->rc;
}

/* ---- which ones ---- */

/* " with critical severity that hit Acme" */
static void say_conditions(struct saying *s)
{
    const struct ask_answer *a = s->a;

    if (a->understood.severity) {
        SAY(s, " of severity %s", a->understood.severity);
    }
    for (const struct ask_name *n = a->names; n; n = n->next) {
        SAY(s, "%s the %s %.*s", n == a->names ? " that hit" : " and",
            n->kind == WH_KIND_SERVICE ? "service" : "customer", WH_SLICE_ARG(n->name));
    }
    for (size_t i = 0; i < a->n_title; i++) {
        SAY(s, "%s \"%.*s\"", i == 0 ? " with a title of" : " and", WH_SLICE_ARG(a->title[i]));
    }
}

static void say_which(struct saying *s)
{
    const struct ask_answer *a = s->a;
    size_t n = a->n_incidents;

    if (a->understood.reference.len == WH_ENTITY_ID_TEXT && n) {
        SAY(s, "The same incident");
    } else if (a->understood.reference.len) {
        SAY(s, n ? "The incident %.*s" : "There is no incident %.*s",
            WH_SLICE_ARG(a->understood.reference));
    } else if (n == 0) {
        SAY(s, a->understood.has_time ? "There was no incident" : "There is no incident");
    } else {
        SAY(s,
            a->cut   ? "The first %zu incidents"
            : n == 1 ? "There was %zu incident"
                     : "There were %zu incidents",
            n);
    }
    say_conditions(s);
    say_time(s);
    SAY(s, n ? ":\n" : ".\n");
}

/* "#45 Checkout is down, critical, Tuesday, 24 November 2026, 10:02 to 11:47 (1 h 45 min)" */
static void say_incident(struct saying *s, const struct ask_incident *i)
{
    const struct impact_facts *f = &i->facts;
    struct wh_slice severity = f->severity.text;
    char day[ASK_DAY_TEXT];
    char clock[ASK_DAY_TEXT];

    SAY(s, "#%.*s %.*s, %.*s severity; started %s, %s", WH_SLICE_ARG(i->head->source.iid),
        WH_SLICE_ARG(past_string(i->head, "title")), WH_SLICE_ARG(severity),
        ask_day_text(wh_zone_day(s->conf->zone, f->started.ms), day),
        ask_clock_text(s->conf->zone, f->started.ms, clock));
    if (f->has_duration) {
        SAY(s, ", restored after ");
        say_length(s, f->duration_s);
    } else {
        SAY(s, ", not known to be restored");
    }
    SAY(s, "\n    %.*s\n", WH_SLICE_ARG(i->head->source.url));
}

/* ---- what was asked ---- */

static void say_revenue(struct saying *s, const struct impact_revenue *r)
{
    bool first = true;

    for (; r; r = r->next, first = false) {
        SAY(s, "%s", first ? "" : ", ");
        if (r->overflow) {
            SAY(s, "more %.*s than can be added", WH_SLICE_ARG(r->currency));
        } else if (s->rc == WH_OK) {
            s->rc = wh_money_append(r->monthly_minor, r->currency, s->out, s->err);
        }
    }
}

static void say_customers(struct saying *s, const struct impact_report *r)
{
    size_t n = 0;

    for (const struct impact_customer *c = r->customers; c; c = c->next) {
        n++;
    }
    if (n == 0) {
        SAY(s, "    no customer is known to be impacted\n");
        return;
    }
    SAY(s, "    %zu customer%s:\n", n, n == 1 ? "" : "s");
    for (const struct impact_customer *c = r->customers; c; c = c->next) {
        SAY(s, "      %.*s", WH_SLICE_ARG(c->name));
        if (c->revenue) {
            SAY(s, ", ");
            say_revenue(s, c->revenue);
            SAY(s, " a month");
        }
        SAY(s, "\n");
    }
}

static void say_services(struct saying *s, const struct impact_report *r)
{
    if (r->services == NULL) {
        SAY(s, "    no service is known to be impacted\n");
        return;
    }
    SAY(s, "    services: ");
    for (const struct impact_service *v = r->services; v; v = v->next) {
        SAY(s, "%s%.*s", v == r->services ? "" : ", ", WH_SLICE_ARG(v->name));
    }
    SAY(s, "\n");
}

static bool is_open(const struct impact_issue *i)
{
    return wh_slice_eq(i->state, WH_LIT("opened"));
}

/* An issue has an entry for each rule. */
static bool was_said(const struct impact_issue *list, const struct impact_issue *issue)
{
    for (; list != issue; list = list->next) {
        if (wh_entity_id_cmp(&list->id, &issue->id) == 0) {
            return true;
        }
    }
    return false;
}

static void say_open(struct saying *s, const struct impact_report *r)
{
    size_t n = impact_open(r->follow_ups);

    if (n == 0) {
        SAY(s, "    no follow-up is open\n");
        return;
    }
    SAY(s, "    %zu open follow-up%s:\n", n, n == 1 ? "" : "s");
    for (const struct impact_issue *i = r->follow_ups; i; i = i->next) {
        if (is_open(i) && !was_said(r->follow_ups, i)) {
            SAY(s, "      %.*s  %.*s\n", WH_SLICE_ARG(i->title), WH_SLICE_ARG(i->url));
        }
    }
}

static void say_total(struct saying *s, const struct impact_report *r)
{
    if (r->revenue == NULL) {
        SAY(s, "    no revenue is known behind the impacted customers\n");
        return;
    }
    SAY(s, "    impacted revenue a month: ");
    say_revenue(s, r->revenue);
    SAY(s, "\n");
}

static void say_asked(struct saying *s, const struct impact_report *r)
{
    switch (s->a->understood.form) {
    case ASK_CUSTOMERS:
        say_customers(s, r);
        break;
    case ASK_SERVICES:
        say_services(s, r);
        break;
    case ASK_OPEN:
        say_open(s, r);
        break;
    case ASK_REVENUE:
        say_customers(s, r);
        say_total(s, r);
        break;
    case ASK_INCIDENTS:
        say_services(s, r);
        say_customers(s, r);
        break;
    case ASK_DURATION:
    case ASK_COUNT:
    case ASK_FORMS:
    default:
        break;
    }
}

static void say_nearest(struct saying *s)
{
    const struct ask_incident *near[] = {s->a->before, s->a->after};

    for (size_t i = 0; i < 2; i++) {
        if (near[i]) {
            SAY(s, "The nearest %s: ", i == 0 ? "before" : "after");
            say_incident(s, near[i]);
        }
    }
}

enum wh_rc ask_say(const struct ask_answer *a, const struct ask_conf *conf, struct wh_buf *out,
                   struct wh_err *err)
{
    struct saying s = {.a = a, .conf = conf, .out = out, .err = err};

    say_which(&s);
    for (const struct ask_incident *i = a->incidents; i; i = i->next) {
        say_incident(&s, i);
        say_asked(&s, i->report);
    }
    if (a->n_incidents == 0) {
        say_nearest(&s);
    }
    return s.rc;
}
