/*
 * options.h - what a command line may say: one table of options, which parsing, the check of what a
 * command accepts, and the help texts all read.
 *
 * Options are --name VALUE, --name=VALUE, or one letter (-q, -p VALUE); they may stand before,
 * between and behind the operands; "--" ends them. Names are never abbreviated: "--tok SECRET"
 * would otherwise be read as --token-file. No option takes a secret, only files that hold one, and
 * no message repeats a word of the command line that may be a secret typed by mistake: an unknown
 * option, a word too many, the name of a token file. Thread: app.
 */
#ifndef WH_CLI_OPTIONS_OPTIONS_H
#define WH_CLI_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/out/out.h"
#include "common/base/err.h"

/* Bits of the commands that accept an option. */
enum cli_command_bit {
    CLI_CONNECT = 1 << 0,
    CLI_STATUS = 1 << 1,
    CLI_SQL = 1 << 2,
    CLI_SHOW = 1 << 3,
    CLI_REPLAY = 1 << 4,
    CLI_DISCONNECT = 1 << 5,
    CLI_PURGE = 1 << 6,
    CLI_TOPICS = 1 << 7,
    CLI_DOCTOR = 1 << 8,
    CLI_ROTATE_KEY = 1 << 9,
    CLI_TABLES = 1 << 10,
    CLI_OPEN = 1 << 11,
    CLI_IMPORT = 1 << 12,
    CLI_MODEL = 1 << 13,
    CLI_IMPACT = 1 << 14,
    CLI_PEOPLE = 1 << 15,
    CLI_ASK = 1 << 16,
    CLI_TOKENS = 1 << 17,
    CLI_WATCH = 1 << 18,
    CLI_BACKUP = 1 << 19,
    CLI_RESTORE = 1 << 20,
    CLI_SEARCH = 1 << 21,
    CLI_MEASURES = 1 << 22,
    CLI_RULES = 1 << 23,
    CLI_EXPORT = 1 << 24,
    CLI_ALL = (1 << 25) - 1,
    /* Never suggested for a word that was mistyped. */
    CLI_RISKY_COMMANDS = CLI_DISCONNECT | CLI_PURGE | CLI_ROTATE_KEY | CLI_RESTORE,
};

enum cli_format { CLI_TEXT, CLI_JSON, CLI_NDJSON, CLI_CSV };

enum {
    CLI_PROJECTS_MAX = 64,
    CLI_PARAMS_MAX = 16,
    CLI_ARGS_MAX = 64,
    CLI_NOT_GIVEN = -1, /* a time or number */
};

/* All that a command line may say; each command reads what concerns it. Texts are argv's. */
struct cli_options {
    enum cli_format format;
    bool csv_safe;
    bool quiet;
    bool execute;
    bool dry_run;
    bool check;
    bool watch;
    bool dead_letters;
    const char *shadow;
    bool verify;
    bool confirm_deletes;
    bool oauth;
    bool new_client;
    bool new_secret;
    bool move;
    bool no_browser;
    bool help;
    bool version;
    bool no_color;
    bool no_input;
    bool no_pager;
    bool verbose;
    bool expanded;
    bool raw;
    bool history;
    bool follow;
    bool replace;
    bool keep_going;
    bool no_wait;
    const char *config; /* NULL: not given, as for the texts below */
    const char *token_file;
    const char *client_id;
    const char *client_secret_file;
    const char *from;
    const char *confirm;
    const char *to;
    const char *key;
    const char *as_of;
    const char *valid_at;
    const char *now;
    const char *zone;
    const char *choose;
    const char *conversation;
    const char *forget;
    bool list;
    bool conversations;
    const char *source;
    const char *kind;
    const char *why;
    const char *where;
    const char *since;
    const char *until;
    const char *by;
    const char *over;
    int64_t wait_ms;                        /* CLI_NOT_GIVEN */
    int64_t limit;                          /* CLI_NOT_GIVEN */
    int64_t revision;                       /* 0: not given */
    int64_t timeout_ms;                     /* 0: not given */
    const char *projects[CLI_PROJECTS_MAX]; /* numbers or paths */
    size_t n_projects;
    const char *param_names[CLI_PARAMS_MAX]; /* NAME of NAME=VALUE: not NUL-terminated */
    size_t param_name_lens[CLI_PARAMS_MAX];
    const char *param_values[CLI_PARAMS_MAX];
    size_t n_params;
    const char *args[CLI_ARGS_MAX]; /* the command, then its operands */
    size_t n_args;
    uint64_t given; /* bit i: option i of the table */
};

/* How a value is read. */
enum cli_option_kind {
    CLI_OPTION_FLAG,    /* bool, no value */
    CLI_OPTION_FORMAT,  /* enum cli_format, no value */
    CLI_OPTION_CSV,     /* enum cli_format; =safe may follow */
    CLI_OPTION_TEXT,    /* const char * */
    CLI_OPTION_NUMBER,  /* int64_t, not negative */
    CLI_OPTION_TIME,    /* int64_t, milliseconds */
    CLI_OPTION_INSTANT, /* const char *, a date or time as wh_time_parse reads it */
    CLI_OPTION_PROJECT, /* adds to projects */
    CLI_OPTION_PARAM,   /* adds to param_names and param_values */
};

enum cli_option_rank {
    CLI_OWN,    /* of a command */
    CLI_COMMON, /* of the program: left out of usage lines */
    CLI_RISKY,  /* of a command, and never suggested for a word that was mistyped */
};

struct cli_option {
    const char *name;
    char letter;       /* 0: none */
    bool repeats;      /* may be given several times */
    const char *value; /* what stands for it in the help: "FILE"; NULL: takes none */
    enum cli_option_kind kind;
    enum cli_format format; /* CLI_OPTION_FORMAT and CLI_OPTION_CSV */
    size_t offset;          /* of the member of struct cli_options */
    unsigned commands;      /* bits of those that accept it */
    enum cli_option_rank rank;
    const char *help;
};

/* The table, in the order in which help shows it. */
const struct cli_option *cli_option_table(size_t *ret_n);

struct cli;
struct cli_command {
    const char *name;
    enum cli_command_bit bit;
    const char *summary;
    const char *operand; /* "URL"; NULL: none */
    size_t operands;     /* how many words may follow the name */
    const char *examples;
    int (*run)(struct cli *cli);
};

/* Fills *ret. False after the reason was printed. */
WH_MUST_CHECK bool cli_options_parse(int argc, char *const *argv, const struct cli_out *out,
                                     struct cli_options *ret);
/* Does the command accept the options and operands that were given? False after the reason was
 * printed. */
WH_MUST_CHECK bool cli_options_check(const struct cli_command *command,
                                     const struct cli_options *opt, const struct cli_out *out);

/* A length of time as it is typed, "500ms", "5s", "10m": a bare number, which is milliseconds in a
 * configuration file, is refused here. */
WH_MUST_CHECK enum wh_rc cli_duration_ms(const char *text, int64_t *ret_ms, struct wh_err *err);
/* Does an address carry a user name or a password ("https://user:secret@host")? */
bool cli_url_has_user(const char *url);

#endif
