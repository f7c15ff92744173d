/*
 * markdown.h - the lines of a Markdown text, for rules that look for headings, list items and "Name: value".
 *
 * Block structure is read line by line: headings (ATX, setext), list items with task boxes, quotes, rows of
 * tables, thematic breaks. Code (fenced, indented) and HTML comments yield no lines. The time is linear in
 * the text, whatever it contains; lines beyond MARKDOWN_LINES_MAX are not read.
 *
 * Thread: the arena's.
 */
#ifndef WH_MAPPER_VIEW_MARKDOWN_H
#define WH_MAPPER_VIEW_MARKDOWN_H

#include <stdbool.h>
#include <string.h>

#include "common/base/arena.h"

enum {
    MARKDOWN_LINES_MAX = 10000,
    MARKDOWN_NAME_MAX = 96,    /* bytes before a colon that can be a name */
    MARKDOWN_PLAIN_MAX = 1024, /* bytes of an item or a value */
};

enum markdown_type { MARKDOWN_TEXT, MARKDOWN_ITEM, MARKDOWN_HEADING, MARKDOWN_ROW, MARKDOWN_BREAK };

struct markdown_line {
    enum markdown_type type;
    bool after_blank;     /* the first line, or an empty line is before it */
    bool bold;            /* all of it is bold */
    bool unchecked;       /* an item with an empty task box */
    bool colon;           /* it is "name: value" or "name:" */
    unsigned indent;      /* columns before the text or the item's marker */
    struct wh_slice text; /* without the marks of the block structure */
    struct wh_slice
        name; /* before the colon, else the whole text; without emphasis; empty: too long */
    struct wh_slice value; /* after the colon; of a row, the second cell */
    struct wh_slice key;   /* for the reader: the name as it compares it */
};

struct markdown {
    struct markdown_line *lines;
    size_t n;
};

/* The lines refer to the text and to the arena. */
WH_MUST_CHECK enum wh_rc markdown_read(struct wh_slice text, struct wh_arena *arena,
                                       struct markdown *ret, struct wh_err *err);
/*
 * A line's text or value as it is shown: without emphasis and code marks, the text of links instead of
 * their addresses, trimmed. Empty when it is longer than MARKDOWN_PLAIN_MAX.
 */
WH_MUST_CHECK enum wh_rc markdown_plain(struct wh_slice text, struct wh_arena *arena,
                                        struct wh_slice *ret, struct wh_err *err);
static inline bool markdown_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* Without white space at both ends. */
struct wh_slice markdown_trim(struct wh_slice s);

#endif
