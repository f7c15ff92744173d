/* From what a person typed to the id of an entity. */
#include <stdio.h>

#include "common/text/address.h"
#include "cli/commands/show_parts.h"
#include "cli/core/query.h"
#include "cli/out/value.h"
#include "common/base/enc.h"

enum { QUERY_MAX_BYTES = 2048, CHOICES_MAX = 20, DEPTH_MAX = 64 };

/* Where a thing is looked for. */
static const struct place {
    const char *table;
    const char *number; /* column of the number in the address */
    const char *only;   /* condition */
} places[] = {
    [WH_THING_UNKNOWN] = {NULL, NULL, NULL},
    [WH_THING_MERGE_REQUEST] = {"work_items_all", "source_iid", " and t.type = 'merge_request'"},
    [WH_THING_ISSUE] = {"work_items_all", "source_iid", " and t.type is not 'merge_request'"},
    [WH_THING_MILESTONE] = {"milestones_all", "source_iid", ""},
    [WH_THING_PIPELINE] = {"build_records_all", "source_id", ""},
    [WH_THING_JOB] = {"jobs_all", "source_id", ""},
    [WH_THING_ENVIRONMENT] = {"environments_all", "source_id", ""},
};

static int take_id(struct wh_slice id, char ret[SHOW_ID_MAX])
{
    (void)snprintf(ret, SHOW_ID_MAX, "%.*s", WH_SLICE_ARG(id));
    return id.len ? CLI_OK : CLI_NOTHING;
}

/* ---- by its page ---- */

/* CLI_NOTHING without a message when no entity has that page. */
static int by_url(struct cli *cli, struct wh_slice url, char ret[SHOW_ID_MAX])
{
    WH_AUTO(buf) struct wh_buf path;
    struct wh_json_val entity;
    struct show_part part = {0};
    struct wh_err err;
    bool found = false;
    int code;

    wh_buf_init(&path, SHOW_PATH_MAX_BYTES);
    if (wh_buf_append(&path, WH_LIT("/api/v1/entities?url="), &err) != WH_OK ||
        wh_percent_encode(url, &path, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    code = show_fetch(cli, wh_buf_str(&path), &part, &found);
    if (code == CLI_OK) {
        code = found && wh_json_get(part.root, WH_LIT("entity"), &entity)
                   ? take_id(wh_json_get_str(entity, "id"), ret)
                   : CLI_NOTHING;
    }
    show_part_done(&part);
    return code;
}

/* The page's address as GitLab writes it today, with the comment's mark. */
static enum wh_rc canonical(const struct wh_address *a, struct wh_buf *out, struct wh_err *err)
{
    bool plain_http = wh_slice_starts(a->text, WH_LIT("http://"));

    if (wh_buf_printf(out, err, "%s%.*s/-/%s/%.*s", plain_http ? "http://" : "https://",
                      WH_SLICE_ARG(a->home), a->word, WH_SLICE_ARG(a->number)) != WH_OK) {
        return err->rc;
    }
    return a->note.len ? wh_buf_printf(out, err, "#note_%.*s", WH_SLICE_ARG(a->note)) : WH_OK;
}

/* ---- by project and number ---- */

static enum wh_rc number_query(const struct wh_address *a, struct wh_buf *out, struct wh_err *err)
{
    const struct place *place = &places[a->thing];
    const char *title =
        a->thing == WH_THING_MERGE_REQUEST || a->thing == WH_THING_ISSUE ? "t.title" : "null";

    /* The few projects first, then what is in them, by the index of projects. */
    return wh_buf_printf(
        out, err, "select t.id, t.url, %s as title from %s%s t%s where t.%s = :number%s%s limit %d",
        title, a->path.len ? "projects_all p cross join " : "", place->table,
        a->path.len ? " on t.project = p.id" : "", place->number, place->only,
        a->home.len   ? " and substr(p.url, instr(p.url, '://') + 3) = :home collate nocase"
        : a->path.len ? " and p.path = :path collate nocase"
                      : "",
        CHOICES_MAX + 1);
}

/* Several objects have that number: the user chooses. */
static int say_choices(const struct cli *cli, struct wh_json_val rows)
{
    struct wh_json_iter it = wh_json_iter(rows);
    struct wh_json_val row;
    struct wh_slice key;
    size_t n = cli_count(rows);

    cli_note(&cli->out, "wellhead: show: %s%zu objects have that number; give one of these:\n",
             n > CHOICES_MAX ? "more than " : "", n > CHOICES_MAX ? (size_t)CHOICES_MAX : n);
    for (size_t i = 0; i < CHOICES_MAX && wh_json_next(&it, &key, &row); i++) {
        cli_note(&cli->out, "  %.*s  %.*s\n", WH_SLICE_ARG(wh_json_get_str(row, "url")),
                 WH_SLICE_ARG(wh_json_get_str(row, "title")));
    }
    return CLI_AMBIGUOUS;
}

static int take_only(const struct cli *cli, struct wh_json_val rows, char ret[SHOW_ID_MAX])
{
    struct wh_json_iter it = wh_json_iter(rows);
    struct wh_json_val row;
    struct wh_slice key;

    switch (cli_count(rows)) {
    case 0:
        return CLI_NOTHING;
    case 1:
        (void)wh_json_next(&it, &key, &row);
        return take_id(wh_json_get_str(row, "id"), ret);
    default:
        return say_choices(cli, rows);
    }
}

static int by_number(struct cli *cli, const struct wh_address *a, struct wh_json_parser *parser,
                     char ret[SHOW_ID_MAX])
{
    WH_AUTO(buf) struct wh_buf text;
    struct cli_query query = {.names = {"number"}, .values = {a->number}};
    struct wh_json_val rows;
    struct wh_err err;
    int code;

    wh_buf_init(&text, QUERY_MAX_BYTES);
    if (number_query(a, &text, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    query.text = wh_buf_str(&text);
    if (a->path.len) {
        query.names[1] = a->home.len ? "home" : "path";
        query.values[1] = a->home.len ? a->home : a->path;
    }
    code = cli_query(cli, "show", &query, parser, &rows);
    return code == CLI_OK ? take_only(cli, rows, ret) : code;
}

/* The comment that the address marks, if it is stored; otherwise what it is about. */
static int to_note(struct cli *cli, const struct wh_address *a, struct wh_json_parser *parser,
                   char ret[SHOW_ID_MAX])
{
    const struct cli_query query = {
        .text = "select id from notes_all where work_item = :about and source_id = :note limit 1",
        .names = {"about", "note"},
        .values = {wh_slice_str(ret), a->note}};
    struct wh_json_val rows;
    int code = cli_query(cli, "show", &query, parser, &rows);

    if (code == CLI_OK && cli_count(rows) == 1) {
        code = take_only(cli, rows, ret);
    }
    return code;
}

/* ---- all ways ---- */

static int by_address(struct cli *cli, const struct wh_address *a, struct wh_json_parser *parser,
                      char ret[SHOW_ID_MAX])
{
    WH_AUTO(buf) struct wh_buf url;
    struct wh_err err;
    int code = CLI_NOTHING;

    wh_buf_init(&url, SHOW_PATH_MAX_BYTES);
    if (a->thing != WH_THING_UNKNOWN && canonical(a, &url, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    if (a->is_url) {
        code = by_url(cli, url.len ? wh_buf_slice(&url) : a->text, ret);
    }
    /* It was renamed, moved, or is written in another way here. */
    if (code == CLI_NOTHING && a->thing != WH_THING_UNKNOWN) {
        code = by_number(cli, a, parser, ret);
        if (code == CLI_OK && a->note.len) {
            code = to_note(cli, a, parser, ret);
        }
    }
    return code;
}

static int find(struct cli *cli, const struct wh_address *a, char ret[SHOW_ID_MAX])
{
    struct wh_json_parser *parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX);
    int code = CLI_FAILED;

    if (parser) {
        code = by_address(cli, a, parser, ret);
    }
    wh_json_parser_free(parser);
    return code;
}

int show_find(struct cli *cli, const char *typed, char id[SHOW_ID_MAX])
{
    struct wh_address a;
    int code;

    if (!wh_address_read(typed, &a)) {
        cli_note(&cli->out, "wellhead: show needs an address, group/project!12, #45, or an id\n");
        return CLI_USAGE;
    }
    if (a.is_id) {
        return take_id(a.text, id);
    }
    code = find(cli, &a, id);
    if (code == CLI_NOTHING) {
        cli_note(&cli->out, "wellhead: show: nothing is stored under that; `wellhead status` says "
                            "what is read\n");
    }
    return code;
}
