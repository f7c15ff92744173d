/* The services that an incident hit: the union of all rules. */
#include "stages/sink/impact/impact_priv.h"

/* ---- the list ---- */

static struct impact_service *find_service(const struct impact_work *w,
                                           const struct wh_entity_id *id)
{
    for (struct impact_service *s = w->report->services; s; s = s->next) {
        if (wh_entity_id_cmp(&s->id, id) == 0) {
            return s;
        }
    }
    return NULL;
}

/* In order of names, then of ids. */
static void insert_service(struct impact_service **at, struct impact_service *s)
{
    while (*at) {
        int order = wh_slice_cmp((*at)->name, s->name);

        if (order > 0 || (order == 0 && wh_entity_id_cmp(&(*at)->id, &s->id) > 0)) {
            break;
        }
        at = &(*at)->next;
    }
    s->next = *at;
    *at = s;
}

static enum wh_rc new_service(struct impact_work *w, const struct wh_entity_id *id,
                              struct impact_service **ret, struct wh_err *err)
{
    const struct wh_head *head = NULL;
    void *memory = NULL;

    *ret = NULL;
    if (past_live(w->past, WH_KIND_SERVICE, id, &w->scratch, &head, err) != WH_OK ||
        wh_arena_zalloc(w->arena, 1, sizeof(**ret), &memory, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL) {
        return WH_OK;
    }
    *ret = memory;
    (*ret)->id = *id;
    if (wh_arena_dup(w->arena, past_string(head, "name"), &(*ret)->name, err) != WH_OK) {
        return err->rc;
    }
    insert_service(&w->report->services, *ret);
    return WH_OK;
}

enum wh_rc impact_add_service(struct impact_work *w, const char *rule,
                              const struct impact_owner *owner, const struct impact_step *steps,
                              struct wh_err *err)
{
    struct impact_service *service = find_service(w, &owner->id);
    struct impact_reason **at;
    void *memory = NULL;

    if (service == NULL && new_service(w, &owner->id, &service, err) != WH_OK) {
        return err->rc;
    }
    if (service == NULL) {
        return WH_OK;
    }
    /* Two labels may lead one rule to the same service; the evidence is that of the first label. */
    for (at = &service->reasons; *at; at = &(*at)->next) {
        if (strcmp((*at)->rule, rule) == 0) {
            return WH_OK;
        }
    }
    if (wh_arena_zalloc(w->arena, 1, sizeof(**at), &memory, err) != WH_OK) {
        return err->rc;
    }
    *at = memory;
    (*at)->rule = rule;
    return impact_join_steps(w->arena, steps, owner->steps, &(*at)->steps, err);
}

/* ---- names that the incident mentions ---- */

/* A name made of parts that are known to be names of one thing, such as a project by path and number. */
static enum wh_rc claimed_parts(struct impact_work *w, const char *prefix,
                                const struct wh_slice *parts, size_t n, struct impact_claim *claim,
                                struct wh_slice *ret_name, struct wh_err *err)
{
    struct wh_buf name;
    bool made = false;
    enum wh_rc rc;

    wh_buf_init(&name, KEYS_NAME_MAX);
    rc = keys_make(prefix, parts, n, &name, &made, err);
    if (rc == WH_OK && made && ret_name->ptr == NULL) {
        rc = wh_arena_dup(w->arena, wh_buf_slice(&name), ret_name, err);
    }
    if (rc == WH_OK && made) {
        rc = impact_claimed(w, WH_KIND_SERVICE, wh_buf_slice(&name), claim, err);
    }
    wh_buf_done(&name);
    return rc;
}

/* Is the label that has this name in it claimed as a whole, as by a service with the label service::x? */
static enum wh_rc is_label_claimed(struct impact_work *w, struct wh_slice name, bool *ret,
                                   struct wh_err *err)
{
    const struct wh_value *labels = past_field(w->incident, "labels");

    *ret = false;
    for (size_t i = 0; labels && i < labels->u.strs.n && !*ret; i++) {
        struct impact_claim claim = {0};
        struct wh_slice unused = {NULL, 0};

        if (!wh_slice_ends(labels->u.strs.items[i], name)) {
            continue;
        }
        if (claimed_parts(w, "label:", &labels->u.strs.items[i], 1, &claim, &unused, err) !=
            WH_OK) {
            return err->rc;
        }
        *ret = claim.n_owners > 0;
    }
    return WH_OK;
}

/* A name that leads to no service is noted, unless its label leads to one. */
static enum wh_rc note_mentioned(struct impact_work *w, const char *rule, const char *field,
                                 struct wh_slice name, struct wh_err *err)
{
    const struct impact_owner *nobody = NULL;
    bool claimed = false;

    if (strcmp(rule, "label") == 0 && is_label_claimed(w, name, &claimed, err) != WH_OK) {
        return err->rc;
    }
    return claimed
               ? WH_OK
               : impact_resolve(w, WH_KIND_SERVICE, name, rule, w->incident, field, &nobody, err);
}

static enum wh_rc add_mentioned(struct impact_work *w, const char *rule, const char *field,
                                struct wh_err *err)
{
    const struct wh_value *v = past_field(w->incident, field);

    for (size_t i = 0; v && i < v->u.strs.n; i++) {
        const struct wh_slice name = v->u.strs.items[i];
        const struct impact_owner *owner = NULL;
        const struct impact_step *step = NULL;

        if (impact_resolve(w, WH_KIND_SERVICE, name, rule, NULL, field, &owner, err) != WH_OK ||
            (owner == NULL && note_mentioned(w, rule, field, name, err) != WH_OK)) {
            return err->rc;
        }
        if (owner &&
            (impact_add_step(w->arena, rule, w->incident, field, NULL, &step, err) != WH_OK ||
             impact_add_service(w, rule, owner, step, err) != WH_OK)) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- names that belong to services ---- */

/* One owner is a service of the incident; several are told as loose. */
static enum wh_rc take_claim(struct impact_work *w, const char *rule, const char *field,
                             struct wh_slice name, const struct impact_claim *claim,
                             const struct impact_step *steps, struct wh_err *err)
{
    if (claim->n_owners == 1) {
        return impact_add_service(w, rule, claim->owners, steps, err);
    }
    return claim->n_owners > 1 ? impact_note_loose(w, name, claim, rule, w->incident, field, err)
                               : WH_OK;
}

struct project {
    struct wh_slice path;
    struct wh_slice number;
    const struct impact_step *step; /* that it has this path */
};

static enum wh_rc read_project(struct impact_work *w, const struct wh_entity_id *id,
                               struct project *ret, struct wh_err *err)
{
    const struct wh_head *head = NULL;

    *ret = (struct project){0};
    if (past_live(w->past, WH_KIND_PROJECT, id, &w->scratch, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL) {
        return WH_OK;
    }
    if (wh_arena_dup(w->arena, past_string(head, "path"), &ret->path, err) != WH_OK ||
        wh_arena_dup(w->arena, head->source.id, &ret->number, err) != WH_OK) {
        return err->rc;
    }
    return impact_add_step(w->arena, "project", head, "path", NULL, &ret->step, err);
}

/* By the path and by the number: both name one project. */
static enum wh_rc claimed_of_project(struct impact_work *w, const char *prefix,
                                     const struct project *project, const struct wh_slice *rest,
                                     size_t n_rest, struct impact_claim *claim,
                                     struct wh_slice *ret_name, struct wh_err *err)
{
    struct wh_slice parts[3] = {project->path};

    for (size_t i = 0; i < n_rest; i++) {
        parts[1 + i] = rest[i];
    }
    if (project->path.len > 0 &&
        claimed_parts(w, prefix, parts, n_rest + 1, claim, ret_name, err) != WH_OK) {
        return err->rc;
    }
    parts[0] = project->number;
    return project->number.len > 0
               ? claimed_parts(w, prefix, parts, n_rest + 1, claim, ret_name, err)
               : WH_OK;
}

/* ---- labels that services claim ---- */

/* Rows may tie a label to the project, to an environment, or to both. */
static enum wh_rc add_by_label(struct impact_work *w, const struct project *project,
                               struct wh_slice label, const struct wh_value *environments,
                               struct wh_err *err)
{
    const struct impact_step *step = NULL;
    struct impact_claim claim = {0};
    struct wh_slice name = {NULL, 0};

    if (claimed_parts(w, "label:", &label, 1, &claim, &name, err) != WH_OK ||
        claimed_of_project(w, "label:", project, &label, 1, &claim, &name, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; environments && i < environments->u.strs.n; i++) {
        const struct wh_slice rest[] = {label, environments->u.strs.items[i]};
        const struct wh_slice anywhere[] = {{NULL, 0}, rest[0], rest[1]};

        if (claimed_of_project(w, "label:", project, rest, 2, &claim, &name, err) != WH_OK ||
            claimed_parts(w, "label:", anywhere, 3, &claim, &name, err) != WH_OK) {
            return err->rc;
        }
    }
    if (claim.n_owners == 0) {
        return WH_OK;
    }
    if (impact_add_step(w->arena, "label", w->incident, "labels", NULL, &step, err) != WH_OK) {
        return err->rc;
    }
    return take_claim(w, "label", "labels", name, &claim, step, err);
}

static enum wh_rc add_labels(struct impact_work *w, const struct project *project,
                             struct wh_err *err)
{
    const struct wh_value *labels = past_field(w->incident, "labels");
    const struct wh_value *environments = past_field(w->incident, "label_environments");

    for (size_t i = 0; labels && i < labels->u.strs.n; i++) {
        if (add_by_label(w, project, labels->u.strs.items[i], environments, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- the project and its environments ---- */

static enum wh_rc add_of_project(struct impact_work *w, const char *rule, const char *field,
                                 const struct project *project, const struct impact_step *steps,
                                 struct wh_err *err)
{
    struct impact_claim claim = {0};
    struct wh_slice name = {NULL, 0};
    const struct impact_step *all = NULL;

    if (claimed_of_project(w, "project:", project, NULL, 0, &claim, &name, err) != WH_OK ||
        impact_join_steps(w->arena, steps, project->step, &all, err) != WH_OK) {
        return err->rc;
    }
    return take_claim(w, rule, field, name, &claim, all, err);
}

/* *ret_claimed: some service claims the environment. */
static enum wh_rc add_of_environment(struct impact_work *w, const char *rule, const char *field,
                                     const struct project *project, struct wh_slice environment,
                                     const struct impact_step *steps, bool *ret_claimed,
                                     struct wh_slice *ret_name, struct wh_err *err)
{
    const struct wh_slice anywhere[] = {{NULL, 0}, environment};
    const struct wh_slice nowhere = {NULL, 0};
    struct impact_claim here = {0};
    struct impact_claim wherever = {0};
    struct wh_slice name = nowhere;

    *ret_name = nowhere;
    if (claimed_of_project(w, "environment:", project, &environment, 1, &here, ret_name, err) !=
            WH_OK ||
        claimed_parts(w, "environment:", anywhere, 2, &wherever, &name, err) != WH_OK) {
        return err->rc;
    }
    *ret_name = ret_name->ptr ? *ret_name : name;
    *ret_claimed = here.n_owners + wherever.n_owners > 0;
    if (take_claim(w, rule, field, *ret_name, &here, steps, err) != WH_OK) {
        return err->rc;
    }
    return take_claim(w, rule, field, name, &wherever, steps, err);
}

static enum wh_rc add_environments(struct impact_work *w, const struct project *project,
                                   const char *field, struct wh_err *err)
{
    const struct wh_value *v = past_field(w->incident, field);
    const struct impact_claim nobody = {0};

    for (size_t i = 0; v && i < v->u.strs.n; i++) {
        const struct impact_step *step = NULL;
        struct wh_slice name;
        bool claimed = false;

        if (impact_add_step(w->arena, "environment", w->incident, field, NULL, &step, err) !=
                WH_OK ||
            add_of_environment(w, "environment", field, project, v->u.strs.items[i], step, &claimed,
                               &name, err) != WH_OK) {
            return err->rc;
        }
        if (!claimed && name.ptr &&
            impact_note_loose(w, name, &nobody, "environment", w->incident, field, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc impact_add_owners(struct impact_work *w, const char *rule,
                             const struct wh_entity_id *project_id, struct wh_slice environment,
                             const struct impact_step *steps, struct wh_err *err)
{
    struct project project;
    struct wh_slice name;
    bool claimed;

    if (read_project(w, project_id, &project, err) != WH_OK ||
        add_of_project(w, rule, "project", &project, steps, err) != WH_OK) {
        return err->rc;
    }
    return environment.len > 0 ? add_of_environment(w, rule, "project", &project, environment,
                                                    steps, &claimed, &name, err)
                               : WH_OK;
}

enum wh_rc impact_add_services(struct impact_work *w, struct wh_err *err)
{
    const struct wh_value *of = past_field(w->incident, "project");
    const struct impact_step *step = NULL;
    struct project project = {0};

    if (of && read_project(w, &of->u.ref, &project, err) != WH_OK) {
        return err->rc;
    }
    if (add_mentioned(w, "label", "label_services", err) != WH_OK ||
        add_labels(w, &project, err) != WH_OK ||
        add_mentioned(w, "heading", "stated_services", err) != WH_OK) {
        return err->rc;
    }
    if (of &&
        (impact_add_step(w->arena, "project", w->incident, "project", NULL, &step, err) != WH_OK ||
         add_of_project(w, "project", "project", &project, step, err) != WH_OK)) {
        return err->rc;
    }
    if (add_environments(w, &project, "label_environments", err) != WH_OK) {
        return err->rc;
    }
    return add_environments(w, &project, "stated_environments", err);
}
