/* What `wellhead status` says of objects that GitLab does not show any more. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands/status_print.h"
#include "cli/out/value.h"

typedef void (*say_fn)(const struct cli_out *out, const char *format, ...);

/* "  g/p issues: 20 of 400 are gone, for example https://..." */
static void print_one(const struct cli *cli, struct wh_json_val held, say_fn say)
{
    struct wh_slice path = wh_json_get_str(held, "path");
    struct wh_json_val examples;
    struct wh_json_iter it;
    struct wh_json_val v;
    struct wh_slice key;

    say(&cli->out, "  %.*s %.*s: %" PRId64 " of %" PRId64 " are gone, for example\n",
        WH_SLICE_ARG(path.len ? path : wh_json_get_str(held, "project")),
        WH_SLICE_ARG(wh_json_get_str(held, "stream")), wh_json_get_int(held, "count", 0),
        wh_json_get_int(held, "known", 0));
    if (!wh_json_get(held, WH_LIT("examples"), &examples)) {
        return;
    }
    for (it = wh_json_iter(examples); wh_json_next(&it, &key, &v);) {
        say(&cli->out, "    %.*s\n", WH_SLICE_ARG(wh_json_string(v)));
    }
}

static void print_held(const struct cli *cli, struct wh_json_val c, say_fn say)
{
    struct wh_json_val list;
    struct wh_json_iter it;
    struct wh_json_val held;
    struct wh_slice key;

    if (!wh_json_get(c, WH_LIT("held"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &held);) {
        print_one(cli, held, say);
    }
}

void status_print_gone(const struct cli *cli, struct wh_json_val c)
{
    int64_t held = wh_json_get_int(c, "held_deletes", 0);
    int64_t unsure = wh_json_get_int(c, "unsure_deletes", 0);

    if (held > 0) {
        cli_say(&cli->out,
                "held: %" PRId64 " deletions; `wellhead status --confirm-deletes` applies them\n",
                held);
        print_held(cli, c, cli_say);
    }
    if (unsure > 0) {
        cli_say(&cli->out,
                "unsure: GitLab did not show %" PRId64
                " objects; they count as deleted when it says so again\n",
                unsure);
    }
}

/* A person confirms the number that was shown. */
static bool typed(const struct cli *cli, int64_t held)
{
    char want[24];
    char line[24];

    (void)snprintf(want, sizeof(want), "%" PRId64, held);
    cli_note(&cli->out, "Type %s to delete them in the store: ", want);
    if (cli_read_line(cli, line, sizeof(line)) && strcmp(line, want) == 0) {
        return true;
    }
    cli_note(&cli->out, "wellhead: that is not their number; nothing was deleted\n");
    return false;
}

bool status_gone_confirmed(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_iter it;
    struct wh_json_val c;
    struct wh_slice key;
    int64_t held = 0;

    if (!status_connections(view, &list)) {
        return true; /* the fetcher does not answer, which is said later */
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        int64_t n = wh_json_get_int(c, "held_deletes", 0);

        held += n;
        if (n > 0 && !cli->opt.quiet && cli->opt.format == CLI_TEXT) {
            cli_note(&cli->out, "%.*s: %" PRId64 " deletions are held\n",
                     WH_SLICE_ARG(wh_json_get_str(c, "id")), n);
            print_held(cli, c, cli_note);
        }
    }
    return held == 0 || !cli_may_ask(cli) || typed(cli, held);
}
