/* Signatures were computed by another program (Python's hmac) over the same bytes. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/webhook-intake/verify.h"

#define TOKEN "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define BODY "{\"object_kind\":\"issue\"}"
#define RIGHT "v1,Qv7Kq0R2kHcruAIFe//kA6TothSwxYQ/V46PiEmp6wY="
#define NOW_MS INT64_C(1700000000000)

struct fixture {
    struct wh_buf key;
    struct intake_secrets secrets;
    struct intake_proof proof;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct wh_err err;

    wh_buf_init(&f.key, 1024);
    th_ok(intake_verify_key(WH_LIT(TOKEN), &f.key, &err), &err);
    f.secrets = (struct intake_secrets){wh_buf_slice(&f.key), WH_LIT("the token")};
    f.proof = (struct intake_proof){
        .id = WH_LIT("msg_1"), .timestamp = WH_LIT("1700000000"), .signature = WH_LIT(RIGHT)};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    wh_buf_done(&((struct fixture *)*state)->key);
    return 0;
}

static enum intake_verdict verdict(const struct fixture *f, struct wh_slice body)
{
    enum intake_verdict v = intake_verify_head(&f->proof, &f->secrets, NOW_MS);

    return v == INTAKE_BODY_NEEDED ? intake_verify_body(&f->proof, &f->secrets, body) : v;
}

static void test_known_signatures(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->key.len, 32);
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_AUTHENTIC);
    f->proof.id = WH_LIT("a.b");
    f->proof.signature = WH_LIT("v1,0xiRj2otWuiK/mPCxEztvu1Ok5exr9ufK1sQVedNc8g=");
    assert_int_equal(verdict(f, WH_LIT("")), INTAKE_AUTHENTIC);
}

static void test_every_changed_byte_is_forged(void **state)
{
    struct fixture *f = *state;
    char body[] = BODY;
    char signature[] = RIGHT;

    for (size_t i = 0; i < sizeof(body) - 1; i++) {
        body[i] ^= 1;
        assert_int_equal(verdict(f, wh_slice(body, sizeof(body) - 1)), INTAKE_FORGED);
        body[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof(signature) - 1; i++) {
        signature[i] ^= 1;
        f->proof.signature = wh_slice(signature, sizeof(signature) - 1);
        assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
        f->proof.signature = wh_slice(signature, i);
        assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
        signature[i] ^= 1;
    }
    f->proof.signature = WH_LIT(RIGHT);
    f->proof.id = WH_LIT("msg_2");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->proof.id = WH_LIT("msg_1");
    f->proof.timestamp = WH_LIT("1700000001");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
}

static void test_one_of_several_is_enough(void **state)
{
    struct fixture *f = *state;
    char many[2048] = "";

    f->proof.signature = WH_LIT("v1,AAAA v1a,xyz  " RIGHT " v2,x");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_AUTHENTIC);
    f->proof.signature = WH_LIT("v1a,xyz v2,Qv7Kq0R2kHcruAIFe//kA6TothSwxYQ/V46PiEmp6wY=");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    /* Not looked at past the limit. */
    for (int i = 0; i < INTAKE_SIGNATURES_MAX; i++) {
        memcpy(many + 5 * i, "v1,A ", 6);
    }
    memcpy(many + 5 * INTAKE_SIGNATURES_MAX, RIGHT, sizeof(RIGHT));
    f->proof.signature = wh_slice_str(many);
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->proof.signature = wh_slice_str(many + 5);
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_AUTHENTIC);
}

static void test_a_signature_never_falls_back(void **state)
{
    struct fixture *f = *state;

    f->proof.token = WH_LIT("the token");
    f->proof.signature = WH_LIT("v1,AAAA");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->proof.signature = WH_LIT("");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->proof.signature = WH_LIT(RIGHT);
    f->secrets.key = WH_LIT("");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    assert_int_equal(intake_verify_body(&f->proof, &f->secrets, WH_LIT(BODY)), INTAKE_FORGED);
}

static void test_token(void **state)
{
    struct fixture *f = *state;

    f->proof = (struct intake_proof){.token = WH_LIT("the token")};
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_AUTHENTIC);
    f->proof.token = WH_LIT("the tokem");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->proof.token = WH_LIT("the toke");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->proof.token = WH_LIT("");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->secrets.token = WH_LIT("");
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_ANONYMOUS);
    f->proof.token = wh_slice(NULL, 0);
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_ANONYMOUS);
}

static void test_tolerance(void **state)
{
    struct fixture *f = *state;
    const int64_t edge = 5 * 60 * 1000;

    assert_int_equal(intake_verify_head(&f->proof, &f->secrets, NOW_MS + edge), INTAKE_BODY_NEEDED);
    assert_int_equal(intake_verify_head(&f->proof, &f->secrets, NOW_MS - edge), INTAKE_BODY_NEEDED);
    assert_int_equal(intake_verify_head(&f->proof, &f->secrets, NOW_MS + edge + 1), INTAKE_STALE);
    assert_int_equal(intake_verify_head(&f->proof, &f->secrets, NOW_MS - edge - 1), INTAKE_STALE);
}

static void test_malformed_heads(void **state)
{
    struct fixture *f = *state;
    static const char *const times[] = {"",
                                        "x",
                                        "1700000000.5",
                                        " 1700000000",
                                        "-1700000000",
                                        "9223372036854775807",
                                        "92233720368547758079",
                                        "0x1"};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        f->proof.timestamp = wh_slice_str(times[i]);
        assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    }
    f->proof.timestamp = wh_slice(NULL, 0);
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
    f->proof.timestamp = WH_LIT("1700000000");
    f->proof.id = wh_slice(NULL, 0);
    assert_int_equal(verdict(f, WH_LIT(BODY)), INTAKE_FORGED);
}

static void test_keys(void **state)
{
    static const char *const bad[] = {"", "whsec_", "AQID", "whsec_!", "WHSEC_AQID", "whsec_A"};
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 1024);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(intake_verify_key(wh_slice_str(bad[i]), &out, &err), WH_E_INVALID);
        wh_buf_reset(&out);
    }
    th_ok(intake_verify_key(WH_LIT("whsec_AQID"), &out, &err), &err);
    th_slice_is(wh_buf_slice(&out), "\1\2\3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known_signatures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_changed_byte_is_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_of_several_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_signature_never_falls_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tolerance, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_heads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
