/* show_parts.h - the steps of `wellhead show`. Each that returns an int gives an exit code, after it said why. */
#ifndef WH_CLI_COMMANDS_SHOW_PARTS_H
#define WH_CLI_COMMANDS_SHOW_PARTS_H

#include "cli/core/cli.h"
#include "common/json/json_doc.h"

enum { SHOW_ANSWER_MAX_BYTES = 256 << 20, SHOW_ID_MAX = 40, SHOW_PATH_MAX_BYTES = 8192 };

/* An answer of the sink, parsed. */
struct show_part {
    struct cli_answer answer;
    struct wh_json_parser *parser;
    struct wh_json_val root;
};

/* GETs a path. *ret_found false: status 404, which is no failure where it is asked for (ret_found not NULL). */
int show_fetch(struct cli *cli, const char *path, struct show_part *ret, bool *ret_found);
void show_part_done(struct show_part *part);

/* Does the user ask for the past? */
bool show_is_past(const struct cli *cli);
/* Appends the arguments of the past to a path: as_of and valid_at, behind mark, '?' or '&'. */
WH_MUST_CHECK enum wh_rc show_past_args(const struct cli *cli, char mark, struct wh_buf *out,
                                        struct wh_err *err);

/* All rows of a list, page after page, of the time that the user asks for. */
struct show_rows {
    struct show_part *pages;
    size_t n_pages;
    struct wh_json_val *list;
    size_t n;
};
/* path: "/api/v1/entities/<id>/links". */
int show_fetch_rows(struct cli *cli, const char *path, struct show_rows *ret);
void show_rows_done(struct show_rows *rows);

/* Finds the entity that was typed (common/text/address.h): exit code 3 when there is none, 5 when there are several. */
int show_find(struct cli *cli, const char *typed, char id[SHOW_ID_MAX]);

/* ---- names of entities ---- */

/* Titles and names by id, so that nobody has to read a UUID. */
struct show_names;
/* NULL: no memory. */
struct show_names *show_names_new(void);
void show_names_free(struct show_names *names);
/* Adds an id to those whose names are wanted; kind: its table's or kind's name. */
void show_names_want(struct show_names *names, struct wh_slice kind, struct wh_slice id);
/* Adds every id in the fields of such an entity: {"author":"<id>","labels":[...]}. */
void show_names_want_fields(struct show_names *names, struct wh_slice kind,
                            struct wh_json_val fields);
/* The same for all that revisions of such an entity changed. */
void show_want_revisions(struct show_names *names, struct wh_slice kind,
                         const struct show_rows *revisions);
/* Asks the sink for all of them. Names that it does not know, or does not tell now, stay unknown. */
void show_names_ask(struct show_names *names, struct cli *cli);
/* Empty: unknown. */
struct wh_slice show_names_get(const struct show_names *names, struct wh_slice id);
/* Appends a field's value for people: of an id its name, and the id behind it in brackets. */
void show_names_value(const struct show_names *names, struct wh_json_val value, struct wh_buf *out);

/* ---- who did it ---- */

/* The people behind revisions, as their webhooks name them; GitLab does not say it of what is read. */
struct show_people;
/* Reads the raw events of the newest revisions from Kafka. NULL: no memory, or nobody is to be found. Where Kafka
 * does not answer, that is a message. */
struct show_people *show_people_ask(struct cli *cli, const struct show_rows *revisions);
void show_people_free(struct show_people *people);
/* Of a row; empty: unknown. Accepts NULL. */
struct wh_slice show_people_get(const struct show_people *people, size_t row);

/* ---- output ---- */

/* Prints the bytes that a revision was made of, and how to fetch them from Kafka. */
int show_raw(struct cli *cli, const char *id);
/* Does the row stand for a change? Otherwise the same content was seen again. */
bool show_is_revision(struct wh_json_val row);
/* Head, fields, revisions and links. */
int show_print(struct cli *cli, struct wh_json_val entity);
/* --history: the revisions alone, newest first or as JSON, each with where it came from and how to see its bytes. */
int show_history(struct cli *cli, const char *id);
/* The revisions, newest first, each with the fields that it changed: "state: opened → merged". */
void show_print_revisions(const struct cli *cli, struct wh_slice kind,
                          const struct show_rows *revisions, const struct show_names *names,
                          const struct show_people *people);

#endif
