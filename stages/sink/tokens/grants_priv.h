/* grants_priv.h - the tables of grants.c, and grants_file.c, which keeps them. */
#ifndef WH_SINK_TOKENS_GRANTS_PRIV_H
#define WH_SINK_TOKENS_GRANTS_PRIV_H

#include "stages/sink/tokens/grants.h"
#include "stages/sink/tokens/tokens_priv.h"

#define GRANT_DAYS_MS (INT64_C(86400000) * 60)

/* Tokens are FAMILY.SECRET: whoever knows the family, but not the secret of now, holds an old one. */
struct grant {
    char id[GRANT_ID + 1];
    char client[GRANT_CLIENT_ID + 1];
    char name[GRANT_NAME_MAX + 1];
    char redirect[GRANT_URI_MAX + 1];
    char resource[GRANT_URI_MAX + 1];
    char family[TOKEN_TEXT + 1]; /* hashes */
    char access[TOKEN_TEXT + 1];
    char refresh[TOKEN_TEXT + 1];
    char code[TOKEN_TEXT + 1];
    int64_t created_ms;
    int64_t used_ms;
    int64_t access_until_ms;
};

struct grant_code {
    char hash[TOKEN_TEXT + 1];
    char client[GRANT_CLIENT_ID + 1];
    char redirect[GRANT_URI_MAX + 1];
    char challenge[GRANT_TOKEN_TEXT + 1];
    char resource[GRANT_URI_MAX + 1];
    int64_t made_ms;
};

struct grants {
    pthread_mutex_t lock; /* all below */
    const char *path;
    struct wh_clock clock;
    struct grants_client clients[GRANT_CLIENTS_MAX];
    size_t n_clients;
    struct grant list[GRANTS_MAX];
    size_t n;
    struct grant_code codes[GRANT_CODES_MAX];
    size_t n_codes;
};

/* All of these are called with the lock. */
WH_MUST_CHECK enum wh_rc grants_save(const struct grants *g, struct wh_err *err);
/* Nothing when there is no file. */
WH_MUST_CHECK enum wh_rc grants_load(struct grants *g, struct wh_err *err);

const struct grants_client *grants_find_client(const struct grants *g, struct wh_slice id);
/* Takes the i-th grant out; another one takes its place. */
void grants_drop(struct grants *g, size_t i);
/* Drops grants that nobody used, and registrations that led to none. */
void grants_forget_old(struct grants *g, int64_t now_ms);
/* n random hex digits and a NUL; not a secret. */
WH_MUST_CHECK enum wh_rc grants_short_id(char *ret, size_t n, struct wh_err *err);

/* Copies a text that fits into n bytes with its NUL. */
bool grants_set(char *to, size_t n, struct wh_slice text);

#endif
