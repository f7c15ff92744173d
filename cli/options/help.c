#include "cli/options/help.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE_COLUMNS = 90,
    WORD_MAX_BYTES = 96,
    INDENT = 7,
    NAME_COLUMNS = 28,
    HELP_COLUMN = NAME_COLUMNS + 3
};

static const char intro[] = "wellhead - GitLab as part of your own records\n\n"
                            "Examples:\n"
                            "  wellhead connect https://gitlab.example.com\n"
                            "  wellhead status\n"
                            "  wellhead sql \"select title, state from work_items limit 5\"\n\n"
                            "Commands:\n";
static const char closing[] =
    "\n`wellhead help COMMAND` explains a command. Settings come from --config FILE, from\n"
    "WELLHEAD_CONFIG or /etc/wellhead/wellhead.conf, and from WELLHEAD_* variables;\n"
    "`wellhead help settings` lists them, `wellhead help exit-codes` the exit codes. `wellhead\n"
    "help man` prints the manual, `wellhead completion bash` or zsh what a shell completes.\n";

enum wh_rc cli_help_program(const struct cli_command *commands, size_t n, struct wh_buf *out,
                            struct wh_err *err)
{
    enum wh_rc rc = wh_buf_append(out, wh_slice_str(intro), err);

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = wh_buf_printf(out, err, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    return rc == WH_OK ? wh_buf_append(out, wh_slice_str(closing), err) : rc;
}

/* "[--project PROJECT]...", "[-p NAME=VALUE]...", "[--csv[=safe]]" */
static void usage_word(const struct cli_option *o, char word[WORD_MAX_BYTES])
{
    char name[WORD_MAX_BYTES / 2];

    if (o->letter && o->value) {
        (void)snprintf(name, sizeof(name), "-%c", o->letter);
    } else {
        (void)snprintf(name, sizeof(name), "--%s", o->name);
    }
    if (o->value == NULL) {
        (void)snprintf(word, WORD_MAX_BYTES, "[%s]", name);
    } else if (o->kind == CLI_OPTION_CSV) {
        (void)snprintf(word, WORD_MAX_BYTES, "[%s[=%s]]", name, o->value);
    } else {
        (void)snprintf(word, WORD_MAX_BYTES, "[%s %s]%s", name, o->value, o->repeats ? "..." : "");
    }
}

enum wh_rc cli_help_usage(const struct cli_command *command, struct wh_buf *out, struct wh_err *err)
{
    size_t line_start = out->len;
    size_t n;
    const struct cli_option *table = cli_option_table(&n);
    enum wh_rc rc =
        wh_buf_printf(out, err, "Usage: wellhead %s%s%s", command->name,
                      command->operand ? " " : "", command->operand ? command->operand : "");

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        char word[WORD_MAX_BYTES];

        if (table[i].rank == CLI_COMMON || !(table[i].commands & command->bit)) {
            continue;
        }
        usage_word(&table[i], word);
        if (out->len - line_start + strlen(word) >= LINE_COLUMNS) {
            rc = wh_buf_printf(out, err, "\n%*s", INDENT - 1, "");
            line_start = out->len - INDENT;
        }
        rc = rc == WH_OK ? wh_buf_printf(out, err, " %s", word) : rc;
    }
    return rc == WH_OK ? wh_buf_append_char(out, '\n', err) : rc;
}

/* The words of a text, in lines that begin below each other. */
static enum wh_rc wrapped(const char *text, struct wh_buf *out, struct wh_err *err)
{
    size_t column = HELP_COLUMN;
    enum wh_rc rc = WH_OK;

    while (*text && rc == WH_OK) {
        size_t word = strcspn(text, " ");

        if (column > HELP_COLUMN && column + 1 + word > LINE_COLUMNS) {
            rc = wh_buf_printf(out, err, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            rc = wh_buf_append_char(out, ' ', err);
            column++;
        }
        rc = rc == WH_OK ? wh_buf_append(out, wh_slice(text, word), err) : rc;
        column += word;
        text += word + (text[word] == ' ');
    }
    return rc == WH_OK ? wh_buf_append_char(out, '\n', err) : rc;
}

static enum wh_rc option_line(const struct cli_option *o, struct wh_buf *out, struct wh_err *err)
{
    char name[WORD_MAX_BYTES];
    char letter[] = {'-', o->letter, ',', ' ', '\0'};

    (void)snprintf(name, sizeof(name), "%s--%s%s%s%s", o->letter ? letter : "", o->name,
                   o->kind == CLI_OPTION_CSV ? "[="
                   : o->value                ? " "
                                             : "",
                   o->value ? o->value : "", o->kind == CLI_OPTION_CSV ? "]" : "");
    if ((strlen(name) >= NAME_COLUMNS
             ? wh_buf_printf(out, err, "  %s\n%*s", name, HELP_COLUMN, "")
             : wh_buf_printf(out, err, "  %-*s ", NAME_COLUMNS, name)) != WH_OK) {
        return err->rc;
    }
    return wrapped(o->help, out, err);
}

enum wh_rc cli_help_command(const struct cli_command *command, struct wh_buf *out,
                            struct wh_err *err)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);
    enum wh_rc rc = wh_buf_printf(out, err, "wellhead %s - %s\n\nExamples:\n%s\n", command->name,
                                  command->summary, command->examples);

    if (rc != WH_OK || cli_help_usage(command, out, err) != WH_OK ||
        wh_buf_append(out, WH_LIT("\nOptions:\n"), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        if (table[i].commands & command->bit) {
            rc = option_line(&table[i], out, err);
        }
    }
    return rc;
}
