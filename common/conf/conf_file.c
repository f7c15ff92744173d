#include <inttypes.h>
#include <stdio.h>

#include <libconfig.h>

#include "common/conf/conf_priv.h"

enum { WHERE_MAX = 160, DEPTH_MAX = 8 };

static enum wh_rc scalar_text(const config_setting_t *setting, char text[64], const char **ret,
                              struct wh_err *err)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        *ret = config_setting_get_string(setting);
        return WH_OK;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        (void)snprintf(text, 64, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(text, 64, "%s", config_setting_get_bool(setting) ? "true" : "false");
        break;
    case CONFIG_TYPE_FLOAT:
        (void)snprintf(text, 64, "%.9g", config_setting_get_float(setting));
        break;
    default:
        return wh_fail(err, WH_E_CONFIG, "lists are not used here");
    }
    *ret = text;
    return WH_OK;
}

/* The state of reading one file. */
struct reader {
    const char *path;
    wh_conf_assign_fn assign;
    void *ctx;
};

/* A group and the next of its members to visit. Files are shallow, so a fixed stack is enough. */
struct level {
    const config_setting_t *group;
    unsigned next;
    size_t name_len;
};

static enum wh_rc assign_leaf(const struct reader *r, const config_setting_t *setting,
                              const char *name, struct wh_err *err)
{
    char where[WHERE_MAX];
    char text[64];
    const char *value = "";

    (void)snprintf(where, sizeof(where), "%.100s line %u", r->path,
                   config_setting_source_line(setting));
    if (scalar_text(setting, text, &value, err) != WH_OK) {
        return wh_err_prefix(err, "%s: %s", where, name);
    }
    return r->assign(r->ctx, name, value, where, err);
}

static enum wh_rc visit(const struct reader *r, const config_setting_t *root, struct wh_err *err)
{
    struct level stack[DEPTH_MAX] = {{.group = root}};
    char name[WH_CONF_NAME_MAX] = "";
    size_t depth = 1;

    while (depth > 0) {
        struct level *top = &stack[depth - 1];
        const config_setting_t *child = config_setting_get_elem(top->group, top->next++);
        int n;

        if (child == NULL) {
            depth--;
            continue;
        }
        n = snprintf(name + top->name_len, sizeof(name) - top->name_len, "%s%s",
                     top->name_len ? "." : "", config_setting_name(child));
        if (n < 0 || (size_t)n >= sizeof(name) - top->name_len) {
            return wh_fail(err, WH_E_CONFIG, "%s: a name is too long", r->path);
        }
        if (config_setting_type(child) != CONFIG_TYPE_GROUP) {
            if (assign_leaf(r, child, name, err) != WH_OK) {
                return err->rc;
            }
            continue;
        }
        if (depth == DEPTH_MAX) {
            return wh_fail(err, WH_E_CONFIG, "%s: nested deeper than %d", r->path, DEPTH_MAX);
        }
        stack[depth++] = (struct level){.group = child, .name_len = top->name_len + (size_t)n};
    }
    return WH_OK;
}

enum wh_rc wh_conf_file_load(const char *path, wh_conf_assign_fn assign, void *ctx,
                             struct wh_err *err)
{
    const struct reader reader = {.path = path, .assign = assign, .ctx = ctx};
    config_t config;
    enum wh_rc rc;

    config_init(&config);
    if (config_read_file(&config, path) != CONFIG_TRUE) {
        rc = wh_fail(err, WH_E_CONFIG, "%.120s line %d: %s", path, config_error_line(&config),
                     config_error_text(&config));
    } else {
        rc = visit(&reader, config_root_setting(&config), err);
    }
    config_destroy(&config);
    return rc;
}
