#include "tests/lib/th_cmocka.h"

#include "common/base/enc.h"
#include "common/crypto/crypto.h"

static void is_hex(const unsigned char *bytes, size_t n, const char *want)
{
    struct wh_buf hex;
    struct wh_err err;

    wh_buf_init(&hex, 256);
    th_ok(wh_hex_encode(wh_slice(bytes, n), &hex, &err), &err);
    th_slice_is(wh_buf_slice(&hex), want);
    wh_buf_done(&hex);
}

/* FIPS 180-2 appendix B.1; RFC 4231 test case 2. */
static void test_vectors(void **state)
{
    unsigned char out[WH_SHA256_BYTES];
    const struct wh_slice parts[] = {WH_LIT("what do ya want "), WH_LIT("for nothing?")};
    struct wh_err err;

    (void)state;
    th_ok(wh_sha256(WH_LIT("abc"), out, &err), &err);
    is_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    th_ok(wh_hmac_sha256(WH_LIT("Jefe"), parts, 2, out, &err), &err);
    is_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* FIPS 180-4's own example, in parts. */
static void test_sha1(void **state)
{
    static const unsigned char want[WH_SHA1_BYTES] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                                      0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                                      0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    const struct wh_slice parts[] = {WH_LIT("a"), wh_slice(NULL, 0), WH_LIT("bc")};
    unsigned char hash[WH_SHA1_BYTES];

    (void)state;
    wh_sha1(parts, 3, hash);
    assert_memory_equal(hash, want, sizeof(want));
}

static void test_seal_and_open(void **state)
{
    const unsigned char key[WH_AEAD_KEY_BYTES] = {1, 2, 3};
    const unsigned char other[WH_AEAD_KEY_BYTES] = {1, 2, 4};
    struct wh_buf sealed;
    struct wh_buf plain;
    struct wh_err err;

    (void)state;
    wh_buf_init(&sealed, 1024);
    wh_buf_init(&plain, 1024);
    th_ok(wh_aead_seal(key, WH_LIT("secret"), WH_LIT("here"), &sealed, &err), &err);
    assert_int_equal(sealed.len, 12 + 6 + 16);
    th_ok(wh_aead_open(key, wh_buf_slice(&sealed), WH_LIT("here"), &plain, &err), &err);
    th_slice_is(wh_buf_slice(&plain), "secret");
    assert_int_equal(wh_aead_open(key, wh_buf_slice(&sealed), WH_LIT("there"), &plain, &err),
                     WH_E_AUTH);
    assert_int_equal(wh_aead_open(other, wh_buf_slice(&sealed), WH_LIT("here"), &plain, &err),
                     WH_E_AUTH);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.ptr[i] = (char)(sealed.ptr[i] ^ 1);
        assert_int_equal(wh_aead_open(key, wh_buf_slice(&sealed), WH_LIT("here"), &plain, &err),
                         WH_E_AUTH);
        sealed.ptr[i] = (char)(sealed.ptr[i] ^ 1);
    }
    assert_int_equal(wh_aead_open(key, wh_slice(sealed.ptr, 20), WH_LIT("here"), &plain, &err),
                     WH_E_AUTH);
    wh_buf_done(&sealed);
    wh_buf_done(&plain);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(wh_constant_time_eq(WH_LIT("abc"), WH_LIT("abc")));
    assert_false(wh_constant_time_eq(WH_LIT("abc"), WH_LIT("abd")));
    assert_false(wh_constant_time_eq(WH_LIT("abc"), WH_LIT("ab")));
    assert_true(wh_constant_time_eq(WH_LIT(""), WH_LIT("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_seal_and_open),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
