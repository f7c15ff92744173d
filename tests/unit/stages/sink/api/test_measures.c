/* Measures over HTTP, and their pages: every number leads to the rows behind it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "common/json/json_doc.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_measures.h"

enum { PARSED_MAX = 16 << 20, THINGS = 40, PATH_MAX_BYTES = 4096 };

struct world {
    struct th_api *f;
    struct th_facts facts;
    struct wh_json_parser *parser;
    struct wh_json_parser *rows;
    struct th_http_req req;
};

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 20000,
                                       .sql_timeout_max_ms = 20000,
                                       .sql_rows = 5000,
                                       .sql_bytes = 8 << 20,
                                       .zone = "Europe/Berlin"};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));

    w->f = th_api_new(&conf, 0, 21);
    th_facts_init_on(&w->facts, w->f->store);
    th_measures_fill(&w->facts, THINGS, 5);
    w->parser = wh_json_parser_new(PARSED_MAX, 32);
    w->rows = wh_json_parser_new(PARSED_MAX, 32);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_http_done(&w->req);
    wh_json_parser_free(w->parser);
    wh_json_parser_free(w->rows);
    th_facts_done(&w->facts);
    th_api_free(w->f);
    wh_mem_free(w);
    return 0;
}

/* "/path?name=value&..." with percent signs as they are sent. */
static void get(struct world *w, const char *address)
{
    char text[PATH_MAX_BYTES];
    char *args;

    assert_true(strlen(address) < sizeof(text));
    (void)snprintf(text, sizeof(text), "%s", address);
    args = strchr(text, '?');
    if (args) {
        *args++ = 0;
    }
    th_http_done(&w->req);
    th_api_request(w->f, &w->req, "GET", text);
    for (char *save = NULL, *arg = args ? strtok_r(args, "&", &save) : NULL; arg;
         arg = strtok_r(NULL, "&", &save)) {
        char *value = strchr(arg, '=');
        char *to = value;

        assert_non_null(value);
        *value++ = 0;
        to = value;
        for (char *from = value; *from; from++) {
            if (*from == '%') {
                char digits[3] = {from[1], from[2], 0};

                *to++ = (char)strtol(digits, NULL, 16);
                from += 2;
            } else {
                *to++ = *from;
            }
        }
        *to = 0;
        th_http_arg(&w->req, arg, value);
    }
    th_http_send(&w->req, &w->f->handler, w->f->loop);
}

static struct wh_json_val json(struct world *w, struct wh_json_parser *parser, const char *address)
{
    struct wh_json_val root = {0};
    struct wh_err err;

    get(w, address);
    if (w->req.status != 200 ||
        wh_json_parse(parser, wh_buf_slice(&w->req.answer), &root, &err) != WH_OK) {
        fail_msg("%s: %u %.300s", address, w->req.status, wh_buf_str(&w->req.answer));
    }
    return root;
}

static size_t count(struct wh_json_val array)
{
    struct wh_json_iter it = wh_json_iter(array);
    struct wh_json_val v;
    size_t n = 0;

    while (wh_json_next(&it, NULL, &v)) {
        n++;
    }
    return n;
}

/* C2: the address beside each number gives as many rows as it says. */
static void check_rows(struct world *w, const char *address)
{
    struct wh_json_val root = json(w, w->parser, address);
    struct wh_json_iter it = wh_json_get_iter(root, "rows");
    struct wh_json_val row;
    size_t checked = 0;

    while (wh_json_next(&it, NULL, &row)) {
        struct wh_slice url = wh_json_get_str(row, "rows_url");
        struct wh_json_val rows;
        char path[PATH_MAX_BYTES];

        if (url.len == 0) {
            continue; /* what the others are together has no address */
        }
        (void)snprintf(path, sizeof(path), "/api/v1/measures/%.*s",
                       WH_SLICE_ARG(wh_slice_from(url, strlen("/rows/"))));
        memmove(strchr(path, '?') + 5, strchr(path, '?'), strlen(strchr(path, '?')) + 1);
        memcpy(strchr(path, '?'), "/rows", 5);
        assert_true(wh_json_get(json(w, w->rows, path), WH_LIT("rows"), &rows));
        assert_int_equal(count(rows), wh_json_get_int(row, "rows", -1));
        checked++;
    }
    assert_true(checked > 0);
}

static void the_address_of_a_number_gives_its_rows(void **state)
{
    static const char *const addresses[] = {
        "/api/v1/measures/merge_requests_merged?since=2026-02-01&until=2026-04-30&by=label",
        "/api/v1/measures/time_to_merge?since=2026-03-20&until=2026-04-10&over=day",
        "/api/v1/measures/incidents_opened?since=2026-02-01&until=2026-05-30&over=month&by=service",
        "/api/v1/measures/"
        "change_failure_rate?since=2026-02-01&until=2026-05-30&over=none&by=project",
        "/api/v1/measures/revenue_at_risk?since=2026-02-01&until=2026-05-30&over=month",
        "/api/v1/measures/open_issues?since=2026-03-01&until=2026-04-30&project=shop%2Fp1",
        "/api/v1/measures/issues_opened?since=2026-03-01&until=2026-04-30&project__isnull=1",
        "/api/v1/measures/new?table=jobs&measure=p90&column=duration&by=name&since=2026-03-01&"
        "until=2026-04-30",
        "/api/v1/measures/new?table=work_items&by=labels&time=updated_at&since=2026-03-01&until="
        "2026-04-30&state=opened",
        "/api/v1/measures/new?table=incident_revenue&measure=sum&column=revenue_minor&by=currency&"
        "over=month&since=2026-02-01&until=2026-05-30",
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        check_rows(w, addresses[i]);
    }
}

/* The days of March 2026 in Berlin: 31, of which one has 23 hours. */
static void a_period_is_of_days_of_the_zone(void **state)
{
    struct world *w = *state;
    struct wh_json_val root = json(
        w, w->parser, "/api/v1/measures/issues_opened?since=2026-03-01&until=2026-03-31&over=day");
    struct wh_json_val rows;

    assert_true(wh_slice_eq(wh_json_get_str(root, "since"), WH_LIT("2026-02-28T23:00:00.000Z")));
    assert_true(wh_slice_eq(wh_json_get_str(root, "until"), WH_LIT("2026-03-31T22:00:00.000Z")));
    assert_true(wh_slice_eq(wh_json_get_str(root, "zone"), WH_LIT("Europe/Berlin")));
    assert_true(wh_json_get(root, WH_LIT("rows"), &rows));
    assert_int_equal(count(rows), 31);
}

static void what_cannot_be_asked_is_refused_with_what_can(void **state)
{
    static const struct {
        const char *address;
        unsigned status;
        const char *says;
    } cases[] = {
        {"/api/v1/measures/velocity", 404, "there is no measure 'velocity'"},
        {"/api/v1/measures/issues_opened?colour=red", 400, "project, author, label, category"},
        {"/api/v1/measures/issues_opened?by=colour", 400, "project, author, label, category"},
        {"/api/v1/measures/issues_opened?since=soon", 400, "since is a time"},
        {"/api/v1/measures/issues_opened?since=2026-05-01&until=2026-04-01", 400, "ends before"},
        {"/api/v1/measures/issues_opened?over=second", 400, "over is hour, day"},
        {"/api/v1/measures/issues_opened?over=hour&since=-52w", 400, "more than 400 parts"},
        {"/api/v1/measures/issues_opened?_zone=Mars", 400, "_zone"},
        {"/api/v1/measures/new", 400, "table says which rows"},
        {"/api/v1/measures/new?table=nothing", 404, "there is no table 'nothing'"},
        {"/api/v1/measures/new?table=jobs&measure=p90", 400, "choose one with column"},
        {"/api/v1/measures/new?table=jobs&measure=p90&column=durations", 400, "duration"},
        {"/api/v1/measures/new?table=jobs&measure=p90&column=name", 400, "column with numbers"},
        {"/api/v1/measures/new?table=jobs&measure=mode", 400, "count, sum, mean, p50 or p90"},
        {"/api/v1/measures/new?table=jobs&by=nam", 400, "did you mean name"},
        {"/api/v1/measures/new?table=jobs&time=name", 400, "column with times"},
        {"/api/v1/measures/new?table=completeness&time=id", 400, "column with times"},
        {"/api/v1/measures/revenue_at_risk?by=customer", 400, "not added up over each currency"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        get(w, cases[i].address);
        assert_int_equal(w->req.status, cases[i].status);
        if (strstr(wh_buf_str(&w->req.answer), cases[i].says) == NULL) {
            fail_msg("%s: %s", cases[i].address, wh_buf_str(&w->req.answer));
        }
    }
}

static void numbers_are_a_csv_file_too(void **state)
{
    struct world *w = *state;

    get(w, "/api/v1/measures/issues_opened?since=2026-03-02&until=2026-03-15&_format=csv");
    assert_int_equal(w->req.status, 200);
    assert_non_null(
        strstr(wh_buf_str(&w->req.answer), "since,until,rows,count\r\n2026-03-01T23:00"));
    get(w, "/charts/issues_opened.csv?since=2026-03-02&until=2026-03-15");
    assert_non_null(
        strstr(wh_buf_str(&w->req.answer), "since,until,rows,count\r\n2026-03-01T23:00"));
    get(w, "/rows/issues_opened.csv?since=2026-03-02&until=2026-03-15");
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "id,url,title,project"));
}

/* X5: the chart, its table and the definition are in the page, without a script. */
static void a_page_has_the_chart_and_its_table(void **state)
{
    struct world *w = *state;

    get(w, "/charts/time_to_merge?since=2026-02-01&until=2026-04-30");
    assert_int_equal(w->req.status, 200);
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<svg class=\"chart\""));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<figcaption>"));
    assert_non_null(
        strstr(wh_buf_str(&w->req.answer), "Time from the creation of a merge request"));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<th scope=\"row\">2 Feb 2026</th>"));
    get(w, "/charts?since=2026-02-01&until=2026-04-30");
    assert_int_equal(w->req.status, 200);
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "Change failure rate"));
    assert_null(strstr(wh_buf_str(&w->req.answer), "class=\"problem\""));
    get(w, "/charts/new");
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<option value=\"jobs\">"));
    get(w, "/charts/"
           "new?table=jobs&measure=mean&column=duration&was=jobs&by=stage&since=2026-02-01&until="
           "2026-04-30");
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "Mean of duration of jobs"));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<svg class=\"chart\""));
    /* Another table has other columns: they can be chosen first. */
    get(w, "/charts/new?table=issues&measure=mean&column=duration&was=jobs&by=stage");
    assert_int_equal(w->req.status, 200);
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<option value=\"weight\">"));
}

static void put_meta(struct world *w, struct wh_slice key, const char *value)
{
    struct wh_batch *batch = NULL;
    struct wh_err err;

    th_ok(wh_batch_new(w->f->store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, SINK_META, key, wh_slice_str(value), &err), &err);
    th_ok(wh_store_write(w->f->store, batch, false, &err), &err);
    wh_batch_free(batch);
}

/* X8: not connected, not synced yet, no row, and no row that fits are said in different words. */
static void nothing_is_said_in_words(void **state)
{
    struct world *w = *state;

    get(w, "/charts/issues_opened?since=2020-01-01&until=2020-02-01");
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "Nothing is connected yet"));
    put_meta(w, WH_LIT("xgitlab"), "{\"id\":\"gitlab\",\"state\":\"processing\"}");
    get(w, "/charts/issues_opened?since=2020-01-01&until=2020-02-01");
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "Not synced yet"));
    put_meta(w, WH_LIT("xgitlab"), "{\"id\":\"gitlab\",\"state\":\"enabled\"}");
    get(w, "/charts/issues_opened?since=2020-01-01&until=2020-02-01");
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "No row in this period."));
    get(w, "/charts/issues_opened?since=2026-02-01&until=2026-04-30&project=none");
    assert_non_null(
        strstr(wh_buf_str(&w->req.answer), "No row fits these filters in this period."));
}

static void markup_in_a_filter_is_text(void **state)
{
    struct world *w = *state;

    get(w, "/charts/issues_opened?project=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert_int_equal(w->req.status, 200);
    assert_null(strstr(wh_buf_str(&w->req.answer), "<script>alert"));
}

/* ---- gaps ---- */

static void put_run(struct world *w, unsigned char number, const char *json)
{
    char key[] = "rgitlab\0\0\0\0\0\0\0\0\0";

    key[15] = (char)number;
    put_meta(w, wh_slice(key, 16), json);
}

static bool has_gap(struct wh_json_val root, const char *what, bool over)
{
    struct wh_json_iter it = wh_json_get_iter(root, "gaps");
    struct wh_json_val gap;

    while (wh_json_next(&it, NULL, &gap)) {
        if (memmem(wh_json_get_str(gap, "what").ptr, wh_json_get_str(gap, "what").len, what,
                   strlen(what)) &&
            wh_json_get_flag(gap, "made_up_for") == over) {
            return true;
        }
    }
    return false;
}

/*
 * C7: a failed run that a later one made up for, a day without a run, a stream that has not been read since, and one that is
 * never read are named, and drawn in the charts that they concern.
 */
static void gaps_are_named_and_drawn(void **state)
{
    static const char address[] =
        "/api/v1/measures/merge_requests_opened?since=2026-02-01&until=2026-05-30";
    struct world *w = *state;
    struct wh_json_val root;

    put_meta(w, WH_LIT("xgitlab"),
             "{\"id\":\"gitlab\",\"state\":\"enabled\",\"created_at_ms\":1772000000000}");
    put_run(
        w, 1,
        "{\"state\":\"success\",\"started_at_ms\":1773000000000,\"finished_at_ms\":1773000060000}");
    put_run(w, 2,
            "{\"state\":\"error\",\"error\":\"GitLab answers 502\",\"started_at_ms\":1773000300000,"
            "\"finished_at_ms\":1773000360000}");
    put_run(
        w, 3,
        "{\"state\":\"success\",\"started_at_ms\":1773000600000,\"finished_at_ms\":1773000660000}");
    put_run(
        w, 4,
        "{\"state\":\"success\",\"started_at_ms\":1773090000000,\"finished_at_ms\":1773090060000}");
    root = json(w, w->parser, address);
    assert_true(has_gap(root, "reads of gitlab failed: GitLab answers 502", true));
    assert_true(has_gap(root, "nothing was read from gitlab", true));
    put_meta(w, wh_slice("hgitlab\0streams:f1", 18),
             "{\"connection\":\"gitlab\",\"fetcher\":\"f1\",\"at_ms\":1780000000000,\"interval_"
             "ms\":300000,"
             "\"streams\":[{\"stream\":\"merge_requests\",\"read_by\":\"rest\",\"failing_runs\":4,"
             "\"reason\":\"GitLab answers 500\",\"last_success_ms\":1776000000000},"
             "{\"stream\":\"deployments\",\"read_by\":\"none\"}]}");
    root = json(w, w->parser, address);
    assert_true(has_gap(root, "merge_requests of gitlab: no read has succeeded since", false));
    assert_false(has_gap(root, "deployments", false));
    root = json(w, w->parser, "/api/v1/measures/deployments?since=2026-02-01&until=2026-05-30");
    assert_true(has_gap(root, "deployments are not read from gitlab", false));
    get(w, "/charts/merge_requests_opened?since=2026-02-01&until=2026-05-30");
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<rect class=\"gap\""));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "<rect class=\"gap past\""));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "GitLab answers 502"));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "numbers of this time may be too low"));
}

/* ---- images ---- */

/* A request for an image without a token; returns its status. */
static unsigned get_image(struct world *w, const char *address)
{
    char text[PATH_MAX_BYTES];
    const char *query = strchr(address, '?');
    const char *expires;

    th_http_done(&w->req);
    (void)snprintf(text, sizeof(text), "%s", address);
    text[query - address] = 0;
    th_http_init(&w->req, "GET", text);
    w->req.raw_query = wh_slice_str(query + 1);
    th_http_arg(&w->req, "since", "2026-02-01");
    th_http_arg(&w->req, "until", "2026-05-30");
    expires = strstr(address, "expires=");
    if (expires) {
        char number[24] = "";

        (void)sscanf(expires, "expires=%20[0-9]", number);
        th_http_arg(&w->req, "expires", number);
        th_http_send(&w->req, &w->f->handler, w->f->loop);
        return w->req.status;
    }
    th_http_send(&w->req, &w->f->handler, w->f->loop);
    return w->req.status;
}

static void sign(struct world *w, const char *text, char ret[65])
{
    const struct wh_slice part = wh_slice_str(text);
    unsigned char mac[WH_SHA256_BYTES];
    char path[512];
    char key[65] = "";
    struct wh_err err;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/chart.key", w->f->folder);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(key, 1, 64, f), 64);
    (void)fclose(f);
    th_ok(wh_hmac_sha256(wh_slice_str(key), &part, 1, mac, &err), &err);
    for (size_t i = 0; i < WH_SHA256_BYTES; i++) {
        (void)snprintf(ret + 2 * i, 3, "%02x", mac[i]);
    }
}

/* C8 */
static void an_image_is_read_by_its_signed_address(void **state)
{
    static const char old[] =
        "/chart/issues_opened.svg?since=2026-02-01&until=2026-05-30&expires=1700000000";
    struct world *w = *state;
    struct wh_json_val root =
        json(w, w->parser, "/api/v1/measures/issues_opened?since=2026-02-01&until=2026-05-30");
    char address[PATH_MAX_BYTES];
    char other[PATH_MAX_BYTES + 80];
    char sig[65];

    (void)snprintf(address, sizeof(address), "%.*s",
                   WH_SLICE_ARG(wh_json_get_str(root, "image_url")));
    assert_int_equal(get_image(w, address), 200);
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "xmlns=\"http://www.w3.org/2000/svg\""));
    assert_null(strstr(wh_buf_str(&w->req.answer), "<a "));
    /* Another measure, another argument, another signature, none, and one that has expired. */
    (void)snprintf(other, sizeof(other), "/chart/issues_closed.svg%s", strchr(address, '?'));
    assert_int_equal(get_image(w, other), 401);
    (void)snprintf(other, sizeof(other), "%s&project=shop", address);
    assert_int_equal(get_image(w, other), 401);
    (void)snprintf(other, sizeof(other), "%s", address);
    other[strlen(other) - 1] = other[strlen(other) - 1] == '0' ? '1' : '0';
    assert_int_equal(get_image(w, other), 401);
    assert_int_equal(get_image(w, "/chart/issues_opened.svg?since=2026-02-01"), 401);
    sign(w, old, sig);
    (void)snprintf(other, sizeof(other), "%s&sig=%s", old, sig);
    assert_int_equal(get_image(w, other), 401);
    /* The signature is for images alone. */
    (void)snprintf(other, sizeof(other), "/charts/issues_opened%s", strchr(address, '?'));
    assert_int_equal(get_image(w, other), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_address_of_a_number_gives_its_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_period_is_of_days_of_the_zone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_asked_is_refused_with_what_can, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_a_csv_file_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_has_the_chart_and_its_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_said_in_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gaps_are_named_and_drawn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_image_is_read_by_its_signed_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(markup_in_a_filter_is_text, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
