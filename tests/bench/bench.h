/* bench.h - bodies of GitLab's size and shape, made from templates; shared by the bench programs.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

enum { BENCH_BODY_MAX = 16 << 10 };

/* A merge request webhook of 2 to 10 KB about object `id`, revision `revision`; gives its length.
 */
size_t bench_body(char out[BENCH_BODY_MAX], uint64_t id, uint64_t revision);
/* n bytes of words, compressible like prose; gives n. */
size_t bench_pad(char *to, size_t n, uint64_t *seed);
uint64_t bench_random(uint64_t *seed);

#endif
