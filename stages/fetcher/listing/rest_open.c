/* Pipelines that are not final: those whose rows have not changed are checked together, by one listing
 * of the project's jobs, and only those with other jobs, or jobs in other states, are read again. The
 * rows of jobs cannot be compared, because GitLab shows how long a job has been running. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/listing/rest_priv.h"

/* The states that GitLab documents. A job in another one that is not final differs in every check. */
#define OPEN_JOBS                                                                                  \
    "/jobs?scope%5B%5D=created&scope%5B%5D=pending&scope%5B%5D=running"                            \
    "&scope%5B%5D=waiting_for_resource&scope%5B%5D=manual&per_page=100"

struct listing_open_row {
    struct open_pipeline now; /* as it is read now; as it was read before, when `same` is true */
    uint64_t jobs;            /* in the listing of jobs */
    bool same;                /* its row has not changed */
    bool read;                /* its jobs were read now */
    bool failed;              /* a part of it could not be read */
};

struct listing_open {
    struct listing_page *page;
    struct listing_open_row rows[PAGING_ROWS];
    size_t n;
    size_t n_same;
    /* The listing of jobs, the newest first. */
    size_t pages;
    size_t n_jobs;  /* on the page that was received last */
    int64_t lowest; /* the last id */
    char path[PAGING_PATH_MAX];
};

static void ask(struct listing_open *o);

/* ---- rows ---- */

bool listing_open_take(struct listing_page *p, const struct gitlab_row *row, uint64_t hash)
{
    const struct listing_rest *r = p->lane->rest;
    const struct open_pipeline *before;
    struct listing_open_row *mine;

    if (p->open == NULL) {
        p->open = wh_mem_zalloc(1, sizeof(*p->open));
    }
    if (p->open == NULL || p->open->n == PAGING_ROWS || row->id[0] == '\0') {
        return false;
    }
    p->open->page = p;
    mine = &p->open->rows[p->open->n++];
    before = open_pipelines_get(r->base.env->open, row->number);
    mine->same = before && before->row == hash && !r->base.task.from_ms;
    mine->now = mine->same ? *before : (struct open_pipeline){.id = row->number, .row = hash};
    p->open->n_same += mine->same;
    p->opened = mine;
    return mine->same;
}

void listing_open_job(struct listing_open_row *row, int64_t id, struct wh_json_val value)
{
    struct wh_json_val state;

    if (wh_json_get(value, WH_LIT("status"), &state)) {
        open_pipeline_job(&row->now.jobs, id, wh_json_string(state));
    }
    if (row->now.oldest_job == 0 || id < row->now.oldest_job) {
        row->now.oldest_job = id;
    }
}

void listing_open_read(struct listing_open_row *row)
{
    row->read = true;
}

void listing_open_failed(struct listing_open_row *row)
{
    row->failed = true;
}

void listing_open_keep(const struct listing_page *p)
{
    for (size_t i = 0; p->open && i < p->open->n; i++) {
        const struct listing_open_row *row = &p->open->rows[i];

        if (row->read && !row->failed) {
            open_pipelines_put(p->lane->rest->base.env->open, &row->now);
        }
    }
}

/* ---- the listing of jobs ---- */

static void follow(struct listing_open *o, struct listing_open_row *row)
{
    struct gitlab_row known = {.number = row->now.id};

    (void)snprintf(known.id, sizeof(known.id), "%" PRId64, row->now.id);
    row->now.jobs = 0;
    row->now.oldest_job = 0;
    o->page->opened = row;
    listing_follow_all(o->page, &known, (struct wh_json_val){0});
}

/* Jobs from the id `from` on were listed. */
static void end(struct listing_open *o, int64_t from)
{
    for (size_t i = 0; i < o->n; i++) {
        struct listing_open_row *row = &o->rows[i];

        if (row->same && (from > row->now.oldest_job || row->jobs != row->now.jobs)) {
            follow(o, row);
        }
    }
    listing_page_done_one(o->page);
}

static enum wh_rc on_job(void *ctx, struct wh_slice text, struct wh_json_val value,
                         struct wh_err *err)
{
    struct listing_open *o = ctx;
    struct wh_json_val pipeline;
    struct wh_json_val state;
    struct gitlab_row job;
    int64_t of;

    (void)text;
    (void)err;
    o->n_jobs++;
    gitlab_row_read(value, &job);
    o->lowest = job.number;
    if (!wh_json_get(value, WH_LIT("pipeline"), &pipeline) ||
        !wh_json_get(value, WH_LIT("status"), &state)) {
        return WH_OK;
    }
    of = wh_json_get_int(pipeline, "id", 0);
    for (size_t i = 0; i < o->n; i++) {
        if (o->rows[i].now.id == of) {
            open_pipeline_job(&o->rows[i].jobs, job.number, wh_json_string(state));
        }
    }
    return WH_OK;
}

/* More pages than pipelines would cost more than reading each of them. */
static bool wants_more(const struct listing_open *o)
{
    int64_t oldest = INT64_MAX;

    for (size_t i = 0; i < o->n; i++) {
        if (o->rows[i].same && o->rows[i].now.oldest_job < oldest) {
            oldest = o->rows[i].now.oldest_job;
        }
    }
    return o->lowest > oldest && o->pages < o->n_same;
}

static void on_jobs(void *ctx, const struct client_answer *a)
{
    struct listing_open *o = ctx;
    struct listing *l = &o->page->lane->rest->base;
    struct wh_slice body = a->body ? wh_buf_slice(a->body) : wh_slice("", 0);
    struct paging next;
    struct wh_err err;

    l->task.count->follow_ups++;
    o->pages++;
    o->n_jobs = 0;
    if (a->outcome == CLIENT_SIGN_IN) {
        o->page->failed = true;
        listing_fail(l, a->outcome, a->error);
        listing_page_done_one(o->page);
        return;
    }
    if (a->outcome != CLIENT_OK || !listing_json_begins(body, '[') ||
        wh_json_split_array(l->env->arrays, body, on_job, o, &err) != WH_OK) {
        end(o, INT64_MAX);
        return;
    }
    paging_next(a, o->path, o->n_jobs, &next);
    if (next.outcome == PAGING_MORE && wants_more(o)) {
        memcpy(o->path, next.path, sizeof(o->path));
        ask(o);
    } else {
        end(o, next.outcome == PAGING_ENDED ? 0 : o->lowest);
    }
}

static void ask(struct listing_open *o)
{
    struct wh_err err;

    if (client_get(o->page->lane->rest->base.task.client, wh_slice_str(o->path), on_jobs, o,
                   &err) != WH_OK) {
        end(o, INT64_MAX);
    }
}

void listing_open_check(struct listing_page *p)
{
    struct listing_open *o = p->open;

    if (o && o->n_same > 0) {
        (void)snprintf(o->path, sizeof(o->path), "/api/v4/projects/%s%s",
                       p->lane->rest->base.task.project->id, OPEN_JOBS);
        p->waiting++;
        ask(o);
    }
}
