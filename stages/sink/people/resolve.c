#include "stages/sink/people/resolve_priv.h"

#include <stdlib.h>

/* ---- nodes ---- */

static size_t find_id(const void *items, size_t size, size_t n, const struct wh_entity_id *id)
{
    size_t low = 0;

    while (n > 0) {
        size_t half = n / 2;
        const void *item = (const char *)items + (low + half) * size;
        int c = wh_entity_id_cmp(item, id);

        if (c == 0) {
            return low + half;
        }
        if (c < 0) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return PEOPLE_NONE;
}

_Static_assert(offsetof(struct people_account, id) == 0 && offsetof(struct people_row, id) == 0,
               "find_id reads the id at the start");

size_t people_find(const struct people_input *in, const struct wh_entity_id *id)
{
    size_t at = find_id(in->accounts, sizeof(*in->accounts), in->n_accounts, id);

    if (at != PEOPLE_NONE) {
        return at;
    }
    at = find_id(in->rows, sizeof(*in->rows), in->n_rows, id);
    return at == PEOPLE_NONE ? PEOPLE_NONE : in->n_accounts + at;
}

size_t people_root(struct people_work *w, size_t node)
{
    while (w->parents[node] != node) {
        w->parents[node] = w->parents[w->parents[node]];
        node = w->parents[node];
    }
    return node;
}

/* The smaller root stays: which one it is depends on the nodes alone. */
void people_unite(struct people_work *w, size_t a, size_t b)
{
    a = people_root(w, a);
    b = people_root(w, b);
    w->parents[a > b ? a : b] = a > b ? b : a;
}

void people_because(struct people_work *w, size_t node, enum people_rule rule, struct wh_slice key,
                    size_t with)
{
    struct people_node *n = &w->nodes[node];

    if (n->rule == PEOPLE_RULE_NONE) {
        n->rule = rule;
        n->key = key;
        n->with = with;
    }
}

enum wh_rc people_note(struct people_work *w, enum people_rule rule, struct wh_slice key,
                       size_t left, size_t right, struct wh_err *err)
{
    if (w->n_found == w->cap_found) {
        size_t cap = w->cap_found ? w->cap_found * 2 : 64;
        void *grown = NULL;

        if (wh_arena_alloc(w->arena, cap * sizeof(*w->found), &grown, err) != WH_OK) {
            return err->rc;
        }
        if (w->n_found) {
            memcpy(grown, w->found, w->n_found * sizeof(*w->found));
        }
        w->found = grown;
        w->cap_found = cap;
    }
    w->found[w->n_found++] = (struct people_found){rule, key, left, right};
    return WH_OK;
}

/* ---- members ---- */

/* Accounts in the order of their age. */
static int age_cmp(const void *a, const void *b, void *ctx)
{
    const struct people_account *accounts = ctx;
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;

    if (accounts[x].created_ms != accounts[y].created_ms) {
        return accounts[x].created_ms < accounts[y].created_ms ? -1 : 1;
    }
    return x == y ? 0 : x < y ? -1 : 1;
}

struct named_root {
    const struct wh_entity_id *id;
    size_t root;
};

static int root_cmp(const void *a, const void *b)
{
    return wh_entity_id_cmp(((const struct named_root *)a)->id, ((const struct named_root *)b)->id);
}

/* Rows in the order of their ids, then accounts in the order of their age. */
static enum wh_rc sorted_nodes(struct people_work *w, size_t **ret, struct wh_err *err)
{
    size_t n_rows = w->in->n_rows;
    void *memory = NULL;
    size_t *sorted;

    if (wh_arena_zalloc(w->arena, w->n_nodes + 1, sizeof(*sorted), &memory, err) != WH_OK) {
        return err->rc;
    }
    sorted = memory;
    for (size_t i = 0; i < n_rows; i++) {
        sorted[i] = w->in->n_accounts + i;
    }
    for (size_t i = 0; i < w->in->n_accounts; i++) {
        sorted[n_rows + i] = i;
    }
    qsort_r(sorted + n_rows, w->in->n_accounts, sizeof(*sorted), age_cmp,
            (void *)(uintptr_t)w->in->accounts);
    *ret = sorted;
    return WH_OK;
}

/* Members in the order of their ids; nodes learn their member. */
static enum wh_rc number_members(struct people_work *w, const size_t *sorted, struct people *people,
                                 struct wh_err *err)
{
    struct named_root *roots;
    void *memory = NULL;
    size_t n = 0;

    if (wh_arena_zalloc(w->arena, w->n_nodes + 1, sizeof(*roots), &memory, err) != WH_OK) {
        return err->rc;
    }
    roots = memory;
    for (size_t i = 0; i < w->n_nodes; i++) {
        w->nodes[i].member = PEOPLE_NONE;
    }
    for (size_t i = 0; i < w->n_nodes; i++) {
        size_t root = people_root(w, sorted[i]);

        if (w->nodes[root].member == PEOPLE_NONE) {
            w->nodes[root].member = 0;
            roots[n++] = (struct named_root){people_node_id(w->in, sorted[i]), root};
        }
    }
    qsort(roots, n, sizeof(*roots), root_cmp);
    if (wh_arena_zalloc(w->keep, n + 1, sizeof(*people->members), &memory, err) != WH_OK) {
        return err->rc;
    }
    people->members = memory;
    people->n_members = n;
    for (size_t i = 0; i < n; i++) {
        w->nodes[roots[i].root].member = i;
        people->members[i].id = *roots[i].id;
        people->members[i].face = PEOPLE_NONE;
    }
    for (size_t i = 0; i < w->n_nodes; i++) {
        w->nodes[i].member = w->nodes[people_root(w, i)].member;
    }
    return WH_OK;
}

static enum wh_rc list_nodes(struct people_work *w, const size_t *sorted, struct people *people,
                             struct wh_err *err)
{
    void *memory = NULL;
    size_t at = 0;

    if (wh_arena_zalloc(w->keep, w->n_nodes + 1, sizeof(*people->order), &memory, err) != WH_OK) {
        return err->rc;
    }
    people->order = memory;
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct people_member *m = &people->members[w->nodes[i].member];

        *(people_is_row(w, i) ? &m->n_rows : &m->n_accounts) += 1;
    }
    for (size_t i = 0; i < people->n_members; i++) {
        struct people_member *m = &people->members[i];

        m->first = at;
        at += m->n_rows + m->n_accounts;
        m->n_rows = 0;
        m->n_accounts = 0;
    }
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct people_member *m = &people->members[w->nodes[sorted[i]].member];

        people->order[m->first + m->n_rows + m->n_accounts] = sorted[i];
        *(people_is_row(w, sorted[i]) ? &m->n_rows : &m->n_accounts) += 1;
    }
    return WH_OK;
}

/* ---- what a member is ---- */

/* Of several accounts, the state of the one that says most: the person may use it. */
static unsigned rank(enum people_state state)
{
    static const unsigned char ranks[] = {
        [PEOPLE_ACTIVE] = 0, [PEOPLE_UNKNOWN] = 1, [PEOPLE_BLOCKED] = 2, [PEOPLE_DELETED] = 3};

    return ranks[state];
}

static void describe_accounts(const struct people_work *w, const size_t *accounts,
                              struct people_member *m)
{
    enum people_type type = PEOPLE_BOT;

    for (size_t i = 0; i < m->n_accounts; i++) {
        const struct people_account *a = people_account_at(w, accounts[i]);

        type = type == PEOPLE_BOT ? a->type : type;
        if (m->face == PEOPLE_NONE || rank(a->state) < rank(people_account_at(w, m->face)->state)) {
            m->face = accounts[i];
        }
    }
    m->type = type;
    m->state = m->face == PEOPLE_NONE ? PEOPLE_ACTIVE : people_account_at(w, m->face)->state;
}

/* A directory knows better than accounts; where it says nothing, they do. */
static void describe_rows(const struct people_work *w, const size_t *rows, struct people_member *m)
{
    bool left = m->n_rows > 0;
    bool active = false;

    for (size_t i = 0; i < m->n_rows; i++) {
        enum people_state state = people_row_at(w, rows[i])->state;

        left = left && state == PEOPLE_LEFT;
        active = active || state == PEOPLE_ACTIVE;
    }
    if (m->n_rows) {
        m->type = people_row_at(w, rows[0])->type;
    }
    if (left || active) {
        m->state = left ? PEOPLE_LEFT : PEOPLE_ACTIVE;
    }
}

static enum wh_rc make_members(struct people_work *w, struct people *people, struct wh_err *err)
{
    size_t *sorted = NULL;

    if (sorted_nodes(w, &sorted, err) != WH_OK || sorted == NULL ||
        number_members(w, sorted, people, err) != WH_OK || people->members == NULL ||
        list_nodes(w, sorted, people, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < people->n_members; i++) {
        struct people_member *m = &people->members[i];
        const size_t *nodes = &people->order[m->first];

        describe_accounts(w, nodes + m->n_rows, m);
        describe_rows(w, nodes, m);
    }
    return WH_OK;
}

/* ---- all of it ---- */

static enum wh_rc work_new(const struct people_input *in, struct wh_arena *keep,
                           struct wh_arena *arena, struct people_work *w, struct wh_err *err)
{
    size_t n = in->n_accounts + in->n_rows;
    void *nodes = NULL;
    void *parents = NULL;
    void *groups = NULL;
    void *undone = NULL;

    *w = (struct people_work){.in = in, .keep = keep, .arena = arena, .n_nodes = n};
    if (wh_arena_zalloc(keep, n + 1, sizeof(*w->nodes), &nodes, err) != WH_OK ||
        wh_arena_zalloc(arena, n + 1, sizeof(*w->parents), &parents, err) != WH_OK ||
        wh_arena_zalloc(arena, n + 1, sizeof(*w->groups), &groups, err) != WH_OK ||
        wh_arena_zalloc(keep, in->n_decisions + 1, sizeof(*w->undone_by), &undone, err) != WH_OK) {
        return err->rc;
    }
    w->nodes = nodes;
    w->parents = parents;
    w->groups = groups;
    w->undone_by = undone;
    for (size_t i = 0; i < n; i++) {
        w->parents[i] = i;
        w->nodes[i].with = PEOPLE_NONE;
    }
    return WH_OK;
}

enum wh_rc people_resolve(const struct people_input *in, struct wh_arena *arena,
                          struct wh_arena *scratch, struct people *ret, struct wh_err *err)
{
    struct people_work w;
    struct people people = {0};

    if (work_new(in, arena, scratch, &w, err) != WH_OK || people_decide(&w, err) != WH_OK ||
        people_apply_rules(&w, err) != WH_OK || make_members(&w, &people, err) != WH_OK ||
        people_reviews(&w, &people, err) != WH_OK) {
        return err->rc;
    }
    people.nodes = w.nodes;
    people.n_nodes = w.n_nodes;
    people.undone_by = w.undone_by;
    *ret = people;
    return WH_OK;
}

/* ---- words ---- */

const char *people_rule_name(enum people_rule rule)
{
    static const char *const names[] = {
        [PEOPLE_RULE_NONE] = "none",
        [PEOPLE_RULE_DECISION] = "decision",
        [PEOPLE_RULE_DIRECTORY_ID] = "directory_id",
        [PEOPLE_RULE_ACCOUNT] = "account",
        [PEOPLE_RULE_EMAIL] = "email",
        [PEOPLE_RULE_USERNAME] = "username",
        [PEOPLE_RULE_NAME] = "name",
    };

    return names[rule];
}

const char *people_type_name(enum people_type type)
{
    static const char *const names[] = {
        [PEOPLE_PERSON] = "person", [PEOPLE_BOT] = "bot", [PEOPLE_SHARED] = "shared"};

    return names[type];
}

const char *people_state_name(enum people_state state)
{
    static const char *const names[] = {
        [PEOPLE_UNKNOWN] = NULL,      [PEOPLE_ACTIVE] = "active", [PEOPLE_BLOCKED] = "blocked",
        [PEOPLE_DELETED] = "deleted", [PEOPLE_LEFT] = "left",
    };

    return names[state];
}
