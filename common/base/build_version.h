/*
 * build_version.h - which build this is.
 *
 * (common/event/version.h is about versions of observations.)
 */
#ifndef WH_BASE_BUILD_VERSION_H
#define WH_BASE_BUILD_VERSION_H

/* What `git describe --always --dirty` said at build time; "unknown" outside a checkout. */
const char *wh_build_version(void);

#endif
