#include "tests/gitlab/quirks.h"

#include <stddef.h>

#include "common/base/num.h"
#include "tests/gitlab/scan.h"

enum { WORDS_MAX = 9 };

struct quirk {
    const char *name;
    size_t offset;
    int64_t otherwise;
    const char *words[WORDS_MAX]; /* NULL: a number, or a boolean as 0 and 1 */
};

#define AT(member) offsetof(struct gl_quirks, member)
static const struct quirk quirks[] = {
    {"version", AT(version), GL_V19_5, {"18.6", "19.3", "19.4", "19.5"}},
    {"issuer", AT(issuer), 0, {"right", "wrong", "slash"}},
    {"iss", AT(iss), 0, {"off", "right", "wrong", "missing"}},
    {"pkce", AT(pkce), 0, {"both", "s256", "plain", "absent"}},
    {"foreign",
     AT(foreign),
     0,
     {"none", "resource", "issuer", "authorization", "token", "registration", "revocation",
      "challenge"}},
    {"consent", AT(consent), 0, {"approve", "deny", "page"}},
    {"resource_form", AT(resource_form), 0, {"string", "array"}},
    {"no_scopes_supported", AT(no_scopes_supported), 0, {0}},
    {"no_challenge_metadata", AT(no_challenge_metadata), 0, {0}},
    {"challenge_scope", AT(challenge_scope), 1, {0}},
    {"no_path_resource", AT(no_path_resource), 0, {0}},
    {"no_root_resource", AT(no_root_resource), 0, {0}},
    {"no_oauth_metadata", AT(no_oauth_metadata), 0, {0}},
    {"no_openid_metadata", AT(no_openid_metadata), 0, {0}},
    {"mcp_well_known", AT(mcp_well_known), 0, {0}},
    {"no_registration", AT(no_registration), 0, {0}},
    {"register_per_hour", AT(register_per_hour), 0, {0}},
    {"token_life_s", AT(token_life_s), 7200, {0}},
    {"reuse_kills_family", AT(reuse_kills_family), 0, {0}},
    {"need_resource", AT(need_resource), 1, {0}},
    {"mcp_off", AT(mcp_off), 0, {0}},
    {"transport", AT(transport), 0, {"json", "sse"}},
    {"sse_cuts", AT(sse_cuts), 0, {0}},
    {"sse_requests", AT(sse_requests), 0, {0}},
    {"sessions", AT(sessions), 0, {0}},
    {"evil_session", AT(evil_session), 0, {0}},
    {"tools_per_page", AT(tools_per_page), 0, {0}},
    {"empty_cursor", AT(empty_cursor), 0, {0}},
    {"repeat_cursor", AT(repeat_cursor), 0, {0}},
    {"evil_cursor", AT(evil_cursor), 0, {0}},
    {"notify_status", AT(notify_status), 204, {0}},
    {"error_id", AT(error_id), 0, {"by_version", "null", "echo"}},
    {"rest_by_mcp", AT(rest_by_mcp), 0, {0}},
    {"honest_hints", AT(honest_hints), 0, {0}},
    {"auto_disable_hooks", AT(auto_disable_hooks), 0, {0}},
    {"page_headers", AT(page_headers), 0, {"here", "elsewhere", "none"}},
    {"bad_id", AT(bad_id), 0, {0}},
    {"hide_children", AT(hide_children), 0, {0}},
};
enum { QUIRKS = sizeof(quirks) / sizeof(quirks[0]) };

static int64_t *member(struct gl_quirks *q, const struct quirk *quirk)
{
    return (int64_t *)(void *)((char *)q + quirk->offset);
}

static int64_t value_of(const struct gl_quirks *q, const struct quirk *quirk)
{
    int64_t v;

    memcpy(&v, (const char *)q + quirk->offset, sizeof(v));
    return v;
}

void gl_quirks_init(struct gl_quirks *q)
{
    for (size_t i = 0; i < QUIRKS; i++) {
        *member(q, &quirks[i]) = quirks[i].otherwise;
    }
}

static bool take_word(struct gl_quirks *q, const struct quirk *quirk, struct wh_slice word)
{
    for (int i = 0; i < WORDS_MAX && quirk->words[i]; i++) {
        if (wh_slice_eq(word, wh_slice_str(quirk->words[i]))) {
            *member(q, quirk) = i;
            return true;
        }
    }
    return false;
}

static bool take_value(struct gl_quirks *q, const struct quirk *quirk, struct wh_slice json)
{
    struct wh_slice value = gl_scan(json, quirk->name);
    struct wh_err err;
    int64_t v;

    if (value.len == 0) {
        return true;
    }
    if (quirk->words[0]) {
        return take_word(q, quirk, gl_scan_text(json, quirk->name));
    }
    if (wh_slice_eq(value, WH_LIT("true")) || wh_slice_eq(value, WH_LIT("false"))) {
        *member(q, quirk) = value.ptr[0] == 't';
        return true;
    }
    if (wh_num_i64(value, &v, &err) != WH_OK || v < 0) {
        return false;
    }
    *member(q, quirk) = v;
    return true;
}

const char *gl_quirks_set(struct gl_quirks *q, struct wh_slice json)
{
    if (!gl_scan_is_object(json)) {
        return "a JSON object is expected, such as {\\\"token_life_s\\\":5}";
    }
    if (gl_scan_bool(json, "clear", false)) {
        int64_t version = q->version;

        gl_quirks_init(q);
        q->version = version;
    }
    for (size_t i = 0; i < QUIRKS; i++) {
        if (!take_value(q, &quirks[i], json)) {
            return "a value is not one that GET shows";
        }
    }
    return NULL;
}

void gl_quirks_render(const struct gl_quirks *q, struct gl_out *out)
{
    gl_out_str(out, "{");
    for (size_t i = 0; i < QUIRKS; i++) {
        const struct quirk *quirk = &quirks[i];
        int64_t v = value_of(q, quirk);

        gl_out_tpl(out, "%s'%s':", i ? WH_LIT(",") : WH_LIT(""), wh_slice_str(quirk->name));
        if (quirk->words[0]) {
            gl_out_tpl(out, "'%s'", wh_slice_str(quirk->words[v]));
        } else {
            gl_out_tpl(out, "%d", v);
        }
    }
    gl_out_str(out, "}\n");
}

bool gl_quirks_version(struct gl_quirks *q, struct wh_slice text)
{
    if (text.len > 4) {
        text.len = 4;
    }
    return take_word(q, &quirks[0], text);
}

const char *gl_version_text(const struct gl_quirks *q)
{
    static const char *const full[] = {"18.6.0-ee", "19.3.0-ee", "19.4.0-ee", "19.5.0-ee"};

    return full[q->version];
}
