/*
 * stage.h - the program around a stage's core. A stage describes itself in one struct wh_stage, and
 * its main function is
 *
 *     return wh_stage_main(&stage, argc, argv, environ);
 *
 * which does the following, in this order:
 *
 *   umask    077: what the process writes is for its own user alone
 *   init     the stage sets what no configuration key sets
 *   keys     configuration: the keys that every stage has, then the stage's own (conf.h). --help,
 *            --version, --check-config, --dump-config and --healthcheck end here
 *   prepare  what must be done before the HTTP server listens
 *   (run)    log, loop, metrics and HTTP server (run.h)
 *   start    the stage connects its core and binds its routes
 *   (loop)   until the stage has drained; heartbeats tell the topic `health` that the process works
 *   release  the stage frees what it holds; its routes are unbound by then
 *
 * release is called exactly once after prepare was called, also when prepare or start failed
 * half-way.
 *
 * Exit codes: 0 after a drain; 1 when preparing, starting or running failed, with the reason on
 * stderr or in the log; 2 for an invalid configuration.
 *
 * Thread: app.
 */
#ifndef WH_RUN_STAGE_H
#define WH_RUN_STAGE_H

#include "common/base/err.h"
#include "common/bus/bus.h"
#include "common/conf/conf.h"
#include "common/event/heartbeat.h"
#include "common/run/run.h"

enum { WH_STAGE_CLIENT_ID_MAX = 128 };

/* The first member of every stage's own struct, which all functions of struct wh_stage receive. */
struct wh_stage_base {
    /* Set by the keys that every stage has. */
    char *bootstrap;
    char *topic_prefix;
    char *http_address;
    int64_t http_port;
    char *http_port_file;
    char *http_trusted_proxies;
    char *log_level;
    int64_t drain_ms;
    struct wh_conf_pairs kafka; /* kafka.* keys for librdkafka */

    char client_id[WH_STAGE_CLIENT_ID_MAX]; /* for Kafka: "wellhead-<stage>-<host>" */
    char process[WH_STAGE_CLIENT_ID_MAX];   /* "<host>-<port>", its name among those of the stage */
    struct wh_httpd_conf httpd;             /* limits, which init and prepare may change */
    struct wh_run *run;                     /* NULL before start */
    bool no_heartbeat; /* the process is no part of the pipeline; init or prepare may set it */
};

struct wh_stage {
    const char *name;    /* "mapper": the program is wellhead-mapper */
    const char *purpose; /* one line for --help */
    const char *port;    /* default of http.port */
    /*
     * The stage's own keys; offsets are of its own struct, so that a key can set a member of the
     * core's configuration. The first n_topic_keys of them are listed with topic.prefix, the others
     * after the keys that every stage has.
     */
    const struct wh_conf_key *keys;
    size_t n_keys;
    size_t n_topic_keys;
    size_t size; /* of the stage's own struct; it is zeroed before init */

    void (*init)(void *app); /* may be NULL */
    /* Sets *ret_done when nothing is left to do: the program then ends with exit code 0, and start
     * is not called. May be NULL. */
    enum wh_rc (*prepare)(void *app, bool *ret_done, struct wh_err *err);
    enum wh_rc (*start)(void *app, struct wh_err *err);
    /* As in struct wh_run_stage. */
    void (*drain)(void *app);
    const char *(*not_ready)(void *app);
    void (*collect)(void *app);
    /* Adds to the heartbeat its group and what is held; ready and reason are those of not_ready. May
     * be NULL. */
    void (*beat)(void *app, struct wh_heartbeat *h);
    void (*release)(void *app);
};

/* Runs the program; returns its exit code. */
int wh_stage_main(const struct wh_stage *stage, int argc, char *const *argv, char *const *env);

/* For cores that report through callbacks, with the stage's own struct as their ctx. */
void wh_stage_drained(void *app);
void wh_stage_fatal(void *app, const struct wh_err *err);

/* Defaults with the brokers, the client id, the kafka.* keys and the log of the stage, all
 * borrowed. */
void wh_stage_consumer_conf(const struct wh_stage_base *base, struct wh_consumer_conf *conf);
void wh_stage_producer_conf(const struct wh_stage_base *base, struct wh_producer_conf *conf);
WH_MUST_CHECK enum wh_rc wh_stage_admin_new(const struct wh_stage_base *base, struct wh_admin **ret,
                                            struct wh_err *err);

#endif
