"""A company's own records: imported from files, compared, replaced, and removed again."""
import json

from stack import Failure, Stack

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
    again = run(s, *names)
    same("again", (again["sent"], sum(c["unchanged"] for c in again["kinds"].values())), (0, 14))
    return f"{done['sent']} rows"


SCENARIOS = (importing,)
