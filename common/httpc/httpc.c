#include "common/httpc/httpc.h"

struct wh_slice wh_httpc_answer_header(const struct wh_httpc_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->n_headers; i++) {
        if (wh_slice_eq(answer->headers[i].name, wh_slice_str(name))) {
            return answer->headers[i].value;
        }
    }
    return wh_slice(NULL, 0);
}
