/* Whom a transfer may reach: judged by the address, at the moment of connecting. */
#include "tests/lib/th_cmocka.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/httpc/httpc.h"
#include "tests/lib/th_server.h"

static const struct {
    const char *text;
    bool public;
    bool loopback;
} addresses[] = {
    {"8.8.8.8", true, false},
    {"172.32.0.1", true, false},
    {"100.128.0.1", true, false},
    {"127.0.0.1", false, true},
    {"127.255.0.9", false, true},
    {"10.1.2.3", false, false},
    {"172.16.0.1", false, false},
    {"172.31.255.255", false, false},
    {"192.168.1.1", false, false},
    {"169.254.169.254", false, false},
    {"100.64.0.1", false, false},
    {"0.0.0.0", false, false},
    {"224.0.0.1", false, false},
    {"255.255.255.255", false, false},
    {"198.18.0.1", false, false},
    {"2606:4700::1111", true, false},
    {"::1", false, true},
    {"::", false, false},
    {"fe80::1", false, false},
    {"fc00::1", false, false},
    {"fd12::1", false, false},
    {"ff02::1", false, false},
    {"::ffff:127.0.0.1", false, true},
    {"::ffff:10.0.0.1", false, false},
    {"::ffff:8.8.8.8", true, false},
    {"64:ff9b::a00:1", false, false},
    {"2002:7f00:1::", false, false},
    {"2001:db8::1", false, false},
    {"2001::1", false, false},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct sockaddr_storage s = {0};
        struct sockaddr_in in4 = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

        if (inet_pton(AF_INET, addresses[i].text, &in4.sin_addr) == 1) {
            memcpy(&s, &in4, sizeof(in4));
        } else {
            assert_int_equal(inet_pton(AF_INET6, addresses[i].text, &in6.sin6_addr), 1);
            memcpy(&s, &in6, sizeof(in6));
        }
        if (wh_httpc_public((const struct sockaddr *)&s) != addresses[i].public ||
            wh_httpc_loopback((const struct sockaddr *)&s) != addresses[i].loopback) {
            fail_msg("%s", addresses[i].text);
        }
    }
}

/* ---- transfers ---- */

struct end {
    bool done;
    enum wh_rc rc;
    unsigned status;
    size_t bytes;
    size_t stop_at;
};

static void on_answer(void *ctx, const struct wh_httpc_answer *a)
{
    struct end *e = ctx;

    e->done = true;
    e->rc = a->rc;
    e->status = a->status;
}

static enum wh_httpc_take on_data(void *ctx, const struct wh_httpc_answer *head,
                                  struct wh_slice bytes)
{
    struct end *e = ctx;

    assert_int_equal(head->status, 200);
    e->bytes += bytes.len;
    return e->stop_at && e->bytes >= e->stop_at ? WH_HTTPC_STOP : WH_HTTPC_TAKEN;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    th_reply(req, 200, "text/plain", "%04000d", 1);
}

static void get(struct wh_loop *loop, struct wh_httpc *http, const char *url,
                enum wh_httpc_peer peer, bool stream, size_t body_max, struct end *e)
{
    const struct wh_httpc_request req = {.method = WH_LIT("GET"),
                                         .url = wh_slice_str(url),
                                         .on_data = stream ? on_data : NULL,
                                         .peer = peer,
                                         .body_max = body_max,
                                         .timeout_ms = 10000};
    struct wh_err err;

    e->done = false;
    th_ok(wh_httpc_start(http, &req, on_answer, e, NULL, &err), &err);
    while (!e->done) {
        wh_loop_turn(loop, true);
    }
}

/* Spellings of this machine: none gets past. */
static void test_transfers(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "2130706433", "0x7f.1",
                                        "[::ffff:127.0.0.1]"};
    struct wh_loop *loop = wh_loop_new();
    struct wh_httpc *http = th_client_new(loop);
    struct th_server *server = th_server_new(loop, on_request, NULL);
    const char *port = strrchr(th_server_origin(server), ':');
    struct end e = {0};
    char url[128];

    (void)state;
    get(loop, http, th_server_origin(server), WH_HTTPC_PEER_ANY, false, 8000, &e);
    assert_int_equal(e.rc, WH_OK);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        (void)snprintf(url, sizeof(url), "http://%s%s/", hosts[i], port);
        get(loop, http, url, WH_HTTPC_PEER_PUBLIC, false, 8000, &e);
        if (e.rc != WH_E_FORBIDDEN) {
            fail_msg("%s: %s", hosts[i], wh_rc_name(e.rc));
        }
    }
    assert_int_equal(th_server_count(server, "GET "), 1);
    get(loop, http, th_server_origin(server), WH_HTTPC_PEER_LOOPBACK, false, 8000, &e);
    assert_int_equal(e.rc, WH_OK);
    th_server_free(server);
    wh_httpc_free(http);
    wh_loop_free(loop);
}

static void test_pieces(void **state)
{
    struct wh_loop *loop = wh_loop_new();
    struct wh_httpc *http = th_client_new(loop);
    struct th_server *server = th_server_new(loop, on_request, NULL);
    struct end e = {0};

    (void)state;
    get(loop, http, th_server_origin(server), WH_HTTPC_PEER_ANY, true, 8000, &e);
    assert_int_equal(e.rc, WH_OK);
    assert_int_equal(e.bytes, 4000);
    e = (struct end){.stop_at = 1};
    get(loop, http, th_server_origin(server), WH_HTTPC_PEER_ANY, true, 8000, &e);
    assert_int_equal(e.rc, WH_E_CANCELED);
    assert_int_equal(e.status, 200);
    e = (struct end){0};
    get(loop, http, th_server_origin(server), WH_HTTPC_PEER_ANY, true, 3999, &e);
    assert_int_equal(e.rc, WH_E_TOO_LARGE);
    th_server_free(server);
    wh_httpc_free(http);
    wh_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
