#include "cli/commands/leave_parts.h"

#include <stdio.h>
#include <string.h>

#include "cli/out/value.h"
#include "common/json/json_write.h"

enum { DISCONNECT_MS = 30000 };

void leave_view_init(struct leave_view *v)
{
    *v = (struct leave_view){0};
    wh_buf_init(&v->pairs, LEAVE_PAIRS_MAX_BYTES);
    wh_buf_init(&v->text, LEAVE_PAIRS_MAX_BYTES);
}

void leave_view_done(struct leave_view *v)
{
    wh_buf_done(&v->pairs);
    wh_buf_done(&v->text);
}

static void reset(struct leave_view *v)
{
    leave_view_done(v);
    leave_view_init(v);
}

static void read_pair(struct wh_json_val pair, struct wh_json_writer *w, struct leave_view *v)
{
    struct wh_slice fingerprint = wh_json_get_str(pair, "fingerprint");
    struct wh_slice reason = wh_json_get_str(pair, "reason");
    struct wh_slice state = wh_json_get_str(pair, "state");
    bool revoked = wh_slice_eq(state, WH_LIT("revoked"));
    struct wh_err err;

    v->n_pairs++;
    v->n_unrevoked += !revoked;
    wh_jw_object(w);
    wh_jw_put_str(w, "fingerprint", fingerprint);
    wh_jw_put_str(w, "state", state);
    wh_jw_put_str(w, "reason", reason);
    wh_jw_put_int(w, "issued_at_ms", wh_json_get_int(pair, "at_ms", 0));
    wh_jw_end(w);
    if (!revoked) {
        (void)!wh_buf_printf(&v->text, &err, "  %-10s %.*s: %.*s\n", "not revoked",
                             WH_SLICE_ARG(fingerprint.len ? fingerprint : WH_LIT("unknown pair")),
                             WH_SLICE_ARG(reason.len ? reason : state));
    }
}

static void read_pairs(struct wh_json_val connection, struct leave_view *v)
{
    struct wh_json_writer w;
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_err err;

    v->n_pairs = (size_t)wh_json_get_int(connection, "pairs_forgotten", 0);
    wh_json_writer_init(&w, &v->pairs);
    wh_jw_array(&w);
    if (wh_json_get(connection, WH_LIT("pairs"), &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
            read_pair(item, &w, v);
        }
    }
    wh_jw_end(&w);
    (void)!wh_jw_finish(&w, &err);
}

static void read_view(struct wh_json_val root, const char *id, struct leave_view *ret)
{
    struct wh_json_val credentials;
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    reset(ret);
    if (!wh_json_get(root, WH_LIT("connections"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        if (!wh_slice_eq(wh_json_get_str(item, "id"), wh_slice_str(id))) {
            continue;
        }
        ret->known = true;
        ret->leaving = wh_json_get_flag(item, "leaving");
        ret->purging = wh_json_get_flag(item, "purging");
        read_pairs(item, ret);
        ret->has_token = wh_json_get(item, WH_LIT("credentials"), &credentials) &&
                         wh_json_get_flag(credentials, "read_api");
        (void)snprintf(ret->instance, sizeof(ret->instance), "%.*s",
                       WH_SLICE_ARG(wh_json_get_str(item, "instance")));
        (void)snprintf(ret->state, sizeof(ret->state), "%.*s",
                       WH_SLICE_ARG(wh_json_get_str(item, "state")));
        (void)snprintf(ret->detail, sizeof(ret->detail), "%.*s",
                       WH_SLICE_ARG(wh_json_get_str(item, "detail")));
    }
}

int leave_get(struct cli *cli, const char *doing, const char *base, const char *token_file,
              const char *path, struct wh_json_parser *parser, struct wh_json_val *ret,
              unsigned *ret_status)
{
    struct cli_answer answer;
    struct wh_err err;
    int code = CLI_OK;

    if (cli_call(cli, "GET", base, wh_slice_str(path), token_file, wh_slice("", 0), &answer,
                 &err) != WH_OK) {
        code = cli_fail(cli, doing, &err);
    } else {
        *ret_status = answer.status;
        if (answer.status != 200 && answer.status != 404) {
            code = cli_fail_answer(cli, doing, &answer);
        } else if (answer.status == 200 &&
                   wh_json_parse(parser, wh_buf_slice(&answer.body), ret, &err) != WH_OK) {
            code = cli_fail(cli, doing, &err);
        }
    }
    wh_buf_done(&answer.body);
    return code;
}

int leave_look(struct cli *cli, const char *doing, const char *id, struct wh_json_parser *parser,
               struct leave_view *ret)
{
    struct wh_json_val root = {0};
    unsigned status = 0;
    int code = leave_get(cli, doing, cli->conf.fetcher_url, cli->conf.fetcher_token_file,
                         "/api/v1/connections", parser, &root, &status);

    reset(ret);
    if (code == CLI_OK && status == 200) {
        read_view(root, id, ret);
    }
    return code;
}

int leave_ask(struct cli *cli, const char *doing, const char *id, const char *what)
{
    struct cli_answer answer;
    char path[LEAVE_PATH_MAX_BYTES];
    struct wh_err err;
    int code = CLI_OK;

    (void)snprintf(path, sizeof(path), "/api/v1/connections/%s/%s", id, what);
    if (cli_call(cli, "POST", cli->conf.fetcher_url, wh_slice_str(path),
                 cli->conf.fetcher_token_file, wh_slice("", 0), &answer, &err) != WH_OK) {
        code = cli_fail(cli, doing, &err);
    } else if (answer.status != 202) {
        code = cli_fail_answer(cli, doing, &answer);
    }
    wh_buf_done(&answer.body);
    return code;
}

int leave_unknown(const struct cli *cli, const char *doing)
{
    cli_note(&cli->out,
             "wellhead: %s: no connection has that id; `wellhead status` lists the ids\n", doing);
    return CLI_NOTHING;
}

static int await_left(struct cli *cli, const char *id, struct wh_json_parser *parser,
                      struct leave_view *v)
{
    int64_t until = cli_now_ms(cli) + (cli->opt.timeout_ms ? cli->opt.timeout_ms : DISCONNECT_MS);
    int code;

    for (;;) {
        code = leave_look(cli, "disconnect", id, parser, v);
        if (code != CLI_OK || !v->leaving || cli_now_ms(cli) >= until) {
            return code;
        }
        cli_pause_ms(cli, LEAVE_LOOK_MS);
    }
}

int leave_now(struct cli *cli, const char *id, struct wh_json_parser *parser, struct leave_view *v)
{
    int code = leave_ask(cli, "disconnect", id, "disconnect");

    return code == CLI_OK ? await_left(cli, id, parser, v) : code;
}

bool leave_owns_topic(const struct cli *cli, const char *id, const char *topic)
{
    size_t prefix = strlen(cli->conf.topic_prefix);
    size_t len = strlen(topic);
    size_t end = strlen(id);

    return strncmp(topic, cli->conf.topic_prefix, prefix) == 0 && len > prefix + end + 1 &&
           topic[len - end - 1] == '.' && strcmp(topic + len - end, id) == 0;
}
