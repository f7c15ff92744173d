/* Questions: whatever is typed is understood or refused; what is understood lies inside of it, and times are in order. */
#include <stdint.h>
#include <stdlib.h>

#include "stages/sink/ask/understand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool is_inside(struct wh_slice part, struct wh_slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* The first eight bytes choose the present. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t century_ms = INT64_C(3155760000000);
    enum ask_form forms[ASK_FORMS];
    struct ask_understood u;
    struct wh_slice question;
    struct wh_err err;
    uint64_t now = 0;

    for (size_t i = 0; i < 8 && i < size; i++) {
        now = now << 8 | data[i];
    }
    question = size > 8 ? wh_slice(data + 8, size - 8) : wh_slice("", 0);
    check(ask_nearest_forms(question, forms) > 0);
    if (ask_understand(question, (int64_t)(now % (uint64_t)century_ms), wh_zone_utc(), &u, &err) !=
        WH_OK) {
        check(err.rc == WH_E_INVALID && err.msg[0]);
        return 0;
    }
    check(u.form < ASK_FORMS && u.n_terms <= ASK_TERMS_MAX && is_inside(u.reference, question));
    check(u.from_ms <= u.to_ms);
    for (size_t i = 0; i < u.n_terms; i++) {
        check(u.terms[i].text.len > 0 && is_inside(u.terms[i].text, question));
    }
    return 0;
}
