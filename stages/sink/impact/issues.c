/* Issues around an incident: linked ones, and which of them are postmortems. */
#include "stages/sink/impact/impact_priv.h"

static bool is_type(const struct wh_head *head, struct wh_slice type)
{
    return wh_slice_eq(past_string(head, "type"), type);
}

bool impact_is_incident(const struct wh_head *head)
{
    return head && !head->deleted && head->body.def->kind == WH_KIND_WORK_ITEM &&
           is_type(head, WH_LIT("incident"));
}

/* The fields by which GitLab links issues; the link is in both issues once both were read. */
static bool is_issue_link(enum wh_kind from, unsigned field)
{
    static const char *const names[] = {"relates_to", "blocks", "is_blocked_by"};

    for (size_t i = 0; from == WH_KIND_WORK_ITEM && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(wh_kind_def(from)->fields[field].name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_issue(const struct impact_issue *list, const struct wh_entity_id *id)
{
    for (; list; list = list->next) {
        if (wh_entity_id_cmp(&list->head->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static enum wh_rc add_issue(struct wh_arena *arena, const struct wh_head *head, const char *rule,
                            const struct impact_evidence *evidence, struct impact_issue **list,
                            struct wh_err *err)
{
    struct impact_issue *issue;
    void *memory = NULL;

    if (evidence == NULL || wh_arena_zalloc(arena, 1, sizeof(*issue), &memory, err) != WH_OK) {
        return err->rc;
    }
    issue = memory;
    *issue = (struct impact_issue){.head = head, .rule = rule, .evidence = evidence};
    while (*list) {
        list = &(*list)->next;
    }
    *list = issue;
    return WH_OK;
}

/* The other end of a link, when it is an issue that is there and not yet in the list. */
static enum wh_rc add_linked(struct past *p, const struct wh_head *of,
                             const struct past_found *found, bool backwards, struct wh_arena *arena,
                             struct impact_issue **list, struct wh_err *err)
{
    const char *field = wh_kind_def(WH_KIND_WORK_ITEM)->fields[found->field].name;
    const struct wh_head *head = NULL;

    if (found->kind != WH_KIND_WORK_ITEM || !is_issue_link(WH_KIND_WORK_ITEM, found->field) ||
        has_issue(*list, &found->id) || wh_entity_id_cmp(&found->id, &of->id) == 0) {
        return WH_OK;
    }
    if (past_live(p, found->kind, &found->id, arena, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL || is_type(head, WH_LIT("merge_request"))) {
        return WH_OK;
    }
    return add_issue(arena, head, "link",
                     impact_step(arena, "link", backwards ? head : of, field, NULL, err), list,
                     err);
}

static enum wh_rc add_links(struct past *p, const struct wh_head *of, bool backwards,
                            struct wh_arena *arena, struct impact_issue **list, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc =
        backwards ? past_links_to(p, &of->id, &scan, err) : past_links_from(p, &of->id, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = add_linked(p, of, &found, backwards, arena, list, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

/* Issues that are linked to this one, in either direction. */
static enum wh_rc linked(struct past *p, const struct wh_head *of, struct wh_arena *arena,
                         struct impact_issue **ret, struct wh_err *err)
{
    *ret = NULL;
    if (add_links(p, of, false, arena, ret, err) != WH_OK) {
        return err->rc;
    }
    return add_links(p, of, true, arena, ret, err);
}

static const char *postmortem_rule(const struct wh_head *head)
{
    struct wh_slice rule = past_string(head, "postmortem_rule");

    if (impact_is_incident(head) || rule.len == 0) {
        return NULL;
    }
    return wh_slice_eq(rule, WH_LIT("label")) ? "label" : "heading";
}

enum wh_rc impact_postmortems(struct past *p, const struct wh_head *incident,
                              struct wh_arena *arena, struct impact_issue **ret, struct wh_err *err)
{
    struct impact_issue *list = NULL;

    *ret = NULL;
    if (linked(p, incident, arena, &list, err) != WH_OK) {
        return err->rc;
    }
    for (const struct impact_issue *i = list; i; i = i->next) {
        const char *rule = postmortem_rule(i->head);

        if (rule &&
            add_issue(arena, i->head, rule,
                      impact_step(arena, rule, i->head, "postmortem_rule", i->evidence, err), ret,
                      err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
