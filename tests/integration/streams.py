"""The state of every stream: what fails is named while all else goes on; what was cut off is closed."""
import json

from stack import Failure, Stack, await_true

GITLAB = ("--projects", "3", "--merge-requests", "60", "--issues", "60", "--pipelines", "30", "--deployments", "10",
          "--extras", "true")


def told(s):
    return {r["stream"]: r for r in s.sql("select * from streams")}


def agree(s):
    """SQL and /api/v1/status say the same."""
    other = {r["stream"]: r for r in json.loads(s.cli("status", "--json").stdout)["sink"]["streams"][0]["streams"]}
    return all(row[key] == other[name][key] for name, row in told(s).items()
               for key in ("state", "read_by", "reason", "at_gitlab", "failing_runs", "last_success"))


def state(s):
    return s.sql("select state, detail from connections")[0]


def is_told(s, what, check):
    try:
        await_true(what, 60, lambda: check(told(s), state(s)), pause=0.3)
    except Failure as e:
        raise Failure(f"{e}: {[(n, r['state'], r['reason']) for n, r in told(s).items()]}, {state(s)}") from None


def all_are(rows, state_, but=()):
    return all(r["state"] == state_ for n, r in rows.items() if n not in but)


def one_stream_fails(s):
    """A proxy's page of HTML for one stream: it is late, then failing; the others are on time."""
    s.control("faults", {"broken": "/releases", "broken_status": 404})
    s.sync()
    is_told(s, "one failing run is a delay", lambda rows, c:
            rows["releases"]["state"] == "late" and all_are(rows, "on_time", ("releases",)) and c["state"] == "degraded")
    for part in ("404", "text/html", "GET /api/v4/projects/", "/releases"):
        if part not in rows_reason(s, "releases") or part not in state(s)["detail"]:
            raise Failure(f"{part} is not in {rows_reason(s, 'releases')!r}, {state(s)['detail']!r}")
    await_true("SQL and status agree", 30, lambda: agree(s))
    text = s.cli("status").stdout
    if "releases" not in text or " late " not in text:
        raise Failure(f"status does not say that releases are late: {text[:2000]}")
    s.sync()
    s.sync()
    is_told(s, "three failing runs are an error", lambda rows, c:
            rows["releases"]["state"] == "failing" and all_are(rows, "on_time", ("releases",)) and c["state"] == "error")
    if s.cli("status", "--check", check=False).returncode != 10:
        raise Failure("status --check is content with a failing stream")
    s.control("faults", {"broken": ""})
    s.sync()
    is_told(s, "all is well again", lambda rows, c: all_are(rows, "on_time") and c["state"] == "enabled")


def rows_reason(s, stream):
    return told(s)[stream]["reason"] or ""


def a_page_is_not_json(s):
    """200 with a sign-in page in GitLab's place is a failure, too."""
    s.control("faults", {"broken": "/deployments", "broken_status": 200})
    s.sync()
    is_told(s, "HTML is a failure", lambda rows, c:
            rows["deployments"]["state"] in ("late", "failing") and c["state"] != "enabled")
    s.control("faults", {"broken": ""})
    s.sync()
    is_told(s, "JSON again", lambda rows, c: all_are(rows, "on_time") and c["state"] == "enabled")


def everything_is_refused(s):
    """403 for each stream of each project: nothing is read, and the run is not ok."""
    s.control("faults", {"broken": "/projects/", "broken_status": 403})
    s.sync()
    is_told(s, "nothing is read", lambda rows, c:
            all_are(rows, "not_read", ("projects",)) and c["state"] in ("degraded", "error"))
    if "403" not in rows_reason(s, "issues"):
        raise Failure(f"the reason of issues is {rows_reason(s, 'issues')!r}")
    last = s.sql("select state, error from runs order by run desc limit 1")[0]
    if last["state"] != "error" or "refuses every stream" not in last["error"]:
        raise Failure(f"the run is {last}")
    s.control("faults", {"broken": ""})
    s.sync()
    is_told(s, "it is read again", lambda rows, c: all_are(rows, "on_time") and c["state"] == "enabled")


def killed_in_a_run(s):
    """The run is closed as interrupted at the next start, and nothing else is."""
    s.control("faults", {"slow": 1, "slow_ms": 400})
    s.post("sync")
    await_true("a run is told", 60, lambda: any(r["state"] == "syncing" for r in told(s).values()))
    cut = s.sql("select run from runs order by run desc limit 1")[0]["run"]
    s.kill("fetcher")
    s.control("faults", {"slow": 0})
    s.start("fetcher")
    s.await_ready("fetcher")
    await_true("the run is closed", 60, lambda: [
        r["run"] for r in s.sql("select run from runs where state = 'interrupted'")] == [cut])
    is_told(s, "all is well", lambda rows, c: all_are(rows, "on_time") and c["state"] == "enabled")
    left = s.sql("select count(*) n from runs where state = 'in_progress'")[0]["n"]
    if left:
        raise Failure(f"{left} runs are in progress for ever")


def streams(broker, stacks):
    s = stacks(Stack(broker, "streams", gitlab=GITLAB, fetcher=("--request.timeout=5s",)))
    s.up()
    s.first_sync()
    is_told(s, "all is well", lambda rows, c: all_are(rows, "on_time") and c["state"] == "enabled")
    rows = told(s)
    # The jobs of each pipeline were read to a proved end.
    if rows["jobs"]["missing"] != 0 or rows["jobs"]["counted_by"] != "pipelines":
        raise Failure(f"jobs: {rows['jobs']}")
    by_pipeline = s.sql("select source_project_id, have, expected from completeness where stream = 'jobs'")
    if not by_pipeline or any(r["have"] != r["expected"] for r in by_pipeline):
        raise Failure(f"jobs by pipelines: {by_pipeline}")
    if rows["issues"]["read_by"] != "rest" or rows["issues"]["credential"] != "read_api token" or \
            rows["issues"]["counted_by"] != "numbers" or not rows["issues"]["at_gitlab"]:
        raise Failure(f"issues: {rows['issues']}")
    await_true("rows at GitLab are rows stored", 30, lambda: all(
        r["stored"] == r["at_gitlab"] for r in json.loads(s.cli("status", "--json").stdout)["sink"]["streams"][0]["streams"]
        if r["stream"] in ("projects", "members", "releases", "issues", "merge_requests", "pipelines")))
    one_stream_fails(s)
    a_page_is_not_json(s)
    everything_is_refused(s)
    killed_in_a_run(s)
    return f"{len(rows)} streams, five ways to fail"


def pipelines_of(s):
    """{(project, iid)} that GitLab has, without the recorded ones."""
    return {(str(o["project_id"]), str(o["iid"])) for o in s.oracle()
            if o.get("kind") == "pipeline" and not o.get("deleted") and not o.get("recorded")}


def stored(s):
    return {(r["source_project_id"], r["source_iid"]) for r in s.sql(
        "select source_project_id, source_iid from build_records where source_kind = 'pipeline' "
        "and source_project_id <> '12345678' limit 10000")}


def verified(s):
    done = s.cli("status", "--verify", "--json", "--wait", "2m", check=False)
    if done.returncode not in (0, 10):
        raise Failure(f"status --verify: exit {done.returncode}: {done.stderr.strip()[:200]}")
    told_ = json.loads(done.stdout)
    return told_["complete"], *({r["project"]: r for r in told_["rows"] if r["stream"] == stream}
                                for stream in ("pipelines", "jobs"))


def proved(broker, stacks):
    """Pipelines that no listing shows are found by number, or are known to be missing."""
    s = stacks(Stack(broker, "proved", gitlab=GITLAB))
    s.start("gitlab")
    s.await_ready("gitlab")
    s.control("quirks", {"hide_children": 1})
    gone = next(o for o in s.oracle() if o.get("kind") == "pipeline" and o["iid"] == 3)
    s.control("delete", {"project": gone["project_id"], "kind": "pipeline", "iid": gone["id"]})
    s.up("webhook-intake")
    s.first_sync()
    complete, rows, jobs = verified(s)
    have, want = stored(s), pipelines_of(s)
    # Above the highest number that was ever seen, nothing is known.
    last = {p: max(int(i) for q, i in have if q == p) for p, _ in have}
    want = {(p, i) for p, i in want if int(i) <= last.get(p, 0)}
    if have != want:
        raise Failure(f"pipelines: {sorted(want - have)[:5]} missing, {sorted(have - want)[:5]} too many")
    row = rows[str(gone["project_id"])]
    recorded = rows.pop("12345678")
    if recorded["verdict"] != "listed, not proved":
        raise Failure(f"of 36,000 numbers most have no pipeline any more: {recorded}")
    if complete is not None or row["deleted"] != 1 or any(r["missing"] for r in rows.values()):
        raise Failure(f"complete is {complete}: {rows}")
    # Nobody has read the jobs of pipelines that were found by number alone.
    children = {str(o["project_id"]) for o in s.oracle() if o.get("kind") == "pipeline" and o.get("parent_id")}
    for project, r in jobs.items():
        if (r["missing"] > 0) != (r["verdict"] == "listed, not proved") or r["missing"] > 0 and project not in children:
            raise Failure(f"jobs of {project}: {r}")
    text = s.cli("status").stdout
    if "listed, not proved: pipelines: " not in text or "complete: issues: " not in text or "listed, not proved: " not in text:
        raise Failure(f"status does not tell what is proved: {text[:3000]}")
    return f"{len(want)} pipelines by number"


SCENARIOS = (streams, proved)
