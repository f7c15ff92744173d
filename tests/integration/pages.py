"""Pages behind a proxy that removes or does not rewrite what GitLab says about them, and pages that are not served."""
import truth
from stack import Failure, Stack

GITLAB = ("--projects", "1", "--merge-requests", "250", "--issues", "120", "--pipelines", "130", "--deployments", "10")


def error(s):
    return s.fetcher_status()["connections"][0]["error"]


def pages(broker, stacks):
    """Every row is read without page headers, with links to another host, and past a row that breaks its pages."""
    s = stacks(Stack(broker, "pages", gitlab=GITLAB))
    s.start("gitlab")
    s.await_ready("gitlab")
    bad = [o["id"] for o in s.oracle() if o.get("kind") == "merge_request" and not o.get("recorded")][149]
    s.control("quirks", {"page_headers": "none", "bad_id": bad})
    s.cli("topics", "--quiet")
    s.start("fetcher", "mapper", "sink")
    s.await_ready("fetcher", "mapper", "sink")
    s.connect()
    s.first_sync(240)
    n = truth.compare(s)
    if "merge_requests: 1 row is not read completely" not in error(s):
        raise Failure(f"the row that cannot be listed is not named: {error(s)!r}")
    s.control("quirks", {"page_headers": "elsewhere", "bad_id": 0})
    s.control("mutate", {"count": 300, "seed": 12})
    s.sync()
    s.settle()
    if error(s):
        raise Failure(f"the row can be listed again: {error(s)!r}")
    return f"{n + truth.compare(s)} objects"


SCENARIOS = (pages,)
