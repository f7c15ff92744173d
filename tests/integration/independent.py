"""Everything that goes wrong at once, and then the truth: the store equals the stand-in's oracle, row by row."""
import json

import proof
import truth
from stack import Failure, Stack, await_true

GITLAB = ("--projects", "4", "--merge-requests", "160", "--issues", "160", "--pipelines", "120", "--deployments", "30",
          "--extras", "true")
FAULTS = {"drop_hook": 0.3, "duplicate_hook": 0.1, "reorder_hook": 0.2, "error_5xx": 0.04, "truncate": 0.02, "reset": 0.02}


def delivered(s):
    await_true("deliveries", 60, lambda: json.loads(s.control("deliveries?last=1"))["pending"] == 0)


def vanish(s, a, b, c):
    """Deletions, a hidden and a moved issue, a renamed project, and one that is out of reach for a while."""
    proof.delete(s, a, "issue", 10, 14)
    proof.delete(s, a, "merge_request", 11)
    pipeline = [o for o in s.oracle() if o.get("kind") == "pipeline" and o["project_id"] == a and not o.get("parent_id")][0]["id"]
    s.control("delete", {"project": a, "kind": "pipeline", "iid": pipeline})
    s.control("hide", {"project": a, "iid": 12, "hidden": True})
    s.control("move", {"project": a, "iid": 13, "to": b})
    s.control("project", {"project": c, "presence": "lost"})
    # GitLab touches none of the project's objects: only their addresses change.
    s.control("rename", {"project": b, "path": "elsewhere/renamed"})


def independent(broker, stacks):
    """Lost webhooks, garbage, kills, edits, deletions and a lost project; then every row equals the truth."""
    s = stacks(Stack(broker, "independent", gitlab=GITLAB, fetcher=("--repair.delay=500ms", "--sweep.hold_min=100000")))
    s.up()
    s.first_sync()
    s.hook()
    a, b, c = proof.projects(s)[:3]
    s.control("faults", FAULTS)
    s.control("mutate", {"count": 150, "seed": 5})
    vanish(s, a, b, c)
    for name in ("webhook-intake", "mapper", "sink", "fetcher"):
        s.control("mutate", {"count": 50, "seed": len(name)})
        s.kill(name)
        s.start(name)
    s.await_ready("webhook-intake", "mapper", "sink", "fetcher", seconds=90)
    delivered(s)
    s.control("faults", {"clear": True, "broken": "/releases"})
    s.sync()
    s.control("faults", {"clear": True})
    s.control("project", {"project": c, "presence": "here"})
    s.sync()
    rows = proof.verify_until_sure(s)
    proof.check_numbers(s, rows)
    n = truth.compare(s)
    renamed = s.sql("select count(*) n from merge_requests where url like '%/elsewhere/renamed/-/%'")[0]["n"]
    if renamed == 0:
        raise Failure("no merge request is at the renamed project's address")
    truth.no_writes(s)
    dead = json.loads(s.cli("status", "--json").stdout)["sink"]["dead_letters"]
    if dead:
        raise Failure(f"{dead} dead letters")
    return f"{n} objects"


SCENARIOS = (independent,)
