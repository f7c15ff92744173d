/* What only a person can decide: keys that two claim, and similar names. */
#include <stdlib.h>

#include "stages/sink/people/resolve_priv.h"

struct by_name {
    struct wh_slice name;
    size_t node;
};

static int name_cmp(const void *a, const void *b)
{
    const struct by_name *x = a;
    const struct by_name *y = b;
    int c = wh_slice_cmp(x->name, y->name);

    if (c == 0 && x->node != y->node) {
        c = x->node < y->node ? -1 : 1;
    }
    return c;
}

static struct wh_slice name_of(const struct people_work *w, size_t node)
{
    return people_is_row(w, node) ? people_row_at(w, node)->name : people_account_at(w, node)->name;
}

/* Nobody has said so far whether the node's name says who it is. */
static bool is_open(const struct people_work *w, const struct people *people, size_t node)
{
    const struct people_member *m = &people->members[w->nodes[node].member];

    return !w->nodes[node].split && m->type == PEOPLE_PERSON && m->state != PEOPLE_DELETED;
}

/* Neighbours with one name may be one person. */
static enum wh_rc note_names(struct people_work *w, const struct people *people, struct wh_err *err)
{
    struct by_name *names;
    void *memory = NULL;
    size_t n = 0;

    if (wh_arena_zalloc(w->arena, w->n_nodes + 1, sizeof(*names), &memory, err) != WH_OK) {
        return err->rc;
    }
    names = memory;
    for (size_t i = 0; i < w->n_nodes; i++) {
        if (name_of(w, i).len && is_open(w, people, i)) {
            names[n++] = (struct by_name){name_of(w, i), i};
        }
    }
    qsort(names, n, sizeof(*names), name_cmp);
    for (size_t i = 1; i < n; i++) {
        if (wh_slice_eq(names[i - 1].name, names[i].name) &&
            people_note(w, PEOPLE_RULE_NAME, names[i].name, names[i - 1].node, names[i].node,
                        err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static int review_cmp(const void *a, const void *b)
{
    const struct people_review *x = a;
    const struct people_review *y = b;
    int c = x->rule == y->rule ? wh_slice_cmp(x->key, y->key) : x->rule < y->rule ? -1 : 1;

    if (c == 0 && x->left != y->left) {
        c = x->left < y->left ? -1 : 1;
    }
    if (c == 0 && x->right != y->right) {
        c = x->right < y->right ? -1 : 1;
    }
    if (c == 0 && x->since_ms != y->since_ms) {
        c = x->since_ms < y->since_ms ? -1 : 1;
    }
    return c;
}

static int64_t since(const struct people_work *w, size_t node)
{
    return people_is_row(w, node) ? people_row_at(w, node)->since_ms
                                  : people_account_at(w, node)->since_ms;
}

static struct people_review review_of(const struct people_work *w, const struct people_found *f)
{
    size_t left = w->nodes[f->left].member;
    size_t right = w->nodes[f->right].member;
    int64_t a = since(w, f->left);
    int64_t b = since(w, f->right);

    return (struct people_review){f->rule, f->key, left < right ? left : right,
                                  left < right ? right : left, a > b ? a : b};
}

static bool same(const struct people_review *a, const struct people_review *b)
{
    return a->rule == b->rule && a->left == b->left && a->right == b->right &&
           wh_slice_eq(a->key, b->key);
}

enum wh_rc people_reviews(struct people_work *w, struct people *people, struct wh_err *err)
{
    void *memory = NULL;
    size_t n = 0;

    if (note_names(w, people, err) != WH_OK ||
        wh_arena_zalloc(w->keep, w->n_found + 1, sizeof(*people->reviews), &memory, err) != WH_OK) {
        return err->rc;
    }
    people->reviews = memory;
    for (size_t i = 0; i < w->n_found; i++) {
        struct people_review r = review_of(w, &w->found[i]);

        if (r.left != r.right) {
            people->reviews[n++] = r;
        }
    }
    qsort(people->reviews, n, sizeof(*people->reviews), review_cmp);
    people->n_reviews = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !same(&people->reviews[i], &people->reviews[people->n_reviews - 1])) {
            people->reviews[people->n_reviews++] = people->reviews[i];
        }
    }
    return WH_OK;
}
