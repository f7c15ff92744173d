#include "tests/lib/store_mem_priv.h"

#include "common/base/mem.h"
#include "common/base/num.h"

static void item_unref(struct item *it)
{
    if (--it->refs == 0) {
        wh_mem_free(it);
    }
}

/* Under the lock. */
void store_mem_table_unref(struct table *t)
{
    if (t == NULL || --t->refs > 0) {
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        item_unref(t->items[i]);
    }
    wh_mem_free(t);
}

struct table *store_mem_table_new(size_t cap)
{
    struct table *t = wh_mem_alloc(sizeof(*t) + cap * sizeof(t->items[0]));

    if (t) {
        t->refs = 1;
        t->n = 0;
    }
    return t;
}

/* First index whose key is >= key. */
static size_t table_find(const struct table *t, struct wh_slice key)
{
    size_t low = 0;
    size_t high = t->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (wh_slice_cmp(item_key(t->items[mid]), key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Under the lock. */
static enum wh_rc fault_check(struct mem_store *s, enum wh_store_mem_call call, struct wh_err *err)
{
    struct fault *f = &s->faults[call];

    f->calls++;
    if (f->times == 0) {
        return WH_OK;
    }
    if (f->after > 0) {
        f->after--;
        return WH_OK;
    }
    if (f->times > 0) {
        f->times--;
    }
    return wh_fail(err, f->rc, "injected fault: %s", wh_rc_text(f->rc));
}

void wh_store_mem_fail(struct wh_store *base, enum wh_store_mem_call call, enum wh_rc rc, int after,
                       int times)
{
    struct mem_store *s = of_store(base);

    pthread_mutex_lock(&s->lock);
    s->faults[call].rc = rc;
    s->faults[call].after = after;
    s->faults[call].times = times;
    pthread_mutex_unlock(&s->lock);
}

uint64_t wh_store_mem_calls(struct wh_store *base, enum wh_store_mem_call call)
{
    struct mem_store *s = of_store(base);
    uint64_t n;

    pthread_mutex_lock(&s->lock);
    n = s->faults[call].calls;
    pthread_mutex_unlock(&s->lock);
    return n;
}

bool store_mem_family_ok(const struct mem_store *s, unsigned family, struct wh_err *err)
{
    if (family >= s->n_families) {
        wh_fail(err, WH_E_INTERNAL, "there is no family %u", family);
        return false;
    }
    return true;
}

/* Gives a reference. */
static struct table *table_of(struct mem_store *s, const struct wh_snapshot *snap, unsigned family)
{
    const struct mem_snapshot *m = (const struct mem_snapshot *)(const void *)snap;
    struct table *t;

    pthread_mutex_lock(&s->lock);
    t = m ? m->tables[family] : s->tables[family];
    t->refs++;
    pthread_mutex_unlock(&s->lock);
    return t;
}

static void table_release(struct mem_store *s, struct table *t)
{
    pthread_mutex_lock(&s->lock);
    store_mem_table_unref(t);
    pthread_mutex_unlock(&s->lock);
}

/* ---- reading ---- */

static bool is_in_memory(const struct wh_snapshot *snap)
{
    return snap && ((const struct mem_snapshot *)(const void *)snap)->in_memory;
}

static enum wh_rc mem_get(struct wh_store *base, const struct wh_snapshot *snap, unsigned family,
                          struct wh_slice key, struct wh_buf *out, bool *ret_found,
                          struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    struct table *t;
    enum wh_rc rc;
    size_t at;

    if (!store_mem_family_ok(s, family, err)) {
        return err->rc;
    }
    pthread_mutex_lock(&s->lock);
    rc = fault_check(s, WH_STORE_MEM_GET, err);
    if (rc == WH_OK && is_in_memory(snap)) {
        rc = fault_check(s, WH_STORE_MEM_COLD, err);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc != WH_OK) {
        return rc;
    }
    t = table_of(s, snap, family);
    at = table_find(t, key);
    if (at == t->n || !wh_slice_eq(item_key(t->items[at]), key)) {
        *ret_found = false;
    } else {
        rc = wh_buf_append(out, item_value(t->items[at]), err);
        if (rc == WH_OK) {
            *ret_found = true;
        }
    }
    table_release(s, t);
    return rc;
}

static enum wh_rc mem_snapshot(struct wh_store *base, bool in_memory, struct wh_snapshot **ret,
                               struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    struct mem_snapshot *m = wh_mem_zalloc(s->n_families + 1, sizeof(m->tables[0]));

    if (m == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a snapshot");
    }
    m->in_memory = in_memory;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_families; i++) {
        m->tables[i] = s->tables[i];
        m->tables[i]->refs++;
    }
    pthread_mutex_unlock(&s->lock);
    *ret = (struct wh_snapshot *)(void *)m;
    return WH_OK;
}

static void mem_snapshot_free(struct wh_store *base, struct wh_snapshot *snap)
{
    struct mem_store *s = of_store(base);
    struct mem_snapshot *m = (struct mem_snapshot *)(void *)snap;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_families; i++) {
        store_mem_table_unref(m->tables[i]);
    }
    pthread_mutex_unlock(&s->lock);
    wh_mem_free(m);
}

static enum wh_rc mem_iter_new(struct wh_store *base, const struct wh_snapshot *snap,
                               unsigned family, struct wh_slice lower, struct wh_slice upper,
                               struct wh_iter **ret, struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    struct mem_iter *it;

    if (!store_mem_family_ok(s, family, err)) {
        return err->rc;
    }
    it = wh_mem_zalloc(1, sizeof(*it));
    if (it == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an iterator");
    }
    it->base.ops = base->ops;
    it->store = s;
    it->table = table_of(s, snap, family);
    it->from = table_find(it->table, lower);
    it->to = upper.len > 0 ? table_find(it->table, upper) : it->table->n;
    it->at = SIZE_MAX;
    it->in_memory = is_in_memory(snap);
    *ret = &it->base;
    return WH_OK;
}

static bool is_cold(struct mem_iter *it)
{
    wh_err_clear(&it->err);
    if (it->in_memory) {
        pthread_mutex_lock(&it->store->lock);
        (void)!fault_check(it->store, WH_STORE_MEM_COLD, &it->err);
        pthread_mutex_unlock(&it->store->lock);
    }
    return it->err.rc != WH_OK;
}

static void mem_iter_seek(struct wh_iter *base, struct wh_slice key, bool backwards)
{
    struct mem_iter *it = (struct mem_iter *)(void *)base;
    size_t at = key.len > 0 || !backwards ? table_find(it->table, key) : it->table->n;

    if (is_cold(it)) {
        it->at = SIZE_MAX;
        return;
    }
    if (!backwards) {
        it->at = at > it->from ? at : it->from;
        return;
    }
    if (key.len > 0 && at < it->table->n && wh_slice_eq(item_key(it->table->items[at]), key)) {
        at++;
    }
    if (at > it->to) {
        at = it->to;
    }
    it->at = at > it->from ? at - 1 : SIZE_MAX;
}

static bool mem_iter_here(const struct mem_iter *it)
{
    return it->at != SIZE_MAX && it->at >= it->from && it->at < it->to;
}

static void mem_iter_step(struct wh_iter *base, bool backwards)
{
    struct mem_iter *it = (struct mem_iter *)(void *)base;

    if (!mem_iter_here(it)) {
        return;
    }
    if (!backwards) {
        it->at++;
    } else {
        it->at = it->at > it->from ? it->at - 1 : SIZE_MAX;
    }
}

static bool mem_iter_valid(const struct wh_iter *base, struct wh_slice *ret_key,
                           struct wh_slice *ret_value)
{
    const struct mem_iter *it = (const struct mem_iter *)(const void *)base;

    if (!mem_iter_here(it)) {
        return false;
    }
    if (ret_key) {
        *ret_key = item_key(it->table->items[it->at]);
    }
    if (ret_value) {
        *ret_value = item_value(it->table->items[it->at]);
    }
    return true;
}

static enum wh_rc mem_iter_error(const struct wh_iter *base, struct wh_err *err)
{
    const struct mem_iter *it = (const struct mem_iter *)(const void *)base;

    if (it->err.rc != WH_OK) {
        *err = it->err;
    }
    return it->err.rc;
}

static void mem_iter_free(struct wh_iter *base)
{
    struct mem_iter *it = (struct mem_iter *)(void *)base;

    table_release(it->store, it->table);
    wh_mem_free(it);
}

static enum wh_rc mem_write(struct wh_store *base, struct wh_batch *batch, bool sync,
                            struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    enum wh_rc rc;

    (void)sync;
    pthread_mutex_lock(&s->lock);
    rc = fault_check(s, WH_STORE_MEM_WRITE, err);
    if (rc == WH_OK) {
        rc = store_mem_write_all(s, of_batch(batch), err);
        s->writes += rc == WH_OK;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- the rest ---- */

static enum wh_rc mem_checkpoint(struct wh_store *base, const char *path, struct wh_err *err)
{
    (void)base;
    (void)path;
    return wh_fail(err, WH_E_UNSUPPORTED, "a store in memory has no copies on disk");
}

static enum wh_rc mem_compact(struct wh_store *base, unsigned family, struct wh_err *err)
{
    (void)base;
    (void)family;
    (void)err;
    return WH_OK;
}

static int64_t mem_property(struct wh_store *base, const char *name)
{
    struct mem_store *s = of_store(base);
    struct wh_slice text = wh_slice_str(name);
    struct wh_err err;
    struct table *t;
    int64_t family;
    int64_t bytes = 0;

    if (wh_slice_eq(text, WH_LIT("background-errors")) ||
        wh_slice_eq(text, WH_LIT("write-stopped"))) {
        return 0;
    }
    if (!wh_slice_starts(text, WH_LIT("family.")) || text.len < sizeof("family.0.bytes") - 1 ||
        !wh_slice_eq(wh_slice_from(text, text.len - 6), WH_LIT(".bytes")) ||
        wh_num_i64(wh_slice(text.ptr + 7, text.len - 13), &family, &err) != WH_OK || family < 0 ||
        (size_t)family >= s->n_families) {
        return -1;
    }
    t = table_of(s, NULL, (unsigned)family);
    for (size_t i = 0; i < t->n; i++) {
        bytes += (int64_t)(t->items[i]->key_len + t->items[i]->value_len);
    }
    table_release(s, t);
    return bytes;
}

static uint64_t mem_sequence(struct wh_store *base)
{
    struct mem_store *s = of_store(base);
    uint64_t n;

    pthread_mutex_lock(&s->lock);
    n = s->writes;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void mem_free(struct wh_store *base)
{
    struct mem_store *s = of_store(base);

    for (size_t i = 0; s->tables && i < s->n_families; i++) {
        store_mem_table_unref(s->tables[i]);
    }
    wh_mem_free(s->tables);
    pthread_mutex_destroy(&s->lock);
    wh_mem_free(s);
}

static const struct wh_store_ops mem_ops = {
    .get = mem_get,
    .batch_new = store_mem_batch_new,
    .put = store_mem_put,
    .remove = store_mem_remove,
    .remove_range = store_mem_remove_range,
    .batch_reset = store_mem_batch_reset,
    .batch_bytes = store_mem_batch_bytes,
    .batch_free = store_mem_batch_free,
    .write = mem_write,
    .snapshot = mem_snapshot,
    .snapshot_free = mem_snapshot_free,
    .iter_new = mem_iter_new,
    .iter_seek = mem_iter_seek,
    .iter_step = mem_iter_step,
    .iter_valid = mem_iter_valid,
    .iter_error = mem_iter_error,
    .iter_free = mem_iter_free,
    .checkpoint = mem_checkpoint,
    .compact = mem_compact,
    .property = mem_property,
    .sequence = mem_sequence,
    .free = mem_free,
};

enum wh_rc wh_store_mem_open(const struct wh_store_conf *conf, struct wh_store **ret,
                             struct wh_err *err)
{
    struct mem_store *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the store");
    }
    s->base.ops = &mem_ops;
    pthread_mutex_init(&s->lock, NULL);
    s->n_families = conf->n_families;
    for (size_t i = 0; i < conf->n_families; i++) {
        s->sorted |= (uint64_t)conf->families[i].sorted << i;
    }
    s->tables = wh_mem_zalloc(conf->n_families, sizeof(struct table *));
    for (size_t i = 0; s->tables && i < s->n_families; i++) {
        s->tables[i] = store_mem_table_new(0);
        if (s->tables[i] == NULL) {
            break;
        }
    }
    if (s->tables == NULL || (s->n_families && s->tables[s->n_families - 1] == NULL) ||
        wh_store_init(&s->base, conf, err) != WH_OK) {
        mem_free(&s->base);
        return wh_fail(err, WH_E_NOMEM, "no memory for the store");
    }
    *ret = &s->base;
    return WH_OK;
}
