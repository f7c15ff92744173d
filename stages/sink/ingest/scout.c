#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/ingest/topics.h"

enum { ADMIN_TIMEOUT_MS = 5000 };

void sink_found_free(struct sink_found *found)
{
    if (found) {
        wh_mem_free(found->topics);
        wh_mem_free(found->partitions);
        wh_mem_free(found);
    }
}

/* The shared topics that the sink reads. */
static const enum wh_topic_role shared_roles[] = {WH_TOPIC_CONNECTIONS, WH_TOPIC_RUNS,
                                                  WH_TOPIC_HEALTH, WH_TOPIC_DECISIONS};

enum { SHARED_ROLES = sizeof(shared_roles) / sizeof(shared_roles[0]) };

/* True for a shared topic and for the entities topic of a connection. */
static bool ours(const char *prefix, const char *name, enum wh_topic_role *ret_role,
                 struct wh_slice *ret_connection)
{
    char shared[WH_TOPIC_MAX];
    struct wh_err err;

    *ret_connection = wh_slice("", 0);
    for (size_t i = 0; i < SHARED_ROLES; i++) {
        *ret_role = shared_roles[i];
        if (wh_topic_name(prefix, shared_roles[i], WH_LIT(""), shared, &err) == WH_OK &&
            strcmp(name, shared) == 0) {
            return true;
        }
    }
    *ret_role = WH_TOPIC_ENTITIES;
    return wh_topic_connection(prefix, WH_TOPIC_ENTITIES, name, ret_connection);
}

static enum wh_rc add_topic(struct sink_found *f, const struct wh_bus_topic_info *info,
                            enum wh_topic_role role, struct wh_slice connection, struct wh_err *err)
{
    struct sink_found_topic *t = &f->topics[f->n_topics];

    if (f->n_topics == SINK_TOPICS_MAX ||
        f->n_partitions + (size_t)info->partitions > SINK_PARTITIONS_MAX) {
        return wh_fail(err, WH_E_CONFIG, "more than %d topics or %d partitions to read",
                       SINK_TOPICS_MAX, SINK_PARTITIONS_MAX);
    }
    (void)snprintf(t->name, sizeof(t->name), "%s", info->name);
    (void)snprintf(t->connection, sizeof(t->connection), "%.*s", WH_SLICE_ARG(connection));
    t->role = role;
    t->partitions = info->partitions;
    for (int32_t p = 0; p < info->partitions; p++) {
        f->partitions[f->n_partitions++] =
            (struct sink_found_partition){.topic = f->n_topics, .partition = p};
    }
    f->n_topics++;
    return WH_OK;
}

static enum wh_rc list_ours(struct sink_found *f, struct wh_admin *admin, const char *prefix,
                            struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;
    enum wh_rc rc = wh_admin_list(admin, ADMIN_TIMEOUT_MS, &list, &n, err);

    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        enum wh_topic_role role;
        struct wh_slice connection;

        if (ours(prefix, list[i].name, &role, &connection)) {
            rc = add_topic(f, &list[i], role, connection, err);
        }
    }
    wh_bus_topic_list_free(list, n);
    return rc;
}

/* Low or high of all partitions, in one question. */
static enum wh_rc ask_bound(struct sink_found *f, struct wh_admin *admin, int64_t which,
                            struct wh_bus_partition *parts, struct wh_err *err)
{
    for (size_t i = 0; i < f->n_partitions; i++) {
        parts[i] = (struct wh_bus_partition){.topic = f->topics[f->partitions[i].topic].name,
                                             .partition = f->partitions[i].partition};
    }
    if (wh_admin_offsets(admin, parts, f->n_partitions, which, ADMIN_TIMEOUT_MS, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < f->n_partitions; i++) {
        if (parts[i].offset < 0) {
            return wh_fail(err, WH_E_UNAVAILABLE, "%s: no offsets", parts[i].topic);
        }
        *(which == WH_OFFSET_END ? &f->partitions[i].high : &f->partitions[i].low) =
            parts[i].offset;
    }
    return WH_OK;
}

static enum wh_rc ask_ends(struct sink_found *f, struct wh_admin *admin, const atomic_bool *stop,
                           struct wh_err *err)
{
    WH_AUTO_FREE struct wh_bus_partition *parts =
        wh_mem_zalloc(f->n_partitions + 1, sizeof(*parts));

    if (parts == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the ends of topics");
    }
    if (stop && atomic_load(stop)) {
        return wh_fail(err, WH_E_CANCELED, "stopping");
    }
    if (ask_bound(f, admin, WH_OFFSET_BEGINNING, parts, err) != WH_OK) {
        return err->rc;
    }
    return ask_bound(f, admin, WH_OFFSET_END, parts, err);
}

enum wh_rc sink_scout(struct wh_admin *admin, const char *prefix, const atomic_bool *stop,
                      struct sink_found **ret, struct wh_err *err)
{
    struct sink_found *f = wh_mem_zalloc(1, sizeof(*f));
    enum wh_rc rc;

    if (f) {
        f->topics = wh_mem_zalloc(SINK_TOPICS_MAX + 1, sizeof(*f->topics));
        f->partitions = wh_mem_zalloc(SINK_PARTITIONS_MAX, sizeof(*f->partitions));
    }
    if (f == NULL || f->topics == NULL || f->partitions == NULL) {
        sink_found_free(f);
        return wh_fail(err, WH_E_NOMEM, "no memory for the list of topics");
    }
    rc = list_ours(f, admin, prefix, err);
    if (rc == WH_OK) {
        rc = ask_ends(f, admin, stop, err);
    }
    if (rc != WH_OK) {
        sink_found_free(f);
        return rc;
    }
    *ret = f;
    return WH_OK;
}
