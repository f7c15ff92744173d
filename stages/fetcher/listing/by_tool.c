/*
 * Reading one listing through an MCP tool: page after page, each acknowledged before the next.
 *
 * Tools page in two ways, which their schemas tell: first/after with a cursor in the answer, or
 * page/per_page until a page is short (what GitLab says of more pages is not so, it is always
 * "no").
 *
 * Where a page brought rows, its place is saved once all of them and their details are
 * acknowledged; a walk that was cut short goes on there. What changed behind it meanwhile is for
 * the next walk, which asks for what is newer than the first page's request, or knows pages by
 * their content.
 *
 *   by cursor    goes on with the server's cursor. One that the server refuses, or answers with
 *                nothing, leads back to the first page, once
 *   by number    reads the last page again. Rows that came or went before it have moved it: it
 *                must be the same page, or, where the order is newest first, begin with a row newer
 *                than the last one read. Else back to the first page
 *
 * The list of projects is always read from its first page: a run takes what it does not show for
 * gone.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "common/json/json_write.h"
#include "stages/fetcher/listing/listing_priv.h"
#include "stages/fetcher/listing/tool_detail.h"
#include "stages/fetcher/listing/tool_page.h"

enum {
    PER_PAGE = 100,
    PAGES_MAX = 100000,
    ARGUMENTS_MAX = 4096,
    ROW_MAX = 4 << 20,
};

/* What a tool's rows are, by the shapes that data views know. */
static const struct {
    const char *tool;
    const char *kind;
} kinds[] = {
    {"list_projects", "project"},
    {"list_project_members", "member"},
    {"list_merge_requests", "merge_request_node"},
    {"list_work_items", "work_item_node"},
    {"list_pipelines", "pipeline"},
    {"list_releases", "release"},
};

struct tool_walk {
    struct listing base;
    struct wh_bus_ack rows; /* records of rows carry it */
    struct mcp_call *call;
    struct wh_json_parser *texts; /* for servers that give rows as text alone */
    char page_cursor[CURSOR_MARK_MAX];
    unsigned page;    /* that comes next */
    uint64_t hash;    /* of the page's content; 0 none */
    int64_t begun_ms; /* when the first page was asked for */
    int64_t known_ms; /* of the cursor */
    int64_t since_ms; /* rows older than that are known; 0 none */
    int64_t low_ms;   /* of the last row with a time */
    char newest[CURSOR_AFTER_MAX];
    int64_t newest_ms;
    struct details details; /* of the page's rows */
    size_t waiting;         /* records not acknowledged */
    bool resumed;           /* nothing of the saved place has come yet */
    bool taken;             /* a page is there whose place is not noted */
    bool news;              /* it brought rows */
    bool listed;
};

static bool ask(struct tool_walk *w);
static bool can_resume(const struct tool_walk *w);

/* ---- the end ---- */

static void done(struct listing *l)
{
    struct tool_walk *w = (struct tool_walk *)l;

    if (w->call) {
        mcp_cancel(w->call);
    }
    details_cancel(&w->details);
    wh_json_parser_free(w->texts);
}

static void fail(struct tool_walk *w, enum client_outcome why, const char *text)
{
    listing_fail(&w->base, why, text);
}

static bool stopped(const struct tool_walk *w)
{
    return w->base.env->stopped(w->base.env->ctx);
}

/* On to the next page, or to the end. */
static void go_on(struct tool_walk *w)
{
    if (stopped(w)) {
        fail(w, CLIENT_FAILED, NULL);
    }
    if (w->base.result.outcome != LISTING_ENDED || w->listed || !ask(w)) {
        listing_end(&w->base);
    }
}

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct tool_walk *w = (struct tool_walk *)ack;

    if (d->rc != WH_OK) {
        fail(w, CLIENT_FAILED, "Kafka did not take the cursor");
    }
    go_on(w);
}

/* Rows that changed behind us while we read have times past the first page's request: the next walk
 * begins before them, whatever newer ones we met. */
static void note_end(struct tool_walk *w)
{
    int64_t until_ms = w->begun_ms > w->known_ms ? w->begun_ms : w->known_ms;

    if (w->newest[0] && w->newest_ms > until_ms) {
        (void)wh_time_format(until_ms, w->base.cursor->after);
    } else if (w->newest[0]) {
        memcpy(w->base.cursor->after, w->newest, sizeof(w->base.cursor->after));
    }
    w->base.cursor->finished_at_ms = wh_clock_now_ms(&w->base.env->clock);
}

static enum wh_rc note_place(struct tool_walk *w, struct wh_err *err)
{
    struct cursor_place place = {.pages = w->page, .begun_ms = w->begun_ms, .low_ms = w->low_ms};

    memcpy(place.mark, w->page_cursor, sizeof(place.mark));
    memcpy(place.newest, w->newest, sizeof(place.newest));
    return cursor_set_place(w->base.cursor, w->listed ? NULL : &place, err);
}

static void save(struct tool_walk *w)
{
    struct wh_err err;

    if (w->listed) {
        note_end(w);
    }
    if (note_place(w, &err) != WH_OK || listing_save(&w->base, &err) != WH_OK) {
        fail(w, CLIENT_FAILED, err.msg);
        listing_end(&w->base);
    }
}

/* All that came of the page is in Kafka. */
static void settle(struct tool_walk *w)
{
    bool place = w->news && w->base.task.project && can_resume(w);

    w->taken = false;
    /* Only now: a page that is not in Kafka must not look known later. */
    cursor_set_hash(w->base.cursor, w->page - 1, w->hash);
    if (w->listed || place) {
        save(w);
    } else {
        go_on(w);
    }
}

/* A page is done, with what its rows are followed by: on, or to the end. */
static void move_on(struct tool_walk *w)
{
    if (w->waiting || w->call || details_busy(&w->details)) {
        return;
    }
    if (!listing_failed(&w->base) && !stopped(w)) {
        if (details_start(&w->details)) {
            return;
        }
        if (w->details.failure[0]) {
            fail(w, CLIENT_FAILED, w->details.failure);
        }
    }
    if (w->taken && !listing_failed(&w->base) && !stopped(w)) {
        settle(w);
    } else {
        go_on(w);
    }
}

static void on_row_acked(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct tool_walk *w =
        (struct tool_walk *)(void *)((char *)ack - offsetof(struct tool_walk, rows));

    w->waiting--;
    if (d->rc != WH_OK) {
        fail(w, CLIENT_FAILED, "Kafka did not take a row");
    }
    move_on(w);
}

/* ---- rows ---- */

static void note_newest(struct tool_walk *w, struct wh_slice text, int64_t ms)
{
    if (ms > w->newest_ms && text.ptr && text.len < sizeof(w->newest)) {
        w->newest_ms = ms;
        memcpy(w->newest, text.ptr, text.len);
        w->newest[text.len] = '\0';
    }
}

static const char *kind_of(const struct tool_walk *w)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].tool, w->base.task.tool) == 0) {
            return kinds[i].kind;
        }
    }
    return w->base.task.tool;
}

static void emit(struct tool_walk *w, const char *kind, struct wh_json_val row, const char *id)
{
    struct listing *l = &w->base;
    WH_AUTO(buf) struct wh_buf text;
    struct outbox_row part = {.kind = wh_slice_str(kind), .object_id = wh_slice_str(id)};
    struct wh_json_writer writer;
    char call[128];
    struct wh_err err;

    wh_buf_init(&text, ROW_MAX);
    wh_json_writer_init(&writer, &text);
    wh_jw_value(&writer, row);
    (void)snprintf(call, sizeof(call), "%s:%s:%u", l->task.tool,
                   l->task.project ? l->task.project->id : "", w->page);
    w->news = true;
    if (wh_jw_finish(&writer, &err) != WH_OK) {
        fail(w, CLIENT_FAILED, err.msg);
        return;
    }
    part.path = wh_slice_str(call);
    part.payload = wh_buf_slice(&text);
    if (listing_publish(l, &part, &w->rows, &err) != WH_OK) {
        fail(w, CLIENT_FAILED, err.msg);
        return;
    }
    w->waiting++;
    l->task.count->rows++;
    l->task.count->total_rows++;
}

/* True while rows are new enough to go on. */
static bool take_row(struct tool_walk *w, struct wh_json_val row, bool changed)
{
    const struct listing_env *env = w->base.env;
    struct row known = {0};
    struct wh_slice text;
    int64_t ms;

    (void)(tool_row_id(row, "id", known.id) || tool_row_id(row, "user_id", known.id));
    env->on_row(env->ctx, &w->base.task, &known, row);
    if (tool_row_time(row, &text, &ms)) {
        note_newest(w, text, ms);
        w->low_ms = ms;
        if (w->since_ms && ms < w->since_ms) {
            return false;
        }
    } else if (!changed) {
        return true;
    }
    emit(w, kind_of(w), row, known.id);
    if (env->read_links && tool_row_id(row, "iid", known.iid)) {
        details_add(&w->details, known.iid);
    }
    return true;
}

/* A detail is of the listing's shape, or of REST's. */
static void on_detail(void *ctx, struct wh_json_val row)
{
    struct tool_walk *w = ctx;
    bool rest = wh_json_get(row, WH_LIT("web_url"), &(struct wh_json_val){0});
    char id[24] = "";

    if (tool_row_id(row, "id", id)) {
        emit(w, rest ? w->base.stream->kind : kind_of(w), row, id);
    }
}

static void on_details(void *ctx, const char *failure)
{
    struct tool_walk *w = ctx;

    if (failure) {
        fail(w, CLIENT_FAILED, failure);
    }
    move_on(w);
}

/* ---- pages ---- */

static void next_page(struct tool_walk *w, struct wh_json_val around, size_t n, bool by_cursor)
{
    struct wh_slice cursor;

    w->page++;
    if (!by_cursor) {
        w->listed = n < PER_PAGE;
    } else if (n == 0 || !tool_page_cursor(around, &cursor)) {
        w->listed = true;
    } else if (cursor.len >= sizeof(w->page_cursor) ||
               wh_slice_eq(cursor, wh_slice_str(w->page_cursor))) {
        fail(w, CLIENT_FAILED, "the listing does not come to an end");
    } else {
        memcpy(w->page_cursor, cursor.ptr, cursor.len);
        w->page_cursor[cursor.len] = '\0';
    }
    if (w->page > PAGES_MAX) {
        fail(w, CLIENT_FAILED, "the listing does not come to an end");
    }
}

/* Its content is what it was when it was acknowledged last. */
static bool page_is_known(const struct tool_walk *w, uint64_t hash)
{
    return hash != 0 && w->page < w->base.cursor->n_hashes &&
           w->base.cursor->hashes[w->page] == hash;
}

static bool by_cursor(const struct tool_walk *w)
{
    const struct mcp_tool *tool = mcp_tool_find(w->base.task.mcp, wh_slice_str(w->base.task.tool));

    return tool && mcp_tool_takes(tool, "after");
}

static void take_page(struct tool_walk *w, struct wh_json_val result)
{
    struct wh_json_val rows;
    struct wh_json_val around;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_slice key;
    bool changed;
    bool fresh = true;
    size_t n = 0;

    if (!tool_page_rows(result, &w->texts, &rows, &around)) {
        fail(w, CLIENT_FAILED, "the tool's answer holds no rows");
        return;
    }
    w->base.task.count->pages++;
    w->resumed = false;
    w->taken = true;
    w->news = false;
    w->hash = tool_page_hash(rows);
    /* Pages without times are told apart by their content. */
    changed = w->base.cursor->finished_at_ms == 0 || !page_is_known(w, w->hash);
    for (it = wh_json_iter(rows); !listing_failed(&w->base) && wh_json_next(&it, &key, &row); n++) {
        fresh = take_row(w, row, changed) && fresh;
    }
    next_page(w, around, n, by_cursor(w));
    /* Newest first by pages alone: what follows is older still. */
    if (!fresh && !by_cursor(w)) {
        w->listed = true;
    }
}

static enum client_outcome outcome_of(enum mcp_outcome outcome)
{
    switch (outcome) {
    case MCP_DENIED:
        return CLIENT_DENIED;
    case MCP_NOT_THERE:
        return CLIENT_GONE;
    case MCP_SIGN_IN:
        return CLIENT_SIGN_IN;
    case MCP_TOOL_BAD:
    case MCP_ERROR:
    case MCP_REFUSED:
    case MCP_INPUT:
        return CLIENT_REFUSED;
    case MCP_OK:
    case MCP_FAILED:
    default:
        return CLIENT_FAILED;
    }
}

/* ---- going on at a saved place ---- */

/* A row that is updated goes to the front: those that are not read yet move back, never forward. */
static bool newest_first(const struct tool_walk *w)
{
    const struct mcp_tool *tool = mcp_tool_find(w->base.task.mcp, wh_slice_str(w->base.task.tool));

    return strcmp(w->base.task.tool, "list_pipelines") == 0 && tool &&
           mcp_tool_takes(tool, "order_by") && mcp_tool_takes(tool, "sort");
}

static bool can_resume(const struct tool_walk *w)
{
    return by_cursor(w) || newest_first(w) || w->page <= CURSOR_HASHES_MAX;
}

/* The page at the place follows what was read, or overlaps it: nothing between is left out. */
static bool page_fits(struct tool_walk *w, struct wh_json_val result)
{
    struct wh_json_val rows;
    struct wh_json_val around;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_slice text;
    int64_t ms;

    if (!tool_page_rows(result, &w->texts, &rows, &around)) {
        return false;
    }
    it = wh_json_iter(rows);
    if (!wh_json_next(&it, &text, &row)) {
        return false;
    }
    return by_cursor(w) || page_is_known(w, tool_page_hash(rows)) ||
           (newest_first(w) && w->low_ms && tool_row_time(row, &text, &ms) && ms > w->low_ms);
}

/* Not so when the server cannot answer anything now: then the place is tried again later. */
static bool place_is_lost(struct tool_walk *w, const struct mcp_answer *a)
{
    switch (a->outcome) {
    case MCP_OK:
        return !page_fits(w, a->result);
    case MCP_TOOL_BAD:
        return !tool_throttled(a->result);
    case MCP_ERROR:
    case MCP_REFUSED:
        return true;
    case MCP_FAILED:
        return a->status >= 500;
    case MCP_DENIED:
    case MCP_NOT_THERE:
    case MCP_SIGN_IN:
    case MCP_INPUT:
    default:
        return false;
    }
}

/* The first page. A place that is saved stays so until a page is acknowledged. */
static void begin(struct tool_walk *w)
{
    struct wh_instant at;
    struct wh_err err;

    w->resumed = false;
    w->page = 0;
    w->page_cursor[0] = '\0';
    w->low_ms = 0;
    w->newest[0] = '\0';
    w->newest_ms = 0;
    w->begun_ms = wh_clock_now_ms(&w->base.env->clock);
    /* A little before the newest row of the last time: clocks differ, transactions commit late. */
    if (w->base.cursor->after[0] &&
        wh_time_parse(wh_slice_str(w->base.cursor->after), &at, &err) == WH_OK) {
        w->known_ms = at.ms;
        w->since_ms = at.ms - w->base.env->overlap_ms;
        memcpy(w->newest, w->base.cursor->after, sizeof(w->newest));
        w->newest_ms = at.ms;
    }
}

static void resume(struct tool_walk *w)
{
    const struct cursor_place *place = w->base.cursor->place;
    struct wh_instant at;
    struct wh_err err;

    /* The tool may page otherwise by now. */
    if (place == NULL || by_cursor(w) != (place->mark[0] != '\0')) {
        return;
    }
    w->resumed = true;
    w->page = by_cursor(w) ? place->pages : place->pages - 1;
    memcpy(w->page_cursor, place->mark, sizeof(w->page_cursor));
    w->low_ms = place->low_ms;
    w->begun_ms = place->begun_ms;
    if (wh_time_parse(wh_slice_str(place->newest), &at, &err) == WH_OK) {
        note_newest(w, wh_slice_str(place->newest), at.ms);
    }
}

static void on_page(void *ctx, const struct mcp_answer *a)
{
    struct tool_walk *w = ctx;

    w->call = NULL;
    if (w->resumed && place_is_lost(w, a)) {
        wh_log_info(w->base.env->log, "a listing is read from its first page again",
                    WH_STR("connection", w->base.env->connection),
                    WH_STR("tool", w->base.task.tool));
        begin(w);
    } else if (a->outcome == MCP_OK) {
        take_page(w, a->result);
    } else if (a->outcome == MCP_TOOL_BAD && tool_throttled(a->result)) {
        fail(w, CLIENT_FAILED, "GitLab's rate limit");
    } else {
        fail(w, outcome_of(a->outcome), a->error ? a->error : "it failed");
    }
    move_on(w);
}

/* ---- asking ---- */

static void text_argument(struct wh_json_writer *w, const struct mcp_tool *tool, const char *name,
                          const char *value)
{
    if (value[0] && mcp_tool_takes(tool, name)) {
        wh_jw_key(w, name);
        wh_jw_str(w, wh_slice_str(value));
    }
}

static void page_arguments(const struct tool_walk *w, struct wh_json_writer *out,
                           const struct mcp_tool *tool)
{
    if (mcp_tool_takes(tool, "after")) {
        wh_jw_key(out, "first");
        wh_jw_int(out, PER_PAGE);
        text_argument(out, tool, "after", w->page_cursor);
    } else if (mcp_tool_takes(tool, "page")) {
        wh_jw_key(out, "page");
        wh_jw_int(out, (int64_t)w->page + 1);
        wh_jw_key(out, "per_page");
        wh_jw_int(out, PER_PAGE);
    }
}

static enum wh_rc build_arguments(const struct tool_walk *w, const struct mcp_tool *tool,
                                  struct wh_buf *text, struct wh_err *err)
{
    const char *project = w->base.task.project ? w->base.task.project->id : "";
    char since[WH_TIME_TEXT_MAX] = "";
    struct wh_json_writer out;

    if (w->since_ms) {
        (void)wh_time_format(w->since_ms, since);
    }
    wh_json_writer_init(&out, text);
    wh_jw_object(&out);
    if (mcp_tool_takes(tool, "project_id")) {
        text_argument(&out, tool, "project_id", project);
    } else {
        text_argument(&out, tool, "id", project);
    }
    text_argument(&out, tool, "updated_after", since);
    if (strcmp(w->base.task.tool, "list_pipelines") == 0) {
        text_argument(&out, tool, "order_by", "updated_at");
        text_argument(&out, tool, "sort", "desc");
    }
    if (mcp_tool_takes(tool, "include_inherited")) {
        wh_jw_key(&out, "include_inherited");
        wh_jw_bool(&out, true);
    }
    page_arguments(w, &out, tool);
    wh_jw_end(&out);
    return wh_jw_finish(&out, err);
}

/* False: it failed. */
static bool ask(struct tool_walk *w)
{
    const struct mcp_tool *tool = mcp_tool_find(w->base.task.mcp, wh_slice_str(w->base.task.tool));
    WH_AUTO(buf) struct wh_buf arguments;
    struct wh_err err;

    wh_buf_init(&arguments, ARGUMENTS_MAX);
    if (tool == NULL) {
        fail(w, CLIENT_FAILED, "the tool is not listed any more");
    } else if (build_arguments(w, tool, &arguments, &err) != WH_OK ||
               mcp_call_tool(w->base.task.mcp, wh_slice_str(w->base.task.tool),
                             wh_buf_slice(&arguments), on_page, w, &w->call, &err) != WH_OK) {
        fail(w, CLIENT_FAILED, err.msg);
    }
    return w->call != NULL;
}

static enum wh_rc start(struct listing *l, struct wh_err *err)
{
    struct tool_walk *w = (struct tool_walk *)l;

    w->rows.fn = on_row_acked;
    l->saved.fn = on_saved;
    begin(w);
    resume(w);
    w->details = (struct details){.mcp = l->task.mcp,
                                  .project = l->task.project ? l->task.project->id : "",
                                  .row = on_detail,
                                  .done = on_details,
                                  .ctx = w};
    details_init(&w->details, l->task.tool);
    return ask(w) ? WH_OK : wh_fail(err, WH_E_UNAVAILABLE, "%s", l->result.error);
}

/* Something is always under way: the listing ends when that is done. */
static void pump(struct listing *l)
{
    (void)l;
}

const struct listing_kind listing_by_tool = {
    .size = sizeof(struct tool_walk), .begin = start, .pump = pump, .done = done};
