#include "tests/lib/th_cmocka.h"

#include "common/event/entity.h"

/* By Python's uuid.uuid5 over the product's namespace: ids must never change. */
static void test_fixed_for_ever(void **state)
{
    static const struct {
        struct wh_slice instance, kind, id;
        const char *want;
    } cases[] = {
        {{"https://gitlab.example.com", 26},
         {"merge_request", 13},
         {"42", 2},
         "9a810d6a-3aba-527f-ae0e-2540dc3bd61f"},
        {{NULL, 0}, {NULL, 0}, {NULL, 0}, "dbae3dd0-ed2a-5411-b497-17d5c3f3e371"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wh_entity_id id = wh_entity_id_make(cases[i].instance, cases[i].kind, cases[i].id);
        char text[WH_ENTITY_ID_TEXT + 1];

        assert_string_equal(wh_entity_id_format(&id, text), cases[i].want);
    }
}

/* Every byte in every place, there and back. */
static void test_text(void **state)
{
    struct wh_entity_id id;
    struct wh_entity_id back;
    struct wh_err err;
    char text[WH_ENTITY_ID_TEXT + 1];

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (unsigned i = 0; i < sizeof(id.bytes); i++) {
            id.bytes[i] = (unsigned char)(byte + i * 17);
        }
        (void)wh_entity_id_format(&id, text);
        assert_int_equal(strspn(text, "0123456789abcdef-"), WH_ENTITY_ID_TEXT);
        assert_int_equal(wh_entity_id_parse(wh_slice_str(text), &back, &err), WH_OK);
        assert_memory_equal(back.bytes, id.bytes, sizeof(id.bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_for_ever),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
