#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands/connect_parts.h"
#include "cli/out/value.h"
#include "common/base/hash.h"
#include "common/json/json_write.h"

enum { BODY_MAX_BYTES = 16384, PATH_MAX_BYTES = 256, LINE_MAX_BYTES = 4096, POLL_MS = 300 };

/* An approval in progress. */
struct approval {
    struct cli *cli;
    char session[80];
    size_t n_shown;      /* steps that were printed */
    bool asked;          /* an address to approve at was printed */
    uint64_t asked_hash; /* of that address */
    bool stdin_open;     /* standard input has not ended: the user may paste a redirect */
    char line[LINE_MAX_BYTES];
    size_t line_len;
};

/* Only http and https, and only visible ASCII: the address becomes an argument of another program.
 */
static bool openable(struct wh_slice url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= 0x20 || url.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return wh_slice_starts(url, WH_LIT("https://")) || wh_slice_starts(url, WH_LIT("http://"));
}

/* Runs in a child process. Returns when no opener is installed. */
static void run_opener(const char *url)
{
    int null = open("/dev/null", O_RDWR);

    (void)setsid();
    if (null >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0) {
        (void)execlp("xdg-open", "xdg-open", url, (char *)NULL);
        (void)execlp("open", "open", url, (char *)NULL);
    }
}

static void open_browser(const char *url)
{
    pid_t child = fork();

    if (child == 0) {
        /* The second fork detaches the browser: only the first child is waited for. */
        if (fork() == 0) {
            run_opener(url);
        }
        _exit(0);
    }
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
    }
}

/* Shows the address to approve at, once for each address, and opens it in the browser. */
static void ask_person(struct approval *a, struct wh_json_val root)
{
    struct wh_slice url = wh_json_get_str(root, "approve_url");
    char text[LINE_MAX_BYTES];

    if (url.len == 0 || url.len >= sizeof(text) || wh_hash64(url) == a->asked_hash) {
        return;
    }
    a->asked = true;
    a->asked_hash = wh_hash64(url);
    memcpy(text, url.ptr, url.len);
    text[url.len] = '\0';
    cli_note(&a->cli->out, "\nApprove in your browser:\n\n  %s\n\n", text);
    if (a->stdin_open) {
        cli_note(&a->cli->out,
                 "If the browser runs elsewhere and ends at %.*s..., paste that whole\n"
                 "address here and press Enter.\n\n",
                 WH_SLICE_ARG(wh_json_get_str(root, "redirect_uri")));
    }
    if (!a->cli->opt.no_browser && openable(url)) {
        open_browser(text);
    }
}

/* Shows the steps that were not shown yet. */
static void show_steps(struct approval *a, struct wh_json_val root)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t n = 0;

    if (!wh_json_get(root, WH_LIT("steps"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item); n++) {
        if (n >= a->n_shown && !a->cli->opt.quiet) {
            cli_note(&a->cli->out, "  %-10.*s %.*s\n", WH_SLICE_ARG(wh_json_get_str(item, "step")),
                     WH_SLICE_ARG(wh_json_get_str(item, "text")));
        }
    }
    a->n_shown = n;
}

/* Sends a redirect address to the fetcher. A refusal is shown; the approval goes on. */
static void send_pasted(struct approval *a, struct wh_slice text)
{
    WH_AUTO(buf) struct wh_buf body;
    struct wh_json_writer w;
    struct cli_answer answer;
    char path[PATH_MAX_BYTES];
    struct wh_err err;

    wh_buf_init_secret(&body, BODY_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_key(&w, "url");
    wh_jw_str(&w, text);
    wh_jw_end(&w);
    (void)snprintf(path, sizeof(path), "/api/v1/connects/%s/redirect", a->session);
    if (wh_jw_finish(&w, &err) != WH_OK ||
        cli_call(a->cli, "POST", a->cli->conf.fetcher_url, wh_slice_str(path),
                 a->cli->conf.fetcher_token_file, wh_buf_slice(&body), &answer, &err) != WH_OK) {
        (void)cli_fail(a->cli, "connect", &err);
        return;
    }
    if (answer.status >= 300) {
        (void)cli_fail_answer(a->cli, "connect", &answer);
    }
    wh_buf_done(&answer.body);
}

/* Waits up to POLL_MS for a redirect address that the user pastes, and sends it. */
static void await_line(struct approval *a)
{
    struct pollfd fd = {.fd = a->cli->world.input, .events = POLLIN};
    char *end;
    ssize_t n;

    if (poll(&fd, a->stdin_open && a->asked ? 1 : 0, POLL_MS) <= 0 || !a->stdin_open) {
        return;
    }
    n = read(a->cli->world.input, a->line + a->line_len, sizeof(a->line) - a->line_len);
    if (n <= 0) {
        a->stdin_open = false;
        return;
    }
    a->line_len += (size_t)n;
    end = memchr(a->line, '\n', a->line_len);
    if (end) {
        send_pasted(a, wh_slice(a->line, (size_t)(end - a->line)));
    }
    if (end || a->line_len == sizeof(a->line)) {
        wh_mem_wipe(a->line, sizeof(a->line));
        a->line_len = 0;
    }
}

/* Asks for the session once. True when it has ended: *ret_code is the exit code. */
static bool poll_session(struct approval *a, struct wh_json_parser *parser, int *ret_code)
{
    struct cli *cli = a->cli;
    struct cli_answer answer;
    struct wh_json_val root;
    char path[PATH_MAX_BYTES];
    struct wh_slice state;
    struct wh_err err;
    bool over = true;

    (void)snprintf(path, sizeof(path), "/api/v1/connects/%s", a->session);
    if (cli_call(cli, "GET", cli->conf.fetcher_url, wh_slice_str(path),
                 cli->conf.fetcher_token_file, wh_slice("", 0), &answer, &err) != WH_OK) {
        *ret_code = cli_fail(cli, "connect", &err);
    } else if (answer.status != 200) {
        *ret_code = cli_fail_answer(cli, "connect", &answer);
    } else if (wh_json_parse(parser, wh_buf_slice(&answer.body), &root, &err) != WH_OK) {
        *ret_code = cli_fail(cli, "connect", &err);
    } else {
        state = wh_json_get_str(root, "state");
        show_steps(a, root);
        ask_person(a, root);
        over = !wh_slice_eq(state, WH_LIT("running"));
        if (wh_slice_eq(state, WH_LIT("done"))) {
            *ret_code = connect_report(cli, &answer, root);
        } else if (over) {
            cli_note(&cli->out, "wellhead: connect: %.*s\n",
                     WH_SLICE_ARG(wh_json_get_str(root, "error")));
            *ret_code = CLI_FAILED;
        }
    }
    wh_buf_done(&answer.body);
    return over;
}

int connect_follow(struct cli *cli, struct wh_json_parser *parser, struct wh_slice session)
{
    struct approval a = {.cli = cli, .stdin_open = !cli->opt.no_input};
    int code = CLI_FAILED;

    (void)snprintf(a.session, sizeof(a.session), "%.*s", WH_SLICE_ARG(session));
    while (!poll_session(&a, parser, &code)) {
        await_line(&a);
    }
    return code;
}
