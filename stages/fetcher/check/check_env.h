/*
 * check_env.h - what a check works with, and what comes of it. Types only.
 */
#ifndef WH_FETCHER_CHECK_ENV_H
#define WH_FETCHER_CHECK_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/loop/loop.h"
#include "stages/fetcher/check/gone.h"
#include "stages/fetcher/gitlab/client.h"
#include "stages/fetcher/state/projects.h"
#include "stages/fetcher/state/stream_count.h"

struct check_limits {
    size_t max_jobs;      /* streams of projects that are read at a time */
    int64_t hold_min;     /* more tombstones at once than this, ... */
    int64_t hold_percent; /* ... and than this share of what is known, are held */
    int64_t numbers_max;  /* missing numbers that are read one by one, of one stream and run */
};

/* What the connection lends for as long as it lives. */
struct check_env {
    struct wh_loop *loop;
    struct outbox *outbox;
    struct gone *gone;
    struct numbers_table *numbers;
    struct wh_json_parser *rows;   /* one row */
    struct wh_json_parser *arrays; /* pages */
    const char *connection;        /* its id */
    struct check_limits limits;
    /* This member works for the project; project NULL: for the connection itself. */
    bool (*owns)(void *ctx, const char *project);
    /* The stream's rows come by REST. */
    bool (*by_rest)(void *ctx, unsigned stream);
    /* The stage drains: nothing more is begun. */
    bool (*stopping)(void *ctx);
    enum wh_rc (*save)(void *ctx, struct numbers *n, struct wh_err *err);
    /* Publishes the completeness of a project. */
    void (*publish)(void *ctx, const char *project, const char *path);
    void *ctx;
};

struct check_result {
    bool ok;
    bool decided;        /* held is known */
    int64_t held;        /* tombstones that wait for a person */
    uint64_t tombstones; /* that were published */
    char error[160];     /* of the newest failure; empty when there was none */
};

/* One check. */
struct check_run {
    bool sweep;    /* list everything */
    bool thorough; /* no bound on single reads */
    bool confirm;  /* publish what is held */
    struct client *client;
    struct projects *projects;
    int64_t started_ms;          /* of the run: projects that it listed carry this time */
    struct stream_count *counts; /* STREAMS of them */
    /* Called once, from the loop, after which the check is freed; not after check_free. */
    void (*done)(void *ctx, const struct check_result *result);
    void *ctx;
};

#endif
