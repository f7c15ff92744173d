/* wellhead rules: who is told when a record meets a condition; deliveries, failures, and a look at the past. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "common/base/enc.h"
#include "common/json/json_copy.h"
#include "common/json/json_write.h"

enum { FILE_MAX_BYTES = 1 << 20, PATH_MAX_BYTES = 1024, DEPTH_MAX = 16, ANSWER_DEPTH = 8 };

static int wrong_use(const struct cli *cli)
{
    cli_note(&cli->out,
             "wellhead: rules: it is `rules`, `rules add FILE`, `rules remove ID`, `rules "
             "test FILE|ID`, `rules deliveries [ID]` or `rules replay ID [NUMBER]`\n");
    return CLI_USAGE;
}

/* ---- calls ---- */

/* Sends and, with JSON, prints the answer. */
static int send_to(struct cli *cli, const char *method, struct wh_slice path, struct wh_slice body,
                   struct cli_answer *answer)
{
    struct wh_err err;
    int code = CLI_OK;

    if (cli_call(cli, method, cli->conf.sink_url, path, cli->conf.sink_token_file, body, answer,
                 &err) != WH_OK) {
        code = cli_fail(cli, "rules", &err);
    } else if (answer->status != 200) {
        code = cli_fail_answer(cli, "rules", answer);
    } else if (cli->opt.format == CLI_JSON && !cli_data(&cli->out, wh_buf_slice(&answer->body))) {
        code = CLI_FAILED;
    }
    return code;
}

/* "/api/v1/rules/" ID and what follows. */
static enum wh_rc rule_path(const char *id, const char *end, struct wh_buf *out, struct wh_err *err)
{
    return wh_buf_append(out, WH_LIT("/api/v1/rules/"), err) == WH_OK &&
                   wh_percent_encode(wh_slice_str(id), out, err) == WH_OK
               ? wh_buf_append(out, wh_slice_str(end), err)
               : err->rc;
}

/* ---- files ---- */

static enum wh_rc read_file(const struct cli *cli, const char *name, struct wh_buf *out,
                            struct wh_err *err)
{
    FILE *file = strcmp(name, "-") == 0 ? fdopen(cli->world.input, "r") : fopen(name, "re");
    char block[4096];
    size_t n;
    bool failed;

    if (file == NULL) {
        return wh_fail(err, WH_E_IO, "%.200s cannot be read", name);
    }
    while ((n = fread(block, 1, sizeof(block), file)) > 0) {
        if (wh_buf_append(out, wh_slice(block, n), err) != WH_OK) {
            break;
        }
    }
    failed = n > 0 || ferror(file);
    (void)fclose(file);
    return failed ? wh_fail(err, WH_E_IO, "%.200s cannot be read, or is too long", name) : WH_OK;
}

/* Calls fn with each rule of a file: one object, or those of {"version": 1, "rules": [...]}. */
static int each_rule(struct cli *cli, struct wh_json_val root,
                     int (*fn)(struct cli *cli, struct wh_json_val rule))
{
    struct wh_json_val rules;
    struct wh_json_val rule;
    struct wh_json_iter it;
    int code = CLI_OK;

    if (!wh_json_get(root, WH_LIT("rules"), &rules)) {
        return fn(cli, root);
    }
    it = wh_json_iter(rules);
    while (code == CLI_OK && wh_json_next(&it, NULL, &rule)) {
        code = fn(cli, rule);
    }
    return code;
}

static int with_file(struct cli *cli, const char *name,
                     int (*fn)(struct cli *cli, struct wh_json_val rule))
{
    struct wh_json_parser *parser = wh_json_parser_new(FILE_MAX_BYTES, DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_val root;
    struct wh_err err;
    int code;

    wh_buf_init(&text, FILE_MAX_BYTES);
    if (parser == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory for a parser");
        return cli_fail(cli, "rules", &err);
    }
    if (read_file(cli, name, &text, &err) != WH_OK ||
        wh_json_parse(parser, wh_buf_slice(&text), &root, &err) != WH_OK) {
        code = cli_fail(cli, "rules", &err);
    } else {
        code = each_rule(cli, root, fn);
    }
    wh_json_parser_free(parser);
    return code;
}

/* ---- add, remove, replay ---- */

static int add(struct cli *cli, struct wh_json_val rule)
{
    WH_AUTO(buf) struct wh_buf body;
    struct cli_answer answer = {0};
    struct wh_json_writer w;
    struct wh_err err;
    int code;

    wh_buf_init(&body, FILE_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_value(&w, rule);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        return cli_fail(cli, "rules", &err);
    }
    code = send_to(cli, "POST", WH_LIT("/api/v1/rules"), wh_buf_slice(&body), &answer);
    if (code == CLI_OK && cli->opt.format == CLI_TEXT && !cli->opt.quiet) {
        cli_note(&cli->out, "The rule %.*s is in use.\n",
                 WH_SLICE_ARG(wh_json_get_str(rule, "id")));
    }
    wh_buf_done(&answer.body);
    return code;
}

static int remove_rule(struct cli *cli, const char *id)
{
    WH_AUTO(buf) struct wh_buf path = {0};
    struct cli_answer answer = {0};
    struct wh_err err;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (rule_path(id, "", &path, &err) != WH_OK) {
        return cli_fail(cli, "rules", &err);
    }
    code = send_to(cli, "DELETE", wh_buf_slice(&path), WH_LIT(""), &answer);
    if (code == CLI_OK && cli->opt.format == CLI_TEXT && !cli->opt.quiet) {
        cli_note(&cli->out, "The rule is removed, with its deliveries.\n");
    }
    wh_buf_done(&answer.body);
    return code;
}

static bool is_number(const char *text)
{
    return text[0] && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 18;
}

static int replay(struct cli *cli, const char *id, const char *number)
{
    WH_AUTO(buf) struct wh_buf path = {0};
    struct cli_answer answer = {0};
    char body[64];
    struct wh_err err;
    int code;

    if (number && !is_number(number)) {
        return wrong_use(cli);
    }
    wh_buf_init(&path, PATH_MAX_BYTES);
    (void)snprintf(body, sizeof(body), "{\"number\":%s}", number ? number : "0");
    if (rule_path(id, "/replay", &path, &err) != WH_OK) {
        return cli_fail(cli, "rules", &err);
    }
    code = send_to(cli, "POST", wh_buf_slice(&path), wh_slice_str(body), &answer);
    if (code == CLI_OK && cli->opt.format == CLI_TEXT && !cli->opt.quiet) {
        cli_note(&cli->out,
                 "What had failed is delivered again; `wellhead rules deliveries %s` "
                 "shows how.\n",
                 id);
    }
    wh_buf_done(&answer.body);
    return code;
}

static int deliveries(struct cli *cli, const char *id)
{
    WH_AUTO(buf) struct wh_buf path;
    struct wh_err err;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (id == NULL) {
        return cli_get_rows(cli, "rules", "/api/v1/rules/deliveries");
    }
    return rule_path(id, "/deliveries", &path, &err) == WH_OK
               ? cli_get_rows(cli, "rules", wh_buf_str(&path))
               : cli_fail(cli, "rules", &err);
}

/* ---- the past ---- */

static void print_fired(const struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter it = wh_json_get_iter(root, "rows");
    int64_t left_out = wh_json_get_int(root, "left_out", 0);
    struct wh_json_val row;

    while (wh_json_next(&it, NULL, &row)) {
        cli_say(&cli->out, "%.*s  %-5.*s  %.*s%s\n", WH_SLICE_ARG(wh_json_get_str(row, "time")),
                WH_SLICE_ARG(wh_json_get_str(row, "event")),
                WH_SLICE_ARG(wh_json_get_str(row, "entity")),
                wh_json_get_flag(row, "silent") ? "  not told: learned later than max_age" : "");
    }
    cli_note(&cli->out, "It would have fired %lld times in %lld changes.\n",
             (long long)wh_json_get_int(root, "fired", 0),
             (long long)wh_json_get_int(root, "looked_at", 0));
    if (left_out) {
        cli_note(&cli->out,
                 "wellhead: rules: there was no time for %lld newer changes; choose a later "
                 "--since\n",
                 (long long)left_out);
    }
}

static int take_test(struct cli *cli, const struct cli_answer *answer)
{
    struct wh_json_parser *parser = wh_json_parser_new(CLI_ANSWER_MAX_BYTES, ANSWER_DEPTH);
    struct wh_json_val root;
    struct wh_err err;
    int code = CLI_FAILED;

    if (parser && wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK) {
        code = wh_json_get_int(root, "left_out", 0) || wh_json_get_flag(root, "truncated") ? CLI_CUT
                                                                                           : CLI_OK;
        if (cli->opt.format == CLI_TEXT) {
            print_fired(cli, root);
        }
    } else {
        cli_note(&cli->out, "wellhead: rules: the sink's answer cannot be read\n");
    }
    wh_json_parser_free(parser);
    return code;
}

/* Of a rule, or of a rule's id when it is a text. */
static int test(struct cli *cli, const char *id, const struct wh_json_val *rule)
{
    WH_AUTO(buf) struct wh_buf body;
    struct cli_answer answer = {0};
    struct wh_json_writer w;
    struct wh_err err;
    int code;

    wh_buf_init(&body, FILE_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "since", wh_slice_str(cli->opt.since ? cli->opt.since : "30d"));
    if (rule) {
        wh_jw_key(&w, "rule");
        wh_jw_value(&w, *rule);
    } else {
        wh_jw_put_str(&w, "id", wh_slice_str(id));
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        return cli_fail(cli, "rules", &err);
    }
    code = send_to(cli, "POST", WH_LIT("/api/v1/rules/test"), wh_buf_slice(&body), &answer);
    code = code == CLI_OK ? take_test(cli, &answer) : code;
    wh_buf_done(&answer.body);
    return code;
}

static int test_rule(struct cli *cli, struct wh_json_val rule)
{
    return test(cli, NULL, &rule);
}

/* An id has neither a dot nor a slash. */
static bool is_file(const char *text)
{
    return strchr(text, '.') || strchr(text, '/') || strcmp(text, "-") == 0;
}

int cli_rules(struct cli *cli)
{
    const char *const *args = (const char *const *)cli->opt.args;
    size_t n = cli->opt.n_args;
    const char *what = n > 1 ? args[1] : "list";

    if (strcmp(what, "list") == 0 && n <= 2) {
        return cli_get_rows(cli, "rules", "/api/v1/rules");
    }
    if (strcmp(what, "deliveries") == 0 && n <= 3) {
        return deliveries(cli, n == 3 ? args[2] : NULL);
    }
    if (strcmp(what, "replay") == 0 && (n == 3 || n == 4)) {
        return replay(cli, args[2], n == 4 ? args[3] : NULL);
    }
    if (n != 3) {
        return wrong_use(cli);
    }
    if (strcmp(what, "add") == 0) {
        return with_file(cli, args[2], add);
    }
    if (strcmp(what, "remove") == 0) {
        return remove_rule(cli, args[2]);
    }
    if (strcmp(what, "test") == 0) {
        return is_file(args[2]) ? with_file(cli, args[2], test_rule) : test(cli, args[2], NULL);
    }
    return wrong_use(cli);
}
