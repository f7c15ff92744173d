/* oauth_priv.h - what oauth.c (documents, registration, tokens) and oauth_consent.c (the person's decision) share. */
#ifndef WH_SINK_API_OAUTH_PRIV_H
#define WH_SINK_API_OAUTH_PRIV_H

#include "stages/sink/api/api_priv.h"

enum { OAUTH_FORM_ARGS = 16, OAUTH_BODY_MAX = 8 << 10 };

/* The arguments of a body of application/x-www-form-urlencoded. */
struct oauth_form {
    struct wh_buf text; /* secret */
    struct api_arg args[OAUTH_FORM_ARGS];
    size_t n;
};

/* WH_E_INVALID: it is malformed, or has an argument twice. form needs oauth_form_done in every case. */
WH_MUST_CHECK enum wh_rc oauth_form_read(struct oauth_form *form, struct wh_slice body,
                                         struct wh_err *err);
void oauth_form_done(struct oauth_form *form);
/* Empty when it is absent. */
struct wh_slice oauth_form_get(const struct oauth_form *form, const char *name);

/* GET shows the question to a person with a session; POST is the answer. */
void oauth_ask_person(struct sink_api *api, struct wh_http_req *req);
void oauth_decide(struct sink_api *api, struct wh_http_req *req);

#endif
