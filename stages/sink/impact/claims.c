/* Who claims a name, and what is claimed by nobody or by several. */
#include "stages/sink/impact/impact_priv.h"

#include "common/text/key.h"

static const char *prefix_of(enum wh_kind kind)
{
    return kind == WH_KIND_SERVICE ? "service:" : "customer:";
}

static bool has_owner(const struct impact_claim *claim, const struct wh_entity_id *id)
{
    for (const struct impact_owner *o = claim->owners; o; o = o->next) {
        if (wh_entity_id_cmp(&o->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static enum wh_rc add_owner(struct impact_work *w, struct impact_claim *claim,
                            const struct wh_entity_id *id, const struct impact_step *steps,
                            struct wh_err *err)
{
    struct impact_owner *owner;
    void *memory = NULL;

    if (has_owner(claim, id)) {
        return WH_OK;
    }
    if (wh_arena_zalloc(w->arena, 1, sizeof(*owner), &memory, err) != WH_OK) {
        return err->rc;
    }
    owner = memory;
    *owner = (struct impact_owner){.next = claim->owners, .id = *id, .steps = steps};
    claim->owners = owner;
    claim->n_owners++;
    return WH_OK;
}

/* ---- the step from a name to the row that claims it ---- */

struct looking {
    struct wh_slice name;
    const char *rule;
    int field;
};

static enum wh_rc look_for(void *ctx, const struct keys_name *found, struct wh_err *err)
{
    struct looking *l = ctx;

    (void)err;
    if (l->rule == NULL && wh_slice_eq(found->name, l->name)) {
        l->rule = found->rule;
        l->field = found->field;
    }
    return WH_OK;
}

/* *ret is NULL when the head, which is of another time than the name, does not claim it. */
static enum wh_rc claim_step(struct impact_work *w, const struct wh_head *head,
                             struct wh_slice name, const struct impact_step *next,
                             const struct impact_step **ret, struct wh_err *err)
{
    struct looking l = {.name = name};

    *ret = NULL;
    if (keys_claims(&w->keys, &head->source, &head->body, look_for, &l, err) != WH_OK) {
        return err->rc;
    }
    if (l.rule == NULL) {
        return WH_OK;
    }
    return impact_add_step(w->arena, l.rule, head,
                           l.field >= 0 ? head->body.def->fields[l.field].name : NULL, next, ret,
                           err);
}

/* ---- entities that claim a name themselves ---- */

static enum wh_rc add_direct(struct impact_work *w, enum wh_kind kind, struct wh_slice name,
                             const struct past_found *found, struct impact_claim *claim,
                             struct wh_err *err)
{
    const struct wh_head *head = NULL;
    const struct impact_step *step = NULL;

    if (found->kind != kind || has_owner(claim, &found->id)) {
        return WH_OK;
    }
    if (past_live(w->past, kind, &found->id, &w->scratch, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL) {
        return WH_OK;
    }
    if (claim_step(w, head, name, NULL, &step, err) != WH_OK) {
        return err->rc;
    }
    return step ? add_owner(w, claim, &found->id, step, err) : WH_OK;
}

typedef enum wh_rc (*add_fn)(struct impact_work *w, enum wh_kind kind, struct wh_slice name,
                             const struct past_found *found, struct impact_claim *claim,
                             struct wh_err *err);

static enum wh_rc each_claimant(struct impact_work *w, enum wh_kind kind, struct wh_slice name,
                                add_fn add, struct impact_claim *claim, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_claimants(w->past, name, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = add(w, kind, name, &found, claim, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

/* ---- keys as they are written ---- */

static enum wh_rc claimed_key(struct impact_work *w, enum wh_kind kind, struct wh_slice key,
                              struct wh_slice *ret_name, struct impact_claim *claim,
                              struct wh_err *err)
{
    struct wh_buf name;
    bool made = false;
    enum wh_rc rc;

    *claim = (struct impact_claim){0};
    *ret_name = (struct wh_slice){NULL, 0};
    wh_buf_init(&name, KEYS_NAME_MAX);
    rc = keys_make(prefix_of(kind), &key, 1, &name, &made, err);
    if (rc == WH_OK && made) {
        rc = wh_arena_dup(w->arena, wh_buf_slice(&name), ret_name, err);
    }
    if (rc == WH_OK && made) {
        rc = each_claimant(w, kind, *ret_name, add_direct, claim, err);
    }
    wh_buf_done(&name);
    return rc;
}

enum wh_rc impact_resolve(struct impact_work *w, enum wh_kind kind, struct wh_slice key,
                          const char *rule, const struct wh_head *head, const char *field,
                          const struct impact_owner **ret, struct wh_err *err)
{
    struct impact_claim claim;
    struct wh_slice name;

    *ret = NULL;
    if (claimed_key(w, kind, key, &name, &claim, err) != WH_OK) {
        return err->rc;
    }
    if (claim.n_owners == 1) {
        *ret = claim.owners;
        return WH_OK;
    }
    return head && name.len ? impact_note_loose(w, name, &claim, rule, head, field, err) : WH_OK;
}

/* Without a step: reads no heads. */
enum wh_rc impact_key(struct past *p, enum wh_kind kind, struct wh_slice key,
                      struct wh_entity_id *ret, bool *ret_found, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    struct wh_buf name;
    bool more = false;
    size_t n = 0;
    enum wh_rc rc;

    wh_buf_init(&name, KEYS_NAME_MAX);
    rc = keys_make(prefix_of(kind), &key, 1, &name, &more, err);
    if (rc == WH_OK && more) {
        rc = past_claimants(p, wh_buf_slice(&name), &scan, err);
    }
    while (rc == WH_OK && more && n < 2) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more && found.kind == kind) {
            *ret = found.id;
            n++;
        }
    }
    past_scan_free(scan);
    wh_buf_done(&name);
    *ret_found = n == 1;
    return rc;
}

/* ---- rows that claim for a service ---- */

static enum wh_rc add_by_row(struct impact_work *w, const struct past_found *found,
                             struct wh_slice name, struct impact_claim *claim, struct wh_err *err)
{
    const struct wh_head *row = NULL;
    const struct impact_owner *owner = NULL;
    const struct impact_step *step = NULL;

    if (past_live(w->past, found->kind, &found->id, &w->scratch, &row, err) != WH_OK) {
        return err->rc;
    }
    if (row == NULL) {
        return WH_OK;
    }
    if (impact_resolve(w, WH_KIND_SERVICE, past_string(row, "service"), "import", row, "service",
                       &owner, err) != WH_OK) {
        return err->rc;
    }
    if (owner == NULL) {
        return WH_OK;
    }
    if (claim_step(w, row, name, owner->steps, &step, err) != WH_OK) {
        return err->rc;
    }
    return step ? add_owner(w, claim, &owner->id, step, err) : WH_OK;
}

static enum wh_rc add_any(struct impact_work *w, enum wh_kind kind, struct wh_slice name,
                          const struct past_found *found, struct impact_claim *claim,
                          struct wh_err *err)
{
    if (kind == WH_KIND_SERVICE && found->kind == WH_KIND_SERVICE_OWNERSHIP) {
        return add_by_row(w, found, name, claim, err);
    }
    return add_direct(w, kind, name, found, claim, err);
}

enum wh_rc impact_claimed(struct impact_work *w, enum wh_kind kind, struct wh_slice name,
                          struct impact_claim *claim, struct wh_err *err)
{
    return each_claimant(w, kind, name, add_any, claim, err);
}

/* ---- names that lead to nothing ---- */

static bool is_noted(const struct impact_work *w, struct wh_slice name, const struct wh_head *head,
                     const char *rule)
{
    for (const struct impact_loose *l = w->report->loose; l; l = l->next) {
        if (wh_slice_eq(l->name, name) && wh_entity_id_cmp(&l->by, &head->id) == 0 &&
            strcmp(l->rule, rule) == 0) {
            return true;
        }
    }
    return false;
}

enum wh_rc impact_note_loose(struct impact_work *w, struct wh_slice name,
                             const struct impact_claim *claim, const char *rule,
                             const struct wh_head *head, const char *field, struct wh_err *err)
{
    int number = head ? wh_kind_field(head->body.def, wh_slice_str(field)) : IMPACT_IDENTITY;
    struct impact_loose **at = &w->report->loose;
    struct impact_loose *loose;
    void *memory = NULL;
    void *ids = NULL;

    if (head == NULL || is_noted(w, name, head, rule)) {
        return WH_OK;
    }
    if (wh_arena_zalloc(w->arena, 1, sizeof(*loose), &memory, err) != WH_OK ||
        wh_arena_zalloc(w->arena, claim->n_owners + 1, sizeof(struct wh_entity_id), &ids, err) !=
            WH_OK) {
        return err->rc;
    }
    loose = memory;
    *loose = (struct impact_loose){.name = name,
                                   .kind = head->body.def->kind,
                                   .by = head->id,
                                   .rule = rule,
                                   .field = number,
                                   .version = number >= 0 ? head->set[number] : head->version,
                                   .claimants = ids};
    for (const struct impact_owner *o = claim->owners; o; o = o->next) {
        loose->claimants[loose->n_claimants++] = o->id;
    }
    while (*at) {
        at = &(*at)->next;
    }
    *at = loose;
    return WH_OK;
}

/* ---- the names of an entity ---- */

struct naming {
    struct impact_work *w;
    const struct wh_head *head;
    const char *prefix;
    struct impact_name *list;
};

/* Does no other entity of the kind claim it? Reads no heads. */
static enum wh_rc is_alone(struct impact_work *w, enum wh_kind kind, const struct wh_entity_id *id,
                           struct wh_slice name, bool *ret, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_claimants(w->past, name, &scan, err);

    *ret = true;
    while (rc == WH_OK && more && *ret) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            *ret = found.kind != kind || wh_entity_id_cmp(&found.id, id) == 0;
        }
    }
    past_scan_free(scan);
    return rc;
}

static enum wh_rc add_name(void *ctx, const struct keys_name *found, struct wh_err *err)
{
    struct naming *n = ctx;
    struct impact_name *name;
    void *memory = NULL;
    bool alone = false;

    if (!wh_slice_starts(found->name, wh_slice_str(n->prefix))) {
        return WH_OK;
    }
    for (const struct impact_name *o = n->list; o; o = o->next) {
        if (wh_slice_eq(o->name, found->name)) {
            return WH_OK;
        }
    }
    if (is_alone(n->w, n->head->body.def->kind, &n->head->id, found->name, &alone, err) != WH_OK) {
        return err->rc;
    }
    if (!alone) {
        return WH_OK;
    }
    if (wh_arena_zalloc(n->w->arena, 1, sizeof(*name), &memory, err) != WH_OK) {
        return err->rc;
    }
    name = memory;
    name->next = n->list;
    n->list = name;
    return wh_arena_dup(n->w->arena, found->name, &name->name, err);
}

enum wh_rc impact_own_names(struct impact_work *w, const struct wh_head *head,
                            struct impact_name **ret, struct wh_err *err)
{
    struct naming n = {.w = w, .head = head, .prefix = prefix_of(head->body.def->kind)};
    enum wh_rc rc = keys_claims(&w->keys, &head->source, &head->body, add_name, &n, err);

    *ret = n.list;
    return rc;
}
