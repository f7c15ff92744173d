"""Rules of data views: the model names what fills a field, and categories name their rule."""
import json
import os

from stack import Failure, Stack, await_true

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


def override(s, edition, **tables):
    """A file in the mappers' views.path; the mapper is restarted with it."""
    folder = s.path("views")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "own.json"), "w", encoding="utf-8") as f:
        json.dump({"edition": edition, **tables}, f)
    if "mapper" in s.processes:
        s.stop("mapper")
    if f"--views.path={folder}" not in s.arguments["mapper"]:
        s.arguments["mapper"].append(f"--views.path={folder}")
    s.start("mapper")
    s.await_ready("mapper")


def changed_rules(broker, stacks):
    """Changed rules take effect by a replay, and only with a higher edition; going back, too."""
    s = stacks(Stack(broker, "changed", gitlab=FEW))
    s.up("webhook-intake")
    s.first_sync()
    built_in = s.sql("select entity, category, rule from categories order by 1, 2")
    items = s.sql("select count(*) as n from work_items")[0]["n"]
    mine = "select count(*) as n from categories where category = 'mine' and rule = 'title'"
    tables = {"work_item": [{"category": "mine", "title": ["*"]}], "pipeline": []}
    view = s.path("view.json")
    with open(view, "w", encoding="utf-8") as f:
        json.dump({"edition": 1, "categories": tables}, f)
    shadow = json.loads(s.cli("replay", s.connection, "--shadow", view, "--json").stdout)
    pipelines = s.sql("select count(*) as n from categories where kind = 'build_record'")[0]["n"]
    told = {(x["kind"], x["field"]): x["changed"] for x in shadow["fields"]}
    if told != {k: n for k, n in ((("work_item", "categories"), items), (("build_record", "categories"), pipelines)) if n}:
        raise Failure(f"the shadow says {told}, for {items} work items and {pipelines} pipelines")
    if shadow["entities"] != {"changed": items + pipelines, "added": 0, "removed": 0, "not_compared": 0}:
        raise Failure(f"the shadow says {shadow['entities']}")
    if any(x["after"] != "mine, title" for f in shadow["fields"] if f["kind"] == "work_item" for x in f["examples"]):
        raise Failure(f"examples: {shadow['fields']}")
    if s.sql("select entity, category, rule from categories order by 1, 2") != built_in:
        raise Failure("the shadow changed something")
    text = s.cli("replay", s.connection, "--shadow", view)
    if f"{items + pipelines} entities would change" not in text.stdout or "edition" in text.stderr:
        raise Failure(f"{text.stdout} {text.stderr}")
    override(s, 1, categories=tables)
    s.cli("replay", s.connection, "--from", "start", "--execute", WELLHEAD_MAPPER_VIEWS_PATH=s.path("views"))
    await_true("the new category", 30, lambda: s.sql(mine)[0]["n"] == items)
    others = s.sql("select count(*) as n from categories where category <> 'mine'")[0]["n"]
    if others:
        raise Failure(f"{others} categories of the old rules are left")
    again = json.loads(s.cli("replay", s.connection, "--shadow", view, "--json",
                             WELLHEAD_MAPPER_VIEWS_PATH=s.path("views")).stdout)
    if again["entities"]["changed"]:
        raise Failure(f"over itself the file changes {again['entities']}")
    override(s, 2)
    s.cli("replay", s.connection, "--from", "start", "--execute", WELLHEAD_MAPPER_VIEWS_PATH=s.path("views"))
    await_true("the built-in categories", 30,
               lambda: s.sql("select entity, category, rule from categories order by 1, 2") == built_in)
    return f"{items} work items"


SCENARIOS = (model, changed_rules)
