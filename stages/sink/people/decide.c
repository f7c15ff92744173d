/* What people have decided, before any rule. */
#include <stdlib.h>

#include "stages/sink/people/resolve_priv.h"

struct ordered {
    const struct people_decision *decision;
    size_t number; /* in the input */
};

static int compare(const void *a, const void *b)
{
    const struct people_decision *x = ((const struct ordered *)a)->decision;
    const struct people_decision *y = ((const struct ordered *)b)->decision;

    if (x->at_ms != y->at_ms) {
        return x->at_ms < y->at_ms ? -1 : 1;
    }
    return wh_slice_cmp(x->id, y->id);
}

static int compare_ids(const void *a, const void *b)
{
    const struct ordered *const *x = a;
    const struct ordered *const *y = b;

    return wh_slice_cmp((*x)->decision->id, (*y)->decision->id);
}

/* The decision with that id; NULL: there is none. */
static const struct ordered *find(const struct ordered *const *by_id, size_t n, struct wh_slice id)
{
    size_t low = 0;

    while (n > 0) {
        size_t half = n / 2;
        int c = wh_slice_cmp(by_id[low + half]->decision->id, id);

        if (c == 0) {
            return by_id[low + half];
        }
        if (c < 0) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return NULL;
}

/* The newest first: whether a decision counts depends on later ones alone. */
static enum wh_rc undo(struct people_work *w, const struct ordered *all, size_t n,
                       struct wh_err *err)
{
    void *memory = NULL;
    const struct ordered **by_id;

    if (wh_arena_zalloc(w->arena, n + 1, sizeof(*by_id), &memory, err) != WH_OK) {
        return err->rc;
    }
    by_id = memory;
    for (size_t i = 0; i < n; i++) {
        by_id[i] = &all[i];
    }
    qsort((void *)by_id, n, sizeof(*by_id), compare_ids);
    for (size_t i = n; i-- > 0;) {
        const struct ordered *undone;

        if (all[i].decision->action != PEOPLE_UNDO || w->undone_by[all[i].number] != PEOPLE_NONE) {
            continue;
        }
        undone = find(by_id, n, all[i].decision->undoes);
        if (undone && undone < &all[i]) {
            w->undone_by[undone->number] = all[i].number;
        }
    }
    return WH_OK;
}

/* ---- rings of nodes that are together ---- */

static bool together(const size_t *next, size_t a, size_t b)
{
    size_t at = a;

    do {
        if (at == b) {
            return true;
        }
        at = next[at];
    } while (at != a);
    return false;
}

static void take_out(struct people_work *w, size_t *next, size_t node)
{
    size_t before = node;

    while (next[before] != node) {
        before = next[before];
    }
    next[before] = next[node];
    next[node] = node;
    w->nodes[node].split = true;
}

static void join(size_t *next, size_t a, size_t b)
{
    size_t after = next[a];

    if (!together(next, a, b)) {
        next[a] = next[b];
        next[b] = after;
    }
}

static void follow(struct people_work *w, size_t *next, const struct people_decision *d)
{
    size_t subject = people_find(w->in, &d->subject);
    size_t object = people_find(w->in, &d->object);

    if (d->action == PEOPLE_SPLIT && subject != PEOPLE_NONE) {
        take_out(w, next, subject);
    } else if (d->action == PEOPLE_MERGE && subject != PEOPLE_NONE && object != PEOPLE_NONE) {
        join(next, subject, object);
    }
}

static void because(struct people_work *w, const struct people_decision *d, size_t node,
                    size_t with)
{
    if (node != with) {
        people_because(w, node, PEOPLE_RULE_DECISION, d->id, with);
    }
}

/* Which decision joined a node to the others: one whose two nodes are still together, else any that
 * names it. */
static void explain(struct people_work *w, const size_t *next, const struct people_decision *d,
                    bool any)
{
    size_t a = people_find(w->in, &d->subject);
    size_t b = people_find(w->in, &d->object);

    if (d->action != PEOPLE_MERGE || a == PEOPLE_NONE || b == PEOPLE_NONE) {
        return;
    }
    if (together(next, a, b)) {
        because(w, d, a, b);
        because(w, d, b, a);
    } else if (any) {
        because(w, d, a, next[a]);
        because(w, d, b, next[b]);
    }
}

enum wh_rc people_decide(struct people_work *w, struct wh_err *err)
{
    size_t n = w->in->n_decisions;
    struct ordered *all;
    void *memory = NULL;
    void *ring = NULL;
    size_t *next;

    if (wh_arena_zalloc(w->arena, n + 1, sizeof(*all), &memory, err) != WH_OK ||
        wh_arena_zalloc(w->arena, w->n_nodes + 1, sizeof(*next), &ring, err) != WH_OK) {
        return err->rc;
    }
    all = memory;
    next = ring;
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct ordered){&w->in->decisions[i], i};
        w->undone_by[i] = PEOPLE_NONE;
    }
    for (size_t i = 0; i < w->n_nodes; i++) {
        next[i] = i;
    }
    qsort(all, n, sizeof(*all), compare);
    if (undo(w, all, n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (w->undone_by[all[i].number] == PEOPLE_NONE) {
            follow(w, next, all[i].decision);
        }
    }
    for (size_t i = 0; i < 2 * n; i++) {
        if (w->undone_by[all[i % n].number] == PEOPLE_NONE) {
            explain(w, next, all[i % n].decision, i >= n);
        }
    }
    for (size_t i = 0; i < w->n_nodes; i++) {
        people_unite(w, i, next[i]);
    }
    return WH_OK;
}
