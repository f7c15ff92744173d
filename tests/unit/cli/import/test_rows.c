/* Files of rows: what is right becomes a payload, and what is wrong is named with its line and column. */
#include "tests/lib/th_cmocka.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/import/reader.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/tempfile.h"

enum { TEXT_MAX = 4 << 20 };

struct seen {
    struct wh_buf errors;  /* "7: amount_minor: '-1' is negative\n" */
    struct wh_buf records; /* "identity payload\n" */
    size_t wrong_rows;
    uint32_t shown;
    struct wh_hash128 content;
};

static void on_wrong(void *ctx, int64_t line, struct wh_slice column, const char *reason)
{
    struct seen *seen = ctx;
    struct wh_err err;

    th_ok(wh_buf_printf(&seen->errors, &err, "%" PRId64 ": %.*s: %s\n", line, WH_SLICE_ARG(column),
                        reason),
          &err);
}

static enum wh_rc on_row(void *ctx, bool good, const struct import_record *record,
                         struct wh_err *err)
{
    struct seen *seen = ctx;

    if (!good) {
        seen->wrong_rows++;
        return WH_OK;
    }
    seen->shown = record->shown;
    seen->content = record->content;
    return wh_buf_printf(&seen->records, err, "%.*s %.*s\n", WH_SLICE_ARG(record->identity),
                         WH_SLICE_ARG(record->payload));
}

static void seen_init(struct seen *seen)
{
    *seen = (struct seen){0};
    wh_buf_init(&seen->errors, TEXT_MAX);
    wh_buf_init(&seen->records, TEXT_MAX);
}

static void seen_done(struct seen *seen)
{
    wh_buf_done(&seen->errors);
    wh_buf_done(&seen->records);
}

static void read_bytes(const char *name, const char *kind, struct wh_slice bytes, struct seen *seen)
{
    struct import_row *row = import_row_new(
        WH_LIT("import:crm"), &(struct import_report){.wrong = on_wrong, .ctx = seen});
    struct import_file file = {.name = name,
                               .kind = import_kind_by_name(wh_slice_str(kind)),
                               .fd = wh_tempfile_open("/tmp")};
    const struct import_rows rows = {.row = on_row, .ctx = seen};
    struct wh_err err;

    assert_non_null(row);
    assert_non_null(file.kind);
    assert_true(file.fd >= 0);
    assert_int_equal(write(file.fd, bytes.ptr, bytes.len), bytes.len);
    assert_int_equal(lseek(file.fd, 0, SEEK_SET), 0);
    th_ok(import_read(&file, row, &rows, &err), &err);
    (void)close(file.fd);
    import_row_free(row);
}

/* What a text gives: its errors, then its records. */
static void gives(const char *name, const char *kind, const char *text, const char *errors,
                  const char *records)
{
    struct seen seen;

    seen_init(&seen);
    read_bytes(name, kind, wh_slice_str(text), &seen);
    assert_string_equal(wh_buf_str(&seen.errors), errors);
    assert_string_equal(wh_buf_str(&seen.records), records);
    seen_done(&seen);
}

/* ---- CSV ---- */

static void test_csv(void **state)
{
    (void)state;
    gives("x.csv", "services",
          "\xEF\xBB\xBFid,name,aliases,extra\r\n"
          "a,\"One, \"\"two\"\"\",x; y ;;z,1\r\n"
          "\r\n"
          "b,\"over\r\ntwo lines\",,\r\n"
          "c,C,,last",
          "",
          "a {\"id\":\"a\",\"name\":\"One, "
          "\\\"two\\\"\",\"aliases\":[\"x\",\"y\",\"z\"],\"extra\":\"1\"}\n"
          "b {\"id\":\"b\",\"name\":\"over\\r\\ntwo lines\",\"aliases\":[],\"extra\":\"\"}\n"
          "c {\"id\":\"c\",\"name\":\"C\",\"aliases\":[],\"extra\":\"last\"}\n");
}

static void test_csv_lines(void **state)
{
    (void)state;
    gives("x.csv", "services",
          "id,name\n"
          "\n"
          "a,\"two\nlines\"\n"
          ",late\n"
          "b,B,too many\n"
          "c\n"
          "d,D\n",
          "5: id: a value is needed\n"
          "6: row: the row has 3 cells, and the header has 2\n"
          "7: name: the row has 1 cell, and the header has 2\n",
          "a {\"id\":\"a\",\"name\":\"two\\nlines\"}\n"
          "d {\"id\":\"d\",\"name\":\"D\"}\n");
}

static void test_csv_quotes(void **state)
{
    static const char out_of_place[] = "a quote is out of place: a cell with quotes is quoted "
                                       "itself, and they are doubled\n";
    char want[400];

    (void)state;
    (void)snprintf(want, sizeof(want),
                   "2: name: %s3: name: %s5: name: the quoted cell does not end\n", out_of_place,
                   out_of_place);
    gives("x.csv", "services",
          "id,name\n"
          "a,say \"no\"\n"
          "b,\"no\" more\n"
          "c,C\n"
          "d,\"open\n"
          "e,E\n",
          want, "c {\"id\":\"c\",\"name\":\"C\"}\n");
}

static void test_csv_header(void **state)
{
    (void)state;
    gives("x.csv", "services", "", "1: row: the file has no header\n", "");
    gives("x.csv", "services", "id,tier,tier,\na,1,2,3\n",
          "1: tier: the header has this column twice\n"
          "1: row: column 4 of the header has no name\n"
          "1: name: the header lacks this column\n",
          "");
    gives("x.csv", "services", "id;name\na;A\n",
          "1: row: the columns must be separated by commas\n"
          "1: id: the header lacks this column\n"
          "1: name: the header lacks this column\n",
          "");
    gives("x.csv", "service_ownership", "service,team\na,b\n",
          "1: project: the header lacks this column and those that could stand for it\n", "");
    gives("x.csv", "services", "id,name\r", "", "");
}

/* Each column's rule, each once. */
static void test_rules(void **state)
{
    (void)state;
    gives("x.csv", "subscriptions",
          "id,customer,amount_minor,currency,period,starts_on,ends_on\n"
          "a,c,-1,EUR,month,,\n"
          "b,c,1.5,EUR,month,,\n"
          "c,c,9223372036854775808,EUR,month,,\n"
          "d,c,1,EURO,month,,\n"
          "e,c,1,EUX,month,,\n"
          "f,c,1,EUR,weekly,,\n"
          "g,c,1,EUR,month,2025-02-29,\n"
          "h,c,1,EUR,month,2025-1-1,\n"
          "i,c,1,EUR,month,2025-02-02,2025-02-01\n"
          "j,,,,,,\n"
          "k,c,1e3,eUr,QUARTER,2024-02-29,9999-12-31\n"
          "l,c, 007 ,eUr,QUARTER,2024-02-29,9999-12-31\n",
          "2: amount_minor: '-1' is negative\n"
          "3: amount_minor: '1.5' is not a whole number\n"
          "4: amount_minor: '9223372036854775808' is above 9223372036854775807\n"
          "5: currency: 'EURO' is not a currency of ISO 4217\n"
          "6: currency: 'EUX' is not a currency of ISO 4217\n"
          "7: period: 'weekly' is none of month, quarter, year, once\n"
          "8: starts_on: '2025-02-29' is not a day of the calendar: YYYY-MM-DD\n"
          "9: starts_on: '2025-1-1' is not a day of the calendar: YYYY-MM-DD\n"
          "10: ends_on: the day is before that in starts_on\n"
          "11: customer: a value is needed\n"
          "11: amount_minor: a value is needed\n"
          "11: currency: a value is needed\n"
          "11: period: a value is needed\n"
          "12: amount_minor: '1e3' is not a whole number\n",
          "l {\"id\":\"l\",\"customer\":\"c\",\"amount_minor\":7,\"currency\":\"EUR\","
          "\"period\":\"quarter\",\"starts_on\":\"2024-02-29\",\"ends_on\":\"9999-12-31\"}\n");
    gives("x.csv", "people", "id,name,type,status\na,A,robot,gone\nb,B,Shared,LEFT\n",
          "2: type: 'robot' is none of person, bot, shared\n"
          "2: status: 'gone' is none of active, left\n",
          "b {\"id\":\"b\",\"name\":\"B\",\"type\":\"shared\",\"status\":\"left\"}\n");
    gives("x.csv", "service_ownership",
          "service,project,path,environment,label\na,,,,\na,p:q,,e\\f,\n",
          "2: project: one of these is needed: project path environment label\n",
          "a:p\\:q::e\\\\f: {\"service\":\"a\",\"project\":\"p:q\",\"path\":null,"
          "\"environment\":\"e\\\\f\",\"label\":null}\n");
}

static void test_bytes(void **state)
{
    static const char bad[] = "id,name,extra\na,A\xFF,x\nb,B\0,x\nc,C,\xC3\nd,D,\0\n";
    struct seen seen;

    (void)state;
    seen_init(&seen);
    read_bytes("x.csv", "services", wh_slice(bad, sizeof(bad) - 1), &seen);
    assert_string_equal(wh_buf_str(&seen.errors),
                        "2: name: the text is not valid UTF-8\n"
                        "3: name: a NUL byte is not allowed in a text\n"
                        "4: extra: the text is not valid UTF-8\n"
                        "5: extra: a NUL byte is not allowed in a text\n");
    assert_int_equal(seen.wrong_rows, 4);
    seen_done(&seen);
}

static void fill(struct wh_buf *out, char c, size_t n)
{
    struct wh_err err;

    for (size_t i = 0; i < n; i++) {
        th_ok(wh_buf_append_char(out, c, &err), &err);
    }
}

static void test_long_values(void **state)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;
    struct seen seen;

    (void)state;
    wh_buf_init(&text, TEXT_MAX);
    th_ok(wh_buf_printf(&text, &err, "id,name\na,"), &err);
    fill(&text, 'x', IMPORT_TEXT_MAX + 1);
    th_ok(wh_buf_printf(&text, &err, "\n"), &err);
    fill(&text, 'y', IMPORT_IDENTITY_MAX + 1);
    th_ok(wh_buf_printf(&text, &err, ",B\nc,\""), &err);
    fill(&text, 'z', IMPORT_ROW_MAX);
    th_ok(wh_buf_printf(&text, &err, "\"\nd,D\n"), &err);
    seen_init(&seen);
    read_bytes("x.csv", "services", wh_buf_slice(&text), &seen);
    assert_string_equal(
        wh_buf_str(&seen.errors),
        "2: name: a text of 4097 bytes is too long: at most 4096 are allowed\n"
        "3: id: the columns of the row's identity are too long: 1000 bytes at most\n"
        "4: name: the row is longer than 1 MiB; a quote may be missing\n");
    assert_non_null(strstr(wh_buf_str(&seen.records), "\"id\":\"d\""));
    seen_done(&seen);
}

/* ---- JSON ---- */

static void test_json_array(void **state)
{
    (void)state;
    gives("x.json", "services",
          "[\n"
          "  {\"id\": \"a\", \"name\": \"[x], {y}\", \"aliases\": [\"p\", \" q \"]},\n"
          "  {\"id\": 7,\n   \"name\": \"seven\", \"tier\": null, \"z\": [1, {\"k\": true}], "
          "\"b\": 1.5},\n"
          "  {\"id\": \"a2\", \"name\": true},\n"
          "  7,\n"
          "  {\"id\": \"a3\", \"name\": \"x\", \"name\": \"y\"},\n"
          "  {\"id\": \"a4\" \"name\": \"x\"}\n"
          "]\n",
          "5: name: a text is needed, and this is none\n"
          "6: row: a row must be an object\n"
          "7: name: the column occurs twice\n"
          "8: row: the row is not valid JSON: malformed JSON within 24 bytes\n",
          "a {\"id\":\"a\",\"name\":\"[x], {y}\",\"aliases\":[\"p\",\"q\"]}\n"
          "7 {\"id\":\"7\",\"name\":\"seven\",\"tier\":null,\"b\":1.5,\"z\":[1,{\"k\":true}]}\n");
}

static void test_json_ends(void **state)
{
    (void)state;
    gives("x.json", "services", "", "1: row: the file is empty\n", "");
    gives("x.json", "services", "[]", "", "");
    gives("x.json", "services", "[{\"id\":\"a\",\"name\":\"A\"}",
          "1: row: the array does not end\n", "a {\"id\":\"a\",\"name\":\"A\"}\n");
    gives("x.json", "services", "[{\"id\":\"a\",\"name\":\"A\"},]",
          "1: row: between two rows a comma is expected\n", "a {\"id\":\"a\",\"name\":\"A\"}\n");
    gives("x.json", "services", "[]\n[]", "2: row: something follows the end of the array\n", "");
}

static void test_json_lines(void **state)
{
    (void)state;
    gives("-", "subscriptions",
          "\n{\"id\":\"a\",\"customer\":\"c\",\"amount_minor\":5,\"currency\":\"usd\",\"period\":"
          "\"once\"}\n"
          "{\"id\":\"b\",\"customer\":\"c\",\"amount_minor\":-5,\"currency\":\"usd\",\"period\":"
          "\"once\"}\n"
          "{\"id\":\"b\",\n"
          "{\"id\":\"c\",\"customer\":\"c\",\"amount_minor\":9223372036854775808,\"currency\":"
          "\"usd\",\"period\":\"once\"}\n"
          "{\"id\":\"d\",\"customer\":\"c\",\"amount_minor\":1.0,\"currency\":[],\"period\":"
          "\"once\"}",
          "3: amount_minor: '-5' is negative\n"
          "4: row: the row is not valid JSON: malformed JSON within 10 bytes\n"
          "5: amount_minor: the number is above 9223372036854775807\n"
          "6: amount_minor: the number is not a whole number below 9223372036854775808\n"
          "6: currency: a text is needed, and this is none\n",
          "a "
          "{\"id\":\"a\",\"customer\":\"c\",\"amount_minor\":5,\"currency\":\"USD\",\"period\":"
          "\"once\"}\n");
}

/* ---- contents ---- */

/* The content of a file's row equals that of the sink's row exactly when no column differs. */
static void content_is(const char *csv, const char *stored, bool same)
{
    struct seen seen;
    struct import_row *row = import_row_new(
        WH_LIT("import:crm"), &(struct import_report){.wrong = on_wrong, .ctx = &seen});
    struct wh_json_parser *parser = wh_json_parser_new(TEXT_MAX, 8);
    struct wh_json_val root;
    struct wh_json_iter it;
    struct wh_hash128 got;
    struct wh_err err;

    seen_init(&seen);
    read_bytes("x.csv", "services", wh_slice_str(csv), &seen);
    th_ok(wh_json_parse(parser, wh_slice_str(stored), &root, &err), &err);
    it = wh_json_iter(root);
    th_ok(import_stored_content(row, import_kind_by_name(WH_LIT("services")), seen.shown, &it, &got,
                                &err),
          &err);
    assert_int_equal(got.high == seen.content.high && got.low == seen.content.low, same);
    wh_json_parser_free(parser);
    import_row_free(row);
    seen_done(&seen);
}

static void test_contents(void **state)
{
    /* name, aliases, tier, team, url, labels, attributes */
    static const char csv[] = "id,name,aliases,tier,url,x\na,A,p;q,,,1\n";

    (void)state;
    content_is(
        csv, "[\"A\",\"[\\\"p\\\",\\\"q\\\"]\",null,\"t\",\"u\",\"[]\",\"{\\\"x\\\":\\\"1\\\"}\"]",
        true);
    content_is(csv, "[\"A\",[\"p\",\"q\"],null,\"t\",\"u\",null,\"{\\\"x\\\":\\\"1\\\"}\"]", true);
    content_is(csv, "[\"B\",[\"p\",\"q\"],null,\"t\",\"u\",null,\"{\\\"x\\\":\\\"1\\\"}\"]", false);
    content_is(csv, "[\"A\",[\"p;q\"],null,\"t\",\"u\",null,\"{\\\"x\\\":\\\"1\\\"}\"]", false);
    content_is(csv, "[\"A\",[\"p\",\"q\"],\"1\",\"t\",\"u\",null,\"{\\\"x\\\":\\\"1\\\"}\"]",
               false);
    content_is(csv, "[\"A\",[\"p\",\"q\"],null,\"t\",\"u\",null,null]", false);
    content_is("id,name,labels\na,A,\n", "[\"A\",null,null,null,null,null,null]", true);
}

static void test_currencies(void **state)
{
    static const char *const good[] = {"AED", "EUR", "ZWL", "XCG", "BGN", "XXX"};
    static const char *const bad[] = {"", "EU", "EURO", "eur", "AAA", "ZZZ", "DEM", "E R"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(import_is_currency(wh_slice_str(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(import_is_currency(wh_slice_str(bad[i])));
    }
}

static void test_kinds(void **state)
{
    (void)state;
    assert_string_equal(import_kind_of_file("services.csv")->name, "services");
    assert_string_equal(import_kind_of_file("/a.b/people.2026.json")->name, "people");
    assert_null(import_kind_of_file("service.csv"));
    assert_null(import_kind_of_file("-"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),         cmocka_unit_test(test_csv_lines),
        cmocka_unit_test(test_csv_quotes),  cmocka_unit_test(test_csv_header),
        cmocka_unit_test(test_rules),       cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_long_values), cmocka_unit_test(test_json_array),
        cmocka_unit_test(test_json_ends),   cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_contents),    cmocka_unit_test(test_currencies),
        cmocka_unit_test(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
