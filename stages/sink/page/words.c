#include "stages/sink/page/words.h"

#include <stdio.h>
#include <string.h>

#include "common/base/escape.h"
#include "common/base/num.h"

enum { RFC3339_MINUTE = 16 };

/* ---- times ---- */

static bool is_time(struct wh_slice text)
{
    return text.len >= RFC3339_MINUTE + 4 && text.ptr[4] == '-' && text.ptr[7] == '-' &&
           text.ptr[10] == 'T' && text.ptr[13] == ':' && text.ptr[text.len - 1] == 'Z';
}

enum wh_rc page_time(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    if (text.len == 0) {
        return wh_buf_append(out, WH_LIT("<span class=\"unknown\">unknown</span>"), err);
    }
    if (!is_time(text)) {
        return wh_buf_append(out, text, err);
    }
    return wh_buf_printf(out, err, "<time datetime=\"%.*s\">%.10s %.5s UTC</time>",
                         WH_SLICE_ARG(text), text.ptr, text.ptr + 11);
}

enum wh_rc page_duration(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    int64_t s = 0;
    struct wh_err unused;

    if (text.len == 0 || wh_num_i64(text, &s, &unused) != WH_OK) {
        return wh_buf_append(out, WH_LIT("<span class=\"unknown\">unknown</span>"), err);
    }
    if (s < 120) {
        return wh_buf_printf(out, err, "%lld s", (long long)s);
    }
    if (s < 7200) {
        return wh_buf_printf(out, err, "%lld min", (long long)(s / 60));
    }
    return s < 172800 ? wh_buf_printf(out, err, "%lld h %lld min", (long long)(s / 3600),
                                      (long long)(s % 3600 / 60))
                      : wh_buf_printf(out, err, "%lld days", (long long)(s / 86400));
}

/* ---- addresses ---- */

static bool is_web(struct wh_slice text)
{
    return wh_slice_starts(text, WH_LIT("https://")) || wh_slice_starts(text, WH_LIT("http://"));
}

/* For an attribute in double quotes. */
static enum wh_rc escape(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        enum wh_rc rc = c == '&'   ? wh_buf_append(out, WH_LIT("&amp;"), err)
                        : c == '"' ? wh_buf_append(out, WH_LIT("&quot;"), err)
                        : c == '<' ? wh_buf_append(out, WH_LIT("&lt;"), err)
                        : c == '>' ? wh_buf_append(out, WH_LIT("&gt;"), err)
                                   : wh_buf_append_char(out, c, err);

        if (rc != WH_OK) {
            return rc;
        }
    }
    return WH_OK;
}

enum wh_rc page_safe_href(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    return is_web(text) ? escape(text, out, err) : wh_buf_append_char(out, '#', err);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t n_end = strlen(end);

    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static bool is_uuid(struct wh_slice text)
{
    if (text.len != 36) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text.ptr[i] != '-' : strchr("0123456789abcdef", text.ptr[i]) == NULL) {
            return false;
        }
    }
    return true;
}

bool page_href_of(const char *column, struct wh_slice text, char ret[PAGE_HREF_MAX])
{
    if (is_uuid(text)) {
        (void)snprintf(ret, PAGE_HREF_MAX, "/e/%.*s", WH_SLICE_ARG(text));
        return true;
    }
    if (ends_with(column, "url") && is_web(text) && text.len < PAGE_HREF_MAX) {
        (void)snprintf(ret, PAGE_HREF_MAX, "%.*s", WH_SLICE_ARG(text));
        return true;
    }
    return false;
}

/* ---- states ---- */

struct look {
    const char *word;
    const char *name; /* of the class */
    const char *shape;
};

static const struct look looks[] = {
    {"healthy", "good", "●"},  {"enabled", "good", "●"},      {"on_time", "good", "●"},
    {"success", "good", "●"},  {"merged", "done", "◆"},       {"closed", "done", "◆"},
    {"opened", "open", "○"},   {"active", "good", "●"},       {"running", "busy", "◐"},
    {"pending", "busy", "◐"},  {"created", "busy", "◐"},      {"processing", "busy", "◐"},
    {"syncing", "busy", "◐"},  {"in_progress", "busy", "◐"},  {"late", "warn", "▲"},
    {"degraded", "warn", "▲"}, {"failed", "bad", "✕"},        {"failing", "bad", "✕"},
    {"error", "bad", "✕"},     {"unhealthy", "bad", "✕"},     {"canceled", "idle", "–"},
    {"skipped", "idle", "–"},  {"disconnected", "idle", "–"}, {"not_read", "idle", "–"},
    {"critical", "bad", "▲▲"}, {"high", "warn", "▲"},         {"medium", "busy", "■"},
    {"low", "idle", "▽"},
};

enum wh_rc page_state(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    const struct look *look = &(const struct look){"", "idle", "?"};

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        if (wh_slice_eq(text, wh_slice_str(looks[i].word))) {
            look = &looks[i];
        }
    }
    return wh_buf_printf(
        out, err, "<span class=\"state %s\"><span aria-hidden=\"true\">%s</span> %.*s</span>",
        look->name, look->shape, text.len ? (int)text.len : (int)strlen("unknown"),
        text.len ? text.ptr : "unknown");
}

/* ---- money ---- */

/* Digits behind the point by ISO 4217; two where it is not listed. */
static unsigned digits_of(struct wh_slice currency)
{
    static const char none[] =
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";
    char word[4] = "";

    if (currency.len == 3) {
        memcpy(word, currency.ptr, 3);
    }
    return word[0] == 0 ? 2 : strstr(none, word) ? 0 : strstr(three, word) ? 3 : 2;
}

enum wh_rc page_money(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    const char *space = text.len ? memchr(text.ptr, ' ', text.len) : NULL;
    struct wh_slice amount = wh_slice(text.ptr, space ? (size_t)(space - text.ptr) : text.len);
    struct wh_slice currency = space ? wh_slice_from(text, amount.len + 1) : wh_slice("", 0);
    unsigned digits = digits_of(currency);
    bool sign = amount.len && amount.ptr[0] == '-';
    enum wh_rc rc = WH_OK;

    if (amount.len == 0) {
        return wh_buf_append(out, WH_LIT("<span class=\"unknown\">unknown</span>"), err);
    }
    if (amount.len - sign <= digits) {
        return wh_buf_append(out, text, err);
    }
    for (size_t i = 0; i < amount.len && rc == WH_OK; i++) {
        size_t left = amount.len - i;

        if (digits && left == digits) {
            rc = wh_buf_append_char(out, '.', err);
        } else if (i > sign && left > digits && (left - digits) % 3 == 0) {
            rc = wh_buf_append_char(out, ',', err);
        }
        rc = rc == WH_OK ? wh_buf_append_char(out, amount.ptr[i], err) : rc;
    }
    return rc == WH_OK ? wh_buf_printf(out, err, " %.*s", WH_SLICE_ARG(currency)) : rc;
}
