/* wellhead - the command line: settings, options, and the choice of the command. */
#include <ctype.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/base/build_version.h"
#include "common/base/num.h"
#include "common/run/run.h"

#define KEY(name_, type_, member_, value_, help_)                                                  \
    {                                                                                              \
        .name = (name_), .type = (type_), .value = (value_),                                       \
        .offset = offsetof(struct cli_conf, member_), .help = (help_)                              \
    }

static const struct wh_conf_key conf_keys[] = {
    KEY("kafka.bootstrap.servers", WH_CONF_STRING, bootstrap, "127.0.0.1:9092", "Kafka brokers"),
    KEY("topic.prefix", WH_CONF_STRING, topic_prefix, "wellhead.", "start of all topic names"),
    KEY("fetcher.url", WH_CONF_STRING, fetcher_url, "http://127.0.0.1:8701", "the fetcher"),
    KEY("intake.url", WH_CONF_STRING, intake_url, "http://127.0.0.1:8702", "webhook-intake"),
    KEY("mapper.url", WH_CONF_STRING, mapper_url, "http://127.0.0.1:8703", "the mapper"),
    KEY("sink.url", WH_CONF_STRING, sink_url, "http://127.0.0.1:8704", "the sink"),
    KEY("fetcher.token_file", WH_CONF_STRING, fetcher_token_file, "",
        "the fetcher's control token"),
    KEY("sink.token_file", WH_CONF_STRING, sink_token_file, "", "the sink's API token"),
    KEY("mapper.program", WH_CONF_STRING, mapper_program, "wellhead-mapper", "run by replay"),
    KEY("timeout", WH_CONF_DURATION, timeout_ms, "30s", "of one call"),
    KEY("topics.partitions", WH_CONF_INT, partitions, "4", "of new topics"),
    KEY("topics.replication", WH_CONF_INT, replication, "1", "of new topics"),
};

static const struct wh_conf_program conf_program = {
    .name = "wellhead",
    .purpose = "command line",
    .keys = conf_keys,
    .n_keys = sizeof(conf_keys) / sizeof(conf_keys[0]),
    .pairs_offset = offsetof(struct cli_conf, kafka),
    .check_pairs = wh_bus_kafka_check,
    .default_file = "/etc/wellhead/wellhead.conf",
};

static const struct cli_command commands[] = {
    {"connect", "link a GitLab: you approve in the browser, or give a token, or both",
     "wellhead connect URL [--token-file FILE [--oauth]] [--client-id ID [--client-secret-file "
     "FILE]]\n"
     "       [--project NUMBER]... [--no-browser] [--new-client] [--new-secret] [--move]\n"
     "       [--json] [--quiet]",
     "  wellhead connect https://gitlab.example.com\n"
     "  wellhead connect https://gitlab.example.com --token-file ~/gitlab.token\n"
     "  wellhead connect https://gitlab.example.com --no-browser    # paste the redirect\n"
     "  wellhead connect https://gitlab.example.com --new-client    # GitLab lost the "
     "application\n"
     "  wellhead connect https://gitlab.example.com --new-secret    # the webhook's secret is "
     "lost\n"
     "  wellhead connect https://gitlab.example.com --move          # from http://, same host\n",
     cli_connect, 1},
    {"status", "what runs, how far each stream is, how fresh the rows are",
     "wellhead status [--json] [--quiet] [--check] [--wait TIME] [--verify] [--confirm-deletes]",
     "  wellhead status\n"
     "  wellhead status --check            # exit code 10 when something is not healthy\n"
     "  wellhead status --wait 10m         # until the first sync is done\n"
     "  wellhead status --verify           # every number looked for and counted; 10: incomplete\n"
     "  wellhead status --confirm-deletes  # lets deletions go that are held as too many\n",
     cli_status, 0},
    {"sql", "ask the store in SQL, read-only",
     "wellhead sql QUERY|- [-p NAME=VALUE]... [--json|--ndjson|--csv] [--limit N] [--timeout TIME]",
     "  wellhead sql \"select title, state from merge_requests order by updated_at desc limit 5\"\n"
     "  wellhead sql --csv \"select * from incidents where severity = :s\" -p s=critical\n"
     "  echo \"select count(*) from jobs\" | wellhead sql -\n",
     cli_sql, CLI_ARGS_MAX},
    {"show", "one entity: fields with the revision that set each, revisions, links",
     "wellhead show ID|URL [--json]",
     "  wellhead show https://gitlab.example.com/group/project/-/issues/7\n"
     "  wellhead show 6f1ed002-ab12-5a7b-9c3d-0123456789ab --json\n",
     cli_show, 1},
    {"replay", "map raw events again (plan first; --execute does it); also dead letters",
     "wellhead replay CONNECTION [--from start|OFFSET|@TIME|-AGE] [--dead-letters] [--execute] "
     "[--json]",
     "  wellhead replay gitlab-example-com --from start\n"
     "  wellhead replay gitlab-example-com --from -2h --execute\n"
     "  wellhead replay gitlab-example-com --from @2026-11-24T00:00:00Z --execute\n"
     "  wellhead replay gitlab-example-com --dead-letters --from start --execute\n",
     cli_replay, 1},
    {"disconnect", "stop reading, revoke the approval at GitLab and prove it; rows stay",
     "wellhead disconnect CONNECTION [--json] [--timeout TIME]",
     "  wellhead disconnect gitlab-example-com\n", cli_disconnect, 1},
    {"purge", "disconnect, then remove every row of a connection, and search for what is left",
     "wellhead purge CONNECTION [--yes] [--json] [--quiet] [--timeout TIME]",
     "  wellhead purge gitlab-example-com\n"
     "  wellhead purge gitlab-example-com --yes --json\n",
     cli_purge, 1},
    {"topics", "make and check the topics that all stages share",
     "wellhead topics [--check] [--json] [--quiet]",
     "  wellhead topics\n  wellhead topics --check\n  wellhead topics --json\n", cli_topics, 0},
    {"doctor", "check every part and say what to do about what fails", "wellhead doctor [--json]",
     "  wellhead doctor\n", cli_doctor, 0},
};

enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]), OPTION_MAX = 32 };

static const char exit_codes[] =
    "0 done; 1 failed; 2 wrong use; 3 nothing matches; 4 sign-in needed;\n"
    "10 not healthy; 75 try again later; 124 timed out; 130 interrupted\n";

static void print_help(FILE *out)
{
    (void)fprintf(out,
                  "wellhead - GitLab as part of your own records\n\nExamples:\n"
                  "  wellhead connect https://gitlab.example.com\n"
                  "  wellhead status\n"
                  "  wellhead sql \"select title, state from work_items limit 5\"\n\nCommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fprintf(
        out, "\n`wellhead help COMMAND` explains one. Settings come from --config FILE, from\n"
             "WELLHEAD_CONFIG or /etc/wellhead/wellhead.conf, and from WELLHEAD_* variables;\n"
             "`wellhead help settings` lists them, `wellhead help exit-codes` the exit codes.\n");
}

static void print_command_help(const struct cli_command *command, FILE *out)
{
    (void)fprintf(out, "wellhead %s - %s\n\nExamples:\n%s\nUsage: %s\n", command->name,
                  command->summary, command->examples, command->usage);
}

static void print_settings(FILE *out)
{
    for (size_t i = 0; i < conf_program.n_keys; i++) {
        (void)fprintf(out, "  %-26s %s [%s]\n", conf_keys[i].name, conf_keys[i].help,
                      conf_keys[i].value);
    }
    (void)fprintf(out, "  %-26s any property of librdkafka\n", "kafka.<property>");
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* Letters in common at the same place: enough to find "stauts" and "stat". */
static const char *nearest_command(const char *name)
{
    const char *best = commands[0].name;
    int best_score = -1000;

    for (size_t i = 0; i < N_COMMANDS; i++) {
        const char *candidate = commands[i].name;
        int score = 0;

        for (size_t k = 0; name[k]; k++) {
            score += strchr(candidate, name[k]) ? 2 : -1;
            score += k < strlen(candidate) && candidate[k] == name[k] ? 3 : 0;
        }
        score -= abs((int)strlen(candidate) - (int)strlen(name));
        if (score > best_score) {
            best_score = score;
            best = candidate;
        }
    }
    return best;
}

enum option_code {
    OPT_JSON = 1000,
    OPT_NDJSON,
    OPT_CSV,
    OPT_LIMIT,
    OPT_TIMEOUT,
    OPT_TOKEN_FILE,
    OPT_OAUTH,
    OPT_NEW_CLIENT,
    OPT_NEW_SECRET,
    OPT_MOVE,
    OPT_NO_BROWSER,
    OPT_CLIENT_ID,
    OPT_CLIENT_SECRET_FILE,
    OPT_PROJECT,
    OPT_FROM,
    OPT_EXECUTE,
    OPT_YES,
    OPT_CHECK,
    OPT_VERIFY,
    OPT_CONFIRM_DELETES,
    OPT_WAIT,
    OPT_DEAD_LETTERS,
    OPT_CONFIG,
    OPT_VERSION,
    OPT_NO_COLOR,
};

static const struct option long_options[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"ndjson", no_argument, NULL, OPT_NDJSON},
    {"csv", no_argument, NULL, OPT_CSV},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"param", required_argument, NULL, 'p'},
    {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
    {"oauth", no_argument, NULL, OPT_OAUTH},
    {"new-client", no_argument, NULL, OPT_NEW_CLIENT},
    {"new-secret", no_argument, NULL, OPT_NEW_SECRET},
    {"move", no_argument, NULL, OPT_MOVE},
    {"no-browser", no_argument, NULL, OPT_NO_BROWSER},
    {"client-id", required_argument, NULL, OPT_CLIENT_ID},
    {"client-secret-file", required_argument, NULL, OPT_CLIENT_SECRET_FILE},
    {"project", required_argument, NULL, OPT_PROJECT},
    {"from", required_argument, NULL, OPT_FROM},
    {"execute", no_argument, NULL, OPT_EXECUTE},
    {"yes", no_argument, NULL, OPT_YES},
    {"check", no_argument, NULL, OPT_CHECK},
    {"verify", no_argument, NULL, OPT_VERIFY},
    {"confirm-deletes", no_argument, NULL, OPT_CONFIRM_DELETES},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"dead-letters", no_argument, NULL, OPT_DEAD_LETTERS},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"quiet", no_argument, NULL, 'q'},
    {"no-color", no_argument, NULL, OPT_NO_COLOR},
    {NULL, 0, NULL, 0},
};

enum { N_OPTIONS = sizeof(long_options) / sizeof(long_options[0]) - 1 };

/* What is found beside the command's own options. */
struct globals {
    const char *config;
    bool help;
    bool version;
    bool no_color;
    bool given[N_OPTIONS]; /* which of long_options */
};

static bool add_param(struct cli_options *opt, char *text)
{
    char *equals = strchr(text, '=');

    if (equals == NULL || equals == text || opt->n_params == CLI_PARAMS_MAX) {
        (void)fprintf(stderr, "wellhead: -p wants NAME=VALUE, at most %d times\n", CLI_PARAMS_MAX);
        return false;
    }
    *equals = '\0';
    opt->param_names[opt->n_params] = text;
    opt->param_values[opt->n_params] = equals + 1;
    opt->n_params++;
    return true;
}

static bool take_number(const char *option, const char *text, int64_t *ret)
{
    struct wh_err err;
    enum wh_rc rc = wh_num_i64(wh_slice_str(text), ret, &err);

    if (rc != WH_OK || *ret < 0) {
        (void)fprintf(stderr, "wellhead: %s: %s\n", option,
                      rc != WH_OK ? err.msg : "must not be negative");
        return false;
    }
    return true;
}

static bool take_time(const char *option, const char *text, int64_t *ret_ms)
{
    struct wh_err err;

    if (cli_duration_ms(text, ret_ms, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead: %s: %s\n", option, err.msg);
        return false;
    }
    return true;
}

static bool take_option(int code, struct cli_options *opt, struct globals *g)
{
    switch (code) {
    case OPT_JSON:
        opt->format = CLI_JSON;
        return true;
    case OPT_NDJSON:
        opt->format = CLI_NDJSON;
        return true;
    case OPT_CSV:
        opt->format = CLI_CSV;
        return true;
    case OPT_LIMIT:
        return take_number("--limit", optarg, &opt->limit);
    case OPT_TIMEOUT:
        return take_time("--timeout", optarg, &opt->timeout_ms);
    case 'p':
        return add_param(opt, optarg);
    case OPT_TOKEN_FILE:
        opt->token_file = optarg;
        return true;
    case OPT_NEW_CLIENT:
        opt->new_client = true;
        return true;
    case OPT_NEW_SECRET:
        opt->new_secret = true;
        return true;
    case OPT_MOVE:
        opt->move = true;
        return true;
    case OPT_OAUTH:
        opt->oauth = true;
        return true;
    case OPT_NO_BROWSER:
        opt->no_browser = true;
        return true;
    case OPT_CLIENT_ID:
        opt->client_id = optarg;
        return true;
    case OPT_CLIENT_SECRET_FILE:
        opt->client_secret_file = optarg;
        return true;
    case OPT_PROJECT:
        if (opt->n_projects == CLI_PROJECTS_MAX) {
            (void)fprintf(stderr, "wellhead: at most %d projects\n", CLI_PROJECTS_MAX);
            return false;
        }
        return take_number("--project", optarg, &opt->projects[opt->n_projects++]);
    case OPT_FROM:
        opt->from = optarg;
        return true;
    case OPT_EXECUTE:
        opt->execute = true;
        return true;
    case OPT_YES:
        opt->yes = true;
        return true;
    case OPT_CHECK:
        opt->check = true;
        return true;
    case OPT_VERIFY:
        opt->verify = true;
        return true;
    case OPT_CONFIRM_DELETES:
        opt->confirm_deletes = true;
        return true;
    case OPT_WAIT:
        opt->wait = true;
        return take_time("--wait", optarg, &opt->wait_ms);
    case OPT_DEAD_LETTERS:
        opt->dead_letters = true;
        return true;
    case OPT_CONFIG:
        g->config = optarg;
        return true;
    case 'h':
        g->help = true;
        return true;
    case OPT_VERSION:
        g->version = true;
        return true;
    case 'q':
        opt->quiet = true;
        return true;
    case OPT_NO_COLOR:
        g->no_color = true;
        return true;
    default:
        return false;
    }
}

static void note_given(int code, struct globals *g)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        g->given[i] = g->given[i] || long_options[i].val == code;
    }
}

static bool parse_options(int argc, char **argv, struct cli_options *opt, struct globals *g)
{
    int code;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet */
    while ((code = getopt_long(argc, argv, "hqp:", long_options, NULL)) != -1) {
        if (!take_option(code, opt, g)) {
            return false;
        }
        note_given(code, g);
    }
    for (int i = optind; i < argc; i++) {
        if (opt->n_args == CLI_ARGS_MAX) {
            (void)fprintf(stderr, "wellhead: too many arguments\n");
            return false;
        }
        opt->args[opt->n_args++] = argv[i];
    }
    return true;
}

static bool load_conf(const char *config, char **env, struct cli_conf *conf)
{
    char file_option[] = "--config";
    char *argv[3] = {(char[]){"wellhead"}, file_option, NULL};
    char *path = config && config[0] ? strdup(config) : NULL;
    enum wh_conf_action action;
    struct wh_err err;
    enum wh_rc rc;

    argv[2] = path;
    rc = wh_conf_load(&conf_program, path ? 3 : 1, argv, env, stdout, conf, &action, &err);
    free(path);
    if (rc != WH_OK) {
        (void)fprintf(stderr, "wellhead: %s\n", err.msg);
    }
    return rc == WH_OK;
}

static int help_on(const struct cli_options *opt)
{
    const char *topic = opt->n_args > 1 ? opt->args[1] : NULL;
    const struct cli_command *command = topic ? find_command(topic) : NULL;

    if (topic && strcmp(topic, "exit-codes") == 0) {
        (void)fputs(exit_codes, stdout);
    } else if (topic && strcmp(topic, "settings") == 0) {
        print_settings(stdout);
    } else if (command) {
        print_command_help(command, stdout);
    } else if (topic) {
        (void)fprintf(stderr, "wellhead: no help on '%s'; `wellhead help` lists the commands\n",
                      topic);
        return CLI_USAGE;
    } else {
        print_help(stdout);
    }
    return CLI_OK;
}

/* A word of the usage, up to what cannot go on in an option's name. */
static bool usage_has(const char *usage, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = strstr(usage, word); p; p = strstr(p + len, word)) {
        if (p[len] != '-' && !isalnum((unsigned char)p[len])) {
            return true;
        }
    }
    return false;
}

/* A command has the options that its usage shows, and those that concern all commands. */
static bool has_option(const struct cli_command *command, const struct option *o)
{
    char word[OPTION_MAX];

    if (o->val == OPT_CONFIG || o->val == 'h' || o->val == OPT_VERSION || o->val == OPT_NO_COLOR) {
        return true;
    }
    (void)snprintf(word, sizeof(word), "--%s", o->name);
    return usage_has(command->usage, o->val == 'p' ? "-p" : word);
}

static const struct option *foreign_option(const struct cli_command *command,
                                           const struct globals *g)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (g->given[i] && !has_option(command, &long_options[i])) {
            return &long_options[i];
        }
    }
    return NULL;
}

static int run_command(struct cli *cli, const struct cli_command *command, const struct globals *g)
{
    const struct option *foreign = foreign_option(command, g);
    int code = CLI_USAGE;

    if (foreign) {
        (void)fprintf(stderr, "wellhead: %s has no option --%s; see `wellhead help %s`\n",
                      command->name, foreign->name, command->name);
    } else if (cli->opt.n_args > command->operands + 1) {
        (void)fprintf(stderr, "wellhead: %s: '%s' is one word too many\n", command->name,
                      cli->opt.args[command->operands + 1]);
    } else {
        code = command->run(cli);
    }
    if (code == CLI_USAGE) {
        (void)fprintf(stderr, "Usage: %s\n", command->usage);
    }
    return code;
}

static int dispatch(struct cli *cli, const struct globals *g, char **env)
{
    const char *name = cli->opt.n_args ? cli->opt.args[0] : NULL;
    const struct cli_command *command = name ? find_command(name) : NULL;

    if (g->version) {
        (void)printf("wellhead %s\n", wh_build_version());
        return CLI_OK;
    }
    if (name && strcmp(name, "help") == 0) {
        return help_on(&cli->opt);
    }
    if (g->help) {
        if (command) {
            print_command_help(command, stdout);
        } else {
            print_help(stdout);
        }
        return CLI_OK;
    }
    if (name == NULL) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (command == NULL) {
        (void)fprintf(stderr, "wellhead: no command '%s'; did you mean `wellhead %s`?\n", name,
                      nearest_command(name));
        return CLI_USAGE;
    }
    if (!load_conf(g->config, env, &cli->conf)) {
        return CLI_USAGE;
    }
    return run_command(cli, command, g);
}

int main(int argc, char **argv, char **env)
{
    struct cli cli = {.opt = {.limit = -1}};
    struct globals g = {.config = getenv("WELLHEAD_CONFIG")}; // NOLINT(concurrency-mt-unsafe)
    int code;

    (void)signal(SIGPIPE, SIG_IGN);
    wh_run_protect_memory(); /* tokens of files go through here */
    if (!parse_options(argc, argv, &cli.opt, &g)) {
        (void)fprintf(stderr, "See `wellhead help`.\n");
        return CLI_USAGE;
    }
    cli.colour = isatty(STDOUT_FILENO) && !g.no_color &&
                 getenv("NO_COLOR") == NULL; // NOLINT(concurrency-mt-unsafe)
    code = dispatch(&cli, &g, env);
    wh_conf_release(&conf_program, &cli.conf);
    if (fflush(stdout) != 0 && code == CLI_OK) {
        code = CLI_FAILED;
    }
    return code;
}
