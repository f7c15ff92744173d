/*
 * build_version.h - the version of this build. (For versions of observations see event/version.h.)
 */
#ifndef WH_BASE_BUILD_VERSION_H
#define WH_BASE_BUILD_VERSION_H

/* The output of `git describe --always --dirty` at build time; "unknown" outside a checkout. */
const char *wh_build_version(void);

#endif
