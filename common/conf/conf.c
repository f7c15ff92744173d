#include "common/conf/conf.h"

#include <ctype.h>
#include <unistd.h>

#include "common/base/build_version.h"
#include "common/base/mem.h"
#include "common/conf/conf_priv.h"

static const char env_prefix[] = "WELLHEAD_";

/* ---- environment ---- */

static void env_name(const char *name, char out[WH_CONF_NAME_MAX])
{
    size_t n = sizeof(env_prefix) - 1;

    memcpy(out, env_prefix, n);
    for (size_t i = 0; name[i] && n < WH_CONF_NAME_MAX - 1; i++) {
        out[n++] = name[i] == '.' || name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    }
    out[n] = '\0';
}

static enum wh_rc load_kafka_env(struct wh_conf_loader *loader, const char *entry,
                                 struct wh_err *err)
{
    static const char prefix[] = "WELLHEAD_KAFKA_";
    static const char kafka_prefix[] = "kafka.";
    const char *equals = strchr(entry, '=');
    char name[WH_CONF_NAME_MAX];
    size_t n = sizeof(kafka_prefix) - 1;

    if (strncmp(entry, prefix, sizeof(prefix) - 1) != 0 || equals == NULL) {
        return WH_OK;
    }
    memcpy(name, kafka_prefix, n);
    for (const char *p = entry + sizeof(prefix) - 1; p < equals && n < sizeof(name) - 1; p++) {
        name[n++] = *p == '_' ? '.' : (char)tolower((unsigned char)*p);
    }
    name[n] = '\0';
    if (wh_conf_find(loader->program, name)) {
        return WH_OK;
    }
    return wh_conf_assign(loader, name, equals + 1, "environment", err);
}

static enum wh_rc load_env(struct wh_conf_loader *loader, char *const *env, struct wh_err *err)
{
    for (size_t e = 0; env && env[e]; e++) {
        for (size_t i = 0; i < loader->program->n_keys; i++) {
            char name[WH_CONF_NAME_MAX];
            size_t n;

            env_name(loader->program->keys[i].name, name);
            n = strlen(name);
            if (strncmp(env[e], name, n) == 0 && env[e][n] == '=' &&
                wh_conf_assign(loader, loader->program->keys[i].name, env[e] + n + 1, name, err) !=
                    WH_OK) {
                return err->rc;
            }
        }
        if (wh_conf_pairs_of(loader) && load_kafka_env(loader, env[e], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- arguments ---- */

/* The options that are not keys. */
struct options {
    const char *file;
    bool help;
    bool version;
    bool check;
    bool dump;
    bool healthcheck;
};

/* Splits "--name=value" or "--name value"; advances *i over the arguments it used. */
static enum wh_rc split_argument(int argc, char *const *argv, int *i, char name[WH_CONF_NAME_MAX],
                                 const char **value, struct wh_err *err)
{
    const char *text = argv[*i] + 2;
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);

    if (n >= WH_CONF_NAME_MAX) {
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
    } else if (strcmp(arg, "--healthcheck") == 0) {
        options->healthcheck = true;
    } else {
        return false;
    }
    return true;
}

/* Parses the options only when loader is NULL, else assigns the keys. */
static enum wh_rc load_argv(struct wh_conf_loader *loader, int argc, char *const *argv,
                            struct options *options, struct wh_err *err)
{
    for (int i = 1; i < argc; i++) {
        char name[WH_CONF_NAME_MAX];
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
            **(char *const *)wh_conf_member(loader, key) == '\0') {
            return wh_fail(err, WH_E_CONFIG, "%s must be set: %s", key->name, key->help);
        }
    }
    return WH_OK;
}

/* ---- all together ---- */

static enum wh_rc load_all(struct wh_conf_loader *loader, const char *file, int argc,
                           char *const *argv, char *const *env, struct wh_err *err)
{
    struct options ignored = {0};

    if (wh_conf_defaults(loader, err) != WH_OK) {
        return err->rc;
    }
    if (file && wh_conf_file_load(file, wh_conf_assign, loader, err) != WH_OK) {
        return err->rc;
    }
    if (load_env(loader, env, err) != WH_OK ||
        load_argv(loader, argc, argv, &ignored, err) != WH_OK) {
        return err->rc;
    }
    if (loader->program->check_pairs &&
        loader->program->check_pairs(wh_conf_pairs_of(loader), err) != WH_OK) {
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

    wh_conf_clear(&loader);
    if (load_argv(NULL, argc, argv, &options, err) != WH_OK) {
        return err->rc;
    }
    *ret = WH_CONF_EXIT_OK;
    if (options.help) {
        wh_conf_print_help(program, out);
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
        wh_conf_print_values(&loader, out);
    } else if (options.check) {
        (void)fprintf(out, "configuration is valid\n");
    } else {
        *ret = options.healthcheck ? WH_CONF_HEALTHCHECK : WH_CONF_RUN;
    }
    return WH_OK;
}

void wh_conf_release(const struct wh_conf_program *program, void *target)
{
    struct wh_conf_loader loader = {.program = program, .target = target};
    struct wh_conf_pairs *pairs = wh_conf_pairs_of(&loader);

    for (size_t i = 0; i < program->n_keys; i++) {
        if (program->keys[i].type == WH_CONF_STRING) {
            void *member = wh_conf_member(&loader, &program->keys[i]);
            char *text;

            memcpy(&text, member, sizeof(text));
            wh_mem_free(text);
            memset(member, 0, sizeof(text));
        }
    }
    for (size_t i = 0; pairs && i < pairs->n; i++) {
        wh_mem_free(pairs->items[i].name);
        wh_mem_free_secret(pairs->items[i].value);
    }
    if (pairs) {
        wh_mem_free(pairs->items);
        *pairs = (struct wh_conf_pairs){0};
    }
}
