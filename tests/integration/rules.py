"""Rules of data views: the model names what fills a field, and categories name their rule."""
import json

from stack import Failure, Stack

FEW = ("--merge-requests", "20", "--issues", "20", "--pipelines", "10", "--deployments", "5")


def field_of(s, kind, name):
    answer = json.loads(s.cli("model", kind, "--json").stdout)
    return next(f for f in answer["kinds"][0]["fields"] if f["name"] == name)


def model(broker, stacks):
    """Every field that has values has a source, as the mapper has published it."""
    s = stacks(Stack(broker, "model", gitlab=FEW))
    s.up("webhook-intake")
    s.first_sync()
    started = field_of(s, "work_item", "stated_started_at")
    if not any(x.get("rule") == "line:started" and x["pointer"] == "/description" for x in started["source"]):
        raise Failure(f"the source of stated_started_at is {started['source']}")
    kinds = json.loads(s.cli("model", "--json").stdout)["kinds"]
    for kind in kinds:
        rows = s.sql(f"select count(*) as n from {kind['table']}")[0]["n"]
        if kind["count"] != rows:
            raise Failure(f"{kind['kind']}: {kind['count']} entities, {rows} rows")
        for field in kind["fields"]:
            if field["null_share"] not in (None, 1) and not field["source"] and field["name"] != "type":
                raise Failure(f"{kind['kind']}.{field['name']} has values without a source")
            if (field["example"] is None) != (field["null_share"] in (None, 1)):
                raise Failure(f"{kind['kind']}.{field['name']}: {field}")
    for part in ("work_item", "work_items", "service_ownership"):
        if part not in s.cli("model").stdout:
            raise Failure(f"{part} is not in the list of kinds")
    n = s.sql("select count(*) as n from categories c join revisions r on r.entity_id = c.entity and r.version = c.revision")
    if n[0]["n"] != s.sql("select count(*) as n from categories")[0]["n"]:
        raise Failure("a category does not name its revision")
    return f"{len(kinds)} kinds, {n[0]['n']} categories"


SCENARIOS = (model,)
