/* Any order of acknowledgements: the position never passes an item that is not whole. */
#include "common/bus/acktrack.h"

#include <string.h>

#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"

enum { CAPACITY = 7, ITEMS = 400, SEEDS = 40 };

/* All items ever begun, simply. */
struct model {
    int64_t positions[ITEMS];
    uint64_t tickets[ITEMS];
    unsigned waiting[ITEMS];
    size_t n;
};

static int64_t model_position(const struct model *m, int64_t first)
{
    int64_t position = first;

    for (size_t i = 0; i < m->n && m->waiting[i] == 0; i++) {
        position = m->positions[i] + 1;
    }
    return position;
}

static size_t model_in_flight(const struct model *m)
{
    size_t done = 0;

    while (done < m->n && m->waiting[done] == 0) {
        done++;
    }
    return m->n - done;
}

static void begin(struct wh_acktrack *t, struct model *m, struct th_random *r, int64_t *next)
{
    struct wh_err err;
    uint64_t ticket;
    enum wh_rc rc = wh_acktrack_begin(t, *next, &ticket, &err);

    if (model_in_flight(m) == CAPACITY) {
        assert_int_equal(rc, WH_E_BUSY);
        return;
    }
    assert_int_equal(rc, WH_OK);
    m->positions[m->n] = *next;
    m->tickets[m->n] = ticket;
    m->waiting[m->n] = 1;
    m->n++;
    /* Offsets of a topic have gaps. */
    *next += 1 + (int64_t)th_random_below(r, 3);
}

static void step(struct wh_acktrack *t, struct model *m, struct th_random *r, int64_t *next)
{
    size_t open = model_in_flight(m);
    size_t i = open ? m->n - 1 - th_random_below(r, (unsigned)open) : 0;

    if (m->n < ITEMS && th_random_below(r, 3) == 0) {
        begin(t, m, r, next);
    } else if (open && m->waiting[i]) {
        if (th_random_below(r, 3) == 0) {
            wh_acktrack_expect(t, m->tickets[i]);
            m->waiting[i]++;
        } else {
            wh_acktrack_ack(t, m->tickets[i]);
            m->waiting[i]--;
        }
    }
}

static void test_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct th_random r = {seed * 2654435761u};
        int64_t next = 1000;
        int64_t last = 1000;
        struct wh_acktrack *t = wh_acktrack_new(CAPACITY, next);
        struct model m = {.n = 0};

        assert_non_null(t);
        while (m.n < ITEMS || model_in_flight(&m) > 0) {
            step(t, &m, &r, &next);
            assert_int_equal(wh_acktrack_position(t), model_position(&m, 1000));
            assert_int_equal(wh_acktrack_in_flight(t), model_in_flight(&m));
            assert_true(wh_acktrack_position(t) >= last);
            last = wh_acktrack_position(t);
        }
        assert_int_equal(last, m.positions[ITEMS - 1] + 1);
        wh_acktrack_free(t);
    }
}

static void test_own_reference_holds(void **state)
{
    struct wh_acktrack *t = wh_acktrack_new(2, 5);
    struct wh_err err;
    uint64_t a;
    uint64_t b;

    (void)state;
    assert_non_null(t);
    th_ok(wh_acktrack_begin(t, 5, &a, &err), &err);
    th_ok(wh_acktrack_begin(t, 9, &b, &err), &err);
    wh_acktrack_expect(t, a);
    wh_acktrack_ack(t, a);
    /* Its only output came back before the caller was through with it. */
    assert_int_equal(wh_acktrack_position(t), 5);
    wh_acktrack_ack(t, b);
    assert_int_equal(wh_acktrack_position(t), 5);
    wh_acktrack_ack(t, a);
    assert_int_equal(wh_acktrack_position(t), 10);
    wh_acktrack_free(t);
    wh_acktrack_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_own_reference_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
