/* Which deployments of a project were rollbacks. */
#include <stdlib.h>

#include "stages/sink/impact/impact_priv.h"

enum { SCRATCH_BLOCK_BYTES = 64 << 10, SCRATCH_MAX_BYTES = 64 << 20 };

/* A successful deployment. */
struct deployment {
    struct wh_entity_id id;
    struct wh_slice environment;
    struct wh_slice sha; /* the short form */
    struct wh_slice ref;
    int64_t at_ms;
    struct wh_version sha_version;
    struct wh_version ref_version;
    bool has_pipeline;
    struct wh_entity_id pipeline;
    bool has_job;
    struct wh_entity_id job;
    bool came_before; /* the commit was deployed to the environment before */
};

struct reading {
    struct past *past;
    struct wh_arena *arena;
    struct wh_arena scratch;
    struct wh_entity_id project;
    struct deployment *items;
    size_t n;
    size_t cap;
    struct impact_rollback **end;
};

/* ---- reading ---- */

static enum wh_rc grow(struct reading *r, struct wh_err *err)
{
    size_t cap = r->cap ? r->cap * 2 : 64;
    void *memory = NULL;

    if (r->n < r->cap) {
        return WH_OK;
    }
    if (wh_arena_zalloc(r->arena, cap, sizeof(*r->items), &memory, err) != WH_OK) {
        return err->rc;
    }
    if (r->n > 0) {
        memcpy(memory, r->items, r->n * sizeof(*r->items));
    }
    r->items = memory;
    r->cap = cap;
    return WH_OK;
}

static enum wh_rc keep(struct reading *r, struct wh_slice text, struct wh_slice *ret,
                       struct wh_err *err)
{
    return wh_arena_dup(r->arena, text, ret, err);
}

static bool reference(const struct wh_head *head, const char *field, struct wh_entity_id *ret)
{
    const struct wh_value *v = past_field(head, field);

    if (v) {
        *ret = v->u.ref;
    }
    return v != NULL;
}

static int64_t finished_ms(const struct wh_head *head)
{
    const struct wh_value *v = past_field(head, "finished_at");

    v = v ? v : past_field(head, "updated_at");
    return v ? v->u.i : wh_version_at_ms(head->version.order);
}

static struct wh_version set_of(const struct wh_head *head, const char *field)
{
    return past_field(head, field) ? head->set[wh_kind_field(head->body.def, wh_slice_str(field))]
                                   : head->version;
}

static enum wh_rc add_deployment(struct reading *r, const struct wh_head *head, struct wh_err *err)
{
    struct deployment *d;

    if (!wh_slice_eq(past_string(head, "status"), WH_LIT("success"))) {
        return WH_OK;
    }
    if (grow(r, err) != WH_OK) {
        return err->rc;
    }
    d = &r->items[r->n++];
    *d = (struct deployment){.id = head->id,
                             .at_ms = finished_ms(head),
                             .sha_version = set_of(head, "sha"),
                             .ref_version = set_of(head, "ref")};
    d->has_pipeline = reference(head, "pipeline", &d->pipeline);
    d->has_job = reference(head, "job", &d->job);
    if (keep(r, past_string(head, "environment_name"), &d->environment, err) != WH_OK ||
        keep(r, impact_short(past_string(head, "sha")), &d->sha, err) != WH_OK) {
        return err->rc;
    }
    return keep(r, past_string(head, "ref"), &d->ref, err);
}

static enum wh_rc read_deployments(struct reading *r, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_of_project(r->past, WH_KIND_DEPLOYMENT, &r->project, &scan, err);

    while (rc == WH_OK && more) {
        const struct wh_head *head = NULL;

        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            wh_arena_reset(&r->scratch);
            rc = past_live(r->past, found.kind, &found.id, &r->scratch, &head, err);
        }
        if (rc == WH_OK && head) {
            rc = add_deployment(r, head, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

/* ---- order ---- */

static int compare_time(const struct deployment *a, const struct deployment *b)
{
    if (a->at_ms != b->at_ms) {
        return a->at_ms < b->at_ms ? -1 : 1;
    }
    return wh_entity_id_cmp(&a->id, &b->id);
}

static int by_commit(const void *a, const void *b)
{
    const struct deployment *left = a;
    const struct deployment *right = b;
    int order = wh_slice_cmp(left->environment, right->environment);

    order = order ? order : wh_slice_cmp(left->sha, right->sha);
    return order ? order : compare_time(left, right);
}

static int by_environment(const void *a, const void *b)
{
    int order = wh_slice_cmp(((const struct deployment *)a)->environment,
                             ((const struct deployment *)b)->environment);

    return order ? order : compare_time(a, b);
}

static bool same_environment(const struct deployment *a, const struct deployment *b)
{
    return wh_slice_eq(a->environment, b->environment);
}

static void sort(struct reading *r)
{
    if (r->n == 0) {
        return;
    }
    qsort(r->items, r->n, sizeof(*r->items), by_commit);
    for (size_t i = 1; i < r->n; i++) {
        r->items[i].came_before = same_environment(&r->items[i - 1], &r->items[i]) &&
                                  wh_slice_eq(r->items[i - 1].sha, r->items[i].sha);
    }
    qsort(r->items, r->n, sizeof(*r->items), by_environment);
}

/* ---- rules ---- */

/* Numbers of pipelines grow; the shorter text is the smaller number. */
static bool is_smaller(struct wh_slice a, struct wh_slice b)
{
    return a.len != b.len ? a.len < b.len : wh_slice_cmp(a, b) < 0;
}

static enum wh_rc is_older_pipeline(struct reading *r, const struct deployment *d,
                                    const struct deployment *replaced, bool *ret,
                                    struct wh_err *err)
{
    const struct wh_head *mine = NULL;
    const struct wh_head *other = NULL;

    *ret = false;
    if (!d->has_pipeline || !replaced->has_pipeline || d->ref.len == 0 ||
        !wh_slice_eq(d->ref, replaced->ref)) {
        return WH_OK;
    }
    if (past_live(r->past, WH_KIND_BUILD_RECORD, &d->pipeline, &r->scratch, &mine, err) != WH_OK ||
        past_live(r->past, WH_KIND_BUILD_RECORD, &replaced->pipeline, &r->scratch, &other, err) !=
            WH_OK) {
        return err->rc;
    }
    *ret = mine && other && is_smaller(mine->source.id, other->source.id);
    return WH_OK;
}

/* A merge request of the project that reverts something and became this commit. */
static bool is_revert(const struct reading *r, const struct wh_head *head)
{
    const struct wh_value *project = head ? past_field(head, "project") : NULL;
    const struct wh_value *reverts = head ? past_field(head, "reverts") : NULL;

    return project && reverts && reverts->u.strs.n > 0 &&
           wh_entity_id_cmp(&project->u.ref, &r->project) == 0 &&
           wh_slice_eq(past_string(head, "type"), WH_LIT("merge_request"));
}

static enum wh_rc find_revert(struct reading *r, const struct deployment *d, const char *field,
                              const struct impact_step **ret, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = *ret == NULL && d->sha.len > 0;
    enum wh_rc rc =
        more ? past_by_commit(r->past, WH_KIND_WORK_ITEM, field, d->sha, &scan, err) : WH_OK;

    while (rc == WH_OK && more && *ret == NULL) {
        const struct wh_head *head = NULL;

        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = past_live(r->past, found.kind, &found.id, &r->scratch, &head, err);
        }
        if (rc == WH_OK && is_revert(r, head)) {
            rc = impact_add_step(r->arena, "revert", head, "reverts", NULL, ret, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

static bool says_rollback(struct wh_slice text)
{
    static const char *const words[] = {"rollback", "roll-back", "roll_back", "roll back"};

    for (size_t at = 0; at < text.len; at++) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            size_t n = strlen(words[i]);

            if (text.len - at >= n && strncasecmp(text.ptr + at, words[i], n) == 0) {
                return true;
            }
        }
    }
    return false;
}

static enum wh_rc find_name(struct reading *r, const struct deployment *d,
                            const struct impact_step **ret, struct wh_err *err)
{
    const struct wh_head *job = NULL;

    if (d->has_job && past_live(r->past, WH_KIND_JOB, &d->job, &r->scratch, &job, err) != WH_OK) {
        return err->rc;
    }
    return job && says_rollback(past_string(job, "name"))
               ? impact_add_step(r->arena, "name", job, "name", NULL, ret, err)
               : WH_OK;
}

/* A step that rests on a field of the deployment. */
static enum wh_rc own_step(const struct reading *r, const char *rule, const struct deployment *d,
                           const char *field, struct wh_version version,
                           const struct impact_step **ret, struct wh_err *err)
{
    struct impact_step *step;
    void *memory = NULL;

    if (wh_arena_zalloc(r->arena, 1, sizeof(*step), &memory, err) != WH_OK) {
        return err->rc;
    }
    step = memory;
    *step = (struct impact_step){
        .rule = rule,
        .kind = WH_KIND_DEPLOYMENT,
        .id = d->id,
        .field = wh_kind_field(wh_kind_def(WH_KIND_DEPLOYMENT), wh_slice_str(field)),
        .version = version};
    *ret = step;
    return WH_OK;
}

/* The first rule that holds; *ret stays NULL when none does. */
static enum wh_rc judge(struct reading *r, const struct deployment *d,
                        const struct deployment *replaced, const struct impact_step **ret,
                        struct wh_err *err)
{
    bool differs = replaced && d->sha.len > 0 && !wh_slice_eq(d->sha, replaced->sha);
    bool older = false;

    wh_arena_reset(&r->scratch);
    if (differs && d->came_before) {
        return own_step(r, "older_commit", d, "sha", d->sha_version, ret, err);
    }
    if (differs && is_older_pipeline(r, d, replaced, &older, err) != WH_OK) {
        return err->rc;
    }
    if (older) {
        return own_step(r, "older_pipeline", d, "sha", d->sha_version, ret, err);
    }
    if (find_revert(r, d, "merge_commit_sha", ret, err) != WH_OK ||
        find_revert(r, d, "sha", ret, err) != WH_OK) {
        return err->rc;
    }
    if (*ret == NULL && says_rollback(d->ref)) {
        return own_step(r, "name", d, "ref", d->ref_version, ret, err);
    }
    return *ret ? WH_OK : find_name(r, d, ret, err);
}

/* ---- results ---- */

static enum wh_rc add_rollback(struct reading *r, const struct deployment *d,
                               const struct deployment *replaced, const struct impact_step *step,
                               struct wh_err *err)
{
    void *memory = NULL;

    if (wh_arena_zalloc(r->arena, 1, sizeof(**r->end), &memory, err) != WH_OK) {
        return err->rc;
    }
    *r->end = memory;
    **r->end = (struct impact_rollback){.deployment = d->id,
                                        .has_replaced = replaced != NULL,
                                        .project = r->project,
                                        .environment = d->environment,
                                        .at_ms = d->at_ms,
                                        .rule = step->rule,
                                        .evidence = step};
    if (replaced) {
        (*r->end)->replaced = replaced->id;
    }
    r->end = &(*r->end)->next;
    return WH_OK;
}

/* Judging takes several lookups, so only those of the time that is asked for are judged. */
static enum wh_rc judge_all(struct reading *r, int64_t from_ms, int64_t until_ms,
                            struct wh_err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct deployment *d = &r->items[i];
        const struct deployment *replaced = i > 0 && same_environment(d - 1, d) ? d - 1 : NULL;
        const struct impact_step *step = NULL;

        if (d->at_ms < from_ms || d->at_ms > until_ms) {
            continue;
        }
        if (judge(r, d, replaced, &step, err) != WH_OK ||
            (step && add_rollback(r, d, replaced, step, err) != WH_OK)) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc impact_rollbacks(struct past *p, const struct wh_entity_id *project, int64_t from_ms,
                            int64_t until_ms, struct wh_arena *arena, struct impact_rollback **ret,
                            struct wh_err *err)
{
    struct reading r = {.past = p, .arena = arena, .project = *project, .end = ret};
    enum wh_rc rc;

    *ret = NULL;
    wh_arena_init(&r.scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    rc = read_deployments(&r, err);
    if (rc == WH_OK) {
        sort(&r);
        rc = judge_all(&r, from_ms, until_ms, err);
    }
    wh_arena_done(&r.scratch);
    return rc;
}
