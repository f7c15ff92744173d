#include "cli/import/progress.h"

#include <inttypes.h>

enum { SILENT_MS = 2000, TERMINAL_MS = 200, LINES_MS = 10000, CALLS = 512 };

void import_progress_begin(struct import_progress *p, const struct cli *cli)
{
    int64_t now_ms = cli_now_ms(cli);

    *p = (struct import_progress){.since_ms = now_ms};
}

static void say(const struct cli *cli, const char *doing, int64_t n, int64_t total)
{
    char of[32] = "";

    if (total >= 0) {
        (void)snprintf(of, sizeof(of), " of %" PRId64, total);
    }
    if (cli->out.messages_terminal) {
        cli_progress(&cli->out, "%s: %lld%s rows", doing, (long long)n, of);
    } else {
        cli_note(&cli->out, "%s: %lld%s rows\n", doing, (long long)n, of);
    }
}

void import_progress_now(struct import_progress *p, const struct cli *cli, const char *doing,
                         int64_t n, int64_t total)
{
    int64_t every = cli->out.messages_terminal ? TERMINAL_MS : LINES_MS;
    int64_t now_ms = cli_now_ms(cli);

    if (!cli->opt.quiet && now_ms - p->since_ms >= SILENT_MS && now_ms - p->said_ms >= every) {
        p->said_ms = now_ms;
        say(cli, doing, n, total);
    }
}

void import_progress(struct import_progress *p, const struct cli *cli, const char *doing, int64_t n,
                     int64_t total)
{
    if (++p->calls % CALLS == 0) {
        import_progress_now(p, cli, doing, n, total);
    }
}
