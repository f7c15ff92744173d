#include "common/base/err.h"

#include <stdio.h>
#include <string.h>

struct rc_info {
    enum wh_class class;
    const char *name;
    const char *text;
};

static const struct rc_info rc_table[] = {
#define X(code, class, name, text) {WH_CLASS_##class, name, text},
    WH_RC_LIST(X)
#undef X
};

static const struct rc_info *info_of(enum wh_rc rc)
{
    if ((size_t)rc >= WH_RC_COUNT) {
        return &rc_table[WH_E_INTERNAL];
    }
    return &rc_table[rc];
}

const char *wh_rc_name(enum wh_rc rc)
{
    return info_of(rc)->name;
}

const char *wh_rc_text(enum wh_rc rc)
{
    return info_of(rc)->text;
}

enum wh_class wh_rc_class(enum wh_rc rc)
{
    return info_of(rc)->class;
}

const char *wh_class_name(enum wh_class class)
{
    switch (class) {
    case WH_CLASS_NONE:
        return "none";
    case WH_CLASS_TRANSIENT:
        return "transient";
    case WH_CLASS_POISON:
        return "poison";
    case WH_CLASS_FATAL:
        return "fatal";
    case WH_CLASS_CANCELED:
        return "canceled";
    default:
        return "unknown";
    }
}

enum wh_rc(wh_fail)(struct wh_err *err, enum wh_rc rc, const char *fmt, ...)
{
    va_list ap;

    err->rc = rc;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return rc;
}

enum wh_rc(wh_err_prefix)(struct wh_err *err, const char *fmt, ...)
{
    char old[WH_ERR_MSG_MAX];
    size_t len;
    size_t n;
    va_list ap;

    memcpy(old, err->msg, sizeof(old));
    old[sizeof(old) - 1] = '\0';
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg) - 2, fmt, ap);
    va_end(ap);
    len = strlen(err->msg);
    memcpy(err->msg + len, ": ", 2);
    len += 2;
    n = strlen(old);
    if (n > sizeof(err->msg) - 1 - len) {
        n = sizeof(err->msg) - 1 - len;
    }
    memcpy(err->msg + len, old, n);
    err->msg[len + n] = '\0';
    return err->rc;
}

void wh_err_clear(struct wh_err *err)
{
    err->rc = WH_OK;
    err->msg[0] = '\0';
}
