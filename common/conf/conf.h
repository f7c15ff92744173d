/*
 * conf.h - one table of keys per program fills one struct.
 *
 * Precedence: default < file (libconfig) < environment (WELLHEAD_ + the name in capitals, dots and
 * dashes as underscores) < argv (--name=value or --name value). Unknown keys are errors that name
 * the nearest known one. A secret is given only as a file: its key ends in "_file".
 * Keys that start with "kafka." pass through to librdkafka and are collected as pairs; those that
 * librdkafka calls secret may be given as kafka.<key>_file.
 *
 * Thread: app, at start only. Only conf/, run/ and main.c touch environment and argv.
 */
#ifndef WH_CONF_CONF_H
#define WH_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/slice.h"

enum wh_conf_type {
    WH_CONF_STRING,   /* char * (owned by the struct, never NULL after load) */
    WH_CONF_INT,      /* int64_t, checked against min..max */
    WH_CONF_BOOL,     /* bool: true/false/yes/no/on/off */
    WH_CONF_DURATION, /* int64_t ms, wh_num_duration_ms */
    WH_CONF_SIZE,     /* int64_t bytes, wh_num_size_bytes */
};

enum wh_conf_flags { WH_CONF_REQUIRED = 1 };

struct wh_conf_key {
    const char *name; /* "http.port" */
    enum wh_conf_type type;
    unsigned flags;
    const char *value; /* default, as text; NULL for none (empty string, 0, false) */
    int64_t min;       /* numbers only; min == max == 0 means unbounded */
    int64_t max;
    size_t offset; /* of the member in the target struct */
    const char *help;
};

/* name/value pairs of kafka.* keys without the "kafka." prefix; strings are owned. */
struct wh_conf_pair {
    char *name;
    char *value;
};

struct wh_conf_pairs {
    struct wh_conf_pair *items;
    size_t n;
};

struct wh_conf_program {
    const char *name;    /* "wellhead-mapper" */
    const char *purpose; /* one line for --help */
    const struct wh_conf_key *keys;
    size_t n_keys;
    size_t pairs_offset; /* of the struct wh_conf_pairs member, or SIZE_MAX */
    /* Whether the pairs are right; NULL: not asked. The error names the key. */
    enum wh_rc (*check_pairs)(const struct wh_conf_pairs *pairs, struct wh_err *err);
    const char *default_file; /* read when it exists; NULL for none */
};

enum wh_conf_action { WH_CONF_RUN, WH_CONF_EXIT_OK };

/*
 * Fills target (zeroed by the caller). --help, --version, --check-config and --dump-config are
 * handled here (written to out; then *ret is WH_CONF_EXIT_OK). --config FILE names the file.
 * WH_E_CONFIG with key, place and reason otherwise.
 */
WH_MUST_CHECK enum wh_rc wh_conf_load(const struct wh_conf_program *program, int argc,
                                      char *const *argv, char *const *environ_, FILE *out,
                                      void *target, enum wh_conf_action *ret, struct wh_err *err);
/* Frees strings and pairs of a loaded struct. */
void wh_conf_release(const struct wh_conf_program *program, void *target);

/*
 * Makes a secret file of mode 0600 with the text and a newline, whole from its first moment; one
 * that is there stays as it is. Of several processes that start at once one makes it.
 */
WH_MUST_CHECK enum wh_rc wh_conf_secret_create(const char *path, struct wh_slice text,
                                               struct wh_err *err);
/*
 * Reads a secret file: at most max bytes, trailing newline cut, refuses an empty file and one that
 * others may read or write (mode & 077), except below /run/secrets. Gives ret (wipe and free).
 */
WH_MUST_CHECK enum wh_rc wh_conf_secret_read(const char *path, size_t max, char **ret,
                                             struct wh_err *err);
/* The same for a file that may hold several lines; only the newlines at its end are cut. */
WH_MUST_CHECK enum wh_rc wh_conf_secret_read_lines(const char *path, size_t max, char **ret,
                                                   struct wh_err *err);
/*
 * Replaces a secret file by the text and a newline, mode 0600. A reader, and a crash at any moment,
 * finds the old file or the new one; when this gives WH_OK the new one is on disk. WH_E_CONFIG when
 * the file or its folder cannot be written, WH_E_IO when the disk refuses.
 */
WH_MUST_CHECK enum wh_rc wh_conf_secret_replace(const char *path, struct wh_slice text,
                                                struct wh_err *err);

#endif
