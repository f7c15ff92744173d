"""The life of a connection by OAuth: approved, read by tools, refreshed, interrupted, approved again."""
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import truth
from stack import ROOT, Failure, Stack, await_true, call, dumps_no_core, free_port

sys.path.insert(0, os.path.join(ROOT, "tests/edge"))
from names import Names  # noqa: E402, the folder of the edge's tests

SMALL = ("--merge-requests", "60", "--issues", "50", "--pipelines", "30", "--deployments", "10")


def conn(s):
    status = s.fetcher_status()
    return status["connections"][0] if status and status["connections"] else None


def begin(broker, stacks, name, gitlab=(), quirks=None, fetcher=()):
    """Everything up, nothing connected."""
    s = stacks(Stack(broker, name, gitlab=(*SMALL, *gitlab), fetcher=fetcher))
    s.start("gitlab")
    s.cli("topics", "--quiet")
    s.start("fetcher", "mapper", "sink")
    s.await_ready("gitlab", "fetcher", "mapper", "sink")
    if quirks:
        s.control("quirks", quirks)
    return s


def projects(s):
    """Project numbers of the oracle that have merge requests."""
    return sorted({str(o["project_id"]) for o in s.oracle() if o.get("kind") == "merge_request"})


def by_project(numbers):
    return [x for n in numbers for x in ("--project", n)]


def connect(s, *arguments, **how):
    said = s.approve(*arguments, **how)
    s.connection = conn(s)["id"]
    return said


def ended(s, state, runs=0, seconds=60):
    """The connection after a whole run more than that many."""
    def there():
        c = conn(s)
        return c if c and c["phase"] == "idle" and c["runs"] > runs and c["state"] == state else None
    return await_true(f"a run that ends {state}", seconds, there)


def read_by(c):
    return {x["stream"]: x["read_by"] for x in c["streams"]}


def rows_are_there(s, kinds=("merge_request", "issue")):
    """Every object of these kinds, as GitLab has it, by GitLab's own id; gives entity ids by source."""
    wrong = None

    def look():
        nonlocal wrong
        have = {}
        for kind in kinds:
            rows = s.sql(f"select id, source_id, title, state from work_items where source_kind = '{kind}' limit 100000")
            found = {r["source_id"]: r for r in rows}
            for o in s.oracle():
                # By tools, the stand-in makes up what recorded rows say.
                if o.get("kind") != kind or o.get("deleted") or o.get("recorded"):
                    continue
                row = found.get(str(o["id"]))
                if row is None or row["title"] != o["title"] or row["state"] != o["state"]:
                    wrong = f"{kind} {o['id']}: {row}, GitLab has {o['title']!r} {o['state']!r}"
                    return None
                have[f"{kind} {o['id']}"] = row["id"]
        return have
    try:
        return await_true("the rows", 90, look, pause=0.5)
    except Failure:
        raise Failure(wrong) from None


def no_dead_letters(s):
    dead = json.loads(s.cli("status", "--json").stdout)["sink"]["dead_letters"]
    if dead:
        raise Failure(f"{dead} dead letters")


def secrets_are_quiet(s):
    """No token, code or secret in a log, an argument or the environment; no process leaves a core file."""
    with open(s.path("control.token")) as control, open(s.path("gitlab.token")) as gitlab, open(s.path("key")) as key:
        known = [f.read().strip().split(":")[-1].encode() for f in (control, gitlab, key)]
    for name in ("fetcher", "mapper", "sink"):
        pid = s.processes[name].pid
        dumps_no_core(pid, name)
        for where in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{where}", "rb") as f:
                    said = f.read()
            except PermissionError:
                continue  # as it should be, for all but root
            if any(secret in said for secret in known):
                raise Failure(f"{name} has a secret in its {where}")
    for name in ("fetcher", "mapper", "sink"):
        with open(s.path(name + ".log"), errors="replace") as f:
            found = re.search(r"[0-9A-Za-z_-]{40,}|Bearer |access_token|refresh_token|code=", f.read())
        if found:
            raise Failure(f"{name}.log holds {found.group(0)[:16]}...")


def oauth_connect(broker, stacks):
    """An address and nothing else; the streams by MCP tools; a read_api token comes, later the tools' streams go to REST."""
    s = begin(broker, stacks, "oauthc")
    said = connect(s)
    for word in ("resource", "server", "register", "approve", "token", "mcp", "saved", "list_work_items",
                 "Signing token", "Secret token", "none"):
        if word not in said:
            raise Failure(f"connect does not speak of {word}: {said[-800:]}")
    c = ended(s, "degraded")  # nothing lists projects by MCP here
    if "projects" not in c["detail"]:
        raise Failure(f"the detail does not say what is missing: {c['detail']!r}")
    connect(s, *by_project(projects(s)))
    c = ended(s, "enabled", c["runs"])
    by = read_by(c)
    if by["issues"] != "mcp" or by["pipelines"] != "mcp" or by["deployments"] != "none":
        raise Failure(f"read by {by}")
    have = rows_are_there(s)
    s.settle()
    no_dead_letters(s)
    # What a listing does not show came by one more call for each; the stand-in has none for recorded rows.
    for kind in ("merge_request", "issue"):
        recorded = sum(o.get("kind") == kind and bool(o.get("recorded")) for o in s.oracle())
        for column in ("created_at", "author", "description"):
            empty = s.sql(f"select count(*) n from work_items where {column} is null and source_kind = '{kind}'")
            if empty[0]["n"] > recorded:
                raise Failure(f"{empty[0]['n']} of kind {kind} without {column}, {recorded} are recorded ones")
    # A second credential joins: REST takes over, the same entities.
    s.connect()
    c = ended(s, "enabled", c["runs"])
    if set(read_by(c).values()) != {"rest"} or not c["credentials"]["oauth"]:
        raise Failure(f"read by {read_by(c)}")
    if rows_are_there(s) != have:
        raise Failure("ids are others by REST than by MCP")
    # It goes: GitLab takes it no more, and the tools read on.
    s.control("token", {"token": "glpat-another-0123456789"})
    runs = conn(s)["runs"]
    call("POST", f"http://127.0.0.1:{s.ports['fetcher']}/api/v1/connections/{s.connection}/sync", None,
         open(s.path("control.token")).read().strip())
    c = ended(s, "degraded", runs)
    if read_by(c)["issues"] != "mcp" or "read_api" not in c["detail"]:
        raise Failure(f"without its token: read by {read_by(c)}, {c['detail']!r}")
    if s.oauth()["registered"] != 1:
        raise Failure(f"registered {s.oauth()['registered']} clients")
    secrets_are_quiet(s)
    return f"{len(have)} objects by MCP, then by REST, same ids"


def oauth_public(broker, stacks):
    """GitLab sends the browser to the fetcher's public address; another name of it, or another state, is no answer."""
    s = begin(broker, stacks, "oauthp", fetcher=("--public.url=https://wellhead.example/",))
    answers = []

    def go_back(address):
        if not address.startswith("https://wellhead.example/oauth/callback?"):
            raise Failure(f"GitLab sends the browser to {address[:60]}")
        query = address.split("?", 1)[1]
        guessed = re.sub("state=[^&]*", "state=guess", query)
        # As a proxy in front passes it on.
        for host, asked in (("evil.example", query), (f"127.0.0.1:{s.ports['fetcher']}", query),
                            ("wellhead.example", guessed), ("wellhead.example", query), ("wellhead.example", query)):
            request = urllib.request.Request(f"http://127.0.0.1:{s.ports['fetcher']}/oauth/callback?{asked}",
                                             headers={"Host": host})
            try:
                with urllib.request.urlopen(request, timeout=30) as page:
                    answers.append(page.status)
            except urllib.error.HTTPError as e:
                answers.append(e.code)
    connect(s, *by_project(projects(s)), listen=go_back)
    if answers != [421, 421, 404, 200, 404]:
        raise Failure(f"the callback answers {answers}")
    ended(s, "enabled")
    secrets_are_quiet(s)
    return f"{len(rows_are_there(s))} objects"


def oauth_edge(broker, stacks):
    """Two fetchers behind the edge: GitLab's redirect reaches the one that began the connect, whoever is asked first."""
    port, own_port = free_port(), free_port()
    public = f"http://127.0.0.1:{port}"
    s = begin(broker, stacks, "oauthe", fetcher=(f"--public.url={public}",))
    # As containers have it: one port, an address for each.
    s.ports["fetcher2"] = s.ports["fetcher"]
    s.arguments["fetcher2"] = [*s.arguments["fetcher"], "--http.address=127.0.0.2", "--member.id=second"]
    s.start("fetcher2")
    other = f"http://127.0.0.2:{s.ports['fetcher']}/ready"
    await_true("the second fetcher is ready", 60, lambda: call("GET", other)[0] == 200)
    names = Names()
    names.addresses["fetcher"] += ["127.0.0.1", "127.0.0.2"]
    with open(s.path("edge.log"), "ab") as log:
        s.processes["edge"] = subprocess.Popen(
            [os.path.join(ROOT, "edge/wellhead-edge")], stdout=log, stderr=log,
            env=dict(os.environ, EDGE_HOME=os.path.join(ROOT, "edge"), EDGE_CERTIFICATE="/dev/null", EDGE_PORT=str(port),
                     EDGE_OWN_PORT=str(own_port), EDGE_DNS=f"127.0.0.1:{names.port}", EDGE_FETCHER=f"fetcher:{s.ports['fetcher']}"))

    def both_up():
        text = call("GET", f"http://127.0.0.1:{own_port}/metrics")[1] or ""
        return len(re.findall(r'^haproxy_server_status\{proxy="callback",\S*state="UP"\} 1$', text, re.M)) == 2
    await_true("both fetchers behind the edge", 60, both_up)
    answers = []

    def go_back(address):
        if not address.startswith(f"{public}/oauth/callback?"):
            raise Failure(f"GitLab sends the browser to {address[:60]}")
        answers.append(call("GET", re.sub("state=[^&]*", "state=guess", address))[0])
        answers.append(call("GET", address)[0])
    # The edge asks the fetchers in turn: one of two redirects comes to the wrong one first.
    for _ in range(2):
        said = connect(s, *by_project(projects(s)), listen=go_back)
    if answers != [404, 200, 404, 200]:
        raise Failure(f"the callback answers {answers}")
    if f"{public}/hooks/{s.connection}" not in said:
        raise Failure(f"connect prints no public webhook address: {said[-600:]}")
    secrets_are_quiet(s)
    return "two approvals by one of two fetchers"


def oauth_refresh(broker, stacks):
    """A token life of five seconds: many refreshes while reading, no request lost; faults do not end it; a paste works."""
    s = begin(broker, stacks, "oauthr", quirks={"token_life_s": 5, "rest_by_mcp": 1}, fetcher=("--sync.interval=1s",))
    connect(s, *by_project(projects(s)), listen=False)
    first = ended(s, "enabled")
    await_true("refreshes", 60, lambda: s.oauth()["refreshed"] >= 4)
    for how in ({"how": "error", "status": 503}, {"how": "cut"}, {"how": "limited"}):
        s.control("answers", {"where": "token", "next": 1, **how})
        n = s.oauth()["refreshed"]
        await_true(f"a refresh after {how['how']}", 40, lambda n=n: s.oauth()["refreshed"] > n)
    c = ended(s, "enabled", first["runs"] + 3)
    if c["state"] != "enabled" or s.oauth()["reused"] or c["credentials"]["refreshes"] < 4:
        raise Failure(f"{c['state']} {s.oauth()} {c['credentials']}")
    have = rows_are_there(s)
    truth.no_writes(s)
    secrets_are_quiet(s)
    return f"{s.oauth()['refreshed']} refreshes, {len(have)} objects, no token used twice"


def tool_calls(s, tool):
    return sum(r["request"].endswith(" " + tool) for r in json.loads(s.control("requests?last=50000"))["requests"])


def oauth_resume(broker, stacks):
    """A first sync by tools is killed: the listing goes on after its last acknowledged page."""
    s = begin(broker, stacks, "oauths", gitlab=("--merge-requests", "700", "--projects", "1"), fetcher=("--sync.interval=1h",))
    s.control("faults", {"slow": 1, "slow_ms": 20})
    connect(s, *by_project(projects(s)))
    await_true("half of the details", 60, lambda: tool_calls(s, "get_merge_request") >= 350, pause=0.05)
    s.kill("fetcher")
    s.control("faults", {"slow": 0})
    before = tool_calls(s, "get_merge_request")
    s.start("fetcher")
    s.await_ready("fetcher")
    ended(s, "enabled")
    have = rows_are_there(s)
    n = sum(key.startswith("merge_request ") for key in have)
    details = tool_calls(s, "get_merge_request")
    # At most the page that was under way in each project is read twice.
    if before < 350 or details > n + 100 * len(projects(s)):
        raise Failure(f"{details} details of {n} merge requests, {before} of them before the kill")
    no_dead_letters(s)
    return f"{n} merge requests, {before} details before the kill, {details} in all"


def crash_while_failing(s):
    """GitLab cannot answer: nothing has changed there."""
    s.control("answers", {"where": "token", "how": "error", "status": 503, "next": -1})
    await_true("a refresh that fails", 40, lambda: json.loads(s.control("answers"))["token"]["hits"] > 0)
    s.kill("fetcher")
    s.control("answers", {"clear": True})


def crash_before_answer(s):
    """GitLab has changed the pair, its answer is under way."""
    s.control("answers", {"where": "token", "how": "hold_after", "next": 1})
    await_true("a held refresh", 40, lambda: json.loads(s.control("answers"))["held"] > 0)
    s.kill("fetcher")
    s.control("answers", {"clear": True})
    s.control("release", {})


def crash_before_saved(s):
    """The new pair has come, and Kafka is not there to take it."""
    s.control("answers", {"where": "token", "how": "hold_after", "next": 1})
    await_true("a held refresh", 40, lambda: json.loads(s.control("answers"))["held"] > 0)
    s.broker.kill()
    s.control("answers", {"clear": True})
    s.control("release", {})
    await_true("a new pair", 40, lambda: conn(s)["credentials"]["phase"] == "saving")
    s.kill("fetcher")
    s.broker.start()


def crash_after_saved(s):
    """The new pair is in Kafka and in use."""
    n = conn(s)["credentials"]["refreshes"]
    await_true("a refresh", 40, lambda: conn(s)["credentials"]["refreshes"] > n)
    s.kill("fetcher")


def oauth_crash(broker, stacks):
    """kill -9 at each step of a refresh: kept where it can be, need_reconnect with what to do where it cannot, same ids."""
    s = begin(broker, stacks, "oauthk", quirks={"token_life_s": 5}, fetcher=("--sync.interval=2s",))
    connect(s, *by_project(projects(s)))
    ended(s, "enabled")
    have = rows_are_there(s)
    ends = {}
    for crash in (crash_while_failing, crash_before_answer, crash_before_saved, crash_after_saved):
        crash(s)
        s.start("fetcher")
        s.await_ready("fetcher")
        c = await_true("the end of it", 60, lambda: (lambda c: c if c and (c["runs"] > 0 and c["phase"] == "idle" or
                       c["state"] == "need_reconnect") else None)(conn(s)))
        ends[crash.__name__] = c["state"]
        if c["state"] == "need_reconnect":
            if "wellhead connect" not in c["detail"]:
                raise Failure(f"need_reconnect does not say what to do: {c['detail']!r}")
            runs = c["runs"]
            connect(s, *by_project(projects(s)))
            ended(s, "enabled", runs)
        if rows_are_there(s) != have:
            raise Failure("ids changed")
    if ends != {"crash_while_failing": "enabled", "crash_before_answer": "need_reconnect",
                "crash_before_saved": "need_reconnect", "crash_after_saved": "enabled"}:
        raise Failure(f"ended as {ends}")
    return f"{ends}; same ids"


def oauth_forgotten(broker, stacks):
    """GitLab has lost the registered application: a refresh learns of it and the next connect registers anew; where
    nobody can learn of it, a person asks for another."""
    s = begin(broker, stacks, "oauthf", quirks={"token_life_s": 5}, fetcher=("--sync.interval=2s",))
    numbers = by_project(projects(s))
    connect(s, *numbers)
    ended(s, "enabled")
    have = rows_are_there(s)
    s.control("oauth", {"forget": True})
    c = await_true("need_reconnect", 60, lambda: (lambda c: c["state"] == "need_reconnect" and c)(conn(s)))
    if "does not know this client" not in c["detail"] or "wellhead connect" not in c["detail"]:
        raise Failure(f"the detail does not say what to do: {c['detail']!r}")
    connect(s, *numbers)
    ended(s, "enabled", c["runs"])
    s.cli("disconnect", s.connection, "--confirm", s.connection)
    s.control("oauth", {"forget": True})
    refused(s, "an application that GitLab has lost")
    runs = conn(s)["runs"]
    connect(s, *numbers, "--new-client")
    ended(s, "enabled", runs)
    if rows_are_there(s) != have:
        raise Failure("ids changed")
    return f"{len(have)} objects, same ids"


def oauth_two(broker, stacks):
    """Two fetchers: one of them refreshes, the other takes its pairs; the refresher dies, the other goes on; none at once."""
    s = begin(broker, stacks, "oauth2", quirks={"token_life_s": 5, "reuse_kills_family": 1}, fetcher=("--sync.interval=2s",))
    connect(s, *by_project(projects(s)))
    ended(s, "enabled")
    have = rows_are_there(s)
    other = s.one_more("fetcher")
    s.start(other)
    s.await_ready(other)

    def owners():
        """The names of those that refresh, by what each has refreshed itself."""
        return {n: (s.fetcher_status(n) or {}).get("connections", [{}])[0].get("credentials", {}).get("refreshes", 0)
                for n in ("fetcher", other) if n in s.processes}

    def more(n, seconds=90):
        before = s.oauth()["refreshed"]
        await_true("refreshes", seconds, lambda: s.oauth()["refreshed"] >= before + n)
        if s.oauth()["reused"]:
            raise Failure(f"an old refresh token was used: {s.oauth()}")
    more(4)
    before = owners()
    more(3)
    after = owners()
    active = [n for n in after if after[n] > before[n]]
    if len(active) != 1:
        raise Failure(f"refreshed by {active}: {before} {after}")
    # Right after a pair of its own is in Kafka: a kill between GitLab's answer and Kafka's ends the approval.
    own = after[active[0]]
    await_true("a pair that is saved", 60, lambda: owners()[active[0]] > own, 0.05)
    s.kill(active[0])
    del s.processes[active[0]]
    more(3)
    left = "fetcher" if active[0] == other else other
    # GitLab counts a refresh before the fetcher has saved its pair.
    await_true("its run, and its refreshes", 60, lambda: (
        lambda c: c["state"] == "enabled" and c["phase"] == "idle" and c["credentials"]["refreshes"] >= 3)(
        s.fetcher_status(left)["connections"][0]))
    if rows_are_there(s) != have:
        raise Failure(f"the other did not take over: {s.fetcher_status(left)}")
    return f"{s.oauth()['refreshed']} refreshes by two, none at once, {left} took over"


# How GitLab servers differ, and what connects all the same.
TAKEN = (
    {"version": "18.6"}, {"version": "19.3"}, {"version": "19.4"}, {"transport": "sse"}, {"sessions": 1},
    {"transport": "sse", "sse_cuts": 2, "sessions": 1}, {"tools_per_page": 3}, {"tools_per_page": 3, "empty_cursor": 1},
    {"resource_form": "array"}, {"no_scopes_supported": 1, "challenge_scope": 0}, {"no_challenge_metadata": 1},
    {"no_challenge_metadata": 1, "no_path_resource": 1}, {"no_oauth_metadata": 1}, {"iss": "right"}, {"pkce": "s256"},
    {"no_path_resource": 1, "no_root_resource": 1, "no_challenge_metadata": 1, "mcp_well_known": 1},
    {"notify_status": 202}, {"consent": "page"},
)
# What is refused, and no token is asked for.
REFUSED = (
    {"foreign": "resource"}, {"foreign": "issuer"}, {"foreign": "token"}, {"foreign": "registration"},
    {"foreign": "revocation"}, {"foreign": "challenge"}, {"foreign": "authorization"}, {"issuer": "wrong"},
    {"pkce": "plain"}, {"pkce": "absent"}, {"iss": "wrong"}, {"iss": "missing"}, {"consent": "deny"}, {"mcp_off": 1},
    {"repeat_cursor": 1, "tools_per_page": 3}, {"evil_session": 1, "sessions": 1}, {"evil_cursor": 1},
)
WRONG = (
    ("register", "garbage"), ("metadata", "redirect"), ("metadata", "oversized"), ("metadata", "endless"),
    ("token", "redirect"), ("token", "garbage"), ("mcp", "oversized"), ("mcp", "redirect"),
)


def refused(s, what):
    """A connect that ends with an error, leaves no connection, and says nothing secret."""
    try:
        said = s.approve()
    except Failure as e:
        if re.search(r"code=|access_token|Bearer", str(e).replace("response_type=code", "").replace("/oauth/authorize?", "")):
            raise Failure(f"{what}: the error holds a secret") from None
        return
    raise Failure(f"{what}: it connected: {said[-300:]}")


def tools_are_those_of(version, said):
    """Each GitLab's tools read what they can; the rest is named with its reason."""
    since = {"issues": ("19.4", "list_work_items"), "members": ("19.4", "list_project_members"),
             "releases": ("19.4", "list_releases"), "merge_requests": ("19.3", "list_merge_requests"),
             "pipelines": ("19.3", "list_pipelines")}
    for stream, (first, tool) in since.items():
        how = re.search(rf"^{stream} +(\S+) +(\S.*)$", said, re.M)
        want = ("mcp", tool) if version >= first else ("none", how and how[2])
        if not how or how.groups() != want:
            raise Failure(f"GitLab {version}: {stream} is read by {how and how.groups()}, not by {want}")


def oauth_quirks(broker, stacks):
    """Servers as they differ connect; those that lead elsewhere, or never end, are refused, and no token is asked for."""
    s = begin(broker, stacks, "oauthq", fetcher=("--sync.interval=1h",))
    for where, how in WRONG:
        s.control("answers", {"where": where, "how": how, "next": -1, "to": "http://127.0.0.1:1/stolen"})
        refused(s, (where, how))
        s.control("answers", {"clear": True})
    for quirks in REFUSED:
        s.control("quirks", quirks)
        before = s.oauth()["granted"]
        refused(s, quirks)
        # These show themselves behind the approval alone.
        if s.oauth()["granted"] != before and not {"repeat_cursor", "mcp_off", "evil_session", "evil_cursor"} & set(quirks):
            raise Failure(f"{quirks}: a token was asked for")
        s.control("quirks", {"clear": True})
    # A pair that GitLab issued before the refusal is revoked first; then nothing is left.
    await_true("no connection is left by refused connects", 60, lambda: not conn(s))
    numbers = projects(s)
    for quirks in TAKEN:
        s.control("quirks", quirks)
        try:
            said = s.approve(*by_project(numbers))
        except Failure as e:
            raise Failure(f"{quirks}: {e}") from None
        if "Connected" not in said:
            raise Failure(f"{quirks}: {said[-300:]}")
        tools_are_those_of(quirks.get("version", "19.5"), said)
        s.control("quirks", {"clear": True, "version": "19.5"})
    s.connection = conn(s)["id"]
    # Once by the first that got so far; a refused document or answer registers nobody.
    if s.oauth()["registered"] > 2:
        raise Failure(f"registered {s.oauth()['registered']} clients")
    return f"{len(REFUSED) + len(WRONG)} refused, {len(TAKEN)} taken, {s.oauth()['registered']} registrations"


SCENARIOS = (oauth_connect, oauth_resume, oauth_public, oauth_edge, oauth_quirks, oauth_refresh, oauth_crash, oauth_forgotten, oauth_two)
