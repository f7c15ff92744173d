/*
 * cli.h - what every command is given: settings, options, and the ways to the outside.
 *
 * The outside is output, stages (HTTP), Kafka, time and standard input; each is replaced in tests.
 * Data go to stdout, messages to stderr. Exit codes: the enum below; `wellhead help exit-codes`.
 * Thread: app.
 */
#ifndef WH_CLI_CORE_CLI_H
#define WH_CLI_CORE_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/http/http.h"
#include "cli/options/options.h"
#include "cli/out/out.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/conf/conf.h"
#include "common/event/topics.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOTHING = 3,
    CLI_SIGN_IN = 4,
    CLI_AMBIGUOUS = 5,
    CLI_CUT = 6,
    CLI_NOT_HEALTHY = 10,
    CLI_TRY_LATER = 75,
    CLI_TIMED_OUT = 124,
    CLI_INTERRUPTED = 130,
};

enum { CLI_CONNECTION_ID_MAX = 64 };

/* From file and environment (settings.h). */
struct cli_conf {
    char *bootstrap;
    struct wh_conf_pairs kafka;
    char *topic_prefix;
    char *fetcher_url;
    char *intake_url;
    char *mapper_url;
    char *sink_url;
    char *fetcher_token_file;
    char *sink_token_file;
    char *mapper_program;
    char *mapper_views_path;
    char *sink_program;
    char *sink_data_path;
    char *registry_url;
    char *registry_token_file;
    int64_t timeout_ms;
    int64_t partitions;
    int64_t replication;
};

/* The outside. All members are borrowed and outlive the command. */
struct cli_world {
    struct cli_http *http;
    /* As wh_admin_kafka_new, which is the real one. */
    enum wh_rc (*admin)(const char *bootstrap, const char *client_id,
                        const struct wh_conf_pairs *extra, struct wh_log *log,
                        struct wh_admin **ret, struct wh_err *err);
    enum wh_rc (*consumer)(const struct wh_consumer_conf *conf, struct wh_consumer **ret,
                           struct wh_err *err); /* as wh_consumer_kafka_new */
    enum wh_rc (*producer)(const struct wh_producer_conf *conf, struct wh_producer **ret,
                           struct wh_err *err); /* as wh_producer_kafka_new */
    struct wh_clock clock;
    void (*pause_ms)(void *ctx, int64_t ms); /* NULL: waits for real */
    void *ctx;                               /* of pause_ms */
    int input;                               /* descriptor of standard input */
    int interrupt; /* readable once the user pressed Ctrl-C; 0: that ends the process */
};

struct cli {
    struct cli_conf conf;
    struct cli_options opt;
    struct cli_out out;
    struct cli_world world;
    const char *pager; /* $PAGER; NULL: not set */
};

/* The real world: curl, Kafka, the system's clock, standard input. http is kept. */
struct cli_world cli_world_real(struct cli_http *http);

int64_t cli_now_ms(const struct cli *cli);
void cli_pause_ms(const struct cli *cli, int64_t ms);

/* From here on Ctrl-C ends no more than a call or a pause, and cli_interrupted says that it was pressed. */
void cli_catch_interrupt(struct cli *cli);
bool cli_interrupted(const struct cli *cli);

/* Sends data through the user's pager from here on, on a terminal and without --no-pager. Ctrl-C is caught. */
void cli_use_pager(struct cli *cli);

/* May the user be asked? Not with --no-input, and not where standard input is no terminal. */
bool cli_may_ask(const struct cli *cli);
/* A line of standard input without its newline; false at its end. What is longer than size - 1
 * bytes is cut. */
bool cli_read_line(const struct cli *cli, char *line, size_t size);

/* Can the text be a connection's id? Ids come into paths and names of topics: only lower-case letters,
 * digits and dashes, at most CLI_CONNECTION_ID_MAX of them. */
bool cli_is_connection_id(const char *text);

/* ---- calls ---- */

/*
 * One call of a stage, awaited for --timeout plus 5 s, or for the setting `timeout`. token_file
 * NULL: without a token. As cli_http.call: any HTTP status is a success, and ret->body is to be
 * freed in any case.
 */
WH_MUST_CHECK enum wh_rc cli_call(struct cli *cli, const char *method, const char *base,
                                  struct wh_slice path, const char *token_file,
                                  struct wh_slice body, struct cli_answer *ret, struct wh_err *err);
/* As cli_call, for a request that says more: how long, who takes the body. base to token_file are set
 * in *request. */
WH_MUST_CHECK enum wh_rc cli_call_with(struct cli *cli, struct cli_request *request,
                                       struct cli_answer *ret, struct wh_err *err);
/* Says on stderr what went wrong while doing that, and what to try next; gives the exit code. */
int cli_fail(const struct cli *cli, const char *doing, const struct wh_err *err);
/* Says the "error" of a JSON answer, and with -v its status; gives the exit code. */
int cli_fail_answer(const struct cli *cli, const char *doing, const struct cli_answer *answer);

/* ---- Kafka ---- */

/* Says on stderr that it waits for Kafka when that does not answer soon, unless --quiet. Gives an
 * admin (wh_admin_free). */
WH_MUST_CHECK enum wh_rc cli_admin(struct cli *cli, struct wh_admin **ret, struct wh_err *err);
/* Publishes one record to a topic that all connections share, and waits until Kafka has acknowledged it.
 * value.ptr NULL: a tombstone. */
WH_MUST_CHECK enum wh_rc cli_produce(const struct cli *cli, enum wh_topic_role role,
                                     struct wh_slice key, struct wh_slice value,
                                     struct wh_err *err);
/* As cli_fail, for an error of Kafka. */
int cli_fail_kafka(const struct cli *cli, const char *doing, const struct wh_err *err);

#endif
