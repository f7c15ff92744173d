#include "stages/fetcher/check/pipeline_gap.h"

static const unsigned seen = ((1u << NUMBER_FATES) - 1) & ~(1u << NUMBER_UNKNOWN);

/* The id of the nearest number below that has one; 0: none has. */
static int64_t id_below(const struct number_set *set, int64_t number)
{
    int64_t id = 0;

    while (id == 0 && --number > 0) {
        id = number_set_get(set, number).id;
    }
    return id;
}

/* The same above. */
static int64_t id_above(const struct number_set *set, int64_t number)
{
    int64_t id = 0;

    while (id == 0 && number_set_next(set, number, seen, &number)) {
        id = number_set_get(set, number).id;
    }
    return id;
}

bool pipeline_gap_next(const struct number_set *set, int64_t after, struct pipeline_gap *ret)
{
    int64_t next;

    if (!number_set_next(set, after, 1u << NUMBER_UNKNOWN, &ret->from)) {
        return false;
    }
    if (!number_set_next(set, ret->from, seen, &next)) {
        return false; /* the highest number was seen */
    }
    ret->to = next - 1;
    ret->first_id = id_below(set, ret->from) + 1;
    ret->last_id = id_above(set, ret->to) - 1;
    return true;
}

int64_t pipeline_gap_width(const struct pipeline_gap *gap)
{
    return gap->last_id < gap->first_id ? 0 : gap->last_id - gap->first_id + 1;
}
