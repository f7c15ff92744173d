"""Changes and rules: a receiver that fails, is slow and is away, a sink that is killed: nothing is lost, and the order
of each record holds."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import random
import subprocess
import threading
import time

from imports import run, stack, write
from stack import BIN, Failure, await_true

KEY = b"0123456789abcdef01234567"
RECORDS, ROUNDS = 6, 8


class Receiver:
    """Takes webhooks, checks their signatures, and fails as it is told."""

    def __init__(self, port=0):
        self.taken = []  # (record, event, id) of those that were acknowledged
        self.bad = []
        self.mode = "well"
        self.lock = threading.Lock()
        self.open(port)

    def open(self, port):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, headers, body):
        signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
        want = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        mode = self.mode
        if mode == "slow":
            time.sleep(0.5)
        if mode == "failing":
            return 503
        data = json.loads(body)["data"]
        with self.lock:
            if headers["webhook-signature"] != want:
                self.bad.append(headers["webhook-id"])
            if not self.taken or self.taken[-1][2] != headers["webhook-id"]:  # a repeated one has the same id
                self.taken.append((data["id"], json.loads(body)["type"].rsplit(".", 1)[1], headers["webhook-id"]))
        return 204


def customers(s, large):
    rows = [{"id": f"c{i}", "name": f"Customer {i}", "segment": "large" if i in large else "small"} for i in range(RECORDS)]
    run(s, *write(s, {"customers.json": json.dumps(rows)}))


def watching(s, *arguments):
    """`wellhead watch` in a process of its own, and the file of what it prints."""
    path = s.path("watched")
    with open(path, "w") as out:
        return subprocess.Popen([os.path.join(BIN, "wellhead"), "watch", *arguments, "--ndjson"], env=s.environment(),
                                stdout=out, stderr=subprocess.DEVNULL), path


def watched(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def rule(s):
    rows = json.loads(s.cli("rules", "--json").stdout)["rows"]
    return rows[0] if rows else {}


def add_rule(s, receiver):
    folder = os.path.join(s.data_path, "rule-secrets")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "hook.key"), "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write("whsec_" + base64.b64encode(KEY).decode() + "\n")
    definition = {"id": "large", "description": "A customer became a large one.", "table": "customers",
                  "enters": "segment = 'large'", "on": ["enter", "leave"], "max_age": "0",
                  "url": f"http://127.0.0.1:{receiver.port}/SECRET-PATH", "secret_file": "hook.key"}
    [path] = write(s, {"large.json": json.dumps(definition)})
    s.cli("rules", "add", path)
    await_true("the rule watches", 30, lambda: rule(s).get("state") == "watching")


def kill_sink(s, kills):
    s.kill("sink")
    s.start("sink")
    s.await_ready("sink")
    kills.append("sink")


def disturb(s, receiver, chance, kills):
    """One of what goes wrong in life."""
    what = chance.choice(("well", "slow", "failing", "away", "kill"))
    receiver.mode = what if what in ("slow", "failing") else "well"
    if what == "away":
        receiver.close()
        time.sleep(0.3)
        receiver.open(receiver.port)
    elif what == "kill":
        kill_sink(s, kills)


def what_rules_tell(broker, stacks):
    """Rules and `watch` over failing receivers and a killed sink: at least once, in order per record."""
    seed = int(os.environ.get("SEED", str(int(time.time()))))
    chance = random.Random(seed)
    s = stack(broker, stacks, "automation")
    s.arguments["sink"] += ["--rules.private_targets=true"]
    if s.stop("sink") != 0:
        raise Failure("the sink did not stop in order")
    s.start("sink")
    s.await_ready("sink")
    receiver = Receiver()
    customers(s, set())
    add_rule(s, receiver)
    command, path = watching(s, "customers", "--where", "segment is not null", "--since", "0")
    try:
        await_true("the first changes", 30, lambda: len(watched(path)) == RECORDS)
        want, kills, large = {}, [], set()
        for n in range(ROUNDS):
            disturb(s, receiver, chance, kills)
            now = {i for i in range(RECORDS) if chance.random() < 0.5}
            for i in now ^ large:
                want.setdefault(f"c{i}", []).append("enter" if i in now else "leave")
            large = now
            customers(s, large)
            if n == ROUNDS // 2 and not kills:
                kill_sink(s, kills)
        receiver.mode = "well"
        check_rule(s, receiver, want, seed)
        check_watch(s, path, want, seed)
    finally:
        command.kill()
        command.wait()
    refused(s, receiver)
    receiver.close()
    return f"{sum(map(len, want.values()))} deliveries, {len(kills)} kills, seed {seed}"


def check_rule(s, receiver, want, seed):
    ids = {r["id"]: r["source_id"] for r in s.sql("select id, source_id from customers")}
    await_true("all deliveries", 60, lambda: rule(s)["waiting"] == 0 and rule(s)["behind"] == 0)
    got = {}
    for entity, event, _ in receiver.taken:
        got.setdefault(ids[entity], []).append(event)
    if got != want or receiver.bad:
        raise Failure(f"told {got}, not {want}; bad signatures {receiver.bad} (SEED={seed})")
    # A look at the past finds the same.
    fired = json.loads(s.cli("rules", "test", "large", "--since", "1h", "--json").stdout)
    if fired["fired"] != len(receiver.taken):
        raise Failure(f"a dry run fired {fired['fired']} times, the rule {len(receiver.taken)} (SEED={seed})")
    for text in (s.cli("rules").stdout, s.cli("rules", "deliveries", "large").stdout, s.since_start("sink")):
        if "SECRET-PATH" in text or base64.b64encode(KEY).decode() in text:
            raise Failure("a secret is shown")


def check_watch(s, path, want, seed):
    expected = RECORDS + sum(map(len, want.values()))
    await_true("all changes", 30, lambda: len(watched(path)) >= expected)
    changes = watched(path)
    sequences = [c["sequence"] for c in changes]
    if sequences != sorted(set(sequences)) or len(changes) != expected:
        raise Failure(f"watch printed {len(changes)} changes, not {expected}: {sequences} (SEED={seed})")
    for c in changes:
        if c["operation"] == "changed" and c["changes"]["segment"]["after"] != c["row"]["segment"]:
            raise Failure(f"a row is not as after its change: {c} (SEED={seed})")


def refused(s, receiver):
    """What the target refuses is listed, and can be replayed."""
    receiver.take = lambda headers, body: 400
    rows = s.sql("select source_id, segment from customers")
    turned = {int(r["source_id"][1:]) for r in rows if r["segment"] == "small"}
    customers(s, turned)
    await_true("failed deliveries", 30, lambda: rule(s)["failed"] == RECORDS)
    listed = json.loads(s.cli("rules", "deliveries", "large", "--json").stdout)["rows"]
    if sum(d["state"] == "failed" for d in listed) != RECORDS:
        raise Failure(f"not all failed deliveries are listed: {listed[:3]}")
    del receiver.take
    before = len(receiver.taken)
    s.cli("rules", "replay", "large")
    await_true("the replay", 30, lambda: len(receiver.taken) == before + RECORDS and rule(s)["failed"] == 0)
    s.cli("rules", "remove", "large")
    if rule(s):
        raise Failure("the rule is still there")


SCENARIOS = (what_rules_tell,)
