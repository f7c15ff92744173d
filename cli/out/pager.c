/* Data through a pager, so that a long answer does not run off the terminal. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/out/out.h"

enum { NO_SUCH_PROGRAM = 127 };

/* Where less is not installed, as in a small image, data are printed as they are. */
static const char less_or_cat[] =
    "if command -v less >/dev/null 2>&1; then exec less; else exec cat; fi";

static const char with_less[] = "LESS=${LESS-FRX}; export LESS; eval \"$1\"";

/* In the child. -F: no pager for what fits on the screen; -R: bold headings; -X: the text stays. */
static void run(const char *command, const int ends[2])
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(ends[0], STDIN_FILENO) >= 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl("/bin/sh", "sh", "-c", with_less, "sh", command, (char *)NULL);
    }
    _exit(NO_SUCH_PROGRAM);
}

/* Gives the stream into the pager; NULL when it cannot be started. */
static FILE *start(const char *command, pid_t *ret)
{
    int ends[2];
    FILE *stream;

    if (pipe(ends) != 0) {
        return NULL;
    }
    *ret = fork();
    if (*ret == 0) {
        run(command, ends);
    }
    (void)close(ends[0]);
    stream = *ret > 0 ? fdopen(ends[1], "w") : NULL;
    if (stream == NULL) {
        (void)close(ends[1]);
    }
    return stream;
}

void cli_page(struct cli_out *out, const char *command)
{
    FILE *stream;
    pid_t pager;

    if (!out->data_terminal || out->pager ||
        (command && (command[0] == '\0' || strcmp(command, "cat") == 0))) {
        return;
    }
    (void)fflush(out->data);
    stream = start(command ? command : less_or_cat, &pager);
    if (stream == NULL) {
        cli_note(out, "wellhead: the pager cannot be started\n");
        return;
    }
    out->unpaged = out->data;
    out->data = stream;
    out->pager = pager;
}

void cli_page_end(struct cli_out *out)
{
    int status = 0;

    if (out->pager == 0) {
        return;
    }
    /* The user may have left it before the end: that is no failure. */
    (void)fclose(out->data);
    out->data = out->unpaged;
    while (waitpid(out->pager, &status, 0) < 0 && errno == EINTR) {
    }
    out->pager = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SUCH_PROGRAM) {
        out->lost = true;
        cli_note(out, "wellhead: the pager was not found; --no-pager prints without one\n");
    }
}
