/*
 * kinds.h - what can be imported: each kind with its columns, as a table. The checks of rows, the
 * payloads of raw events and the comparison with the store all read it. Thread: any.
 */
#ifndef WH_CLI_IMPORT_KINDS_H
#define WH_CLI_IMPORT_KINDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"

enum import_type {
    IMPORT_TEXT,
    IMPORT_LIST,     /* texts; in a CSV cell they are separated by ';' */
    IMPORT_WHOLE,    /* a whole number from 0 to 2^63-1 */
    IMPORT_CURRENCY, /* ISO 4217, in any case */
    IMPORT_WORD,     /* one of a few words, in any case */
    IMPORT_DATE,     /* 2026-11-30 */
    IMPORT_URL,      /* the page of the row; no field of the entity, but its address */
};

enum {
    IMPORT_COLUMNS_MAX = 12,    /* of a kind */
    IMPORT_TEXT_MAX = 4096,     /* bytes of one text */
    IMPORT_LIST_MAX = 1000,     /* texts of one list */
    IMPORT_IDENTITY_MAX = 1000, /* bytes of a row's identity */
    IMPORT_ROW_MAX = 1 << 20,   /* bytes of a row */
    IMPORT_OTHERS_MAX = 500,    /* columns of a row that the kind does not have */
    IMPORT_REASON_MAX = 240,
};

struct import_column {
    const char *name;
    enum import_type type;
    bool required;
    bool identity;      /* it is a part of what tells rows apart */
    const char *words;  /* of IMPORT_WORD: "month|quarter|year|once" */
    const char *stored; /* the column of the sink's table that has the text as it was imported */
};

struct import_kind {
    const char *name;   /* "services": of files, raw events, and the sink's table */
    const char *entity; /* "service": the source kind */
    struct import_column columns[IMPORT_COLUMNS_MAX];
    size_t n_columns;
    const char *from; /* a date that must not be after the date `to`; NULL: there are none */
    const char *to;
    bool needs_one; /* at least one column that is not required must have a value */
};

/* All kinds; *ret_n is their number. */
const struct import_kind *import_kinds(size_t *ret_n);
/* By name; NULL if unknown. */
const struct import_kind *import_kind_by_name(struct wh_slice name);
/* The kind that a file's name gives: "data/services.csv" is services; NULL if it gives none. */
const struct import_kind *import_kind_of_file(const char *path);
/* The index of a column; -1 if the kind has none of that name. */
int import_column_of(const struct import_kind *kind, struct wh_slice name);
/* How many columns make the identity. */
size_t import_identity_columns(const struct import_kind *kind);

/* Is it a currency of ISO 4217, in upper case? Those that were withdrawn since 2020 count: contracts outlive
 * a currency. */
bool import_is_currency(struct wh_slice code);

#endif
