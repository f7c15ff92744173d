/*
 * transcript.h - what a fetcher did, as text: the requests that it sent, in order, and the records
 * that it produced. It is compared with a file of tests/stage/golden-fetcher/.
 *
 * A line of a raw topic: partition, key, and a hash of the headers and the decoded value. A line of
 * another topic: partition, key, the first part of the JSON document, and a hash of all of it. A
 * sealed secret, which has a random nonce, is replaced by its length.
 *
 * With GOLDEN_UPDATE=1 in the environment the files are written instead of compared. The whole text
 * is always left in build/golden-fetcher/. To find what a hash hides, run an older commit too, both
 * with GOLDEN_FULL=1 so that documents are not cut, and compare the two texts.
 */
#ifndef GOLDEN_TRANSCRIPT_H
#define GOLDEN_TRANSCRIPT_H

#include "tests/lib/bus_mem.h"

struct transcript;

/* Both are kept. Fails the test when there is no memory. */
struct transcript *transcript_new(const struct wh_bus_mem *bus, const char *connection);
void transcript_free(struct transcript *t);
/* For lines of others; requests are noted there. */
struct wh_buf *transcript_text(struct transcript *t);
/* Begins a part: "== <title>". */
void transcript_part(struct transcript *t, const char *title);
/* Adds the records that were stored in the topic since the last call for it. A topic that is not
 * there has none. */
void transcript_records(struct transcript *t, const char *topic);
/* Adds the length and the hash of a document. */
void transcript_json(struct transcript *t, const char *title, struct wh_slice json);
/* Fails the test when the file <name>.txt says otherwise; shows where. A brief file holds a hash
 * for each section. */
void transcript_check(const struct transcript *t, const char *name, bool brief);

#endif
