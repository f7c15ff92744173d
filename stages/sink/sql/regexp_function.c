/*
 * regexp(pattern, text), which is also `text REGEXP pattern`: true when the pattern of PCRE2 matches
 * anywhere in the text. Both are UTF-8; \w, \d and the like know all letters.
 *
 * PCRE2's own limits bound the steps, the depth and the memory of a match. They do not count what a
 * single step walks over, so that the deadline is seen by callouts, which come at least once for each
 * start of a match and each item of the pattern.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "stages/sink/sql/functions_priv.h"

enum {
    MATCH_LIMIT = 2000000,
    DEPTH_LIMIT = 10000,
    HEAP_LIMIT_KIB = 4096,
    NESTING_MAX = 50,
    CALLOUTS = 16,
};

struct pattern {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_match_data *match;
    pcre2_code *code;
};

static void *allocate(size_t size, void *ctx)
{
    (void)ctx;
    return wh_mem_alloc(size);
}

static void release(void *ptr, void *ctx)
{
    (void)ctx;
    wh_mem_free(ptr);
}

static void pattern_free(void *ptr)
{
    struct pattern *p = ptr;

    pcre2_code_free(p->code);
    pcre2_match_data_free(p->match);
    pcre2_match_context_free(p->limits);
    pcre2_general_context_free(p->memory);
    wh_mem_free(p);
}

static void refuse(sqlite3_context *out, int code, size_t at)
{
    unsigned char reason[160] = "";
    char text[256];

    (void)pcre2_get_error_message(code, reason, sizeof(reason));
    (void)sqlite3_snprintf(sizeof(text), text, "the pattern of regexp: %s (at character %lld)",
                           (const char *)reason, (long long)at + 1);
    sqlite3_result_error(out, text, -1);
}

static void compile(sqlite3_context *out, struct pattern *p, struct wh_slice text)
{
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_AUTO_CALLOUT |
                             PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *context = pcre2_compile_context_create(p->memory);
    PCRE2_SIZE at = 0;
    int code = 0;

    if (context == NULL) {
        sqlite3_result_error_nomem(out);
        return;
    }
    (void)pcre2_set_parens_nest_limit(context, NESTING_MAX);
    p->code = pcre2_compile((PCRE2_SPTR)text.ptr, text.len, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (p->code == NULL) {
        refuse(out, code, at);
    }
}

/* NULL when the result is an error. */
static struct pattern *pattern_new(sqlite3_context *out, struct wh_slice text)
{
    struct pattern *p = wh_mem_zalloc(1, sizeof(*p));

    if (p) {
        p->memory = pcre2_general_context_create(allocate, release, NULL);
    }
    if (p && p->memory) {
        p->limits = pcre2_match_context_create(p->memory);
        p->match = pcre2_match_data_create(1, p->memory);
    }
    if (p == NULL || p->limits == NULL || p->match == NULL) {
        sqlite3_result_error_nomem(out);
    } else {
        (void)pcre2_set_match_limit(p->limits, MATCH_LIMIT);
        (void)pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
        (void)pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KIB);
        compile(out, p, text);
    }
    if (p && p->code == NULL) {
        pattern_free(p);
        return NULL;
    }
    return p;
}

/* The pattern of the first argument, which SQLite keeps as long as the argument stays the same. */
static struct pattern *pattern_of(sqlite3_context *out, sqlite3_value *value)
{
    struct pattern *p = sqlite3_get_auxdata(out, 0);
    struct wh_slice text = sql_value_text(value);

    if (p || text.ptr == NULL) {
        return p;
    }
    if (text.len > SQL_PATTERN_MAX_BYTES) {
        sqlite3_result_error(out, "the pattern of regexp is longer than 1024 bytes", -1);
        return NULL;
    }
    p = pattern_new(out, text);
    if (p) {
        sqlite3_set_auxdata(out, 0, p, pattern_free);
        p = sqlite3_get_auxdata(out, 0);
        if (p == NULL) {
            sqlite3_result_error_nomem(out);
        }
    }
    return p;
}

struct callouts {
    sqlite3_context *out;
    unsigned n;
};

static int on_callout(pcre2_callout_block *block, void *ctx)
{
    struct callouts *c = ctx;

    (void)block;
    return ++c->n % CALLOUTS == 0 && sql_function_over(c->out) ? PCRE2_ERROR_CALLOUT : 0;
}

static void match(sqlite3_context *out, struct pattern *p, struct wh_slice text)
{
    struct callouts callouts = {.out = out};
    int code;

    (void)pcre2_set_callout(p->limits, on_callout, &callouts);
    code = pcre2_match(p->code, (PCRE2_SPTR)text.ptr, text.len, 0, 0, p->match, p->limits);
    if (code >= 0 || code == PCRE2_ERROR_NOMATCH) {
        sqlite3_result_int(out, code >= 0);
    } else if (code == PCRE2_ERROR_NOMEMORY) {
        sqlite3_result_error_nomem(out);
    } else if (code != PCRE2_ERROR_CALLOUT) {
        sqlite3_result_error(out,
                             "the pattern of regexp needs too many steps, or too much memory, for "
                             "one of the texts; make it simpler",
                             -1);
    }
}

static void regexp(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct wh_slice text = sql_value_text(args[1]);
    struct pattern *p;

    (void)n;
    if (text.ptr == NULL || sql_function_begins(out, text.len)) {
        return;
    }
    p = pattern_of(out, args[0]);
    if (p) {
        match(out, p, text);
    }
}

int sql_regexp_function_install(struct sql_conn *conn)
{
    return sql_function_add(conn, "regexp", 2, regexp);
}
