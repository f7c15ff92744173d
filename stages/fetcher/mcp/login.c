#include "stages/fetcher/mcp/login.h"

#include "common/base/mem.h"

struct mcp_login {
    struct mcp *mcp;
    struct oauth *oauth;
    bool waiting; /* calls are parked until the approval ends */
};

static void on_approved(void *ctx, const struct wh_err *err)
{
    struct mcp_login *l = ctx;

    l->waiting = false;
    if (err->rc == WH_OK) {
        mcp_resume_all(l->mcp);
    } else {
        mcp_give_up_all(l->mcp, err->msg);
    }
}

static bool on_challenged(void *ctx, struct mcp_call *call, unsigned status,
                          const struct oauth_challenge *challenge)
{
    struct mcp_login *l = ctx;
    struct wh_err err;

    (void)call;
    (void)status;
    if (l->waiting) {
        return true;
    }
    if (oauth_authorize(l->oauth, challenge, on_approved, l, &err) != WH_OK) {
        return false;
    }
    l->waiting = true;
    return true;
}

static struct wh_slice token(void *ctx)
{
    struct mcp_login *l = ctx;

    return wh_buf_slice(&oauth_tokens(l->oauth)->access);
}

enum wh_rc mcp_login_new(const struct oauth_conf *oauth, const struct mcp_conf *mcp,
                         struct mcp_login **ret, struct wh_err *err)
{
    struct mcp_login *l = wh_mem_zalloc(1, sizeof(*l));
    struct mcp_conf conf = *mcp;

    if (l == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a login");
    }
    conf.token = token;
    conf.challenged = on_challenged;
    conf.ctx = l;
    if (oauth_new(oauth, &l->oauth, err) != WH_OK || mcp_new(&conf, &l->mcp, err) != WH_OK) {
        mcp_login_free(l);
        return err->rc;
    }
    *ret = l;
    return WH_OK;
}

void mcp_login_free(struct mcp_login *l)
{
    if (l) {
        mcp_free(l->mcp);
        oauth_free(l->oauth);
        wh_mem_free(l);
    }
}

struct mcp *mcp_login_mcp(struct mcp_login *l)
{
    return l->mcp;
}

struct oauth *mcp_login_oauth(struct mcp_login *l)
{
    return l->oauth;
}
