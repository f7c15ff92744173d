#include "stages/fetcher/mcp/tools.h"

#include <inttypes.h>
#include <strings.h>

#include "common/base/enc.h"
#include "common/base/mem.h"

enum {
    ARENA_BLOCK = 16 << 10,
    ARENA_MAX = 2 << 20,
    NAME_MAX_BYTES = 128,
    DEPTH_MAX = 24,
    PROPERTIES_MAX = 8192
};

/* ---- the table ---- */

void mcp_tools_init(struct mcp_tools *t)
{
    memset(t, 0, sizeof(*t));
    wh_arena_init(&t->arena, ARENA_BLOCK, ARENA_MAX);
}

void mcp_tools_done(struct mcp_tools *t)
{
    wh_arena_done(&t->arena);
    mcp_tools_init(t);
}

void mcp_tools_clear(struct mcp_tools *t)
{
    wh_arena_reset(&t->arena);
    t->first = NULL;
    t->n = 0;
    t->dropped = 0;
}

static bool name_valid(struct wh_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.' || c == '/')) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAME_MAX_BYTES;
}

static bool header_token(struct wh_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL))) {
            return false;
        }
    }
    return s.len > 0 && s.len <= NAME_MAX_BYTES;
}

/* ---- x-mcp-header ---- */

/* A place in the schema: where the walk stands. */
struct level {
    struct wh_json_iter it;
    bool schema;     /* a schema, else a container of schemas or something else */
    bool properties; /* the members are properties */
    bool reachable;  /* through properties alone */
    struct wh_slice key;
};

struct search {
    struct mcp_tools *tools;
    struct mcp_tool *tool;
    struct level levels[DEPTH_MAX];
    size_t n;
    bool broken;
};

static bool plain_type(struct wh_json_val schema)
{
    struct wh_json_val type;
    struct wh_slice name;

    if (!wh_json_get(schema, WH_LIT("type"), &type) || wh_json_type(type) != WH_JSON_STRING) {
        return false;
    }
    name = wh_json_string(type);
    return wh_slice_eq(name, WH_LIT("string")) || wh_slice_eq(name, WH_LIT("integer")) ||
           wh_slice_eq(name, WH_LIT("boolean"));
}

static bool name_used(const struct mcp_tool *tool, struct wh_slice header)
{
    for (size_t i = 0; i < tool->n_headers; i++) {
        struct wh_slice other = tool->headers[i].header;

        if (other.len == header.len && strncasecmp(other.ptr, header.ptr, header.len) == 0) {
            return true;
        }
    }
    return false;
}

static enum wh_rc keep_path(struct search *s, struct mcp_param_header *h, struct wh_err *err)
{
    h->depth = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->levels[i].schema && s->levels[i].key.len) {
            if (h->depth == MCP_PATH_MAX) {
                s->broken = true;
                return WH_OK;
            }
            if (wh_arena_dup(&s->tools->arena, s->levels[i].key, &h->path[h->depth++], err) !=
                WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

/* The schema on top has x-mcp-header. */
static enum wh_rc take_annotation(struct search *s, struct wh_json_val schema,
                                  struct wh_json_val value, struct wh_err *err)
{
    struct mcp_tool *tool = s->tool;
    WH_AUTO(buf) struct wh_buf header;
    struct mcp_param_header *h;

    wh_buf_init(&header, 2 * NAME_MAX_BYTES);
    if (wh_json_type(value) != WH_JSON_STRING || !header_token(wh_json_string(value)) ||
        !plain_type(schema) || !s->levels[s->n - 1].reachable ||
        tool->n_headers == MCP_PARAM_HEADERS_MAX) {
        s->broken = true;
        return WH_OK;
    }
    if (wh_buf_printf(&header, err, "Mcp-Param-%.*s", WH_SLICE_ARG(wh_json_string(value))) !=
        WH_OK) {
        return err->rc;
    }
    if (name_used(tool, wh_buf_slice(&header))) {
        s->broken = true;
        return WH_OK;
    }
    h = &tool->headers[tool->n_headers];
    if (wh_arena_dup(&s->tools->arena, wh_buf_slice(&header), &h->header, err) != WH_OK ||
        keep_path(s, h, err) != WH_OK) {
        return err->rc;
    }
    tool->n_headers++;
    return WH_OK;
}

static void push(struct search *s, struct wh_json_val v, struct level level)
{
    if (s->n == DEPTH_MAX) {
        s->broken = true;
        return;
    }
    level.it = wh_json_iter(v);
    s->levels[s->n++] = level;
}

static bool container(struct wh_json_val v)
{
    return wh_json_type(v) == WH_JSON_OBJECT || wh_json_type(v) == WH_JSON_ARRAY;
}

static enum wh_rc enter(struct search *s, struct wh_json_val v, struct level level,
                        struct wh_err *err)
{
    struct wh_json_val annotation;

    push(s, v, level);
    if (!s->broken && level.schema && wh_json_get(v, WH_LIT("x-mcp-header"), &annotation)) {
        return take_annotation(s, v, annotation, err);
    }
    return WH_OK;
}

/* Walks the whole schema, so that an annotation is found where it must not be. A $ref is text. */
static enum wh_rc find_headers(struct search *s, struct wh_json_val schema, struct wh_err *err)
{
    struct wh_json_val item;
    struct wh_slice key;

    if (enter(s, schema, (struct level){.schema = true, .reachable = true}, err) != WH_OK) {
        return err->rc;
    }
    while (s->n && !s->broken) {
        struct level *top = &s->levels[s->n - 1];
        struct level next = {.schema = true};

        if (!wh_json_next(&top->it, &key, &item)) {
            s->n--;
            continue;
        }
        if (!container(item)) {
            continue;
        }
        if (top->properties) {
            next.reachable = top->reachable;
            next.key = key;
        } else if (top->schema && wh_slice_eq(key, WH_LIT("properties"))) {
            next = (struct level){.properties = true, .reachable = top->reachable};
        }
        if (enter(s, item, next, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- adding ---- */

/* A tool with more names of properties than are kept is broken. */
static enum wh_rc keep_properties(struct search *s, struct wh_json_val schema, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf names;
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    wh_buf_init(&names, PROPERTIES_MAX);
    if (wh_json_get(schema, WH_LIT("properties"), &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
            if (wh_buf_printf(&names, err, " %.*s", WH_SLICE_ARG(key)) != WH_OK) {
                s->broken = err->rc == WH_E_TOO_LARGE;
                return s->broken ? WH_OK : err->rc;
            }
        }
    }
    if (wh_buf_append_char(&names, ' ', err) != WH_OK) {
        return err->rc;
    }
    return wh_arena_dup(&s->tools->arena, wh_buf_slice(&names), &s->tool->properties, err);
}

static bool name_of(const struct mcp_tools *t, struct wh_json_val tool, struct wh_slice *ret)
{
    struct wh_json_val name;

    if (!wh_json_get(tool, WH_LIT("name"), &name) || wh_json_type(name) != WH_JSON_STRING) {
        return false;
    }
    *ret = wh_json_string(name);
    return name_valid(*ret) && mcp_tools_find(t, *ret) == NULL;
}

/* Into the arena, but not yet into the list. */
static enum wh_rc keep_tool(struct search *s, struct wh_slice name, struct wh_json_val tool,
                            struct wh_err *err)
{
    struct wh_arena *arena = &s->tools->arena;
    struct wh_json_val schema;
    void *memory;
    enum wh_rc rc = wh_arena_zalloc(arena, 1, sizeof(*s->tool), &memory, err);

    if (rc != WH_OK) {
        return rc;
    }
    s->tool = memory;
    s->tool->properties = WH_LIT(" ");
    if (wh_arena_dup(arena, name, &s->tool->name, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_json_get(tool, WH_LIT("inputSchema"), &schema) ||
        wh_json_type(schema) != WH_JSON_OBJECT) {
        return WH_OK;
    }
    if (keep_properties(s, schema, err) != WH_OK) {
        return err->rc;
    }
    return find_headers(s, schema, err);
}

enum wh_rc mcp_tools_add(struct mcp_tools *t, struct wh_json_val v, struct wh_err *err)
{
    struct search s = {.tools = t};
    struct wh_slice name;

    if (t->n + t->dropped >= MCP_TOOLS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "the server lists more than %d tools", MCP_TOOLS_MAX);
    }
    if (!name_of(t, v, &name)) {
        t->dropped++;
        return WH_OK;
    }
    if (keep_tool(&s, name, v, err) != WH_OK) {
        return err->rc != WH_E_TOO_LARGE
                   ? err->rc
                   : wh_fail(err, WH_E_TOO_LARGE, "the list of tools needs more than %d bytes",
                             ARENA_MAX);
    }
    if (s.broken) {
        t->dropped++;
        return WH_OK;
    }
    s.tool->next = t->first;
    t->first = s.tool;
    t->n++;
    return WH_OK;
}

const struct mcp_tool *mcp_tools_find(const struct mcp_tools *t, struct wh_slice name)
{
    for (const struct mcp_tool *tool = t->first; tool; tool = tool->next) {
        if (wh_slice_eq(tool->name, name)) {
            return tool;
        }
    }
    return NULL;
}

/* ---- values of headers ---- */

static bool header_safe(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] >= 0x7f) {
            return false;
        }
    }
    if (text.len && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ')) {
        return false;
    }
    return text.len > 0 && !(wh_slice_starts(text, WH_LIT("=?base64?")) && text.len >= 11 &&
                             memcmp(text.ptr + text.len - 2, "?=", 2) == 0);
}

enum wh_rc mcp_header_value(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    if (text.len == 0 || header_safe(text)) {
        return wh_buf_append(out, text, err);
    }
    if (wh_buf_append(out, WH_LIT("=?base64?"), err) != WH_OK ||
        wh_base64_encode(text, out, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(out, WH_LIT("?="), err);
}

enum wh_rc mcp_param_value(const struct mcp_param_header *h, struct wh_json_val arguments,
                           struct wh_buf *out, bool *ret_found, struct wh_err *err)
{
    struct wh_json_val v = arguments;
    enum wh_json_type type;

    *ret_found = false;
    for (size_t i = 0; i < h->depth; i++) {
        if (!wh_json_get(v, h->path[i], &v)) {
            return WH_OK;
        }
    }
    type = wh_json_type(v);
    *ret_found = type == WH_JSON_STRING || type == WH_JSON_INT || type == WH_JSON_BOOL;
    if (type == WH_JSON_STRING) {
        return mcp_header_value(wh_json_string(v), out, err);
    }
    if (type == WH_JSON_INT) {
        return wh_buf_printf(out, err, "%" PRId64, wh_json_int(v));
    }
    if (type == WH_JSON_BOOL) {
        return wh_buf_append(out, wh_json_bool(v) ? WH_LIT("true") : WH_LIT("false"), err);
    }
    return WH_OK;
}
