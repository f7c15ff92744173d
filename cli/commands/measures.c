/* wellhead measures: what is counted, and the numbers of one measure. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/commands/show_parts.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/enc.h"
#include "common/json/json_doc.h"

enum {
    ANSWER_DEPTH_MAX = 16,
    PATH_MAX_BYTES = 8192,
    CELL_BYTES = 64,
    HEADS_MAX = 12,
    DAY_LEN = 10
};

static const char *const list_head[] = {"measure", "unit", "by", "meaning"};

/* ---- all measures ---- */

static void print_list(struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter it = wh_json_get_iter(root, "measures");
    struct cli_table t;
    struct wh_json_val m;

    cli_table_init(&t, 4);
    if (cli->opt.expanded) {
        cli_table_expand(&t);
    }
    cli_table_head(&t, list_head, 4);
    while (wh_json_next(&it, NULL, &m)) {
        WH_AUTO(buf) struct wh_buf by;
        struct wh_json_val dimensions;

        wh_buf_init(&by, 4096);
        if (wh_json_get(m, WH_LIT("by"), &dimensions)) {
            cli_value_text(dimensions, &by);
        }
        cli_table_cell(&t, wh_json_get_str(m, "id"));
        cli_table_cell(&t, wh_json_get_str(m, "unit"));
        cli_table_cell(&t, wh_buf_slice(&by));
        cli_table_cell(&t, wh_json_get_str(m, "definition"));
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    cli_say(&cli->out, "\n`wellhead measures MEASURE` shows the numbers of one\n");
}

/* ---- the numbers of one ---- */

static void print_seconds(double s, char out[CELL_BYTES])
{
    (void)(s < 120      ? snprintf(out, CELL_BYTES, "%.3g s", s)
           : s < 7200   ? snprintf(out, CELL_BYTES, "%.3g min", s / 60)
           : s < 172800 ? snprintf(out, CELL_BYTES, "%.3g h", s / 3600)
                        : snprintf(out, CELL_BYTES, "%.4g d", s / 86400));
}

static bool is_number(struct wh_json_val v)
{
    enum wh_json_type type = wh_json_type(v);

    return type == WH_JSON_INT || type == WH_JSON_DOUBLE || type == WH_JSON_UINT;
}

/* A number in the measure's unit; the number of rows has none. An amount stays in minor units. */
static void print_cell(struct cli_table *t, struct wh_slice key, struct wh_json_val v,
                       struct wh_slice unit)
{
    WH_AUTO(buf) struct wh_buf text;
    char cell[CELL_BYTES];

    wh_buf_init(&text, 4096);
    if (is_number(v) && !wh_slice_eq(key, WH_LIT("rows"))) {
        double number = wh_json_double(v);

        if (wh_slice_eq(unit, WH_LIT("seconds"))) {
            print_seconds(number, cell);
        } else if (wh_slice_eq(unit, WH_LIT("ratio"))) {
            (void)snprintf(cell, sizeof(cell), "%.4g %%", number * 100);
        } else {
            (void)snprintf(cell, sizeof(cell), wh_json_type(v) == WH_JSON_DOUBLE ? "%.4g" : "%.15g",
                           number);
        }
        cli_table_str(t, cell);
        return;
    }
    cli_value_text(v, &text);
    cli_table_cell(t, wh_buf_slice(&text));
}

static bool is_shown(struct wh_slice key)
{
    return !wh_slice_eq(key, WH_LIT("until")) && !wh_slice_eq(key, WH_LIT("rows_url"));
}

/* The columns of the first row; returns how many. */
static size_t heads_of(struct wh_json_val root, char text[HEADS_MAX][CELL_BYTES],
                       const char *heads[HEADS_MAX])
{
    struct wh_json_iter it = wh_json_get_iter(root, "rows");
    struct wh_json_val row;
    struct wh_json_val v;
    struct wh_slice key;
    size_t n = 0;

    if (!wh_json_next(&it, NULL, &row)) {
        return 0;
    }
    it = wh_json_iter(row);
    while (n < HEADS_MAX && wh_json_next(&it, &key, &v)) {
        if (is_shown(key)) {
            (void)snprintf(text[n], CELL_BYTES, "%.*s", (int)(key.len < 60 ? key.len : 60),
                           key.ptr);
            heads[n] = text[n];
            n++;
        }
    }
    return n;
}

static void print_rows(struct cli *cli, struct wh_json_val root, struct wh_slice unit)
{
    char text[HEADS_MAX][CELL_BYTES];
    const char *heads[HEADS_MAX];
    size_t n = heads_of(root, text, heads);
    struct wh_json_iter it = wh_json_get_iter(root, "rows");
    struct wh_json_val row;
    struct cli_table t;

    if (n == 0) {
        return;
    }
    cli_table_init(&t, n);
    cli_table_head(&t, heads, n);
    while (wh_json_next(&it, NULL, &row)) {
        struct wh_json_iter members = wh_json_iter(row);
        struct wh_json_val v;
        struct wh_slice key;

        for (size_t i = 0; i < n && wh_json_next(&members, &key, &v);) {
            if (is_shown(key)) {
                print_cell(&t, key, v, unit);
                i++;
            }
        }
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

static void print_gaps(struct cli *cli, struct wh_json_val root)
{
    struct wh_json_iter it = wh_json_get_iter(root, "gaps");
    struct wh_json_val gap;

    while (wh_json_next(&it, NULL, &gap)) {
        cli_say(&cli->out, "%.16s to %.16s: %.*s%s\n", wh_json_get_str(gap, "since").ptr,
                wh_json_get_str(gap, "until").ptr, WH_SLICE_ARG(wh_json_get_str(gap, "what")),
                wh_json_get_flag(gap, "made_up_for") ? "; read since then"
                                                     : "; numbers of this time may be too low");
    }
}

static int print_one(struct cli *cli, struct wh_json_val root)
{
    struct wh_json_val m;
    struct wh_slice unit;

    if (!wh_json_get(root, WH_LIT("measure"), &m)) {
        return CLI_FAILED;
    }
    unit = wh_json_get_str(m, "unit");
    cli_say(&cli->out, "%.*s: %.*s\n", WH_SLICE_ARG(wh_json_get_str(m, "title")),
            WH_SLICE_ARG(wh_json_get_str(m, "definition")));
    if (wh_json_get_flag(root, "timed_out")) {
        cli_note(&cli->out, "wellhead: measures: this took longer than the sink's time limit; take "
                            "a shorter period\n");
        return CLI_TIMED_OUT;
    }
    cli_say(&cli->out, "in %.*s%s\n\n", WH_SLICE_ARG(wh_json_get_str(root, "zone")),
            wh_slice_eq(unit, WH_LIT("amount")) ? ", in the smallest unit of the currency" : "");
    print_rows(cli, root, unit);
    print_gaps(cli, root);
    return CLI_OK;
}

/* ---- the request ---- */

static enum wh_rc add_arg(struct wh_buf *path, bool *first, struct wh_slice name, const char *value,
                          struct wh_err *err)
{
    if (value == NULL) {
        return WH_OK;
    }
    if (wh_buf_append_char(path, *first ? '?' : '&', err) != WH_OK ||
        wh_percent_encode(name, path, err) != WH_OK ||
        wh_buf_append_char(path, '=', err) != WH_OK) {
        return err->rc;
    }
    *first = false;
    return wh_percent_encode(wh_slice_str(value), path, err);
}

static enum wh_rc make_path(const struct cli *cli, const char *measure, struct wh_buf *path,
                            struct wh_err *err)
{
    const struct cli_options *o = &cli->opt;
    const struct {
        const char *name;
        const char *value;
    } args[] = {{"by", o->by},
                {"over", o->over},
                {"since", o->since},
                {"until", o->until},
                {"_zone", o->zone},
                {"as_of", o->as_of},
                {"valid_at", o->valid_at},
                {"_format", o->format == CLI_CSV ? "csv" : NULL}};
    bool first = true;

    if (wh_buf_append(path, WH_LIT("/api/v1/measures/"), err) != WH_OK ||
        wh_percent_encode(wh_slice_str(measure), path, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        if (add_arg(path, &first, wh_slice_str(args[i].name), args[i].value, err) != WH_OK) {
            return err->rc;
        }
    }
    for (size_t i = 0; i < o->n_params; i++) {
        if (add_arg(path, &first, wh_slice(o->param_names[i], o->param_name_lens[i]),
                    o->param_values[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static int print(struct cli *cli, const struct cli_answer *answer, bool one)
{
    struct wh_json_parser *parser;
    struct wh_json_val root;
    struct wh_err err;
    int code = CLI_OK;

    if (cli->opt.format == CLI_JSON || (one && cli->opt.format == CLI_CSV)) {
        return cli_data(&cli->out, wh_buf_slice(&answer->body)) ? CLI_OK : CLI_FAILED;
    }
    parser = wh_json_parser_new(CLI_ANSWER_MAX_BYTES, ANSWER_DEPTH_MAX);
    if (parser == NULL ||
        wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: measures: the sink's answer cannot be read\n");
        code = CLI_FAILED;
    } else if (one) {
        code = print_one(cli, root);
    } else {
        print_list(cli, root);
    }
    wh_json_parser_free(parser);
    return code;
}

int cli_measures(struct cli *cli)
{
    const char *measure = cli->opt.n_args > 1 ? cli->opt.args[1] : NULL;
    WH_AUTO(buf) struct wh_buf path;
    struct cli_answer answer = {0};
    struct wh_err err;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if ((measure ? make_path(cli, measure, &path, &err)
                 : wh_buf_append(&path, WH_LIT("/api/v1/measures"), &err)) != WH_OK ||
        cli_call(cli, "GET", cli->conf.sink_url, wh_buf_slice(&path), cli->conf.sink_token_file,
                 WH_LIT(""), &answer, &err) != WH_OK) {
        code = cli_fail(cli, "measures", &err);
    } else if (answer.status != 200) {
        code = cli_fail_answer(cli, "measures", &answer);
    } else {
        code = print(cli, &answer, measure != NULL);
    }
    wh_buf_done(&answer.body);
    return code;
}
