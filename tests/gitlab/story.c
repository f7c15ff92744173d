#include "tests/gitlab/story.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/mem.h"

enum {
    MINUTE_MS = 60000,
    DAY_MS = 86400000,
    TOLD_MAX = 64,
    FIRST_PROJECT_ID = 9001,
    DEPLOYS = 9, /* of each service, one a week */
    LAST_TUESDAY = 0,
    OPS = 0, /* the project of most incidents */
    CHECKOUT = 1,
    PAYMENTS = 2,
    NO_TIME = -1,
    JOB_DEPLOY = 5,
    SOURCE_PUSH = 0,
    MAINTAINER = 40
};

enum postmortem { PM_NONE, PM_LABEL, PM_HEADING };

struct follow_up {
    const char *title;
    bool open;
};

/* Times are minutes after the start. */
struct incident {
    const char *title;
    const char *services; /* part of the description; NULL: it names none */
    const char *labels[GL_TOLD_LABELS];
    struct follow_up follow_ups[2];
    int day; /* negative: days before today */
    int at;  /* minutes after midnight, UTC */
    int detected;
    int mitigated;
    int restored; /* NO_TIME: still open */
    int project;
    int rolled_back; /* a rollback of the project's production; NO_TIME: none */
    uint8_t severity;
    bool lines;  /* the description states the times */
    bool revert; /* the rollback was a merge request that closes the incident */
    enum postmortem postmortem;
};

static const struct {
    const char *name;
    const char *path;
} projects[GL_STORY_PROJECTS] = {{"Incidents", "ops/incidents"},
                                 {"Checkout API", "shop/checkout-api"},
                                 {"Payments", "shop/payments"},
                                 {"Catalog", "shop/catalog"},
                                 {"Accounts", "shop/accounts"},
                                 {"Search", "shop/search"},
                                 {"Notifications", "shop/notifications"},
                                 {"Warehouse", "shop/warehouse"},
                                 {"Ledger", "shop/ledger"}};

static const struct {
    const char *name;
    const char *username;
} people[GL_STORY_PEOPLE] = {{"Dana Whitfield", "dana"},     {"Marek Havel", "marek.havel"},
                             {"Sofia Lindqvist", "sofia"},   {"Tom Okonkwo", "tokonkwo"},
                             {"Iris Brandt", "iris"},        {"Jun Watanabe", "jun.w"},
                             {"Release Bot", "release-bot"}, {"Lena Fischer", "lena"}};

static const struct incident incidents[] = {
    {.title = "Checkout times out for customers in Europe",
     .services = "## Affected services\\n\\n- Checkout API\\n- Payments\\n",
     .labels = {"incident"},
     .day = -58,
     .at = 9 * 60 + 10,
     .detected = 6,
     .mitigated = 35,
     .restored = 52,
     .lines = true,
     .severity = 4,
     .rolled_back = NO_TIME,
     .postmortem = PM_HEADING,
     .follow_ups = {{"Raise the connection limit of checkout", false},
                    {"Alert on slow payment calls", false}}},
    {.title = "Search results are empty",
     .labels = {"incident", "service::search"},
     .day = -51,
     .at = 13 * 60 + 30,
     .detected = 15,
     .mitigated = NO_TIME,
     .restored = 95,
     .lines = true,
     .severity = 3,
     .rolled_back = NO_TIME,
     .postmortem = PM_LABEL,
     .follow_ups = {{"Check the index after each rebuild", false}}},
    {.title = "Card payments are declined",
     .labels = {"incident"},
     .day = -44,
     .at = 18 * 60 + 5,
     .detected = 3,
     .mitigated = 22,
     .restored = 41,
     .lines = true,
     .severity = 4,
     .project = PAYMENTS,
     .rolled_back = 30,
     .follow_ups = {{"Test the card gateway in staging", true}}},
    {.title = "Notification e-mails are late",
     .labels = {"incident", "notify"},
     .day = -38,
     .at = 8 * 60,
     .detected = NO_TIME,
     .mitigated = NO_TIME,
     .restored = 180,
     .severity = 2,
     .rolled_back = NO_TIME},
    {.title = "Login fails with single sign-on",
     .services = "## Services\\n\\n- [Accounts](https://wiki.example.com/accounts)\\n- Auth "
                 "gateway\\n- [ ] Web frontend\\n",
     .labels = {"incident"},
     .day = -31,
     .at = 7 * 60 + 45,
     .detected = 10,
     .mitigated = 30,
     .restored = 64,
     .lines = true,
     .severity = 3,
     .rolled_back = NO_TIME,
     .postmortem = PM_HEADING,
     .follow_ups = {{"Renew the signing certificate by a job", true},
                    {"Show the expiry on the status page", false}}},
    {.title = "Stock counts drift in the warehouse",
     .services = "Environment: warehouse-eu\\n",
     .labels = {"incident"},
     .day = -27,
     .at = 22 * 60 + 10,
     .detected = 120,
     .mitigated = NO_TIME,
     .restored = 600,
     .lines = true,
     .severity = 1,
     .rolled_back = NO_TIME},
    {.title = "Baskets lose items after a deployment",
     .labels = {"incident"},
     .day = -23,
     .at = 10 * 60 + 20,
     .detected = 12,
     .mitigated = NO_TIME,
     .restored = 48,
     .lines = true,
     .severity = 3,
     .project = CHECKOUT,
     .rolled_back = 40,
     .revert = true,
     .postmortem = PM_LABEL,
     .follow_ups = {{"Compare baskets before and after a deployment", true}}},
    {.title = "Catalog pages are slow",
     .labels = {"incident", "service::catalog", "severity::2"},
     .day = -19,
     .at = 15 * 60,
     .detected = NO_TIME,
     .mitigated = NO_TIME,
     .restored = 150,
     .severity = 0,
     .rolled_back = NO_TIME},
    {.title = "Partner API answers with errors",
     .services = "**Services**\\n\\nPartner API\\n",
     .labels = {"incident"},
     .day = -16,
     .at = 11 * 60 + 40,
     .detected = 2,
     .mitigated = 20,
     .restored = 33,
     .lines = true,
     .severity = 2,
     .rolled_back = NO_TIME},
    {.title = "Invoices were sent twice",
     .services = "Affected services:\\n\\n* Invoicing\\n* ledger\\n",
     .labels = {"incident"},
     .day = -13,
     .at = 6 * 60 + 30,
     .detected = 90,
     .mitigated = 120,
     .restored = 240,
     .lines = true,
     .severity = 3,
     .rolled_back = NO_TIME,
     .postmortem = PM_HEADING,
     .follow_ups = {{"Make the invoice run idempotent", true}, {"Refund the fees", true}}},
    {.title = "Push notifications stopped",
     .services = "## Affected services\\n\\n- Push\\n",
     .labels = {"incident"},
     .day = -11,
     .at = 16 * 60 + 20,
     .detected = 25,
     .mitigated = NO_TIME,
     .restored = NO_TIME,
     .lines = true,
     .severity = 1,
     .rolled_back = NO_TIME},
    {.title = "Checkout and payments fail at peak",
     .services = "## Affected services\\n\\n- Checkout API\\n- Payments\\n",
     .labels = {"incident", "service::ledger"},
     .day = LAST_TUESDAY,
     .at = 14 * 60 + 5,
     .detected = 4,
     .mitigated = 31,
     .restored = 58,
     .lines = true,
     .severity = 4,
     .rolled_back = NO_TIME,
     .postmortem = PM_HEADING,
     .follow_ups = {{"Add capacity before the season", true},
                    {"Shed load when the queue is full", false}}},
};

struct story {
    struct gl_model *model;
    int64_t today_ms;
    bool failed;
};

/* Midnight (UTC) of the incident's day. */
static int64_t day_of(const struct story *s, const struct incident *in)
{
    int64_t weekday = (s->today_ms / DAY_MS + 4) % 7; /* 1970 began on a Thursday; Sunday is 0 */
    int64_t back = (weekday - 2 + 7) % 7;

    if (in->day == LAST_TUESDAY) {
        return s->today_ms - (back ? back : 7) * DAY_MS;
    }
    return s->today_ms + (int64_t)in->day * DAY_MS;
}

/* ---- objects ---- */

static struct gl_obj *add(struct story *s, struct gl_project *project, enum gl_kind kind,
                          struct gl_obj obj)
{
    struct gl_obj *added;

    obj.id = s->model->next_id[kind] += 2;
    obj.iid = (int64_t)project->sets[kind].n + 1;
    added = gl_set_add(&project->sets[kind], &obj);
    s->failed = s->failed || added == NULL;
    return added;
}

/* An object's own words; NULL when there is no memory. */
static struct gl_told *tell(struct story *s, struct gl_project *project, struct gl_obj *obj)
{
    if (project->told == NULL) {
        project->told = wh_mem_zalloc(TOLD_MAX, sizeof(*project->told));
    }
    if (project->told == NULL || project->n_told == TOLD_MAX) {
        s->failed = true;
        return NULL;
    }
    obj->told = ++project->n_told;
    return &project->told[obj->told - 1];
}

WH_PRINTF(2, 3) static void say(char body[GL_TOLD_BODY], const char *format, ...)
{
    size_t used = strlen(body);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(body + used, GL_TOLD_BODY - used, format, ap);
    va_end(ap);
}

static void say_time(char body[GL_TOLD_BODY], const char *what, int64_t at_ms)
{
    char text[WH_TIME_TEXT_MAX];

    wh_time_format(at_ms, text);
    say(body, "%s: %.10s %.5s UTC\\n", what, text, text + 11);
}

static struct gl_obj *add_issue(struct story *s, struct gl_project *project, const char *title,
                                int64_t at_ms, int64_t closed_ms, uint32_t author)
{
    struct gl_obj *issue = add(s, project, GL_ISSUE,
                               (struct gl_obj){.created_ms = at_ms,
                                               .updated_ms = closed_ms ? closed_ms : at_ms,
                                               .finished_ms = closed_ms,
                                               .author = author,
                                               .assignee = (author + 1) % GL_STORY_PEOPLE,
                                               .reviewer = GL_NOBODY,
                                               .actor = closed_ms ? author : GL_NOBODY,
                                               .state = closed_ms ? GL_S_CLOSED : GL_S_OPENED});
    struct gl_told *told = issue ? tell(s, project, issue) : NULL;

    if (told == NULL) {
        return NULL;
    }
    (void)snprintf(told->title, sizeof(told->title), "%s", title);
    return issue;
}

static void relate(struct story *s, struct gl_project *project, uint32_t from, uint32_t to)
{
    struct gl_link link = {.id = ++s->model->next_link_id,
                           .source = from,
                           .target = to,
                           .created_ms = project->sets[GL_ISSUE].items[to].created_ms};

    s->failed = s->failed || !gl_links_add(project, &link);
}

/* ---- deployments ---- */

static uint64_t commit(const struct gl_project *project, unsigned week)
{
    return gl_mix((uint64_t)project->id << 8 ^ week);
}

/* A pipeline that ran three jobs and deployed to production. */
static uint32_t add_pipeline(struct story *s, struct gl_project *project, int64_t at_ms,
                             uint64_t sha, uint32_t author)
{
    static const uint8_t jobs[] = {0, 1, JOB_DEPLOY};
    struct gl_obj *pipeline = add(s, project, GL_PIPELINE,
                                  (struct gl_obj){.created_ms = at_ms,
                                                  .updated_ms = at_ms + 9 * MINUTE_MS,
                                                  .started_ms = at_ms + 1000,
                                                  .finished_ms = at_ms + 9 * MINUTE_MS,
                                                  .author = author,
                                                  .first_job = project->sets[GL_JOB].n,
                                                  .n_jobs = sizeof(jobs),
                                                  .type = SOURCE_PUSH,
                                                  .state = GL_S_SUCCESS});
    uint32_t pos = project->sets[GL_PIPELINE].n - 1;
    struct gl_told *told = pipeline ? tell(s, project, pipeline) : NULL;

    if (told) {
        told->sha = sha;
    }
    for (unsigned i = 0; i < sizeof(jobs); i++) {
        int64_t start = at_ms + 2000 + (int64_t)i * 3 * MINUTE_MS;

        (void)add(s, project, GL_JOB,
                  (struct gl_obj){.created_ms = at_ms + i,
                                  .updated_ms = start + 2 * MINUTE_MS,
                                  .started_ms = start,
                                  .finished_ms = start + 2 * MINUTE_MS,
                                  .author = author,
                                  .parent = pos,
                                  .type = jobs[i],
                                  .state = GL_S_SUCCESS});
    }
    return pos;
}

/* Deploys the commit of a pipeline to production, for the first time or again. */
static void deploy(struct story *s, struct gl_project *project, uint32_t pipeline, int64_t end_ms,
                   uint32_t author)
{
    const struct gl_obj *p = &project->sets[GL_PIPELINE].items[pipeline];

    (void)add(s, project, GL_DEPLOYMENT,
              (struct gl_obj){.created_ms = end_ms - 2 * MINUTE_MS,
                              .updated_ms = end_ms + 3,
                              .finished_ms = end_ms,
                              .author = author,
                              .parent = p->first_job + p->n_jobs - 1u,
                              .state = GL_S_SUCCESS});
}

/* A merge request that reverts the newest deployment and closes the incident, the project's first issue. */
static void revert(struct story *s, struct gl_project *project, uint32_t incident, int64_t end_ms)
{
    uint64_t sha = commit(project, 100 + incident);
    int64_t merged_ms = end_ms - 12 * MINUTE_MS;
    struct gl_obj *mr = add(s, project, GL_MR,
                            (struct gl_obj){.created_ms = merged_ms - 5 * MINUTE_MS,
                                            .updated_ms = merged_ms,
                                            .finished_ms = merged_ms,
                                            .author = 1,
                                            .assignee = 1,
                                            .reviewer = 0,
                                            .actor = 0,
                                            .parent = incident + 1,
                                            .state = GL_S_MERGED});
    struct gl_told *told = mr ? tell(s, project, mr) : NULL;
    uint32_t pipeline;

    if (told == NULL) {
        return;
    }
    told->sha = sha;
    (void)snprintf(told->title, sizeof(told->title), "Revert \\\"Keep baskets in the cache\\\"");
    say(told->body, "This reverts commit 4be6ae5d7f0f6ef0f2b3a7f3fb4a1e4c0a6c1d11.\\n\\n");
    pipeline = add_pipeline(s, project, merged_ms + 1000, sha, 1);
    deploy(s, project, pipeline, end_ms, 1);
}

static void roll_back(struct story *s, struct gl_project *project, const struct incident *in,
                      int64_t end_ms)
{
    if (in->revert) {
        revert(s, project, 0, end_ms);
        return;
    }
    /* The last pipeline but one runs its deploy job again. */
    deploy(s, project, project->sets[GL_PIPELINE].n - 2, end_ms, 1);
}

/* ---- incidents ---- */

static void describe(const struct incident *in, int64_t start_ms, struct gl_told *told)
{
    const struct {
        const char *what;
        int at;
    } lines[] = {{"Started", 0},
                 {"Detected", in->detected},
                 {"Mitigated", in->mitigated},
                 {"Restored", in->restored}};

    say(told->body, "%s.\\n\\n", in->title);
    for (size_t i = 0; in->lines && i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].at != NO_TIME) {
            say_time(told->body, lines[i].what, start_ms + (int64_t)lines[i].at * MINUTE_MS);
        }
    }
    say(told->body, "\\n%s", in->services ? in->services : "");
    memcpy(told->labels, in->labels, sizeof(told->labels));
}

static void add_postmortem(struct story *s, struct gl_project *project, const struct incident *in,
                           uint32_t incident, int64_t at_ms)
{
    char title[GL_TOLD_TITLE];
    struct gl_obj *issue;
    struct gl_told *told;

    (void)snprintf(title, sizeof(title), "What happened: %s", in->title);
    issue = add_issue(s, project, title, at_ms, at_ms + DAY_MS, 2);
    if (issue == NULL) {
        return;
    }
    told = &project->told[issue->told - 1];
    if (in->postmortem == PM_LABEL) {
        told->labels[0] = "postmortem";
        say(told->body, "What we learned is written down below.\\n");
    } else {
        say(told->body, "## Root cause\\n\\nA limit was too low.\\n\\n## Timeline\\n\\nSee the "
                        "incident.\\n");
    }
    relate(s, project, incident, gl_set_pos(&project->sets[GL_ISSUE], issue));
}

static void add_incident(struct story *s, const struct incident *in)
{
    struct gl_project *project = &s->model->projects[s->model->n_generated + (uint32_t)in->project];
    int64_t start_ms = day_of(s, in) + (int64_t)in->at * MINUTE_MS;
    int64_t noticed = in->detected == NO_TIME ? 0 : (int64_t)in->detected * MINUTE_MS;
    int64_t created_ms = in->lines ? start_ms + noticed + MINUTE_MS : start_ms;
    int64_t end_ms = in->restored == NO_TIME ? 0 : start_ms + (int64_t)in->restored * MINUTE_MS;
    struct gl_obj *issue = add_issue(s, project, in->title, created_ms, end_ms, 0);
    uint32_t pos = project->sets[GL_ISSUE].n - 1;

    if (issue == NULL) {
        return;
    }
    issue->type = GL_T_INCIDENT;
    issue->severity = in->severity;
    describe(in, start_ms, &project->told[issue->told - 1]);
    if (in->postmortem != PM_NONE) {
        add_postmortem(s, project, in, pos, start_ms + DAY_MS / 2);
    }
    for (unsigned i = 0; i < 2 && in->follow_ups[i].title; i++) {
        int64_t at_ms = start_ms + DAY_MS / 2 + (int64_t)(i + 1) * 3600000;

        if (add_issue(s, project, in->follow_ups[i].title, at_ms,
                      in->follow_ups[i].open ? 0 : at_ms + 3600000, 3 + i)) {
            relate(s, project, pos, project->sets[GL_ISSUE].n - 1);
        }
    }
}

/* ---- projects and people ---- */

static bool rename_people(struct gl_model *model)
{
    for (uint32_t i = 0; i < GL_STORY_PEOPLE && i < model->n_users; i++) {
        struct gl_user *user = &model->users[i];

        wh_mem_free(user->name);
        wh_mem_free(user->username);
        user->name = wh_mem_dup(people[i].name, strlen(people[i].name));
        user->username = wh_mem_dup(people[i].username, strlen(people[i].username));
        if (user->name == NULL || user->username == NULL) {
            return false;
        }
    }
    return true;
}

static void add_members(struct story *s, struct gl_project *project)
{
    for (uint32_t u = 0; u < GL_STORY_PEOPLE; u++) {
        struct gl_obj member = {.id = s->model->users[u].id,
                                .created_ms = project->created_ms,
                                .updated_ms = project->created_ms,
                                .author = u,
                                .parent = u,
                                .type = MAINTAINER};

        s->failed = s->failed || gl_set_add(&project->sets[GL_MEMBER], &member) == NULL;
    }
}

static void add_environments(struct story *s, struct gl_project *project)
{
    for (unsigned i = 0; i < GL_ENVS; i++) {
        (void)add(s, project, GL_ENVIRONMENT,
                  (struct gl_obj){.created_ms = project->created_ms + i,
                                  .updated_ms = project->created_ms + i,
                                  .state = GL_S_AVAILABLE,
                                  .type = (uint8_t)i});
    }
}

/* A rollback between one week's deployment and the next, so that ids are in the order of time. */
static void add_rollback(struct story *s, struct gl_project *project, unsigned nth,
                         int64_t after_ms)
{
    for (size_t i = 0; i < sizeof(incidents) / sizeof(incidents[0]); i++) {
        const struct incident *in = &incidents[i];
        int64_t at_ms = day_of(s, in) + (int64_t)(in->at + in->rolled_back) * MINUTE_MS;

        if (in->project == (int)nth && in->rolled_back != NO_TIME && at_ms > after_ms &&
            at_ms <= after_ms + 7ll * DAY_MS) {
            roll_back(s, project, in, at_ms);
        }
    }
}

/* Deployed every week, the oldest first. */
static void add_weeks(struct story *s, struct gl_project *project, unsigned nth)
{
    for (unsigned week = 0; week < DEPLOYS; week++) {
        int64_t days = 7ll * (DEPLOYS - week) + 1;
        int64_t at_ms = s->today_ms - days * DAY_MS + (8ll * 60 + nth * 7) * MINUTE_MS;
        uint32_t pos = add_pipeline(s, project, at_ms, commit(project, week), 1 + nth % 5);

        deploy(s, project, pos, at_ms + 10 * MINUTE_MS, 1 + nth % 5);
        add_rollback(s, project, nth, at_ms);
    }
}

static void add_project(struct story *s, unsigned nth)
{
    struct gl_project *project = &s->model->projects[s->model->n_projects++];
    struct gl_obj obj = {.id = FIRST_PROJECT_ID + (int64_t)nth,
                         .created_ms = s->today_ms - 90ll * DAY_MS + nth * 1000ll,
                         .updated_ms = s->today_ms - 90ll * DAY_MS + nth * 1000ll};

    *project =
        (struct gl_project){.id = obj.id,
                            .name = wh_mem_dup(projects[nth].name, strlen(projects[nth].name)),
                            .path = wh_mem_dup(projects[nth].path, strlen(projects[nth].path)),
                            .created_ms = obj.created_ms};
    s->failed = s->failed || !project->name || !project->path ||
                gl_set_add(&s->model->project_set, &obj) == NULL;
    add_members(s, project);
    add_environments(s, project);
    if (nth != OPS) {
        add_weeks(s, project, nth);
    }
}

bool gl_story_add(struct gl_model *model, int64_t until_ms)
{
    struct story s = {.model = model, .today_ms = until_ms - until_ms % DAY_MS};

    if (!rename_people(model)) {
        return false;
    }
    for (unsigned i = 0; i < GL_STORY_PROJECTS && !s.failed; i++) {
        add_project(&s, i);
    }
    for (size_t i = 0; i < sizeof(incidents) / sizeof(incidents[0]) && !s.failed; i++) {
        add_incident(&s, &incidents[i]);
    }
    return !s.failed;
}
