/* The table of options: parsing, what each command accepts, help. */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options/help.h"
#include "cli/options/options.h"

enum { WORDS_MAX = 80 };

struct fixture {
    struct cli_out out;
    char *text;
    size_t len;
    struct cli_options opt;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    FILE *both;

    assert_non_null(f);
    both = open_memstream(&f->text, &f->len);
    assert_non_null(both);
    cli_out_init(&f->out, both, both);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)fclose(f->out.data);
    free(f->text);
    free(f);
    return 0;
}

/* Parses the words, which a NULL ends. */
static bool parse(struct fixture *f, const char *const *words)
{
    char *argv[WORDS_MAX + 1] = {(char[]){"wellhead"}};
    int argc = 1;

    for (; words[argc - 1]; argc++) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    return cli_options_parse(argc, argv, &f->out, &f->opt);
}

#define PARSE(f, ...) parse((f), (const char *const[]){__VA_ARGS__, NULL})

static const char *said(struct fixture *f)
{
    (void)fflush(f->out.data);
    return f->text;
}

static void every_option_fills_its_member(void **state)
{
    struct fixture *f = *state;
    const struct cli_options *o = &f->opt;

    assert_true(PARSE(f, "connect", "URL", "--token-file", "F", "--client-id=I",
                      "--client-secret-file", "S", "--project", "7", "--project=a/b", "--oauth",
                      "--new-client", "--new-secret", "--move", "--no-browser"));
    assert_string_equal(o->token_file, "F");
    assert_string_equal(o->client_id, "I");
    assert_string_equal(o->client_secret_file, "S");
    assert_int_equal(o->n_projects, 2);
    assert_string_equal(o->projects[0], "7");
    assert_string_equal(o->projects[1], "a/b");
    assert_true(o->oauth && o->new_client && o->new_secret && o->move && o->no_browser);
    assert_int_equal(o->n_args, 2);
    assert_string_equal(o->args[1], "URL");
    assert_int_equal(o->limit, CLI_NOT_GIVEN);
    assert_int_equal(o->wait_ms, CLI_NOT_GIVEN);
    assert_int_equal(o->timeout_ms, 0);

    assert_true(PARSE(f, "--limit", "9", "--timeout=2s", "--wait", "10m", "--from", "-2h",
                      "--execute", "--confirm", "h", "--check", "--verify", "--confirm-deletes",
                      "--dead-letters"));
    assert_int_equal(o->limit, 9);
    assert_int_equal(o->timeout_ms, 2000);
    assert_int_equal(o->wait_ms, 600000);
    assert_string_equal(o->from, "-2h");
    assert_string_equal(o->confirm, "h");
    assert_true(o->execute && o->check && o->verify && o->confirm_deletes && o->dead_letters);

    assert_true(PARSE(f, "--config", "C", "--help", "--version", "--quiet", "--no-color", "-vx",
                      "--no-input", "--no-pager", "-n"));
    assert_string_equal(o->config, "C");
    assert_true(o->help && o->version && o->quiet && o->no_color);
    assert_true(o->verbose && o->expanded && o->no_input && o->no_pager && o->dry_run);
    assert_null(o->token_file);
    assert_string_equal(said(f), "");
}

static void formats_are_chosen(void **state)
{
    struct fixture *f = *state;

    assert_true(PARSE(f, "sql"));
    assert_int_equal(f->opt.format, CLI_TEXT);
    assert_true(PARSE(f, "sql", "--json"));
    assert_int_equal(f->opt.format, CLI_JSON);
    assert_true(PARSE(f, "sql", "--ndjson"));
    assert_int_equal(f->opt.format, CLI_NDJSON);
    assert_true(PARSE(f, "sql", "--csv"));
    assert_true(f->opt.format == CLI_CSV && !f->opt.csv_safe);
    assert_true(PARSE(f, "sql", "--csv=safe"));
    assert_true(f->opt.format == CLI_CSV && f->opt.csv_safe);
    assert_true(PARSE(f, "sql", "--csv=safe", "--csv=raw"));
    assert_false(f->opt.csv_safe);
    /* The next word is the query, not the option's value. */
    assert_true(PARSE(f, "sql", "--csv", "safe"));
    assert_true(!f->opt.csv_safe && f->opt.n_args == 2);
}

static void letters_share_a_word(void **state)
{
    struct fixture *f = *state;

    assert_true(PARSE(f, "sql", "-qp", "a=1", "-pb=2=3", "-p", "c="));
    assert_true(f->opt.quiet);
    assert_int_equal(f->opt.n_params, 3);
    assert_memory_equal(f->opt.param_names[1], "b=", 2);
    assert_int_equal(f->opt.param_name_lens[1], 1);
    assert_string_equal(f->opt.param_values[0], "1");
    assert_string_equal(f->opt.param_values[1], "2=3");
    assert_string_equal(f->opt.param_values[2], "");
    assert_true(PARSE(f, "-h", "status"));
    assert_true(f->opt.help && f->opt.n_args == 1);
}

static void two_dashes_end_the_options(void **state)
{
    struct fixture *f = *state;

    assert_true(PARSE(f, "sql", "--", "--json", "-", "--"));
    assert_int_equal(f->opt.format, CLI_TEXT);
    assert_int_equal(f->opt.n_args, 4);
    assert_true(PARSE(f, "sql", "-"));
    assert_string_equal(f->opt.args[1], "-");
}

/* What is wrong is said; what may be a secret is not. */
static void mistakes_are_refused_without_echo(void **state)
{
    static const struct {
        const char *words[6];
        const char *said;
    } cases[] = {
        {{"connect", "URL", "--tok", "S3CRET"},
         "wellhead: argument 3 is not an option; did you mean --token-file?\n"},
        {{"connect", "--token=S3CRET"},
         "wellhead: argument 2 is not an option; did you mean --token-file?\n"},
        {{"connect", "--token-fil=S3CRET"},
         "wellhead: argument 2 is not an option; did you mean --token-file?\n"},
        {{"--client-secret", "S3CRET"},
         "wellhead: argument 1 is not an option; did you mean --client-secret-file?\n"},
        {{"purge", "h", "--confrim=h"}, "wellhead: argument 3 is not an option\n"},
        {{"replay", "h", "--excute"}, "wellhead: argument 3 is not an option\n"},
        {{"status", "--cehck"}, "wellhead: argument 2 is not an option; did you mean --check?\n"},
        {{"--json=S3CRET"}, "wellhead: --json takes no value\n"},
        {{"connect", "--token-file"}, "wellhead: --token-file needs a value: FILE\n"},
        {{"sql", "-p"}, "wellhead: --param needs a value: NAME=VALUE\n"},
        {{"sql", "-p", "S3CRET"}, "wellhead: -p needs NAME=VALUE, at most 16 times\n"},
        {{"sql", "-p", "=S3CRET"}, "wellhead: -p needs NAME=VALUE, at most 16 times\n"},
        {{"sql", "--csv=S3CRET"},
         "wellhead: --csv: only --csv, --csv=raw and --csv=safe are known\n"},
        {{"sql", "--limit", "-1"}, "wellhead: --limit: must not be negative\n"},
        {{"status", "--wait", "5"},
         "wellhead: --wait: '5' has no unit; write it as in 500ms, 5s, 10m\n"},
        {{"a", "b", "-S3CRET"}, "wellhead: argument 3 is not an option\n"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t before = strlen(said(f));

        assert_false(parse(f, cases[i].words));
        assert_memory_equal(said(f) + before, cases[i].said, strlen(cases[i].said));
        assert_null(strstr(said(f), "S3CRET"));
    }
}

static void no_name_is_abbreviated(void **state)
{
    struct fixture *f = *state;
    size_t n;
    const struct cli_option *table = cli_option_table(&n);

    for (size_t i = 0; i < n; i++) {
        char word[64];

        for (size_t len = strlen(table[i].name) - 1; len > 0; len--) {
            bool whole = false;

            for (size_t k = 0; k < n; k++) {
                whole = whole || (strlen(table[k].name) == len &&
                                  strncmp(table[k].name, table[i].name, len) == 0);
            }
            assert_true(len < 60);
            (void)snprintf(word, len + 3, "--%s", table[i].name);
            assert_int_equal(PARSE(f, word, "1"), whole);
        }
    }
}

static void there_are_limits(void **state)
{
    const char *words[2 * CLI_PROJECTS_MAX + 3] = {NULL};
    struct fixture *f = *state;

    for (size_t i = 0; i < CLI_ARGS_MAX; i++) {
        words[i] = "word";
    }
    assert_true(parse(f, words));
    words[CLI_ARGS_MAX] = "word";
    assert_false(parse(f, words));
    memset(words, 0, sizeof(words));
    for (size_t i = 0; i < CLI_PROJECTS_MAX; i++) {
        words[i] = "--project=1";
    }
    assert_true(parse(f, words));
    words[CLI_PROJECTS_MAX] = "--project=1";
    assert_false(parse(f, words));
    assert_string_equal(said(f), "wellhead: too many arguments\n"
                                 "wellhead: --project: at most 64 projects\n");
}

static const struct cli_command status = {
    "status", CLI_STATUS, "what runs", NULL, 0, "  wellhead status\n", NULL};
static const struct cli_command sql = {
    "sql", CLI_SQL, "ask the store", "QUERY|-", 1, "  wellhead sql QUERY\n", NULL};

static void commands_accept_what_the_table_says(void **state)
{
    struct fixture *f = *state;

    assert_true(PARSE(f, "status", "--check", "--json", "-q", "--config", "F", "--no-color"));
    assert_true(cli_options_check(&status, &f->opt, &f->out));
    assert_true(PARSE(f, "sql", "QUERY", "--csv", "--limit", "1"));
    assert_true(cli_options_check(&sql, &f->opt, &f->out));
    assert_string_equal(said(f), "");
    assert_true(PARSE(f, "status", "--execute"));
    assert_false(cli_options_check(&status, &f->opt, &f->out));
    assert_true(PARSE(f, "status", "S3CRET"));
    assert_false(cli_options_check(&status, &f->opt, &f->out));
    assert_string_equal(said(f),
                        "wellhead: status has no option --execute; see `wellhead help status`\n"
                        "wellhead: status: one word too many; put words that belong together in "
                        "quotes\n");
}

static void the_table_is_sound(void **state)
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);

    (void)state;
    assert_true(n < 64); /* bits of `given` */
    for (size_t i = 0; i < n; i++) {
        assert_true(table[i].name && table[i].help && table[i].commands);
        assert_true(table[i].offset < sizeof(struct cli_options));
        assert_true((table[i].value != NULL) == (table[i].kind >= CLI_OPTION_CSV));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(table[i].name, table[k].name);
            assert_true(table[i].letter == 0 || table[i].letter != table[k].letter);
        }
    }
}

static void help_comes_from_the_table(void **state)
{
    struct wh_buf text;
    struct wh_err err;

    (void)state;
    wh_buf_init(&text, 1 << 16);
    th_ok(cli_help_usage(&sql, &text, &err), &err);
    assert_string_equal(wh_buf_str(&text),
                        "Usage: wellhead sql QUERY|- [-p NAME=VALUE]... [--as-of TIME] "
                        "[--valid-at TIME] [--json]\n"
                        "       [--ndjson] [--csv[=safe]] [--expanded] [--limit N] "
                        "[--timeout TIME]\n");
    wh_buf_reset(&text);
    th_ok(cli_help_command(&status, &text, &err), &err);
    assert_non_null(strstr(wh_buf_str(&text), "wellhead status - what runs\n\nExamples:\n"
                                              "  wellhead status\n\nUsage: wellhead status ["));
    assert_non_null(strstr(wh_buf_str(&text), "\n  -q, --quiet "));
    assert_non_null(strstr(wh_buf_str(&text), "\n  --wait TIME "));
    assert_null(strstr(wh_buf_str(&text), "--limit"));
    wh_buf_reset(&text);
    th_ok(cli_help_program(&sql, 1, &text, &err), &err);
    assert_non_null(strstr(wh_buf_str(&text), "Commands:\n  sql        ask the store\n\n"));
    wh_buf_done(&text);
    wh_buf_init(&text, 100);
    assert_int_equal(cli_help_command(&status, &text, &err), WH_E_TOO_LARGE);
    wh_buf_done(&text);
}

static void durations_have_units(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {{"500ms", 500},
                 {"5s", 5000},
                 {"10m", 600000},
                 {"2h", 7200000},
                 {"1d", 86400000},
                 {"0s", 0},
                 {"5", -1},
                 {"", -1},
                 {"s", -1},
                 {"5x", -1},
                 {"-5s", -1},
                 {"5 s", -1},
                 {"99999999999999999999s", -1}};
    struct wh_err err;
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool ok = cli_duration_ms(cases[i].text, &ms, &err) == WH_OK;

        assert_int_equal(ok, cases[i].ms >= 0);
        assert_true(!ok || ms == cases[i].ms);
    }
}

static void users_in_addresses_are_found(void **state)
{
    static const char *const with[] = {"https://u:p@h", "https://u@h/x", "u:p@h", "http://@h",
                                       "u@h"};
    static const char *const without[] = {"https://h",     "h",     "https://h/a@b",
                                          "https://h?a@b", "h#a@b", ""};

    (void)state;
    for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
        assert_true(cli_url_has_user(with[i]));
    }
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        assert_false(cli_url_has_user(without[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_option_fills_its_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(formats_are_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(letters_share_a_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_dashes_end_the_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_refused_without_echo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_name_is_abbreviated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commands_accept_what_the_table_says, set_up, tear_down),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(help_comes_from_the_table),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(users_in_addresses_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
