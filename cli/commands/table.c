#include "cli/commands/commands.h"

/* The Makefile knows it from pkg-config. */
#ifndef WH_SQLITE_VERSION
#define WH_SQLITE_VERSION "3"
#endif

static const struct cli_command table[] = {
    {"connect", CLI_CONNECT, "connect a GitLab: approve in the browser, or give a token, or both",
     "URL", 1,
     "  wellhead connect https://gitlab.example.com\n"
     "  wellhead connect https://gitlab.example.com --no-browser   # paste the redirect address\n"
     "  wellhead connect https://gitlab.example.com --token-file ~/gitlab.token\n"
     "  wellhead connect https://gitlab.example.com --token-file ~/gitlab.token --oauth   # both\n"
     "  wellhead connect https://gitlab.example.com --project acme/backend\n"
     "  wellhead connect https://gitlab.example.com --client-id ID --client-secret-file ~/secret\n"
     "  wellhead connect https://gitlab.example.com --new-client   # GitLab deleted the "
     "application\n"
     "  wellhead connect https://gitlab.example.com --new-secret   # the webhook's secret was "
     "lost\n"
     "  wellhead connect https://gitlab.example.com --move         # from http://, same host\n",
     cli_connect},
    {"status", CLI_STATUS, "what is running, how far each stream is, and how fresh the rows are",
     NULL, 0,
     "  wellhead status\n"
     "  wellhead status --check            # exit code 10 unless all stages are known to be "
     "healthy\n"
     "  wellhead status --watch            # again every two seconds\n"
     "  wellhead status --wait 10m         # waits for the end of the first sync\n"
     "  wellhead status --verify           # compares GitLab with the store; exit code 10: "
     "incomplete\n"
     "  wellhead status --confirm-deletes  # applies deletions that were held back\n",
     cli_status},
    {"sql", CLI_SQL, "query the store in SQL (read-only)", "QUERY|-", 1,
     "  wellhead sql \"select title, state from merge_requests order by updated_at desc limit 5\"\n"
     "  wellhead sql --csv \"select * from incidents where severity = :s\" -p s=critical\n"
     "  wellhead sql --csv=safe \"select title, url from issues\" > issues.csv  # for a "
     "spreadsheet\n"
     "  wellhead sql --ndjson --limit 0 \"select * from jobs\" | wc -l   # all rows, as they "
     "arrive\n"
     "  wellhead sql --timeout 60s \"select count(*) from jobs where name like '%test%'\"  # at "
     "most 60s\n"
     "  wellhead sql -x \"select * from merge_requests limit 1\"   # one column per line\n"
     "  wellhead sql --as-of 2026-11-24 \"select title, state from incidents\"   # as it was "
     "stored\n"
     "  wellhead sql --valid-at 2026-11-24 \"select count(*) from issues where state = 'opened'\"\n"
     "  echo \"select count(*) from jobs\" | wellhead sql -\n"
     "\nThe language is that of SQLite " WH_SQLITE_VERSION ", with which the sink is built, for "
     "reading only:\n"
     "SELECT, WITH, VALUES and EXPLAIN as on https://www.sqlite.org/lang.html. It also has\n"
     "  median(x), percentile(x, 0 to 100), stddev(x), concat(x, ...)\n"
     "  text REGEXP pattern                 a regular expression of PCRE2\n"
     "  date_trunc(unit, time[, zone])      the begin of the hour, day, week, month, quarter, "
     "year\n"
     "  local(time, zone)                   as in local(merged_at, 'Europe/Berlin')\n"
     "Times are UTC as text, lists are JSON: select value from issues, json_each(labels).\n"
     "`wellhead tables` lists the tables; .tables, describe TABLE and .schema TABLE are queries "
     "too.\n",
     cli_sql},
    {"tables", CLI_TABLES, "list the tables for sql, or the columns of one and what they mean",
     "[NAME]", 1,
     "  wellhead tables\n"
     "  wellhead tables merge_requests       # columns, types, meaning, joins, and an example\n"
     "  wellhead tables merge_requests -x    # one property per line\n"
     "  wellhead tables jobs --json\n"
     "  wellhead tables jobs --csv > jobs-columns.csv\n"
     "  wellhead tables --ndjson | jq -r .table\n",
     cli_tables},
    {"model", CLI_MODEL, "the kinds of entities, their fields, and what fills them", "[KIND]", 1,
     "  wellhead model\n"
     "  wellhead model work_item          # fields, types, share of nulls, an example, meaning, "
     "source\n"
     "  wellhead model work_item -x       # one property per line\n"
     "  wellhead model customer --json\n"
     "\nThe source of a field is the view, the pointer into the raw event, and the conversion or "
     "the\n"
     "rule; schemas/views/README.md explains them. Entities are counted; nulls and examples are "
     "of\n"
     "the 1000 entities of the kind that changed last.\n",
     cli_model},
    {"show", CLI_SHOW, "one object: its fields, what changed it, and what it is linked to",
     "ADDRESS|PROJECT!N|#N|ID", 1,
     "  wellhead show https://gitlab.example.com/group/project/-/issues/7   # as it is copied\n"
     "  wellhead show 'group/project!12'\n"
     "  wellhead show '#45'\n"
     "  wellhead show '#45' --raw --revision 2   # the bytes behind a change\n"
     "  wellhead show '#45' --history            # every revision: before and after, and where "
     "from\n"
     "  wellhead show '#45' --as-of 2026-11-24T10:00:00Z      # as it was stored at that time\n"
     "  wellhead show '#45' --valid-at 2026-11-24T10:00:00Z   # as it was at GitLab at that time\n"
     "  wellhead show 6f1ed002-ab12-5a7b-9c3d-0123456789ab --json\n",
     cli_show},
    {"impact", CLI_IMPACT, "show what an incident did: services, customers, revenue, follow-ups",
     "INCIDENT", 1,
     "  wellhead impact https://gitlab.example.com/shop/web/-/issues/45\n"
     "  wellhead impact shop/web#45\n"
     "  wellhead impact 45 --json     # with the evidence of every finding\n"
     "  wellhead impact shop/web#45 --as-of 2026-11-24T10:00:00Z\n"
     "  wellhead impact shop/web#45 --valid-at 2026-11-24T10:00:00Z\n",
     cli_impact},
    {"ask", CLI_ASK,
     "ask in words about work, builds, deployments, incidents, customers and people", "QUESTION", 1,
     "  wellhead ask --list                          # what can be asked\n"
     "  wellhead ask \"how many merge requests were merged last week by project\"\n"
     "  wellhead ask \"which pipelines failed yesterday on the default branch\"\n"
     "  wellhead ask \"which customers were impacted by last Tuesday's incident\"\n"
     "  wellhead ask --follow \"only the open ones\"   # refines the last question\n"
     "  wellhead ask --conversations\n"
     "  wellhead ask --conversation 967886579b583c08 \"by author\"\n"
     "  wellhead ask --forget 967886579b583c08\n"
     "  wellhead ask \"what did Dana merge last week\" --choose "
     "e4af8bb3-d213-57e7-9adb-3a52341fb62e\n"
     "  wellhead ask \"which services were affected yesterday\" --zone Europe/Berlin\n"
     "  wellhead ask \"what is still open from shop/web#45\"\n"
     "  wellhead ask \"how long did the incident on 24 November last\"\n"
     "  wellhead ask \"what revenue was affected between 10 and 20 November\" --json\n"
     "  wellhead ask \"what hit Acme this month\" --now 2026-11-24\n"
     "  wellhead ask \"how many critical incidents since Monday\" --as-of 2026-11-24T10:00:00Z\n"
     "  wellhead ask \"what happened last week\" --valid-at 2026-11-24T10:00:00Z\n"
     "\nLast Tuesday is the most recent one before today; weeks begin on Monday. Exit code 3: not\n"
     "understood; 5: several services, customers or incidents are called so.\n",
     cli_ask},
    {"search", CLI_SEARCH, "find records by words, a reference, a commit or an address", "TEXT...",
     CLI_ARGS_MAX - 1,
     "  wellhead search payments time out\n"
     "  wellhead search '\"connection reset\"' --kind incident   # a phrase\n"
     "  wellhead search 'deploy*'                              # the beginning of a word\n"
     "  wellhead search 'shop/web!12'                          # exactly this one comes first\n"
     "  wellhead search 3f2a91c                                # a commit\n"
     "  wellhead search https://gitlab.example.com/shop/web/-/issues/45#note_7\n"
     "  wellhead search checkout --limit 5 --json   # also --csv\n"
     "\nTexts that only an older revision has are found too, and say so. Exit code 3: nothing was\n"
     "found.\n",
     cli_search},
    {"measures", CLI_MEASURES, "what is counted, and its numbers: merge requests, DORA, incidents",
     "[MEASURE]", 1,
     "  wellhead measures                                  # what there is, and what it means\n"
     "  wellhead measures deployment_frequency -x   # one column on a line\n"
     "  wellhead measures time_to_merge --by project --over month --since -52w\n"
     "  wellhead measures incidents_opened -p severity=critical --since 2026-10-01 --until "
     "2026-10-31\n"
     "  wellhead measures change_failure_rate --over none --json   # with the address of its rows\n"
     "  wellhead measures issues_closed --csv > closed.csv\n"
     "  wellhead measures open_issues --as-of 2026-11-24T10:00:00Z   # as it was stored then\n"
     "  wellhead measures open_issues --valid-at 2026-11-24T10:00:00Z --zone Europe/Berlin\n",
     cli_measures},
    {"import", CLI_IMPORT,
     "import rows of your own records: services, customers, contracts, people", "FILE|-",
     CLI_ARGS_MAX - 1,
     "  wellhead import --source crm customers.csv subscriptions.csv\n"
     "  wellhead import --source catalog services.json --dry-run   # shows what would change\n"
     "  wellhead import --source crm --keep-going customers.csv    # leaves out wrong rows\n"
     "  wellhead import --source crm --replace customers.csv       # deletes what is not listed\n"
     "  wellhead import --source crm --replace customers.csv --confirm crm --json   # for scripts\n"
     "  export-people | wellhead import --source hr --kind people -\n"
     "  wellhead import --source crm customers.csv --no-wait       # the sink is not awaited\n"
     "  wellhead import --source crm customers.csv --timeout 1h    # the mapper is far behind\n"
     "\nFiles are CSV with a header, a JSON array, or JSON Lines; *: the column is needed.\n"
     "  services           id* name* aliases tier team url labels\n"
     "  customers          id* name* aliases domain segment region owner_email url\n"
     "  service_customers  service* customer* since until\n"
     "  subscriptions      id* customer* amount_minor* currency* period* service product\n"
     "                     starts_on ends_on\n"
     "  people             id* name* emails accounts team title type status\n"
     "  service_ownership  service* and one or more of project path environment label\n"
     "Lists in a cell of CSV are separated by ';'. Other columns are kept as attributes. An\n"
     "empty cell empties a value; a column that a file lacks stays as it is in the store.\n"
     "`wellhead purge import-NAME` removes all rows of a source.\n",
     cli_import},
    {"rules", CLI_RULES,
     "who is told when a record meets a condition: `rules add`, `test`, `deliveries`, `replay`",
     "[add FILE | remove ID | test FILE|ID | deliveries [ID] | replay ID [NUMBER]]", 3,
     "  wellhead rules                       # each rule, and how it is\n"
     "  wellhead rules add failed.json       # adds it, or replaces the one with its id\n"
     "  wellhead rules test failed.json --since 30d   # when would it have fired?\n"
     "  wellhead rules deliveries failed     # what waits, has failed, was acknowledged\n"
     "  wellhead rules replay failed         # delivers again what had failed\n"
     "  wellhead rules remove failed --quiet\n"
     "  wellhead rules deliveries --ndjson | jq .reason    # also --csv\n"
     "\nA rule is JSON:\n"
     "  {\"id\": \"failed\", \"table\": \"pipelines\", \"enters\": \"status = 'failed'\",\n"
     "   \"url\": \"https://hooks.example.com/x\", \"secret_file\": \"hook.key\"}\n",
     cli_rules},
    {"watch", CLI_WATCH, "print the changes of the records as they happen, until Ctrl-C",
     "[KIND]...", 16,
     "  wellhead watch\n"
     "  wellhead watch pipelines --where \"status = 'failed'\"\n"
     "  wellhead watch incidents merge_requests --ndjson | jq .changes   # what was before and "
     "after\n"
     "  wellhead watch issues --since 0 --limit 10   # the first ten changes of the log\n"
     "\nA stream that breaks is resumed where it was: every change is printed once, in order.\n",
     cli_watch},
    {"people", CLI_PEOPLE, "who is who: team members, and decisions about them",
     "list|show WHO|review|merge WHO WHO|split ACCOUNT|undo DECISION", 3,
     "  wellhead people list\n"
     "  wellhead people show gitlab:alice      # all accounts, and why they are one person's\n"
     "  wellhead people review                 # who may be one, and keys that two claim\n"
     "  wellhead people merge 'Ana Adams' github:ana-a --why 'she told us'\n"
     "  wellhead people split gitlab:ana2 --why 'another Ana'   # no rule joins it again\n"
     "  wellhead people undo d-4f2a91c07b3e5d18 --why 'wrong Ana' --timeout 1m\n"
     "  wellhead people list --csv=safe > people.csv\n"
     "\nWHO is an id, a name, a user name or a mail address. A decision overrides the rules; "
     "undone, it\n"
     "is as if it had never been made. `wellhead sql \"select * from decisions\"` lists them.\n",
     cli_people},
    {"replay", CLI_REPLAY,
     "map raw events or dead letters again: shows a plan, --execute carries it out", "CONNECTION",
     1,
     "  wellhead replay gitlab-example-com --from start\n"
     "  wellhead replay gitlab-example-com --from -2h --execute\n"
     "  wellhead replay gitlab-example-com --from @2026-11-24T00:00:00Z --execute\n"
     "  wellhead replay gitlab-example-com --dead-letters --from start --execute\n"
     "  wellhead replay gitlab-example-com --shadow own-rules.json   # how many rows would change"
     "\n",
     cli_replay},
    {"disconnect", CLI_DISCONNECT,
     "stop reading, revoke the approval at GitLab and prove it; keep the rows", "CONNECTION", 1,
     "  wellhead disconnect gitlab-example-com             # shows what it does, asks for the "
     "name\n"
     "  wellhead disconnect gitlab-example-com --dry-run   # only shows it\n"
     "  wellhead disconnect gitlab-example-com --confirm gitlab-example-com   # for scripts\n"
     "  wellhead disconnect gitlab-example-com --timeout 2m   # GitLab is slow to answer\n",
     cli_disconnect},
    {"purge", CLI_PURGE,
     "disconnect, remove every row of the connection, and check that nothing is left", "CONNECTION",
     1,
     "  wellhead purge gitlab-example-com             # shows what it removes, asks for the name\n"
     "  wellhead purge gitlab-example-com --dry-run   # only shows it\n"
     "  wellhead purge gitlab-example-com --confirm gitlab-example-com --json   # for scripts\n"
     "  wellhead purge gitlab-example-com --timeout 1h   # again: follows one that is under way\n",
     cli_purge},
    {"rotate-key", CLI_ROTATE_KEY,
     "seal the secrets on Kafka by a new key, then remove the old one", NULL, 0,
     "  wellhead rotate-key\n"
     "  wellhead rotate-key --timeout 5m --json\n",
     cli_rotate_key},
    {"topics", CLI_TOPICS,
     "list the topics and create missing ones; `topics read` prints records as JSON lines",
     "[read TOPIC]", 2,
     "  wellhead topics\n"
     "  wellhead topics --check            # creates nothing; exit code 10 when one is missing\n"
     "  wellhead topics read raw.gitlab-example-com --from -10m\n"
     "  wellhead topics read raw.gitlab-example-com --from 2:1507 --to 2:1507  # one record\n"
     "  wellhead topics read fetch-state --key gitlab-example-com:7:issues\n"
     "  wellhead topics read dead-letter.gitlab-example-com --follow | jq .value.text\n",
     cli_topics},
    {"export", CLI_EXPORT, "write every table into a file of SQLite, or into CSV files",
     "sqlite FILE|csv DIR", 2,
     "  wellhead export sqlite /data/wellhead.db\n"
     "  wellhead export csv /data/wellhead-csv\n"
     "\nTypes are those of the tables, ids have indexes, and rows are counted. Each table is as it "
     "is when\n"
     "its turn comes. FILE or DIR is made, and has its name only when all is there.\n",
     cli_export},
    {"backup", CLI_BACKUP, "copy the store into a folder while everything runs, and compare it",
     "DIR", 1,
     "  wellhead backup /backup/2026-11-30\n"
     "  wellhead backup \"/backup/$(date +%F)\" --quiet --json   # for cron\n"
     "\nDIR is made, and has its name only when all is there. docs/operations.md says what else is "
     "to be\n"
     "kept: Kafka's data and the key that seals the secrets.\n",
     cli_backup},
    {"restore", CLI_RESTORE, "make a backup the store of the sink, on the machine of the store",
     "DIR", 1,
     "  wellhead restore /backup/2026-11-30             # shows what it replaces, asks for its "
     "name\n"
     "  wellhead restore /backup/2026-11-30 --dry-run   # only shows it\n"
     "  wellhead restore /backup/2026-11-30 --confirm store-1 --json   # for scripts\n"
     "\nThe sink is started (again) afterwards, and reads from Kafka what has come since the "
     "backup.\n",
     cli_restore},
    {"open", CLI_OPEN, "print a link that logs a browser in to the pages", NULL, 0,
     "  wellhead open\n"
     "  xdg-open \"$(wellhead open --quiet)\"\n",
     cli_open},
    {"tokens", CLI_TOKENS,
     "who may see the workspace: browsers, agents, the API's token; `tokens revoke` ends one",
     "[revoke ID]", 2,
     "  wellhead tokens\n"
     "  wellhead tokens --json | jq '.rows[] | select(.kind == \"agent\")'\n"
     "  wellhead tokens revoke 4f2a91c07b3e   # refused from then on\n"
     "  wellhead tokens --csv > access.csv\n"
     "  wellhead tokens revoke api --quiet    # a new token for the API, in the same file\n",
     cli_tokens},
    {"doctor", CLI_DOCTOR, "check every part and suggest how to fix what fails", NULL, 0,
     "  wellhead doctor\n", cli_doctor},
};

const struct cli_command *cli_command_table(size_t *ret_n)
{
    *ret_n = sizeof(table) / sizeof(table[0]);
    return table;
}
