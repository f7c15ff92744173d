/* wellhead show --raw: the bytes that GitLab sent, of which a revision was made. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands/show_parts.h"
#include "cli/out/value.h"
#include "cli/record/raw.h"

enum { TOPIC_MAX = 256 };

/* The row of the revision with that number, counted from the oldest; 0: the newest. NULL: there is none. */
static const struct wh_json_val *choose(const struct show_rows *rows, int64_t number)
{
    const struct wh_json_val *chosen = NULL;
    int64_t n = 0;

    for (size_t i = rows->n; i > 0; i--) {
        if (show_is_revision(rows->list[i - 1])) {
            n++;
            if (number == 0 || number == n) {
                chosen = &rows->list[i - 1];
            }
        }
    }
    return chosen;
}

/* The command prefers the short name of a topic. */
static void say_where(const struct cli *cli, const char *topic, int32_t partition, int64_t offset)
{
    size_t prefix = strlen(cli->conf.topic_prefix);
    bool own = strncmp(topic, cli->conf.topic_prefix, prefix) == 0;

    cli_note(&cli->out,
             "wellhead topics read %s --from %d:%" PRId64 " --to %d:%" PRId64
             "   # fetches this event\n",
             topic + (own ? prefix : 0), partition, offset, partition, offset);
}

static int print_event(struct cli *cli, struct wh_json_val row)
{
    int32_t partition = (int32_t)wh_json_get_int(row, "partition", 0);
    int64_t offset = wh_json_get_int(row, "offset", 0);
    struct cli_raw *raw = NULL;
    struct wh_raw_event event;
    char topic[TOPIC_MAX];
    struct wh_err err;
    int code;

    (void)snprintf(topic, sizeof(topic), "%.*s", WH_SLICE_ARG(wh_json_get_str(row, "topic")));
    say_where(cli, topic, partition, offset);
    if (cli_raw_new(cli, &raw, &err) != WH_OK ||
        cli_raw_get(raw, topic, partition, offset, cli->conf.timeout_ms, &event, &err) != WH_OK) {
        code = cli_fail_kafka(cli, "show", &err);
        code = err.rc == WH_E_NOT_FOUND ? CLI_NOTHING : code;
    } else {
        /* Byte for byte: no newline is added in a file. */
        code = (cli->out.data_terminal ? cli_data(&cli->out, event.payload)
                                       : cli_data_part(&cli->out, event.payload))
                   ? CLI_OK
                   : CLI_FAILED;
    }
    cli_raw_free(raw);
    return code;
}

int show_raw(struct cli *cli, const char *id)
{
    const struct wh_json_val *row;
    struct show_rows rows;
    char path[SHOW_PATH_MAX_BYTES];
    int code;

    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s/revisions", id);
    code = show_fetch_rows(cli, path, &rows);
    row = code == CLI_OK ? choose(&rows, cli->opt.revision) : NULL;
    if (row) {
        code = print_event(cli, *row);
    } else if (code == CLI_OK) {
        cli_note(&cli->out, "wellhead: show: there is no such revision\n");
        code = CLI_NOTHING;
    }
    show_rows_done(&rows);
    return code;
}
