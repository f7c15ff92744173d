/*
 * th_get.h - a blocking HTTP client, for requests from a pool thread to a server in the test's
 * loop. Thread: any but the loop's.
 */
#ifndef TH_GET_H
#define TH_GET_H

#include <stdint.h>

enum { TH_GET_MAX = 64 << 10 };

/* Sends "<method> <path>" without a body to 127.0.0.1. Returns the status, 0 when there is none;
 * the answer's head and body go to text, cut to its size. */
unsigned th_get(uint16_t port, const char *method, const char *path, char text[TH_GET_MAX]);

#endif
