#include "tests/gitlab/vanish.h"

#include <stdio.h>

enum { PATH_BYTES = 256 };

static const char *const presences[] = {
    [GL_HERE] = "here", [GL_UNLISTED] = "unlisted", [GL_LOST] = "lost", [GL_REMOVED] = "removed"};

bool gl_presence_parse(struct wh_slice text, enum gl_presence *ret)
{
    for (unsigned i = 0; i < sizeof(presences) / sizeof(presences[0]); i++) {
        if (wh_slice_eq(text, wh_slice_str(presences[i]))) {
            *ret = (enum gl_presence)i;
            return true;
        }
    }
    return false;
}

const char *gl_presence_name(enum gl_presence presence)
{
    return presences[presence];
}

/* ---- projects ---- */

static struct gl_obj *listed(struct gl_model *model, const struct gl_project *project)
{
    return &model->project_set.items[project - model->projects];
}

bool gl_project_set_presence(struct gl_model *model, struct gl_project *project,
                             enum gl_presence presence)
{
    struct gl_obj *row = listed(model, project);

    (void)gl_now_ms(model);
    project->presence = presence;
    /* The list of projects asks for members' ones by type. */
    row->type = presence == GL_UNLISTED;
    row->flags = gl_project_seen(project) ? 0 : GL_F_HIDDEN;
    return gl_set_reindex(&model->project_set);
}

void gl_project_archive(struct gl_model *model, struct gl_project *project, bool archived)
{
    (void)gl_now_ms(model);
    project->archived = archived;
    listed(model, project)->state = archived ? GL_S_STOPPED : GL_S_OPENED;
}

enum wh_rc gl_project_transfer(struct gl_model *model, struct gl_project *project,
                               struct wh_slice space, struct wh_err *err)
{
    const char *leaf = strrchr(project->path, '/');
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%.*s%s", WH_SLICE_ARG(space), leaf);

    if (space.len == 0 || n < 0 || (size_t)n >= sizeof(path)) {
        return wh_fail(err, WH_E_INVALID, "a namespace is needed");
    }
    return gl_rename_project(model, project, wh_slice(path, (size_t)n), err);
}

/* ---- issues ---- */

static struct gl_obj *any_issue(struct gl_project *project, int64_t iid)
{
    struct gl_set *issues = &project->sets[GL_ISSUE];
    bool there = !project->recorded && iid >= 1 && iid <= issues->n;

    return there && !(issues->items[iid - 1].flags & GL_F_DELETED) ? &issues->items[iid - 1] : NULL;
}

bool gl_issue_hide(struct gl_model *model, struct gl_project *project, int64_t iid, bool hidden)
{
    struct gl_set *issues = &project->sets[GL_ISSUE];
    struct gl_obj *issue = any_issue(project, iid);
    const uint8_t both = GL_F_HIDDEN | GL_F_CONFIDENTIAL;

    if (issue == NULL) {
        return false;
    }
    issue->updated_ms = gl_now_ms(model);
    issue->flags = (uint8_t)(hidden ? issue->flags | both : issue->flags & ~both);
    return gl_set_reindex(issues);
}

static void tell_of(struct gl_model *model, const struct gl_project *project,
                    const struct gl_obj *issue, const char *action)
{
    struct gl_event event = {.kind = GL_ISSUE,
                             .project = (uint32_t)(project - model->projects),
                             .pos = gl_set_pos(&project->sets[GL_ISSUE], issue),
                             .actor = issue->author,
                             .action = action,
                             .old_updated_ms = issue->updated_ms,
                             .old_state = GL_S_OPENED,
                             .old_rev = issue->rev,
                             .old_labels = issue->labels};

    if (model->on_event) {
        model->on_event(model->event_ctx, &event);
    }
}

const struct gl_obj *gl_issue_move(struct gl_model *model, struct gl_project *from, int64_t iid,
                                   struct gl_project *to, bool tell)
{
    struct gl_set *issues = &from->sets[GL_ISSUE];
    struct gl_obj *old = any_issue(from, iid);
    int64_t now;
    struct gl_obj made;
    const struct gl_obj *added;

    if (old == NULL || old->flags & (GL_F_MOVED | GL_F_HIDDEN) || to->recorded || to == from) {
        return NULL;
    }
    now = gl_now_ms(model);
    made = *old;
    made.id = ++model->next_id[GL_ISSUE];
    made.iid = (int64_t)to->sets[GL_ISSUE].n + 1;
    made.created_ms = now;
    made.updated_ms = now;
    made.milestone = 0;
    made.notes = 0;
    made.flags &= (uint8_t)~GL_F_LINKED;
    added = gl_set_add(&to->sets[GL_ISSUE], &made);
    if (added == NULL) {
        return NULL;
    }
    old->flags |= GL_F_MOVED;
    old->moved_to = (uint32_t)made.id;
    old->actor = old->author;
    old->finished_ms = old->state == GL_S_CLOSED ? old->finished_ms : now;
    old->state = GL_S_CLOSED;
    gl_set_touch(issues, gl_set_pos(issues, old), now);
    if (tell) {
        tell_of(model, from, old, "close");
        tell_of(model, to, added, "open");
    }
    return added;
}

/* ---- the truth about it ---- */

const char *gl_gone(const struct gl_project *project, const struct gl_obj *obj)
{
    if (project->presence == GL_REMOVED) {
        return "project_removed";
    }
    if (project->presence == GL_LOST) {
        return "lost_access";
    }
    return obj->flags & GL_F_DELETED ? "deleted" : obj->flags & GL_F_HIDDEN ? "confidential" : NULL;
}

static void put_numbers(const struct gl_set *set, unsigned flag, const char *name,
                        struct gl_out *out)
{
    bool comma = false;

    gl_out_tpl(out, ",'%s':[", wh_slice_str(name));
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->items[i].flags & flag) {
            gl_out_tpl(out, "%s%d", comma ? WH_LIT(",") : WH_LIT(""), set->items[i].iid);
            comma = true;
        }
    }
    gl_out_str(out, "]");
}

void gl_expected_render(const struct gl_project *project, struct gl_out *out)
{
    static const enum gl_kind kinds[] = {GL_ISSUE, GL_MR};

    gl_out_tpl(out, ",'presence':'%s','archived':%b,'expected':{",
               wh_slice_str(gl_presence_name(project->presence)), (int)project->archived);
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        const struct gl_set *set = &project->sets[kinds[k]];
        int64_t last = 0;

        for (uint32_t i = 0; i < set->n_live; i++) {
            int64_t iid = set->items[set->by_id[i]].iid;

            last = iid > last ? iid : last;
        }
        gl_out_tpl(out, "%s'%s':{'last_iid':%d,'have':%d", k ? WH_LIT(",") : WH_LIT(""),
                   wh_slice_str(gl_kind_name(kinds[k])), last,
                   gl_project_seen(project) ? (int64_t)set->n_live : (int64_t)0);
        put_numbers(set, GL_F_DELETED, "deleted", out);
        put_numbers(set, GL_F_HIDDEN, "confidential", out);
        put_numbers(set, GL_F_MOVED, "moved", out);
        gl_out_str(out, "}");
    }
    gl_out_str(out, "}");
}
