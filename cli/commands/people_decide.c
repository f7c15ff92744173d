#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands/people.h"
#include "cli/out/value.h"
#include "common/base/enc.h"
#include "common/crypto/crypto.h"
#include "common/event/messages.h"

enum {
    ID_RANDOM_BYTES = 8,
    ID_MAX_BYTES = 32,
    NAMES_MAX_BYTES = 4 << 10,
    DOCUMENT_MAX_BYTES = 16 << 10,
    LOOK_MS = 200,
    WAIT_MS = 30000,
};

/* The name of the user at this machine. */
static void who_asks(char *out, size_t size)
{
    char names[NAMES_MAX_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwuid_r(geteuid(), &entry, names, sizeof(names), &found) == 0 && found) {
        (void)snprintf(out, size, "%s", found->pw_name);
    } else {
        (void)snprintf(out, size, "user %u", (unsigned)geteuid());
    }
}

static enum wh_rc new_id(char out[ID_MAX_BYTES], struct wh_err *err)
{
    unsigned char bytes[ID_RANDOM_BYTES];
    struct wh_buf text;
    enum wh_rc rc = wh_random_bytes(bytes, sizeof(bytes), err);

    wh_buf_init(&text, ID_MAX_BYTES);
    rc = rc == WH_OK ? wh_hex_encode(wh_slice(bytes, sizeof(bytes)), &text, err) : rc;
    (void)snprintf(out, ID_MAX_BYTES, "d-%s", wh_buf_str(&text));
    wh_buf_done(&text);
    return rc;
}

static enum wh_rc publish(const struct cli *cli, const struct wh_decision *d, struct wh_err *err)
{
    struct wh_document document = {.connection = wh_slice("", 0), .key = d->id, .at_ms = d->at_ms};
    struct wh_buf json;
    struct wh_buf bytes;
    enum wh_rc rc;

    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    wh_buf_init(&bytes, (size_t)2 * DOCUMENT_MAX_BYTES);
    rc = wh_decision_write(d, &json, err);
    document.document = wh_buf_slice(&json);
    rc = rc == WH_OK ? wh_document_encode(WH_DOCUMENT_DECISION, &document, &bytes, err) : rc;
    rc = rc == WH_OK ? cli_produce(cli, WH_TOPIC_DECISIONS, d->id, wh_buf_slice(&bytes), err) : rc;
    wh_buf_done(&json);
    wh_buf_done(&bytes);
    return rc;
}

static int await_sink(struct cli *cli, struct wh_slice id, struct wh_json_parser *parser)
{
    const struct cli_query query = {
        .text = "select id from decisions where id = :x", .names = {"x"}, .values = {id}};
    int64_t until_ms = cli_now_ms(cli) + (cli->opt.timeout_ms ? cli->opt.timeout_ms : WAIT_MS);

    for (;;) {
        struct wh_json_val rows;
        int code = cli_query(cli, "people", &query, parser, &rows);

        if (code != CLI_OK || cli_count(rows) > 0) {
            return code;
        }
        if (cli_now_ms(cli) >= until_ms) {
            return CLI_TIMED_OUT;
        }
        if (cli_interrupted(cli)) {
            return CLI_INTERRUPTED;
        }
        cli_pause_ms(cli, LOOK_MS);
    }
}

static int say(const struct cli *cli, const struct people_decided *p, const struct wh_decision *d)
{
    if (cli->opt.format != CLI_TEXT) {
        cli_say(&cli->out,
                "{\"ok\":true,\"decision\":\"%.*s\",\"action\":\"%s\",\"subject\":\"%s\","
                "\"object\":%s%s%s}\n",
                WH_SLICE_ARG(d->id), wh_action_name(d->action), p->subject.id,
                d->object.len ? "\"" : "null", p->object.id, d->object.len ? "\"" : "");
        return CLI_OK;
    }
    switch (d->action) {
    case WH_ACTION_MERGE:
        cli_say(&cli->out, "Merged: %s and %s are one team member.\n", p->subject.name,
                p->object.name);
        break;
    case WH_ACTION_SPLIT:
        cli_say(&cli->out, "Split: the account %s is no longer joined to %s.\n", p->subject.id,
                p->subject.name);
        break;
    case WH_ACTION_UNDO:
    default:
        cli_say(&cli->out, "Undone: everything is as if the %s had never been made.\n",
                p->subject.name);
        break;
    }
    cli_say(&cli->out, "`wellhead people undo %.*s --why TEXT` takes it back.\n",
            WH_SLICE_ARG(d->id));
    return CLI_OK;
}

int people_decide(struct cli *cli, const struct people_decided *p, struct wh_json_parser *parser)
{
    char id[ID_MAX_BYTES];
    char who[WH_DECISION_WHO_MAX];
    struct wh_decision d = {.at_ms = cli_now_ms(cli), .action = p->action};
    struct wh_err err;
    int code;

    who_asks(who, sizeof(who));
    if (new_id(id, &err) != WH_OK) {
        return cli_fail(cli, "people", &err);
    }
    d.id = wh_slice_str(id);
    d.who = wh_slice_str(who);
    d.why = wh_slice_str(cli->opt.why);
    d.subject = wh_slice_str(p->subject.id);
    d.object = wh_slice_str(p->object.id);
    if (d.why.len == 0 || d.why.len > WH_DECISION_WHY_MAX) {
        cli_note(&cli->out, "wellhead: people: --why takes 1 to %d bytes\n", WH_DECISION_WHY_MAX);
        return CLI_USAGE;
    }
    if (publish(cli, &d, &err) != WH_OK) {
        return cli_fail_kafka(cli, "people", &err);
    }
    cli_catch_interrupt(cli);
    code = await_sink(cli, d.id, parser);
    if (code == CLI_TIMED_OUT || code == CLI_INTERRUPTED) {
        cli_note(&cli->out,
                 "wellhead: people: decision %s is in Kafka; the sink has not shown it yet\n", id);
    }
    return code == CLI_OK ? say(cli, p, &d) : code;
}
