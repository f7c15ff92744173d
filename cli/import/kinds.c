#include "cli/import/kinds.h"

#include <string.h>

#define KEY(name, stored)                                                                          \
    {                                                                                              \
        name, IMPORT_TEXT, true, false, NULL, stored                                               \
    }
#define TEXT(name)                                                                                 \
    {                                                                                              \
        name, IMPORT_TEXT, false, false, NULL, name                                                \
    }
#define LIST(name)                                                                                 \
    {                                                                                              \
        name, IMPORT_LIST, false, false, NULL, name                                                \
    }
#define DATE(name)                                                                                 \
    {                                                                                              \
        name, IMPORT_DATE, false, false, NULL, name                                                \
    }
#define PAGE                                                                                       \
    {                                                                                              \
        "url", IMPORT_URL, false, false, NULL, "url"                                               \
    }
#define ID                                                                                         \
    {                                                                                              \
        "id", IMPORT_TEXT, true, true, NULL, NULL                                                  \
    }
#define NAME                                                                                       \
    {                                                                                              \
        "name", IMPORT_TEXT, true, false, NULL, "name"                                             \
    }
#define COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

static const struct import_kind kinds[] = {
    {.name = "services",
     .entity = "service",
     .columns = {ID, NAME, LIST("aliases"), TEXT("tier"), TEXT("team"), PAGE, LIST("labels")},
     .n_columns = 7},
    {.name = "customers",
     .entity = "customer",
     .columns = {ID, NAME, LIST("aliases"), TEXT("domain"), TEXT("segment"), TEXT("region"),
                 TEXT("owner_email"), PAGE},
     .n_columns = 8},
    {.name = "service_customers",
     .entity = "service_customer",
     .columns = {{"service", IMPORT_TEXT, true, true, NULL, "service_key"},
                 {"customer", IMPORT_TEXT, true, true, NULL, "customer_key"},
                 {"since", IMPORT_DATE, false, true, NULL, "since"},
                 DATE("until")},
     .n_columns = 4,
     .from = "since",
     .to = "until"},
    {.name = "subscriptions",
     .entity = "subscription",
     .columns = {ID,
                 KEY("customer", "customer_key"),
                 {"amount_minor", IMPORT_WHOLE, true, false, NULL, "amount_minor"},
                 {"currency", IMPORT_CURRENCY, true, false, NULL, "currency"},
                 {"period", IMPORT_WORD, true, false, "month|quarter|year|once", "period"},
                 {"service", IMPORT_TEXT, false, false, NULL, "service_key"},
                 TEXT("product"),
                 DATE("starts_on"),
                 DATE("ends_on")},
     .n_columns = 9,
     .from = "starts_on",
     .to = "ends_on"},
    {.name = "people",
     .entity = "person",
     .columns = {ID,
                 NAME,
                 LIST("emails"),
                 LIST("accounts"),
                 TEXT("team"),
                 TEXT("title"),
                 {"type", IMPORT_WORD, false, false, "person|bot|shared", "type"},
                 {"status", IMPORT_WORD, false, false, "active|left", "status"}},
     .n_columns = 8},
    {.name = "service_ownership",
     .entity = "service_ownership",
     .columns = {{"service", IMPORT_TEXT, true, true, NULL, "service_key"},
                 {"project", IMPORT_TEXT, false, true, NULL, "project"},
                 {"path", IMPORT_TEXT, false, true, NULL, "path"},
                 {"environment", IMPORT_TEXT, false, true, NULL, "environment"},
                 {"label", IMPORT_TEXT, false, true, NULL, "label"}},
     .n_columns = 5,
     .needs_one = true},
};

const struct import_kind *import_kinds(size_t *ret_n)
{
    *ret_n = COUNT(kinds);
    return kinds;
}

const struct import_kind *import_kind_by_name(struct wh_slice name)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (wh_slice_eq(name, wh_slice_str(kinds[i].name))) {
            return &kinds[i];
        }
    }
    return NULL;
}

const struct import_kind *import_kind_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;

    return import_kind_by_name(wh_slice(base, strcspn(base, ".")));
}

int import_column_of(const struct import_kind *kind, struct wh_slice name)
{
    for (size_t i = 0; i < kind->n_columns; i++) {
        if (wh_slice_eq(name, wh_slice_str(kind->columns[i].name))) {
            return (int)i;
        }
    }
    return -1;
}

size_t import_identity_columns(const struct import_kind *kind)
{
    size_t n = 0;

    for (size_t i = 0; i < kind->n_columns; i++) {
        n += kind->columns[i].identity;
    }
    return n;
}

/* ---- currencies ---- */

/* Sorted, four bytes each. */
static const char currencies[] =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN "
    "BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP "
    "ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR "
    "ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD "
    "MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR "
    "PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL "
    "THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF "
    "XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG ZWL ";

bool import_is_currency(struct wh_slice code)
{
    enum { LETTERS = 3, STEP = 4 };
    size_t low = 0;
    size_t high = (sizeof(currencies) - 1) / STEP;

    while (code.len == LETTERS && low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(code.ptr, currencies + middle * STEP, LETTERS);

        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}
