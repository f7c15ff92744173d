#include "stages/fetcher/check/absence.h"

#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/json/json_write.h"

enum { BUCKETS = 1024 };

/* The absences of one project, in the order of kinds and ids. */
struct group {
    struct group *next;
    char connection[WH_CONNECTION_ID_MAX];
    char project[24];
    struct absence **items;
    size_t n;
    size_t cap;
};

struct absences {
    struct group *buckets[BUCKETS];
    size_t n;
    size_t n_told; /* of them, with a tombstone */
    absences_save_fn save;
    void *ctx;
};

struct absences *absences_new(absences_save_fn save, void *ctx)
{
    struct absences *t = wh_mem_zalloc(1, sizeof(*t));

    if (t) {
        t->save = save;
        t->ctx = ctx;
    }
    return t;
}

static void group_free(struct absences *t, struct group *g)
{
    t->n -= g->n;
    while (g->n) {
        t->n_told -= g->items[--g->n]->told;
        wh_mem_free(g->items[g->n]);
    }
    wh_mem_free(g->items);
    wh_mem_free(g);
}

/* connection NULL: of all. */
static void forget(struct absences *t, const char *connection)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct group **link = &t->buckets[i];

        while (*link) {
            struct group *g = *link;

            if (connection && strcmp(g->connection, connection) != 0) {
                link = &g->next;
                continue;
            }
            *link = g->next;
            group_free(t, g);
        }
    }
}

void absences_free(struct absences *t)
{
    if (t) {
        forget(t, NULL);
        wh_mem_free(t);
    }
}

void absences_forget(struct absences *t, const char *connection)
{
    forget(t, connection);
}

/* ---- groups ---- */

static size_t bucket_of(const char *connection, const char *project)
{
    return (wh_hash64(wh_slice_str(connection)) * 31 + wh_hash64(wh_slice_str(project))) % BUCKETS;
}

static struct group *group_of(const struct absences *t, const char *connection, const char *project)
{
    struct group *g = t->buckets[bucket_of(connection, project)];

    while (g && (strcmp(g->project, project) != 0 || strcmp(g->connection, connection) != 0)) {
        g = g->next;
    }
    return g;
}

static struct group *group_make(struct absences *t, const char *connection, const char *project)
{
    struct group *g = group_of(t, connection, project);
    struct group **bucket = &t->buckets[bucket_of(connection, project)];

    if (g == NULL) {
        g = wh_mem_zalloc(1, sizeof(*g));
    }
    if (g && g->connection[0] == '\0') {
        (void)snprintf(g->connection, sizeof(g->connection), "%s", connection);
        (void)snprintf(g->project, sizeof(g->project), "%s", project);
        g->next = *bucket;
        *bucket = g;
    }
    return g;
}

static int order(const struct absence *a, const char *kind, const char *id)
{
    int c = strcmp(a->kind, kind);

    return c ? c : strcmp(a->id, id);
}

/* The place of the first that does not come before that kind and id. */
static size_t place_of(const struct group *g, const char *kind, const char *id)
{
    size_t low = 0;
    size_t high = g->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (order(g->items[mid], kind, id) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* ---- one absence ---- */

static void save(const struct absences *t, const struct absence *a, bool removed)
{
    if (t->save) {
        t->save(t->ctx, a, removed);
    }
}

struct absence *absences_find(const struct absences *t, const struct absence_key *key)
{
    const struct group *g = t->n ? group_of(t, key->connection, key->project) : NULL;
    size_t at = g ? place_of(g, key->kind, key->id) : 0;

    return g && at < g->n && order(g->items[at], key->kind, key->id) == 0 ? g->items[at] : NULL;
}

static bool fits(const struct absence_key *key)
{
    return key->connection[0] &&
           strlen(key->connection) < sizeof(((struct absence *)0)->connection) &&
           strlen(key->project) < sizeof(((struct absence *)0)->project) && key->kind[0] &&
           strlen(key->kind) < sizeof(((struct absence *)0)->kind) && key->id[0] &&
           strlen(key->id) < ABSENCE_ID_MAX;
}

static bool grow(struct group *g)
{
    size_t cap = g->cap ? g->cap * 2 : 4;
    struct absence **items;

    if (g->n < g->cap) {
        return true;
    }
    items = wh_mem_resize(g->items, cap, sizeof(struct absence *));
    if (items == NULL) {
        return false;
    }
    g->items = items;
    g->cap = cap;
    return true;
}

static struct absence *add(struct absences *t, const struct absence_key *key)
{
    struct absence *a = absences_find(t, key);
    struct group *g;
    size_t at;

    if (a || t->n - t->n_told >= ABSENCES_MAX || !fits(key)) {
        return a;
    }
    g = group_make(t, key->connection, key->project);
    a = wh_mem_zalloc(1, sizeof(*a));
    if (g == NULL || a == NULL || !grow(g)) {
        wh_mem_free(a);
        return NULL;
    }
    (void)snprintf(a->connection, sizeof(a->connection), "%s", key->connection);
    (void)snprintf(a->project, sizeof(a->project), "%s", key->project);
    (void)snprintf(a->kind, sizeof(a->kind), "%s", key->kind);
    (void)snprintf(a->id, sizeof(a->id), "%s", key->id);
    at = place_of(g, key->kind, key->id);
    memmove(g->items + at + 1, g->items + at, (g->n - at) * sizeof(struct absence *));
    g->items[at] = a;
    g->n++;
    t->n++;
    return a;
}

struct absence *absences_note(struct absences *t, const struct absence_key *key, int64_t number,
                              int64_t now_ms, bool proof)
{
    bool known = absences_find(t, key) != NULL;
    struct absence *a = add(t, key);
    bool first;

    if (a == NULL) {
        return NULL;
    }
    first = proof && a->times == 0;
    a->number = number ? number : a->number;
    if (proof) {
        a->first_ms = first ? now_ms : a->first_ms;
        a->last_ms = now_ms > a->last_ms ? now_ms : a->last_ms;
        a->times++;
    }
    if (!known || first) {
        save(t, a, false);
    }
    return a;
}

bool absence_proved(const struct absence *a, int64_t confirm_ms)
{
    return a->times > 1 && a->last_ms - a->first_ms >= confirm_ms;
}

int64_t absence_due_ms(const struct absence *a, int64_t confirm_ms)
{
    return a->times ? a->first_ms + confirm_ms : 0;
}

void absences_tell(struct absences *t, struct absence *a, const char *reason)
{
    if (!a->told && t->n_told >= ABSENCES_TOLD_MAX) {
        absences_remove(t, a);
        return;
    }
    t->n_told += !a->told;
    a->told = true;
    (void)snprintf(a->reason, sizeof(a->reason), "%s", reason);
    save(t, a, false);
}

static void drop(struct absences *t, struct absence *a)
{
    struct group *g = group_of(t, a->connection, a->project);
    size_t at = place_of(g, a->kind, a->id);

    g->n--;
    t->n--;
    t->n_told -= a->told;
    memmove(g->items + at, g->items + at + 1, (g->n - at) * sizeof(struct absence *));
    wh_mem_free(a);
}

void absences_remove(struct absences *t, struct absence *a)
{
    if (a) {
        save(t, a, true);
        drop(t, a);
    }
}

/* ---- many ---- */

struct absence *absences_next(const struct absences *t, const char *connection, const char *project,
                              const char *kind, const char *after)
{
    const struct group *g = t->n ? group_of(t, connection, project) : NULL;
    size_t at = g ? place_of(g, kind, after) : 0;

    if (g && at < g->n && order(g->items[at], kind, after) == 0) {
        at++;
    }
    return g && at < g->n && strcmp(g->items[at]->kind, kind) == 0 ? g->items[at] : NULL;
}

bool absences_any(const struct absences *t)
{
    return t->n > 0;
}

void absences_each_unsure(const struct absences *t, const char *connection, absences_fn fn,
                          void *ctx)
{
    for (size_t i = 0; t->n && i < BUCKETS; i++) {
        for (const struct group *g = t->buckets[i]; g; g = g->next) {
            for (size_t k = 0; strcmp(g->connection, connection) == 0 && k < g->n; k++) {
                if (!g->items[k]->told) {
                    fn(ctx, g->items[k]);
                }
            }
        }
    }
}

static void count_one(void *ctx, const struct absence *a)
{
    size_t *n = ctx;

    (void)a;
    ++*n;
}

size_t absences_unsure(const struct absences *t, const char *connection)
{
    size_t n = 0;

    absences_each_unsure(t, connection, count_one, &n);
    return n;
}

/* ---- fetch-state: "<connection>:<project>:absent:<kind>:<id>" ---- */

enum { KEY_PARTS = 4 };

enum wh_rc absence_write(const struct absence *a, char key[ABSENCE_KEY_MAX], struct wh_buf *json,
                         struct wh_err *err)
{
    struct wh_json_writer w;

    (void)snprintf(key, ABSENCE_KEY_MAX, "%s:%s:absent:%s:%s", a->connection, a->project, a->kind,
                   a->id);
    wh_json_writer_init(&w, json);
    wh_jw_object(&w);
    wh_jw_put_int(&w, "number", a->number);
    wh_jw_put_int(&w, "first_ms", a->first_ms);
    wh_jw_put_int(&w, "last_ms", a->last_ms);
    wh_jw_put_int(&w, "times", a->times);
    wh_jw_put_str(&w, "told", wh_slice_str(a->told ? a->reason : ""));
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc absence_event(const struct absence *a, const char *reason, struct wh_buf *out,
                         struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "reason", wh_slice_str(reason));
    wh_jw_put_str(&w, "kind", wh_slice_str(a->kind));
    wh_jw_put_str(&w, "id", wh_slice_str(a->id));
    wh_jw_put_str(&w, "project_id", wh_slice_str(a->project));
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* Splits the key in place; the id may contain colons. */
static bool read_key(char *text, struct absence_key *ret)
{
    char *parts[KEY_PARTS + 1] = {text};

    for (size_t i = 1; i <= KEY_PARTS; i++) {
        char *colon = strchr(parts[i - 1], ':');

        if (colon == NULL) {
            return false;
        }
        *colon = '\0';
        parts[i] = colon + 1;
    }
    *ret = (struct absence_key){
        .connection = parts[0], .project = parts[1], .kind = parts[3], .id = parts[4]};
    return strcmp(parts[2], "absent") == 0 && fits(ret);
}

/* A damaged document leaves the object unsure: it is asked for again. */
static void read_document(struct wh_json_parser *parser, struct wh_slice json, struct absence *a)
{
    struct wh_json_val root;
    struct wh_json_val told;
    struct wh_err err;
    int64_t times;

    if (wh_json_parse(parser, json, &root, &err) != WH_OK) {
        return;
    }
    times = wh_json_get_int(root, "times", 0);
    a->number = wh_json_get_int(root, "number", 0);
    a->first_ms = wh_json_get_int(root, "first_ms", 0);
    a->last_ms = wh_json_get_int(root, "last_ms", 0);
    a->times = times < 0 || times > INT32_MAX ? 0 : (unsigned)times;
    if (wh_json_get(root, WH_LIT("told"), &told)) {
        (void)snprintf(a->reason, sizeof(a->reason), "%.*s", WH_SLICE_ARG(wh_json_string(told)));
    }
    a->told = a->reason[0] != '\0';
}

static void take_removal(struct absences *t, const struct absence_key *key)
{
    struct absence *a = absences_find(t, key);

    if (a) {
        drop(t, a);
    }
}

bool absences_take(struct absences *t, struct wh_json_parser *parser, struct wh_slice key,
                   struct wh_slice json, bool foreign)
{
    struct absence_key parts;
    struct absence read = {0};
    struct absence *a;
    char text[ABSENCE_KEY_MAX];

    if (key.len >= sizeof(text) || memmem(key.ptr ? key.ptr : "", key.len, ":absent:", 8) == NULL) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(key));
    if (!read_key(text, &parts)) {
        return false;
    }
    if (json.len == 0) {
        if (!foreign) {
            take_removal(t, &parts);
        }
        return true;
    }
    read_document(parser, json, &read);
    a = absences_find(t, &parts);
    if (foreign && a && (a->told || !read.told)) {
        return true;
    }
    a = add(t, &parts);
    if (a) {
        a->number = read.number;
        a->first_ms = read.first_ms;
        a->last_ms = read.last_ms;
        a->times = read.times;
        t->n_told -= a->told;
        t->n_told += read.told;
        a->told = read.told;
        memcpy(a->reason, read.reason, sizeof(a->reason));
    }
    return true;
}
