/*
 * sources.h - what each stream of a connection is read by: the best there is.
 *
 *   REST      a read_api credential is there, or GitLab takes the OAuth token on that route
 *   MCP tool  GitLab's MCP server lists the objects
 *   none      with the reason
 *
 * Found anew when a credential has come or gone. Thread: app.
 */
#ifndef WH_FETCHER_SOURCES_H
#define WH_FETCHER_SOURCES_H

#include "stages/fetcher/conn/fetcher.h"

/* NULL: no memory. */
struct sources *sources_new(struct conn *c);
void sources_free(struct sources *s);
/* Credentials have changed: the next sources_find looks again. */
void sources_outdated(struct sources *s);
/* Looks when needed, then calls fn: never from within, unless sources_stop came. One at a time; a
 * second caller while the first waits is called by the same look. */
void sources_find(struct sources *s, void (*fn)(void *ctx), void *ctx);
/* Nobody is called any more; walks by tools end. */
void sources_stop(struct sources *s);
/* Is there any credential? */
bool sources_any(const struct sources *s);
const struct source *source_of(const struct sources *s, unsigned stream);
/* "rest", "mcp" or "none". */
const char *source_word(const struct source *s);
/* "not read: deployments, ..." and what helps; "" when nothing is missing. */
const char *sources_missing(const struct sources *s);
/* After a good run: enabled, or degraded when no project or none of its work can be read. */
const char *sources_state(const struct sources *s);
/* Reads a stream by its source, as walk_start; where there is none it is counted as skipped. */
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
