/*
 * control.c - the control port: JSON over HTTP on loopback, no authentication. README.md lists it.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "tests/gitlab/scan.h"
#include "tests/gitlab/server.h"
#include "tests/gitlab/vanish.h"

enum { TICK_MS = 10, BURST_MAX = 2000, DEFAULT_LAST = 1000, MUTATE_MAX = 5000000 };

typedef void (*route_fn)(struct gl_server *s, struct wh_http_req *req, struct wh_slice body);

static void reply(struct wh_http_req *req, unsigned status, struct gl_out *out)
{
    gl_reply_json(req, status, out, NULL);
}

static void refuse(struct wh_http_req *req, unsigned status, const char *why)
{
    struct gl_out out = {0};

    gl_out_tpl(&out, "{'ok':false,'error':'%s','status':%d}\n", wh_slice_str(why), (int64_t)status);
    reply(req, status, &out);
}

static void ok(struct wh_http_req *req)
{
    struct gl_out out = {0};

    gl_out_str(&out, "{\"ok\":true}\n");
    reply(req, 200, &out);
}

static int64_t query_number(const struct wh_http_req *req, const char *name, int64_t otherwise)
{
    struct wh_err err;
    int64_t v;

    return wh_num_i64(wh_http_query(req, name), &v, &err) == WH_OK ? v : otherwise;
}

static bool is_get(const struct wh_http_req *req)
{
    return wh_slice_eq(wh_http_method(req), WH_LIT("GET"));
}

/* ---- changes ---- */

static enum gl_kind kind_named(struct wh_slice name)
{
    unsigned k = 0;

    while (k < GL_KIND_COUNT && !wh_slice_eq(name, wh_slice_str(gl_kind_name((enum gl_kind)k)))) {
        k++;
    }
    return (enum gl_kind)k;
}

static void mutate(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    int64_t count = gl_scan_int(body, "count", 1);
    int64_t seed = gl_scan_int(body, "seed", 0);
    int64_t project_id = gl_scan_int(body, "project", 0);
    enum gl_kind kind = kind_named(gl_scan_text(body, "kind"));
    const struct gl_project *project = gl_project_by_id(s->model, project_id);
    struct gl_out out = {0};
    int64_t made = 0;

    if (count < 0 || count > MUTATE_MAX) {
        refuse(req, 400, "count must be 0 to 5000000");
        return;
    }
    if (project_id && (project == NULL || project->recorded)) {
        refuse(req, 404, "no such project that may be changed");
        return;
    }
    if (seed) {
        s->model->random = gl_mix((uint64_t)seed);
    }
    for (int64_t i = 0; i < count; i++) {
        made += project ? gl_mutate_insert(s->model, (uint32_t)(project - s->model->projects), kind)
                        : gl_mutate(s->model);
    }
    gl_out_tpl(&out, "{'ok':true,'mutations':%d,'pending':%d,'now':%t}\n", made,
               (int64_t)gl_hooks_pending(s->hooks), s->model->last_ms);
    reply(req, 200, &out);
}

static void delete_object(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_project *project = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));
    enum gl_kind kind = kind_named(gl_scan_text(body, "kind"));

    if (project == NULL || kind == GL_KIND_COUNT ||
        !gl_delete(s->model, project, kind, gl_scan_int(body, "iid", 0))) {
        refuse(req, 404, "no such merge_request, issue, pipeline, milestone or member");
        return;
    }
    ok(req);
}

static void restore_object(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_project *project = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));
    enum gl_kind kind = kind_named(gl_scan_text(body, "kind"));

    if (project == NULL || kind == GL_KIND_COUNT ||
        !gl_restore(s->model, project, kind, gl_scan_int(body, "iid", 0))) {
        refuse(req, 404, "nothing of that kind and number was deleted");
        return;
    }
    ok(req);
}

static void rename_project(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_project *project = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));
    struct wh_err err;

    if (project == NULL ||
        gl_rename_project(s->model, project, gl_scan_text(body, "path"), &err) != WH_OK) {
        refuse(req, 400, "needs project and path (namespace/name)");
        return;
    }
    ok(req);
}

/* What becomes of a project: presence, archived and namespace, those that are named. */
static void change_project(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_project *project = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));
    struct wh_slice presence = gl_scan_text(body, "presence");
    struct wh_slice space = gl_scan_text(body, "namespace");
    enum gl_presence p = GL_HERE;
    struct wh_err err;

    if (project == NULL || (presence.len && !gl_presence_parse(presence, &p))) {
        refuse(req, 400,
               "needs project, and presence (here, unlisted, lost, removed), archived or "
               "namespace");
        return;
    }
    if ((presence.len && !gl_project_set_presence(s->model, project, p)) ||
        (space.len && gl_project_transfer(s->model, project, space, &err) != WH_OK)) {
        refuse(req, 400, "the project cannot be changed that way");
        return;
    }
    if (gl_scan(body, "archived").len) {
        gl_project_archive(s->model, project, gl_scan_bool(body, "archived", false));
    }
    ok(req);
}

static void push(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_project *project = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));

    if (project == NULL || !gl_push(s->model, project, gl_scan_int(body, "iid", 0),
                                    gl_scan_bool(body, "tell", false))) {
        refuse(req, 404, "no such open merge request in a project that may be changed");
        return;
    }
    ok(req);
}

/* Without id a new one; with id the end of one. */
static void pipeline(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    static const enum gl_state ends[] = {GL_S_SUCCESS, GL_S_FAILED, GL_S_CANCELED};
    struct gl_project *project = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));
    int64_t id = gl_scan_int(body, "id", 0);
    struct gl_out out = {0};
    bool done = false;

    if (project && !project->recorded && id == 0) {
        const struct gl_set *set = &project->sets[GL_PIPELINE];

        done = gl_mutate_insert(s->model, (uint32_t)(project - s->model->projects), GL_PIPELINE);
        id = set->n ? set->items[set->n - 1].id : 0;
    }
    for (size_t i = 0; project && !done && i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (wh_slice_eq(gl_scan_text(body, "state"), wh_slice_str(gl_state_name(ends[i])))) {
            done =
                gl_pipeline_end(s->model, project, id, ends[i], gl_scan_bool(body, "tell", true));
        }
    }
    if (!done) {
        refuse(req, 404,
               "needs project, and id and state (success, failed, canceled) of one that runs");
        return;
    }
    gl_out_tpl(&out, "{'ok':true,'id':%d}\n", id);
    reply(req, 200, &out);
}

static void hide(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_project *project = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));

    if (project == NULL || !gl_issue_hide(s->model, project, gl_scan_int(body, "iid", 0),
                                          gl_scan_bool(body, "hidden", true))) {
        refuse(req, 404, "no such issue in a project that may be changed");
        return;
    }
    ok(req);
}

static void move(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_project *from = gl_project_by_id(s->model, gl_scan_int(body, "project", 0));
    struct gl_project *to = gl_project_by_id(s->model, gl_scan_int(body, "to", 0));
    const struct gl_obj *made = from && to
                                    ? gl_issue_move(s->model, from, gl_scan_int(body, "iid", 0), to,
                                                    gl_scan_bool(body, "tell", false))
                                    : NULL;
    struct gl_out out = {0};

    if (made == NULL) {
        refuse(req, 404, "needs project, iid and to (another project)");
        return;
    }
    gl_out_tpl(&out, "{'ok':true,'id':%d,'iid':%d}\n", made->id, made->iid);
    reply(req, 200, &out);
}

static void set_clock(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_out out = {0};

    s->model->clock_offset_ms = gl_scan_int(body, "offset_ms", s->model->clock_offset_ms) +
                                gl_scan_int(body, "advance_ms", 0);
    gl_out_tpl(&out, "{'ok':true,'now':%t,'offset_ms':%d}\n", gl_now_ms(s->model),
               s->model->clock_offset_ms);
    reply(req, 200, &out);
}

/* ---- live events ---- */

void gl_control_live_tick(void *ctx)
{
    struct gl_server *s = ctx;
    unsigned burst = 0;

    if (wh_clock_mono_ns(&s->model->clock) >= s->live_until_ns) {
        wh_timer_stop(s->live);
        s->live_rate = 0;
        return;
    }
    s->live_due += s->live_rate * TICK_MS / 1000;
    while (s->live_due >= 1 && burst++ < BURST_MAX) {
        s->live_due -= 1;
        s->live_made += gl_mutate(s->model);
    }
}

static void live(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_out out = {0};

    if (!is_get(req)) {
        double seconds = gl_scan_number(body, "seconds", 1e9);

        s->live_rate = gl_scan_number(body, "rate", 1);
        s->live_due = 0;
        if (s->live_rate < 0 || s->live_rate > 100000 || seconds < 0 || seconds > 1e9) {
            s->live_rate = 0;
            refuse(req, 400, "rate must be 0 to 100000, seconds 0 to 1e9");
            return;
        }
        s->live_until_ns = wh_clock_mono_ns(&s->model->clock) + (int64_t)(seconds * 1e9);
        wh_timer_start(s->live, TICK_MS, TICK_MS);
    }
    gl_out_tpl(&out, "{'ok':true,'rate':%f,'made':%d,'pending':%d}\n", s->live_rate,
               (int64_t)s->live_made, (int64_t)gl_hooks_pending(s->hooks));
    reply(req, 200, &out);
}

/* ---- looking ---- */

static void status(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_out out = {0};

    (void)body;
    gl_out_tpl(&out,
               "{'ok':true,'url':'%s','users':%d,'projects':%d,'mutations':%d,'requests':%d,"
               "'writes':%d,'hooks':%b,'pending':%d,'now':%t}\n",
               wh_slice_str(s->model->base_url), (int64_t)s->model->n_users,
               (int64_t)s->model->n_projects, (int64_t)s->model->n_mutations,
               (int64_t)s->requests.total, (int64_t)s->requests.writes, (int)gl_hooks_on(s->hooks),
               (int64_t)gl_hooks_pending(s->hooks), s->model->last_ms);
    reply(req, 200, &out);
}

static void requests(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_out out = {0};

    if (!is_get(req)) {
        if (gl_scan_bool(body, "clear", false)) {
            gl_reqlog_clear(&s->requests);
        }
        ok(req);
        return;
    }
    gl_reqlog_render(&s->requests, query_number(req, "last", DEFAULT_LAST), &out);
    reply(req, 200, &out);
}

static void deliveries(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_out out = {0};

    (void)body;
    gl_hooks_render(s->hooks, query_number(req, "last", -1), &out);
    reply(req, 200, &out);
}

static void oracle(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    (void)body;
    gl_oracle_reply(s, req);
}

/* ---- settings ---- */

static void faults(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    const char *why = is_get(req) ? NULL : gl_faults_set(&s->faults, body);
    struct gl_out out = {0};

    if (why) {
        refuse(req, 400, why);
        return;
    }
    gl_faults_render(&s->faults, &out);
    reply(req, 200, &out);
}

static void hook(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct wh_err err;

    if (gl_hooks_set(s->hooks, gl_scan_text(body, "url"), gl_scan_text(body, "token"),
                     gl_scan_text(body, "signing_key"), &err) != WH_OK) {
        refuse(req, 400, "needs url, and token or signing_key (whsec_ and base64)");
        return;
    }
    gl_hooks_set_group(s->hooks, gl_scan_bool(body, "group", false));
    ok(req);
}

static void hook_state(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_hook_state *state = gl_hooks_state(s->hooks);

    if (gl_scan_bool(body, "enable", false)) {
        gl_hook_state_answer(state, true, 0);
    }
    state->disabled = gl_scan_bool(body, "disable", state->disabled);
    state->first_ms = gl_scan_int(body, "pause_ms", state->first_ms);
    ok(req);
}

/* Changes the token that the API accepts: the old one is refused from now on. */
static void token(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct wh_slice text = gl_scan_text(body, "token");
    char *copy = text.len ? wh_mem_dup(text.ptr, text.len) : NULL;

    if (copy == NULL) {
        refuse(req, 400, "needs token");
        return;
    }
    wh_mem_free(s->token);
    s->token = copy;
    s->token_sees_hooks = gl_scan_bool(body, "hooks", s->token_sees_hooks);
    ok(req);
}

/* ---- how this server differs, and what goes wrong with OAuth and MCP ---- */

static void quirks(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    const char *why = is_get(req) ? NULL : gl_quirks_set(&s->quirks, body);
    struct gl_out out = {0};

    if (why) {
        refuse(req, 400, why);
        return;
    }
    gl_quirks_render(&s->quirks, &out);
    reply(req, 200, &out);
}

static void answers(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    const char *why = is_get(req) ? NULL : gl_answers_set(&s->answers, body);
    struct gl_out out = {0};

    if (why) {
        refuse(req, 400, why);
        return;
    }
    gl_answers_render(&s->answers, &out);
    reply(req, 200, &out);
}

static void release(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_out out = {0};

    (void)body;
    gl_out_tpl(&out, "{'ok':true,'released':%d}\n", (int64_t)gl_answers_release(s));
    reply(req, 200, &out);
}

static void done_or(struct wh_http_req *req, const char *why)
{
    if (why) {
        refuse(req, 400, why);
    } else {
        ok(req);
    }
}

static void application(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    done_or(req, gl_oauth_add_app(s, body));
}

static void another_token(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    done_or(req, gl_oauth_add_pat(s, body));
}

static void oauth(struct gl_server *s, struct wh_http_req *req, struct wh_slice body)
{
    struct gl_out out = {0};

    if (!is_get(req)) {
        if (gl_scan_bool(body, "revoke", false) || gl_scan_bool(body, "expire", false)) {
            gl_oauth_end_tokens(s, gl_scan_bool(body, "revoke", false));
        }
        if (gl_scan_bool(body, "forget", false)) {
            gl_oauth_release(&s->oauth);
        }
        if (gl_scan_bool(body, "forget_sessions", false)) {
            gl_mcp_forget_sessions(&s->mcp);
        }
    }
    gl_oauth_render(s, &out);
    reply(req, 200, &out);
}

static const struct {
    const char *path;
    route_fn fn;
    bool get;
    bool post;
} routes[] = {
    {"/control/mutate", mutate, false, true},
    {"/control/delete", delete_object, false, true},
    {"/control/restore", restore_object, false, true},
    {"/control/project", change_project, false, true},
    {"/control/push", push, false, true},
    {"/control/pipeline", pipeline, false, true},
    {"/control/hide", hide, false, true},
    {"/control/move", move, false, true},
    {"/control/hook_state", hook_state, false, true},
    {"/control/rename", rename_project, false, true},
    {"/control/clock", set_clock, false, true},
    {"/control/live", live, true, true},
    {"/control/faults", faults, true, true},
    {"/control/hook", hook, false, true},
    {"/control/token", token, false, true},
    {"/control/tokens", another_token, false, true},
    {"/control/application", application, false, true},
    {"/control/oauth", oauth, true, true},
    {"/control/quirks", quirks, true, true},
    {"/control/answers", answers, true, true},
    {"/control/release", release, false, true},
    {"/control/requests", requests, true, true},
    {"/control/deliveries", deliveries, true, false},
    {"/control/oracle", oracle, true, false},
    {"/control/status", status, true, false},
    {"/live", status, true, false},
};

void gl_control_request(void *ctx, struct wh_http_req *req)
{
    struct gl_server *s = ctx;
    bool post = wh_slice_eq(wh_http_method(req), WH_LIT("POST"));

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!wh_slice_eq(wh_http_path(req), wh_slice_str(routes[i].path))) {
            continue;
        }
        if (!(routes[i].get && is_get(req)) && !(routes[i].post && post)) {
            refuse(req, 405, routes[i].get ? "GET only" : "POST only");
            return;
        }
        routes[i].fn(s, req, post ? wh_http_body(req) : (struct wh_slice){0});
        return;
    }
    refuse(req, 404, "no such control; tests/gitlab/README.md lists them");
}
