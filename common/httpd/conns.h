/*
 * conns.h - private to httpd/: the open connections, their peers, and which connection is evicted when
 * there is no room for a new one.
 *
 * A connection is either reading (the server waits for its client: for a request, or for the rest
 * of one) or busy (the client waits for the server). Reading connections are kept in the order of
 * their last progress, where progress is a whole event: the connection was accepted, a head was
 * complete, a reply was sent. Single bytes are no progress, so a client that sends its head one
 * byte at a time is as idle as one that sends nothing.
 *
 * When a peer has its share of connections, or the table is full, the reading connection (of that
 * peer, or of all) whose last progress is the longest ago is closed in favour of the new one. Busy
 * connections are never closed; if all are busy, the new one is refused.
 *
 * Thread: app. No function blocks.
 */
#ifndef WH_HTTPD_CONNS_H
#define WH_HTTPD_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/httpd/addr.h"

enum { HTTPD_PEER_BUCKETS = 256 };

struct httpd_conn;
struct httpd_peer;

/* The reading connections of a peer, or of all; the one that is idle the longest is first. */
struct httpd_readers {
    struct httpd_conn *first;
    struct httpd_conn *last;
};

enum httpd_link { HTTPD_OF_ALL, HTTPD_OF_PEER, HTTPD_LINKS };

struct httpd_conn {
    struct httpd_conn *prev[HTTPD_LINKS];
    struct httpd_conn *next[HTTPD_LINKS];
    struct httpd_peer *peer; /* NULL: a trusted proxy, which has no share, or evicted */
    struct httpd_addr addr;
    int fd; /* borrowed from the server, which closes it */
    bool trusted;
    bool reading;
    bool evicted;        /* shut down; the server will notice and close it */
    bool replied;        /* a reply was sent, so it now waits for another request */
    int64_t deadline_ns; /* of what it is reading */
    void *body_of;       /* the request whose body is being read; NULL while waiting for a head */
};

struct httpd_conns {
    unsigned max;
    unsigned per_peer;
    unsigned n; /* evicted ones excluded */
    struct httpd_readers readers;
    struct httpd_peer *buckets[HTTPD_PEER_BUCKETS];
};

void httpd_conns_init(struct httpd_conns *conns, unsigned max, unsigned per_peer);
/*
 * Makes room for a connection of that address and adds it, reading until deadline_ns. NULL when it
 * has to be refused, or when there is no memory.
 */
struct httpd_conn *httpd_conns_add(struct httpd_conns *conns, int fd, const struct httpd_addr *addr,
                                   bool trusted, int64_t deadline_ns);
/* Progress: the connection reads from now on until deadline_ns. body_of is NULL for a head. */
void httpd_conns_read(struct httpd_conns *conns, struct httpd_conn *conn, int64_t deadline_ns,
                      void *body_of);
void httpd_conns_busy(struct httpd_conns *conns, struct httpd_conn *conn);
/* Shuts the socket of a connection down and forgets it except for httpd_conns_remove. */
void httpd_conns_evict(struct httpd_conns *conns, struct httpd_conn *conn);
/* Evicts the reading connection whose last progress is the longest ago; false when all are busy. */
bool httpd_conns_evict_one(struct httpd_conns *conns);
/* The socket was closed; frees conn. */
void httpd_conns_remove(struct httpd_conns *conns, struct httpd_conn *conn);

/*
 * Requests that came through a trusted proxy count against the share of the client that the proxy
 * names. NULL when that client has its share already, or when there is no memory.
 */
struct httpd_peer *httpd_peer_take(struct httpd_conns *conns, const struct httpd_addr *client);
/* Accepts NULL. */
void httpd_peer_give(struct httpd_conns *conns, struct httpd_peer *peer);

#endif
