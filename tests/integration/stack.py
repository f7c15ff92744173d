"""The real processes of one scenario: its own topic prefix, ports and folder, ended by pid."""
import html
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.join(ROOT, os.environ.get("BIN", "build/release/bin"))


class Failure(Exception):
    """What a scenario found wrong."""


def await_true(what, seconds, condition, pause=0.1):
    """Asks until the condition holds; its last value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(pause)


def bound(port):
    """Could somebody listen there now?"""
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


given_ports = set()  # by this process: a program that was given one may not have bound it yet
ports_lock = threading.Lock()


def free_port(n=1):
    """The first of n free ports in a row. Below 32768: those above are taken at any moment as the local end of
    some connection."""
    while True:
        first = random.randrange(12000, 32700)
        wanted = set(range(first, first + n))
        with ports_lock:
            if not wanted & given_ports and all(bound(port) for port in wanted):
                given_ports.update(wanted)
                return first


def call(method, url, body=None, token=None, timeout=60):
    """(status, text) of one HTTP call; status 0 when nobody answers."""
    request = urllib.request.Request(url, method=method)
    data = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, data, timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(errors="replace")
    except OSError:
        return 0, ""


class Stay(urllib.request.HTTPRedirectHandler):
    """Shows where a redirect leads instead of going there."""

    def redirect_request(self, *_):
        return None


def dumps_no_core(pid, name):
    with open(f"/proc/{pid}/limits") as f:
        limit = re.search(r"^Max core file size +(\S+) +(\S+)", f.read(), re.M)
    if not limit or limit.groups() != ("0", "0"):
        raise Failure(f"{name} may leave a core file: {limit and limit.group(0)}")


def approve(url, answer="approve"):
    """What a person does with the approval address: opens it and answers a page that asks. Gives the address
    that GitLab leads back to; nobody has gone there yet."""
    opener = urllib.request.build_opener(Stay)
    for _ in range(3):
        try:
            with opener.open(url, timeout=30) as page:
                text = page.read().decode()
        except urllib.error.HTTPError as e:
            if e.code not in (302, 303) or "Location" not in e.headers:
                raise Failure(f"the approval page: HTTP {e.code}") from None
            return e.headers["Location"]
        link = re.search(f'<a id="{answer}" href="([^"]+)"', text)
        if not link:
            raise Failure("the approval page has nothing to press")
        url = urllib.parse.urljoin(url, html.unescape(link.group(1)))
    raise Failure("the approval page asks for ever")


class Broker:
    """One Kafka for all scenarios, or the one that BOOTSTRAP names."""

    def __init__(self, shared=True, data=None):
        """shared: the one that all scenarios use. data: the folder of a stopped one, from which this one begins."""
        self.folder = None
        self.address = os.environ.get("BOOTSTRAP") if shared else None
        if not self.address:
            self.folder = tempfile.mkdtemp(prefix="wellhead-kafka-")
            if data:
                shutil.copytree(data, os.path.join(self.folder, "data"))
            self.port = free_port(2)  # the controller takes the next one
            self.address = f"127.0.0.1:{self.port}"
            self.start()

    def script(self, *arguments):
        subprocess.run([os.path.join(ROOT, "scripts/broker"), *arguments], check=True,
                       stdout=subprocess.DEVNULL)

    def start(self):
        # A port of the broker's may be another's for a moment, as the near end of a connection.
        for left in reversed(range(5)):
            try:
                return self.script("start", self.folder, str(self.port))
            except subprocess.CalledProcessError:
                if left == 0:
                    raise
                time.sleep(1)

    def kill(self):
        self.script("kill", self.folder)

    def signal(self, signum):
        with open(os.path.join(self.folder, "pid")) as f:
            os.kill(int(f.read().split()[0]), signum)

    def pause(self):
        """It keeps its connections and answers nothing, as one that is out of reach."""
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def close(self):
        if self.folder:
            self.script("stop", self.folder)
            shutil.rmtree(self.folder, ignore_errors=True)


class Skipped(Exception):
    """This machine lacks what the scenario needs; says what."""


class Stack:
    """Stand-in, four stages and what is known of them."""

    def __init__(self, broker, name, gitlab=(), fetcher=(), sink=(), data_path=None):
        self.broker = broker
        # A scenario that is run again, on the same broker, has nothing to do with what the first one left.
        self.prefix = f"t{secrets.token_hex(4)}.{name}."
        self.folder = tempfile.mkdtemp(prefix=f"wellhead-{name}-")
        self.processes = {}
        self.arguments = {}
        self.ports = {n: free_port() for n in ("gitlab", "control", "fetcher", "webhook-intake", "mapper", "sink")}
        self.data_path = data_path or self.path("store")
        with open(self.path("gitlab.token"), "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("glpat-0123456789abcdef\n")
        kafka = [f"--kafka.bootstrap.servers={broker.address}", f"--topic.prefix={self.prefix}"]
        key = [f"--secrets.key_file={self.path('key')}"]
        self.arguments = {
            "gitlab": ["--token-file", self.path("gitlab.token"), "--port", str(self.ports["gitlab"]),
                       "--control-port", str(self.ports["control"]), "--fixtures",
                       os.path.join(ROOT, "tests/fixtures/gitlab-standin"), *gitlab],
            "fetcher": [*kafka, *key, self.port_key("fetcher"), "--allow.http=true", "--sync.interval=1h",
                        "--reread.delay=300ms", "--gone.confirm=1s", f"--control.token_file={self.path('control.token')}", *fetcher],
            "webhook-intake": [*kafka, *key, self.port_key("webhook-intake")],
            "mapper": [*kafka, self.port_key("mapper"), "--discover.interval=500ms"],
            "sink": [*kafka, self.port_key("sink"), f"--data.path={self.data_path}", "--discover.interval=500ms",
                     "--store.memtable=8MiB", f"--api.token_file={self.path('api.token')}",
                     f"--fetcher.url=http://127.0.0.1:{self.ports['fetcher']}", f"--fetcher.token_file={self.path('control.token')}",
                     *sink],
        }
        self.connection = None
        self.webhook = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def one_more(self, name):
        """Another process of a stage, not started yet; gives its name."""
        other = name + "2"
        self.ports[other] = free_port()
        self.arguments[other] = [a if not a.startswith("--http.port=") else self.port_key(other)
                                 for a in self.arguments[name]]
        return other

    def port_key(self, name):
        return f"--http.port={self.ports[name]}"

    # ---- processes ----

    def start(self, *names):
        for name in names:
            self.start_as(name, "wellhead-" + name.rstrip("0123456789"))

    def start_as(self, name, program):
        """One more process of a stage, under a name of its own."""
        with open(self.path(name + ".log"), "ab") as log:
            self.processes[name] = subprocess.Popen([os.path.join(BIN, program), *self.arguments[name]],
                                                    stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                    start_new_session=True)

    def await_ready(self, *names, seconds=60):
        for name in names:
            url = (f"http://127.0.0.1:{self.ports['control']}/control/live" if name == "gitlab"
                   else f"http://127.0.0.1:{self.ports[name]}/ready")
            try:
                await_true(f"{name} ready", seconds, lambda u=url: call("GET", u)[0] == 200)
            except Failure as e:
                code = self.processes[name].poll()
                says = call("GET", url)[1].strip()[:300] if code is None else f"ended with {code}"
                raise Failure(f"{e}; it says: {says or 'nothing'}") from None

    def kill(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def stop(self, name, seconds=30):
        """Asks it to end; gives the exit code."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failure(f"{name} did not drain within {seconds} s") from None

    def died(self):
        return [n for n, p in self.processes.items() if p.poll() is not None]

    def close(self, keep=False):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def since_start(self, name):
        """What the newest process of that name has logged."""
        with open(self.path(name + ".log"), errors="replace") as f:
            return f.read().rsplit('"msg":"process up"', 1)[-1]

    def last_words(self):
        text = []
        for name in self.arguments:
            try:
                with open(self.path(name + ".log"), errors="replace") as f:
                    text += [f"    {name}: {line.rstrip()[:300]}" for line in f.readlines()[-4:]]
            except OSError:
                pass
        return "\n".join(text)

    # ---- what is asked of them ----

    def environment(self):
        return dict(os.environ,
                    WELLHEAD_CONFIG="",
                    WELLHEAD_KAFKA_BOOTSTRAP_SERVERS=self.broker.address,
                    WELLHEAD_TOPIC_PREFIX=self.prefix,
                    WELLHEAD_FETCHER_URL=f"http://127.0.0.1:{self.ports['fetcher']}",
                    WELLHEAD_SINK_URL=f"http://127.0.0.1:{self.ports['sink']}",
                    WELLHEAD_MAPPER_URL=f"http://127.0.0.1:{self.ports['mapper']}",
                    WELLHEAD_INTAKE_URL=f"http://127.0.0.1:{self.ports['webhook-intake']}",
                    WELLHEAD_MAPPER_PROGRAM=os.path.join(BIN, "wellhead-mapper"),
                    WELLHEAD_FETCHER_TOKEN_FILE=self.path("control.token"),
                    WELLHEAD_SINK_TOKEN_FILE=self.path("api.token"))

    def cli(self, *arguments, check=True, **settings):
        done = subprocess.run([os.path.join(BIN, "wellhead"), *arguments], env=dict(self.environment(), **settings),
                              capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise Failure(f"wellhead {' '.join(arguments)[:120]}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def control(self, path, body=None):
        status, text = call("GET" if body is None else "POST",
                            f"http://127.0.0.1:{self.ports['control']}/control/{path}", body)
        if status not in (200, 202, 204):
            raise Failure(f"stand-in: {path}: HTTP {status}: {text[:200]}")
        return text

    def raw_records(self):
        """Records in the raw topic, by the plan of a replay."""
        return self.plan("--from", "start")["records"]

    def plan(self, *arguments):
        return json.loads(self.cli("replay", self.connection, *arguments, "--json").stdout)

    def oracle(self):
        return [json.loads(line) for line in self.control("oracle").splitlines() if line]

    def sql(self, query):
        """Rows as dictionaries."""
        out = self.cli("sql", query, "--ndjson", "--timeout", "10s").stdout
        rows = [json.loads(line) for line in out.splitlines() if line]
        return [r for r in rows if not ("ok" in r and "row_count" in r)]

    def fetcher_status(self, name="fetcher"):
        with open(self.path("control.token")) as f:
            status, text = call("GET", f"http://127.0.0.1:{self.ports[name]}/api/v1/status", token=f.read().strip())
        return json.loads(text) if status == 200 else None

    def post(self, what):
        """POST /api/v1/connections/<id>/<what> of the fetcher."""
        with open(self.path("control.token")) as f:
            status, text = call("POST", f"http://127.0.0.1:{self.ports['fetcher']}/api/v1/connections/{self.connection}/{what}",
                                token=f.read().strip())
        if status != 202:
            raise Failure(f"{what}: HTTP {status}: {text[:200]}")

    def oracle_counts(self):
        """Objects of the generated projects, by kind."""
        counts = {}
        for o in self.oracle():
            if "kind" in o and not o.get("deleted") and not o.get("recorded") and not o.get("orphan"):
                counts[o["kind"]] = counts.get(o["kind"], 0) + 1
        return counts

    def connect(self, *arguments):
        answer = json.loads(self.cli("connect", f"http://127.0.0.1:{self.ports['gitlab']}", "--token-file",
                                     self.path("gitlab.token"), "--json", *arguments).stdout)
        self.connection = answer["connection"]
        self.webhook = answer["webhook"] if "token" in answer["webhook"] else self.webhook
        return answer

    def approve(self, *arguments, listen=True, answer="approve", seconds=60):
        """`wellhead connect` as a person does it without a browser: reads the approval address that it prints,
        approves, and goes back to its listener, or pastes the address when listen is false; a function is given the
        address. What it printed."""
        command = subprocess.Popen([os.path.join(BIN, "wellhead"), "connect",
                                    f"http://127.0.0.1:{self.ports['gitlab']}", *arguments], env=self.environment(),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        timer = threading.Timer(seconds, command.kill)
        timer.start()
        said = []
        try:
            for line in command.stdout:
                said.append(line)
                address = re.search(r"https?://\S+/oauth/authorize\?\S+", line)
                if address:
                    dumps_no_core(command.pid, "wellhead connect")
                    back = approve(address.group(0), answer)
                    if callable(listen):
                        listen(back)
                    elif listen:
                        call("GET", back)
                    else:
                        command.stdin.write(back + "\n")
                        command.stdin.flush()
            code = command.wait()
        finally:
            timer.cancel()
            command.kill()
        if code != 0:
            raise Failure(f"connect by approval: exit {code}: {''.join(said)[-600:]}")
        return "".join(said)

    def oauth(self):
        """The stand-in's counts: registered, granted, refreshed, reused, ..."""
        return json.loads(self.control("oauth"))

    def hook(self, group=False):
        self.control("hook", {"url": f"http://127.0.0.1:{self.ports['webhook-intake']}{self.webhook['path']}",
                              "token": self.webhook["token"], "signing_key": self.webhook["signing_key"],
                              **({"group": True} if group else {})})

    def up(self, *without):
        """Topics, all stages, connected."""
        if "gitlab" not in self.processes:
            self.start("gitlab")
        self.cli("topics", "--quiet")
        names = [n for n in ("fetcher", "webhook-intake", "mapper", "sink") if n not in without]
        self.start("fetcher")
        self.await_ready("gitlab", "fetcher")
        self.start(*[n for n in names if n != "fetcher"])
        self.await_ready(*names)
        self.connect()

    def sync(self, seconds=120):
        """One more run of the fetcher, to its end."""
        def runs():
            status = self.fetcher_status()
            return status["connections"][0] if status and status["connections"] else None
        before = await_true("the fetcher", 60, lambda: (runs() or {}).get("phase") == "idle" and runs())
        with open(self.path("control.token")) as f:
            status, text = call("POST", f"http://127.0.0.1:{self.ports['fetcher']}/api/v1/connections/{self.connection}/sync",
                                token=f.read().strip())
        if status != 202:
            raise Failure(f"sync: HTTP {status}: {text[:200]}")
        await_true("a run", seconds, lambda: (runs() or {}).get("phase") == "idle" and
                   runs()["runs"] > before["runs"])

    def first_sync(self, seconds=120):
        await_true("the first run", seconds, lambda: any(c["runs"] > 0 and c["phase"] == "idle" for c in
                                                         (self.fetcher_status() or {"connections": []})["connections"]))
        self.settle()

    def unmapped(self):
        """Raw events that the mappers' group has not committed."""
        done = subprocess.run([os.path.join(BIN, "wellhead-lag"), self.broker.address, self.prefix], capture_output=True,
                              text=True, timeout=60)
        return int(done.stdout) if done.returncode == 0 else None

    def settle(self, seconds=60):
        """Until nothing moves any more: no re-reads open, every raw event mapped, everything mapped stored, and four
        looks at the store agree. The stages are asked in the order in which records pass them: what a mapper has
        committed before the sink is asked is part of the lag that the sink reports."""
        looks = []

        def still():
            fetcher = self.fetcher_status()
            if not fetcher or fetcher["rereads_open"] or self.unmapped() != 0:
                looks.clear()
                return False
            done = self.cli("status", "--json", check=False)
            sink = json.loads(done.stdout)["sink"] if done.returncode == 0 else None
            if not sink or not sink["observations"] or sink["lag_records"] != 0 or not sink["caught_up"]:
                looks.clear()
                return False
            looks.append(sink["observations"])
            return len(looks) >= 4 and looks[-4:] == looks[-1:] * 4
        await_true("everything stored", seconds, still, pause=0.4)


def shaken(seed):
    return random.Random(seed)
