/* wellhead - the command line. */
#include <locale.h>
#include <signal.h>

#include "cli/run.h"
#include "common/run/run.h"

int main(int argc, char **argv, char **env)
{
    struct cli_http http = cli_http_curl();
    struct cli cli = {.world = cli_world_real(&http)};
    int code;

    /* First of all, as the files of tokens are read in this process. */
    wh_run_protect_memory();
    (void)signal(SIGPIPE, SIG_IGN);
    /* For the width of characters on the terminal, and for nothing else. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    cli_out_init(&cli.out, stdout, stderr);
    code = cli_run(&cli, argc, argv, env);
    cli_http_free(&http);
    return code;
}
