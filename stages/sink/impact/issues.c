/* Issues around an incident: linked ones, which of them are postmortems, and what is to be done. */
#include "stages/sink/impact/impact_priv.h"

/* An issue that is linked to another one, or refers to it. */
struct linked {
    struct linked *next;
    const struct wh_head *head;
    const struct impact_step *step;
};

static bool is_type(const struct wh_head *head, struct wh_slice type)
{
    return wh_slice_eq(past_string(head, "type"), type);
}

bool impact_is_incident(const struct wh_head *head)
{
    return head && !wh_head_is_gone(head) && head->body.def->kind == WH_KIND_WORK_ITEM &&
           is_type(head, WH_LIT("incident"));
}

enum { MOVES_MAX = 8 };

enum wh_rc impact_moved_to(struct past *p, const struct wh_head *head, struct wh_arena *arena,
                           const struct wh_head **ret, struct wh_err *err)
{
    *ret = head;
    for (int i = 0; i < MOVES_MAX && past_field(*ret, "moved_to"); i++) {
        const struct wh_head *next = NULL;

        if (past_live(p, WH_KIND_WORK_ITEM, &past_field(*ret, "moved_to")->u.ref, arena, &next,
                      err) != WH_OK) {
            return err->rc;
        }
        if (!impact_is_incident(next)) {
            return WH_OK;
        }
        *ret = next;
    }
    return WH_OK;
}

/* The fields by which GitLab links issues; the link is in both issues once both were read. */
static bool is_issue_link(unsigned field)
{
    static const char *const names[] = {"relates_to", "blocks", "is_blocked_by"};
    const char *name = wh_kind_def(WH_KIND_WORK_ITEM)->fields[field].name;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_parent_link(unsigned field)
{
    return strcmp(wh_kind_def(WH_KIND_WORK_ITEM)->fields[field].name, "parent") == 0;
}

/* ---- what is linked ---- */

static bool is_listed(const struct linked *list, const struct wh_entity_id *id)
{
    for (; list; list = list->next) {
        if (wh_entity_id_cmp(&list->head->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* The issue, when it is there, no merge request and not yet in the list. from NULL: the issue itself has the
 * field that links it. */
static enum wh_rc add_linked(struct past *p, const struct past_found *found, const char *rule,
                             const struct wh_head *from, const char *field, struct wh_arena *arena,
                             struct linked **list, struct wh_err *err)
{
    const struct wh_head *head = NULL;
    void *memory = NULL;

    if (found->kind != WH_KIND_WORK_ITEM || is_listed(*list, &found->id)) {
        return WH_OK;
    }
    if (past_live(p, found->kind, &found->id, arena, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL || is_type(head, WH_LIT("merge_request"))) {
        return WH_OK;
    }
    while (*list) {
        list = &(*list)->next;
    }
    if (wh_arena_zalloc(arena, 1, sizeof(**list), &memory, err) != WH_OK) {
        return err->rc;
    }
    *list = memory;
    (*list)->head = head;
    return impact_add_step(arena, rule, from ? from : head, field, NULL, &(*list)->step, err);
}

static enum wh_rc add_links(struct past *p, const struct wh_head *of, const char *rule,
                            bool (*wanted)(unsigned field), bool backwards, struct wh_arena *arena,
                            struct linked **list, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_def(WH_KIND_WORK_ITEM);
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc =
        backwards ? past_links_to(p, &of->id, &scan, err) : past_links_from(p, &of->id, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more && found.kind == WH_KIND_WORK_ITEM && wanted(found.field)) {
            rc = add_linked(p, &found, rule, backwards ? NULL : of, def->fields[found.field].name,
                            arena, list, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

/* Issues that are linked to this one, in either direction. */
static enum wh_rc linked_to(struct past *p, const struct wh_head *of, struct wh_arena *arena,
                            struct linked **ret, struct wh_err *err)
{
    *ret = NULL;
    return add_links(p, of, "link", is_issue_link, false, arena, ret, err) == WH_OK
               ? add_links(p, of, "link", is_issue_link, true, arena, ret, err)
               : err->rc;
}

/* ---- results ---- */

static bool has_issue(const struct impact_issue *list, const struct wh_entity_id *id,
                      const char *rule)
{
    for (; list; list = list->next) {
        if (wh_entity_id_cmp(&list->id, id) == 0 && (!rule || strcmp(list->rule, rule) == 0)) {
            return true;
        }
    }
    return false;
}

static enum wh_rc add_issue(struct past *p, struct wh_arena *arena, const struct wh_head *head,
                            const char *rule, const struct impact_step *evidence,
                            struct impact_issue **list, struct wh_err *err)
{
    void *memory = NULL;

    if (has_issue(*list, &head->id, rule)) {
        return WH_OK;
    }
    while (*list) {
        list = &(*list)->next;
    }
    if (wh_arena_zalloc(arena, 1, sizeof(**list), &memory, err) != WH_OK) {
        return err->rc;
    }
    *list = memory;
    **list = (struct impact_issue){.id = head->id,
                                   .url = head->source.url,
                                   .state = past_string(head, "state"),
                                   .rule = rule,
                                   .evidence = evidence};
    return past_text(p, head, "title", arena, &(*list)->title, err);
}

size_t impact_open(const struct impact_issue *list)
{
    size_t n = 0;

    for (const struct impact_issue *i = list; i; i = i->next) {
        bool again = false;

        for (const struct impact_issue *k = list; k != i; k = k->next) {
            again = again || wh_entity_id_cmp(&k->id, &i->id) == 0;
        }
        n += !again && wh_slice_eq(i->state, WH_LIT("opened"));
    }
    return n;
}

/* ---- postmortems ---- */

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
    struct linked *list = NULL;

    *ret = NULL;
    if (linked_to(p, incident, arena, &list, err) != WH_OK) {
        return err->rc;
    }
    for (const struct linked *l = list; l; l = l->next) {
        const char *rule = postmortem_rule(l->head);
        const struct impact_step *mark = NULL;
        const struct impact_step *steps = NULL;

        if (rule == NULL) {
            continue;
        }
        if (impact_add_step(arena, rule, l->head, "postmortem_rule", NULL, &mark, err) != WH_OK ||
            impact_join_steps(arena, l->step, mark, &steps, err) != WH_OK ||
            add_issue(p, arena, l->head, rule, steps, ret, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- follow-ups ---- */

/* Not incidents, and not the postmortems themselves. */
static enum wh_rc add_follow_ups(struct past *p, const struct linked *list, const char *rule,
                                 const struct impact_step *first,
                                 const struct impact_issue *postmortems, struct wh_arena *arena,
                                 struct impact_issue **ret, struct wh_err *err)
{
    for (; list; list = list->next) {
        const struct impact_step *steps = NULL;

        if (impact_is_incident(list->head) || has_issue(postmortems, &list->head->id, NULL)) {
            continue;
        }
        if (impact_join_steps(arena, first, list->step, &steps, err) != WH_OK ||
            add_issue(p, arena, list->head, rule, steps, ret, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc add_linked_follow_ups(struct past *p, const struct wh_head *incident,
                                        const struct impact_issue *postmortems,
                                        struct wh_arena *arena, struct impact_issue **ret,
                                        struct wh_err *err)
{
    struct linked *list = NULL;

    if (linked_to(p, incident, arena, &list, err) != WH_OK ||
        add_follow_ups(p, list, "link", NULL, postmortems, arena, ret, err) != WH_OK) {
        return err->rc;
    }
    for (const struct impact_issue *m = postmortems; m; m = m->next) {
        const struct wh_head *head = NULL;

        if (past_live(p, WH_KIND_WORK_ITEM, &m->id, arena, &head, err) != WH_OK) {
            return err->rc;
        }
        if (head &&
            (linked_to(p, head, arena, &list, err) != WH_OK ||
             add_follow_ups(p, list, "link", m->evidence, postmortems, arena, ret, err) != WH_OK)) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* Issues that mention the address of the incident, and have a label of follow-ups. */
static enum wh_rc mentioning(struct past *p, const struct wh_head *incident, struct wh_arena *arena,
                             struct linked **list, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    struct wh_buf name;
    bool more = false;
    enum wh_rc rc;

    wh_buf_init(&name, KEYS_NAME_MAX);
    rc = keys_make("url:", &incident->source.url, 1, &name, &more, err);
    if (rc == WH_OK && more) {
        rc = past_mentioners(p, wh_buf_slice(&name), &scan, err);
    }
    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = add_linked(p, &found, "label", NULL, "mentions", arena, list, err);
        }
    }
    past_scan_free(scan);
    wh_buf_done(&name);
    return rc;
}

enum wh_rc impact_follow_ups(struct past *p, const struct wh_head *incident, struct wh_arena *arena,
                             struct impact_issue **ret, struct wh_err *err)
{
    struct impact_issue *postmortems = NULL;
    struct linked *labelled = NULL;
    struct linked *tasks = NULL;

    *ret = NULL;
    if (impact_postmortems(p, incident, arena, &postmortems, err) != WH_OK ||
        add_linked_follow_ups(p, incident, postmortems, arena, ret, err) != WH_OK ||
        mentioning(p, incident, arena, &labelled, err) != WH_OK ||
        add_follow_ups(p, labelled, "label", NULL, postmortems, arena, ret, err) != WH_OK ||
        add_links(p, incident, "task", is_parent_link, true, arena, &tasks, err) != WH_OK) {
        return err->rc;
    }
    return add_follow_ups(p, tasks, "task", NULL, postmortems, arena, ret, err);
}
