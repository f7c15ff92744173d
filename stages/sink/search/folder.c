/* The files of the index in the data folder: which one is in use, and what is left over. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/num.h"
#include "stages/sink/search/search_priv.h"

static const char prefix[] = "search-";
static const char whole[] = ".sqlite";

/* The number of search-<n><end>; 0: another name. */
static int64_t number_of(struct wh_slice name, const char *end)
{
    struct wh_slice digits;
    struct wh_err err;
    int64_t n = 0;

    if (!wh_slice_starts(name, wh_slice_str(prefix)) || !wh_slice_ends(name, wh_slice_str(end)) ||
        name.len <= strlen(prefix) + strlen(end)) {
        return 0;
    }
    digits = wh_slice(name.ptr + strlen(prefix), name.len - strlen(prefix) - strlen(end));
    return wh_num_i64(digits, &n, &err) == WH_OK && n > 0 ? n : 0;
}

void search_folder_path(const char *folder, int64_t n, bool building, char ret[SEARCH_PATH_MAX])
{
    (void)snprintf(ret, SEARCH_PATH_MAX, "%s/%s%lld%s", folder, prefix, (long long)n,
                   building ? ".building" : whole);
}

int64_t search_folder_newest(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int64_t newest = 0;

    while (dir && (entry = readdir(dir)) != NULL) {
        int64_t n = number_of(wh_slice_str(entry->d_name), whole);

        newest = n > newest ? n : newest;
    }
    if (dir) {
        (void)closedir(dir);
    }
    return newest;
}

void search_folder_clean(const char *folder, int64_t in_use)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char kept[SEARCH_PATH_MAX];
    char path[SEARCH_PATH_MAX + 256];

    search_folder_path(folder, in_use, false, kept);
    while (dir && (entry = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        /* With what SQLite keeps beside it. */
        if (wh_slice_starts(wh_slice_str(entry->d_name), wh_slice_str(prefix)) &&
            !wh_slice_starts(wh_slice_str(path), wh_slice_str(kept))) {
            (void)unlink(path);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}
