#include "tests/lib/th_fault.h"

#include "common/base/mem.h"

static bool on_alloc(void *ctx)
{
    struct th_fault *fault = ctx;

    return fault->left-- != 0;
}

void th_fault_arm(struct th_fault *fault, long n)
{
    fault->left = n;
    wh_mem_set_hook(on_alloc, fault);
}

bool th_fault_disarm(struct th_fault *fault)
{
    wh_mem_set_hook(NULL, fault);
    return fault->left < 0;
}
