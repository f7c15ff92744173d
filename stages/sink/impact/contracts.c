/* The contracts of a customer that were running on a day. */
#include "stages/sink/impact/impact_priv.h"

static enum wh_rc currency_of(struct wh_arena *arena, const struct wh_head *row,
                              struct wh_slice *ret, struct wh_err *err)
{
    struct wh_slice text = past_string(row, "currency");
    void *memory = NULL;
    char *upper;

    if (wh_arena_alloc(arena, text.len + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    upper = memory;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    *ret = wh_slice(upper, text.len);
    return WH_OK;
}

/* 0 for what is paid once, and for words that are no period: no month has a part of them. */
static unsigned per_year(struct wh_slice period)
{
    if (wh_slice_eq(period, WH_LIT("month"))) {
        return 12;
    }
    if (wh_slice_eq(period, WH_LIT("quarter"))) {
        return 4;
    }
    return wh_slice_eq(period, WH_LIT("year")) ? 1 : 0;
}

/* *ret_for is false when the contract is for a service that is not known. */
static enum wh_rc service_of(struct impact_work *w, const struct wh_head *row,
                             struct impact_contract *c, bool *ret_for, struct wh_err *err)
{
    struct wh_slice key = past_string(row, "service");
    const struct impact_owner *owner = NULL;

    c->for_any =
        past_field(row, "service") == NULL || (key.len == 0 && !past_field(row, "service")->is_far);
    *ret_for = c->for_any;
    if (c->for_any) {
        return WH_OK;
    }
    if (impact_resolve(w, WH_KIND_SERVICE, key, "import", row, "service", &owner, err) != WH_OK) {
        return err->rc;
    }
    if (owner) {
        *ret_for = true;
        c->service = owner->id;
    }
    return WH_OK;
}

static enum wh_rc add_contract(struct impact_work *w, const struct past_found *found,
                               struct impact_customer *customer, struct wh_err *err)
{
    const struct wh_head *row = NULL;
    const struct wh_value *amount;
    struct impact_contract *c;
    void *memory = NULL;
    bool is_for = false;

    if (found->kind != WH_KIND_SUBSCRIPTION) {
        return WH_OK;
    }
    if (past_live(w->past, found->kind, &found->id, &w->scratch, &row, err) != WH_OK) {
        return err->rc;
    }
    amount = row ? past_field(row, "amount_minor") : NULL;
    if (amount == NULL || amount->u.i < 0 ||
        !impact_holds(w->day, past_field(row, "starts_on"), past_field(row, "ends_on"))) {
        return WH_OK;
    }
    if (wh_arena_zalloc(w->arena, 1, sizeof(*c), &memory, err) != WH_OK) {
        return err->rc;
    }
    c = memory;
    *c = (struct impact_contract){.next = customer->contracts,
                                  .id = found->id,
                                  .amount = (uint64_t)amount->u.i,
                                  .per_year = per_year(past_string(row, "period"))};
    if (currency_of(w->arena, row, &c->currency, err) != WH_OK ||
        service_of(w, row, c, &is_for, err) != WH_OK ||
        impact_add_step(w->arena, "subscriptions", row, "amount_minor", NULL, &c->evidence, err) !=
            WH_OK) {
        return err->rc;
    }
    if (is_for && c->per_year > 0) {
        customer->contracts = c;
    }
    return WH_OK;
}

static enum wh_rc add_of_name(struct impact_work *w, struct wh_slice name,
                              struct impact_customer *customer, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_mentioners(w->past, name, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = add_contract(w, &found, customer, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

enum wh_rc impact_read_contracts(struct impact_work *w, const struct wh_head *head,
                                 struct impact_customer *customer, struct wh_err *err)
{
    struct impact_name *names = NULL;

    if (impact_own_names(w, head, &names, err) != WH_OK) {
        return err->rc;
    }
    for (; names; names = names->next) {
        if (add_of_name(w, names->name, customer, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
