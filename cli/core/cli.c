#include "cli/core/cli.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/out/value.h"

enum { ERROR_DEPTH_MAX = 64, GRACE_MS = 5000 };

struct cli_world cli_world_real(struct cli_http *http)
{
    return (struct cli_world){
        .http = http,
        .admin = wh_admin_kafka_new,
        .consumer = wh_consumer_kafka_new,
        .producer = wh_producer_kafka_new,
        .clock = wh_clock_real(),
        .input = STDIN_FILENO,
    };
}

int64_t cli_now_ms(const struct cli *cli)
{
    return wh_clock_now_ms(&cli->world.clock);
}

void cli_catch_interrupt(struct cli *cli)
{
    sigset_t set;
    int fd;

    if (cli->world.interrupt) {
        return;
    }
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd > 0 && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0) {
        cli->world.interrupt = fd;
    }
}

/* Waits for Ctrl-C, as far as it is caught. */
static bool await_interrupt(const struct cli *cli, int64_t ms)
{
    struct pollfd fd = {.fd = cli->world.interrupt, .events = POLLIN};

    return poll(&fd, cli->world.interrupt ? 1 : 0, (int)ms) > 0;
}

bool cli_interrupted(const struct cli *cli)
{
    return await_interrupt(cli, 0);
}

void cli_pause_ms(const struct cli *cli, int64_t ms)
{
    if (cli->world.pause_ms) {
        cli->world.pause_ms(cli->world.ctx, ms);
    } else {
        (void)await_interrupt(cli, ms);
    }
}

void cli_use_pager(struct cli *cli)
{
    if (cli->out.data_terminal && !cli->opt.no_pager) {
        cli_page(&cli->out, cli->pager);
    }
    if (cli->out.pager) {
        cli_catch_interrupt(cli);
    }
}

bool cli_may_ask(const struct cli *cli)
{
    return !cli->opt.no_input && isatty(cli->world.input);
}

bool cli_read_line(const struct cli *cli, char *line, size_t size)
{
    size_t len = 0;
    bool any = false;
    char c;

    while (read(cli->world.input, &c, 1) == 1) {
        any = true;
        if (c == '\n') {
            break;
        }
        if (len + 1 < size) {
            line[len++] = c;
        }
    }
    line[len] = '\0';
    return any;
}

bool cli_is_connection_id(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= CLI_CONNECTION_ID_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* ---- calls ---- */

/* Only for people who asked for it. */
static void say_call(const struct cli *cli, const struct cli_request *request,
                     const struct cli_answer *answer, int64_t began_ms, const struct wh_err *failed)
{
    if (cli->opt.verbose) {
        cli_note(&cli->out, "%s %s%.*s: %u, %d ms%s%s\n", request->method, request->base,
                 WH_SLICE_ARG(request->path), answer->status, (int)(cli_now_ms(cli) - began_ms),
                 failed ? ": " : "", failed ? failed->msg : "");
    }
}

enum wh_rc cli_call_with(struct cli *cli, struct cli_request *request, struct cli_answer *ret,
                         struct wh_err *err)
{
    int64_t began_ms = cli_now_ms(cli);
    enum wh_rc rc;

    /* A stage that knows the limit answers at its end. */
    request->timeout_ms =
        cli->opt.timeout_ms ? cli->opt.timeout_ms + GRACE_MS : cli->conf.timeout_ms;
    request->interrupt = cli->world.interrupt;
    rc = cli->world.http->call(cli->world.http, request, ret, err);
    say_call(cli, request, ret, began_ms, rc == WH_OK ? NULL : err);
    return rc;
}

enum wh_rc cli_call(struct cli *cli, const char *method, const char *base, struct wh_slice path,
                    const char *token_file, struct wh_slice body, struct cli_answer *ret,
                    struct wh_err *err)
{
    struct cli_request request = {
        .method = method,
        .base = base,
        .path = path,
        .token_file = token_file,
        .body = body,
    };

    return cli_call_with(cli, &request, ret, err);
}

int cli_fail(const struct cli *cli, const char *doing, const struct wh_err *err)
{
    cli_note(&cli->out, "wellhead: %s: %s\n", doing, err->msg);
    if (err->rc == WH_E_NET) {
        cli_note(&cli->out, "  is that process running? `wellhead doctor` checks every part\n");
    }
    if (err->rc == WH_E_TIMEOUT) {
        return CLI_TIMED_OUT;
    }
    if (err->rc == WH_E_CANCELED && cli_interrupted(cli)) {
        return CLI_INTERRUPTED;
    }
    return err->rc == WH_E_UNAVAILABLE || err->rc == WH_E_BUSY ? CLI_TRY_LATER : CLI_FAILED;
}

static int exit_of_status(unsigned status)
{
    switch (status) {
    case 401:
    case 403:
        return CLI_SIGN_IN;
    case 404:
        return CLI_NOTHING;
    case 429:
    case 503:
        return CLI_TRY_LATER;
    case 504:
        return CLI_TIMED_OUT;
    default:
        return CLI_FAILED;
    }
}

int cli_fail_answer(const struct cli *cli, const char *doing, const struct cli_answer *answer)
{
    struct wh_json_parser *parser = wh_json_parser_new(CLI_ANSWER_MAX_BYTES, ERROR_DEPTH_MAX);
    struct wh_slice text = WH_LIT("");
    struct wh_json_val root;
    struct wh_err err;
    int code = exit_of_status(answer->status);

    if (parser && wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK) {
        text = wh_json_get_str(root, "error");
    }
    if (text.len && !cli->opt.verbose) {
        cli_note(&cli->out, "wellhead: %s: %.*s\n", doing, WH_SLICE_ARG(text));
    } else {
        cli_note(&cli->out, "wellhead: %s: %.*s (HTTP %u)\n", doing,
                 WH_SLICE_ARG(text.len ? text : WH_LIT("the answer gives no reason")),
                 answer->status);
    }
    if (code == CLI_SIGN_IN) {
        cli_note(&cli->out, "  the token was refused: `wellhead doctor` says which token file is "
                            "wrong or missing\n");
    }
    wh_json_parser_free(parser);
    return code;
}
