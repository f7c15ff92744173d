/* A WWW-Authenticate header: whatever comes, what is kept fits, is visible, and reads the same
 * again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/fetcher/oauth/approve.h"
#include "stages/fetcher/oauth/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void visible(const char *text, size_t max)
{
    size_t n = strnlen(text, max);

    check(n < max);
    for (size_t i = 0; i < n; i++) {
        check(text[i] >= 0x20 && text[i] < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wh_slice input = wh_slice(data, size);
    struct oauth_challenge c = {0};
    struct oauth_challenge again = {0};
    struct oauth_redirect r;
    struct wh_url u;
    struct wh_err err;

    oauth_challenge_read(input, &c);
    visible(c.resource_metadata, sizeof(c.resource_metadata));
    visible(c.scope, sizeof(c.scope));
    visible(c.error, sizeof(c.error));
    check(c.bearer || (c.scope[0] == '\0' && c.error[0] == '\0'));
    oauth_challenge_read(input, &again);
    check(memcmp(&c, &again, sizeof(c)) == 0);
    if (wh_url_parse(input, &u, &err) == WH_OK) {
        check(u.host.len > 0 && u.port > 0);
        check(u.origin.len + u.path.len <= size);
    }
    (void)!oauth_redirect_read(input, &r, &err);
    oauth_redirect_done(&r);
    return 0;
}
