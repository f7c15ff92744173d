"""The stand-in's oracle against the store. Nothing of Wellhead's mapping is used: what an object must look
like is said here, from GitLab's own words."""
import json

from stack import Failure

TABLES = {
    "merge_request": ("merge_requests", "merge_request"),
    "issue": ("issues_all", "issue"),
    "pipeline": ("build_records", "pipeline"),
    "job": ("jobs", "job"),
    "deployment": ("deployments", "deployment"),
    "environment": ("environments", "environment"),
    "milestone": ("milestones", "milestone"),
    "project": ("projects", "project"),
    "user": ("accounts", "user"),
}


def read(stack, kind):
    """source id -> row of the store."""
    columns = {
        "merge_request": "state, title, labels, updated_at, iid, url, author_account as author, draft",
        "issue": "state, title, labels, updated_at, iid, url, author_account as author, type, severity, confidential",
        "pipeline": "status as state, iid, url, author_account as author, updated_at, finished_at",
        "job": "status as state, name as title, url, author_account as author, finished_at",
        "deployment": "status as state, iid, author_account as author, environment_name as environment, updated_at",
        "environment": "state, name as title",
        "milestone": "state, title, iid, updated_at",
        "project": "name as title, path, url",
        "user": "username, name as title, state",
    }[kind]
    table, source = TABLES[kind]
    if kind == "issue":
        table, where = "work_items", "source_kind = 'issue'"
    else:
        where = f"source_kind = '{source}'"
    rows = []
    last = ""
    while True:
        part = stack.sql(f"select id, source_id, {columns} from {table} where {where} and id > '{last}' order by id limit 5000")
        rows += part
        if len(part) < 5000:
            break
        last = part[-1]["id"]
    return {row["source_id"]: row for row in rows}


def want(kind, o):
    """Fields of an oracle line that the store must show."""
    labels = o.get("labels")
    same = {k: o[k] for k in ("state", "title", "iid", "url", "username", "path", "environment") if k in o}
    if kind in ("environment", "milestone", "user"):
        same.pop("url", None)
    if kind in ("job", "environment", "project", "user"):
        same.pop("iid", None)
    if kind == "deployment":
        same.pop("url", None)
    if kind == "issue":
        if "type" in o:
            same["type"] = o["type"]
        if "confidential" in o:
            same["confidential"] = 1 if o["confidential"] else 0
        if o.get("type") == "incident":
            same["severity"] = o["severity"]
    if kind in ("pipeline", "deployment"):
        same.pop("title", None)
    if o.get("recorded") and kind not in ("merge_request", "issue"):
        # Fewer fields are known of recorded rows.
        same = {k: same[k] for k in same if k == "state" and same[k]}
    elif kind in ("merge_request", "issue", "milestone") or (kind == "pipeline" and o.get("finished_at")):
        same["updated_at"] = o["updated_at"]
    if labels is not None and kind in ("merge_request", "issue"):
        same["labels"] = labels
    return same


def norm(key, value):
    if key == "labels":
        return json.loads(value) if isinstance(value, str) else value
    if key in ("confidential", "draft"):
        return int(value) if value is not None else None
    return value


def unmoved(stack, truth):
    """A moved issue stays at GitLab, closed; in the store it is deleted, reason moved. Recorded rows do not say."""
    gone = {row["source_id"] for row in stack.sql(
        "select source_id from work_items_all where deleted_reason = 'moved' and source_kind = 'issue'")}
    alive = stack.sql("select url from work_items where moved_to is not null and source_kind = 'issue'")
    if alive:
        raise Failure(f"moved, but live: {alive}")
    for i, o in truth.items():
        if o.get("moved_to_id") and i not in gone:
            raise Failure(f"issue {i} was moved, but lives")
        if i in gone and not o.get("moved_to_id") and not o.get("recorded"):
            raise Failure(f"issue {i} was not moved, but is gone")
    return {i: o for i, o in truth.items() if i not in gone}


def side_rows(stack):
    """What has no number of its own at GitLab: releases by tag, members by project, links of issues by both ends."""
    releases = {(row["source_project_id"], row["tag"]): row["released_at"] for row in stack.sql(
        "select source_project_id, tag, released_at from releases limit 100000")}
    members = {row["source_id"]: row["access_level"] for row in stack.sql(
        "select source_id, access_level from memberships limit 100000")}
    links = {(row["relation"], row["f"], row["t"]) for row in stack.sql(
        "select l.relation, a.source_id f, b.source_id t from links l join work_items a on a.id = l.from_id "
        "join work_items b on b.id = l.to_id where a.source_kind = 'issue' and b.source_kind = 'issue' limit 100000")}
    return releases, members, links


def compare_side_rows(stack, lines):
    releases, members, links = side_rows(stack)
    read_links = "--read.links=false" not in stack.arguments["fetcher"]
    gone = {str(o["id"]) for o in lines if o.get("kind") == "issue" and (o.get("deleted") or o.get("moved_to_id"))}
    compared = 0
    for o in lines:
        kind = o.get("kind")
        if kind not in ("release", "member", "link") or o.get("deleted") or o.get("recorded"):
            continue
        if kind == "release":
            have, want = releases.get((str(o["project_id"]), o["title"])), o["finished_at"]
        elif kind == "member":
            have, want = members.get(f"project:{o['project_id']}:{o['id']}"), o["access_level"]
        else:
            # A new link changes the time of its source alone: the target may not have been read since.
            ends = str(o["source_id"]), str(o["target_id"])
            if not read_links or gone & set(ends):
                continue
            have, want = (o["type"], *ends) in links, True
        if have != want:
            raise Failure(f"{kind} {o}: {have!r}, GitLab has {want!r}")
        compared += 1
    return compared


def compare(stack, kinds=tuple(TABLES)):
    """Every object of the oracle is there as it is, and nothing else; gives how many were compared."""
    lines = stack.oracle()
    people = {row["id"]: row["source_id"] for row in stack.sql("select id, source_id from accounts limit 100000")}
    compared = 0
    for kind in kinds:
        have = read(stack, kind)
        truth = {str(o["id"]): o for o in lines if o.get("kind") == kind and not o.get("deleted") and not o.get("orphan")}
        if kind == "issue":
            truth = unmoved(stack, truth)
        missing = [i for i in truth if i not in have]
        if missing:
            raise Failure(f"{len(missing)} of {len(truth)} {kind} are missing, the first {missing[0]}")
        for i, o in truth.items():
            row = have[i]
            for key, value in want(kind, o).items():
                if norm(key, row.get(key)) != value:
                    raise Failure(f"{kind} {i}: {key} is {row.get(key)!r}, GitLab has {value!r}")
            if o.get("author_id") and "author" in row and people.get(row["author"]) != str(o["author_id"]):
                raise Failure(f"{kind} {i}: author is {people.get(row['author'])}, GitLab has {o['author_id']}")
            compared += 1
        if kind in ("merge_request", "issue", "pipeline", "deployment"):
            extra = [i for i in have if i not in truth]
            if extra:
                raise Failure(f"{len(extra)} {kind} are too many, the first {extra[0]}")
    if kinds == tuple(TABLES):
        compared += compare_side_rows(stack, lines)
    return compared


def no_writes(stack):
    """Only allowed requests reached GitLab, and no token in an address."""
    log = json.loads(stack.control("requests?last=50000"))
    if log["writes"] != 0:
        named = [r["request"] for r in log["requests"] if r["request"].endswith(" WRITE")]
        raise Failure(f"{log['writes']} requests to GitLab were not reads: {named[:5]}")
    if log["leaks"] != 0:
        raise Failure(f"{log['leaks']} requests to GitLab had a token in their address")
