"""The life of a connection by OAuth: approved, refreshed, interrupted, approved again."""
import json
import time

import truth
from stack import Failure, Stack, await_true

SMALL = ("--merge-requests", "60", "--issues", "50", "--pipelines", "30", "--deployments", "10")


def conn(s):
    status = s.fetcher_status()
    return status["connections"][0] if status and status["connections"] else None


def approved(broker, stacks, name, gitlab=(), **quirks):
    """Everything up, connected by an approval alone."""
    s = stacks(Stack(broker, name, gitlab=(*SMALL, *gitlab)))
    s.start("gitlab")
    s.cli("topics", "--quiet")
    s.start("fetcher", "mapper", "sink")
    s.await_ready("gitlab", "fetcher", "mapper", "sink")
    if quirks:
        s.control("quirks", quirks)
    said = s.approve()
    s.connection = conn(s)["id"]
    return s, said


def idle(s, state="enabled", seconds=60):
    """The connection after a whole run."""
    return await_true(f"a run that ends {state}", seconds, lambda: (lambda c: c and c["phase"] == "idle" and
                      c["runs"] > 0 and c["state"] == state and c)(conn(s)))


def read_by(c):
    return {x["stream"]: x["read_by"] for x in c["streams"]}


def oauth_connect(broker, stacks):
    """An address and nothing else: discovery, registration, approval, tools; a read_api token joins later."""
    s, said = approved(broker, stacks, "oauthc")
    for word in ("resource", "server", "register", "approve", "token", "mcp", "saved", "list_work_items",
                 "Signing token", "Secret token", "none"):
        if word not in said:
            raise Failure(f"connect does not speak of {word}: {said[-800:]}")
    c = idle(s, "degraded")
    by = read_by(c)
    if by["issues"] != "mcp" or by["merge_requests"] != "mcp" or by["deployments"] != "none":
        raise Failure(f"read by {by}")
    return json.dumps(by)
