#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"

struct target {
    char *name;
    int64_t port;
    bool on;
    int64_t wait_ms;
    int64_t size;
    struct wh_conf_pairs kafka;
};

static const struct wh_conf_key keys[] = {
    {.name = "http.name",
     .type = WH_CONF_STRING,
     .value = "x",
     .offset = offsetof(struct target, name),
     .help = "name"},
    {.name = "http.port",
     .type = WH_CONF_INT,
     .value = "80",
     .min = 1,
     .max = 65535,
     .offset = offsetof(struct target, port),
     .help = "port"},
    {.name = "live",
     .type = WH_CONF_BOOL,
     .value = "yes",
     .offset = offsetof(struct target, on),
     .help = "on"},
    {.name = "wait",
     .type = WH_CONF_DURATION,
     .value = "5s",
     .offset = offsetof(struct target, wait_ms),
     .help = "wait"},
    {.name = "size",
     .type = WH_CONF_SIZE,
     .value = "1MiB",
     .offset = offsetof(struct target, size),
     .help = "size"},
};

static const struct wh_conf_program program = {
    .name = "prog",
    .purpose = "tests",
    .keys = keys,
    .n_keys = sizeof(keys) / sizeof(keys[0]),
    .pairs_offset = offsetof(struct target, kafka),
};

static char *write_file(const char *text, mode_t mode)
{
    static char path[64];
    int fd;

    memcpy(path, "/tmp/wh-conf-XXXXXX", 20);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
    return path;
}

static enum wh_rc load(int argc, char **argv, char **env, struct target *t, struct wh_err *err)
{
    enum wh_conf_action action;
    FILE *null = fopen("/dev/null", "we");
    enum wh_rc rc = wh_conf_load(&program, argc, argv, env, null, t, &action, err);

    (void)fclose(null);
    return rc;
}

static void test_precedence(void **state)
{
    char *path = write_file("http: { port = 81; name = \"file\"; };\nwait = \"7s\";\n"
                            "kafka: { linger: { ms = 3; }; };\n",
                            0600);
    char *env[] = {(char[]){"WELLHEAD_HTTP_PORT=82"}, (char[]){"WELLHEAD_KAFKA_CLIENT_ID=me"},
                   (char[]){"OTHER=1"}, NULL};
    char *argv[] = {(char[]){"prog"},   (char[]){"--config"}, path, (char[]){"--http.port=83"},
                    (char[]){"--size"}, (char[]){"2KiB"},     NULL};
    struct target t = {0};
    struct wh_err err;

    (void)state;
    th_ok(load(6, argv, env, &t, &err), &err);
    assert_int_equal(t.port, 83);
    assert_string_equal(t.name, "file");
    assert_int_equal(t.wait_ms, 7000);
    assert_int_equal(t.size, 2048);
    assert_true(t.on);
    assert_int_equal(t.kafka.n, 2);
    assert_string_equal(t.kafka.items[0].name, "linger.ms");
    assert_string_equal(t.kafka.items[0].value, "3");
    assert_string_equal(t.kafka.items[1].name, "client.id");
    wh_conf_release(&program, &t);
    (void)unlink(path);
}

static void refuse(char *arg, const char *part)
{
    char *argv[] = {(char[]){"prog"}, arg, NULL};
    struct target t = {0};
    struct wh_err err;

    assert_int_equal(load(2, argv, NULL, &t, &err), WH_E_CONFIG);
    if (strstr(err.msg, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.msg, part);
    }
    wh_conf_release(&program, &t);
}

static void test_errors_name_the_key(void **state)
{
    (void)state;
    refuse((char[]){"--http.prot=1"}, "did you mean http.port");
    refuse((char[]){"--http.port=70000"}, "1..65535");
    refuse((char[]){"--http.port=a"}, "http.port");
    refuse((char[]){"--live=maybe"}, "neither true nor false");
    refuse((char[]){"--wait=5x"}, "unknown unit");
    refuse((char[]){"--zzzzzzzz=1"}, "--help");
    refuse((char[]){"word"}, "not an option");
    refuse((char[]){"--size"}, "needs a value");
}

static void test_file_errors_name_the_line(void **state)
{
    char *path = write_file("http: {\n port = \"abc\";\n};\n", 0600);
    char *argv[] = {(char[]){"prog"}, (char[]){"--config"}, path, NULL};
    struct target t = {0};
    struct wh_err err;

    (void)state;
    assert_int_equal(load(3, argv, NULL, &t, &err), WH_E_CONFIG);
    assert_non_null(strstr(err.msg, "line 2"));
    wh_conf_release(&program, &t);
    (void)unlink(path);
}

static void test_secret_files(void **state)
{
    struct wh_err err;
    char *secret = NULL;
    char *path;

    (void)state;
    path = write_file("s3cret\n", 0600);
    th_ok(wh_conf_secret_read(path, 100, &secret, &err), &err);
    assert_string_equal(secret, "s3cret");
    wh_mem_free(secret);
    th_ok(wh_conf_secret_read(path, 6, &secret, &err), &err);
    assert_string_equal(secret, "s3cret");
    wh_mem_free(secret);
    assert_int_equal(wh_conf_secret_read(path, 5, &secret, &err), WH_E_CONFIG);
    assert_int_equal(wh_conf_secret_read(path, 3, &secret, &err), WH_E_CONFIG);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(wh_conf_secret_read(path, 100, &secret, &err), WH_E_CONFIG);
    assert_non_null(strstr(err.msg, "chmod 600"));
    (void)unlink(path);
    path = write_file("\n", 0600);
    assert_int_equal(wh_conf_secret_read(path, 100, &secret, &err), WH_E_CONFIG);
    (void)unlink(path);
    assert_int_equal(wh_conf_secret_read("/nonexistent", 100, &secret, &err), WH_E_CONFIG);
}

enum { MAKERS = 12 };

/* Processes that start at once: one makes the file, nobody sees it empty or half. */
static void test_secret_is_made_once(void **state)
{
    char path[] = "/tmp/wh-secret-XXXXXX";
    pid_t makers[MAKERS];
    char *secret = NULL;
    struct wh_err err;

    (void)state;
    assert_non_null(mkdtemp(path));
    assert_int_equal(chdir(path), 0);
    for (int i = 0; i < MAKERS; i++) {
        makers[i] = fork();
        assert_true(makers[i] >= 0);
        if (makers[i] == 0) {
            char text[] = "a-secret-of-one-of-them-0";

            text[sizeof(text) - 2] = (char)('a' + i);
            _exit(wh_conf_secret_create("key", wh_slice_str(text), &err) == WH_OK &&
                          wh_conf_secret_read("key", 100, &secret, &err) == WH_OK &&
                          strlen(secret) == sizeof(text) - 1
                      ? 0
                      : 1);
        }
    }
    for (int i = 0; i < MAKERS; i++) {
        int status = 1;

        assert_int_equal(waitpid(makers[i], &status, 0), makers[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(unlink("key"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(path), 0); /* nothing else was left in it */
    assert_int_equal(wh_conf_secret_create("/nonexistent/key", WH_LIT("x"), &err), WH_E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_errors_name_the_key),
        cmocka_unit_test(test_file_errors_name_the_line),
        cmocka_unit_test(test_secret_files),
        cmocka_unit_test(test_secret_is_made_once),
    };

    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
