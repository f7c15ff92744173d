#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/sink/api/agents/oauth_priv.h"

/* Decodes up to one of the two ends; the bytes stay where they are, because the memory was reserved. */
static enum wh_rc decode(struct oauth_form *form, struct wh_slice coded, struct wh_slice *ret,
                         struct wh_err *err)
{
    size_t at = form->text.len;

    if (wh_percent_decode(coded, true, &form->text, err) != WH_OK) {
        return err->rc;
    }
    *ret = wh_slice(form->text.ptr + at, form->text.len - at);
    return WH_OK;
}

static struct wh_slice up_to(struct wh_slice text, char end)
{
    const char *at = text.len ? memchr(text.ptr, end, text.len) : NULL;

    return at ? wh_slice(text.ptr, (size_t)(at - text.ptr)) : text;
}

static enum wh_rc read_pair(struct oauth_form *form, struct wh_slice pair, struct wh_err *err)
{
    struct wh_slice name = up_to(pair, '=');
    struct api_arg arg;

    if (decode(form, name, &arg.name, err) != WH_OK ||
        decode(form, wh_slice_from(pair, name.len + 1), &arg.value, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < form->n; i++) {
        if (wh_slice_eq(form->args[i].name, arg.name)) {
            return wh_fail(err, WH_E_INVALID, "an argument is there twice");
        }
    }
    if (form->n == OAUTH_FORM_ARGS) {
        return wh_fail(err, WH_E_INVALID, "there are too many arguments");
    }
    form->args[form->n++] = arg;
    return WH_OK;
}

enum wh_rc oauth_form_read(struct oauth_form *form, struct wh_slice body, struct wh_err *err)
{
    enum wh_rc rc;

    form->n = 0;
    wh_buf_init_secret(&form->text, OAUTH_BODY_MAX);
    rc = wh_buf_reserve(&form->text, body.len + 1, err);
    while (rc == WH_OK && body.len) {
        struct wh_slice pair = up_to(body, '&');

        rc = pair.len ? read_pair(form, pair, err) : WH_OK;
        body = wh_slice_from(body, pair.len + 1);
    }
    return rc;
}

void oauth_form_done(struct oauth_form *form)
{
    wh_buf_done(&form->text);
}

struct wh_slice oauth_form_get(const struct oauth_form *form, const char *name)
{
    for (size_t i = 0; i < form->n; i++) {
        if (wh_slice_eq(form->args[i].name, wh_slice_str(name))) {
            return form->args[i].value;
        }
    }
    return wh_slice("", 0);
}
