/* leave_parts.h - what `wellhead disconnect` and `wellhead purge` share: a connection as the fetcher reports it,
 * and the steps of its end. */
#ifndef WH_CLI_COMMANDS_LEAVE_PARTS_H
#define WH_CLI_COMMANDS_LEAVE_PARTS_H

#include "cli/core/cli.h"
#include "common/json/json_doc.h"

enum {
    LEAVE_ANSWER_MAX_BYTES = 64 << 20,
    LEAVE_PATH_MAX_BYTES = 256,
    LEAVE_LOOK_MS = 200, /* between two looks */
    LEAVE_DETAIL_MAX = 512,
    LEAVE_PAIRS_MAX_BYTES = 16 << 10,
    LEAVE_DEPTH_MAX = 32,
};

/* One connection as the fetcher reports it. */
struct leave_view {
    bool known;
    bool imported;  /* it has no GitLab, and the fetcher does not know it */
    bool has_token; /* an access token that was given by hand is in use */
    bool leaving;
    bool purging;
    char state[32];
    char instance[LEAVE_DETAIL_MAX]; /* the address of its GitLab */
    char detail[LEAVE_DETAIL_MAX];
    size_t n_pairs;      /* that GitLab issued, or may have issued */
    size_t n_unrevoked;  /* of them, those that are not revoked */
    struct wh_buf pairs; /* JSON: the list of them */
    struct wh_buf text;  /* a line for each that is not revoked */
};

void leave_view_init(struct leave_view *v);
void leave_view_done(struct leave_view *v);

/* Each returns an exit code, after it said why it failed. */

/* GETs a JSON document. *ret is set on status 200 only; 404 is no failure either. */
int leave_get(struct cli *cli, const char *doing, const char *base, const char *token_file,
              const char *path, struct wh_json_parser *parser, struct wh_json_val *ret,
              unsigned *ret_status);
/* Reads the connection; *ret says whether the fetcher knows it. */
int leave_look(struct cli *cli, const char *doing, const char *id, struct wh_json_parser *parser,
               struct leave_view *ret);
/* Asks the fetcher for a step: "disconnect" or "purge". */
int leave_ask(struct cli *cli, const char *doing, const char *id, const char *what);
/* Says that nothing has that id. */
int leave_unknown(const struct cli *cli, const char *doing);
/* Is that the name of a topic of the connection's own? */
bool leave_owns_topic(const struct cli *cli, const char *id, const char *topic);
/* Disconnects and waits for the end, as long as --timeout says; v->leaving: it has not come. */
int leave_now(struct cli *cli, const char *id, struct wh_json_parser *parser, struct leave_view *v);

#endif
