/* wellhead import: reads rows of a company's own records from files into a connection of their own. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/import/send.h"
#include "cli/out/table.h"
#include "common/json/json_write.h"

enum { SOURCE_MAX = 57, ANSWER_MAX_BYTES = 8 << 20 };

/* The sum of all kinds. */
struct totals {
    int64_t rows;
    int64_t added;
    int64_t changed;
    int64_t same;
    int64_t missing;
    int64_t to_send;
};

static struct totals sum(const struct cli *cli, const struct import_plan *plan)
{
    struct totals t = {0};
    size_t n;
    const struct import_count *counts = import_plan_counts(plan, &n);

    for (size_t i = 0; i < n; i++) {
        t.rows += counts[i].rows;
        t.added += counts[i].added;
        t.changed += counts[i].changed;
        t.same += counts[i].same;
        t.missing += counts[i].missing;
    }
    t.to_send = t.added + t.changed + (cli->opt.replace ? t.missing : 0);
    return t;
}

/* ---- what is printed ---- */

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void print_table(const struct cli *cli, const struct import_plan *plan)
{
    size_t n;
    const struct import_count *counts = import_plan_counts(plan, &n);
    struct cli_table t;

    cli_table_init(&t, 6);
    cli_table_str(&t, import_plan_connection(plan));
    cli_table_str(&t, "rows");
    cli_table_str(&t, "new");
    cli_table_str(&t, "changed");
    cli_table_str(&t, "unchanged");
    cli_table_str(&t, cli->opt.replace ? "deleted" : "not listed");
    for (size_t i = 0; i < n; i++) {
        if (counts[i].given) {
            cli_table_str(&t, counts[i].kind->name);
            cli_table_int(&t, counts[i].rows);
            cli_table_int(&t, counts[i].added);
            cli_table_int(&t, counts[i].changed);
            cli_table_int(&t, counts[i].same);
            cli_table_int(&t, counts[i].missing);
        }
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

static void write_counts(const struct cli *cli, const struct import_plan *plan,
                         struct wh_json_writer *w)
{
    size_t n;
    const struct import_count *counts = import_plan_counts(plan, &n);

    wh_jw_key(w, "kinds");
    wh_jw_object(w);
    for (size_t i = 0; i < n; i++) {
        if (counts[i].given) {
            wh_jw_key(w, counts[i].kind->name);
            wh_jw_object(w);
            wh_jw_put_int(w, "rows", counts[i].rows);
            wh_jw_put_int(w, "new", counts[i].added);
            wh_jw_put_int(w, "changed", counts[i].changed);
            wh_jw_put_int(w, "unchanged", counts[i].same);
            wh_jw_put_int(w, cli->opt.replace ? "deleted" : "not_listed", counts[i].missing);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
}

static bool print_json(const struct cli *cli, const struct import_plan *plan, bool ok,
                       const struct import_sent *sent)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", ok);
    wh_jw_put_str(&w, "connection", wh_slice_str(import_plan_connection(plan)));
    wh_jw_put_bool(&w, "executed", sent != NULL);
    write_counts(cli, plan, &w);
    wh_jw_put_int(&w, "sent", sent ? sent->sent : 0);
    wh_jw_put_int(&w, "dead_letters", sent ? sent->refused : 0);
    wh_jw_put_bool(&w, "stored", sent != NULL && sent->awaited);
    wh_jw_put_int(&w, "errors", import_plan_errors(plan));
    wh_jw_key(&w, "wrong");
    wh_jw_array(&w);
    if (import_plan_errors_json(plan).len) {
        wh_jw_raw(&w, import_plan_errors_json(plan));
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, &err) == WH_OK && cli_data(&cli->out, wh_buf_slice(&out));
}

/* ---- the question ---- */

static bool is_name(const struct import_plan *plan, const char *text)
{
    const char *id = import_plan_connection(plan);

    return strcmp(text, id) == 0 || strcmp(text, id + strlen("import-")) == 0;
}

/* Only deletions need to be confirmed. */
static bool confirmed(const struct cli *cli, const struct import_plan *plan, int64_t missing)
{
    const char *source = cli->opt.source;
    char name[CLI_CONNECTION_ID_MAX + 8];

    if (cli->opt.confirm) {
        if (is_name(plan, cli->opt.confirm)) {
            return true;
        }
        cli_note(&cli->out, "wellhead: --confirm names another source; nothing was done\n");
        return false;
    }
    if (!cli_may_ask(cli)) {
        cli_note(
            &cli->out,
            "wellhead: %lld row%s would be deleted, and nothing was done; --confirm %s does it "
            "without a question\n",
            (long long)missing, plural(missing), source);
        return false;
    }
    cli_note(&cli->out, "%lld row%s not listed any more will be deleted. Type %s to do this: ",
             (long long)missing, plural(missing), source);
    if (cli_read_line(cli, name, sizeof(name)) && is_name(plan, name)) {
        return true;
    }
    cli_note(&cli->out, "wellhead: that is not its name; nothing was done\n");
    return false;
}

/* ---- doing it ---- */

static int report(const struct cli *cli, const struct import_plan *plan, int code,
                  const struct import_sent *sent)
{
    int64_t errors = import_plan_errors(plan);

    if (sent && sent->refused && code == CLI_OK) {
        cli_note(&cli->out,
                 "wellhead: import: %lld row%s became dead letters: `wellhead topics read "
                 "dead-letter.%s`\n",
                 (long long)sent->refused, plural(sent->refused), import_plan_connection(plan));
        code = CLI_FAILED;
    }
    if (errors && code == CLI_OK) {
        code = CLI_FAILED;
    }
    if (cli->opt.format == CLI_JSON) {
        return print_json(cli, plan, code == CLI_OK, sent) ? code : CLI_FAILED;
    }
    print_table(cli, plan);
    if (errors) {
        cli_note(&cli->out, "wellhead: import: %lld mistake%s%s\n", (long long)errors,
                 plural(errors),
                 sent ? "; the other rows were imported" : "; nothing was imported");
    } else if (sent == NULL) {
        cli_note(&cli->out, "nothing was done\n");
    }
    return code;
}

static int execute(struct cli *cli, struct import_plan *plan)
{
    struct import_sent sent = {.awaited = true};
    struct totals t = sum(cli, plan);
    int code = CLI_OK;

    if (cli->opt.replace && t.missing) {
        if (cli->opt.format == CLI_TEXT) {
            print_table(cli, plan);
        }
        if (!confirmed(cli, plan, t.missing)) {
            return CLI_FAILED;
        }
    }
    /* The first import makes the connection, even without a row, so that other programs can send some. */
    if (t.to_send || t.changed + t.same + t.missing == 0) {
        code = import_send(cli, plan, cli->opt.replace, !cli->opt.no_wait, &sent);
    }
    return code == CLI_OK || code == CLI_TIMED_OUT ? report(cli, plan, code, &sent) : code;
}

static int compare_and_execute(struct cli *cli, struct import_plan *plan)
{
    bool stops = import_plan_errors(plan) && !cli->opt.keep_going;
    int code = CLI_OK;

    if (stops && !cli->opt.dry_run && cli->opt.format == CLI_TEXT) {
        cli_note(&cli->out,
                 "wellhead: import: %lld mistake%s; nothing was imported (--keep-going imports the "
                 "other rows)\n",
                 (long long)import_plan_errors(plan), plural(import_plan_errors(plan)));
        return CLI_FAILED;
    }
    if (!import_plan_compare(plan, &code)) {
        return code;
    }
    return stops || cli->opt.dry_run ? report(cli, plan, CLI_OK, NULL) : execute(cli, plan);
}

/* ---- files ---- */

static int unknown_kind(const struct cli *cli, const char *name)
{
    size_t n;
    const struct import_kind *kinds = import_kinds(&n);

    cli_note(&cli->out, "wellhead: import: %s does not tell the kind of its rows: --kind",
             strcmp(name, "-") == 0 ? "standard input" : name);
    for (size_t i = 0; i < n; i++) {
        cli_note(&cli->out, "%s %s", i ? "," : "", kinds[i].name);
    }
    cli_note(&cli->out, "\n");
    return CLI_USAGE;
}

static int read_file(struct cli *cli, struct import_plan *plan, const char *name)
{
    bool input = strcmp(name, "-") == 0;
    struct import_file file = {
        .name = name,
        .kind = cli->opt.kind ? import_kind_by_name(wh_slice_str(cli->opt.kind))
                              : import_kind_of_file(name),
        .fd = input ? cli->world.input : open(name, O_RDONLY | O_CLOEXEC),
    };
    struct wh_err err;
    int code = CLI_OK;

    if (file.fd < 0) {
        cli_note(&cli->out, "wellhead: import: %s cannot be read: %s\n", name,
                 errno == ENOENT ? "there is no such file" : "permission denied or unreadable");
        return CLI_FAILED;
    }
    if (import_plan_read(plan, &file, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: import: %s: %s\n", name, err.msg);
        code = CLI_FAILED;
    }
    if (!input) {
        (void)close(file.fd);
    }
    return code;
}

static int check_files(const struct cli *cli)
{
    for (size_t i = 1; i < cli->opt.n_args; i++) {
        const char *name = cli->opt.args[i];

        if (cli->opt.kind ? import_kind_by_name(wh_slice_str(cli->opt.kind)) == NULL
                          : import_kind_of_file(name) == NULL) {
            return unknown_kind(cli, cli->opt.kind ? cli->opt.kind : name);
        }
    }
    return CLI_OK;
}

static bool is_source(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= SOURCE_MAX && text[0] != '-' && text[len - 1] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int check_usage(const struct cli *cli)
{
    if (cli->opt.source == NULL || !is_source(cli->opt.source)) {
        cli_note(&cli->out,
                 "wellhead: import needs --source NAME: lower-case letters, digits and "
                 "dashes, at most %d\n",
                 SOURCE_MAX);
        return CLI_USAGE;
    }
    if (cli->opt.n_args < 2) {
        cli_note(&cli->out, "wellhead: import needs a file, or - for standard input\n");
        return CLI_USAGE;
    }
    if (cli->opt.replace && cli->opt.keep_going) {
        cli_note(&cli->out, "wellhead: import: --replace needs files without a mistake, so it does "
                            "not go with --keep-going\n");
        return CLI_USAGE;
    }
    return check_files(cli);
}

int cli_import(struct cli *cli)
{
    struct import_plan *plan = NULL;
    struct wh_err err;
    int code = check_usage(cli);

    if (code != CLI_OK) {
        return code;
    }
    if (import_plan_new(cli, cli->opt.source, &plan, &err) != WH_OK) {
        return cli_fail(cli, "import", &err);
    }
    for (size_t i = 1; i < cli->opt.n_args && code == CLI_OK; i++) {
        code = read_file(cli, plan, cli->opt.args[i]);
    }
    if (code == CLI_OK) {
        code = import_plan_seal(plan, &err) == WH_OK ? compare_and_execute(cli, plan)
                                                     : cli_fail(cli, "import", &err);
    }
    import_plan_free(plan);
    return code;
}
