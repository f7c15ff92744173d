/* wellhead search: full-text search, answered by the sink. */
#include "cli/commands/commands.h"
#include "cli/commands/show_parts.h"
#include "cli/out/value.h"
#include "common/base/enc.h"

enum { PATH_MAX_BYTES = 16384, TEXT_MAX_BYTES = 4096, DEPTH_MAX = 32, LIMIT_MAX = 100 };

/* "issue opened  shop/api", then what is found, then where. */
static void print_row(const struct cli *cli, struct wh_json_val row)
{
    struct wh_slice title = wh_json_get_str(row, "title");
    struct wh_slice url = wh_json_get_str(row, "url");
    struct wh_slice snippet = wh_json_get_str(row, "snippet");
    struct wh_slice note = wh_json_get_str(row, "note");

    cli_say(&cli->out, "%.*s\n", WH_SLICE_ARG(title.len ? title : wh_json_get_str(row, "kind")));
    if (note.len) {
        cli_say(&cli->out, "    %.*s\n", WH_SLICE_ARG(note));
    }
    if (snippet.len) {
        cli_say(&cli->out, "    %.*s\n", WH_SLICE_ARG(snippet));
    }
    cli_say(&cli->out, "    %.*s %.*s%s %.*s %.*s\n", WH_SLICE_ARG(wh_json_get_str(row, "kind")),
            WH_SLICE_ARG(wh_json_get_str(row, "state")),
            wh_json_get_flag(row, "deleted") ? " deleted" : "",
            WH_SLICE_ARG(wh_json_get_str(row, "project_path")),
            WH_SLICE_ARG(url.len ? url : wh_json_get_str(row, "id")));
}

/* What is not a row: how much there is, and what one should know of it. */
static void print_summary(const struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter kinds = wh_json_get_iter(root, "kinds");
    struct wh_slice hint = wh_json_get_str(root, "hint");
    struct wh_json_val index;
    struct wh_json_val kind;
    struct wh_slice key;

    if (hint.len) {
        cli_note(&cli->out, "wellhead: search: %.*s\n", WH_SLICE_ARG(hint));
    }
    if (wh_json_get(root, WH_LIT("index"), &index) && !wh_json_get_flag(index, "ready")) {
        cli_note(&cli->out, "wellhead: search: the index is being built; what is named by its "
                            "address, its number or a commit is found already\n");
    }
    while (wh_json_next(&kinds, &key, &kind)) {
        cli_note(&cli->out, "%8lld%s %.*s\n", (long long)wh_json_get_int(kind, "count", 0),
                 wh_json_get_flag(root, "partial") ? " or more" : "",
                 WH_SLICE_ARG(wh_json_get_str(kind, "kind")));
    }
}

static int print_answer(struct cli *cli, struct wh_slice body)
{
    struct wh_json_parser *parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX);
    struct wh_json_iter rows;
    struct wh_json_val root;
    struct wh_json_val row;
    struct wh_slice key;
    struct wh_err err;
    size_t n = 0;

    if (parser == NULL || wh_json_parse(parser, body, &root, &err) != WH_OK) {
        wh_json_parser_free(parser);
        cli_note(&cli->out, "wellhead: search: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    if (cli->opt.format == CLI_JSON && !cli_data(&cli->out, body)) {
        wh_json_parser_free(parser);
        return CLI_FAILED;
    }
    if (cli->opt.format == CLI_TEXT) {
        cli_use_pager(cli);
    }
    rows = wh_json_get_iter(root, "rows");
    for (; wh_json_next(&rows, &key, &row); n++) {
        if (cli->opt.format == CLI_TEXT) {
            print_row(cli, row);
        }
    }
    if (cli->opt.format == CLI_TEXT) {
        cli_page_end(&cli->out);
        print_summary(cli, root);
    }
    wh_json_parser_free(parser);
    if (n == 0) {
        cli_note(&cli->out, "wellhead: search: nothing was found\n");
    }
    return n ? CLI_OK : CLI_NOTHING;
}

/* The words, with a blank between them. */
static enum wh_rc join_words(const struct cli *cli, struct wh_buf *out, struct wh_err *err)
{
    for (size_t i = 1; i < cli->opt.n_args; i++) {
        if ((i > 1 && wh_buf_append_char(out, ' ', err) != WH_OK) ||
            wh_buf_append(out, wh_slice_str(cli->opt.args[i]), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc make_path(const struct cli *cli, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, TEXT_MAX_BYTES);
    if (join_words(cli, &text, err) != WH_OK ||
        wh_buf_append(out, WH_LIT("/api/v1/search?_search="), err) != WH_OK ||
        wh_percent_encode(wh_buf_slice(&text), out, err) != WH_OK) {
        return err->rc;
    }
    if (cli->opt.kind && (wh_buf_append(out, WH_LIT("&kind="), err) != WH_OK ||
                          wh_percent_encode(wh_slice_str(cli->opt.kind), out, err) != WH_OK)) {
        return err->rc;
    }
    if (cli->opt.limit > 0 &&
        wh_buf_printf(out, err, "&_size=%lld", (long long)cli->opt.limit) != WH_OK) {
        return err->rc;
    }
    return cli->opt.format == CLI_CSV
               ? wh_buf_printf(out, err, "&_format=csv%s", cli->opt.csv_safe ? "" : "-raw")
               : WH_OK;
}

int cli_search(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf path;
    struct cli_answer answer = {0};
    struct wh_err err;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (cli->opt.n_args < 2) {
        cli_note(&cli->out, "wellhead: search needs words, a reference or an address\n");
        return CLI_USAGE;
    }
    if (cli->opt.limit > LIMIT_MAX || cli->opt.limit == 0) {
        cli_note(&cli->out, "wellhead: search prints at most %d records: --limit 1 to %d\n",
                 LIMIT_MAX, LIMIT_MAX);
        return CLI_USAGE;
    }
    if (make_path(cli, &path, &err) != WH_OK ||
        cli_call(cli, "GET", cli->conf.sink_url, wh_buf_slice(&path), cli->conf.sink_token_file,
                 WH_LIT(""), &answer, &err) != WH_OK) {
        return cli_fail(cli, "search", &err);
    }
    if (answer.status != 200) {
        code = cli_fail_answer(cli, "search", &answer);
    } else if (cli->opt.format == CLI_CSV) {
        code = cli_data(&cli->out, wh_buf_slice(&answer.body)) ? CLI_OK : CLI_FAILED;
    } else {
        code = print_answer(cli, wh_buf_slice(&answer.body));
    }
    wh_buf_done(&answer.body);
    return code;
}
