"""Back-pressure: Kafka stands still in the middle of a first sync, with a queue that is full at once."""
import json
import time

import truth
from stack import Failure, Skipped, Stack, await_true, call

GITLAB = ("--merge-requests", "900", "--issues", "700", "--pipelines", "100", "--deployments", "20")
FETCHER = ("--kafka.queue.buffering.max.messages=100", "--drain.deadline=5s")
STOPPED_S = 30
LIVE_MS = 100  # for nine answers in ten; the machine may be busy with something else for a moment
LIVE_WORST_MS = 1000


def connection(s):
    return s.fetcher_status()["connections"][0]


def asked(s):
    return json.loads(s.control("requests?last=1"))["total"]


def live_ms(s):
    start = time.monotonic()
    status, text = call("GET", f"http://127.0.0.1:{s.ports['fetcher']}/live", timeout=STOPPED_S)
    if status != 200:
        raise Failure(f"/live is {status}: {text}")
    return (time.monotonic() - start) * 1000


def watch_live(s, seconds):
    """What /live takes, again and again: what nine in ten stay below, and the worst, in ms."""
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        took.append(live_ms(s))
        time.sleep(0.05)
    took.sort()
    most, worst = took[len(took) * 9 // 10], took[-1]
    if most > LIVE_MS or worst > LIVE_WORST_MS:
        raise Failure(f"/live with a stopped broker: p90 {most:.0f} ms, worst {worst:.0f} ms")
    return most, worst


def healthy(s):
    c = connection(s)
    if c["state"] != "enabled" or c["error"] or s.oauth()["reused"]:
        raise Failure(f"the connection is {c['state']}: {c['error']}; {s.oauth()}")


def stand_still(s, broker):
    """Half a minute without Kafka: the fetcher answers, refreshes its token, and asks GitLab for nothing more."""
    await_true("a pair in use", 60, lambda: connection(s)["credentials"]["phase"] == "in use", pause=0.02)
    refreshed = s.oauth()["refreshed"]
    broker.pause()
    try:
        first = watch_live(s, STOPPED_S / 2)
        before = asked(s)
        second = watch_live(s, STOPPED_S / 2)
        more = asked(s) - before
        told = s.cli("status", "--check", check=False)
        if told.returncode != 10 or "kafka: it does not answer" not in told.stdout:
            raise Failure(f"status without Kafka: exit {told.returncode}: {told.stdout[:300]}")
        if more > 3:
            raise Failure(f"{more} requests to GitLab although nothing can be stored")
        if connection(s)["phase"] == "idle":
            raise Failure("the run has ended: the broker was not in its way")
        # A refresh asks GitLab only once Kafka has the record of it; a pair that came before waits there.
        waits = {"asking": s.oauth()["refreshed"] == refreshed, "saving": s.oauth()["refreshed"] != refreshed}
        if not waits.get(connection(s)["credentials"]["phase"]):
            raise Failure(f"no refresh waits for Kafka: {s.oauth()}, {connection(s)['credentials']}")
    finally:
        broker.resume()
    refreshed = s.oauth()["refreshed"]
    await_true("the pair of the stop saved, and the next one", 60, lambda: s.oauth()["refreshed"] > refreshed)
    return max(first, second)


def stop_in_the_middle(s, broker):
    """SIGTERM while records wait: the process ends at its deadline, and the next one reads what was not stored."""
    s.control("quirks", {"token_life_s": 7200})
    refreshed = s.oauth()["refreshed"]
    await_true("a pair that lasts", 60, lambda: s.oauth()["refreshed"] > refreshed)
    await_true("its record", 60, lambda: connection(s)["credentials"]["phase"] == "in use")
    s.control("mutate", {"count": 400, "seed": 11})
    broker.pause()
    try:
        before = asked(s)
        s.post("sync")
        await_true("requests", 30, lambda: asked(s) > before)
        watch_live(s, 2)
        start = time.monotonic()
        s.stop("fetcher", 20)
        took = time.monotonic() - start
    finally:
        broker.resume()
    if took > 10:
        raise Failure(f"SIGTERM with a stopped broker took {took:.1f} s; the deadline is 5 s")
    s.start("fetcher")
    s.await_ready("fetcher")
    return took


def stopped_broker(broker, stacks):
    """Kafka is stopped for 30 s in a first sync: /live answers, tokens are refreshed, SIGTERM is heard, nothing is lost."""
    if not broker.folder:
        raise Skipped("the broker is not ours to stop")
    s = stacks(Stack(broker, "stop", gitlab=GITLAB, fetcher=FETCHER))
    s.start("gitlab")
    s.await_ready("gitlab")
    s.control("quirks", {"token_life_s": 5})
    s.control("faults", {"slow": 1, "slow_ms": 150})
    s.up("webhook-intake")
    s.approve()
    # The first refresh waits until another owner's could not be under way any more; then they come every few seconds.
    await_true("a refresh", 60, lambda: s.oauth()["refreshed"] > 0, pause=0.02)
    await_true("part of the listings", 60, lambda: asked(s) > 300, pause=0.02)
    most, worst = stand_still(s, broker)
    s.control("faults", {"slow": 0})
    s.first_sync(180)
    healthy(s)
    truth.compare(s)
    took = stop_in_the_middle(s, broker)
    s.sync(180)
    s.settle(120)
    healthy(s)
    n = truth.compare(s)
    return f"{n} objects; /live p90 {most:.0f} ms, worst {worst:.0f} ms; SIGTERM took {took:.1f} s"


SCENARIOS = (stopped_broker,)
