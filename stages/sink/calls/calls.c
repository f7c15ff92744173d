#include "stages/sink/calls/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"

enum { PATH_BYTES = 4096, DEPTH_MAX = 4 };

struct calls {
    pthread_mutex_t lock; /* all below */
    const char *path;
    int fd;
    int64_t bytes;
};

struct calls_reading {
    FILE *files[2]; /* the older one first; NULL: it is not there, or was read */
    struct wh_json_parser *parser;
    char line[CALLS_LINE_MAX + 2];
};

/* ---- writing ---- */

static enum wh_rc open_file(struct calls *calls, struct wh_err *err)
{
    struct stat st;

    calls->fd = open(calls->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (calls->fd < 0 || fstat(calls->fd, &st) != 0) {
        return wh_fail(err, WH_E_IO, "cannot open the log of calls %.200s: error %d", calls->path,
                       errno);
    }
    calls->bytes = st.st_size;
    return WH_OK;
}

enum wh_rc calls_new(const char *path, struct calls **ret, struct wh_err *err)
{
    struct calls *calls = wh_mem_zalloc(1, sizeof(*calls));

    if (calls == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the log of calls");
    }
    calls->path = path;
    (void)pthread_mutex_init(&calls->lock, NULL);
    if (open_file(calls, err) != WH_OK) {
        calls_free(calls);
        return err->rc;
    }
    *ret = calls;
    return WH_OK;
}

void calls_free(struct calls *calls)
{
    if (calls == NULL) {
        return;
    }
    if (calls->fd >= 0) {
        (void)close(calls->fd);
    }
    (void)pthread_mutex_destroy(&calls->lock);
    wh_mem_free(calls);
}

static void older_path(const struct calls *calls, char ret[PATH_BYTES])
{
    (void)snprintf(ret, PATH_BYTES, "%s.1", calls->path);
}

static enum wh_rc turn_over(struct calls *calls, struct wh_err *err)
{
    char older[PATH_BYTES];

    older_path(calls, older);
    if (rename(calls->path, older) != 0) {
        return wh_fail(err, WH_E_IO, "cannot rename the log of calls: error %d", errno);
    }
    (void)close(calls->fd);
    return open_file(calls, err);
}

static enum wh_rc append(struct calls *calls, struct wh_slice line, struct wh_err *err)
{
    ssize_t n;

    if (calls->fd < 0 && open_file(calls, err) != WH_OK) {
        return err->rc;
    }
    if (calls->bytes + (int64_t)line.len > CALLS_FILE_MAX && turn_over(calls, err) != WH_OK) {
        return err->rc;
    }
    n = write(calls->fd, line.ptr, line.len);
    if (n != (ssize_t)line.len) {
        return wh_fail(err, errno == ENOSPC ? WH_E_NO_SPACE : WH_E_IO,
                       "cannot write the log of calls");
    }
    calls->bytes += n;
    return WH_OK;
}

static void write_call(struct wh_json_writer *w, const struct calls_call *call)
{
    size_t n = call->arguments.len < CALLS_ARGUMENTS_MAX ? call->arguments.len
                                                         : (size_t)CALLS_ARGUMENTS_MAX;

    wh_jw_object(w);
    wh_jw_put_int(w, "at", call->at_ms);
    wh_jw_put_str(w, "agent", call->agent);
    wh_jw_put_str(w, "name", call->name);
    wh_jw_put_str(w, "tool", call->tool);
    wh_jw_put_str(w, "arguments", wh_slice(call->arguments.ptr, n));
    wh_jw_put_str(w, "result", call->result);
    wh_jw_put_int(w, "rows", call->rows);
    wh_jw_put_str(w, "ids", call->ids);
    wh_jw_put_int(w, "n_ids", call->n_ids);
    wh_jw_put_int(w, "took_ms", call->took_ms);
    wh_jw_end(w);
}

enum wh_rc calls_add(struct calls *calls, const struct calls_call *call, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf line = {0};
    struct wh_json_writer w;
    enum wh_rc rc;

    wh_buf_init(&line, CALLS_LINE_MAX);
    wh_json_writer_init(&w, &line);
    write_call(&w, call);
    if (wh_jw_finish(&w, err) != WH_OK || wh_buf_append_char(&line, '\n', err) != WH_OK) {
        return err->rc;
    }
    (void)pthread_mutex_lock(&calls->lock);
    rc = append(calls, wh_buf_slice(&line), err);
    (void)pthread_mutex_unlock(&calls->lock);
    return rc;
}

/* ---- reading ---- */

enum wh_rc calls_read(struct calls *calls, struct calls_reading **ret, struct wh_err *err)
{
    struct calls_reading *r = wh_mem_zalloc(1, sizeof(*r));
    char older[PATH_BYTES];

    if (r == NULL || (r->parser = wh_json_parser_new(CALLS_LINE_MAX, DEPTH_MAX)) == NULL) {
        wh_mem_free(r);
        return wh_fail(err, WH_E_NOMEM, "no memory to read the log of calls");
    }
    older_path(calls, older);
    /* Both at once, so that no call is read twice when the files turn over. */
    (void)pthread_mutex_lock(&calls->lock);
    r->files[0] = fopen(older, "re");
    r->files[1] = fopen(calls->path, "re");
    (void)pthread_mutex_unlock(&calls->lock);
    *ret = r;
    return WH_OK;
}

static bool next_line(struct calls_reading *r, struct wh_slice *ret)
{
    for (size_t i = 0; i < 2; i++) {
        if (r->files[i] == NULL) {
            continue;
        }
        if (fgets(r->line, sizeof(r->line), r->files[i])) {
            *ret = wh_slice(r->line, strcspn(r->line, "\n"));
            return true;
        }
        (void)fclose(r->files[i]);
        r->files[i] = NULL;
    }
    return false;
}

bool calls_next(struct calls_reading *r, struct calls_call *ret)
{
    struct wh_json_val v;
    struct wh_slice line;
    struct wh_err err;

    while (next_line(r, &line)) {
        if (wh_json_parse(r->parser, line, &v, &err) == WH_OK) {
            *ret = (struct calls_call){.at_ms = wh_json_get_int(v, "at", 0),
                                       .agent = wh_json_get_str(v, "agent"),
                                       .name = wh_json_get_str(v, "name"),
                                       .tool = wh_json_get_str(v, "tool"),
                                       .arguments = wh_json_get_str(v, "arguments"),
                                       .result = wh_json_get_str(v, "result"),
                                       .rows = wh_json_get_int(v, "rows", 0),
                                       .ids = wh_json_get_str(v, "ids"),
                                       .n_ids = wh_json_get_int(v, "n_ids", 0),
                                       .took_ms = wh_json_get_int(v, "took_ms", 0)};
            return true;
        }
    }
    return false;
}

void calls_read_end(struct calls_reading *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        if (r->files[i]) {
            (void)fclose(r->files[i]);
        }
    }
    wh_json_parser_free(r->parser);
    wh_mem_free(r);
}
