/*
 * sources.h - which source serves each stream of a connection, the best one available:
 *
 *   REST      there is a read_api credential, or GitLab accepts the OAuth token on that route
 *   MCP tool  GitLab's MCP server has a tool that lists the objects
 *   none      with the reason
 *
 * The decision is made again when a credential is added or lost. Thread: app.
 */
#ifndef WH_FETCHER_SOURCES_H
#define WH_FETCHER_SOURCES_H

#include "stages/fetcher/conn/fetcher.h"

/* NULL: no memory. */
struct sources *sources_new(struct conn *c);
void sources_free(struct sources *s);
/* Credentials have changed: the next sources_find decides again. */
void sources_outdated(struct sources *s);
/* Decides where that is needed and then calls fn, never from inside this call and not after
 * sources_stop. Callers that wait at the same time share one decision. */
void sources_find(struct sources *s, void (*fn)(void *ctx), void *ctx);
/* Cancels pending callbacks and ends the walks by tools. */
void sources_stop(struct sources *s);
/* True when there is any usable credential. */
bool sources_any(const struct sources *s);
const struct source *source_of(const struct sources *s, unsigned stream);
/* "rest", "mcp" or "none". */
const char *source_word(const struct source *s);
/* "not read: deployments, ..." and what would help; "" when every stream is read. */
const char *sources_missing(const struct sources *s);
/* The state after a successful run: enabled, or degraded when no project or no stream can be read. */
const char *sources_state(const struct sources *s);
/* Starts the listing of a stream by its source. A stream without a source is counted as skipped. */
WH_MUST_CHECK enum wh_rc source_start(struct conn *c, struct project *project, unsigned stream,
                                      struct wh_err *err);

/* ---- tool_walk.c ---- */

struct tool_walk;
struct tool_walks {
    struct tool_walk *first;
};
WH_MUST_CHECK enum wh_rc tool_walk_start(struct conn *c, struct tool_walks *walks,
                                         struct project *project, unsigned stream, const char *tool,
                                         struct wh_err *err);
void tool_walk_free_all(struct tool_walks *walks);

#endif
