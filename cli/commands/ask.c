/* wellhead ask: a question in words, answered by the sink. */
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/commands/show_parts.h"
#include "cli/out/value.h"
#include "common/base/enc.h"

enum { PATH_MAX_BYTES = 16384, DEPTH_MAX = 32, NOT_UNDERSTOOD = 422, AMBIGUOUS = 409 };

/* Line by line: what is said of an incident is somebody's text. */
static void print_lines(const struct cli *cli, struct wh_slice text)
{
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;

        cli_say(&cli->out, "%.*s\n", (int)len, text.ptr);
        text = wh_slice_from(text, end ? len + 1 : len);
    }
}

/* What a search for the words finds. */
static void say_hits(const struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter it;
    struct wh_json_val found;
    struct wh_json_val hit;
    struct wh_slice key;
    bool any = false;

    if (!wh_json_get(root, WH_LIT("search"), &found)) {
        return;
    }
    it = wh_json_get_iter(found, "rows");
    while (wh_json_next(&it, &key, &hit)) {
        cli_note(&cli->out, "%s  %.*s  %.*s\n", any ? "" : "A search finds\n",
                 WH_SLICE_ARG(wh_json_get_str(hit, "title")),
                 WH_SLICE_ARG(wh_json_get_str(hit, "url")));
        any = true;
    }
}

static int say_suggestions(const struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter it = wh_json_get_iter(root, "suggestions");
    struct wh_json_val suggestion;
    struct wh_slice key;

    cli_note(&cli->out, "wellhead: ask: %.*s; questions are understood as in\n",
             WH_SLICE_ARG(wh_json_get_str(root, "error")));
    while (wh_json_next(&it, &key, &suggestion)) {
        cli_note(&cli->out, "  wellhead ask \"%.*s\"\n", WH_SLICE_ARG(wh_json_string(suggestion)));
    }
    say_hits(cli, root);
    return CLI_NOTHING;
}

static int say_choices(const struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter it = wh_json_get_iter(root, "choices");
    struct wh_json_val choice;
    struct wh_slice key;

    cli_note(&cli->out, "wellhead: ask: %.*s\n", WH_SLICE_ARG(wh_json_get_str(root, "error")));
    while (wh_json_next(&it, &key, &choice)) {
        struct wh_slice url = wh_json_get_str(choice, "url");

        cli_note(&cli->out, "  %.*s %.*s  %.*s\n", WH_SLICE_ARG(wh_json_get_str(choice, "kind")),
                 WH_SLICE_ARG(wh_json_get_str(choice, "name")),
                 WH_SLICE_ARG(url.len ? url : wh_json_get_str(choice, "id")));
    }
    return CLI_AMBIGUOUS;
}

static void print_forms(struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter it = wh_json_get_iter(root, "forms");
    struct wh_json_val form;
    struct wh_slice subject = {NULL, 0};
    struct wh_slice key;

    cli_use_pager(cli);
    while (wh_json_next(&it, &key, &form)) {
        struct wh_slice of = wh_json_get_str(form, "subject");

        if (!wh_slice_eq(of, subject)) {
            cli_say(&cli->out, "%.*s\n", WH_SLICE_ARG(of));
        }
        cli_say(&cli->out, "  %.*s\n", WH_SLICE_ARG(wh_json_get_str(form, "example")));
        subject = of;
    }
}

static int take_answer(struct cli *cli, const struct cli_answer *answer,
                       struct wh_json_parser *parser)
{
    bool refused = answer->status == NOT_UNDERSTOOD || answer->status == AMBIGUOUS;
    struct wh_json_val root;
    struct wh_err err;

    if (answer->status != 200 && !refused) {
        return cli_fail_answer(cli, "ask", answer);
    }
    if (parser == NULL ||
        wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: ask: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    if (cli->opt.format == CLI_JSON && !cli_data(&cli->out, wh_buf_slice(&answer->body))) {
        return CLI_FAILED;
    }
    if (refused) {
        return answer->status == AMBIGUOUS ? say_choices(cli, root) : say_suggestions(cli, root);
    }
    if (cli->opt.format != CLI_JSON && cli->opt.list) {
        print_forms(cli, root);
    } else if (cli->opt.format != CLI_JSON) {
        cli_use_pager(cli);
        print_lines(cli, wh_json_get_str(root, "answer"));
    }
    return CLI_OK;
}

static enum wh_rc add_argument(const char *name, const char *value, struct wh_buf *out,
                               struct wh_err *err)
{
    if (value == NULL) {
        return WH_OK;
    }
    return wh_buf_printf(out, err, "&%s=", name) == WH_OK
               ? wh_percent_encode(wh_slice_str(value), out, err)
               : err->rc;
}

static enum wh_rc make_path(const struct cli *cli, struct wh_buf *path, struct wh_err *err)
{
    if (cli->opt.list) {
        return wh_buf_append(path, WH_LIT("/api/v1/questions"), err);
    }
    if (wh_buf_append(path, WH_LIT("/api/v1/ask?q="), err) != WH_OK ||
        wh_percent_encode(wh_slice_str(cli->opt.args[1]), path, err) != WH_OK ||
        add_argument("now", cli->opt.now, path, err) != WH_OK ||
        add_argument("zone", cli->opt.zone, path, err) != WH_OK ||
        add_argument("choose", cli->opt.choose, path, err) != WH_OK) {
        return err->rc;
    }
    return show_past_args(cli, '&', path, err);
}

int cli_ask(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf path;
    struct cli_answer answer = {0};
    struct wh_json_parser *parser;
    struct wh_err err;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (cli->opt.n_args != (cli->opt.list ? 1 : 2)) {
        cli_note(&cli->out, "wellhead: ask needs one question, in quotes, or --list\n");
        return CLI_USAGE;
    }
    if (make_path(cli, &path, &err) != WH_OK ||
        cli_call(cli, "GET", cli->conf.sink_url, wh_buf_slice(&path), cli->conf.sink_token_file,
                 WH_LIT(""), &answer, &err) != WH_OK) {
        return cli_fail(cli, "ask", &err);
    }
    parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX);
    code = take_answer(cli, &answer, parser);
    wh_json_parser_free(parser);
    wh_buf_done(&answer.body);
    return code;
}
