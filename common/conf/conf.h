/*
 * conf.h - configuration: a table of keys describes the members of one struct, and loading fills
 * it.
 *
 * A value comes from the last of these sources that has one: the default in the table, the
 * configuration file (libconfig), the environment (WELLHEAD_ and the name in capitals, with dots
 * and dashes as underscores), the command line (--name=value or --name value). An unknown key is an
 * error that names the most similar known one.
 *
 * A secret is given only as a file; the names of such keys end in "_file". Keys that start with
 * "kafka." are passed through to librdkafka and collected as pairs; one that holds a secret may be
 * given as kafka.<name>_file.
 *
 * Thread: app, at start only. Only conf/, run/ and main.c read the environment and the arguments.
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
    WH_CONF_STRING,   /* char * or const char *; owned by the struct, never NULL once loaded */
    WH_CONF_INT,      /* int64_t or size_t, checked against min..max */
    WH_CONF_BOOL,     /* bool: true/false/yes/no/on/off */
    WH_CONF_DURATION, /* int64_t, in ms: wh_num_duration_ms */
    WH_CONF_SIZE,     /* int64_t or size_t, in bytes: wh_num_size_bytes */
};

enum wh_conf_flags { WH_CONF_REQUIRED = 1 };

struct wh_conf_key {
    const char *name; /* "http.port" */
    enum wh_conf_type type;
    unsigned flags;
    const char
        *value;  /* default, as text; NULL: an empty string; numbers and bools are left alone */
    int64_t min; /* numbers only; min == max == 0 means unbounded */
    int64_t max;
    size_t offset;    /* of the member in the target struct */
    const char *help; /* one line, without a full stop */
};

/* One kafka.* key, without that prefix. The strings are owned. */
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
    /* Checks the pairs; its error names the key. NULL: they are not checked. */
    enum wh_rc (*check_pairs)(const struct wh_conf_pairs *pairs, struct wh_err *err);
    const char *default_file; /* read when it exists and --config is not given; NULL: none */
};

enum wh_conf_action {
    WH_CONF_RUN,         /* the configuration is loaded: run the program */
    WH_CONF_HEALTHCHECK, /* --healthcheck: it is loaded, ask the running process */
    WH_CONF_EXIT_OK, /* --help, --version, --check-config, --dump-config: done, written to out */
};

/*
 * Fills the target. Members that no key sets stay as they are; strings that a key sets are
 * overwritten without being freed. Options may stand anywhere among the keys; --config FILE names
 * the file. On an error, too, the target must be released.
 *
 * WH_E_CONFIG with the source, the key and the reason; WH_E_NOMEM.
 */
WH_MUST_CHECK enum wh_rc wh_conf_load(const struct wh_conf_program *program, int argc,
                                      char *const *argv, char *const *environ_, FILE *out,
                                      void *target, enum wh_conf_action *ret, struct wh_err *err);
/* Frees the strings and pairs of a target that was loaded, and sets them to NULL. */
void wh_conf_release(const struct wh_conf_program *program, void *target);

/*
 * Makes a secret file of mode 0600 with the text and a newline. Readers never see part of it. A
 * file that exists is left alone; when several processes try at once, one of them makes it.
 */
WH_MUST_CHECK enum wh_rc wh_conf_secret_create(const char *path, struct wh_slice text,
                                               struct wh_err *err);
/*
 * Reads a secret file of at most max bytes, without the newline at its end. WH_E_CONFIG for an
 * empty file and for one that other users may read or write (mode & 077), except below
 * /run/secrets. Gives ret (wipe it, then wh_mem_free).
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
