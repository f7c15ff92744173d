/*
 * login.h - an MCP client that asks a person for approval when the server refuses its token.
 *
 * It connects mcp.h with oauth.h. A 401, or a 403 with insufficient_scope, begins an approval;
 * every call that the server refuses meanwhile waits for it. When the tokens are there the calls go
 * out again with them; when the approval fails the calls end as MCP_SIGN_IN with its reason.
 * Thread: app.
 */
#ifndef WH_FETCHER_MCP_LOGIN_H
#define WH_FETCHER_MCP_LOGIN_H

#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/oauth/oauth.h"

struct mcp_login;

/* Both configurations are copied as oauth_new and mcp_new say, and the errors are theirs. The
 * login sets mcp's token, challenged and ctx itself. */
WH_MUST_CHECK enum wh_rc mcp_login_new(const struct oauth_conf *oauth, const struct mcp_conf *mcp,
                                       struct mcp_login **ret, struct wh_err *err);
/* Drops the calls and the approval that are under way. NULL is accepted. */
void mcp_login_free(struct mcp_login *l);
/* Both belong to the login. */
struct mcp *mcp_login_mcp(struct mcp_login *l);
struct oauth *mcp_login_oauth(struct mcp_login *l);

#endif
