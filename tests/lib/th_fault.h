/*
 * th_fault.h - the n-th allocation fails, and only that one.
 *
 *   for (n = 0; more; n++) { th_fault_arm(&fault, n); ...; more = th_fault_disarm(&fault); }
 *
 * walks all of them: disarm says whether the allocation was reached. The library's own memory is
 * not counted. One thread.
 */
#ifndef TH_FAULT_H
#define TH_FAULT_H

#include <stdbool.h>

struct th_fault {
    long left; /* that succeed before the one that fails */
};

void th_fault_arm(struct th_fault *fault, long n);
bool th_fault_disarm(struct th_fault *fault);

#endif
