/*
 * bench_reads.c - a sink's HTTP API over a store that bench_sink has filled, without Kafka, for a load
 * generator: how fast single entities are read, and how that compares with the bare HTTP server.
 *
 *   bench_reads FOLDER
 *
 * FOLDER/sink is the store; FOLDER/ids gets the id of every entity, FOLDER/api.token the token. Prints
 * the port and serves until its standard input ends. /bare/<anything> is answered by the server alone,
 * with as many bytes as an entity has and the same header fields.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/httpd/httpd.h"
#include "stages/sink/api/api.h"
#include "stages/sink/store/keyspace.h"

enum { BARE_BYTES = 2600, CACHE_BYTES = 128 << 20, MEMTABLE_BYTES = 32 << 20 };

struct app {
    struct wh_loop *loop;
    struct wh_http_handler routes;
    char bare[BARE_BYTES];
};

static void need(enum wh_rc rc, const struct wh_err *err)
{
    if (rc != WH_OK) {
        (void)fprintf(stderr, "bench_reads: %s\n", err->msg);
        exit(1);
    }
}

static bool is_bare(struct wh_http_req *req)
{
    return wh_slice_starts(wh_http_path(req), WH_LIT("/bare/"));
}

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    struct app *app = ctx;

    return is_bare(req) ? 0 : app->routes.on_head(app->routes.ctx, req);
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    static const struct wh_http_header headers[] = {
        {{"Cache-Control", 13}, {"no-store", 8}},
        {{"X-Content-Type-Options", 22}, {"nosniff", 7}},
    };
    struct app *app = ctx;

    if (!is_bare(req)) {
        app->routes.on_request(app->routes.ctx, req);
        return;
    }
    wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                               .content_type = "application/json",
                                               .body = wh_slice(app->bare, BARE_BYTES),
                                               .headers = headers,
                                               .n_headers = 2});
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct app *app = ctx;

    if (!is_bare(req)) {
        app->routes.on_done(app->routes.ctx, req);
    }
}

static void write_ids(struct wh_store *store, const char *path)
{
    FILE *file = fopen(path, "w");
    struct wh_slice value;
    struct wh_slice key;
    struct wh_iter *it;
    struct wh_err err;

    if (file == NULL) {
        (void)fprintf(stderr, "bench_reads: cannot write %s\n", path);
        exit(1);
    }
    need(wh_iter_new(store, NULL, SINK_ENTITIES, wh_slice("", 0), wh_slice("", 0), &it, &err),
         &err);
    for (wh_iter_seek(it, wh_slice("", 0), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        char text[WH_ENTITY_ID_TEXT + 1];
        struct wh_entity_id id;

        /* The people and projects of the merge requests are stubs. */
        if (value.len > 200) {
            memcpy(id.bytes, key.ptr + 1, sizeof(id.bytes));
            (void)fprintf(file, "%s\n", wh_entity_id_format(&id, text));
        }
    }
    wh_iter_free(it);
    (void)fclose(file);
}

static void on_input(void *ctx, int fd, unsigned events)
{
    char byte;

    (void)events;
    if (read(fd, &byte, 1) <= 0) {
        wh_loop_stop(((struct app *)ctx)->loop);
    }
}

static struct wh_store *open_store(const char *path)
{
    const struct wh_store_conf conf = {.path = path,
                                       .families = sink_families,
                                       .n_families = SINK_FAMILY_COUNT,
                                       .cache_bytes = CACHE_BYTES,
                                       .memtable_bytes = MEMTABLE_BYTES};
    struct wh_store *store;
    struct wh_err err;

    need(wh_store_rocks_open(&conf, &store, &err), &err);
    return store;
}

static void serve(struct app *app, struct wh_store *store, const char *folder,
                  const char *token_path)
{
    const struct sink_api_deps deps = {.store = store,
                                       .loop = app->loop,
                                       .clock = wh_clock_real(),
                                       .conf = {.sql_timeout_ms = 10000,
                                                .sql_timeout_max_ms = 60000,
                                                .sql_rows = 10000,
                                                .sql_bytes = 32 << 20,
                                                .answers_bytes = 32 << 20,
                                                .data_path = folder,
                                                .token_file = token_path}};
    const struct wh_http_handler handler = {
        .on_head = on_head, .on_request = on_request, .on_done = on_done, .ctx = app};
    struct wh_httpd_conf conf;
    struct wh_httpd *httpd;
    struct wh_watch *input;
    struct sink_api *api;
    struct wh_err err;

    wh_httpd_conf_init(&conf);
    need(sink_api_new(&deps, &api, &err), &err);
    app->routes = sink_api_handler(api);
    need(wh_httpd_new(app->loop, NULL, &conf, &handler, &httpd, &err), &err);
    input = wh_watch_new(app->loop, STDIN_FILENO, WH_READABLE, on_input, app);
    (void)printf("%u\n", wh_httpd_port(httpd));
    (void)fflush(stdout);
    wh_loop_run(app->loop);
    wh_watch_free(input);
    sink_api_drain(api);
    wh_httpd_free(httpd);
    sink_api_free(api);
}

int main(int argc, char **argv)
{
    struct app app = {.loop = wh_loop_new()};
    struct wh_store *store;
    char path[3][1024];

    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_reads FOLDER\n");
        return 2;
    }
    memset(app.bare, 'x', sizeof(app.bare));
    (void)snprintf(path[0], sizeof(path[0]), "%s/sink", argv[1]);
    (void)snprintf(path[1], sizeof(path[1]), "%s/ids", argv[1]);
    (void)snprintf(path[2], sizeof(path[2]), "%s/api.token", argv[1]);
    store = open_store(path[0]);
    write_ids(store, path[1]);
    serve(&app, store, argv[1], path[2]);
    wh_store_free(store);
    wh_loop_free(app.loop);
    return 0;
}
