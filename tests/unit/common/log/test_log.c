#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/log/log.h"

struct fake {
    int64_t ns;
};

static int64_t fake_now(void *ctx)
{
    return ((struct fake *)ctx)->ns / 1000000;
}

static int64_t fake_mono(void *ctx)
{
    return ((struct fake *)ctx)->ns;
}

struct fixture {
    int fds[2];
    struct fake clock;
    struct wh_log *log;
    char text[65536];
};

static struct fixture *set_up(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_int_equal(pipe(f->fds), 0);
    f->log = wh_log_new(f->fds[1], "test", WH_LOG_INFO,
                        (struct wh_clock){fake_now, fake_mono, &f->clock});
    return f;
}

static const char *tear_down(struct fixture *f)
{
    ssize_t n;

    wh_log_free(f->log);
    (void)close(f->fds[1]);
    n = read(f->fds[0], f->text, sizeof(f->text) - 1);
    f->text[n > 0 ? n : 0] = '\0';
    (void)close(f->fds[0]);
    return f->text;
}

static void test_line(void **state)
{
    struct fixture *f = set_up();

    (void)state;
    wh_log_info(f->log, "hello", WH_STR("s", "a\"b\\c\n\x01"), WH_I("i", -5), WH_B("b", true));
    wh_log_debug(f->log, "hidden", WH_I("i", 1));
    assert_string_equal(
        tear_down(f),
        "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"stage\":\"test\","
        "\"msg\":\"hello\",\"s\":\"a\\\"b\\\\c\\u000a\\u0001\",\"i\":-5,\"b\":true}\n");
    free(f);
}

static void test_bad_utf8_and_length(void **state)
{
    struct fixture *f = set_up();
    char big[5000];
    const char *text;

    (void)state;
    memset(big, '"', sizeof(big));
    wh_log_info(f->log, "bytes", WH_S("s", wh_slice("\xff\xfe", 2)),
                WH_S("big", wh_slice(big, sizeof(big))), WH_S("big2", wh_slice(big, sizeof(big))),
                WH_I("last", 7));
    text = tear_down(f);
    assert_non_null(strstr(text, "\\u00ff\\u00fe"));
    assert_true(strlen(text) <= 8192);
    assert_string_equal(text + strlen(text) - 2, "}\n");
    free(f);
}

/* Logs are read on terminals: text of GitLab must not move the cursor or turn the line around. */
static void test_what_steers_a_terminal(void **state)
{
    struct fixture *f = set_up();

    (void)state;
    wh_log_info(f->log, "m",
                WH_STR("s", "Gr\u00fc\u00dfe \xC2\x9B"
                            "2J\u202e\u2066\u2028\U000E0041\x7F\xFF."));
    assert_non_null(strstr(tear_down(f), "\"s\":\"Gr\u00fc\u00dfe \\u009b2J\\u202e\\u2066\\u2028"
                                         "\\udb40\\udc41\\u007f\\u00ff.\"}\n"));
    free(f);
}

static void test_rate_limit(void **state)
{
    struct fixture *f = set_up();
    const char *text;
    int lines = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        wh_log_info(f->log, "again", WH_I("i", i));
    }
    f->clock.ns = 2000000000;
    wh_log_info(f->log, "again", WH_I("i", 100));
    text = tear_down(f);
    for (const char *p = text; *p; p++) {
        lines += *p == '\n';
    }
    assert_int_equal(lines, 11);
    assert_non_null(strstr(text, "\"suppressed\":90"));
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_bad_utf8_and_length),
        cmocka_unit_test(test_what_steers_a_terminal),
        cmocka_unit_test(test_rate_limit),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
