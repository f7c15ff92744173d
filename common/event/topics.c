#include "common/event/topics.h"

#include <stdio.h>

static const char *const role_names[WH_TOPIC_ROLE_COUNT] = {
    "raw.",    "entities.", "dead-letter.", "connections", "fetch-state",
    "rereads", "runs",      "health",       "decisions"};

enum { PREFIX_MAX = 64, CONNECTION_MAX = 64 };

static bool per_connection(enum wh_topic_role role)
{
    return role == WH_TOPIC_RAW || role == WH_TOPIC_ENTITIES || role == WH_TOPIC_DEAD_LETTER;
}

bool wh_connection_id_valid(struct wh_slice id)
{
    if (id.len < 1 || id.len > CONNECTION_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
            return false;
        }
    }
    return true;
}

static bool legal_prefix(const char *prefix)
{
    size_t n = strlen(prefix);

    return n <= PREFIX_MAX && strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789.-") == n;
}

enum wh_rc wh_topic_name(const char *prefix, enum wh_topic_role role, struct wh_slice connection,
                         char ret[WH_TOPIC_MAX], struct wh_err *err)
{
    if (!legal_prefix(prefix)) {
        return wh_fail(err, WH_E_INVALID, "topic.prefix takes letters, digits, '.' and '-' only");
    }
    if (per_connection(role) && !wh_connection_id_valid(connection)) {
        return wh_fail(err, WH_E_INVALID, "'%.*s' is not a connection id",
                       (int)(connection.len < CONNECTION_MAX ? connection.len : CONNECTION_MAX),
                       connection.ptr ? connection.ptr : "");
    }
    (void)snprintf(ret, WH_TOPIC_MAX, "%s%s%.*s", prefix, role_names[role],
                   per_connection(role) ? (int)connection.len : 0, connection.ptr);
    return WH_OK;
}

enum wh_rc wh_topic_pattern(const char *prefix, enum wh_topic_role role, char ret[WH_TOPIC_MAX * 2],
                            struct wh_err *err)
{
    const char *parts[] = {prefix, role_names[role]};
    size_t n = 0;

    if (!legal_prefix(prefix)) {
        return wh_fail(err, WH_E_INVALID, "topic.prefix takes letters, digits, '.' and '-' only");
    }
    ret[n++] = '^';
    for (size_t i = 0; i < 2; i++) {
        for (const char *p = parts[i]; *p; p++) {
            if (*p == '.') {
                ret[n++] = '\\';
            }
            ret[n++] = *p;
        }
    }
    memcpy(ret + n, ".+", 3);
    return WH_OK;
}

bool wh_topic_connection(const char *prefix, enum wh_topic_role role, const char *topic,
                         struct wh_slice *ret_connection)
{
    size_t n_prefix = strlen(prefix);
    size_t n_role = strlen(role_names[role]);
    struct wh_slice id;

    if (!per_connection(role) || strncmp(topic, prefix, n_prefix) != 0 ||
        strncmp(topic + n_prefix, role_names[role], n_role) != 0) {
        return false;
    }
    id = wh_slice_str(topic + n_prefix + n_role);
    if (!wh_connection_id_valid(id)) {
        return false;
    }
    *ret_connection = id;
    return true;
}

enum wh_topic_role wh_topic_role(const char *prefix, const char *topic,
                                 struct wh_slice *ret_connection)
{
    size_t n_prefix = strlen(prefix);
    unsigned role = 0;

    *ret_connection = WH_LIT("");
    for (; role < WH_TOPIC_ROLE_COUNT; role++) {
        if (wh_topic_connection(prefix, (enum wh_topic_role)role, topic, ret_connection) ||
            (!per_connection((enum wh_topic_role)role) && strncmp(topic, prefix, n_prefix) == 0 &&
             strcmp(topic + n_prefix, role_names[role]) == 0)) {
            break;
        }
    }
    return (enum wh_topic_role)role;
}
