#include "common/conf/conf.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/build_version.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/conf/conf_priv.h"

enum { NAME_MAX_BYTES = 128, PAIRS_MAX = 64, VALUE_MAX_BYTES = 4096, WORD_MAX = 64 };

static const char env_prefix[] = "WELLHEAD_";
static const char kafka_prefix[] = "kafka.";

/* ---- values ---- */

static void *member(const struct wh_conf_loader *loader, const struct wh_conf_key *key)
{
    return (char *)loader->target + key->offset;
}

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

static enum wh_rc parse_number(const struct wh_conf_key *key, const char *value, int64_t *ret,
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
    *ret = number;
    return WH_OK;
}

static enum wh_rc set_value(struct wh_conf_loader *loader, const struct wh_conf_key *key,
                            const char *value, struct wh_err *err)
{
    switch (key->type) {
    case WH_CONF_STRING:
        return set_string(member(loader, key), value, err);
    case WH_CONF_BOOL:
        return parse_bool(value, member(loader, key), err);
    case WH_CONF_INT:
    case WH_CONF_DURATION:
    case WH_CONF_SIZE:
    default:
        return parse_number(key, value, member(loader, key), err);
    }
}

/* ---- kafka.* pairs ---- */

static struct wh_conf_pairs *pairs_of(const struct wh_conf_loader *loader)
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
    char short_name[NAME_MAX_BYTES];
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
    wh_mem_wipe(secret, strlen(secret));
    wh_mem_free(secret);
    return rc;
}

/* ---- names ---- */

static const struct wh_conf_key *find_key(const struct wh_conf_program *program, const char *name)
{
    for (size_t i = 0; i < program->n_keys; i++) {
        if (strcmp(program->keys[i].name, name) == 0) {
            return &program->keys[i];
        }
    }
    return NULL;
}

/* Levenshtein distance, for short words only. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t la = strlen(a);
    size_t lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t up = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            best = up + 1 < best ? up + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = up;
        }
    }
    return row[lb];
}

static enum wh_rc unknown_key(const struct wh_conf_program *program, const char *name,
                              const char *where, struct wh_err *err)
{
    const char *nearest = NULL;
    size_t best = 4;

    for (size_t i = 0; i < program->n_keys; i++) {
        size_t d = distance(name, program->keys[i].name);

        if (d < best) {
            best = d;
            nearest = program->keys[i].name;
        }
    }
    if (nearest) {
        return wh_fail(err, WH_E_CONFIG, "%s: unknown key %.64s; did you mean %s?", where, name,
                       nearest);
    }
    return wh_fail(err, WH_E_CONFIG, "%s: unknown key %.64s; --help lists all keys", where, name);
}

enum wh_rc wh_conf_assign(struct wh_conf_loader *loader, const char *name, const char *value,
                          const char *where, struct wh_err *err)
{
    const struct wh_conf_key *key = find_key(loader->program, name);
    struct wh_conf_pairs *pairs = pairs_of(loader);
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

static void env_name(const char *name, char out[NAME_MAX_BYTES])
{
    size_t n = sizeof(env_prefix) - 1;

    memcpy(out, env_prefix, n);
    for (size_t i = 0; name[i] && n < NAME_MAX_BYTES - 1; i++) {
        out[n++] = name[i] == '.' || name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    }
    out[n] = '\0';
}

/* ---- sources ---- */

static enum wh_rc load_defaults(struct wh_conf_loader *loader, struct wh_err *err)
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

static enum wh_rc load_kafka_env(struct wh_conf_loader *loader, const char *entry,
                                 struct wh_err *err)
{
    static const char prefix[] = "WELLHEAD_KAFKA_";
    const char *equals = strchr(entry, '=');
    char name[NAME_MAX_BYTES];
    size_t n = sizeof(kafka_prefix) - 1;

    if (strncmp(entry, prefix, sizeof(prefix) - 1) != 0 || equals == NULL) {
        return WH_OK;
    }
    memcpy(name, kafka_prefix, n);
    for (const char *p = entry + sizeof(prefix) - 1; p < equals && n < sizeof(name) - 1; p++) {
        name[n++] = *p == '_' ? '.' : (char)tolower((unsigned char)*p);
    }
    name[n] = '\0';
    if (find_key(loader->program, name)) {
        return WH_OK;
    }
    return wh_conf_assign(loader, name, equals + 1, "environment", err);
}

static enum wh_rc load_env(struct wh_conf_loader *loader, char *const *env, struct wh_err *err)
{
    for (size_t e = 0; env && env[e]; e++) {
        for (size_t i = 0; i < loader->program->n_keys; i++) {
            char name[NAME_MAX_BYTES];
            size_t n;

            env_name(loader->program->keys[i].name, name);
            n = strlen(name);
            if (strncmp(env[e], name, n) == 0 && env[e][n] == '=' &&
                wh_conf_assign(loader, loader->program->keys[i].name, env[e] + n + 1, name, err) !=
                    WH_OK) {
                return err->rc;
            }
        }
        if (pairs_of(loader) && load_kafka_env(loader, env[e], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* What argv says besides keys. */
struct options {
    const char *file;
    bool help;
    bool version;
    bool check;
    bool dump;
};

/* Splits "--name=value" or "--name value"; *i moves over what was used. */
static enum wh_rc split_argument(int argc, char *const *argv, int *i, char name[NAME_MAX_BYTES],
                                 const char **value, struct wh_err *err)
{
    const char *text = argv[*i] + 2;
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);

    if (n >= NAME_MAX_BYTES) {
        return wh_fail(err, WH_E_CONFIG, "%.40s...: no such option", argv[*i]);
    }
    memcpy(name, text, n);
    name[n] = '\0';
    if (equals) {
        *value = equals + 1;
        return WH_OK;
    }
    if (*i + 1 >= argc) {
        return wh_fail(err, WH_E_CONFIG, "--%s needs a value", name);
    }
    *value = argv[++*i];
    return WH_OK;
}

static bool plain_option(const char *arg, struct options *options)
{
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        options->help = true;
    } else if (strcmp(arg, "--version") == 0) {
        options->version = true;
    } else if (strcmp(arg, "--check-config") == 0) {
        options->check = true;
    } else if (strcmp(arg, "--dump-config") == 0) {
        options->dump = true;
    } else {
        return false;
    }
    return true;
}

/* With loader NULL only the options are looked at; with one the keys are assigned. */
static enum wh_rc load_argv(struct wh_conf_loader *loader, int argc, char *const *argv,
                            struct options *options, struct wh_err *err)
{
    for (int i = 1; i < argc; i++) {
        char name[NAME_MAX_BYTES];
        const char *value = NULL;

        if (plain_option(argv[i], options)) {
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            return wh_fail(err, WH_E_CONFIG, "'%.64s' is not an option; see --help", argv[i]);
        }
        if (split_argument(argc, argv, &i, name, &value, err) != WH_OK) {
            return err->rc;
        }
        if (strcmp(name, "config") == 0) {
            options->file = value;
        } else if (loader && wh_conf_assign(loader, name, value, "argument", err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc check_required(const struct wh_conf_loader *loader, struct wh_err *err)
{
    const struct wh_conf_program *program = loader->program;

    for (size_t i = 0; i < program->n_keys; i++) {
        const struct wh_conf_key *key = &program->keys[i];

        if ((key->flags & WH_CONF_REQUIRED) && key->type == WH_CONF_STRING &&
            **(char **)member(loader, key) == '\0') {
            return wh_fail(err, WH_E_CONFIG, "%s must be set: %s", key->name, key->help);
        }
    }
    return WH_OK;
}

/* ---- output ---- */

static void print_help(const struct wh_conf_program *program, FILE *out)
{
    (void)fprintf(out,
                  "%s - %s\n\nUsage: %s [--config FILE] [--KEY=VALUE ...]\n\n"
                  "  --help            this text\n"
                  "  --version         the version\n"
                  "  --check-config    check the configuration and exit\n"
                  "  --dump-config     print the configuration in force and exit\n"
                  "  --healthcheck     ask the running process whether it lives; exit 0 or 1\n\n"
                  "A key may stand in the file, in the environment (WELLHEAD_HTTP_PORT) or here; "
                  "later ones win.\n\nKeys:\n",
                  program->name, program->purpose, program->name);
    for (size_t i = 0; i < program->n_keys; i++) {
        const struct wh_conf_key *key = &program->keys[i];

        (void)fprintf(out, "  %-28s %s [%s]\n", key->name, key->help, key->value ? key->value : "");
    }
    if (program->pairs_offset != SIZE_MAX) {
        (void)fprintf(out, "  %-28s %s\n", "kafka.<property>", "any property of librdkafka");
    }
    (void)fprintf(out, "\nExample:\n  %s --config /etc/wellhead/%s.conf --log.level=debug\n",
                  program->name, program->name);
}

static void print_values(const struct wh_conf_loader *loader, FILE *out)
{
    const struct wh_conf_program *program = loader->program;
    const struct wh_conf_pairs *pairs = pairs_of(loader);

    for (size_t i = 0; i < program->n_keys; i++) {
        const struct wh_conf_key *key = &program->keys[i];

        switch (key->type) {
        case WH_CONF_STRING:
            (void)fprintf(out, "%s=%s\n", key->name, *(char **)member(loader, key));
            break;
        case WH_CONF_BOOL:
            (void)fprintf(out, "%s=%s\n", key->name,
                          *(bool *)member(loader, key) ? "true" : "false");
            break;
        case WH_CONF_INT:
        case WH_CONF_DURATION:
        case WH_CONF_SIZE:
        default:
            (void)fprintf(out, "%s=%" PRId64 "\n", key->name, *(int64_t *)member(loader, key));
            break;
        }
    }
    for (size_t i = 0; pairs && i < pairs->n; i++) {
        bool secret = strstr(pairs->items[i].name, "password") != NULL ||
                      strstr(pairs->items[i].name, "key.pem") != NULL ||
                      strstr(pairs->items[i].name, "secret") != NULL;

        (void)fprintf(out, "kafka.%s=%s\n", pairs->items[i].name,
                      secret ? "***" : pairs->items[i].value);
    }
}

/* ---- all together ---- */

static enum wh_rc load_all(struct wh_conf_loader *loader, const char *file, int argc,
                           char *const *argv, char *const *env, struct wh_err *err)
{
    struct options ignored = {0};

    if (load_defaults(loader, err) != WH_OK) {
        return err->rc;
    }
    if (file && wh_conf_file_load(loader, file, err) != WH_OK) {
        return err->rc;
    }
    if (load_env(loader, env, err) != WH_OK ||
        load_argv(loader, argc, argv, &ignored, err) != WH_OK) {
        return err->rc;
    }
    if (loader->program->check_pairs &&
        loader->program->check_pairs(pairs_of(loader), err) != WH_OK) {
        return err->rc;
    }
    return check_required(loader, err);
}

enum wh_rc wh_conf_load(const struct wh_conf_program *program, int argc, char *const *argv,
                        char *const *environ_, FILE *out, void *target, enum wh_conf_action *ret,
                        struct wh_err *err)
{
    struct wh_conf_loader loader = {.program = program, .target = target};
    struct options options = {0};

    if (load_argv(NULL, argc, argv, &options, err) != WH_OK) {
        return err->rc;
    }
    *ret = WH_CONF_EXIT_OK;
    if (options.help) {
        print_help(program, out);
        return WH_OK;
    }
    if (options.version) {
        (void)fprintf(out, "%s %s\n", program->name, wh_build_version());
        return WH_OK;
    }
    if (options.file == NULL && program->default_file && access(program->default_file, R_OK) == 0) {
        options.file = program->default_file;
    }
    if (load_all(&loader, options.file, argc, argv, environ_, err) != WH_OK) {
        return err->rc;
    }
    if (options.dump) {
        print_values(&loader, out);
    } else if (options.check) {
        (void)fprintf(out, "configuration is valid\n");
    } else {
        *ret = WH_CONF_RUN;
    }
    return WH_OK;
}

void wh_conf_release(const struct wh_conf_program *program, void *target)
{
    struct wh_conf_loader loader = {.program = program, .target = target};
    struct wh_conf_pairs *pairs = pairs_of(&loader);

    for (size_t i = 0; i < program->n_keys; i++) {
        if (program->keys[i].type == WH_CONF_STRING) {
            char **text = member(&loader, &program->keys[i]);

            wh_mem_free(*text);
            *text = NULL;
        }
    }
    for (size_t i = 0; pairs && i < pairs->n; i++) {
        wh_mem_free(pairs->items[i].name);
        wh_mem_wipe(pairs->items[i].value, strlen(pairs->items[i].value));
        wh_mem_free(pairs->items[i].value);
    }
    if (pairs) {
        wh_mem_free(pairs->items);
        *pairs = (struct wh_conf_pairs){0};
    }
}
