/* What a rule says: read, checked, written. */
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/event/topics.h"
#include "stages/sink/automation/automation_priv.h"

enum { MAX_AGE_DEFAULT_MS = 86400000, ENTERS_MAX_BYTES = 16 << 10, TEXT_MAX_BYTES = 2048 };

void automation_def_done(struct automation_def *def)
{
    char **texts[] = {&def->id,  &def->description, &def->table, &def->enters,
                      &def->url, &def->secret_file, &def->topic};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        wh_mem_free(*texts[i]);
        *texts[i] = NULL;
    }
}

/* ---- reading ---- */

static const struct {
    const char *name;
    size_t offset;
    size_t max;
    bool needed;
} texts[] = {
    {"id", offsetof(struct automation_def, id), AUTOMATION_ID_MAX, true},
    {"description", offsetof(struct automation_def, description), TEXT_MAX_BYTES, false},
    {"table", offsetof(struct automation_def, table), 64, true},
    {"enters", offsetof(struct automation_def, enters), ENTERS_MAX_BYTES, true},
    {"url", offsetof(struct automation_def, url), WH_URL_MAX, false},
    {"secret_file", offsetof(struct automation_def, secret_file), TEXT_MAX_BYTES, false},
    {"topic", offsetof(struct automation_def, topic), WH_TOPIC_MAX - 1, false},
};
enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static enum wh_rc read_text(struct wh_json_val json, size_t i, struct automation_def *def,
                            struct wh_err *err)
{
    struct wh_slice text = wh_json_get_str(json, texts[i].name);
    void *member = (char *)def + texts[i].offset;
    char **to = member;

    if (text.len == 0) {
        return texts[i].needed
                   ? wh_fail(err, WH_E_INVALID, "a rule needs a text `%s`", texts[i].name)
                   : WH_OK;
    }
    if (text.len > texts[i].max || memchr(text.ptr, 0, text.len)) {
        return wh_fail(err, WH_E_INVALID, "`%s` has more than %zu bytes, or a NUL", texts[i].name,
                       texts[i].max);
    }
    *to = wh_mem_dup(text.ptr, text.len);
    return *to ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a rule");
}

/* A member with a mistake in its name would otherwise be none. */
static enum wh_rc check_names(struct wh_json_val json, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_iter(json);
    struct wh_json_val value;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &value)) {
        bool known = wh_slice_eq(key, WH_LIT("on")) || wh_slice_eq(key, WH_LIT("max_age"));

        for (size_t i = 0; i < TEXTS && !known; i++) {
            known = wh_slice_eq(key, wh_slice_str(texts[i].name));
        }
        if (!known) {
            return wh_fail(err, WH_E_INVALID,
                           "a rule has no `%.*s`; it has id, description, table, enters, on, "
                           "max_age, and url with secret_file, or topic",
                           (int)(key.len < 40 ? key.len : 40), key.ptr);
        }
    }
    return wh_json_type(json) == WH_JSON_OBJECT
               ? WH_OK
               : wh_fail(err, WH_E_INVALID, "a rule is an object of JSON");
}

static enum wh_rc read_on(struct wh_json_val json, struct automation_def *def, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(json, "on");
    struct wh_json_val item;

    while (wh_json_next(&it, NULL, &item)) {
        bool enter = wh_slice_eq(wh_json_string(item), WH_LIT("enter"));
        bool leave = wh_slice_eq(wh_json_string(item), WH_LIT("leave"));

        if (!enter && !leave) {
            return wh_fail(err, WH_E_INVALID, "`on` lists \"enter\", \"leave\" or both");
        }
        def->on_enter |= enter;
        def->on_leave |= leave;
    }
    def->on_enter |= !def->on_leave;
    return WH_OK;
}

static enum wh_rc read_max_age(struct wh_json_val json, struct automation_def *def,
                               struct wh_err *err)
{
    struct wh_slice text = wh_json_get_str(json, "max_age");

    def->max_age_ms = MAX_AGE_DEFAULT_MS;
    return text.len == 0 || wh_num_duration_ms(text, &def->max_age_ms, err) == WH_OK
               ? WH_OK
               : wh_fail(err, WH_E_INVALID, "`max_age` is a length of time, as in \"1d\"");
}

/* ---- checking ---- */

static enum wh_rc check_id(const char *id, struct wh_err *err)
{
    return strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(id)
               ? WH_OK
               : wh_fail(err, WH_E_INVALID,
                         "the id of a rule has lower-case letters, digits and dashes");
}

static enum wh_rc check_url(const struct automation_def *def, struct wh_err *err)
{
    struct wh_url url;

    return wh_url_parse(wh_slice_str(def->url), &url, err) == WH_OK
               ? WH_OK
               : wh_fail(err, WH_E_INVALID,
                         "`url` must be an address of http or https without a user name");
}

/* Whoever may call the API may not read any file of this host. */
static enum wh_rc check_secret(const struct automation_conf *conf, const char *name, bool paths,
                               struct wh_err *err)
{
    if (paths && name[0] == '/') {
        return WH_OK;
    }
    if (strchr(name, '/') || name[0] == '.') {
        return wh_fail(err, WH_E_INVALID,
                       "`secret_file` is the name of a file in rules.secrets_path");
    }
    return conf->secrets_path ? WH_OK
                              : wh_fail(err, WH_E_INVALID, "there is no folder for secrets");
}

static enum wh_rc check_topic(const struct automation_conf *conf, const char *topic,
                              struct wh_err *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *prefix = conf->topic_prefix ? conf->topic_prefix : "";
    struct wh_slice connection;

    if (strspn(topic, letters) != strlen(topic) || strcmp(topic, ".") == 0 ||
        strcmp(topic, "..") == 0) {
        return wh_fail(err, WH_E_INVALID, "`topic` is no name of a Kafka topic");
    }
    if ((prefix[0] && strncmp(topic, prefix, strlen(prefix)) == 0) || topic[0] == '_' ||
        wh_topic_role(prefix, topic, &connection) != WH_TOPIC_ROLE_COUNT) {
        return wh_fail(err, WH_E_INVALID,
                       "`topic` is one of Wellhead's or Kafka's own; choose another name");
    }
    return WH_OK;
}

static enum wh_rc check(const struct automation_conf *conf, const struct automation_def *def,
                        bool paths, struct wh_err *err)
{
    if (check_id(def->id, err) != WH_OK) {
        return err->rc;
    }
    if ((def->url == NULL) == (def->topic == NULL)) {
        return wh_fail(err, WH_E_INVALID, "a rule needs a target: `url` or `topic`, one of both");
    }
    if (def->topic) {
        return def->secret_file ? wh_fail(err, WH_E_INVALID, "`secret_file` is for an `url`")
                                : check_topic(conf, def->topic, err);
    }
    if (def->secret_file == NULL) {
        return wh_fail(err, WH_E_INVALID,
                       "an `url` needs a `secret_file` with the key that signs what is sent: "
                       "whsec_ and base64");
    }
    return check_url(def, err) == WH_OK ? check_secret(conf, def->secret_file, paths, err)
                                        : err->rc;
}

enum wh_rc automation_def_read(const struct automation_conf *conf, struct wh_json_val json,
                               bool paths, struct automation_def *ret, struct wh_err *err)
{
    enum wh_rc rc = check_names(json, err);

    *ret = (struct automation_def){0};
    for (size_t i = 0; i < TEXTS && rc == WH_OK; i++) {
        rc = read_text(json, i, ret, err);
    }
    if (rc != WH_OK || read_on(json, ret, err) != WH_OK || read_max_age(json, ret, err) != WH_OK ||
        check(conf, ret, paths, err) != WH_OK) {
        automation_def_done(ret);
        return err->rc;
    }
    return WH_OK;
}

/* ---- writing ---- */

/* What stands behind the host may be a secret. */
static void write_origin(const struct automation_def *def, struct wh_json_writer *w)
{
    struct wh_url url;
    struct wh_err err;

    wh_jw_put_str(w, "url",
                  wh_url_parse(wh_slice_str(def->url), &url, &err) == WH_OK ? url.origin
                                                                            : WH_LIT(""));
}

void automation_def_write(const struct automation_def *def, bool whole, struct wh_json_writer *w)
{
    for (size_t i = 0; i < TEXTS; i++) {
        const void *member = (const char *)def + texts[i].offset;
        const char *text = *(const char *const *)member;

        if (text && !whole && strcmp(texts[i].name, "url") == 0) {
            write_origin(def, w);
        } else if (text) {
            wh_jw_put_str(w, texts[i].name, wh_slice_str(text));
        }
    }
    wh_jw_key(w, "on");
    wh_jw_array(w);
    if (def->on_enter) {
        wh_jw_str(w, WH_LIT("enter"));
    }
    if (def->on_leave) {
        wh_jw_str(w, WH_LIT("leave"));
    }
    wh_jw_end(w);
    wh_jw_key(w, "max_age");
    {
        char text[32];

        (void)snprintf(text, sizeof(text), "%lldms", (long long)def->max_age_ms);
        wh_jw_str(w, wh_slice_str(text));
    }
}

uint64_t automation_def_fingerprint(const struct automation_def *def)
{
    uint64_t table = wh_hash64(wh_slice_str(def->table));
    uint64_t hash = wh_hash64(wh_slice_str(def->enters)) ^ (table << 1 | table >> 63);

    return hash ? hash : 1;
}
