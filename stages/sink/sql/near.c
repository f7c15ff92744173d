#include "stages/sink/sql/near.h"

#include "common/base/nearest.h"
#include "stages/sink/sql/sql.h"

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

void sql_near_hint(const char *message, char *out, size_t size)
{
    struct wh_nearest near = {.n = 0};
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    if (name_after(message, WH_LIT("no such column: "), &near.typed)) {
        for (size_t i = 0; i < n; i++) {
            offer_columns(&near, wh_slice_str(tables[i].name));
        }
    } else if (name_after(message, WH_LIT("no such table: "), &near.typed)) {
        for (size_t i = 0; i < n; i++) {
            wh_nearest_offer(&near, tables[i].name);
        }
    }
    wh_nearest_hint(&near, out, size);
}
