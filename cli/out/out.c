#include "cli/out/out.h"

#include <assert.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/escape.h"
#include "cli/out/format.h"
#include "common/base/mem.h"

enum {
    LINE_MAX_BYTES = 1 << 20,
    DATA_MAX_BYTES = 1 << 30,
    CHUNK_BYTES = 1 << 16,
    OTHERWISE_COLUMNS = 80
};

static bool is_terminal(FILE *stream)
{
    int fd = fileno(stream); /* -1: a stream in memory */

    return fd >= 0 && isatty(fd);
}

static unsigned terminal_columns(FILE *stream)
{
    struct winsize size;

    return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col
                                                                        : OTHERWISE_COLUMNS;
}

void cli_out_init(struct cli_out *out, FILE *data, FILE *messages)
{
    *out = (struct cli_out){
        .data = data,
        .messages = messages,
        .data_terminal = is_terminal(data),
        .messages_terminal = is_terminal(messages),
    };
    out->columns = out->data_terminal ? terminal_columns(data) : 0;
}

static void print(FILE *to, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* A line of more than a megabyte is cut: it is not for people. */
static void print(FILE *to, const char *format, va_list args)
{
    WH_AUTO(buf) struct wh_buf line;
    struct wh_err err;

    wh_buf_init(&line, LINE_MAX_BYTES);
    (void)!cli_format(&line, format, args, &err);
    (void)fwrite(wh_buf_str(&line), 1, line.len, to);
}

void cli_say(const struct cli_out *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print(out->data, format, args);
    va_end(args);
}

void cli_note(const struct cli_out *out, const char *format, ...)
{
    va_list args;

    /* In the order in which they were printed, also where both streams are one file. */
    (void)fflush(out->data);
    va_start(args, format);
    print(out->messages, format, args);
    va_end(args);
}

void cli_note_text(const struct cli_out *out, const char *text)
{
    (void)fputs(text, out->messages);
}

/* A piece for the terminal at a time, each of them whole characters. */
static bool write_escaped(FILE *to, struct wh_slice bytes)
{
    WH_AUTO(buf) struct wh_buf shown;
    struct wh_err err;

    wh_buf_init(&shown, DATA_MAX_BYTES);
    while (bytes.len) {
        struct wh_slice piece =
            wh_slice(bytes.ptr, bytes.len < CHUNK_BYTES ? bytes.len : CHUNK_BYTES);

        /* Not in the middle of a character, nor between CR and LF. */
        while (piece.len < bytes.len && piece.len > CHUNK_BYTES - 8 &&
               (((unsigned char)bytes.ptr[piece.len] & 0xC0) == 0x80 ||
                bytes.ptr[piece.len] == '\n')) {
            piece.len--;
        }
        wh_buf_reset(&shown);
        if (wh_escape(piece, WH_ESCAPE_BLOCK, &shown, &err) != WH_OK ||
            fwrite(wh_buf_str(&shown), 1, shown.len, to) != shown.len) {
            return false;
        }
        bytes = wh_slice_from(bytes, piece.len);
    }
    return true;
}

bool cli_data_part(const struct cli_out *out, struct wh_slice bytes)
{
    return out->data_terminal
               ? write_escaped(out->data, bytes)
               : fwrite(bytes.len ? bytes.ptr : "", 1, bytes.len, out->data) == bytes.len;
}

bool cli_data(const struct cli_out *out, struct wh_slice bytes)
{
    bool newline = bytes.len == 0 || bytes.ptr[bytes.len - 1] != '\n';

    return cli_data_part(out, bytes) && (!newline || fputc('\n', out->data) != EOF);
}

void cli_clear(const struct cli_out *out)
{
    if (out->data_terminal) {
        (void)fputs("\033[H\033[2J", out->data);
    }
}

void cli_progress(const struct cli_out *out, const char *format, ...)
{
    va_list args;

    if (!out->messages_terminal) {
        return;
    }
    (void)fputs("\r\033[K", out->messages);
    va_start(args, format);
    print(out->messages, format, args);
    va_end(args);
}

void cli_progress_end(const struct cli_out *out)
{
    if (out->messages_terminal) {
        (void)fputs("\r\033[K", out->messages);
    }
}

bool cli_out_flush(const struct cli_out *out)
{
    return fflush(out->data) == 0 && !ferror(out->data) && !out->lost;
}
