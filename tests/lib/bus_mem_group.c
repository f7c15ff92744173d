/* Which member of a group reads which partition. */
#include "tests/lib/bus_mem_priv.h"

#include <regex.h>

static bool matches(const char *pattern, const char *name)
{
    regex_t regex;
    bool match;

    if (pattern[0] != '^') {
        return strcmp(pattern, name) == 0;
    }
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    match = regexec(&regex, name, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

void bus_mem_revoke(struct mem_consumer *c, bool lost)
{
    struct wh_bus_partition parts[ASSIGNED_MAX];

    for (size_t i = 0; i < c->n_assigned; i++) {
        parts[i] = (struct wh_bus_partition){c->assigned[i].topic->name, c->assigned[i].partition,
                                             c->assigned[i].position};
    }
    if (c->n_assigned && c->conf.rebalance.on_revoke) {
        c->conf.rebalance.on_revoke(c->conf.rebalance.ctx, parts, c->n_assigned, lost);
    }
    c->n_assigned = 0;
}

static bool matches_any(const struct mem_consumer *c, const struct mem_topic *t)
{
    for (size_t k = 0; k < c->n_patterns; k++) {
        if (t->name[0] && matches(c->patterns[k], t->name)) {
            return true;
        }
    }
    return false;
}

static size_t count_matching(const struct mem_consumer *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->bus->n_topics; i++) {
        n += matches_any(c, &c->bus->topics[i]);
    }
    return n;
}

/* Two members of one group; a consumer is no peer of itself. */
static bool peers(const struct mem_consumer *a, const struct mem_consumer *b)
{
    return a != b && a->group[0] && a->n_patterns && b->n_patterns &&
           strcmp(a->group, b->group) == 0;
}

/* The other members of the group rejoin at their next poll. */
void bus_mem_unsettle_peers(const struct mem_consumer *c)
{
    for (struct mem_consumer *other = c->bus->consumers; other; other = other->next) {
        if (peers(c, other)) {
            other->stale = true;
            bus_mem_signal(other->fd);
        }
    }
}

/* Partitions stay with their old owner until it has given them back in a poll of its own. */
static bool waits_for_peers(const struct mem_consumer *c)
{
    for (const struct mem_consumer *other = c->bus->consumers; other; other = other->next) {
        if (peers(c, other) && other->stale && other->joined) {
            return true;
        }
    }
    return false;
}

/* Range assignment over the members of the group, oldest first: from first up to, not including,
 * end. */
static void share_of(const struct mem_consumer *c, int32_t partitions, int32_t *first, int32_t *end)
{
    int32_t index = 0;
    int32_t members = 1;
    bool older = false; /* consumers are listed newest first */

    for (const struct mem_consumer *other = c->bus->consumers; other; other = other->next) {
        older = older || other == c;
        index += older && peers(c, other);
        members += peers(c, other);
    }
    *first = index * (partitions / members) +
             (index < partitions % members ? index : partitions % members);
    *end = *first + partitions / members + (index < partitions % members);
}

static bool settled(struct mem_consumer *c)
{
    if (!c->joined || c->stale) {
        return false;
    }
    if (c->seen_topics != c->bus->n_topics) {
        c->seen_topics = c->bus->n_topics;
        return count_matching(c) == c->n_matching;
    }
    return true;
}

static void join(struct mem_consumer *c)
{
    struct wh_bus_partition parts[ASSIGNED_MAX];
    size_t n = 0;

    c->joined = true;
    c->stale = false;
    c->seen_topics = c->bus->n_topics;
    c->n_matching = count_matching(c);
    for (size_t i = 0; i < c->bus->n_topics; i++) {
        struct mem_topic *t = &c->bus->topics[i];
        int32_t p = 0;
        int32_t end = 0;

        if (matches_any(c, t)) {
            share_of(c, t->n_partitions, &p, &end);
        }
        for (; p < end && n < ASSIGNED_MAX; p++) {
            int64_t at = bus_mem_start_offset(c, t, p, WH_OFFSET_STORED);

            c->assigned[n] = (struct mem_assigned){t, p, at, false};
            parts[n++] = (struct wh_bus_partition){t->name, p, at};
        }
    }
    c->n_assigned = n;
    if (n && c->conf.rebalance.on_assign) {
        c->conf.rebalance.on_assign(c->conf.rebalance.ctx, parts, n);
    }
}

/* Joins the group, or joins it again when its members or the matching topics have changed. */
void bus_mem_rebalance(struct mem_consumer *c)
{
    if (c->n_patterns == 0 || settled(c)) {
        return;
    }
    bus_mem_revoke(c, false);
    c->joined = false;
    if (waits_for_peers(c)) {
        bus_mem_signal(c->fd);
        return;
    }
    join(c);
}
