/*
 * Reads one listing through an MCP tool, page after page: each page is acknowledged by Kafka before
 * the next one is requested.
 *
 * The schema of a tool shows in which of two ways it pages. With the arguments first and after, the
 * answer holds the server's cursor of the next page. With page and per_page, the listing ends with
 * the first page that is not full. (GitLab's answers name a next page, too, but always say "no".)
 *
 * Once the rows of a page and their details are acknowledged, the place after the page is saved. A
 * listing that was cut short goes on at that place. Rows that changed on earlier pages meanwhile
 * are left to the next run, which requests rows newer than this run's first request, or recognises
 * pages by their content.
 *
 *   by cursor    goes on with the server's cursor. When the server refuses it or answers with
 *                nothing, the listing starts again at the first page, once.
 *   by number    reads the last page again, because rows may have come or gone on the pages before
 *                it. The page must be the same; or, when the newest rows come first, begin with a
 *                row newer than the last one read. Otherwise the listing starts again.
 *
 * Details that the tool did not show of one object are owed: the cursor keeps the number of the
 * object, and each listing asks for them before its first page, until they come or GitLab says that
 * the object is not found.
 *
 * The list of projects is always read from its first page: a run concludes that a project which is
 * not in the list is gone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

/* The kind of raw event that each tool's rows are; the mapper's views are named after it. */
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

struct listing_tool {
    struct listing base;
    struct wh_bus_ack rows; /* records of rows carry it */
    struct mcp_call *call;
    struct wh_json_parser *texts; /* for servers that return rows only as text */
    char page_cursor[CURSOR_MARK_MAX];
    unsigned page;    /* number of the next page, from 0 */
    uint64_t hash;    /* of the page's content; 0: none */
    int64_t begun_ms; /* when the first page was requested */
    int64_t known_ms; /* the cursor's position */
    int64_t since_ms; /* rows older than that are known; 0: none */
    int64_t low_ms;   /* time of the last row that has one */
    char newest[CURSOR_AFTER_MAX];
    int64_t newest_ms;
    struct listing_details details;        /* of the rows of the page, or of what is owed */
    int64_t answered[LISTING_DETAILS_MAX]; /* objects whose details were asked for; see owes */
    bool owes[LISTING_DETAILS_MAX];
    size_t n_answered;
    unsigned debts; /* of the cursor, that are still to be asked for before the first page */
    size_t waiting; /* number of records that are not acknowledged */
    bool resumed;   /* the page at the saved place has not been received yet */
    bool taken;     /* a page was received, and its place is not saved */
    bool news;      /* records were made of that page */
    bool listed;
};

static bool ask(struct listing_tool *t);
static bool can_resume(const struct listing_tool *t);

/* ---- the end ---- */

static void done(struct listing *l)
{
    struct listing_tool *t = (struct listing_tool *)l;

    if (t->call) {
        mcp_cancel(t->call);
    }
    listing_details_cancel(&t->details);
    wh_json_parser_free(t->texts);
}

static void fail(struct listing_tool *t, enum client_outcome why, const char *text)
{
    listing_fail(&t->base, why, text);
}

static bool stopped(const struct listing_tool *t)
{
    return t->base.env->stopped(t->base.env->ctx);
}

/* Requests the next page, or ends the listing. */
static void go_on(struct listing_tool *t)
{
    if (stopped(t)) {
        fail(t, CLIENT_FAILED, NULL);
    }
    if (t->base.result.outcome != LISTING_ENDED || t->listed || !ask(t)) {
        listing_end(&t->base);
    }
}

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct listing_tool *t = (struct listing_tool *)ack;

    if (d->rc != WH_OK) {
        fail(t, CLIENT_FAILED, "Kafka did not take the cursor");
    }
    go_on(t);
}

/* Rows that changed on earlier pages while we were reading are newer than the first page's request.
 * The next listing starts before them, even when we have seen rows that are newer still. */
static void note_end(struct listing_tool *t)
{
    int64_t until_ms = t->begun_ms > t->known_ms ? t->begun_ms : t->known_ms;

    if (t->newest[0] && t->newest_ms > until_ms) {
        (void)wh_time_format(until_ms, t->base.cursor->after);
    } else if (t->newest[0]) {
        memcpy(t->base.cursor->after, t->newest, sizeof(t->base.cursor->after));
    }
    t->base.cursor->finished_at_ms = wh_clock_now_ms(&t->base.env->clock);
}

static enum wh_rc note_place(struct listing_tool *t, struct wh_err *err)
{
    struct cursor_place place = {.pages = t->page, .begun_ms = t->begun_ms, .low_ms = t->low_ms};

    memcpy(place.mark, t->page_cursor, sizeof(place.mark));
    memcpy(place.newest, t->newest, sizeof(place.newest));
    return cursor_set_place(t->base.cursor, t->listed ? NULL : &place, err);
}

static void save(struct listing_tool *t)
{
    struct wh_err err;

    if (t->listed) {
        note_end(t);
    }
    if (note_place(t, &err) != WH_OK || listing_save(&t->base, &err) != WH_OK) {
        fail(t, CLIENT_FAILED, err.msg);
        listing_end(&t->base);
    }
}

/* All records of the page are acknowledged. */
static void settle(struct listing_tool *t)
{
    bool place = t->news && t->base.task.project && can_resume(t);

    t->taken = false;
    /* Not earlier: a page that is not in Kafka must not look known to the next run. */
    cursor_set_hash(t->base.cursor, t->page - 1, t->hash);
    if (t->listed || place) {
        save(t);
    } else {
        go_on(t);
    }
}

/* Details that an earlier listing did not get come before the first page. */
static void ask_for_debts(struct listing_tool *t)
{
    char iid[24];

    for (unsigned i = 0; i < LISTING_DETAILS_MAX && t->debts > 0; i++) {
        t->debts--;
        (void)snprintf(iid, sizeof(iid), "%" PRId64, t->base.cursor->owed[t->debts]);
        listing_details_add(&t->details, iid);
    }
}

/* All records of the details are acknowledged: the cursor that is saved next says what is owed. */
static void note_debts(struct listing_tool *t)
{
    struct wh_err err;

    for (size_t i = 0; i < t->n_answered && !listing_failed(&t->base); i++) {
        if (!t->owes[i]) {
            cursor_pay(t->base.cursor, t->answered[i]);
        } else if (cursor_owe(t->base.cursor, t->answered[i], &err) != WH_OK) {
            fail(t, CLIENT_FAILED, err.msg);
        }
    }
    t->n_answered = 0;
}

/* Called when something that belongs to the page is done: reads its details, saves its place, or
 * goes on. */
static void move_on(struct listing_tool *t)
{
    if (t->waiting || t->call || listing_details_busy(&t->details)) {
        return;
    }
    note_debts(t);
    if (!listing_failed(&t->base) && !stopped(t)) {
        ask_for_debts(t);
        if (listing_details_start(&t->details)) {
            return;
        }
        if (t->details.failure[0]) {
            fail(t, CLIENT_FAILED, t->details.failure);
        }
    }
    if (t->taken && !listing_failed(&t->base) && !stopped(t)) {
        settle(t);
    } else {
        go_on(t);
    }
}

static void on_row_acked(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct listing_tool *t =
        (struct listing_tool *)(void *)((char *)ack - offsetof(struct listing_tool, rows));

    t->waiting--;
    if (d->rc != WH_OK) {
        fail(t, CLIENT_FAILED, "Kafka did not take a row");
    }
    move_on(t);
}

/* ---- rows ---- */

static void note_newest(struct listing_tool *t, struct wh_slice text, int64_t ms)
{
    if (ms > t->newest_ms && text.ptr && text.len < sizeof(t->newest)) {
        t->newest_ms = ms;
        memcpy(t->newest, text.ptr, text.len);
        t->newest[text.len] = '\0';
    }
}

static const char *kind_of(const struct listing_tool *t)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].tool, t->base.task.tool) == 0) {
            return kinds[i].kind;
        }
    }
    return t->base.task.tool;
}

static void emit(struct listing_tool *t, const char *kind, struct wh_json_val row, const char *id)
{
    struct listing *l = &t->base;
    WH_AUTO(buf) struct wh_buf text;
    struct outbox_row part = {.kind = wh_slice_str(kind), .object_id = wh_slice_str(id)};
    struct wh_json_writer writer;
    char call[128];
    struct wh_err err;

    wh_buf_init(&text, ROW_MAX);
    wh_json_writer_init(&writer, &text);
    wh_jw_value(&writer, row);
    (void)snprintf(call, sizeof(call), "%s:%s:%u", l->task.tool,
                   l->task.project ? l->task.project->id : "", t->page);
    t->news = true;
    if (wh_jw_finish(&writer, &err) != WH_OK) {
        fail(t, CLIENT_FAILED, err.msg);
        return;
    }
    part.path = wh_slice_str(call);
    part.payload = wh_buf_slice(&text);
    if (listing_publish(l, &part, &t->rows, &err) != WH_OK) {
        fail(t, CLIENT_FAILED, err.msg);
        return;
    }
    t->waiting++;
    l->task.count->rows++;
    l->task.count->total_rows++;
}

/* Returns false when the row is older than what is known. */
static bool take_row(struct listing_tool *t, struct wh_json_val row, bool changed)
{
    const struct listing_env *env = t->base.env;
    struct gitlab_row known = {0};
    struct wh_slice text;
    int64_t ms;

    (void)(listing_tool_row_id(row, "id", known.id) ||
           listing_tool_row_id(row, "user_id", known.id));
    (void)listing_tool_row_id(row, "iid", known.iid);
    known.number = strtoll(known.id, NULL, 10);
    env->on_row(env->ctx, &t->base.task, &known, row);
    if (listing_tool_row_time(row, &text, &ms)) {
        note_newest(t, text, ms);
        t->low_ms = ms;
        if (t->since_ms && ms < t->since_ms) {
            return false;
        }
    }
    if (!changed) {
        return true;
    }
    emit(t, kind_of(t), row, known.id);
    if (env->read_links && known.iid[0]) {
        listing_details_add(&t->details, known.iid);
    }
    return true;
}

/* A detail has the shape of the tool's rows, or that of REST. */
static bool on_detail(void *ctx, struct wh_json_val row)
{
    struct listing_tool *t = ctx;
    bool rest = wh_json_get(row, WH_LIT("web_url"), &(struct wh_json_val){0});
    char id[24] = "";

    if (!listing_tool_row_id(row, "id", id)) {
        return false;
    }
    emit(t, rest ? t->base.stream->kind : kind_of(t), row, id);
    return true;
}

static void on_detail_answered(void *ctx, const char *iid, const char *why)
{
    struct listing_tool *t = ctx;
    char text[128];

    t->base.task.count->follow_ups++;
    t->owes[t->n_answered] = why != NULL;
    t->answered[t->n_answered++] = strtoll(iid, NULL, 10);
    if (why) {
        (void)snprintf(text, sizeof(text), "%s: %.90s", t->details.tool, why);
        listing_unread(&t->base, 1, text);
    }
}

static void on_details(void *ctx, const char *failure)
{
    struct listing_tool *t = ctx;

    if (failure) {
        fail(t, CLIENT_FAILED, failure);
    }
    move_on(t);
}

/* ---- pages ---- */

static void next_page(struct listing_tool *t, struct wh_json_val around, size_t n, bool by_cursor)
{
    struct wh_slice cursor;

    t->page++;
    if (!by_cursor) {
        t->listed = n < PER_PAGE;
    } else if (n == 0 || !listing_tool_cursor(around, &cursor)) {
        t->listed = true;
    } else if (cursor.len >= sizeof(t->page_cursor) ||
               wh_slice_eq(cursor, wh_slice_str(t->page_cursor))) {
        fail(t, CLIENT_FAILED, "the listing does not come to an end");
    } else {
        memcpy(t->page_cursor, cursor.ptr, cursor.len);
        t->page_cursor[cursor.len] = '\0';
    }
    if (t->page > PAGES_MAX) {
        fail(t, CLIENT_FAILED, "the listing does not come to an end");
    }
}

/* The page has the content that was acknowledged last. */
static bool page_is_known(const struct listing_tool *t, uint64_t hash)
{
    return hash != 0 && t->page < t->base.cursor->n_hashes &&
           t->base.cursor->hashes[t->page] == hash;
}

static bool by_cursor(const struct listing_tool *t)
{
    const struct mcp_tool *tool = mcp_tool_find(t->base.task.mcp, wh_slice_str(t->base.task.tool));

    return tool && mcp_tool_takes(tool, "after");
}

static void take_page(struct listing_tool *t, struct wh_json_val result)
{
    struct wh_json_val rows;
    struct wh_json_val around;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_slice key;
    bool changed;
    bool fresh = true;
    size_t n = 0;

    if (!listing_tool_rows(result, &t->texts, &rows, &around)) {
        fail(t, CLIENT_FAILED, "the tool's answer holds no rows");
        return;
    }
    t->base.task.count->pages++;
    t->resumed = false;
    t->taken = true;
    t->news = false;
    t->hash = listing_tool_hash(rows);
    /* Its rows and their details are in Kafka already. */
    changed = t->base.cursor->finished_at_ms == 0 || !page_is_known(t, t->hash);
    for (it = wh_json_iter(rows); !listing_failed(&t->base) && wh_json_next(&it, &key, &row); n++) {
        fresh = take_row(t, row, changed) && fresh;
    }
    next_page(t, around, n, by_cursor(t));
    /* Tools that page by number list the newest rows first: the following ones are older still. */
    if (!fresh && !by_cursor(t)) {
        t->listed = true;
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

/* An updated row moves to the front, so that rows which are not read yet only ever move back. */
static bool newest_first(const struct listing_tool *t)
{
    const struct mcp_tool *tool = mcp_tool_find(t->base.task.mcp, wh_slice_str(t->base.task.tool));

    return strcmp(t->base.task.tool, "list_pipelines") == 0 && tool &&
           mcp_tool_takes(tool, "order_by") && mcp_tool_takes(tool, "sort");
}

static bool can_resume(const struct listing_tool *t)
{
    return by_cursor(t) || newest_first(t) || t->page <= CURSOR_HASHES_MAX;
}

/* The page at the saved place follows what was read or overlaps it, so that no row is left out. */
static bool page_fits(struct listing_tool *t, struct wh_json_val result)
{
    struct wh_json_val rows;
    struct wh_json_val around;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_slice text;
    int64_t ms;

    if (!listing_tool_rows(result, &t->texts, &rows, &around)) {
        return false;
    }
    it = wh_json_iter(rows);
    if (!wh_json_next(&it, &text, &row)) {
        return false;
    }
    return by_cursor(t) || page_is_known(t, listing_tool_hash(rows)) ||
           (newest_first(t) && t->low_ms && listing_tool_row_time(row, &text, &ms) &&
            ms > t->low_ms);
}

/* Returns false when the server cannot answer at all now: the place is then tried again later. */
static bool place_is_lost(struct listing_tool *t, const struct mcp_answer *a)
{
    switch (a->outcome) {
    case MCP_OK:
        return !page_fits(t, a->result);
    case MCP_TOOL_BAD:
        return !listing_tool_throttled(a->result);
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

/* Starts at the first page. A saved place stays saved until a page is acknowledged. */
static void begin(struct listing_tool *t)
{
    struct wh_instant at;
    struct wh_err err;

    t->resumed = false;
    t->page = 0;
    t->page_cursor[0] = '\0';
    t->low_ms = 0;
    t->newest[0] = '\0';
    t->newest_ms = 0;
    t->begun_ms = wh_clock_now_ms(&t->base.env->clock);
    /* Begins a little before the newest row that is known, because clocks differ and transactions
     * commit late. */
    if (t->base.cursor->after[0] &&
        wh_time_parse(wh_slice_str(t->base.cursor->after), &at, &err) == WH_OK) {
        t->known_ms = at.ms;
        t->since_ms = at.ms - t->base.env->overlap_ms;
        memcpy(t->newest, t->base.cursor->after, sizeof(t->newest));
        t->newest_ms = at.ms;
    }
}

static void resume(struct listing_tool *t)
{
    const struct cursor_place *place = t->base.cursor->place;
    struct wh_instant at;
    struct wh_err err;

    /* The tool may page in the other way by now. */
    if (place == NULL || by_cursor(t) != (place->mark[0] != '\0')) {
        return;
    }
    t->resumed = true;
    t->page = by_cursor(t) ? place->pages : place->pages - 1;
    memcpy(t->page_cursor, place->mark, sizeof(t->page_cursor));
    t->low_ms = place->low_ms;
    t->begun_ms = place->begun_ms;
    if (wh_time_parse(wh_slice_str(place->newest), &at, &err) == WH_OK) {
        note_newest(t, wh_slice_str(place->newest), at.ms);
    }
}

static void on_page(void *ctx, const struct mcp_answer *a)
{
    struct listing_tool *t = ctx;

    t->call = NULL;
    if (t->resumed && place_is_lost(t, a)) {
        wh_log_info(t->base.env->log, "a listing is read from its first page again",
                    WH_STR("connection", t->base.env->connection),
                    WH_STR("tool", t->base.task.tool));
        begin(t);
    } else if (a->outcome == MCP_OK) {
        take_page(t, a->result);
    } else if (a->outcome == MCP_TOOL_BAD && listing_tool_throttled(a->result)) {
        fail(t, CLIENT_FAILED, "GitLab's rate limit");
    } else {
        fail(t, outcome_of(a->outcome), a->error ? a->error : "it failed");
    }
    move_on(t);
}

/* ---- the request ---- */

static enum wh_rc build_arguments(const struct listing_tool *t, const struct mcp_tool *tool,
                                  struct wh_buf *text, struct wh_err *err)
{
    char since[WH_TIME_TEXT_MAX] = "";
    const struct listing_tool_page page = {.project =
                                               t->base.task.project ? t->base.task.project->id : "",
                                           .since = since,
                                           .cursor = t->page_cursor,
                                           .page = t->page + 1,
                                           .rows = PER_PAGE};

    if (t->since_ms) {
        (void)wh_time_format(t->since_ms, since);
    }
    return listing_tool_arguments(tool, &page, text, err);
}

/* Returns false when the listing has failed. */
static bool ask(struct listing_tool *t)
{
    const struct mcp_tool *tool = mcp_tool_find(t->base.task.mcp, wh_slice_str(t->base.task.tool));
    WH_AUTO(buf) struct wh_buf arguments;
    struct wh_err err;

    wh_buf_init(&arguments, ARGUMENTS_MAX);
    if (tool == NULL) {
        fail(t, CLIENT_FAILED, "the tool is not listed any more");
    } else if (build_arguments(t, tool, &arguments, &err) != WH_OK ||
               mcp_call_tool(t->base.task.mcp, wh_slice_str(t->base.task.tool),
                             wh_buf_slice(&arguments), on_page, t, &t->call, &err) != WH_OK) {
        fail(t, CLIENT_FAILED, err.msg);
    }
    return t->call != NULL;
}

static enum wh_rc start(struct listing *l, struct wh_err *err)
{
    struct listing_tool *t = (struct listing_tool *)l;

    t->rows.fn = on_row_acked;
    l->saved.fn = on_saved;
    begin(t);
    resume(t);
    t->details = (struct listing_details){.mcp = l->task.mcp,
                                          .project = l->task.project ? l->task.project->id : "",
                                          .row = on_detail,
                                          .answered = on_detail_answered,
                                          .done = on_details,
                                          .ctx = t};
    listing_details_init(&t->details, l->task.tool);
    t->debts = l->env->read_links && t->details.tool ? l->cursor->n_owed : 0;
    ask_for_debts(t);
    if (listing_details_start(&t->details)) {
        return WH_OK;
    }
    return ask(t) ? WH_OK : wh_fail(err, WH_E_UNAVAILABLE, "%s", l->result.error);
}

/* Something is always under way. The listing ends when that is done. */
static void pump(struct listing *l)
{
    (void)l;
}

const struct listing_kind listing_by_tool = {
    .size = sizeof(struct listing_tool), .begin = start, .pump = pump, .done = done};
