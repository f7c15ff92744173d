#include <stdlib.h>
#include <string.h>

#include "common/text/key.h"
#include "stages/sink/ask/answer_priv.h"
#include "stages/sink/keys/keys.h"

enum { KEY_MAX_BYTES = 8192, TEXT_MAX_BYTES = 1 << 20, NEAREST_LOOKS = 200 };

struct asking {
    struct past *past;
    const struct ask_conf *conf;
    struct wh_arena *arena;
    struct ask_answer *answer;
    struct ask_incident **list; /* all incidents that could be meant, by their start */
    size_t n;
    size_t cap;
};

static enum wh_rc take(struct asking *a, size_t size, void *ret, struct wh_err *err)
{
    void *memory = NULL;

    if (wh_arena_zalloc(a->arena, 1, size, &memory, err) != WH_OK) {
        return err->rc;
    }
    *(void **)ret = memory;
    return WH_OK;
}

/* ---- names ---- */

static bool is_known(const struct ask_name *list, const struct ask_name *name)
{
    for (; list; list = list->next) {
        if (list->kind == name->kind && wh_entity_id_cmp(&list->id, &name->id) == 0) {
            return true;
        }
    }
    return false;
}

static enum wh_rc add_claimants(struct asking *a, struct wh_slice name, enum wh_kind kind,
                                struct ask_name **list, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_claimants(a->past, name, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more && found.kind == kind) {
            struct ask_name *n = NULL;
            const struct wh_head *head = NULL;

            rc = take(a, sizeof(*n), &n, err);
            rc = rc == WH_OK ? past_live(a->past, kind, &found.id, a->arena, &head, err) : rc;
            if (rc == WH_OK && head) {
                *n = (struct ask_name){
                    .next = *list, .kind = kind, .id = found.id, .name = past_string(head, "name")};
                *list = is_known(*list, n) ? *list : n;
            }
        }
    }
    past_scan_free(scan);
    return rc;
}

/* Services and customers that are called so. */
static enum wh_rc find_called(struct asking *a, struct wh_slice text, enum ask_of of,
                              struct ask_name **ret, struct wh_err *err)
{
    static const struct {
        const char *prefix;
        enum wh_kind kind;
        enum ask_of of;
    } kinds[] = {{"service:", WH_KIND_SERVICE, ASK_OF_SERVICE},
                 {"customer:", WH_KIND_CUSTOMER, ASK_OF_CUSTOMER}};
    struct wh_buf name;
    enum wh_rc rc = WH_OK;

    *ret = NULL;
    wh_buf_init(&name, KEY_MAX_BYTES);
    for (size_t i = 0; rc == WH_OK && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool made = false;

        if (of != ASK_OF_ANY && of != kinds[i].of) {
            continue;
        }
        wh_buf_reset(&name);
        rc = keys_make(kinds[i].prefix, &text, 1, &name, &made, err);
        if (rc == WH_E_UTF8 || rc == WH_E_TOO_LARGE) {
            rc = WH_OK;
        } else if (rc == WH_OK && made) {
            rc = add_claimants(a, wh_buf_slice(&name), kinds[i].kind, ret, err);
        }
    }
    wh_buf_done(&name);
    return rc;
}

/* The words from term i to term j as they were typed, with what stands between them. */
static struct wh_slice words_of(const struct ask_understood *u, size_t i, size_t j)
{
    struct wh_slice last = u->terms[j].text;

    return wh_slice(u->terms[i].text.ptr, (size_t)(last.ptr + last.len - u->terms[i].text.ptr));
}

/* Takes the longest run of terms from i on that somebody is called. *ret_n 0: nobody is. */
static enum wh_rc take_name(struct asking *a, size_t i, size_t *ret_n, struct wh_err *err)
{
    const struct ask_understood *u = &a->answer->understood;

    *ret_n = 0;
    for (size_t j = u->n_terms; j-- > i && *ret_n == 0;) {
        struct ask_name *called = NULL;

        if (find_called(a, words_of(u, i, j), u->terms[i].of, &called, err) != WH_OK) {
            return err->rc;
        }
        if (called == NULL) {
            continue;
        }
        *ret_n = j - i + 1;
        if (called->next) {
            a->answer->choices = called;
        } else if (!is_known(a->answer->names, called)) {
            called->next = a->answer->names;
            a->answer->names = called;
        }
    }
    return WH_OK;
}

static enum wh_rc read_terms(struct asking *a, struct wh_err *err)
{
    const struct ask_understood *u = &a->answer->understood;

    for (size_t i = 0; i < u->n_terms; i++) {
        size_t n = 0;

        if (take_name(a, i, &n, err) != WH_OK) {
            return err->rc;
        }
        if (n == 0 && u->terms[i].of != ASK_OF_ANY) {
            return wh_fail(err, WH_E_INVALID, "no %s is called %.*s",
                           u->terms[i].of == ASK_OF_SERVICE ? "service" : "customer",
                           WH_SLICE_ARG(u->terms[i].text));
        }
        if (n == 0) {
            a->answer->title[a->answer->n_title++] = u->terms[i].text;
        } else {
            i += n - 1;
        }
    }
    return WH_OK;
}

/* ---- incidents ---- */

static enum wh_rc has_words(const struct asking *a, struct wh_slice title, bool *ret,
                            struct wh_err *err)
{
    struct wh_buf in;
    struct wh_buf word;
    enum wh_rc rc;

    *ret = true;
    wh_buf_init(&in, KEY_MAX_BYTES);
    wh_buf_init(&word, KEY_MAX_BYTES);
    rc = wh_key_normalise(title, &in, err);
    for (size_t i = 0; rc == WH_OK && *ret && i < a->answer->n_title; i++) {
        wh_buf_reset(&word);
        rc = wh_key_normalise(a->answer->title[i], &word, err);
        *ret = rc == WH_OK && word.len > 0 && memmem(in.ptr, in.len, word.ptr, word.len);
    }
    wh_buf_done(&in);
    wh_buf_done(&word);
    if (rc == WH_E_UTF8 || rc == WH_E_TOO_LARGE) {
        *ret = false;
        return WH_OK;
    }
    return rc;
}

/* All but the time and the names, which take more to find out. */
static enum wh_rc offer(struct asking *a, const struct wh_head *head, struct wh_err *err)
{
    const char *severity = a->answer->understood.severity;
    struct ask_incident *incident = NULL;
    const struct wh_head *now = NULL;
    struct impact_facts facts;
    bool fits = false;

    if (!impact_is_incident(head)) {
        return WH_OK;
    }
    /* One that was moved comes where it is now. */
    if (impact_moved_to(a->past, head, a->arena, &now, err) != WH_OK) {
        return err->rc;
    }
    if (now != head) {
        return WH_OK;
    }
    impact_read_facts(head, &facts);
    if (has_words(a, past_string(head, "title"), &fits, err) != WH_OK) {
        return err->rc;
    }
    if (!fits || !facts.started.known ||
        (severity && !wh_slice_eq(facts.severity.text, wh_slice_str(severity)))) {
        return WH_OK;
    }
    if (a->n == a->cap) {
        void *memory = NULL;
        size_t cap = a->cap ? 2 * a->cap : 64;

        if (wh_arena_zalloc(a->arena, cap, sizeof(struct ask_incident *), &memory, err) != WH_OK) {
            return err->rc;
        }
        if (a->n) {
            memcpy(memory, a->list, a->n * sizeof(struct ask_incident *));
        }
        a->list = memory;
        a->cap = cap;
    }
    if (take(a, sizeof(*incident), &incident, err) != WH_OK || incident == NULL) {
        return err->rc;
    }
    incident->head = head;
    incident->facts = facts;
    a->list[a->n++] = incident;
    return WH_OK;
}

static enum wh_rc offer_all(struct asking *a, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_claimants(a->past, WH_LIT("type:incident"), &scan, err);

    while (rc == WH_OK && more) {
        const struct wh_head *head = NULL;

        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = past_live(a->past, found.kind, &found.id, a->arena, &head, err);
            rc = rc == WH_OK && head ? offer(a, head, err) : rc;
        }
    }
    past_scan_free(scan);
    return rc;
}

static int by_start(const void *left, const void *right)
{
    const struct ask_incident *a = *(struct ask_incident *const *)left;
    const struct ask_incident *b = *(struct ask_incident *const *)right;

    if (a->facts.started.ms != b->facts.started.ms) {
        return a->facts.started.ms < b->facts.started.ms ? -1 : 1;
    }
    return wh_entity_id_cmp(&a->head->id, &b->head->id);
}

static bool is_in_time(const struct ask_understood *u, const struct ask_incident *i)
{
    return !u->has_time || (i->facts.started.ms >= u->from_ms && i->facts.started.ms < u->to_ms);
}

/* By its reference. Several incidents of that number are a choice, unless the time leaves one. */
static enum wh_rc find_referred(struct asking *a, struct wh_err *err)
{
    struct impact_choice *list = NULL;
    size_t kept = 0;

    if (impact_find(a->past, a->answer->understood.reference, a->arena, &list, err) != WH_OK) {
        return err->rc;
    }
    for (const struct impact_choice *c = list; c; c = c->next) {
        if (offer(a, c->incident, err) != WH_OK) {
            return err->rc;
        }
    }
    for (size_t i = 0; i < a->n; i++) {
        kept += is_in_time(&a->answer->understood, a->list[i]);
    }
    a->answer->incident_choices = kept > 1 ? list : NULL;
    return WH_OK;
}

static bool has_service(const struct impact_report *r, const struct wh_entity_id *id)
{
    for (const struct impact_service *s = r->services; s; s = s->next) {
        if (wh_entity_id_cmp(&s->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_customer(const struct impact_report *r, const struct wh_entity_id *id)
{
    for (const struct impact_customer *c = r->customers; c; c = c->next) {
        if (wh_entity_id_cmp(&c->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Reads what the incident did, and whether it did it to all that the question names. */
static enum wh_rc fits_names(struct asking *a, struct ask_incident *i, bool *ret,
                             struct wh_err *err)
{
    if (i->report == NULL &&
        (take(a, sizeof(*i->report), &i->report, err) != WH_OK ||
         impact_read(a->past, i->head, a->conf->zone, a->arena, i->report, err) != WH_OK)) {
        return err->rc;
    }
    *ret = true;
    for (const struct ask_name *n = a->answer->names; n && *ret; n = n->next) {
        *ret = n->kind == WH_KIND_SERVICE ? has_service(i->report, &n->id)
                                          : has_customer(i->report, &n->id);
    }
    return WH_OK;
}

static enum wh_rc take_fitting(struct asking *a, struct wh_err *err)
{
    struct ask_incident **last = &a->answer->incidents;

    for (size_t i = 0; i < a->n; i++) {
        bool fits = false;

        if (!is_in_time(&a->answer->understood, a->list[i])) {
            continue;
        }
        if (a->answer->n_incidents == ASK_REPORTS_MAX) {
            a->answer->cut = true;
            return WH_OK;
        }
        if (fits_names(a, a->list[i], &fits, err) != WH_OK) {
            return err->rc;
        }
        if (fits) {
            *last = a->list[i];
            last = &a->list[i]->next;
            a->answer->n_incidents++;
        }
    }
    return WH_OK;
}

/* ---- the nearest, when none fits ---- */

/* The first incident from i on, in that direction, that did it to all that are named. */
static enum wh_rc nearest(struct asking *a, size_t i, bool backwards, struct ask_incident **ret,
                          struct wh_err *err)
{
    for (size_t looks = 0; i < a->n && looks < NEAREST_LOOKS && *ret == NULL; looks++) {
        bool fits = a->answer->names == NULL;

        if (!fits && fits_names(a, a->list[i], &fits, err) != WH_OK) {
            return err->rc;
        }
        *ret = fits ? a->list[i] : NULL;
        i = backwards ? i - 1 : i + 1; /* below zero it is beyond the list */
    }
    return WH_OK;
}

static enum wh_rc find_nearest(struct asking *a, struct wh_err *err)
{
    const struct ask_understood *u = &a->answer->understood;
    size_t first = 0; /* not before the time */
    size_t behind;    /* behind the time */

    if (!u->has_time || a->answer->n_incidents) {
        return WH_OK;
    }
    while (first < a->n && a->list[first]->facts.started.ms < u->from_ms) {
        first++;
    }
    for (behind = first; behind < a->n && a->list[behind]->facts.started.ms < u->to_ms;) {
        behind++;
    }
    if (first > 0 && nearest(a, first - 1, true, &a->answer->before, err) != WH_OK) {
        return err->rc;
    }
    return nearest(a, behind, false, &a->answer->after, err);
}

/* ---- the answer ---- */

static enum wh_rc find_incidents(struct asking *a, struct wh_err *err)
{
    enum wh_rc rc = a->answer->understood.reference.len ? find_referred(a, err) : offer_all(a, err);

    if (rc != WH_OK || a->answer->incident_choices) {
        return rc;
    }
    if (a->n) {
        qsort(a->list, a->n, sizeof(struct ask_incident *), by_start);
    }
    return take_fitting(a, err) == WH_OK ? find_nearest(a, err) : err->rc;
}

static enum wh_rc put_into_words(struct asking *a, struct wh_err *err)
{
    struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&text, TEXT_MAX_BYTES);
    rc = ask_say(a->answer, a->conf, &text, err);
    rc = rc == WH_OK ? wh_arena_dup(a->arena, wh_buf_slice(&text), &a->answer->text, err) : rc;
    wh_buf_reset(&text);
    rc = rc == WH_OK ? ask_statement(a->answer, &text, err) : rc;
    rc = rc == WH_OK ? wh_arena_dup(a->arena, wh_buf_slice(&text), &a->answer->sql, err) : rc;
    wh_buf_done(&text);
    return rc;
}

enum wh_rc ask_answer(struct past *p, struct wh_slice question,
                      const struct ask_understood *understood, const struct ask_conf *conf,
                      struct wh_arena *arena, struct ask_answer *ret, struct wh_err *err)
{
    struct asking a = {.past = p, .conf = conf, .arena = arena, .answer = ret};

    *ret = (struct ask_answer){0};
    if (understood) {
        ret->understood = *understood;
    } else if (ask_understand(question, conf->now_ms, conf->zone, &ret->understood, err) != WH_OK) {
        return err->rc;
    }
    if (read_terms(&a, err) != WH_OK) {
        return err->rc;
    }
    if (ret->choices) {
        return WH_OK;
    }
    if (find_incidents(&a, err) != WH_OK) {
        return err->rc;
    }
    return ret->incident_choices ? WH_OK : put_into_words(&a, err);
}
