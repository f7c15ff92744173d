/* Services whose rollback belongs to an incident. */
#include "stages/sink/impact/impact_priv.h"

static enum wh_rc add_rollback(struct impact_work *w, const struct impact_rollback *r,
                               const struct impact_step *why, struct wh_err *err)
{
    const struct impact_step *steps = NULL;

    if (impact_join_steps(w->arena, why, r->evidence, &steps, err) != WH_OK) {
        return err->rc;
    }
    return impact_add_owners(w, "rollback", &r->project, r->environment, steps, err);
}

/* Those in the incident's own project, between its start and its restoration. */
static enum wh_rc add_of_time(struct impact_work *w, struct wh_err *err)
{
    const struct impact_facts *facts = &w->report->facts;
    const struct wh_value *project = past_field(w->incident, "project");
    int64_t until_ms = facts->restored.known ? facts->restored.ms : INT64_MAX;
    const struct impact_step *why = NULL;
    struct impact_rollback *list = NULL;

    if (project == NULL || !facts->started.known) {
        return WH_OK;
    }
    if (impact_rollbacks(w->past, &project->u.ref, facts->started.ms, until_ms, w->arena, &list,
                         err) != WH_OK ||
        impact_add_step(w->arena, "rollback", w->incident, "project", NULL, &why, err) != WH_OK) {
        return err->rc;
    }
    for (; list; list = list->next) {
        if (add_rollback(w, list, why, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- rollbacks by merge requests that close or link the incident ---- */

static bool is_rollback(const struct impact_rollback *list, const struct wh_entity_id *deployment,
                        const struct impact_rollback **ret)
{
    for (*ret = list; *ret; *ret = (*ret)->next) {
        if (wh_entity_id_cmp(&(*ret)->deployment, deployment) == 0) {
            return true;
        }
    }
    return false;
}

static enum wh_rc add_deployed(struct impact_work *w, const struct past_found *found,
                               const struct impact_step *why, struct wh_err *err)
{
    const struct impact_rollback *rollback = NULL;
    struct impact_rollback *list = NULL;
    const struct wh_head *head = NULL;
    const struct wh_value *project;

    if (past_live(w->past, found->kind, &found->id, &w->scratch, &head, err) != WH_OK) {
        return err->rc;
    }
    project = head ? past_field(head, "project") : NULL;
    if (project == NULL) {
        return WH_OK;
    }
    if (impact_rollbacks(w->past, &project->u.ref, INT64_MIN, INT64_MAX, w->arena, &list, err) !=
        WH_OK) {
        return err->rc;
    }
    return is_rollback(list, &found->id, &rollback) ? add_rollback(w, rollback, why, err) : WH_OK;
}

/* Deployments of a commit of the merge request. */
static enum wh_rc add_of_commit(struct impact_work *w, const struct wh_head *merge_request,
                                const char *field, const struct impact_step *why,
                                struct wh_err *err)
{
    struct wh_slice commit = impact_short(past_string(merge_request, field));
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = commit.len > 0;
    enum wh_rc rc =
        more ? past_by_commit(w->past, WH_KIND_DEPLOYMENT, "sha", commit, &scan, err) : WH_OK;

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = add_deployed(w, &found, why, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

/* found refers to the incident by this field. */
static enum wh_rc add_of_referrer(struct impact_work *w, const struct past_found *found,
                                  const char *field, struct wh_err *err)
{
    const struct wh_head *head = NULL;
    const struct impact_step *why = NULL;

    if (found->kind != WH_KIND_WORK_ITEM) {
        return WH_OK;
    }
    if (past_live(w->past, found->kind, &found->id, &w->scratch, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL || !wh_slice_eq(past_string(head, "type"), WH_LIT("merge_request"))) {
        return WH_OK;
    }
    if (impact_add_step(w->arena, "rollback", head, field, NULL, &why, err) != WH_OK ||
        add_of_commit(w, head, "merge_commit_sha", why, err) != WH_OK) {
        return err->rc;
    }
    return add_of_commit(w, head, "sha", why, err);
}

static enum wh_rc add_linking(struct impact_work *w, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_def(WH_KIND_WORK_ITEM);
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_links_to(w->past, &w->incident->id, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more && found.kind == WH_KIND_WORK_ITEM) {
            rc = add_of_referrer(w, &found, def->fields[found.field].name, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

static enum wh_rc add_mentioning(struct impact_work *w, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    struct wh_buf name;
    bool more = false;
    enum wh_rc rc;

    wh_buf_init(&name, KEYS_NAME_MAX);
    rc = keys_make("url:", &w->incident->source.url, 1, &name, &more, err);
    if (rc == WH_OK && more) {
        rc = past_mentioners(w->past, wh_buf_slice(&name), &scan, err);
    }
    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = add_of_referrer(w, &found, "mentions", err);
        }
    }
    past_scan_free(scan);
    wh_buf_done(&name);
    return rc;
}

enum wh_rc impact_add_rolled_back(struct impact_work *w, struct wh_err *err)
{
    return add_of_time(w, err) == WH_OK && add_linking(w, err) == WH_OK ? add_mentioning(w, err)
                                                                        : err->rc;
}
