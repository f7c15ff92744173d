"""Full-text search: it follows the store, survives kills and damage, and forgets what was purged."""
import json
import os

from stack import Failure, Stack, await_true

GITLAB = ("--projects", "1", "--merge-requests", "20", "--issues", "20", "--pipelines", "5", "--deployments", "2")


def found(s, *words):
    """Rows of a search; an empty list when nothing is found."""
    done = s.cli("search", *words, "--json", check=False)
    if done.returncode not in (0, 3):
        raise Failure(f"search {words}: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)["rows"]


def first(s, text, want):
    rows = found(s, text)
    if not rows or rows[0]["id"] != want["id"] or rows[0]["field"] != "reference":
        raise Failure(f"{text} finds {rows[:1]}, not {want}")


def index_state(s):
    return json.loads(s.cli("status", "--json").stdout)["sink"]["search"]


def caught_up(s):
    state = index_state(s)
    return state["ready"] and not state["building"] and state["behind"] == 0


def index_files(s):
    return [os.path.join(s.data_path, n) for n in os.listdir(s.data_path) if n.startswith("search-")]


def search(broker, stacks):
    """What is named is first, what changes is found, after a kill and with a damaged file too; a purge leaves nothing."""
    s = stacks(Stack(broker, "search", gitlab=GITLAB))
    s.up()
    s.first_sync()
    mr = s.sql("select id, url, title, sha, project_path, source_iid from merge_requests where sha is not null and "
               "project_path is not null order by id limit 1")[0]
    await_true("the index", 60, lambda: caught_up(s), 0.2)
    for text in (f"{mr['project_path']}!{mr['source_iid']}", mr["url"] + "/diffs?tab=x", mr["sha"], mr["sha"][:12], mr["id"]):
        first(s, text, mr)  # S2
    if mr["id"] not in [r["id"] for r in found(s, mr["title"])]:
        raise Failure(f"{mr['title']!r} is not found")
    s.control("mutate", {"count": 60, "seed": 21})
    s.settle()
    n = s.sql("select count(*) n from work_items where title is not null")[0]["n"]
    s.kill("sink")
    s.start("sink")
    s.await_ready("sink")
    await_true("the index after a kill", 60, lambda: caught_up(s), 0.2)
    for row in s.sql("select id, title from work_items order by updated_at desc limit 10"):
        if row["id"] not in [r["id"] for r in found(s, row["title"], "--limit", "100")]:
            raise Failure(f"{row['title']!r} is not found after a kill")
    s.stop("sink")
    for path in index_files(s):
        with open(path, "r+b") as f:
            f.truncate(5000)
    s.start("sink")
    s.await_ready("sink")
    await_true("a new index", 60, lambda: caught_up(s), 0.2)
    if mr["id"] not in [r["id"] for r in found(s, mr["title"])]:
        raise Failure("nothing is found after the file was damaged")
    s.cli("disconnect", s.connection, "--confirm", s.connection)
    s.cli("purge", s.connection, "--confirm", s.connection)
    await_true("an index without what was purged", 60, lambda: caught_up(s) and index_state(s)["records"] == 0, 0.2)
    if found(s, mr["title"]):
        raise Failure("what was purged is found")
    await_true("no old file", 20, lambda: len([p for p in index_files(s) if p.endswith(".sqlite")]) == 1, 0.2)
    for path in index_files(s):
        with open(path, "rb") as f:
            if mr["title"].encode() in f.read():
                raise Failure(f"{path} still has what was purged")
    return f"{n} issues and merge requests"


SCENARIOS = [search]
