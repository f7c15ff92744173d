#include "stages/fetcher/check/check_job_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/fetcher/check/evidence.h"
#include "stages/fetcher/check/pipeline_gap.h"
#include "stages/fetcher/gitlab/paging.h"

enum {
    PAGES_OF_A_BOUND = 50, /* deep offsets are slow, and refused at 50,000 rows */
    READS_IN_FLIGHT = 8,
    UNSERVED_MAX = 10, /* failures without a good answer between them: GitLab answers nothing now */
    LIST_PATH_MAX = 256,
    READ_PATH_MAX = 128,
    TIME_MAX = 40,
    GAP_IDS_MAX = 200,            /* ids that are tried for one gap between pipelines */
    GAP_IDS_THOROUGH_MAX = 20000, /* the same in a thorough check */
};

enum check_job_step {
    CHECK_JOB_LIST,
    CHECK_JOB_UNLISTED, /* what the listing did not contain; without a listing, what is unsure */
    CHECK_JOB_PROVE,    /* can the project still be read? */
    CHECK_JOB_MISSING,
    CHECK_JOB_OVER
};

/* The request for one number. */
struct check_single {
    struct check_single *next;
    struct check_job *job;
    int64_t number;
    bool had;   /* the object was read before, and the listing did not contain it */
    bool guess; /* an id that a pipeline may have; there is no number */
    char path[READ_PATH_MAX];
};

struct check_job {
    struct check_job *next;
    struct check_job_conf conf;
    enum check_job_step step;
    char after[TIME_MAX];  /* created_at: the listing's bound */
    char newest[TIME_MAX]; /* of the last row */
    unsigned page;
    char path[LIST_PATH_MAX];
    unsigned unserved; /* pages and numbers since the last good answer */
    bool asking;       /* a page, or the project, is under way */
    struct check_single *singles;
    unsigned n_singles;
    int64_t at;                 /* the number that was requested last */
    char at_id[ABSENCE_ID_MAX]; /* the absence that was requested last */
    int64_t asked;              /* numbers that were requested in this step */
    bool children;              /* the listing of pipelines has come to child pipelines */
    struct pipeline_gap gap;    /* the one that is being looked at, with next_id */
    bool in_gap;
    bool gap_empty;  /* so far none of the ids in question exists in the project */
    int64_t next_id; /* that is tried next */
    bool failed;
};

static struct stream_count *count_of(const struct check_job *j)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        if (numbers_stream_of(i) == j->conf.n->stream) {
            return &j->conf.run->counts[i];
        }
    }
    return &j->conf.run->counts[0];
}

static void job_fail(struct check_job *j, const char *text)
{
    struct check_result *result = j->conf.result;

    if (!j->failed) {
        (void)snprintf(result->error, sizeof(result->error), "checking %s: %.100s",
                       numbers_stream_name(j->conf.n->stream),
                       text ? text : "GitLab answers with errors");
    }
    j->failed = true;
    count_of(j)->failed++;
}

/* GitLab cannot serve one page or one number: it always answers 5xx, or something that is no JSON. The
 * failure is named, and the job goes on without a verdict about it. Returns false when GitLab serves
 * nothing now. */
static bool goes_without(struct check_job *j, const char *text)
{
    struct check_result *result = j->conf.result;

    if (++j->unserved >= UNSERVED_MAX) {
        return false;
    }
    count_of(j)->failed++;
    (void)snprintf(result->error, sizeof(result->error), "checking %s: %.120s",
                   numbers_stream_name(j->conf.n->stream), text);
    return true;
}

/* After a failure, one attempt at a time: what GitLab cannot serve takes minutes to find out. */
static enum wh_rc ask(struct check_job *j, const char *path, client_fn fn, void *ctx,
                      struct wh_err *err)
{
    return (j->unserved ? client_try : client_get)(j->conf.run->client, wh_slice_str(path), fn, ctx,
                                                   err);
}

/* ---- the listing ---- */

static enum wh_rc on_row(void *ctx, struct wh_slice text, struct wh_json_val value,
                         struct wh_err *err)
{
    struct check_job *j = ctx;
    struct number_set *ids = j->conf.n->set;
    struct wh_json_val created;
    struct wh_json_val iid;
    enum number_fate fate;
    struct gitlab_row row;

    gitlab_row_read(value, &row);
    count_of(j)->checked++;
    evidence_shown(j->conf.env, j->conf.n, row.id);
    if (wh_json_get(value, WH_LIT("created_at"), &created) &&
        wh_json_string(created).len < sizeof(j->newest)) {
        (void)snprintf(j->newest, sizeof(j->newest), "%.*s", WH_SLICE_ARG(wh_json_string(created)));
    }
    if (!wh_json_get(value, WH_LIT("iid"), &iid) || wh_json_type(iid) != WH_JSON_INT) {
        return WH_OK;
    }
    fate = number_set_get(ids, wh_json_int(iid)).fate;
    if (fate == NUMBER_HAVE || fate == NUMBER_MOVED) {
        number_set_mark(ids, wh_json_int(iid));
        return WH_OK;
    }
    if (fate == NUMBER_HELD) {
        /* The object exists after all. */
        number_set_mark(ids, wh_json_int(iid));
        return number_set_put(ids, wh_json_int(iid), row.number, NUMBER_HAVE,
                              numbers_row_confidential(value), err);
    }
    count_of(j)->found++;
    return gone_row(j->conf.env->gone, j->conf.n, wh_slice_str(j->path), text, &row, value, err);
}

/* GitLab lists child pipelines apart from the others. */
static void end_listing(struct check_job *j)
{
    if (j->conf.n->stream == NUMBERS_PIPELINES && !j->children) {
        j->children = true;
        j->page = 1;
    } else {
        j->step = CHECK_JOB_UNLISTED;
        j->at = 0;
    }
}

static void go_on(struct check_job *j, const struct client_answer *a, uint64_t rows)
{
    struct paging next;

    paging_next(a, j->path, rows, &next);
    if (next.outcome == PAGING_STUCK) {
        job_fail(j, next.reason);
    } else if (next.outcome == PAGING_ENDED) {
        end_listing(j);
    } else if (j->page >= PAGES_OF_A_BOUND && strcmp(j->after, j->newest) != 0) {
        memcpy(j->after, j->newest, sizeof(j->after));
        j->page = 1;
    } else {
        j->page++;
    }
}

static void on_page(void *ctx, const struct client_answer *a)
{
    struct check_job *j = ctx;
    uint64_t before = count_of(j)->checked;
    struct wh_err err;

    j->asking = false;
    switch (a->outcome) {
    case CLIENT_OK:
        count_of(j)->pages++;
        if (wh_json_split_array(j->conf.env->arrays, wh_buf_slice(a->body), on_row, j, &err) !=
            WH_OK) {
            job_fail(j, err.msg);
        } else {
            j->unserved = 0;
            go_on(j, a, count_of(j)->checked - before);
        }
        break;
    case CLIENT_GONE:
    case CLIENT_DENIED:
    case CLIENT_REFUSED:
        /* Without a listing nothing is known about the objects. An older GitLab has none of child pipelines. */
        count_of(j)->skipped++;
        j->step = j->children ? CHECK_JOB_UNLISTED : CHECK_JOB_OVER;
        break;
    case CLIENT_SIGN_IN:
    case CLIENT_FAILED:
    default:
        /* The known numbers of the page are then read one by one, and so are those that are missing. */
        if (a->status >= 500 && goes_without(j, a->error)) {
            j->page++;
        } else {
            job_fail(j, a->error);
        }
        break;
    }
    j->conf.progress(j->conf.ctx);
}

static void ask_page(struct check_job *j)
{
    WH_AUTO(buf) struct wh_buf after;
    struct wh_err err;

    wh_buf_init(&after, LIST_PATH_MAX);
    if (j->after[0] && (wh_buf_append(&after, WH_LIT("&created_after="), &err) != WH_OK ||
                        wh_percent_encode(wh_slice_str(j->after), &after, &err) != WH_OK)) {
        job_fail(j, NULL);
        return;
    }
    /* Pipelines cannot be ordered by their creation; their ids are in that order. */
    (void)snprintf(j->path, sizeof(j->path),
                   "/api/v4/projects/%s/%s?%s&sort=asc&per_page=%d&page=%u%s", j->conf.project->id,
                   numbers_stream_name(j->conf.n->stream),
                   j->conf.n->stream != NUMBERS_PIPELINES ? "scope=all&order_by=created_at"
                   : j->children                          ? "source=parent_pipeline&order_by=id"
                                                          : "order_by=id",
                   PAGING_ROWS, j->page, wh_buf_str(&after));
    if (ask(j, j->path, on_page, j, &err) != WH_OK) {
        job_fail(j, NULL);
        return;
    }
    j->asking = true;
}

/* ---- single reads ---- */

static void single_free(struct check_single *s)
{
    struct check_single **link = &s->job->singles;

    while (*link != s) {
        link = &(*link)->next;
    }
    *link = s->next;
    s->job->n_singles--;
    wh_mem_free(s);
}

static void set_fate(struct check_job *j, int64_t number, enum number_fate fate)
{
    struct number_set_entry e = number_set_get(j->conf.n->set, number);
    struct wh_err err;

    if (number_set_put(j->conf.n->set, number, e.id, fate, e.confidential, &err) != WH_OK) {
        job_fail(j, NULL);
    }
}

static enum wh_rc on_single_row(void *ctx, struct wh_slice text, struct wh_json_val value,
                                struct wh_err *err)
{
    struct check_single *s = ctx;
    struct check_job *j = s->job;
    struct gitlab_row row;

    gitlab_row_read(value, &row);
    evidence_shown(j->conf.env, j->conf.n, row.id);
    if (s->had) {
        set_fate(j, s->number, NUMBER_HAVE);
        return WH_OK;
    }
    count_of(j)->found++;
    return gone_row(j->conf.env->gone, j->conf.n, wh_slice_str(s->path), text, &row, value, err);
}

/* The answer is one object, as a row of a listing is. */
static enum wh_rc take_single(struct check_single *s, const struct client_answer *a,
                              struct wh_err *err)
{
    struct wh_slice body = wh_buf_slice(a->body);
    struct wh_json_val value;

    if (wh_json_parse(s->job->conf.env->rows, body, &value, err) != WH_OK) {
        return err->rc;
    }
    return on_single_row(s, body, value, err);
}

static void on_single(void *ctx, const struct client_answer *a)
{
    struct check_single *s = ctx;
    struct check_job *j = s->job;
    struct wh_err err;

    j->gap_empty = j->gap_empty && a->outcome == CLIENT_GONE;
    switch (a->outcome) {
    case CLIENT_OK:
        if (take_single(s, a, &err) == WH_OK) {
            j->unserved = 0;
        } else if (wh_rc_class(err.rc) != WH_CLASS_POISON || !goes_without(j, err.msg)) {
            job_fail(j, err.msg);
        }
        break;
    case CLIENT_GONE:
        if (s->guess) {
            break; /* no pipeline of this project */
        }
        if (s->had) {
            evidence_absent(j->conf.env, j->conf.n, s->number, true);
        } else {
            set_fate(j, s->number, gone_fate_unknown(j->conf.n->stream, j->conf.project->access));
        }
        break;
    case CLIENT_DENIED:
        /* No proof about an object that we have, as GitLab also answers 403 to too many requests. */
        if (s->had) {
            evidence_absent(j->conf.env, j->conf.n, s->number, false);
        } else if (!s->guess) {
            set_fate(j, s->number, NUMBER_NO_ACCESS);
        }
        count_of(j)->skipped++;
        break;
    case CLIENT_REFUSED:
        count_of(j)->skipped++;
        break;
    case CLIENT_SIGN_IN:
    case CLIENT_FAILED:
    default:
        if (a->status < 500 || !goes_without(j, a->error)) {
            job_fail(j, a->error);
        }
        break;
    }
    single_free(s);
    j->conf.progress(j->conf.ctx);
}

/* id: of the address; in the place of a number, for pipelines, GitLab wants the id. */
static void ask_for(struct check_job *j, struct check_single what, int64_t id)
{
    struct check_single *s = wh_mem_zalloc(1, sizeof(*s));
    struct wh_err err;

    if (s == NULL) {
        job_fail(j, NULL);
        return;
    }
    *s = what;
    s->job = j;
    s->next = j->singles;
    j->singles = s;
    j->n_singles++;
    count_of(j)->singles++;
    (void)snprintf(s->path, sizeof(s->path), "/api/v4/projects/%s/%s/%" PRId64, j->conf.project->id,
                   numbers_stream_name(j->conf.n->stream), id);
    if (ask(j, s->path, on_single, s, &err) != WH_OK) {
        job_fail(j, NULL);
        single_free(s);
    }
}

static void ask_single(struct check_job *j, int64_t number, bool had)
{
    ask_for(j, (struct check_single){.number = number, .had = had},
            j->conf.n->stream == NUMBERS_PIPELINES ? number_set_get(j->conf.n->set, number).id
                                                   : number);
}

/* How many numbers a step may request. */
static int64_t most(const struct check_job *j)
{
    return j->conf.thorough ? INT64_MAX : j->conf.env->limits.numbers_max;
}

static void next_step(struct check_job *j, enum check_job_step step)
{
    if (j->n_singles == 0) {
        j->step = step;
        j->at = 0;
        j->asked = 0;
    }
}

static void ask_unlisted(struct check_job *j)
{
    struct number_set *ids = j->conf.n->set;

    while (j->n_singles < READS_IN_FLIGHT && !j->failed) {
        if (j->asked >= most(j) ||
            !number_set_next(ids, j->at, 1u << NUMBER_HAVE | 1u << NUMBER_HELD, &j->at)) {
            next_step(j, CHECK_JOB_PROVE);
            return;
        }
        if (!number_set_get(ids, j->at).listed) {
            j->asked++;
            ask_single(j, j->at, true);
        }
    }
}

/* Asks for the objects that were not there before. */
static void ask_unsure(struct check_job *j)
{
    while (j->n_singles < READS_IN_FLIGHT && !j->failed) {
        int64_t number = evidence_due(j->conf.env, j->conf.n, j->at_id);

        if (number == 0) {
            next_step(j, CHECK_JOB_PROVE);
            return;
        }
        ask_single(j, number, true);
    }
}

/* ---- the proof ---- */

/* Without the project, a 404 may mean that we lost the right to see it: nothing is proved. */
static void on_project(void *ctx, const struct client_answer *a)
{
    struct check_job *j = ctx;

    j->asking = false;
    if (a->outcome == CLIENT_OK) {
        evidence_hold(j->conf.env, j->conf.n);
    } else if (a->outcome == CLIENT_FAILED || a->outcome == CLIENT_SIGN_IN) {
        job_fail(j, a->error);
    }
    next_step(j, CHECK_JOB_MISSING);
    j->conf.progress(j->conf.ctx);
}

static void ask_project(struct check_job *j)
{
    struct wh_err err;

    if (!evidence_any(j->conf.env, j->conf.n)) {
        next_step(j, CHECK_JOB_MISSING);
        return;
    }
    (void)snprintf(j->path, sizeof(j->path), "/api/v4/projects/%s", j->conf.project->id);
    if (ask(j, j->path, on_project, j, &err) != WH_OK) {
        job_fail(j, NULL);
        return;
    }
    j->asking = true;
}

/* ---- numbers that were never seen ---- */

/* False: there is none left that can be looked at. Of a gap that is too wide, the numbers stay missing. */
static bool next_gap(struct check_job *j)
{
    int64_t widest = j->conf.thorough ? GAP_IDS_THOROUGH_MAX : GAP_IDS_MAX;

    while (j->asked < most(j) && pipeline_gap_next(j->conf.n->set, j->at, &j->gap)) {
        j->at = j->gap.to;
        if (pipeline_gap_width(&j->gap) <= widest) {
            j->in_gap = true;
            j->gap_empty = true;
            j->next_id = j->gap.first_id;
            return true;
        }
    }
    return false;
}

/* None of the ids exists, so the numbers are of pipelines that are gone. One that was found gets its number when
 * Kafka has its record; the next run looks at the others. */
static void end_gap(struct check_job *j)
{
    j->in_gap = false;
    for (int64_t number = j->gap.from; j->gap_empty && number <= j->gap.to; number++) {
        set_fate(j, number, gone_fate_unknown(j->conf.n->stream, j->conf.project->access));
    }
}

static void ask_gaps(struct check_job *j)
{
    while (j->n_singles < READS_IN_FLIGHT && !j->failed) {
        if (!j->in_gap && !next_gap(j)) {
            next_step(j, CHECK_JOB_OVER);
            return;
        }
        if (j->next_id <= j->gap.last_id) {
            j->asked++;
            ask_for(j, (struct check_single){.guess = true}, j->next_id++);
        } else if (j->n_singles == 0) {
            end_gap(j);
        } else {
            return;
        }
    }
}

static void ask_missing(struct check_job *j)
{
    if (j->conf.n->stream == NUMBERS_PIPELINES) {
        ask_gaps(j);
        return;
    }
    while (j->n_singles < READS_IN_FLIGHT && !j->failed) {
        if (j->asked >= most(j) ||
            !number_set_next(j->conf.n->set, j->at, 1u << NUMBER_UNKNOWN, &j->at)) {
            next_step(j, CHECK_JOB_OVER);
            return;
        }
        j->asked++;
        ask_single(j, j->at, false);
    }
}

/* ---- the job ---- */

bool check_job_start(struct check_jobs *jobs, const struct check_job_conf *conf)
{
    struct check_job *j = wh_mem_zalloc(1, sizeof(*j));

    if (j == NULL) {
        return false;
    }
    j->conf = *conf;
    j->step = conf->list ? CHECK_JOB_LIST : CHECK_JOB_UNLISTED;
    j->page = 1;
    if (conf->list) {
        number_set_unmark_all(conf->n->set);
    }
    j->next = jobs->first;
    jobs->first = j;
    jobs->n++;
    return true;
}

static void job_pump(struct check_job *j)
{
    if (j->failed) {
        return;
    }
    if (j->step == CHECK_JOB_LIST && !j->asking) {
        ask_page(j);
    }
    if (j->step == CHECK_JOB_UNLISTED) {
        (j->conf.list ? ask_unlisted : ask_unsure)(j);
    }
    if (j->step == CHECK_JOB_PROVE && !j->asking) {
        ask_project(j);
    }
    if (j->step == CHECK_JOB_MISSING) {
        ask_missing(j);
    }
}

bool check_jobs_pump(struct check_jobs *jobs)
{
    struct check_job **link = &jobs->first;
    bool ok = true;

    while (*link) {
        struct check_job *j = *link;

        job_pump(j);
        if ((j->failed || j->step == CHECK_JOB_OVER) && !j->asking && j->n_singles == 0) {
            ok = ok && !j->failed;
            *link = j->next;
            jobs->n--;
            wh_mem_free(j);
        } else {
            link = &j->next;
        }
    }
    return ok;
}

void check_jobs_free(struct check_jobs *jobs)
{
    while (jobs->first) {
        struct check_job *next = jobs->first->next;

        while (jobs->first->singles) {
            single_free(jobs->first->singles);
        }
        wh_mem_free(jobs->first);
        jobs->first = next;
    }
    jobs->n = 0;
}
