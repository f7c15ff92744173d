#include "tests/lib/th_people.h"

#include "tests/lib/th_cmocka.h"

struct wh_entity_id th_people_id(unsigned n)
{
    struct wh_entity_id id = {{0}};

    id.bytes[14] = (unsigned char)(n >> 8);
    id.bytes[15] = (unsigned char)n;
    return id;
}

void th_people_init(struct th_people *w)
{
    memset(w, 0, sizeof(*w));
    w->in.accounts = w->accounts;
    w->in.rows = w->rows;
    w->in.decisions = w->decisions;
    wh_arena_init(&w->arena, 16384, 1 << 22);
}

void th_people_done(struct th_people *w)
{
    wh_arena_done(&w->arena);
}

void th_people_resolve(struct th_people *w)
{
    struct wh_arena scratch;
    struct wh_err err;

    wh_arena_init(&scratch, 16384, 1 << 22);
    th_ok(people_resolve(&w->in, &w->arena, &scratch, &w->people, &err), &err);
    wh_arena_done(&scratch);
}

/* ids: accounts from 1 on, rows from 101 on, in the order in which they are added. */
struct people_account *th_account(struct th_people *w, const char *instance, const char *username,
                                  const char *email, const char *name)
{
    size_t n = w->in.n_accounts++;
    struct people_account *a = &w->accounts[n];

    a->id = th_people_id((unsigned)n + 1);
    a->system = WH_LIT("gitlab");
    a->instance = wh_slice_str(instance);
    a->username = wh_slice_str(username);
    a->email = wh_slice_str(email);
    a->name = wh_slice_str(name);
    a->state = PEOPLE_ACTIVE;
    a->created_ms = (int64_t)n + 1;
    a->since_ms = (int64_t)n + 1;
    return a;
}

struct people_row *th_row(struct th_people *w, const char *directory_id, const char *name,
                          const char *email, const char *named)
{
    size_t n = w->in.n_rows++;
    struct people_row *r = &w->rows[n];

    r->id = th_people_id((unsigned)n + 101);
    r->directory_id = wh_slice_str(directory_id);
    r->name = wh_slice_str(name);
    r->emails = w->emails[n];
    r->accounts = w->named[n];
    r->state = PEOPLE_ACTIVE;
    if (email) {
        w->emails[n][r->n_emails++] = wh_slice_str(email);
    }
    if (named) {
        w->named[n][r->n_accounts++] = wh_slice_str(named);
    }
    return r;
}

struct people_decision *th_decide(struct th_people *w, enum people_action action, unsigned subject,
                                  unsigned object)
{
    size_t n = w->in.n_decisions++;
    struct people_decision *d = &w->decisions[n];

    (void)snprintf(w->ids[n], sizeof(w->ids[n]), "d%zu", n);
    d->id = wh_slice_str(w->ids[n]);
    d->at_ms = (int64_t)n;
    d->action = action;
    d->subject = th_people_id(subject);
    d->object = th_people_id(object);
    return d;
}
