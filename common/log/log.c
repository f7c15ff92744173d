#include "common/log/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/escape.h"
#include "common/base/mem.h"

enum {
    LINE_MAX_BYTES = 8192,
    VALUE_MAX_BYTES = 1024,
    SITES = 64,
    SITE_LINES_PER_SECOND = 10,
    NS_PER_SECOND = 1000000000
};

/* One call site, identified by the address of its constant message. */
struct site {
    const char *msg;
    int64_t window_start_ns;
    uint32_t lines;
    uint64_t suppressed;
};

struct wh_log {
    int fd;
    const char *stage;
    enum wh_log_level level;
    struct wh_clock clock;
    pthread_mutex_t lock;
    struct site sites[SITES];
    atomic_uint_fast64_t counts[WH_LOG_LEVEL_COUNT];
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

struct wh_log *wh_log_new(int fd, const char *stage, enum wh_log_level level, struct wh_clock clock)
{
    struct wh_log *log = wh_mem_zalloc(1, sizeof(*log));

    if (log == NULL) {
        return NULL;
    }
    log->fd = fd;
    log->stage = stage;
    log->clock = clock;
    log->level = level;
    (void)pthread_mutex_init(&log->lock, NULL);
    return log;
}

void wh_log_free(struct wh_log *log)
{
    if (log) {
        (void)pthread_mutex_destroy(&log->lock);
        wh_mem_free(log);
    }
}

bool wh_log_level_parse(struct wh_slice text, enum wh_log_level *ret)
{
    for (size_t i = 0; i < WH_LOG_LEVEL_COUNT; i++) {
        if (wh_slice_eq(text, wh_slice_str(level_names[i]))) {
            *ret = (enum wh_log_level)i;
            return true;
        }
    }
    return false;
}

uint64_t wh_log_count(const struct wh_log *log, enum wh_log_level level)
{
    return atomic_load(&log->counts[level]);
}

/* A line on the stack, truncated at its end; there is always room for the closing brace. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static void put(struct line *line, const char *text, size_t n)
{
    const size_t room = sizeof(line->text) - 4 - line->len;

    if (n > room) {
        n = room;
    }
    memcpy(line->text + line->len, text, n);
    line->len += n;
}

/* Writes one character of a JSON string; returns the bytes it consumed. Logs are read on terminals, so
 * control characters are escaped; a byte that is not UTF-8 becomes the code point of its value. */
static size_t put_char(struct line *line, struct wh_slice text)
{
    char escape[16];
    uint32_t code;
    bool steers;
    size_t len = wh_escape_next(text, &code, &steers);

    if (code == '"' || code == '\\') {
        put(line, (char[]){'\\', (char)code}, 2);
    } else if (!steers) {
        put(line, text.ptr, len);
    } else if (code <= 0xFFFF) {
        (void)snprintf(escape, sizeof(escape), "\\u%04x", code);
        put(line, escape, 6);
    } else {
        (void)snprintf(escape, sizeof(escape), "\\u%04x\\u%04x", 0xD7C0 + (code >> 10),
                       0xDC00 + (code & 0x3FF));
        put(line, escape, 12);
    }
    return len;
}

static void put_string(struct line *line, struct wh_slice text)
{
    size_t len = text.len < VALUE_MAX_BYTES ? text.len : VALUE_MAX_BYTES;
    struct wh_slice shown = wh_slice(text.ptr, len);

    /* Do not truncate inside a UTF-8 sequence: step back to its start. */
    while (shown.len < text.len && shown.len > 0 &&
           ((unsigned char)shown.ptr[shown.len] & 0xC0) == 0x80) {
        shown.len--;
    }
    put(line, "\"", 1);
    while (shown.len) {
        shown = wh_slice_from(shown, put_char(line, shown));
    }
    put(line, "\"", 1);
}

static void put_key(struct line *line, const char *key)
{
    put(line, line->len > 1 ? "," : "", line->len > 1);
    put_string(line, wh_slice_str(key));
    put(line, ":", 1);
}

static void put_int(struct line *line, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, value);

    put(line, text, n > 0 ? (size_t)n : 0);
}

static void put_field(struct line *line, const struct wh_log_field *field)
{
    /* Writes a field completely or not at all; escaping makes a value up to six times as long. */
    size_t value_len = field->type == WH_LOG_STR ? field->str.len : 32;

    value_len = value_len < VALUE_MAX_BYTES ? value_len : VALUE_MAX_BYTES;
    if (line->len + strlen(field->key) + value_len * 6 + 16 > sizeof(line->text)) {
        return;
    }
    put_key(line, field->key);
    switch (field->type) {
    case WH_LOG_INT:
        put_int(line, field->i);
        break;
    case WH_LOG_BOOL:
        put(line, field->i ? "true" : "false", field->i ? 4 : 5);
        break;
    case WH_LOG_STR:
    default:
        put_string(line, field->str);
        break;
    }
}

/* Counts a line of this call site; false when its limit for this second is reached. */
static bool admit(struct wh_log *log, const char *msg, uint64_t *ret_suppressed)
{
    int64_t now = wh_clock_mono_ns(&log->clock);
    struct site *site = &log->sites[((uintptr_t)msg >> 3) % SITES];

    *ret_suppressed = 0;
    if (site->msg != msg || now - site->window_start_ns >= NS_PER_SECOND) {
        *ret_suppressed = site->msg == msg ? site->suppressed : 0;
        *site = (struct site){.msg = msg, .window_start_ns = now};
    }
    if (site->lines >= SITE_LINES_PER_SECOND) {
        site->suppressed++;
        return false;
    }
    site->lines++;
    return true;
}

static void write_all(int fd, const char *text, size_t n)
{
    ssize_t done;

    do {
        done = write(fd, text, n);
    } while (done < 0 && errno == EINTR);
}

void wh_log_write(struct wh_log *log, enum wh_log_level level, const char *msg,
                  const struct wh_log_field *fields, size_t n_fields)
{
    char ts[WH_TIME_TEXT_MAX];
    struct line line;
    uint64_t suppressed;

    if (log == NULL || level > log->level) {
        return;
    }
    atomic_fetch_add(&log->counts[level], 1);
    (void)pthread_mutex_lock(&log->lock);
    if (!admit(log, msg, &suppressed)) {
        (void)pthread_mutex_unlock(&log->lock);
        return;
    }
    line.len = 0;
    put(&line, "{", 1);
    put_field(&line, &WH_STR("ts", wh_time_format(wh_clock_now_ms(&log->clock), ts)));
    put_field(&line, &WH_STR("level", level_names[level]));
    put_field(&line, &WH_STR("stage", log->stage));
    put_field(&line, &WH_STR("msg", msg));
    for (size_t i = 0; i < n_fields; i++) {
        put_field(&line, &fields[i]);
    }
    if (suppressed) {
        put_field(&line, &WH_I("suppressed", suppressed));
    }
    line.text[line.len++] = '}';
    line.text[line.len++] = '\n';
    write_all(log->fd, line.text, line.len);
    (void)pthread_mutex_unlock(&log->lock);
}
