#include "cli/commands/status_view.h"

#include "cli/out/value.h"
#include "common/event/connection.h"

enum { DEPTH_MAX = 32 };

static bool ask(struct cli *cli, const char *base, const char *token_file,
                struct cli_answer *answer, struct wh_json_parser *parser, struct wh_json_val *root,
                struct wh_err *err)
{
    if (cli_call(cli, "GET", base, WH_LIT("/api/v1/status"), token_file, WH_LIT(""), answer, err) !=
        WH_OK) {
        return false;
    }
    if (answer->status != 200) {
        (void)wh_fail(err, WH_E_UNAVAILABLE, "%s answers HTTP %u", base, answer->status);
        return false;
    }
    return wh_json_parse(parser, wh_buf_slice(&answer->body), root, err) == WH_OK;
}

void status_view_done(struct status_view *view)
{
    wh_buf_done(&view->fetcher.body);
    wh_buf_done(&view->sink.body);
    wh_json_parser_free(view->fetcher_parser);
    wh_json_parser_free(view->sink_parser);
}

bool status_view_read(struct cli *cli, struct status_view *view)
{
    *view = (struct status_view){0};
    view->fetcher_parser = wh_json_parser_new(STATUS_ANSWER_MAX_BYTES, DEPTH_MAX);
    view->sink_parser = wh_json_parser_new(STATUS_ANSWER_MAX_BYTES, DEPTH_MAX);
    if (view->fetcher_parser == NULL || view->sink_parser == NULL) {
        return false;
    }
    view->fetcher_ok = ask(cli, cli->conf.fetcher_url, cli->conf.fetcher_token_file, &view->fetcher,
                           view->fetcher_parser, &view->fetcher_root, &view->fetcher_err);
    view->sink_ok = ask(cli, cli->conf.sink_url, cli->conf.sink_token_file, &view->sink,
                        view->sink_parser, &view->sink_root, &view->sink_err);
    return true;
}

bool status_connections(const struct status_view *view, struct wh_json_val *ret)
{
    return view->fetcher_ok && wh_json_get(view->fetcher_root, WH_LIT("connections"), ret);
}

bool status_is_left(struct wh_json_val connection)
{
    return wh_connection_class(cli_get_str(connection, "state")) == WH_CONNECTION_MISSING;
}

bool status_is_healthy(const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!view->sink_ok || !status_connections(view, &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        /* A connection that was disconnected on purpose is no fault. */
        if (wh_connection_class(cli_get_str(c, "state")) == WH_CONNECTION_ERROR) {
            return false;
        }
    }
    return true;
}
