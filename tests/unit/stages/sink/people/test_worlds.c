/*
 * Who is who, in random worlds, against a naive reading of resolve.h. Undoing a decision must give exactly what
 * was there without it, and the order of decisions in memory must not matter.
 */
#include "tests/lib/th_cmocka.h"

#include "common/base/buf.h"
#include "tests/lib/th_people.h"

enum { WORLDS = 4000 };

/* ---- random worlds ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static unsigned below(uint64_t *seed, unsigned n)
{
    return (unsigned)(next_random(seed) % n);
}

static const char *pick(uint64_t *seed, const char *const *texts)
{
    unsigned n = 0;

    while (texts[n]) {
        n++;
    }
    return texts[below(seed, n)];
}

static void random_accounts(struct th_people *w, uint64_t *seed)
{
    static const char *const hosts[] = {"https://h1", "https://h1", "https://h1/sub", "https://h2",
                                        NULL};
    static const char *const users[] = {"u", "v", "w", "x", NULL};
    static const char *const emails[] = {"", "", "a@t", "b@t", "c@t", NULL};
    static const char *const names[] = {"", "n", "m", "o", NULL};
    unsigned n = below(seed, 8);

    for (unsigned i = 0; i < n; i++) {
        struct people_account *a = th_account(w, pick(seed, hosts), pick(seed, users),
                                              pick(seed, emails), pick(seed, names));

        a->state = below(seed, 3) ? PEOPLE_ACTIVE : (enum people_state)below(seed, 4);
        a->type = below(seed, 6) ? PEOPLE_PERSON : PEOPLE_BOT;
        a->created_ms = below(seed, 3) ? (int64_t)below(seed, 4) : INT64_MAX;
        a->since_ms = (int64_t)below(seed, 9);
    }
}

static void random_rows(struct th_people *w, uint64_t *seed)
{
    static const char *const ids[] = {"d1", "d2", "d3", "d4", "d5", NULL};
    static const char *const emails[] = {"a@t", "b@t", "c@t", "d@t", NULL};
    static const char *const names[] = {"", "n", "m", "o", NULL};
    static const char *const named[] = {
        "gitlab:u", "gitlab:v", "gitlab:https://h1/u", "gitlab:https://h1/w", "gitlab:h2/u",
        "gitlab:x", NULL};
    unsigned n = below(seed, 6);

    for (unsigned i = 0; i < n; i++) {
        struct people_row *r = th_row(w, pick(seed, ids), pick(seed, names),
                                      below(seed, 2) ? pick(seed, emails) : NULL,
                                      below(seed, 2) ? pick(seed, named) : NULL);

        if (below(seed, 3) == 0) {
            w->emails[i][r->n_emails++] = wh_slice_str(pick(seed, emails));
            w->named[i][r->n_accounts++] = wh_slice_str(pick(seed, named));
        }
        r->type = below(seed, 4) ? PEOPLE_PERSON : (enum people_type)below(seed, 3);
        r->state = below(seed, 2) ? PEOPLE_ACTIVE : below(seed, 2) ? PEOPLE_LEFT : PEOPLE_UNKNOWN;
    }
}

static unsigned random_node(struct th_people *w, uint64_t *seed)
{
    return below(seed, 3) ? 1 + below(seed, (unsigned)w->in.n_accounts + 1)
                          : 101 + below(seed, (unsigned)w->in.n_rows + 1);
}

static void random_decision(struct th_people *w, uint64_t *seed)
{
    enum people_action action = (enum people_action)below(seed, 3);
    size_t n = w->in.n_decisions;
    struct people_decision *d = th_decide(w, action, random_node(w, seed), random_node(w, seed));

    if (action == PEOPLE_UNDO && n > 0) {
        d->undoes = w->decisions[below(seed, (unsigned)n)].id;
    }
}

static void random_world(struct th_people *w, uint64_t *seed)
{
    unsigned n;

    th_people_init(w);
    random_accounts(w, seed);
    random_rows(w, seed);
    n = below(seed, 3) ? below(seed, 6) : 0;
    for (unsigned i = 0; i < n; i++) {
        random_decision(w, seed);
    }
}

/* ---- the naive reading ---- */

struct naive {
    const struct th_people *w;
    size_t n;
    int group[2 * TH_PEOPLE_MAX];
    bool split[2 * TH_PEOPLE_MAX];
};

static bool naive_is_row(const struct naive *o, size_t i)
{
    return i >= o->w->in.n_accounts;
}

static const struct people_account *naive_account(const struct naive *o, size_t i)
{
    return &o->w->accounts[i];
}

static const struct people_row *naive_row(const struct naive *o, size_t i)
{
    return &o->w->rows[i - o->w->in.n_accounts];
}

/* In a world, decisions are in the order of their time. */
static bool naive_undone(const struct th_people *w, size_t d)
{
    for (size_t u = d + 1; u < w->in.n_decisions; u++) {
        if (w->decisions[u].action == PEOPLE_UNDO &&
            wh_slice_eq(w->decisions[u].undoes, w->decisions[d].id) && !naive_undone(w, u)) {
            return true;
        }
    }
    return false;
}

static void naive_unite(struct naive *o, size_t a, size_t b)
{
    int from = o->group[a];
    int to = o->group[b];

    for (size_t i = 0; i < o->n; i++) {
        if (o->group[i] == from) {
            o->group[i] = to;
        }
    }
}

static void naive_decisions(struct naive *o)
{
    const struct th_people *w = o->w;

    for (size_t d = 0; d < w->in.n_decisions; d++) {
        const struct people_decision *one = &w->decisions[d];
        size_t a = people_find(&w->in, &one->subject);
        size_t b = people_find(&w->in, &one->object);

        if (naive_undone(w, d) || a == PEOPLE_NONE) {
            continue;
        }
        if (one->action == PEOPLE_SPLIT) {
            o->group[a] = (int)(1000 + d);
            o->split[a] = true;
        } else if (one->action == PEOPLE_MERGE && b != PEOPLE_NONE) {
            naive_unite(o, a, b);
        }
    }
}

/* ---- what a group is ---- */

/* The row with the smallest id in the node's group, or PEOPLE_NONE. */
static size_t naive_first_row(const struct naive *o, size_t node)
{
    for (size_t i = o->w->in.n_accounts; i < o->n; i++) {
        if (o->group[i] == o->group[node]) {
            return i;
        }
    }
    return PEOPLE_NONE;
}

static bool naive_active(const struct naive *o, size_t node)
{
    for (size_t i = o->w->in.n_accounts; i < o->n; i++) {
        if (o->group[i] == o->group[node] && naive_row(o, i)->state != PEOPLE_LEFT) {
            return true;
        }
    }
    return false;
}

static enum people_type naive_type(const struct naive *o, size_t node)
{
    size_t first = naive_first_row(o, node);

    if (first != PEOPLE_NONE) {
        return naive_row(o, first)->type;
    }
    for (size_t i = 0; i < o->w->in.n_accounts; i++) {
        if (o->group[i] == o->group[node] && naive_account(o, i)->type == PEOPLE_PERSON) {
            return PEOPLE_PERSON;
        }
    }
    return PEOPLE_BOT;
}

/* ---- keys: a text that is unique for a rule ---- */

static void naive_key(char out[64], const char *kind, struct wh_slice text, struct wh_slice more)
{
    (void)snprintf(out, 64, "%s|%.*s|%.*s", kind, WH_SLICE_ARG(text), WH_SLICE_ARG(more));
}

static struct wh_slice naive_host(struct wh_slice instance)
{
    return wh_slice("h1", 2).ptr && memcmp(instance.ptr, "https://h1", 10) == 0 ? WH_LIT("h1")
                                                                                : WH_LIT("h2");
}

/* The accounts that the text may mean. */
static size_t naive_meant(const struct naive *o, struct wh_slice text, size_t out[TH_PEOPLE_MAX])
{
    const char *user = text.ptr + text.len - 1;
    size_t n[2] = {0, 0};
    size_t found[2][TH_PEOPLE_MAX];

    for (size_t i = 0; i < o->w->in.n_accounts; i++) {
        const struct people_account *a = naive_account(o, i);
        bool any = text.len == strlen("gitlab:u");
        bool h1 = !any && strstr(text.ptr, "h1") != NULL;
        bool same = any || wh_slice_eq(a->instance, wh_slice_str(h1 ? "https://h1" : "https://h2"));

        if (a->username.ptr[0] == *user && same) {
            unsigned deleted = a->state == PEOPLE_DELETED;

            found[deleted][n[deleted]++] = i;
        }
    }
    memcpy(out, found[n[0] == 0], sizeof(found[0]));
    return n[0] ? n[0] : n[1];
}

/* All keys of a node for a rule; `live` says whether the claim speaks in a dispute. */
static size_t naive_keys(const struct naive *o, size_t node, enum people_rule rule, char out[4][64])
{
    size_t n = 0;

    if (o->split[node]) {
        return 0;
    }
    if (naive_is_row(o, node)) {
        const struct people_row *r = naive_row(o, node);

        if (rule == PEOPLE_RULE_DIRECTORY_ID) {
            naive_key(out[n++], people_type_name(r->type), r->directory_id, WH_LIT(""));
        }
        for (size_t i = 0; rule == PEOPLE_RULE_EMAIL && i < r->n_emails; i++) {
            naive_key(out[n++], "email", r->emails[i], WH_LIT(""));
        }
        for (size_t i = 0; rule == PEOPLE_RULE_ACCOUNT && i < r->n_accounts; i++) {
            size_t found[TH_PEOPLE_MAX];

            if (naive_meant(o, r->accounts[i], found) == 1) {
                char number[24];

                (void)snprintf(number, sizeof(number), "%zu", found[0]);
                naive_key(out[n++], "account", wh_slice_str(number), WH_LIT(""));
            }
        }
        return n;
    }
    if (rule == PEOPLE_RULE_ACCOUNT) {
        char number[24];

        (void)snprintf(number, sizeof(number), "%zu", node);
        naive_key(out[n++], "account", wh_slice_str(number), WH_LIT(""));
        return n;
    }
    if (naive_account(o, node)->type != PEOPLE_PERSON) {
        return 0;
    }
    if (rule == PEOPLE_RULE_EMAIL && naive_account(o, node)->email.len) {
        naive_key(out[n++], "email", naive_account(o, node)->email, WH_LIT(""));
    }
    if (rule == PEOPLE_RULE_USERNAME) {
        naive_key(out[n++], "username", naive_account(o, node)->username,
                  naive_host(naive_account(o, node)->instance));
    }
    return n;
}

static bool naive_has(const struct naive *o, size_t node, enum people_rule rule, const char *key)
{
    char keys[4][64];
    size_t n = naive_keys(o, node, rule, keys);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* A deleted account claims nothing that another account of the instance has. */
static bool naive_claims(const struct naive *o, size_t node, enum people_rule rule, const char *key)
{
    if (!naive_has(o, node, rule, key)) {
        return false;
    }
    if (naive_is_row(o, node) || rule == PEOPLE_RULE_ACCOUNT ||
        naive_account(o, node)->state != PEOPLE_DELETED) {
        return true;
    }
    for (size_t i = 0; i < o->w->in.n_accounts; i++) {
        if (naive_has(o, i, rule, key) && naive_account(o, i)->state != PEOPLE_DELETED &&
            wh_slice_eq(naive_account(o, i)->instance, naive_account(o, node)->instance)) {
            return false;
        }
    }
    return true;
}

/* A node of the group whose key it is; *closed: the key joins nobody. */
static size_t naive_owner(const struct naive *o, enum people_rule rule, const char *key,
                          bool *closed)
{
    size_t owner = PEOPLE_NONE;

    *closed = false;
    for (int level = 0; level < 3 && owner == PEOPLE_NONE; level++) {
        for (size_t i = 0; i < o->n; i++) {
            bool person = naive_type(o, i) == PEOPLE_PERSON;
            bool counts = naive_claims(o, i, rule, key) && naive_first_row(o, i) != PEOPLE_NONE;

            if (level == 0) {
                counts = counts && naive_is_row(o, i) && !person;
            } else {
                counts = counts && person && (level == 2 || naive_active(o, i)) &&
                         (naive_is_row(o, i) || (rule != PEOPLE_RULE_ACCOUNT &&
                                                 naive_account(o, i)->state != PEOPLE_DELETED));
            }
            if (counts && owner == PEOPLE_NONE) {
                owner = i;
                *closed = level == 0 && rule != PEOPLE_RULE_ACCOUNT;
            } else if (counts && o->group[i] != o->group[owner]) {
                *closed = true;
            }
        }
    }
    for (size_t i = 0; rule == PEOPLE_RULE_USERNAME && i < o->n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (naive_claims(o, i, rule, key) && naive_claims(o, k, rule, key) &&
                o->group[i] != o->group[k] &&
                wh_slice_eq(naive_account(o, i)->instance, naive_account(o, k)->instance)) {
                *closed = true;
            }
        }
    }
    return owner;
}

static bool naive_free(const struct naive *o, size_t node, enum people_type owner)
{
    return naive_first_row(o, node) == PEOPLE_NONE &&
           (owner != PEOPLE_PERSON || naive_type(o, node) == PEOPLE_PERSON);
}

/* The owner of all keys of the node's group; PEOPLE_NONE when there is none or more than one. */
static size_t naive_leader(const struct naive *o, size_t node, enum people_rule rule)
{
    size_t leader = PEOPLE_NONE;

    for (size_t i = 0; i < o->w->in.n_accounts; i++) {
        char keys[4][64];
        size_t n = o->group[i] == o->group[node] ? naive_keys(o, i, rule, keys) : 0;

        for (size_t k = 0; k < n; k++) {
            bool closed;
            size_t owner = naive_owner(o, rule, keys[k], &closed);

            if (owner == PEOPLE_NONE || closed || !naive_claims(o, i, rule, keys[k]) ||
                !naive_free(o, node, naive_type(o, owner))) {
                continue;
            }
            if (leader != PEOPLE_NONE && o->group[leader] != o->group[owner]) {
                return PEOPLE_NONE;
            }
            leader = owner;
        }
    }
    return leader;
}

static bool naive_round(struct naive *o, enum people_rule rule)
{
    struct naive before = *o;
    bool joined = false;

    for (size_t i = 0; i < o->w->in.n_accounts; i++) {
        size_t leader = naive_leader(&before, i, rule);

        if (leader != PEOPLE_NONE && o->group[i] != o->group[leader]) {
            naive_unite(o, i, leader);
            joined = true;
        }
    }
    return joined;
}

static void naive_share(struct naive *o, enum people_rule rule)
{
    struct naive before = *o;

    for (size_t i = 0; i < o->w->in.n_accounts; i++) {
        char keys[4][64];
        size_t n = naive_keys(o, i, rule, keys);

        for (size_t k = 0; k < n; k++) {
            bool closed;

            if (naive_owner(&before, rule, keys[k], &closed) != PEOPLE_NONE || closed) {
                continue;
            }
            for (size_t j = 0; j < o->w->in.n_accounts; j++) {
                if (naive_claims(&before, i, rule, keys[k]) &&
                    naive_claims(&before, j, rule, keys[k]) &&
                    naive_first_row(&before, i) == PEOPLE_NONE &&
                    naive_first_row(&before, j) == PEOPLE_NONE) {
                    naive_unite(o, i, j);
                }
            }
        }
    }
}

static void naive_resolve(struct naive *o, const struct th_people *w)
{
    *o = (struct naive){.w = w, .n = w->in.n_accounts + w->in.n_rows};
    for (size_t i = 0; i < o->n; i++) {
        o->group[i] = (int)i;
    }
    naive_decisions(o);
    for (size_t i = w->in.n_accounts; i < o->n; i++) {
        for (size_t j = w->in.n_accounts; j < i; j++) {
            char keys[4][64];

            if (naive_keys(o, i, PEOPLE_RULE_DIRECTORY_ID, keys) &&
                naive_has(o, j, PEOPLE_RULE_DIRECTORY_ID, keys[0])) {
                naive_unite(o, i, j);
            }
        }
    }
    for (enum people_rule rule = PEOPLE_RULE_ACCOUNT; rule <= PEOPLE_RULE_USERNAME; rule++) {
        while (naive_round(o, rule)) {
        }
        if (rule != PEOPLE_RULE_ACCOUNT) {
            naive_share(o, rule);
        }
    }
}

/* ---- comparing ---- */

static void same_groups(const struct th_people *w, const struct naive *o, unsigned world)
{
    for (size_t i = 0; i < o->n; i++) {
        for (size_t j = 0; j < i; j++) {
            if ((w->people.nodes[i].member == w->people.nodes[j].member) !=
                (o->group[i] == o->group[j])) {
                fail_msg("world %u: nodes %zu and %zu", world, i, j);
            }
        }
    }
}

static void right_ids(const struct th_people *w, const struct naive *o)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct people_member *m = &w->people.members[w->people.nodes[i].member];
        size_t best = naive_first_row(o, i);
        const struct wh_entity_id *id;

        for (size_t a = 0; best == PEOPLE_NONE && a < w->in.n_accounts; a++) {
            bool oldest = o->group[a] == o->group[i];

            for (size_t b = 0; b < w->in.n_accounts; b++) {
                oldest =
                    oldest && (o->group[b] != o->group[i] || b == a ||
                               w->accounts[b].created_ms > w->accounts[a].created_ms ||
                               (w->accounts[b].created_ms == w->accounts[a].created_ms && b > a));
            }
            best = oldest ? a : best;
        }
        assert_true(best != PEOPLE_NONE);
        id = naive_is_row(o, best) ? &naive_row(o, best)->id : &naive_account(o, best)->id;
        assert_int_equal(wh_entity_id_cmp(&m->id, id), 0);
        assert_int_equal(m->type, naive_type(o, i));
    }
}

/* Every reason names a key that both have, in the same member. */
static void right_reasons(const struct th_people *w, const struct naive *o)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct people_node *n = &w->people.nodes[i];
        char keys[4][64];
        size_t n_keys = naive_keys(o, i, n->rule, keys);
        bool shared = n->rule == PEOPLE_RULE_DECISION;

        if (n->rule == PEOPLE_RULE_NONE) {
            continue;
        }
        assert_true(n->with < o->n && n->with != i);
        assert_int_equal(w->people.nodes[n->with].member, n->member);
        for (size_t k = 0; k < n_keys; k++) {
            shared = shared || naive_has(o, n->with, n->rule, keys[k]);
        }
        assert_true(shared);
    }
}

/* Everybody with a common name is in a review of it. */
static void right_reviews(const struct th_people *w, const struct naive *o)
{
    for (size_t i = 0; i < w->people.n_reviews; i++) {
        assert_true(w->people.reviews[i].left < w->people.reviews[i].right);
    }
    for (size_t i = 0; i < o->n; i++) {
        for (size_t j = 0; j < i; j++) {
            struct wh_slice a =
                naive_is_row(o, i) ? naive_row(o, i)->name : naive_account(o, i)->name;
            struct wh_slice b =
                naive_is_row(o, j) ? naive_row(o, j)->name : naive_account(o, j)->name;
            const struct people_member *m = &w->people.members[w->people.nodes[i].member];
            const struct people_member *n = &w->people.members[w->people.nodes[j].member];
            bool similar = a.len && wh_slice_eq(a, b) && m != n && !o->split[i] && !o->split[j] &&
                           m->type == PEOPLE_PERSON && n->type == PEOPLE_PERSON &&
                           m->state != PEOPLE_DELETED && n->state != PEOPLE_DELETED;
            bool found = false;

            for (size_t k = 0; k < w->people.n_reviews; k++) {
                const struct people_review *r = &w->people.reviews[k];

                found = found || (r->rule == PEOPLE_RULE_NAME && wh_slice_eq(r->key, a) &&
                                  (r->left == w->people.nodes[i].member ||
                                   r->right == w->people.nodes[i].member));
            }
            assert_true(found || !similar);
        }
    }
}

/* All that a reader can see. */
static void describe(const struct th_people *w, struct wh_buf *out)
{
    const struct people *p = &w->people;
    struct wh_err err;

    wh_buf_init(out, 1 << 20);
    for (size_t i = 0; i < p->n_members; i++) {
        const struct people_member *m = &p->members[i];

        th_ok(wh_buf_printf(out, &err, "member %02x%02x %zu %zu %d %d %zu:", m->id.bytes[14],
                            m->id.bytes[15], m->n_rows, m->n_accounts, m->type, m->state, m->face),
              &err);
        for (size_t k = 0; k < m->n_rows + m->n_accounts; k++) {
            size_t at = p->order[m->first + k];
            const struct people_node *n = &p->nodes[at];

            th_ok(wh_buf_printf(out, &err, " %zu(%zu %d %.*s %zu %d)", at, n->member, n->rule,
                                WH_SLICE_ARG(n->key), n->with, n->split),
                  &err);
        }
        th_ok(wh_buf_append_char(out, '\n', &err), &err);
    }
    for (size_t i = 0; i < p->n_reviews; i++) {
        const struct people_review *r = &p->reviews[i];

        th_ok(wh_buf_printf(out, &err, "review %d %.*s %zu %zu %lld\n", r->rule,
                            WH_SLICE_ARG(r->key), r->left, r->right, (long long)r->since_ms),
              &err);
    }
}

static void same_result(struct th_people *w, const struct wh_buf *expected)
{
    struct wh_buf now;

    th_people_resolve(w);
    describe(w, &now);
    assert_string_equal(wh_buf_str(&now), wh_buf_str(expected));
    wh_buf_done(&now);
}

static void shuffled_decisions_are_the_same(struct th_people *w, const struct wh_buf *expected,
                                            uint64_t *seed)
{
    struct people_decision kept[TH_DECISIONS_MAX];

    memcpy(kept, w->decisions, sizeof(kept));
    for (size_t i = w->in.n_decisions; i > 1; i--) {
        size_t k = below(seed, (unsigned)i);
        struct people_decision d = w->decisions[i - 1];

        w->decisions[i - 1] = w->decisions[k];
        w->decisions[k] = d;
    }
    same_result(w, expected);
    memcpy(w->decisions, kept, sizeof(kept));
}

static void undoing_restores(struct th_people *w, const struct wh_buf *expected, uint64_t *seed)
{
    struct wh_slice id;

    random_decision(w, seed);
    id = w->decisions[w->in.n_decisions - 1].id;
    th_decide(w, PEOPLE_UNDO, 0, 0)->undoes = id;
    same_result(w, expected);
}

static void test_random_worlds(void **state)
{
    uint64_t seed = 88172645463325252ULL;

    (void)state;
    for (unsigned i = 0; i < WORLDS; i++) {
        struct th_people w;
        struct naive o;
        struct wh_buf before;

        random_world(&w, &seed);
        th_people_resolve(&w);
        naive_resolve(&o, &w);
        same_groups(&w, &o, i);
        right_ids(&w, &o);
        right_reasons(&w, &o);
        right_reviews(&w, &o);
        describe(&w, &before);
        shuffled_decisions_are_the_same(&w, &before, &seed);
        undoing_restores(&w, &before, &seed);
        wh_buf_done(&before);
        th_people_done(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_worlds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
