"""The demo's story: what SQL and the command line say of its incidents is what demo/expected.csv says.

That table was written from the story (tests/gitlab/story.c) and the imported files, not by Wellhead.
"""
import collections
import csv
import json
import os
import subprocess

from stack import ROOT, Failure, Stack

DEMO = os.path.join(ROOT, "demo")
FILES = ("services", "customers", "service_customers", "subscriptions", "people", "service_ownership")
GITLAB = ("--story", "true", "--until", "2026-11-26T09:00:00Z", "--projects", "1", "--merge-requests", "20", "--issues", "20",
          "--pipelines", "20", "--deployments", "5")


def expected():
    with open(os.path.join(DEMO, "expected.csv"), newline="") as f:
        return {row["incident"]: row for row in csv.DictReader(f)}


def joined(values):
    return ";".join(sorted(values))


def by_sql(s):
    """One record for each incident, in the form of expected.csv."""
    found = {}
    contracts = collections.defaultdict(set)
    services = collections.defaultdict(set)
    customers = collections.defaultdict(set)
    for row in s.sql("select * from incident_impact"):
        title = row["incident_title"]
        services[title].add(row["service_name"])
        if row["customer_name"]:
            customers[title].add(row["customer_name"])
        if row["currency"]:
            contracts[title].add((row["customer_name"], row["currency"], row["revenue_minor"]))
        found[title] = {"severity": row["severity"], "open_follow_ups": str(row["open_follow_ups"]),
                        "duration_s": "" if row["duration_s"] is None else str(row["duration_s"])}
    for title, row in found.items():
        sums = collections.Counter()
        for _, currency, amount in contracts[title]:
            sums[currency] += amount
        row.update(services=joined(services[title]), customers=joined(customers[title]),
                   monthly_minor=";".join(f"{c} {n}" for c, n in sorted(sums.items())))
    return found


def by_api(impact):
    incident = impact["incident"]
    return {"severity": incident["severity"],
            "duration_s": "" if incident["duration_s"] is None else str(incident["duration_s"]),
            "services": joined(x["name"] for x in impact["services"]),
            "customers": joined(x["name"] for x in impact["customers"]),
            "monthly_minor": ";".join(f"{r['currency']} {r['monthly_minor']}"
                                      for r in sorted(impact["totals"]["revenue"], key=lambda r: r["currency"])),
            "open_follow_ups": str(impact["totals"]["open_follow_ups"])}


def differ(how, found):
    for title, want in expected().items():
        want = dict(want, customers=joined(want["customers"].split(";")), incident=None)
        have = dict(found.get(title, {}), incident=None)
        if have != want:
            wrong = {k: (have.get(k), v) for k, v in want.items() if have.get(k) != v}
            raise Failure(f"{how}: {title}: {wrong}")


def story(broker, stacks):
    """The demo's incidents lead to the services, customers and revenue that were written down by hand."""
    s = stacks(Stack(broker, "story", gitlab=GITLAB))
    s.up("webhook-intake")
    # Half of the files arrive before GitLab's rows, half after them.
    import_files(s, FILES[3:])
    s.first_sync()
    import_files(s, FILES[:3])
    s.settle()
    differ("SQL", by_sql(s))
    answers = {}
    for title in expected():
        row = s.sql("select url from incidents where title = '%s'" % title.replace("'", "''"))[0]
        answers[title] = by_api(json.loads(s.cli("impact", row["url"], "--json").stdout))
    differ("impact", answers)
    return f"{len(answers)} incidents"


def import_files(s, names):
    s.cli("import", "--source", "demo", *(os.path.join(DEMO, name + ".csv") for name in names))


HOSTILE = "<script>hacked=1</script><img src=x onerror=hacked=1>"


def browse(broker, stacks):
    """The pages in a real browser: login, looks, keys, accessibility, twins, hostile names (tests/browser). With
    SCREENSHOTS=FOLDER it takes their pictures instead."""
    s = stacks(Stack(broker, "browse", gitlab=GITLAB))
    s.up("webhook-intake")
    import_files(s, FILES)
    names = s.path("customers.csv")
    with open(names, "w", newline="") as f:
        csv.writer(f).writerows([("id", "name"), ("evil", HOSTILE)])
    s.cli("import", "--source", "evil", names)
    s.first_sync()
    link = json.loads(s.cli("open", "--json").stdout)["url"]
    base = link[:link.index("/login")]
    incident = s.sql("select id from incidents where title like 'Checkout and payments%'")[0]["id"]
    facts = {"incident": incident, "hostile": HOSTILE, "connection": s.connection, "gitlab": f"http://127.0.0.1:{s.ports['gitlab']}"}
    folder = os.environ.get("SCREENSHOTS")
    script = "shots.mjs" if folder else "browse.mjs"
    run = subprocess.run(["node", os.path.join(ROOT, "tests/browser", script), os.path.join(ROOT, "deps/browser"), base,
                          link[len(base):], json.dumps(facts), *([os.path.join(ROOT, folder)] if folder else [])],
                         capture_output=True, text=True, timeout=900)
    if run.returncode != 0:
        raise Failure(f"{run.stdout[-3000:]}{run.stderr[-2000:]}")
    return run.stdout.split("\n")[-2]


SCENARIOS = [story, browse]
