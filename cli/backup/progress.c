#include "cli/backup/progress.h"

#include <inttypes.h>
#include <string.h>

enum { SILENT_MS = 2000, TERMINAL_MS = 200, LINES_MS = 10000, MIB_BITS = 20 };

void backup_progress_begin(struct backup_progress *p, const struct cli *cli)
{
    *p = (struct backup_progress){.cli = cli, .since_ms = cli_now_ms(cli)};
}

void backup_progress_say(struct backup_progress *p, const char *doing, int64_t done, int64_t total,
                         const char *unit)
{
    int64_t every = p->cli->out.messages_terminal ? TERMINAL_MS : LINES_MS;
    int64_t now_ms = cli_now_ms(p->cli);
    char of[32] = "";

    if (p->cli->opt.quiet || now_ms - p->since_ms < SILENT_MS || now_ms - p->said_ms < every) {
        return;
    }
    p->said_ms = now_ms;
    if (strcmp(unit, "bytes") == 0) {
        unit = "MiB";
        done >>= MIB_BITS;
        total = total < 0 ? total : total >> MIB_BITS;
    }
    if (total >= 0) {
        (void)snprintf(of, sizeof(of), " of %" PRId64, total);
    }
    if (p->cli->out.messages_terminal) {
        cli_progress(&p->cli->out, "%s: %lld%s %s", doing, (long long)done, of, unit);
    } else {
        cli_note(&p->cli->out, "%s: %lld%s %s\n", doing, (long long)done, of, unit);
    }
}
