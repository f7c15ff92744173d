/* Sealed secrets open at their place only; the key file is rotated without a moment at which a
 * sealed value cannot be opened. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/event/seal.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

enum { TEXT_MAX = 8192 };

static const struct wh_seal_place here = {
    .connection = {"h", 1}, .purpose = "oauth", .address = {"https://h", 9}};

static void seal(struct wh_keyring *ring, struct wh_buf *out)
{
    struct wh_err err;

    wh_buf_init(out, TEXT_MAX);
    th_ok(wh_secret_seal(ring, &here, WH_LIT("secret"), out, &err), &err);
}

static enum wh_rc open_at(struct wh_keyring *ring, const struct wh_seal_place *place,
                          struct wh_slice sealed)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;
    enum wh_rc rc;

    wh_buf_init(&out, TEXT_MAX);
    rc = wh_secret_open(ring, place, sealed, &out, &err);
    if (rc == WH_OK) {
        th_slice_is(wh_buf_slice(&out), "secret");
    }
    return rc;
}

/* What versions before keys had names wrote. */
static void seal_unnamed(const unsigned char key[WH_AEAD_KEY_BYTES], struct wh_buf *out)
{
    WH_AUTO(buf) struct wh_buf bytes;
    struct wh_err err;

    wh_buf_init(out, TEXT_MAX);
    wh_buf_init(&bytes, TEXT_MAX);
    th_ok(wh_aead_seal(key, WH_LIT("secret"), WH_LIT("h/oauth"), &bytes, &err), &err);
    th_ok(wh_base64_encode(wh_buf_slice(&bytes), out, &err), &err);
}

static void test_a_secret_opens_at_its_place_only(void **state)
{
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {1, 2, 3};
    static const unsigned char other_key[WH_AEAD_KEY_BYTES] = {1, 2, 4};
    static const char *const addresses[] = {"http://h",       "https://h:443", "https://H",
                                            "https://h.",     "https://h/",    "https://h/oauth",
                                            "https://h.evil", "https://",      ""};
    WH_AUTO(buf) struct wh_buf sealed;
    struct wh_seal_place other;
    struct wh_keyring ring;
    struct wh_err err;

    (void)state;
    wh_keyring_of(&ring, key, false, &err);
    seal(&ring, &sealed);
    assert_int_equal(open_at(&ring, &here, wh_buf_slice(&sealed)), WH_OK);
    assert_true(wh_secret_is_current(&ring, wh_buf_slice(&sealed)));
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        other = here;
        other.address = wh_slice_str(addresses[i]);
        assert_int_not_equal(open_at(&ring, &other, wh_buf_slice(&sealed)), WH_OK);
    }
    other = here;
    other.connection = WH_LIT("h-2");
    assert_int_equal(open_at(&ring, &other, wh_buf_slice(&sealed)), WH_E_AUTH);
    other = here;
    other.purpose = "read_api";
    assert_int_equal(open_at(&ring, &other, wh_buf_slice(&sealed)), WH_E_AUTH);
    wh_keyring_of(&ring, other_key, false, &err);
    assert_int_equal(open_at(&ring, &here, wh_buf_slice(&sealed)), WH_E_AUTH);
}

/* The parts of a place cannot be moved into one another. */
static void test_places_are_distinct(void **state)
{
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {9};
    struct wh_seal_place other = {
        .connection = WH_LIT("h\noauth"), .purpose = "x", .address = WH_LIT("https://h")};
    WH_AUTO(buf) struct wh_buf out;
    struct wh_keyring ring;
    struct wh_err err;

    (void)state;
    wh_keyring_of(&ring, key, false, &err);
    wh_buf_init(&out, TEXT_MAX);
    other.address = WH_LIT("https://h\nx");
    assert_int_equal(wh_secret_seal(&ring, &other, WH_LIT("s"), &out, &err), WH_E_INVALID);
}

static void test_damaged_values_do_not_open(void **state)
{
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {1};
    WH_AUTO(buf) struct wh_buf sealed;
    struct wh_keyring ring;
    struct wh_err err;

    (void)state;
    wh_keyring_of(&ring, key, true, &err);
    seal(&ring, &sealed);
    /* Padding at the end is optional in base64, and the last digit may have unused bits. */
    for (size_t n = 0; n < sealed.len - 3; n++) {
        assert_int_not_equal(open_at(&ring, &here, wh_slice(sealed.ptr, n)), WH_OK);
    }
    for (size_t i = 0; i < sealed.len - 3; i++) {
        char was = sealed.ptr[i];

        sealed.ptr[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(open_at(&ring, &here, wh_buf_slice(&sealed)), WH_OK);
        sealed.ptr[i] = was;
    }
}

static void test_unnamed_values_open_with_keys_of_their_time(void **state)
{
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {5};
    WH_AUTO(buf) struct wh_buf sealed;
    struct wh_keyring ring;
    struct wh_err err;

    (void)state;
    seal_unnamed(key, &sealed);
    wh_keyring_of(&ring, key, true, &err);
    assert_int_equal(open_at(&ring, &here, wh_buf_slice(&sealed)), WH_OK);
    assert_false(wh_secret_is_current(&ring, wh_buf_slice(&sealed)));
    wh_keyring_of(&ring, key, false, &err);
    assert_int_equal(open_at(&ring, &here, wh_buf_slice(&sealed)), WH_E_AUTH);
}

/* ---- the key file ---- */

static char *file_in(char *folder, char path[256])
{
    (void)snprintf(path, 256, "%s/key", folder);
    return path;
}

static void test_a_file_of_before_is_rotated(void **state)
{
    static const unsigned char old_key[WH_AEAD_KEY_BYTES] = {0x11};
    WH_AUTO(buf) struct wh_buf unnamed;
    WH_AUTO(buf) struct wh_buf first;
    WH_AUTO(buf) struct wh_buf second;
    char *folder = th_tmp_new();
    struct wh_keyring asked;
    struct wh_keyring other;
    char path[256];
    struct wh_err err;

    (void)state;
    seal_unnamed(old_key, &unnamed);
    th_ok(wh_conf_secret_create(file_in(folder, path),
                                WH_LIT("11000000000000000000000000000000"
                                       "00000000000000000000000000000000"),
                                &err),
          &err);
    th_ok(wh_keyring_load(&asked, path, false, &err), &err);
    th_ok(wh_keyring_load(&other, path, false, &err), &err);
    seal(&other, &first);
    th_ok(wh_keyring_add(&asked, &err), &err);
    assert_int_equal(asked.n_file, 2);
    assert_int_equal(wh_keyring_add(&asked, &err), WH_E_BUSY);
    seal(&asked, &second);
    /* The other process meets a key that it does not know, and reads the file again. */
    assert_int_equal(open_at(&other, &here, wh_buf_slice(&second)), WH_OK);
    assert_int_equal(open_at(&asked, &here, wh_buf_slice(&first)), WH_OK);
    assert_int_equal(open_at(&asked, &here, wh_buf_slice(&unnamed)), WH_OK);
    assert_false(wh_secret_is_current(&other, wh_buf_slice(&first)));
    assert_true(wh_secret_is_current(&other, wh_buf_slice(&second)));
    th_ok(wh_keyring_drop_old(&asked, &err), &err);
    /* Who had the old key keeps it until it ends; who starts now never has it. */
    assert_int_equal(open_at(&other, &here, wh_buf_slice(&first)), WH_OK);
    th_ok(wh_keyring_load(&other, path, false, &err), &err);
    assert_int_equal(other.n, 1);
    assert_int_equal(open_at(&other, &here, wh_buf_slice(&second)), WH_OK);
    assert_int_equal(open_at(&other, &here, wh_buf_slice(&first)), WH_E_AUTH);
    assert_int_equal(open_at(&other, &here, wh_buf_slice(&unnamed)), WH_E_AUTH);
    th_tmp_remove(folder);
}

/* A process seals by the newest key, although nothing has told it of one. */
static void test_the_newest_key_seals(void **state)
{
    WH_AUTO(buf) struct wh_buf sealed;
    char *folder = th_tmp_new();
    struct wh_keyring asked;
    struct wh_keyring other;
    char path[256];
    struct wh_err err;

    (void)state;
    th_ok(wh_keyring_load(&asked, file_in(folder, path), true, &err), &err);
    th_ok(wh_keyring_load(&other, path, true, &err), &err);
    assert_string_equal(asked.keys[0].name, other.keys[0].name);
    th_ok(wh_keyring_add(&asked, &err), &err);
    seal(&other, &sealed);
    assert_true(wh_secret_is_current(&asked, wh_buf_slice(&sealed)));
    /* What was dropped by one must not be dropped again by another who has not seen it. */
    assert_int_equal(unlink(path), 0);
    wh_buf_done(&sealed);
    seal(&other, &sealed);
    assert_int_equal(open_at(&other, &here, wh_buf_slice(&sealed)), WH_OK);
    th_tmp_remove(folder);
}

static void refused(const char *folder, const char *text)
{
    struct wh_keyring ring;
    char path[256];
    struct wh_err err;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/bad", folder);
    (void)unlink(path);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
    assert_int_equal(wh_keyring_load(&ring, path, false, &err), WH_E_CONFIG);
}

#define HEX "00000000000000000000000000000000000000000000000000000000000000aa"

static void test_bad_files_are_refused(void **state)
{
    char *folder = th_tmp_new();

    (void)state;
    refused(folder, "");
    refused(folder, "\n");
    refused(folder, "abc\n");
    refused(folder, "key2:\n");
    refused(folder, "key3:" HEX "\n");
    refused(folder, HEX "00\n");
    refused(folder, HEX "\n\n" HEX "\n");
    refused(folder, HEX "\n" HEX "\n" HEX "\n" HEX "\n" HEX "\n");
    th_tmp_remove(folder);
}

/* A process that rotates is killed over and over; a reader finds one or two whole keys, and what
 * was sealed by the first of them opens afterwards. */
static void test_killed_while_rotating(void **state)
{
    WH_AUTO(buf) struct wh_buf sealed;
    char *folder = th_tmp_new();
    struct wh_keyring ring;
    char path[256];
    struct wh_err err;

    (void)state;
    th_ok(wh_keyring_load(&ring, file_in(folder, path), true, &err), &err);
    for (unsigned round = 0; round < 40; round++) {
        pid_t child;
        int status;

        seal(&ring, &sealed);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)alarm(20);
            while (wh_keyring_add(&ring, &err) == WH_OK || err.rc == WH_E_BUSY) {
                (void)!wh_keyring_drop_old(&ring, &err);
            }
            _exit(1);
        }
        (void)usleep(round * 137);
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        th_ok(wh_keyring_load(&ring, path, false, &err), &err);
        assert_in_range(ring.n_file, 1, 2);
        wh_buf_done(&sealed);
    }
    th_tmp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_secret_opens_at_its_place_only),
        cmocka_unit_test(test_places_are_distinct),
        cmocka_unit_test(test_damaged_values_do_not_open),
        cmocka_unit_test(test_unnamed_values_open_with_keys_of_their_time),
        cmocka_unit_test(test_a_file_of_before_is_rotated),
        cmocka_unit_test(test_the_newest_key_seals),
        cmocka_unit_test(test_bad_files_are_refused),
        cmocka_unit_test(test_killed_while_rotating),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
