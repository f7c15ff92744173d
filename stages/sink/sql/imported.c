#include "stages/sink/sql/imported.h"

static const struct sql_imported_column columns[] = {
    {SQL_IMPORTED_SOURCE,
     NULL,
     {"source", "TEXT", SQL_SHAPE_PLAIN, "the name of the source that imported it"}},
    {SQL_IMPORTED_KEY,
     "service",
     {"service_key", "TEXT", SQL_SHAPE_PLAIN, "the service as it was imported"}},
    {SQL_IMPORTED_KEY,
     "customer",
     {"customer_key", "TEXT", SQL_SHAPE_PLAIN, "the customer as it was imported"}},
    {SQL_IMPORTED_MONTHLY,
     "amount_minor",
     {"monthly_minor", "INTEGER", SQL_SHAPE_PLAIN,
      "what it is worth in a month: a year / 12, a quarter / 3, rounded half to even; 0 for once"}},
};

size_t sql_imported_columns(const struct wh_kind_def *kind,
                            const struct sql_imported_column *ret[SQL_IMPORTED_MAX])
{
    size_t n = 0;

    for (size_t i = 0; kind->kind >= WH_KIND_SERVICE && kind->kind <= WH_KIND_SERVICE_OWNERSHIP &&
                       i < sizeof(columns) / sizeof(columns[0]);
         i++) {
        if (columns[i].field == NULL || wh_kind_field(kind, wh_slice_str(columns[i].field)) >= 0) {
            ret[n++] = &columns[i];
        }
    }
    return n;
}

enum wh_kind sql_imported_key(const struct wh_kind_def *kind, unsigned field,
                              struct sql_column ret[2])
{
    static const struct {
        const char *field;
        enum wh_kind of;
        struct sql_column columns[2];
    } keys[] = {
        {"service",
         WH_KIND_SERVICE,
         {{"service", "TEXT", SQL_SHAPE_PLAIN,
           "the only service that claims service_key; NULL: none does, or several do"},
          {"service_name", "TEXT", SQL_SHAPE_PLAIN, "its name"}}},
        {"customer",
         WH_KIND_CUSTOMER,
         {{"customer", "TEXT", SQL_SHAPE_PLAIN,
           "the only customer that claims customer_key; NULL: none does, or several do"},
          {"customer_name", "TEXT", SQL_SHAPE_PLAIN, "its name"}}},
    };

    for (size_t i = 0; kind->kind >= WH_KIND_SERVICE_CUSTOMER && i < 2; i++) {
        if (strcmp(kind->fields[field].name, keys[i].field) == 0) {
            memcpy(ret, keys[i].columns, sizeof(keys[i].columns));
            return keys[i].of;
        }
    }
    return WH_KIND_NONE;
}

bool sql_imported_monthly(struct wh_slice period, int64_t amount, int64_t *ret)
{
    static const struct {
        const char *period;
        int64_t months; /* 0: it counts nothing */
    } known[] = {{"month", 1}, {"quarter", 3}, {"year", 12}, {"once", 0}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        int64_t months = known[i].months;
        int64_t rest;

        if (!wh_slice_eq(period, wh_slice_str(known[i].period))) {
            continue;
        }
        if (amount < 0 || months == 0) {
            *ret = 0;
            return amount >= 0;
        }
        rest = amount % months;
        *ret = amount / months;
        *ret += 2 * rest > months || (2 * rest == months && *ret % 2 == 1);
        return true;
    }
    return false;
}
