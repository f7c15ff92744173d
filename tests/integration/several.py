"""Several processes of one stage: they share the work, and one that dies is replaced."""
import json

import truth
from stack import Failure, Stack, await_true, call

PROJECTS, ROWS, PER_PAGE = 8, 1600, 100


def conn(s, name):
    status = s.fetcher_status(name)
    return status["connections"][0] if status and status["connections"] else None


def rows(s, name):
    c = conn(s, name)
    return sum(x["rows_total"] for x in c["streams"]) if c else 0


def least_requests(s):
    """Of the large listings: pages of 100, the first project has all rows and the n-th 1/n of them."""
    counts = {}
    for o in s.oracle():
        if o.get("kind") in ("merge_request", "issue"):
            key = o["project_id"], o["kind"]
            counts[key] = counts.get(key, 0) + 1
    return sum(-(-n // PER_PAGE) for n in counts.values())


def await_equal(s, seconds):
    """Waits until the store is as GitLab is; says what differs when it does not come to that."""
    last = []

    def equal():
        try:
            s.settle()
            return truth.compare(s)
        except Failure as e:
            last[:] = [e]
            return None
    try:
        return await_true("the store as GitLab is", seconds, equal)
    except Failure:
        raise last[0]


def two_fetchers(broker, stacks):
    """Two fetchers share the projects; one is killed in the middle, the other finishes; nothing is missing, little twice."""
    s = stacks(Stack(broker, "two", gitlab=("--projects", str(PROJECTS), "--merge-requests", str(ROWS), "--issues",
                                           str(ROWS), "--pipelines", "60", "--deployments", "20"),
                     fetcher=("--read.links=false", "--read.notes=none",)))
    other = s.one_more("fetcher")
    s.start("gitlab")
    s.cli("topics", "--quiet")
    s.start("fetcher", other, "mapper", "sink")
    s.await_ready("gitlab", "fetcher", other, "mapper", "sink")
    shares = await_true("both have a part", 30, lambda: (lambda a, b: a and b and len(a) + len(b) == 4 and (a, b))(
        s.fetcher_status()["share"]["owned"], s.fetcher_status(other)["share"]["owned"]))
    s.control("faults", {"slow": 1.0, "slow_ms": 60})
    s.connect()
    await_true("both read", 60, lambda: rows(s, "fetcher") > 500 and rows(s, other) > 500)
    victim, survivor = other, "fetcher"
    s.kill(victim)
    s.control("faults", {"clear": True})
    await_true("the other takes over", 60, lambda: len(s.fetcher_status(survivor)["share"]["ready"]) == 4)
    await_true("its run ends", 120, lambda: conn(s, survivor)["phase"] == "idle" and conn(s, survivor)["runs"] > 0)
    s.settle()
    n = truth.compare(s)
    by_route = json.loads(s.control("requests?last=1"))["by_route"]
    pages = sum(by_route.get(f"/api/v4/projects/:id/{k}", 0) for k in ("merge_requests", "issues"))
    least = least_requests(s)
    if pages > least * 1.3 + 16:
        raise Failure(f"{pages} pages were read where {least} suffice")
    # The dead one comes back, is given its part again, and a wish told to it reaches both.
    s.start(victim)
    s.await_ready(victim)
    await_true("both have a part again", 60, lambda: 0 < len(s.fetcher_status(victim)["share"]["ready"]) < 4)
    s.control("mutate", {"count": 300, "seed": 5})
    with open(s.path("control.token")) as f:
        call("POST", f"http://127.0.0.1:{s.ports[victim]}/api/v1/connections/{s.connection}/sync",
             token=f.read().strip())
    # Runs of the handover may have begun before the mutations: what counts is that the wish brings them in.
    n = await_equal(s, 60)
    return f"{n} objects; {pages} pages, {least} at least; shares {shares}"
