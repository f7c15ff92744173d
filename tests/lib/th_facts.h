/*
 * th_facts.h - a store filled by observations that are written as JSON, through the sink's own batches.
 *
 *   {"kind":"service", "source":"crm", "id":"s1", "at":"2026-05-01T10:00:00Z", "name":"Checkout", "aliases":["co"]}
 *   {"kind":"work_item", "id":"7", "at":"...", "type":"incident", "project":"project:1", "url":"https://..."}
 *
 * kind, source, id, at, url, iid, project_id and delete (a reason) say what is observed; all other members are
 * fields. With source the row is imported from a file of that name, without it is GitLab's. A reference is
 * KIND:ID in the words of entity.h. A member that the kind does not have fails the test.
 */
#ifndef TH_FACTS_H
#define TH_FACTS_H

#include "common/event/observation.h"
#include "common/json/json_doc.h"
#include "stages/sink/batch/apply.h"

#define TH_FACTS_INSTANCE "https://gitlab.test"

struct th_facts {
    struct wh_store *store; /* in memory */
    bool keep_store;
    struct sink_apply *apply;
    struct wh_json_parser *parser;
    int64_t offset; /* of the next raw event */
    int64_t now_ms; /* when it is stored; the caller may set it */
};

void th_facts_init(struct th_facts *f);
/* The same in a store of the caller's, which stays when this is done. */
void th_facts_init_on(struct th_facts *f, struct wh_store *store);
void th_facts_done(struct th_facts *f);
/* One batch of a JSON array of facts, or of one object. */
void th_facts_put(struct th_facts *f, const char *json);
/* Each fact in a batch of its own, a second after the one before; at most so many facts. */
void th_facts_put_singly(struct th_facts *f, const char *json, size_t most);
/* The id of an entity: of GitLab's when source is NULL. source_kind: issue, project, service, ... */
struct wh_entity_id th_facts_id(const char *source, const char *source_kind, const char *id);

/*
 * One incident, issue 1 of shop/web at GitLab's project 9, with three services (Checkout API by a label, Search
 * by a heading, Web by its project), two customers and five contracts. It started on 2026-05-12T22:10Z.
 */
extern const char th_story[];

#endif
