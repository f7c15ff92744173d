#include "cli/commands/replay_shadow.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"

enum { REPORT_MAX_BYTES = 16 << 20, DEPTH_MAX = 16, PIECE = 1 << 16 };

static const char *const head[] = {"kind", "field", "changed", "before", "after", "example"};
enum { COLUMNS = sizeof(head) / sizeof(head[0]) };

/* A row for each example of a field. */
static void print_field(struct cli_table *t, struct wh_json_val field)
{
    struct wh_json_iter it;
    struct wh_json_val examples;
    struct wh_json_val v;

    if (!wh_json_get(field, WH_LIT("examples"), &examples)) {
        return;
    }
    it = wh_json_iter(examples);
    for (int i = 0; wh_json_next(&it, NULL, &v); i++) {
        struct wh_slice url = wh_json_get_str(v, "url");

        cli_table_cell(t, i ? WH_LIT("") : wh_json_get_str(field, "kind"));
        cli_table_cell(t, i ? WH_LIT("") : wh_json_get_str(field, "field"));
        if (i) {
            cli_table_str(t, "");
        } else {
            cli_table_int(t, wh_json_get_int(field, "changed", 0));
        }
        cli_table_cell(t, wh_json_get_str(v, "before"));
        cli_table_cell(t, wh_json_get_str(v, "after"));
        cli_table_cell(t, url.len ? url : wh_json_get_str(v, "id"));
    }
}

static void print_fields(struct cli *cli, struct wh_json_val fields)
{
    struct wh_json_iter it = wh_json_iter(fields);
    struct wh_json_val field;
    struct cli_table t;

    cli_table_init(&t, COLUMNS);
    cli_table_head(&t, head, COLUMNS);
    while (wh_json_next(&it, NULL, &field)) {
        print_field(&t, field);
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

static int64_t edition(struct wh_json_val root, const char *side)
{
    struct wh_json_val v;

    return wh_json_get(root, wh_slice_str(side), &v) ? wh_json_get_int(v, "edition", 0) : 0;
}

static void print_summary(struct cli *cli, struct wh_json_val root, struct wh_json_val entities)
{
    long long changed = (long long)wh_json_get_int(entities, "changed", 0);
    long long added = (long long)wh_json_get_int(entities, "added", 0);
    long long removed = (long long)wh_json_get_int(entities, "removed", 0);
    long long rest = (long long)wh_json_get_int(entities, "not_compared", 0);

    cli_say(&cli->out,
            "%lld raw events: %lld entities would change, %lld would be new, %lld would be gone\n",
            (long long)wh_json_get_int(root, "records", 0), changed, added, removed);
    if (rest) {
        cli_say(&cli->out, "%lld further differences were not compared\n", rest);
    }
    if (changed + added + removed && edition(root, "after") <= edition(root, "before")) {
        cli_note(&cli->out,
                 "wellhead: replay: give the file an edition above %lld; without it a replay does "
                 "not make these changes\n",
                 (long long)edition(root, "before"));
    }
}

static int print_report(struct cli *cli, struct wh_slice report)
{
    struct wh_json_parser *parser;
    struct wh_json_val root;
    struct wh_json_val entities;
    struct wh_json_val fields;
    struct wh_err err;
    bool good;

    if (cli->opt.format == CLI_JSON) {
        return cli_data(&cli->out, report) ? CLI_OK : CLI_FAILED;
    }
    parser = wh_json_parser_new(REPORT_MAX_BYTES, DEPTH_MAX);
    good = parser && wh_json_parse(parser, report, &root, &err) == WH_OK &&
           wh_json_get(root, WH_LIT("entities"), &entities) &&
           wh_json_get(root, WH_LIT("fields"), &fields);
    if (good) {
        print_summary(cli, root, entities);
        print_fields(cli, fields);
    } else {
        cli_note(&cli->out, "wellhead: replay: the mapper's report cannot be read\n");
    }
    wh_json_parser_free(parser);
    return good ? CLI_OK : CLI_FAILED;
}

static enum wh_rc read_report(FILE *f, struct wh_buf *out, struct wh_err *err)
{
    size_t n = 1;

    while (n > 0) {
        if (wh_buf_reserve(out, PIECE, err) != WH_OK) {
            return err->rc;
        }
        n = fread(out->ptr + out->len, 1, PIECE, f);
        out->len += n;
    }
    out->ptr[out->len] = '\0';
    return WH_OK;
}

static int compare(struct cli *cli, struct wh_admin *admin, const struct replay_plan *plan,
                   const char *connection)
{
    WH_AUTO(buf) struct wh_buf report = {0};
    int code = replay_run(cli, admin, plan, connection);
    struct wh_err err;
    FILE *f;

    if (code != CLI_OK) {
        return code;
    }
    wh_buf_init(&report, REPORT_MAX_BYTES + PIECE);
    f = fopen(plan->report, "re");
    if (f == NULL) {
        cli_note(&cli->out, "wellhead: replay: the mapper has left no report\n");
        return CLI_FAILED;
    }
    code = read_report(f, &report, &err) == WH_OK ? print_report(cli, wh_buf_slice(&report))
                                                  : cli_fail(cli, "replay", &err);
    (void)fclose(f);
    return code;
}

int replay_shadow(struct cli *cli, struct wh_admin *admin, struct replay_plan *plan,
                  const char *connection)
{
    const char *folder = getenv("TMPDIR");
    int code;
    int fd;

    (void)snprintf(plan->report, sizeof(plan->report), "%.200s/wellhead-shadow-XXXXXX",
                   folder && folder[0] ? folder : "/tmp");
    fd = mkostemp(plan->report, O_CLOEXEC);
    if (fd < 0) {
        cli_note(&cli->out, "wellhead: replay: no file for the report can be made in %s\n",
                 folder && folder[0] ? folder : "/tmp");
        return CLI_FAILED;
    }
    (void)close(fd);
    plan->shadow = cli->opt.shadow;
    code = compare(cli, admin, plan, connection);
    (void)unlink(plan->report);
    return code;
}
