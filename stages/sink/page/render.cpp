/* The owner of kainjow/mustache: data from a JSON document, and the functions that templates call. */
#include <kainjow/mustache.hpp>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <map>
#include <set>

/* Our headers are C, and one of their parameters has the name of a C++ keyword. */
extern "C" {
#define class class_
#include "common/base/err.h"
#undef class
#include "common/base/buf.h"
}
#include "stages/sink/page/files.h"
#include "stages/sink/page/markdown.h"
#include "stages/sink/page/render.h"
#include "stages/sink/page/words.h"

using kainjow::mustache::data;
using kainjow::mustache::lambda2;
using kainjow::mustache::mustache;
using kainjow::mustache::renderer;

namespace
{

enum { ROWS_LOOKED_AT = 50 };

std::string text_of(struct wh_slice s)
{
    return s.len ? std::string(s.ptr, s.len) : std::string();
}

data value(wh_json_val v, struct wh_zone zone);

std::string number(wh_json_val v)
{
    char text[40];

    if (wh_json_type(v) == WH_JSON_INT) {
        (void)snprintf(text, sizeof(text), "%lld", static_cast<long long>(wh_json_int(v)));
    } else if (wh_json_type(v) == WH_JSON_UINT) {
        (void)snprintf(text, sizeof(text), "%llu",
                       static_cast<unsigned long long>(wh_json_uint(v)));
    } else {
        (void)snprintf(text, sizeof(text), "%.6g", wh_json_double(v));
    }
    return text;
}

bool is_number(wh_json_val v)
{
    enum wh_json_type type = wh_json_type(v);

    return type == WH_JSON_INT || type == WH_JSON_UINT || type == WH_JSON_DOUBLE;
}

std::string plain(wh_json_val v)
{
    if (wh_json_type(v) == WH_JSON_STRING) {
        return text_of(wh_json_string(v));
    }
    if (wh_json_type(v) == WH_JSON_BOOL) {
        return wh_json_bool(v) ? "yes" : "no";
    }
    return is_number(v) ? number(v) : std::string();
}

/* Lists of texts in a cell are joined; other structures are not shown in cells. */
std::string cell_text(wh_json_val v)
{
    struct wh_json_iter it = wh_json_iter(v);
    wh_json_val item;
    std::string all;

    if (wh_json_type(v) != WH_JSON_ARRAY) {
        return plain(v);
    }
    while (wh_json_next(&it, nullptr, &item)) {
        all += (all.empty() ? "" : ", ") + plain(item);
    }
    return all;
}

bool is_one_of(const std::string &word, std::initializer_list<const char *> list)
{
    for (const char *item : list) {
        if (word == item) {
            return true;
        }
    }
    return false;
}

/* The id of a row is not shown; it is where the row's name leads. */
bool is_row_id(const std::string &column)
{
    return column == "id" || column == "incident";
}

bool is_row_name(const std::string &column)
{
    return is_one_of(column, {"title", "name", "path", "username", "customer_name"});
}

/* "author_name" -> "author", "updated_at" -> "updated" */
std::string heading(std::string column)
{
    for (const char *end : {"_name", "_at", "_path"}) {
        size_t n = std::strlen(end);

        if (column.size() > n && column.compare(column.size() - n, n, end) == 0) {
            column.resize(column.size() - n);
        }
    }
    for (char &c : column) {
        c = c == '_' ? ' ' : c;
    }
    return column;
}

std::string escaped(const std::string &text)
{
    return kainjow::mustache::html_escape(text);
}

/* HTML that a function of words.h appends; without memory, nothing. */
template <typename F> std::string html_by(const F &write)
{
    struct wh_buf out;
    struct wh_err err;
    std::string html;

    wh_buf_init(&out, RENDER_MAX_BYTES);
    if (write(&out, &err) == WH_OK) {
        html.assign(out.ptr ? out.ptr : "", out.len);
    }
    wh_buf_done(&out);
    return html;
}

std::string link(const std::string &href, const std::string &text, const std::string &title)
{
    std::string shown = title.empty() ? "" : " title=\"" + escaped(title) + "\"";

    return "<a href=\"" + href + "\"" + shown + ">" + escaped(text) + "</a>";
}

/* "327000 EUR;20300 GBP": a line for each currency. */
std::string sums_html(const std::string &text)
{
    std::string html;

    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(text.find(';', at), text.size());
        std::string sum = escaped(text.substr(at, end - at));

        html += (html.empty() ? "" : "<br>") + html_by([&](struct wh_buf *out, struct wh_err *err) {
                    return page_money(wh_slice(sum.data(), sum.size()), out, err);
                });
        at = end + 1;
    }
    return html;
}

std::string cell_html(const std::string &column, wh_json_val v, const std::string &row_href,
                      struct wh_zone zone)
{
    std::string text = cell_text(v);
    struct wh_slice slice = wh_slice(text.data(), text.size());
    char href[PAGE_HREF_MAX];

    if (wh_json_type(v) == WH_JSON_NULL) {
        return "<span class=\"unknown\">–</span>";
    }
    if (is_one_of(column, {"state", "status", "severity", "verdict"}) && !text.empty()) {
        std::string safe = escaped(text);

        return html_by([&](struct wh_buf *out, struct wh_err *err) {
            return page_state(wh_slice(safe.data(), safe.size()), out, err);
        });
    }
    if (column == "revenue_a_month") {
        return sums_html(text);
    }
    if (column == "url" && !text.empty()) {
        return link(html_by([&](struct wh_buf *out, struct wh_err *err) {
                        return page_safe_href(slice, out, err);
                    }),
                    "source", text);
    }
    if (is_row_name(column) && !row_href.empty()) {
        return link(row_href, text.empty() ? "(no name)" : text, "");
    }
    if (page_href_of(column.c_str(), slice, href)) {
        return link(escaped(href), text, "");
    }
    if (page_is_time(slice)) {
        return html_by([&](struct wh_buf *out, struct wh_err *err) {
            return page_cell_time(zone, slice, out, err);
        });
    }
    return escaped(text);
}

data cell(const std::string &column, wh_json_val v, const std::string &row_href,
          struct wh_zone zone)
{
    data c;

    c.set("column", column);
    c.set("class", is_row_name(column) ? "name" : "");
    c.set("html", cell_html(column, v, row_href, zone));
    return c;
}

std::string href_of_row(wh_json_val row)
{
    wh_json_val id;

    if (wh_json_get(row, WH_LIT("incident"), &id) && wh_json_type(id) == WH_JSON_STRING) {
        return "/incidents/" + text_of(wh_json_string(id));
    }
    if (wh_json_get(row, WH_LIT("id"), &id) && wh_json_type(id) == WH_JSON_STRING &&
        wh_json_string(id).len == 36) {
        return "/e/" + text_of(wh_json_string(id));
    }
    return std::string();
}

const char *const label_ends[] = {"_name", "_path", "_title", "_url"};

bool cut_end(std::string &text, const std::string &end)
{
    if (text.size() <= end.size() || text.compare(text.size() - end.size(), end.size(), end) != 0) {
        return false;
    }
    text.resize(text.size() - end.size());
    return true;
}

/* Of a list: the reference whose label the column is leads to the entity. */
std::string href_of_label(wh_json_val row, const std::string &column)
{
    char href[PAGE_HREF_MAX];
    wh_json_val id;

    for (const char *end : label_ends) {
        std::string base = column;

        if (cut_end(base, end) && wh_json_get(row, wh_slice(base.data(), base.size()), &id) &&
            wh_json_type(id) == WH_JSON_STRING && page_href_of("id", wh_json_string(id), href)) {
            return base == "incident" ? "/incidents/" + text_of(wh_json_string(id)) : href;
        }
    }
    return std::string();
}

bool has_member(wh_json_val row, const std::string &name)
{
    wh_json_val v;

    return wh_json_get(row, wh_slice(name.data(), name.size()), &v);
}

/* Of a list: is the column a reference whose label is shown? */
bool has_label(wh_json_val row, const std::string &column)
{
    std::string one = column;
    bool many = cut_end(one, "s");

    for (const char *end : label_ends) {
        if (has_member(row, column + end) || (many && has_member(row, one + end + "s"))) {
            return true;
        }
    }
    return false;
}

data cell_of(wh_json_val row, const std::string &column, wh_json_val v, const std::string &row_href,
             bool list, struct wh_zone zone)
{
    data c = cell(column, v, row_href, zone);
    std::string href = list ? href_of_label(row, column) : std::string();

    if (!href.empty() && wh_json_type(v) == WH_JSON_STRING) {
        c.set("html", link(href, plain(v), ""));
    }
    return c;
}

/* The columns that are numbers in one of the first rows; null is what the others may be. */
std::set<std::string> numbers_of(wh_json_val rows)
{
    std::set<std::string> found;
    struct wh_json_iter it = wh_json_iter(rows);
    wh_json_val row;

    for (int n = 0; n < ROWS_LOOKED_AT && wh_json_next(&it, nullptr, &row); n++) {
        struct wh_json_iter members = wh_json_iter(row);
        struct wh_slice key;
        wh_json_val v;

        while (wh_json_type(row) == WH_JSON_OBJECT && wh_json_next(&members, &key, &v)) {
            if (is_number(v)) {
                found.insert(text_of(key));
            }
        }
    }
    return found;
}

/* The rows of an answer of SQL or of a list: objects whose members are in the order of the columns. */
data rows_of(wh_json_val rows, bool list_of_records, struct wh_zone zone)
{
    data list{data::type::list};
    const std::set<std::string> numbers = numbers_of(rows);
    struct wh_json_iter it = wh_json_iter(rows);
    wh_json_val row;

    while (wh_json_next(&it, nullptr, &row)) {
        data r = value(row, zone);
        data cells{data::type::list};
        std::string href = href_of_row(row);
        struct wh_json_iter members = wh_json_iter(row);
        wh_json_val v;
        struct wh_slice key;

        while (wh_json_type(row) == WH_JSON_OBJECT && wh_json_next(&members, &key, &v)) {
            bool hidden = list_of_records && has_label(row, text_of(key));

            if ((!is_row_id(text_of(key)) || href.empty()) && !hidden) {
                data c = cell_of(row, text_of(key), v, href, list_of_records, zone);

                if (numbers.count(text_of(key)) > 0) {
                    c.set("class", "number");
                }
                cells.push_back(c);
            }
        }
        r.set("cells", cells);
        list.push_back(r);
    }
    return list;
}

/* The headings of those rows. */
data heads_of(wh_json_val rows)
{
    data list{data::type::list};
    const std::set<std::string> numbers = numbers_of(rows);
    struct wh_json_iter it = wh_json_iter(rows);
    wh_json_val row;
    wh_json_val v;
    struct wh_slice key;

    if (wh_json_next(&it, nullptr, &row) && wh_json_type(row) == WH_JSON_OBJECT) {
        std::string href = href_of_row(row);

        it = wh_json_iter(row);
        while (wh_json_next(&it, &key, &v)) {
            data head;

            head.set("column", text_of(key));
            head.set("text", heading(text_of(key)));
            head.set("number", data{numbers.count(text_of(key)) > 0});
            if (!is_row_id(text_of(key)) || href.empty()) {
                list.push_back(head);
            }
        }
    }
    return list;
}

/* The headings of a list: its own, with links that sort, without the id of the rows. */
data list_heads(wh_json_val heads, wh_json_val rows, struct wh_zone zone)
{
    data list{data::type::list};
    struct wh_json_iter first = wh_json_iter(rows);
    struct wh_json_iter it = wh_json_iter(heads);
    wh_json_val row;
    wh_json_val head;
    bool linked = wh_json_next(&first, nullptr, &row) && !href_of_row(row).empty();

    while (wh_json_next(&it, nullptr, &head)) {
        std::string column = text_of(wh_json_get_str(head, "name"));

        if (!linked || !is_row_id(column)) {
            data h = value(head, zone);

            h.set("column", column);
            h.set("text", heading(column));
            list.push_back(h);
        }
    }
    return list;
}

data object(wh_json_val v, struct wh_zone zone)
{
    data d;
    struct wh_json_iter it = wh_json_iter(v);
    wh_json_val member;
    struct wh_slice key;
    wh_json_val details;
    bool list_of_records = wh_json_get(v, WH_LIT("column_details"), &details);
    bool any;

    while (wh_json_next(&it, &key, &member)) {
        bool rows = wh_slice_eq(key, WH_LIT("rows")) && wh_json_type(member) == WH_JSON_ARRAY;
        struct wh_json_iter inner = wh_json_iter(member);
        wh_json_val first;

        wh_json_val listed;

        d.set(text_of(key), rows ? rows_of(member, list_of_records, zone) : value(member, zone));
        if (list_of_records && wh_slice_eq(key, WH_LIT("heads")) &&
            wh_json_get(v, WH_LIT("rows"), &listed)) {
            d.set("heads", list_heads(member, listed, zone));
        }
        if (rows) {
            d.set("heads", heads_of(member));
        }
        any = wh_json_type(member) == WH_JSON_ARRAY && wh_json_next(&inner, nullptr, &first);
        if (any) {
            d.set("has_" + text_of(key), data{true});
        }
    }
    return d;
}

data value(wh_json_val v, struct wh_zone zone)
{
    switch (wh_json_type(v)) {
    case WH_JSON_OBJECT:
        return object(v, zone);
    case WH_JSON_ARRAY: {
        data list{data::type::list};
        struct wh_json_iter it = wh_json_iter(v);
        wh_json_val item;

        while (wh_json_next(&it, nullptr, &item)) {
            list.push_back(value(item, zone));
        }
        return list;
    }
    case WH_JSON_BOOL:
        return data{wh_json_bool(v)};
    case WH_JSON_NULL:
        return data{false};
    case WH_JSON_STRING:
        return wh_json_string(v).len ? data{plain(v)} : data{false};
    default:
        return data{plain(v)};
    }
}

/* A function of text, for a section of a template. */
template <typename F> data function(F fn)
{
    return data{lambda2{[fn](const std::string &section, const renderer &render) {
        std::string text = render(section);

        return html_by([&](struct wh_buf *out, struct wh_err *err) {
            return fn(wh_slice(text.data(), text.size()), out, err);
        });
    }}};
}

std::string text_of(const struct page_file *file)
{
    return std::string(file->bytes, static_cast<size_t>(file->end - file->bytes));
}

/* The template with its fragments in place: {{>name}}. A fragment that is not there leaves nothing. */
std::string with_fragments(std::string text)
{
    for (size_t at = 0; (at = text.find("{{>", at)) != std::string::npos;) {
        size_t end = text.find("}}", at);
        std::string name = text.substr(at + 3, end == std::string::npos ? end : end - at - 3);
        const struct page_file *file = page_file(wh_slice(name.data(), name.size()));
        std::string inside = file && file->type == PAGE_FRAGMENT ? text_of(file) : "";

        if (!inside.empty() && inside.back() == '\n') {
            inside.pop_back();
        }
        text.replace(at, end == std::string::npos ? end : end + 2 - at, inside);
    }
    return text;
}

/* Each template is parsed once by each thread: rendering writes into it. */
mustache &parsed(const struct page_file *file)
{
    thread_local std::map<const struct page_file *, mustache> known;
    auto it = known.find(file);

    if (it == known.end()) {
        it = known.emplace(file, mustache{with_fragments(text_of(file))}).first;
    }
    return it->second;
}

} // namespace

enum wh_rc page_render(const char *name, struct wh_json_val document, struct wh_zone zone,
                       struct wh_buf *out, struct wh_err *err)
{
    const struct page_file *file = page_file(wh_slice_str(name));
    std::string html;
    data d;

    if (file == nullptr) {
        return wh_fail(err, WH_E_NOT_FOUND, "there is no template %s", name);
    }
    mustache &page = parsed(file);
    if (!page.is_valid()) {
        return wh_fail(err, WH_E_INVALID, "template %s: %s", name, page.error_message().c_str());
    }
    d = object(document, zone);
    d.set("as_time", function([zone](struct wh_slice text, struct wh_buf *to, struct wh_err *e) {
              return page_time(zone, text, to, e);
          }));
    d.set("as_href", function(page_safe_href));
    d.set("as_markdown", function(page_markdown));
    d.set("as_state", function(page_state));
    d.set("as_duration", function(page_duration));
    d.set("as_money", function(page_money));
    html = page.render(d);
    return wh_buf_append(out, wh_slice(html.data(), html.size()), err);
}
