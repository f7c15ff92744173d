#include <stdio.h>

#include "cli/commands/connect_parts.h"
#include "cli/out/table.h"
#include "cli/out/value.h"

static void line(const struct cli *cli, const char *label, struct wh_slice value)
{
    if (value.len) {
        cli_say(&cli->out, "  %-14s %.*s\n", label, WH_SLICE_ARG(value));
    }
}

/* Does the address name this machine, where only what runs here reaches it? */
static bool is_local(struct wh_slice url)
{
    static const char *const hosts[] = {"http://127.",  "http://localhost",  "http://[::1]",
                                        "https://127.", "https://localhost", "https://[::1]"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (wh_slice_starts(url, wh_slice_str(hosts[i]))) {
            return true;
        }
    }
    return false;
}

/* The fetcher knows the public address, if one is configured. Without it only the person knows how
 * GitLab reaches the intake; an address of this machine is none, unless GitLab runs here, too. */
static void print_webhook_url(const struct cli *cli, struct wh_slice gitlab,
                              struct wh_json_val hook)
{
    struct wh_slice url = wh_json_get_str(hook, "url");
    struct wh_slice path = wh_json_get_str(hook, "path");

    if (url.len) {
        line(cli, "URL", url);
        return;
    }
    if (is_local(wh_slice_str(cli->conf.intake_url)) && !is_local(gitlab)) {
        cli_say(
            &cli->out,
            "  %-14s https://ADDRESS%.*s\n"
            "  %-14s ADDRESS is where GitLab reaches webhook-intake, which listens at %s here:\n"
            "  %-14s docs/operations.md says how to expose it. The setting public.url of the "
            "fetcher\n  %-14s names it, and is then printed here.\n",
            "URL", WH_SLICE_ARG(path), "", cli->conf.intake_url, "", "");
        return;
    }
    cli_say(&cli->out,
            "  %-14s %s%.*s\n"
            "  %-14s (if GitLab reaches webhook-intake at another address, that one; the setting\n"
            "  %-14s public.url of the fetcher names it)\n",
            "URL", cli->conf.intake_url, WH_SLICE_ARG(path), "", "");
}

static void print_webhook(const struct cli *cli, struct wh_slice gitlab, struct wh_json_val hook)
{
    struct wh_slice key = wh_json_get_str(hook, "signing_key");

    cli_say(&cli->out, "\nEnter this webhook in GitLab (project or group settings, Webhooks):\n");
    print_webhook_url(cli, gitlab, hook);
    if (key.len == 0) {
        cli_say(&cli->out, "  Its secrets were shown when the connection was made; --new-secret "
                           "makes new ones.\n");
        return;
    }
    line(cli, "Signing token", key);
    line(cli, "Secret token", wh_json_get_str(hook, "token"));
    cli_say(&cli->out,
            "  %-14s Push no; Issues, Confidential issues, Merge request, Comments, Job,\n"
            "  %-14s Pipeline, Deployment, Releases, Milestone yes\n",
            "Triggers", "");
    cli_say(
        &cli->out,
        "  Use the signing token where GitLab offers one (19.0 and later), otherwise the secret\n"
        "  token. They are not shown again.\n");
}

static void print_streams(const struct cli *cli, struct wh_json_val list)
{
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;
    bool all_rest = true;

    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        all_rest = all_rest && wh_slice_eq(wh_json_get_str(item, "read_by"), WH_LIT("rest"));
    }
    if (all_rest) {
        line(cli, "read by", WH_LIT("REST, every stream; webhooks add changes as they happen"));
        return;
    }
    cli_say(&cli->out, "\n");
    cli_table_init(&t, 3);
    cli_table_str(&t, "stream");
    cli_table_str(&t, "read by");
    cli_table_str(&t, "");
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        struct wh_slice tool = wh_json_get_str(item, "tool");

        cli_table_cell(&t, wh_json_get_str(item, "stream"));
        cli_table_cell(&t, wh_json_get_str(item, "read_by"));
        cli_table_cell(&t, tool.len ? tool : wh_json_get_str(item, "reason"));
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    cli_say(&cli->out,
            "Webhooks deliver changes of issues, merge requests, pipelines, jobs, deployments and\n"
            "releases as they happen, whatever reads the stream.\n");
}

static void print_answer(struct cli *cli, struct wh_json_val root)
{
    char connection[CLI_CONNECTION_ID_MAX + 1];
    struct wh_slice scopes = wh_json_get_str(root, "scopes");
    struct wh_json_val v;
    bool known = wh_json_get(root, WH_LIT("existing"), &v) && wh_json_bool(v);

    cli_say(&cli->out, "%s %.*s\n", known ? "Connected again:" : "Connected:",
            WH_SLICE_ARG(wh_json_get_str(root, "connection")));
    line(cli, "GitLab", wh_json_get_str(root, "instance"));
    line(cli, "moved from", wh_json_get_str(root, "moved_from"));
    line(cli, "version", wh_json_get_str(root, "gitlab_version"));
    line(cli, "user", wh_json_get_str(root, "user"));
    line(cli, "token scopes", scopes);
    if (scopes.len && memmem(scopes.ptr, scopes.len, "read_api", 8) == NULL &&
        !wh_slice_eq(scopes, WH_LIT("mcp"))) {
        cli_say(&cli->out,
                "  note: this token may do more than read; the scope read_api is enough\n");
    }
    (void)snprintf(connection, sizeof(connection), "%.*s",
                   WH_SLICE_ARG(wh_json_get_str(root, "connection")));
    connect_print_projects(cli, connection);
    if (wh_json_get(root, WH_LIT("streams"), &v)) {
        print_streams(cli, v);
    }
    if (wh_json_get(root, WH_LIT("webhook"), &v)) {
        print_webhook(cli, wh_json_get_str(root, "instance"), v);
    }
    cli_say(&cli->out, "\nThe first sync has begun: `wellhead status --wait 10m` follows it.\n");
}

int connect_report(struct cli *cli, const struct cli_answer *answer, struct wh_json_val root)
{
    if (cli->opt.format != CLI_TEXT) {
        return cli_data(&cli->out, wh_buf_slice(&answer->body)) ? CLI_OK : CLI_FAILED;
    }
    print_answer(cli, root);
    return CLI_OK;
}
