/* Who made the changes that webhooks told: it stands in the raw events, in Kafka. */
#include <stdio.h>

#include "cli/commands/show_parts.h"
#include "cli/out/value.h"
#include "cli/record/raw.h"
#include "common/base/mem.h"

enum {
    PEOPLE_MAX = 50,
    PERSON_MAX = 128,
    WAIT_MS = 3000,
    EVENT_MAX_BYTES = 64 << 20,
    DEPTH_MAX = 128,
    TOPIC_MAX = 256,
};

struct show_people {
    char (*list)[PERSON_MAX]; /* of each row */
    size_t n;
};

static bool is_told_by_webhook(struct wh_json_val row)
{
    return show_is_revision(row) && wh_slice_eq(wh_json_get_str(row, "origin"), WH_LIT("webhook"));
}

/* False when Kafka does not answer: then it is not asked again. */
static bool ask_one(struct cli_raw *raw, struct wh_json_val row, struct wh_json_parser *parser,
                    char ret[PERSON_MAX])
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_raw_event event;
    char topic[TOPIC_MAX];
    struct wh_err err;

    wh_buf_init(&text, PERSON_MAX - 1);
    (void)snprintf(topic, sizeof(topic), "%.*s", WH_SLICE_ARG(wh_json_get_str(row, "topic")));
    if (cli_raw_get(raw, topic, (int32_t)wh_json_get_int(row, "partition", 0),
                    wh_json_get_int(row, "offset", 0), WAIT_MS, &event, &err) != WH_OK) {
        return err.rc != WH_E_TIMEOUT;
    }
    cli_raw_person(&event, parser, &text);
    (void)snprintf(ret, PERSON_MAX, "%s", wh_buf_str(&text));
    return true;
}

static void ask_all(struct cli *cli, const struct show_rows *rows, struct show_people *people)
{
    struct wh_json_parser *parser = wh_json_parser_new(EVENT_MAX_BYTES, DEPTH_MAX);
    struct cli_raw *raw = NULL;
    struct wh_err err;
    bool answers = parser && cli_raw_new(cli, &raw, &err) == WH_OK;
    size_t asked = 0;

    for (size_t i = 0; answers && i < rows->n && asked < PEOPLE_MAX; i++) {
        if (is_told_by_webhook(rows->list[i])) {
            answers = ask_one(raw, rows->list[i], parser, people->list[i]);
            asked++;
        }
    }
    if (!answers) {
        cli_note(&cli->out, "wellhead: show: who made a change stands in its raw event, and Kafka "
                            "does not answer now\n");
    }
    cli_raw_free(raw);
    wh_json_parser_free(parser);
}

struct show_people *show_people_ask(struct cli *cli, const struct show_rows *revisions)
{
    struct show_people *people;
    bool any = false;

    for (size_t i = 0; i < revisions->n && !any; i++) {
        any = is_told_by_webhook(revisions->list[i]);
    }
    people = any ? wh_mem_zalloc(1, sizeof(*people)) : NULL;
    if (people == NULL) {
        return NULL;
    }
    people->n = revisions->n;
    people->list = wh_mem_zalloc(revisions->n, sizeof(*people->list));
    if (people->list == NULL) {
        wh_mem_free(people);
        return NULL;
    }
    ask_all(cli, revisions, people);
    return people;
}

void show_people_free(struct show_people *people)
{
    if (people) {
        wh_mem_free(people->list);
        wh_mem_free(people);
    }
}

struct wh_slice show_people_get(const struct show_people *people, size_t row)
{
    return people && row < people->n ? wh_slice_str(people->list[row]) : WH_LIT("");
}
