/* th_measures.h - a store with random work over three months of 2026, for what is counted. */
#ifndef TH_MEASURES_H
#define TH_MEASURES_H

#include "tests/lib/th_facts.h"

/* Projects, services, customers with contracts in two currencies, merge requests, issues, incidents, pipelines, jobs,
 * deployments and notes; n scales all of them. From February to May 2026. */
void th_measures_fill(struct th_facts *facts, unsigned n, uint64_t seed);

#endif
