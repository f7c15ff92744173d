/*
 * world.h - fetchers against the GitLab stand-in, in one process and in simulated time, with the bus
 * in memory: their life, their control API and the passing of time.
 */
#ifndef GOLDEN_WORLD_H
#define GOLDEN_WORLD_H

#include <stdarg.h>

#include "tests/golden/gitlab_sim.h"
#include "tests/golden/member.h"
#include "tests/golden/transcript.h"

/* The connection that world_connect makes, and the start of its addresses in the control API. */
#define WORLD_CONNECTION "127-0-0-1-8710"
#define WORLD_API "/api/v1/connections/" WORLD_CONNECTION

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

struct world {
    struct wh_loop *loop;
    struct wh_bus_mem *bus;
    struct gitlab_sim *gitlab;
    struct transcript *transcript;
    struct member *members[2];
    struct member_conf conf;      /* of the member that starts next */
    struct wh_producer *producer; /* of other stages */
    struct wh_keyring keys;
    char *folder;
    char token_file[256];
};

/* sizes: what GitLab has. Fails the test when it cannot. */
void world_init(struct world *w, uint64_t seed, const struct gl_sizes *sizes);
void world_done(struct world *w);
void world_start(struct world *w, int index);
/* Ends the member in order. */
void world_stop(struct world *w, int index);
/* Lets simulated time pass. */
void world_run_for(struct world *w, int64_t ms);
/* A call of the control API that must succeed; gives the answer as text in out when that is not
 * NULL. */
void world_call(struct world *w, int index, const char *method, const char *path, const char *json,
                struct wh_buf *out);
/* POST to the stand-in's control port. */
void world_control(struct world *w, const char *path, const char *fmt, ...) WH_PRINTF(3, 4);
/* Starts the first member and connects it by a read_api token. */
void world_connect(struct world *w);

#endif
