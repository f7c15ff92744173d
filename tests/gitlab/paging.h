/*
 * paging.h - list parameters, the rows they select, and the headers that tell of more.
 *
 * Offset pages of 20 (at most 100); totals and rel=last up to 10,000 rows; kinds that have keyset
 * paging refuse page * per_page over 50,000 with 405; keyset pages give a rel=next link alone.
 */
#ifndef GL_PAGING_H
#define GL_PAGING_H

#include "common/httpd/http.h"
#include "tests/gitlab/model.h"

enum gl_order { GL_BY_ID, GL_BY_CREATED, GL_BY_UPDATED, GL_BY_FINISHED };

enum { GL_PER_PAGE_MAX = 100, GL_TOTAL_MAX = 10000, GL_OFFSET_MAX = 50000, GL_IIDS_MAX = 100 };

struct gl_range {
    int64_t low; /* inclusive */
    int64_t high;
    bool given;
};

struct gl_query {
    int64_t page;
    int64_t per_page;
    enum gl_order order;
    bool desc;
    bool order_given;
    bool keyset;
    bool after_cursor;
    int64_t cursor_key;
    int64_t cursor_id;
    struct gl_range updated;
    struct gl_range created;
    struct gl_range finished;
    uint32_t states; /* bit mask; 0: any */
    int type;        /* issue type or pipeline source; -1: any */
    int env;         /* -1: any */
    int64_t author_id;
    int64_t iids[GL_IIDS_MAX];
    unsigned n_iids;
    bool filtered;       /* more than ranges of updated_at */
    int64_t pipeline_id; /* of jobs */
    uint32_t from_pos;   /* a part of by_id alone, when to_pos > 0 */
    uint32_t to_pos;
    bool no_retried;  /* of jobs */
    bool no_children; /* of pipelines, unless a source was named */
    int note_kind;    /* notes of this kind of object alone; -1: of any */
    uint32_t note_of; /* and of the one at this position */
};

/* What is special about the list of a kind. */
struct gl_list_def {
    const char *name; /* "Issue" as GitLab's class is called */
    bool keyset;
    bool desc;  /* the default order */
    bool timed; /* has updated_after, updated_before and order_by=updated_at */
};
const struct gl_list_def *gl_list_def(enum gl_kind kind);
extern const struct gl_list_def gl_users_list;
extern const struct gl_list_def gl_projects_list;

struct gl_refusal {
    unsigned status; /* 0: none */
    char body[320];  /* JSON */
};

struct gl_page {
    uint32_t pos[GL_PER_PAGE_MAX];
    unsigned n;
    int64_t total; /* offset pages only */
    bool more;
};

/* The first page of what a list gives when it is asked nothing. */
void gl_query_init(struct gl_query *q, const struct gl_list_def *def);
void gl_query_parse(const struct wh_http_req *req, const struct gl_list_def *def, enum gl_kind kind,
                    struct gl_query *q, struct gl_refusal *refusal);
/* users gives the ids of authors. */
void gl_select(const struct gl_model *model, const struct gl_project *project,
               const struct gl_set *set, const struct gl_query *q, struct gl_page *page);

struct gl_headers {
    struct wh_http_header items[24];
    size_t n;
    size_t used;
    char text[8192];
};
void gl_header(struct gl_headers *h, const char *name, const char *fmt, ...) WH_PRINTF(3, 4);
/* base: the server's address; path: without query. */
void gl_page_headers(struct gl_headers *h, const struct gl_query *q, const struct gl_page *page,
                     const struct gl_set *set, const char *base, const char *path,
                     struct wh_slice raw_query);

#endif
