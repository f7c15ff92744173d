/* wellhead show: one entity with the revision that set each field, its revisions and its links. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/enc.h"

enum { ANSWER_MAX_BYTES = 64 << 20, PATH_MAX_BYTES = 8192, CELL_MAX_BYTES = 1 << 16 };

struct part {
    struct cli_answer answer;
    struct wh_json_parser *parser;
    struct wh_json_val root;
};

static void part_done(struct part *p)
{
    wh_buf_done(&p->answer.body);
    wh_json_parser_free(p->parser);
}

/* Fetches a part. CLI_OK, or the exit code after the reason was printed. */
static int fetch(struct cli *cli, const char *path, struct part *p)
{
    struct wh_err err;

    *p = (struct part){.parser = wh_json_parser_new(ANSWER_MAX_BYTES, 64)};
    if (cli_call(cli, "GET", cli->conf.sink_url, wh_slice_str(path), cli->conf.sink_token_file,
                 WH_LIT(""), &p->answer, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    if (p->answer.status != 200) {
        return cli_fail_answer(cli, "show", &p->answer);
    }
    if (p->parser == NULL ||
        wh_json_parse(p->parser, wh_buf_slice(&p->answer.body), &p->root, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: show: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    return CLI_OK;
}

static enum wh_rc entity_path(const char *what, struct wh_buf *out, struct wh_err *err)
{
    bool url = strstr(what, "://") != NULL;

    if (wh_buf_append(out, url ? WH_LIT("/api/v1/entities?url=") : WH_LIT("/api/v1/entities/"),
                      err) != WH_OK) {
        return err->rc;
    }
    return wh_percent_encode(wh_slice_str(what), out, err);
}

static void print_fields(const struct cli *cli, struct wh_json_val entity)
{
    struct wh_json_val fields = {0};
    struct wh_json_val set_by = {0};
    struct wh_json_val versions = {0};
    struct wh_json_val value;
    struct wh_json_iter it;
    struct wh_slice name;
    struct cli_table t;
    WH_AUTO(buf) struct wh_buf cell = {0};

    if (!wh_json_get(entity, WH_LIT("fields"), &fields)) {
        return;
    }
    (void)wh_json_get(entity, WH_LIT("set_by"), &set_by);
    (void)wh_json_get(entity, WH_LIT("set_by_versions"), &versions);
    wh_buf_init(&cell, CELL_MAX_BYTES);
    cli_table_init(&t, 4);
    cli_table_str(&t, "field");
    cli_table_str(&t, "value");
    cli_table_str(&t, "set by");
    cli_table_str(&t, "at");
    for (it = wh_json_iter(fields); wh_json_next(&it, &name, &value);) {
        struct wh_json_val by = {0};
        struct wh_json_val version = {0};

        wh_buf_reset(&cell);
        cli_value_text(value, &cell);
        cli_table_cell(&t, name);
        cli_table_cell(&t, wh_buf_slice(&cell));
        if (set_by.doc && versions.doc && wh_json_get(set_by, name, &by) &&
            wh_json_get(versions, wh_json_string(by), &version)) {
            cli_table_cell(&t, cli_get_str(version, "origin"));
            cli_table_cell(&t, cli_get_str(version, "version_at"));
        } else {
            cli_table_str(&t, "");
            cli_table_str(&t, "");
        }
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

/* Prints these columns of the rows of an answer. */
static void print_rows(const struct cli *cli, const char *title, struct wh_json_val root,
                       const char *const *columns, size_t n)
{
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;
    WH_AUTO(buf) struct wh_buf cell = {0};

    if (!wh_json_get(root, WH_LIT("rows"), &rows)) {
        return;
    }
    wh_buf_init(&cell, CELL_MAX_BYTES);
    cli_table_init(&t, n);
    for (size_t i = 0; i < n; i++) {
        cli_table_str(&t, columns[i]);
    }
    for (it = wh_json_iter(rows); wh_json_next(&it, &key, &row);) {
        for (size_t i = 0; i < n; i++) {
            struct wh_json_val v;

            wh_buf_reset(&cell);
            if (wh_json_get(row, wh_slice_str(columns[i]), &v)) {
                cli_value_text(v, &cell);
            }
            cli_table_cell(&t, wh_buf_slice(&cell));
        }
    }
    cli_say(&cli->out, "\n%s\n", title);
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

static void print_head(const struct cli *cli, struct wh_json_val entity)
{
    struct wh_json_val source;

    cli_say(&cli->out, "%.*s %.*s\n", WH_SLICE_ARG(cli_get_str(entity, "kind")),
            WH_SLICE_ARG(cli_get_str(entity, "id")));
    if (wh_json_get(entity, WH_LIT("source"), &source)) {
        cli_say(&cli->out, "%.*s %.*s %.*s\n%.*s\n\n",
                WH_SLICE_ARG(cli_get_str(source, "instance")),
                WH_SLICE_ARG(cli_get_str(source, "kind")), WH_SLICE_ARG(cli_get_str(source, "id")),
                WH_SLICE_ARG(cli_get_str(source, "url")));
    }
}

static int show_all(struct cli *cli, struct wh_json_val entity)
{
    static const char *const revision_columns[] = {
        "version_at", "change", "origin", "observed_at", "topic", "partition", "offset", "changed"};
    static const char *const link_columns[] = {"direction", "relation", "kind", "id", "title"};
    struct wh_slice id = cli_get_str(entity, "id");
    char path[PATH_MAX_BYTES];
    struct part p;
    int code;

    print_head(cli, entity);
    print_fields(cli, entity);
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%.*s/revisions", WH_SLICE_ARG(id));
    code = fetch(cli, path, &p);
    if (code == CLI_OK) {
        print_rows(cli, "revisions", p.root, revision_columns,
                   sizeof(revision_columns) / sizeof(revision_columns[0]));
    }
    part_done(&p);
    if (code != CLI_OK) {
        return code;
    }
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%.*s/links", WH_SLICE_ARG(id));
    code = fetch(cli, path, &p);
    if (code == CLI_OK) {
        print_rows(cli, "links", p.root, link_columns,
                   sizeof(link_columns) / sizeof(link_columns[0]));
    }
    part_done(&p);
    return code;
}

int cli_show(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf path = {0};
    struct wh_json_val entity;
    struct wh_err err;
    struct part p;
    int code;

    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: show needs an entity's id or its GitLab address\n");
        return CLI_USAGE;
    }
    if (cli_url_has_user(cli->opt.args[1])) {
        cli_note(&cli->out, "wellhead: show: an address must not hold a user name or a password\n");
        return CLI_USAGE;
    }
    wh_buf_init(&path, PATH_MAX_BYTES);
    if (entity_path(cli->opt.args[1], &path, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    code = fetch(cli, wh_buf_str(&path), &p);
    if (code == CLI_OK && cli->opt.format != CLI_TEXT) {
        code = cli_data(&cli->out, wh_buf_slice(&p.answer.body)) ? CLI_OK : CLI_FAILED;
    } else if (code == CLI_OK) {
        code = wh_json_get(p.root, WH_LIT("entity"), &entity) ? show_all(cli, entity) : CLI_FAILED;
    }
    part_done(&p);
    return code;
}
