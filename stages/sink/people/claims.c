/* Who claims which keys. Claims of one key become neighbours, in the order of keys and nodes. */
#include <stdlib.h>

#include "stages/sink/people/resolve_priv.h"

static enum wh_rc add(struct people_work *w, struct people_claims *claims,
                      struct people_claim claim, struct wh_err *err)
{
    if (claims->n == claims->cap) {
        size_t cap = claims->cap ? claims->cap * 2 : 64;
        void *grown = NULL;

        if (wh_arena_alloc(w->arena, cap * sizeof(claim), &grown, err) != WH_OK) {
            return err->rc;
        }
        if (claims->n) {
            memcpy(grown, claims->items, claims->n * sizeof(claim));
        }
        claims->items = grown;
        claims->cap = cap;
    }
    claims->items[claims->n++] = claim;
    return WH_OK;
}

/* ---- accounts that rows name ---- */

/* Accounts in the order of one of their texts. */
struct index {
    const struct people_account *accounts;
    size_t n;
    bool numbers; /* by number; otherwise by user name */
    size_t *order;
};

static struct wh_slice text_of(const struct index *x, size_t account)
{
    return x->numbers ? x->accounts[account].number : x->accounts[account].username;
}

static int index_cmp(const void *a, const void *b, void *ctx)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    int c = wh_slice_cmp(text_of(ctx, x), text_of(ctx, y));

    return c || x == y ? c : x < y ? -1 : 1;
}

static enum wh_rc index_new(struct people_work *w, bool numbers, struct index *ret,
                            struct wh_err *err)
{
    void *memory = NULL;

    *ret = (struct index){w->in->accounts, w->in->n_accounts, numbers, NULL};
    if (wh_arena_zalloc(w->arena, ret->n + 1, sizeof(*ret->order), &memory, err) != WH_OK) {
        return err->rc;
    }
    ret->order = memory;
    for (size_t i = 0; i < ret->n; i++) {
        ret->order[i] = i;
    }
    qsort_r(ret->order, ret->n, sizeof(*ret->order), index_cmp, ret);
    return WH_OK;
}

/* The first place in the order whose text is not before this one. */
static size_t index_from(const struct index *x, struct wh_slice text)
{
    size_t low = 0;
    size_t n = x->n;

    while (n > 0) {
        size_t half = n / 2;

        if (wh_slice_cmp(text_of(x, x->order[low + half]), text) < 0) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

static struct wh_slice without_scheme(struct wh_slice address)
{
    for (size_t i = 0; i + 2 < address.len; i++) {
        if (memcmp(address.ptr + i, "://", 3) == 0) {
            return wh_slice_from(address, i + 3);
        }
    }
    return address;
}

bool people_reference_parse(struct wh_slice text, struct people_reference *ret)
{
    const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    struct wh_slice rest;

    if (colon == NULL) {
        return false;
    }
    ret->system = wh_slice(text.ptr, (size_t)(colon - text.ptr));
    rest = without_scheme(wh_slice_from(text, ret->system.len + 1));
    ret->instance = wh_slice("", 0);
    ret->username = rest;
    for (size_t i = rest.len; i-- > 0;) {
        if (rest.ptr[i] == '/') {
            ret->instance = wh_slice(rest.ptr, i);
            ret->username = wh_slice_from(rest, i + 1);
            break;
        }
    }
    if (ret->username.len > 1 && ret->username.ptr[0] == '@') {
        ret->username = wh_slice_from(ret->username, 1);
    }
    return ret->username.len > 0;
}

static bool is_meant(const struct people_account *a, const struct people_reference *ref)
{
    return wh_slice_eq(a->system, ref->system) &&
           (ref->instance.len == 0 || wh_slice_eq(without_scheme(a->instance), ref->instance));
}

/* gitlab:https://host/user/17 is the account's number, which no rename changes. */
static bool is_number(struct people_reference *ref)
{
    static const char path[] = "/user";
    size_t len = sizeof(path) - 1;

    if (!wh_slice_ends(ref->instance, wh_slice(path, len))) {
        return false;
    }
    ref->instance.len -= len;
    return true;
}

/* The accounts that a text may mean: those that exist, else those that are deleted. Gives their number and the
 * first two. */
static size_t meant(const struct index *x, const struct people_reference *ref, size_t ret[2])
{
    size_t n = 0;
    bool exists = false;

    for (size_t i = index_from(x, ref->username);
         i < x->n && wh_slice_eq(text_of(x, x->order[i]), ref->username); i++) {
        const struct people_account *a = &x->accounts[x->order[i]];
        bool live = a->state != PEOPLE_DELETED;

        if (!is_meant(a, ref) || (exists && !live)) {
            continue;
        }
        n = live && !exists ? 0 : n;
        exists = live;
        if (n < 2) {
            ret[n] = x->order[i];
        }
        n++;
    }
    return n;
}

static enum wh_rc claim_named(struct people_work *w, struct people_claims *claims,
                              const struct index indexes[2], size_t node, struct wh_slice text,
                              struct wh_err *err)
{
    struct people_reference ref;
    size_t found[2];
    size_t n = 0;

    if (people_reference_parse(text, &ref)) {
        n = meant(&indexes[is_number(&ref)], &ref, found);
    }
    if (n == 1 && !w->nodes[found[0]].split) {
        return add(w, claims, (struct people_claim){.text = text, .target = found[0], .node = node},
                   err);
    }
    if (n > 1) {
        if (people_note(w, PEOPLE_RULE_ACCOUNT, text, node, found[0], err) != WH_OK ||
            people_note(w, PEOPLE_RULE_ACCOUNT, text, node, found[1], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc named_accounts(struct people_work *w, struct people_claims *claims,
                                 struct wh_err *err)
{
    struct index indexes[2];

    if (index_new(w, false, &indexes[0], err) != WH_OK ||
        index_new(w, true, &indexes[1], err) != WH_OK) {
        return err->rc;
    }
    for (size_t node = w->in->n_accounts; node < w->n_nodes; node++) {
        const struct people_row *row = people_row_at(w, node);

        for (size_t i = 0; i < row->n_accounts && !w->nodes[node].split; i++) {
            if (claim_named(w, claims, indexes, node, row->accounts[i], err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

/* ---- the other keys ---- */

static enum wh_rc directory_ids(struct people_work *w, struct people_claims *claims,
                                struct wh_err *err)
{
    for (size_t node = w->in->n_accounts; node < w->n_nodes; node++) {
        const struct people_row *row = people_row_at(w, node);
        struct wh_slice type = wh_slice_str(people_type_name(row->type));

        if (row->directory_id.len && !w->nodes[node].split &&
            add(w, claims,
                (struct people_claim){
                    .text = row->directory_id, .scope = type, .target = PEOPLE_NONE, .node = node},
                err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc row_emails(struct people_work *w, struct people_claims *claims,
                             struct wh_err *err)
{
    for (size_t node = w->in->n_accounts; node < w->n_nodes; node++) {
        const struct people_row *row = people_row_at(w, node);

        for (size_t i = 0; i < row->n_emails && !w->nodes[node].split; i++) {
            if (row->emails[i].len &&
                add(w, claims,
                    (struct people_claim){
                        .text = row->emails[i], .target = PEOPLE_NONE, .node = node},
                    err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

/* host:port of an address. */
static struct wh_slice host_of(struct wh_slice instance)
{
    struct wh_slice rest = without_scheme(instance);
    const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;

    return slash ? wh_slice(rest.ptr, (size_t)(slash - rest.ptr)) : rest;
}

static enum wh_rc account_keys(struct people_work *w, enum people_rule rule,
                               struct people_claims *claims, struct wh_err *err)
{
    for (size_t i = 0; i < w->in->n_accounts; i++) {
        const struct people_account *a = people_account_at(w, i);
        bool email = rule == PEOPLE_RULE_EMAIL;
        struct people_claim claim = {.text = email ? a->email : a->username,
                                     .scope = email ? wh_slice("", 0) : host_of(a->instance),
                                     .instance = a->instance,
                                     .target = PEOPLE_NONE,
                                     .node = i};

        if (claim.text.len && a->type == PEOPLE_PERSON && !w->nodes[i].split &&
            add(w, claims, claim, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- order ---- */

static int key_cmp(const struct people_claim *a, const struct people_claim *b)
{
    int c;

    if (a->target != b->target) {
        return a->target < b->target ? -1 : 1;
    }
    if (a->target != PEOPLE_NONE) {
        return 0;
    }
    c = wh_slice_cmp(a->text, b->text);
    return c ? c : wh_slice_cmp(a->scope, b->scope);
}

static int claim_cmp(const void *a, const void *b)
{
    const struct people_claim *x = a;
    const struct people_claim *y = b;
    int c = key_cmp(x, y);

    c = c ? c : wh_slice_cmp(x->instance, y->instance);
    if (c == 0 && x->node != y->node) {
        c = x->node < y->node ? -1 : 1;
    }
    return c ? c : wh_slice_cmp(x->text, y->text);
}

static bool same_key(const struct people_claim *a, const struct people_claim *b)
{
    return key_cmp(a, b) == 0;
}

static bool same_instance(const struct people_claim *a, const struct people_claim *b)
{
    return same_key(a, b) && wh_slice_eq(a->instance, b->instance);
}

static bool is_deleted(const struct people_work *w, const struct people_claim *claim)
{
    return !people_is_row(w, claim->node) &&
           people_account_at(w, claim->node)->state == PEOPLE_DELETED;
}

/* Numbers the groups and leaves out claims made twice. Of the accounts of one instance, deleted ones claim a key
 * only when no other does. */
static void number(const struct people_work *w, struct people_claims *claims)
{
    struct people_claim *all = claims->items;
    size_t n = 0;
    size_t group = 0;
    size_t to = 0;

    for (size_t from = 0; from < claims->n; from = to) {
        bool live = false;

        for (to = from; to < claims->n && same_instance(&all[from], &all[to]); to++) {
            live = live || !is_deleted(w, &all[to]);
        }
        for (size_t i = from; i < to; i++) {
            struct people_claim one = all[i];
            bool first = n == 0 || !same_key(&all[n - 1], &one);

            if ((live && is_deleted(w, &one)) || (!first && all[n - 1].node == one.node)) {
                continue;
            }
            group += first;
            one.group = group;
            all[n++] = one;
        }
    }
    claims->n = n;
}

enum wh_rc people_claims(struct people_work *w, enum people_rule rule, struct people_claims *ret,
                         struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    *ret = (struct people_claims){0};
    if (rule == PEOPLE_RULE_DIRECTORY_ID) {
        rc = directory_ids(w, ret, err);
    } else if (rule == PEOPLE_RULE_ACCOUNT) {
        rc = named_accounts(w, ret, err);
    } else {
        rc = account_keys(w, rule, ret, err);
        if (rc == WH_OK && rule == PEOPLE_RULE_EMAIL) {
            rc = row_emails(w, ret, err);
        }
    }
    if (rc != WH_OK) {
        return rc;
    }
    if (ret->n) {
        qsort(ret->items, ret->n, sizeof(*ret->items), claim_cmp);
    }
    number(w, ret);
    return WH_OK;
}
