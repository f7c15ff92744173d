/*
 * data_folder.h - where the store is.
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

/* The path of the store in use; the first one is made up when there is none. */
WH_MUST_CHECK enum wh_rc sink_data_current(const char *data_path, char ret[SINK_PATH_MAX],
                                           struct wh_err *err);
/* The path of the store that comes next: of a rebuild, also one that was begun before. */
WH_MUST_CHECK enum wh_rc sink_data_next(const char *data_path, char ret[SINK_PATH_MAX],
                                        struct wh_err *err);
/* From now on store_path (of sink_data_next) is the store in use. */
WH_MUST_CHECK enum wh_rc sink_data_switch(const char *data_path, const char *store_path,
                                          struct wh_err *err);

#endif
