/* wellhead connect: hands the address to the fetcher, shows each step as it happens and the end. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/hash.h"
#include "common/json/json_write.h"

enum {
    TOKEN_MAX_BYTES = 1024,
    BODY_MAX_BYTES = 16384,
    ANSWER_MAX_BYTES = 1 << 20,
    PATH_MAX_BYTES = 256,
    LINE_MAX_BYTES = 4096,
    POLL_MS = 300,
};

/* Secrets of the command line's files. */
struct secrets {
    char *token;
    char *client_secret;
};

/* An approval under way. */
struct approval {
    struct cli *cli;
    char session[80];
    size_t n_shown; /* steps */
    bool asked;     /* an address is shown */
    uint64_t asked_hash;
    bool stdin_open; /* a pasted redirect may come */
    char line[LINE_MAX_BYTES];
    size_t line_len;
};

/* ---- the request ---- */

static void member(struct wh_json_writer *w, const char *key, const char *value)
{
    if (value) {
        wh_jw_put_str(w, key, wh_slice_str(value));
    }
}

static void ask_for(struct wh_json_writer *w, const char *name, bool wanted)
{
    if (wanted) {
        wh_jw_put_bool(w, name, true);
    }
}

static enum wh_rc request_body(const struct cli *cli, const struct secrets *s, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    member(&w, "url", cli->opt.args[1]);
    member(&w, "token", s->token);
    member(&w, "client_id", cli->opt.client_id);
    member(&w, "client_secret", s->client_secret);
    ask_for(&w, "oauth", cli->opt.oauth);
    ask_for(&w, "new_client", cli->opt.new_client);
    ask_for(&w, "new_secret", cli->opt.new_secret);
    ask_for(&w, "move", cli->opt.move);
    if (cli->opt.n_projects) {
        wh_jw_key(&w, "projects");
        wh_jw_array(&w);
        for (size_t i = 0; i < cli->opt.n_projects; i++) {
            wh_jw_int(&w, cli->opt.projects[i]);
        }
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* ---- the end ---- */

static void line(const struct cli *cli, const char *label, struct wh_slice value)
{
    if (value.len) {
        cli_say(&cli->out, "  %-14s %.*s\n", label, WH_SLICE_ARG(value));
    }
}

static void print_webhook(const struct cli *cli, struct wh_json_val hook)
{
    struct wh_slice key = cli_get_str(hook, "signing_key");

    cli_say(&cli->out,
            "\nWebhook, to be entered in GitLab (project or group settings, Webhooks):\n");
    cli_say(&cli->out, "  %-14s %s%.*s  (as GitLab can reach it)\n", "URL", cli->conf.intake_url,
            WH_SLICE_ARG(cli_get_str(hook, "path")));
    if (key.len == 0) {
        cli_say(
            &cli->out,
            "  its secrets were shown when the connection was made; --new-secret makes others\n");
        return;
    }
    line(cli, "Signing token", key);
    line(cli, "Secret token", cli_get_str(hook, "token"));
    cli_say(&cli->out,
            "  %-14s Push no; Issues, Confidential issues, Merge request, Comments, Job,\n"
            "  %-14s Pipeline, Deployment, Releases, Milestone yes\n",
            "Triggers", "");
    cli_say(&cli->out,
            "  Use the signing token where GitLab offers one (19.0 and later), else the secret "
            "token.\n  Both are shown this once.\n");
}

static void print_streams(const struct cli *cli, struct wh_json_val list)
{
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;
    bool all_rest = true;

    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        all_rest = all_rest && wh_slice_eq(cli_get_str(item, "read_by"), WH_LIT("rest"));
    }
    if (all_rest) {
        line(cli, "read by", WH_LIT("REST, every stream; webhooks as they come"));
        return;
    }
    cli_say(&cli->out, "\n");
    cli_table_init(&t, 3);
    cli_table_str(&t, "stream");
    cli_table_str(&t, "read by");
    cli_table_str(&t, "");
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        struct wh_slice tool = cli_get_str(item, "tool");

        cli_table_cell(&t, cli_get_str(item, "stream"));
        cli_table_cell(&t, cli_get_str(item, "read_by"));
        cli_table_cell(&t, tool.len ? tool : cli_get_str(item, "reason"));
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    cli_say(&cli->out,
            "Webhooks bring issues, merge requests, pipelines, jobs, deployments and releases\n"
            "live, whatever reads them.\n");
}

static void print_answer(const struct cli *cli, struct wh_json_val root)
{
    struct wh_slice scopes = cli_get_str(root, "scopes");
    struct wh_json_val v;
    bool known = wh_json_get(root, WH_LIT("existing"), &v) && wh_json_bool(v);

    cli_say(&cli->out, "%s %.*s\n", known ? "Connected again:" : "Connected:",
            WH_SLICE_ARG(cli_get_str(root, "connection")));
    line(cli, "GitLab", cli_get_str(root, "instance"));
    line(cli, "moved from", cli_get_str(root, "moved_from"));
    line(cli, "version", cli_get_str(root, "gitlab_version"));
    line(cli, "user", cli_get_str(root, "user"));
    line(cli, "token scopes", scopes);
    if (scopes.len && memmem(scopes.ptr, scopes.len, "read_api", 8) == NULL &&
        !wh_slice_eq(scopes, WH_LIT("mcp"))) {
        cli_say(&cli->out, "  note: the token may do more than read; scope read_api is enough\n");
    }
    if (wh_json_get(root, WH_LIT("streams"), &v)) {
        print_streams(cli, v);
    }
    if (wh_json_get(root, WH_LIT("webhook"), &v)) {
        print_webhook(cli, v);
    }
    cli_say(&cli->out, "\nThe first sync has begun: `wellhead status --wait 10m` follows it.\n");
}

static int show_end(const struct cli *cli, const struct cli_answer *answer, struct wh_json_val root)
{
    if (cli->opt.format != CLI_TEXT) {
        return cli_data(&cli->out, wh_buf_slice(&answer->body)) ? CLI_OK : CLI_FAILED;
    }
    print_answer(cli, root);
    return CLI_OK;
}

/* ---- the approval ---- */

/* By exec, no shell; the address is http or https and holds nothing that is not visible. */
static bool openable(struct wh_slice url)
{
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= 0x20 || url.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return wh_slice_starts(url, WH_LIT("https://")) || wh_slice_starts(url, WH_LIT("http://"));
}

/* In a process of its own, which ends here; what the browser prints is nobody's business. */
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
        /* Twice, so that nobody has to wait for the browser's end. */
        if (fork() == 0) {
            run_opener(url);
        }
        _exit(0);
    }
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
    }
}

static void ask_person(struct approval *a, struct wh_json_val root)
{
    struct wh_slice url = cli_get_str(root, "approve_url");
    char text[LINE_MAX_BYTES];

    if (url.len == 0 || url.len >= sizeof(text) || wh_hash64(url) == a->asked_hash) {
        return;
    }
    a->asked = true;
    a->asked_hash = wh_hash64(url);
    memcpy(text, url.ptr, url.len);
    text[url.len] = '\0';
    cli_note(&a->cli->out, "\nApprove in your browser:\n\n  %s\n\n", text);
    cli_note(&a->cli->out,
             "If the browser runs elsewhere and ends at %.*s..., paste that whole\n"
             "address here and press Enter.\n\n",
             WH_SLICE_ARG(cli_get_str(root, "redirect_uri")));
    if (!a->cli->opt.no_browser && openable(url)) {
        open_browser(text);
    }
}

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
            cli_note(&a->cli->out, "  %-10.*s %.*s\n", WH_SLICE_ARG(cli_get_str(item, "step")),
                     WH_SLICE_ARG(cli_get_str(item, "text")));
        }
    }
    a->n_shown = n;
}

static void send_pasted(struct approval *a, struct wh_slice text)
{
    WH_AUTO(buf) struct wh_buf body;
    struct wh_json_writer w;
    struct cli_answer answer;
    char path[PATH_MAX_BYTES];
    struct wh_err err;

    wh_buf_init(&body, BODY_MAX_BYTES);
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

/* Waits a little for a pasted line. */
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

/* True when the session has ended; then *ret_code is how. */
static bool look(struct approval *a, struct wh_json_parser *parser, int *ret_code)
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
        state = cli_get_str(root, "state");
        show_steps(a, root);
        ask_person(a, root);
        over = !wh_slice_eq(state, WH_LIT("running"));
        if (wh_slice_eq(state, WH_LIT("done"))) {
            *ret_code = show_end(cli, &answer, root);
        } else if (over) {
            cli_note(&cli->out, "wellhead: connect: %.*s\n",
                     WH_SLICE_ARG(cli_get_str(root, "error")));
            *ret_code = CLI_FAILED;
        }
    }
    wh_buf_done(&answer.body);
    return over;
}

static int follow(struct cli *cli, struct wh_json_parser *parser, struct wh_slice session)
{
    struct approval a = {.cli = cli, .stdin_open = true};
    int code = CLI_FAILED;

    (void)snprintf(a.session, sizeof(a.session), "%.*s", WH_SLICE_ARG(session));
    while (!look(&a, parser, &code)) {
        await_line(&a);
    }
    return code;
}

/* ---- the command ---- */

static int take_answer(struct cli *cli, const struct cli_answer *answer)
{
    struct wh_json_parser *parser;
    struct wh_json_val root;
    struct wh_err err;
    int code = CLI_FAILED;

    if (answer->status != 200 && answer->status != 202) {
        return cli_fail_answer(cli, "connect", answer);
    }
    parser = wh_json_parser_new(ANSWER_MAX_BYTES, 32);
    if (parser == NULL ||
        wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: connect: the fetcher's answer cannot be read\n");
    } else if (answer->status == 202) {
        code = follow(cli, parser, cli_get_str(root, "session"));
    } else {
        code = show_end(cli, answer, root);
    }
    wh_json_parser_free(parser);
    return code;
}

static int connect_by(struct cli *cli, const struct secrets *s)
{
    struct wh_buf body;
    struct cli_answer answer;
    struct wh_err err;
    int code;

    wh_buf_init_secret(&body, BODY_MAX_BYTES);
    if (request_body(cli, s, &body, &err) != WH_OK) {
        code = cli_fail(cli, "connect", &err);
    } else if (cli_call(cli, "POST", cli->conf.fetcher_url, WH_LIT("/api/v1/connections"),
                        cli->conf.fetcher_token_file, wh_buf_slice(&body), &answer,
                        &err) != WH_OK) {
        code = cli_fail(cli, "connect", &err);
        wh_buf_done(&answer.body);
    } else {
        code = take_answer(cli, &answer);
        wh_buf_done(&answer.body);
    }
    wh_buf_done(&body);
    return code;
}

/* The path is not repeated: people paste the token itself where its file is asked for. */
static int fail_secret(const struct cli *cli, const char *option, const struct wh_err *err)
{
    const char *reason = err->rc == WH_E_NOMEM       ? "out of memory"
                         : err->rc == WH_E_TOO_LARGE ? "the file is too large for a secret"
                                                     : "it must be a file that you own, not empty, "
                                                       "and readable by nobody else (chmod 600)";

    cli_note(&cli->out, "wellhead: connect: cannot read what %s names: %s\n", option, reason);
    return CLI_FAILED;
}

static int read_secrets(const struct cli *cli, struct secrets *s)
{
    struct wh_err err;

    if (cli->opt.token_file &&
        wh_conf_secret_read(cli->opt.token_file, TOKEN_MAX_BYTES, &s->token, &err) != WH_OK) {
        return fail_secret(cli, "--token-file", &err);
    }
    if (cli->opt.client_secret_file &&
        wh_conf_secret_read(cli->opt.client_secret_file, TOKEN_MAX_BYTES, &s->client_secret,
                            &err) != WH_OK) {
        return fail_secret(cli, "--client-secret-file", &err);
    }
    return CLI_OK;
}

int cli_connect(struct cli *cli)
{
    struct secrets s = {0};
    int code;

    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: connect wants the GitLab's address\n");
        return CLI_USAGE;
    }
    if (cli_url_has_user(cli->opt.args[1])) {
        cli_note(&cli->out, "wellhead: connect: an address must not hold a user name or a "
                            "password; put a token into a file and give --token-file\n");
        return CLI_USAGE;
    }
    if (cli->opt.client_secret_file && cli->opt.client_id == NULL) {
        cli_note(&cli->out, "wellhead: --client-secret-file wants --client-id\n");
        return CLI_USAGE;
    }
    code = read_secrets(cli, &s);
    if (code == CLI_OK) {
        code = connect_by(cli, &s);
    }
    wh_mem_free_secret(s.token);
    wh_mem_free_secret(s.client_secret);
    return code;
}
