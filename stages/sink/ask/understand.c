#include "stages/sink/ask/understand.h"

#include <string.h>

#include "stages/sink/ask/dates.h"

#define WHO "customers|customer|clients|client|companies|tenants|subscribers"
#define WHAT "services|service|systems|applications|apps|components"
#define HIT                                                                                        \
    "impacted|affected|hit|hurt|touched|disrupted|impact|affect|hurting|affecting|impacting|down|" \
    "broken|unavailable|degraded"
#define EVENT                                                                                      \
    "incident|incidents|outage|outages|disruption|disruptions|downtime|interruption|"              \
    "interruptions|event|events|failure|failures|problem|problems"
#define TASKS                                                                                      \
    "follow-ups|follow-up|followups|followup|actions|action|tasks|task|items|issues|work|points|"  \
    "todos|measures"
#define LEFT "open|outstanding|unfinished|pending|remaining|unresolved|left|unsolved"

struct form_words {
    enum ask_form form;
    const char *pattern;
};

/* The first pattern that is found decides. */
static const struct form_words table[] = {
    /* What is open. */
    {ASK_OPEN, "follow-ups|follow-up|followups|followup"},
    {ASK_OPEN, "follow up|ups"},
    {ASK_OPEN, "still|yet " LEFT},
    {ASK_OPEN, LEFT " " TASKS},
    {ASK_OPEN, "action|corrective|preventive items|actions|measures|tasks"},
    {ASK_OPEN, "what|which|anything ~is|are ~still " LEFT},
    {ASK_OPEN, "what|which " TASKS " is|are ~still " LEFT},
    {ASK_OPEN, "still|left to do|be"},
    {ASK_OPEN, "remains|todo|todos"},
    /* How long. */
    {ASK_DURATION, "how long|quickly|fast"},
    {ASK_DURATION, "how much|many time|downtime|hours|minutes"},
    {ASK_DURATION, "duration|mttr|length"},
    {ASK_DURATION, "time to restore|resolve|recover|recovery|mitigate|detect|repair|fix"},
    {ASK_DURATION, "when was|were|is|did|has"},
    {ASK_DURATION, "what time"},
    /* What it cost. */
    {ASK_REVENUE, "revenue|revenues|mrr|money|turnover|worth|income|sales|contracts"},
    {ASK_REVENUE, "how much"},
    {ASK_REVENUE, "at risk"},
    {ASK_REVENUE, "cost|costs ~us"},
    /* How many. */
    {ASK_COUNT, "how many ~of ~the ~our ~critical|high|medium|low ~severity " EVENT},
    {ASK_COUNT, "number of ~the ~our ~critical|high|medium|low ~severity " EVENT},
    {ASK_COUNT, "count ~of ~the ~our ~all " EVENT},
    {ASK_COUNT, "how often"},
    /* Which services. */
    {ASK_SERVICES, "which|what ~of ~the ~our ~other " WHAT},
    {ASK_SERVICES, "how many ~of ~the ~our " WHAT},
    {ASK_SERVICES, "list|show|name ~me ~the ~all ~our ~" HIT " services|systems|applications"},
    {ASK_SERVICES, HIT " services|systems|applications|apps|components"},
    {ASK_SERVICES, "services|systems ~that ~were|are|was|have|had ~been " HIT},
    {ASK_SERVICES,
     "what was|were|is|went|goes|broke|failed down|offline|unavailable|broken|degraded"},
    {ASK_SERVICES, "what went down|offline"},
    {ASK_SERVICES, "what broke|failed"},
    /* Which customers. */
    {ASK_CUSTOMERS, "which|what ~of ~the ~our ~other " WHO},
    {ASK_CUSTOMERS, "how many ~of ~the ~our " WHO},
    {ASK_CUSTOMERS, "number of ~the ~our ~" HIT " " WHO},
    {ASK_CUSTOMERS, "who|whom|whose"},
    {ASK_CUSTOMERS, "list|show|name ~me ~the ~all ~our ~" HIT " customers|clients|companies"},
    {ASK_CUSTOMERS, HIT " customers|clients|companies|tenants|subscribers"},
    {ASK_CUSTOMERS, "customers|clients|companies|tenants|subscribers"},
    {ASK_CUSTOMERS, "customer|client impact"},
    {ASK_SERVICES, "services|systems"},
    /* What happened. */
    {ASK_INCIDENTS, EVENT},
    {ASK_INCIDENTS, "what ~has|have|had|did|else happened|happen"},
    {ASK_INCIDENTS, "what ~has|have|had|did|else hit|hits|affected|affects|impacted|impacts|hurt"},
    {ASK_INCIDENTS, "what went|goes wrong"},
    {ASK_INCIDENTS, "anything happened|happen|wrong|broken|down"},
    {ASK_INCIDENTS, "did anything"},
    {ASK_INCIDENTS, "was|is|were|are there anything|something"},
};

static const struct {
    const char *name;
    const char *example;
} forms[ASK_FORMS] = {
    [ASK_INCIDENTS] = {"incidents", "what happened last week"},
    [ASK_CUSTOMERS] = {"customers", "which customers were impacted by last Tuesday's incident"},
    [ASK_SERVICES] = {"services", "which services were affected yesterday"},
    [ASK_OPEN] = {"open", "what is still open from incident 45"},
    [ASK_DURATION] = {"duration", "how long did the incident on 24 November last"},
    [ASK_REVENUE] = {"revenue", "what revenue was affected this month"},
    [ASK_COUNT] = {"count", "how many incidents were there last month"},
};

/* Words that say nothing about which incident is meant. */
static const char *const said_by_the_way[] = {
    "a|an|the|of|in|on|at|by|for|to|from|with|during|over|within|about|around|as|into|per|through",
    "and|or|but|so|then|than|also|please|just|exactly|ever|again|now|yet|still|already|currently",
    "was|were|is|are|be|been|being|am|do|does|did|done|has|have|had|having|can|could|will|would",
    "it|its|this|that|these|those|there|they|them|their|our|ours|us|we|you|your|i|me|my|one|ones",
    "what|which|who|whom|whose|when|where|how|many|much|long|any|anything|all|some|each|every|most",
    "tell|show|list|give|name|find|get|see|know|say|look|count|number",
    "happen|happened|happens|happening|occur|occurred|take|took|taken|place|start|started|starts",
    "begin|began|begun|end|ended|ends|last|lasted|lasts|go|goes|went|gone|come|came|wrong|out|up",
    "restored|resolved|fixed|mitigated|detected|restore|resolve|fix|closed|over|finished|solved",
    "cause|caused|causes|causing|due|because|since|lost|lose|losing|hit|hits|cost|costs|suffer",
    "suffered|see|saw|seen|notice|noticed|experience|experienced|face|faced|get|got|lasting",
    "incident|incidents|outage|outages|disruption|disruptions|event|events|failure|failures",
    "impacted|affected|hurt|touched|disrupted|impact|affect|affects|impacts|effect|hurting",
    "affecting|impacting|down|broken|unavailable|degraded|interruption|interruptions|downtime",
    "open|opened|follow-ups|follow-up|followups|followup|follow|ups|actions|action|tasks|task",
    "items|work|left|outstanding|pending|remaining|remains|unfinished|unresolved|todo|todos",
    "revenue|revenues|mrr|money|worth|risk|monthly|total|sum|amount|value|duration|time|times",
    "customer|customers|client|clients|service|services|company|companies|systems|system",
    "severity|sev|priority|production|prod|time|hours|minutes|occurred|involved|involving|related",
    "applications|application|apps|app|components|component|corrective|preventive|measures|points",
    "quickly|fast|often|mttr|mean|contracts|contract|income|sales|turnover|length|behind|because",
    "tenants",
    "tenant|subscribers|subscriber|recover|recovery|mitigate|detect|repair|fix|offline|yet|used",
    "using",
    "not|no|yes|ok|was|recent|recently|latest|problem|problems|break|broke|fail|failed|day|days",
};

const char *ask_form_name(enum ask_form form)
{
    return form < ASK_FORMS ? forms[form].name : "";
}

const char *ask_form_example(enum ask_form form)
{
    return form < ASK_FORMS ? forms[form].example : "";
}

/* ---- which incident ---- */

static bool is_digits(const char *text)
{
    return text[0] && text[strspn(text, "0123456789")] == '\0';
}

/* "https://...", "#45", "group/project#45" */
static bool is_reference(const struct ask_word *word)
{
    const char *hash = word->text.len ? memchr(word->text.ptr, '#', word->text.len) : NULL;
    size_t digits = 0;

    if (word->quoted || word->taken) {
        return false;
    }
    if (wh_slice_starts(word->text, WH_LIT("http://")) ||
        wh_slice_starts(word->text, WH_LIT("https://"))) {
        return true;
    }
    if (hash == NULL) {
        return false;
    }
    while (hash + 1 + digits < word->text.ptr + word->text.len && hash[1 + digits] >= '0' &&
           hash[1 + digits] <= '9') {
        digits++;
    }
    return digits > 0 && hash + 1 + digits == word->text.ptr + word->text.len;
}

/* A number behind "incident" or "number"; not the day of a date. */
static size_t numbered(const struct ask_words *w, size_t i)
{
    static const char months[] =
        "january|february|march|april|may|june|july|august|september|october|november|december|"
        "jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|of|days|day|weeks|week|months|month|"
        "hours|hour|minutes|years|customers|services|incidents|to|and";
    size_t n = ask_fits(w, i, "incident|issue|outage|ticket|iid ~number|no|nr");

    if (n == 0) {
        n = ask_fits(w, i, "number|no|nr");
    }
    return n && is_digits(ask_word(w, i + n)) && !ask_is(w, i + n + 1, months) ? n + 1 : 0;
}

static enum wh_rc find_reference(struct ask_words *w, struct ask_understood *ret,
                                 struct wh_err *err)
{
    for (size_t i = 0; i < w->n; i++) {
        size_t n = is_reference(&w->list[i]) ? 1 : numbered(w, i);

        if (n == 0) {
            continue;
        }
        if (ret->reference.len) {
            return wh_fail(err, WH_E_INVALID, "the question names two incidents; ask for one");
        }
        ret->reference = w->list[i + n - 1].text;
        if (ret->reference.ptr[0] == '#') {
            ret->reference = wh_slice_from(ret->reference, 1);
        }
        ask_take(w, i, n);
        i += n - 1;
    }
    return WH_OK;
}

static void find_severity(struct ask_words *w, struct ask_understood *ret)
{
    static const struct {
        const char *pattern;
        const char *severity;
    } patterns[] = {
        {"critical ~severity", "critical"},
        {"severity|sev|priority critical", "critical"},
        {"high|medium|low severity", NULL},
        {"severity|sev|priority high|medium|low", NULL},
        {"severity|sev|priority 1|2|3|4", NULL},
        {"high|medium|low incident|incidents|outage|outages", NULL},
        {"s1|sev1|sev-1|p1", "critical"},
        {"s2|sev2|sev-2|p2", "high"},
        {"s3|sev3|sev-3|p3", "medium"},
        {"s4|sev4|sev-4|p4", "low"},
        {"severity::1", "critical"},
        {"severity::2", "high"},
        {"severity::3", "medium"},
        {"severity::4", "low"},
    };
    static const char *const words[][2] = {
        {"high|2", "high"}, {"medium|3", "medium"}, {"low|4", "low"}, {"critical|1", "critical"}};

    for (size_t i = 0; i < w->n; i++) {
        for (size_t k = 0; k < sizeof(patterns) / sizeof(patterns[0]); k++) {
            size_t n = ask_fits(w, i, patterns[k].pattern);

            if (n == 0) {
                continue;
            }
            ret->severity = patterns[k].severity;
            for (size_t j = i; ret->severity == NULL && j < i + n; j++) {
                for (size_t s = 0; s < sizeof(words) / sizeof(words[0]); s++) {
                    ret->severity = ask_is(w, j, words[s][0]) ? words[s][1] : ret->severity;
                }
            }
            /* The event is still a word of the question's form. */
            ask_take(w, i, ask_is(w, i + n - 1, "incident|incidents|outage|outages") ? n - 1 : n);
            return;
        }
    }
}

/* ---- what is asked ---- */

static bool find_form(const struct ask_words *w, enum ask_form *ret)
{
    for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        for (size_t i = 0; i < w->n; i++) {
            if (ask_fits(w, i, table[k].pattern)) {
                *ret = table[k].form;
                return true;
            }
        }
    }
    return false;
}

/* Is it about incidents? "Which customers do we have" is not. */
static bool is_about_incidents(const struct ask_words *w, const struct ask_understood *u)
{
    static const char words[] = EVENT
        "|" HIT "|" LEFT "|happened|happen|happening|wrong|follow-ups|follow-up|followups|followup|"
        "ups|corrective|preventive|todo|todos|remains|revenue|mrr|risk|cost|costs|restored|"
        "resolved|mitigated|detected|fixed|mttr|lasted|last|fail|failed|fails|broke|"
        "breaks|recover|recovery|restore|resolve|suffered|suffer|offline|affects|impacts|hits";

    if (u->has_time || u->reference.len || u->severity) {
        return true;
    }
    for (size_t i = 0; i < w->n; i++) {
        if (ask_is(w, i, words)) {
            return true;
        }
    }
    return false;
}

bool ask_names_incidents(struct wh_slice question)
{
    static const char words[] = "incident|incidents|outage|outages|disruption|disruptions|downtime|"
                                "follow-up|follow-ups|followup|followups|risk|lost|lose|cost|" HIT;
    struct ask_words w;
    struct wh_err ignored;

    if (ask_words_split(question, &w, &ignored) != WH_OK) {
        return false;
    }
    for (size_t i = 0; i < w.n; i++) {
        if (ask_is(&w, i, words) || is_reference(&w.list[i])) {
            return true;
        }
    }
    return false;
}

/* Words that would change the answer, and that no form here has an answer to. */
static enum wh_rc refuse_others(const struct ask_words *w, struct wh_err *err)
{
    static const char others[] =
        "not|never|without|except|excluding|isn't|wasn't|weren't|didn't|hasn't|haven't|don't|per|"
        "average|median|most|least|fewest|longest|shortest|worst|versus|compared|or|more|fewer|"
        "than|"
        "percent|percentage|share|trend|weekly|monthly|daily|postmortem|postmortems|only|longer|"
        "shorter";
    static const char groups[] =
        "by|each|every "
        "severity|service|services|customer|customers|segment|project|projects|day|week|"
        "month|quarter|year|team|teams|region|currency|system|client";

    for (size_t i = 0; i < w->n; i++) {
        if (ask_is(w, i, others) || ask_fits(w, i, groups)) {
            return wh_fail(err, WH_E_INVALID,
                           "\"%.*s\" is not understood in a question about incidents",
                           WH_SLICE_ARG(w->list[i].text));
        }
    }
    return WH_OK;
}

/* ---- the rest ---- */

static bool is_by_the_way(const struct ask_words *w, size_t i)
{
    if (w->list[i].taken) {
        return true;
    }
    for (size_t k = 0; !w->list[i].quoted && k < sizeof(said_by_the_way) / sizeof(char *); k++) {
        if (ask_is(w, i, said_by_the_way[k])) {
            return true;
        }
    }
    return false;
}

static enum ask_of of_before(const struct ask_words *w, size_t i)
{
    if (w->list[i].quoted) {
        return i > 0 && ask_is(w, i - 1, "customer|client|company") ? ASK_OF_CUSTOMER
               : i > 0 && ask_is(w, i - 1, "service|system")        ? ASK_OF_SERVICE
                                                                    : ASK_OF_ANY;
    }
    if (i > 0 && ask_is(w, i - 1, "customer|client|company")) {
        return ASK_OF_CUSTOMER;
    }
    return i > 0 && ask_is(w, i - 1, "service|system") ? ASK_OF_SERVICE : ASK_OF_ANY;
}

/* "the checkout service", "the Acme customer" */
static enum ask_of of_behind(const struct ask_words *w, size_t i)
{
    return ask_is(w, i, "service|system") ? ASK_OF_SERVICE : ASK_OF_ANY;
}

/* Words that the tables do not know and that stand beside each other are one term. */
static enum wh_rc find_terms(const struct ask_words *w, struct ask_understood *ret,
                             struct wh_err *err)
{
    for (size_t i = 0; i < w->n; i++) {
        struct ask_term *term;
        size_t last = i;

        if (is_by_the_way(w, i)) {
            continue;
        }
        while (!w->list[i].quoted && last + 1 < w->n && !w->list[last + 1].quoted &&
               !is_by_the_way(w, last + 1)) {
            last++;
        }
        if (ret->n_terms == ASK_TERMS_MAX) {
            return wh_fail(err, WH_E_INVALID,
                           "the question has too many words that say nothing here");
        }
        term = &ret->terms[ret->n_terms++];
        term->text =
            wh_slice(w->list[i].text.ptr, (size_t)(w->list[last].text.ptr + w->list[last].text.len -
                                                   w->list[i].text.ptr));
        term->of = of_before(w, i);
        term->of = term->of == ASK_OF_ANY ? of_behind(w, last + 1) : term->of;
        i = last;
    }
    return WH_OK;
}

static void take_span(const struct ask_span *span, struct wh_zone zone, struct ask_understood *ret)
{
    ret->has_time = true;
    ret->first_day = span->first_day;
    ret->last_day = span->last_day;
    ret->from_ms = span->of_instants ? span->from_ms : wh_zone_day_begin(zone, span->first_day);
    ret->to_ms = span->of_instants ? span->to_ms : wh_zone_day_begin(zone, span->last_day + 1);
    ret->from_ms = span->open_begin ? INT64_MIN : ret->from_ms;
    ret->to_ms = span->open_end ? INT64_MAX : ret->to_ms;
}

static enum wh_rc read_parts(struct wh_slice question, int64_t now_ms, struct wh_zone zone,
                             struct ask_words *words, struct ask_understood *ret, bool *ret_form,
                             struct wh_err *err)
{
    const struct ask_calendar calendar = {now_ms, zone, wh_zone_day(zone, now_ms)};
    struct ask_span span;

    *ret = (struct ask_understood){.from_ms = INT64_MIN, .to_ms = INT64_MAX};
    if (ask_words_split(question, words, err) != WH_OK ||
        find_reference(words, ret, err) != WH_OK ||
        ask_dates_find(words, &calendar, &span, &ret->has_time, err) != WH_OK) {
        return err->rc;
    }
    if (ret->has_time) {
        take_span(&span, zone, ret);
    }
    *ret_form = find_form(words, &ret->form);
    find_severity(words, ret);
    return WH_OK;
}

enum wh_rc ask_understand(struct wh_slice question, int64_t now_ms, struct wh_zone zone,
                          struct ask_understood *ret, struct wh_err *err)
{
    struct ask_words words;
    bool has_form = false;

    if (read_parts(question, now_ms, zone, &words, ret, &has_form, err) != WH_OK) {
        return err->rc;
    }
    if ((!has_form && ret->reference.len == 0) || !is_about_incidents(&words, ret)) {
        return wh_fail(err, WH_E_INVALID, "the question is not one that can be answered");
    }
    return refuse_others(&words, err) == WH_OK ? find_terms(&words, ret, err) : err->rc;
}

enum wh_rc ask_understand_after(struct wh_slice question, int64_t now_ms, struct wh_zone zone,
                                const struct ask_understood *before, struct ask_understood *ret,
                                struct wh_err *err)
{
    struct ask_words words;
    bool has_form = false;

    if (read_parts(question, now_ms, zone, &words, ret, &has_form, err) != WH_OK ||
        refuse_others(&words, err) != WH_OK || find_terms(&words, ret, err) != WH_OK) {
        return err->rc;
    }
    if (ret->n_terms || (!has_form && !ret->has_time && !ret->reference.len && !ret->severity)) {
        return wh_fail(err, WH_E_INVALID, "it says nothing that changes the question before");
    }
    ret->form = has_form ? ret->form : before->form;
    ret->severity = ret->severity ? ret->severity : before->severity;
    if (!ret->has_time && !ret->reference.len) {
        ret->reference = before->reference;
        ret->has_time = before->has_time;
        ret->from_ms = before->from_ms;
        ret->to_ms = before->to_ms;
        ret->first_day = before->first_day;
        ret->last_day = before->last_day;
    }
    memcpy(ret->terms, before->terms, sizeof(ret->terms));
    ret->n_terms = before->n_terms;
    return WH_OK;
}

size_t ask_nearest_forms(struct wh_slice question, enum ask_form ret[ASK_FORMS])
{
    struct ask_words words = {.n = 0};
    size_t scores[ASK_FORMS] = {0};
    struct wh_err err;
    size_t n = 0;

    if (ask_words_split(question, &words, &err) != WH_OK) {
        words.n = 0;
    }
    /* A form counts for each of its words that a word of the question resembles. */
    for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        for (size_t i = 0; i < words.n; i++) {
            const char *word = ask_word(&words, i);

            scores[table[k].form] += strlen(word) > 3 && strstr(table[k].pattern, word) != NULL;
        }
    }
    for (size_t best = 1; n < 3;) {
        best = ASK_FORMS;
        for (size_t f = 0; f < ASK_FORMS; f++) {
            bool listed = false;

            for (size_t i = 0; i < n; i++) {
                listed = listed || ret[i] == (enum ask_form)f;
            }
            if (!listed && (best == ASK_FORMS || scores[f] > scores[best])) {
                best = f;
            }
        }
        ret[n++] = (enum ask_form)best;
    }
    return n;
}
