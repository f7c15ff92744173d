#include "common/httpd/conns.h"

#include <sys/socket.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

struct httpd_peer {
    struct httpd_peer *next; /* in its bucket */
    struct httpd_addr addr;
    unsigned n; /* its connections, and its requests through trusted proxies */
    struct httpd_readers readers;
};

void httpd_conns_init(struct httpd_conns *conns, unsigned max, unsigned per_peer)
{
    *conns = (struct httpd_conns){.max = max, .per_peer = per_peer};
}

/* ---- lists ---- */

static void append(struct httpd_readers *list, struct httpd_conn *conn, enum httpd_link link)
{
    conn->prev[link] = list->last;
    conn->next[link] = NULL;
    if (list->last) {
        list->last->next[link] = conn;
    } else {
        list->first = conn;
    }
    list->last = conn;
}

static void unlink_from(struct httpd_readers *list, struct httpd_conn *conn, enum httpd_link link)
{
    if (conn->prev[link]) {
        conn->prev[link]->next[link] = conn->next[link];
    } else {
        list->first = conn->next[link];
    }
    if (conn->next[link]) {
        conn->next[link]->prev[link] = conn->prev[link];
    } else {
        list->last = conn->prev[link];
    }
    conn->prev[link] = NULL;
    conn->next[link] = NULL;
}

/* ---- peers ---- */

static struct httpd_peer **bucket_of(struct httpd_conns *conns, const struct httpd_addr *addr)
{
    uint64_t hash = wh_hash64(wh_slice(addr->bytes, sizeof(addr->bytes)));

    return &conns->buckets[hash % HTTPD_PEER_BUCKETS];
}

static struct httpd_peer *find_peer(struct httpd_conns *conns, const struct httpd_addr *addr)
{
    struct httpd_peer *peer = *bucket_of(conns, addr);

    while (peer && !httpd_addr_eq(&peer->addr, addr)) {
        peer = peer->next;
    }
    return peer;
}

/* Counts one more connection of the peer, which is created if needed. */
static struct httpd_peer *take(struct httpd_conns *conns, const struct httpd_addr *addr)
{
    struct httpd_peer *peer = find_peer(conns, addr);
    struct httpd_peer **bucket = bucket_of(conns, addr);

    if (peer == NULL) {
        peer = wh_mem_zalloc(1, sizeof(*peer));
        if (peer == NULL) {
            return NULL;
        }
        peer->addr = *addr;
        peer->next = *bucket;
        *bucket = peer;
    }
    peer->n++;
    return peer;
}

void httpd_peer_give(struct httpd_conns *conns, struct httpd_peer *peer)
{
    struct httpd_peer **at;

    if (peer == NULL || --peer->n > 0) {
        return;
    }
    at = bucket_of(conns, &peer->addr);
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    wh_mem_free(peer);
}

struct httpd_peer *httpd_peer_take(struct httpd_conns *conns, const struct httpd_addr *client)
{
    const struct httpd_addr addr = httpd_addr_peer(client);
    const struct httpd_peer *peer = find_peer(conns, &addr);

    return peer && peer->n >= conns->per_peer ? NULL : take(conns, &addr);
}

/* ---- connections ---- */

static void stop_reading(struct httpd_conns *conns, struct httpd_conn *conn)
{
    if (!conn->reading) {
        return;
    }
    unlink_from(&conns->readers, conn, HTTPD_OF_ALL);
    if (conn->peer) {
        unlink_from(&conn->peer->readers, conn, HTTPD_OF_PEER);
    }
    conn->reading = false;
    conn->body_of = NULL;
}

void httpd_conns_read(struct httpd_conns *conns, struct httpd_conn *conn, int64_t deadline_ns,
                      void *body_of)
{
    if (conn->evicted) {
        return;
    }
    stop_reading(conns, conn);
    append(&conns->readers, conn, HTTPD_OF_ALL);
    if (conn->peer) {
        append(&conn->peer->readers, conn, HTTPD_OF_PEER);
    }
    conn->reading = true;
    conn->deadline_ns = deadline_ns;
    conn->body_of = body_of;
}

void httpd_conns_busy(struct httpd_conns *conns, struct httpd_conn *conn)
{
    stop_reading(conns, conn);
}

static void forget(struct httpd_conns *conns, struct httpd_conn *conn)
{
    stop_reading(conns, conn);
    httpd_peer_give(conns, conn->peer);
    conn->peer = NULL;
    conns->n--;
}

void httpd_conns_evict(struct httpd_conns *conns, struct httpd_conn *conn)
{
    if (!conn->evicted) {
        forget(conns, conn);
        conn->evicted = true;
        (void)shutdown(conn->fd, SHUT_RDWR);
    }
}

bool httpd_conns_evict_one(struct httpd_conns *conns)
{
    if (conns->readers.first == NULL) {
        return false;
    }
    httpd_conns_evict(conns, conns->readers.first);
    return true;
}

void httpd_conns_remove(struct httpd_conns *conns, struct httpd_conn *conn)
{
    if (!conn->evicted) {
        forget(conns, conn);
    }
    wh_mem_free(conn);
}

/* peer is NULL for an address without connections and for a trusted proxy. */
static bool make_room(struct httpd_conns *conns, const struct httpd_peer *peer)
{
    if (peer && peer->n >= conns->per_peer) {
        if (peer->readers.first == NULL) {
            return false;
        }
        httpd_conns_evict(conns, peer->readers.first);
    }
    return conns->n < conns->max || httpd_conns_evict_one(conns);
}

struct httpd_conn *httpd_conns_add(struct httpd_conns *conns, int fd, const struct httpd_addr *addr,
                                   bool trusted, int64_t deadline_ns)
{
    const struct httpd_addr key = httpd_addr_peer(addr);
    struct httpd_conn *conn;

    if (!make_room(conns, trusted ? NULL : find_peer(conns, &key))) {
        return NULL;
    }
    conn = wh_mem_zalloc(1, sizeof(*conn));
    if (conn == NULL) {
        return NULL;
    }
    *conn = (struct httpd_conn){.fd = fd, .addr = *addr, .trusted = trusted};
    if (!trusted) {
        conn->peer = take(conns, &key);
        if (conn->peer == NULL) {
            wh_mem_free(conn);
            return NULL;
        }
    }
    conns->n++;
    httpd_conns_read(conns, conn, deadline_ns, NULL);
    return conn;
}
