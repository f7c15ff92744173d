"""A company's own records: imported from files, compared, replaced, and removed again."""
import csv
import datetime
import json
import os
import random
import re
import struct
import subprocess
import time

from stack import ROOT, Failure, Skipped, Stack, await_true

FILES = {
    "services.csv": "\ufeffid,name,aliases,tier,team,url,labels,on_call\r\n"
                    "checkout,Checkout API,\"till; basket\",1,shop,https://wiki.example.com/checkout,service::checkout,ana\r\n"
                    "search,\"Search, and more\",,2,find,,,\r\n",
    "customers.json": json.dumps([
        {"id": "acme", "name": "Acme", "aliases": ["Acme Inc."], "domain": "acme.example", "segment": "large"},
        {"id": 17, "name": "Seventeen", "region": "EU", "rank": {"tier": 1}}]),
    "service_customers.csv": "service,customer,since,until\ncheckout,acme,2024-01-01,\nsearch,17,,2030-12-31\n",
    "subscriptions.jsonl": '{"id":"s1","customer":"acme","amount_minor":1200,"currency":"eur","period":"Year","service":"checkout"}\n'
                           '{"id":"s2","customer":"acme","amount_minor":"9223372036854775807","currency":"USD","period":"month","ends_on":"9999-12-31"}\n'
                           '{"id":"s3","customer":"17","amount_minor":6,"currency":"JPY","period":"year"}\n'
                           '{"id":"s4","customer":"17","amount_minor":500,"currency":"JPY","period":"once"}\n',
    "people.csv": "id,name,emails,accounts,team,title,type,status\n"
                  "p1,Ana López,ana@example.com;a.lopez@example.com,gitlab:ana;github:ana-l,shop,Engineer,person,active\n"
                  "p2,Release Bot,,gitlab:release-bot,,,BOT,\n",
    "service_ownership.csv": "service,project,path,environment,label\ncheckout,shop/web,,production,\nsearch,,,,service::search\n",
}


def stack(broker, stacks, name):
    """Without a GitLab: nothing of an import needs one."""
    s = stacks(Stack(broker, name))
    s.cli("topics", "--quiet")
    s.start("fetcher", "mapper", "sink")
    s.await_ready("fetcher", "mapper", "sink")
    return s


def write(s, files):
    names = []
    for name, text in files.items():
        with open(s.path(name), "w", encoding="utf-8", newline="") as f:
            f.write(text)
        names.append(s.path(name))
    return names


def run(s, *arguments, source="crm", code=0):
    done = s.cli("import", "--source", source, "--json", *arguments, check=False)
    if done.returncode != code:
        raise Failure(f"import {arguments}: exit {done.returncode}, not {code}: {done.stderr[:600]}")
    return json.loads(done.stdout)


def counts(answer):
    return {k: (c["new"], c["changed"], c["unchanged"]) for k, c in answer["kinds"].items()}


def rows(s, query):
    """Lists are JSON in SQL."""
    return [{k: json.loads(v) if isinstance(v, str) and v.startswith("[") else v for k, v in r.items()} for r in s.sql(query)]


def same(what, got, want):
    if got != want:
        raise Failure(f"{what}: {got}, not {want}")


def importing(broker, stacks):
    """All kinds and formats; again, changed, and as a complete list."""
    s = stack(broker, stacks, "import")
    names = write(s, FILES)
    plan = run(s, *names, "--dry-run")
    same("the plan", {k: c[0] for k, c in counts(plan).items()},
         {"services": 2, "customers": 2, "service_customers": 2, "subscriptions": 4, "people": 2, "service_ownership": 2})
    same("rows after a dry run", s.sql("select count(*) n from services"), [{"n": 0}])
    done = run(s, *names)
    same("sent", (done["sent"], done["dead_letters"], done["stored"], done["executed"]), (14, 0, True, True))
    same("services", rows(s, "select source, source_id, name, aliases, labels, attributes, url from services order by source_id"), [
        {"source": "crm", "source_id": "checkout", "name": "Checkout API", "aliases": ["till", "basket"],
         "labels": ["service::checkout"], "attributes": '{"on_call":"ana"}', "url": "https://wiki.example.com/checkout"},
        {"source": "crm", "source_id": "search", "name": "Search, and more", "aliases": [], "labels": [],
         "attributes": '{"on_call":""}', "url": None}])
    same("subscriptions", s.sql("select source_id, currency, period, monthly_minor, service_key, customer_key from subscriptions order by 1"), [
        {"source_id": "s1", "currency": "EUR", "period": "year", "monthly_minor": 100, "service_key": "checkout", "customer_key": "acme"},
        {"source_id": "s2", "currency": "USD", "period": "month", "monthly_minor": 9223372036854775807, "service_key": None, "customer_key": "acme"},
        {"source_id": "s3", "currency": "JPY", "period": "year", "monthly_minor": 0, "service_key": None, "customer_key": "17"},
        {"source_id": "s4", "currency": "JPY", "period": "once", "monthly_minor": 0, "service_key": None, "customer_key": "17"}])
    same("the open end", s.sql("select ends_on from subscriptions where source_id = 's2'"), [{"ends_on": "9999-12-31"}])
    same("people", rows(s, "select name, emails, accounts, type, status from people order by name"), [
        {"name": "Ana López", "emails": ["ana@example.com", "a.lopez@example.com"], "accounts": ["gitlab:ana", "github:ana-l"],
         "type": "person", "status": "active"},
        {"name": "Release Bot", "emails": [], "accounts": ["gitlab:release-bot"], "type": "bot", "status": None}])
    same("the rest", s.sql("select source_id, since, until from service_customers order by 1"), [
        {"source_id": "checkout:acme:2024-01-01", "since": "2024-01-01", "until": None},
        {"source_id": "search:17:", "since": None, "until": "2030-12-31"}])
    same("attributes", s.sql("select attributes from customers where source_id = '17'"), [{"attributes": '{"rank":{"tier":1}}'}])
    entity = s.sql("select id from services where source_id = 'checkout'")[0]["id"]
    for address in (entity, "https://wiki.example.com/checkout"):
        said = s.cli("show", address, "--history").stdout
        for part in (entity, "Checkout API", "services.csv:2"):
            if part not in said:
                raise Failure(f"show {address}: {part} is not in: {said[:1500]}")
    same("the bytes behind it", json.loads(s.cli("show", entity, "--raw").stdout)["on_call"], "ana")
    again = run(s, *names)
    same("again", (again["sent"], sum(c["unchanged"] for c in again["kinds"].values())), (0, 14))
    return f"{done['sent']} rows"



def refused(s, names, *arguments, code=1):
    """The lines on stderr that name a mistake, with the file's name alone."""
    done = s.cli("import", "--source", "crm", *names, *arguments, check=False)
    if done.returncode != code:
        raise Failure(f"import {arguments}: exit {done.returncode}, not {code}: {done.stderr[:600]}")
    return [line.replace(s.path(""), "") for line in done.stderr.splitlines() if line.startswith(s.folder)]


def editing(broker, stacks):
    """Changed and wrong rows, --keep-going, --replace, rows that come back, and an end without remains."""
    s = stack(broker, stacks, "edit")
    names = write(s, FILES)
    run(s, *names)
    # Another source has rows of its own under the same ids.
    run(s, *write(s, {"services.jsonl": '{"id":"checkout","name":"Another"}\n'}), source="other")
    services = write(s, {"services.csv": "id,name,tier\ncheckout,Checkout,1\nsearch,\"Search, and more\",3\nnew,New,\n"})
    same("changed", counts(run(s, *services)), {"services": (1, 2, 0)})
    same("a column that the file lacks stays", s.sql(
        "select name, tier, json_array_length(aliases) n from services where source = 'crm' and source_id = 'checkout'"),
        [{"name": "Checkout", "tier": "1", "n": 2}])
    # One wrong row stops every file, and all mistakes are named at once.
    bad = write(s, {"customers.csv": "id,name\nnext,Next\n,Nobody\nlast,\n", "people.csv": "id,name,type\np9,Nine,robot\np9,Nine,bot\np9,Again,bot\n"})
    want = ["customers.csv:3: id: a value is needed", "customers.csv:4: name: a value is needed",
            "people.csv:2: type: 'robot' is none of person, bot, shared", "people.csv:4: id: the row repeats people.csv:3"]
    same("mistakes", refused(s, bad), want)
    same("nothing came of it", s.sql("select count(*) n from people where source_id = 'p9'"), [{"n": 0}])
    refused(s, bad, "--keep-going")
    same("the right rows came", (s.sql("select count(*) n from people where source_id = 'p9'"),
                                 s.sql("select count(*) n from customers where source_id = 'next'")), ([{"n": 1}], [{"n": 1}]))
    refused(s, bad, "--keep-going", "--replace", code=2)
    # The complete list: counted, confirmed, and then deleted; another source's rows stay.
    services = write(s, {"services.csv": "id,name,tier\nsearch,\"Search, and more\",3\n"})
    refused(s, services, "--replace", "--no-input")
    same("unconfirmed", s.sql("select count(*) n from services where source = 'crm'"), [{"n": 3}])
    plan = run(s, *services, "--replace", "--dry-run")["kinds"]["services"]
    same("the plan of a replacement", plan, {"rows": 1, "new": 0, "changed": 0, "unchanged": 1, "deleted": 2})
    done = run(s, *services, "--replace", "--confirm", "crm")
    same("sent", done["sent"], 2)
    same("replaced", s.sql("select source, source_id from services order by 1, 2"),
         [{"source": "crm", "source_id": "search"}, {"source": "other", "source_id": "checkout"}])
    same("deleted", s.sql("select source_id, deleted_reason from services_all where deleted order by 1"),
         [{"source_id": "checkout", "deleted_reason": "not_listed"}, {"source_id": "new", "deleted_reason": "not_listed"}])
    same("replaced again", run(s, *services, "--replace")["sent"], 0)
    back = write(s, {"services.csv": "id,name\ncheckout,Back\n"})
    same("back", counts(run(s, *back)), {"services": (1, 0, 0)})
    same("back in the store", s.sql("select name from services where source = 'crm' and source_id = 'checkout'"), [{"name": "Back"}])
    status = s.cli("status", check=False).stdout
    if "import-crm: " not in status:
        raise Failure(f"status does not name the import: {status[:800]}")
    if s.cli("disconnect", "import-crm", "--confirm", "import-crm", check=False).returncode != 3:
        raise Failure("an import was disconnected")
    gone(s)
    return "14 rows edited"


def gone(s):
    """purge removes every row and topic of the source, and the same file gives the same ids again."""
    ids = s.sql("select id from services_all where source = 'crm' order by 1")
    s.cli("purge", "import-crm", "--dry-run")
    report = json.loads(s.cli("purge", "import-crm", "--confirm", "import-crm", "--json").stdout)
    same("the purge", (report["ok"], report["leftovers"], report["topics_left"]), (True, 0, 0))
    same("rows that are left", s.sql("select source, count(*) n from services_all group by 1"), [{"source": "other", "n": 1}])
    same("connections that are left", s.sql("select id from connections"), [{"id": "import-other"}])
    names = write(s, {"services.csv": "id,name\ncheckout,A\nsearch,B\nnew,C\n"})
    run(s, *names)
    same("ids", s.sql("select id from services_all where source = 'crm' order by 1"), ids)


def text(value):
    """Avro's string: the length as a zigzag varint, and the bytes."""
    data = value if isinstance(value, bytes) else value.encode()
    return number(len(data)) + data


def number(n):
    n = n << 1 ^ n >> 63
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def raw_event(connection, instance, kind, identity, row, observed_at_ms):
    """A RawEvent as any program can write it, by nothing but the schema."""
    with open(os.path.join(ROOT, "schemas/ids.json")) as f:
        schema = next(e["id"] for e in json.load(f) if e["file"] == "raw_event.avsc")
    body = (text(connection) + text(instance) + text("import") + text(kind) + text("") + text(identity) +
            number(observed_at_ms) + text("my-job:1") + number(0) + text(json.dumps(row)))
    return b"\0" + struct.pack(">I", schema) + body


def documented(broker, s):
    """The program that schemas/README.md shows."""
    if subprocess.run(["/usr/bin/python3", "-c", "import avro.io, confluent_kafka"], capture_output=True).returncode != 0:
        raise Skipped("python3-avro and python3-confluent-kafka are not installed")
    with open(os.path.join(ROOT, "schemas/README.md"), encoding="utf-8") as f:
        program = re.search(r"^```python\n(.*?)^```", f.read(), re.M | re.S)[1]
    subprocess.run(["/usr/bin/python3", "-c", program, broker.address, s.prefix, "crm"], cwd=ROOT, check=True, timeout=60,
                   input='{"id": "docs", "name": "Documented", "labels": ["service::docs"]}\n', text=True)
    await_true("rows of the documented program", 30, lambda: rows(s, "select name, labels from services where source_id = 'docs'") ==
               [{"name": "Documented", "labels": ["service::docs"]}])


def foreign(broker, stacks):
    """Another program writes the same raw events; what cannot be mapped becomes a dead letter and is replayed."""
    s = stack(broker, stacks, "foreign")
    run(s, *write(s, {"services.csv": "id,name\n"}))
    await_true("the empty connection", 30, lambda: s.sql("select id, instance, state from connections") == [
        {"id": "import-crm", "instance": "import:crm", "state": "enabled"}])
    now = int(time.time() * 1000)
    events = [("services", "search", {"id": "search", "name": "Search", "aliases": ["find"], "note": "by hand"}),
              ("service_customers", "search:acme:", {"service": "search", "customer": "acme", "since": None}),
              ("services", "", {"name": "Without an id"})]
    for kind, identity, row in events:
        subprocess.run(["kcat", "-P", "-b", broker.address, "-t", f"{s.prefix}raw.import-crm", "-k", f"{kind}::{identity}"],
                       input=raw_event("import-crm", "import:crm", kind, identity, row, now), check=True, timeout=30)
    await_true("rows of another program", 30, lambda: s.sql("select count(*) n from service_customers") == [{"n": 1}])
    same("rows", s.sql("select source, source_id, name, attributes from services order by 2"), [
        {"source": "crm", "source_id": "search", "name": "Search", "attributes": '{"note":"by hand"}'}])
    def letters():
        out = subprocess.run(["kcat", "-C", "-b", broker.address, "-t", f"{s.prefix}dead-letter.import-crm", "-e", "-q",
                              "-f", "%o\n"], capture_output=True, text=True, timeout=60).stdout
        return len(out.splitlines())
    await_true("a dead letter", 30, lambda: letters() == 1)
    s.cli("replay", "import-crm", "--dead-letters", "--from", "start", "--execute")
    await_true("the letter again", 30, lambda: letters() > 1)
    before = s.sql("select count(*) n from revisions where revision = 1")
    s.cli("replay", "import-crm", "--from", "start", "--execute")
    same("a replay", s.sql("select count(*) n from revisions where revision = 1"), before)
    # The file now knows what the other program wrote.
    names = write(s, {"services.csv": "id,name,aliases,note\nsearch,Search,find,by hand\n"})
    same("unchanged", counts(run(s, *names)), {"services": (0, 0, 1)})
    documented(broker, s)
    return "3 events"


CURRENCIES = "EUR USD JPY CHF KWD".split()


def day(text):
    try:
        return re.fullmatch(r"\d{4}-\d\d-\d\d", text) and datetime.date.fromisoformat(text)
    except ValueError:
        return None


def judged(row):
    """The columns of a subscription that are wrong, by the contract alone."""
    wrong = {c for c in ("id", "customer", "amount_minor", "currency", "period") if not row[c].strip()}
    amount = row["amount_minor"].strip()
    if amount and not (re.fullmatch("[0-9]+", amount) and int(amount) < 2 ** 63):
        wrong.add("amount_minor")
    if row["currency"].strip() and row["currency"].strip().upper() not in CURRENCIES:
        wrong.add("currency")
    if row["period"].strip() and row["period"].strip().lower() not in ("month", "quarter", "year", "once"):
        wrong.add("period")
    for c in ("starts_on", "ends_on"):
        if row[c].strip() and not day(row[c].strip()):
            wrong.add(c)
    if not wrong & {"starts_on", "ends_on"} and row["starts_on"].strip() and row["ends_on"].strip() and \
            day(row["starts_on"].strip()) > day(row["ends_on"].strip()):
        wrong.add("ends_on")
    return wrong


def values(chance, number):
    """One value for each column, now and then a wrong one."""
    pick = chance.choice
    return {
        "id": pick([f"s{number}"] * 20 + ["", " ", f"s{max(0, number - 3)}"]), "customer": pick(["acme", "a, b", "two\nlines", 'say "x"', ""]),
        "amount_minor": pick(["0", "1200", str(2 ** 63 - 1), " 7 ", "007"] * 3 + ["-1", "1.0", str(2 ** 63), "1e3", "x", "", "+1", "1 000"]),
        "currency": pick(["EUR", "usd", "Jpy"] * 4 + ["EURO", "XXY", "", "E"]),
        "period": pick(["month", "Year", "QUARTER", "once"] * 3 + ["weekly", "", "months"]),
        "service": pick(["", "checkout"]), "product": pick(["", "Gölden", "x;y"]),
        "starts_on": pick(["", "2024-02-29", "2025-01-01"] * 3 + ["2025-02-29", "2025-1-1", "01.02.2025", "2025-13-01"]),
        "ends_on": pick(["", "9999-12-31", "2025-06-30"] * 3 + ["2024-01-01", "2025-06-31", "0000-01-01"])}


def mistakes(broker, stacks):
    """Thousands of rows with every kind of mistake, against Python's csv and the rules of the contract."""
    seed = int(os.environ.get("SEED", "7"))
    chance = random.Random(seed)
    s = stacks(Stack(broker, "mistakes"))
    columns = list(values(chance, 0))
    path = s.path("subscriptions.csv")
    with open(path, "w", encoding="utf-8", newline="") as f:
        lines = csv.writer(f, lineterminator=chance.choice(["\n", "\r\n"]))
        lines.writerow(columns)
        for number in range(3000):
            cells = list(values(chance, number).values())
            if chance.random() < 0.02:
                cells = cells[:-1] if chance.random() < 0.5 else cells + ["more"]
            lines.writerow(cells)
            if chance.random() < 0.02:
                f.write("\n")
    want, seen, end = set(), set(), 0
    with open(path, encoding="utf-8", newline="") as f:
        reader = csv.reader(f)
        for cells in reader:
            line, end = end + 1, reader.line_num
            if not cells or line == 1:
                continue
            if len(cells) != len(columns):
                want.add((line, columns[len(cells)] if len(cells) < len(columns) else "row"))
                continue
            row = dict(zip(columns, cells))
            wrong = judged(row)
            want |= {(line, c) for c in wrong}
            if not wrong:
                if row["id"].strip() in seen:
                    want.add((line, "id"))
                seen.add(row["id"].strip())
    done = s.cli("import", "--source", "crm", path, check=False)
    got = {(int(m[1]), m[2]) for m in re.finditer(f"^{re.escape(path)}:(\\d+): (\\w+): .", done.stderr, re.M)}
    if done.returncode != 1 or got != want:
        raise Failure(f"seed {seed}: exit {done.returncode}; only wellhead: {sorted(got - want)[:5]}; only Python: {sorted(want - got)[:5]}")
    return f"{len(want)} mistakes"


SCENARIOS = (importing, editing, foreign, mistakes)
