#include "stages/mapper/view/loader_priv.h"

bool view_trie_init(struct view_loader *l, struct view_trie *trie)
{
    trie->nodes = view_loader_alloc(l, VIEW_NODES_MAX, sizeof(*trie->nodes));
    trie->n = 1;
    if (trie->nodes == NULL) {
        return false;
    }
    trie->nodes[0].pointer = "/";
    return true;
}

static const char *pointer_text(struct view_loader *l, const char *base, const struct view_node *up,
                                struct wh_slice key)
{
    const char *above = up->parent == 0 && up->key.ptr == NULL ? base : up->pointer;
    size_t n = strlen(above) + key.len + 2;
    char *text = view_loader_alloc(l, n, 1);

    if (text) {
        size_t at = strlen(above);

        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the loader gives zeroed memory */
        memcpy(text, above, at);
        text[at] = '/';
        memcpy(text + at + 1, key.ptr, key.len);
    }
    return text;
}

static bool child(struct view_loader *l, struct view_trie *trie, unsigned at, struct wh_slice key,
                  const char *base, unsigned *ret)
{
    struct view_node *node;

    for (unsigned c = trie->nodes[at].first_child; c; c = trie->nodes[c].next_sibling) {
        if (wh_slice_eq(trie->nodes[c].key, key)) {
            *ret = c;
            return true;
        }
    }
    if (trie->n == VIEW_NODES_MAX) {
        return view_loader_fail(l, "more than %d pointers", VIEW_NODES_MAX);
    }
    node = &trie->nodes[trie->n];
    *node = (struct view_node){.parent = at, .next_sibling = trie->nodes[at].first_child};
    if (!view_loader_dup(l, key, &node->key)) {
        return false;
    }
    node->pointer = pointer_text(l, base, &trie->nodes[at], key);
    if (node->pointer == NULL) {
        return false;
    }
    trie->nodes[at].first_child = trie->n;
    *ret = trie->n++;
    return true;
}

static bool add_path(struct view_loader *l, struct view_trie *trie, struct wh_slice path,
                     const char *base, unsigned *node)
{
    const char *p = path.ptr;
    const char *end = path.len ? path.ptr + path.len : path.ptr;

    while (p < end) {
        const char *slash;
        struct wh_slice key;

        if (*p != '/') {
            return view_loader_fail(l, "'%.*s' is not a pointer", WH_SLICE_ARG(path));
        }
        p++;
        slash = memchr(p, '/', (size_t)(end - p));
        key = wh_slice(p, (size_t)((slash ? slash : end) - p));
        if (key.len == 0 || memchr(key.ptr, '*', key.len) || memchr(key.ptr, '~', key.len)) {
            return view_loader_fail(l, "'%.*s': empty keys, '*' and '~' cannot be used here",
                                    WH_SLICE_ARG(path));
        }
        if (!child(l, trie, *node, key, base, node)) {
            return false;
        }
        p = key.ptr + key.len;
    }
    return true;
}

bool view_trie_add(struct view_loader *l, struct view_trie *trie, struct wh_slice prefix,
                   struct wh_slice pointer, const char *base, unsigned *ret_node)
{
    unsigned node = 0;
    unsigned depth = 0;

    if (!add_path(l, trie, prefix, base, &node) || !add_path(l, trie, pointer, base, &node)) {
        return false;
    }
    for (unsigned up = node; up; up = trie->nodes[up].parent) {
        depth++;
    }
    if (depth >= VIEW_DEPTH_MAX) {
        return view_loader_fail(l, "'%.*s' is too deep", WH_SLICE_ARG(pointer));
    }
    *ret_node = node;
    return true;
}

bool view_trie_seal(struct view_loader *l, struct view_trie *trie)
{
    for (unsigned i = 0; i < trie->n; i++) {
        struct view_node *node = &trie->nodes[i];
        uint32_t n = 0;
        uint32_t size = 4;

        for (unsigned c = node->first_child; c; c = trie->nodes[c].next_sibling) {
            n++;
        }
        if (n == 0) {
            continue;
        }
        while (size < n * 3) {
            size *= 2;
        }
        node->table = view_loader_alloc(l, size, sizeof(*node->table));
        if (node->table == NULL) {
            return false;
        }
        node->mask = size - 1;
        for (unsigned c = node->first_child; c; c = trie->nodes[c].next_sibling) {
            uint32_t at = view_key_hash(trie->nodes[c].key) & node->mask;

            while (node->table[at]) {
                at = (at + 1) & node->mask;
            }
            node->table[at] = (uint16_t)c;
        }
    }
    return true;
}
