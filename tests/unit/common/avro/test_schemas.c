/* The ids of schemas: what is built in, schemas/ids.json, and those once published are the same. */
#include "common/avro/schemas.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/be.h"
#include "common/base/enc.h"
#include "common/crypto/crypto.h"
#include "common/json/json_doc.h"
#include "tests/lib/th_cmocka.h"

enum { FILE_MAX_BYTES = 1 << 20 };

static struct wh_slice file_text(const char *path, char **ret_bytes)
{
    FILE *f = fopen(path, "rbe");
    char *bytes = malloc(FILE_MAX_BYTES);
    size_t n;

    assert_non_null(f);
    assert_non_null(bytes);
    n = fread(bytes, 1, FILE_MAX_BYTES - 1, f);
    (void)fclose(f);
    bytes[n] = '\0';
    *ret_bytes = bytes;
    return wh_slice(bytes, n);
}

static struct wh_json_val member(struct wh_json_val object, const char *name)
{
    struct wh_json_val v = {0};

    assert_true(wh_json_get(object, wh_slice_str(name), &v));
    return v;
}

static void check_listed(struct wh_json_val item, const struct wh_schema_info *info)
{
    char path[256];
    char *bytes;
    struct wh_slice text;
    struct wh_slice file = wh_json_string(member(item, "file"));

    assert_int_equal(wh_json_int(member(item, "id")), info->id);
    assert_int_equal(wh_json_int(member(item, "version")), info->version);
    th_slice_is(wh_json_string(member(item, "record")), info->name);
    assert_true(snprintf(path, sizeof(path), "schemas/%.*s", WH_SLICE_ARG(file)) > 0);
    text = file_text(path, &bytes);
    assert_true(wh_slice_eq(text, wh_schema_text(info)));
    free(bytes);
}

static void test_ids_file_is_what_is_built_in(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(FILE_MAX_BYTES, 16);
    struct wh_json_val root;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_err err;
    const struct wh_schema_info *list;
    char *bytes;
    size_t n;
    size_t i = 0;

    (void)state;
    assert_non_null(parser);
    list = wh_schemas(&n);
    th_ok(wh_json_parse(parser, file_text("schemas/ids.json", &bytes), &root, &err), &err);
    it = wh_json_iter(root);
    while (wh_json_next(&it, &key, &item)) {
        assert_true(i < n);
        check_listed(item, &list[i]);
        assert_ptr_equal(wh_schema_by_id(list[i].id), &list[i]);
        i++;
    }
    assert_int_equal(i, n);
    free(bytes);
    wh_json_parser_free(parser);
}

static void check_published(const char *line)
{
    const struct wh_schema_info *info;
    unsigned char hash[WH_SHA256_BYTES];
    char expected[256];
    struct wh_buf hex;
    struct wh_err err;

    info = wh_schema_by_id((int32_t)strtol(line, NULL, 10));
    if (info == NULL) {
        fail_msg("a published id is gone: %s", line);
        return;
    }
    wh_buf_init(&hex, 256);
    th_ok(wh_sha256(wh_schema_text(info), hash, &err), &err);
    th_ok(wh_hex_encode(wh_slice(hash, sizeof(hash)), &hex, &err), &err);
    assert_true(snprintf(expected, sizeof(expected), "%d %d %s %s", info->id, info->version,
                         info->name, wh_buf_str(&hex)) > 0);
    if (strcmp(expected, line) != 0) {
        fail_msg("a published id changed its text (give the new text a new id and version):\n"
                 "published %s\nbuilt in  %s",
                 line, expected);
    }
    wh_buf_done(&hex);
}

static void test_published_ids_stay(void **state)
{
    char *bytes;
    char *save = NULL;
    size_t seen = 0;
    size_t n;

    (void)state;
    (void)file_text("tests/fixtures/schemas/published.txt", &bytes);
    for (char *line = strtok_r(bytes, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (line[0] != '#') {
            check_published(line);
            seen++;
        }
    }
    free(bytes);
    (void)wh_schemas(&n);
    /* A new id is added to the golden file with the commit that makes it. */
    assert_int_equal(seen, n);
}

static void frame_is(const void *bytes, size_t n, enum wh_rc expected)
{
    struct wh_slice body;
    struct wh_err err;
    int version;

    assert_int_equal(wh_frame_read(wh_slice(bytes, n), WH_SCHEMA_RAW_EVENT, &version, &body, &err),
                     expected);
}

static void test_frames(void **state)
{
    struct wh_buf out;
    struct wh_err err;
    size_t n;
    unsigned char next[] = {0, 0, 0, 0, 0, 'x'};

    (void)state;
    (void)wh_schemas(&n);
    wh_buf_init(&out, 64);
    th_ok(wh_frame_write(WH_SCHEMA_RAW_EVENT, &out, &err), &err);
    assert_int_equal(out.len, WH_FRAME_BYTES);
    assert_memory_equal(out.ptr, "\0\0\0\0\1", WH_FRAME_BYTES);
    frame_is(out.ptr, out.len, WH_OK);
    frame_is(out.ptr, out.len - 1, WH_E_INVALID);
    frame_is("\1\0\0\0\1", 5, WH_E_INVALID);
    frame_is("\0\0\0\0\2", 5, WH_E_TYPE);
    frame_is("\0\0\0\0\0", 5, WH_E_INVALID);
    frame_is("\0\377\377\377\377", 5, WH_E_INVALID);
    frame_is("\0\177\377\377\377", 5, WH_E_INVALID);
    /* The next id is that of a newer writer: to be read later, not to be thrown away. */
    wh_be_put32(next + 1, (uint32_t)n + 1);
    frame_is(next, sizeof(next), WH_E_UNKNOWN_SCHEMA);
    wh_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_file_is_what_is_built_in),
        cmocka_unit_test(test_published_ids_stay),
        cmocka_unit_test(test_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
