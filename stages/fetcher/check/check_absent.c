#include "stages/fetcher/check/check_absent_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"

enum { READS_IN_FLIGHT = 8, PATH_MAX_BYTES = 700 };

enum absent_step { ABSENT_ASK, ABSENT_PROVE, ABSENT_TELL };

struct absent_read {
    struct absent_read *next;
    struct check_absent *owner;
    char id[ABSENCE_ID_MAX];
    const char *kind;
};

struct check_absent {
    struct check_absent_conf conf;
    enum absent_step step;
    struct project *next;         /* the project after the present one */
    char project[PROJECT_ID_MAX]; /* the present one; "": what belongs to none */
    bool over;
    unsigned kind;           /* index of kinds */
    char at[ABSENCE_ID_MAX]; /* the absence of that kind that was requested last */
    struct absent_read *reads;
    unsigned n_reads;
    bool asking; /* for the project */
};

/* The address of each kind: below the project, except for users. */
static const struct {
    const char *kind;
    const char *resource;
    bool of_project;
} kinds[] = {
    {"membership", "members/all", true},
    {"milestone", "milestones", true},
    {"environment", "environments", true},
    {"release", "releases", true},
    {"job", "jobs", true},
    {"deployment", "deployments", true},
    {"user", "users", false},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool fits(const struct check_absent *x, unsigned kind)
{
    return kinds[kind].of_project == (x->project[0] != '\0');
}

static struct absence *next_absence(const struct check_absent *x, unsigned kind, const char *after)
{
    const struct check_env *env = x->conf.env;
    struct absence *a =
        absences_next(env->absences, env->connection, x->project, kinds[kind].kind, after);

    while (a && a->told) {
        a = absences_next(env->absences, env->connection, x->project, kinds[kind].kind, a->id);
    }
    return a;
}

/* ---- projects ---- */

/* The projects that this run has read and that this member works for; then what belongs to none. */
static void next_project(struct check_absent *x)
{
    const struct check_env *env = x->conf.env;

    x->step = ABSENT_ASK;
    x->kind = 0;
    x->at[0] = '\0';
    while (x->next) {
        const struct project *p = x->next;

        x->next = p->next;
        if (p->listed_run == x->conf.run->started_ms && p->skipped[0] == '\0' &&
            env->owns(env->ctx, p->id)) {
            (void)snprintf(x->project, sizeof(x->project), "%s", p->id);
            return;
        }
    }
    x->over = x->project[0] == '\0' || !env->owns(env->ctx, NULL);
    x->project[0] = '\0';
}

/* ---- single reads ---- */

static void read_free(struct absent_read *r)
{
    struct absent_read **link = &r->owner->reads;

    while (*link != r) {
        link = &(*link)->next;
    }
    *link = r->next;
    r->owner->n_reads--;
    wh_mem_free(r);
}

/* GitLab does not answer: nothing is known, and nothing else waits for it. */
static void no_answer(struct check_absent *x, const char *text, bool fatal)
{
    struct check_result *result = x->conf.result;

    (void)snprintf(result->error, sizeof(result->error), "checking what is missing: %.120s",
                   text ? text : "GitLab answers with errors");
    result->ok = result->ok && !fatal;
}

static void on_read(void *ctx, const struct client_answer *a)
{
    struct absent_read *r = ctx;
    struct check_absent *x = r->owner;
    const struct check_env *env = x->conf.env;
    const struct absence_key key = {env->connection, x->project, r->kind, r->id};
    int64_t now_ms = wh_clock_now_ms(&env->clock);

    switch (a->outcome) {
    case CLIENT_OK:
        absences_remove(env->absences, absences_find(env->absences, &key));
        break;
    case CLIENT_GONE:
    case CLIENT_DENIED:
    case CLIENT_REFUSED:
        (void)absences_note(env->absences, &key, 0, now_ms, a->outcome == CLIENT_GONE);
        break;
    case CLIENT_SIGN_IN:
    case CLIENT_FAILED:
    default:
        no_answer(x, a->error, a->outcome == CLIENT_SIGN_IN);
        break;
    }
    read_free(r);
    x->conf.progress(x->conf.ctx);
}

/* The last part of the id; a milestone of a group is read there. */
static enum wh_rc path_of(const struct check_absent *x, const struct absence *a, struct wh_buf *out,
                          struct wh_err *err)
{
    const char *last = strrchr(a->id, ':');
    enum wh_rc rc;

    if (strcmp(a->kind, "release") == 0) {
        last = strchr(a->id, ':'); /* a tag may contain colons */
    }
    if (!kinds[x->kind].of_project) {
        rc = wh_buf_printf(out, err, "/api/v4/%s/", kinds[x->kind].resource);
    } else if (a->number && strcmp(a->kind, "milestone") == 0) {
        rc = wh_buf_printf(out, err, "/api/v4/groups/%" PRId64 "/milestones/", a->number);
    } else {
        rc =
            wh_buf_printf(out, err, "/api/v4/projects/%s/%s/", x->project, kinds[x->kind].resource);
    }
    return rc == WH_OK ? wh_percent_encode(wh_slice_str(last ? last + 1 : a->id), out, err) : rc;
}

static void ask(struct check_absent *x, const struct absence *a)
{
    struct absent_read *r = wh_mem_zalloc(1, sizeof(*r));
    WH_AUTO(buf) struct wh_buf path;
    struct wh_err err;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (r == NULL) {
        no_answer(x, "no memory", true);
        return;
    }
    r->owner = x;
    r->kind = kinds[x->kind].kind;
    memcpy(r->id, a->id, sizeof(r->id));
    r->next = x->reads;
    x->reads = r;
    x->n_reads++;
    if (path_of(x, a, &path, &err) != WH_OK ||
        client_get(x->conf.run->client, wh_buf_slice(&path), on_read, r, &err) != WH_OK) {
        no_answer(x, err.msg, false);
        read_free(r);
    }
}

/* Returns true when all that are due were requested. */
static bool ask_more(struct check_absent *x)
{
    const struct check_env *env = x->conf.env;
    int64_t now_ms = wh_clock_now_ms(&env->clock);

    while (x->n_reads < READS_IN_FLIGHT && x->kind < KINDS) {
        const struct absence *a = fits(x, x->kind) ? next_absence(x, x->kind, x->at) : NULL;

        if (a == NULL) {
            x->kind++;
            x->at[0] = '\0';
            continue;
        }
        memcpy(x->at, a->id, sizeof(x->at));
        if (now_ms >= absence_due_ms(a, env->limits.confirm_ms)) {
            ask(x, a);
        }
    }
    return x->kind == KINDS;
}

/* ---- the proof ---- */

static int64_t count_proved(const struct check_absent *x, unsigned kind)
{
    const struct absence *a = fits(x, kind) ? next_absence(x, kind, "") : NULL;
    int64_t n = 0;

    for (; a; a = next_absence(x, kind, a->id)) {
        n += absence_proved(a, x->conf.env->limits.confirm_ms);
    }
    return n;
}

static void on_container(void *ctx, const struct client_answer *a)
{
    struct check_absent *x = ctx;

    x->asking = false;
    if (a->outcome == CLIENT_OK) {
        x->step = ABSENT_TELL;
    } else {
        next_project(x); /* the 404s may be about the credential */
    }
    x->conf.progress(x->conf.ctx);
}

static void ask_container(struct check_absent *x)
{
    char path[64] = "/api/v4/user";
    int64_t n = 0;
    struct wh_err err;

    for (unsigned k = 0; k < KINDS; k++) {
        n += count_proved(x, k);
    }
    if (x->project[0]) {
        (void)snprintf(path, sizeof(path), "/api/v4/projects/%s", x->project);
    }
    if (n > 0 &&
        client_get(x->conf.run->client, wh_slice_str(path), on_container, x, &err) == WH_OK) {
        x->asking = true;
        return;
    }
    next_project(x);
}

/* ---- tombstones ---- */

static void tell(struct check_absent *x, unsigned kind)
{
    const struct check_env *env = x->conf.env;
    int64_t n = count_proved(x, kind);
    bool holds = !x->conf.run->confirm &&
                 gone_too_many(n, env->known(env->ctx, x->project, kinds[kind].kind),
                               env->limits.hold_min, env->limits.hold_percent);
    char after[ABSENCE_ID_MAX] = "";
    struct absence *a = next_absence(x, kind, after);
    struct wh_err err;

    for (; a; a = next_absence(x, kind, after)) {
        memcpy(after, a->id, sizeof(after));
        if (!absence_proved(a, env->limits.confirm_ms)) {
            continue;
        }
        a->held = holds;
        if (holds) {
            x->conf.result->held++;
        } else if (gone_absence(env->gone, env->absences, a, &err) == WH_OK) {
            x->conf.result->tombstones++;
        } else {
            no_answer(x, err.msg, true);
            return;
        }
    }
}

static void tell_all(struct check_absent *x)
{
    for (unsigned k = 0; k < KINDS; k++) {
        if (fits(x, k)) {
            tell(x, k);
        }
    }
    next_project(x);
}

/* ---- the whole ---- */

struct check_absent *check_absent_new(const struct check_absent_conf *conf)
{
    struct check_absent *x = wh_mem_zalloc(1, sizeof(*x));

    if (x) {
        x->conf = *conf;
        x->next = conf->run->projects->first;
        (void)snprintf(x->project, sizeof(x->project), "-"); /* none yet */
        next_project(x);
    }
    return x;
}

bool check_absent_pump(struct check_absent *x)
{
    while (!x->over && !x->asking) {
        if (x->step == ABSENT_ASK) {
            if (!ask_more(x) || x->n_reads > 0) {
                return false;
            }
            x->step = ABSENT_PROVE;
        } else if (x->step == ABSENT_PROVE) {
            ask_container(x);
        } else {
            tell_all(x);
        }
    }
    return x->over && !x->asking;
}

void check_absent_free(struct check_absent *x)
{
    while (x && x->reads) {
        read_free(x->reads);
    }
    wh_mem_free(x);
}
