/*
 * th_reader.h - what listings work with, over the bus in memory and without a connection: the
 * outbox, cursors, a REST client and an MCP session. A reader can die at any moment; the next one
 * begins with the cursors that Kafka has. It reads the project 7 of the connection "c".
 */
#ifndef TH_READER_H
#define TH_READER_H

#include "stages/fetcher/listing/listing.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/httpc_script.h"

struct th_reader {
    /* Set by the test; they outlive every reader. */
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct wh_clock clock;
    struct wh_httpc *http;
    struct th_script *script; /* of th_reader_open */
    bool read_links;
    int64_t from_ms; /* of the listings that start next */
    /* The answers of listing_env.owns and listing_env.stopped. */
    bool foreign;
    bool stopped;
    /* What the listings of all readers have reported. */
    struct listing_result result; /* of the newest one that ended */
    unsigned ended;
    struct stream_count count;
    unsigned rows; /* that on_row was called with */
    /* The reader that lives. */
    struct wh_producer *producer;
    struct outbox *outbox;
    struct wh_json_parser *documents;
    struct client *client;
    struct mcp *mcp;
    struct listing_env env;
    struct listings listings;
    struct project project;
};

/* Group set-ups: the producers of readers hold 100,000 records, or 4, so that nearly every record
 * meets a full queue. */
int th_reader_large_queue(void **state);
int th_reader_tiny_queue(void **state);

void th_reader_born(struct th_reader *r);
void th_reader_die(struct th_reader *r);
/* Starts a listing of the project, or the list of projects: by REST, or by the tool. stream: its name
 * in streams.h. */
void th_reader_start(struct th_reader *r, const char *stream, const char *tool);
/* No listing is under way, and every record is acknowledged. */
bool th_reader_rests(const struct th_reader *r);

/* The whole in one: a bus, a loop, a script of answers and a reader, at a time that stands still. The
 * members that a test sets stay as they are. */
void th_reader_open(struct th_reader *r, th_script_fn gitlab, void *ctx);
void th_reader_close(struct th_reader *r);
/* Starts a listing by REST and answers its requests, oldest first, until it rests. */
void th_reader_read(struct th_reader *r, const char *stream);

#endif
