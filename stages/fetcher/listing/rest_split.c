/* A page that GitLab cannot serve, for example because of one row: it is read in parts, down to
 * single rows. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/listing/rest_priv.h"

enum {
    TODO_MAX = 16,
    BODY_PADDING = 64, /* readable behind a body, as in client.h */
    /* So many single rows in a row without any good answer between them are no bad rows: GitLab
     * answers nothing now. */
    BAD_MAX = 10,
};

struct listing_split {
    struct listing_lane *lane;
    struct listing_part *parts; /* received, in the order of the listing */
    struct {
        size_t offset;
        size_t size;
    } todo[TODO_MAX]; /* the last one is under way */
    size_t n_todo;
    size_t unread;
    size_t bytes; /* in parts */
    size_t bad;   /* single rows that failed since the last good answer */
    char path[PAGING_PATH_MAX];
    char error[128]; /* of the newest failure */
};

static void ask(struct listing_split *s);

void listing_split_free(struct listing_lane *lane)
{
    struct listing_split *s = lane->split;

    while (s && s->parts) {
        struct listing_part *next = s->parts->next;

        wh_mem_free(s->parts);
        s->parts = next;
    }
    wh_mem_free(s);
    lane->split = NULL;
}

/* why NULL: the parts are the page. */
static void end(struct listing_split *s, const char *why)
{
    struct listing_lane *lane = s->lane;
    struct listing_rest *r = lane->rest;

    if (why) {
        r->n_ahead--;
        if (r->base.result.outcome == LISTING_ENDED) {
            listing_fail(&r->base, CLIENT_FAILED, why);
        }
    } else {
        listing_unread(&r->base, s->unread, s->error);
        listing_page_take(lane, &(struct client_answer){0}, s->parts, s->unread);
    }
    listing_split_free(lane);
    lane->asking = false;
    listing_rest_pump(r);
}

/* ---- parts ---- */

/* From the last to the first: a row that is updated meanwhile moves to the end of the listing, and
 * the others only move towards its beginning, where they are still to be read. */
static void push_parts(struct listing_split *s, size_t offset, size_t size, size_t part)
{
    for (size_t at = 0; at < size; at += part) {
        s->todo[s->n_todo].offset = offset + at;
        s->todo[s->n_todo++].size = part;
    }
}

static bool keep(struct listing_split *s, const struct client_answer *a)
{
    size_t path = strlen(s->path) + 1;
    struct listing_part *part = NULL;
    char *text;

    s->bytes += a->body->len;
    if (s->bytes <= LISTING_BYTES_MAX) {
        part = wh_mem_zalloc(1, sizeof(*part) + path + a->body->len + BODY_PADDING);
    }
    if (part == NULL) {
        return false;
    }
    text = (char *)(part + 1);
    memcpy(text, s->path, path);
    memcpy(text + path, a->body->ptr, a->body->len);
    part->path = text;
    part->body = wh_slice(text + path, a->body->len);
    part->next = s->parts;
    s->parts = part;
    return true;
}

static void on_part(void *ctx, const struct client_answer *a)
{
    struct listing_split *s = ctx;
    size_t offset = s->todo[--s->n_todo].offset;
    size_t size = s->todo[s->n_todo].size;

    if (!listing_split_needed(a)) {
        s->bad = 0;
        if (a->outcome != CLIENT_OK || !keep(s, a)) {
            end(s, a->error ? a->error : "no memory for a page");
            return;
        }
    } else {
        (void)snprintf(s->error, sizeof(s->error), "%.127s",
                       a->error ? a->error : "GitLab's answer is no list");
        if (size > 1) {
            push_parts(s, offset, size, size == 100 || size == 50 ? size / 2 : size / 5);
        } else {
            s->unread++;
            s->bad++;
        }
    }
    ask(s);
}

static void ask(struct listing_split *s)
{
    struct listing_lane *lane = s->lane;
    struct listing *l = &lane->rest->base;
    struct wh_err err;

    if (s->bad >= BAD_MAX || l->result.outcome != LISTING_ENDED) {
        end(s, s->error);
    } else if (s->n_todo == 0) {
        end(s, NULL);
    } else if (!paging_part(lane->path, s->todo[s->n_todo - 1].offset, s->todo[s->n_todo - 1].size,
                            s->path) ||
               client_try(l->task.client, wh_slice_str(s->path), on_part, s, &err) != WH_OK) {
        end(s, s->error);
    }
}

/* ---- the start ---- */

bool listing_split_needed(const struct client_answer *a)
{
    return a->outcome == CLIENT_OK ? !listing_json_begins(wh_buf_slice(a->body), '[')
                                   : a->outcome == CLIENT_FAILED && a->status >= 500;
}

bool listing_split_start(struct listing_lane *lane, const char *error)
{
    struct listing_split *s;
    char path[PAGING_PATH_MAX];

    if (!paging_part(lane->path, 0, 1, path) || lane->rest->n_lanes >= LISTING_LANES_READ_MAX) {
        return false;
    }
    s = wh_mem_zalloc(1, sizeof(*s));
    if (s == NULL) {
        return false;
    }
    s->lane = lane;
    lane->split = s;
    (void)snprintf(s->error, sizeof(s->error), "%.127s",
                   error ? error : "GitLab's answer is no list");
    push_parts(s, 0, PAGING_ROWS, PAGING_ROWS / 2);
    ask(s);
    return true;
}
