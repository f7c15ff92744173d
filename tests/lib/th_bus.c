#include "tests/lib/th_bus.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/th_cmocka.h"

enum { POLL_MS = 200, POLLS_MAX = 300 };

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct th_ack *own = (struct th_ack *)ack;
    struct th_deliveries *seen = own->seen;
    size_t i = (size_t)(own - seen->acks);

    assert_true((d->rc == WH_OK) == (d->reason == NULL));
    seen->times[i]++;
    seen->rc[i] = d->rc;
    seen->n++;
}

enum wh_rc th_produce(struct wh_producer *p, struct th_deliveries *seen, const char *topic,
                      size_t number, struct wh_err *err)
{
    char key[16];
    char value[24];
    struct wh_bus_header header = {.name = WH_LIT("n")};
    struct wh_bus_record r = {.topic = topic, .partition = -1, .headers = &header, .n_headers = 1};

    (void)snprintf(key, sizeof(key), "k%zu", number % TH_KEYS);
    (void)snprintf(value, sizeof(value), "%zu", number);
    r.key = wh_slice_str(key);
    r.value = wh_slice_str(value);
    header.value = r.value;
    assert_true(number < TH_RECORDS_MAX);
    seen->acks[number] = (struct th_ack){.ack = {.fn = on_record}, .seen = seen};
    r.ack = &seen->acks[number].ack;
    return wh_producer_produce(p, &r, err);
}

void th_produce_numbers(struct wh_producer *p, struct th_deliveries *seen, const char *topic,
                        size_t from, size_t n)
{
    struct wh_err err;

    for (size_t i = from; i < from + n; i++) {
        th_ok(th_produce(p, seen, topic, i, &err), &err);
    }
}

void th_deliver_all(struct wh_producer *p)
{
    for (int i = 0; wh_producer_pending(p) > 0; i++) {
        assert_true(i < POLLS_MAX);
        (void)wh_producer_poll(p, POLL_MS);
    }
}

void th_deliveries_are(const struct th_deliveries *d, size_t n, enum wh_rc rc)
{
    assert_int_equal(d->n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(d->times[i], 1);
        assert_int_equal(d->rc[i], rc);
    }
}

static size_t number_of(struct wh_consumer *c, const struct wh_bus_msg *msg)
{
    char text[24] = "";
    char key[16];
    size_t number;

    assert_true(msg->value.len > 0 && msg->value.len < sizeof(text));
    memcpy(text, msg->value.ptr, msg->value.len);
    number = strtoul(text, NULL, 10);
    (void)snprintf(key, sizeof(key), "k%zu", number % TH_KEYS);
    th_slice_is(msg->key, key);
    th_slice_is(wh_consumer_header(c, msg, "n"), text);
    assert_null(wh_consumer_header(c, msg, "absent").ptr);
    return number;
}

void th_consume_numbers(struct wh_consumer *c, size_t from, size_t n)
{
    bool seen[TH_RECORDS_MAX] = {false};
    size_t last[TH_KEYS] = {0};
    struct wh_bus_msg msgs[16];
    struct wh_err err;
    size_t total = 0;

    for (int polls = 0; total < n; polls++) {
        size_t got;

        assert_true(polls < POLLS_MAX);
        th_ok(wh_consumer_poll(c, POLL_MS, 16, msgs, &got, &err), &err);
        for (size_t i = 0; i < got; i++) {
            size_t number = number_of(c, &msgs[i]);

            assert_true(number >= from && number < from + n);
            assert_false(seen[number]);
            assert_true(number >= last[number % TH_KEYS]);
            seen[number] = true;
            last[number % TH_KEYS] = number;
            total++;
        }
    }
}

void th_commit_all(struct wh_consumer *c, const char *topic, int32_t partitions)
{
    struct wh_err err;

    for (int32_t i = 0; i < partitions; i++) {
        struct wh_bus_partition p = {.topic = topic, .partition = i};
        int64_t low;

        th_ok(wh_consumer_watermarks(c, topic, i, 5000, &low, &p.offset, &err), &err);
        th_ok(wh_consumer_commit(c, &p, 1, true, &err), &err);
    }
}
