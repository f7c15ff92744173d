/*
 * sources.h - decides which source serves each stream of a connection, the best one available:
 *
 *   REST      there is a read_api token, or GitLab accepts the OAuth token on that route
 *   MCP tool  GitLab's MCP server has a tool that lists the objects
 *   none      with the reason
 *
 * The decision is made again when a credential is added or lost. Thread: app.
 */
#ifndef WH_FETCHER_SOURCES_H
#define WH_FETCHER_SOURCES_H

#include <stdbool.h>

enum source_kind { SOURCE_NONE, SOURCE_REST, SOURCE_MCP };

struct source {
    enum source_kind kind;
    const char *tool;   /* with SOURCE_MCP: its name */
    const char *reason; /* with SOURCE_NONE: why; static text */
};

struct access;
struct sources;

/* One wait for a decision: memory that the caller lends to sources_find. */
struct sources_wait {
    void (*fn)(void *ctx);
    void *ctx;
    struct sources_wait *next;
};

/* a is borrowed until sources_free. Returns NULL without memory. */
struct sources *sources_new(const struct access *a);
/* Accepts NULL. */
void sources_free(struct sources *s);
/* The credentials have changed: the next sources_find decides again. */
void sources_outdated(struct sources *s);
/* Decides, where that is needed, and then calls fn; never from inside this call, and not after
 * sources_stop. wait is borrowed until then. Any number of callers share one decision and are called
 * in their order; a wait that has already begun keeps its place. */
void sources_find(struct sources *s, struct sources_wait *wait, void (*fn)(void *ctx), void *ctx);
/* Cancels the callbacks that are waited for. */
void sources_stop(struct sources *s);
/* Returns true when there is any usable credential. */
bool sources_any(const struct sources *s);
/* Returns true when streams have no source only because the MCP server does not answer now. */
bool sources_unanswered(const struct sources *s);
/* The source of a stream according to the latest decision. */
const struct source *source_of(const struct sources *s, unsigned stream);
/* Returns "rest", "mcp" or "none". */
const char *source_word(const struct source *s);
/* "not read: deployments, ..." and what would help; "" when every stream is read. */
const char *sources_missing(const struct sources *s);
/* The connection's state after a successful run: "enabled", or "degraded" when no project or no
 * stream can be read. */
const char *sources_state(const struct sources *s);

#endif
