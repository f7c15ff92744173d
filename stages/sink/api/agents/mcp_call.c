/* A call of a tool: its arguments, its result, and the log of both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/entity.h"
#include "common/json/json_copy.h"
#include "stages/sink/api/agents/mcp_priv.h"

enum {
    RESULT_MAX_BYTES = 4 << 20,
    ARGUMENTS_MAX = 16,
    NUMBER_BYTES = 32,
    ROWS_MAX = 1000,
    SAID_MAX_BYTES = 2 << 20,
    IDS_MAX = 20000,
    /* The first of them are compared one by one. */
    IDS_LOOKED_AT = 1000
};

#define SIZE_DEFAULT "100"

typedef mcp_answer_fn answer_fn;

struct mcp_call {
    const struct mcp_tool *tool;
    const struct wh_json_val *arguments; /* NULL: none */
    struct wh_slice said;                /* as JSON */
    int64_t begun_ns;
    struct api_arg args[ARGUMENTS_MAX];
    size_t n;
    char numbers[ARGUMENTS_MAX][NUMBER_BYTES];
    char statement[64]; /* describe TABLE */
};

/* ---- arguments ---- */

static void add(struct mcp_call *aim, const char *name, struct wh_slice value)
{
    if (aim->n < ARGUMENTS_MAX) {
        aim->args[aim->n++] = (struct api_arg){wh_slice_str(name), value};
    }
}

/* A statement that describes a table. */
static enum wh_rc take_table(struct mcp_call *aim, struct wh_slice name, struct wh_err *err)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz_0123456789", name.ptr[i]) == NULL) {
            return wh_fail(err, WH_E_INVALID,
                           "that is no name of a table; without table all are listed");
        }
    }
    if (name.len == 0 || name.len > sizeof(aim->statement) - sizeof("describe ")) {
        return wh_fail(err, WH_E_INVALID, "table is a name from the list of tables");
    }
    (void)snprintf(aim->statement, sizeof(aim->statement), "describe %.*s", WH_SLICE_ARG(name));
    aim->args[0].value = wh_slice_str(aim->statement);
    return WH_OK;
}

static enum wh_rc take(struct api_job *job, const struct mcp_argument *a, struct wh_json_val v,
                       struct mcp_call *aim, struct wh_err *err)
{
    bool number = strcmp(a->type, "integer") == 0;
    char *text = aim->numbers[aim->n];

    if (number ? wh_json_type(v) != WH_JSON_INT : wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_TYPE, "%s must be %s: %s", a->name,
                       number ? "a whole number" : "a text", a->doc);
    }
    if (number) {
        if (wh_json_int(v) < 1 || wh_json_int(v) > ROWS_MAX) {
            return wh_fail(err, WH_E_RANGE, "%s must be 1 to %d", a->name, ROWS_MAX);
        }
        (void)snprintf(text, NUMBER_BYTES, "%lld", (long long)wh_json_int(v));
        add(aim, a->route, wh_slice_str(text));
    } else if (strcmp(a->route, "/") == 0) {
        job->id = wh_json_string(v);
    } else if (strcmp(a->route, "describe") == 0) {
        return take_table(aim, wh_json_string(v), err);
    } else {
        add(aim, a->route, wh_json_string(v));
    }
    return WH_OK;
}

static const struct mcp_argument *argument_of(const struct mcp_tool *tool, struct wh_slice name)
{
    for (const struct mcp_argument *a = tool->arguments; a->name; a++) {
        if (wh_slice_eq(name, wh_slice_str(a->name))) {
            return a;
        }
    }
    return NULL;
}

static enum wh_rc check_required(const struct mcp_tool *tool, const struct wh_json_val *arguments,
                                 struct wh_err *err)
{
    struct wh_json_val v;

    for (const struct mcp_argument *a = tool->arguments; a->name; a++) {
        if (a->required &&
            (arguments == NULL || !wh_json_get(*arguments, wh_slice_str(a->name), &v))) {
            return wh_fail(err, WH_E_INVALID, "%s is missing: %s", a->name, a->doc);
        }
    }
    return WH_OK;
}

static enum wh_rc read_arguments(struct api_job *job, struct mcp_call *aim, struct wh_err *err)
{
    const struct mcp_tool *tool = aim->tool;
    const struct wh_json_val *arguments = aim->arguments;
    struct wh_json_iter it = {0};
    struct wh_json_val v;
    struct wh_slice key;

    if (tool->sql) {
        add(aim, "sql", wh_slice_str(tool->sql));
    }
    if (arguments) {
        it = wh_json_iter(*arguments);
    }
    while (arguments && wh_json_next(&it, &key, &v)) {
        const struct mcp_argument *a = argument_of(tool, key);

        if (a == NULL) {
            return wh_fail(err, WH_E_INVALID, "%s has no argument %.*s", tool->name,
                           (int)(key.len < 40 ? key.len : 40), key.ptr);
        }
        if (take(job, a, v, aim, err) != WH_OK) {
            return err->rc;
        }
    }
    if (tool->answer == api_answer_sql &&
        (arguments == NULL || !wh_json_get(*arguments, WH_LIT("limit"), &v))) {
        add(aim, "_size", WH_LIT(SIZE_DEFAULT));
    }
    return check_required(tool, arguments, err);
}

/* ---- what was read, for the log ---- */

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct wh_entity_id));
}

/* All ids in a text, in order of their place; at most so many. */
static size_t find_ids(struct wh_slice text, struct wh_entity_id *ret, size_t max)
{
    struct wh_err err;
    size_t n = 0;

    for (size_t at = 0; at + WH_ENTITY_ID_TEXT <= text.len && n < max; at++) {
        struct wh_slice part = wh_slice(text.ptr + at, WH_ENTITY_ID_TEXT);

        if (part.ptr[8] == '-' && part.ptr[13] == '-' &&
            wh_entity_id_parse(part, &ret[n], &err) == WH_OK) {
            n++;
            at += WH_ENTITY_ID_TEXT - 1;
        }
    }
    return n;
}

static bool is_new(const struct wh_entity_id *ids, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (memcmp(&ids[k], &ids[i], sizeof(ids[i])) == 0) {
            return false;
        }
    }
    return true;
}

static void write_ids(struct wh_json_writer *w, const struct wh_entity_id *ids, size_t n)
{
    char text[WH_ENTITY_ID_TEXT + 1];
    size_t written = 0;

    wh_jw_array(w);
    for (size_t i = 0; i < n && i < IDS_LOOKED_AT && written < CALLS_IDS_MAX; i++) {
        if (is_new(ids, i)) {
            wh_jw_str(w, wh_slice_str(wh_entity_id_format(&ids[i], text)));
            written++;
        }
    }
    wh_jw_end(w);
}

static int64_t count_different(struct wh_entity_id *ids, size_t n)
{
    int64_t different = n > 0;

    qsort(ids, n, sizeof(*ids), by_id);
    for (size_t i = 1; i < n; i++) {
        different += memcmp(&ids[i], &ids[i - 1], sizeof(*ids)) != 0;
    }
    return different;
}

/* Fills in what of the result is logged; the texts are in the job's arena. */
static enum wh_rc look_at(struct api_job *job, struct wh_slice result, struct calls_call *call,
                          struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text = {0};
    struct wh_json_writer w;
    void *memory;
    size_t n;

    wh_buf_init(&text, CALLS_LINE_MAX);
    if (wh_arena_zalloc(&job->arena, IDS_MAX, sizeof(struct wh_entity_id), &memory, err) != WH_OK) {
        return err->rc;
    }
    n = find_ids(result, memory, IDS_MAX);
    wh_json_writer_init(&w, &text);
    write_ids(&w, memory, n);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    call->n_ids = count_different(memory, n);
    return wh_arena_dup(&job->arena, wh_buf_slice(&text), &call->ids, err);
}

static enum wh_rc log_call(struct api_job *job, const struct mcp_call *c, struct wh_slice result,
                           const struct wh_err *failed, struct wh_err *err)
{
    const struct wh_clock *clock = &job->api->deps.clock;
    struct calls_call call = {
        .at_ms = wh_clock_now_ms(clock),
        .agent = wh_slice_str(job->agent.id),
        .name = wh_slice_str(job->agent.name),
        .tool = wh_slice_str(c->tool->name),
        .arguments = c->said,
        .result = failed->rc != WH_OK       ? wh_slice_str(wh_rc_name(failed->rc))
                  : job->part_status >= 400 ? WH_LIT("refused")
                                            : WH_LIT("ok"),
        .rows = job->part_rows,
        .took_ms = (wh_clock_mono_ns(clock) - c->begun_ns) / 1000000,
    };

    if (job->api->calls == NULL) {
        return WH_OK;
    }
    return look_at(job, result, &call, err) == WH_OK ? calls_add(job->api->calls, &call, err)
                                                     : err->rc;
}

static enum wh_rc write_said(struct api_job *job, struct wh_json_val arguments,
                             struct wh_slice *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text = {0};
    struct wh_json_writer w;

    wh_buf_init(&text, SAID_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    wh_jw_value(&w, arguments);
    return wh_jw_finish(&w, err) == WH_OK ? wh_arena_dup(&job->arena, wh_buf_slice(&text), ret, err)
                                          : err->rc;
}

/* ---- the call ---- */

static void write_text(struct wh_json_writer *w, struct wh_slice text)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "type", WH_LIT("text"));
    wh_jw_put_str(w, "text", text);
    wh_jw_end(w);
}

static void write_result(struct wh_json_writer *w, struct wh_slice json, bool refused)
{
    wh_jw_key(w, "content");
    wh_jw_array(w);
    write_text(w, json);
    write_text(w, WH_LIT(MCP_LABEL));
    wh_jw_end(w);
    wh_jw_key(w, "structuredContent");
    wh_jw_raw(w, json);
    wh_jw_put_bool(w, "isError", refused);
}

/* What a model can do about it stands behind what is wrong. */
static void write_failure(struct wh_json_writer *w, const struct mcp_tool *tool,
                          const struct wh_err *err)
{
    const char *advice =
        err->rc == WH_E_TOO_LARGE
            ? "; ask for fewer rows or columns: a smaller limit, or a narrower statement"
        : err->rc == WH_E_TIMEOUT ? "; ask for less: a narrower where, or an index that "
                                    "describe_model shows"
        : err->rc == WH_E_BUSY || err->rc == WH_E_UNAVAILABLE ? "; try again in a second"
        : tool->answer == api_answer_sql && err->rc == WH_E_INVALID
            ? "; describe_model lists tables and columns"
            : "";
    char text[sizeof(err->msg) + 128];

    (void)snprintf(text, sizeof(text), "%s%s", err->msg, advice);
    wh_jw_key(w, "content");
    wh_jw_array(w);
    write_text(w, wh_slice_str(text));
    wh_jw_end(w);
    wh_jw_put_bool(w, "isError", true);
}

/* The route of this tool with these arguments. */
static enum wh_rc answer(struct api_job *job, struct mcp_call *c, struct wh_buf *out,
                         struct wh_err *err)
{
    answer_fn fn = c->tool->answer;

    if (read_arguments(job, c, err) != WH_OK) {
        return err->rc;
    }
    if (fn == api_answer_entities) {
        if (job->id.len == 0 && c->n == 0) {
            return wh_fail(err, WH_E_INVALID, "give id or url");
        }
        fn = job->id.len ? api_answer_entity : api_answer_url;
    }
    return api_capture(job, fn, c->args, c->n, out, err);
}

enum wh_rc mcp_call_tool(struct api_job *job, const struct mcp_tool *tool,
                         const struct wh_json_val *arguments, struct wh_json_writer *w,
                         struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json = {0};
    struct wh_err failed = {0};
    struct wh_err unlogged = {0};
    struct mcp_call c = {
        .tool = tool, .arguments = arguments, .begun_ns = wh_clock_mono_ns(&job->api->deps.clock)};

    wh_buf_init(&json, RESULT_MAX_BYTES);
    job->part_status = 0;
    job->part_rows = 0;
    if (arguments && write_said(job, *arguments, &c.said, err) != WH_OK) {
        return err->rc;
    }
    if (answer(job, &c, &json, &failed) == WH_OK) {
        failed.rc = WH_OK;
    } else {
        wh_buf_reset(&json);
    }
    /* What is not logged is not told. */
    if (log_call(job, &c, wh_buf_slice(&json), &failed, &unlogged) != WH_OK) {
        wh_log_error(job->api->deps.log, "a call of an agent could not be logged",
                     WH_RC(&unlogged));
        return wh_fail(err, WH_E_UNAVAILABLE, "the call could not be logged");
    }
    if (failed.rc == WH_OK) {
        write_result(w, wh_buf_slice(&json), job->part_status >= 400);
    } else {
        write_failure(w, tool, &failed);
    }
    return WH_OK;
}
