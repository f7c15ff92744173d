#include "stages/sink/sql/describe.h"

#include <stdio.h>
#include <string.h>

#include "stages/sink/sql/near.h"
#include "stages/sink/sql/sql_priv.h"

enum { NAME_MAX_BYTES = 128, JOINS_BYTES = 160, SAMPLE_ROWS = 40, EXAMPLE_CHARACTERS = 60 };

/* ---- what joins to what ---- */

static const struct {
    const char *column;
    const char *joins;
} joins[] = {
    {"id", "links.from_id, links.to_id, revisions.entity_id"},
    {"sha", "sha of merge_requests, pipelines, jobs, deployments and releases"},
    {"merge_commit_sha", "sha of pipelines, jobs, deployments and releases"},
    {"source_project_id", "projects.source_id, within an instance"},
    {"from_id", "id of the table of from_kind"},
    {"to_id", "id of the table of to_kind"},
    {"entity_id", "id of the table of kind"},
    {"entity", "work_items.id"},
    {"connection", "connections.id"},
    {"run", "runs.run, within a connection"},
};

static const struct wh_kind_def *kind_of(struct wh_slice table)
{
    static const char all[] = "_all";
    const struct sql_table_info *tables;
    size_t n;

    if (table.len > strlen(all) &&
        memcmp(table.ptr + table.len - strlen(all), all, strlen(all)) == 0) {
        table.len -= strlen(all);
    }
    tables = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(table, wh_slice_str(tables[i].name))) {
            return wh_kind_def(tables[i].kind);
        }
    }
    return NULL;
}

const char *sql_column_joins(struct wh_slice table, const char *column, char *out, size_t size)
{
    const struct wh_kind_def *kind = kind_of(table);
    int field = kind ? wh_kind_field(kind, wh_slice_str(column)) : -1;
    const struct wh_kind_def *other = field >= 0 ? wh_kind_def(kind->fields[field].ref_kind) : NULL;

    out[0] = '\0';
    if (other) {
        if (kind->fields[field].type == WH_FIELD_REFS) {
            (void)snprintf(out, size, "%s.id, by json_each(%s)", other->table, column);
        } else {
            (void)snprintf(out, size, "%s.id", other->table);
        }
        return out;
    }
    for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
        bool own = strcmp(joins[i].column, "id") == 0 || strstr(joins[i].column, "sha") != NULL;

        if (strcmp(joins[i].column, column) == 0 && (kind != NULL || !own)) {
            (void)snprintf(out, size, "%s", joins[i].joins);
        }
    }
    return out;
}

/* ---- the answers ---- */

static const char *type_of(const struct sql_column *column)
{
    switch (column->shape) {
    case SQL_SHAPE_BOOL:
        return "boolean (0 or 1)";
    case SQL_SHAPE_TIME:
        return "time (text)";
    case SQL_SHAPE_JSON:
        return "JSON (text)";
    case SQL_SHAPE_PLAIN:
    default:
        return strcmp(column->type, "TEXT") == 0      ? "text"
               : strcmp(column->type, "INTEGER") == 0 ? "integer"
                                                      : "real";
    }
}

/* Values of megabytes are no examples, and a sample of them would exceed the limits of a statement. */
static bool has_example(const struct sql_column *column)
{
    static const char *const long_ones[] = {"description", "text",    "yaml_errors",
                                            "document",    "outcome", "changed"};

    for (size_t i = 0; i < sizeof(long_ones) / sizeof(long_ones[0]); i++) {
        if (strcmp(column->name, long_ones[i]) == 0) {
            return column->shape == SQL_SHAPE_PLAIN && strcmp(column->type, "INTEGER") == 0;
        }
    }
    return true;
}

static void write_sample(sqlite3_str *out, const char *table, const struct sql_column *columns,
                         size_t n)
{
    sqlite3_str_appendall(out, "WITH sample AS MATERIALIZED (SELECT 1 AS \"1\"");
    for (size_t i = 0; i < n; i++) {
        if (has_example(&columns[i])) {
            sqlite3_str_appendf(out, ",\"%w\"", columns[i].name);
        }
    }
    sqlite3_str_appendf(out, " FROM \"%w\" LIMIT %d) ", table, SAMPLE_ROWS);
}

static void write_columns(sqlite3_str *out, const char *table)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = sql_columns(wh_slice_str(table), columns);
    char text[JOINS_BYTES];

    write_sample(out, table, columns, n);
    sqlite3_str_appendall(out, "SELECT column1 AS \"column\", column2 AS type, column3 AS meaning,"
                               " column4 AS joins, column5 AS example FROM (VALUES ");
    for (size_t i = 0; i < n; i++) {
        sqlite3_str_appendf(
            out, "%s(%Q,%Q,%Q,nullif(%Q,''),", i ? "," : "", columns[i].name, type_of(&columns[i]),
            columns[i].doc,
            sql_column_joins(wh_slice_str(table), columns[i].name, text, sizeof(text)));
        if (has_example(&columns[i])) {
            sqlite3_str_appendf(
                out, "(SELECT substr(\"%w\",1,%d) FROM sample WHERE \"%w\" IS NOT NULL LIMIT 1))",
                columns[i].name, EXAMPLE_CHARACTERS, columns[i].name);
        } else {
            sqlite3_str_appendall(out, "NULL)");
        }
    }
    sqlite3_str_appendall(out, ")");
}

static void write_tables(sqlite3_str *out)
{
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    sqlite3_str_appendall(out, "SELECT column1 AS \"table\", column2 AS meaning,"
                               " column3 AS example FROM (VALUES ");
    for (size_t i = 0; i < n; i++) {
        sqlite3_str_appendf(out, "%s(%Q,%Q,%Q)", i ? "," : "", tables[i].name, tables[i].doc,
                            tables[i].example);
    }
    sqlite3_str_appendall(out, ")");
}

static void write_schema(sqlite3_str *out, const char *table, const char *comma)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = sql_columns(wh_slice_str(table), columns);

    sqlite3_str_appendf(out, "%s('CREATE TABLE \"%w\" (')", comma, table);
    for (size_t i = 0; i < n; i++) {
        char *line = sqlite3_mprintf("  \"%w\" %s%s -- %s", columns[i].name, columns[i].type,
                                     i + 1 < n ? "," : "", columns[i].doc);

        sqlite3_str_appendf(out, ",(%Q)", line ? line : "");
        sqlite3_free(line);
    }
    sqlite3_str_appendall(out, ",(');')");
}

static void write_schemas(sqlite3_str *out, const char *table)
{
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    sqlite3_str_appendall(out, "SELECT column1 AS schema FROM (VALUES ");
    if (table[0]) {
        write_schema(out, table, "");
    }
    for (size_t i = 0; table[0] == '\0' && i < n; i++) {
        write_schema(out, tables[i].name, i ? "," : "");
    }
    sqlite3_str_appendall(out, ")");
}

/* ---- the statements ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes the next word off the text; a semicolon ends it. */
static struct wh_slice next_word(struct wh_slice *text)
{
    struct wh_slice word;
    size_t from = 0;
    size_t to;

    while (from < text->len && is_space(text->ptr[from])) {
        from++;
    }
    to = from;
    while (to < text->len && !is_space(text->ptr[to]) && text->ptr[to] != ';') {
        to++;
    }
    if (to == from) {
        return (struct wh_slice){NULL, 0};
    }
    word = wh_slice(text->ptr + from, to - from);
    *text = wh_slice_from(*text, to);
    return word;
}

static bool is_word(struct wh_slice word, const char *keyword)
{
    return word.len == strlen(keyword) && sqlite3_strnicmp(word.ptr, keyword, (int)word.len) == 0;
}

/* Nothing but space and semicolons. */
static bool is_end(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_space(text.ptr[i]) && text.ptr[i] != ';') {
            return false;
        }
    }
    return true;
}

static enum wh_rc table_name(struct wh_slice word, char name[NAME_MAX_BYTES], struct wh_err *err)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    char message[2 * NAME_MAX_BYTES];
    char near[160];

    if (word.len >= 2 && strchr("\"'`[", word.ptr[0])) {
        word = wh_slice(word.ptr + 1, word.len - 2);
    }
    (void)snprintf(name, NAME_MAX_BYTES, "%.*s", (int)(word.len < 100 ? word.len : 100), word.ptr);
    if (sql_columns(wh_slice_str(name), columns) > 0) {
        return WH_OK;
    }
    (void)snprintf(message, sizeof(message), "no such table: %s", name);
    sql_near_hint(message, word, near, sizeof(near));
    return wh_fail(err, WH_E_INVALID, "%s%s", message, near);
}

enum wh_rc sql_describe(struct wh_slice text, char **ret_sql, struct wh_err *err)
{
    struct wh_slice first = next_word(&text);
    struct wh_slice second = next_word(&text);
    bool describe = is_word(first, "describe") || is_word(first, "desc");
    bool schema = is_word(first, ".schema");
    bool tables =
        is_word(first, ".tables") || (is_word(first, "show") && is_word(second, "tables"));
    char name[NAME_MAX_BYTES] = "";
    sqlite3_str *out;

    *ret_sql = NULL;
    if (!is_end(text) || !(tables || schema || (describe && second.len))) {
        return WH_OK;
    }
    if (!tables && second.len && table_name(second, name, err) != WH_OK) {
        return err->rc;
    }
    out = sqlite3_str_new(NULL);
    if (tables) {
        write_tables(out);
    } else if (schema) {
        write_schemas(out, name);
    } else {
        write_columns(out, name);
    }
    *ret_sql = sqlite3_str_finish(out);
    return *ret_sql ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a description");
}
