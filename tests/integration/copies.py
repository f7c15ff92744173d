"""The store is copied while everything runs, and put back; the sink goes on from the copy's own offsets."""
import json
import os
import shutil
import subprocess

import truth
from stack import BIN, Failure, Stack, await_true

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


SCENARIOS = (backup_and_restore,)
