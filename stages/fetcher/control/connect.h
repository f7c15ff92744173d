/*
 * connect.h - connects a GitLab, step by step, while a person watches.
 *
 *   POST /api/v1/connections            begins; see below
 *   GET  /api/v1/connects/<session>     the steps so far, the address for the approval, the end
 *   POST /api/v1/connects/<session>/redirect  {"url":...}: the redirect, pasted by the person
 *   GET  /oauth/callback                the redirect itself, from the person's browser
 *
 * A request with a token and without "oauth" is answered when everything is done. Any other request
 * begins an approval and is answered at once (202) with a session, whose steps can be read. The secrets
 * of a new webhook are shown once, at the end. A session is forgotten ten minutes after its end.
 * Thread: app.
 */
#ifndef WH_FETCHER_CONNECT_H
#define WH_FETCHER_CONNECT_H

#include "common/httpd/http.h"
#include "stages/fetcher/conn/conn.h"

struct connects;

/* f is borrowed. Returns NULL without memory. */
struct connects *connects_new(struct fetcher *f);
/* Ends the connects that are under way. Accepts NULL. */
void connects_free(struct connects *all);

/* Each of these replies to the request; the connect of connect_begin may reply later. */
void connect_begin(struct connects *all, struct wh_http_req *req);
void connect_show(struct connects *all, struct wh_http_req *req, struct wh_slice session);
void connect_pasted(struct connects *all, struct wh_http_req *req, struct wh_slice session);
/* Needs no bearer token, because the state in the query proves where it comes from. */
void connect_redirected(struct connects *all, struct wh_http_req *req);
/* The request is over: its connect continues without it. */
void connect_forget(struct wh_http_req *req);

#endif
