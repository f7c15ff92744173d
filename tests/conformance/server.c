/*
 * The server under the MCP conformance suite: the sink's own API on a free port of loopback, over a store in memory with one
 * incident, its services and customers. Prints {"port":N,"token_file":PATH}; ends by SIGTERM, or when its
 * parent ends.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_facts.h"

#include "common/httpd/httpd.h"

static void stop(void *ctx)
{
    wh_loop_stop(ctx);
}

int main(void)
{
    const struct sink_api_conf conf = {
        .sql_timeout_ms = 5000, .sql_timeout_max_ms = 5000, .sql_rows = 1000, .sql_bytes = 8 << 20};
    struct th_api *api = th_api_new(&conf, 300, 5);
    struct wh_httpd_conf http;
    struct wh_httpd *server;
    struct th_facts facts;
    struct wh_err err;

    th_facts_init_on(&facts, api->store);
    th_facts_put(&facts, th_story);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    wh_httpd_conf_init(&http);
    http.address = "127.0.0.1";
    http.port = 0;
    th_ok(wh_httpd_new(api->loop, NULL, &http, &api->handler, &server, &err), &err);
    th_ok(wh_loop_on_signal(api->loop, SIGTERM, stop, api->loop, &err), &err);
    printf("{\"port\":%u,\"token_file\":\"%s\"}\n", (unsigned)wh_httpd_port(server),
           api->token_path);
    (void)fflush(stdout);
    wh_loop_run(api->loop);
    sink_api_drain(api->api);
    wh_httpd_free(server);
    th_facts_done(&facts);
    th_api_free(api);
    return 0;
}
