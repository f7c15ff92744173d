#include "stages/sink/sql/near.h"

#include <stdio.h>

#include "common/base/nearest.h"
#include "stages/sink/sql/functions_priv.h"

static void offer_columns(struct wh_nearest *near, struct wh_slice table)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = sql_columns(table, columns);

    for (size_t i = 0; i < n; i++) {
        wh_nearest_offer(near, columns[i].name);
    }
}

void sql_near_column(struct wh_slice table, struct wh_slice name, char *out, size_t size)
{
    struct wh_nearest near;

    wh_nearest_init(&near, name);
    offer_columns(&near, table);
    wh_nearest_hint(&near, out, size);
}

/* The name behind the prefix, without what qualifies it. */
static bool name_after(const char *message, struct wh_slice prefix, struct wh_slice *ret)
{
    struct wh_slice text = wh_slice_str(message);

    if (!wh_slice_starts(text, prefix)) {
        return false;
    }
    *ret = wh_slice_from(text, prefix.len);
    for (size_t i = ret->len; i > 0; i--) {
        if (ret->ptr[i - 1] == '.') {
            *ret = wh_slice_from(*ret, i);
            break;
        }
    }
    return true;
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* True when the statement has the table's name, or that of its variant with deleted rows. */
static bool names_table(struct wh_slice statement, const char *table)
{
    size_t n = strlen(table);

    for (size_t i = 0; i + n <= statement.len; i++) {
        struct wh_slice rest = wh_slice_from(statement, i + n);

        if ((i > 0 && is_word_char(statement.ptr[i - 1])) ||
            sqlite3_strnicmp(statement.ptr + i, table, (int)n) != 0) {
            continue;
        }
        if (wh_slice_starts(rest, WH_LIT("_all"))) {
            rest = wh_slice_from(rest, 4);
        }
        if (rest.len == 0 || !is_word_char(rest.ptr[0])) {
            return true;
        }
    }
    return false;
}

static void near_column(struct wh_nearest *near, struct wh_slice statement, char *out, size_t size)
{
    const struct sql_table_info *tables;
    const char *named = NULL;
    size_t n;

    tables = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        if (names_table(statement, tables[i].name)) {
            named = named ? named : tables[i].name;
            offer_columns(near, wh_slice_str(tables[i].name));
        }
    }
    wh_nearest_hint(near, out, size);
    if (out[0] == '\0' && named) {
        (void)snprintf(out, size, "; `describe %s` lists its columns", named);
    }
}

/* What people call tables that have another name here. */
static const char *usual_name(struct wh_slice typed)
{
    static const struct {
        const char *usual;
        const char *table;
    } names[] = {
        {"builds", "jobs"},
        {"comments", "notes"},
        {"events", "changes"},
        {"groups", "projects"},
        {"history", "revisions"},
        {"members", "memberships"},
        {"mrs", "merge_requests"},
        {"repositories", "projects"},
        {"tickets", "issues"},
        {"user", "team_members"},
        {"users", "team_members"},
        {"merges", "merge_requests"},
        {"ci_pipelines", "pipelines"},
        {"tags", "releases"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (typed.len == strlen(names[i].usual) &&
            sqlite3_strnicmp(typed.ptr, names[i].usual, (int)typed.len) == 0) {
            return names[i].table;
        }
    }
    return NULL;
}

static void near_table(struct wh_nearest *near, char *out, size_t size)
{
    const struct sql_table_info *tables;
    const char *usual = usual_name(near->typed);
    size_t n;

    tables = sql_tables(&n);
    if (usual) {
        (void)snprintf(out, size, "; did you mean %s?", usual);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        wh_nearest_offer(near, tables[i].name);
    }
    wh_nearest_hint(near, out, size);
    if (out[0] == '\0') {
        (void)snprintf(out, size, "; `.tables` lists them");
    }
}

void sql_near_hint(const char *message, struct wh_slice statement, char *out, size_t size)
{
    struct wh_nearest near = {.n = 0};
    const struct sql_function_rule *rules;
    size_t n;

    out[0] = '\0';
    if (name_after(message, WH_LIT("no such column: "), &near.typed)) {
        near_column(&near, statement, out, size);
    } else if (name_after(message, WH_LIT("no such table: "), &near.typed)) {
        near_table(&near, out, size);
    } else if (name_after(message, WH_LIT("no such function: "), &near.typed)) {
        rules = sql_function_rules(&n);
        for (size_t i = 0; i < n; i++) {
            wh_nearest_offer(&near, rules[i].name);
        }
        wh_nearest_hint(&near, out, size);
    }
}
