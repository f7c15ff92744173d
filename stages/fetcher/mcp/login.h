/*
 * login.h - an MCP client that asks a person when it is challenged: the two parts tied together.
 *
 * A 401, or a 403 with insufficient_scope, begins an approval (oauth.h); when there are tokens the
 * call goes out again with them. Thread: app.
 */
#ifndef WH_FETCHER_MCP_LOGIN_H
#define WH_FETCHER_MCP_LOGIN_H

#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/oauth/oauth.h"

struct mcp_login;

/* conf's token, challenged and ctx are set here. */
WH_MUST_CHECK enum wh_rc mcp_login_new(const struct oauth_conf *oauth, const struct mcp_conf *mcp,
                                       struct mcp_login **ret, struct wh_err *err);
void mcp_login_free(struct mcp_login *l);
struct mcp *mcp_login_mcp(struct mcp_login *l);
struct oauth *mcp_login_oauth(struct mcp_login *l);

#endif
