/*
 * pages_priv.h - pages for people. A page is a table entry: parts, which are answers of this API or SQL statements,
 * and a mustache template that shows them (stages/sink/page/templates). PATH.json gives the parts themselves,
 * PATH.csv the rows of the first part that has rows.
 *
 * To add a page: a file of this folder with a constant table of pages, its line in page_areas (pages.c), a template
 * with its line in stages/sink/page/files.list, and a file in tests/browser/areas with its paths.
 *
 * Thread: a lane's; tables are constant.
 */
#ifndef WH_SINK_API_PAGES_PRIV_H
#define WH_SINK_API_PAGES_PRIV_H

#include "stages/sink/api/api_priv.h"

enum { PAGE_PARTS_MAX = 12, PAGE_PART_MAX_BYTES = 8 << 20, PAGE_DEPTH_MAX = 64 };

struct page_part {
    const char *name; /* the member of the .json twin */
    enum wh_rc (*answer)(struct api_job *job, struct wh_err *err);
    const char *sql;   /* instead of answer; :id is the part of the path */
    const char *needs; /* an argument without which the part is left out; NULL: none */
    bool has_rows;     /* of an answer: it is a table, which can be a CSV file too; SQL always is */
    bool takes_kind;   /* the part of the path is the argument "kind" of the answer */
};

struct api_page {
    const char *path; /* '*' stands for one segment */
    const char *file; /* the template */
    const char *title;
    const char *section; /* the address in the navigation that it belongs to */
    bool named_by_id;    /* its title is the part of the path */
    struct page_part parts[PAGE_PARTS_MAX];
    /*
     * Takes a form of this page (POST to its path): the fields are the arguments of the request. NULL: it has none.
     * WH_OK leads the browser to page_go's address, or back to the page; an error is shown on the page, above what
     * it shows otherwise. Who sends it is checked already: the API's token, or a session from a page of this origin.
     */
    enum wh_rc (*act)(struct api_job *job, struct wh_err *err);
};

/* The pages of one file. */
struct page_area {
    const struct api_page *pages;
    size_t n;
};

#define PAGE_AREA(array)                                                                           \
    {                                                                                              \
        array, sizeof(array) / sizeof((array)[0])                                                  \
    }

extern const struct page_area page_area_home;
extern const struct page_area page_area_connections;
extern const struct page_area page_area_incidents;
extern const struct page_area page_area_work_lists;
extern const struct page_area page_area_records;
extern const struct page_area page_area_entity;
extern const struct page_area page_area_views;
extern const struct page_area page_area_ask;
extern const struct page_area page_area_search;
extern const struct page_area page_area_charts;
extern const struct page_area page_area_sql;
extern const struct page_area page_area_model;
extern const struct page_area page_area_tokens;
extern const struct page_area page_area_rules;

/* Appends the answer of a part. A statement has arguments of its own; an answer has those of the request. */
WH_MUST_CHECK enum wh_rc page_capture(struct api_job *job, const struct page_part *part,
                                      struct wh_buf *out, struct wh_err *err);

/* incidents.c: the impact of the incident of the path, now or at _asof. */
WH_MUST_CHECK enum wh_rc page_answer_impact(struct api_job *job, struct wh_err *err);
/* incident_picture.c: {"svg": ...}, empty when the incident hit no service. */
WH_MUST_CHECK enum wh_rc page_answer_picture(struct api_job *job, struct wh_err *err);
/* The statement for open incidents with their customers and what those pay in a month. */
extern const char PAGE_OPEN_INCIDENTS[];

/* The part whose rows are the page's .csv; NULL: it has none. */
const struct page_part *page_rows_part(const struct api_page *page);

/* frame.c: members "nav" and "page" of every page's document. path is without the ending of a twin. */
void page_write_navigation(struct wh_json_writer *w, const struct api_page *page,
                           struct views *saved);
void page_write_frame(struct wh_json_writer *w, const struct api_job *job, struct wh_slice path,
                      const char *title);

/* Where the browser goes after a form: a path of this server, at most API_HEADER_MAX_BYTES. WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc page_go(struct api_job *job, struct wh_slice path, struct wh_err *err);
/* The page, with what went wrong as {{problem}}, and the status of that. */
WH_MUST_CHECK enum wh_rc page_answer_problem(struct api_job *job, const struct wh_err *problem,
                                             struct wh_err *err);

#endif
