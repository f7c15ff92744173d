/*
 * story.h - two months of incidents with postmortems, follow-ups and rollbacks, in projects of their
 * own, which mutations leave alone. demo/README.md tells the story, and what should be answered about it.
 */
#ifndef GL_STORY_H
#define GL_STORY_H

#include "tests/gitlab/model.h"

enum { GL_STORY_PROJECTS = 9, GL_STORY_PEOPLE = 8 };

/* All incidents of this time belong to the story: other projects have none. */
#define GL_STORY_DAYS INT64_C(62)

/*
 * Adds the projects, their objects, and the names of the first users. Days are counted back from the day (UTC)
 * of until_ms; one incident happens on the last Tuesday before it. False: no memory.
 */
WH_MUST_CHECK bool gl_story_add(struct gl_model *model, int64_t until_ms);

#endif
