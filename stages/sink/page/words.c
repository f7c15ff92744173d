#include "stages/sink/page/words.h"

#include <stdio.h>
#include <string.h>

#include "common/base/num.h"
#include "common/base/time.h"
#include "common/text/money.h"

enum { RFC3339_MINUTE = 16 };

/* ---- times ---- */

bool page_is_time(struct wh_slice text)
{
    return text.len >= RFC3339_MINUTE + 4 && text.len < WH_TIME_TEXT_MAX && text.ptr[4] == '-' &&
           text.ptr[7] == '-' && text.ptr[10] == 'T' && text.ptr[13] == ':' &&
           text.ptr[text.len - 1] == 'Z';
}

static enum wh_rc write_unknown(struct wh_buf *out, struct wh_err *err)
{
    return wh_buf_append(out, WH_LIT("<span class=\"unknown\">unknown</span>"), err);
}

/* named: with what the zone's time is called. */
static enum wh_rc write_time(struct wh_zone zone, struct wh_slice text, bool named,
                             struct wh_buf *out, struct wh_err *err)
{
    char local[WH_TIME_TEXT_MAX];
    char abbr[WH_ZONE_ABBR_MAX] = "";
    struct wh_instant at;
    struct wh_err no_time;

    if (!page_is_time(text) || wh_time_parse(text, &at, &no_time) != WH_OK) {
        return wh_buf_append(out, text, err);
    }
    (void)wh_time_format(at.ms + INT64_C(1000) * wh_zone_offset(zone, at.ms), local);
    if (named) {
        (void)wh_zone_abbr(zone, at.ms, abbr);
    }
    return wh_buf_printf(out, err, "<time datetime=\"%.*s\">%.10s %.5s%s%s</time>",
                         WH_SLICE_ARG(text), local, local + 11, named ? " " : "", abbr);
}

enum wh_rc page_time(struct wh_zone zone, struct wh_slice text, struct wh_buf *out,
                     struct wh_err *err)
{
    return text.len ? write_time(zone, text, true, out, err) : write_unknown(out, err);
}

enum wh_rc page_cell_time(struct wh_zone zone, struct wh_slice text, struct wh_buf *out,
                          struct wh_err *err)
{
    return text.len ? write_time(zone, text, false, out, err) : write_unknown(out, err);
}

enum wh_rc page_duration(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    int64_t s = 0;
    struct wh_err unused;

    if (text.len == 0 || wh_num_i64(text, &s, &unused) != WH_OK) {
        return write_unknown(out, err);
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

enum wh_rc page_escape(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
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
    return is_web(text) ? page_escape(text, out, err) : wh_buf_append_char(out, '#', err);
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
    {"healthy", "good", "●"},    {"enabled", "good", "●"},      {"on_time", "good", "●"},
    {"success", "good", "●"},    {"merged", "done", "◆"},       {"closed", "done", "◆"},
    {"opened", "open", "○"},     {"active", "good", "●"},       {"running", "busy", "◐"},
    {"pending", "busy", "◐"},    {"created", "busy", "◐"},      {"processing", "busy", "◐"},
    {"syncing", "busy", "◐"},    {"in_progress", "busy", "◐"},  {"late", "warn", "▲"},
    {"degraded", "warn", "▲"},   {"failed", "bad", "✕"},        {"failing", "bad", "✕"},
    {"error", "bad", "✕"},       {"unhealthy", "bad", "✕"},     {"canceled", "idle", "–"},
    {"skipped", "idle", "–"},    {"disconnected", "idle", "–"}, {"not_read", "idle", "–"},
    {"critical", "bad", "▲▲"},   {"high", "warn", "▲"},         {"medium", "busy", "■"},
    {"low", "idle", "▽"},        {"up", "good", "●"},           {"need_reconnect", "bad", "✕"},
    {"not_set_up", "idle", "–"}, {"disabled", "idle", "–"},     {"suspended", "idle", "–"},
    {"warning", "warn", "▲"},    {"down", "bad", "✕"},          {"silent", "warn", "▲"},
    {"starting", "busy", "◐"},   {"blocked", "bad", "✕"},       {"left", "idle", "–"},
    {"approved", "good", "●"},
};

enum wh_rc page_state(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    const struct look *look = &(const struct look){"", "idle", "?"};

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        if (wh_slice_eq(text, wh_slice_str(looks[i].word))) {
            look = &looks[i];
        }
    }
    if (wh_buf_printf(out, err, "<span class=\"state %s\"><span aria-hidden=\"true\">%s</span> ",
                      look->name, look->shape) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (wh_buf_append_char(out, text.ptr[i] == '_' ? ' ' : text.ptr[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_append(out, text.len ? WH_LIT("</span>") : WH_LIT("unknown</span>"), err);
}

/* ---- money ---- */

enum wh_rc page_money(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    const char *space = text.len ? memchr(text.ptr, ' ', text.len) : NULL;
    struct wh_slice amount = wh_slice(text.ptr, space ? (size_t)(space - text.ptr) : text.len);
    struct wh_err ignored;
    int64_t minor = 0;

    if (amount.len == 0) {
        return write_unknown(out, err);
    }
    if (wh_num_i64(amount, &minor, &ignored) != WH_OK) {
        return wh_buf_append(out, text, err);
    }
    return wh_money_append(minor, space ? wh_slice_from(text, amount.len + 1) : wh_slice("", 0),
                           out, err);
}
