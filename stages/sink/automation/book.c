/* The rules and what is known of each, in the store of their own. */
#include <stdio.h>
#include <string.h>

#include "common/base/be.h"
#include "common/base/mem.h"
#include "stages/sink/automation/automation_priv.h"

enum { FILE_MAX_BYTES = 4 << 20, FILE_DEPTH = 8, AT_ONCE = 500 };

const struct wh_store_family automation_families[AUTOMATION_FAMILY_COUNT] = {
    [AUTOMATION_FAMILY] = {"automation", false, 0, false, false, 0},
};

/* ---- keys ---- */

struct wh_slice automation_key(struct automation_text *out, enum automation_key type,
                               const struct automation_rule *rule, const void *rest, size_t n)
{
    size_t id = strlen(rule->def.id);

    out->bytes[0] = (char)type;
    memcpy(out->bytes + 1, rule->def.id, id + 1);
    if (n) {
        memcpy(out->bytes + id + 2, rest, n);
    }
    out->len = id + 2 + n;
    return wh_slice(out->bytes, out->len);
}

struct wh_slice automation_key_number(struct automation_text *out, enum automation_key type,
                                      const struct automation_rule *rule, uint64_t number)
{
    unsigned char bytes[8];

    wh_be_put64(bytes, number);
    return automation_key(out, type, rule, bytes, sizeof(bytes));
}

/* ---- state ---- */

enum wh_rc automation_state_read(struct automation *a, struct automation_rule *rule,
                                 struct wh_err *err)
{
    uint64_t *numbers = (uint64_t *)&rule->state;
    struct automation_text key;
    WH_AUTO(buf) struct wh_buf value;
    bool found;

    wh_buf_init(&value, 1024);
    rule->state = (struct automation_state){.first = 1, .next = 1};
    if (wh_store_get(a->deps.store, NULL, AUTOMATION_FAMILY,
                     automation_key(&key, KEY_STATE, rule, NULL, 0), &value, &found,
                     err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; found && i < STATE_NUMBERS && i * 8 + 8 <= value.len; i++) {
        numbers[i] = wh_be_get64(value.ptr + i * 8);
    }
    return WH_OK;
}

enum wh_rc automation_state_put(struct wh_batch *batch, const struct automation_rule *rule,
                                const struct automation_state *state, struct wh_err *err)
{
    const uint64_t *numbers = (const uint64_t *)state;
    unsigned char value[STATE_NUMBERS * 8];
    struct automation_text key;

    for (size_t i = 0; i < STATE_NUMBERS; i++) {
        wh_be_put64(value + i * 8, numbers[i]);
    }
    return wh_batch_put(batch, AUTOMATION_FAMILY, automation_key(&key, KEY_STATE, rule, NULL, 0),
                        wh_slice(value, sizeof(value)), err);
}

/* ---- reading keys ---- */

static enum wh_rc visit_all(struct wh_iter *it, size_t prefix, bool backwards,
                            const struct automation_visit *visit, struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;
    bool more = true;

    while (more && wh_iter_valid(it, &key, &value)) {
        if (visit->item(visit->ctx, wh_slice_from(key, prefix), value, &more, err) != WH_OK) {
            return err->rc;
        }
        wh_iter_step(it, backwards);
    }
    return wh_iter_error(it, err);
}

enum wh_rc automation_each(struct automation *a, enum automation_key type,
                           const struct automation_rule *rule, bool backwards,
                           const struct automation_visit *visit, struct wh_err *err)
{
    struct automation_text from;
    struct automation_text to;
    struct wh_slice lower = automation_key(&from, type, rule, NULL, 0);
    struct wh_iter *it;
    enum wh_rc rc;

    (void)automation_key(&to, type, rule, NULL, 0);
    to.bytes[to.len - 1] = 1; /* behind the 0 that ends the id */
    if (wh_iter_new(a->deps.store, NULL, AUTOMATION_FAMILY, lower, wh_slice(to.bytes, to.len), &it,
                    err) != WH_OK) {
        return err->rc;
    }
    wh_iter_seek(it, backwards ? WH_LIT("") : lower, backwards);
    rc = visit_all(it, lower.len, backwards, visit, err);
    wh_iter_free(it);
    return rc;
}

/* ---- definitions ---- */

enum wh_rc automation_def_store(struct automation *a, const struct automation_rule *rule,
                                struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;
    struct automation_text key;
    struct wh_batch *batch;
    enum wh_rc rc;

    wh_buf_init(&text, DEFINITION_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    automation_def_write(&rule->def, true, &w);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK || wh_batch_new(a->deps.store, &batch, err) != WH_OK) {
        return err->rc;
    }
    rc = wh_batch_put(batch, AUTOMATION_FAMILY, automation_key(&key, KEY_DEFINITION, rule, NULL, 0),
                      wh_buf_slice(&text), err);
    rc = rc == WH_OK ? wh_store_write(a->deps.store, batch, true, err) : rc;
    wh_batch_free(batch);
    return rc;
}

enum wh_rc automation_forget(struct automation *a, const struct automation_rule *rule,
                             struct wh_err *err)
{
    static const enum automation_key types[] = {KEY_DEFINITION, KEY_STATE,  KEY_MATCH,
                                                KEY_QUEUE,      KEY_FAILED, KEY_LOG};
    struct wh_batch *batch;
    enum wh_rc rc = wh_batch_new(a->deps.store, &batch, err);

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]) && rc == WH_OK; i++) {
        struct automation_text from;
        struct automation_text to;

        (void)automation_key(&to, types[i], rule, NULL, 0);
        to.bytes[to.len - 1] = 1;
        rc = wh_batch_remove_range(batch, AUTOMATION_FAMILY,
                                   automation_key(&from, types[i], rule, NULL, 0),
                                   wh_slice(to.bytes, to.len), err);
    }
    if (rc == WH_OK) {
        rc = wh_store_write(a->deps.store, batch, true, err);
        wh_batch_free(batch);
    }
    return rc;
}

/* ---- loading ---- */

static enum wh_rc add(struct automation *a, struct wh_json_val json, bool from_file,
                      struct wh_err *err)
{
    struct automation_rule *rule = wh_mem_zalloc(1, sizeof(*rule));
    struct automation_rule **end = &a->rules;

    if (rule == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a rule");
    }
    rule->from_file = from_file;
    if (automation_def_read(&a->deps.conf, json, true, &rule->def, err) != WH_OK) {
        wh_mem_free(rule);
        return err->rc;
    }
    if (automation_find(a, wh_slice_str(rule->def.id)) || a->n_rules == AUTOMATION_RULES_MAX) {
        (void)wh_fail(err, WH_E_INVALID, "two rules have the id %s, or there are more than %d",
                      rule->def.id, AUTOMATION_RULES_MAX);
        automation_rule_free(rule);
        return err->rc;
    }
    if (automation_state_read(a, rule, err) != WH_OK) {
        automation_rule_free(rule);
        return err->rc;
    }
    while (*end) {
        end = &(*end)->next;
    }
    *end = rule;
    a->n_rules++;
    return WH_OK;
}

static enum wh_rc read_file(const char *path, struct wh_buf *out, struct wh_err *err)
{
    FILE *file = fopen(path, "re");
    char block[4096];
    size_t n;

    if (file == NULL) {
        return wh_fail(err, WH_E_CONFIG, "rules.file cannot be read");
    }
    while ((n = fread(block, 1, sizeof(block), file)) > 0 &&
           wh_buf_append(out, wh_slice(block, n), err) == WH_OK) {
    }
    n = (size_t)ferror(file);
    (void)fclose(file);
    return n ? wh_fail(err, WH_E_CONFIG, "rules.file cannot be read") : WH_OK;
}

static enum wh_rc add_all(struct automation *a, struct wh_slice text, struct wh_json_parser *parser,
                          struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_json_val rule;
    struct wh_json_iter it;
    size_t n = 0;

    if (wh_json_parse(parser, text, &root, err) != WH_OK) {
        return err->rc;
    }
    if (wh_json_get_int(root, "version", 0) != 1) {
        return wh_fail(err, WH_E_CONFIG, "the file needs \"version\": 1 and \"rules\": [...]");
    }
    it = wh_json_get_iter(root, "rules");
    while (wh_json_next(&it, NULL, &rule)) {
        n++;
        if (add(a, rule, true, err) != WH_OK) {
            return wh_err_prefix(err, "rule %zu", n);
        }
    }
    return WH_OK;
}

enum wh_rc automation_load_file(struct automation *a, struct wh_err *err)
{
    struct wh_json_parser *parser;
    WH_AUTO(buf) struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&text, FILE_MAX_BYTES);
    if (a->deps.conf.file == NULL || a->deps.conf.file[0] == '\0') {
        return WH_OK;
    }
    if (read_file(a->deps.conf.file, &text, err) != WH_OK) {
        return err->rc;
    }
    parser = wh_json_parser_new(FILE_MAX_BYTES, FILE_DEPTH);
    rc = parser ? add_all(a, wh_buf_slice(&text), parser, err)
                : wh_fail(err, WH_E_NOMEM, "no memory for rules.file");
    wh_json_parser_free(parser);
    if (rc != WH_OK) {
        (void)wh_err_prefix(err, "rules.file");
        err->rc = WH_E_CONFIG;
    }
    return rc == WH_OK ? WH_OK : WH_E_CONFIG;
}

/* A rule of the API that a newer build does not accept any more is left out, with a word in the log. */
static enum wh_rc add_stored(struct automation *a, struct wh_slice text,
                             struct wh_json_parser *parser)
{
    struct wh_json_val root;
    struct wh_err err;

    if (wh_json_parse(parser, text, &root, &err) != WH_OK || add(a, root, false, &err) != WH_OK) {
        wh_log_error(a->deps.log, "a stored rule is left out", WH_RC(&err));
    }
    return WH_OK;
}

enum wh_rc automation_load_stored(struct automation *a, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DEFINITION_MAX_BYTES, FILE_DEPTH);
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc;

    if (parser == NULL || wh_iter_new(a->deps.store, NULL, AUTOMATION_FAMILY, WH_LIT("d"),
                                      WH_LIT("e"), &it, err) != WH_OK) {
        wh_json_parser_free(parser);
        return parser ? err->rc : wh_fail(err, WH_E_NOMEM, "no memory for the rules");
    }
    wh_iter_seek(it, WH_LIT("d"), false);
    while (wh_iter_valid(it, &key, &value)) {
        (void)add_stored(a, value, parser);
        wh_iter_step(it, false);
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    wh_json_parser_free(parser);
    return rc;
}
