#include "stages/sink/api/answers.h"

#include <string.h>

#include "common/base/mem.h"

/* Twice as many places as answers of the usual size fit in, so that most have one of their own. */
enum { USUAL_BYTES = 2048 };

struct place {
    struct wh_entity_id id;
    uint64_t stamp;
    char *bytes; /* NULL: free */
    size_t len;
};

struct api_answers {
    size_t max_bytes;
    size_t bytes;
    size_t next; /* the place that is freed when there is no room */
    size_t n;    /* a power of two */
    struct place places[];
};

struct api_answers *api_answers_new(size_t max_bytes)
{
    size_t n = 1;
    struct api_answers *a;

    while (n < max_bytes / USUAL_BYTES) {
        n *= 2;
    }
    a = wh_mem_zalloc(1, sizeof(*a) + n * sizeof(a->places[0]));
    if (a) {
        a->max_bytes = max_bytes;
        a->n = n;
    }
    return a;
}

static void clear(struct api_answers *a, struct place *p)
{
    a->bytes -= p->len;
    wh_mem_free(p->bytes);
    p->bytes = NULL;
    p->len = 0;
}

void api_answers_free(struct api_answers *a)
{
    for (size_t i = 0; a && i < a->n; i++) {
        clear(a, &a->places[i]);
    }
    wh_mem_free(a);
}

/* An id is a hash itself. */
static struct place *place_of(struct api_answers *a, const struct wh_entity_id *id)
{
    uint64_t bits;

    memcpy(&bits, id->bytes, sizeof(bits));
    return &a->places[bits & (a->n - 1)];
}

struct wh_slice api_answers_get(struct api_answers *a, const struct wh_entity_id *id,
                                uint64_t stamp)
{
    const struct place *p = place_of(a, id);

    if (p->bytes == NULL || p->stamp != stamp || memcmp(&p->id, id, sizeof(*id)) != 0) {
        return (struct wh_slice){NULL, 0};
    }
    return wh_slice(p->bytes, p->len);
}

void api_answers_put(struct api_answers *a, const struct wh_entity_id *id, uint64_t stamp,
                     struct wh_slice answer)
{
    struct place *p = place_of(a, id);

    clear(a, p);
    if (answer.len > a->max_bytes) {
        return;
    }
    while (a->bytes + answer.len > a->max_bytes) {
        clear(a, &a->places[a->next]);
        a->next = (a->next + 1) & (a->n - 1);
    }
    p->bytes = wh_mem_dup(answer.ptr, answer.len);
    if (p->bytes) {
        p->id = *id;
        p->stamp = stamp;
        p->len = answer.len;
        a->bytes += answer.len;
    }
}
