/* The past of an entity: what each revision changed, when, and how it came here. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands/show_parts.h"
#include "cli/core/query.h"
#include "cli/out/value.h"
#include "common/base/escape.h"
#include "common/base/mem.h"
#include "common/event/kind.h"
#include "common/json/json_copy.h"

enum { VALUE_MAX_BYTES = 8 << 20, INDENT = 6, NARROW = 20 };

/* A field that a revision changed. */
struct change {
    struct wh_slice field;
    struct wh_json_val before;
    struct wh_json_val after;
    bool had_before;
};

/* Changes of all revisions, the oldest revision first: only then is it known what was before. */
struct past {
    const struct cli *cli;
    const struct show_names *names;
    const struct wh_kind_def *def;
    const struct show_rows *rows;
    const struct show_people *people;
    const char *id; /* NULL: only what changed; else also where each revision came from */
    struct change *list;
    size_t n;
    size_t *ends; /* of each row: the number of changes up to and with it, in the order of rows */
};

bool show_is_revision(struct wh_json_val row)
{
    struct wh_json_val v;

    return !wh_json_get(row, WH_LIT("revision"), &v) || wh_json_bool(v);
}

static size_t count_changes(const struct show_rows *rows)
{
    struct wh_json_val changed;
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++) {
        if (wh_json_get(rows->list[i], WH_LIT("changed"), &changed)) {
            n += cli_count(changed);
        }
    }
    return n;
}

/* last: the values that earlier revisions left behind. */
static void add_changes(struct past *p, struct wh_json_val row,
                        const struct change *last[WH_FIELDS_MAX])
{
    struct wh_json_val changed;
    struct wh_json_val value;
    struct wh_json_iter it;
    struct wh_slice name;

    if (!wh_json_get(row, WH_LIT("changed"), &changed)) {
        return;
    }
    for (it = wh_json_iter(changed); wh_json_next(&it, &name, &value);) {
        int field = p->def ? wh_kind_field(p->def, name) : -1;
        struct change *c = &p->list[p->n++];

        *c = (struct change){.field = name, .after = value};
        if (field >= 0 && last[field]) {
            c->before = last[field]->after;
            c->had_before = true;
        }
        if (field >= 0) {
            last[field] = c;
        }
    }
}

/* False: no memory. */
static bool read_past(struct past *p)
{
    const struct change *last[WH_FIELDS_MAX] = {NULL};

    p->list = wh_mem_zalloc(count_changes(p->rows) + 1, sizeof(*p->list));
    p->ends = wh_mem_zalloc(p->rows->n + 1, sizeof(*p->ends));
    if (p->list == NULL || p->ends == NULL) {
        return false;
    }
    for (size_t i = p->rows->n; i > 0; i--) {
        add_changes(p, p->rows->list[i - 1], last);
        p->ends[i - 1] = p->n;
    }
    return true;
}

/* ---- output ---- */

/* The value as text; on a terminal no longer than its share of a line. */
static struct wh_slice shown(const struct past *p, const struct change *c, struct wh_json_val value,
                             struct wh_buf *out)
{
    size_t columns = p->cli->out.columns;
    size_t taken = INDENT + c->field.len + NARROW;
    size_t room = columns > taken + NARROW ? (columns - taken) / 2 : NARROW;
    WH_AUTO(buf) struct wh_buf whole;
    struct wh_err err;

    wh_buf_init(&whole, VALUE_MAX_BYTES);
    show_names_value(p->names, value, &whole);
    (void)!wh_escape(wh_buf_slice(&whole), WH_ESCAPE_LINE, out, &err);
    if (out->len == 0) {
        return wh_json_type(value) == WH_JSON_STRING ? WH_LIT("\"\"") : WH_LIT("none");
    }
    if (columns && wh_escape_width(wh_buf_slice(out)) > room) {
        out->len = wh_escape_cut(wh_buf_slice(out), room - 1).len;
        (void)!wh_buf_append(out, WH_LIT("\xE2\x80\xA6"), &err);
    }
    return wh_buf_slice(out);
}

static void print_change(const struct past *p, const struct change *c)
{
    WH_AUTO(buf) struct wh_buf before;
    WH_AUTO(buf) struct wh_buf after;
    struct wh_slice to;

    wh_buf_init(&before, 2 * VALUE_MAX_BYTES);
    wh_buf_init(&after, 2 * VALUE_MAX_BYTES);
    to = shown(p, c, c->after, &after);
    if (c->had_before) {
        struct wh_slice from = shown(p, c, c->before, &before);

        cli_say(&p->cli->out, "%*s%.*s: %.*s \xE2\x86\x92 %.*s\n", INDENT, "",
                WH_SLICE_ARG(c->field), WH_SLICE_ARG(from), WH_SLICE_ARG(to));
    } else {
        cli_say(&p->cli->out, "%*s%.*s: %.*s\n", INDENT, "", WH_SLICE_ARG(c->field),
                WH_SLICE_ARG(to));
    }
}

static const char *how(struct wh_slice origin)
{
    return wh_slice_eq(origin, WH_LIT("rest"))      ? "read by REST"
           : wh_slice_eq(origin, WH_LIT("mcp"))     ? "read by MCP"
           : wh_slice_eq(origin, WH_LIT("webhook")) ? "webhook"
                                                    : "import";
}

/* "3  2026-11-29T10:00:00.000Z  by Ana Lopez @ana; webhook, received ...; topic/0/17" */
static void print_revision(const struct past *p, size_t row, size_t number)
{
    struct wh_json_val r = p->rows->list[row];
    struct wh_slice change = wh_json_get_str(r, "change");
    bool deleted = wh_slice_eq(change, WH_LIT("delete"));
    struct wh_slice who = show_people_get(p->people, row);

    cli_say(&p->cli->out, "%3zu  %.*s  %s%.*s%s%s, received %.*s; %.*s/%" PRId64 "/%" PRId64 "\n",
            number, WH_SLICE_ARG(wh_json_get_str(r, "version_at")), who.len ? "by " : "",
            WH_SLICE_ARG(who), who.len ? "; " : "", how(wh_json_get_str(r, "origin")),
            WH_SLICE_ARG(wh_json_get_str(r, "observed_at")),
            WH_SLICE_ARG(wh_json_get_str(r, "topic")), wh_json_get_int(r, "partition", 0),
            wh_json_get_int(r, "offset", 0));
    if (deleted) {
        cli_say(&p->cli->out, "%*sdeleted: %.*s\n", INDENT, "",
                WH_SLICE_ARG(wh_json_get_str(r, "reason")));
    }
    if (p->id) {
        cli_say(&p->cli->out, "%*sstored %.*s; delivery %.*s; view %.*s\n", INDENT, "",
                WH_SLICE_ARG(wh_json_get_str(r, "stored_at")),
                WH_SLICE_ARG(wh_json_get_str(r, "delivery_id")),
                WH_SLICE_ARG(wh_json_get_str(r, "view")));
    }
    for (size_t i = row + 1 < p->rows->n ? p->ends[row + 1] : 0; i < p->ends[row]; i++) {
        print_change(p, &p->list[i]);
    }
    if (p->id) {
        cli_say(&p->cli->out, "%*sbytes: wellhead show %s --raw --revision %zu\n", INDENT, "",
                p->id, number);
    }
}

static void print_past(const struct past *p)
{
    size_t number = 0;
    size_t again = 0;

    for (size_t i = 0; i < p->rows->n; i++) {
        number += show_is_revision(p->rows->list[i]);
    }
    again = p->rows->n - number;
    cli_say(&p->cli->out, "\nrevisions, the newest first\n");
    for (size_t i = 0; i < p->rows->n; i++) {
        if (show_is_revision(p->rows->list[i])) {
            print_revision(p, i, number--);
        }
    }
    if (again) {
        cli_say(&p->cli->out, "and %zu more times it was seen unchanged\n", again);
    }
}

void show_print_revisions(const struct cli *cli, struct wh_slice kind,
                          const struct show_rows *revisions, const struct show_names *names,
                          const struct show_people *people)
{
    struct past p = {.cli = cli,
                     .names = names,
                     .def = wh_kind_by_name(kind),
                     .rows = revisions,
                     .people = people};

    if (read_past(&p)) {
        print_past(&p);
    } else {
        cli_note(&cli->out, "wellhead: show: no memory for the revisions\n");
    }
    wh_mem_free(p.list);
    wh_mem_free(p.ends);
}

/* ---- --history ---- */

static void write_change(struct wh_json_writer *w, const struct change *c)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "field", c->field);
    wh_jw_key(w, "before");
    if (c->had_before) {
        wh_jw_value(w, c->before);
    } else {
        wh_jw_null(w);
    }
    wh_jw_key(w, "after");
    wh_jw_value(w, c->after);
    wh_jw_end(w);
}

static void write_revision(const struct past *p, size_t row, size_t number,
                           struct wh_json_writer *w)
{
    static const char *const members[] = {"version", "version_at",  "change",      "reason",
                                          "origin",  "delivery_id", "observed_at", "stored_at",
                                          "topic",   "partition",   "offset",      "view"};
    struct wh_json_val r = p->rows->list[row];
    struct wh_slice who = show_people_get(p->people, row);
    struct wh_json_val v;

    wh_jw_object(w);
    wh_jw_put_int(w, "number", (int64_t)number);
    wh_jw_key(w, "actor");
    if (who.len) {
        wh_jw_str(w, who);
    } else {
        wh_jw_null(w);
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (wh_json_get(r, wh_slice_str(members[i]), &v)) {
            wh_jw_key(w, members[i]);
            wh_jw_value(w, v);
        }
    }
    wh_jw_key(w, "changes");
    wh_jw_array(w);
    for (size_t i = row + 1 < p->rows->n ? p->ends[row + 1] : 0; i < p->ends[row]; i++) {
        write_change(w, &p->list[i]);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

static int write_history(const struct past *p, struct wh_slice kind)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;
    size_t number = 0;

    wh_buf_init(&out, SHOW_ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    wh_jw_put_str(&w, "id", wh_slice_str(p->id));
    wh_jw_put_str(&w, "kind", kind);
    cli_write_past(p->cli, &w);
    for (size_t i = 0; i < p->rows->n; i++) {
        number += show_is_revision(p->rows->list[i]);
    }
    wh_jw_key(&w, "revisions");
    wh_jw_array(&w);
    for (size_t i = 0; i < p->rows->n; i++) {
        if (show_is_revision(p->rows->list[i])) {
            write_revision(p, i, number--, &w);
        }
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        return cli_fail(p->cli, "show", &err);
    }
    return cli_data(&p->cli->out, wh_buf_slice(&out)) ? CLI_OK : CLI_FAILED;
}

static int print_history(struct cli *cli, struct past *p, struct wh_slice kind)
{
    if (p->rows->n == 0) {
        cli_note(&cli->out, "wellhead: show: nothing was known of this entity then\n");
        return CLI_NOTHING;
    }
    if (!read_past(p)) {
        cli_note(&cli->out, "wellhead: show: no memory for the revisions\n");
        return CLI_FAILED;
    }
    if (cli->opt.format != CLI_TEXT) {
        return write_history(p, kind);
    }
    cli_use_pager(cli);
    cli_say(&cli->out, "%.*s  %.*s\n", WH_SLICE_ARG(kind),
            WH_SLICE_ARG(show_names_get(p->names, wh_slice_str(p->id))));
    print_past(p);
    return CLI_OK;
}

void show_want_revisions(struct show_names *names, struct wh_slice kind,
                         const struct show_rows *revisions)
{
    struct wh_json_val changed;

    for (size_t i = 0; i < revisions->n; i++) {
        if (wh_json_get(revisions->list[i], WH_LIT("changed"), &changed)) {
            show_names_want_fields(names, kind, changed);
        }
    }
}

int show_history(struct cli *cli, const char *id)
{
    struct show_names *names = show_names_new();
    struct show_people *people = NULL;
    struct show_rows rows;
    char path[SHOW_PATH_MAX_BYTES];
    int code;

    (void)snprintf(path, sizeof(path), "/api/v1/entities/%s/revisions", id);
    code = show_fetch_rows(cli, path, &rows);
    if (code == CLI_OK && names) {
        struct wh_slice kind = rows.n ? wh_json_get_str(rows.list[0], "kind") : WH_LIT("");
        struct past p = {
            .cli = cli, .names = names, .def = wh_kind_by_name(kind), .rows = &rows, .id = id};

        if (cli->opt.format == CLI_TEXT) {
            show_names_want(names, kind, wh_slice_str(id));
            show_want_revisions(names, kind, &rows);
            show_names_ask(names, cli);
        }
        people = show_people_ask(cli, &rows);
        p.people = people;
        code = print_history(cli, &p, kind);
        wh_mem_free(p.list);
        wh_mem_free(p.ends);
    }
    show_people_free(people);
    show_rows_done(&rows);
    show_names_free(names);
    return code;
}
