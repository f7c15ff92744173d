"""The store is copied while everything runs, and put back; the sink goes on from the copy's own offsets."""
import contextlib
import csv
import json
import os
import shutil
import sqlite3
import subprocess

import truth
from stack import BIN, Broker, Failure, Stack, await_true

SMALL = ("--merge-requests", "60", "--issues", "50", "--pipelines", "20", "--deployments", "10")


def heads(s):
    """Every head of the store in use: kind, id, size and hash."""
    done = subprocess.run([os.path.join(BIN, "wellhead-sink"), *s.arguments["sink"], "--dump-heads"], capture_output=True,
                          text=True, timeout=60)
    if done.returncode != 0:
        raise Failure(f"--dump-heads: {done.stderr}")
    return done.stdout


def manifest(folder):
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as f:
        return json.load(f)


def exported(s):
    """Every table in SQLite and in CSV, with as many rows as the sink counts."""
    s.cli("export", "sqlite", s.path("export.db"), "--quiet")
    s.cli("export", "csv", s.path("export"), "--quiet")
    with contextlib.closing(sqlite3.connect(s.path("export.db"))) as db:
        for table in ("work_items", "jobs", "projects", "links", "revisions"):
            want = s.sql(f"select count(*) n from {table}")[0]["n"]
            has = db.execute(f"select count(*) from {table}").fetchone()[0]
            with open(os.path.join(s.path("export"), table + ".csv"), newline="", encoding="utf-8") as f:
                lines = sum(1 for _ in csv.reader(f)) - 1
            if (has, lines) != (want, want):
                raise Failure(f"{table}: {want} rows, {has} in SQLite, {lines} in CSV")
        title = s.sql("select id, title from work_items order by id limit 1")[0]
        if db.execute("select title from work_items where id = ?", (title["id"],)).fetchone()[0] != title["title"]:
            raise Failure("a title is another one in SQLite")


def restore_settings(s):
    return {"WELLHEAD_SINK_PROGRAM": os.path.join(BIN, "wellhead-sink"), "WELLHEAD_SINK_DATA_PATH": s.data_path}


def consumed(s):
    """Observations that the sink has read since its start."""
    return json.loads(s.cli("status", "--json").stdout)["sink"]["observations"]


def backup_and_restore(broker, stacks):
    """A backup beside a running sink; then changes; then the backup is put back, and the changes arrive again."""
    s = stacks(Stack(broker, "backup", gitlab=SMALL))
    s.up()
    s.first_sync()
    all_read = consumed(s)
    said = json.loads(s.cli("backup", s.path("copy"), "--json").stdout)
    held = manifest(s.path("copy"))
    entities = sum(kind["entities"] for kind in held["rows"].values())
    if said["entities"] != entities or entities != len(heads(s).splitlines()) or not held["offsets"]:
        raise Failure(f"the backup says {said}, its manifest {held['rows']}")
    if os.listdir(os.path.join(s.data_path, "backups")):
        raise Failure("the sink keeps a backup that was fetched")
    s.hook()
    s.control("mutate", {"count": 40, "seed": 7})
    s.sync()
    s.settle()
    truth.compare(s)
    after = heads(s)
    exported(s)
    s.stop("sink")
    for arguments, words in (((s.path("copy"),), "--confirm store-1"), ((s.path("copy"), "--confirm", "store-2"), "another store"),
                             ((s.path("nothing"),), "is no backup")):
        done = s.cli("restore", *arguments, check=False, **restore_settings(s))
        if done.returncode != 1 or words not in done.stderr:
            raise Failure(f"restore {arguments}: {done.returncode}: {done.stderr}")
    # The program itself refuses, too.
    done = subprocess.run([os.path.join(BIN, "wellhead-sink"), *s.arguments["sink"], f"--restore.from={s.path('copy')}"],
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 1 or "store-1 has rows" not in done.stderr:
        raise Failure(f"the sink's program: {done.returncode}: {done.stderr}")
    s.cli("restore", s.path("copy"), "--confirm", "store-1", **restore_settings(s))
    if os.readlink(os.path.join(s.data_path, "current")) != "store-2" or heads(s) == after:
        raise Failure("the backup is not the store in use")
    shutil.rmtree(os.path.join(s.data_path, "store-1"))
    s.start("sink")
    s.await_ready("sink")
    s.settle()
    if heads(s) != after:
        raise Failure("the restored store ends in another state")
    again = consumed(s)
    if again >= all_read:
        raise Failure(f"{again} observations were read again; the backup's offsets leave fewer")
    truth.compare(s)
    # Without a sink that runs.
    s.stop("sink")
    done = subprocess.run([os.path.join(BIN, "wellhead-sink"), *s.arguments["sink"], f"--backup.to={s.path('offline')}"],
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or manifest(s.path("offline"))["keys"]["entities"] != len(after.splitlines()):
        raise Failure(f"--backup.to: {done.returncode}: {done.stdout}{done.stderr}")
    return f"{entities} entities; {again} observations of {all_read} were read again"


# When, as which number and in which order a sink stored changes is its own: of what came after the backup, the new one's.
OF_ONE_STORE = {"sequence", "stored_at", "outcome"}
# What processes say of themselves now.
OF_PROCESSES = {"health_documents"}


def tables(s):
    """Every row of every table, as text in one order."""
    out = {}
    for table in sorted({row["table"] for row in s.sql(".tables")} - OF_PROCESSES):
        rows = json.loads(s.cli("sql", "--json", "--limit", "0", f"select * from {table}").stdout)["rows"]
        out[table] = sorted(json.dumps({k: v for k, v in row.items() if k not in OF_ONE_STORE}, sort_keys=True) for row in rows)
    return out


def caught_up(s):
    done = s.cli("status", "--json", check=False)
    sink = json.loads(done.stdout)["sink"] if done.stdout else None
    return sink and sink["caught_up"] and sink["lag_records"] == 0 and sink["state"] == "running"


def moved(s, broker):
    """The same workspace on another broker, in a folder of its own: nothing of the old place is read."""
    t = Stack(broker, "moved")
    t.arguments = {name: [a.replace(t.prefix, s.prefix) for a in arguments] for name, arguments in t.arguments.items()}
    t.prefix, t.connection, t.webhook = s.prefix, s.connection, s.webhook
    for name in ("gitlab", "control"):  # GitLab stays where it is
        t.ports[name] = s.ports[name]
    return t


def move_region(_, stacks):
    """docs/region.md, step by step: Kafka's data, the key and a backup move; then the old place is deleted."""
    old = Broker(shared=False)
    s = stacks(Stack(old, "region", gitlab=SMALL))
    new = None
    try:
        s.up()
        s.hook()
        s.first_sync()
        s.cli("backup", s.path("copy"), "--quiet")
        s.control("mutate", {"count": 30, "seed": 3})  # after the backup: it comes from Kafka
        s.sync()
        s.settle()
        before = tables(s)
        for name in ("webhook-intake", "fetcher", "mapper", "sink"):
            if s.stop(name) != 0:
                raise Failure(f"{name} did not stop in order")
        old.script("stop", old.folder)
        new = Broker(shared=False, data=os.path.join(old.folder, "data"))
        t = stacks(moved(s, new))
        shutil.copy(s.path("key"), t.path("key"))
        t.cli("restore", s.path("copy"), **restore_settings(t))
        shutil.rmtree(s.data_path)
        shutil.rmtree(old.folder)
        # Before GitLab is asked anything: all of it is what was moved.
        t.start("sink")
        t.await_ready("sink")
        await_true("what has come since the backup", 60, lambda: caught_up(t))
        after = tables(t)
        for table in before:
            if before[table] != after[table]:
                lost = [r for r in before[table] if r not in after[table]]
                more = [r for r in after[table] if r not in before[table]]
                raise Failure(f"{table}: {len(before[table])} rows became {len(after[table])}; lost {lost[:2]}, more {more[:2]}")
        t.start("fetcher")
        t.await_ready("fetcher")
        t.start("webhook-intake", "mapper")
        t.await_ready("webhook-intake", "mapper")
        # The workspace lives on: webhooks reach the new address, and reads go on where they ended.
        t.hook()
        s.control("mutate", {"count": 20, "seed": 4})
        t.sync()
        t.settle()
        n = truth.compare(t)
        return f"{sum(map(len, before.values()))} rows of {len(before)} tables; {n} objects after changes"
    finally:
        for b in (old, new):
            if b:
                b.close()


SCENARIOS = (backup_and_restore, move_region)
