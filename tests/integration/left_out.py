"""What GitLab's plain listings leave out is read all the same, and compared with the oracle."""
import json

import truth
from stack import Failure, Stack

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


SCENARIOS = (left_out,)
