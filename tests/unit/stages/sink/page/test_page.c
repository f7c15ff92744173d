/* What pages are made of: words, Markdown, templates. What comes from GitLab is hostile. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/page/markdown.h"
#include "stages/sink/page/render.h"
#include "stages/sink/page/words.h"
#include "tests/lib/th_cmocka.h"

enum { OUT_MAX = 1 << 20 };

typedef enum wh_rc (*word_fn)(struct wh_slice text, struct wh_buf *out, struct wh_err *err);

static void is(word_fn fn, const char *text, const char *expected)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, OUT_MAX);
    th_ok(fn(wh_slice_str(text), &out, &err), &err);
    th_slice_is(wh_buf_slice(&out), expected);
    wh_buf_done(&out);
}

static enum wh_rc utc_time(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    return page_time(wh_zone_utc(), text, out, err);
}

static enum wh_rc berlin_time(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    struct wh_zone zone;

    return wh_zone_find(WH_LIT("Europe/Berlin"), &zone, err) == WH_OK
               ? page_time(zone, text, out, err)
               : err->rc;
}

static void test_times(void **state)
{
    (void)state;
    is(utc_time, "2026-11-24T14:05:33.123Z",
       "<time datetime=\"2026-11-24T14:05:33.123Z\">2026-11-24 14:05 UTC</time>");
    is(utc_time, "2026-11-24", "2026-11-24");
    is(utc_time, "", "<span class=\"unknown\">unknown</span>");
    is(utc_time, "0000-00-00T00:00:00Z", "0000-00-00T00:00:00Z");
    /* X11: the zone's own clock, over the end of summer time and of a year. */
    is(berlin_time, "2026-10-25T00:59:00.000Z",
       "<time datetime=\"2026-10-25T00:59:00.000Z\">2026-10-25 02:59 CEST</time>");
    is(berlin_time, "2026-10-25T01:00:00.000Z",
       "<time datetime=\"2026-10-25T01:00:00.000Z\">2026-10-25 02:00 CET</time>");
    is(berlin_time, "2026-12-31T23:30:00Z",
       "<time datetime=\"2026-12-31T23:30:00Z\">2027-01-01 00:30 CET</time>");
    is(page_duration, "59", "59 s");
    is(page_duration, "3480", "58 min");
    is(page_duration, "36000", "10 h 0 min");
    is(page_duration, "864000", "10 days");
    is(page_duration, "", "<span class=\"unknown\">unknown</span>");
}

static void test_money(void **state)
{
    (void)state;
    is(page_money, "327000 EUR", "3,270.00 EUR");
    is(page_money, "99 USD", "0.99 USD");
    is(page_money, "1234567 JPY", "1,234,567 JPY");
    is(page_money, "1234567 KWD", "1,234.567 KWD");
    is(page_money, "9223372036854775807 EUR", "92,233,720,368,547,758.07 EUR");
    is(page_money, "", "<span class=\"unknown\">unknown</span>");
}

static void test_addresses(void **state)
{
    char href[PAGE_HREF_MAX];

    (void)state;
    is(page_safe_href, "https://gitlab.example.com/a?b=1&c=\"2\"",
       "https://gitlab.example.com/a?b=1&amp;c=&quot;2&quot;");
    is(page_safe_href, "javascript:alert(1)", "#");
    is(page_safe_href, "data:text/html,x", "#");
    is(page_safe_href, "//evil.example.com", "#");
    is(page_safe_href, " https://a", "#");
    assert_true(page_href_of("author", WH_LIT("0ab8c8f0-0000-5000-8000-00000000000f"), href));
    assert_string_equal(href, "/e/0ab8c8f0-0000-5000-8000-00000000000f");
    assert_false(page_href_of("title", WH_LIT("https://evil.example.com"), href));
    assert_false(page_href_of("url", WH_LIT("javascript:alert(1)"), href));
}

static void lacks(const char *markdown, const char *word)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, OUT_MAX);
    th_ok(page_markdown(wh_slice_str(markdown), &out, &err), &err);
    assert_true(out.len > 0);
    if (strstr(out.ptr, word)) {
        fail_msg("%s: has %s: %s", markdown, word, out.ptr);
    }
    wh_buf_done(&out);
}

static void test_markdown(void **state)
{
    (void)state;
    is(page_markdown, "**bold** and `code`",
       "<p><strong>bold</strong> and <code>code</code></p>\n");
    is(page_markdown, "![a cat](https://evil.example.com/cat.png)",
       "<p><a href=\"https://evil.example.com/cat.png\">a cat</a></p>\n");
    lacks("<script>alert(1)</script>", "<script");
    lacks("a <b onclick=x>b</b>", "onclick");
    lacks("[x](javascript:alert(1))", "javascript");
    lacks("[x](JaVaScRiPt:alert(1))", "JaVaScRiPt");
    lacks("[x](data:text/html;base64,AAAA)", "data:");
    lacks("<img src=x onerror=alert(1)>", "onerror");
    lacks("![](https://evil.example.com/a.png)", "<img");
    lacks("[![](https://evil.example.com/a.png)](https://b.example.com)", "<img");
}

static void test_long_markdown(void **state)
{
    const size_t n = PAGE_MARKDOWN_MAX * 2;
    char *text = malloc(n + 1);
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        text[i] = "[>*`"[i % 4];
    }
    text[n] = 0;
    wh_buf_init(&out, RENDER_MAX_BYTES);
    th_ok(page_markdown(wh_slice_str(text), &out, &err), &err);
    assert_non_null(strstr(out.ptr, "The rest of this text is not shown."));
    wh_buf_done(&out);
    free(text);
}

static void renders(const char *name, const char *json, const char *has, const char *has_not)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 32);
    struct wh_json_val root;
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, OUT_MAX);
    th_ok(wh_json_parse(parser, wh_slice_str(json), &root, &err), &err);
    th_ok(page_render(name, root, wh_zone_utc(), &out, &err), &err);
    if (strstr(out.ptr, has) == NULL || (has_not && strstr(out.ptr, has_not))) {
        fail_msg("%s of %s: %s", name, json, out.ptr);
    }
    wh_buf_done(&out);
    wh_json_parser_free(parser);
}

static void test_rows(void **state)
{
    (void)state;
    renders("incidents",
            "{\"page\":{\"title\":\"T\"},\"incidents\":{\"rows\":[{\"incident\":"
            "\"0ab8c8f0-0000-5000-8000-00000000000f\",\"title\":\"<script>x</script>\"}]}}",
            "<a href=\"/incidents/0ab8c8f0-0000-5000-8000-00000000000f\">"
            "&lt;script&gt;x&lt;/script&gt;</a>",
            "<script>x");
    renders("incidents", "{\"incidents\":{\"rows\":[]}}", "There are none", "<table");
    renders("incidents", "{\"incidents\":{\"rows\":[{\"url\":\"javascript:alert(1)\"}]}}",
            "href=\"#\"", "href=\"javascript");
    /* A template's own braces in a value are text. */
    renders("error", "{\"error\":\"{{page.title}} {{{x}}}\"}", "{{page.title}} {{{x}}}", NULL);
}

static void test_unknown_template(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 10, 8);
    struct wh_json_val root;
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, OUT_MAX);
    th_ok(wh_json_parse(parser, WH_LIT("{}"), &root, &err), &err);
    assert_int_equal(page_render("no-such", root, wh_zone_utc(), &out, &err), WH_E_NOT_FOUND);
    wh_json_parser_free(parser);
    wh_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_money),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_long_markdown),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_unknown_template),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
