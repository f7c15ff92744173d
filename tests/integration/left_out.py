"""What GitLab's plain listings leave out is read all the same, and compared with the oracle."""
import json

import truth
from stack import Failure, Stack, await_true, call

GITLAB = ("--projects", "3", "--merge-requests", "90", "--issues", "90", "--pipelines", "120", "--deployments", "10",
          "--extras", "true")


def by_id(s, sql):
    return {row["source_id"]: row for row in s.sql(sql + " limit 100000")}


def differ(what, have, want):
    """Both map a source id to a value."""
    for i, value in want.items():
        if have.get(i) != value:
            raise Failure(f"{what} {i}: {have.get(i)!r}, GitLab has {value!r}")
    extra = set(have) - set(want)
    if extra:
        raise Failure(f"{len(extra)} {what} are too many, the first {min(extra)}")
    return len(want)


def compare(s):
    lines = [o for o in s.oracle() if not o.get("deleted") and not o.get("recorded")]
    pipelines = {str(o["id"]): o for o in lines if o.get("kind") == "pipeline"}
    jobs = {str(o["id"]) for o in lines if o.get("kind") == "job"}
    notes = {str(o["id"]): str(o["noteable_id"]) for o in lines if o.get("kind") == "note" and not o["system"]}
    rows = by_id(s, "select b.source_id, b.merge_request_iid iid, p.source_id parent from build_records b "
                    "left join build_records p on p.id = b.parent where b.source_project_id <> '12345678'")
    n = differ("parent of pipeline", {i: r["parent"] for i, r in rows.items()},
               {i: str(o["parent_id"]) if o.get("parent_id") else None for i, o in pipelines.items()})
    differ("merge request of pipeline", {i: r["iid"] for i, r in rows.items()},
           {i: o.get("merge_request_iid") for i, o in pipelines.items()})
    bridges = {str(o["bridge_id"]): str(o["parent_id"]) for o in pipelines.values() if o.get("parent_id")}
    have = by_id(s, "select j.source_id, p.source_id pipeline from jobs j join build_records p on p.id = j.pipeline "
                    "where j.name = 'trigger child'")
    n += differ("pipeline of trigger job", {i: r["pipeline"] for i, r in have.items()}, bridges)
    have = set(by_id(s, "select source_id from jobs where source_project_id <> '12345678'"))
    if have != jobs | set(bridges):
        raise Failure(f"jobs: {len(have - jobs - set(bridges))} too many, {len(jobs - have)} missing")
    have = by_id(s, "select n.source_id, w.source_id of from notes n join work_items w on w.id = n.work_item")
    n += differ("object of note", {i: r["of"] for i, r in have.items()}, notes)
    group = s.sql("select count(*) n from milestones where project is null and title like 'Quarter %'")[0]["n"]
    if group != 4:
        raise Failure(f"{group} milestones of the group, not 4")
    return n + len(jobs)


def left_out(broker, stacks):
    """Child pipelines, trigger jobs, retried jobs, notes by people and milestones of groups, first and later."""
    s = stacks(Stack(broker, "left", gitlab=GITLAB))
    s.start("gitlab")
    s.cli("topics", "--quiet")
    # Without an intake: every change must be read.
    s.start("fetcher", "mapper", "sink")
    s.await_ready("gitlab", "fetcher", "mapper", "sink")
    s.connect()
    s.first_sync()
    truth.compare(s)
    compare(s)
    s.control("mutate", {"count": 200, "seed": 11})
    s.sync()
    s.settle()
    truth.compare(s)
    n = compare(s)
    dead = json.loads(s.cli("status", "--json").stdout)["sink"]["dead_letters"]
    if dead:
        raise Failure(f"{dead} dead letters")
    return f"{n} objects"


def rest(s, path):
    """All rows of a listing by REST, as only this test reads it."""
    rows = []
    while True:
        status, text = call("GET", f"http://127.0.0.1:{s.ports['gitlab']}/api/v4/{path}"
                                   f"{'&' if '?' in path else '?'}per_page=100&page={len(rows) // 100 + 1}",
                            None, "glpat-0123456789abcdef")
        if status != 200:
            raise Failure(f"GET {path}: {status}")
        page = json.loads(text)
        rows += page
        if len(page) < 100:
            return rows


def compare_tools(s, projects):
    """What tools show in widgets, of closed issues too, and of upcoming releases."""
    n = 0
    for p in projects:
        want = {str(i["id"]): (i["state"], sorted(i["labels"]), sorted(str(a["id"]) for a in i["assignees"]),
                               str(i["milestone"]["id"]) if i["milestone"] else None)
                for i in rest(s, f"projects/{p['id']}/issues?scope=all")}
        have = {}
        for row in s.sql("select w.source_id, w.state, w.labels, w.assignees, m.source_id milestone from work_items w "
                         "left join milestones m on m.id = w.milestone where w.source_kind = 'issue' and "
                         f"w.source_project_id = '{p['id']}' limit 100000"):
            people = s.sql("select m.source_id from links l join team_members m on m.id = l.to_id join work_items w "
                           f"on w.id = l.from_id where l.relation = 'assignees' and w.source_id = '{row['source_id']}'")
            have[row["source_id"]] = (row["state"], sorted(json.loads(row["labels"] or "[]")),
                                      sorted(x["source_id"] for x in people), row["milestone"])
        n += differ("issue by a tool", have, want)
        releases = {r["tag"]: bool(r["upcoming"]) for r in s.sql(
            f"select tag, upcoming from releases where source_project_id = '{p['id']}'")}
        n += differ("release by a tool", releases,
                    {r["tag_name"]: r["upcoming_release"] for r in rest(s, f"projects/{p['id']}/releases")})
        if True not in releases.values():
            raise Failure(f"no upcoming release in project {p['id']}")
    return n


def delete(s, project, kind, listing):
    """Deletes one object, and gives its id."""
    row = rest(s, f"projects/{project}/{listing}?scope=all")[3]
    s.control("delete", {"project": project, "kind": kind, "iid": row["iid"]})
    return str(row["id"])


def is_gone(s, kind, i):
    return not s.sql(f"select 1 from work_items where source_kind = '{kind}' and source_id = '{i}'")


def deletions(s, project):
    """What a complete listing by a tool does not contain is gone when the tool has said so twice."""
    gone = [(kind, delete(s, project, kind, listing))
            for kind, listing in (("issue", "issues"), ("merge_request", "merge_requests"))]
    with open(s.path("control.token")) as f:
        status, text = call("POST", f"http://127.0.0.1:{s.ports['fetcher']}/api/v1/connections/{s.connection}/verify",
                            token=f.read().strip())
    if status != 202:
        raise Failure(f"verify: HTTP {status}: {text[:200]}")

    def all_gone():
        s.sync()
        s.settle()
        return all(is_gone(s, kind, i) for kind, i in gone)
    await_true(f"that {gone} are gone", 60, all_gone, pause=1)
    return len(gone)


def tools(broker, stacks):
    """By an approval alone, of projects named by their paths: what widgets show, what needs state=all, what is gone."""
    s = stacks(Stack(broker, "tools", gitlab=("--projects", "2", "--merge-requests", "20", "--issues", "60", "--pipelines",
                                              "12", "--releases", "4", "--extras", "true")))
    s.start("gitlab")
    s.cli("topics", "--quiet")
    s.start("fetcher", "mapper", "sink")
    s.await_ready("gitlab", "fetcher", "mapper", "sink")
    projects = [p for p in rest(s, "projects?membership=true") if p["id"] != 12345678]
    s.approve(*[x for p in projects for x in ("--project", p["path_with_namespace"])])
    s.connection = s.fetcher_status()["connections"][0]["id"]

    def ended():
        c = s.fetcher_status()["connections"][0]
        return c if c["phase"] == "idle" and c["runs"] and c["state"] == "enabled" else None
    c = await_true("a run by tools", 60, ended)
    s.settle()
    # The handshake has three requests, and each listing one.
    if c["requests"] < 10 or c["last_runs"][-1]["requests"] < 10:
        raise Failure(f"{c['requests']} requests, {c['history'][-1]['requests']} in the run")
    n = compare_tools(s, projects)
    return f"{n} objects, {deletions(s, projects[0]['id'])} gone"


SCENARIOS = (left_out, tools)
