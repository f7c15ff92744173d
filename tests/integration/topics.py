"""wellhead topics read against a real Kafka: every topic of an installation, and records of another producer."""
import http.server
import json
import os
import re
import signal
import subprocess
import threading

from stack import BIN, Failure, Stack, await_true

SMALL = ("--merge-requests", "120", "--issues", "100", "--pipelines", "30", "--deployments", "10")
MEMORY_MAX = 96 << 20  # of a read, however long the topic is
CANNOT = 1
NOTHING = 3
INTERRUPTED = 130

# What another producer writes: our fields in another order, some optional, and more.
NEWER_ID = 4711
NEWER = {"type": "record", "name": "RawEvent", "namespace": "com.example", "fields": [
    {"name": "note", "type": {"type": "map", "values": "string"}},
    {"name": "payload", "type": "bytes"},
    *({"name": n, "type": ["null", "string"]} for n in ("connection", "instance", "origin", "kind", "project", "object_id")),
    {"name": "observed_at", "type": "long"},
    {"name": "delivery_id", "type": "string"},
    {"name": "headers", "type": {"type": "array", "items": {"type": "record", "name": "Header", "fields": [
        {"name": "value", "type": "string"}, {"name": "name", "type": "string"}]}}}]}


def number(n):
    n = (n << 1) ^ (n >> 63)
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def text(t):
    t = t.encode() if isinstance(t, str) else t
    return number(len(t)) + t


def newer_event(connection, instance, payload, **changed):
    fields = dict({"connection": connection, "instance": instance, "origin": "webhook", "kind": "issue",
                   "project": "101", "object_id": ""}, **changed)
    body = number(1) + text("by") + text("another") + number(0) + text(json.dumps(payload))
    for name in ("connection", "instance", "origin", "kind", "project", "object_id"):
        body += number(0) if fields[name] is None else number(1) + text(fields[name])
    body += number(1795996800000) + text("delivery-1") + number(1) + text("Issue Hook") + text("x-gitlab-event") + number(0)
    return b"\0" + NEWER_ID.to_bytes(4, "big") + body


class Registry(http.server.BaseHTTPRequestHandler):
    """Knows one schema; asked counts the requests."""
    asked = 0

    def do_GET(self):
        Registry.asked += 1
        known = self.path == f"/schemas/ids/{NEWER_ID}"
        body = json.dumps({"schema": json.dumps(NEWER)} if known else
                          {"error_code": 40403, "message": "Schema not found"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_registry():
    Registry.asked = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def read(s, topic, *arguments, code=0, **settings):
    done = s.cli("topics", "read", topic, *arguments, check=False, **settings)
    if done.returncode != code:
        raise Failure(f"topics read {topic} {arguments}: {done.returncode} instead of {code}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def produce(broker, topic, key, value, partition=0):
    subprocess.run(["kcat", "-P", "-b", broker.address, "-t", topic, "-k", key, "-p", str(partition), "-D", "\x01\x02\x03"],
                   input=value, check=True, stderr=subprocess.DEVNULL, timeout=30)


def every_topic_is_read(s):
    raw = f"raw.{s.connection}"
    for name, record in ((raw, "RawEvent"), (f"entities.{s.connection}", "Observation"), ("connections", "Connection"),
                         ("fetch-state", "FetchState"), ("runs", "Run"), ("health", "Health")):
        rows = read(s, name)
        # Health and runs grow at any moment: the list is made after the records were read.
        listed = {t["topic"][len(s.prefix):]: t for t in json.loads(s.cli("topics", "--json").stdout)["topics"]}
        known = listed[name].get("records", listed[name].get("records_at_most"))
        if not rows or len(rows) > known or ("records" in listed[name] and len(rows) != known):
            raise Failure(f"{name}: {len(rows)} lines, {listed[name]}")
        for row in rows:
            if row["topic"] != s.prefix + name or row["value"] is not None and row["schema"] != f"wellhead.{record}":
                raise Failure(f"{name}: {row}")
    sealed = json.dumps(read(s, "connections"))
    if "sealed_bytes" not in sealed or re.search(r"2\.[0-9a-f]{16}\.", sealed):
        raise Failure(f"connections: secrets are shown or nothing is sealed: {sealed[:500]}")
    read(s, f"dead-letter.{s.connection}", code=NOTHING)
    return raw


def ranges_are_read(s, raw):
    """The bytes of a revision, by the place that SQL gives; keys, ends, times."""
    at = s.sql("select topic, partition, offset from revisions where topic is not null limit 1")[0]
    place = f"{at['partition']}:{at['offset']}"
    rows = read(s, at["topic"], "--from", place, "--to", place)
    if len(rows) != 1 or (rows[0]["partition"], rows[0]["offset"]) != (at["partition"], at["offset"]) or not isinstance(
            rows[0]["value"]["payload"], dict):
        raise Failure(f"{place}: {rows}")
    whole = read(s, raw)
    if {r["key"] for r in read(s, raw, "--key", rows[0]["key"])} != {rows[0]["key"]}:
        raise Failure("--key prints other keys")
    ends = {}
    for r in whole:
        ends[r["partition"]] = max(r["offset"], ends.get(r["partition"], 0))
    if sorted((r["partition"], r["offset"]) for r in read(s, raw, "--from", "-1")) != sorted(ends.items()):
        raise Failure("--from -1 is not the last record of each partition")
    middle = sorted(r["timestamp"] for r in whole)[len(whole) // 2]
    if len(read(s, raw, "--from", middle)) + len(read(s, raw, "--to", middle)) < len(whole):
        raise Failure(f"a time cuts the topic at the wrong place: {middle}")
    read(s, raw, "--from", "0:99999999", code=NOTHING)
    read(s, "raw.nobody", code=NOTHING)


def memory_is_bounded(s, raw, records):
    """A reader that has printed the whole topic and waits for more."""
    follow = subprocess.Popen([os.path.join(BIN, "wellhead"), "topics", "read", raw, "--follow"], env=s.environment(),
                              stdout=subprocess.PIPE)
    try:
        for _ in range(records):
            follow.stdout.readline()
        with open(f"/proc/{follow.pid}/status", encoding="ascii") as f:
            most = int(re.search(r"^VmHWM:\s+(\d+) kB", f.read(), re.M)[1]) * 1024
    finally:
        follow.kill()
        follow.wait()
    if most > MEMORY_MAX:
        raise Failure(f"reading {raw} took {most} bytes")


def ends_are_clean(s, broker, raw):
    """A reader that leaves, and an interrupt: whole lines, no complaint, the right exit code."""
    env = s.environment()
    head = subprocess.Popen([os.path.join(BIN, "wellhead"), "topics", "read", raw], env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    json.loads(head.stdout.readline())
    head.stdout.close()
    said = head.stderr.read()
    if head.wait(30) == 0 or said:
        raise Failure(f"a closed pipe: {head.returncode}, {said}")
    follow = subprocess.Popen([os.path.join(BIN, "wellhead"), "topics", "read", "health", "--from", "end", "--follow",
                               "--key", "told"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stop = threading.Event()

    def tell():
        # It begins at the end, wherever that is when it has found it.
        while not stop.wait(0.3):
            produce(broker, s.prefix + "health", "told", b"\0\0\0\0\x08" + text("c") + text("told") + number(1) + text("{}"))
    teller = threading.Thread(target=tell)
    teller.start()
    try:
        row = json.loads(follow.stdout.readline())
    finally:
        stop.set()
        teller.join()
    follow.send_signal(signal.SIGINT)
    rest = follow.stdout.read()
    if row["value"]["document"] != {} or follow.wait(30) != INTERRUPTED or (rest and not rest.endswith(b"\n")):
        raise Failure(f"--follow: {row}, {follow.returncode}, {rest}")


def others_are_read(s, broker, raw):
    """Records of a producer with a schema of its own: from the registry, and with a reason where that fails."""
    server = serve_registry()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        topic = s.prefix + raw
        before = read(s, raw, "--from", "0:0")[-1]["offset"]
        produce(broker, topic, "another", newer_event(s.connection, "https://x", {"a": [1]}))
        produce(broker, topic, "another", b"\0" + NEWER_ID.to_bytes(4, "big") + b"\x02\xff\xff")
        produce(broker, topic, "another", b"\0\0\0\x13\x88\0")
        produce(broker, topic, "another", b"no frame")
        rows = read(s, raw, "--from", f"0:{before + 1}", "--key", "another", code=CANNOT, WELLHEAD_REGISTRY_URL=url)
        if len(rows) != 4 or rows[0]["schema"] != "com.example.RawEvent" or rows[0]["value"]["payload"] != {"a": [1]} or (
                rows[0]["value"]["note"] != {"by": "another"}):
            raise Failure(f"a newer record: {rows}")
        for row, reason in zip(rows[1:], ("within a number", "the registry has no schema id 5000", "no schema frame")):
            if reason not in row["error"] or row["offset"] <= before or "value" in row:
                raise Failure(f"'{reason}' is not the reason in {row}")
        if Registry.asked != 2:
            raise Failure(f"the registry was asked {Registry.asked} times for two schemas")
    finally:
        server.shutdown()
    done = s.cli("topics", "read", raw, "--key", "another", check=False, WELLHEAD_REGISTRY_URL=url)
    if done.returncode == 0 or "partition 0, offset" not in done.stderr or done.stdout:
        raise Failure(f"a registry that is away: {done.returncode}, {done.stdout}, {done.stderr}")


def others_are_mapped(s, broker, raw):
    """The mapper resolves such events to ours; what it cannot decode is a dead letter with its reason."""
    server = serve_registry()
    try:
        # A registry that is slow for a moment holds the stream for a moment.
        s.arguments["mapper"].append("--breaker.retry=1s")
        s.arguments["mapper"].append(f"--registry.url=http://127.0.0.1:{server.server_address[1]}")
        s.start("mapper")
        s.await_ready("mapper")
        issue = {"id": 990001, "iid": 90001, "project_id": 101, "title": "by another", "state": "opened",
                 "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"}
        produce(broker, s.prefix + raw, "another", newer_event(
            s.connection, f"http://127.0.0.1:{s.ports['gitlab']}", issue, origin="rest"))
        await_true("the other producer's issue", 60,
                   lambda: s.sql("select title from issues where source_id = '990001'") == [{"title": "by another"}])

        def said():
            letters = s.cli("topics", "read", f"dead-letter.{s.connection}", check=False).stdout.splitlines()
            return [json.loads(line)["value"]["text"] for line in letters]
        for reason in ("schema id 4711: the record ends", "the registry has no schema id 5000", "no schema frame"):
            await_true(f"a dead letter that says {reason}", 60, lambda r=reason: any(r in text for text in said()))
    finally:
        server.shutdown()


def topics(broker, stacks):
    """topics read: all topics, ranges, another producer's schema, damaged records, interrupts, closed pipes."""
    s = stacks(Stack(broker, "topics", gitlab=SMALL))
    s.up()
    s.first_sync()
    s.settle()
    raw = every_topic_is_read(s)
    ranges_are_read(s, raw)
    memory_is_bounded(s, raw, s.raw_records())
    ends_are_clean(s, broker, raw)
    s.stop("mapper")
    others_are_read(s, broker, raw)
    others_are_mapped(s, broker, raw)
    return f"{len(read(s, raw, code=CANNOT))} raw events"


SCENARIOS = (topics,)
