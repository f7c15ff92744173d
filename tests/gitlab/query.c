/* The parameters of a list, checked as GitLab checks them. What it does not know it ignores. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/num.h"
#include "common/base/time.h"
#include "tests/gitlab/paging.h"

const struct gl_list_def gl_users_list = {"User", true, true, false};
const struct gl_list_def gl_projects_list = {"Project", true, true, false};

static const struct gl_list_def defs[GL_KIND_COUNT] = {
    [GL_MR] = {"MergeRequest", false, true, true},
    [GL_ISSUE] = {"Issue", true, true, true},
    [GL_PIPELINE] = {"Ci::Pipeline", false, true, true},
    [GL_JOB] = {"Ci::Build", true, true, false},
    [GL_DEPLOYMENT] = {"Deployment", false, false, true},
    [GL_ENVIRONMENT] = {"Environment", false, false, false},
    [GL_RELEASE] = {"Release", false, true, true},
    [GL_MILESTONE] = {"Milestone", false, true, true},
    [GL_MEMBER] = {"Member", false, false, false},
    [GL_NOTE] = {"Note", false, true, true},
};

const struct gl_list_def *gl_list_def(enum gl_kind kind)
{
    return &defs[kind];
}

struct parse {
    struct gl_query *q;
    const struct gl_list_def *def;
    enum gl_kind kind;
    struct gl_refusal *refusal;
};

static void refuse(struct gl_refusal *refusal, unsigned status, const char *key, const char *what)
{
    if (refusal->status == 0) {
        refusal->status = status;
        (void)snprintf(refusal->body, sizeof(refusal->body), "{\"%s\":\"%s\"}", key, what);
    }
}

static void bad_value(const struct parse *p, struct wh_slice name, const char *why)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "%.*s %s", (int)(name.len > 40 ? 40 : name.len), name.ptr,
                   why);
    refuse(p->refusal, 400, "error", text);
}

static bool name_is(struct wh_slice name, const char *text)
{
    return wh_slice_eq(name, wh_slice_str(text));
}

static void take_number(const struct parse *p, struct wh_slice name, struct wh_slice value,
                        int64_t *to)
{
    struct wh_err err;

    if (wh_num_i64(value, to, &err) != WH_OK) {
        bad_value(p, name, "is invalid");
    } else if (*to < 1) {
        bad_value(p, name, "does not have a valid value");
    }
}

static void take_order(const struct parse *p, struct wh_slice name, struct wh_slice value)
{
    p->q->order_given = true;
    if (name_is(value, "id") || name_is(value, "iid")) {
        p->q->order = GL_BY_ID;
    } else if (name_is(value, "created_at") || name_is(value, "released_at")) {
        p->q->order = GL_BY_CREATED;
    } else if (name_is(value, "updated_at") && p->def->timed) {
        p->q->order = GL_BY_UPDATED;
    } else if (name_is(value, "finished_at") && p->kind == GL_DEPLOYMENT) {
        p->q->order = GL_BY_FINISHED;
    } else {
        bad_value(p, name, "does not have a valid value");
    }
}

static void take_time(const struct parse *p, struct wh_slice name, struct wh_slice value,
                      struct gl_range *range, bool low)
{
    struct wh_instant at;
    struct wh_err err;

    if (wh_time_parse(value, &at, &err) != WH_OK) {
        bad_value(p, name, "is invalid");
        return;
    }
    if (low) {
        range->low = at.ms;
    } else {
        range->high = at.ms;
    }
    range->given = true;
}

static void take_state(const struct parse *p, struct wh_slice name, struct wh_slice value)
{
    if (name_is(value, "all")) {
        return;
    }
    for (unsigned s = 0; s < GL_S_COUNT; s++) {
        if (name_is(value, gl_state_name(s))) {
            p->q->states |= 1u << s;
            p->q->filtered = true;
            return;
        }
    }
    bad_value(p, name, "does not have a valid value");
}

static void take_type(const struct parse *p, struct wh_slice name, struct wh_slice value)
{
    unsigned n = p->kind == GL_ISSUE ? GL_T_COUNT : GL_SOURCE_CHILD + 1;

    for (unsigned t = 0; t < n; t++) {
        const char *text = p->kind == GL_ISSUE ? gl_issue_type_name(t) : gl_source_name(t);

        if (name_is(value, text)) {
            p->q->type = (int)t;
            p->q->filtered = true;
            return;
        }
    }
    bad_value(p, name, "does not have a valid value");
}

static void take_env(const struct parse *p, struct wh_slice value)
{
    p->q->env = GL_ENVS;
    p->q->filtered = true;
    for (unsigned e = 0; e < GL_ENVS; e++) {
        if (name_is(value, gl_env_name(e))) {
            p->q->env = (int)e;
        }
    }
}

/* Our cursors are "key_id"; GitLab's are opaque too. */
static void take_cursor(const struct parse *p, struct wh_slice value)
{
    const char *bar = value.len ? memchr(value.ptr, '_', value.len) : NULL;
    size_t n = bar ? (size_t)(bar - value.ptr) : 0;
    struct wh_err err;

    if (bar == NULL || wh_num_i64(wh_slice(value.ptr, n), &p->q->cursor_key, &err) != WH_OK ||
        wh_num_i64(wh_slice_from(value, n + 1), &p->q->cursor_id, &err) != WH_OK) {
        refuse(p->refusal, 400, "error", "cursor is invalid");
        return;
    }
    p->q->after_cursor = true;
}

static void take_id_bound(const struct parse *p, struct wh_slice name, struct wh_slice value)
{
    take_number(p, name, value, &p->q->cursor_key);
    p->q->cursor_id = p->q->cursor_key;
    p->q->after_cursor = true;
}

static bool take_filter(const struct parse *p, struct wh_slice name, struct wh_slice value)
{
    if (name_is(name, "state") &&
        (p->kind == GL_MR || p->kind == GL_ISSUE || p->kind == GL_MILESTONE)) {
        take_state(p, name, value);
    } else if ((name_is(name, "status") && (p->kind == GL_PIPELINE || p->kind == GL_DEPLOYMENT)) ||
               (name_is(name, "scope[]") && p->kind == GL_JOB)) {
        take_state(p, name, value);
    } else if ((name_is(name, "issue_type") && p->kind == GL_ISSUE) ||
               (name_is(name, "source") && p->kind == GL_PIPELINE)) {
        take_type(p, name, value);
    } else if (name_is(name, "environment") && p->kind == GL_DEPLOYMENT) {
        take_env(p, value);
    } else if (name_is(name, "author_id")) {
        take_number(p, name, value, &p->q->author_id);
        p->q->filtered = true;
    } else if (name_is(name, "iids[]") && p->q->n_iids < GL_IIDS_MAX) {
        take_number(p, name, value, &p->q->iids[p->q->n_iids++]);
        p->q->filtered = true;
    } else {
        return false;
    }
    return true;
}

static bool take_range(const struct parse *p, struct wh_slice name, struct wh_slice value)
{
    if (name_is(name, "updated_after") || name_is(name, "updated_before")) {
        if (p->def->timed) {
            take_time(p, name, value, &p->q->updated, name_is(name, "updated_after"));
        }
    } else if (name_is(name, "created_after") || name_is(name, "created_before")) {
        take_time(p, name, value, &p->q->created, name_is(name, "created_after"));
        p->q->filtered = true;
    } else if (p->kind == GL_DEPLOYMENT &&
               (name_is(name, "finished_after") || name_is(name, "finished_before"))) {
        take_time(p, name, value, &p->q->finished, name_is(name, "finished_after"));
        p->q->filtered = true;
    } else {
        return false;
    }
    return true;
}

static void on_arg(void *ctx, struct wh_slice name, struct wh_slice value)
{
    const struct parse *p = ctx;

    if (name_is(name, "page")) {
        take_number(p, name, value, &p->q->page);
    } else if (name_is(name, "per_page")) {
        take_number(p, name, value, &p->q->per_page);
    } else if (name_is(name, "order_by")) {
        take_order(p, name, value);
    } else if (name_is(name, "sort")) {
        p->q->desc = name_is(value, "desc");
        if (!p->q->desc && !name_is(value, "asc")) {
            bad_value(p, name, "does not have a valid value");
        }
    } else if (name_is(name, "pagination")) {
        p->q->keyset = name_is(value, "keyset");
    } else if (name_is(name, "cursor")) {
        take_cursor(p, value);
    } else if (name_is(name, "id_after") || name_is(name, "id_before")) {
        take_id_bound(p, name, value);
    } else if (!take_range(p, name, value)) {
        (void)take_filter(p, name, value);
    }
}

/* GitLab's DeploymentsFinder: filter and order must fit. */
static void check_deployments(const struct gl_query *q, struct gl_refusal *refusal)
{
    static const char head[] = "400 Bad request - ";
    const char *why = NULL;
    char text[200];

    if (q->updated.given && q->finished.given) {
        why = "Both `updated_at` filter and `finished_at` filter can not be specified";
    } else if (q->updated.given != (q->order == GL_BY_UPDATED)) {
        why = "`updated_at` filter and `updated_at` sorting must be paired";
    } else if (q->finished.given != (q->order == GL_BY_FINISHED)) {
        why = "`finished_at` filter and `finished_at` sorting must be paired";
    } else if (q->finished.given && q->states != 1u << GL_S_SUCCESS) {
        why = "`finished_at` filter must be combined with `success` status filter.";
    }
    if (why) {
        (void)snprintf(text, sizeof(text), "%s%s", head, why);
        refuse(refusal, 400, "message", text);
    }
}

static void check_paging(const struct parse *p)
{
    struct gl_query *q = p->q;
    char text[256];

    if (q->per_page > GL_PER_PAGE_MAX) {
        q->per_page = GL_PER_PAGE_MAX;
    }
    if (q->keyset) {
        bool by_id_only = p->kind == GL_JOB || p->def == &gl_projects_list;

        if (!p->def->keyset || (by_id_only && q->order != GL_BY_ID)) {
            refuse(p->refusal, 405, "error",
                   "Keyset pagination is not yet available for this type of request");
        }
        return;
    }
    q->after_cursor = q->after_cursor && p->def == &gl_projects_list;
    if (p->def->keyset && q->page > GL_OFFSET_MAX / q->per_page) {
        (void)snprintf(text, sizeof(text),
                       "Offset pagination has a maximum allowed offset of %d for requests that "
                       "return objects of type %s. Remaining records can be retrieved using "
                       "keyset pagination.",
                       GL_OFFSET_MAX, p->def->name);
        refuse(p->refusal, 405, "error", text);
    }
    if (q->page > 100000000) {
        q->page = 100000000; /* beyond every end; keeps the products small */
    }
}

void gl_query_init(struct gl_query *q, const struct gl_list_def *def)
{
    const struct gl_range all = {INT64_MIN, INT64_MAX - 1, false};

    *q = (struct gl_query){.page = 1,
                           .per_page = 20,
                           .desc = def->desc,
                           .order = GL_BY_ID,
                           .updated = all,
                           .created = all,
                           .finished = all,
                           .type = -1,
                           .env = -1,
                           .note_kind = -1};
}

void gl_query_parse(const struct wh_http_req *req, const struct gl_list_def *def, enum gl_kind kind,
                    struct gl_query *q, struct gl_refusal *refusal)
{
    struct parse p = {q, def, kind, refusal};

    gl_query_init(q, def);
    refusal->status = 0;
    wh_http_query_each(req, on_arg, &p);
    if (refusal->status == 0) {
        check_paging(&p);
    }
    if (refusal->status == 0 && kind == GL_DEPLOYMENT) {
        check_deployments(q, refusal);
    }
}
