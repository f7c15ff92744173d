#include "stages/mapper/rereads.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

enum { KEY_MAX = 200, PROBES = 8 };

struct place {
    uint64_t hash; /* 0: empty */
    int64_t granted_ms;
    int64_t within_ms;
    bool pending;
    unsigned char connection_len;
    unsigned char kind_len;
    unsigned char project_len;
    unsigned char id_len;
    char text[KEY_MAX]; /* connection, kind, project, id: only for trailing requests */
    struct wh_slice reason;
};

struct mapper_rereads {
    struct place *places;
    size_t mask;
    size_t pending;
    size_t scan;
    struct place *given;
};

struct mapper_rereads *mapper_rereads_new(size_t places)
{
    struct mapper_rereads *r = wh_mem_zalloc(1, sizeof(*r));

    if (r == NULL) {
        return NULL;
    }
    r->places = wh_mem_zalloc(places, sizeof(*r->places));
    r->mask = places - 1;
    if (r->places == NULL) {
        wh_mem_free(r);
        return NULL;
    }
    return r;
}

void mapper_rereads_free(struct mapper_rereads *r)
{
    if (r) {
        wh_mem_free(r->places);
        wh_mem_free(r);
    }
}

static bool append(char *text, size_t *at, struct wh_slice part)
{
    if (part.len > 255 || *at + part.len > KEY_MAX - 1) {
        return false;
    }
    if (part.len) {
        memcpy(text + *at, part.ptr, part.len);
    }
    *at += part.len;
    text[(*at)++] = '\0';
    return true;
}

/* The request's place, or one to reuse: an empty one, else the oldest without a trailing request. */
static struct place *find_place(struct mapper_rereads *r, uint64_t hash)
{
    struct place *oldest = NULL;

    for (size_t i = 0; i < PROBES; i++) {
        struct place *p = &r->places[(hash + i) & r->mask];

        if (p->hash == hash || p->hash == 0) {
            return p;
        }
        if (!p->pending && (oldest == NULL || p->granted_ms < oldest->granted_ms)) {
            oldest = p;
        }
    }
    return oldest;
}

bool mapper_rereads_ask(struct mapper_rereads *r, struct wh_slice connection,
                        const struct mapper_reread *request, int64_t now_ms)
{
    char text[KEY_MAX];
    struct place *p;
    uint64_t hash;
    size_t len = 0;

    if (!append(text, &len, connection) || !append(text, &len, request->kind) ||
        !append(text, &len, request->project) || !append(text, &len, request->id)) {
        return true;
    }
    hash = wh_hash64(wh_slice(text, len)) | 1;
    p = find_place(r, hash);
    if (p == NULL) {
        return true;
    }
    if (p->hash == hash && now_ms < p->granted_ms + p->within_ms && now_ms >= p->granted_ms) {
        r->pending += request->trailing && !p->pending;
        p->pending = p->pending || request->trailing;
        return false;
    }
    if (p->hash == hash && p->pending) {
        p->pending = false;
        r->pending--;
    }
    *p = (struct place){.hash = hash,
                        .granted_ms = now_ms,
                        .within_ms = request->within_ms,
                        .connection_len = (unsigned char)connection.len,
                        .kind_len = (unsigned char)request->kind.len,
                        .project_len = (unsigned char)request->project.len,
                        .id_len = (unsigned char)request->id.len,
                        .reason = request->reason};
    memcpy(p->text, text, len);
    return true;
}

static struct wh_slice part(const struct place *p, size_t *at, size_t len)
{
    struct wh_slice s = wh_slice(p->text + *at, len);

    *at += len + 1;
    return s;
}

bool mapper_rereads_due(struct mapper_rereads *r, int64_t now_ms, bool all, struct wh_reread *ret)
{
    size_t at = 0;

    r->given = NULL;
    for (size_t i = 0; r->pending && i <= r->mask; i++) {
        struct place *p = &r->places[(r->scan + i) & r->mask];

        if (!p->pending || (!all && now_ms < p->granted_ms + p->within_ms)) {
            continue;
        }
        r->scan = (r->scan + i + 1) & r->mask;
        p->pending = false;
        r->pending--;
        p->granted_ms = now_ms;
        r->given = p;
        ret->connection = part(p, &at, p->connection_len);
        ret->kind = part(p, &at, p->kind_len);
        ret->project = part(p, &at, p->project_len);
        ret->id = part(p, &at, p->id_len);
        ret->reason = p->reason;
        ret->asked_at_ms = now_ms;
        return true;
    }
    return false;
}

void mapper_rereads_put_back(struct mapper_rereads *r)
{
    if (r->given && !r->given->pending) {
        r->given->pending = true;
        r->given->granted_ms -= r->given->within_ms;
        r->pending++;
    }
}

size_t mapper_rereads_pending(const struct mapper_rereads *r)
{
    return r->pending;
}
