"""`wellhead status --check`: each stage is killed and frozen in turn, and status says so within half a minute."""
import signal
import time

from stack import Failure, Stack, await_true

GITLAB = ("--merge-requests", "60", "--issues", "40", "--pipelines", "20", "--deployments", "10")
WITHIN_S = 30


def check(s):
    """(exit code, the words) of status --check."""
    done = s.cli("status", "--check", check=False)
    return done.returncode, done.stdout


def await_healthy(s):
    last = []

    def healthy():
        last[:] = check(s)
        return last[0] == 0 and last[1].startswith("healthy\n")
    try:
        await_true("healthy", 90, healthy, pause=0.5)
    except Failure as e:
        raise Failure(f"{e}: exit {last[0]}: {last[1][:300]}") from None


def await_words(s, begin, *parts):
    """Exit code 10, and a first line that begins so; gives how long it took."""
    start = time.monotonic()
    last = []

    def said():
        last[:] = check(s)
        return last[0] == 10 and last[1].startswith(begin) and all(p in last[1] for p in parts)
    try:
        await_true(f"status says '{begin}'", WITHIN_S, said, pause=0.5)
    except Failure as e:
        raise Failure(f"{e}: exit {last[0]}: {last[1][:600]}") from None
    return time.monotonic() - start


def silent(stage):
    """A part of what is said of a stage of which nothing is heard."""
    return f"{stage}: ", "has been silent since", "start it again"


def kill_and_freeze(s, killed, frozen):
    s.kill(killed)
    s.processes[frozen].send_signal(signal.SIGSTOP)
    try:
        took = await_words(s, "not healthy: ", *silent(killed), *silent(frozen))
    finally:
        s.processes[frozen].send_signal(signal.SIGCONT)
    s.start(killed)
    await_healthy(s)
    return took


def sink_is_away(s):
    s.kill("sink")
    took = await_words(s, "not healthy: sink: it does not answer", "how they are is not known")
    s.start("sink")
    await_healthy(s)
    s.processes["sink"].send_signal(signal.SIGSTOP)
    try:
        took = max(took, await_words(s, "not healthy: sink: it does not answer"))
    finally:
        s.processes["sink"].send_signal(signal.SIGCONT)
    await_healthy(s)
    return took


def stopped_in_order(s):
    """Who says goodbye is told at once."""
    if s.stop("mapper") != 0:
        raise Failure("the mapper did not stop in order")
    took = await_words(s, "not healthy: mapper: it was stopped at 20")
    s.start("mapper")
    await_healthy(s)
    return took


def health(broker, stacks):
    s = stacks(Stack(broker, "health", gitlab=GITLAB))
    s.up()
    s.first_sync()
    await_healthy(s)
    took = [kill_and_freeze(s, "fetcher", "mapper"), kill_and_freeze(s, "webhook-intake", "fetcher"),
            kill_and_freeze(s, "mapper", "webhook-intake"), sink_is_away(s), stopped_in_order(s)]
    return f"each stage killed and frozen: told after at most {max(took):.0f} s"


SCENARIOS = (health,)
