/*
 * connect.h - connecting a GitLab, step by step, for a person who looks on.
 *
 *   POST /api/v1/connections            begins; see below
 *   GET  /api/v1/connects/<session>     its steps so far, the approval address, the end
 *   POST /api/v1/connects/<session>/redirect  {"url":...}: the redirect, pasted
 *   GET  /oauth/callback                the redirect itself, from the person's browser
 *
 * A request with a token and without "oauth" is answered when all is done. Any other begins an
 * approval and is answered at once (202) with a session, which is asked for its steps; what it
 * shows at its end (webhook secrets of a new connection) is shown once. A session is forgotten ten
 * minutes after its end. Thread: app.
 */
#ifndef WH_FETCHER_CONNECT_H
#define WH_FETCHER_CONNECT_H

#include "common/httpd/http.h"
#include "stages/fetcher/access/sources.h"
#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/mcp/login.h"
#include "stages/fetcher/oauth/keep.h"

struct connects;

/* NULL: no memory. */
struct connects *connects_new(struct fetcher *f);
/* Drops what is under way. */
void connects_free(struct connects *all);

void connect_begin(struct connects *all, struct wh_http_req *req);
void connect_show(struct connects *all, struct wh_http_req *req, struct wh_slice session);
void connect_pasted(struct connects *all, struct wh_http_req *req, struct wh_slice session);
/* Needs no token: the state in its query is the proof. */
void connect_redirected(struct connects *all, struct wh_http_req *req);
/* The request is over: its connect goes on without it. */
void connect_forget(struct wh_http_req *req);

/* ---- shared by the connect_*.c files ---- */

enum { CONNECT_STEPS_MAX = 32, CONNECT_SESSION_TEXT = 32 };

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
    struct wh_http_req *req; /* who waits for the end; NULL: nobody, or gone */
    char session[CONNECT_SESSION_TEXT + 1];
    enum connect_phase phase;
    bool working;    /* a pool thread has it, or Kafka: not to be freed now */
    bool dropped;    /* to be freed when that ends */
    unsigned status; /* of a failure, as HTTP says it */
    char error[300];
    struct connect_step steps[CONNECT_STEPS_MAX];
    size_t n_steps;
    struct wh_timer *timer; /* forgets the session */
    struct sources_wait sources_wait;
    /* Asked for. */
    bool by_oauth;
    bool new_client; /* registered anew, whatever is kept */
    bool new_secret; /* the webhook's secrets, made anew: the old ones are lost */
    bool move;       /* a person asked for the move from http to https */
    bool moving;     /* the connection with this id moves here from moved_from */
    struct wh_buf moved_from;
    int64_t asked_at_ms; /* when the document in Kafka says that a pair is asked for; 0: not yet */
    struct wh_buf instance;
    struct wh_buf id;
    struct wh_buf projects;
    struct wh_buf client_id;
    struct wh_buf client_secret;
    char *token;
    /* Come by. */
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

/* connect_clients.c: GitLab registers ten clients an hour; what a failed connect registered is used
 * by the next one to the same GitLab. */
void connect_keep_client(const struct connect *k);
void connect_forget_clients(struct connects *all);
/* A client that an earlier, failed connect to this GitLab registered; NULL. */
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
/* Whether old, the connection that has k's id now or NULL, is still the one that was chosen. */
WH_MUST_CHECK enum wh_rc connect_still_fits(const struct connect *k, const struct conn *old,
                                            struct wh_err *err);
/* connect_pairs.c */
/* oauth_conf.hold; ctx is the connect. */
void connect_hold(void *ctx);
/* How the login's client is known to GitLab; borrows from it. */
void connect_kept(const struct connect *k, struct oauth_kept *ret);
/* The new pair is in use, that of old waits for its revocation. */
WH_MUST_CHECK enum wh_rc connect_list_pairs(struct connect *k, const struct conn *old,
                                            struct wh_arena *arena, struct wh_connection *doc,
                                            struct wh_err *err);
/* The connect has failed: what it was issued is listed, and revoked. */
void connect_give_up_pairs(struct connect *k);
/* connect.c */
void connect_start(struct connect *k);
/* connect_save.c: the last steps: topics, the record, sources; ends in connect_done or fail. */
void connect_save(struct connect *k);

#endif
