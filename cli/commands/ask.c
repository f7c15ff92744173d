/* wellhead ask: a question in words, answered by the sink. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/commands/show_parts.h"
#include "cli/out/value.h"
#include "common/base/enc.h"

enum {
    CONVERSATION_ID_BYTES = 64,
    PATH_MAX_BYTES = 16384,
    DEPTH_MAX = 32,
    NOT_UNDERSTOOD = 422,
    AMBIGUOUS = 409
};

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

static int refuse_status(struct cli *cli, const struct cli_answer *answer)
{
    return answer->status == 200 ? CLI_OK : cli_fail_answer(cli, "ask", answer);
}

static int call(struct cli *cli, const char *method, const char *path, struct cli_answer *ret)
{
    struct wh_err err;

    if (cli_call(cli, method, cli->conf.sink_url, wh_slice_str(path), cli->conf.sink_token_file,
                 WH_LIT(""), ret, &err) != WH_OK) {
        return cli_fail(cli, "ask", &err);
    }
    return refuse_status(cli, ret);
}

/* ---- conversations ---- */

/* Each with its last question; *ret_first is the id of the newest one, when there is one. */
static int read_conversations(struct cli *cli, struct wh_slice body, bool prints,
                              char ret_first[CONVERSATION_ID_BYTES])
{
    struct wh_json_parser *parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX);
    struct wh_json_iter it;
    struct wh_json_val root;
    struct wh_json_val one;
    struct wh_slice key;
    struct wh_err err;

    ret_first[0] = 0;
    if (parser == NULL || wh_json_parse(parser, body, &root, &err) != WH_OK) {
        wh_json_parser_free(parser);
        cli_note(&cli->out, "wellhead: ask: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    it = wh_json_get_iter(root, "rows");
    while (wh_json_next(&it, &key, &one)) {
        struct wh_slice id = wh_json_get_str(one, "id");
        struct wh_json_iter turns = wh_json_get_iter(one, "turns");
        struct wh_slice question = {NULL, 0};
        struct wh_json_val turn;

        while (wh_json_next(&turns, &key, &turn)) {
            question = wh_json_get_str(turn, "question");
        }
        if (ret_first[0] == 0) {
            (void)snprintf(ret_first, CONVERSATION_ID_BYTES, "%.*s", WH_SLICE_ARG(id));
        }
        if (prints) {
            cli_say(&cli->out, "%.*s  %.19s  %.*s\n", WH_SLICE_ARG(id),
                    wh_json_get_str(one, "updated_at").ptr, WH_SLICE_ARG(question));
        }
    }
    wh_json_parser_free(parser);
    return CLI_OK;
}

static int list_conversations(struct cli *cli, bool prints, char ret_first[CONVERSATION_ID_BYTES])
{
    struct cli_answer answer = {0};
    int code = call(cli, "GET", "/api/v1/conversations", &answer);

    if (code == CLI_OK && prints && cli->opt.format == CLI_JSON) {
        code = cli_data(&cli->out, wh_buf_slice(&answer.body)) ? CLI_OK : CLI_FAILED;
    } else if (code == CLI_OK) {
        code = read_conversations(cli, wh_buf_slice(&answer.body), prints, ret_first);
    }
    wh_buf_done(&answer.body);
    return code;
}

static int forget(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf path;
    struct cli_answer answer = {0};
    struct wh_err err;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (wh_buf_append(&path, WH_LIT("/api/v1/conversations/"), &err) != WH_OK ||
        wh_percent_encode(wh_slice_str(cli->opt.forget), &path, &err) != WH_OK) {
        return cli_fail(cli, "ask", &err);
    }
    code = call(cli, "DELETE", wh_buf_str(&path), &answer);
    wh_buf_done(&answer.body);
    return code;
}

/* ---- the question ---- */

static enum wh_rc make_path(const struct cli *cli, const char *conversation, struct wh_buf *path,
                            struct wh_err *err)
{
    if (cli->opt.list) {
        return wh_buf_append(path, WH_LIT("/api/v1/questions"), err);
    }
    if (wh_buf_append(path, WH_LIT("/api/v1/ask?q="), err) != WH_OK ||
        (cli->opt.n_args > 1 &&
         wh_percent_encode(wh_slice_str(cli->opt.args[1]), path, err) != WH_OK) ||
        add_argument("conversation", conversation, path, err) != WH_OK ||
        add_argument("now", cli->opt.now, path, err) != WH_OK ||
        add_argument("zone", cli->opt.zone, path, err) != WH_OK ||
        add_argument("choose", cli->opt.choose, path, err) != WH_OK) {
        return err->rc;
    }
    return show_past_args(cli, '&', path, err);
}

/* A question is kept, so that the next one can refine it; what is only looked at again is not. */
static int ask(struct cli *cli, const char *conversation)
{
    bool asks = cli->opt.n_args > 1;
    WH_AUTO(buf) struct wh_buf path;
    struct cli_answer answer = {0};
    struct wh_json_parser *parser;
    struct wh_err err;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (make_path(cli, conversation, &path, &err) != WH_OK ||
        cli_call(cli, asks ? "POST" : "GET", cli->conf.sink_url, wh_buf_slice(&path),
                 cli->conf.sink_token_file, WH_LIT(""), &answer, &err) != WH_OK) {
        return cli_fail(cli, "ask", &err);
    }
    parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX);
    code = take_answer(cli, &answer, parser);
    wh_json_parser_free(parser);
    wh_buf_done(&answer.body);
    return code;
}

int cli_ask(struct cli *cli)
{
    bool plain = cli->opt.list || cli->opt.conversations || cli->opt.forget;
    char last[CONVERSATION_ID_BYTES] = "";
    int code = CLI_OK;

    if (plain ? cli->opt.n_args != 1 : cli->opt.n_args < 2 && !cli->opt.conversation) {
        cli_note(&cli->out, "wellhead: ask needs one question, in quotes, or --list\n");
        return CLI_USAGE;
    }
    if (cli->opt.conversations) {
        return list_conversations(cli, true, last);
    }
    if (cli->opt.forget) {
        return forget(cli);
    }
    if (cli->opt.follow && !cli->opt.conversation) {
        code = list_conversations(cli, false, last);
        if (code == CLI_OK && last[0] == 0) {
            cli_note(&cli->out, "wellhead: ask: there is no question yet that this could refine\n");
            return CLI_NOTHING;
        }
    }
    return code == CLI_OK ? ask(cli, last[0] ? last : cli->opt.conversation) : code;
}
