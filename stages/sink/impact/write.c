/* The impact of an incident as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "stages/sink/impact/impact_priv.h"

/* What is known of the revision behind a step; several findings rest on the same revisions. */
struct origin {
    struct origin *next;
    struct wh_entity_id id;
    struct wh_version version;
    const struct wh_entry *entry; /* NULL: not there */
    struct wh_slice url;
    struct wh_slice source;
    struct wh_slice instance;
};

enum { BUCKETS = 256 };

struct writer {
    struct past *past;
    struct wh_arena *arena;
    struct wh_json_writer *w;
    struct origin *origins[BUCKETS];
};

/* ---- values ---- */

static void put_text(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    if (text.len == 0) {
        wh_jw_null(w);
    } else {
        wh_jw_str(w, text);
    }
}

static void put_name(struct wh_json_writer *w, const char *key, const char *text)
{
    put_text(w, key, wh_slice_str(text));
}

static void put_id(struct wh_json_writer *w, const char *key, const struct wh_entity_id *id)
{
    char text[WH_ENTITY_ID_TEXT + 1];

    wh_jw_put_str(w, key, wh_slice_str(wh_entity_id_format(id, text)));
}

static void put_time(struct wh_json_writer *w, const char *key, bool known, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    put_name(w, key, known ? wh_time_format(ms, text) : NULL);
}

static void put_revision(struct wh_json_writer *w, bool known, struct wh_version version)
{
    char text[40];

    (void)snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, version.order, version.tie);
    put_name(w, "revision", known ? text : NULL);
}

static void put_duration(struct wh_json_writer *w, const struct impact_facts *facts)
{
    wh_jw_key(w, "duration_s");
    if (facts->has_duration) {
        wh_jw_int(w, facts->duration_s);
    } else {
        wh_jw_null(w);
    }
}

/* ---- steps ---- */

static enum wh_rc read_origin(struct writer *o, const struct impact_step *step,
                              struct origin *origin, struct wh_err *err)
{
    const struct wh_head *head = NULL;

    if (past_entry(o->past, step->kind, &step->id, step->version, o->arena, &origin->entry, err) !=
            WH_OK ||
        past_head(o->past, step->kind, &step->id, o->arena, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head) {
        bool imported = wh_slice_starts(head->source.instance, WH_LIT("import:"));

        origin->url = head->source.url;
        origin->instance = head->source.instance;
        origin->source = imported ? wh_slice_from(head->source.instance, sizeof("import:") - 1)
                                  : head->source.system;
    }
    return WH_OK;
}

static enum wh_rc origin_of(struct writer *o, const struct impact_step *step,
                            const struct origin **ret, struct wh_err *err)
{
    struct origin **at = &o->origins[(step->id.bytes[15] ^ step->version.tie) % BUCKETS];
    void *memory = NULL;

    for (; *at; at = &(*at)->next) {
        if (wh_entity_id_cmp(&(*at)->id, &step->id) == 0 &&
            wh_version_cmp((*at)->version, step->version) == 0) {
            *ret = *at;
            return WH_OK;
        }
    }
    if (wh_arena_zalloc(o->arena, 1, sizeof(**at), &memory, err) != WH_OK) {
        return err->rc;
    }
    *at = memory;
    (*at)->id = step->id;
    (*at)->version = step->version;
    *ret = *at;
    return read_origin(o, step, *at, err);
}

static enum wh_rc put_step(struct writer *o, const struct impact_step *step, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_def(step->kind);
    const struct origin *origin = NULL;

    if (origin_of(o, step, &origin, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_object(o->w);
    put_name(o->w, "rule", step->rule);
    put_name(o->w, "kind", def->name);
    put_id(o->w, "id", &step->id);
    put_text(o->w, "url", origin->url);
    put_name(o->w, "field", step->field >= 0 ? def->fields[step->field].name : "id");
    put_revision(o->w, true, step->version);
    put_text(o->w, "source", origin->source);
    put_text(o->w, "instance", origin->instance);
    if (origin->entry) {
        const struct wh_provenance *from = &origin->entry->provenance;

        put_name(o->w, "origin", wh_origin_name(from->origin));
        put_text(o->w, "topic", from->topic);
        wh_jw_put_int(o->w, "partition", from->partition);
        wh_jw_put_int(o->w, "offset", from->offset);
    }
    wh_jw_end(o->w);
    return WH_OK;
}

static enum wh_rc put_steps(struct writer *o, const struct impact_step *steps, struct wh_err *err)
{
    for (; steps; steps = steps->next) {
        if (put_step(o, steps, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc impact_write_evidence(struct past *p, const struct impact_step *steps,
                                 const struct impact_step *then,
                                 const struct impact_revenue *revenue, struct wh_arena *arena,
                                 struct wh_json_writer *w, struct wh_err *err)
{
    struct writer o = {.past = p, .arena = arena, .w = w};

    wh_jw_array(w);
    if (put_steps(&o, steps, err) != WH_OK || put_steps(&o, then, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; revenue && i < revenue->n_contracts; i++) {
        if (put_steps(&o, revenue->contracts[i]->evidence, err) != WH_OK) {
            return err->rc;
        }
    }
    if (revenue && revenue->overflow) {
        wh_jw_object(w);
        put_name(w, "rule", "overflow");
        wh_jw_put_bool(w, "overflow", true);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    return WH_OK;
}

/* The steps of all reasons, one chain after the other. */
static enum wh_rc put_reasons(struct writer *o, const struct impact_reason *reasons,
                              struct wh_err *err)
{
    wh_jw_key(o->w, "rules");
    wh_jw_array(o->w);
    for (const struct impact_reason *r = reasons; r; r = r->next) {
        wh_jw_str(o->w, wh_slice_str(r->rule));
    }
    wh_jw_end(o->w);
    wh_jw_key(o->w, "evidence");
    wh_jw_array(o->w);
    for (; reasons; reasons = reasons->next) {
        if (put_steps(o, reasons->steps, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(o->w);
    return WH_OK;
}

/* ---- the incident ---- */

static void put_fact(struct wh_json_writer *w, const char *key, const struct impact_fact *fact,
                     bool is_time)
{
    wh_jw_key(w, key);
    wh_jw_object(w);
    if (is_time) {
        put_time(w, "value", fact->known, fact->ms);
    } else {
        put_text(w, "value", fact->text);
    }
    put_name(w, "rule", fact->rule);
    put_name(w, "field", fact->field);
    put_revision(w, fact->known, fact->version);
    wh_jw_end(w);
}

static enum wh_rc put_incident(struct writer *o, const struct impact_report *r, struct wh_err *err)
{
    const struct impact_facts *f = &r->facts;
    struct wh_slice title;

    if (past_text(o->past, r->incident, "title", o->arena, &title, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_key(o->w, "incident");
    wh_jw_object(o->w);
    put_id(o->w, "id", &r->incident->id);
    put_text(o->w, "url", r->incident->source.url);
    put_text(o->w, "title", title);
    put_text(o->w, "severity", f->severity.text);
    put_text(o->w, "state", past_string(r->incident, "state"));
    put_time(o->w, "started_at", f->started.known, f->started.ms);
    put_time(o->w, "detected_at", f->detected.known, f->detected.ms);
    put_time(o->w, "mitigated_at", f->mitigated.known, f->mitigated.ms);
    put_time(o->w, "restored_at", f->restored.known, f->restored.ms);
    put_duration(o->w, f);
    put_text(o->w, "day", r->day);
    wh_jw_key(o->w, "times");
    wh_jw_object(o->w);
    put_fact(o->w, "started_at", &f->started, true);
    put_fact(o->w, "detected_at", &f->detected, true);
    put_fact(o->w, "mitigated_at", &f->mitigated, true);
    put_fact(o->w, "restored_at", &f->restored, true);
    wh_jw_end(o->w);
    wh_jw_key(o->w, "facts");
    wh_jw_object(o->w);
    put_fact(o->w, "severity", &f->severity, false);
    wh_jw_end(o->w);
    wh_jw_end(o->w);
    return WH_OK;
}

/* ---- services ---- */

static enum wh_rc put_services(struct writer *o, const struct impact_service *services,
                               struct wh_err *err)
{
    wh_jw_key(o->w, "services");
    wh_jw_array(o->w);
    for (; services; services = services->next) {
        wh_jw_object(o->w);
        put_id(o->w, "id", &services->id);
        put_text(o->w, "name", services->name);
        if (put_reasons(o, services->reasons, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_end(o->w);
    }
    wh_jw_end(o->w);
    return WH_OK;
}

/* ---- customers ---- */

static void put_services_of(struct wh_json_writer *w, const struct impact_service *services,
                            const struct impact_customer *customer)
{
    wh_jw_key(w, "services");
    wh_jw_array(w);
    for (; services; services = services->next) {
        const struct impact_use *use = services->uses;

        while (use && use->customer != customer) {
            use = use->next;
        }
        if (use) {
            wh_jw_object(w);
            put_id(w, "id", &services->id);
            put_text(w, "name", services->name);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
}

static enum wh_rc put_contract(struct writer *o, const struct wh_entity_id *id, struct wh_err *err)
{
    const struct wh_head *head = NULL;

    if (past_head(o->past, WH_KIND_SUBSCRIPTION, id, o->arena, &head, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_object(o->w);
    put_id(o->w, "id", id);
    put_text(o->w, "source_id", head ? head->source.id : (struct wh_slice){NULL, 0});
    wh_jw_end(o->w);
    return WH_OK;
}

static enum wh_rc put_revenue(struct writer *o, const struct impact_revenue *revenue,
                              bool contracts, struct wh_err *err)
{
    wh_jw_key(o->w, "revenue");
    wh_jw_array(o->w);
    for (; revenue; revenue = revenue->next) {
        wh_jw_object(o->w);
        put_text(o->w, "currency", revenue->currency);
        wh_jw_key(o->w, "monthly_minor");
        if (revenue->overflow) {
            wh_jw_null(o->w);
            wh_jw_put_bool(o->w, "overflow", true);
        } else {
            wh_jw_int(o->w, revenue->monthly_minor);
        }
        if (contracts) {
            wh_jw_key(o->w, "subscriptions");
            wh_jw_array(o->w);
            for (size_t i = 0; i < revenue->n_contracts; i++) {
                if (put_contract(o, &revenue->contracts[i]->id, err) != WH_OK) {
                    return err->rc;
                }
            }
            wh_jw_end(o->w);
        }
        wh_jw_end(o->w);
    }
    wh_jw_end(o->w);
    return WH_OK;
}

static bool was_before(const struct impact_issue *list, const struct impact_issue *issue)
{
    for (; list != issue; list = list->next) {
        if (wh_entity_id_cmp(&list->id, &issue->id) == 0) {
            return true;
        }
    }
    return false;
}

/* Each open issue once. */
static void put_open(struct wh_json_writer *w, const struct impact_issue *issues)
{
    wh_jw_key(w, "open_follow_ups");
    wh_jw_array(w);
    for (const struct impact_issue *i = issues; i; i = i->next) {
        if (wh_slice_eq(i->state, WH_LIT("opened")) && !was_before(issues, i)) {
            wh_jw_object(w);
            put_id(w, "id", &i->id);
            put_text(w, "url", i->url);
            put_text(w, "title", i->title);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
}

static enum wh_rc put_customers(struct writer *o, const struct impact_report *r, struct wh_err *err)
{
    wh_jw_key(o->w, "customers");
    wh_jw_array(o->w);
    for (const struct impact_customer *c = r->customers; c; c = c->next) {
        wh_jw_object(o->w);
        put_id(o->w, "id", &c->id);
        put_text(o->w, "name", c->name);
        put_services_of(o->w, r->services, c);
        put_text(o->w, "severity", r->facts.severity.text);
        put_time(o->w, "restored_at", r->facts.restored.known, r->facts.restored.ms);
        put_duration(o->w, &r->facts);
        put_open(o->w, r->follow_ups);
        if (put_revenue(o, c->revenue, true, err) != WH_OK ||
            put_reasons(o, c->reasons, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_end(o->w);
    }
    wh_jw_end(o->w);
    return WH_OK;
}

/* ---- the rest ---- */

static void put_rules(struct wh_json_writer *w, const struct impact_issue *issue)
{
    wh_jw_key(w, "rules");
    wh_jw_array(w);
    for (const struct impact_issue *i = issue; i; i = i->next) {
        if (wh_entity_id_cmp(&i->id, &issue->id) == 0) {
            wh_jw_str(w, wh_slice_str(i->rule));
        }
    }
    wh_jw_end(w);
}

static enum wh_rc put_issue(struct writer *o, const struct impact_issue *issue, struct wh_err *err)
{
    wh_jw_object(o->w);
    put_id(o->w, "id", &issue->id);
    put_text(o->w, "url", issue->url);
    put_text(o->w, "title", issue->title);
    put_text(o->w, "state", issue->state);
    put_name(o->w, "rule", issue->rule);
    put_rules(o->w, issue);
    wh_jw_key(o->w, "evidence");
    wh_jw_array(o->w);
    if (put_steps(o, issue->evidence, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(o->w);
    wh_jw_end(o->w);
    return WH_OK;
}

/* Each issue once, by its first rule. */
static enum wh_rc put_issues(struct writer *o, const char *key, const struct impact_issue *issues,
                             struct wh_err *err)
{
    wh_jw_key(o->w, key);
    wh_jw_array(o->w);
    for (const struct impact_issue *i = issues; i; i = i->next) {
        if (!was_before(issues, i) && put_issue(o, i, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(o->w);
    return WH_OK;
}

static enum wh_rc put_claimants(struct writer *o, const struct impact_loose *loose,
                                struct wh_err *err)
{
    enum wh_kind kind =
        wh_slice_starts(loose->name, WH_LIT("customer:")) ? WH_KIND_CUSTOMER : WH_KIND_SERVICE;

    wh_jw_key(o->w, "claimants");
    wh_jw_array(o->w);
    for (size_t i = 0; i < loose->n_claimants; i++) {
        const struct wh_head *head = NULL;

        if (past_head(o->past, kind, &loose->claimants[i], o->arena, &head, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_object(o->w);
        put_id(o->w, "id", &loose->claimants[i]);
        put_text(o->w, "name", head ? past_string(head, "name") : (struct wh_slice){NULL, 0});
        wh_jw_end(o->w);
    }
    wh_jw_end(o->w);
    return WH_OK;
}

static enum wh_rc put_loose(struct writer *o, const struct impact_loose *loose, struct wh_err *err)
{
    wh_jw_key(o->w, "unresolved");
    wh_jw_array(o->w);
    for (; loose; loose = loose->next) {
        const struct wh_kind_def *def = wh_kind_def(loose->kind);
        const struct wh_head *by = NULL;

        if (past_head(o->past, loose->kind, &loose->by, o->arena, &by, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_object(o->w);
        put_text(o->w, "key", loose->name);
        put_id(o->w, "mentioned_by", &loose->by);
        put_text(o->w, "mentioned_by_url", by ? by->source.url : (struct wh_slice){NULL, 0});
        put_name(o->w, "rule", loose->rule);
        put_name(o->w, "field", loose->field >= 0 ? def->fields[loose->field].name : NULL);
        put_revision(o->w, true, loose->version);
        wh_jw_put_bool(o->w, "ambiguous", loose->n_claimants > 0);
        if (put_claimants(o, loose, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_end(o->w);
    }
    wh_jw_end(o->w);
    return WH_OK;
}

static enum wh_rc put_totals(struct writer *o, const struct impact_report *r, struct wh_err *err)
{
    int64_t customers = 0;

    for (const struct impact_customer *c = r->customers; c; c = c->next) {
        customers++;
    }
    wh_jw_key(o->w, "totals");
    wh_jw_object(o->w);
    wh_jw_put_int(o->w, "customers", customers);
    wh_jw_put_int(o->w, "open_follow_ups", (int64_t)impact_open(r->follow_ups));
    if (put_revenue(o, r->revenue, false, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(o->w);
    return WH_OK;
}

enum wh_rc impact_write(struct past *p, const struct impact_report *report, struct wh_arena *arena,
                        struct wh_json_writer *w, struct wh_err *err)
{
    struct writer o = {.past = p, .arena = arena, .w = w};

    if (put_incident(&o, report, err) != WH_OK ||
        put_services(&o, report->services, err) != WH_OK ||
        put_customers(&o, report, err) != WH_OK ||
        put_issues(&o, "follow_ups", report->follow_ups, err) != WH_OK ||
        put_issues(&o, "postmortems", report->postmortems, err) != WH_OK ||
        put_loose(&o, report->loose, err) != WH_OK) {
        return err->rc;
    }
    return put_totals(&o, report, err);
}
