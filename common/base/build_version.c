#include "common/base/build_version.h"

/* WH_VERSION is defined for this file alone, so that a commit does not recompile the others. */
const char *wh_build_version(void)
{
    return WH_VERSION;
}
