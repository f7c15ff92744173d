/*
 * member.h - one fetcher process in memory: the whole core, wired as its main.c wires it, on the
 * bus in memory and the simulated loop. All that these tests know of the fetcher's own headers is
 * in member.c.
 */
#ifndef GOLDEN_MEMBER_H
#define GOLDEN_MEMBER_H

#include "common/bus/bus.h"
#include "common/event/keyring.h"
#include "common/httpc/httpc.h"
#include "tests/lib/th_http.h"

struct member;
struct wh_bus_mem;

struct member_conf {
    struct wh_loop *loop;
    struct wh_bus_mem *bus;
    const char *name;        /* of the member in its group */
    struct wh_keyring *keys; /* borrowed */
    const char *token_file;  /* of the control API */
    int64_t sync_interval_ms;
    int64_t sweep_interval_ms;
    size_t queue_max_records;
    bool read_links;
};

/* Starts it; http is taken. Fails the test when it cannot. */
struct member *member_new(const struct member_conf *conf, struct wh_httpc *http);
/* Ends in order, as after SIGTERM: drains, then frees. */
void member_stop(struct member *m);
/* Ends at once, as after SIGKILL. */
void member_kill(struct member *m);
/* A call of the control API. The answer is in req, to be given back by th_http_done. */
void member_call(struct member *m, const char *method, const char *path, const char *json,
                 struct th_http_req *req);
bool member_ready(const struct member *m);

#endif
