#include "common/event/decision.h"

#include "common/base/time.h"
#include "common/json/json_write.h"

static const char *const actions[] = {
    [WH_ACTION_MERGE] = "merge", [WH_ACTION_SPLIT] = "split", [WH_ACTION_UNDO] = "undo"};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

const char *wh_action_name(enum wh_action action)
{
    return actions[action];
}

/* A text of 1 to max bytes. */
static enum wh_rc get_text(struct wh_json_val root, const char *key, size_t max,
                           struct wh_slice *ret, struct wh_err *err)
{
    struct wh_json_val v;

    if (!wh_json_get(root, wh_slice_str(key), &v) || wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_INVALID, "a decision has no text '%s'", key);
    }
    *ret = wh_json_string(v);
    if (ret->len == 0 || ret->len > max) {
        return wh_fail(err, WH_E_INVALID, "'%s' of a decision must have 1 to %zu bytes", key, max);
    }
    return WH_OK;
}

static enum wh_rc get_action(struct wh_json_val root, enum wh_action *ret, struct wh_err *err)
{
    struct wh_slice name;

    if (get_text(root, "action", WH_DECISION_ID_MAX, &name, err) != WH_OK) {
        return err->rc;
    }
    for (unsigned i = 0; i < ACTIONS; i++) {
        if (wh_slice_eq(name, wh_slice_str(actions[i]))) {
            *ret = (enum wh_action)i;
            return WH_OK;
        }
    }
    return wh_fail(err, WH_E_INVALID, "'%.*s' is not what a decision can do", WH_SLICE_ARG(name));
}

enum wh_rc wh_decision_parse(struct wh_slice json, struct wh_json_parser *parser,
                             struct wh_decision *ret, struct wh_err *err)
{
    struct wh_decision d = {0};
    struct wh_json_val root;
    struct wh_instant at;
    struct wh_slice text;

    if (wh_json_parse(parser, json, &root, err) != WH_OK ||
        get_text(root, "id", WH_DECISION_ID_MAX, &d.id, err) != WH_OK ||
        get_text(root, "at", WH_TIME_TEXT_MAX, &text, err) != WH_OK ||
        wh_time_parse(text, &at, err) != WH_OK ||
        get_text(root, "who", WH_DECISION_WHO_MAX, &d.who, err) != WH_OK ||
        get_text(root, "why", WH_DECISION_WHY_MAX, &d.why, err) != WH_OK ||
        get_text(root, "subject", WH_DECISION_ID_MAX, &d.subject, err) != WH_OK ||
        get_action(root, &d.action, err) != WH_OK) {
        return err->rc;
    }
    if (d.action == WH_ACTION_MERGE &&
        get_text(root, "object", WH_DECISION_ID_MAX, &d.object, err) != WH_OK) {
        return err->rc;
    }
    d.at_ms = at.ms;
    *ret = d;
    return WH_OK;
}

enum wh_rc wh_decision_write(const struct wh_decision *d, struct wh_buf *out, struct wh_err *err)
{
    char at[WH_TIME_TEXT_MAX];
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "id", d->id);
    wh_jw_put_str(&w, "at", wh_slice_str(wh_time_format(d->at_ms, at)));
    wh_jw_put_str(&w, "who", d->who);
    wh_jw_put_str(&w, "action", wh_slice_str(wh_action_name(d->action)));
    wh_jw_put_str(&w, "subject", d->subject);
    if (d->action == WH_ACTION_MERGE) {
        wh_jw_put_str(&w, "object", d->object);
    }
    wh_jw_put_str(&w, "why", d->why);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}
