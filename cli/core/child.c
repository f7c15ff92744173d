#include "cli/core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child. */
static void become(char *const argv[], bool silent)
{
    int nowhere = silent ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    sigset_t none;

    if (nowhere >= 0) {
        (void)dup2(nowhere, STDOUT_FILENO);
    }
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)execvp(argv[0], argv);
    _exit(CLI_CHILD_MISSING);
}

static pid_t start(char *const argv[], bool silent)
{
    pid_t pid = fork();

    if (pid == 0) {
        become(argv, silent);
    }
    return pid;
}

pid_t cli_child_start(char *const argv[])
{
    return start(argv, false);
}

int cli_child_run(char *const argv[])
{
    pid_t pid = start(argv, true);
    int status = 0;
    pid_t ended;

    if (pid < 0) {
        return CLI_CHILD_KILLED;
    }
    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : CLI_CHILD_KILLED;
}
