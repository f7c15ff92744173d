#include "stages/fetcher/state/projects.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

void projects_free(struct projects *all)
{
    while (all->first) {
        struct project *next = all->first->next;

        wh_mem_free(all->first->path);
        wh_mem_free(all->first);
        all->first = next;
    }
    all->n = 0;
}

struct project *projects_find(const struct projects *all, const char *id)
{
    for (struct project *p = all->first; p; p = p->next) {
        if (strcmp(p->id, id) == 0) {
            return p;
        }
    }
    return NULL;
}

struct project *projects_add(struct projects *all, struct wh_slice id)
{
    struct project *p;
    char text[PROJECT_ID_MAX];

    (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(id));
    p = projects_find(all, text);
    if (p) {
        return p;
    }
    p = wh_mem_zalloc(1, sizeof(*p));
    if (p) {
        memcpy(p->id, text, sizeof(p->id));
        p->next = all->first;
        all->first = p;
        all->n++;
    }
    return p;
}

struct project *projects_add_row(struct projects *all, struct wh_json_val row)
{
    struct wh_json_val id;
    struct wh_json_val path;
    struct project *p;
    char text[PROJECT_ID_MAX];

    if (!wh_json_get(row, WH_LIT("id"), &id) || wh_json_type(id) != WH_JSON_INT) {
        return NULL;
    }
    (void)snprintf(text, sizeof(text), "%" PRId64, wh_json_int(id));
    p = projects_add(all, wh_slice_str(text));
    if (p == NULL) {
        return NULL;
    }
    if (p->path == NULL && (wh_json_get(row, WH_LIT("path_with_namespace"), &path) ||
                            wh_json_get(row, WH_LIT("fullPath"), &path))) {
        struct wh_slice s = wh_json_string(path);

        p->path = wh_mem_dup(s.ptr ? s.ptr : "", s.len);
    }
    p->access = project_access_of(row);
    return p;
}

int64_t project_access_of(struct wh_json_val row)
{
    static const char *const by[] = {"project_access", "group_access"};
    struct wh_json_val permissions;
    int64_t access = 0;

    for (size_t i = 0; i < 2 && wh_json_get(row, WH_LIT("permissions"), &permissions); i++) {
        struct wh_json_val v;

        if (wh_json_get(permissions, wh_slice_str(by[i]), &v) &&
            wh_json_get(v, WH_LIT("access_level"), &v) && wh_json_type(v) == WH_JSON_INT &&
            wh_json_int(v) > access) {
            access = wh_json_int(v);
        }
    }
    return access;
}
