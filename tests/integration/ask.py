"""A hundred questions people ask, with the answers that were written down by hand (tests/ask/questions.tsv).

The world is the demo's story and a small generated project, as of Thursday, 26 November 2026, 12:00 UTC. A line has a question, the
form that it is understood as, and the answer:

  17                     the number
  a=1; b=2               rows of a grouping: a key and a number each; in this order, and no others unless ... follows
  [title; title]         the titles or names of a list, in any order
  ~text                  a part of the answer in words
  choice                 several are called so: a choice, and no answer
  unknown                it is not understood, and says so
"""
import csv
import json
import os
import urllib.error
import urllib.parse
import urllib.request

import story
from stack import ROOT, Failure, Stack

NOW = "2026-11-26T12:00:00Z"
NOT_UNDERSTOOD, AMBIGUOUS = 422, 409
WRONG_MAX = 0      # answers that are wrong and do not say so
UNANSWERED_MAX = 5  # questions of which the right answer is missing


def questions():
    with open(os.path.join(ROOT, "tests/ask/questions.tsv"), newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def api(s, path, **arguments):
    """The document of the API, whatever its status is."""
    with open(s.path("api.token"), encoding="ascii") as f:
        token = f.read().strip()
    request = urllib.request.Request(f"http://127.0.0.1:{s.ports['sink']}{path}?{urllib.parse.urlencode(arguments)}",
                                     headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as e:
        return json.load(e)


def text_of(value):
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return "null" if value is None else str(value)


def rows_of(document):
    return document.get("result", {}).get("rows", [])


def is_right(document, answer):
    if answer == "choice":
        return document.get("status") == AMBIGUOUS
    if answer == "unknown":
        return document.get("status") == NOT_UNDERSTOOD
    if not document.get("ok"):
        return False
    if answer.startswith("~"):
        return all(part in document["answer"] for part in answer[1:].split(" | "))
    rows = [list(row.values()) for row in rows_of(document)]
    if answer.startswith("["):
        return sorted(text_of(row[0]) for row in rows) == sorted(x for x in answer[1:-1].split("; ") if x)
    if "=" in answer:
        found = [f"{text_of(row[0])[:10] if '-' in text_of(row[0]) and 'T00:00' in text_of(row[0]) else text_of(row[0])}"
                 f"={text_of(row[1])}" for row in rows]
        wanted = answer.removesuffix("; ...").split("; ")
        return found[:len(wanted)] == wanted and (answer.endswith("...") or len(found) == len(wanted))
    return len(rows) == 1 and text_of(rows[0][0]) == answer


def ask(broker, stacks):
    """A hundred questions are answered as people answered them, or say why not."""
    s = stacks(Stack(broker, "ask", gitlab=story.GITLAB))
    s.up("webhook-intake")
    story.import_files(s, story.FILES)
    s.first_sync()
    s.settle()
    told = check(s)
    converse(s)
    return told


def converse(s):
    """A follow-up refines the question before, also after the sink was started again."""
    s.cli("ask", "how many merge requests were merged", "--now", NOW)
    s.stop("sink")
    s.start("sink")
    s.await_ready("sink")
    for question, part in (("by project", "acme/web-shop  15"), ("only web-shop", "(merged, project acme/web-shop), by project")):
        text = s.cli("ask", "--follow", question, "--now", NOW).stdout
        if part not in text:
            raise Failure(f"{question!r} does not refine: {text}")
    kept = s.cli("ask", "--conversations").stdout.splitlines()
    if len(kept) != 1 or not kept[0].endswith("only web-shop"):
        raise Failure(f"conversations: {kept}")
    s.cli("ask", "--forget", kept[0].split()[0])
    if s.cli("ask", "--conversations").stdout:
        raise Failure("a conversation is not forgotten")


def check(s):
    unanswered, wrong = [], []
    lines = questions()
    for line in lines:
        document = api(s, "/api/v1/ask", q=line["question"], now=NOW)
        form = document.get("understood", {}).get("form", "")
        if is_right(document, line["answer"]) and (not line["form"] or form == line["form"]):
            continue
        says = document.get("answer") or document.get("error")
        told = f"{line['question']!r}: {form} {says!r}, not {line['form']} {line['answer']!r}"
        (wrong if document.get("ok") and not document.get("notes") else unanswered).append(told[:600])
    if len(wrong) > WRONG_MAX or len(unanswered) > UNANSWERED_MAX:
        raise Failure(f"{len(wrong)} answered wrongly, {len(unanswered)} not answered, of {len(lines)}:\n" +
                      "\n".join(wrong + unanswered))
    return f"{len(lines)} questions, {len(unanswered)} not answered"


SCENARIOS = (ask,)
