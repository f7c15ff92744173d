/* wellhead disconnect and wellhead purge: end a connection and show each step. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/time.h"
#include "common/json/json_write.h"

enum {
    ANSWER_MAX_BYTES = 64 << 20,
    PATH_MAX_BYTES = 256,
    LOOK_MS = 200,
    DISCONNECT_MS = 30000,
    PURGE_MS = 600000,
    DETAIL_MAX = 512,
    PAIRS_MAX_BYTES = 16 << 10,
    ID_MAX = CLI_CONNECTION_ID_MAX + 1,
    DEPTH_MAX = 32,
};

/* One connection as the fetcher reports it. */
struct view {
    bool known;
    bool leaving;
    bool purging;
    char state[32];
    char detail[DETAIL_MAX];
    size_t n_pairs;      /* that GitLab issued, or may have issued */
    size_t n_unrevoked;  /* of them, those that are not revoked */
    struct wh_buf pairs; /* JSON: the list of them */
    struct wh_buf text;  /* a line for each that is not revoked */
};

static void view_init(struct view *v)
{
    *v = (struct view){0};
    wh_buf_init(&v->pairs, PAIRS_MAX_BYTES);
    wh_buf_init(&v->text, PAIRS_MAX_BYTES);
}

static void view_done(struct view *v)
{
    wh_buf_done(&v->pairs);
    wh_buf_done(&v->text);
}

static void view_reset(struct view *v)
{
    view_done(v);
    view_init(v);
}

static void read_pair(struct wh_json_val pair, struct wh_json_writer *w, struct view *v)
{
    struct wh_slice fingerprint = cli_get_str(pair, "fingerprint");
    struct wh_slice reason = cli_get_str(pair, "reason");
    struct wh_slice state = cli_get_str(pair, "state");
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

static void read_pairs(struct wh_json_val connection, struct view *v)
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

static void read_view(struct wh_json_val root, const char *id, struct view *ret)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    view_reset(ret);
    if (!wh_json_get(root, WH_LIT("connections"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        if (!wh_slice_eq(cli_get_str(item, "id"), wh_slice_str(id))) {
            continue;
        }
        ret->known = true;
        ret->leaving = cli_get_flag(item, "leaving");
        ret->purging = cli_get_flag(item, "purging");
        read_pairs(item, ret);
        (void)snprintf(ret->state, sizeof(ret->state), "%.*s",
                       WH_SLICE_ARG(cli_get_str(item, "state")));
        (void)snprintf(ret->detail, sizeof(ret->detail), "%.*s",
                       WH_SLICE_ARG(cli_get_str(item, "detail")));
    }
}

/* GETs a JSON document. *ret is set on status 200 only; 404 is no failure either. Any other outcome is
 * printed and gives its exit code. */
static int get(struct cli *cli, const char *doing, const char *base, const char *token_file,
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

static int look(struct cli *cli, const char *doing, const char *id, struct wh_json_parser *parser,
                struct view *ret)
{
    struct wh_json_val root = {0};
    unsigned status = 0;
    int code = get(cli, doing, cli->conf.fetcher_url, cli->conf.fetcher_token_file,
                   "/api/v1/connections", parser, &root, &status);

    view_reset(ret);
    if (code == CLI_OK && status == 200) {
        read_view(root, id, ret);
    }
    return code;
}

static int ask(struct cli *cli, const char *doing, const char *id, const char *what)
{
    struct cli_answer answer;
    char path[PATH_MAX_BYTES];
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

static int unknown(const struct cli *cli, const char *doing)
{
    cli_note(&cli->out,
             "wellhead: %s: no connection has that id; `wellhead status` lists the ids\n", doing);
    return CLI_NOTHING;
}

/* ---- disconnect ---- */

static int await_left(struct cli *cli, const char *id, struct wh_json_parser *parser,
                      struct view *v)
{
    int64_t until = cli_now_ms(cli) + (cli->opt.timeout_ms ? cli->opt.timeout_ms : DISCONNECT_MS);
    int code;

    for (;;) {
        code = look(cli, "disconnect", id, parser, v);
        if (code != CLI_OK || !v->leaving || cli_now_ms(cli) >= until) {
            return code;
        }
        cli_pause_ms(cli, LOOK_MS);
    }
}

static int leave(struct cli *cli, const char *id, struct wh_json_parser *parser, struct view *v)
{
    int code = look(cli, "disconnect", id, parser, v);

    if (code != CLI_OK) {
        return code;
    }
    if (!v->known) {
        return unknown(cli, "disconnect");
    }
    code = ask(cli, "disconnect", id, "disconnect");
    return code == CLI_OK ? await_left(cli, id, parser, v) : code;
}

/* "revoked" is true when every pair of tokens that GitLab issued is revoked. An access token that
 * was given by hand is none, and cannot be revoked from here. */
static void print_left_json(const struct cli *cli, const char *id, const struct view *v)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, 4 * DETAIL_MAX + PAIRS_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", !v->leaving);
    wh_jw_put_str(&w, "connection", wh_slice_str(id));
    wh_jw_put_str(&w, "state", wh_slice_str(v->state));
    wh_jw_put_bool(&w, "revoked", !v->leaving && v->n_pairs > 0 && v->n_unrevoked == 0);
    wh_jw_put_str(&w, "detail", wh_slice_str(v->detail));
    wh_jw_put_int(&w, "not_revoked", (int64_t)v->n_unrevoked);
    wh_jw_key(&w, "pairs");
    wh_jw_raw(&w, v->pairs.len ? wh_buf_slice(&v->pairs) : WH_LIT("[]"));
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) == WH_OK) {
        (void)!cli_data(&cli->out, wh_buf_slice(&out));
    }
}

static void print_left(const struct cli *cli, const char *id, const struct view *v)
{
    if (cli->opt.format != CLI_TEXT) {
        print_left_json(cli, id, v);
        return;
    }
    cli_say(&cli->out, "%s %s\n", v->leaving ? "Not disconnected yet:" : "Disconnected:", id);
    cli_say(&cli->out, "  %-10s %s\n", "access", v->detail);
    if (!v->leaving && v->n_pairs) {
        cli_say(&cli->out, "  %-10s %d of %d token pairs that GitLab issued are revoked\n",
                "revoked", (int)(v->n_pairs - v->n_unrevoked), (int)v->n_pairs);
        cli_say(&cli->out, "%s", wh_buf_str(&v->text));
    }
    cli_say(&cli->out, "  %-10s are refused from now on; remove the hook in GitLab\n", "webhooks");
    cli_say(&cli->out, "  %-10s are kept; `wellhead purge %s` removes them\n", "rows", id);
}

int cli_disconnect(struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    const char *id = cli->opt.args[1];
    __attribute__((cleanup(view_done))) struct view v;
    int code;

    view_init(&v);
    if (cli->opt.n_args != 2 || !cli_is_connection_id(id) || parser == NULL) {
        cli_note(&cli->out, "wellhead: disconnect needs a connection's id, as `wellhead status` "
                            "shows it\n");
        wh_json_parser_free(parser);
        return CLI_USAGE;
    }
    code = leave(cli, id, parser, &v);
    wh_json_parser_free(parser);
    if (code != CLI_OK) {
        return code;
    }
    print_left(cli, id, &v);
    return v.leaving ? CLI_TRY_LATER : CLI_OK;
}

/* ---- purge ---- */

static bool confirmed(const struct cli *cli, const char *id)
{
    char line[ID_MAX + 8];

    if (cli->opt.yes) {
        return true;
    }
    if (!isatty(cli->world.input)) {
        cli_note(&cli->out, "wellhead: purge removes every row of that connection for good; add "
                            "--yes to confirm\n");
        return false;
    }
    cli_note(&cli->out,
             "This disconnects %s and removes its topics, rows, revisions and links for good.\n"
             "Type its id to continue: ",
             id);
    if (!cli_read_line(cli, line, sizeof(line))) {
        return false;
    }
    if (strcmp(line, id) == 0) {
        return true;
    }
    cli_note(&cli->out, "wellhead: that is not %s; nothing was removed\n", id);
    return false;
}

static void progress(const struct cli *cli, const char *text)
{
    if (!cli->opt.quiet && cli->opt.format == CLI_TEXT) {
        cli_note(&cli->out, "%s\n", text);
    }
}

static int await_dropped(struct cli *cli, const char *id, struct wh_json_parser *parser,
                         int64_t until_ms)
{
    __attribute__((cleanup(view_done))) struct view v;
    int code;

    view_init(&v);
    for (;;) {
        code = look(cli, "purge", id, parser, &v);
        if (code != CLI_OK || !v.known) {
            return code;
        }
        if (!v.purging && strstr(v.detail, "purge failed")) {
            cli_note(&cli->out, "wellhead: purge: %s\n", v.detail);
            return CLI_FAILED;
        }
        if (cli_now_ms(cli) >= until_ms) {
            cli_note(
                &cli->out,
                "wellhead: purge: still in progress; run the same command again to follow it\n");
            return CLI_TIMED_OUT;
        }
        cli_pause_ms(cli, LOOK_MS);
    }
}

/* Waits for a report of the sink's that was finished after asked_ms. */
static int await_report(struct cli *cli, const char *id, struct wh_json_parser *parser,
                        int64_t asked_ms, int64_t until_ms, struct wh_json_val *ret)
{
    char path[PATH_MAX_BYTES];
    int code;

    (void)snprintf(path, sizeof(path), "/api/v1/purges/%s", id);
    for (;;) {
        struct wh_json_val root = {0};
        unsigned status = 0;

        code = get(cli, "purge", cli->conf.sink_url, cli->conf.sink_token_file, path, parser, &root,
                   &status);
        if (code != CLI_OK) {
            return code;
        }
        if (status == 200 && wh_json_get(root, WH_LIT("purge"), ret) &&
            wh_json_get_int(*ret, "finished_at_ms", 0) >= asked_ms) {
            return CLI_OK;
        }
        if (cli_now_ms(cli) >= until_ms) {
            cli_note(
                &cli->out,
                "wellhead: purge: the sink has not finished yet; GET %s%s shows its progress\n",
                cli->conf.sink_url, path);
            return CLI_TIMED_OUT;
        }
        cli_pause_ms(cli, LOOK_MS);
    }
}

/* Counts the topics in Kafka that still belong to the connection; -1 when Kafka does not answer. */
static int topics_left(struct cli *cli, const char *id)
{
    struct wh_admin *admin = NULL;
    struct wh_bus_topic_info *list = NULL;
    char end[ID_MAX + 2];
    struct wh_err err;
    size_t n = 0;
    int left = -1;

    (void)snprintf(end, sizeof(end), ".%s", id);
    if (cli_admin(cli, &admin, &err) == WH_OK &&
        wh_admin_list(admin, (int)cli->conf.timeout_ms, &list, &n, &err) == WH_OK) {
        left = 0;
        for (size_t i = 0; i < n; i++) {
            size_t len = strlen(list[i].name);

            left += strncmp(list[i].name, cli->conf.topic_prefix, strlen(cli->conf.topic_prefix)) ==
                        0 &&
                    len > strlen(end) && strcmp(list[i].name + len - strlen(end), end) == 0;
        }
    }
    wh_bus_topic_list_free(list, n);
    wh_admin_free(admin);
    return left;
}

static int print_report(struct cli *cli, const char *id, struct wh_json_val report)
{
    long long entities = (long long)wh_json_get_int(report, "entities", 0);
    long long revisions = (long long)wh_json_get_int(report, "revisions", 0);
    long long changes = (long long)wh_json_get_int(report, "changes", 0);
    long long leftovers = (long long)wh_json_get_int(report, "leftovers", -1);
    int topics = topics_left(cli, id);
    bool clean = leftovers == 0 && topics == 0;

    if (cli->opt.format != CLI_TEXT) {
        cli_say(&cli->out,
                "{\"ok\":%s,\"connection\":\"%s\",\"entities\":%lld,\"revisions\":%lld,"
                "\"changes\":%lld,\"leftovers\":%lld,\"topics_left\":%d}\n",
                clean ? "true" : "false", id, entities, revisions, changes, leftovers, topics);
    } else {
        cli_say(&cli->out, "Purged: %s\n", id);
        cli_say(&cli->out,
                "  %-10s %lld rows, %lld revisions, %lld entries of the log of changes, with "
                "their links and indexes; compacted\n",
                "store", entities, revisions, changes);
        cli_say(&cli->out, "  %-10s its topics are deleted; %d remain\n", "Kafka", topics);
        cli_say(&cli->out, "  %-10s the whole store was searched afterwards: %lld keys remain\n",
                "search", leftovers);
        cli_say(&cli->out,
                "A new connection to that GitLab gives every object the same id again.\n");
    }
    return clean ? CLI_OK : CLI_FAILED;
}

static int purge(struct cli *cli, const char *id, struct wh_json_parser *parser)
{
    int64_t asked_ms = cli_now_ms(cli);
    int64_t until_ms = asked_ms + (cli->opt.timeout_ms ? cli->opt.timeout_ms : PURGE_MS);
    struct wh_json_val report;
    __attribute__((cleanup(view_done))) struct view v;
    int code;

    view_init(&v);
    progress(cli, "disconnecting");
    code = leave(cli, id, parser, &v);
    if (code != CLI_OK) {
        return code;
    }
    if (v.leaving) {
        cli_note(&cli->out, "wellhead: purge: %s\n", v.detail);
        return CLI_TRY_LATER;
    }
    if (v.n_unrevoked) {
        cli_note(&cli->out, "%s", wh_buf_str(&v.text)); /* the list goes with the connection */
    }
    progress(cli, "removing topics and keys from Kafka");
    code = ask(cli, "purge", id, "purge");
    if (code == CLI_OK) {
        code = await_dropped(cli, id, parser, until_ms);
    }
    if (code != CLI_OK) {
        return code;
    }
    progress(cli, "removing rows from the store, and searching for what is left");
    code = await_report(cli, id, parser, asked_ms, until_ms, &report);
    return code == CLI_OK ? print_report(cli, id, report) : code;
}

int cli_purge(struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    const char *id = cli->opt.args[1];
    int code;

    if (cli->opt.n_args != 2 || !cli_is_connection_id(id) || parser == NULL) {
        cli_note(&cli->out, "wellhead: purge needs a connection's id, as `wellhead status` shows "
                            "it\n");
        code = CLI_USAGE;
    } else if (!confirmed(cli, id)) {
        code = CLI_FAILED;
    } else {
        code = purge(cli, id, parser);
    }
    wh_json_parser_free(parser);
    return code;
}
