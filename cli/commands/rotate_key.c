/* wellhead rotate-key: a new key for the secrets on Kafka; follows the fetchers until the old key
 * is gone. */
#include "cli/commands/commands.h"
#include "cli/out/value.h"

enum {
    ANSWER_MAX_BYTES = 4 << 20,
    DEPTH_MAX = 16,
    LOOK_MS = 300,
    ROTATE_MS = 600000,
    NAME_MAX_BYTES = 16,
};

static const char doing[] = "rotate-key";

/* What the fetcher says of the rotation; texts live as long as its JSON parser holds the answer. */
struct progress {
    struct wh_json_val root;
    long long connections;
    long long left;
    size_t n_problems;
    long long leaves_in_ms;
    bool rotating;
};

static void read_progress(struct wh_json_val root, struct progress *ret)
{
    struct wh_json_val list;

    ret->root = root;
    ret->connections = (long long)wh_json_get_int(root, "connections", 0);
    ret->left = (long long)wh_json_get_int(root, "left", 0);
    ret->leaves_in_ms = (long long)wh_json_get_int(root, "old_key_leaves_in_ms", -1);
    ret->rotating = wh_json_get_flag(root, "rotating");
    ret->n_problems = wh_json_get(root, WH_LIT("problems"), &list) ? cli_count(list) : 0;
}

static int ask(struct cli *cli, const char *method, const char *path, unsigned expected,
               struct wh_json_parser *parser, struct progress *ret)
{
    struct cli_answer answer;
    struct wh_json_val root;
    struct wh_err err;
    int code = CLI_OK;

    if (cli_call(cli, method, cli->conf.fetcher_url, wh_slice_str(path),
                 cli->conf.fetcher_token_file, wh_slice("", 0), &answer, &err) != WH_OK) {
        code = cli_fail(cli, doing, &err);
    } else if (answer.status != expected) {
        code = cli_fail_answer(cli, doing, &answer);
    } else if (wh_json_parse(parser, wh_buf_slice(&answer.body), &root, &err) != WH_OK) {
        code = cli_fail(cli, doing, &err);
    } else {
        read_progress(root, ret);
    }
    wh_buf_done(&answer.body);
    return code;
}

/* ---- what is shown ---- */

static void show_progress(const struct cli *cli, const struct progress *p)
{
    if (cli->opt.quiet || cli->opt.format != CLI_TEXT) {
        return;
    }
    if (p->left == 0 && p->leaves_in_ms > 0) {
        cli_progress(&cli->out, "all sealed again; the old key leaves in %lld s",
                     p->leaves_in_ms / 1000 + 1);
    } else {
        cli_progress(&cli->out, "sealed again: %lld of %lld connections", p->connections - p->left,
                     p->connections);
    }
}

static void print_problems(const struct cli *cli, const struct progress *p)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(p->root, WH_LIT("problems"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        struct wh_slice id = wh_json_get_str(item, "connection");
        struct wh_slice reason = wh_json_get_str(item, "reason");

        cli_note(&cli->out, "wellhead: rotate-key: %.*s cannot be sealed again: %.*s\n",
                 WH_SLICE_ARG(id), WH_SLICE_ARG(reason));
    }
    cli_note(&cli->out, "wellhead: rotate-key: the old key stays for these; connect them again, or "
                        "purge them\n");
}

static void print_end(const struct cli *cli, const char *old_key, const struct progress *p)
{
    struct wh_slice key = wh_json_get_str(p->root, "key");

    if (cli->opt.format != CLI_TEXT) {
        cli_say(&cli->out,
                "{\"ok\":true,\"key\":\"%.*s\",\"old_key\":\"%s\",\"connections\":%lld}\n",
                WH_SLICE_ARG(key), old_key, p->connections);
        return;
    }
    cli_say(&cli->out, "Rotated: key %.*s replaces %s\n", WH_SLICE_ARG(key), old_key);
    cli_say(&cli->out, "  %-12s %lld, their secrets sealed again\n", "connections", p->connections);
    cli_say(&cli->out, "  %-12s removed from the key file; nothing needs it\n", "old key");
}

/* ---- the command ---- */

/* The newest of the file's other keys. */
static void read_old_key(const struct progress *p, char old_key[NAME_MAX_BYTES])
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t i = 0;

    if (!wh_json_get(p->root, WH_LIT("keys"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item); i++) {
        struct wh_slice name = wh_json_string(item);

        if (i == 1 && name.len < NAME_MAX_BYTES) {
            memcpy(old_key, name.ptr, name.len);
            old_key[name.len] = '\0';
        }
    }
}

static int follow(struct cli *cli, struct wh_json_parser *parser, struct progress *p)
{
    int64_t until = cli_now_ms(cli) + (cli->opt.timeout_ms ? cli->opt.timeout_ms : ROTATE_MS);

    while (p->rotating) {
        int code;

        show_progress(cli, p);
        if (p->left > 0 && p->left == (long long)p->n_problems) {
            cli_progress_end(&cli->out);
            print_problems(cli, p);
            return CLI_FAILED;
        }
        if (cli_now_ms(cli) >= until) {
            cli_progress_end(&cli->out);
            cli_note(&cli->out,
                     "wellhead: rotate-key: %lld of %lld connections are left; it goes "
                     "on, and `wellhead rotate-key` follows it again\n",
                     p->left, p->connections);
            return CLI_TIMED_OUT;
        }
        cli_pause_ms(cli, LOOK_MS);
        code = ask(cli, "GET", "/api/v1/keys", 200, parser, p);
        if (code != CLI_OK) {
            cli_progress_end(&cli->out);
            return code;
        }
    }
    cli_progress_end(&cli->out);
    return CLI_OK;
}

int cli_rotate_key(struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    char old_key[NAME_MAX_BYTES] = "";
    struct progress p = {0};
    int code;

    if (parser == NULL) {
        cli_note(&cli->out, "wellhead: rotate-key: no memory\n");
        return CLI_FAILED;
    }
    code = ask(cli, "POST", "/api/v1/keys/rotate", 202, parser, &p);
    if (code == CLI_OK) {
        read_old_key(&p, old_key);
        code = follow(cli, parser, &p);
    }
    if (code == CLI_OK) {
        print_end(cli, old_key, &p);
    }
    wh_json_parser_free(parser);
    return code;
}
