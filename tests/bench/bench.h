/* bench.h - bodies of GitLab's size and shape, made from templates; shared by the bench programs.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BENCH_BODY_MAX = 32 << 10,
    BENCH_TEXT_USUAL = 4000, /* bodies of 4.6 to 8.6 KB, 5.4 on the average */
    BENCH_TEXT_MAX = 20000,
};

/* A merge request webhook with all the fields that GitLab sends, about object `id`, revision
 * `revision`. Its description is at most text_max bytes (BENCH_TEXT_MAX at most) and a fifth of
 * that on the average. Gives its length.
 */
size_t bench_body(char out[BENCH_BODY_MAX], uint64_t id, uint64_t revision, size_t text_max);
struct bench_event {
    const char *kind; /* of the raw event */
    uint64_t id;      /* of its object */
};

/*
 * Event i of the mixed corpus over so many objects: half of the events are pipelines with two jobs,
 * a fifth single jobs, a fifth merge requests as above, and a tenth comments. A pipeline is seen
 * again and again while its jobs start and end one by one. Gives the body's length.
 */
size_t bench_mixed(char out[BENCH_BODY_MAX], uint64_t i, uint64_t objects,
                   struct bench_event *ret_event);
/* n bytes of words, compressible like prose; gives n. */
size_t bench_pad(char *to, size_t n, uint64_t *seed);
uint64_t bench_random(uint64_t *seed);

#endif
