#include "cli/options/completion.h"

#include <ctype.h>
#include <string.h>

/* Topics of `wellhead help` beside the commands. */
static const char topics[] = "settings exit-codes man";

/* ---- what both shells need ---- */

static bool accepts(const struct cli_option *o, const struct cli_command *command)
{
    return (o->commands & command->bit) != 0;
}

/* FILE, VIEW.json: what stands for it says that it is a path. */
static bool takes_file(const struct cli_option *o)
{
    return o->value && (strstr(o->value, "FILE") || strstr(o->value, ".json"));
}

static bool needs_value(const struct cli_option *o)
{
    return o->value && o->kind != CLI_OPTION_CSV;
}

/* The words of "[add FILE | remove ID]" that are typed as they stand: those in lower case. */
static enum wh_rc operand_words(const char *operand, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    for (const char *at = operand ? operand : ""; *at && rc == WH_OK;) {
        size_t n = strcspn(at, " []|.");
        bool typed = n > 0;

        for (size_t i = 0; i < n; i++) {
            typed = typed && (islower((unsigned char)at[i]) || at[i] == '-');
        }
        if (typed && !(n == 1 && at[0] == '-')) {
            rc = wh_buf_printf(out, err, " %.*s", (int)n, at);
        }
        at += n ? n : 1;
    }
    return rc;
}

/* ---- bash ---- */

static enum wh_rc bash_values(struct wh_buf *out, bool files, struct wh_err *err)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);
    enum wh_rc rc = WH_OK;
    bool any = false;

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        if (!needs_value(&table[i]) || takes_file(&table[i]) != files) {
            continue;
        }
        rc = wh_buf_printf(out, err, "%s--%s", any ? "|" : "    ", table[i].name);
        if (rc == WH_OK && table[i].letter) {
            rc = wh_buf_printf(out, err, "|-%c", table[i].letter);
        }
        any = true;
    }
    return rc;
}

static enum wh_rc bash_command(const struct cli_command *command, struct wh_buf *out,
                               struct wh_err *err)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);
    enum wh_rc rc = wh_buf_printf(out, err, "    %s)\n        options=\"", command->name);
    const char *space = "";

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        if (accepts(&table[i], command)) {
            rc = wh_buf_printf(out, err, "%s--%s", space, table[i].name);
            space = " ";
        }
    }
    if (rc != WH_OK || wh_buf_append(out, WH_LIT("\"\n        words=\""), err) != WH_OK ||
        operand_words(command->operand, out, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, WH_LIT("\"\n        ;;\n"), err);
}

static enum wh_rc names(const struct cli_command *commands, size_t n, struct wh_buf *out,
                        struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = wh_buf_printf(out, err, "%s ", commands[i].name);
    }
    return rc;
}

enum wh_rc cli_completion_bash(const struct cli_command *commands, size_t n, struct wh_buf *out,
                               struct wh_err *err)
{
    static const char head[] =
        "# bash completion for wellhead; made by `wellhead completion bash`.\n"
        "_wellhead() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} command= options= words= i\n"
        "    case ${COMP_WORDS[COMP_CWORD-1]} in\n";
    static const char values[] = ")\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                                 "        return ;;\n";
    static const char find[] =
        ")\n        COMPREPLY=()\n        return ;;\n    esac\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        if [[ ${COMP_WORDS[i]} != -* ]]; then command=${COMP_WORDS[i]}; break; fi\n"
        "    done\n"
        "    case $command in\n"
        "    '')\n        words=\"help completion ";
    static const char tail[] = "    esac\n"
                               "    if [[ $cur == -* ]]; then words=$options; fi\n"
                               "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                               "}\n"
                               "complete -o default -F _wellhead wellhead\n";
    enum wh_rc rc = wh_buf_append(out, wh_slice_str(head), err);

    rc = rc == WH_OK ? bash_values(out, true, err) : rc;
    rc = rc == WH_OK ? wh_buf_append(out, wh_slice_str(values), err) : rc;
    rc = rc == WH_OK ? bash_values(out, false, err) : rc;
    rc = rc == WH_OK ? wh_buf_append(out, wh_slice_str(find), err) : rc;
    rc = rc == WH_OK ? names(commands, n, out, err) : rc;
    rc = rc == WH_OK ? wh_buf_append(out,
                                     WH_LIT("\"\n        options=\"--help --version\"\n        ;;\n"
                                            "    completion)\n        words=\"bash zsh\"\n        "
                                            ";;\n    help)\n        words=\""),
                                     err)
                     : rc;
    rc = rc == WH_OK ? names(commands, n, out, err) : rc;
    rc = rc == WH_OK ? wh_buf_printf(out, err, "%s\"\n        ;;\n", topics) : rc;
    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = bash_command(&commands[i], out, err);
    }
    return rc == WH_OK ? wh_buf_append(out, wh_slice_str(tail), err) : rc;
}

/* ---- zsh ---- */

/* In single quotes, and in a description of _arguments. */
static enum wh_rc zsh_text(const char *text, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    for (; *text && rc == WH_OK; text++) {
        if (*text == '\'') {
            rc = wh_buf_append(out, WH_LIT("'\\''"), err);
        } else if (strchr("[]:\\", *text)) {
            rc = wh_buf_printf(out, err, "\\%c", *text);
        } else {
            rc = wh_buf_append_char(out, *text, err);
        }
    }
    return rc;
}

static enum wh_rc zsh_option(const struct cli_option *o, struct wh_buf *out, struct wh_err *err)
{
    const char *star = o->repeats ? "*" : "";
    enum wh_rc rc =
        o->letter
            ? wh_buf_printf(out, err, "            '%s-%c[same as --%s]%s%s' \\\n", star, o->letter,
                            o->name, needs_value(o) ? ":" : "", needs_value(o) ? "value" : "")
            : WH_OK;

    rc = rc == WH_OK ? wh_buf_printf(out, err, "            '%s--%s%s[", star, o->name,
                                     needs_value(o) ? "=" : "")
                     : rc;
    rc = rc == WH_OK ? zsh_text(o->help, out, err) : rc;
    rc = rc == WH_OK ? wh_buf_append_char(out, ']', err) : rc;
    if (rc == WH_OK && needs_value(o)) {
        rc = wh_buf_append_char(out, ':', err);
        rc = rc == WH_OK ? zsh_text(o->value, out, err) : rc;
        rc = rc == WH_OK ? wh_buf_append(out, takes_file(o) ? WH_LIT(":_files") : WH_LIT(":"), err)
                         : rc;
    }
    return rc == WH_OK ? wh_buf_append(out, WH_LIT("' \\\n"), err) : rc;
}

static enum wh_rc zsh_command(const struct cli_command *command, struct wh_buf *out,
                              struct wh_err *err)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);
    size_t before;
    enum wh_rc rc = wh_buf_printf(out, err, "    %s)\n        _arguments \\\n", command->name);

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = accepts(&table[i], command) ? zsh_option(&table[i], out, err) : rc;
    }
    rc = rc == WH_OK ? wh_buf_append(out, WH_LIT("            '1: :("), err) : rc;
    before = out->len;
    rc = rc == WH_OK ? operand_words(command->operand, out, err) : rc;
    if (rc == WH_OK && out->len == before) {
        out->len -= strlen("            '1: :(");
        rc = wh_buf_append(out, WH_LIT("            '*: :_files'\n        ;;\n"), err);
    } else if (rc == WH_OK) {
        rc = wh_buf_append(out, WH_LIT(")' \\\n            '*: :_files'\n        ;;\n"), err);
    }
    return rc;
}

enum wh_rc cli_completion_zsh(const struct cli_command *commands, size_t n, struct wh_buf *out,
                              struct wh_err *err)
{
    static const char head[] = "#compdef wellhead\n"
                               "# zsh completion for wellhead; made by `wellhead completion zsh`.\n"
                               "_wellhead() {\n"
                               "    local -a commands\n"
                               "    commands=(\n";
    static const char middle[] = "        'help:explain a command'\n"
                                 "        'completion:print a script that completes these words'\n"
                                 "    )\n"
                                 "    if (( CURRENT == 2 )); then\n"
                                 "        _describe command commands\n"
                                 "        return\n"
                                 "    fi\n"
                                 "    shift words\n"
                                 "    (( CURRENT-- ))\n"
                                 "    case $words[1] in\n"
                                 "    completion)\n"
                                 "        _values shell bash zsh\n"
                                 "        ;;\n"
                                 "    help)\n"
                                 "        _values topic ";
    static const char tail[] = "    esac\n}\n_wellhead \"$@\"\n";
    enum wh_rc rc = wh_buf_append(out, wh_slice_str(head), err);

    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = wh_buf_printf(out, err, "        '%s:", commands[i].name);
        rc = rc == WH_OK ? zsh_text(commands[i].summary, out, err) : rc;
        rc = rc == WH_OK ? wh_buf_append(out, WH_LIT("'\n"), err) : rc;
    }
    rc = rc == WH_OK ? wh_buf_append(out, wh_slice_str(middle), err) : rc;
    rc = rc == WH_OK ? names(commands, n, out, err) : rc;
    rc = rc == WH_OK ? wh_buf_printf(out, err, "%s\n        ;;\n", topics) : rc;
    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = zsh_command(&commands[i], out, err);
    }
    return rc == WH_OK ? wh_buf_append(out, wh_slice_str(tail), err) : rc;
}
