/* wellhead doctor: checks each part in turn and suggests what to do about a failure. */
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/json/json_write.h"

enum { ADMIN_TIMEOUT_MS = 5000, CHECKS_MAX = 8, TEXT_MAX_BYTES = 256 };

struct check {
    const char *name;
    bool ok;
    char found[TEXT_MAX_BYTES];
    const char *advice;
};

struct report {
    struct check checks[CHECKS_MAX];
    size_t n;
};

static struct check *add(struct report *r, const char *name, const char *advice)
{
    struct check *c = &r->checks[r->n++];

    *c = (struct check){.name = name, .advice = advice};
    return c;
}

static void check_kafka(struct cli *cli, struct report *r)
{
    struct check *c = add(r, "kafka", "start the broker, or set kafka.bootstrap.servers");
    struct wh_bus_topic_info *list = NULL;
    struct wh_admin *admin = NULL;
    struct wh_err err;
    size_t n = 0;

    if (cli_admin(cli, &admin, &err) != WH_OK ||
        wh_admin_list(admin, ADMIN_TIMEOUT_MS, &list, &n, &err) != WH_OK) {
        (void)snprintf(c->found, sizeof(c->found), "%s", err.msg);
    } else {
        c->ok = true;
        (void)snprintf(c->found, sizeof(c->found), "%s, %zu topics", cli->conf.bootstrap, n);
    }
    wh_bus_topic_list_free(list, n);
    wh_admin_free(admin);
}

static void check_stage(struct cli *cli, struct report *r, const char *name, const char *url)
{
    struct check *c =
        add(r, name, "start it; if it runs, its reason stands above, and more in its log");
    struct cli_answer answer;
    struct wh_err err;

    if (cli_call(cli, "GET", url, WH_LIT("/ready"), NULL, WH_LIT(""), &answer, &err) != WH_OK) {
        (void)snprintf(c->found, sizeof(c->found), "%s", err.msg);
    } else {
        c->ok = answer.status == 200;
        (void)snprintf(c->found, sizeof(c->found), "%s: %.*s", url,
                       (int)(answer.body.len < 160 ? answer.body.len : 160),
                       wh_buf_str(&answer.body));
    }
    wh_buf_done(&answer.body);
}

static void check_token(struct cli *cli, struct report *r, const char *name, const char *url,
                        const char *file)
{
    struct check *c =
        add(r, name, "set it to the token file that the stage wrote (mode 0600, same user)");
    struct cli_answer answer;
    struct wh_err err;

    if (cli_call(cli, "GET", url, WH_LIT("/api/v1/status"), file, WH_LIT(""), &answer, &err) !=
        WH_OK) {
        (void)snprintf(c->found, sizeof(c->found), "%s", err.msg);
    } else {
        c->ok = answer.status == 200;
        (void)snprintf(c->found, sizeof(c->found), "%s",
                       c->ok ? "accepted" : "refused: wrong or missing token file");
    }
    wh_buf_done(&answer.body);
}

static int print_json(const struct cli *cli, const struct report *r, bool ok)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, 1 << 20);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_key(&w, "ok");
    wh_jw_bool(&w, ok);
    wh_jw_key(&w, "checks");
    wh_jw_array(&w);
    for (size_t i = 0; i < r->n; i++) {
        wh_jw_object(&w);
        wh_jw_key(&w, "name");
        wh_jw_str(&w, wh_slice_str(r->checks[i].name));
        wh_jw_key(&w, "ok");
        wh_jw_bool(&w, r->checks[i].ok);
        wh_jw_key(&w, "found");
        wh_jw_str(&w, wh_slice_str(r->checks[i].found));
        wh_jw_key(&w, "advice");
        wh_jw_str(&w, r->checks[i].ok ? WH_LIT("") : wh_slice_str(r->checks[i].advice));
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK || !cli_data(&cli->out, wh_buf_slice(&out))) {
        return CLI_FAILED;
    }
    return ok ? CLI_OK : CLI_NOT_HEALTHY;
}

int cli_doctor(struct cli *cli)
{
    struct report r = {0};
    bool ok = true;

    check_kafka(cli, &r);
    check_stage(cli, &r, "fetcher", cli->conf.fetcher_url);
    check_stage(cli, &r, "webhook-intake", cli->conf.intake_url);
    check_stage(cli, &r, "mapper", cli->conf.mapper_url);
    check_stage(cli, &r, "sink", cli->conf.sink_url);
    check_token(cli, &r, "fetcher token", cli->conf.fetcher_url, cli->conf.fetcher_token_file);
    check_token(cli, &r, "sink token", cli->conf.sink_url, cli->conf.sink_token_file);
    for (size_t i = 0; i < r.n; i++) {
        ok = ok && r.checks[i].ok;
    }
    if (cli->opt.format == CLI_JSON) {
        return print_json(cli, &r, ok);
    }
    for (size_t i = 0; i < r.n; i++) {
        size_t len = strlen(r.checks[i].found);

        if (len && r.checks[i].found[len - 1] == '\n') {
            r.checks[i].found[len - 1] = '\0';
        }
        cli_say(&cli->out, "%-4s %-15s %s\n", r.checks[i].ok ? "ok" : "FAIL", r.checks[i].name,
                r.checks[i].found);
        if (!r.checks[i].ok) {
            cli_say(&cli->out, "                     %s\n", r.checks[i].advice);
        }
    }
    return ok ? CLI_OK : CLI_NOT_HEALTHY;
}
