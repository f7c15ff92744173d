#include "stages/fetcher/conn/hooks.h"

#include <stdio.h>

#include "common/base/mem.h"

enum { PROJECTS_MAX = 20, PATH_MAX_BYTES = 96, UNTIL_MAX = 40 };

struct hooks {
    struct hooks_conf conf;
    const struct project *project; /* the next one to ask for */
    unsigned asked;
    unsigned answered; /* lists of hooks that we were allowed to see */
    enum hook_state worst;
    char until[UNTIL_MAX];
    char path[PATH_MAX_BYTES];
};

/* ---- answers ---- */

static bool leads_to_us(const struct hooks *h, struct wh_slice url)
{
    char end[80];

    (void)snprintf(end, sizeof(end), "/hooks/%s", h->conf.connection);
    return wh_slice_ends(url, wh_slice_str(end));
}

static void take_hook(struct hooks *h, struct wh_json_val hook, bool *ours)
{
    struct wh_json_val v;

    if (!wh_json_get(hook, WH_LIT("url"), &v) || !leads_to_us(h, wh_json_string(v))) {
        return;
    }
    *ours = true;
    if (!wh_json_get(hook, WH_LIT("alert_status"), &v) ||
        wh_slice_eq(wh_json_string(v), WH_LIT("executable"))) {
        return;
    }
    h->worst = HOOK_DISABLED;
    h->until[0] = '\0';
    if (wh_json_get(hook, WH_LIT("disabled_until"), &v) && wh_json_type(v) == WH_JSON_STRING) {
        (void)snprintf(
            h->until, sizeof(h->until), "%.*s",
            (int)(wh_json_string(v).len < UNTIL_MAX ? wh_json_string(v).len : UNTIL_MAX - 1),
            wh_json_string(v).ptr);
    }
}

static void take_list(struct hooks *h, struct wh_slice body)
{
    struct wh_json_iter it;
    struct wh_json_val list;
    struct wh_json_val hook;
    struct wh_slice key;
    struct wh_err err;
    bool ours = false;

    if (wh_json_parse(h->conf.parser, body, &list, &err) != WH_OK ||
        wh_json_type(list) != WH_JSON_ARRAY) {
        return;
    }
    h->answered++;
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &hook);) {
        take_hook(h, hook, &ours);
    }
    if (ours && h->worst == HOOK_UNKNOWN) {
        h->worst = HOOK_WORKS;
    }
}

/* ---- requests ---- */

static void on_answer(void *ctx, const struct client_answer *a);

/* Returns false when no further project can be asked for. */
static bool ask_next(struct hooks *h)
{
    struct wh_err err;

    while (h->project && h->asked < PROJECTS_MAX) {
        const struct project *p = h->project;

        h->project = p->next;
        if (p->listed_run == 0 || p->skipped[0]) {
            continue;
        }
        h->asked++;
        (void)snprintf(h->path, sizeof(h->path), "/api/v4/projects/%s/hooks?per_page=100", p->id);
        if (client_get(h->conf.client, wh_slice_str(h->path), on_answer, h, &err) == WH_OK) {
            return true;
        }
    }
    return false;
}

/* A project's list shows the hooks of the project alone: one that a group or the whole server has is
 * missing there, although it may work. */
static enum hook_state verdict(const struct hooks *h)
{
    return h->worst != HOOK_UNKNOWN ? h->worst : h->answered ? HOOK_MISSING : HOOK_UNKNOWN;
}

static void on_answer(void *ctx, const struct client_answer *a)
{
    struct hooks *h = ctx;

    if (a->outcome == CLIENT_OK) {
        take_list(h, wh_buf_slice(a->body));
    }
    if (!ask_next(h)) {
        h->conf.done(h->conf.ctx, verdict(h), h->until);
        wh_mem_free(h);
    }
}

struct hooks *hooks_start(const struct hooks_conf *conf)
{
    struct hooks *h = conf->client ? wh_mem_zalloc(1, sizeof(*h)) : NULL;

    if (h == NULL) {
        return NULL;
    }
    *h = (struct hooks){.conf = *conf, .project = conf->projects->first};
    if (!ask_next(h)) {
        wh_mem_free(h);
        return NULL;
    }
    return h;
}

void hooks_free(struct hooks *h)
{
    wh_mem_free(h);
}
