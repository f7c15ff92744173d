"""Who is who, over three tools: GitLab's accounts, a directory that names them, and what people decide."""
import json
import subprocess
import time

from imports import raw_event, run, same, write
from stack import Stack, await_true

SMALL = ("--merge-requests", "20", "--issues", "30", "--pipelines", "5", "--deployments", "2")

USERS = [  # as GitLab's API shows them
    {"id": 900001, "username": "ana", "name": "Ana A.", "state": "active", "public_email": None, "created_at": "2020-01-01T00:00:00Z"},
    {"id": 900002, "username": "ana-admin", "name": "Administrator", "state": "active", "public_email": "Ana@x.test",
     "created_at": "2019-01-01T00:00:00Z"},
    {"id": 900003, "username": "ben", "name": "Ben B.", "state": "blocked", "public_email": "lead@x.test",
     "created_at": "2020-01-03T00:00:00Z"},
    {"id": 900004, "username": "cleo", "name": "Cleo C.", "state": "active", "public_email": "lead@x.test",
     "created_at": "2020-01-04T00:00:00Z"},
    {"id": 900005, "username": "kim", "name": "Kim Lee", "state": "active", "public_email": None, "created_at": "2020-01-05T00:00:00Z"},
    {"id": 900006, "username": "kim2", "name": "Lee, Kim", "state": "active", "public_email": None, "created_at": "2020-01-06T00:00:00Z"},
    {"id": 900007, "username": "renovate", "name": "Ana Adams", "state": "active", "public_email": "ana@x.test",
     "created_at": "2020-01-07T00:00:00Z"},
    {"id": 900008, "username": "desk", "name": "Desk", "state": "active", "public_email": "help@x.test", "created_at": "2020-01-08T00:00:00Z"},
    {"id": 900009, "username": "project_12_bot_ab", "name": "Ana Adams", "state": "active", "public_email": "ana@x.test",
     "created_at": "2020-01-09T00:00:00Z"},
    {"id": 900010, "username": "dora", "name": "Dora", "state": "blocked", "public_email": None, "created_at": "2020-01-10T00:00:00Z"},
]
OURS = "select id from accounts where source_id like '9000__'"

PEOPLE = ("id,name,emails,accounts,team,title,type,status\n"
          "p1,Ana Adams,ana@x.test;a.adams@x.test,gitlab:ana;github:ana-a;jira:aadams,shop,Engineer,person,active\n"
          "p2,Ben Brown,lead@x.test,gitlab:ben,shop,,person,left\n"
          "p3,Cleo Chan,lead@x.test,,shop,Lead,person,active\n"
          "m1,Help Desk,help@x.test,,,,shared,active\n"
          "b1,Renovate,,gitlab:renovate,,,bot,active\n"
          "p4,Known Author,,gitlab:{author},,,person,active\n")


def show_users(s, broker, users):
    """Rows of GitLab's API, as the fetcher writes them."""
    instance = s.sql("select instance from connections where id not like 'import-%'")[0]["instance"]
    for user in users:
        subprocess.run(["kcat", "-P", "-b", broker.address, "-t", f"{s.prefix}raw.{s.connection}", "-k", f"user::{user['id']}"],
                       input=raw_event(s.connection, instance, "user", str(user["id"]), user, int(time.time() * 1000)),
                       check=True, timeout=30)
    n = len(USERS)
    await_true("the users", 30, lambda: s.sql(f"select count(*) n from ({OURS})")[0]["n"] == n)


def dump(s):
    """All that people can see."""
    return [s.sql(q) for q in (
        "select id, name, title, team, type, status, emails, accounts, source from team_members order by id",
        "select id, team_member, system, username, name, email, state, type, rule, evidence from accounts order by id",
        "select * from people_review order by 1, 2, 3, 5",
        "select id, author, author_name, author_account, assignees, assignee_names from work_items order by id")]


def members(s):
    return {r["name"]: (r["type"], r["status"], json.loads(r["accounts"])) for r in s.sql(
        "select name, type, status, accounts from team_members where source = 'hr' or username != 'project_12_bot_ab' and id in "
        f"(select team_member from accounts where id in ({OURS}))")}


def decide(s, *words):
    return json.loads(s.cli("people", *words, "--why", "a test", "--json").stdout)["decision"]


def who_is_who(broker, stacks):
    """Accounts of three tools, bots, a shared mailbox, an address that changed hands; decisions, undone and replayed."""
    s = stacks(Stack(broker, "people", gitlab=SMALL))
    s.start("gitlab")
    s.cli("topics", "--quiet")
    s.start("fetcher", "mapper", "sink")
    s.await_ready("gitlab", "fetcher", "mapper", "sink")
    s.connect()
    s.first_sync()
    s.settle()
    show_users(s, broker, USERS)
    busy = s.sql("select author_account a, count(*) n from work_items where author_account is not null group by 1 order by 2 desc, 1")[0]
    author = s.sql(f"select username from accounts where id = '{busy['a']}'")[0]["username"]
    run(s, *write(s, {"people.csv": PEOPLE.format(author=author)}), source="hr")
    same("members", members(s), {
        "Ana Adams": ("person", "active", ["gitlab:ana-admin", "gitlab:ana", "github:ana-a", "jira:aadams"]),
        "Ben Brown": ("person", "left", ["gitlab:ben"]),
        "Cleo Chan": ("person", "active", ["gitlab:cleo"]),
        "Help Desk": ("shared", "active", []),
        "Renovate": ("bot", "active", ["gitlab:renovate"]),
        "Known Author": ("person", "active", [f"gitlab:{author}"]),
        "Kim Lee": ("person", "active", ["gitlab:kim"]),
        "Lee, Kim": ("person", "active", ["gitlab:kim2"]),
        "Desk": ("person", "active", ["gitlab:desk"]),
        "Dora": ("person", "blocked", ["gitlab:dora"])})
    same("the token user has a person's name", s.sql("select name, type, accounts from team_members where username = 'project_12_bot_ab'"),
         [{"name": "Ana Adams", "type": "bot", "accounts": '["gitlab:project_12_bot_ab"]'}])
    same("rules", s.sql(f"select username, rule from accounts where id in ({OURS}) and rule is not null order by 1"), [
        {"username": "ana", "rule": "account"}, {"username": "ana-admin", "rule": "email"}, {"username": "ben", "rule": "account"},
        {"username": "cleo", "rule": "email"}, {"username": "renovate", "rule": "account"}])
    same("references", s.sql("select w.author_name, count(*) n from work_items w join team_members t on t.id = w.author "
                             "where t.name = 'Known Author' group by 1"), [{"author_name": "Known Author", "n": busy["n"]}])
    same("the id of the account finds the member",
         s.sql(f"select name from team_members where id = '{busy['a']}'"), [{"name": "Known Author"}])
    same("the account says whose it is", json.loads(s.cli("show", busy["a"], "--json").stdout)["entity"]["team_member"]["name"], "Known Author")
    same("review", s.sql("select rule, key from people_review where key = 'name:kim-lee'"), [{"rule": "name", "key": "name:kim-lee"}])
    before = dump(s)
    merge = decide(s, "merge", "gitlab:kim", "gitlab:kim2")
    same("merged", members(s)["Kim Lee"], ("person", "active", ["gitlab:kim", "gitlab:kim2"]))
    split = decide(s, "split", "gitlab:ana-admin")
    same("split", members(s)["Administrator"], ("person", "active", ["gitlab:ana-admin"]))
    decided = dump(s)
    # A store of its own, from the topics alone, knows the same people and decisions.
    s.stop("sink")
    s.arguments["sink"] = [a.replace(s.data_path, s.path("again")) if a.startswith("--data.path") else a for a in s.arguments["sink"]]
    s.start("sink")
    s.await_ready("sink")
    s.settle()
    await_true("the same people", 30, lambda: dump(s) == decided)
    for decision in (merge, split):
        decide(s, "undo", decision)
    same("undone", dump(s), before)
    same("decisions", s.sql("select action, undone_at is not null undone from decisions order by at"), [
        {"action": "merge", "undone": 1}, {"action": "split", "undone": 1}, {"action": "undo", "undone": 0}, {"action": "undo", "undone": 0}])
    # The address goes to somebody else, and an account of a key that two active people claim joins nobody.
    run(s, *write(s, {"people.csv": PEOPLE.format(author=author).replace("ben,shop,,person,left", "ben,shop,,person,active")}), source="hr")
    same("a key of two", members(s)["Cleo C."], ("person", "active", ["gitlab:cleo"]))
    same("reviewed", s.sql("select left_name, right_name from people_review where key = 'email:lead@x.test'")[0]["left_name"] in
         ("Ben Brown", "Cleo Chan"), True)
    return f"{len(before[1])} accounts, {len(before[0])} team members"


SCENARIOS = (who_is_who,)
