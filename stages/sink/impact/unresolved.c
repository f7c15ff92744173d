/* Names that link to nothing, of all incidents and imported rows. */
#include "common/base/mem.h"
#include "stages/sink/impact/impact_priv.h"

enum phase { OF_INCIDENTS, OF_ROWS, OF_CLAIMS, OVER };

static const char *const row_prefixes[] = {"service:", "customer:"};
static const char *const claim_prefixes[] = {
    "service:", "customer:", "label:", "project:", "environment:"};

struct impact_unresolved_scan {
    struct past *past;
    enum phase phase;
    size_t prefix; /* of the phase */
    struct past_scan *scan;
    struct keys keys;
    /* The name that the scan is at. */
    struct wh_buf name;
    bool is_loose;
    int64_t count;
};

enum wh_rc impact_unresolved_new(struct past *p, struct impact_unresolved_scan **ret,
                                 struct wh_err *err)
{
    struct impact_unresolved_scan *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a scan");
    }
    s->past = p;
    keys_init(&s->keys);
    wh_buf_init(&s->name, KEYS_NAME_MAX);
    *ret = s;
    if (past_claimants(p, WH_LIT("type:incident"), &s->scan, err) != WH_OK) {
        impact_unresolved_free(s);
        *ret = NULL;
        return err->rc;
    }
    return WH_OK;
}

void impact_unresolved_free(struct impact_unresolved_scan *s)
{
    if (s == NULL) {
        return;
    }
    past_scan_free(s->scan);
    wh_buf_done(&s->name);
    wh_mem_free(s);
}

/* ---- phases ---- */

/* Opens the scan of the next prefix, or of the next phase. */
static enum wh_rc advance(struct impact_unresolved_scan *s, struct wh_err *err)
{
    static const size_t n_prefixes[] = {[OF_INCIDENTS] = 1, [OF_ROWS] = 2, [OF_CLAIMS] = 5};
    const char *prefix;

    past_scan_free(s->scan);
    s->scan = NULL;
    wh_buf_reset(&s->name);
    if (++s->prefix >= n_prefixes[s->phase]) {
        s->prefix = 0;
        s->phase++;
    }
    if (s->phase == OVER) {
        return WH_OK;
    }
    prefix = s->phase == OF_ROWS ? row_prefixes[s->prefix] : claim_prefixes[s->prefix];
    return past_names(s->past, s->phase == OF_ROWS, wh_slice_str(prefix), &s->scan, err);
}

/* ---- counts ---- */

static enum wh_rc count_mentioners(struct past *p, struct wh_slice name, int64_t *ret,
                                   struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_mentioners(p, name, &scan, err);

    *ret = 0;
    while (rc == WH_OK && more) {
        rc = past_next(scan, &found, &more, err);
        *ret += rc == WH_OK && more;
    }
    past_scan_free(scan);
    return rc;
}

static bool same_project(const struct wh_head *a, const struct wh_head *b)
{
    const struct wh_value *left = a ? past_field(a, "project") : NULL;
    const struct wh_value *right = past_field(b, "project");

    return left && right && wh_entity_id_cmp(&left->u.ref, &right->u.ref) == 0;
}

/* Incidents of the same project that a scan finds; frees the scan. */
static enum wh_rc count_in_project(struct past *p, struct past_scan *scan,
                                   const struct wh_head *incident, int64_t *ret, struct wh_err *err)
{
    struct past_found found;
    struct wh_arena scratch;
    bool more = true;
    enum wh_rc rc = WH_OK;

    *ret = 0;
    wh_arena_init(&scratch, 64 << 10, 16 << 20);
    while (rc == WH_OK && more) {
        const struct wh_head *head = NULL;

        rc = past_next(scan, &found, &more, err);
        if (rc == WH_OK && more) {
            wh_arena_reset(&scratch);
            rc = past_live(p, found.kind, &found.id, &scratch, &head, err);
        }
        *ret += rc == WH_OK && more && impact_is_incident(head) && same_project(head, incident);
    }
    wh_arena_done(&scratch);
    past_scan_free(scan);
    return rc;
}

/* Names with a project are not mentioned as such: the project is that of the incident. */
static enum wh_rc count_of(struct past *p, const struct impact_loose *loose,
                           const struct wh_head *incident, int64_t *ret, struct wh_err *err)
{
    const char *sharp = memchr(loose->name.ptr, '#', loose->name.len);
    struct past_scan *scan = NULL;
    struct wh_buf name;
    enum wh_rc rc;

    if (wh_slice_starts(loose->name, WH_LIT("project:"))) {
        return past_claimants(p, WH_LIT("type:incident"), &scan, err) == WH_OK
                   ? count_in_project(p, scan, incident, ret, err)
                   : err->rc;
    }
    if (!wh_slice_starts(loose->name, WH_LIT("environment:")) || sharp == NULL) {
        return count_mentioners(p, loose->name, ret, err);
    }
    wh_buf_init(&name, KEYS_NAME_MAX);
    rc = wh_buf_append(&name, WH_LIT("environment:"), err);
    rc = rc == WH_OK
             ? wh_buf_append(&name, wh_slice_from(loose->name, (size_t)(sharp - loose->name.ptr)),
                             err)
             : rc;
    rc = rc == WH_OK ? past_mentioners(p, wh_buf_slice(&name), &scan, err) : rc;
    wh_buf_done(&name);
    return rc == WH_OK ? count_in_project(p, scan, incident, ret, err) : rc;
}

/* ---- incidents ---- */

/* NULL without memory, with *err set. */
static struct impact_unresolved *room_for(struct wh_arena *arena, size_t n, struct wh_err *err)
{
    void *memory = NULL;

    return wh_arena_zalloc(arena, n + 1, sizeof(struct impact_unresolved), &memory, err) == WH_OK
               ? memory
               : NULL;
}

static enum wh_rc of_incident(struct impact_unresolved_scan *s, const struct past_found *found,
                              struct wh_arena *arena, struct impact_unresolved **ret, size_t *ret_n,
                              struct wh_err *err)
{
    const struct wh_head *head = NULL;
    const struct wh_head *now = NULL;
    struct impact_report report;
    size_t n = 0;

    if (past_live(s->past, found->kind, &found->id, arena, &head, err) != WH_OK) {
        return err->rc;
    }
    if (!impact_is_incident(head)) {
        return WH_OK;
    }
    if (impact_moved_to(s->past, head, arena, &now, err) != WH_OK) {
        return err->rc;
    }
    if (now != head) {
        return WH_OK;
    }
    if (impact_read_services(s->past, head, arena, &report, err) != WH_OK) {
        return err->rc;
    }
    for (const struct impact_loose *l = report.loose; l; l = l->next) {
        n++;
    }
    *ret = room_for(arena, n, err);
    if (*ret == NULL) {
        return err->rc;
    }
    for (const struct impact_loose *l = report.loose; l; l = l->next) {
        struct impact_unresolved *u = &(*ret)[*ret_n];

        /* Rows that claim for an unknown service come with the other rows. */
        if (wh_entity_id_cmp(&l->by, &head->id) != 0) {
            continue;
        }
        *u = (struct impact_unresolved){.loose = *l, .mentioned = true};
        if (count_of(s->past, l, head, &u->count, err) != WH_OK) {
            return err->rc;
        }
        ++*ret_n;
    }
    return WH_OK;
}

/* ---- names of rows, and of claims ---- */

static enum wh_kind kind_of(struct wh_slice name)
{
    return wh_slice_starts(name, WH_LIT("customer:")) ? WH_KIND_CUSTOMER : WH_KIND_SERVICE;
}

/* *ret_claim lives in the arena. */
static enum wh_rc claim_of(struct impact_unresolved_scan *s, struct wh_slice name,
                           struct wh_arena *arena, struct impact_claim *ret_claim,
                           struct wh_err *err)
{
    struct impact_report report = {0};
    struct impact_work w;
    enum wh_rc rc;

    *ret_claim = (struct impact_claim){0};
    impact_work_init(&w, s->past, arena, &report);
    rc = impact_claimed(&w, kind_of(name), name, ret_claim, err);
    impact_work_done(&w);
    return rc;
}

static enum wh_rc add_claimants(struct wh_arena *arena, const struct impact_claim *claim,
                                struct impact_loose *loose, struct wh_err *err)
{
    struct wh_entity_id *ids;
    void *memory = NULL;

    if (wh_arena_zalloc(arena, claim->n_owners + 1, sizeof(*ids), &memory, err) != WH_OK) {
        return err->rc;
    }
    ids = memory;
    loose->claimants = ids;
    for (const struct impact_owner *o = claim->owners; o; o = o->next) {
        ids[loose->n_claimants++] = o->id;
    }
    return WH_OK;
}

/* Notes the name that the scan has come to; *ret_same: it is the one before. */
static enum wh_rc come_to(struct impact_unresolved_scan *s, struct wh_slice name, bool *ret_same,
                          struct wh_err *err)
{
    *ret_same = wh_slice_eq(wh_buf_slice(&s->name), name);
    if (*ret_same) {
        return WH_OK;
    }
    wh_buf_reset(&s->name);
    return wh_buf_append(&s->name, name, err) == WH_OK
               ? count_mentioners(s->past, wh_buf_slice(&s->name), &s->count, err)
               : err->rc;
}

struct looking {
    struct wh_slice name;
    struct impact_loose *loose;
    const struct wh_head *head;
};

static enum wh_rc look_for(void *ctx, const struct keys_name *found, struct wh_err *err)
{
    const struct looking *l = ctx;

    (void)err;
    if (l->loose->rule == NULL && wh_slice_eq(found->name, l->name)) {
        l->loose->rule = found->rule;
        l->loose->field = found->field;
        l->loose->version = found->field >= 0 ? l->head->set[found->field] : l->head->version;
    }
    return WH_OK;
}

/* A row that mentions the name. */
static enum wh_rc of_row(struct impact_unresolved_scan *s, const struct past_found *found,
                         struct wh_arena *arena, struct impact_unresolved **ret, size_t *ret_n,
                         struct wh_err *err)
{
    const struct wh_head *head = NULL;
    struct impact_claim claim;
    bool same = false;

    if (come_to(s, found->name, &same, err) != WH_OK) {
        return err->rc;
    }
    if (same && !s->is_loose) {
        return WH_OK;
    }
    if (claim_of(s, found->name, arena, &claim, err) != WH_OK) {
        return err->rc;
    }
    s->is_loose = claim.n_owners != 1;
    if (!s->is_loose || found->kind == WH_KIND_WORK_ITEM) {
        return WH_OK;
    }
    if (past_live(s->past, found->kind, &found->id, arena, &head, err) != WH_OK) {
        return err->rc;
    }
    *ret = room_for(arena, 1, err);
    if (*ret == NULL) {
        return err->rc;
    }
    if (head) {
        struct looking l = {found->name, &(*ret)->loose, head};

        (*ret)->mentioned = true;
        (*ret)->count = s->count;
        (*ret)->loose.kind = found->kind;
        (*ret)->loose.by = found->id;
        *ret_n = 1;
        if (keys_mentions(&s->keys, &head->source, &head->body, look_for, &l, err) != WH_OK ||
            wh_arena_dup(arena, found->name, &(*ret)->loose.name, err) != WH_OK) {
            return err->rc;
        }
    }
    return add_claimants(arena, &claim, &(*ret)->loose, err);
}

/* A name that several claim and nobody mentions. */
static enum wh_rc of_claim(struct impact_unresolved_scan *s, const struct past_found *found,
                           struct wh_arena *arena, struct impact_unresolved **ret, size_t *ret_n,
                           struct wh_err *err)
{
    struct impact_claim claim;
    bool same = false;

    if (come_to(s, found->name, &same, err) != WH_OK) {
        return err->rc;
    }
    if (same || s->count > 0) {
        return WH_OK;
    }
    if (claim_of(s, found->name, arena, &claim, err) != WH_OK) {
        return err->rc;
    }
    if (claim.n_owners < 2) {
        return WH_OK;
    }
    *ret = room_for(arena, 1, err);
    if (*ret == NULL || wh_arena_dup(arena, found->name, &(*ret)->loose.name, err) != WH_OK) {
        return err->rc;
    }
    (*ret)->loose.field = IMPACT_IDENTITY;
    *ret_n = 1;
    return add_claimants(arena, &claim, &(*ret)->loose, err);
}

enum wh_rc impact_unresolved_next(struct impact_unresolved_scan *s, struct wh_arena *arena,
                                  struct impact_unresolved **ret, size_t *ret_n, bool *ret_end,
                                  struct wh_err *err)
{
    struct past_found found;
    bool more = false;

    *ret = NULL;
    *ret_n = 0;
    *ret_end = s->phase == OVER;
    if (*ret_end) {
        return WH_OK;
    }
    if (past_next(s->scan, &found, &more, err) != WH_OK) {
        return err->rc;
    }
    if (!more) {
        return advance(s, err);
    }
    switch (s->phase) {
    case OF_INCIDENTS:
        return of_incident(s, &found, arena, ret, ret_n, err);
    case OF_ROWS:
        return of_row(s, &found, arena, ret, ret_n, err);
    case OF_CLAIMS:
        return of_claim(s, &found, arena, ret, ret_n, err);
    case OVER:
    default:
        return WH_OK;
    }
}
