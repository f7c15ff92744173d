#include "stages/fetcher/check/check.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/fetcher/check/check_absent_priv.h"
#include "stages/fetcher/check/check_job_priv.h"
#include "stages/fetcher/check/check_tool_priv.h"

enum { PUBLISH_WINDOW = 1000, PATH_MAX_BYTES = 64 };

#define PROJECT_KIND "project" /* of its absence */

enum step { STEP_PROJECTS, STEP_JOBS, STEP_ABSENT, STEP_PUBLISH, STEP_WAIT, STEP_SAVE };

/* The request for a known project that the list of projects did not contain; then, when it seems to be
 * gone, for something else of the instance. */
struct check_presence {
    struct check_presence *next;
    struct check *check;
    struct numbers *n;
    const char *reason; /* why the project is gone, if that is proved */
    char path[PATH_MAX_BYTES];
};

struct check {
    const struct check_env *env;
    struct check_run run;
    struct check_result result;
    struct wh_timer *wake;
    bool begun;
    enum step step;
    struct check_presence *presences;
    struct check_jobs jobs;
    struct check_tools tools;
    struct check_absent *absent; /* in STEP_ABSENT */
    struct project *project;     /* of the next job, with stream */
    unsigned stream;
    struct numbers *next; /* the numbers that are next, also in STEP_SAVE */
    int64_t published;    /* the last number whose tombstone was published */
};

static void check_pump(struct check *k);

static bool owns(const struct check *k, const char *project)
{
    return k->env->owns(k->env->ctx, project);
}

static bool ours(const struct check *k, const struct numbers *n)
{
    return strcmp(n->connection, k->env->connection) == 0 && owns(k, n->project);
}

/* Where nothing lists the projects, those that a person named count as listed. */
static bool is_listed(const struct check *k, const struct project *p)
{
    bool by_name = !k->env->by_rest(k->env->ctx, 0) && k->env->tool(k->env->ctx, 0) == NULL;

    return p->listed_run == k->run.started_ms || (by_name && p->skipped[0] == '\0');
}

static const struct project *listed(const struct check *k, const char *id)
{
    const struct project *p = projects_find(k->run.projects, id);

    return p && is_listed(k, p) ? p : NULL;
}

/* ---- projects ---- */

static struct absence *absence_of(const struct check *k, const struct numbers *n)
{
    const struct absence_key key = {k->env->connection, n->project, PROJECT_KIND, n->project};

    return absences_find(k->env->absences, &key);
}

static void presence_free(struct check_presence *p)
{
    struct check_presence **link = &p->check->presences;

    while (*link != p) {
        link = &(*link)->next;
    }
    *link = p->next;
    wh_mem_free(p);
}

/* Holds all objects of the project until the check decides what it publishes. */
static void hold_all(struct check *k, struct numbers *project)
{
    struct wh_err err;

    for (unsigned s = 0; s < NUMBERS_STREAMS; s++) {
        struct numbers *n = numbers_of(k->env->numbers, k->env->connection, project->project,
                                       (enum numbers_stream)s, false);
        int64_t number = 0;

        while (n && number_set_next(n->set, number, 1u << NUMBER_HAVE, &number)) {
            struct number_set_entry e = number_set_get(n->set, number);

            k->result.ok =
                number_set_put(n->set, number, e.id, NUMBER_HELD, e.confidential, &err) == WH_OK &&
                k->result.ok;
        }
    }
}

/* True when the project can be read and its row gives us no role: the project is public, but we are
 * no longer a member. A project that gives us a role was only missing from the list. */
static bool left(const struct check *k, const struct client_answer *a)
{
    struct wh_json_val root;
    struct wh_json_val permissions;
    struct wh_err err;

    return wh_json_parse(k->env->rows, wh_buf_slice(a->body), &root, &err) == WH_OK &&
           wh_json_get(root, WH_LIT("permissions"), &permissions) &&
           wh_json_type(permissions) == WH_JSON_OBJECT && project_access_of(root) == 0;
}

static void presence_end(struct check_presence *p)
{
    struct check *k = p->check;

    presence_free(p);
    check_pump(k);
}

static void presence_proved(struct check_presence *p)
{
    p->n->lost = p->reason;
    hold_all(p->check, p->n);
    absences_remove(p->check->env->absences, absence_of(p->check, p->n));
}

/* The credential must still read something else: otherwise the 404 may be about the credential. */
static void on_instance(void *ctx, const struct client_answer *a)
{
    struct check_presence *p = ctx;

    if (a->outcome == CLIENT_OK) {
        presence_proved(p);
    }
    presence_end(p);
}

/* The project is not there, or not ours any more. What is held was proved by an earlier run. Returns
 * false when nothing more is to be asked. */
static bool not_there(struct check_presence *p, bool proof, const char *reason)
{
    struct check *k = p->check;
    const struct check_env *env = k->env;
    bool held = number_set_get(p->n->set, 1).fate == NUMBER_HELD;
    const struct absence_key key = {env->connection, p->n->project, PROJECT_KIND, p->n->project};
    const struct absence *a;
    struct wh_err err;

    a = held ? NULL : absences_note(env->absences, &key, 1, wh_clock_now_ms(&env->clock), proof);
    if (!proof || (!held && (a == NULL || !absence_proved(a, env->limits.confirm_ms)))) {
        return false;
    }
    p->reason = reason;
    return client_get(k->run.client, WH_LIT("/api/v4/user"), on_instance, p, &err) == WH_OK;
}

static void on_presence(void *ctx, const struct client_answer *a)
{
    struct check_presence *p = ctx;
    struct check *k = p->check;
    /* GitLab answers 404 for hidden projects too. Only an earlier mark proves a removal. */
    bool marked = number_set_get(p->n->set, 1).confidential;

    switch (a->outcome) {
    case CLIENT_OK:
        if (!left(k, a)) {
            absences_remove(k->env->absences, absence_of(k, p->n));
        } else if (not_there(p, true, "out_of_scope")) {
            return;
        }
        break;
    case CLIENT_GONE:
        if (not_there(p, true, marked ? "project_removed" : "lost_access")) {
            return;
        }
        break;
    case CLIENT_DENIED:
        (void)not_there(p, false, "lost_access");
        break;
    case CLIENT_SIGN_IN:
    case CLIENT_REFUSED:
    case CLIENT_FAILED:
    default:
        k->result.ok = false;
        break;
    }
    presence_end(p);
}

static void ask_presence(struct check *k, struct numbers *n)
{
    struct check_presence *p = wh_mem_zalloc(1, sizeof(*p));
    struct wh_err err;

    if (p == NULL) {
        k->result.ok = false;
        return;
    }
    p->check = k;
    p->n = n;
    p->next = k->presences;
    k->presences = p;
    (void)snprintf(p->path, sizeof(p->path), "/api/v4/projects/%s", n->project);
    if (client_get(k->run.client, wh_slice_str(p->path), on_presence, p, &err) != WH_OK) {
        k->result.ok = false;
        presence_free(p);
    }
}

/* True when the list of projects is known: from this member, or from the one that reads it. */
static bool list_known(const struct check *k)
{
    if (owns(k, NULL)) {
        return true;
    }
    for (const struct project *p = k->run.projects->first; p; p = p->next) {
        if (p->listed_run == k->run.started_ms) {
            return true;
        }
    }
    return false;
}

static void ask_presences(struct check *k)
{
    const struct numbers_table *t = k->env->numbers;
    bool known = list_known(k) && k->env->by_rest(k->env->ctx, 0);

    for (struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        enum number_fate fate;

        if (n->stream != NUMBERS_PROJECT || !ours(k, n)) {
            continue;
        }
        fate = number_set_get(n->set, 1).fate;
        n->lost = NULL;
        if (known && (fate == NUMBER_HAVE || fate == NUMBER_HELD) &&
            listed(k, n->project) == NULL) {
            ask_presence(k, n);
        } else if (known) {
            absences_remove(k->env->absences, absence_of(k, n));
        }
    }
}

/* ---- jobs ---- */

/* The index of the stream in streams.h. */
static unsigned index_of(enum numbers_stream stream)
{
    unsigned i = 0;

    while (i < STREAMS - 1 && numbers_stream_of(i) != stream) {
        i++;
    }
    return i;
}

static bool by_rest(const struct check *k, enum numbers_stream stream)
{
    return k->env->by_rest(k->env->ctx, index_of(stream));
}

/* Tools say of issues and merge requests whether they are there. */
static const char *tool_of(const struct check *k, enum numbers_stream stream)
{
    return stream < NUMBERS_PROOF && k->run.mcp ? k->env->tool(k->env->ctx, index_of(stream))
                                                : NULL;
}

static void on_progress(void *ctx)
{
    check_pump(ctx);
}

static bool is_unsure(const struct check *k, const struct numbers *n)
{
    return absences_next(k->env->absences, k->env->connection, n->project,
                         numbers_stream_kind(n->stream), "") != NULL;
}

/* ret_tool: the tool that lists the stream; NULL: REST lists it. */
static bool next_job(struct check *k, struct check_job_conf *ret, const char **ret_tool)
{
    while (k->project) {
        struct project *p = k->project;
        enum numbers_stream s = (enum numbers_stream)k->stream;

        if (++k->stream == NUMBERS_PROJECT) {
            k->stream = 0;
            k->project = p->next;
        }
        *ret_tool = by_rest(k, s) ? NULL : tool_of(k, s);
        if (!is_listed(k, p) || p->skipped[0] || !owns(k, p->id) || !(by_rest(k, s) || *ret_tool)) {
            continue;
        }
        *ret = (struct check_job_conf){
            .env = k->env,
            .run = &k->run,
            .result = &k->result,
            .progress = on_progress,
            .ctx = k,
            .project = p,
            .n = numbers_of(k->env->numbers, k->env->connection, p->id, s, true),
            .list = k->run.sweep || k->run.confirm || p->relist,
            .thorough = k->run.thorough || k->run.confirm,
        };
        if (ret->n &&
            (ret->list || is_unsure(k, ret->n) ||
             (s < NUMBERS_PROOF && !*ret_tool && number_set_counts(ret->n->set).missing > 0))) {
            return true;
        }
    }
    return false;
}

static bool start_job(struct check *k, const struct check_job_conf *conf, const char *tool)
{
    return tool ? check_tool_start(&k->tools, conf, tool) : check_job_start(&k->jobs, conf);
}

static size_t jobs_open(const struct check *k)
{
    return k->jobs.n + k->tools.n;
}

static void run_jobs(struct check *k)
{
    struct check_job_conf conf;
    const char *tool;

    do {
        while (jobs_open(k) < k->env->limits.max_jobs && next_job(k, &conf, &tool)) {
            k->result.ok = start_job(k, &conf, tool) && k->result.ok;
        }
        k->result.ok = check_jobs_pump(&k->jobs) && k->result.ok;
        k->result.ok = check_tools_pump(&k->tools) && k->result.ok;
    } while (jobs_open(k) == 0 && k->project);
}

/* ---- publishing ---- */

static bool too_many(const struct check *k, int64_t held, int64_t known)
{
    const struct check_limits *limits = &k->env->limits;

    return !k->run.confirm && gone_too_many(held, known, limits->hold_min, limits->hold_percent);
}

/* What is gone with its whole project is one event, which only counts for the connection. */
static bool holds_alone(const struct check *k, const struct numbers *n)
{
    const struct numbers *project =
        numbers_of(k->env->numbers, k->env->connection, n->project, NUMBERS_PROJECT, false);
    struct number_counts counts = number_set_counts(n->set);

    return (project == NULL || project->lost == NULL) &&
           too_many(k, counts.held, counts.held + counts.have);
}

/* Holds the tombstones of a stream of a project when too many of its objects are gone at once, and all
 * of them when too many of the connection's are. */
static void decide(struct check *k)
{
    const struct numbers_table *t = k->env->numbers;
    int64_t held = 0;
    int64_t known = 0;
    bool all;

    for (const struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        if (ours(k, n)) {
            struct number_counts counts = number_set_counts(n->set);

            held += counts.held;
            known += counts.held + counts.have;
        }
    }
    all = too_many(k, held, known);
    k->result.decided = true;
    for (struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        if (ours(k, n)) {
            n->holds = all || holds_alone(k, n);
            k->result.held += n->holds ? number_set_counts(n->set).held : 0;
        }
    }
    k->next = numbers_next(t, NULL);
    k->published = 0;
}

/* Why the project of these numbers is gone. Returns false when this run has not found out. */
static bool know_lost(const struct check *k, const struct numbers *n, const char **ret_lost,
                      int64_t *ret_access)
{
    const struct project *p = listed(k, n->project);
    const struct numbers *project =
        numbers_of(k->env->numbers, k->env->connection, n->project, NUMBERS_PROJECT, false);

    *ret_lost = p || project == NULL ? NULL : project->lost;
    *ret_access = p ? p->access : 0;
    return p != NULL || *ret_lost != NULL;
}

/* Returns true when every tombstone is published; false while too many wait for Kafka. */
static bool publish_more(struct check *k)
{
    struct gone *gone = k->env->gone;
    struct wh_err err;

    while (k->next) {
        struct numbers *n = k->next;
        const char *lost;
        int64_t access;

        if (ours(k, n) && !n->holds && know_lost(k, n, &lost, &access)) {
            while (number_set_next(n->set, k->published, 1u << NUMBER_HELD, &k->published)) {
                struct number_set_entry e = number_set_get(n->set, k->published);

                if (gone_publish(gone, n, k->published, gone_reason(n->stream, &e, lost, access),
                                 &err) != WH_OK) {
                    k->result.ok = false;
                    return true;
                }
                k->result.tombstones++;
                if (gone_waiting(gone) >= PUBLISH_WINDOW || !outbox_has_room(k->env->outbox)) {
                    return false;
                }
            }
        }
        k->next = numbers_next(k->env->numbers, n);
        k->published = 0;
    }
    return true;
}

/* ---- the end ---- */

static void save_one(struct check *k, struct numbers *n)
{
    const struct project *p = listed(k, n->project);
    struct wh_err err;

    k->result.ok = k->env->save(k->env->ctx, n, &err) == WH_OK && k->result.ok;
    if (n->stream == NUMBERS_PROJECT) {
        k->env->publish(k->env->ctx, n->project, p && p->path ? p->path : "");
    }
}

/* Returns true when everything is saved; false while the outbox has no room. */
static bool save_more(struct check *k)
{
    for (; k->next; k->next = numbers_next(k->env->numbers, k->next)) {
        if (!ours(k, k->next)) {
            continue;
        }
        if (!outbox_has_room(k->env->outbox)) {
            return false;
        }
        save_one(k, k->next);
    }
    return true;
}

static void finish(struct check *k)
{
    const struct check_run run = k->run;
    const struct check_result result = k->result;

    for (struct project *p = run.projects->first; p; p = p->next) {
        p->relist = p->relist && !result.ok;
    }
    check_free(k);
    run.done(run.ctx, &result);
}

static void begin_absent(struct check *k)
{
    const struct check_absent_conf conf = {
        .env = k->env, .run = &k->run, .result = &k->result, .progress = on_progress, .ctx = k};

    k->step = STEP_ABSENT;
    if (k->env->by_rest(k->env->ctx, 0)) {
        k->absent = check_absent_new(&conf);
        k->result.ok = k->result.ok && k->absent != NULL;
    }
}

static void check_pump(struct check *k)
{
    const struct gone *gone = k->env->gone;

    if (k->env->stopping(k->env->ctx)) {
        return;
    }
    if (k->step == STEP_PROJECTS && k->presences == NULL) {
        k->step = STEP_JOBS;
    }
    if (k->step == STEP_JOBS) {
        run_jobs(k);
        if (jobs_open(k) == 0 && gone_waiting(gone) == 0) {
            begin_absent(k);
        }
    }
    if (k->step == STEP_ABSENT && (k->absent == NULL || check_absent_pump(k->absent))) {
        k->step = STEP_PUBLISH;
    }
    if (k->step == STEP_PUBLISH) {
        if (!k->result.decided) {
            decide(k);
        }
        if (publish_more(k)) {
            k->step = STEP_WAIT;
        }
    }
    if (k->step == STEP_WAIT && gone_waiting(gone) == 0) {
        k->step = STEP_SAVE;
        k->next = numbers_next(k->env->numbers, NULL);
    }
    if (k->step == STEP_SAVE && save_more(k)) {
        finish(k);
    }
}

static void on_wake(void *ctx)
{
    struct check *k = ctx;

    if (!k->begun) {
        k->begun = true;
        ask_presences(k);
    }
    check_pump(k);
}

void check_wake(struct check *k)
{
    wh_timer_start(k->wake, 0, 0);
}

struct check *check_start(const struct check_env *env, const struct check_run *run)
{
    struct check *k = wh_mem_zalloc(1, sizeof(*k));

    if (k == NULL) {
        return NULL;
    }
    *k = (struct check){
        .env = env, .run = *run, .result = {.ok = true}, .project = run->projects->first};
    k->wake = wh_timer_new(env->loop, on_wake, k);
    if (k->wake == NULL) {
        wh_mem_free(k);
        return NULL;
    }
    check_wake(k);
    return k;
}

void check_free(struct check *k)
{
    if (k == NULL) {
        return;
    }
    check_jobs_free(&k->jobs);
    check_tools_free(&k->tools);
    check_absent_free(k->absent);
    while (k->presences) {
        presence_free(k->presences);
    }
    wh_timer_free(k->wake);
    wh_mem_free(k);
}
