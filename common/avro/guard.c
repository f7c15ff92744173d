#include "common/avro/guard.h"

#include <string.h>

#include "common/avro/wire.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"

/* Estimates, in bytes, of what avro-c 1.11.1 allocates. */
enum {
    VISIT_BYTES = 16, /* also bounds the time that values without bytes cost */
    SCALAR_BYTES = 64,
    CONTAINER_BYTES = 256,
    ITEM_BYTES = 160,
    TEXT_BYTES = 96,
    LINK_BYTES = 32,
    GROWTH = 3, /* an array is copied when it doubles */
};

/* A type of the schema. Its children are consecutive in wh_guard.children. */
struct node {
    int type; /* avro_type_t */
    uint32_t first;
    uint32_t n;    /* children; symbols of an enum */
    uint64_t size; /* of a fixed */
    uint64_t flat; /* estimate of an instance without what it points to */
};

struct wh_guard {
    struct node *nodes;
    avro_schema_t *schemas; /* of the nodes; only while compiling */
    uint32_t n_nodes;
    uint32_t *children;
    uint32_t n_children;
    uint32_t max; /* of both */
};

/* ---- the schema ---- */

enum wh_rc wh_guard_text(struct wh_slice schema, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(WH_GUARD_TEXT_MAX, WH_GUARD_TEXT_DEPTH_MAX);
    struct wh_json_val root;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a schema");
    }
    rc = wh_json_parse(parser, schema, &root, err);
    wh_json_parser_free(parser);
    return rc;
}

static enum wh_rc compile(struct wh_guard *g, avro_schema_t schema, uint32_t *ret,
                          struct wh_err *err);

static enum wh_rc add_children(struct wh_guard *g, struct node *node, size_t n, struct wh_err *err)
{
    if (n > g->max || g->n_children > g->max - n) {
        return wh_fail(err, WH_E_TOO_LARGE, "the schema has more than %d types",
                       WH_GUARD_NODES_MAX);
    }
    node->first = g->n_children;
    node->n = (uint32_t)n;
    g->n_children += (uint32_t)n;
    return WH_OK;
}

static avro_schema_t child_schema(avro_schema_t schema, size_t i)
{
    switch ((int)avro_typeof(schema)) {
    case AVRO_RECORD:
        return avro_schema_record_field_get_by_index(schema, (int)i);
    case AVRO_UNION:
        return avro_schema_union_branch(schema, (int)i);
    case AVRO_ARRAY:
        return avro_schema_array_items(schema);
    case AVRO_MAP:
        return avro_schema_map_values(schema);
    default:
        return NULL;
    }
}

static size_t child_count(avro_schema_t schema)
{
    switch ((int)avro_typeof(schema)) {
    case AVRO_RECORD:
        return avro_schema_record_size(schema);
    case AVRO_UNION:
        return avro_schema_union_size(schema);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return 1;
    default:
        return 0;
    }
}

/* A record contains its fields, a union has room for its largest branch. */
static uint64_t flat_size(const struct wh_guard *g, const struct node *node)
{
    uint64_t size = node->type == AVRO_RECORD || node->type == AVRO_ARRAY || node->type == AVRO_MAP
                        ? CONTAINER_BYTES
                        : SCALAR_BYTES;

    for (uint32_t i = 0; i < node->n && node->type == AVRO_RECORD; i++) {
        size += g->nodes[g->children[node->first + i]].flat;
    }
    for (uint32_t i = 0; i < node->n && node->type == AVRO_UNION; i++) {
        uint64_t branch = SCALAR_BYTES + g->nodes[g->children[node->first + i]].flat;

        size = branch > size ? branch : size;
    }
    return size + node->size;
}

/* The node of a named type that is used again, possibly inside of itself. */
static enum wh_rc compile_link(struct wh_guard *g, avro_schema_t target, struct node *node,
                               struct wh_err *err)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (g->schemas[i] == target) {
            node->flat = LINK_BYTES;
            if (add_children(g, node, 1, err) != WH_OK) {
                return err->rc;
            }
            g->children[node->first] = i;
            return WH_OK;
        }
    }
    return wh_fail(err, WH_E_INVALID, "the schema uses a type that it does not define");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the schema's text, which wh_guard_text bounds */
static enum wh_rc compile_children(struct wh_guard *g, avro_schema_t schema, struct node *node,
                                   struct wh_err *err)
{
    if (add_children(g, node, child_count(schema), err) != WH_OK) {
        return err->rc;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        if (compile(g, child_schema(schema, i), &g->children[node->first + i], err) != WH_OK) {
            return err->rc;
        }
    }
    node->flat = flat_size(g, node);
    return WH_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the schema's text, which wh_guard_text bounds */
static enum wh_rc compile(struct wh_guard *g, avro_schema_t schema, uint32_t *ret,
                          struct wh_err *err)
{
    struct node *node = &g->nodes[g->n_nodes];
    int64_t size;

    if (schema == NULL || g->n_nodes == g->max) {
        return wh_fail(err, WH_E_TOO_LARGE, "the schema has more than %d types",
                       WH_GUARD_NODES_MAX);
    }
    *ret = g->n_nodes;
    g->schemas[g->n_nodes++] = schema;
    node->type = (int)avro_typeof(schema);
    switch (node->type) {
    case AVRO_LINK:
        return compile_link(g, avro_schema_link_target(schema), node, err);
    case AVRO_FIXED:
        size = avro_schema_fixed_size(schema);
        if (size < 0 || size > WH_GUARD_BYTES_MAX) {
            return wh_fail(err, WH_E_INVALID, "the schema has a fixed type of that many bytes");
        }
        node->size = (uint64_t)size;
        node->flat = flat_size(g, node);
        return WH_OK;
    case AVRO_ENUM:
        node->n = (uint32_t)avro_schema_enum_number_of_symbols(schema);
        node->flat = SCALAR_BYTES;
        return WH_OK;
    default:
        return compile_children(g, schema, node, err);
    }
}

/* Most schemas are small, and many may be kept. */
static void trim(struct wh_guard *g)
{
    void *nodes = wh_mem_resize(g->nodes, g->n_nodes, sizeof(*g->nodes));
    void *children = wh_mem_resize(g->children, g->n_children + 1, sizeof(*g->children));

    g->nodes = nodes ? nodes : g->nodes;
    g->children = children ? children : g->children;
    wh_mem_free(g->schemas);
    g->schemas = NULL;
}

enum wh_rc wh_guard_new(avro_schema_t schema, size_t text_bytes, struct wh_guard **ret,
                        struct wh_err *err)
{
    struct wh_guard *g = wh_mem_zalloc(1, sizeof(*g));
    uint32_t root;
    enum wh_rc rc = WH_E_NOMEM;

    if (g) {
        /* No type takes less than a byte of text. */
        g->max = text_bytes < WH_GUARD_NODES_MAX ? (uint32_t)text_bytes : WH_GUARD_NODES_MAX;
        g->nodes = wh_mem_zalloc(g->max, sizeof(*g->nodes));
        g->schemas = wh_mem_zalloc(g->max, sizeof(*g->schemas));
        g->children = wh_mem_zalloc(g->max, sizeof(*g->children));
    }
    if (g && g->nodes && g->schemas && g->children) {
        rc = compile(g, schema, &root, err);
        trim(g);
    } else {
        (void)wh_fail(err, rc, "no memory for a schema");
    }
    if (rc != WH_OK) {
        wh_guard_free(g);
        return rc;
    }
    *ret = g;
    return WH_OK;
}

void wh_guard_free(struct wh_guard *guard)
{
    if (guard) {
        wh_mem_free(guard->nodes);
        wh_mem_free(guard->schemas);
        wh_mem_free(guard->children);
        wh_mem_free(guard);
    }
}

/* ---- a record ---- */

struct walk {
    const struct wh_guard *guard;
    struct wh_avro_reader r;
    uint64_t memory;
};

static bool charge(struct walk *w, uint64_t bytes)
{
    w->memory += bytes;
    if (w->memory > WH_GUARD_MEMORY_MAX) {
        wh_avro_fail(&w->r, WH_E_TOO_LARGE, "the record takes too much memory when decoded");
    }
    return w->r.rc == WH_OK;
}

static void skip(struct walk *w, uint64_t n)
{
    if (n > (uint64_t)(w->r.end - w->r.p)) {
        wh_avro_fail(&w->r, WH_E_INVALID, "the record ends within a value");
        return;
    }
    w->r.p += n;
}

static void check_key(struct walk *w)
{
    struct wh_slice key = wh_avro_read_text(&w->r);

    if (key.len && memchr(key.ptr, '\0', key.len)) {
        wh_avro_fail(&w->r, WH_E_INVALID, "a map has a key that contains NUL");
    }
    (void)charge(w, key.len);
}

static void check_value(struct walk *w, uint32_t index, unsigned depth);

/* NOLINTNEXTLINE(misc-no-recursion): WH_GUARD_DEPTH_MAX bounds it */
static void check_items(struct walk *w, const struct node *node, unsigned depth)
{
    uint32_t item = w->guard->children[node->first];
    size_t n;

    while ((n = wh_avro_read_block(&w->r)) > 0) {
        for (size_t i = 0; i < n; i++) {
            if (!charge(w, ITEM_BYTES + GROWTH * w->guard->nodes[item].flat)) {
                return;
            }
            if (node->type == AVRO_MAP) {
                check_key(w);
            }
            check_value(w, item, depth);
        }
    }
}

static void check_scalar(struct walk *w, const struct node *node)
{
    switch (node->type) {
    case AVRO_NULL:
        return;
    case AVRO_BOOLEAN:
        (void)wh_avro_read_bool(&w->r);
        return;
    case AVRO_INT32:
        (void)wh_avro_read_int(&w->r);
        return;
    case AVRO_INT64:
        (void)wh_avro_read_long(&w->r);
        return;
    case AVRO_FLOAT:
        skip(w, sizeof(float));
        return;
    case AVRO_DOUBLE:
        skip(w, sizeof(double));
        return;
    case AVRO_FIXED:
        skip(w, node->size);
        return;
    case AVRO_ENUM:
        (void)wh_avro_read_branch(&w->r, node->n);
        return;
    case AVRO_BYTES:
        (void)charge(w, TEXT_BYTES + wh_avro_read_bytes(&w->r).len);
        return;
    case AVRO_STRING:
        (void)charge(w, TEXT_BYTES + wh_avro_read_text(&w->r).len);
        return;
    default:
        wh_avro_fail(&w->r, WH_E_UNSUPPORTED, "the schema has a type that is not supported");
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): WH_GUARD_DEPTH_MAX bounds it */
static void check_value(struct walk *w, uint32_t index, unsigned depth)
{
    const struct wh_guard *g = w->guard;
    const struct node *node = &g->nodes[index];

    if (depth > WH_GUARD_DEPTH_MAX) {
        wh_avro_fail(&w->r, WH_E_TOO_DEEP, "the record is nested too deeply");
        return;
    }
    if (!charge(w, VISIT_BYTES)) {
        return;
    }
    switch (node->type) {
    case AVRO_RECORD:
        for (uint32_t i = 0; i < node->n && w->r.rc == WH_OK; i++) {
            check_value(w, g->children[node->first + i], depth + 1);
        }
        return;
    case AVRO_UNION:
        index = wh_avro_read_branch(&w->r, node->n);
        if (w->r.rc == WH_OK) {
            check_value(w, g->children[node->first + index], depth + 1);
        }
        return;
    case AVRO_LINK:
        index = g->children[node->first];
        if (charge(w, g->nodes[index].flat)) {
            check_value(w, index, depth + 1);
        }
        return;
    case AVRO_ARRAY:
    case AVRO_MAP:
        check_items(w, node, depth + 1);
        return;
    default:
        check_scalar(w, node);
    }
}

enum wh_rc wh_guard_check(const struct wh_guard *guard, struct wh_slice bytes, struct wh_err *err)
{
    struct walk w = {.guard = guard};

    if (bytes.len > WH_GUARD_BYTES_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "the record has %zu bytes, more than %d", bytes.len,
                       WH_GUARD_BYTES_MAX);
    }
    wh_avro_reader_init(&w.r, bytes);
    if (charge(&w, guard->nodes[0].flat)) {
        check_value(&w, 0, 0);
    }
    return wh_avro_reader_end(&w.r, err);
}
