/* The customers of the services, on the day the incident started. */
#include "stages/sink/impact/impact_priv.h"

enum { DATE_BYTES = 10 };

static bool is_date(struct wh_slice text)
{
    static const char form[] = "dddd-dd-dd";

    for (size_t i = 0; i < DATE_BYTES; i++) {
        char c = i < text.len ? text.ptr[i] : '\0';

        if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i]) {
            return false;
        }
    }
    return text.len == DATE_BYTES;
}

static bool is_open(const struct wh_value *bound)
{
    return bound == NULL || (!bound->is_far && bound->u.str.len == 0);
}

/* Dates in this form sort as they follow each other. */
static int compare(const struct wh_value *bound, struct wh_slice day, bool *ret_comparable)
{
    *ret_comparable = !bound->is_far && is_date(bound->u.str) && is_date(day);
    return *ret_comparable ? wh_slice_cmp(bound->u.str, day) : 0;
}

bool impact_holds(struct wh_slice day, const struct wh_value *from, const struct wh_value *to)
{
    bool comparable;

    if (!is_open(from) && (compare(from, day, &comparable) > 0 || !comparable)) {
        return false;
    }
    return is_open(to) || (compare(to, day, &comparable) >= 0 && comparable);
}

/* ---- the list ---- */

static struct impact_customer *find_customer(const struct impact_work *w,
                                             const struct wh_entity_id *id)
{
    for (struct impact_customer *c = w->report->customers; c; c = c->next) {
        if (wh_entity_id_cmp(&c->id, id) == 0) {
            return c;
        }
    }
    return NULL;
}

static bool is_before(const struct impact_customer *a, const struct impact_customer *b)
{
    int order = wh_slice_cmp(a->name, b->name);

    return order < 0 || (order == 0 && wh_entity_id_cmp(&a->id, &b->id) < 0);
}

static enum wh_rc new_customer(struct impact_work *w, const struct wh_entity_id *id,
                               struct impact_customer **ret, struct wh_err *err)
{
    struct impact_customer **at = &w->report->customers;
    const struct wh_head *head = NULL;
    void *memory = NULL;

    *ret = NULL;
    if (past_live(w->past, WH_KIND_CUSTOMER, id, &w->scratch, &head, err) != WH_OK ||
        wh_arena_zalloc(w->arena, 1, sizeof(**ret), &memory, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL) {
        return WH_OK;
    }
    *ret = memory;
    (*ret)->id = *id;
    if (wh_arena_dup(w->arena, past_string(head, "name"), &(*ret)->name, err) != WH_OK) {
        return err->rc;
    }
    while (*at && is_before(*at, *ret)) {
        at = &(*at)->next;
    }
    (*ret)->next = *at;
    *at = *ret;
    return impact_read_contracts(w, head, *ret, err);
}

/* ---- uses ---- */

static bool has_use(const struct impact_service *s, const struct wh_entity_id *customer)
{
    for (const struct impact_use *u = s->uses; u; u = u->next) {
        if (wh_entity_id_cmp(&u->customer->id, customer) == 0) {
            return true;
        }
    }
    return false;
}

/* The customer's reason: the service's first one, and the steps from there. */
static enum wh_rc add_reason(struct impact_work *w, const struct impact_service *s,
                             struct impact_use *use, struct wh_err *err)
{
    struct impact_reason **at = &use->customer->reasons;
    void *memory = NULL;

    if (wh_arena_zalloc(w->arena, 1, sizeof(**at), &memory, err) != WH_OK) {
        return err->rc;
    }
    while (*at) {
        at = &(*at)->next;
    }
    *at = memory;
    (*at)->rule = s->reasons->rule;
    return impact_join_steps(w->arena, s->reasons->steps, use->steps, &(*at)->steps, err);
}

static enum wh_rc add_use(struct impact_work *w, struct impact_service *s,
                          const struct impact_owner *owner, const struct wh_head *row,
                          struct wh_err *err)
{
    struct impact_customer *customer = find_customer(w, &owner->id);
    struct impact_use **at = &s->uses;
    struct impact_use *use;
    const struct impact_step *row_step = NULL;
    void *memory = NULL;

    if (has_use(s, &owner->id)) {
        return WH_OK;
    }
    if (impact_add_step(w->arena, "service_customers", row, "customer", owner->steps, &row_step,
                        err) != WH_OK ||
        (customer == NULL && new_customer(w, &owner->id, &customer, err) != WH_OK) ||
        wh_arena_zalloc(w->arena, 1, sizeof(*use), &memory, err) != WH_OK) {
        return err->rc;
    }
    if (customer == NULL) {
        return WH_OK;
    }
    use = memory;
    *use = (struct impact_use){.customer = customer, .steps = row_step};
    while (*at && is_before((*at)->customer, customer)) {
        at = &(*at)->next;
    }
    use->next = *at;
    *at = use;
    return add_reason(w, s, use, err);
}

static enum wh_rc add_row(struct impact_work *w, struct impact_service *s,
                          const struct past_found *found, struct wh_err *err)
{
    const struct wh_head *row = NULL;
    const struct impact_owner *owner = NULL;

    if (found->kind != WH_KIND_SERVICE_CUSTOMER) {
        return WH_OK;
    }
    wh_arena_reset(&w->scratch);
    if (past_live(w->past, found->kind, &found->id, &w->scratch, &row, err) != WH_OK) {
        return err->rc;
    }
    if (row == NULL || !impact_holds(w->day, past_field(row, "since"), past_field(row, "until"))) {
        return WH_OK;
    }
    if (impact_resolve(w, WH_KIND_CUSTOMER, past_string(row, "customer"), "import", row, "customer",
                       &owner, err) != WH_OK) {
        return err->rc;
    }
    return owner ? add_use(w, s, owner, row, err) : WH_OK;
}

static enum wh_rc add_rows_of_name(struct impact_work *w, struct impact_service *s,
                                   struct wh_slice name, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_mentioners(w->past, name, &scan, err);

    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            rc = add_row(w, s, &found, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

static enum wh_rc add_of_service(struct impact_work *w, struct impact_service *s,
                                 struct wh_err *err)
{
    const struct wh_head *head = NULL;
    struct impact_name *names = NULL;

    wh_arena_reset(&w->scratch);
    if (past_live(w->past, WH_KIND_SERVICE, &s->id, &w->scratch, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head && impact_own_names(w, head, &names, err) != WH_OK) {
        return err->rc;
    }
    for (; names; names = names->next) {
        if (add_rows_of_name(w, s, names->name, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc add_revenue(struct impact_work *w, struct wh_err *err)
{
    struct impact_report *r = w->report;

    for (struct impact_service *s = r->services; s; s = s->next) {
        for (struct impact_use *u = s->uses; u; u = u->next) {
            const struct impact_addition of = {u->customer, true, s, true};

            if (impact_add_up(w->arena, &of, &u->revenue, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    for (struct impact_customer *c = r->customers; c; c = c->next) {
        const struct impact_addition of = {c, true, r->services, false};

        if (impact_add_up(w->arena, &of, &c->revenue, err) != WH_OK) {
            return err->rc;
        }
    }
    return impact_add_up(w->arena,
                         &(struct impact_addition){r->customers, false, r->services, false},
                         &r->revenue, err);
}

enum wh_rc impact_add_customers(struct impact_work *w, struct wh_err *err)
{
    for (struct impact_service *s = w->report->services; s; s = s->next) {
        if (add_of_service(w, s, err) != WH_OK) {
            return err->rc;
        }
    }
    return add_revenue(w, err);
}
