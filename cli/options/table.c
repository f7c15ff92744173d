/* The options of all commands. */
#include "cli/options/options.h"

#define MEMBER(name_) offsetof(struct cli_options, name_)

static const struct cli_option table[] = {
    {"token-file", 0, false, "FILE", CLI_OPTION_TEXT, CLI_TEXT, MEMBER(token_file), CLI_CONNECT,
     false, "read GitLab with the access token in this file (scope read_api)"},
    {"oauth", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(oauth), CLI_CONNECT, false,
     "ask for an approval in the browser as well as using the token"},
    {"client-id", 0, false, "ID", CLI_OPTION_TEXT, CLI_TEXT, MEMBER(client_id), CLI_CONNECT, false,
     "use this OAuth application instead of registering one"},
    {"client-secret-file", 0, false, "FILE", CLI_OPTION_TEXT, CLI_TEXT, MEMBER(client_secret_file),
     CLI_CONNECT, false, "the application's secret, where it has one; needs --client-id"},
    {"project", 0, true, "NUMBER", CLI_OPTION_PROJECT, CLI_TEXT, 0, CLI_CONNECT, false,
     "read only this project, by its numeric id"},
    {"no-browser", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(no_browser), CLI_CONNECT,
     false, "only print the address to approve at"},
    {"new-client", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(new_client), CLI_CONNECT,
     false, "register a new OAuth application: GitLab lost the one of before"},
    {"new-secret", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(new_secret), CLI_CONNECT,
     false, "make new secrets for the webhook and show them"},
    {"move", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(move), CLI_CONNECT, false,
     "move a connection from http:// to https:// on the same host"},
    {"from", 0, false, "start|OFFSET|@TIME|-AGE", CLI_OPTION_TEXT, CLI_TEXT, MEMBER(from),
     CLI_REPLAY, false, "where to begin: -2h, @2026-11-24T00:00:00Z, an offset; default: start"},
    {"dead-letters", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(dead_letters), CLI_REPLAY,
     false, "replay the events that could not be mapped"},
    {"execute", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(execute), CLI_REPLAY, false,
     "replay; without it the plan is shown and nothing is done"},
    {"param", 'p', true, "NAME=VALUE", CLI_OPTION_PARAM, CLI_TEXT, 0, CLI_SQL, false,
     "the value of :NAME in the query"},
    {"check", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(check), CLI_STATUS | CLI_TOPICS,
     false, "change nothing; exit code 10 when something is not as it should be"},
    {"wait", 0, false, "TIME", CLI_OPTION_TIME, CLI_TEXT, MEMBER(wait_ms), CLI_STATUS, false,
     "wait for the end of the first sync, but no longer than this"},
    {"verify", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(verify), CLI_STATUS, false,
     "look for every issue and merge request at GitLab and count them in the store"},
    {"confirm-deletes", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(confirm_deletes),
     CLI_STATUS, false, "let the deletions through that are held because they are many"},
    {"yes", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(yes), CLI_PURGE, false,
     "do not ask for the connection's id first"},
    {"json", 0, false, NULL, CLI_OPTION_FORMAT, CLI_JSON, MEMBER(format), CLI_ALL, false,
     "print one JSON document"},
    {"ndjson", 0, false, NULL, CLI_OPTION_FORMAT, CLI_NDJSON, MEMBER(format), CLI_SQL, false,
     "print one JSON object per row and line"},
    {"csv", 0, false, "safe", CLI_OPTION_CSV, CLI_CSV, MEMBER(format), CLI_SQL, false,
     "print CSV; --csv=safe keeps spreadsheets from running text as a formula"},
    {"limit", 0, false, "N", CLI_OPTION_NUMBER, CLI_TEXT, MEMBER(limit), CLI_SQL, false,
     "print at most so many rows"},
    {"timeout", 0, false, "TIME", CLI_OPTION_TIME, CLI_TEXT, MEMBER(timeout_ms),
     CLI_SQL | CLI_DISCONNECT | CLI_PURGE, false, "give up after this long, as in 500ms, 5s, 10m"},
    {"quiet", 'q', false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(quiet),
     CLI_CONNECT | CLI_STATUS | CLI_PURGE | CLI_TOPICS, false, "print only data and errors"},
    {"config", 0, false, "FILE", CLI_OPTION_TEXT, CLI_TEXT, MEMBER(config), CLI_ALL, true,
     "read the settings from this file"},
    {"no-color", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(no_color), CLI_ALL, true,
     "print headings without bold type"},
    {"help", 'h', false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(help), CLI_ALL, true,
     "print this help"},
    {"version", 0, false, NULL, CLI_OPTION_FLAG, CLI_TEXT, MEMBER(version), CLI_ALL, true,
     "print the program's version"},
};

const struct cli_option *cli_option_table(size_t *ret_n)
{
    *ret_n = sizeof(table) / sizeof(table[0]);
    return table;
}
