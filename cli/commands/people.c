/* wellhead people: who is who, and what people decide about it. */
#include "cli/commands/people.h"

#include <string.h>

#include "cli/out/value.h"
#include "common/event/entity.h"

/* ---- lists ---- */

static int list(struct cli *cli)
{
    return cli_sql_query(cli, "people",
                         WH_LIT("select name, type, status, team, accounts, emails, id from "
                                "team_members order by type, name, id"));
}

static int review(struct cli *cli)
{
    return cli_sql_query(cli, "people",
                         WH_LIT("select rule, key, left_name, right_name, since, left, right from "
                                "people_review order by rule, key, left, right"));
}

/* ---- finding somebody ---- */

static bool is_id(const char *text)
{
    struct wh_entity_id id;
    struct wh_err ignored;

    return wh_entity_id_parse(wh_slice_str(text), &id, &ignored) == WH_OK;
}

/* By an id, which may have been merged away; or by what people call somebody. */
#define MEMBERS "select id, name, accounts, source, id as node from team_members"
static const char member_by_id[] = MEMBERS " where id = :x";
static const char member_by_name[] =
    MEMBERS " t where lower(name) = lower(:x) or id in (select team_member from accounts where "
            "lower(username) = lower(:x) or lower(email) = lower(:x) or system || ':' || "
            "lower(username) = lower(:x)) or exists (select 1 from json_each(t.emails) where "
            "lower(value) = lower(:x))";
#define ACCOUNTS                                                                                   \
    "select a.id, a.team_member_name as name, t.accounts, t.id = a.id and "                        \
    "json_array_length(t.accounts) = 1 as alone from accounts a join team_members t on t.id = "    \
    "a.team_member"
static const char account_by_id[] = ACCOUNTS " where a.id = :x";
static const char account_by_name[] =
    ACCOUNTS " where lower(a.username) = lower(:x) or a.system || ':' || lower(a.username) = "
             "lower(:x)";

static void list_found(const struct cli *cli, struct wh_json_val rows)
{
    struct wh_json_iter it = wh_json_iter(rows);
    struct wh_json_val row;

    while (wh_json_next(&it, NULL, &row)) {
        struct wh_slice id = wh_json_get_str(row, "id");
        struct wh_slice name = wh_json_get_str(row, "name");
        struct wh_slice accounts = wh_json_get_str(row, "accounts");

        cli_note(&cli->out, "  %.*s  %.*s  %.*s\n", WH_SLICE_ARG(id), WH_SLICE_ARG(name),
                 WH_SLICE_ARG(accounts));
    }
}

/* One row for what was typed; the exit code says why there is none. */
static int find(struct cli *cli, const char *by_id, const char *by_name, const char *typed,
                struct wh_json_parser *parser, struct wh_json_val *ret)
{
    struct cli_query query = {.text = is_id(typed) ? by_id : by_name, .names = {"x"}};
    struct wh_json_iter it;
    struct wh_json_val rows;
    int code;

    query.values[0] = wh_slice_str(typed);
    code = cli_query(cli, "people", &query, parser, &rows);
    if (code != CLI_OK) {
        return code;
    }
    if (cli_count(rows) == 0) {
        cli_note(&cli->out,
                 "wellhead: people: nobody is '%s'; `wellhead people list` shows "
                 "everybody\n",
                 typed);
        return CLI_NOTHING;
    }
    if (cli_count(rows) > 1) {
        cli_note(&cli->out, "wellhead: people: '%s' may be each of these; use an id:\n", typed);
        list_found(cli, rows);
        return CLI_AMBIGUOUS;
    }
    it = wh_json_iter(rows);
    return wh_json_next(&it, NULL, ret) ? CLI_OK : CLI_FAILED;
}

/* ---- decisions ---- */

static void keep(char *to, size_t size, struct wh_slice text)
{
    size_t n = text.len < size ? text.len : size - 1;

    if (n) {
        memcpy(to, text.ptr, n);
    }
    to[n] = '\0';
}

/* An id that was given is kept as it is: it says which account or row is meant. */
static int find_member(struct cli *cli, const char *typed, struct wh_json_parser *parser,
                       struct people_named *node, struct people_named *member)
{
    struct wh_json_val row;
    int code = find(cli, member_by_id, member_by_name, typed, parser, &row);

    if (code == CLI_OK) {
        keep(member->id, sizeof(member->id), wh_json_get_str(row, "id"));
        keep(member->name, sizeof(member->name), wh_json_get_str(row, "name"));
        *node = *member;
        if (is_id(typed)) {
            keep(node->id, sizeof(node->id), wh_slice_str(typed));
        }
    }
    return code;
}

static int merge(struct cli *cli, struct wh_json_parser *parser)
{
    struct people_decided d = {.action = WH_ACTION_MERGE};
    struct people_named left;
    struct people_named right;
    int code = find_member(cli, cli->opt.args[2], parser, &d.subject, &left);

    if (code == CLI_OK) {
        code = find_member(cli, cli->opt.args[3], parser, &d.object, &right);
    }
    if (code != CLI_OK) {
        return code;
    }
    if (strcmp(left.id, right.id) == 0) {
        cli_note(&cli->out, "wellhead: people: both are %s already\n", left.name);
        return CLI_FAILED;
    }
    return people_decide(cli, &d, parser);
}

static int split(struct cli *cli, struct wh_json_parser *parser)
{
    struct people_decided d = {.action = WH_ACTION_SPLIT};
    struct wh_json_val row;
    int code = find(cli, account_by_id, account_by_name, cli->opt.args[2], parser, &row);

    if (code != CLI_OK) {
        return code;
    }
    if (wh_json_get_int(row, "alone", 0)) {
        cli_note(&cli->out, "wellhead: people: this account stands alone already\n");
        return CLI_FAILED;
    }
    keep(d.subject.id, sizeof(d.subject.id), wh_json_get_str(row, "id"));
    keep(d.subject.name, sizeof(d.subject.name), wh_json_get_str(row, "name"));
    return people_decide(cli, &d, parser);
}

static int undo(struct cli *cli, struct wh_json_parser *parser)
{
    struct cli_query query = {.text = "select id, action, undone_at from decisions where id = :x",
                              .names = {"x"}};
    struct people_decided d = {.action = WH_ACTION_UNDO};
    struct wh_json_iter it;
    struct wh_json_val rows;
    struct wh_json_val row;
    int code;

    query.values[0] = wh_slice_str(cli->opt.args[2]);
    code = cli_query(cli, "people", &query, parser, &rows);
    if (code != CLI_OK) {
        return code;
    }
    it = wh_json_iter(rows);
    if (!wh_json_next(&it, NULL, &row)) {
        cli_note(&cli->out,
                 "wellhead: people: there is no decision '%s'; `wellhead sql \"select * "
                 "from decisions\"` lists them\n",
                 cli->opt.args[2]);
        return CLI_NOTHING;
    }
    if (wh_json_get_str(row, "undone_at").len) {
        cli_note(&cli->out, "wellhead: people: this decision is undone already\n");
        return CLI_FAILED;
    }
    keep(d.subject.id, sizeof(d.subject.id), wh_json_get_str(row, "id"));
    keep(d.subject.name, sizeof(d.subject.name), wh_json_get_str(row, "action"));
    return people_decide(cli, &d, parser);
}

/* ---- the command ---- */

static int show(struct cli *cli, struct wh_json_parser *parser)
{
    struct people_named node;
    struct people_named member;
    int code = find_member(cli, cli->opt.args[2], parser, &node, &member);

    if (code != CLI_OK) {
        return code;
    }
    cli->opt.param_names[0] = "id";
    cli->opt.param_name_lens[0] = 2;
    cli->opt.param_values[0] = member.id;
    cli->opt.n_params = 1;
    return cli_sql_query(
        cli, "people",
        WH_LIT("select t.name, t.type, t.status, t.team, t.title, t.source, "
               "a.system, a.instance, a.username, a.state, a.rule, a.evidence, "
               "a.id as account, t.id from team_members t left join accounts a on "
               "a.team_member = t.id where t.id = :id order by a.created_at, a.id"));
}

static const struct {
    const char *name;
    size_t operands;
    bool decides;
    int (*list)(struct cli *cli);
    int (*run)(struct cli *cli, struct wh_json_parser *parser);
} verbs[] = {
    {"list", 0, false, list, NULL},  {"review", 0, false, review, NULL},
    {"show", 1, false, NULL, show},  {"merge", 2, true, NULL, merge},
    {"split", 1, true, NULL, split}, {"undo", 1, true, NULL, undo},
};

enum { ANSWER_MAX_BYTES = 8 << 20, DEPTH_MAX = 8 };

static int run(struct cli *cli, size_t verb)
{
    struct wh_json_parser *parser;
    int code;

    if (verbs[verb].decides != (cli->opt.why != NULL)) {
        cli_note(
            &cli->out,
            verbs[verb].decides
                ? "wellhead: people %s needs --why TEXT: the reason is kept with the decision\n"
                : "wellhead: people %s decides nothing and takes no --why\n",
            verbs[verb].name);
        return CLI_USAGE;
    }
    if (verbs[verb].list) {
        return verbs[verb].list(cli);
    }
    parser = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    if (parser == NULL) {
        cli_note(&cli->out, "wellhead: people: out of memory\n");
        return CLI_FAILED;
    }
    code = verbs[verb].run(cli, parser);
    wh_json_parser_free(parser);
    return code;
}

int cli_people(struct cli *cli)
{
    const char *word = cli->opt.n_args > 1 ? cli->opt.args[1] : "list";
    size_t operands = cli->opt.n_args > 2 ? cli->opt.n_args - 2 : 0;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(word, verbs[i].name) != 0) {
            continue;
        }
        if (operands == verbs[i].operands) {
            return run(cli, i);
        }
        cli_note(&cli->out, "wellhead: people %s takes %zu words, not %zu\n", word,
                 verbs[i].operands, operands);
        return CLI_USAGE;
    }
    cli_note(&cli->out, "wellhead: people takes list, show, review, merge, split or undo\n");
    return CLI_USAGE;
}
