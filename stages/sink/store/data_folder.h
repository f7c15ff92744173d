/*
 * data_folder.h - the folder that holds the store, and how a rebuilt store replaces it.
 *
 *   <data.path>/current        symbolic link to the store in use
 *   <data.path>/store-<n>/     a store; the highest n may be a rebuild that is not in use yet
 *
 * A rebuild goes into the next number and is switched in by renaming a new link over the old one.
 */
#ifndef WH_SINK_DATA_FOLDER_H
#define WH_SINK_DATA_FOLDER_H

#include "common/base/err.h"

enum { SINK_PATH_MAX = 4096 };

/* The path of the store in use, or of the first store when there is none yet. */
WH_MUST_CHECK enum wh_rc sink_data_current(const char *data_path, char ret[SINK_PATH_MAX],
                                           struct wh_err *err);
/* The path of the next store, for a rebuild; an unfinished rebuild is continued. */
WH_MUST_CHECK enum wh_rc sink_data_next(const char *data_path, char ret[SINK_PATH_MAX],
                                        struct wh_err *err);
/* The first path after the store in use where there is nothing, for a store that is restored. */
WH_MUST_CHECK enum wh_rc sink_data_unused(const char *data_path, char ret[SINK_PATH_MAX],
                                          struct wh_err *err);
/* Makes store_path (from sink_data_next or sink_data_unused) the store in use. */
WH_MUST_CHECK enum wh_rc sink_data_switch(const char *data_path, const char *store_path,
                                          struct wh_err *err);

#endif
