/*
 * tempfile.h - a file without a name, for data that outgrows memory.
 */
#ifndef WH_TEMPFILE_H
#define WH_TEMPFILE_H

/* Opens an empty file in the folder for reading and writing, for this user alone. The file vanishes when it
 * is closed, also after a crash. Returns the descriptor, which the caller closes, or -1 with errno set.
 * Thread: any. */
int wh_tempfile_open(const char *folder);

#endif
