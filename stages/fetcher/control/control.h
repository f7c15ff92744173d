/*
 * control.h - the control API of the fetcher. All calls but the redirect from GitLab need the bearer
 * token of a file.
 *
 *   POST /api/v1/connections {"url":..., "token":..., "oauth":true, "client_id":...,
 *        "client_secret":..., "projects":[1]}   makes or renews a connection, see connect.h
 *   GET  /api/v1/connects/<session>, POST /api/v1/connects/<session>/redirect, GET /oauth/callback
 *   GET  /api/v1/connections
 *   GET  /api/v1/status
 *   POST /api/v1/connections/<id>/sync, .../disconnect, .../purge   see leave.h, purge.h
 *   POST /api/v1/connections/<id>/verify, .../confirm-deletes          see run_request.h
 *   GET  /api/v1/keys, POST /api/v1/keys/rotate                        see rotate.h
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_CONTROL_H
#define WH_FETCHER_CONTROL_H

#include "common/httpd/http.h"
#include "stages/fetcher/conn/fetcher.h"

struct control;

/* f is borrowed. token_file is made when it does not exist. WH_E_NOMEM, or an error of token_file.h. */
WH_MUST_CHECK enum wh_rc control_new(struct fetcher *f, const char *token_file,
                                     struct control **ret, struct wh_err *err);
struct wh_http_handler control_handler(struct control *c);
/* Ends the connects that are under way: the stage stops. Call it after fetcher_drain. */
void control_drain(struct control *c);
/* Accepts NULL. Call it before fetcher_free. */
void control_free(struct control *c);

#endif
