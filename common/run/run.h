/*
 * run.h - the skeleton that all stages share: signals, phases, health, metrics, exit codes.
 *
 *   RUNNING   work; /live and /ready answer 200 (ready once the stage says so)
 *   DRAINING  SIGTERM or SIGINT: intake stops (stage_drain), in-flight work finishes, /ready is 503
 *   STOPPED   drained: exit 0
 * A second signal or the deadline ends the process at once, exit 1: safe, because positions only
 * moved after acknowledgements. WH_CLASS_FATAL in the core: logged, drained, exit 1.
 *
 * Also done here: core dumps off (RLIMIT_CORE 0, PR_SET_DUMPABLE 0), SIGPIPE ignored, "process up"
 * line with versions. Once stopped, releasing what is left may take 8 seconds, then the process
 * ends.
 */
#ifndef WH_RUN_RUN_H
#define WH_RUN_RUN_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/httpd/httpd.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"

struct wh_run;

struct wh_run_conf {
    const char *stage;        /* "mapper" */
    const char *http_address; /* of health, metrics and the stage's own routes */
    uint16_t http_port;
    const char *log_level;
    int64_t drain_deadline_ms;
    /* Optional: where the port in use is written as text, for tests and scripts. */
    const char *port_file;
    /* Of the stage's own routes; NULL for none. It sees all requests but those for /live, /ready
     * and /metrics. */
    const struct wh_http_handler *routes;
    struct wh_httpd_conf httpd; /* limits; address and port are taken from above */
};

struct wh_run_stage {
    /* Start to drain; call wh_run_drained when done, which may be at once. */
    void (*drain)(void *ctx);
    /* Why the stage is not ready, NULL when it is; asked by /ready. */
    const char *(*not_ready)(void *ctx);
    /* Optional: set gauges before /metrics is rendered. */
    void (*collect)(void *ctx);
    void *ctx;
};

void wh_run_conf_init(struct wh_run_conf *conf, const char *stage);
/* Makes log, loop, metrics and HTTP server. */
WH_MUST_CHECK enum wh_rc wh_run_new(const struct wh_run_conf *conf, struct wh_run **ret,
                                    struct wh_err *err);
struct wh_loop *wh_run_loop(struct wh_run *run);
struct wh_log *wh_run_log(struct wh_run *run);
struct wh_metrics *wh_run_metrics(struct wh_run *run);
struct wh_httpd *wh_run_httpd(struct wh_run *run);
/* Until drained; returns the exit code. */
int wh_run_main(struct wh_run *run, const struct wh_run_stage *stage);
/* The stage has nothing in flight any more. */
void wh_run_drained(struct wh_run *run);
/* The core hit an error of class FATAL: log, drain, exit 1. */
void wh_run_fatal(struct wh_run *run, const struct wh_err *err);
void wh_run_free(struct wh_run *run);

/* Secrets are in memory: no core files, no other process of the user reads it. Done by wh_run_new.
 */
void wh_run_protect_memory(void);

/* `<stage> --healthcheck`: asks /live on the given port; exit code 0 or 1. No other tool needed. */
int wh_run_healthcheck(const char *address, uint16_t port);

#endif
