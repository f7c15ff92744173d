#include "stages/sink/keys/keys.h"

#include "common/event/history.h"
#include "common/text/key.h"

/* field NULL: the source id. */
static const struct {
    enum wh_kind kind;
    bool mentions;
    const char *field;
    const char *prefix;
    const char *rule;
} rules[] = {
    {WH_KIND_SERVICE, false, NULL, "service:", "id"},
    {WH_KIND_SERVICE, false, "name", "service:", "name"},
    {WH_KIND_SERVICE, false, "aliases", "service:", "alias"},
    {WH_KIND_SERVICE, false, "labels", "label:", "label"},
    {WH_KIND_CUSTOMER, false, NULL, "customer:", "id"},
    {WH_KIND_CUSTOMER, false, "name", "customer:", "name"},
    {WH_KIND_CUSTOMER, false, "aliases", "customer:", "alias"},
    {WH_KIND_CUSTOMER, false, "domain", "domain:", "domain"},
    {WH_KIND_SERVICE_CUSTOMER, true, "service", "service:", "import"},
    {WH_KIND_SERVICE_CUSTOMER, true, "customer", "customer:", "import"},
    {WH_KIND_SUBSCRIPTION, true, "customer", "customer:", "import"},
    {WH_KIND_SUBSCRIPTION, true, "service", "service:", "import"},
    {WH_KIND_SERVICE_OWNERSHIP, true, "service", "service:", "import"},
    {WH_KIND_PERSON, false, "emails", "email:", "email"},
    {WH_KIND_PERSON, false, "accounts", "account:", "account"},
    {WH_KIND_TEAM_MEMBER, false, "email", "email:", "email"},
    {WH_KIND_TEAM_MEMBER, false, "username", "account:gitlab:", "account"},
    {WH_KIND_WORK_ITEM, true, "label_services", "service:", "label"},
    {WH_KIND_WORK_ITEM, true, "stated_services", "service:", "heading"},
    {WH_KIND_WORK_ITEM, true, "labels", "label:", "label"},
    {WH_KIND_WORK_ITEM, true, "label_environments", "environment:#", "environment"},
    {WH_KIND_WORK_ITEM, true, "stated_environments", "environment:#", "environment"},
};

static int field_of(enum wh_kind kind, const char *name)
{
    return name ? wh_kind_field(wh_kind_def(kind), wh_slice_str(name)) : KEYS_IDENTITY;
}

void keys_init(struct keys *keys)
{
    *keys = (struct keys){0};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct keys_rule rule = {field_of(rules[i].kind, rules[i].field), rules[i].prefix,
                                       rules[i].rule};

        if (rules[i].mentions) {
            keys->of[rules[i].kind].mentions[keys->of[rules[i].kind].n_mentions++] = rule;
        } else {
            keys->of[rules[i].kind].claims[keys->of[rules[i].kind].n_claims++] = rule;
        }
    }
    keys->type = field_of(WH_KIND_WORK_ITEM, "type");
    keys->follow_up_label = field_of(WH_KIND_WORK_ITEM, "follow_up_label");
    keys->mentions = field_of(WH_KIND_WORK_ITEM, "mentions");
    keys->project = field_of(WH_KIND_SERVICE_OWNERSHIP, "project");
    keys->path = field_of(WH_KIND_SERVICE_OWNERSHIP, "path");
    keys->environment = field_of(WH_KIND_SERVICE_OWNERSHIP, "environment");
    keys->label = field_of(WH_KIND_SERVICE_OWNERSHIP, "label");
}

enum wh_rc keys_make(const char *prefix, const struct wh_slice *parts, size_t n, struct wh_buf *out,
                     bool *ret_made, struct wh_err *err)
{
    size_t before = out->len;
    size_t part = before;
    enum wh_rc rc = wh_buf_append(out, wh_slice_str(prefix), err);

    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        rc = i > 0 ? wh_buf_append_char(out, '#', err) : WH_OK;
        part = out->len;
        rc = rc == WH_OK ? wh_key_normalise(parts[i], out, err) : rc;
    }
    *ret_made = rc == WH_OK && out->len > part;
    if (!*ret_made) {
        out->len = before;
    }
    return rc == WH_E_TOO_LARGE || rc == WH_E_UTF8 ? WH_OK : rc;
}

/* ---- visiting ---- */

struct visit {
    keys_visit visit;
    void *ctx;
    const char *rule;
    int field;
};

static enum wh_rc name(const struct visit *v, const char *prefix, const struct wh_slice *parts,
                       size_t n, struct wh_err *err)
{
    struct wh_buf text;
    bool made = false;
    enum wh_rc rc;

    wh_buf_init(&text, KEYS_NAME_MAX);
    rc = keys_make(prefix, parts, n, &text, &made, err);
    if (rc == WH_OK && made) {
        const struct keys_name found = {wh_buf_slice(&text), v->rule, v->field};

        rc = v->visit(v->ctx, &found, err);
    }
    wh_buf_done(&text);
    return rc;
}

/* NULL when it is not shown, null, or a text that heads do not carry, which is not far yet when the head is
 * new. */
static const struct wh_value *shown(const struct wh_body *body, int field)
{
    const struct wh_value *v;

    if (field < 0 || !(body->present >> field & 1)) {
        return NULL;
    }
    v = &body->values[field];
    if (v->is_null || v->is_far ||
        (body->def->fields[field].type == WH_FIELD_STRING && v->u.str.len >= WH_FAR_BYTES)) {
        return NULL;
    }
    return v;
}

/* Empty when it is not shown. */
static struct wh_slice text_of(const struct wh_body *body, int field)
{
    const struct wh_value *v = shown(body, field);

    return v ? v->u.str : (struct wh_slice){NULL, 0};
}

static enum wh_rc names_of_value(const struct visit *v, const char *prefix, enum wh_field_type type,
                                 const struct wh_value *value, struct wh_err *err)
{
    if (type == WH_FIELD_STRING) {
        return name(v, prefix, &value->u.str, 1, err);
    }
    for (size_t i = 0; i < value->u.strs.n; i++) {
        if (name(v, prefix, &value->u.strs.items[i], 1, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc by_rules(const struct keys_rule *list, unsigned n,
                           const struct wh_source_id *source, const struct wh_body *body,
                           keys_visit visit, void *ctx, struct wh_err *err)
{
    for (unsigned i = 0; i < n; i++) {
        const struct visit v = {visit, ctx, list[i].rule, list[i].field};
        const struct wh_value *value = shown(body, list[i].field);
        enum wh_rc rc = WH_OK;

        if (list[i].field == KEYS_IDENTITY) {
            rc = name(&v, list[i].prefix, &source->id, 1, err);
        } else if (value) {
            rc = names_of_value(&v, list[i].prefix, body->def->fields[list[i].field].type, value,
                                err);
        }
        if (rc != WH_OK) {
            return rc;
        }
    }
    return WH_OK;
}

/* ---- rows of service_ownership ---- */

/* The columns of a row hold together, so that it claims one name. */
static enum wh_rc ownership(const struct keys *keys, const struct wh_body *body, keys_visit visit,
                            void *ctx, struct wh_err *err)
{
    const struct wh_slice project = text_of(body, keys->project);
    const struct wh_slice path = text_of(body, keys->path);
    const struct wh_slice environment = text_of(body, keys->environment);
    const struct wh_slice label = text_of(body, keys->label);
    const struct wh_slice in_folder[] = {project, label, environment, path};
    const struct wh_slice labelled[] = {project, label, environment};
    const struct wh_slice deployed[] = {project, environment};

    if (path.len > 0) {
        return name(&(struct visit){visit, ctx, "path", keys->path}, "path:", in_folder, 4, err);
    }
    if (label.len > 0) {
        const struct visit v = {visit, ctx, "label", keys->label};
        bool alone = project.len == 0 && environment.len == 0;

        return alone ? name(&v, "label:", &label, 1, err)
                     : name(&v, "label:", labelled, environment.len > 0 ? 3 : 2, err);
    }
    if (environment.len > 0) {
        return name(&(struct visit){visit, ctx, "environment", keys->environment},
                    "environment:", deployed, 2, err);
    }
    return name(&(struct visit){visit, ctx, "project", keys->project}, "project:", &project, 1,
                err);
}

/* ---- claims, mentions ---- */

static bool is_incident(const struct keys *keys, const struct wh_body *body)
{
    return wh_slice_eq(text_of(body, keys->type), WH_LIT("incident"));
}

/* Of other work items, only follow-ups and merge requests are asked what they mention. */
static bool refers(const struct keys *keys, const struct wh_body *body)
{
    return shown(body, keys->follow_up_label) != NULL ||
           wh_slice_eq(text_of(body, keys->type), WH_LIT("merge_request"));
}

enum wh_rc keys_claims(const struct keys *keys, const struct wh_source_id *source,
                       const struct wh_body *body, keys_visit visit, void *ctx, struct wh_err *err)
{
    enum wh_kind kind = body->def->kind;

    if (kind == WH_KIND_SERVICE_OWNERSHIP) {
        return ownership(keys, body, visit, ctx, err);
    }
    if (kind == WH_KIND_WORK_ITEM) {
        const struct keys_name found = {WH_LIT("type:incident"), "type", keys->type};

        return is_incident(keys, body) ? visit(ctx, &found, err) : WH_OK;
    }
    return by_rules(keys->of[kind].claims, keys->of[kind].n_claims, source, body, visit, ctx, err);
}

enum wh_rc keys_mentions(const struct keys *keys, const struct wh_source_id *source,
                         const struct wh_body *body, keys_visit visit, void *ctx,
                         struct wh_err *err)
{
    enum wh_kind kind = body->def->kind;

    if (kind == WH_KIND_WORK_ITEM && !is_incident(keys, body)) {
        const struct wh_value *addresses = shown(body, keys->mentions);
        const struct visit v = {visit, ctx, "label", keys->mentions};

        return addresses && refers(keys, body)
                   ? names_of_value(&v, "url:", WH_FIELD_STRINGS, addresses, err)
                   : WH_OK;
    }
    return by_rules(keys->of[kind].mentions, keys->of[kind].n_mentions, source, body, visit, ctx,
                    err);
}
