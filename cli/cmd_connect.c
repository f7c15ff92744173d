/* wellhead connect: hands address and token to the fetcher, shows what came of it. */
#include <string.h>

#include "cli/cli.h"
#include "common/json/json_write.h"

enum { TOKEN_MAX_BYTES = 1024, BODY_MAX_BYTES = 8192, ANSWER_MAX_BYTES = 1 << 20 };

static enum wh_rc request_body(const char *url, const char *token, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_key(&w, "url");
    wh_jw_str(&w, wh_slice_str(url));
    wh_jw_key(&w, "token");
    wh_jw_str(&w, wh_slice_str(token));
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static void line(const char *label, struct wh_slice value)
{
    if (value.len) {
        (void)printf("  %-14s %.*s\n", label, WH_SLICE_ARG(value));
    }
}

static void print_webhook(const struct cli *cli, struct wh_json_val hook)
{
    struct wh_slice key = cli_get_str(hook, "signing_key");

    (void)printf("\nWebhook, to be entered in GitLab (project or group settings, Webhooks):\n");
    (void)printf("  %-14s %s%.*s  (as GitLab can reach it)\n", "URL", cli->conf.intake_url,
                 WH_SLICE_ARG(cli_get_str(hook, "path")));
    if (key.len == 0) {
        (void)printf("  its secrets were shown when the connection was made\n");
        return;
    }
    line("Signing token", key);
    line("Secret token", cli_get_str(hook, "token"));
    (void)printf("  %-14s Push no; Issues, Confidential issues, Merge request, Comments, Job,\n"
                 "  %-14s Pipeline, Deployment, Releases, Milestone yes\n",
                 "Triggers", "");
    (void)printf(
        "  Use the signing token where GitLab offers one (19.0 and later), else the secret "
        "token.\n  Both are shown this once.\n");
}

static void print_answer(const struct cli *cli, struct wh_json_val root)
{
    struct wh_slice scopes = cli_get_str(root, "scopes");
    struct wh_json_val hook;
    struct wh_json_val existing;
    bool known = wh_json_get(root, WH_LIT("existing"), &existing) && wh_json_bool(existing);

    (void)printf("%s %.*s\n", known ? "Connected again:" : "Connected:",
                 WH_SLICE_ARG(cli_get_str(root, "connection")));
    line("GitLab", cli_get_str(root, "instance"));
    line("version", cli_get_str(root, "gitlab_version"));
    line("user", cli_get_str(root, "user"));
    line("token scopes", scopes);
    line("read by", WH_LIT("REST, every stream"));
    if (scopes.len && memmem(scopes.ptr, scopes.len, "read_api", 8) == NULL) {
        (void)printf("  note: the token may do more than read; scope read_api is enough\n");
    }
    if (wh_json_get(root, WH_LIT("webhook"), &hook)) {
        print_webhook(cli, hook);
    }
    (void)printf("\nThe first sync has begun: `wellhead status --wait 10m` follows it.\n");
}

static int show_answer(struct cli *cli, const struct cli_answer *answer)
{
    struct wh_json_parser *parser;
    struct wh_json_val root;
    struct wh_err err;
    int code = CLI_OK;

    if (answer->status != 200) {
        return cli_fail_answer(cli, "connect", answer);
    }
    if (cli->opt.format != CLI_TEXT) {
        return cli_print(wh_buf_slice(&answer->body)) ? CLI_OK : CLI_FAILED;
    }
    parser = wh_json_parser_new(ANSWER_MAX_BYTES, 32);
    if (parser && wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK) {
        print_answer(cli, root);
    } else {
        (void)fprintf(stderr, "wellhead: connect: the fetcher's answer cannot be read\n");
        code = CLI_FAILED;
    }
    wh_json_parser_free(parser);
    return code;
}

int cli_connect(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf body;
    struct cli_answer answer;
    char *token = NULL;
    struct wh_err err;
    int code;

    if (cli->opt.n_args != 2 || cli->opt.token_file == NULL) {
        (void)fprintf(stderr, "wellhead: connect wants the GitLab's address and --token-file FILE "
                              "with a read_api token\n");
        return CLI_USAGE;
    }
    if (wh_conf_secret_read(cli->opt.token_file, TOKEN_MAX_BYTES, &token, &err) != WH_OK) {
        return cli_fail(cli, "connect", &err);
    }
    wh_buf_init(&body, BODY_MAX_BYTES);
    if (request_body(cli->opt.args[1], token, &body, &err) != WH_OK) {
        code = cli_fail(cli, "connect", &err);
    } else if (cli_http(cli, "POST", cli->conf.fetcher_url, WH_LIT("/api/v1/connections"),
                        cli->conf.fetcher_token_file, wh_buf_slice(&body), &answer,
                        &err) != WH_OK) {
        code = cli_fail(cli, "connect", &err);
        wh_buf_done(&answer.body);
    } else {
        code = show_answer(cli, &answer);
        wh_buf_done(&answer.body);
    }
    wh_mem_wipe(token, strlen(token));
    wh_mem_free(token);
    if (body.ptr) {
        wh_mem_wipe(body.ptr, body.len);
    }
    return code;
}
