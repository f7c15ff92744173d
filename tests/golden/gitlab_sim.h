/*
 * gitlab_sim.h - the GitLab stand-in of tests/gitlab inside the test's own process: an HTTP client
 * whose requests that server answers, in simulated time.
 *
 * An answer arrives 1 to 60 simulated milliseconds after its request. The delay follows from the
 * seed, the method, the address, and how often that was asked before: it does not depend on the
 * order of other requests. Each request is noted when it is answered.
 */
#ifndef GOLDEN_GITLAB_SIM_H
#define GOLDEN_GITLAB_SIM_H

#include "common/base/buf.h"
#include "common/httpc/httpc.h"
#include "common/loop/loop.h"

#define GITLAB_SIM_URL "http://127.0.0.1:8710"
#define GITLAB_SIM_TOKEN "glpat-golden-0123456789"

struct gitlab_sim;
struct gl_sizes; /* tests/gitlab/model.h */

/* log takes one line for each request that is answered; kept. Fails the test when it cannot. */
struct gitlab_sim *gitlab_sim_new(struct wh_loop *loop, uint64_t seed, const struct gl_sizes *sizes,
                                  struct wh_buf *log);
void gitlab_sim_free(struct gitlab_sim *sim);
/* A client of its own for each process; freed by wh_httpc_free. */
struct wh_httpc *gitlab_sim_client(struct gitlab_sim *sim);

/* POST to the stand-in's control port (tests/gitlab/README.md). Fails the test unless it says 200.
 */
void gitlab_sim_control(struct gitlab_sim *sim, const char *path, const char *json);
/* What a person's browser does with an approval address: gives where GitLab sends it back, as
 * NUL-terminated text in out. */
void gitlab_sim_approve(struct gitlab_sim *sim, const char *url, struct wh_buf *out);
/* The id of the index-th project of the data set. */
int64_t gitlab_sim_project(const struct gitlab_sim *sim, unsigned index);

#endif
