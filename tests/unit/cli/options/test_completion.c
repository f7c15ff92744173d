/* L8: what the shells complete and what the manual says is what the table of options says. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/options/completion.h"

enum { TEXT_MAX = 1 << 20, WORDS_MAX = 4096 };

static void make(enum wh_rc (*fn)(const struct cli_command *commands, size_t n, struct wh_buf *out,
                                  struct wh_err *err),
                 struct wh_buf *out)
{
    struct wh_err err;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    wh_buf_init(out, TEXT_MAX);
    th_ok(fn(commands, n, out, &err), &err);
}

/* The options of a command in the order of the table, each on a line. */
static void options_of(const struct cli_command *command, char out[WORDS_MAX])
{
    size_t n;
    const struct cli_option *table = cli_option_table(&n);
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (table[i].commands & command->bit) {
            at += (size_t)snprintf(out + at, WORDS_MAX - at, "--%s\n", table[i].name);
            assert_true(at < WORDS_MAX);
        }
    }
}

/* What bash completes behind these words, each on a line. */
static void bash_completes(const char *script, const char *words, char out[WORDS_MAX])
{
    char command[512];
    FILE *file;
    size_t n;

    (void)snprintf(
        command, sizeof(command),
        "bash -c '. %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _wellhead; "
        "printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
        script, words);
    file = popen(command, "r");
    assert_non_null(file);
    n = fread(out, 1, WORDS_MAX - 1, file);
    out[n] = '\0';
    assert_int_equal(pclose(file), 0);
}

static void bash_completes_what_the_table_says(void **state)
{
    char path[] = "/tmp/completion-XXXXXX";
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);
    char want[WORDS_MAX];
    char got[WORDS_MAX];
    char words[128];
    struct wh_buf script;
    FILE *file;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    make(cli_completion_bash, &script);
    file = fdopen(fd, "w");
    assert_int_equal(fwrite(script.ptr, 1, script.len, file), script.len);
    (void)fclose(file);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(words, sizeof(words), "wellhead %s --", commands[i].name);
        options_of(&commands[i], want);
        bash_completes(path, words, got);
        assert_string_equal(got, want);
        /* The name itself. */
        (void)snprintf(words, sizeof(words), "wellhead %s", commands[i].name);
        bash_completes(path, words, got);
        assert_non_null(strstr(got, commands[i].name));
    }
    bash_completes(path, "wellhead rules de", got);
    assert_string_equal(got, "deliveries\n");
    bash_completes(path, "wellhead tokens re", got);
    assert_string_equal(got, "revoke\n");
    bash_completes(path, "wellhead completion z", got);
    assert_string_equal(got, "zsh\n");
    bash_completes(path, "wellhead sql --timeout x", got);
    assert_string_equal(got, "\n");
    (void)remove(path);
    wh_buf_done(&script);
}

/* From where a text begins to where the next one does. */
static void section(const char *text, const char *begin, const char *end, char out[TEXT_MAX])
{
    const char *at = strstr(text, begin);
    const char *stop = at ? strstr(at + 1, end) : NULL;
    size_t n;

    if (at == NULL) {
        fail_msg("'%s' is not there", begin);
    }
    n = stop ? (size_t)(stop - at) : strlen(at);
    assert_true(n < TEXT_MAX);
    memcpy(out, at, n);
    out[n] = '\0';
}

static void zsh_completes_what_the_table_says(void **state)
{
    size_t n;
    size_t n_options;
    const struct cli_command *commands = cli_command_table(&n);
    const struct cli_option *table = cli_option_table(&n_options);
    char *part = malloc(TEXT_MAX);
    struct wh_buf script;
    char text[128];

    (void)state;
    make(cli_completion_zsh, &script);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(text, sizeof(text), "\n    %s)\n", commands[i].name);
        section(wh_buf_str(&script), text, "\n        ;;", part);
        for (size_t j = 0; j < n_options; j++) {
            char plain[64];
            char valued[64];

            (void)snprintf(plain, sizeof(plain), "--%s[", table[j].name);
            (void)snprintf(valued, sizeof(valued), "--%s=[", table[j].name);
            assert_int_equal(strstr(part, plain) || strstr(part, valued),
                             (table[j].commands & commands[i].bit) != 0);
        }
    }
    wh_buf_done(&script);
    free(part);
}

static void the_manual_has_every_command_and_option(void **state)
{
    const struct cli_manual texts = {
        .version = "1", .exit_codes = "0 done\n", .settings = WH_LIT("  sink.url  the sink\n")};
    size_t n;
    size_t n_options;
    const struct cli_command *commands = cli_command_table(&n);
    const struct cli_option *table = cli_option_table(&n_options);
    char *part = malloc(TEXT_MAX);
    struct wh_buf page;
    struct wh_err err;
    char text[128];
    char path[] = "/tmp/manual-XXXXXX";
    FILE *file;

    (void)state;
    wh_buf_init(&page, TEXT_MAX);
    th_ok(cli_manual_page(commands, n, &texts, &page, &err), &err);
    for (size_t i = 0; i <= n; i++) {
        (void)snprintf(text, sizeof(text),
                       i < n ? ".SS wellhead %s" : ".SH OPTIONS OF ALL COMMANDS",
                       i < n ? commands[i].name : "");
        for (char *dash = text; (dash = strchr(dash, '-')) != NULL; dash += 2) {
            memmove(dash + 1, dash, strlen(dash) + 1);
            dash[0] = '\\';
        }
        section(wh_buf_str(&page), text, "\n.S", part);
        for (size_t j = 0; j < n_options; j++) {
            bool common = table[j].rank == CLI_COMMON;
            bool here = i < n ? !common && (table[j].commands & commands[i].bit) : common;
            char name[96] = "\\fB\\-\\-";

            for (const char *c = table[j].name; *c; c++) {
                (void)snprintf(name + strlen(name), 3, *c == '-' ? "\\-" : "%c", *c);
            }
            (void)snprintf(name + strlen(name), 4, "\\fR");
            if ((strstr(part, name) != NULL) != here) {
                fail_msg("%s: %s", text, table[j].name);
            }
        }
    }
    /* groff, where it is installed, has nothing to say. */
    file = fdopen(mkstemp(path), "w");
    assert_int_equal(fwrite(page.ptr, 1, page.len, file), page.len);
    (void)fclose(file);
    (void)snprintf(text, sizeof(text),
                   "command -v groff >/dev/null || exit 0; "
                   "test -z \"$(groff -man -ww -z -Tutf8 %s 2>&1)\"",
                   path);
    assert_int_equal(system(text), 0);
    (void)remove(path);
    wh_buf_done(&page);
    free(part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_completes_what_the_table_says),
        cmocka_unit_test(zsh_completes_what_the_table_says),
        cmocka_unit_test(the_manual_has_every_command_and_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
