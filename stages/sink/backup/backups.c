#include "stages/sink/backup/backups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "stages/sink/backup/backup_priv.h"

struct sink_backups {
    struct wh_store *store;
    const char *folder;
    struct wh_clock clock;
    struct wh_log *log;
    atomic_bool stop;
    pthread_mutex_t lock;
    /* Under the lock. */
    struct sink_backups_status status;
    bool threaded; /* there is a thread to join */
    pthread_t thread;
};

static enum wh_rc path_of(const struct sink_backups *b, const char *name, char ret[SINK_PATH_MAX],
                          struct wh_err *err)
{
    return backup_join(ret, b->folder, name, err);
}

/* ---- the thread ---- */

static bool go_on(void *ctx, enum sink_backup_step step, int64_t done, int64_t total)
{
    struct sink_backups *b = ctx;

    (void)pthread_mutex_lock(&b->lock);
    b->status.step = step;
    b->status.done = done;
    b->status.total = total;
    (void)pthread_mutex_unlock(&b->lock);
    return !atomic_load(&b->stop);
}

static void tell(struct sink_backups *b, const struct sink_backup_summary *made,
                 const struct wh_err *err)
{
    if (err->rc == WH_OK) {
        wh_log_info(b->log, "a backup was made", WH_STR("name", b->status.name),
                    WH_I("entities", made->entities), WH_I("bytes", made->bytes));
    } else {
        wh_log_warn(b->log, "a backup failed", WH_RC(err));
    }
}

static void *make(void *ctx)
{
    struct sink_backups *b = ctx;
    const struct sink_backup_watch watch = {.go_on = go_on, .ctx = b};
    struct sink_backup_summary made = {0};
    struct wh_err err = {0};
    char path[SINK_PATH_MAX];

    if (path_of(b, b->status.name, path, &err) == WH_OK &&
        sink_backup_make(b->store, path, b->clock, &watch, &made, &err) == WH_OK) {
        err.rc = WH_OK;
    }
    tell(b, &made, &err);
    (void)pthread_mutex_lock(&b->lock);
    b->status.state = err.rc == WH_OK ? SINK_BACKUPS_MADE : SINK_BACKUPS_FAILED;
    b->status.summary = made;
    b->status.err = err;
    (void)pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* ---- begin and end; called with the lock held ---- */

static void join(struct sink_backups *b)
{
    if (b->threaded) {
        (void)pthread_join(b->thread, NULL);
        b->threaded = false;
    }
}

/* "20261130T151210.004Z": nothing else in the folder is touched. */
static bool is_ours(const char *name)
{
    size_t n = strspn(name, "0123456789");

    return n == 8 && name[n] == 'T' && name[strlen(name) - 1] == 'Z' &&
           strspn(name + n + 1, "0123456789.Z") == strlen(name + n + 1);
}

/* Also those of an earlier start. */
static enum wh_rc remove_all(struct sink_backups *b, struct wh_err *err)
{
    DIR *dir = opendir(b->folder);
    enum wh_rc rc = WH_OK;
    char path[SINK_PATH_MAX];
    struct dirent *entry;

    if (dir == NULL) {
        return errno == ENOENT ? WH_OK : wh_file_fail(err, "cannot list", b->folder);
    }
    while (rc == WH_OK && (entry = readdir(dir)) != NULL) {
        if (is_ours(entry->d_name)) {
            rc = path_of(b, entry->d_name, path, err);
            rc = rc == WH_OK ? sink_backup_remove(path, err) : rc;
        }
    }
    (void)closedir(dir);
    if (rc == WH_OK) {
        b->status = (struct sink_backups_status){0};
    }
    return rc;
}

/* "20261130T151210.004Z": sorts by time. */
static void name_it(struct sink_backups *b)
{
    char text[WH_TIME_TEXT_MAX];
    const char *from = wh_time_format(wh_clock_now_ms(&b->clock), text);
    size_t n = 0;

    for (; *from && n + 1 < sizeof(b->status.name); from++) {
        if (*from != '-' && *from != ':') {
            b->status.name[n++] = *from;
        }
    }
    b->status.name[n] = '\0';
}

static enum wh_rc begin(struct sink_backups *b, struct wh_err *err)
{
    if (b->status.state == SINK_BACKUPS_MAKING) {
        return wh_fail(err, WH_E_BUSY, "a backup is being made; ask again when it is there");
    }
    join(b);
    if (remove_all(b, err) != WH_OK) {
        return err->rc;
    }
    if (mkdir(b->folder, 0700) != 0 && errno != EEXIST) {
        return wh_file_fail(err, "cannot make the folder", b->folder);
    }
    b->status = (struct sink_backups_status){.state = SINK_BACKUPS_MAKING, .total = -1};
    name_it(b);
    b->threaded = pthread_create(&b->thread, NULL, make, b) == 0;
    if (b->threaded) {
        return WH_OK;
    }
    b->status = (struct sink_backups_status){0};
    return wh_fail(err, WH_E_UNAVAILABLE, "no thread for a backup");
}

enum wh_rc sink_backups_begin(struct sink_backups *b, struct wh_err *err)
{
    enum wh_rc rc;

    (void)pthread_mutex_lock(&b->lock);
    rc = begin(b, err);
    (void)pthread_mutex_unlock(&b->lock);
    return rc;
}

void sink_backups_status(struct sink_backups *b, struct sink_backups_status *ret)
{
    (void)pthread_mutex_lock(&b->lock);
    *ret = b->status;
    (void)pthread_mutex_unlock(&b->lock);
}

enum wh_rc sink_backups_remove(struct sink_backups *b, struct wh_slice name, struct wh_err *err)
{
    enum wh_rc rc;

    (void)pthread_mutex_lock(&b->lock);
    if (name.len == 0 || !wh_slice_eq(name, wh_slice_str(b->status.name))) {
        rc = wh_fail(err, WH_E_NOT_FOUND, "there is no backup of that name");
    } else if (b->status.state == SINK_BACKUPS_MAKING) {
        rc = wh_fail(err, WH_E_BUSY, "this backup is being made");
    } else {
        rc = remove_all(b, err);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return rc;
}

/* ---- its files ---- */

static enum wh_rc open_file(const char *path, int *ret_fd, int64_t *ret_bytes, struct wh_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum wh_rc rc;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = wh_file_fail(err, "cannot read", path);
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    *ret_fd = fd;
    *ret_bytes = st.st_size;
    return WH_OK;
}

enum wh_rc sink_backups_open(struct sink_backups *b, struct wh_slice name, struct wh_slice file,
                             int *ret_fd, int64_t *ret_bytes, struct wh_err *err)
{
    bool manifest = wh_slice_eq(file, WH_LIT("manifest.json"));
    struct sink_backups_status now;
    char part[SINK_BACKUP_NAME_MAX + 8 + BACKUP_NAME_MAX];
    char path[SINK_PATH_MAX];

    sink_backups_status(b, &now);
    if (now.state != SINK_BACKUPS_MADE || !wh_slice_eq(name, wh_slice_str(now.name)) ||
        !backup_name_ok(file)) {
        return wh_fail(err, WH_E_NOT_FOUND, "there is no such file of a backup");
    }
    (void)snprintf(part, sizeof(part), "%s/%s%.*s", now.name, manifest ? "" : "store/",
                   WH_SLICE_ARG(file));
    return path_of(b, part, path, err) == WH_OK ? open_file(path, ret_fd, ret_bytes, err) : err->rc;
}

/* ---- birth and death ---- */

enum wh_rc sink_backups_new(struct wh_store *store, const char *folder, struct wh_clock clock,
                            struct wh_log *log, struct sink_backups **ret, struct wh_err *err)
{
    struct sink_backups *b = wh_mem_zalloc(1, sizeof(*b));

    if (b == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for backups");
    }
    b->store = store;
    b->folder = folder;
    b->clock = clock;
    b->log = log;
    (void)pthread_mutex_init(&b->lock, NULL);
    *ret = b;
    return WH_OK;
}

void sink_backups_free(struct sink_backups *b)
{
    if (b == NULL) {
        return;
    }
    atomic_store(&b->stop, true);
    join(b);
    (void)pthread_mutex_destroy(&b->lock);
    wh_mem_free(b);
}
