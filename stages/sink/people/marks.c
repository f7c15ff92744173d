/* What an account shows of itself. */
#include <stdlib.h>

#include "common/text/key.h"
#include "stages/sink/people/book_priv.h"

enum { NAME_PARTS_MAX = 16 };

enum people_state people_state_of(struct wh_slice state, bool deleted)
{
    static const char *const blocked[] = {"blocked", "banned", "blocked_pending_approval",
                                          "deactivated", "ldap_blocked"};

    if (deleted || wh_slice_eq(state, WH_LIT("deleted"))) {
        return PEOPLE_DELETED;
    }
    for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
        if (wh_slice_eq(state, wh_slice_str(blocked[i]))) {
            return PEOPLE_BLOCKED;
        }
    }
    return state.len ? PEOPLE_ACTIVE : PEOPLE_UNKNOWN;
}

/* Behind the prefix stand digits and "_bot". */
static bool is_token_user(struct wh_slice username, struct wh_slice prefix)
{
    size_t i = prefix.len;

    if (!wh_slice_starts(username, prefix)) {
        return false;
    }
    while (i < username.len && username.ptr[i] >= '0' && username.ptr[i] <= '9') {
        i++;
    }
    return i > prefix.len && wh_slice_starts(wh_slice_from(username, i), WH_LIT("_bot"));
}

bool people_is_bot_name(struct wh_slice username)
{
    static const char *const own[] = {
        "ghost",
        "alert-bot",
        "support-bot",
        "visual-review-bot",
        "migration-bot",
        "gitlab-security-bot",
        "automation-bot",
        "gitlab-admin-bot",
        "duo-code-review-bot",
        "gitlabduo",
        "gitlab-llm-bot",
    };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (wh_slice_eq(username, wh_slice_str(own[i]))) {
            return true;
        }
    }
    return is_token_user(username, WH_LIT("project_")) ||
           is_token_user(username, WH_LIT("group_")) ||
           wh_slice_starts(username, WH_LIT("service_account_"));
}

/* ---- similar names ---- */

static int part_cmp(const void *a, const void *b)
{
    return wh_slice_cmp(*(const struct wh_slice *)a, *(const struct wh_slice *)b);
}

/* The words of a key. */
static size_t split(struct wh_slice key, struct wh_slice parts[NAME_PARTS_MAX])
{
    size_t n = 0;
    size_t from = 0;

    for (size_t i = 0; i <= key.len && n < NAME_PARTS_MAX; i++) {
        if (i == key.len || strchr("-,.;", key.ptr[i])) {
            parts[n] = wh_slice(key.ptr + from, i - from);
            n += i > from;
            from = i + 1;
        }
    }
    return n;
}

static enum wh_rc append_sorted(struct wh_slice key, struct wh_buf *out, struct wh_err *err)
{
    struct wh_slice parts[NAME_PARTS_MAX];
    size_t n = split(key, parts);

    qsort(parts, n, sizeof(parts[0]), part_cmp);
    for (size_t i = 0; i < n; i++) {
        if ((i && wh_buf_append_char(out, '-', err) != WH_OK) ||
            wh_buf_append(out, parts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc people_name_key(struct wh_slice name, struct wh_buf *out, struct wh_err *err)
{
    struct wh_buf key;
    enum wh_rc rc;

    wh_buf_init(&key, (size_t)8 * WH_KEY_TEXT_MAX);
    rc = wh_key_normalise(name, &key, err);
    if (rc == WH_OK) {
        rc = append_sorted(wh_buf_slice(&key), out, err);
    } else if (rc == WH_E_TOO_LARGE || rc == WH_E_UTF8) {
        rc = WH_OK; /* such a name is similar to none */
    }
    wh_buf_done(&key);
    return rc;
}
