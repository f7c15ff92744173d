/* Titles and names of entities by their ids. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/show_parts.h"
#include "cli/core/query.h"
#include "cli/out/value.h"
#include "common/base/mem.h"
#include "common/event/kind.h"

enum {
    NAMES_MAX = 5000,
    ID_LENGTH = 36,
    IDS_MAX_BYTES = 1 << 20,
    TEXTS_MAX_BYTES = 4 << 20,
    DEPTH_MAX = 32,
    QUERY_MAX_BYTES = 1024,
};

/* What a person calls an entity. */
static const char *const labels[WH_KIND_COUNT] = {
    [WH_KIND_WORK_ITEM] = ("case t.type when 'merge_request' then '!' else '#' end || "
                           "coalesce(t.iid, '?') || ' ' || coalesce(t.title, '')"),
    [WH_KIND_BUILD_RECORD] = "'pipeline ' || t.source_id || coalesce(' of ' || t.ref, '')",
    [WH_KIND_JOB] = "t.name",
    [WH_KIND_TEAM_MEMBER] =
        "coalesce(coalesce(t.team_member_name, t.name) || coalesce(' @' || t.username, ''), '@' || "
        "t.username)",
    [WH_KIND_PROJECT] = "coalesce(t.path, t.name)",
    [WH_KIND_DEPLOYMENT] =
        "'deployment ' || t.source_id || coalesce(' to ' || t.environment_name, '')",
    [WH_KIND_ENVIRONMENT] = "t.name",
    [WH_KIND_RELEASE] = "coalesce(t.name, t.tag)",
    [WH_KIND_MILESTONE] = "t.title",
    [WH_KIND_NOTE] = "substr(t.text, 1, 60)",
    [WH_KIND_MEMBERSHIP] = "t.scope || ' ' || t.scope_id",
    [WH_KIND_SERVICE] = "t.name",
    [WH_KIND_CUSTOMER] = "t.name",
    [WH_KIND_SERVICE_CUSTOMER] = "t.customer || ' uses ' || t.service",
    [WH_KIND_SUBSCRIPTION] = "'subscription ' || t.source_id || ' of ' || t.customer",
    [WH_KIND_PERSON] = "t.name",
    [WH_KIND_SERVICE_OWNERSHIP] = "'owned by ' || t.service || ': ' || "
                                  "coalesce(t.environment, t.path, t.project, t.label)",
};

struct name {
    char id[ID_LENGTH];
    enum wh_kind kind;
    size_t at; /* in texts */
    size_t len;
};

struct show_names {
    struct name *list; /* sorted by id once they were asked for */
    size_t n;
    struct wh_buf texts;
};

struct show_names *show_names_new(void)
{
    struct show_names *names = wh_mem_zalloc(1, sizeof(*names));

    if (names) {
        wh_buf_init(&names->texts, TEXTS_MAX_BYTES);
        names->list = wh_mem_zalloc(NAMES_MAX, sizeof(*names->list));
    }
    if (names && names->list == NULL) {
        wh_mem_free(names);
        return NULL;
    }
    return names;
}

void show_names_free(struct show_names *names)
{
    if (names) {
        wh_buf_done(&names->texts);
        wh_mem_free(names->list);
        wh_mem_free(names);
    }
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct name *)a)->id, ((const struct name *)b)->id, ID_LENGTH);
}

static struct name *find(const struct show_names *names, struct wh_slice id)
{
    struct name key = {.kind = WH_KIND_NONE};

    if (id.len != ID_LENGTH) {
        return NULL;
    }
    memcpy(key.id, id.ptr, ID_LENGTH);
    return bsearch(&key, names->list, names->n, sizeof(key), by_id);
}

/* Keeps the list sorted: a few hundred names at most are usual. */
static void want(struct show_names *names, enum wh_kind kind, struct wh_slice id)
{
    size_t i = names->n;

    if (id.len != ID_LENGTH || kind == WH_KIND_NONE || names->n == NAMES_MAX || find(names, id)) {
        return;
    }
    while (i > 0 && memcmp(names->list[i - 1].id, id.ptr, ID_LENGTH) > 0) {
        names->list[i] = names->list[i - 1];
        i--;
    }
    names->list[i] = (struct name){.kind = kind};
    memcpy(names->list[i].id, id.ptr, ID_LENGTH);
    names->n++;
}

void show_names_want(struct show_names *names, struct wh_slice kind, struct wh_slice id)
{
    const struct wh_kind_def *def = wh_kind_by_name(kind);

    if (def) {
        want(names, def->kind, id);
    }
}

static void want_value(struct show_names *names, enum wh_kind kind, struct wh_json_val value)
{
    struct wh_json_iter it;
    struct wh_json_val item;
    struct wh_slice key;

    if (wh_json_type(value) == WH_JSON_STRING) {
        want(names, kind, wh_json_string(value));
    } else if (wh_json_type(value) == WH_JSON_ARRAY) {
        for (it = wh_json_iter(value); wh_json_next(&it, &key, &item);) {
            want(names, kind, wh_json_string(item));
        }
    }
}

void show_names_want_fields(struct show_names *names, struct wh_slice kind,
                            struct wh_json_val fields)
{
    const struct wh_kind_def *def = wh_kind_by_name(kind);
    struct wh_json_iter it = wh_json_iter(fields);
    struct wh_json_val value;
    struct wh_slice key;

    while (def && wh_json_next(&it, &key, &value)) {
        int field = wh_kind_field(def, key);

        if (field >= 0 && def->fields[field].ref_kind != WH_KIND_NONE) {
            want_value(names, def->fields[field].ref_kind, value);
        }
    }
}

/* ---- the sink's answer ---- */

static void take_rows(struct show_names *names, struct wh_json_val rows)
{
    struct wh_json_iter it = wh_json_iter(rows);
    struct wh_json_val row;
    struct wh_slice key;
    struct wh_err err;

    while (wh_json_next(&it, &key, &row)) {
        struct name *name = find(names, wh_json_get_str(row, "id"));
        struct wh_slice text = wh_json_get_str(row, "label");

        if (name && wh_buf_append(&names->texts, text, &err) == WH_OK) {
            name->at = names->texts.len - text.len;
            name->len = text.len;
        }
    }
}

/* ["<id>",...] of that kind; false when there are none. */
static bool list_ids(const struct show_names *names, enum wh_kind kind, struct wh_buf *out)
{
    struct wh_err err;

    wh_buf_reset(out);
    for (size_t i = 0; i < names->n; i++) {
        if (names->list[i].kind == kind &&
            wh_buf_printf(out, &err, "%s\"%.*s\"", out->len ? "," : "[", ID_LENGTH,
                          names->list[i].id) != WH_OK) {
            return false;
        }
    }
    return out->len > 0 && wh_buf_append_char(out, ']', &err) == WH_OK;
}

static void ask_kind(struct show_names *names, struct cli *cli, const struct wh_kind_def *def,
                     struct wh_slice ids, struct wh_json_parser *parser)
{
    WH_AUTO(buf) struct wh_buf text;
    struct cli_query query = {.names = {"ids"}, .values = {ids}, .past = true};
    struct wh_json_val rows;
    /* Records refer to accounts; the table team_members has the people behind them. */
    const char *table = def->kind == WH_KIND_TEAM_MEMBER ? "accounts" : def->table;
    const char *all = def->kind == WH_KIND_TEAM_MEMBER ? "" : "_all";
    struct wh_err err;

    wh_buf_init(&text, QUERY_MAX_BYTES);
    if (wh_buf_printf(&text, &err,
                      "select t.id, %s as label from json_each(:ids) i cross join %s%s t on t.id "
                      "= i.value limit %d",
                      labels[def->kind], table, all, NAMES_MAX) != WH_OK) {
        return;
    }
    query.text = wh_buf_str(&text);
    if (cli_query(cli, NULL, &query, parser, &rows) == CLI_OK) {
        take_rows(names, rows);
    }
}

void show_names_ask(struct show_names *names, struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf ids;

    wh_buf_init(&ids, IDS_MAX_BYTES);
    for (unsigned k = WH_KIND_NONE + 1; parser && k < WH_KIND_COUNT; k++) {
        if (list_ids(names, (enum wh_kind)k, &ids)) {
            ask_kind(names, cli, wh_kind_def((enum wh_kind)k), wh_buf_slice(&ids), parser);
        }
    }
    wh_json_parser_free(parser);
}

struct wh_slice show_names_get(const struct show_names *names, struct wh_slice id)
{
    const struct name *name = find(names, id);

    return name && name->len ? wh_slice(names->texts.ptr + name->at, name->len) : WH_LIT("");
}

/* ---- values for people ---- */

static void append_text(const struct show_names *names, struct wh_json_val value,
                        struct wh_buf *out)
{
    struct wh_slice name = show_names_get(names, wh_json_string(value));
    struct wh_err err;

    if (name.len) {
        (void)!wh_buf_printf(out, &err, "%.*s (%.*s)", WH_SLICE_ARG(name),
                             WH_SLICE_ARG(wh_json_string(value)));
    } else {
        cli_value_text(value, out);
    }
}

void show_names_value(const struct show_names *names, struct wh_json_val value, struct wh_buf *out)
{
    struct wh_json_iter it;
    struct wh_json_val item;
    struct wh_slice key;
    struct wh_err err;
    bool first = true;

    if (wh_json_type(value) != WH_JSON_ARRAY) {
        append_text(names, value, out);
        return;
    }
    for (it = wh_json_iter(value); wh_json_next(&it, &key, &item); first = false) {
        (void)!wh_buf_append(out, first ? WH_LIT("") : WH_LIT(", "), &err);
        append_text(names, item, out);
    }
}
