/*
 * cli.h - what the commands of `wellhead` share: settings, options, HTTP calls, output.
 *
 * Data go to stdout, messages to stderr. Exit codes (also `wellhead help exit-codes`): enum below,
 * and 130 from a shell whose user interrupted.
 */
#ifndef WH_CLI_CLI_H
#define WH_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/err.h"
#include "common/bus/bus.h"
#include "common/conf/conf.h"
#include "common/json/json_doc.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOTHING = 3,
    CLI_SIGN_IN = 4,
    CLI_NOT_HEALTHY = 10,
    CLI_TRY_LATER = 75,
    CLI_TIMED_OUT = 124,
};

/* From file and environment. */
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
    int64_t timeout_ms;
    int64_t partitions;
    int64_t replication;
};

enum cli_format { CLI_TEXT, CLI_JSON, CLI_NDJSON, CLI_CSV };

enum { CLI_PROJECTS_MAX = 64, CLI_PARAMS_MAX = 16, CLI_ARGS_MAX = 8 };

/* All that a command line may say; each command reads what concerns it. */
struct cli_options {
    enum cli_format format;
    bool quiet;
    bool execute;
    bool yes;
    bool check;
    bool dead_letters;
    bool verify;
    bool confirm_deletes;
    const char *token_file;
    bool oauth;
    bool new_client;
    bool new_secret;
    bool move;
    bool no_browser;
    const char *client_id;
    const char *client_secret_file;
    int64_t projects[CLI_PROJECTS_MAX];
    size_t n_projects;
    const char *from;
    bool wait;
    int64_t wait_ms;
    int64_t limit;
    int64_t timeout_ms;
    const char *param_names[CLI_PARAMS_MAX];
    const char *param_values[CLI_PARAMS_MAX];
    size_t n_params;
    const char *args[CLI_ARGS_MAX];
    size_t n_args;
};

struct cli {
    struct cli_conf conf;
    struct cli_options opt;
    bool colour; /* stdout is a terminal and NO_COLOR is not set */
};

struct cli_command {
    const char *name;
    const char *summary;
    const char *usage;    /* "wellhead sql QUERY [--limit N]" */
    const char *examples; /* lines */
    int (*run)(struct cli *cli);
    size_t operands; /* what may stand behind the name, options apart */
};

int cli_connect(struct cli *cli);
int cli_status(struct cli *cli);
int cli_sql(struct cli *cli);
int cli_show(struct cli *cli);
int cli_replay(struct cli *cli);
int cli_topics(struct cli *cli);
int cli_doctor(struct cli *cli);
int cli_disconnect(struct cli *cli);
int cli_purge(struct cli *cli);

/* ---- http.c ---- */

struct cli_answer {
    unsigned status;
    struct wh_buf body;
};

/*
 * One call, awaited. token_file NULL: none. WH_E_NET when nobody answers, with the address.
 * ret->body is initialised here and freed by the caller with wh_buf_done.
 */
WH_MUST_CHECK enum wh_rc cli_http(struct cli *cli, const char *method, const char *base,
                                  struct wh_slice path, const char *token_file,
                                  struct wh_slice body, struct cli_answer *ret, struct wh_err *err);
/* Says on stderr what went wrong; gives the exit code that fits. */
int cli_fail(const struct cli *cli, const char *doing, const struct wh_err *err);
/* The "error" text of a JSON answer, or the status. Gives the exit code that fits. */
int cli_fail_answer(const struct cli *cli, const char *doing, const struct cli_answer *answer);

/* ---- out.c ---- */

/* A table of text cells, widths found at the end. */
struct cli_table {
    struct wh_buf cells; /* NUL-separated */
    size_t columns;
    size_t n_cells;
};
void cli_table_init(struct cli_table *t, size_t columns);
void cli_table_cell(struct cli_table *t, struct wh_slice text);
void cli_table_str(struct cli_table *t, const char *text);
void cli_table_int(struct cli_table *t, int64_t value);
/* The first row is the heading. */
void cli_table_print(const struct cli *cli, struct cli_table *t, FILE *out);
void cli_table_done(struct cli_table *t);
/* Bytes as they are, with a newline at the end; false when stdout is gone. */
bool cli_print(struct wh_slice text);
/* A JSON value as one line of text. */
void cli_value_text(struct wh_json_val v, struct wh_buf *out);
/* Field of an object as text; "" when absent. */
struct wh_slice cli_get_str(struct wh_json_val object, const char *key);
double cli_get_num(struct wh_json_val object, const char *key, double otherwise);
/* Seconds as people say them: "1.2 ms", "3 s". */
const char *cli_seconds(double seconds, char text[32]);
/* What was typed: a bare number, milliseconds in a configuration, is refused here. */
WH_MUST_CHECK enum wh_rc cli_duration_ms(const char *text, int64_t *ret_ms, struct wh_err *err);

/* ---- topics shared by topics, doctor and replay ---- */
/* Says on stderr that Kafka is waited for when it does not answer soon, unless --quiet. */
WH_MUST_CHECK enum wh_rc cli_admin(struct cli *cli, struct wh_admin **ret, struct wh_err *err);
/* As cli_fail, for what Kafka was asked. */
int cli_fail_kafka(const struct cli *cli, const char *doing, const struct wh_err *err);

#endif
