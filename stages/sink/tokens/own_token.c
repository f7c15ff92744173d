#include "stages/sink/tokens/own_token.h"

#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/savefile.h"
#include "common/run/token_file.h"
#include "stages/sink/tokens/tokens_priv.h"

_Static_assert((int)TOKEN_TEXT == (int)WH_TOKEN_TEXT, "both are 256 bits in hex");

struct own_token {
    pthread_mutex_t lock;
    const char *path;
    char text[WH_TOKEN_TEXT + 1];
};

enum wh_rc own_token_new(const char *path, struct own_token **ret, struct wh_err *err)
{
    struct own_token *token = wh_mem_zalloc(1, sizeof(*token));

    if (token == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the API's token");
    }
    token->path = path;
    if (wh_token_file_load(path, token->text, err) != WH_OK) {
        wh_mem_free(token);
        return err->rc;
    }
    (void)pthread_mutex_init(&token->lock, NULL);
    *ret = token;
    return WH_OK;
}

void own_token_free(struct own_token *token)
{
    if (token) {
        (void)pthread_mutex_destroy(&token->lock);
        wh_mem_wipe(token->text, sizeof(token->text));
        wh_mem_free(token);
    }
}

bool own_token_fits(struct own_token *token, struct wh_slice authorization)
{
    TOKENS_HOLD(&token->lock);

    return wh_token_fits(token->text, authorization);
}

enum wh_rc own_token_replace(struct own_token *token, struct wh_err *err)
{
    TOKENS_HOLD(&token->lock);
    char made[TOKEN_TEXT + 1];
    char hash[TOKEN_TEXT + 1];
    enum wh_rc rc = tokens_new(made, hash, err);

    if (rc == WH_OK) {
        rc = wh_savefile(token->path, wh_slice(made, TOKEN_TEXT), err);
    }
    if (rc == WH_OK) {
        memcpy(token->text, made, sizeof(made));
    }
    wh_mem_wipe(made, sizeof(made));
    return rc;
}
