/* The table of what agents asked and read. */
#include "stages/sink/calls/calls.h"
#include "stages/sink/sql/computed_priv.h"

enum {
    C_AT,
    C_AGENT,
    C_AGENT_NAME,
    C_TOOL,
    C_ARGUMENTS,
    C_RESULT,
    C_ROW_COUNT,
    C_IDS,
    C_ID_COUNT,
    C_DURATION_MS,
    C_COLUMNS
};

static const struct sql_column columns[C_COLUMNS] = {
    {"at", "TEXT", SQL_SHAPE_TIME, "when the call was answered"},
    {"agent", "TEXT", SQL_SHAPE_PLAIN,
     "the grant it used, as /tokens lists them; NULL: the API's token"},
    {"agent_name", "TEXT", SQL_SHAPE_PLAIN, "what it calls itself"},
    {"tool", "TEXT", SQL_SHAPE_PLAIN, "the tool of /mcp"},
    {"arguments", "TEXT", SQL_SHAPE_PLAIN, "its arguments as JSON, cut after 1000 bytes"},
    {"result", "TEXT", SQL_SHAPE_PLAIN, "ok, or what was wrong"},
    {"row_count", "INTEGER", SQL_SHAPE_PLAIN, "rows that it was given"},
    {"ids", "TEXT", SQL_SHAPE_JSON, "the first 20 records in the result"},
    {"id_count", "INTEGER", SQL_SHAPE_PLAIN, "different records in the result"},
    {"duration_ms", "INTEGER", SQL_SHAPE_PLAIN, "how long it took"},
};

static enum wh_rc start(struct sql_computing *c, int key, struct wh_slice value, struct wh_err *err)
{
    struct calls_reading *reading = NULL;

    (void)key;
    (void)value;
    if (c->conn->agent_calls && calls_read(c->conn->agent_calls, &reading, err) != WH_OK) {
        return err->rc;
    }
    c->state = reading;
    return WH_OK;
}

static enum wh_rc step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    struct sql_value row[C_COLUMNS] = {0};
    struct calls_call call;

    *ret_end = c->state == NULL || !calls_next(c->state, &call);
    if (*ret_end) {
        return WH_OK;
    }
    row[C_AGENT] = sql_value_of_text(call.agent);
    row[C_AGENT_NAME] = sql_value_of_text(call.name);
    row[C_TOOL] = sql_value_of_text(call.tool);
    row[C_ARGUMENTS] = sql_value_of_text(call.arguments);
    row[C_RESULT] = sql_value_of_text(call.result);
    row[C_ROW_COUNT] = sql_value_of_int(call.rows);
    row[C_IDS] = sql_value_of_text(call.ids);
    row[C_ID_COUNT] = sql_value_of_int(call.n_ids);
    row[C_DURATION_MS] = sql_value_of_int(call.took_ms);
    return sql_value_of_time(c, call.at_ms, &row[C_AT], err) == WH_OK
               ? sql_computed_add(c, row, err)
               : err->rc;
}

static void stop(struct sql_computing *c)
{
    calls_read_end(c->state);
    c->state = NULL;
}

const struct sql_computed_def sql_agent_calls = {
    .name = "agent_calls",
    .columns = columns,
    .n_columns = C_COLUMNS,
    .rows = 10000,
    .start = start,
    .step = step,
    .stop = stop,
};
