/*
 * What was typed becomes an expression of FTS5 that we write ourselves: its tokens, each in quotes. The tokenizer is the
 * one that reads the texts, so whatever is written in another way there is the same word here too.
 */
#include "stages/sink/search/search_priv.h"

enum { TOKENS_MAX = 32, TOKEN_BYTES_MAX = 128, PIECES_MAX = 64 };

struct token {
    char bytes[TOKEN_BYTES_MAX];
    size_t len;
    bool first;      /* of its piece */
    bool unfinished; /* longer words that begin with it match too, as typed */
};

struct tokens {
    struct token items[TOKENS_MAX];
    size_t n;
    bool first;
};

static int take_token(void *ctx, int flags, const char *token, int n, int from, int to)
{
    struct tokens *all = ctx;

    (void)flags;
    (void)from;
    (void)to;
    if (n > 0 && n <= TOKEN_BYTES_MAX && all->n < TOKENS_MAX) {
        struct token *t = &all->items[all->n++];

        memcpy(t->bytes, token, (size_t)n);
        t->len = (size_t)n;
        t->first = all->first;
        t->unfinished = false;
        all->first = false;
    }
    return SQLITE_OK;
}

/* ---- pieces: words between blanks, and what is between two quotation marks ---- */

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static struct wh_slice piece_at(struct wh_slice text, size_t *at)
{
    size_t from = *at;
    const char *end;

    if (text.ptr[from] == '"') {
        end = memchr(text.ptr + from + 1, '"', text.len - from - 1);
        if (end) {
            *at = (size_t)(end - text.ptr) + 1;
            return wh_slice(text.ptr + from + 1, (size_t)(end - text.ptr) - from - 1);
        }
        from = ++*at;
    }
    while (*at < text.len && !is_blank(text.ptr[*at]) && text.ptr[*at] != '"') {
        ++*at;
    }
    return wh_slice(text.ptr + from, *at - from);
}

static enum wh_rc read_pieces(const fts5_tokenizer *tokenizer, Fts5Tokenizer *instance,
                              struct wh_slice text, struct tokens *ret, struct wh_err *err)
{
    size_t at = 0;

    while (at < text.len && ret->n < TOKENS_MAX) {
        struct wh_slice piece;
        size_t before = ret->n;

        if (is_blank(text.ptr[at])) {
            at++;
            continue;
        }
        piece = piece_at(text, &at);
        ret->first = true;
        if (tokenizer->xTokenize(instance, ret, FTS5_TOKENIZE_QUERY, piece.ptr, (int)piece.len,
                                 take_token) != SQLITE_OK) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a search");
        }
        if (ret->n > before && piece.len && piece.ptr[piece.len - 1] == '*') {
            ret->items[ret->n - 1].unfinished = true;
        }
    }
    return WH_OK;
}

static enum wh_rc tokenize(fts5_api *fts, struct wh_slice text, struct tokens *ret,
                           struct wh_err *err)
{
    const char *options[] = {"remove_diacritics", "2"};
    fts5_tokenizer tokenizer;
    Fts5Tokenizer *instance = NULL;
    void *user = NULL;
    enum wh_rc rc;

    if (fts->xFindTokenizer(fts, "unicode61", &user, &tokenizer) != SQLITE_OK ||
        tokenizer.xCreate(user, options, 2, &instance) != SQLITE_OK) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a search");
    }
    rc = read_pieces(&tokenizer, instance, text, ret, err);
    tokenizer.xDelete(instance);
    return rc;
}

/* ---- the expression ---- */

static enum wh_rc append_token(const struct tokens *all, size_t i, enum search_mode mode,
                               struct wh_buf *out, struct wh_err *err)
{
    const struct token *t = &all->items[i];
    bool joined = mode == SEARCH_AS_TYPED && !t->first;
    bool ends = i + 1 == all->n;
    bool closes = mode != SEARCH_AS_TYPED || ends || all->items[i + 1].first;
    /* Where nothing was found, the last word may be unfinished. */
    bool unfinished = t->unfinished || (mode != SEARCH_AS_TYPED && ends && t->len > 2);

    return wh_buf_printf(out, err, "%s%.*s%s%s",
                         joined                    ? " "
                         : i == 0                  ? "\""
                         : mode == SEARCH_ANY_WORD ? " OR \""
                                                   : " AND \"",
                         (int)t->len, t->bytes, closes ? "\"" : "",
                         closes && unfinished ? " *" : "");
}

enum wh_rc search_words(fts5_api *fts, struct wh_slice text, enum search_mode mode,
                        struct wh_buf *out, bool *ret_single, struct wh_err *err)
{
    struct tokens all = {.n = 0};

    if (text.len > SEARCH_INPUT_BYTES) {
        text.len = SEARCH_INPUT_BYTES;
    }
    if (tokenize(fts, text, &all, err) != WH_OK) {
        return err->rc;
    }
    *ret_single = all.n < 2;
    for (size_t i = 0; i < all.n; i++) {
        if (append_token(&all, i, mode, out, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
