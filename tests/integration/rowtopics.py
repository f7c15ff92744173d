"""The topics rows.<table>: what they hold is what SQL shows, after changes, renames, deletions and kills."""
import json
import os
import subprocess
import urllib.request

import truth
from stack import Failure, Skipped, Stack, await_true

HERE = os.path.dirname(os.path.abspath(__file__))

SMALL = ("--merge-requests", "60", "--issues", "50", "--pipelines", "20", "--deployments", "10")
LEFT_OUT = {"last_seen", "version", "version_at", "changed_at"}


def registry(s, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{s.ports['sink']}/registry{path}", timeout=30) as answer:
        return json.load(answer)


def tables_of(s):
    """The tables that have topics, by the subjects of the registry."""
    start, end = f"{s.prefix}rows.", "-value"
    return [x[len(start):-len(end)] for x in registry(s, "/subjects") if x.startswith(start)]


def held(s, tables):
    """table -> key -> row, as the topics have them."""
    done = subprocess.run([os.path.join(HERE, "row_reader"), s.broker.address, f"http://127.0.0.1:{s.ports['sink']}/registry",
                           *[f"{s.prefix}rows.{t}" for t in tables]], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise Failure(f"row_reader: {done.stderr[-600:]}")
    return dict(zip(tables, [json.loads(line)["rows"] for line in done.stdout.splitlines()]))


def shown(s, table):
    rows = json.loads(s.cli("sql", "--json", "--limit", "0", f"select * from {table}").stdout)["rows"]
    return {row["id"]: {k: v for k, v in row.items() if k not in LEFT_OUT} for row in rows}


def same(a, b):
    if isinstance(a, bool) or isinstance(b, bool):
        return bool(a) == bool(b)
    if isinstance(a, str) and isinstance(b, (list, dict)):
        return json.loads(a) == b
    return a == b


def difference(s):
    """The first row of a table that its topic does not hold as it is; None when all do."""
    tables = tables_of(s)
    for table, has in held(s, tables).items():
        want = shown(s, table)
        if set(want) != set(has):
            return f"{table}: {len(want)} rows, {len(has)} records; {sorted(set(want) ^ set(has))[:3]}"
        for key, row in want.items():
            for column, value in row.items():
                if not same(has[key].get(column), value):
                    return f"{table} {key}: {column} is {has[key].get(column)!r}, and SQL shows {value!r}"
    return None


def status(s):
    return json.loads(s.cli("status", "--json").stdout)["sink"].get("rows_topics")


def await_same(s, what, seconds=60):
    def settled():
        now = status(s)
        return now and now["state"] == "following" and now["behind"] == 0
    last = [None]

    def agree():
        if not settled():
            return False
        last[0] = difference(s)
        return last[0] is None
    try:
        await_true(what, seconds, agree, pause=0.5)
    except Failure as e:
        raise Failure(f"{e}; {last[0]}; {status(s)}") from None


def rows_topics(broker, stacks):
    """A snapshot, then changes, a rename that others show, deletions, and a kill."""
    if subprocess.run(["/usr/bin/python3", "-c", "import avro.io, confluent_kafka"], capture_output=True).returncode != 0:
        raise Skipped("python3-avro and python3-confluent-kafka are not installed")
    s = stacks(Stack(broker, "rows", gitlab=SMALL, sink=("--rows.enabled=true", "--rows.sweep=2s")))
    s.up()
    s.hook()
    s.first_sync()
    await_same(s, "the snapshot")
    n = status(s)["rows"]
    s.control("mutate", {"count": 60, "seed": 11})
    s.sync()
    s.settle()
    await_same(s, "changes")
    s.kill("sink")
    s.control("mutate", {"count": 20, "seed": 12})
    s.start("sink")
    s.await_ready("sink")
    s.sync()
    s.settle()
    await_same(s, "changes after a kill")
    # What did not change is not sent again.
    if status(s)["sent"] > n // 2:
        raise Failure(f"after a start {status(s)} of {n} rows were sent")
    truth.compare(s)
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{s.ports['sink']}/metrics", timeout=30).read().decode()
    if "wellhead_rows_behind 0" not in metrics:
        raise Failure("the metrics say that rows are behind")
    return f"{n} rows of {len(tables_of(s))} topics"


SCENARIOS = (rows_topics,)
