/* The chain of an incident as a picture: the incident, the services that it hit, their customers. The tables beside it
 * say the same in words. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/page/words.h"

enum {
    SHOWN_MAX = 14, /* boxes of a column; the rest is counted */
    SVG_MAX_BYTES = 256 << 10,
    BOX_WIDTH = 232,
    BOX_HEIGHT = 34,
    STEP = 44,
    COLUMN = 300,
    TEXT_BYTES = 30,
};

struct column {
    struct wh_json_val items[SHOWN_MAX];
    size_t n; /* shown */
    size_t all;
    int top;
};

static void collect(struct wh_json_val root, const char *key, struct column *c)
{
    struct wh_json_iter it = wh_json_get_iter(root, key);
    struct wh_json_val item;

    while (wh_json_next(&it, NULL, &item)) {
        if (c->n < SHOWN_MAX) {
            c->items[c->n++] = item;
        }
        c->all++;
    }
}

static int height_of(const struct column *c)
{
    return (int)(c->n + (c->all > c->n)) * STEP;
}

/* Whole characters only. */
static struct wh_slice cut_text(struct wh_slice text)
{
    size_t n = text.len;

    if (n <= TEXT_BYTES) {
        return text;
    }
    for (n = TEXT_BYTES - 1; n > 0 && ((unsigned char)text.ptr[n] & 0xc0) == 0x80; n--) {
    }
    return wh_slice(text.ptr, n);
}

static void put(struct wh_buf *out, const char *text, struct wh_err *err)
{
    (void)!wh_buf_append(out, wh_slice_str(text), err);
}

/* href: "/e/" or "/incidents/". */
static void write_box(struct wh_buf *out, int x, int y, const char *href, struct wh_json_val item,
                      const char *name_key, struct wh_err *err)
{
    struct wh_slice name = wh_json_get_str(item, name_key);
    struct wh_slice cut = cut_text(name);

    (void)!wh_buf_printf(out, err, "<a href=\"%s%.*s\"><title>", href,
                         WH_SLICE_ARG(wh_json_get_str(item, "id")));
    (void)!page_escape(name, out, err);
    (void)!wh_buf_printf(out, err,
                         "</title><rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                         "rx=\"8\"/><text x=\"%d\" y=\"%d\">",
                         x, y, BOX_WIDTH, BOX_HEIGHT, x + 12, y + 22);
    (void)!page_escape(cut, out, err);
    put(out, cut.len < name.len ? "…</text></a>" : "</text></a>", err);
}

static void write_more(struct wh_buf *out, int x, const struct column *c, const char *what,
                       struct wh_err *err)
{
    if (c->all > c->n) {
        (void)!wh_buf_printf(out, err,
                             "<text class=\"soft\" x=\"%d\" y=\"%d\">and %zu more %s</text>",
                             x + 12, c->top + (int)c->n * STEP + 22, c->all - c->n, what);
    }
}

static void write_line(struct wh_buf *out, int column, int from_y, int to_y, struct wh_err *err)
{
    int x1 = column * COLUMN + BOX_WIDTH;
    int x2 = (column + 1) * COLUMN;
    int y1 = from_y + BOX_HEIGHT / 2;
    int y2 = to_y + BOX_HEIGHT / 2;

    (void)!wh_buf_printf(out, err,
                         "<path class=\"arrow\" d=\"M%d %dC%d %d %d %d %d %d\" "
                         "marker-end=\"url(#head)\"/>",
                         x1, y1, (x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2 - 2, y2);
}

/* From the services that a customer uses to it. */
static void write_uses(struct wh_buf *out, const struct column *services,
                       struct wh_json_val customer, int y, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(customer, "services");
    struct wh_json_val used;

    while (wh_json_next(&it, NULL, &used)) {
        for (size_t i = 0; i < services->n; i++) {
            if (wh_slice_eq(wh_json_get_str(services->items[i], "id"),
                            wh_json_get_str(used, "id"))) {
                write_line(out, 1, services->top + (int)i * STEP, y, err);
            }
        }
    }
}

static enum wh_rc draw(struct wh_json_val root, struct wh_buf *out, struct wh_err *err)
{
    struct column services = {0};
    struct column customers = {0};
    struct wh_json_val incident;
    int height;

    collect(root, "services", &services);
    collect(root, "customers", &customers);
    if (!wh_json_get(root, WH_LIT("incident"), &incident) || services.n == 0) {
        return WH_OK;
    }
    height =
        height_of(&services) > height_of(&customers) ? height_of(&services) : height_of(&customers);
    services.top = (height - height_of(&services)) / 2;
    customers.top = (height - height_of(&customers)) / 2;
    (void)!wh_buf_printf(
        out, err,
        "<svg viewBox=\"-1 -1 %d %d\" width=\"%d\" height=\"%d\" role=\"group\" "
        "aria-label=\"The incident hit %zu services, which %zu customers use\"><defs><marker "
        "id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" "
        "markerHeight=\"8\" orient=\"auto\"><path class=\"arrow\" d=\"M1 1L7 4L1 "
        "7\"/></marker></defs>",
        2 * COLUMN + BOX_WIDTH + 2, height, 2 * COLUMN + BOX_WIDTH + 2, height, services.all,
        customers.all);
    for (size_t i = 0; i < services.n; i++) {
        write_line(out, 0, height / 2 - STEP / 2, services.top + (int)i * STEP, err);
        write_box(out, COLUMN, services.top + (int)i * STEP, "/e/", services.items[i], "name", err);
    }
    for (size_t i = 0; i < customers.n; i++) {
        write_uses(out, &services, customers.items[i], customers.top + (int)i * STEP, err);
        write_box(out, 2 * COLUMN, customers.top + (int)i * STEP, "/e/", customers.items[i], "name",
                  err);
    }
    write_box(out, 0, height / 2 - STEP / 2, "/e/", incident, "title", err);
    write_more(out, COLUMN, &services, "services", err);
    write_more(out, 2 * COLUMN, &customers, "customers", err);
    return wh_buf_append(out, WH_LIT("</svg>"), err);
}

static enum wh_rc write_picture(struct api_job *job, struct wh_slice impact, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(PAGE_PART_MAX_BYTES, PAGE_DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf svg;
    struct wh_json_val root;
    struct api_json j;
    enum wh_rc rc;

    wh_buf_init(&svg, SVG_MAX_BYTES);
    rc = parser ? wh_json_parse(parser, impact, &root, err)
                : wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    rc = rc == WH_OK ? draw(root, &svg, err) : rc;
    wh_json_parser_free(parser);
    if (rc != WH_OK) {
        return rc;
    }
    api_json_begin(&j);
    wh_jw_put_str(&j.w, "svg", wh_buf_slice(&svg));
    return api_json_end(&j, job, err);
}

enum wh_rc page_answer_picture(struct api_job *job, struct wh_err *err)
{
    const struct page_part impact = {.name = "impact", .answer = page_answer_impact};
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, PAGE_PART_MAX_BYTES);
    return page_capture(job, &impact, &text, err) == WH_OK
               ? write_picture(job, wh_buf_slice(&text), err)
               : err->rc;
}
