/*
 * log.h - JSON lines on stderr (or any fd), one write per line, UTC with ms.
 *
 * First keys are fixed: ts, level, stage, msg; then typed fields. The message is a constant, data
 * are fields. Never payloads, tokens, headers or mail addresses. A call site (msg) that repeats
 * more than 10 times a second is cut and later reports "suppressed".
 *
 * Thread: any (one mutex).
 */
#ifndef WH_LOG_LOG_H
#define WH_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/base/time.h"

enum wh_log_level { WH_LOG_ERROR, WH_LOG_WARN, WH_LOG_INFO, WH_LOG_DEBUG, WH_LOG_LEVEL_COUNT };

struct wh_log;

enum wh_log_field_type { WH_LOG_STR, WH_LOG_INT, WH_LOG_BOOL };

struct wh_log_field {
    const char *key;
    enum wh_log_field_type type;
    struct wh_slice str;
    int64_t i;
};

#define WH_S(k, slice_) ((struct wh_log_field){.key = (k), .type = WH_LOG_STR, .str = (slice_)})
#define WH_STR(k, text_) WH_S(k, wh_slice_str(text_))
#define WH_I(k, int_) ((struct wh_log_field){.key = (k), .type = WH_LOG_INT, .i = (int64_t)(int_)})
#define WH_B(k, bool_) ((struct wh_log_field){.key = (k), .type = WH_LOG_BOOL, .i = (bool_)})
/* Two fields are needed for an error: its name and its message. */
#define WH_RC(err_) WH_STR("rc", wh_rc_name((err_)->rc)), WH_STR("err", (err_)->msg)

/* fd is borrowed. stage is kept (static text). NULL when out of memory. */
struct wh_log *wh_log_new(int fd, const char *stage, enum wh_log_level level,
                          struct wh_clock clock);
void wh_log_free(struct wh_log *log);
bool wh_log_level_parse(struct wh_slice text, enum wh_log_level *ret);
/* Lines written per level since start, for wellhead_log_messages_total. */
uint64_t wh_log_count(const struct wh_log *log, enum wh_log_level level);

/* A NULL log drops everything: handy in unit tests. */
void wh_log_write(struct wh_log *log, enum wh_log_level level, const char *msg,
                  const struct wh_log_field *fields, size_t n_fields);

#define WH_LOG(log, level, msg, ...)                                                               \
    wh_log_write((log), (level), (msg), (const struct wh_log_field[]){__VA_ARGS__},                \
                 sizeof((const struct wh_log_field[]){__VA_ARGS__}) / sizeof(struct wh_log_field))
#define wh_log_error(log, msg, ...) WH_LOG(log, WH_LOG_ERROR, msg, __VA_ARGS__)
#define wh_log_warn(log, msg, ...) WH_LOG(log, WH_LOG_WARN, msg, __VA_ARGS__)
#define wh_log_info(log, msg, ...) WH_LOG(log, WH_LOG_INFO, msg, __VA_ARGS__)
#define wh_log_debug(log, msg, ...) WH_LOG(log, WH_LOG_DEBUG, msg, __VA_ARGS__)

#endif
