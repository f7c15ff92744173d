/* The projects that a new connection sees, so that a person notices a token of the wrong user at once. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands/connect_parts.h"
#include "cli/out/value.h"

enum { ANSWER_MAX_BYTES = 32 << 20, DEPTH_MAX = 32, LOOK_MS = 300, WAIT_MS = 10000, LABEL = 14 };

/* Has the list been read to its end? The first run begins with it. */
static bool is_listed(struct wh_json_val c)
{
    struct wh_slice phase = wh_json_get_str(c, "phase");

    return !wh_slice_eq(phase, WH_LIT("projects")) &&
           (wh_json_get_int(c, "runs", 0) > 0 || !wh_slice_eq(phase, WH_LIT("idle")));
}

static bool find(struct wh_json_val root, const char *id, struct wh_json_val *ret)
{
    struct wh_json_val list;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(root, WH_LIT("connections"), &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, ret);) {
        if (wh_slice_eq(wh_json_get_str(*ret, "id"), wh_slice_str(id))) {
            return true;
        }
    }
    return false;
}

/* False when the fetcher does not answer. */
static bool look(struct cli *cli, const char *id, struct wh_json_parser *parser,
                 struct wh_json_val *ret, bool *ret_listed)
{
    struct cli_answer answer;
    struct wh_json_val root;
    struct wh_err err;
    bool ok = cli_call(cli, "GET", cli->conf.fetcher_url, WH_LIT("/api/v1/status"),
                       cli->conf.fetcher_token_file, WH_LIT(""), &answer, &err) == WH_OK &&
              answer.status == 200 &&
              wh_json_parse(parser, wh_buf_slice(&answer.body), &root, &err) == WH_OK &&
              find(root, id, ret);

    *ret_listed = ok && is_listed(*ret);
    wh_buf_done(&answer.body);
    return ok;
}

static void print_list(const struct cli *cli, struct wh_json_val c)
{
    int64_t n = wh_json_get_int(c, "projects", 0);
    struct wh_json_val paths;
    struct wh_json_val path;
    struct wh_json_iter it;
    struct wh_slice key;
    int64_t shown = 0;

    if (n == 0) {
        cli_say(&cli->out,
                "  %-*s none: GitLab lists the projects of which this user is a member\n", LABEL,
                "projects");
        return;
    }
    cli_say(&cli->out, "  %-*s %" PRId64 "\n", LABEL, "projects", n);
    if (wh_json_get(c, WH_LIT("project_paths"), &paths)) {
        for (it = wh_json_iter(paths); wh_json_next(&it, &key, &path); shown++) {
            cli_say(&cli->out, "  %-*s %.*s\n", LABEL, "", WH_SLICE_ARG(wh_json_string(path)));
        }
    }
    if (shown < n) {
        cli_say(&cli->out,
                "  %-*s and %" PRId64 " more: `wellhead sql \"select path from projects\"`\n",
                LABEL, "", n - shown);
    }
}

void connect_print_projects(struct cli *cli, const char *connection)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    int64_t until_ms = cli_now_ms(cli) + WAIT_MS;
    struct wh_json_val c;
    bool listed = false;

    while (parser && look(cli, connection, parser, &c, &listed) && !listed &&
           cli_now_ms(cli) < until_ms) {
        cli_progress(&cli->out, "listing projects");
        cli_pause_ms(cli, LOOK_MS);
    }
    cli_progress_end(&cli->out);
    if (listed) {
        print_list(cli, c);
    } else {
        cli_say(&cli->out, "  %-*s are being listed; `wellhead status` shows them\n", LABEL,
                "projects");
    }
    wh_json_parser_free(parser);
}
