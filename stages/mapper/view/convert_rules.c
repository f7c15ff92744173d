/* Rules on texts: what the lines of a description state. */
#include "stages/mapper/view/rules_priv.h"

enum { ZONED_MIN = 17 /* bytes of a time with a zone: 2026-11-24T14:05Z */ };

void convert_rules_reset(struct convert_rules *rules)
{
    rules->text = wh_slice(NULL, 0);
    rules->array = (struct wh_json_val){NULL, 0};
}

/* ---- lines of a text ---- */

/* Saves most lines the normalisation. Only letters and digits keep their first byte, but for case. */
static bool can_begin(const struct view_words *words, struct wh_slice name)
{
    unsigned char ch = name.len ? (unsigned char)name.ptr[0] : 0;

    if (ch >= 'A' && ch <= 'Z') {
        ch = (unsigned char)(ch + ('a' - 'A'));
    }
    if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')) {
        return words->first[ch / 64] >> ch % 64 & 1;
    }
    return name.len > 0;
}

/* Which of the words the line's name is; -1: none. */
static enum wh_rc match_name(const struct convert *c, const struct view_words *words,
                             struct markdown_line *line, int *ret, struct wh_err *err)
{
    *ret = -1;
    if (!can_begin(words, line->name)) {
        return WH_OK;
    }
    if (line->key.ptr == NULL && rule_key(c, line->name, &line->key, err) != WH_OK) {
        return err->rc;
    }
    *ret = rule_find_word(words, line->key);
    return WH_OK;
}

/* The lines of the text; read once for all rules of an event. */
static enum wh_rc lines_of(const struct convert *c, const struct view_found *found,
                           struct markdown **ret, struct wh_err *err)
{
    struct wh_slice text = found->text;

    *ret = &c->rules->markdown;
    if (found->form == FOUND_TIME) {
        return wh_fail(err, WH_E_TYPE, "%s: a text was expected", c->pointer);
    }
    if (found->form == FOUND_JSON && convert_text(c, found->json, &text, err) != WH_OK) {
        return err->rc;
    }
    if (c->rules->text.ptr && c->rules->text.ptr == text.ptr && c->rules->text.len == text.len) {
        return WH_OK;
    }
    c->rules->text = text;
    return markdown_read(text, c->arena, *ret, err);
}

/* ---- lines: "Started: 2026-11-24 14:05 UTC" ---- */

static bool ends_with_zone(struct wh_slice s)
{
    return s.len >= ZONED_MIN &&
           (wh_slice_ends(s, WH_LIT("Z")) || wh_slice_ends(s, WH_LIT("UTC")) ||
            markdown_one_of(s.ptr[s.len - 5], "+-") || markdown_one_of(s.ptr[s.len - 6], "+-"));
}

/*
 * What may follow a time is a remark: "2026-11-24 14:05 UTC (first alert)". Without a zone the remark
 * could be one: "14:05 (CET)".
 */
static bool read_time(const struct convert *c, struct wh_slice text, int64_t *ret_ms)
{
    struct view_found found = {.form = FOUND_TEXT, .text = text};
    struct wh_instant at = {0};
    struct wh_err why;
    size_t n = 0;

    if (convert_time(c, &found, &at, &why) != WH_OK) {
        while (n < text.len && !markdown_one_of(text.ptr[n], "(,;")) {
            n++;
        }
        found.text = markdown_trim(wh_slice(text.ptr, n));
        if (n == text.len && n > 0 && text.ptr[n - 1] == '.') {
            found.text.len--;
        }
        if (!ends_with_zone(found.text) || convert_time(c, &found, &at, &why) != WH_OK) {
            return false;
        }
    }
    *ret_ms = at.ms;
    return true;
}

/* *ret_found: the line states a time or a text. One that cannot be read is noted. */
static enum wh_rc line_value(const struct convert *c, const struct view_conv *conv,
                             enum wh_field_type type, const struct markdown_line *line,
                             bool *ret_found, struct wh_value *ret, struct wh_err *err)
{
    bool nothing = false;
    struct wh_slice text;
    struct wh_err why;

    *ret_found = false;
    if (markdown_plain(line->value, c->arena, &text, err) != WH_OK ||
        rule_is_nothing(c, conv, text, &nothing, err) != WH_OK) {
        return err->rc;
    }
    if (nothing) {
        return WH_OK;
    }
    *ret_found = true;
    if (type == WH_FIELD_STRING) {
        ret->u.str = text;
    } else if (!read_time(c, text, &ret->u.i)) {
        *ret_found = false;
        (void)wh_fail(&why, WH_E_INVALID, "%s: the line '%.*s' has no known date or time",
                      c->pointer, WH_SLICE_ARG(line->name));
        set_aside_add_text(c->notes, c->arena, c->pointer, &why, text);
    }
    return WH_OK;
}

static enum wh_rc to_line(const struct convert *c, const struct view_conv *conv,
                          enum wh_field_type type, struct markdown *text,
                          enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    int best = (int)conv->rule->words->n;

    *ret_shown = VIEW_NULL;
    for (size_t i = 0; i < text->n && best > 0; i++) {
        struct markdown_line *line = &text->lines[i];
        bool found;
        int word;

        if (line->value.len == 0 || line->unchecked) {
            continue;
        }
        if (match_name(c, conv->rule->words, line, &word, err) != WH_OK) {
            return err->rc;
        }
        if (word < 0 || word >= best) {
            continue;
        }
        if (line_value(c, conv, type, line, &found, ret, err) != WH_OK) {
            return err->rc;
        }
        if (found) {
            *ret_shown = VIEW_SHOWN;
            best = word;
        }
    }
    return WH_OK;
}

static enum wh_rc to_lines(const struct convert *c, const struct view_conv *conv,
                           struct markdown *text, enum view_shown *ret_shown, struct wh_value *ret,
                           struct wh_err *err)
{
    struct rule_texts t;

    if (rule_texts_init(&t, c, conv, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text->n; i++) {
        struct markdown_line *line = &text->lines[i];
        int word = -1;

        if (line->value.len && !line->unchecked &&
            match_name(c, conv->rule->words, line, &word, err) != WH_OK) {
            return err->rc;
        }
        if (word >= 0 && rule_texts_add_all(&t, line->value, err) != WH_OK) {
            return err->rc;
        }
    }
    rule_texts_done(&t, ret_shown, ret);
    return WH_OK;
}

/* ---- headings and what is below them ---- */

/* A heading, a bold line, or a line that ends with a colon. */
static bool is_title(const struct markdown_line *line)
{
    return !line->unchecked && line->type != MARKDOWN_ROW &&
           (line->type == MARKDOWN_HEADING || line->bold || line->colon);
}

static enum wh_rc to_heading(const struct convert *c, const struct view_conv *conv,
                             struct markdown *text, enum view_shown *ret_shown,
                             struct wh_value *ret, struct wh_err *err)
{
    int word = -1;

    for (size_t i = 0; i < text->n && word < 0; i++) {
        struct markdown_line *line = &text->lines[i];

        if (is_title(line) && line->value.len == 0 &&
            match_name(c, conv->rule->words, line, &word, err) != WH_OK) {
            return err->rc;
        }
    }
    ret->u.str = WH_LIT("heading");
    *ret_shown = word >= 0 ? VIEW_SHOWN : VIEW_NULL;
    return WH_OK;
}

/* What is below the last title that matched. */
struct section {
    bool open;
    enum markdown_type title; /* HEADING also for a bold line */
    unsigned indent;          /* of a title that is an item */
    bool items;               /* the last entry was an item */
    bool any;
};

static bool is_label(const struct markdown_line *line)
{
    char before = line->value.len ? line->value.ptr[-1] : ' ';

    return line->colon && before != ':' && before != '\x9A';
}

/* Does this paragraph's line end the section? */
static bool text_ends(const struct section *s, const struct markdown_line *line)
{
    if (line->bold) {
        return true;
    }
    if (is_label(line)) {
        return line->value.len || s->any || s->title != MARKDOWN_HEADING;
    }
    if (s->title == MARKDOWN_ITEM) {
        return line->indent <= s->indent;
    }
    return line->after_blank && !line->indent && (s->any || s->title == MARKDOWN_TEXT);
}

/* Updates the section; true: the line is one of its entries. */
static bool is_entry(struct section *s, const struct markdown_line *line)
{
    switch (line->type) {
    case MARKDOWN_ITEM:
        s->open = s->title != MARKDOWN_ITEM || line->indent > s->indent;
        s->items = true;
        s->any = true;
        return s->open && !line->unchecked && (!line->colon || line->value.len);
    case MARKDOWN_TEXT:
        s->open = !text_ends(s, line);
        if (!s->open || s->items || is_label(line)) {
            return false;
        }
        s->any = true;
        return true;
    case MARKDOWN_ROW:
        return false;
    case MARKDOWN_HEADING:
    case MARKDOWN_BREAK:
    default:
        s->open = false;
        return false;
    }
}

static void open_section(struct section *s, const struct markdown_line *line)
{
    *s = (struct section){.open = line->value.len == 0,
                          .title = line->bold && line->type == MARKDOWN_TEXT ? MARKDOWN_HEADING
                                                                             : line->type,
                          .indent = line->indent};
}

static enum wh_rc to_list(const struct convert *c, const struct view_conv *conv,
                          struct markdown *text, enum view_shown *ret_shown, struct wh_value *ret,
                          struct wh_err *err)
{
    struct section s = {.open = false};
    enum wh_rc rc = WH_OK;
    struct rule_texts t;

    if (rule_texts_init(&t, c, conv, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text->n && rc == WH_OK; i++) {
        struct markdown_line *line = &text->lines[i];
        int word = -1;

        if (is_title(line)) {
            rc = match_name(c, conv->rule->words, line, &word, err);
        }
        if (rc == WH_OK && word >= 0) {
            open_section(&s, line);
            rc = rule_texts_add_all(&t, line->value, err);
        } else if (rc == WH_OK && s.open && is_entry(&s, line)) {
            rc = rule_texts_add_plain(&t, line->text, err);
        }
    }
    rule_texts_done(&t, ret_shown, ret);
    return rc;
}

static enum wh_rc to_references(const struct convert *c, const struct view_conv *conv,
                                const struct view_found *found, enum view_shown *ret_shown,
                                struct wh_value *ret, struct wh_err *err)
{
    bool mentions = conv->type == CONV_MENTIONS;
    bool (*possible)(struct wh_slice text) = mentions ? mentions_possible : reverts_possible;
    const struct convert_with *title = &c->rules->with[WITH_TITLE];
    bool by_text = possible(rule_text(found));
    struct markdown none = {NULL, 0};
    struct markdown *text = &none;

    *ret_shown = VIEW_NULL;
    if (!by_text && !(title->shown == VIEW_SHOWN && possible(rule_text(&title->found)))) {
        return WH_OK;
    }
    if (by_text && lines_of(c, found, &text, err) != WH_OK) {
        return err->rc;
    }
    return (mentions ? convert_mentions : convert_reverts)(c, conv, text, ret_shown, ret, err);
}

enum wh_rc convert_rule(const struct convert *c, const struct view_conv *conv,
                        enum wh_field_type type, const struct view_found *found,
                        enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    struct markdown *text;

    if (conv->type == CONV_LABEL) {
        return convert_label(c, conv, type, found, ret_shown, ret, err);
    }
    if (conv->type == CONV_CATEGORIES) {
        return convert_categories(c, conv, ret_shown, ret, err);
    }
    if (conv->type == CONV_MENTIONS || conv->type == CONV_REVERTS) {
        return to_references(c, conv, found, ret_shown, ret, err);
    }
    if (lines_of(c, found, &text, err) != WH_OK) {
        return err->rc;
    }
    if (conv->type == CONV_HEADING) {
        return to_heading(c, conv, text, ret_shown, ret, err);
    }
    if (conv->type == CONV_LIST) {
        return to_list(c, conv, text, ret_shown, ret, err);
    }
    return type == WH_FIELD_STRINGS ? to_lines(c, conv, text, ret_shown, ret, err)
                                    : to_line(c, conv, type, text, ret_shown, ret, err);
}
