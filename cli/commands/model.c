/* wellhead model: the kinds of entities, their fields, and what fills them. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/json/json_doc.h"

enum {
    ANSWER_DEPTH_MAX = 16,
    PATH_BYTES = 96,
    SHARE_BYTES = 16,
    SOURCE_MAX_BYTES = 64 << 10,
    EXAMPLE_MAX_BYTES = 4 << 10
};

static const char *const kind_head[] = {"kind", "table", "entities", "fields", "meaning"};
static const char *const field_head[] = {"field",   "type",   "null",    "example",
                                         "meaning", "source", "links to"};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int64_t count_of(struct wh_json_val object, const char *name)
{
    struct wh_json_iter it = wh_json_get_iter(object, name);
    struct wh_json_val v;
    int64_t n = 0;

    while (wh_json_next(&it, NULL, &v)) {
        n++;
    }
    return n;
}

/* ---- all kinds ---- */

static void print_kinds(struct cli *cli, struct wh_json_val kinds)
{
    struct wh_json_iter it = wh_json_iter(kinds);
    struct cli_table t;
    struct wh_json_val kind;

    cli_table_init(&t, N(kind_head));
    cli_table_head(&t, kind_head, N(kind_head));
    while (wh_json_next(&it, NULL, &kind)) {
        cli_table_cell(&t, wh_json_get_str(kind, "kind"));
        cli_table_cell(&t, wh_json_get_str(kind, "table"));
        cli_table_int(&t, wh_json_get_int(kind, "count", 0));
        cli_table_int(&t, count_of(kind, "fields"));
        cli_table_cell(&t, wh_json_get_str(kind, "meaning"));
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    cli_say(&cli->out, "\n`wellhead model KIND` shows the fields of one\n");
}

/* ---- one kind ---- */

static void print_share(struct cli_table *t, struct wh_json_val field)
{
    double share = cli_get_num(field, "null_share", -1);
    char text[SHARE_BYTES] = "";

    if (share >= 0 && share <= 1) {
        (void)snprintf(text, sizeof(text), "%d%%", (int)(share * 100 + 0.5));
    }
    cli_table_str(t, text);
}

static void print_example(struct cli_table *t, struct wh_json_val field)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_val v;

    wh_buf_init(&text, EXAMPLE_MAX_BYTES);
    if (wh_json_get(field, WH_LIT("example"), &v) && wh_json_type(v) != WH_JSON_NULL) {
        cli_value_text(v, &text);
    }
    cli_table_cell(t, wh_buf_slice(&text));
}

/* "view pointer (rule); ..." */
static enum wh_rc write_sources(struct wh_json_val field, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(field, "source");
    struct wh_json_val v;

    while (wh_json_next(&it, NULL, &v)) {
        struct wh_slice view = wh_json_get_str(v, "view");
        struct wh_slice pointer = wh_json_get_str(v, "pointer");
        struct wh_slice how = wh_json_get_str(v, "rule");

        how = how.len ? how : wh_json_get_str(v, "conversion");
        if (wh_buf_printf(out, err, "%s%.*s %.*s (%.*s)", out->len ? "; " : "", WH_SLICE_ARG(view),
                          WH_SLICE_ARG(pointer), WH_SLICE_ARG(how)) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static void print_field(struct cli_table *t, struct wh_json_val field)
{
    WH_AUTO(buf) struct wh_buf source;
    struct wh_err err;

    wh_buf_init(&source, SOURCE_MAX_BYTES);
    cli_table_cell(t, wh_json_get_str(field, "name"));
    cli_table_cell(t, wh_json_get_str(field, "type"));
    print_share(t, field);
    print_example(t, field);
    cli_table_cell(t, wh_json_get_str(field, "meaning"));
    (void)!write_sources(field, &source, &err);
    cli_table_cell(t, wh_buf_slice(&source));
    cli_table_cell(t, wh_json_get_str(field, "to"));
}

static void print_links(struct cli *cli, struct wh_json_val kind)
{
    struct wh_json_iter it = wh_json_get_iter(kind, "links");
    struct wh_json_val v;

    cli_say(&cli->out, "\nlinks\n");
    while (wh_json_next(&it, NULL, &v)) {
        cli_say(&cli->out, "  %.*s.%.*s -> %.*s\n", WH_SLICE_ARG(wh_json_get_str(v, "from")),
                WH_SLICE_ARG(wh_json_get_str(v, "relation")),
                WH_SLICE_ARG(wh_json_get_str(v, "to")));
    }
}

static void print_kind(struct cli *cli, struct wh_json_val kind)
{
    struct wh_json_iter it = wh_json_get_iter(kind, "fields");
    struct cli_table t;
    struct wh_json_val field;

    cli_say(&cli->out, "%.*s: %.*s\n", WH_SLICE_ARG(wh_json_get_str(kind, "kind")),
            WH_SLICE_ARG(wh_json_get_str(kind, "meaning")));
    cli_say(&cli->out,
            "%lld entities in the table %.*s; nulls and examples are of the %lld that changed "
            "last\n\n",
            (long long)wh_json_get_int(kind, "count", 0),
            WH_SLICE_ARG(wh_json_get_str(kind, "table")),
            (long long)wh_json_get_int(kind, "sampled", 0));
    cli_table_init(&t, N(field_head));
    if (cli->opt.expanded) {
        cli_table_expand(&t);
    }
    cli_table_head(&t, field_head, N(field_head));
    while (wh_json_next(&it, NULL, &field)) {
        print_field(&t, field);
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    print_links(cli, kind);
}

/* ---- the answer ---- */

static int print(struct cli *cli, const struct cli_answer *answer, bool one)
{
    struct wh_json_parser *parser;
    struct wh_json_val root;
    struct wh_json_val kinds;
    struct wh_json_val kind;
    struct wh_json_iter it;
    struct wh_err err;
    bool good;

    if (cli->opt.format == CLI_JSON) {
        return cli_data(&cli->out, wh_buf_slice(&answer->body)) ? CLI_OK : CLI_FAILED;
    }
    parser = wh_json_parser_new(CLI_ANSWER_MAX_BYTES, ANSWER_DEPTH_MAX);
    good = parser && wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK &&
           wh_json_get(root, WH_LIT("kinds"), &kinds);
    if (!good) {
        cli_note(&cli->out, "wellhead: model: the sink's answer cannot be read\n");
    } else if (!one) {
        print_kinds(cli, kinds);
    } else {
        it = wh_json_iter(kinds);
        while (wh_json_next(&it, NULL, &kind)) {
            print_kind(cli, kind);
        }
    }
    wh_json_parser_free(parser);
    return good ? CLI_OK : CLI_FAILED;
}

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

    return n > 0 && n < PATH_BYTES / 2 && name[n] == '\0';
}

int cli_model(struct cli *cli)
{
    const char *kind = cli->opt.n_args > 1 ? cli->opt.args[1] : NULL;
    struct cli_answer answer;
    char path[PATH_BYTES];
    struct wh_err err;
    int code;

    if (kind && !is_name(kind)) {
        cli_note(&cli->out,
                 "wellhead: model: that is no name of a kind; `wellhead model` lists them\n");
        return CLI_USAGE;
    }
    (void)snprintf(path, sizeof(path), "/api/v1/model%s%s", kind ? "/" : "", kind ? kind : "");
    if (cli_call(cli, "GET", cli->conf.sink_url, wh_slice_str(path), cli->conf.sink_token_file,
                 WH_LIT(""), &answer, &err) != WH_OK) {
        code = cli_fail(cli, "model", &err);
    } else if (answer.status != 200) {
        code = cli_fail_answer(cli, "model", &answer);
    } else {
        code = print(cli, &answer, kind != NULL);
    }
    wh_buf_done(&answer.body);
    return code;
}
