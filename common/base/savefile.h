/* savefile.h - replaces a small file at once and durably. Thread: any; one at a time for a path. */
#ifndef WH_BASE_SAVEFILE_H
#define WH_BASE_SAVEFILE_H

#include "common/base/err.h"
#include "common/base/slice.h"

/* Writes PATH.new with mode 0600, syncs it and renames it to path. WH_E_IO: the old file is as it was. */
WH_MUST_CHECK enum wh_rc wh_savefile(const char *path, struct wh_slice text, struct wh_err *err);

#endif
