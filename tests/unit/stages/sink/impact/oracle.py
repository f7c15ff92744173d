"""Random histories of incidents, services, customers and contracts, and what they mean, computed naively.

Usage: oracle.py SEED COUNT. Prints for each history three lines of JSON: the facts (tests/lib/th_facts.h) in one
order, the same facts in another order, and an object with the expected rows of each table as sorted texts.
"""
import datetime
import json
import random
import re
import sys
import unicodedata
from fractions import Fraction

INCIDENT_DAY = datetime.date(2026, 5, 12)
NAMES = ["Pay", "Search API", "\uff37\uff45\uff42", "Mail", "pay", "search-api", "WEB", "mail"]
CUSTOMERS = ["Acme", "Globex", "Initech", "acme", "GLOBEX "]
LABELS = ["team::pay", "db", "team::web"]
PROJECTS = {"9": "shop/web", "8": "ops/desk"}
ENVIRONMENTS = ["live", "test"]


def key(text):
    return re.sub(r"[\s\-_/]+", "-", unicodedata.normalize("NFKC", text).casefold()).strip("-")


class History:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.facts = []
        self.clock = 0

    def fact(self, kind, ident, source="crm", **fields):
        """One observation; every one has a version time of its own."""
        self.clock += 1
        at = datetime.datetime(2026, 5, 1) + datetime.timedelta(seconds=self.clock)
        fact = {"kind": kind, "id": ident, "at": at.isoformat() + "Z", **fields}
        if source:
            fact["source"] = source
        self.facts.append(fact)

    def some(self, values, most=2):
        return self.r.sample(values, self.r.randrange(0, most + 1))

    def maybe(self, value):
        return value if self.r.random() < 0.5 else None

    def name(self, names, i):
        """Mostly a name of its own, so that keys lead to one; sometimes one that others have."""
        return names[i] if self.r.random() < 0.8 else self.r.choice(names)

    def refer(self, names, ids):
        return self.r.choice(names[:2] + ids if self.r.random() < 0.7 else names)

    def day(self):
        return self.r.random() < 0.4 and self.shown_day() or None

    def shown_day(self):
        return (INCIDENT_DAY + datetime.timedelta(days=self.r.choice([-2, -1, 0, 0, 1, 2]))).isoformat()

    def versions(self, kind, ident, make, source="crm", **always):
        for _ in range(self.r.randrange(1, 4)):
            fields = make()
            shown = {k: v for k, v in fields.items() if self.r.random() < 0.8}
            self.fact(kind, ident, source, **always, **shown)
            if self.r.random() < 0.08:
                self.fact(kind, ident, source, delete="deleted")

    def make(self):
        r = self.r
        for i in range(r.randrange(1, 5)):
            self.versions("service", f"S{i}", lambda i=i: {"name": self.name(NAMES, i), "aliases": self.some(NAMES, 1) if r.random() < 0.2 else [],
                                                           "labels": [LABELS[i]] if i < 3 and r.random() < 0.5 else self.some(LABELS, 1)})
        for i in range(r.randrange(1, 4)):
            self.versions("customer", f"C{i}", lambda i=i: {"name": self.name(CUSTOMERS, i), "aliases": self.some(CUSTOMERS, 1) if r.random() < 0.2 else []})
        for i in range(r.randrange(2, 9)):
            service, customer = self.refer(NAMES, ["S0", "s1"]), self.refer(CUSTOMERS, ["C0", "c1"])
            self.versions("service_customer", f"u{i}", lambda: {"since": self.day(), "until": self.day()}, service=service, customer=customer)
        for i in range(r.randrange(2, 10)):
            self.versions("subscription", f"k{i}", lambda: {
                "amount_minor": r.choice([0, 1, 5, 6, 7, 18, 100, 2**63 - 1]), "currency": r.choice(["EUR", "USD"]),
                "period": r.choice(["month", "quarter", "year", "once"]), "service": self.maybe(r.choice(NAMES[:3] + ["S0", "S1"])),
                "starts_on": self.day(), "ends_on": self.day()}, customer=self.refer(CUSTOMERS, ["C0", "c1"]))
        for i in range(r.randrange(0, 5)):
            columns = {"service": self.refer(NAMES, ["S0", "s1"])}
            for name, values in (("project", ["shop/web", "Shop/Web", "9", "8"]), ("environment", ENVIRONMENTS), ("label", LABELS)):
                if r.random() < 0.5:
                    columns[name] = r.choice(values)
            if len(columns) > 1:
                self.versions("service_ownership", f"o{i}", dict, **columns)
        for number, path in PROJECTS.items():
            self.versions("project", number, lambda path=path: {"path": path}, None)
        for i in range(1, r.randrange(2, 5)):
            self.versions("work_item", str(i), lambda i=i: {
                "type": r.choice(["incident", "incident", "incident", "issue"]), "labels": self.some(LABELS), "project": f"project:{r.choice(['8', '9'])}",
                "label_services": [self.refer(NAMES, ["S0", "s1"])], "stated_services": self.some(NAMES + ["Unknown"], 1),
                "label_environments": self.some(ENVIRONMENTS, 1), "relates_to": self.some(["issue:20", "issue:21"], 2)},
                None, url=f"https://gitlab.test/{i}", created_at=f"{INCIDENT_DAY}T10:00:00Z")
        for i in (20, 21):
            self.versions("work_item", str(i), lambda: {
                "state": r.choice(["opened", "closed"]), "postmortem_rule": self.maybe("label"), "follow_up_label": self.maybe("follow-up"),
                "parent": self.maybe("issue:1"), "relates_to": self.some(["issue:2", "issue:21", "issue:20"], 1)},
                None, type="issue", url=f"https://gitlab.test/{i}", mentions=self.some(["https://gitlab.test/1", "https://gitlab.test/2"]))
        return self


class Model:
    """The heads, and every join by comparing everything with everything."""

    def __init__(self, facts):
        self.heads = {}
        for f in sorted(facts, key=lambda f: f["at"]):
            h = self.heads.setdefault((f["kind"], f["id"]), {"id": f["id"], "kind": f["kind"]})
            if "delete" in f:
                h["deleted"] = True
            else:
                h["deleted"] = False
                h.update(f)
        self.rows = {}
        for (kind, _), h in sorted(self.heads.items()):
            if not h["deleted"]:
                self.rows.setdefault(kind, []).append(h)

    def all(self, kind):
        return self.rows.get(kind, [])

    def find(self, kind, text):
        """Ids of the rows that claim a key."""
        k = key(text)
        return {h["id"] for h in self.all(kind) if k and k in {key(n) for n in [h["id"], h.get("name") or "", *(h.get("aliases") or [])]}}

    def only(self, kind, text):
        found = self.find(kind, text)
        return next(iter(found)) if len(found) == 1 else None

    def owners(self, wanted):
        """Services of the rows of service_ownership whose columns are these, as keys."""
        return {self.only("service", o["service"]) for o in self.all("service_ownership")
                if {c: key(o[c]) for c in ("project", "environment", "label") if o.get(c)} in wanted} - {None}

    def incidents(self):
        return [w for w in self.all("work_item") if w.get("type") == "incident"]

    def services(self, w):
        """{(service, rule)} and {(key, rule, ambiguous)}."""
        found, loose = set(), set()

        def take(ids, rule, name, must):
            if len(ids) == 1:
                found.add((next(iter(ids)), rule))
            elif len(ids) > 1 or must:
                loose.add((name, rule, len(ids) > 1))

        for rule, field in (("label", "label_services"), ("heading", "stated_services")):
            for text in w.get(field) or []:
                take(self.find("service", text), rule, "service:" + key(text), True)
        number = (w.get("project") or ":").split(":")[1]
        project = next((p for p in self.all("project") if p["id"] == number), None)
        names = [key(n) for n in ((project or {}).get("path"), (project or {}).get("id")) if n]
        environments = [key(e) for e in w.get("label_environments") or []]
        for text in w.get("labels") or []:
            label = key(text)
            wanted = [{"label": label}] + [{"project": p, "label": label} for p in names]
            wanted += [{"label": label, "environment": e} for e in environments]
            wanted += [{"project": p, "label": label, "environment": e} for p in names for e in environments]
            ids = {s["id"] for s in self.all("service") if label in {key(x) for x in s.get("labels") or []}} | self.owners(wanted)
            take(ids, "label", "label:" + label, False)
        take(self.owners([{"project": p} for p in names]), "project", "project:" + (names or [""])[0], False)
        for e in environments:
            here = self.owners([{"project": p, "environment": e} for p in names])
            anywhere = self.owners([{"environment": e}])
            name = f"environment:{names[0]}#{e}" if names else f"environment:#{e}"
            take(here, "environment", name, False)
            take(anywhere, "environment", f"environment:#{e}", False)
            if not here and not anywhere:
                loose.add((name, "environment", False))
        return found, loose

    @staticmethod
    def holds(row, first, last):
        day = INCIDENT_DAY.isoformat()
        return (not row.get(first) or row[first] <= day) and (not row.get(last) or day <= row[last])

    def revenue(self, customer, service):
        sums = {}
        months = {"month": 1, "quarter": 3, "year": 12}
        for s in self.all("subscription"):
            if self.only("customer", s["customer"]) != customer or s.get("amount_minor") is None or s.get("period") not in months:
                continue
            if not self.holds(s, "starts_on", "ends_on") or (s.get("service") and self.only("service", s["service"]) != service):
                continue
            currency = s.get("currency") or ""
            sums[currency] = sums.get(currency, 0) + Fraction(s["amount_minor"], months[s["period"]])
        return {c: round(v) if round(v) <= 2**63 - 1 else "" for c, v in sums.items()}

    def linked(self, w):
        mine = {r.split(":")[1] for r in w.get("relates_to") or []}
        theirs = {o["id"] for o in self.all("work_item") if "issue:" + w["id"] in (o.get("relates_to") or [])}
        return {i: o for i, o in ((o["id"], o) for o in self.all("work_item")) if i in mine | theirs and i != w["id"]}

    def follow_ups(self, w):
        posts = {i for i, o in self.linked(w).items() if o.get("postmortem_rule") and o.get("type") != "incident"}
        found = {(i, "link") for i in self.linked(w)}
        for p in self.all("work_item"):
            if p["id"] in posts:
                found |= {(i, "link") for i in self.linked(p)}
            if p.get("follow_up_label") and p.get("type") == "issue" and w["url"] in (p.get("mentions") or []):
                found.add((p["id"], "label"))
            if p.get("parent") == "issue:" + w["id"]:
                found.add((p["id"], "task"))
        issues = {o["id"]: o for o in self.all("work_item")}
        return {(i, rule, issues[i].get("state") or "") for i, rule in found if i not in posts and issues[i].get("type") != "incident"}

    def tables(self):
        services, impact, follow_ups, unresolved = [], [], [], []
        for w in self.incidents():
            found, loose = self.services(w)
            todo = self.follow_ups(w)
            n_open = len({i for i, _, state in todo if state == "opened"})
            services += [f"{w['id']}|{s}|{rule}" for s, rule in found]
            follow_ups += [f"{w['id']}|{i}|{rule}|{state}" for i, rule, state in todo]
            unresolved += [f"{name}|{w['id']}|{rule}|{int(ambiguous)}" for name, rule, ambiguous in loose]
            for s in {s for s, _ in found}:
                users = {self.only("customer", u["customer"]) for u in self.all("service_customer")
                         if self.only("service", u["service"]) == s and self.holds(u, "since", "until")} - {None}
                if not users:
                    impact.append(f"{w['id']}|{s}||||{n_open}")
                for c in users:
                    for currency, sum_ in (self.revenue(c, s) or {"": ""}).items():
                        impact.append(f"{w['id']}|{s}|{c}|{sum_}|{currency}|{n_open}")
        for kind in ("service_customer", "subscription", "service_ownership"):
            for row in self.all(kind):
                for field in ("service", "customer"):
                    found = self.find(field, row[field]) if row.get(field) else {0}
                    if len(found) != 1:
                        unresolved.append(f"{field}:{key(row[field])}|{row['id']}|import|{int(len(found) > 1)}")
        return {"services": sorted(set(services)), "impact": sorted(impact), "follow_ups": sorted(follow_ups), "unresolved": sorted(set(unresolved))}


for n in range(int(sys.argv[2])):
    history = History(int(sys.argv[1]) * 100003 + n).make()
    for _ in range(2):
        history.r.shuffle(history.facts)
        print(json.dumps(history.facts))
    print(json.dumps(Model(history.facts).tables()))
