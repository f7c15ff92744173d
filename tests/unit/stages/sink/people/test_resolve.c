/* Who is who: the cases that a company meets. */
#include "tests/lib/th_cmocka.h"

#include "tests/lib/th_people.h"

static const struct people_node *node(const struct th_people *w, unsigned id)
{
    struct wh_entity_id wanted = th_people_id(id);
    size_t at = people_find(&w->in, &wanted);

    assert_true(at != PEOPLE_NONE);
    return &w->people.nodes[at];
}

static unsigned member_id(const struct th_people *w, unsigned id)
{
    const struct wh_entity_id *of = &w->people.members[node(w, id)->member].id;

    return (unsigned)of->bytes[14] << 8 | of->bytes[15];
}

static const struct people_member *member(const struct th_people *w, unsigned id)
{
    return &w->people.members[node(w, id)->member];
}

static bool reviewed(const struct th_people *w, enum people_rule rule, const char *key, unsigned a,
                     unsigned b)
{
    for (size_t i = 0; i < w->people.n_reviews; i++) {
        const struct people_review *r = &w->people.reviews[i];
        size_t left = node(w, a)->member;
        size_t right = node(w, b)->member;

        if (r->rule == rule && wh_slice_eq(r->key, wh_slice_str(key)) &&
            ((r->left == left && r->right == right) || (r->left == right && r->right == left))) {
            return true;
        }
    }
    return false;
}

/* ---- cases ---- */

#define HOST "https://git.example"

static void test_three_accounts_of_one_person(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "ana", "", "ana");
    th_account(&w, HOST, "ana-admin", "ana@x.test", "ana");
    th_account(&w, "https://other.example", "anna", "ana@x.test", "anna");
    th_account(&w, "https://other.example/gitlab", "anna", "", "");
    th_row(&w, "e1", "ana", "ana@x.test", "gitlab:ana");
    th_people_resolve(&w);
    for (unsigned i = 1; i <= 4; i++) {
        assert_int_equal(member_id(&w, i), 101);
    }
    assert_int_equal(node(&w, 1)->rule, PEOPLE_RULE_ACCOUNT);
    assert_int_equal(node(&w, 2)->rule, PEOPLE_RULE_EMAIL);
    assert_int_equal(node(&w, 4)->rule, PEOPLE_RULE_USERNAME);
    th_slice_is(node(&w, 2)->key, "ana@x.test");
    assert_int_equal(node(&w, 2)->with, 4); /* the row */
    assert_int_equal(member(&w, 1)->n_accounts, 4);
    assert_int_equal(w.people.n_reviews, 0);
    th_people_done(&w);
}

static void test_without_a_directory_the_oldest_account_is_the_id(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "a", "a@x.test", "")->created_ms = INT64_MAX;
    th_account(&w, "https://b.example", "b", "a@x.test", "")->created_ms = 50;
    th_account(&w, "https://c.example", "c", "a@x.test", "")->created_ms = 50;
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 2);
    assert_int_equal(member_id(&w, 3), 2);
    th_people_done(&w);
}

static void test_two_people_with_one_name(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "kim1", "", "kim-lee");
    th_account(&w, HOST, "kim2", "", "kim-lee");
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 1);
    assert_int_equal(member_id(&w, 2), 2);
    assert_true(reviewed(&w, PEOPLE_RULE_NAME, "kim-lee", 1, 2));
    assert_int_equal(w.people.reviews[0].since_ms, 2);
    th_decide(&w, PEOPLE_SPLIT, 2, 0); /* it is known that they are two */
    th_people_resolve(&w);
    assert_int_equal(w.people.n_reviews, 0);
    th_people_done(&w);
}

static void test_bots_and_shared_mailboxes(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "ana", "help@x.test", "ana");
    th_account(&w, HOST, "ben", "help@x.test", "ben");
    th_account(&w, HOST, "renovate", "ana@x.test", "ana"); /* writes under a person's name */
    th_account(&w, HOST, "token", "ana@x.test", "ana")->type = PEOPLE_BOT;
    th_account(&w, HOST, "help", "", "help");
    th_account(&w, HOST, "robot", "", "robot")->type = PEOPLE_BOT;
    th_row(&w, "e1", "ana", "ana@x.test", "gitlab:robot");
    th_row(&w, "m1", "help", "help@x.test", "gitlab:help")->type = PEOPLE_SHARED;
    th_row(&w, "b1", "renovate", NULL, "gitlab:renovate")->type = PEOPLE_BOT;
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 1);
    assert_int_equal(member_id(&w, 2), 2);
    assert_int_equal(member_id(&w, 3), 103);
    assert_int_equal(member(&w, 3)->type, PEOPLE_BOT);
    assert_int_equal(member_id(&w, 4), 4);
    assert_int_equal(member(&w, 4)->type, PEOPLE_BOT);
    assert_int_equal(member_id(&w, 5), 102);
    assert_int_equal(member(&w, 5)->type, PEOPLE_SHARED);
    assert_int_equal(member_id(&w, 6), 6);
    assert_true(reviewed(&w, PEOPLE_RULE_ACCOUNT, "gitlab:robot", 101, 6));
    th_people_done(&w);
}

static void test_an_address_changes_hands(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "ana", "lead@x.test", "ana")->state = PEOPLE_BLOCKED;
    th_account(&w, HOST, "ben", "", "ben");
    th_account(&w, HOST, "benny", "lead@x.test", "ben");
    th_row(&w, "e1", "ana", "lead@x.test", "gitlab:ana");
    th_row(&w, "e2", "ben", "lead@x.test", "gitlab:ben");
    th_people_resolve(&w); /* both are active: nobody gets it */
    assert_int_equal(member_id(&w, 1), 101);
    assert_int_equal(member_id(&w, 2), 102);
    assert_int_equal(member_id(&w, 3), 3);
    assert_true(reviewed(&w, PEOPLE_RULE_EMAIL, "lead@x.test", 101, 102));
    w.rows[0].state = PEOPLE_LEFT;
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 101);
    assert_int_equal(member_id(&w, 3), 102);
    assert_false(reviewed(&w, PEOPLE_RULE_EMAIL, "lead@x.test", 101, 102));
    th_people_done(&w);
}

static void test_departed_blocked_and_deleted_are_told_apart(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "a", "", "");
    th_account(&w, HOST, "b", "", "")->state = PEOPLE_BLOCKED;
    th_account(&w, HOST, "c", "", "")->state = PEOPLE_DELETED;
    th_account(&w, HOST, "d", "", "")->state = PEOPLE_UNKNOWN;
    th_row(&w, "e1", "", NULL, "gitlab:a")->state = PEOPLE_LEFT;
    th_people_resolve(&w);
    assert_int_equal(member(&w, 1)->state, PEOPLE_LEFT);
    assert_int_equal(member(&w, 2)->state, PEOPLE_BLOCKED);
    assert_int_equal(member(&w, 3)->state, PEOPLE_DELETED);
    assert_int_equal(member(&w, 4)->state, PEOPLE_UNKNOWN);
    th_people_done(&w);
}

static void test_names_of_accounts(void **state)
{
    static const struct {
        const char *text;
        unsigned account; /* 0: none */
    } cases[] = {
        {"gitlab:ana", 0}, /* two hosts have one */
        {"gitlab:https://git.example/ana", 1},
        {"gitlab:git.example/ana", 1},
        {"gitlab:https://other.example/gitlab/ana", 2},
        {"gitlab:https://other.example/ana", 0},
        {"gitlab:@ben", 3},
        {"gitlab:https://git.example/user/77", 3},
        {"gitlab:https://other.example/user/77", 0},
        {"github:ben", 0},
        {"ben", 0},
        {"gitlab:", 0},
        {"gitlab:https://git.example/", 0},
        {"gitlab:again", 5}, /* the one that exists */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct th_people w;

        th_people_init(&w);
        th_account(&w, HOST, "ana", "", "");
        th_account(&w, "https://other.example/gitlab", "ana", "", "");
        th_account(&w, HOST, "ben", "", "")->number = WH_LIT("77");
        th_account(&w, HOST, "again", "", "")->state = PEOPLE_DELETED;
        th_account(&w, HOST, "again", "", "");
        th_row(&w, "e1", "", NULL, cases[i].text);
        th_people_resolve(&w);
        for (unsigned a = 1; a <= 5; a++) {
            assert_int_equal(member_id(&w, a), a == cases[i].account ? 101 : a);
        }
        assert_int_equal(reviewed(&w, PEOPLE_RULE_ACCOUNT, cases[i].text, 101, 1) &&
                             reviewed(&w, PEOPLE_RULE_ACCOUNT, cases[i].text, 101, 2),
                         i == 0);
        th_people_done(&w);
    }
}

static void test_directories_with_the_same_id(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "ana", "", "");
    th_account(&w, HOST, "ann", "", "");
    th_row(&w, "e1", "ana", NULL, "gitlab:ana");
    th_row(&w, "e1", "ann", NULL, "gitlab:ann");
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 101);
    assert_int_equal(member_id(&w, 2), 101);
    assert_int_equal(member_id(&w, 102), 101);
    w.rows[1].type = PEOPLE_BOT;
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 2), 102);
    th_people_done(&w);
}

static void test_one_account_with_two_owners(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "a", "a@x.test", "");
    th_account(&w, HOST, "b", "b@x.test", "");
    th_row(&w, "e1", "", "a@x.test", NULL);
    th_row(&w, "e2", "", "b@x.test", NULL);
    th_decide(&w, PEOPLE_MERGE, 1, 2);
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 1);
    assert_int_equal(member_id(&w, 2), 1);
    assert_true(reviewed(&w, PEOPLE_RULE_EMAIL, "a@x.test", 101, 1));
    assert_true(reviewed(&w, PEOPLE_RULE_EMAIL, "b@x.test", 102, 1));
    th_people_done(&w);
}

static void test_decisions(void **state)
{
    struct th_people w;

    (void)state;
    th_people_init(&w);
    th_account(&w, HOST, "a", "", "");
    th_account(&w, HOST, "b", "", "");
    th_account(&w, HOST, "c", "", "");
    th_row(&w, "e1", "", NULL, "gitlab:a");
    th_decide(&w, PEOPLE_MERGE, 1, 2);
    th_decide(&w, PEOPLE_MERGE, 2, 3);
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 3), 101);
    assert_int_equal(node(&w, 3)->rule, PEOPLE_RULE_DECISION);
    th_slice_is(node(&w, 3)->key, "d1");
    th_decide(&w, PEOPLE_SPLIT, 2, 0); /* the other two stay together */
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 2), 2);
    assert_int_equal(member_id(&w, 3), 101);
    th_decide(&w, PEOPLE_SPLIT, 1, 0); /* overrides the directory */
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 1);
    assert_int_equal(member_id(&w, 3), 3);
    th_decide(&w, PEOPLE_UNDO, 0, 0)->undoes = WH_LIT("d3");
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 101);
    assert_int_equal(w.people.undone_by[3], 4);
    assert_int_equal(w.people.undone_by[0], PEOPLE_NONE);
    th_decide(&w, PEOPLE_UNDO, 0, 0)->undoes = WH_LIT("d4"); /* back again */
    th_people_resolve(&w);
    assert_int_equal(member_id(&w, 1), 1);
    assert_int_equal(w.people.undone_by[3], PEOPLE_NONE);
    th_people_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_accounts_of_one_person),
        cmocka_unit_test(test_without_a_directory_the_oldest_account_is_the_id),
        cmocka_unit_test(test_two_people_with_one_name),
        cmocka_unit_test(test_bots_and_shared_mailboxes),
        cmocka_unit_test(test_an_address_changes_hands),
        cmocka_unit_test(test_departed_blocked_and_deleted_are_told_apart),
        cmocka_unit_test(test_names_of_accounts),
        cmocka_unit_test(test_directories_with_the_same_id),
        cmocka_unit_test(test_one_account_with_two_owners),
        cmocka_unit_test(test_decisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
