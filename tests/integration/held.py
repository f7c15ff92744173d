"""A stream that cannot be mapped is held and named; all others go on, and nothing is lost."""
import json
import urllib.request

import truth
from stack import Failure, Stack, await_true, call

GITLAB = ("--merge-requests", "60", "--issues", "60", "--pipelines", "10", "--deployments", "5")
BURST = 120  # with breaker.min=50 it takes three attempts
BODY = json.dumps({"object_kind": "issue", "project": {"id": 101}, "object_attributes": {"id": "x"}}).encode()


def post(s, body):
    """A delivery with the hook's token."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{s.ports['webhook-intake']}{s.webhook['path']}", data=body, method="POST",
        headers={"X-Gitlab-Token": s.webhook["token"], "X-Gitlab-Event": "Issue Hook", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        if answer.status != 200:
            raise Failure(f"the intake answered {answer.status}")


def is_held(s):
    _, text = call("GET", f"http://127.0.0.1:{s.ports['mapper']}/metrics")
    return f'wellhead_mapper_stream_held{{connection="{s.connection}",stream="webhook"}} 1' in text


def equal(s):
    try:
        return truth.compare(s)
    except Failure:
        return 0


def held_stream(broker, stacks):
    """Webhooks that cannot be mapped are held; reads go on; a kill and a retry lose nothing."""
    s = stacks(Stack(broker, "held", gitlab=GITLAB))
    base = s.arguments["mapper"]
    s.arguments["mapper"] = base + ["--breaker.window=100", "--breaker.min=50", "--breaker.retry=0"]
    s.up()
    s.first_sync()
    for _ in range(BURST):
        post(s, BODY)
    await_true("the webhooks are held", 60, lambda: is_held(s))
    issue = s.sql("select source_id, source_iid from issues order by source_id limit 1")[0]
    post(s, json.dumps({"object_kind": "issue", "project": {"id": 101}, "object_attributes": {
        "id": issue["source_id"], "iid": issue["source_iid"], "weight": "heavy",
        "updated_at": "2001-01-01 00:00:00 UTC"}}).encode())
    s.control("mutate", {"count": 40, "seed": 5})
    s.sync()
    n = await_true("the reads are stored", 60, lambda: equal(s))
    if call("GET", f"http://127.0.0.1:{s.ports['mapper']}/ready")[0] != 200 or not is_held(s) or not s.unmapped():
        raise Failure("held webhooks are not what the mapper says")
    words = f"mapper: its breaker is open for {s.connection}, webhook since "

    def told():
        done = s.cli("status", "--check", check=False)
        return done.returncode == 10 and words in done.stdout
    await_true("status names the held stream", 30, told, pause=0.5)
    s.kill("mapper")
    s.arguments["mapper"] = base + ["--breaker.window=100", "--breaker.min=50", "--breaker.retry=1s"]
    s.start("mapper")
    s.await_ready("mapper")
    s.settle(120)
    if is_held(s):
        raise Failure("the webhooks are still held")
    if equal(s) != n:
        raise Failure("the store differs after the retries")
    # The good webhook behind the burst was mapped: its odd value is noted.
    aside = s.sql(f"select count from set_aside where connection = '{s.connection}' and pointer like '%weight'")
    if len(aside) != 1:
        raise Failure(f"the webhook behind the burst was not mapped: {aside}")
    return f"{n} objects beside {BURST} held webhooks"


SCENARIOS = (held_stream,)
