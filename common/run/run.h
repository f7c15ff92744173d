/*
 * run.h - the running process of a stage: log, loop, metrics, HTTP server, signals, exit code.
 *
 *   STARTING  until wh_run_main: routes that are not bound yet answer 503
 *   RUNNING   /live answers 200, /ready answers 200 once the stage says that it is ready
 *   DRAINING  after SIGTERM, SIGINT or a fatal error: the stage takes no new work and finishes what
 *             it has; /ready answers 503
 *   STOPPED   the stage has drained; the exit code is 0, or 1 after a fatal error
 *
 * A second signal, or the drain deadline, ends the process at once with exit code 1. Nothing is
 * lost by that, because positions only move after acknowledgements.
 *
 * wh_run_new also turns core dumps off, ignores SIGPIPE, and raises the soft limit of open files to
 * what the HTTP server's connections need, as far as the hard limit goes. Once the stage has stopped, releasing
 * its resources may take RELEASE_SECONDS (run.c); then the process ends anyway.
 *
 * Thread: app.
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
    const char *stage;         /* "mapper"; kept, as static text */
    const char *log_level;     /* "error", "warn", "info" or "debug" */
    const char *port_file;     /* receives the port in use as text; NULL or "": no such file */
    int64_t drain_deadline_ms; /* longest time in DRAINING */
    struct wh_httpd_conf httpd;
};

struct wh_run_stage {
    /* Begin to drain. The stage calls wh_run_drained when it has finished, at once or later. NULL:
     * the stage has nothing to drain. */
    void (*drain)(void *ctx);
    /* Returns why the stage is not ready, or NULL when it is. NULL: it always is. */
    const char *(*not_ready)(void *ctx);
    /* Updates gauges; called before /metrics is rendered. May be NULL. */
    void (*collect)(void *ctx);
    void *ctx;
};

/* Defaults: 127.0.0.1 on any free port, level "info", 20 s to drain. */
void wh_run_conf_init(struct wh_run_conf *conf, const char *stage);
/*
 * Makes log, loop, metrics and HTTP server, and writes the port file. WH_E_CONFIG for an unknown
 * log level, a port that cannot be bound and a port file that cannot be written.
 */
WH_MUST_CHECK enum wh_rc wh_run_new(const struct wh_run_conf *conf, struct wh_run **ret,
                                    struct wh_err *err);
/* All borrowed until wh_run_free. */
struct wh_loop *wh_run_loop(struct wh_run *run);
struct wh_log *wh_run_log(struct wh_run *run);
struct wh_metrics *wh_run_metrics(struct wh_run *run);
struct wh_httpd *wh_run_httpd(struct wh_run *run);

/*
 * Binds the stage's own routes, which then receive every request except /live, /ready and /metrics.
 * NULL unbinds them: from then on their requests are answered 503, and on_done is not called for
 * those that are open. The struct is copied. A process that never binds routes answers 404.
 */
void wh_run_bind(struct wh_run *run, const struct wh_http_handler *routes);

/* Runs the loop until the stage has drained. Returns the exit code. */
int wh_run_main(struct wh_run *run, const struct wh_run_stage *stage);
/* The stage has nothing in flight any more: ends wh_run_main, or keeps it from starting the loop.
 */
void wh_run_drained(struct wh_run *run);
/* The stage cannot go on: logs the error and drains; the exit code will be 1. */
void wh_run_fatal(struct wh_run *run, const struct wh_err *err);
/* Closes the HTTP server and the loop. NULL is ignored. */
void wh_run_free(struct wh_run *run);

/* Keeps secrets in memory from core files and from other processes of the same user. */
void wh_run_protect_memory(void);

/*
 * Asks /live of the process that listens on the port, for at most 3 s each way. Returns 0 when the
 * answer is 200, and 1 with a line on stderr otherwise. For --healthcheck, so that a container
 * needs no HTTP client.
 */
int wh_run_healthcheck(const char *address, uint16_t port);

#endif
