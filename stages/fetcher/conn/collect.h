/*
 * collect.h - the metrics of connections that only this fetcher knows: rate budgets and tokens. What every
 * process can see of a connection, the sink tells. Thread: app.
 */
#ifndef WH_FETCHER_COLLECT_H
#define WH_FETCHER_COLLECT_H

struct fetcher;

/* Updates the gauges; call it before /metrics is rendered. */
void fetcher_collect(struct fetcher *f);

#endif
