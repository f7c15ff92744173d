/* The owner of cmark-gfm. */
#include "stages/sink/page/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <pthread.h>

static const char *const extensions[] = {"table", "strikethrough", "autolink", "tasklist"};

static pthread_once_t registered = PTHREAD_ONCE_INIT;

static cmark_parser *new_parser(void)
{
    cmark_parser *parser = cmark_parser_new(CMARK_OPT_VALIDATE_UTF8);

    for (size_t i = 0; parser && i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        cmark_syntax_extension *extension = cmark_find_syntax_extension(extensions[i]);

        if (extension) {
            (void)cmark_parser_attach_syntax_extension(parser, extension);
        }
    }
    return parser;
}

/* An image becomes a link with the same address and text. */
static void replace_image(cmark_node *image)
{
    cmark_node *link = cmark_node_new(CMARK_NODE_LINK);
    cmark_node *child;

    if (link == NULL) {
        cmark_node_free(image);
        return;
    }
    (void)cmark_node_set_url(link, cmark_node_get_url(image));
    while ((child = cmark_node_first_child(image)) != NULL) {
        cmark_node_unlink(child);
        (void)cmark_node_append_child(link, child);
    }
    if (cmark_node_first_child(link) == NULL) {
        cmark_node *text = cmark_node_new(CMARK_NODE_TEXT);

        (void)cmark_node_set_literal(text, "image");
        (void)cmark_node_append_child(link, text);
    }
    (void)cmark_node_replace(image, link);
    cmark_node_free(image);
}

static void replace_images(cmark_node *root)
{
    cmark_iter *it = cmark_iter_new(root);
    cmark_event_type event;

    while (it && (event = cmark_iter_next(it)) != CMARK_EVENT_DONE) {
        cmark_node *node = cmark_iter_get_node(it);

        if (event == CMARK_EVENT_EXIT && cmark_node_get_type(node) == CMARK_NODE_IMAGE) {
            replace_image(node);
        }
    }
    cmark_iter_free(it);
}

/* Tasks have boxes that nobody can tick: signs instead of form fields. Raw HTML is left out before, so that every such
 * field is of a task. */
static enum wh_rc append_html(struct wh_buf *out, const char *html, struct wh_err *err)
{
    static const char box[] = "<input type=\"checkbox\"";
    const char *at;

    while ((at = strstr(html, box)) != NULL) {
        const char *end = strchr(at, '>');
        const char *ticked = strstr(at, "checked=");

        if (end == NULL) {
            break;
        }
        if (wh_buf_append(out, wh_slice(html, (size_t)(at - html)), err) != WH_OK ||
            wh_buf_append(out, ticked && ticked < end ? WH_LIT("☑") : WH_LIT("☐"), err) != WH_OK) {
            return err->rc;
        }
        html = end + 1;
    }
    return wh_buf_append(out, wh_slice_str(html), err);
}

enum wh_rc page_markdown(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    bool cut = text.len > PAGE_MARKDOWN_MAX;
    cmark_parser *parser;
    cmark_node *root;
    char *html;
    enum wh_rc rc;

    (void)pthread_once(&registered, cmark_gfm_core_extensions_ensure_registered);
    parser = new_parser();
    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for Markdown");
    }
    cmark_parser_feed(parser, text.len ? text.ptr : "", cut ? PAGE_MARKDOWN_MAX : text.len);
    root = cmark_parser_finish(parser);
    if (root) {
        replace_images(root);
    }
    html = root ? cmark_render_html(root, CMARK_OPT_DEFAULT,
                                    cmark_parser_get_syntax_extensions(parser))
                : NULL;
    rc = html ? append_html(out, html, err) : wh_fail(err, WH_E_NOMEM, "no memory for Markdown");
    if (rc == WH_OK && cut) {
        rc = wh_buf_append(out, WH_LIT("<p class=\"note\">The rest of this text is not shown.</p>"),
                           err);
    }
    cmark_get_default_mem_allocator()->free(html);
    cmark_node_free(root);
    cmark_parser_free(parser);
    return rc;
}
