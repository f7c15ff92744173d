/*
 * out.h - the only way from the command line to stdout and stderr.
 *
 * Data go to stdout, messages to stderr. No other file of cli/ prints (scripts/lint/check-banned
 * holds that), so that no command can send text from GitLab or from a stage to a terminal raw:
 * every argument of cli_say and cli_note and every cell of a table is escaped (escape.h) and stays
 * on one line, whatever it holds; only the format itself, a literal, breaks lines. Whole answers
 * (JSON, CSV) are data: byte for byte when stdout is a file or a pipe, escaped when it is a
 * terminal.
 *
 * Thread: app.
 */
#ifndef WH_CLI_OUT_OUT_H
#define WH_CLI_OUT_OUT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/base/buf.h"

struct cli_out {
    FILE *data;
    FILE *messages;
    bool data_terminal;
    bool messages_terminal;
    bool colour; /* headings are bold */
    /* Columns of the terminal that data go to; 0: no terminal, and nothing is cut. */
    unsigned columns;
    pid_t pager;   /* data go through it; 0: none */
    bool lost;     /* the pager could not be run, and took data with it */
    FILE *unpaged; /* data without it */
};

/* Keeps both streams; finds out which of them are terminals, and how wide. */
void cli_out_init(struct cli_out *out, FILE *data, FILE *messages);

/*
 * Formats and prints. Conversions: %d %u %c with l, ll, z; %s with '-', a width and a precision,
 * both of which may be '*' and count columns (the precision is in bytes, as it bounds what is
 * read).
 */
void cli_say(const struct cli_out *out, const char *format, ...) WH_PRINTF(2, 3);  /* stdout */
void cli_note(const struct cli_out *out, const char *format, ...) WH_PRINTF(2, 3); /* stderr */

/* Prints a whole answer and a newline unless it ends in one. False when stdout cannot be written.
 */
WH_MUST_CHECK bool cli_data(const struct cli_out *out, struct wh_slice bytes);
/* Prints a part of an answer: whole characters, no newline of its own. */
WH_MUST_CHECK bool cli_data_part(const struct cli_out *out, struct wh_slice bytes);
/* Prints text of our own, such as help, to stderr. */
void cli_note_text(const struct cli_out *out, const char *text);

/* Clears the terminal that data go to, so that what follows takes the place of what is there. */
void cli_clear(const struct cli_out *out);
/* Replaces the terminal's last line by this one; says nothing when stderr is no terminal. */
void cli_progress(const struct cli_out *out, const char *format, ...) WH_PRINTF(2, 3);
/* Takes that line away. */
void cli_progress_end(const struct cli_out *out);

/*
 * Sends data through a pager from here on when they go to a terminal. command: for the shell, as in
 * $PAGER; NULL: less, where it is installed; "" and "cat": none. A pager that cannot be started is a
 * message, and data are printed without one.
 */
void cli_page(struct cli_out *out, const char *command);
/* Waits until the user has left the pager; data go to stdout again. Before any message. */
void cli_page_end(struct cli_out *out);

/* False when something that was printed did not reach stdout. */
WH_MUST_CHECK bool cli_out_flush(const struct cli_out *out);

#endif
