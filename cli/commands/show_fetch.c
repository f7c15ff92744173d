/* The sink's answers for `wellhead show`. */
#include <stdio.h>

#include "cli/commands/show_parts.h"
#include "cli/out/value.h"
#include "common/base/enc.h"
#include "common/base/mem.h"

enum { DEPTH_MAX = 64, PAGE_ROWS = 1000, PAGES_MAX = 10000, NEXT_MAX = 128 };

int show_fetch(struct cli *cli, const char *path, struct show_part *ret, bool *ret_found)
{
    struct wh_err err;

    *ret = (struct show_part){.parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX)};
    if (cli_call(cli, "GET", cli->conf.sink_url, wh_slice_str(path), cli->conf.sink_token_file,
                 WH_LIT(""), &ret->answer, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    if (ret_found) {
        *ret_found = ret->answer.status == 200;
    }
    if (ret->answer.status == 404 && ret_found) {
        return CLI_OK;
    }
    if (ret->answer.status != 200) {
        return cli_fail_answer(cli, "show", &ret->answer);
    }
    if (ret->parser == NULL ||
        wh_json_parse(ret->parser, wh_buf_slice(&ret->answer.body), &ret->root, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: show: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    return CLI_OK;
}

void show_part_done(struct show_part *part)
{
    wh_buf_done(&part->answer.body);
    wh_json_parser_free(part->parser);
}

/* ---- the past ---- */

bool show_is_past(const struct cli *cli)
{
    return cli->opt.as_of || cli->opt.valid_at;
}

enum wh_rc show_past_args(const struct cli *cli, char mark, struct wh_buf *out, struct wh_err *err)
{
    const char *const names[] = {"as_of", "valid_at"};
    const char *const times[] = {cli->opt.as_of, cli->opt.valid_at};

    for (size_t i = 0; i < 2; i++) {
        if (times[i] == NULL) {
            continue;
        }
        if (wh_buf_printf(out, err, "%c%s=", mark, names[i]) != WH_OK ||
            wh_percent_encode(wh_slice_str(times[i]), out, err) != WH_OK) {
            return err->rc;
        }
        mark = '&';
    }
    return WH_OK;
}

/* ---- lists ---- */

static int no_memory(const struct cli *cli)
{
    cli_note(&cli->out, "wellhead: show: out of memory\n");
    return CLI_FAILED;
}

static int add_rows(const struct cli *cli, struct wh_json_val root, struct show_rows *rows)
{
    struct wh_json_val list;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_slice key;
    void *memory;
    size_t n;

    if (!wh_json_get(root, WH_LIT("rows"), &list)) {
        return CLI_OK;
    }
    n = cli_count(list);
    memory = wh_mem_resize(rows->list, rows->n + n + 1, sizeof(*rows->list));
    if (memory == NULL) {
        return no_memory(cli);
    }
    rows->list = memory;
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &row);) {
        rows->list[rows->n++] = row;
    }
    return CLI_OK;
}

/* Fetches a page; next says where it begins, and then where the one after it does ("": there is none). */
static int add_page(struct cli *cli, const char *path, char next[NEXT_MAX], struct show_rows *rows)
{
    WH_AUTO(buf) struct wh_buf full = {0};
    struct show_part *page;
    struct wh_err err;
    void *memory = wh_mem_resize(rows->pages, rows->n_pages + 1, sizeof(*rows->pages));
    int code;

    if (memory == NULL) {
        return no_memory(cli);
    }
    rows->pages = memory;
    page = &rows->pages[rows->n_pages++];
    *page = (struct show_part){0};
    wh_buf_init(&full, SHOW_PATH_MAX_BYTES);
    if (wh_buf_printf(&full, &err, "%s?_size=%d%s%s", path, PAGE_ROWS, next[0] ? "&_next=" : "",
                      next) != WH_OK ||
        show_past_args(cli, '&', &full, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    code = show_fetch(cli, wh_buf_str(&full), page, NULL);
    if (code != CLI_OK) {
        return code;
    }
    (void)snprintf(next, NEXT_MAX, "%.*s", WH_SLICE_ARG(wh_json_get_str(page->root, "next")));
    return add_rows(cli, page->root, rows);
}

int show_fetch_rows(struct cli *cli, const char *path, struct show_rows *ret)
{
    char next[NEXT_MAX] = "";
    int code;

    *ret = (struct show_rows){0};
    do {
        code = add_page(cli, path, next, ret);
    } while (code == CLI_OK && next[0] && ret->n_pages < PAGES_MAX);
    return code;
}

void show_rows_done(struct show_rows *rows)
{
    for (size_t i = 0; i < rows->n_pages; i++) {
        show_part_done(&rows->pages[i]);
    }
    wh_mem_free(rows->pages);
    wh_mem_free(rows->list);
}
