/*
 * err.h - the one error type.
 *
 * A function that can fail returns enum wh_rc (WH_OK is 0) and its last parameter is a struct wh_err
 * that the caller owns. The function where the failure happens writes the message, with the offending
 * value; each caller may add one prefix. The class alone decides how the error is handled:
 *
 *   TRANSIENT  the same call may succeed later: back off and retry
 *   POISON     this input can never succeed: write a dead letter
 *   FATAL      this process cannot continue: stop, and let the supervisor restart it
 *   CANCELED   the operation was cancelled
 *
 * Thread: any. A struct wh_err belongs to one thread at a time.
 */
#ifndef WH_BASE_ERR_H
#define WH_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

enum wh_class {
    WH_CLASS_NONE,
    WH_CLASS_TRANSIENT,
    WH_CLASS_POISON,
    WH_CLASS_FATAL,
    WH_CLASS_CANCELED
};

/* X(code, class, name, text): logs, Kafka headers and JSON answers carry the name. */
#define WH_RC_LIST(X)                                                                              \
    X(WH_OK, NONE, "ok", "ok")                                                                     \
    X(WH_E_NOMEM, FATAL, "no_memory", "out of memory")                                             \
    X(WH_E_INTERNAL, FATAL, "internal", "internal error")                                          \
    X(WH_E_CONFIG, FATAL, "config", "bad configuration")                                           \
    X(WH_E_CORRUPT, FATAL, "corrupt", "stored data are damaged")                                   \
    X(WH_E_FATAL_BUS, FATAL, "bus_fatal", "the Kafka client cannot go on")                         \
    X(WH_E_DENIED, FATAL, "denied", "not permitted")                                               \
    X(WH_E_INVALID, POISON, "invalid", "malformed input")                                          \
    X(WH_E_TYPE, POISON, "wrong_type", "a value of another type was expected")                     \
    X(WH_E_RANGE, POISON, "out_of_range", "a value is out of range")                               \
    X(WH_E_MISSING, POISON, "missing", "a required value is missing")                              \
    X(WH_E_TOO_LARGE, POISON, "too_large", "larger than the limit")                                \
    X(WH_E_TOO_DEEP, POISON, "too_deep", "nested deeper than the limit")                           \
    X(WH_E_UTF8, POISON, "invalid_utf8", "not valid UTF-8")                                        \
    X(WH_E_DUPLICATE, POISON, "duplicate_key", "a key occurs twice")                               \
    X(WH_E_UNKNOWN_KIND, POISON, "unknown_kind", "no view maps this kind")                         \
    X(WH_E_UNSUPPORTED, POISON, "unsupported", "not supported")                                    \
    X(WH_E_NOT_FOUND, POISON, "not_found", "not found")                                            \
    X(WH_E_EXISTS, POISON, "exists", "exists already")                                             \
    X(WH_E_AUTH, POISON, "unauthorized", "authentication failed")                                  \
    X(WH_E_FORBIDDEN, POISON, "forbidden", "access refused")                                       \
    X(WH_E_UNKNOWN_SCHEMA, TRANSIENT, "unknown_schema", "schema id not known to this build")       \
    X(WH_E_IO, TRANSIENT, "io", "input/output error")                                              \
    X(WH_E_NO_SPACE, TRANSIENT, "no_space", "no space left on the device")                         \
    X(WH_E_NET, TRANSIENT, "network", "network error")                                             \
    X(WH_E_TIMEOUT, TRANSIENT, "timeout", "timed out")                                             \
    X(WH_E_BUSY, TRANSIENT, "busy", "a queue is full")                                             \
    X(WH_E_RATE, TRANSIENT, "rate_limited", "rate limited")                                        \
    X(WH_E_UNAVAILABLE, TRANSIENT, "unavailable", "not available now")                             \
    X(WH_E_CANCELED, CANCELED, "canceled", "canceled")

enum wh_rc {
#define X(code, class, name, text) code,
    WH_RC_LIST(X)
#undef X
        WH_RC_COUNT
};

#define WH_ERR_MSG_MAX 256

/* A zeroed struct means "no error". The message is NUL-terminated and truncated to fit. */
struct wh_err {
    enum wh_rc rc;
    char msg[WH_ERR_MSG_MAX];
};

#define WH_MUST_CHECK __attribute__((warn_unused_result))
#define WH_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* A code's machine-readable name ("invalid_utf8") and description; static, never NULL. */
const char *wh_rc_name(enum wh_rc rc);
const char *wh_rc_text(enum wh_rc rc);
enum wh_class wh_rc_class(enum wh_rc rc);
const char *wh_class_name(enum wh_class class);

/* Sets code and message; returns rc, so that a leaf can write `return wh_fail(err, ...)`. */
enum wh_rc wh_fail(struct wh_err *err, enum wh_rc rc, const char *fmt, ...) WH_PRINTF(3, 4);

/* Prepends "<text>: " to the message; returns err->rc. */
enum wh_rc wh_err_prefix(struct wh_err *err, const char *fmt, ...) WH_PRINTF(2, 3);

void wh_err_clear(struct wh_err *err);

#ifdef __clang_analyzer__
/* The analyser sees one file at a time and does not know that a failure is never WH_OK. */
#define wh_fail(err, rc, ...) ((void)wh_fail((err), (rc), __VA_ARGS__), (rc))
#define wh_err_prefix(err, ...)                                                                    \
    ((void)wh_err_prefix((err), __VA_ARGS__), (err)->rc != WH_OK ? (err)->rc : WH_E_INTERNAL)
#endif

#endif
