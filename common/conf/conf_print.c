#include <inttypes.h>
#include <stdio.h>

#include "common/conf/conf_priv.h"

void wh_conf_print_help(const struct wh_conf_program *program, FILE *out)
{
    (void)fprintf(out,
                  "%s - %s\n\nUsage: %s [--config FILE] [--KEY=VALUE ...]\n\n"
                  "  --help            this text\n"
                  "  --version         the version\n"
                  "  --check-config    check the configuration and exit\n"
                  "  --dump-config     print the configuration in force and exit\n"
                  "  --healthcheck     check that the running process is alive; exit 0 or 1\n\n"
                  "Set a key in the file, in the environment (WELLHEAD_HTTP_PORT) or here; "
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

static void print_value(const struct wh_conf_loader *loader, const struct wh_conf_key *key,
                        FILE *out)
{
    const void *member = wh_conf_member(loader, key);
    const char *text = NULL;
    int64_t number = 0;

    switch (key->type) {
    case WH_CONF_STRING:
        memcpy(&text, member, sizeof(text));
        (void)fprintf(out, "%s=%s\n", key->name, text);
        break;
    case WH_CONF_BOOL:
        (void)fprintf(out, "%s=%s\n", key->name, *(const bool *)member ? "true" : "false");
        break;
    case WH_CONF_INT:
    case WH_CONF_DURATION:
    case WH_CONF_SIZE:
    default:
        memcpy(&number, member, sizeof(number));
        (void)fprintf(out, "%s=%" PRId64 "\n", key->name, number);
        break;
    }
}

void wh_conf_print_values(const struct wh_conf_loader *loader, FILE *out)
{
    const struct wh_conf_program *program = loader->program;
    const struct wh_conf_pairs *pairs = wh_conf_pairs_of(loader);

    for (size_t i = 0; i < program->n_keys; i++) {
        print_value(loader, &program->keys[i], out);
    }
    for (size_t i = 0; pairs && i < pairs->n; i++) {
        bool secret = strstr(pairs->items[i].name, "password") != NULL ||
                      strstr(pairs->items[i].name, "key.pem") != NULL ||
                      strstr(pairs->items[i].name, "secret") != NULL;

        (void)fprintf(out, "kafka.%s=%s\n", pairs->items[i].name,
                      secret ? "***" : pairs->items[i].value);
    }
}
