/* An entity for people: what it is, its fields, its revisions, its links. */
#include <stdio.h>

#include "cli/commands/show_parts.h"
#include "cli/out/table.h"
#include "cli/out/value.h"

enum { CELL_MAX_BYTES = 8 << 20 };

struct entity {
    struct wh_json_val root;
    struct wh_slice id;
    struct wh_slice kind;
    struct wh_json_val fields;
    bool has_fields;
    struct show_rows revisions;
    struct show_rows links;
    struct show_names *names;
};

/* ---- head ---- */

static void print_deleted(const struct cli *cli, struct wh_json_val entity)
{
    if (wh_json_get_flag(entity, "deleted")) {
        cli_say(&cli->out, "deleted at %.*s: %.*s\n",
                WH_SLICE_ARG(wh_json_get_str(entity, "deleted_at")),
                WH_SLICE_ARG(wh_json_get_str(entity, "deleted_reason")));
    }
}

static void print_head(const struct cli *cli, const struct entity *e)
{
    struct wh_slice name = show_names_get(e->names, e->id);
    struct wh_json_val source;

    cli_say(&cli->out, "%.*s  %.*s\n", WH_SLICE_ARG(e->kind), WH_SLICE_ARG(name));
    if (wh_json_get(e->root, WH_LIT("source"), &source)) {
        cli_say(&cli->out, "%.*s\n", WH_SLICE_ARG(wh_json_get_str(source, "url")));
        cli_say(&cli->out, "id %.*s; %.*s %.*s at %.*s\n", WH_SLICE_ARG(e->id),
                WH_SLICE_ARG(wh_json_get_str(source, "kind")),
                WH_SLICE_ARG(wh_json_get_str(source, "id")),
                WH_SLICE_ARG(wh_json_get_str(source, "instance")));
    }
    print_deleted(cli, e->root);
    cli_say(&cli->out, "\n");
}

/* ---- fields ---- */

static void add_provenance(struct cli_table *t, struct wh_json_val entity, struct wh_slice field)
{
    struct wh_json_val set_by = {0};
    struct wh_json_val versions = {0};
    struct wh_json_val by = {0};
    struct wh_json_val version = {0};

    if (wh_json_get(entity, WH_LIT("set_by"), &set_by) &&
        wh_json_get(entity, WH_LIT("set_by_versions"), &versions) &&
        wh_json_get(set_by, field, &by) && wh_json_get(versions, wh_json_string(by), &version)) {
        cli_table_cell(t, wh_json_get_str(version, "origin"));
        cli_table_cell(t, wh_json_get_str(version, "version_at"));
    } else {
        cli_table_str(t, "");
        cli_table_str(t, "");
    }
}

static void print_fields(const struct cli *cli, const struct entity *e)
{
    static const char *const head[] = {"field", "value", "set by", "at"};
    struct wh_json_iter it;
    struct wh_json_val value;
    struct wh_slice name;
    struct cli_table t;
    WH_AUTO(buf) struct wh_buf cell = {0};

    if (!e->has_fields) {
        return;
    }
    wh_buf_init(&cell, CELL_MAX_BYTES);
    cli_table_init(&t, 4);
    cli_table_head(&t, head, 4);
    for (it = wh_json_iter(e->fields); wh_json_next(&it, &name, &value);) {
        wh_buf_reset(&cell);
        show_names_value(e->names, value, &cell);
        cli_table_cell(&t, name);
        cli_table_cell(&t, wh_buf_slice(&cell));
        add_provenance(&t, e->root, name);
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

/* ---- links ---- */

static void print_links(const struct cli *cli, const struct entity *e)
{
    static const char *const head[] = {"direction", "relation", "kind", "name", "id"};
    struct cli_table t;

    if (e->links.n == 0) {
        return;
    }
    cli_say(&cli->out, "\nlinks\n");
    cli_table_init(&t, 5);
    cli_table_head(&t, head, 5);
    for (size_t i = 0; i < e->links.n; i++) {
        struct wh_json_val row = e->links.list[i];
        struct wh_slice id = wh_json_get_str(row, "id");

        cli_table_cell(&t, wh_json_get_str(row, "direction"));
        cli_table_cell(&t, wh_json_get_str(row, "relation"));
        cli_table_cell(&t, wh_json_get_str(row, "kind"));
        cli_table_cell(&t, show_names_get(e->names, id));
        cli_table_cell(&t, id);
        cli_table_stream(&t, &cli->out);
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

/* ---- all of it ---- */

static void want_names(const struct entity *e)
{
    show_names_want(e->names, e->kind, e->id);
    if (e->has_fields) {
        show_names_want_fields(e->names, e->kind, e->fields);
    }
    show_want_revisions(e->names, e->kind, &e->revisions);
    for (size_t i = 0; i < e->links.n; i++) {
        show_names_want(e->names, wh_json_get_str(e->links.list[i], "kind"),
                        wh_json_get_str(e->links.list[i], "id"));
    }
}

static int fetch(struct cli *cli, struct entity *e)
{
    char path[SHOW_PATH_MAX_BYTES];
    int code;

    (void)snprintf(path, sizeof(path), "/api/v1/entities/%.*s/revisions", WH_SLICE_ARG(e->id));
    code = show_fetch_rows(cli, path, &e->revisions);
    if (code != CLI_OK) {
        return code;
    }
    (void)snprintf(path, sizeof(path), "/api/v1/entities/%.*s/links", WH_SLICE_ARG(e->id));
    return show_fetch_rows(cli, path, &e->links);
}

int show_print(struct cli *cli, struct wh_json_val entity)
{
    struct entity e = {.root = entity,
                       .id = wh_json_get_str(entity, "id"),
                       .kind = wh_json_get_str(entity, "kind"),
                       .names = show_names_new()};
    struct show_people *people = NULL;
    int code = e.names ? fetch(cli, &e) : CLI_FAILED;

    e.has_fields = wh_json_get(entity, WH_LIT("fields"), &e.fields);
    if (code == CLI_OK) {
        want_names(&e);
        show_names_ask(e.names, cli);
        people = show_people_ask(cli, &e.revisions);
        cli_use_pager(cli);
        print_head(cli, &e);
        print_fields(cli, &e);
        show_print_revisions(cli, e.kind, &e.revisions, e.names, people);
        print_links(cli, &e);
    }
    show_rows_done(&e.revisions);
    show_rows_done(&e.links);
    show_names_free(e.names);
    show_people_free(people);
    return code;
}
