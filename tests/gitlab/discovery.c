/* The well-known documents, as GitLab and its relatives write them. */
#include <stdio.h>

#include "tests/gitlab/rest.h"

static struct wh_slice origin(const struct gl_call *call, enum gl_foreign foreign)
{
    const struct gl_server *s = call->server;

    return foreign != GL_FOREIGN_NONE && s->quirks.foreign == (int64_t)foreign
               ? WH_LIT(GL_FOREIGN_ORIGIN)
               : wh_slice_str(s->model->base_url);
}

static unsigned not_found(struct gl_call *call)
{
    call->out.len = 0;
    gl_out_str(&call->out, "{\"error\":\"404 Not Found\"}");
    return 404;
}

static unsigned resource_document(struct gl_call *call)
{
    const struct gl_quirks *q = &call->server->quirks;
    struct wh_slice own = origin(call, GL_FOREIGN_RESOURCE);
    bool root = wh_slice_eq(call->path, WH_LIT("/.well-known/oauth-protected-resource"));
    bool below = wh_slice_starts(call->path, WH_LIT("/api/"));

    if (root ? q->no_root_resource : below ? !q->mcp_well_known : q->no_path_resource) {
        return not_found(call);
    }
    if (q->resource_form == GL_RESOURCE_ARRAY) {
        gl_out_tpl(&call->out, "{'resource':['%s/api/v4/mcp','%s/api/v4/mcp_server']", own, own);
    } else {
        gl_out_tpl(&call->out, "{'resource':'%s/api/v4/mcp'", own);
    }
    gl_out_tpl(&call->out, ",'authorization_servers':['%s%s']", origin(call, GL_FOREIGN_ISSUER),
               q->issuer == GL_ISSUER_SLASH ? WH_LIT("/") : WH_LIT(""));
    gl_out_str(&call->out, q->no_scopes_supported ? "}" : ",\"scopes_supported\":[\"mcp\"]}");
    return 200;
}

static void put_issuer(struct gl_call *call)
{
    const struct gl_server *s = call->server;
    struct wh_slice base = wh_slice_str(s->model->base_url);

    if (s->quirks.issuer == GL_ISSUER_WRONG) {
        base = WH_LIT(GL_FOREIGN_ORIGIN);
    }
    gl_out_tpl(&call->out, "{'issuer':'%s%s'", base,
               s->quirks.issuer == GL_ISSUER_SLASH ? WH_LIT("/") : WH_LIT(""));
}

static unsigned server_document(struct gl_call *call)
{
    static const char *const methods[] = {
        [GL_PKCE_BOTH] = ",\"code_challenge_methods_supported\":[\"plain\",\"S256\"]",
        [GL_PKCE_S256] = ",\"code_challenge_methods_supported\":[\"S256\"]",
        [GL_PKCE_PLAIN] = ",\"code_challenge_methods_supported\":[\"plain\"]",
        [GL_PKCE_ABSENT] = "",
    };
    const struct gl_quirks *q = &call->server->quirks;
    bool openid = memmem(call->path.ptr, call->path.len, "openid", 6) != NULL;
    bool below = wh_slice_starts(call->path, WH_LIT("/api/"));

    if ((openid ? q->no_openid_metadata : q->no_oauth_metadata) || (below && !q->mcp_well_known)) {
        return not_found(call);
    }
    put_issuer(call);
    gl_out_tpl(&call->out,
               ",'authorization_endpoint':'%s/oauth/authorize','token_endpoint':'%s/oauth/token',"
               "'revocation_endpoint':'%s/oauth/revoke',"
               "'introspection_endpoint':'%s/oauth/introspect','userinfo_endpoint':"
               "'%s/oauth/userinfo','jwks_uri':'%s/oauth/discovery/keys',",
               origin(call, GL_FOREIGN_AUTHORIZATION), origin(call, GL_FOREIGN_TOKEN),
               origin(call, GL_FOREIGN_REVOCATION), origin(call, GL_FOREIGN_NONE),
               origin(call, GL_FOREIGN_NONE), origin(call, GL_FOREIGN_NONE));
    if (!q->no_registration) {
        gl_out_tpl(&call->out, "'registration_endpoint':'%s/oauth/register',",
                   origin(call, GL_FOREIGN_REGISTRATION));
    }
    gl_out_str(&call->out,
               "\"scopes_supported\":[\"api\",\"read_api\",\"read_user\",\"sudo\",\"mcp\","
               "\"openid\",\"profile\",\"email\"],\"response_types_supported\":[\"code\"],"
               "\"response_modes_supported\":[\"query\",\"fragment\",\"form_post\"],"
               "\"grant_types_supported\":[\"authorization_code\",\"password\","
               "\"client_credentials\",\"device_code\",\"refresh_token\"],"
               "\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\","
               "\"client_secret_post\"],\"subject_types_supported\":[\"public\"],"
               "\"id_token_signing_alg_values_supported\":[\"RS256\"]");
    gl_out_str(&call->out, methods[q->pkce]);
    if (q->iss != GL_ISS_OFF) {
        gl_out_str(&call->out, ",\"authorization_response_iss_parameter_supported\":true");
    }
    gl_out_str(&call->out, "}");
    return 200;
}

bool gl_discovery_route(const struct gl_call *call)
{
    static const char *const resources[] = {"/.well-known/oauth-protected-resource/api/v4/mcp",
                                            "/.well-known/oauth-protected-resource",
                                            "/api/v4/mcp/.well-known/oauth-protected-resource"};
    static const char *const servers[] = {"/.well-known/oauth-authorization-server",
                                          "/.well-known/openid-configuration",
                                          "/api/v4/mcp/.well-known/oauth-authorization-server",
                                          "/api/v4/mcp/.well-known/openid-configuration"};

    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        if (wh_slice_eq(call->path, wh_slice_str(resources[i]))) {
            gl_answer(call, GL_AT_RESOURCE, resource_document);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        if (wh_slice_eq(call->path, wh_slice_str(servers[i]))) {
            gl_answer(call, GL_AT_METADATA, server_document);
            return true;
        }
    }
    if (wh_slice_starts(call->path, WH_LIT("/.well-known/")) ||
        wh_slice_starts(call->path, WH_LIT("/api/v4/mcp/.well-known/"))) {
        gl_answer(call, GL_AT_METADATA, not_found);
        return true;
    }
    return false;
}
