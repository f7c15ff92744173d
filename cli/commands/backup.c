/* wellhead backup: the sink makes a copy of its store, which is fetched into a folder here and compared. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/backup/folder.h"
#include "cli/backup/progress.h"
#include "cli/commands/commands.h"
#include "common/base/file.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"

enum {
    LOOK_MS = 200,
    DEPTH_MAX = 8,
    NAME_MAX_BYTES = 64,
    PATH_MAX_BYTES = 256,
    ACCEPTED = 202,
};

static const char doing[] = "backup";
static const char address[] = "/api/v1/backups";

struct work {
    struct cli *cli;
    struct wh_json_parser *parser;
    struct backup_folder folder;
    struct backup_progress progress;
    char name[NAME_MAX_BYTES]; /* of the backup at the sink; empty: none was begun */
    int64_t fetched;           /* bytes */
    int64_t total;
    int fd;      /* of the file that is fetched */
    bool failed; /* a write failed, by err */
    struct wh_err err;
};

/* Reads the member "backup" of an answer; gives an exit code. */
static int read_backup(struct work *w, const struct cli_answer *answer, unsigned wanted,
                       struct wh_json_val *ret)
{
    struct wh_json_val root;
    struct wh_err err;

    if (answer->status != wanted) {
        return cli_fail_answer(w->cli, doing, answer);
    }
    if (wh_json_parse(w->parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK &&
        wh_json_get(root, WH_LIT("backup"), ret)) {
        return CLI_OK;
    }
    cli_note(&w->cli->out, "wellhead: backup: the sink's answer cannot be read\n");
    return CLI_FAILED;
}

static int ask(struct work *w, const char *method, struct wh_slice body, unsigned wanted,
               struct wh_json_val *ret)
{
    struct cli_answer answer;
    struct wh_err err;
    int code;

    if (cli_call(w->cli, method, w->cli->conf.sink_url, wh_slice_str(address),
                 w->cli->conf.sink_token_file, body, &answer, &err) != WH_OK) {
        code = cli_fail(w->cli, doing, &err);
    } else {
        code = read_backup(w, &answer, wanted, ret);
    }
    wh_buf_done(&answer.body);
    return code;
}

static void say_step(struct work *w, struct wh_json_val backup)
{
    char step[NAME_MAX_BYTES];
    char unit[NAME_MAX_BYTES];

    (void)snprintf(step, sizeof(step), "%.*s", WH_SLICE_ARG(wh_json_get_str(backup, "step")));
    (void)snprintf(unit, sizeof(unit), "%.*s", WH_SLICE_ARG(wh_json_get_str(backup, "unit")));
    backup_progress_say(&w->progress, step, wh_json_get_int(backup, "done", 0),
                        wh_json_get_int(backup, "total", -1), unit);
}

/* One look; CLI_OK with *ret_made, or an exit code. */
static int look(struct work *w, struct wh_json_val backup, bool *ret_made)
{
    struct wh_slice state = wh_json_get_str(backup, "state");
    struct wh_slice name = wh_json_get_str(backup, "name");

    *ret_made = wh_slice_eq(state, WH_LIT("made"));
    if (w->name[0] && !wh_slice_eq(name, wh_slice_str(w->name))) {
        cli_note(&w->cli->out, "wellhead: backup: the sink was started again, or makes another "
                               "backup; try again\n");
        return CLI_TRY_LATER;
    }
    (void)snprintf(w->name, sizeof(w->name), "%.*s", WH_SLICE_ARG(name));
    if (!*ret_made && !wh_slice_eq(state, WH_LIT("making"))) {
        cli_note(&w->cli->out, "wellhead: backup: %.*s\n",
                 WH_SLICE_ARG(wh_json_get_str(backup, "error")));
        return CLI_FAILED;
    }
    say_step(w, backup);
    return cli_interrupted(w->cli) ? CLI_INTERRUPTED : CLI_OK;
}

/* Until the sink has made it. */
static int await_made(struct work *w)
{
    struct wh_json_val backup;
    bool made = false;
    int code = ask(w, "POST", wh_slice("", 0), ACCEPTED, &backup);

    while (code == CLI_OK) {
        code = look(w, backup, &made);
        if (code != CLI_OK || made) {
            return code;
        }
        cli_pause_ms(w->cli, LOOK_MS);
        code = ask(w, "GET", wh_slice("", 0), 200, &backup);
    }
    return code;
}

/* Asks the sink to remove it; what it still has then, the next backup removes. */
static void let_go(struct work *w)
{
    char body[NAME_MAX_BYTES + 16];
    struct cli_answer answer;
    struct wh_err err;

    (void)snprintf(body, sizeof(body), "{\"remove\":\"%s\"}", w->name);
    if (w->name[0] &&
        cli_call(w->cli, "POST", w->cli->conf.sink_url, wh_slice_str(address),
                 w->cli->conf.sink_token_file, wh_slice_str(body), &answer, &err) == WH_OK) {
        wh_buf_done(&answer.body);
    }
}

/* ---- fetching ---- */

static bool take(void *ctx, struct wh_slice bytes)
{
    struct work *w = ctx;

    w->fetched += (int64_t)bytes.len;
    backup_progress_say(&w->progress, "fetching", w->fetched, w->total, "bytes");
    w->failed = wh_file_write(w->fd, bytes, w->folder.part, &w->err) != WH_OK;
    return !w->failed && !cli_interrupted(w->cli);
}

/* GETs a file of the backup. take_it: into w->fd; otherwise into the answer. */
static int get(struct work *w, const char *file, bool take_it, struct cli_answer *answer)
{
    char path[PATH_MAX_BYTES];
    struct cli_request request = {
        .method = "GET",
        .base = w->cli->conf.sink_url,
        .token_file = w->cli->conf.sink_token_file,
        .on_data = take_it ? take : NULL,
        .ctx = w,
    };
    struct wh_err err;

    (void)snprintf(path, sizeof(path), "%s/%s/%s", address, w->name, file);
    request.path = wh_slice_str(path);
    if (cli_call_with(w->cli, &request, answer, &err) == WH_OK) {
        return answer->status == 200 ? CLI_OK : cli_fail_answer(w->cli, doing, answer);
    }
    if (w->failed) {
        return cli_fail(w->cli, doing, &w->err);
    }
    return cli_fail(w->cli, doing, &err);
}

static int fetch_file(struct work *w, struct wh_json_val file)
{
    char name[NAME_MAX_BYTES];
    char part[PATH_MAX_BYTES];
    struct cli_answer answer = {0};
    struct wh_err err;
    bool whole;
    int code;

    (void)snprintf(name, sizeof(name), "%.*s", WH_SLICE_ARG(wh_json_get_str(file, "name")));
    (void)snprintf(part, sizeof(part), "store/%s", name);
    if (strchr(name, '/') || name[0] == '.' || name[0] == '\0') {
        cli_note(&w->cli->out, "wellhead: backup: the sink's manifest cannot be read\n");
        return CLI_FAILED;
    }
    w->fd = backup_folder_create(&w->folder, part, &err);
    if (w->fd < 0) {
        return cli_fail(w->cli, doing, &err);
    }
    code = get(w, name, true, &answer);
    whole = fsync(w->fd) == 0;
    whole = close(w->fd) == 0 && whole;
    wh_buf_done(&answer.body);
    if (code == CLI_OK &&
        (!whole || backup_folder_check(&w->folder, part, wh_json_get_int(file, "bytes", -1),
                                       wh_json_get_str(file, "sha256"), &err) != WH_OK)) {
        code = whole ? cli_fail(w->cli, doing, &err) : CLI_FAILED;
    }
    return code;
}

static int fetch_files(struct work *w, struct wh_json_val manifest)
{
    struct wh_json_iter it = wh_json_get_iter(manifest, "files");
    struct wh_json_val file;
    int code = CLI_OK;

    w->total = wh_json_get_int(manifest, "bytes", -1);
    while (code == CLI_OK && wh_json_next(&it, NULL, &file)) {
        code = fetch_file(w, file);
    }
    return code;
}

static void say_done(const struct work *w, struct wh_json_val manifest)
{
    const struct cli_out *out = &w->cli->out;
    long long entities = (long long)wh_json_get_int(manifest, "entities", 0);
    long long revisions = (long long)wh_json_get_int(manifest, "revisions", 0);
    struct wh_slice at = wh_json_get_str(manifest, "made_at");

    if (w->cli->opt.format == CLI_JSON) {
        cli_say(out,
                "{\"ok\":true,\"made_at\":\"%.*s\",\"entities\":%lld,\"revisions\":%lld,"
                "\"bytes\":%lld}\n",
                WH_SLICE_ARG(at), entities, revisions, (long long)w->total);
        return;
    }
    cli_say(out,
            "%s: %lld entities with %lld revisions as of %.*s, %lld bytes; opened, counted and "
            "compared.\n",
            w->folder.path, entities, revisions, WH_SLICE_ARG(at), (long long)w->total);
}

/* The manifest comes last: a folder without one is no backup. */
static int finish(struct work *w, struct wh_slice text, struct wh_json_val manifest)
{
    int code = fetch_files(w, manifest);
    struct wh_err err;

    if (code != CLI_OK) {
        return code;
    }
    if (backup_folder_save(&w->folder, "manifest.json", text, &err) != WH_OK ||
        backup_folder_end(&w->folder, &err) != WH_OK) {
        return cli_fail(w->cli, doing, &err);
    }
    cli_progress_end(&w->cli->out);
    say_done(w, manifest);
    return CLI_OK;
}

static int fetch(struct work *w)
{
    struct cli_answer answer = {0};
    struct wh_json_val manifest;
    struct wh_err err;
    int code = get(w, "manifest.json", false, &answer);

    if (code == CLI_OK) {
        code = wh_json_parse(w->parser, wh_buf_slice(&answer.body), &manifest, &err) == WH_OK
                   ? finish(w, wh_buf_slice(&answer.body), manifest)
                   : cli_fail(w->cli, doing, &err);
    }
    wh_buf_done(&answer.body);
    return code;
}

static int make(struct work *w)
{
    struct wh_err err;
    int code;

    if (backup_folder_begin(&w->folder, w->cli->opt.args[1], &err) != WH_OK) {
        return cli_fail(w->cli, doing, &err);
    }
    cli_catch_interrupt(w->cli);
    backup_progress_begin(&w->progress, w->cli);
    code = await_made(w);
    code = code == CLI_OK ? fetch(w) : code;
    cli_progress_end(&w->cli->out);
    let_go(w);
    if (code != CLI_OK) {
        backup_folder_drop(&w->folder);
    }
    return code;
}

int cli_backup(struct cli *cli)
{
    struct work w = {.cli = cli, .parser = wh_json_parser_new(BACKUP_MANIFEST_MAX, DEPTH_MAX)};
    int code = CLI_USAGE;

    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: backup needs the folder that it makes\n");
    } else if (w.parser) {
        code = make(&w);
    }
    wh_json_parser_free(w.parser);
    return code;
}
