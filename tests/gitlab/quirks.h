/*
 * quirks.h - how GitLab servers differ, as switches: one table of names, so that the control port
 * reads, checks and shows them all. README.md says what each does.
 */
#ifndef GL_QUIRKS_H
#define GL_QUIRKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "tests/gitlab/out.h"

enum gl_version { GL_V18_6, GL_V19_3, GL_V19_4, GL_V19_5 };
enum gl_issuer { GL_ISSUER_RIGHT, GL_ISSUER_WRONG, GL_ISSUER_SLASH };
enum gl_iss { GL_ISS_OFF, GL_ISS_RIGHT, GL_ISS_WRONG, GL_ISS_MISSING };
enum gl_pkce { GL_PKCE_BOTH, GL_PKCE_S256, GL_PKCE_PLAIN, GL_PKCE_ABSENT };
enum gl_foreign {
    GL_FOREIGN_NONE,
    GL_FOREIGN_RESOURCE,
    GL_FOREIGN_ISSUER,
    GL_FOREIGN_AUTHORIZATION,
    GL_FOREIGN_TOKEN,
    GL_FOREIGN_REGISTRATION,
    GL_FOREIGN_REVOCATION,
    GL_FOREIGN_CHALLENGE
};
enum gl_consent { GL_CONSENT_APPROVE, GL_CONSENT_DENY, GL_CONSENT_PAGE };
enum gl_page_links { GL_PAGES_HERE, GL_PAGES_ELSEWHERE, GL_PAGES_WITHOUT };
enum gl_transport { GL_TRANSPORT_JSON, GL_TRANSPORT_SSE };
enum gl_resource_form { GL_RESOURCE_STRING, GL_RESOURCE_ARRAY };
enum gl_error_id { GL_ID_BY_VERSION, GL_ID_NULL, GL_ID_ECHO };

/* Where a stranger would sit; nobody answers there. */
#define GL_FOREIGN_ORIGIN "https://gitlab.evil.example"

/* All int64_t: the table in quirks.c needs it. */
struct gl_quirks {
    int64_t version; /* gl_version */
    int64_t issuer;
    int64_t iss;
    int64_t pkce;
    int64_t foreign;
    int64_t consent;
    int64_t resource_form;
    int64_t no_scopes_supported;
    int64_t no_challenge_metadata;
    int64_t challenge_scope;
    int64_t no_path_resource;
    int64_t no_root_resource;
    int64_t no_oauth_metadata;
    int64_t no_openid_metadata;
    int64_t mcp_well_known;
    int64_t no_registration;
    int64_t register_per_hour;
    int64_t token_life_s;
    int64_t reuse_kills_family;
    int64_t need_resource;
    int64_t mcp_off;
    int64_t transport;
    int64_t sse_cuts; /* the next n event streams end before their answer */
    int64_t sse_requests;
    int64_t sessions;
    int64_t evil_session;
    int64_t tools_per_page;
    int64_t empty_cursor;
    int64_t repeat_cursor;
    int64_t evil_cursor;
    int64_t notify_status;
    int64_t error_id;
    int64_t rest_by_mcp;
    int64_t honest_hints;
    int64_t auto_disable_hooks;
    int64_t page_headers; /* enum gl_page_links */
    int64_t bad_id;       /* 0: none */
    int64_t hide_children;
};

void gl_quirks_init(struct gl_quirks *q);
/* A control request: {"clear":true,"iss":"wrong","token_life_s":5}. NULL, or what is wrong. */
const char *gl_quirks_set(struct gl_quirks *q, struct wh_slice json);
void gl_quirks_render(const struct gl_quirks *q, struct gl_out *out);
/* "19.4" or "19.4.0-ee"; false when it is none of the four. */
bool gl_quirks_version(struct gl_quirks *q, struct wh_slice text);
const char *gl_version_text(const struct gl_quirks *q); /* "19.4.0-ee" */

#endif
