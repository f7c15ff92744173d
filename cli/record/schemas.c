#include "cli/record/schemas.h"

#include <inttypes.h>

#include "common/avro/registry.h"

enum { SCHEMAS_MAX = 256 };

struct entry {
    int32_t id;
    struct wh_generic *schema; /* NULL: err says why */
    const struct wh_schema_info *info;
    struct wh_err err;
};

struct cli_schemas {
    struct cli *cli;
    bool own;
    size_t n;
    struct entry entries[SCHEMAS_MAX];
};

enum wh_rc cli_schemas_new(struct cli *cli, bool own, struct cli_schemas **ret, struct wh_err *err)
{
    *ret = wh_mem_zalloc(1, sizeof(**ret));
    if (*ret == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for schemas");
    }
    (*ret)->cli = cli;
    (*ret)->own = own;
    return WH_OK;
}

void cli_schemas_free(struct cli_schemas *s)
{
    for (size_t i = 0; s && i < s->n; i++) {
        wh_generic_free(s->entries[i].schema);
    }
    wh_mem_free(s);
}

/* Appends the schema's text, as the registry has it. */
static enum wh_rc fetch(struct cli *cli, int32_t id, struct wh_buf *text, struct wh_err *err)
{
    char path[WH_REGISTRY_PATH_MAX];
    struct cli_answer answer;
    enum wh_rc rc;

    if (cli->conf.registry_url[0] == '\0') {
        return wh_fail(err, WH_E_NOT_FOUND,
                       "schema id %" PRId32 " is not built in; registry.url can name a registry",
                       id);
    }
    rc = cli_call(cli, "GET", cli->conf.registry_url, wh_slice_str(wh_registry_path(id, path)),
                  cli->conf.registry_token_file, WH_LIT(""), &answer, err);
    if (rc == WH_OK) {
        rc = wh_registry_answer(id, answer.status, wh_buf_slice(&answer.body), text, err);
    }
    wh_buf_done(&answer.body);
    return rc;
}

static enum wh_rc load(struct cli_schemas *s, struct entry *entry, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    bool built_in = s->own || s->cli->conf.registry_url[0] == '\0';

    wh_buf_init(&text, WH_REGISTRY_ANSWER_MAX);
    entry->info = built_in ? wh_schema_by_id(entry->id) : NULL;
    if (entry->info) {
        return wh_generic_new(wh_schema_text(entry->info), &entry->schema, err);
    }
    if (fetch(s->cli, entry->id, &text, err) != WH_OK) {
        return err->rc;
    }
    return wh_generic_new(wh_buf_slice(&text), &entry->schema, err);
}

enum wh_rc cli_schemas_get(struct cli_schemas *s, int32_t id, const struct wh_generic **ret,
                           const struct wh_schema_info **ret_info, struct wh_err *err)
{
    struct entry *entry = NULL;

    for (size_t i = 0; i < s->n && entry == NULL; i++) {
        entry = s->entries[i].id == id ? &s->entries[i] : NULL;
    }
    if (entry == NULL) {
        if (s->n == SCHEMAS_MAX) {
            return wh_fail(err, WH_E_TOO_LARGE, "the records have more than %d schemas",
                           SCHEMAS_MAX);
        }
        entry = &s->entries[s->n];
        *entry = (struct entry){.id = id};
        if (load(s, entry, &entry->err) != WH_OK && wh_rc_class(entry->err.rc) != WH_CLASS_POISON) {
            *err = entry->err;
            return err->rc;
        }
        s->n++;
    }
    if (entry->schema == NULL) {
        *err = entry->err;
        return err->rc;
    }
    *ret = entry->schema;
    *ret_info = entry->info;
    return WH_OK;
}
