/* wellhead connect: asks the fetcher to connect, follows an approval, and reports the result. */
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/commands/connect_parts.h"
#include "cli/out/value.h"
#include "common/base/num.h"
#include "common/json/json_write.h"

enum { TOKEN_MAX_BYTES = 1024, BODY_MAX_BYTES = 16384, ANSWER_MAX_BYTES = 1 << 20, DEPTH_MAX = 32 };

/* The contents of the files that options name. Wiped after use. */
struct secrets {
    char *token;
    char *client_secret;
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

/* A number, or a path. */
static void project(struct wh_json_writer *w, const char *text)
{
    int64_t number;
    struct wh_err err;

    if (wh_num_i64(wh_slice_str(text), &number, &err) == WH_OK) {
        wh_jw_int(w, number);
    } else {
        wh_jw_str(w, wh_slice_str(text));
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
            project(&w, cli->opt.projects[i]);
        }
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
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
    parser = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    if (parser == NULL ||
        wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: connect: the fetcher's answer cannot be read\n");
    } else if (answer->status == 202) {
        code = connect_follow(cli, parser, wh_json_get_str(root, "session"));
    } else {
        code = connect_report(cli, answer, root);
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
        cli_note(&cli->out, "wellhead: connect needs the address of a GitLab\n");
        return CLI_USAGE;
    }
    if (cli_url_has_user(cli->opt.args[1])) {
        cli_note(&cli->out, "wellhead: connect: an address must not hold a user name or a "
                            "password; put a token into a file and give --token-file\n");
        return CLI_USAGE;
    }
    if (cli->opt.client_secret_file && cli->opt.client_id == NULL) {
        cli_note(&cli->out, "wellhead: --client-secret-file needs --client-id\n");
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
