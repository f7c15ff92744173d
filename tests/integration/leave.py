"""The end of a connection: disconnected with proof, purged with proof, and back with the same ids."""
import json
import os
import signal

import truth
from stack import Failure, Stack, await_true, call

SMALL = ("--merge-requests", "80", "--issues", "60", "--pipelines", "30", "--deployments", "10")
TABLES = ("work_items", "build_records", "jobs", "accounts", "projects", "deployments", "environments", "releases",
          "milestones", "notes", "memberships")


def hybrid(broker, stacks, name):
    """Connected by an approval and a read_api token, read once, with live webhooks."""
    s = stacks(Stack(broker, name, gitlab=SMALL))
    s.up()
    s.first_sync()
    s.approve()
    s.sync()
    s.hook()
    s.control("mutate", {"count": 60, "seed": 5})
    await_true("deliveries", 60, lambda: json.loads(s.control("deliveries?last=1"))["pending"] == 0)
    s.sync()
    s.settle()
    return s


def ids(s):
    return {t: sorted(r["id"] for r in s.sql(f"select id from {t} where not deleted")) for t in TABLES}


def connection(s):
    listed = (s.fetcher_status() or {"connections": []})["connections"]
    return next((c for c in listed if c["id"] == s.connection), None)


def requests_seen(s):
    return json.loads(s.control("requests?last=1"))["total"]


def disconnect(broker, stacks):
    """Revoked, refused, silent, 401, rows stay; then purged, nothing left; then back with the same ids."""
    s = hybrid(broker, stacks, "leave")
    n = truth.compare(s)
    before = ids(s)
    said = s.cli("disconnect", s.connection, "--confirm", s.connection).stdout
    for word in ("revoked", "refuses the old token (HTTP 401)", "Access tokens", "are refused from now on"):
        if word not in said:
            raise Failure(f"disconnect does not say {word!r}: {said}")
    if s.oauth()["live"]:
        raise Failure(f"GitLab still knows live tokens: {s.oauth()}")
    silent = requests_seen(s)
    status, _ = call("POST", f"http://127.0.0.1:{s.ports['webhook-intake']}{s.webhook['path']}", body={"a": 1},
                     token=None)
    if status != 401:  # its secrets are gone: nothing tells it from a connection that never was
        raise Failure(f"a webhook of a disconnected GitLab is answered with {status}")
    again = json.loads(s.cli("disconnect", s.connection, "--confirm", s.connection, "--json").stdout)
    if not again["ok"] or not again["revoked"] or "HTTP 401" not in again["detail"]:
        raise Failure(f"a second disconnect says {again}")
    s.kill("fetcher")
    s.start("fetcher")
    s.await_ready("fetcher")
    if requests_seen(s) != silent:
        raise Failure(f"{requests_seen(s) - silent} requests after the disconnect")
    if ids(s) != before:
        raise Failure("rows did not stay")
    # Nothing is awaited of it, nor is it asked to run.
    s.cli("status", "--wait", "20s", "--quiet")
    if not json.loads(s.cli("status", "--verify", "--json", "--wait", "20s").stdout)["complete"]:
        raise Failure("a disconnected GitLab is called incomplete")
    report = json.loads(s.cli("purge", s.connection, "--confirm", s.connection, "--json").stdout)
    if not report["ok"] or report["leftovers"] or report["topics_left"] or report["entities"] < n:
        raise Failure(f"purge: {report}")
    left = {t: len(v) for t, v in ids(s).items() if v}
    if left or s.sql("select count(*) n from revisions")[0]["n"] or connection(s):
        raise Failure(f"left after the purge: {left}, {connection(s)}")
    for stage in ("mapper", "sink", "webhook-intake", "fetcher"):
        if stage in s.died():
            raise Failure(f"{stage} did not survive the purge")
    answer = s.connect()
    if answer["existing"]:
        raise Failure("a purged connection is still known")
    s.first_sync()
    # The mapper and the sink find the new topics in their own time.
    await_true("the rows again", 120, lambda: s.sql("select count(*) n from jobs")[0]["n"] >= len(before["jobs"]), 1)
    s.settle()
    truth.compare(s)
    after = ids(s)
    for table in TABLES:
        gone = set(before[table]) - set(after[table])
        # Notes come by webhooks alone: those that were told before the purge are not told again.
        if gone and table != "notes":
            raise Failure(f"{len(gone)} ids of {table} did not come back")
    # A token alone: forgotten here, and nobody says that it was revoked.
    by_hand = json.loads(s.cli("disconnect", s.connection, "--confirm", s.connection, "--json").stdout)
    if not by_hand["ok"] or by_hand["revoked"] or "Access tokens" not in by_hand["detail"]:
        raise Failure(f"a token that was given by hand: {by_hand}")
    return f"{n} objects; {report['entities']} rows and {report['revisions']} revisions purged, 0 left"


def disconnect_unreachable(broker, stacks):
    """GitLab does not answer: it is said, tried again, also by a fetcher that was killed, until it could."""
    s = hybrid(broker, stacks, "leaveu")
    gitlab = s.processes["gitlab"]
    gitlab.send_signal(signal.SIGSTOP)
    try:
        done = s.cli("disconnect", s.connection, "--confirm", s.connection, "--timeout", "3s", check=False)
        if done.returncode != 75 or "Not disconnected yet" not in done.stdout:
            raise Failure(f"disconnect without GitLab: exit {done.returncode}: {done.stdout}{done.stderr}")
        refused = s.cli("purge", s.connection, "--confirm", s.connection, "--timeout", "3s", check=False)
        if refused.returncode != 75:
            raise Failure(f"purge before the revocation: exit {refused.returncode}: {refused.stderr}")
        s.kill("fetcher")
        s.start("fetcher")
        s.await_ready("fetcher")
        await_true("the revocation to be tried", 60, lambda: "not revoked yet" in (connection(s) or {"detail": ""})["detail"])
    finally:
        gitlab.send_signal(signal.SIGCONT)
    c = await_true("the revocation", 90, lambda: (lambda x: x and not x["leaving"] and x)(connection(s)))
    if "HTTP 401" not in c["detail"] or c["state"] != "disabled":
        raise Failure(f"in the end: {c['state']}: {c['detail']}")
    return c["detail"]


def disconnect_unrevoked(broker, stacks):
    """GitLab knows the client no more and refuses the revocation, and the token: it is not called revoked."""
    s = stacks(Stack(broker, "leavef", gitlab=SMALL))
    s.up()
    s.first_sync()
    s.approve()
    s.control("oauth", {"forget": True})
    said = json.loads(s.cli("disconnect", s.connection, "--confirm", s.connection, "--json").stdout)
    if not said["ok"] or said["revoked"] or "did not take the revocation" not in said["detail"]:
        raise Failure(f"disconnect says {said}")
    return said["detail"]


def pairs(s):
    return [p["state"] for p in connection(s)["pairs"]]


def approve_again(broker, stacks):
    """Each approval ends the pair before it, also when GitLab is away for a while; a failed connect ends its own."""
    s = stacks(Stack(broker, "again", gitlab=SMALL))
    s.up()
    s.first_sync()
    for n in range(3):
        s.approve(*(("--new-client",) if n == 2 else ()))
        await_true(f"one pair after approval {n}", 30, lambda: s.oauth()["live"] == 1)
    await_true("the list of pairs", 20, lambda: sorted(pairs(s)) == ["in_use", "revoked", "revoked"])
    # GitLab cannot revoke now, and the fetcher is killed meanwhile.
    s.control("answers", {"where": "revoke", "how": "error", "status": 503, "next": -1})
    s.approve()
    await_true("a revocation that fails", 30, lambda: json.loads(s.control("answers"))["revoke"]["hits"] > 0)
    if s.oauth()["live"] != 2 or "replaced" not in pairs(s):
        raise Failure(f"{s.oauth()['live']} live pairs, the list says {pairs(s)}")
    s.kill("fetcher")
    s.start("fetcher")
    s.await_ready("fetcher")
    done = s.cli("disconnect", s.connection, "--confirm", s.connection, "--timeout", "3s", check=False)
    if done.returncode != 75:
        raise Failure(f"disconnect while GitLab cannot revoke: exit {done.returncode}: {done.stdout}")
    s.control("answers", {"clear": True})
    await_true("all pairs are revoked", 90, lambda: s.oauth()["live"] == 0)
    said = await_true("the end", 60, lambda: (lambda d: d if d["ok"] else None)(
        json.loads(s.cli("disconnect", s.connection, "--confirm", s.connection, "--json", check=False).stdout)))
    if not said["revoked"] or said["not_revoked"] or {p["state"] for p in said["pairs"]} != {"revoked"}:
        raise Failure(f"disconnect says {said}")
    return f"{len(said['pairs'])} pairs, all revoked"


def disconnect_lost(broker, stacks):
    """Killed between GitLab's answer and Kafka: the pair that was lost is listed, and never called revoked."""
    s = stacks(Stack(broker, "leavel", gitlab=SMALL))
    s.start("gitlab")
    s.await_ready("gitlab")
    s.control("quirks", {"token_life_s": 5})
    s.up()
    s.approve()
    s.control("answers", {"where": "token", "how": "hold_after", "next": 1})
    await_true("a held refresh", 60, lambda: json.loads(s.control("answers"))["held"] > 0)
    s.kill("fetcher")
    s.control("answers", {"clear": True})
    s.control("release", {})
    s.control("quirks", {"token_life_s": 7200})
    s.start("fetcher")
    s.await_ready("fetcher")
    said = json.loads(s.cli("disconnect", s.connection, "--confirm", s.connection, "--json", "--timeout", "60s").stdout)
    lost = [p for p in said["pairs"] if p["state"] == "lost"]
    if said["revoked"] or len(lost) != 1 or "Applications" not in lost[0]["reason"] or not said["not_revoked"]:
        raise Failure(f"disconnect says {said}")
    text = s.cli("disconnect", s.connection, "--confirm", s.connection).stdout
    if "not revoked" not in text or "may have been issued" not in text:
        raise Failure(f"disconnect says {text}")
    return lost[0]["reason"]


def connect_fails(broker, stacks):
    """GitLab has issued a pair, and the connect fails after it: the pair is revoked, and nothing is left of it."""
    s = stacks(Stack(broker, "leavec", gitlab=SMALL))
    s.start("gitlab")
    s.cli("topics", "--quiet")
    s.start("fetcher")
    s.await_ready("gitlab", "fetcher")
    with open(s.path("bad.token"), "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write("glpat-nobody-knows-this\n")
    try:
        s.approve("--token-file", s.path("bad.token"), "--oauth")
    except Failure as e:
        if "refuses the token" not in str(e):
            raise
    else:
        raise Failure("a connect with a token that GitLab refuses did not fail")
    if s.oauth()["granted"] != 1:
        raise Failure(f"no pair was issued: {s.oauth()}")
    await_true("the pair is revoked", 30, lambda: s.oauth()["live"] == 0)
    await_true("nothing is left", 30, lambda: not (s.fetcher_status() or {"connections": [1]})["connections"])
    return "revoked, and nothing is left"


SCENARIOS = (disconnect, disconnect_unreachable, disconnect_unrevoked, approve_again, disconnect_lost, connect_fails)
