#include "stages/fetcher/access/sources.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/access/credential.h"
#include "stages/fetcher/access/parts_priv.h"
#include "stages/fetcher/gitlab/client.h"
#include "stages/fetcher/gitlab/streams.h"

enum { PATH_MAX_BYTES = 512, MISSING_MAX = 240, FIND_AGAIN_MS = 3600000 };

/* The tool that lists a stream, and the reason to give when the tool is missing. */
struct offer {
    const char *stream;
    const char *tool;
    const char *reason;
};

#define NEEDS "; connect with a read_api token too (--token-file)"
static const struct offer offers[] = {
    {"projects", "list_projects",
     "this GitLab lists no projects by MCP; name them (--project PATH)" NEEDS},
    {"members", "list_project_members", "GitLab lists members by MCP from 19.4 on" NEEDS},
    {"milestones", NULL, "GitLab has no MCP tool that lists milestones" NEEDS},
    {"environments", NULL, "GitLab has no MCP tool that lists environments" NEEDS},
    {"releases", "list_releases", "GitLab lists releases by MCP from 19.4 on" NEEDS},
    {"child_pipelines", NULL, "child pipelines are read by REST only" NEEDS},
    {"issues", "list_work_items", "GitLab lists work items by MCP from 19.4 on" NEEDS},
    {"merge_requests", "list_merge_requests",
     "GitLab lists merge requests by MCP from 19.3 on" NEEDS},
    {"pipelines", "list_pipelines", "GitLab lists pipelines by MCP from 19.3 on" NEEDS},
    {"deployments", NULL, "GitLab has no MCP tool that lists deployments" NEEDS},
};

struct probe {
    struct sources *sources;
    unsigned stream;
    char path[PATH_MAX_BYTES];
};

enum tools { TOOLS_KNOWN, TOOLS_OFF, TOOLS_UNKNOWN };

struct sources {
    const struct access *access;
    enum tools tools;
    struct source list[STREAMS];
    struct probe probes[STREAMS];
    bool rest_ok[STREAMS];
    bool outdated;
    bool looking;
    bool projects_known; /* at the latest decision */
    size_t n_probes;     /* requests without an answer yet */
    int64_t found_at_ms;
    struct wh_timer *timer;
    struct sources_wait *waits;   /* for the next decision, in their order */
    struct sources_wait *decided; /* their decision is made, and they are being called */
    struct wh_buf missing;
};

static void on_timer(void *ctx);

struct sources *sources_new(const struct access *a)
{
    struct sources *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->access = a;
    s->outdated = true;
    wh_buf_init(&s->missing, MISSING_MAX);
    s->timer = wh_timer_new(a->env.loop, on_timer, s);
    if (s->timer == NULL) {
        wh_mem_free(s);
        return NULL;
    }
    return s;
}

void sources_free(struct sources *s)
{
    if (s) {
        sources_stop(s);
        wh_timer_free(s->timer);
        wh_buf_done(&s->missing);
        wh_mem_free(s);
    }
}

void sources_outdated(struct sources *s)
{
    s->outdated = true;
}

void sources_stop(struct sources *s)
{
    wh_timer_stop(s->timer);
    s->waits = NULL;
    s->decided = NULL;
    s->looking = false;
}

bool sources_any(const struct sources *s)
{
    return parts_have_token(s->access) || credential_there(s->access->credential);
}

bool sources_unanswered(const struct sources *s)
{
    return s->tools == TOOLS_UNKNOWN && sources_any(s);
}

const struct source *source_of(const struct sources *s, unsigned stream)
{
    return &s->list[stream];
}

const char *source_word(const struct source *s)
{
    static const char *const words[] = {"none", "rest", "mcp"};

    return words[s->kind];
}

const char *sources_missing(const struct sources *s)
{
    return wh_buf_str(&s->missing);
}

const char *sources_state(const struct sources *s)
{
    bool projects = s->list[0].kind != SOURCE_NONE || s->access->env.projects->n > 0;
    bool work = false;

    for (unsigned i = 1; i < STREAMS; i++) {
        work = work || s->list[i].kind != SOURCE_NONE;
    }
    return projects && work && !s->access->token_refused ? "enabled" : "degraded";
}

/* ---- deciding ---- */

static const struct offer *offer_of(unsigned stream)
{
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        if (strcmp(offers[i].stream, streams[stream].name) == 0) {
            return &offers[i];
        }
    }
    return NULL;
}

static struct source choose(const struct sources *s, unsigned stream)
{
    const struct access *a = s->access;
    const struct offer *offer = offer_of(stream);

    if (parts_have_token(a) || s->rest_ok[stream]) {
        return (struct source){.kind = SOURCE_REST};
    }
    if (!sources_any(s)) {
        return (struct source){.reason = "no credential is left; connect again"};
    }
    if (offer == NULL) {
        /* The tool lists running pipelines together with all others. */
        return (struct source){.reason = "part of pipelines"};
    }
    if (offer->tool && a->mcp && mcp_tool_find(a->mcp, wh_slice_str(offer->tool))) {
        return (struct source){.kind = SOURCE_MCP, .tool = offer->tool};
    }
    if (s->tools == TOOLS_KNOWN || offer->tool == NULL) {
        return (struct source){.reason = offer->reason};
    }
    return (struct source){.reason = s->tools == TOOLS_OFF
                                         ? "GitLab's MCP server is off, or refuses this token" NEEDS
                                         : "GitLab's MCP server does not answer now"};
}

static void note_missing(struct sources *s)
{
    struct wh_err err;

    wh_buf_reset(&s->missing);
    for (unsigned i = 0; i < STREAMS; i++) {
        bool named = i == 0 && s->access->env.doc->projects.len > 0;

        if (s->list[i].kind == SOURCE_NONE && offer_of(i) && !named) {
            (void)!wh_buf_printf(&s->missing, &err, "%s%s",
                                 s->missing.len ? ", " : "not read: ", streams[i].name);
        }
    }
    if (s->missing.len) {
        (void)!wh_buf_printf(&s->missing, &err, " (wants a read_api token)");
    }
    if (s->access->token_refused) {
        (void)!wh_buf_printf(&s->missing, &err, "%sGitLab refuses the read_api token",
                             s->missing.len ? "; " : "");
    }
    if (s->access->env.doc->oauth_sealed.len && !credential_there(s->access->credential)) {
        (void)!wh_buf_printf(&s->missing, &err,
                             "%sthe approval has ended, connect again to renew it",
                             s->missing.len ? "; " : "");
    }
}

static void found(struct sources *s)
{
    struct sources_wait *wait;

    for (unsigned i = 0; i < STREAMS; i++) {
        s->list[i] = choose(s, i);
    }
    note_missing(s);
    s->outdated = s->tools == TOOLS_UNKNOWN;
    s->looking = false;
    s->found_at_ms = wh_clock_now_ms(&s->access->env.clock);
    s->decided = s->waits;
    s->waits = NULL;
    while ((wait = s->decided) != NULL) {
        s->decided = wait->next;
        wait->fn(wait->ctx);
    }
}

/* ---- asking GitLab ---- */

static void on_probe(void *ctx, const struct client_answer *a)
{
    struct probe *p = ctx;
    struct sources *s = p->sources;

    s->rest_ok[p->stream] = a->outcome == CLIENT_OK;
    s->n_probes--;
    if (s->n_probes == 0 && s->looking) {
        found(s);
    }
}

static void probe(struct sources *s, unsigned stream, const char *project)
{
    struct probe *p = &s->probes[stream];
    const char *path = streams[stream].path;
    struct wh_err err;

    p->sources = s;
    p->stream = stream;
    if (stream == 0) {
        (void)snprintf(p->path, sizeof(p->path), "/api/v4/projects?membership=true&per_page=1");
    } else {
        (void)snprintf(p->path, sizeof(p->path), "/api/v4/projects/%s%s%cper_page=1", project, path,
                       strchr(path, '?') ? '&' : '?');
    }
    if (client_get(s->access->client, wh_slice_str(p->path), on_probe, p, &err) == WH_OK) {
        s->n_probes++;
    }
}

/* Requests one row of each REST route to learn which ones take the OAuth token. */
static void probe_rest(struct sources *s)
{
    const struct project *project = s->access->env.projects->first;

    memset(s->rest_ok, 0, sizeof(s->rest_ok));
    s->projects_known = project != NULL;
    if (s->access->client == NULL) {
        found(s);
        return;
    }
    s->n_probes = 1; /* so that no answer ends this before all are sent */
    probe(s, 0, NULL);
    for (unsigned i = 1; i < STREAMS && project; i++) {
        probe(s, i, project->id);
    }
    s->n_probes--;
    if (s->n_probes == 0) {
        found(s);
    }
}

static void on_tools(void *ctx, const struct mcp_answer *a)
{
    struct sources *s = ctx;

    s->tools = a->outcome == MCP_OK                                      ? TOOLS_KNOWN
               : a->outcome == MCP_NOT_THERE || a->outcome == MCP_DENIED ? TOOLS_OFF
                                                                         : TOOLS_UNKNOWN;
    if (a->outcome != MCP_OK) {
        wh_log_warn(s->access->env.log, "tools of the MCP server not available",
                    WH_STR("connection", s->access->env.connection),
                    WH_STR("err", a->error ? a->error : ""));
    }
    probe_rest(s);
}

static bool known(const struct sources *s)
{
    int64_t age = wh_clock_now_ms(&s->access->env.clock) - s->found_at_ms;
    bool by_token = parts_have_token(s->access);

    return !s->outdated &&
           (by_token ||
            ((s->projects_known || s->access->env.projects->first == NULL) && age < FIND_AGAIN_MS));
}

/* Adds the projects that a person named, since a source may not list them. */
static void take_named(const struct access_env *env)
{
    struct wh_slice rest = env->doc->projects;

    while (rest.len) {
        const char *space = memchr(rest.ptr, ' ', rest.len);
        size_t n = space ? (size_t)(space - rest.ptr) : rest.len;

        if (n) {
            (void)projects_add(env->projects, wh_slice(rest.ptr, n));
        }
        rest = wh_slice_from(rest, n + 1);
    }
}

static void on_timer(void *ctx)
{
    struct sources *s = ctx;
    struct wh_err err;

    take_named(&s->access->env);
    if (parts_have_token(s->access)) {
        s->tools = TOOLS_KNOWN; /* not needed */
    }
    if (known(s) || parts_have_token(s->access) || !credential_there(s->access->credential)) {
        found(s);
    } else if (mcp_list_tools(s->access->mcp, on_tools, s, &err) != WH_OK) {
        probe_rest(s);
    }
}

void sources_find(struct sources *s, struct sources_wait *wait, void (*fn)(void *ctx), void *ctx)
{
    struct sources_wait **link = &s->waits;

    while (*link && *link != wait) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        *wait = (struct sources_wait){.fn = fn, .ctx = ctx};
        *link = wait;
    }
    if (!s->looking) {
        s->looking = true;
        wh_timer_start(s->timer, 0, 0);
    }
}
