/* Exact sums of money: each currency for itself, in twelfths of a month, rounded once. */
#include <stdlib.h>

#include "stages/sink/impact/impact_priv.h"

/* Holds the sum of 2^60 amounts. */
__extension__ typedef unsigned __int128 sum;

enum { MONTHS = 12 };

static bool is_picked(const struct impact_addition *of, const struct impact_contract *c)
{
    if (c->for_any) {
        return true;
    }
    for (const struct impact_service *s = of->services; s; s = of->one_service ? NULL : s->next) {
        if (wh_entity_id_cmp(&s->id, &c->service) == 0) {
            return true;
        }
    }
    return false;
}

static const struct impact_customer *next_customer(const struct impact_addition *of,
                                                   const struct impact_customer *c)
{
    return of->one_customer ? NULL : c->next;
}

static int compare_contracts(const void *a, const void *b)
{
    const struct impact_contract *left = *(const struct impact_contract *const *)a;
    const struct impact_contract *right = *(const struct impact_contract *const *)b;
    int order = wh_slice_cmp(left->currency, right->currency);

    return order ? order : wh_entity_id_cmp(&left->id, &right->id);
}

/* The contracts that count, in order of currencies. */
static enum wh_rc collect(struct wh_arena *arena, const struct impact_addition *of,
                          const struct impact_contract ***ret, size_t *ret_n, struct wh_err *err)
{
    size_t n = 0;
    void *memory = NULL;

    for (const struct impact_customer *c = of->customers; c; c = next_customer(of, c)) {
        for (const struct impact_contract *k = c->contracts; k; k = k->next) {
            n += is_picked(of, k);
        }
    }
    if (wh_arena_alloc(arena, (n + 1) * sizeof(**ret), &memory, err) != WH_OK) {
        return err->rc;
    }
    *ret = memory;
    *ret_n = 0;
    for (const struct impact_customer *c = of->customers; c; c = next_customer(of, c)) {
        for (const struct impact_contract *k = c->contracts; k; k = k->next) {
            if (is_picked(of, k)) {
                (*ret)[(*ret_n)++] = k;
            }
        }
    }
    qsort(*ret, *ret_n, sizeof(**ret), compare_contracts);
    return WH_OK;
}

/* Rounds twelfths to the nearest, a half to the even one. */
static void set_monthly(struct impact_revenue *r, sum twelfths)
{
    sum whole = twelfths / MONTHS;
    unsigned rest = (unsigned)(twelfths % MONTHS);

    if (rest * 2 > MONTHS || (rest * 2 == MONTHS && (whole & 1) != 0)) {
        whole++;
    }
    r->overflow = whole > INT64_MAX;
    r->monthly_minor = r->overflow ? 0 : (int64_t)whole;
}

/* The sum of the first contracts with one currency; *n becomes their number. */
static enum wh_rc add_currency(struct wh_arena *arena, const struct impact_contract **contracts,
                               size_t *n, struct impact_revenue **ret, struct wh_err *err)
{
    size_t all = *n;
    sum twelfths = 0;
    void *memory = NULL;

    if (wh_arena_zalloc(arena, 1, sizeof(**ret), &memory, err) != WH_OK) {
        return err->rc;
    }
    *ret = memory;
    (*ret)->currency = contracts[0]->currency;
    (*ret)->contracts = contracts;
    for (*n = 0; *n < all && wh_slice_eq(contracts[*n]->currency, (*ret)->currency); ++*n) {
        twelfths += (sum)contracts[*n]->amount * contracts[*n]->per_year;
    }
    (*ret)->n_contracts = *n;
    set_monthly(*ret, twelfths);
    return WH_OK;
}

enum wh_rc impact_add_up(struct wh_arena *arena, const struct impact_addition *of,
                         struct impact_revenue **ret, struct wh_err *err)
{
    const struct impact_contract **contracts = NULL;
    size_t n = 0;

    *ret = NULL;
    if (collect(arena, of, &contracts, &n, err) != WH_OK) {
        return err->rc;
    }
    while (n > 0) {
        size_t taken = n;

        if (add_currency(arena, contracts, &taken, ret, err) != WH_OK) {
            return err->rc;
        }
        contracts += taken;
        n -= taken;
        ret = &(*ret)->next;
    }
    return WH_OK;
}
