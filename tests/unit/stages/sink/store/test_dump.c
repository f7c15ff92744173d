#include <stdlib.h>
#include <string.h>

#include "stages/sink/store/dump.h"
#include "stages/sink/store/keyspace.h"
#include "tests/lib/store_mem.h"
#include "tests/lib/th_cmocka.h"

static struct wh_store *store_with(const char *head)
{
    const struct wh_store_conf conf = {.families = sink_families, .n_families = SINK_FAMILY_COUNT};
    struct wh_entity_id id = {{1, 2, 3}};
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_store *s;
    struct wh_batch *b;
    struct wh_err err;

    th_ok(wh_store_mem_open(&conf, &s, &err), &err);
    th_ok(wh_batch_new(s, &b, &err), &err);
    sink_entity_key(key, WH_KIND_JOB, &id);
    th_ok(wh_batch_put(b, SINK_ENTITIES, wh_slice(key, sizeof(key)), wh_slice_str(head), &err),
          &err);
    sink_entity_key(key, WH_KIND_WORK_ITEM, &id);
    th_ok(wh_batch_put(b, SINK_ENTITIES, wh_slice(key, sizeof(key)), WH_LIT("same"), &err), &err);
    th_ok(wh_store_write(s, b, false, &err), &err);
    wh_batch_free(b);
    return s;
}

static char *dump(const char *head)
{
    struct wh_store *s = store_with(head);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct wh_err err;

    assert_non_null(out);
    th_ok(sink_dump_heads(s, out, &err), &err);
    assert_int_equal(fclose(out), 0);
    wh_store_free(s);
    return text;
}

static void test_lines(void **state)
{
    char *a = dump("head");
    char *same = dump("head");
    char *other = dump("heaD");

    (void)state;
    assert_string_equal(a, same);
    assert_string_not_equal(a, other);
    /* Key order: work items come before jobs. */
    assert_int_equal(strncmp(a, "work_item 01020300-0000-0000-0000-000000000000 4 ", 49), 0);
    assert_non_null(strstr(a, "\njob 01020300-0000-0000-0000-000000000000 4 "));
    free(a);
    free(same);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
