#include "stages/sink/sql/near.h"

#include <stdio.h>

#include "stages/sink/sql/sql.h"

enum { NAMES = 3, NAME_MAX = 48, FAR = NAME_MAX };

struct near {
    struct wh_slice name;
    const char *names[NAMES];
    unsigned distances[NAMES];
    size_t n;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Edits between two names; FAR when one is too long. */
static unsigned distance(struct wh_slice a, struct wh_slice b)
{
    unsigned row[NAME_MAX + 1];

    if (a.len > NAME_MAX || b.len > NAME_MAX) {
        return FAR;
    }
    for (unsigned j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = diagonal + (lower(a.ptr[i - 1]) != lower(b.ptr[j - 1]));

            diagonal = row[j];
            row[j] = row[j] + 1 < change ? row[j] + 1 : change;
            row[j] = row[j - 1] + 1 < row[j] ? row[j - 1] + 1 : row[j];
        }
    }
    return row[b.len];
}

static void offer(struct near *near, const char *name)
{
    unsigned d = distance(near->name, wh_slice_str(name));
    size_t at = near->n;

    if (d > 2 + near->name.len / 3) {
        return;
    }
    for (size_t i = 0; i < near->n; i++) {
        if (strcmp(near->names[i], name) == 0) {
            return;
        }
    }
    while (at > 0 && near->distances[at - 1] > d) {
        at--;
    }
    if (at >= NAMES) {
        return;
    }
    if (near->n < NAMES) {
        near->n++;
    }
    for (size_t i = near->n - 1; i > at; i--) {
        near->names[i] = near->names[i - 1];
        near->distances[i] = near->distances[i - 1];
    }
    near->names[at] = name;
    near->distances[at] = d;
}

static void offer_columns(struct near *near, struct wh_slice table)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = sql_columns(table, columns);

    for (size_t i = 0; i < n; i++) {
        offer(near, columns[i].name);
    }
}

static void say(const struct near *near, char *out, size_t size)
{
    out[0] = 0;
    if (near->n == 1) {
        (void)snprintf(out, size, "; did you mean %s?", near->names[0]);
    } else if (near->n == 2) {
        (void)snprintf(out, size, "; did you mean %s or %s?", near->names[0], near->names[1]);
    } else if (near->n == NAMES) {
        (void)snprintf(out, size, "; did you mean %s, %s or %s?", near->names[0], near->names[1],
                       near->names[2]);
    }
}

void sql_near_column(struct wh_slice table, struct wh_slice name, char *out, size_t size)
{
    struct near near = {.name = name};

    offer_columns(&near, table);
    say(&near, out, size);
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

void sql_near_hint(const char *message, char *out, size_t size)
{
    struct near near = {0};
    const struct sql_table_info *tables;
    size_t n;

    out[0] = 0;
    tables = sql_tables(&n);
    if (name_after(message, WH_LIT("no such column: "), &near.name)) {
        for (size_t i = 0; i < n; i++) {
            offer_columns(&near, wh_slice_str(tables[i].name));
        }
    } else if (name_after(message, WH_LIT("no such table: "), &near.name)) {
        for (size_t i = 0; i < n; i++) {
            offer(&near, tables[i].name);
        }
    }
    say(&near, out, size);
}
