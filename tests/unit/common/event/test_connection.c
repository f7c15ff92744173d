/* What a state means: a word that nobody knows is an error, never connected. */
#include "common/event/connection.h"

#include "tests/lib/th_cmocka.h"

static void test_states(void **state)
{
    static const struct {
        const char *state;
        enum wh_connection_class class;
    } states[] = {
        {"", WH_CONNECTION_MISSING},          {"to_configure", WH_CONNECTION_MISSING},
        {"disabled", WH_CONNECTION_MISSING},  {"processing", WH_CONNECTION_CONNECTING},
        {"enabled", WH_CONNECTION_CONNECTED}, {"degraded", WH_CONNECTION_ERROR},
        {"error", WH_CONNECTION_ERROR},       {"need_reconnect", WH_CONNECTION_ERROR},
        {"suspended", WH_CONNECTION_ERROR},   {"active", WH_CONNECTION_ERROR},
        {"Enabled", WH_CONNECTION_ERROR},     {"enabled ", WH_CONNECTION_ERROR},
        {"enable", WH_CONNECTION_ERROR},      {"null", WH_CONNECTION_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (wh_connection_class(wh_slice_str(states[i].state)) != states[i].class) {
            fail_msg("'%s'", states[i].state);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_states)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
