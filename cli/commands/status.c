/* wellhead status: the verdict on all stages, then what fetcher and sink say, side by side. */
#include "cli/commands/commands.h"
#include "cli/commands/status_print.h"
#include "common/json/json_write.h"

enum { WATCH_MS = 2000 };

static int print_json(const struct cli *cli, const struct status_view *view)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, (size_t)2 * STATUS_ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_key(&w, "ok");
    wh_jw_bool(&w, view->fetcher_ok && view->sink_ok);
    wh_findings_write(view->findings, &w);
    wh_jw_key(&w, "fetcher");
    wh_jw_raw(&w, view->fetcher_ok ? wh_buf_slice(&view->fetcher.body) : WH_LIT("null"));
    wh_jw_key(&w, "sink");
    wh_jw_raw(&w, view->sink_ok ? wh_buf_slice(&view->sink.body) : WH_LIT("null"));
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: status: %s\n", err.msg);
        return CLI_FAILED;
    }
    return cli_data(&cli->out, wh_buf_slice(&out)) ? CLI_OK : CLI_FAILED;
}

static int print_status(const struct cli *cli, const struct status_view *v)
{
    if (cli->opt.format == CLI_JSON) {
        return print_json(cli, v);
    }
    if (!cli->opt.quiet) {
        status_print_overview(cli, v);
    }
    return CLI_OK;
}

static int report(struct cli *cli)
{
    struct status_view v;
    int code;

    if (!status_view_read(cli, &v)) {
        cli_note(&cli->out, "wellhead: status: out of memory\n");
        code = CLI_FAILED;
    } else {
        code = print_status(cli, &v);
        if (code == CLI_OK && cli->opt.check && !status_is_healthy(&v)) {
            code = CLI_NOT_HEALTHY;
        }
        if (code == CLI_OK && !v.fetcher_ok && !v.sink_ok) {
            code = CLI_FAILED;
        }
    }
    status_view_done(&v);
    return code;
}

/* Until the user ends it; with --check also until something is wrong. */
static int watch(struct cli *cli)
{
    for (;;) {
        int code;

        if (cli->opt.format == CLI_TEXT && !cli->opt.quiet) {
            cli_clear(&cli->out);
        }
        code = report(cli);
        if (!cli_out_flush(&cli->out)) {
            return CLI_FAILED;
        }
        if (cli->opt.check && code != CLI_OK) {
            return code;
        }
        cli_pause_ms(cli, WATCH_MS);
    }
}

static int wait_and_report(struct cli *cli)
{
    int code = status_wait(cli);

    if (code == CLI_TIMED_OUT) {
        /* A JSON document would look like a success. */
        if (cli->opt.format != CLI_JSON) {
            (void)report(cli);
        }
        cli_note(&cli->out, "wellhead: the first sync is not done yet\n");
        return code;
    }
    return code == CLI_OK ? report(cli) : code;
}

int cli_status(struct cli *cli)
{
    if (cli->opt.verify) {
        return status_verify(cli);
    }
    if (cli->opt.confirm_deletes) {
        return status_confirm_deletes(cli);
    }
    if (cli->opt.watch) {
        return watch(cli);
    }
    return cli->opt.wait_ms == CLI_NOT_GIVEN ? report(cli) : wait_and_report(cli);
}
