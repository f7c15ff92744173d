#include "tests/lib/th_cmocka.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/run/token_file.h"
#include "tests/lib/th_tmp.h"

struct place {
    char *folder;
    char path[256];
};

static int set_up(void **state)
{
    static struct place place;

    place.folder = th_tmp_new();
    (void)snprintf(place.path, sizeof(place.path), "%s/api.token", place.folder);
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    th_tmp_remove(((struct place *)*state)->folder);
    return 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void is_made_once(void **state)
{
    const struct place *place = *state;
    char first[WH_TOKEN_TEXT + 1];
    char second[WH_TOKEN_TEXT + 1];
    struct stat st;
    struct wh_err err;

    th_ok(wh_token_file_load(place->path, first, &err), &err);
    assert_int_equal(strlen(first), WH_TOKEN_TEXT);
    assert_int_equal(strspn(first, "0123456789abcdef"), WH_TOKEN_TEXT);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    th_ok(wh_token_file_load(place->path, second, &err), &err);
    assert_string_equal(first, second);
}

static void is_random(void **state)
{
    const struct place *place = *state;
    char first[WH_TOKEN_TEXT + 1];
    char second[WH_TOKEN_TEXT + 1];
    struct wh_err err;

    th_ok(wh_token_file_load(place->path, first, &err), &err);
    assert_int_equal(unlink(place->path), 0);
    th_ok(wh_token_file_load(place->path, second, &err), &err);
    assert_string_not_equal(first, second);
}

static void refuses_what_is_no_token(void **state)
{
    const struct place *place = *state;
    static const struct {
        const char *name;
        const char *text;
        mode_t mode;
        bool good;
    } cases[] = {
        {"15 characters", "0123456789abcde\n", 0600, false},
        {"16 characters", "0123456789abcdef\n", 0600, true},
        {"64 characters", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 0600,
         true},
        {"65 characters", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0", 0600,
         false},
        {"empty", "", 0600, false},
        {"readable by others", "0123456789abcdef\n", 0644, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char token[WH_TOKEN_TEXT + 1];
        struct wh_err err;
        enum wh_rc rc;

        put(place->path, cases[i].text, cases[i].mode);
        rc = wh_token_file_load(place->path, token, &err);
        if ((rc == WH_OK) != cases[i].good || (rc != WH_OK && rc != WH_E_CONFIG)) {
            fail_msg("%s: %d", cases[i].name, (int)rc);
        }
    }
}

static void needs_a_place(void **state)
{
    char token[WH_TOKEN_TEXT + 1];
    struct wh_err err;

    (void)state;
    assert_int_equal(wh_token_file_load("", token, &err), WH_E_CONFIG);
    assert_int_equal(wh_token_file_load(NULL, token, &err), WH_E_CONFIG);
    assert_int_equal(wh_token_file_load("/dev/null/token", token, &err), WH_E_CONFIG);
}

static void fits_only_itself(void **state)
{
    static const struct {
        const char *header;
        bool fits;
    } cases[] = {
        {"Bearer 0123456789abcdef", true},
        {"bearer 0123456789abcdef", true},
        {"BEARER 0123456789abcdef", true},
        {"Bearer 0123456789abcdeg", false},
        {"Bearer 0123456789abcde", false},
        {"Bearer 0123456789abcdef0", false},
        {"Bearer  0123456789abcdef", false},
        {"Bearer 0123456789abcdef ", false},
        {"Bearer", false},
        {"Bearer ", false},
        {"", false},
        {"0123456789abcdef", false},
        {"Basic 0123456789abcdef", false},
        {"Bearer\t0123456789abcdef", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (wh_token_fits("0123456789abcdef", wh_slice_str(cases[i].header)) != cases[i].fits) {
            fail_msg("'%s'", cases[i].header);
        }
    }
    assert_false(wh_token_fits("0123456789abcdef", (struct wh_slice){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_token, set_up, tear_down),
        cmocka_unit_test(needs_a_place),
        cmocka_unit_test(fits_only_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
