/*
 * check_tool_priv.h - the part of a check that works on one stream of one project that an MCP tool
 * lists: it lists the stream, then asks another tool for what the listing did not contain. Missing
 * numbers are not read. Used by check.c only.
 */
#ifndef WH_FETCHER_CHECK_TOOL_H
#define WH_FETCHER_CHECK_TOOL_H

#include "stages/fetcher/check/check_job_priv.h"

struct check_tool;

struct check_tools {
    struct check_tool *first;
    size_t n;
};

/* The tool lists the stream of conf. Returns false without memory. */
bool check_tool_start(struct check_tools *all, const struct check_job_conf *conf, const char *tool);
/* Sends the calls that may be sent now and frees the jobs that are finished. Returns false when one of
 * the finished jobs failed. */
bool check_tools_pump(struct check_tools *all);
void check_tools_free(struct check_tools *all);

#endif
