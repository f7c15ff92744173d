/* Runs a fuzz target over the files of a folder: the corpus as a test, without libFuzzer. */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX_BYTES = 32 << 20, PATH_MAX_BYTES = 4096 };

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *bytes = malloc(FILE_MAX_BYTES);
    size_t n;

    if (f == NULL || bytes == NULL) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    n = fread(bytes, 1, FILE_MAX_BYTES, f);
    (void)fclose(f);
    /* Exactly as many bytes as the file has, so that a read past them is seen by ASan. */
    {
        uint8_t *exact = malloc(n ? n : 1);

        if (exact == NULL) {
            return 1;
        }
        memcpy(exact, bytes, n);
        (void)LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int n = 0;

    if (dir == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    while ((entry = readdir(dir)) != NULL) {
        char path[PATH_MAX_BYTES];

        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (run_file(path) != 0) {
            return 1;
        }
        n++;
    }
    (void)closedir(dir);
    (void)printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
