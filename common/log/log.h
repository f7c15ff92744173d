/*
 * log.h - JSON lines on stderr or another descriptor, one write for each line, times in UTC with
 * milliseconds.
 *
 * Each line begins with ts, level, stage and msg; typed fields follow. The message is a constant, so
 * that it can be searched for; whatever varies is a field. Payloads, tokens, HTTP headers and mail
 * addresses are never logged.
 *
 * A line holds at most 8 KiB and a text value 1 KiB: longer values are cut, and fields that do not
 * fit are left out. A message that is logged more than 10 times a second is suppressed for the rest
 * of that second; its next line reports how many are missing ("suppressed").
 *
 * Thread: any; one mutex serializes the lines.
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
/* The two fields of an error: the name of its code, and its message. */
#define WH_RC(err_) WH_STR("rc", wh_rc_name((err_)->rc)), WH_STR("err", (err_)->msg)

/* fd is borrowed until wh_log_free; stage is kept and must be static text. NULL: no memory. */
struct wh_log *wh_log_new(int fd, const char *stage, enum wh_log_level level,
                          struct wh_clock clock);
void wh_log_free(struct wh_log *log);
/* Of "error", "warn", "info" or "debug"; false for any other text. */
bool wh_log_level_parse(struct wh_slice text, enum wh_log_level *ret);
/* Messages of that level since the start, suppressed ones included: wellhead_log_messages_total. */
uint64_t wh_log_count(const struct wh_log *log, enum wh_log_level level);

/* Writes one line. Nothing is written to a NULL log, or below the log's level. */
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
