/*
 * file.h - whole files and folders, and errors of the system about them. Errors: WH_E_NOT_FOUND, WH_E_EXISTS,
 * WH_E_NO_SPACE, else WH_E_IO; the message has what was done, the path, and the system's reason. Thread: any.
 */
#ifndef WH_BASE_FILE_H
#define WH_BASE_FILE_H

#include "common/base/buf.h"

/* The error that errno stands for: "cannot make /x: No such file or directory". */
enum wh_rc wh_file_fail(struct wh_err *err, const char *doing, const char *path);
/* Writes all bytes; path is for the message. */
WH_MUST_CHECK enum wh_rc wh_file_write(int fd, struct wh_slice bytes, const char *path,
                                       struct wh_err *err);
/* Makes a file that is not there, with mode 0600, durably. */
WH_MUST_CHECK enum wh_rc wh_file_save(const char *path, struct wh_slice bytes, struct wh_err *err);
/* Appends what the file holds; WH_E_TOO_LARGE when the buffer may not take it. */
WH_MUST_CHECK enum wh_rc wh_file_load(const char *path, struct wh_buf *out, struct wh_err *err);
/* Names that were made in the folder, or given, are durable. */
WH_MUST_CHECK enum wh_rc wh_folder_sync(const char *path, struct wh_err *err);

#endif
