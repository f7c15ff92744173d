#include <ctype.h>
#include <inttypes.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/base/num.h"
#include "common/conf/conf_priv.h"

enum { PAIRS_MAX = 64, VALUE_MAX_BYTES = 4096 };

static const char kafka_prefix[] = "kafka.";

/* ---- values ---- */

void *wh_conf_member(const struct wh_conf_loader *loader, const struct wh_conf_key *key)
{
    return (char *)loader->target + key->offset;
}

/* Replaces a string, which is NULL or allocated. */
static enum wh_rc set_string(char **to, const char *value, struct wh_err *err)
{
    char *copy;

    if (strlen(value) > VALUE_MAX_BYTES) {
        return wh_fail(err, WH_E_CONFIG, "longer than %d bytes", VALUE_MAX_BYTES);
    }
    copy = wh_mem_dup(value, strlen(value));
    if (copy == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a configuration value");
    }
    wh_mem_free(*to);
    *to = copy;
    return WH_OK;
}

static enum wh_rc parse_bool(const char *value, bool *ret, struct wh_err *err)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(value, yes[i]) == 0 || strcasecmp(value, no[i]) == 0) {
            *ret = strcasecmp(value, yes[i]) == 0;
            return WH_OK;
        }
    }
    return wh_fail(err, WH_E_CONFIG, "'%.64s' is neither true nor false", value);
}

static enum wh_rc set_number(const struct wh_conf_key *key, const char *value, void *to,
                             struct wh_err *err)
{
    int64_t number = 0;
    enum wh_rc rc;

    switch (key->type) {
    case WH_CONF_DURATION:
        rc = wh_num_duration_ms(wh_slice_str(value), &number, err);
        break;
    case WH_CONF_SIZE:
        rc = wh_num_size_bytes(wh_slice_str(value), &number, err);
        break;
    case WH_CONF_INT:
    case WH_CONF_STRING:
    case WH_CONF_BOOL:
    default:
        rc = wh_num_i64(wh_slice_str(value), &number, err);
        break;
    }
    if (rc != WH_OK) {
        return rc;
    }
    if ((key->min != 0 || key->max != 0) && (number < key->min || number > key->max)) {
        return wh_fail(err, WH_E_CONFIG, "%s is outside of %" PRId64 "..%" PRId64, value, key->min,
                       key->max);
    }
    memcpy(to, &number, sizeof(number)); /* the member may be a size_t */
    return WH_OK;
}

/* The member may be a const char * of the core's configuration. */
static enum wh_rc set_text(void *member, const char *value, struct wh_err *err)
{
    char *text;
    enum wh_rc rc;

    memcpy(&text, member, sizeof(text));
    rc = set_string(&text, value, err);
    memcpy(member, &text, sizeof(text));
    return rc;
}

static enum wh_rc set_value(struct wh_conf_loader *loader, const struct wh_conf_key *key,
                            const char *value, struct wh_err *err)
{
    switch (key->type) {
    case WH_CONF_STRING:
        return set_text(wh_conf_member(loader, key), value, err);
    case WH_CONF_BOOL:
        return parse_bool(value, wh_conf_member(loader, key), err);
    case WH_CONF_INT:
    case WH_CONF_DURATION:
    case WH_CONF_SIZE:
    default:
        return set_number(key, value, wh_conf_member(loader, key), err);
    }
}

/* ---- kafka.* pairs ---- */

struct wh_conf_pairs *wh_conf_pairs_of(const struct wh_conf_loader *loader)
{
    if (loader->program->pairs_offset == SIZE_MAX) {
        return NULL;
    }
    return (struct wh_conf_pairs *)(void *)((char *)loader->target + loader->program->pairs_offset);
}

static enum wh_rc pair_set(struct wh_conf_pairs *pairs, const char *name, const char *value,
                           struct wh_err *err)
{
    struct wh_conf_pair *items;

    for (size_t i = 0; i < pairs->n; i++) {
        if (strcmp(pairs->items[i].name, name) == 0) {
            return set_string(&pairs->items[i].value, value, err);
        }
    }
    if (pairs->n == PAIRS_MAX) {
        return wh_fail(err, WH_E_CONFIG, "more than %d kafka.* keys", PAIRS_MAX);
    }
    items = wh_mem_resize(pairs->items, pairs->n + 1, sizeof(*items));
    if (items == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a configuration value");
    }
    pairs->items = items;
    items[pairs->n] = (struct wh_conf_pair){0};
    if (set_string(&items[pairs->n].name, name, err) != WH_OK ||
        set_string(&items[pairs->n].value, value, err) != WH_OK) {
        wh_mem_free(items[pairs->n].name);
        return err->rc;
    }
    pairs->n++;
    return WH_OK;
}

/* A name that ends in "_file" carries a secret: its value is read from that file. */
static enum wh_rc pair_assign(struct wh_conf_pairs *pairs, const char *name, const char *value,
                              struct wh_err *err)
{
    static const char suffix[] = "_file";
    size_t len = strlen(name);
    char short_name[WH_CONF_NAME_MAX];
    char *secret = NULL;
    enum wh_rc rc;

    if (len <= sizeof(suffix) - 1 || len >= sizeof(short_name) ||
        strcmp(name + len - (sizeof(suffix) - 1), suffix) != 0) {
        return pair_set(pairs, name, value, err);
    }
    memcpy(short_name, name, len - (sizeof(suffix) - 1));
    short_name[len - (sizeof(suffix) - 1)] = '\0';
    if (wh_conf_secret_read(value, VALUE_MAX_BYTES, &secret, err) != WH_OK) {
        return err->rc;
    }
    rc = pair_set(pairs, short_name, secret, err);
    wh_mem_free_secret(secret);
    return rc;
}

/* ---- names ---- */

const struct wh_conf_key *wh_conf_find(const struct wh_conf_program *program, const char *name)
{
    for (size_t i = 0; i < program->n_keys; i++) {
        if (strcmp(program->keys[i].name, name) == 0) {
            return &program->keys[i];
        }
    }
    return NULL;
}

static enum wh_rc unknown_key(const struct wh_conf_program *program, const char *name,
                              const char *where, struct wh_err *err)
{
    struct wh_nearest near;

    wh_nearest_init(&near, wh_slice_str(name));
    for (size_t i = 0; i < program->n_keys; i++) {
        wh_nearest_offer(&near, program->keys[i].name);
    }
    if (wh_nearest_name(&near)) {
        return wh_fail(err, WH_E_CONFIG, "%s: unknown key %.64s; did you mean %s?", where, name,
                       wh_nearest_name(&near));
    }
    return wh_fail(err, WH_E_CONFIG, "%s: unknown key %.64s; --help lists all keys", where, name);
}

enum wh_rc wh_conf_assign(void *ctx, const char *name, const char *value, const char *where,
                          struct wh_err *err)
{
    struct wh_conf_loader *loader = ctx;
    const struct wh_conf_key *key = wh_conf_find(loader->program, name);
    struct wh_conf_pairs *pairs = wh_conf_pairs_of(loader);
    enum wh_rc rc;

    if (key) {
        rc = set_value(loader, key, value, err);
    } else if (pairs && strncmp(name, kafka_prefix, sizeof(kafka_prefix) - 1) == 0) {
        rc = pair_assign(pairs, name + sizeof(kafka_prefix) - 1, value, err);
    } else {
        return unknown_key(loader->program, name, where, err);
    }
    if (rc == WH_OK || rc == WH_E_NOMEM) {
        return rc;
    }
    (void)wh_err_prefix(err, "%s: %s", where, name);
    err->rc = WH_E_CONFIG;
    return WH_E_CONFIG;
}

void wh_conf_clear(struct wh_conf_loader *loader)
{
    for (size_t i = 0; i < loader->program->n_keys; i++) {
        if (loader->program->keys[i].type == WH_CONF_STRING) {
            memset(wh_conf_member(loader, &loader->program->keys[i]), 0, sizeof(char *));
        }
    }
}

enum wh_rc wh_conf_defaults(struct wh_conf_loader *loader, struct wh_err *err)
{
    const struct wh_conf_program *program = loader->program;

    for (size_t i = 0; i < program->n_keys; i++) {
        const struct wh_conf_key *key = &program->keys[i];
        const char *value = key->value ? key->value : key->type == WH_CONF_STRING ? "" : NULL;

        if (value && set_value(loader, key, value, err) != WH_OK) {
            return wh_err_prefix(err, "default of %s", key->name);
        }
    }
    return WH_OK;
}
