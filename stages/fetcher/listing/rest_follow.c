/* Follow-ups: the further reads of a row, such as a pipeline's details and jobs, an issue's links,
 * and the issues that a merge request closes. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/listing/rest_priv.h"

struct listing_follow {
    struct listing_page *page;
    struct listing_follow *next;
    const char *kind;
    char object_id[24];
    char iid[24]; /* of the row */
    bool owed;
    bool array;  /* each element of the answer is a row; otherwise the whole answer is one */
    bool notes;  /* the newest first; older ones than since_ms are not published */
    bool enough; /* an older one was reached */
    int64_t since_ms;
    size_t rows;                  /* of the page that was received last */
    char after[CURSOR_AFTER_MAX]; /* updated_at of the row; empty: it has none */
    int64_t after_ms;
    uint64_t row;                    /* its hash */
    struct listing_open_row *opened; /* or NULL */
    char path[PAGING_PATH_MAX];
};

static void follow_get(struct listing_follow *follow);

void listing_follow_free_all(struct listing_page *p)
{
    while (p->follows) {
        struct listing_follow *next = p->follows->next;

        wh_mem_free(p->follows);
        p->follows = next;
    }
}

static void follow_end(struct listing_follow *follow)
{
    struct listing_page *p = follow->page;
    struct listing_follow **link = &p->follows;

    while (*link != follow) {
        link = &(*link)->next;
    }
    *link = follow->next;
    wh_mem_free(follow);
    listing_page_done_one(p);
}

/* The notes come with the latest change first. */
static bool note_wanted(struct listing_follow *follow, const struct gitlab_row *row,
                        struct wh_json_val value)
{
    const struct listing_env *env = follow->page->lane->rest->base.env;
    struct wh_json_val system;

    follow->enough = follow->enough || (row->has_update && row->at.ms < follow->since_ms);
    return !follow->enough &&
           (env->read_notes == READ_NOTES_ALL || !wh_json_get(value, WH_LIT("system"), &system) ||
            wh_json_type(system) != WH_JSON_BOOL || !wh_json_bool(system));
}

static enum wh_rc follow_row(void *ctx, struct wh_slice text, struct wh_json_val value,
                             struct wh_err *err)
{
    struct listing_follow *follow = ctx;
    struct gitlab_row row;

    follow->rows++;
    gitlab_row_read(value, &row);
    if (follow->notes && !note_wanted(follow, &row, value)) {
        return WH_OK;
    }
    if (follow->opened) {
        listing_open_job(follow->opened, row.number, value);
    }
    return listing_page_publish(follow->page, follow->kind, wh_slice_str(row.id),
                                wh_slice_str(follow->path), text, err);
}

/* The row is not read completely. */
static void forget(const struct listing_follow *follow)
{
    listing_page_forget(follow->page, follow->row);
    if (follow->opened) {
        listing_open_failed(follow->opened);
    }
}

/* The follow-up failed: it is owed. The row is read again by every listing until it succeeds. A row
 * without a time belongs to a stream that every run reads again anyway. */
static void owe(struct listing_follow *follow, const char *why)
{
    struct listing_rest *r = follow->page->lane->rest;

    follow->owed = true;
    listing_unread(&r->base, 1, why);
    forget(follow);
    if (follow->after[0] && r->base.stream->mode == STREAM_BY_UPDATE) {
        listing_rest_owe(r, follow->after, follow->after_ms);
    }
}

/* Requests the next page of an array. Returns false when there is none, or when it failed. */
static bool follow_on(struct listing_follow *follow, const struct client_answer *a)
{
    struct paging next = {.outcome = PAGING_ENDED};

    if (follow->array && !follow->enough) {
        paging_next(a, follow->path, follow->rows, &next);
    }
    if (next.outcome == PAGING_STUCK) {
        owe(follow, next.reason);
    }
    if (next.outcome != PAGING_MORE) {
        return false;
    }
    memcpy(follow->path, next.path, sizeof(follow->path));
    follow->rows = 0;
    follow_get(follow);
    return true;
}

static enum wh_rc take_answer(struct listing_follow *follow, const struct client_answer *a,
                              struct wh_err *err)
{
    const struct listing_env *env = follow->page->lane->rest->base.env;
    struct wh_slice body = wh_slice(a->body->ptr ? a->body->ptr : "", a->body->len);

    if (!listing_json_begins(body, strcmp(follow->kind, "pipeline_detail") == 0 ? '{' : '[')) {
        return wh_fail(err, WH_E_INVALID, "GitLab answers no JSON to GET %s", follow->path);
    }
    if (follow->array) {
        return wh_json_split_array(env->arrays, body, follow_row, follow, err);
    }
    return listing_page_publish(follow->page, follow->kind, wh_slice_str(follow->object_id),
                                wh_slice_str(follow->path), body, err);
}

static void on_follow(void *ctx, const struct client_answer *a)
{
    struct listing_follow *follow = ctx;
    struct listing_page *p = follow->page;
    struct listing *l = &p->lane->rest->base;
    struct wh_err err;
    enum wh_rc rc = WH_OK;

    l->task.count->follow_ups++;
    switch (a->outcome) {
    case CLIENT_OK:
        rc = take_answer(follow, a, &err);
        break;
    case CLIENT_FAILED:
        owe(follow, a->error);
        break;
    case CLIENT_SIGN_IN:
        p->failed = true;
        listing_fail(l, a->outcome, a->error);
        break;
    case CLIENT_GONE:
        /* Its answers may lag behind its listings: the next listing asks again. */
        forget(follow);
        l->task.count->skipped++;
        break;
    case CLIENT_DENIED:
    case CLIENT_REFUSED:
    default:
        /* The row itself was read. GitLab does not give us this part of it. */
        l->task.count->skipped++;
        break;
    }
    if (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_POISON) {
        owe(follow, err.msg);
    } else if (rc != WH_OK) {
        l->task.count->failed++;
        p->failed = true;
    } else if (a->outcome == CLIENT_OK && follow_on(follow, a)) {
        return;
    } else if (a->outcome == CLIENT_OK && follow->opened && follow->array) {
        listing_open_read(follow->opened);
    }
    if (l->env->on_follow) {
        l->env->on_follow(l->env->ctx, &l->task, follow->kind, follow->iid,
                          rc == WH_OK && a->outcome == CLIENT_OK && !follow->owed);
    }
    follow_end(follow);
}

static void follow_get(struct listing_follow *follow)
{
    struct listing_page *p = follow->page;
    struct wh_err err;

    if (client_get(p->lane->rest->base.task.client, wh_slice_str(follow->path), on_follow, follow,
                   &err) != WH_OK) {
        p->failed = true;
        follow_end(follow);
    }
}

static struct listing_follow *follow_new(struct listing_page *p, const char *kind,
                                         const struct gitlab_row *row)
{
    struct listing_follow *follow = wh_mem_zalloc(1, sizeof(*follow));

    if (follow == NULL) {
        p->failed = true;
        return NULL;
    }
    follow->page = p;
    follow->next = p->follows;
    p->follows = follow;
    follow->kind = kind;
    follow->row = p->row;
    follow->opened = p->opened;
    memcpy(follow->object_id, row->id, sizeof(follow->object_id));
    (void)snprintf(follow->iid, sizeof(follow->iid), "%s", row->iid);
    if (row->has_update) {
        memcpy(follow->after, row->updated_at.ptr, row->updated_at.len);
        follow->after_ms = row->at.ms;
    }
    p->waiting++;
    return follow;
}

static void follow_start(struct listing_page *p, const char *kind, bool array,
                         const struct gitlab_row *row, const char *resource, const char *id,
                         const char *rest)
{
    struct listing_follow *follow = follow_new(p, kind, row);

    if (follow) {
        follow->array = array;
        (void)snprintf(follow->path, sizeof(follow->path), "/api/v4/projects/%s/%s/%s%s",
                       p->lane->rest->base.task.project->id, resource, id, rest);
        follow_get(follow);
    }
}

/* user_notes_count does not count the notes that GitLab writes. */
static bool has_notes(const struct listing_env *env, struct wh_json_val value)
{
    struct wh_json_val count;

    return env->read_notes == READ_NOTES_ALL ||
           (env->read_notes == READ_NOTES_PEOPLE &&
            (!wh_json_get(value, WH_LIT("user_notes_count"), &count) || wh_json_int(count) > 0));
}

static void follow_notes(struct listing_page *p, const struct gitlab_row *row,
                         struct wh_json_val value)
{
    struct listing *l = &p->lane->rest->base;
    bool mr = l->stream->follow & FOLLOW_MR_CLOSES;
    struct listing_follow *follow;

    if (!has_notes(l->env, value)) {
        return;
    }
    follow = follow_new(p, "note", row);
    if (follow) {
        follow->array = true;
        follow->notes = true;
        follow->since_ms = p->lane->notes_since_ms;
        (void)snprintf(follow->path, sizeof(follow->path),
                       "/api/v4/projects/%s/%s/%s/notes?order_by=updated_at&sort=desc&per_page=100",
                       l->task.project->id, mr ? "merge_requests" : "issues", row->iid);
        follow_get(follow);
    }
}

/* ---- what to read of a row ---- */

/* A project without child pipelines has no trigger job that names one. */
static bool has_children(const struct listing *l)
{
    return l->task.stream == STREAM_CHILD_PIPELINES || listing_has_read(l, STREAM_CHILD_PIPELINES);
}

unsigned listing_follow_wanted(const struct listing *l)
{
    unsigned follow = l->stream->follow;

    if (!l->env->read_links) {
        follow &= ~(unsigned)(FOLLOW_ISSUE_LINKS | FOLLOW_MR_CLOSES);
    }
    if (l->env->read_notes == READ_NOTES_NONE) {
        follow &= ~(unsigned)FOLLOW_NOTES;
    }
    if (follow & FOLLOW_BRIDGES && !has_children(l)) {
        follow &= ~(unsigned)FOLLOW_BRIDGES;
    }
    return follow;
}

void listing_follow_all(struct listing_page *p, const struct gitlab_row *row,
                        struct wh_json_val value)
{
    unsigned what = p->lane->rest->follow;

    if (what & FOLLOW_PIPELINE) {
        follow_start(p, "pipeline_detail", false, row, "pipelines", row->id, "");
        follow_start(p, "job", true, row, "pipelines", row->id,
                     "/jobs?include_retried=true&per_page=100");
    }
    if (what & FOLLOW_BRIDGES) {
        follow_start(p, "bridge", true, row, "pipelines", row->id, "/bridges?per_page=100");
    }
    if (what & FOLLOW_ISSUE_LINKS) {
        follow_start(p, "issue_links", false, row, "issues", row->iid, "/links");
    }
    if (what & FOLLOW_MR_CLOSES) {
        follow_start(p, "mr_closes", false, row, "merge_requests", row->iid, "/closes_issues");
    }
    if (what & FOLLOW_NOTES) {
        follow_notes(p, row, value);
    }
}
