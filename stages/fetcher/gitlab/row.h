/*
 * row.h - the parts of a GitLab row that the fetcher needs: its number, its id and its version.
 */
#ifndef WH_FETCHER_ROW_H
#define WH_FETCHER_ROW_H

#include "common/base/time.h"
#include "common/json/json_doc.h"

enum { GITLAB_ROW_TIME_MAX = 40 /* bytes of a time's text, with its end */ };

struct gitlab_row {
    char id[24]; /* as text; empty where the row has none, as releases */
    char iid[24];
    int64_t number; /* id */
    struct wh_slice updated_at;
    struct wh_instant at; /* of it */
    bool has_update;
};

/* Borrows from the value's parser. What is not there, or of a wrong type, is empty. */
void gitlab_row_read(struct wh_json_val value, struct gitlab_row *ret);

#endif
