#include "cli/options/nearest.h"

#include <limits.h>

enum { LONG = 64 };

/* Letters that the name has, most of all at the same place: enough to find "stauts" and "stat". */
static int score(struct wh_slice typed, const char *name)
{
    size_t len = strlen(name);
    size_t apart = len > typed.len ? len - typed.len : typed.len - len;
    int points = -(int)apart;

    for (size_t i = 0; i < typed.len; i++) {
        points += typed.ptr[i] && strchr(name, typed.ptr[i]) ? 2 : -1;
        points += i < len && name[i] == typed.ptr[i] ? 3 : 0;
    }
    return points;
}

const char *cli_nearest(struct wh_slice typed, const char *const *names, size_t n)
{
    const char *best = names[0];
    int best_score = INT_MIN;

    typed.len = typed.len < LONG ? typed.len : LONG;
    for (size_t i = 0; i < n; i++) {
        int points = score(typed, names[i]);

        if (points > best_score) {
            best_score = points;
            best = names[i];
        }
    }
    return best;
}
