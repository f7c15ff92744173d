/*
 * th_raw.h - a client that writes raw bytes to a server on loopback, so that a test can be as slow,
 * as wrong or as many as it likes. Every wait is bounded; a wait that ends fails the test.
 */
#ifndef TH_RAW_H
#define TH_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TH_RAW_TIMEOUT_MS = 20000 };

/* Lets this process open that many descriptors; false when the system does not. */
bool th_raw_descriptors(size_t n);
/* Connects from that loopback address ("127.0.0.2"). */
int th_raw_dial(const char *from, uint16_t port);
/* -1 when the system has no port or descriptor left. */
int th_raw_try_dial(const char *from, uint16_t port);
void th_raw_say(int fd, const char *text);
/* False when the peer has closed. */
bool th_raw_send(int fd, const void *bytes, size_t len);
/* What arrives until it contains the text, or until the peer closes; NULL: until it closes. */
const char *th_raw_hear(int fd, const char *until);
/* The same, but no answer within the time gives what there is. */
const char *th_raw_hear_for(int fd, const char *until, int timeout_ms);
/* Whether the peer has closed, without a wait. */
bool th_raw_closed(int fd);
void th_raw_contains(const char *text, const char *part);

#endif
