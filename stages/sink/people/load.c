/* Accounts, rows of directories and decisions, as the state of the store has them. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/key.h"
#include "stages/sink/people/book_priv.h"

enum {
    SCRATCH_BLOCK_BYTES = 64 << 10,
    SCRATCH_MAX_BYTES = 64 << 20,
    DECISION_DEPTH = 8,
};

struct account {
    struct people_account is;
    struct people_shown shows;
};

struct load {
    struct people_bound *b;
    const struct people_book_conf *conf;
    struct wh_arena scratch; /* of one entity */
    struct wh_buf text;
    struct account *accounts; /* on the heap, as the next three */
    size_t n_accounts;
    size_t cap_accounts;
    struct people_row *rows;
    size_t n_rows;
    size_t cap_rows;
    struct people_said *said;
    size_t cap_said;
    struct people_decision *decisions;
    size_t n_decisions;
    size_t cap_decisions;
    struct wh_decision *decided;
    size_t cap_decided;
};

/* ---- memory ---- */

static enum wh_rc grow(void **items, size_t *cap, size_t n, size_t size, struct wh_err *err)
{
    size_t wanted = *cap ? *cap * 2 : 256;
    void *grown;

    if (n < *cap) {
        return WH_OK;
    }
    grown = wh_mem_resize(*items, wanted, size);
    if (grown == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for people");
    }
    *items = grown;
    *cap = wanted;
    return WH_OK;
}

static enum wh_rc keep(struct load *l, struct wh_slice text, struct wh_slice *ret,
                       struct wh_err *err)
{
    *ret = wh_slice("", 0);
    return text.len ? wh_arena_dup(&l->b->arena, text, ret, err) : WH_OK;
}

/* Texts of an instance are many times the same. */
static enum wh_rc keep_same(struct load *l, struct wh_slice text, const struct wh_slice *before,
                            struct wh_slice *ret, struct wh_err *err)
{
    if (before && wh_slice_eq(*before, text)) {
        *ret = *before;
        return WH_OK;
    }
    return keep(l, text, ret, err);
}

/* The folded form of a kept text; empty when it has none. */
static enum wh_rc keep_folded(struct load *l, struct wh_slice text, struct wh_slice *ret,
                              struct wh_err *err)
{
    *ret = wh_slice("", 0);
    wh_buf_reset(&l->text);
    if (text.len == 0 || wh_key_fold(text, &l->text, err) != WH_OK) {
        return text.len == 0 || err->rc == WH_E_TOO_LARGE || err->rc == WH_E_UTF8 ? WH_OK : err->rc;
    }
    if (wh_slice_eq(wh_buf_slice(&l->text), text)) {
        *ret = text;
        return WH_OK;
    }
    return keep(l, wh_buf_slice(&l->text), ret, err);
}

/* The form of a name by which similar ones are found; empty when it has none. */
static enum wh_rc keep_name_key(struct load *l, struct wh_slice name, struct wh_slice *ret,
                                struct wh_err *err)
{
    wh_buf_reset(&l->text);
    *ret = wh_slice("", 0);
    return people_name_key(name, &l->text, err) == WH_OK ? keep(l, wh_buf_slice(&l->text), ret, err)
                                                         : err->rc;
}

/* ---- accounts ---- */

/* Since when the fields are as they are: the newest of their versions. */
static int64_t since_of(const struct wh_head *head, const char *const *fields, size_t n)
{
    int64_t since = 0;

    for (size_t i = 0; i < n; i++) {
        int field = wh_kind_field(head->body.def, wh_slice_str(fields[i]));

        if (past_field(head, fields[i])) {
            int64_t at = wh_version_at_ms(head->set[field].order);

            since = at > since ? at : since;
        }
    }
    return since;
}

static enum wh_rc fold_account(struct load *l, struct account *a, struct wh_err *err)
{
    if (keep_folded(l, a->shows.username, &a->is.username, err) != WH_OK ||
        keep_folded(l, a->shows.email, &a->is.email, err) != WH_OK) {
        return err->rc;
    }
    a->is.type =
        a->is.type == PEOPLE_BOT || people_is_bot_name(a->is.username) ? PEOPLE_BOT : PEOPLE_PERSON;
    return keep_name_key(l, a->shows.name, &a->is.name, err);
}

static enum wh_rc load_account(struct load *l, const struct wh_head *head, struct wh_err *err)
{
    static const char *const fields[] = {"username", "name", "email"};
    const struct wh_value *created = past_field(head, "created_at");
    const struct wh_value *bot = past_field(head, "bot");
    const struct account *before;
    struct account *a;
    struct wh_slice name;

    if (grow((void **)&l->accounts, &l->cap_accounts, l->n_accounts, sizeof(*a), err) != WH_OK) {
        return err->rc;
    }
    before = l->n_accounts ? &l->accounts[l->n_accounts - 1] : NULL;
    a = &l->accounts[l->n_accounts];
    *a = (struct account){.is.id = head->id};
    a->is.created_ms = created ? created->u.i : INT64_MAX;
    a->is.since_ms = since_of(head, fields, sizeof(fields) / sizeof(fields[0]));
    a->is.type = bot && bot->u.b ? PEOPLE_BOT : PEOPLE_PERSON;
    a->is.state = people_state_of(past_string(head, "state"), head->deleted);
    if (past_text(l->conf->past, head, "name", &l->scratch, &name, err) != WH_OK ||
        keep_same(l, head->source.system, before ? &before->is.system : NULL, &a->is.system, err) !=
            WH_OK ||
        keep_same(l, head->source.instance, before ? &before->is.instance : NULL, &a->is.instance,
                  err) != WH_OK ||
        keep(l, head->source.id, &a->is.number, err) != WH_OK ||
        keep(l, past_string(head, "username"), &a->shows.username, err) != WH_OK ||
        keep(l, name, &a->shows.name, err) != WH_OK ||
        keep(l, past_string(head, "email"), &a->shows.email, err) != WH_OK ||
        keep_same(l, past_string(head, "state"), before ? &before->shows.state : NULL,
                  &a->shows.state, err) != WH_OK ||
        keep(l, head->source.url, &a->shows.url, err) != WH_OK ||
        fold_account(l, a, err) != WH_OK) {
        return err->rc;
    }
    l->n_accounts++;
    return WH_OK;
}

/* ---- rows of directories ---- */

static enum wh_rc load_list(struct load *l, const struct wh_head *head, const char *field,
                            const struct wh_slice **ret_raw, const struct wh_slice **ret_folded,
                            size_t *ret_n, struct wh_err *err)
{
    const struct wh_value *v = past_field(head, field);
    size_t n = v && !v->is_far ? v->u.strs.n : 0;
    struct wh_slice *raw;
    struct wh_slice *folded;
    void *memory = NULL;

    if (wh_arena_zalloc(&l->b->arena, 2 * n + 1, sizeof(*raw), &memory, err) != WH_OK) {
        return err->rc;
    }
    raw = memory;
    folded = raw + n;
    for (size_t i = 0; i < n; i++) {
        if (keep(l, v->u.strs.items[i], &raw[i], err) != WH_OK ||
            keep_folded(l, raw[i], &folded[i], err) != WH_OK) {
            return err->rc;
        }
    }
    *ret_raw = raw;
    *ret_folded = folded;
    *ret_n = n;
    return WH_OK;
}

/* The name of the import: the instance is "import:NAME". */
static struct wh_slice import_of(struct wh_slice instance)
{
    static const char prefix[] = "import:";
    size_t len = sizeof(prefix) - 1;

    return wh_slice_starts(instance, wh_slice(prefix, len)) ? wh_slice_from(instance, len)
                                                            : instance;
}

static enum people_type type_of(struct wh_slice type)
{
    return wh_slice_eq(type, WH_LIT("bot"))      ? PEOPLE_BOT
           : wh_slice_eq(type, WH_LIT("shared")) ? PEOPLE_SHARED
                                                 : PEOPLE_PERSON;
}

static enum wh_rc load_row(struct load *l, const struct wh_head *head, struct wh_err *err)
{
    static const char *const fields[] = {"name", "emails", "accounts"};
    struct wh_slice status = past_string(head, "status");
    struct people_row *r;
    struct people_said *s;

    if (head->deleted) {
        return WH_OK;
    }
    if (grow((void **)&l->rows, &l->cap_rows, l->n_rows, sizeof(*r), err) != WH_OK ||
        grow((void **)&l->said, &l->cap_said, l->n_rows, sizeof(*s), err) != WH_OK) {
        return err->rc;
    }
    r = &l->rows[l->n_rows];
    s = &l->said[l->n_rows];
    *r = (struct people_row){.id = head->id, .type = type_of(past_string(head, "type"))};
    r->state = wh_slice_eq(status, WH_LIT("left")) ? PEOPLE_LEFT
               : status.len                        ? PEOPLE_ACTIVE
                                                   : PEOPLE_UNKNOWN;
    r->since_ms = since_of(head, fields, sizeof(fields) / sizeof(fields[0]));
    if (keep(l, head->source.id, &r->directory_id, err) != WH_OK ||
        keep(l, import_of(head->source.instance), &s->source, err) != WH_OK ||
        keep(l, past_string(head, "name"), &s->name, err) != WH_OK ||
        keep(l, past_string(head, "team"), &s->team, err) != WH_OK ||
        keep(l, past_string(head, "title"), &s->title, err) != WH_OK ||
        keep(l, head->source.url, &s->url, err) != WH_OK ||
        keep_name_key(l, s->name, &r->name, err) != WH_OK ||
        load_list(l, head, "emails", &s->emails, &r->emails, &r->n_emails, err) != WH_OK ||
        load_list(l, head, "accounts", &s->accounts, &r->accounts, &r->n_accounts, err) != WH_OK) {
        return err->rc;
    }
    l->n_rows++;
    return WH_OK;
}

static enum wh_rc each(struct load *l, enum wh_kind kind,
                       enum wh_rc (*take)(struct load *l, const struct wh_head *head,
                                          struct wh_err *err),
                       struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_each(l->conf->past, kind, &scan, err);

    while (rc == WH_OK && (rc = past_next(scan, &found, &more, err)) == WH_OK && more) {
        const struct wh_head *head = NULL;

        wh_arena_reset(&l->scratch);
        rc = past_head(l->conf->past, kind, &found.id, &l->scratch, &head, err);
        if (rc == WH_OK && head) {
            rc = take(l, head, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

/* ---- accounts that rows alone name ---- */

/* Nothing is read from the system. */
static bool is_elsewhere(const struct load *l, struct wh_slice system, size_t n_read)
{
    for (size_t i = 0; i < n_read; i++) {
        /* Neighbours share the bytes of their system. */
        if ((i == 0 || l->accounts[i].is.system.ptr != l->accounts[i - 1].is.system.ptr) &&
            wh_slice_eq(l->accounts[i].is.system, system)) {
            return false;
        }
    }
    return true;
}

static enum wh_rc add_named(struct load *l, const struct people_row *row, struct wh_slice said,
                            struct wh_slice folded, size_t n_read, struct wh_err *err)
{
    struct people_reference ref;
    struct account *a;

    if (!people_reference_parse(folded, &ref) || ref.system.len == 0 ||
        is_elsewhere(l, ref.system, n_read) == false) {
        return WH_OK;
    }
    if (grow((void **)&l->accounts, &l->cap_accounts, l->n_accounts, sizeof(*a), err) != WH_OK) {
        return err->rc;
    }
    a = &l->accounts[l->n_accounts++];
    *a = (struct account){.is.created_ms = INT64_MAX, .is.since_ms = row->since_ms};
    a->is.id =
        wh_entity_id_make(wh_slice(ref.system.ptr, (size_t)(ref.username.ptr - ref.system.ptr)),
                          WH_LIT("account"), ref.username);
    a->is.system = ref.system;
    a->is.instance = ref.instance;
    a->shows.username =
        wh_slice_from(said, said.len >= ref.username.len ? said.len - ref.username.len : 0);
    a->shows.named = true;
    return fold_account(l, a, err);
}

static int account_cmp(const void *a, const void *b)
{
    const struct account *x = a;
    const struct account *y = b;
    int c = wh_entity_id_cmp(&x->is.id, &y->is.id);

    if (c == 0 && x->is.since_ms != y->is.since_ms) {
        c = x->is.since_ms < y->is.since_ms ? -1 : 1;
    }
    return c;
}

static enum wh_rc load_named(struct load *l, struct wh_err *err)
{
    size_t n_read = l->n_accounts;
    size_t n = 0;

    for (size_t i = 0; i < l->n_rows; i++) {
        for (size_t k = 0; k < l->rows[i].n_accounts; k++) {
            if (add_named(l, &l->rows[i], l->said[i].accounts[k], l->rows[i].accounts[k], n_read,
                          err) != WH_OK) {
                return err->rc;
            }
        }
    }
    if (l->n_accounts == n_read) {
        return WH_OK;
    }
    qsort(l->accounts, l->n_accounts, sizeof(*l->accounts), account_cmp);
    for (size_t i = 0; i < l->n_accounts; i++) {
        if (i == 0 || wh_entity_id_cmp(&l->accounts[i].is.id, &l->accounts[n - 1].is.id) != 0) {
            l->accounts[n++] = l->accounts[i];
        }
    }
    l->n_accounts = n;
    return WH_OK;
}

/* ---- decisions ---- */

/* A text that is no id finds nobody. */
static struct wh_entity_id node_id(struct wh_slice text)
{
    struct wh_entity_id id = {{0}};
    struct wh_err ignored;

    return wh_entity_id_parse(text, &id, &ignored) == WH_OK ? id : (struct wh_entity_id){{0}};
}

static enum wh_rc keep_decision(struct load *l, const struct wh_decision *d, int64_t stored_ms,
                                struct wh_err *err)
{
    struct people_decision *p;
    struct wh_decision *kept;

    if (stored_ms > l->conf->when.stored_ms || d->at_ms > l->conf->when.valid_ms) {
        return WH_OK;
    }
    if (grow((void **)&l->decisions, &l->cap_decisions, l->n_decisions, sizeof(*p), err) != WH_OK ||
        grow((void **)&l->decided, &l->cap_decided, l->n_decisions, sizeof(*kept), err) != WH_OK) {
        return err->rc;
    }
    p = &l->decisions[l->n_decisions];
    kept = &l->decided[l->n_decisions];
    *kept = *d;
    if (keep(l, d->id, &kept->id, err) != WH_OK || keep(l, d->who, &kept->who, err) != WH_OK ||
        keep(l, d->why, &kept->why, err) != WH_OK ||
        keep(l, d->subject, &kept->subject, err) != WH_OK ||
        keep(l, d->object, &kept->object, err) != WH_OK) {
        return err->rc;
    }
    *p = (struct people_decision){.id = kept->id, .at_ms = d->at_ms};
    p->action = d->action == WH_ACTION_MERGE   ? PEOPLE_MERGE
                : d->action == WH_ACTION_SPLIT ? PEOPLE_SPLIT
                                               : PEOPLE_UNDO;
    p->undoes = d->action == WH_ACTION_UNDO ? kept->subject : wh_slice("", 0);
    p->subject = node_id(d->subject);
    p->object = node_id(d->object);
    l->n_decisions++;
    return WH_OK;
}

/* The value is the time at which the decision was stored, and its document. */
static enum wh_rc take_decision(struct load *l, struct wh_slice value,
                                struct wh_json_parser *parser, struct wh_err *err)
{
    struct wh_decision d;

    if (value.len < sizeof(uint64_t)) {
        return wh_fail(err, WH_E_CORRUPT, "a decision of %zu bytes", value.len);
    }
    return wh_decision_parse(wh_slice_from(value, sizeof(uint64_t)), parser, &d, err) == WH_OK
               ? keep_decision(l, &d, (int64_t)wh_be_get64(value.ptr), err)
               : err->rc;
}

static enum wh_rc load_decisions(struct load *l, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, DECISION_DEPTH);
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for decisions");
    }
    rc = wh_iter_new(l->conf->store, l->conf->snap, SINK_META, WH_LIT("d"), WH_LIT("e"), &it, err);
    if (rc == WH_OK) {
        for (wh_iter_seek(it, WH_LIT("d"), false); rc == WH_OK && wh_iter_valid(it, &key, &value);
             wh_iter_step(it, false)) {
            rc = take_decision(l, value, parser, err);
        }
        rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
        wh_iter_free(it);
    }
    wh_json_parser_free(parser);
    return rc;
}

/* ---- all of it ---- */

/* Moves an array from the heap into the arena. */
static enum wh_rc settle(struct load *l, const void *items, size_t n, size_t size, void **ret,
                         struct wh_err *err)
{
    if (wh_arena_zalloc(&l->b->arena, n + 1, size, ret, err) != WH_OK) {
        return err->rc;
    }
    if (n) {
        memcpy(*ret, items, n * size);
    }
    return WH_OK;
}

static enum wh_rc settle_accounts(struct load *l, struct wh_err *err)
{
    struct people_account *is;
    struct people_shown *shown;
    void *a = NULL;
    void *b = NULL;

    if (wh_arena_zalloc(&l->b->arena, l->n_accounts + 1, sizeof(*is), &a, err) != WH_OK ||
        wh_arena_zalloc(&l->b->arena, l->n_accounts + 1, sizeof(*shown), &b, err) != WH_OK) {
        return err->rc;
    }
    is = a;
    shown = b;
    for (size_t i = 0; i < l->n_accounts; i++) {
        is[i] = l->accounts[i].is;
        shown[i] = l->accounts[i].shows;
    }
    l->b->book.in.accounts = is;
    l->b->book.in.n_accounts = l->n_accounts;
    l->b->book.shown = shown;
    return WH_OK;
}

static enum wh_rc settle_all(struct load *l, struct wh_err *err)
{
    struct people_book *book = &l->b->book;
    void *rows = NULL;
    void *said = NULL;
    void *decisions = NULL;
    void *decided = NULL;

    if (settle_accounts(l, err) != WH_OK ||
        settle(l, l->rows, l->n_rows, sizeof(*l->rows), &rows, err) != WH_OK ||
        settle(l, l->said, l->n_rows, sizeof(*l->said), &said, err) != WH_OK ||
        settle(l, l->decisions, l->n_decisions, sizeof(*l->decisions), &decisions, err) != WH_OK ||
        settle(l, l->decided, l->n_decisions, sizeof(*l->decided), &decided, err) != WH_OK) {
        return err->rc;
    }
    book->in.rows = rows;
    book->in.n_rows = l->n_rows;
    book->said = said;
    book->in.decisions = decisions;
    book->in.n_decisions = l->n_decisions;
    book->decisions = decided;
    return WH_OK;
}

enum wh_rc people_load(struct people_bound *b, const struct people_book_conf *conf,
                       struct wh_err *err)
{
    struct load l = {.b = b, .conf = conf};
    enum wh_rc rc;

    wh_arena_init(&l.scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    wh_buf_init(&l.text, 8 * WH_KEY_TEXT_MAX);
    rc = each(&l, WH_KIND_TEAM_MEMBER, load_account, err);
    rc = rc == WH_OK ? each(&l, WH_KIND_PERSON, load_row, err) : rc;
    rc = rc == WH_OK ? load_named(&l, err) : rc;
    rc = rc == WH_OK ? load_decisions(&l, err) : rc;
    rc = rc == WH_OK ? settle_all(&l, err) : rc;
    wh_arena_done(&l.scratch);
    wh_buf_done(&l.text);
    wh_mem_free(l.accounts);
    wh_mem_free(l.rows);
    wh_mem_free(l.said);
    wh_mem_free(l.decisions);
    wh_mem_free(l.decided);
    return rc;
}
