/* Which names this server has, and which of them a request used. */
#include <stdio.h>
#include <string.h>

#include "stages/sink/api/api_priv.h"

/* The host without its port; *ret_port: ":8704", or empty. */
static struct wh_slice host_name(struct wh_slice host, struct wh_slice *ret_port)
{
    const char *end = NULL;
    size_t n = host.len;

    if (host.len && host.ptr[0] == '[') {
        end = memchr(host.ptr, ']', host.len);
        n = end ? (size_t)(end - host.ptr) + 1 : host.len;
    } else if (host.len) {
        end = memchr(host.ptr, ':', host.len);
        n = end ? (size_t)(end - host.ptr) : host.len;
    }
    *ret_port = wh_slice_from(host, n);
    return wh_slice(host.ptr, n);
}

/* ":" and one to five digits, or nothing. */
static bool is_port(struct wh_slice port)
{
    for (size_t i = 1; i < port.len; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9') {
            return false;
        }
    }
    return port.len == 0 || (port.ptr[0] == ':' && port.len >= 2 && port.len <= 6);
}

/* "https://a.example.com:8443/b" -> "a.example.com"; a name stays as it is. */
static struct wh_slice name_of(struct wh_slice entry)
{
    const char *slashes = memmem(entry.ptr, entry.len, "://", 3);
    struct wh_slice host =
        slashes ? wh_slice_from(entry, (size_t)(slashes - entry.ptr) + 3) : entry;
    const char *path = memchr(host.ptr, '/', host.len);
    struct wh_slice port;

    return host_name(path ? wh_slice(host.ptr, (size_t)(path - host.ptr)) : host, &port);
}

/* Is the name in "a.example.com, https://b.example.com"? */
static bool is_listed(const char *list, struct wh_slice name)
{
    size_t n;

    for (; name.len && list && *list; list += n) {
        list += strspn(list, ", ");
        n = strcspn(list, ", ");
        if (n && wh_slice_eq(name_of(wh_slice(list, n)), name)) {
            return true;
        }
    }
    return false;
}

static bool is_ours(const struct sink_api *api, struct wh_slice host)
{
    struct wh_slice port;
    struct wh_slice name = host_name(host, &port);

    return is_port(port) && (is_listed("localhost, 127.0.0.1, [::1]", name) ||
                             is_listed(api->deps.conf.hosts, name));
}

/* A page of another site cannot reach this one by giving it a name of its own (DNS rebinding). */
bool api_host_fits(const struct sink_api *api, const struct wh_http_req *req)
{
    struct wh_slice host = wh_http_header(req, "Host");
    struct wh_slice origin = wh_http_header(req, "Origin");
    const char *slashes = origin.len ? memmem(origin.ptr, origin.len, "://", 3) : NULL;

    if (!is_ours(api, host)) {
        return false;
    }
    return origin.ptr == NULL ||
           (slashes &&
            wh_slice_eq(wh_slice_from(origin, (size_t)(slashes - origin.ptr) + 3), host));
}

bool api_origin(const struct sink_api *api, const struct wh_http_req *req, const char *path,
                char ret[API_ORIGIN_MAX])
{
    struct wh_slice host = wh_http_header(req, "Host");
    bool https = wh_slice_eq(wh_http_header(req, "X-Forwarded-Proto"), WH_LIT("https"));
    int n = is_ours(api, host) ? snprintf(ret, API_ORIGIN_MAX, "%s://%.*s%s",
                                          https ? "https" : "http", WH_SLICE_ARG(host), path)
                               : 0;

    return n > 0 && n < API_ORIGIN_MAX;
}

bool api_room_take(struct api_room *room, int64_t now_ns, unsigned burst, double rate)
{
    double since = room->at_ns ? (double)(now_ns - room->at_ns) / 1e9 : (double)burst / rate;

    room->left += since * rate;
    if (room->left > burst) {
        room->left = burst;
    }
    room->at_ns = now_ns;
    if (room->left < 1) {
        return false;
    }
    room->left -= 1;
    return true;
}
