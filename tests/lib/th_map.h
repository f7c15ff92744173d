/*
 * th_map.h - mapping one payload in a test: what came out as JSON.
 *
 *   {"rc":"ok","err":"","outcome":"mapped",
 *    "observations":[{"kind","id","system","source_kind","source_id","project","iid","url","order","at",
 *                     "change","reason","view","fields":{...}}],
 *    "rereads":[{"kind","project","id","reason"}]}
 */
#ifndef TH_MAP_H
#define TH_MAP_H

#include "common/json/json_doc.h"
#include "stages/mapper/view/view.h"

#define TH_MAP_INSTANCE "https://gitlab.example.com"
#define TH_MAP_OBSERVED INT64_C(1700000000123)

struct th_map;

/* With the built-in views; views NULL for those, else its own (kept, not freed). */
struct th_map *th_map_new(struct mapper_views *views);
void th_map_free(struct th_map *map);
/* Maps; every observation is also encoded, decoded and compared. The value lives until the next
 * call. */
struct wh_json_val th_map(struct th_map *map, enum wh_origin origin, const char *kind,
                          const char *project, const char *object_id, struct wh_slice payload);
/* fn gets each observation as it goes to Kafka, framed; valid during the call. */
void th_map_on_encoded(struct th_map *map, void (*fn)(void *ctx, struct wh_slice bytes), void *ctx);
/* Of the last call. */
const char *th_map_text(const struct th_map *map);

/* Member by path "a.b.2"; fails the test when it is not there. */
struct wh_json_val th_json(struct wh_json_val v, const char *path);
/* False when it is not there. */
bool th_json_has(struct wh_json_val v, const char *path);
/* Deep equality, numbers by value. */
bool th_json_eq(struct wh_json_val a, struct wh_json_val b);

/* Whole file; wh_mem_free. Fails the test when it cannot be read. */
char *th_file_read(const char *path, size_t *ret_len);
/* The column of a CSV file (RFC 4180) as texts, without the heading; *ret_n of them. */
char **th_csv_column(const char *path, const char *column, size_t *ret_n);
void th_csv_free(char **cells, size_t n);

#endif
