/*
 * th_api.h - the sink's HTTP API without a server, over a store in memory with random work items.
 */
#ifndef TH_API_H
#define TH_API_H

#include "stages/sink/api/api.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_http.h"

struct th_api {
    struct wh_loop *loop;
    struct wh_store *store;
    struct th_heads heads;
    struct changes *changes;
    struct search *search; /* follows the store */
    struct sink_api *api;
    struct wh_http_handler handler;
    char *folder;
    char token_path[256];
    char calls_path[256];
    char authorization[128];
};

/* conf without the folder and the token's file. */
struct th_api *th_api_new(const struct sink_api_conf *conf, size_t heads, uint64_t seed);
/* sink_api_free may have been called; api is NULL then. */
void th_api_free(struct th_api *f);
/* A request with the token. */
void th_api_request(struct th_api *f, struct th_http_req *req, const char *method,
                    const char *path);
/* The same for /api/v1/entities/<id> of a head; the path lives in text. */
void th_api_entity(struct th_api *f, struct th_http_req *req, const char *method, size_t head,
                   char text[128]);

#endif
