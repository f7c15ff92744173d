/*
 * th_control.h - a fetcher without connections, its control API, Kafka in memory, and a GitLab that
 * a script plays. What GitLab is asked is written down, with the bearer token of each request.
 */
#ifndef TH_CONTROL_H
#define TH_CONTROL_H

#include "tests/lib/bus_mem.h"
#include "stages/fetcher/control/control.h"
#include "tests/lib/httpc_script.h"

enum { TH_CONTROL_REQUESTS_MAX = 512, TH_CONTROL_TEXT_MAX = 300 };

struct th_control {
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct th_script *script;
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct fetcher *f;
    struct control *control;
    struct wh_http_handler handler;
    struct wh_keyring keys;
    char *folder;
    int64_t now_ms;
    /* What GitLab was asked: "<url> <bearer token>", oldest first. */
    char requests[TH_CONTROL_REQUESTS_MAX][TH_CONTROL_TEXT_MAX];
    size_t n_requests;
    /* Answers instead of the default ones; true when it did. May be NULL. */
    bool (*gitlab)(struct th_control *t, struct wh_slice url, struct wh_slice token,
                   struct th_script_answer *a);
    void *ctx;
    const char *held; /* requests to addresses with this part are not answered; NULL: none */
    /* The newest answer of the control API. */
    unsigned status;
    char answer[16384];
};

void th_control_init(struct th_control *t);
/* The same, with that many partitions of fetch-state. */
void th_control_init_partitions(struct th_control *t, int32_t partitions);
/* The fetcher ends and another one starts from what Kafka holds. */
void th_control_restart(struct th_control *t);
void th_control_done(struct th_control *t);
/* Calls the API and works until it has answered; the answer is in t. body may be NULL. */
void th_control_call(struct th_control *t, const char *method, const char *path, const char *body);
/* Works until done says so; fails the test after a long while. */
void th_control_until(struct th_control *t, bool (*done)(struct th_control *t));
/* Turns of the loop, with everything answered that is waiting. */
void th_control_turns(struct th_control *t, unsigned n);
/* The connection of that id; fails the test when there is none. */
struct conn *th_control_conn(struct th_control *t, const char *id);
/* Connects https://c.example by the read_api token "glpat-1"; the connection is "c-example". */
struct conn *th_control_connected(struct th_control *t);
/* Adopts a connection "c-example" at https://c.example with the token pair "access-<n>" and
 * "refresh-<n>", which GitLab can revoke at https://c.example/oauth/revoke. */
struct conn *th_control_approved(struct th_control *t, unsigned n);
/* How many requests begin with that address; and with that token, unless it is NULL. */
unsigned th_control_asked(const struct th_control *t, const char *address, const char *token);

#endif
