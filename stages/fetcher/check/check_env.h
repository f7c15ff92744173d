/*
 * check_env.h - what a check works with, and its result. Types only.
 */
#ifndef WH_FETCHER_CHECK_ENV_H
#define WH_FETCHER_CHECK_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/time.h"
#include "common/loop/loop.h"
#include "stages/fetcher/check/absence.h"
#include "stages/fetcher/check/gone.h"
#include "stages/fetcher/gitlab/client.h"
#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/state/projects.h"
#include "stages/fetcher/state/stream_count.h"

struct check_limits {
    size_t max_jobs;      /* streams that are read at the same time */
    int64_t hold_min;     /* see gone_too_many */
    int64_t hold_percent; /* see gone_too_many */
    int64_t numbers_max;  /* numbers that are read alone, per stream and run */
    int64_t confirm_ms;   /* between two 404s that prove an absence (absence.h) */
};

/* Borrowed from the connection for as long as the connection lives. */
struct check_env {
    struct wh_loop *loop;
    struct outbox *outbox;
    struct gone *gone;
    struct numbers_table *numbers;
    struct absences *absences;
    struct wh_clock clock;
    struct wh_json_parser *rows;   /* one row */
    struct wh_json_parser *arrays; /* pages */
    const char *connection;        /* its id */
    struct check_limits limits;
    /* True when this member works for the project; with project NULL, for the connection itself. */
    bool (*owns)(void *ctx, const char *project);
    /* True when the stream is read by REST. */
    bool (*by_rest)(void *ctx, unsigned stream);
    /* The MCP tool that lists the stream; NULL when it is read by something else. */
    const char *(*tool)(void *ctx, unsigned stream);
    /* True when the stage drains: the check starts nothing more. */
    bool (*stopping)(void *ctx);
    /* Saves the segments of n that have changed. */
    enum wh_rc (*save)(void *ctx, struct numbers *n, struct wh_err *err);
    /* How many objects of that kind the project has, as far as complete listings tell; 0: not known. */
    int64_t (*known)(void *ctx, const char *project, const char *kind);
    /* Publishes how complete a project is, if that has changed. */
    void (*publish)(void *ctx, const char *project, const char *path);
    void *ctx;
};

struct check_result {
    bool ok;             /* false: something was not read or not saved; try again later */
    bool decided;        /* held is valid: the check came to the point of publishing */
    int64_t held;        /* tombstones that wait for a confirmation */
    uint64_t tombstones; /* tombstones that were published */
    char error[160];     /* of the newest failure; empty when there was none */
};

/* The parameters of one check. */
struct check_run {
    bool sweep;            /* list everything */
    bool thorough;         /* read all missing numbers, without numbers_max */
    bool confirm;          /* publish held tombstones, however many */
    struct client *client; /* NULL when nothing is read by REST */
    struct mcp *mcp;       /* NULL when nothing is read by tools */
    struct projects *projects;
    int64_t started_ms;          /* of the run: project.listed_run of the projects that it listed */
    struct stream_count *counts; /* an array of STREAMS */
    /* Called once, from the loop, when the check has ended and is already freed. */
    void (*done)(void *ctx, const struct check_result *result);
    void *ctx;
};

#endif
