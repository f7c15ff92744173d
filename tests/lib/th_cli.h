/*
 * th_cli.h - the command line in a test's process: stages answer from a script, Kafka is in memory,
 * time passes only in pauses.
 *
 * The stages are "http://fetcher", "http://intake", "http://mapper" and "http://sink". A request
 * that no script answers fails as if nobody listened.
 */
#ifndef TH_CLI_H
#define TH_CLI_H

#include "cli/core/cli.h"
#include "tests/lib/bus_mem.h"

struct th_cli;

/* Fail the test when they cannot. */
struct th_cli *th_cli_new(void);
void th_cli_free(struct th_cli *t);

/*
 * Adds an answer for requests that begin so ("GET http://sink/api/v1/status"). Several for one
 * request are given one after the other; the last is given again and again. The longest match wins.
 */
void th_cli_answer(struct th_cli *t, const char *request, unsigned status, const char *body);
/* The same for a call that fails. */
void th_cli_refuse(struct th_cli *t, const char *request, enum wh_rc rc, const char *message);
/* "NAME=value" for the environment; borrowed. */
void th_cli_env(struct th_cli *t, const char *variable);
/* What stands in standard input, a pipe. */
void th_cli_input(struct th_cli *t, const char *text);
/* What is typed at a terminal, which standard input then is. */
void th_cli_type(struct th_cli *t, const char *text);

/* Runs `wellhead words...`, words separated by single spaces; gives the exit code. Output and requests of
 * an earlier run are forgotten. */
int th_cli_run(struct th_cli *t, const char *words);
/* The same with words as they are; a NULL ends them. */
int th_cli_run_words(struct th_cli *t, const char *const *words);
const char *th_cli_stdout(struct th_cli *t);
const char *th_cli_stderr(struct th_cli *t);

/* Requests of the last run, each as "METHOD base/path body"; "" past the last. */
const char *th_cli_request(const struct th_cli *t, size_t index);
size_t th_cli_requests(const struct th_cli *t);
/* The last request that begins so; "" when there was none. */
const char *th_cli_last(const struct th_cli *t, const char *begin);

/* Kafka; topics are the test's to make. */
struct wh_bus_mem *th_cli_bus(struct th_cli *t);
/* How long the last run paused. */
int64_t th_cli_paused_ms(const struct th_cli *t);
/* Begins at 2026-11-30T00:00:00Z. */
int64_t th_cli_now_ms(const struct th_cli *t);

/* The user presses Ctrl-C during that pause of the next run: 1 is the first. */
void th_cli_interrupt(struct th_cli *t, unsigned pause);

/* Both streams say that they are terminals of 100 columns; there is no pager. */
void th_cli_on_terminal(struct th_cli *t);

#endif
