#include "common/base/nearest.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 64, FAR = NAME_MAX_BYTES, BEGINNING_MIN = 3 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The Levenshtein distance, one row of its matrix at a time; FAR when a name is too long. */
static unsigned distance(struct wh_slice a, struct wh_slice b)
{
    unsigned row[NAME_MAX_BYTES + 1];

    if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES) {
        return FAR;
    }
    for (unsigned j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = diagonal + (lower(a.ptr[i - 1]) != lower(b.ptr[j - 1]));

            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.len];
}

static bool begins(struct wh_slice typed, struct wh_slice name)
{
    if (typed.len < BEGINNING_MIN || typed.len > name.len) {
        return false;
    }
    for (size_t i = 0; i < typed.len; i++) {
        if (lower(typed.ptr[i]) != lower(name.ptr[i])) {
            return false;
        }
    }
    return true;
}

void wh_nearest_init(struct wh_nearest *near, struct wh_slice typed)
{
    *near = (struct wh_nearest){.typed = typed};
}

static bool offered_before(const struct wh_nearest *near, const char *name)
{
    for (size_t i = 0; i < near->n; i++) {
        if (strcmp(near->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void wh_nearest_offer(struct wh_nearest *near, const char *name)
{
    unsigned most = 1 + (unsigned)(near->typed.len / 3);
    unsigned edits = distance(near->typed, wh_slice_str(name));
    size_t at = near->n;

    if (begins(near->typed, wh_slice_str(name))) {
        edits = least(edits, 1);
    }
    while (at > 0 && near->edits[at - 1] > edits) {
        at--;
    }
    if (edits > most || at == WH_NEAREST_MAX || offered_before(near, name)) {
        return;
    }
    near->n += near->n < WH_NEAREST_MAX;
    for (size_t i = near->n - 1; i > at; i--) {
        near->names[i] = near->names[i - 1];
        near->edits[i] = near->edits[i - 1];
    }
    near->names[at] = name;
    near->edits[at] = edits;
}

const char *wh_nearest_name(const struct wh_nearest *near)
{
    return near->n ? near->names[0] : NULL;
}

void wh_nearest_hint(const struct wh_nearest *near, char *out, size_t size)
{
    const char *const *names = near->names;

    if (near->n == 0) {
        (void)snprintf(out, size, "%s", "");
    } else if (near->n == 1) {
        (void)snprintf(out, size, "; did you mean %s?", names[0]);
    } else if (near->n == 2) {
        (void)snprintf(out, size, "; did you mean %s or %s?", names[0], names[1]);
    } else {
        (void)snprintf(out, size, "; did you mean %s, %s or %s?", names[0], names[1], names[2]);
    }
}
