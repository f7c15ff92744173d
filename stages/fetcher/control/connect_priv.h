/* connect_priv.h - what the connect_*.c files share. Thread: app. */
#ifndef WH_FETCHER_CONNECT_PRIV_H
#define WH_FETCHER_CONNECT_PRIV_H

#include "stages/fetcher/access/sources.h"
#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/control/connect.h"
#include "stages/fetcher/mcp/login.h"
#include "stages/fetcher/oauth/keep.h"

enum { CONNECT_STEPS_MAX = 32, CONNECT_SESSION_TEXT = 32, CONNECT_PROJECT_MAX = 255 };

enum connect_phase { CONNECT_RUNNING, CONNECT_DONE, CONNECT_FAILED };

struct connect_step {
    const char *name; /* "resource", "server", "register", "approve", "token", ... */
    char text[256];
};

struct connect {
    struct wh_bus_ack ack; /* first: the connection's record carries it */
    struct connect *next;
    struct connects *all; /* NULL once the stage drains */
    struct fetcher *f;
    struct wh_http_req *req; /* waits for the end; NULL: no request, or it is over */
    char session[CONNECT_SESSION_TEXT + 1];
    enum connect_phase phase;
    bool working;    /* a pool thread or Kafka uses it: it must not be freed now */
    bool dropped;    /* it must be freed when that ends */
    unsigned status; /* HTTP status of a failure */
    char error[300];
    struct connect_step steps[CONNECT_STEPS_MAX];
    size_t n_steps;
    struct wh_timer *timer; /* frees the connect */
    struct sources_wait sources_wait;
    /* What the request asks for. */
    bool by_oauth;
    bool new_client; /* register a new client even if there is one */
    bool new_secret; /* make new secrets for the webhook, because the old ones are lost */
    bool move;       /* move the connection from http to https */
    bool moving;     /* the connection moves here from moved_from */
    struct wh_buf moved_from;
    int64_t asked_at_ms; /* time of the entry in the list of pairs for this approval; 0: none */
    struct wh_buf instance;
    struct wh_buf id;
    struct wh_buf wanted;   /* projects as they were named, separated by a space */
    size_t n_wanted;        /* bytes of them that are in projects already */
    struct wh_buf projects; /* their numbers */
    struct wh_buf client_id;
    struct wh_buf client_secret;
    char *token;
    /* What has been found out. */
    struct mcp_login *login;
    struct client *probe;
    struct wh_buf approve_url;
    struct wh_buf user;
    struct wh_buf version;
    struct wh_buf scopes;
    struct wh_buf signing_key;
    struct wh_buf webhook_token;
    bool existing;
    enum wh_rc admin_rc;
    struct wh_err admin_err;
};

struct registered;

struct connects {
    struct fetcher *f;
    struct registered *registered;
    struct connect *first;
    size_t n;
};

/* connect_clients.c: GitLab lets ten clients an hour register, so the client of a failed connect is used
 * by the next connect to the same GitLab. */
void connect_keep_client(const struct connect *k);
void connect_forget_clients(struct connects *all);
/* The client that a failed connect to this GitLab has registered, or NULL. */
const struct oauth_client *connect_registered(const struct connect *k);
/* connect_http.c */
void connect_step(struct connect *k, const char *name, const char *fmt, ...) WH_PRINTF(3, 4);
void connect_fail(struct connect *k, unsigned status, const char *reason);
void connect_done(struct connect *k);
/* connect_place.c */
/*
 * Chooses the connection for the address k->instance, and sets k->id: the connection that has this
 * address, or a new one. Refuses, with an explanation for the person (WH_E_EXISTS, WH_E_NOT_FOUND,
 * WH_E_BUSY), what would change the address of a connection without --move.
 */
WH_MUST_CHECK enum wh_rc connect_place(struct connect *k, struct wh_err *err);
/* Checks that old, which has k's id now, is still the connection that was chosen. old may be NULL. */
WH_MUST_CHECK enum wh_rc connect_still_fits(const struct connect *k, const struct conn *old,
                                            struct wh_err *err);
/* connect_pairs.c */
/* oauth_conf.hold; ctx is the connect. */
void connect_hold(void *ctx);
/* The registration of the login's client; it borrows from the login. */
void connect_kept(const struct connect *k, struct oauth_kept *ret);
/* Lists the new pair as in use, and the pair of old as replaced. old may be NULL. */
WH_MUST_CHECK enum wh_rc connect_list_pairs(struct connect *k, const struct conn *old,
                                            struct wh_arena *arena, struct wh_connection *doc,
                                            struct wh_err *err);
/* The connect has failed: lists the pair that GitLab has issued to it, so that it is revoked. */
void connect_give_up_pairs(struct connect *k);
/* connect.c */
void connect_start(struct connect *k);
/* connect_projects.c */
/* Whether the text can be the path of a project, as in group/project. */
bool connect_is_project_path(struct wh_slice text);
/* Finds the numbers of k->wanted, then saves; or fails. */
void connect_find_projects(struct connect *k);
/* connect_save.c: the second half; ends in connect_done or connect_fail. */
void connect_save(struct connect *k);

#endif
