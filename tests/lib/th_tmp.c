#include "tests/lib/th_tmp.h"

#include "tests/lib/th_cmocka.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>

enum { FTW_FDS = 16 };

char *th_tmp_new(void)
{
    const char *base = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe)
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/wellhead-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return strdup(path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void th_tmp_remove(char *path)
{
    (void)nftw(path, remove_one, FTW_FDS, FTW_DEPTH | FTW_PHYS);
    free(path);
}
