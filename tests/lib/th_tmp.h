/* th_tmp.h - a folder of the test's own, removed with all that is in it. */
#ifndef TH_TMP_H
#define TH_TMP_H

/* Makes a folder; gives its path (th_tmp_remove frees it). Fails the test when it cannot. */
char *th_tmp_new(void);
void th_tmp_remove(char *path);

#endif
