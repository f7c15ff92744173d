"""The key of the sealed secrets is changed while everything runs and processes are killed."""
import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request

import truth
from stack import BIN, Failure, Stack, await_true, shaken

SMALL = ("--merge-requests", "60", "--issues", "50", "--pipelines", "20", "--deployments", "10")


def key_names(s):
    with open(s.path("control.token")) as f:
        token = f.read().strip()
    request = urllib.request.Request(f"http://127.0.0.1:{s.ports['fetcher']}/api/v1/keys",
                                     headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["keys"]


def key_lines(s):
    with open(s.path("key")) as f:
        return f.read().split()


def deliver(s):
    """One authentic webhook of a kind that means nothing here; the status. Hundreds of bodies that cannot be mapped
    would have the mapper hold the stream."""
    request = urllib.request.Request(f"http://127.0.0.1:{s.ports['webhook-intake']}{s.webhook['path']}",
                                     data=b'{"object_kind":"push"}', method="POST",
                                     headers={"X-Gitlab-Token": s.webhook["token"], "X-Gitlab-Event": "Push Hook"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0  # it was killed


class Deliveries(threading.Thread):
    """Webhooks all the time; remembers what was answered besides 2xx."""

    def __init__(self, s):
        super().__init__(daemon=True)
        self.s, self.wrong, self.good, self.over = s, [], 0, threading.Event()

    def run(self):
        while not self.over.wait(0.05):
            status = deliver(self.s)
            if 200 <= status < 300:
                self.good += 1
            else:
                self.wrong.append(status)

    def end(self):
        self.over.set()
        self.join()
        return self


def rotate_key(broker, stacks):
    """Two fetchers and an intake take up the new key; webhooks and reads go on; the old key leaves."""
    s = stacks(Stack(broker, "rotate", gitlab=SMALL))
    s.up()
    s.approve()
    other = s.one_more("fetcher")
    s.start(other)
    s.await_ready(other)
    s.first_sync()
    before = key_lines(s)
    deliveries = Deliveries(s)
    deliveries.start()
    said = json.loads(s.cli("rotate-key", "--json").stdout)
    after = key_lines(s)
    if not said["ok"] or len(after) != 1 or after == before or said["old_key"] in key_names(s):
        raise Failure(f"rotate-key says {said}, the file holds {len(after)} keys")
    deliveries.end()
    if deliveries.wrong or deliveries.good < 20:
        raise Failure(f"{deliveries.good} deliveries were taken, others were answered {deliveries.wrong[:9]}")
    # Processes that never had the old key.
    for name in ("fetcher", other, "webhook-intake"):
        s.kill(name)
        s.start(name)
    s.await_ready("fetcher", other, "webhook-intake")
    if not 200 <= deliver(s) < 300:
        raise Failure("an intake that starts now does not know the webhook's secret")
    for name in ("fetcher", other):
        if "do not open" in s.since_start(name):
            raise Failure(f"{name} cannot open a secret: {s.last_words()}")
    s.sync()
    s.settle()
    n = truth.compare(s)
    c = next(c for c in s.fetcher_status()["connections"] if c["id"] == s.connection)
    if not c["credentials"]["oauth"] or not c["credentials"]["read_api"]:
        raise Failure(f"a credential was lost: {c['credentials']}")
    return f"{n} objects, {deliveries.good} deliveries meanwhile"


def rotate_key_killed(broker, stacks):
    """kill -9 of the fetchers and the intake at random moments of three rotations: each secret stays readable."""
    seed = int(os.environ.get("SEED", str(int(time.time()))))
    chance = shaken(seed)
    s = stacks(Stack(broker, "rotatek", gitlab=SMALL))
    s.up()
    s.approve()
    other = s.one_more("fetcher")
    s.start(other)
    s.await_ready(other)
    kills = 0
    for _ in range(3):
        first = key_lines(s)
        command = subprocess.Popen([os.path.join(BIN, "wellhead"), "rotate-key", "--quiet"], env=s.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(3):
                time.sleep(chance.uniform(0, 1.5))
                name = chance.choice(("fetcher", other, "webhook-intake"))
                s.kill(name)
                kills += 1
                s.start(name)
        finally:
            command.kill()
            command.wait()
        s.await_ready("fetcher", other, "webhook-intake", seconds=90)
        # What was begun goes on without anybody asking; what was not is asked for again.
        await_true("the command", 120, lambda: s.cli("rotate-key", "--quiet", check=False).returncode == 0, 1)
        if len(key_lines(s)) != 1 or key_lines(s) == first:
            raise Failure(f"the key file holds {len(key_lines(s))} keys (SEED={seed})")
        await_true("a delivery", 30, lambda: 200 <= deliver(s) < 300)
    for name in ("fetcher", other, "webhook-intake"):
        s.kill(name)
        s.start(name)
    s.await_ready("fetcher", other, "webhook-intake", seconds=90)
    if not 200 <= deliver(s) < 300:
        raise Failure(f"an intake that starts now does not know the webhook's secret (SEED={seed})")
    for name in ("fetcher", other):
        if "do not open" in s.since_start(name):
            raise Failure(f"{name} cannot open a secret (SEED={seed})")
    s.sync()
    c = next(c for c in s.fetcher_status()["connections"] if c["id"] == s.connection)
    if not c["credentials"]["oauth"] or not c["credentials"]["read_api"]:
        raise Failure(f"a credential was lost: {c['credentials']} (SEED={seed})")
    return f"{kills} kills, seed {seed}"


SCENARIOS = (rotate_key, rotate_key_killed)
