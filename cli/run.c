#include "cli/run.h"

#include <string.h>

#include "cli/commands/commands.h"
#include "cli/core/settings.h"
#include "cli/options/completion.h"
#include "cli/options/help.h"
#include "common/base/build_version.h"
#include "common/base/nearest.h"
#include "common/base/num.h"

enum { HELP_MAX_BYTES = 1 << 16, MANUAL_MAX_BYTES = 1 << 20 };

static const char exit_codes[] =
    "0 done; 1 failed; 2 wrong use; 3 nothing matches; 4 sign-in needed;\n"
    "5 ambiguous; 6 the output was cut at a limit; 10 not healthy; 75 try again later;\n"
    "124 timed out; 130 interrupted\n";

static const struct cli_command *find_command(const char *name)
{
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* The word is not repeated: it may be a secret that slipped to the front. */
static int refuse_command(const struct cli *cli, const char *name)
{
    const struct cli_command *meant;
    struct wh_nearest near;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    wh_nearest_init(&near, wh_slice_str(name));
    for (size_t i = 0; i < n; i++) {
        wh_nearest_offer(&near, commands[i].name);
    }
    meant = wh_nearest_name(&near) ? find_command(wh_nearest_name(&near)) : NULL;
    if (meant && !(meant->bit & CLI_RISKY_COMMANDS)) {
        cli_note(&cli->out, "wellhead: there is no such command; did you mean `wellhead %s`?\n",
                 meant->name);
    } else {
        cli_note(&cli->out, "wellhead: there is no such command; see `wellhead help`\n");
    }
    return CLI_USAGE;
}

/* The value of a variable; NULL when it is not set. */
static const char *variable(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; *env; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') {
            return *env + len + 1;
        }
    }
    return NULL;
}

/* ---- help ---- */

/* The program's help, or a command's. */
static int print_help(const struct cli *cli, const struct cli_command *command)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    wh_buf_init(&text, HELP_MAX_BYTES);
    if ((command ? cli_help_command(command, &text, &err)
                 : cli_help_program(commands, n, &text, &err)) != WH_OK) {
        return cli_fail(cli, "help", &err);
    }
    return cli_data(&cli->out, wh_buf_slice(&text)) ? CLI_OK : CLI_FAILED;
}

static int print_settings(const struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, HELP_MAX_BYTES);
    if (cli_settings_help(&text, &err) != WH_OK) {
        return cli_fail(cli, "help", &err);
    }
    return cli_data(&cli->out, wh_buf_slice(&text)) ? CLI_OK : CLI_FAILED;
}

static int print_manual(const struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf settings;
    WH_AUTO(buf) struct wh_buf text;
    struct cli_manual texts = {.version = wh_build_version(), .exit_codes = exit_codes};
    struct wh_err err;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    wh_buf_init(&settings, HELP_MAX_BYTES);
    wh_buf_init(&text, MANUAL_MAX_BYTES);
    if (cli_settings_help(&settings, &err) != WH_OK) {
        return cli_fail(cli, "help", &err);
    }
    texts.settings = wh_buf_slice(&settings);
    if (cli_manual_page(commands, n, &texts, &text, &err) != WH_OK) {
        return cli_fail(cli, "help", &err);
    }
    return cli_data(&cli->out, wh_buf_slice(&text)) ? CLI_OK : CLI_FAILED;
}

static int print_completion(const struct cli *cli, const char *shell)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);
    bool zsh = shell && strcmp(shell, "zsh") == 0;

    wh_buf_init(&text, MANUAL_MAX_BYTES);
    if (!zsh && (shell == NULL || strcmp(shell, "bash") != 0)) {
        cli_note(&cli->out, "wellhead: it is `wellhead completion bash` or `wellhead completion "
                            "zsh`; `make install` puts both into place\n");
        return CLI_USAGE;
    }
    if ((zsh ? cli_completion_zsh(commands, n, &text, &err)
             : cli_completion_bash(commands, n, &text, &err)) != WH_OK) {
        return cli_fail(cli, "completion", &err);
    }
    return cli_data(&cli->out, wh_buf_slice(&text)) ? CLI_OK : CLI_FAILED;
}

static int help_on(const struct cli *cli, const char *topic)
{
    const struct cli_command *command = topic ? find_command(topic) : NULL;

    if (topic == NULL || command) {
        return print_help(cli, command);
    }
    if (strcmp(topic, "exit-codes") == 0) {
        return cli_data(&cli->out, wh_slice_str(exit_codes)) ? CLI_OK : CLI_FAILED;
    }
    if (strcmp(topic, "settings") == 0) {
        return print_settings(cli);
    }
    if (strcmp(topic, "man") == 0) {
        return print_manual(cli);
    }
    cli_note(&cli->out, "wellhead: there is no help on that; `wellhead help` lists the commands\n");
    return CLI_USAGE;
}

/* To stderr, as the command line was wrong. */
static int print_usage(const struct cli *cli, const struct cli_command *command)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    wh_buf_init(&text, HELP_MAX_BYTES);
    if ((command ? cli_help_usage(command, &text, &err)
                 : cli_help_program(commands, n, &text, &err)) == WH_OK) {
        cli_note_text(&cli->out, wh_buf_str(&text));
    }
    return CLI_USAGE;
}

/* ---- the command ---- */

static int run_command(struct cli *cli, const struct cli_command *command, char *const *env)
{
    const char *config = cli->opt.config ? cli->opt.config : variable(env, "WELLHEAD_CONFIG");
    struct wh_err err;
    int code;

    if (cli_settings_load(config, env, &cli->conf, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: %s\n", err.msg);
        return CLI_USAGE;
    }
    if (!cli_options_check(command, &cli->opt, &cli->out)) {
        return print_usage(cli, command);
    }
    code = command->run(cli);
    return code == CLI_USAGE ? print_usage(cli, command) : code;
}

static int dispatch(struct cli *cli, char *const *env)
{
    const char *name = cli->opt.n_args ? cli->opt.args[0] : NULL;
    const struct cli_command *command = name ? find_command(name) : NULL;

    if (cli->opt.version) {
        cli_say(&cli->out, "wellhead %s\n", wh_build_version());
        return CLI_OK;
    }
    if (name && strcmp(name, "help") == 0) {
        return help_on(cli, cli->opt.n_args > 1 ? cli->opt.args[1] : NULL);
    }
    if (name && strcmp(name, "completion") == 0) {
        return print_completion(cli, cli->opt.n_args > 1 ? cli->opt.args[1] : NULL);
    }
    if (cli->opt.help) {
        return print_help(cli, command);
    }
    if (name == NULL) {
        return print_usage(cli, NULL);
    }
    if (command == NULL) {
        return refuse_command(cli, name);
    }
    return run_command(cli, command, env);
}

/* What the environment says about the terminal. */
static void look_at_terminal(struct cli *cli, char *const *env)
{
    const char *term = variable(env, "TERM");
    const char *columns = variable(env, "COLUMNS");
    bool dumb = term && strcmp(term, "dumb") == 0;
    struct wh_err err;
    int64_t n;

    if (cli->out.data_terminal && columns && wh_num_i64(wh_slice_str(columns), &n, &err) == WH_OK &&
        n > 0 && n <= UINT16_MAX) {
        cli->out.columns = (unsigned)n;
    }
    cli->pager = dumb ? "" : variable(env, "PAGER");
    cli->out.colour =
        cli->out.data_terminal && !dumb && !cli->opt.no_color && variable(env, "NO_COLOR") == NULL;
}

int cli_run(struct cli *cli, int argc, char *const *argv, char *const *env)
{
    int code;

    if (!cli_options_parse(argc, argv, &cli->out, &cli->opt)) {
        cli_note(&cli->out, "See `wellhead help`.\n");
        return CLI_USAGE;
    }
    look_at_terminal(cli, env);
    code = dispatch(cli, env);
    cli_page_end(&cli->out);
    cli_settings_release(&cli->conf);
    if (!cli_out_flush(&cli->out) && code == CLI_OK) {
        code = CLI_FAILED;
    }
    return code;
}
