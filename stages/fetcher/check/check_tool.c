#include "stages/fetcher/check/check_tool_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/check/evidence.h"
#include "stages/fetcher/listing/tool_detail.h"
#include "stages/fetcher/listing/tool_page.h"
#include "stages/fetcher/state/cursors.h"

enum { PAGE_ROWS = 100, PAGES_MAX = 100000, ARGUMENTS_MAX = 4096 };

enum tool_step {
    TOOL_LIST,
    TOOL_ABSENT, /* what the listing did not contain; without a listing, what is unsure */
    TOOL_PROVE,  /* can the project still be read? */
    TOOL_OVER
};

struct check_tool {
    struct check_tool *next;
    struct check_job_conf conf;
    const char *tool;
    unsigned stream; /* an index of streams.h */
    enum tool_step step;
    struct mcp_call *call;
    struct wh_json_parser *texts; /* for servers that return rows only as text */
    char mark[CURSOR_MARK_MAX];   /* the server's cursor of the next page */
    unsigned pages;
    struct listing_details details; /* of what is absent */
    bool shown;                     /* the tool shows the object whose answer is handled */
    bool asking;                    /* details are under way */
    int64_t at;                     /* the number that was asked for last */
    char at_id[ABSENCE_ID_MAX];     /* the absence that was asked for last */
    int64_t asked;                  /* numbers */
    bool failed;
};

static struct stream_count *count_of(const struct check_tool *t)
{
    return &t->conf.run->counts[t->stream];
}

static void tool_fail(struct check_tool *t, const char *text)
{
    struct check_result *result = t->conf.result;

    if (!t->failed) {
        (void)snprintf(result->error, sizeof(result->error), "checking %s: %.120s",
                       numbers_stream_name(t->conf.n->stream), text ? text : "the tool failed");
    }
    t->failed = true;
    count_of(t)->failed++;
}

/* The tool works, but nothing can be concluded from it: another run would not know more. */
static void no_proof(struct check_tool *t, const char *text)
{
    (void)snprintf(t->conf.result->error, sizeof(t->conf.result->error), "checking %s: %.120s",
                   numbers_stream_name(t->conf.n->stream), text);
    count_of(t)->failed++;
    t->step = TOOL_OVER;
}

/* ---- the listing ---- */

/* Rows that are not known as read are published by the listing of the next run. */
static void take_row(struct check_tool *t, struct wh_json_val row)
{
    struct number_set *ids = t->conf.n->set;
    struct number_set_entry e;
    char text[24];
    int64_t number;
    struct wh_err err;

    count_of(t)->checked++;
    if (listing_tool_row_id(row, "id", text)) {
        evidence_shown(t->conf.env, t->conf.n, text);
    }
    if (!listing_tool_row_id(row, "iid", text) ||
        wh_num_i64(wh_slice_str(text), &number, &err) != WH_OK) {
        return;
    }
    e = number_set_get(ids, number);
    if (e.fate == NUMBER_HELD &&
        number_set_put(ids, number, e.id, NUMBER_HAVE, e.confidential, &err) != WH_OK) {
        tool_fail(t, err.msg);
    } else if (e.fate != NUMBER_UNKNOWN) {
        number_set_mark(ids, number);
    }
}

/* Only what the server says itself proves that the listing has ended. */
static void next_page(struct check_tool *t, struct wh_json_val around)
{
    struct wh_slice cursor;

    if (listing_tool_ended(around)) {
        t->step = TOOL_ABSENT;
    } else if (!listing_tool_cursor(around, &cursor) || cursor.len >= sizeof(t->mark) ||
               wh_slice_eq(cursor, wh_slice_str(t->mark)) || ++t->pages > PAGES_MAX) {
        no_proof(t, "the tool does not say where its listing ends");
    } else {
        memcpy(t->mark, cursor.ptr, cursor.len);
        t->mark[cursor.len] = '\0';
    }
}

static bool rows_of(struct check_tool *t, const struct mcp_answer *a, struct wh_json_val *rows,
                    struct wh_json_val *around)
{
    t->call = NULL;
    if (a->outcome != MCP_OK) {
        tool_fail(t, a->error);
        return false;
    }
    if (!listing_tool_rows(a->result, &t->texts, rows, around)) {
        tool_fail(t, "the tool's answer holds no rows");
        return false;
    }
    count_of(t)->pages++;
    return true;
}

static void on_page(void *ctx, const struct mcp_answer *a)
{
    struct check_tool *t = ctx;
    struct wh_json_val around;
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_slice key;

    if (rows_of(t, a, &rows, &around)) {
        for (it = wh_json_iter(rows); wh_json_next(&it, &key, &row);) {
            take_row(t, row);
        }
        next_page(t, around);
    }
    t->conf.progress(t->conf.ctx);
}

static void ask_page(struct check_tool *t, unsigned rows, mcp_fn fn)
{
    struct mcp *mcp = t->conf.run->mcp;
    const struct mcp_tool *tool = mcp_tool_find(mcp, wh_slice_str(t->tool));
    const struct listing_tool_page page = {
        .project = t->conf.project->id, .since = "", .cursor = t->mark, .page = 1, .rows = rows};
    WH_AUTO(buf) struct wh_buf arguments;
    struct wh_err err;

    wh_buf_init(&arguments, ARGUMENTS_MAX);
    if (tool == NULL || !mcp_tool_takes(tool, "after")) {
        no_proof(t, "the tool does not list page after page");
    } else if (listing_tool_arguments(tool, &page, &arguments, &err) != WH_OK ||
               mcp_call_tool(mcp, wh_slice_str(t->tool), wh_buf_slice(&arguments), fn, t, &t->call,
                             &err) != WH_OK) {
        tool_fail(t, err.msg);
    }
}

/* ---- what is absent ---- */

static bool on_object(void *ctx, struct wh_json_val row)
{
    struct check_tool *t = ctx;
    char id[24];

    t->shown = listing_tool_row_id(row, "id", id);
    if (t->shown) {
        evidence_shown(t->conf.env, t->conf.n, id);
    }
    return t->shown;
}

static void on_answered(void *ctx, const char *iid, const char *why)
{
    struct check_tool *t = ctx;
    int64_t number = strtoll(iid, NULL, 10);
    struct number_set_entry e = number_set_get(t->conf.n->set, number);
    struct wh_err err;

    if (why) {
        /* No verdict about this one: it is asked for again by the next check. */
        count_of(t)->failed++;
        (void)snprintf(t->conf.result->error, sizeof(t->conf.result->error), "checking %s: %.120s",
                       numbers_stream_name(t->conf.n->stream), why);
    } else if (!t->shown) {
        evidence_absent(t->conf.env, t->conf.n, number, true);
    } else if (e.fate == NUMBER_HELD && number_set_put(t->conf.n->set, number, e.id, NUMBER_HAVE,
                                                       e.confidential, &err) != WH_OK) {
        tool_fail(t, err.msg);
    }
    t->shown = false;
}

static void on_absent(void *ctx, const char *failure)
{
    struct check_tool *t = ctx;

    t->asking = false;
    if (failure) {
        tool_fail(t, failure);
    }
    t->conf.progress(t->conf.ctx);
}

/* The next number that is to be asked for; 0: there is none. */
static int64_t next_absent(struct check_tool *t)
{
    int64_t most = t->conf.thorough ? INT64_MAX : t->conf.env->limits.numbers_max;

    if (t->asked >= most) {
        return 0;
    }
    if (!t->conf.list) {
        return evidence_due(t->conf.env, t->conf.n, t->at_id);
    }
    while (number_set_next(t->conf.n->set, t->at, 1u << NUMBER_HAVE | 1u << NUMBER_HELD, &t->at)) {
        if (!number_set_get(t->conf.n->set, t->at).listed) {
            return t->at;
        }
    }
    return 0;
}

static void ask_absent(struct check_tool *t)
{
    char iid[24];
    int64_t number = 0;

    for (size_t i = 0; i < LISTING_DETAILS_MAX && (number = next_absent(t)) != 0; i++) {
        t->asked++;
        count_of(t)->singles++;
        (void)snprintf(iid, sizeof(iid), "%" PRId64, number);
        listing_details_add(&t->details, iid);
    }
    if (t->details.n == 0) {
        t->step = TOOL_PROVE;
        t->mark[0] = '\0';
        return;
    }
    t->asking = listing_details_start(&t->details);
    if (!t->asking) {
        tool_fail(t, t->details.failure);
    }
}

/* ---- the proof ---- */

/* Without the project, "not found" may mean that we lost the right to see it. */
static void on_project(void *ctx, const struct mcp_answer *a)
{
    struct check_tool *t = ctx;
    struct wh_json_val around;
    struct wh_json_val rows;

    if (rows_of(t, a, &rows, &around)) {
        evidence_hold(t->conf.env, t->conf.n);
    }
    t->step = TOOL_OVER;
    t->conf.progress(t->conf.ctx);
}

static void prove(struct check_tool *t)
{
    if (!evidence_any(t->conf.env, t->conf.n)) {
        t->step = TOOL_OVER;
    } else {
        ask_page(t, 1, on_project);
    }
}

/* ---- the job ---- */

bool check_tool_start(struct check_tools *all, const struct check_job_conf *conf, const char *tool)
{
    struct check_tool *t = wh_mem_zalloc(1, sizeof(*t));

    if (t == NULL) {
        return false;
    }
    t->conf = *conf;
    t->tool = tool;
    while (t->stream < STREAMS - 1 && numbers_stream_of(t->stream) != conf->n->stream) {
        t->stream++;
    }
    t->step = conf->list ? TOOL_LIST : TOOL_ABSENT;
    t->details = (struct listing_details){.mcp = conf->run->mcp,
                                          .project = conf->project->id,
                                          .row = on_object,
                                          .answered = on_answered,
                                          .done = on_absent,
                                          .ctx = t};
    listing_details_init(&t->details, tool);
    if (conf->list) {
        number_set_unmark_all(conf->n->set);
    }
    t->next = all->first;
    all->first = t;
    all->n++;
    return true;
}

static void tool_pump(struct check_tool *t)
{
    if (t->details.tool == NULL) {
        t->step = TOOL_OVER; /* nothing could be proved */
    }
    if (!t->failed && t->conf.env->tool(t->conf.env->ctx, t->stream) == NULL) {
        tool_fail(t, "the tool is not used any more");
    }
    if (t->failed || t->call || t->asking) {
        return;
    }
    if (t->step == TOOL_LIST) {
        ask_page(t, PAGE_ROWS, on_page);
    } else if (t->step == TOOL_ABSENT) {
        ask_absent(t);
    }
    if (t->step == TOOL_PROVE && !t->failed) {
        prove(t);
    }
}

static void tool_free(struct check_tool *t)
{
    if (t->call) {
        mcp_cancel(t->call);
    }
    listing_details_cancel(&t->details);
    wh_json_parser_free(t->texts);
    wh_mem_free(t);
}

bool check_tools_pump(struct check_tools *all)
{
    struct check_tool **link = &all->first;
    bool ok = true;

    while (*link) {
        struct check_tool *t = *link;

        tool_pump(t);
        if ((t->failed || t->step == TOOL_OVER) && !t->call && !t->asking) {
            ok = ok && !t->failed;
            *link = t->next;
            all->n--;
            tool_free(t);
        } else {
            link = &t->next;
        }
    }
    return ok;
}

void check_tools_free(struct check_tools *all)
{
    while (all->first) {
        struct check_tool *next = all->first->next;

        tool_free(all->first);
        all->first = next;
    }
    all->n = 0;
}
