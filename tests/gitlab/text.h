/*
 * text.h - the deterministic texts of generated objects: everything follows from a seed, so that a
 * row holds numbers alone and its words are made when it is rendered. All texts are valid inside
 * JSON quotes as they are.
 */
#ifndef GL_TEXT_H
#define GL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

/* A well-mixed function of its argument: the only source of chance in here. */
static inline uint64_t gl_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

enum { GL_TITLE_MAX = 160, GL_LABELS = 14, GL_BRANCH_MAX = 96 };

struct gl_text;
/* NULL: no memory. */
struct gl_text *gl_text_new(uint64_t seed);
void gl_text_free(struct gl_text *text);
/* Several paragraphs of Markdown, escaped for JSON; borrowed from text. */
struct wh_slice gl_text_body(const struct gl_text *text, uint64_t seed, unsigned paragraphs);
/* rev changes the words' tail, so that an edit shows. */
struct wh_slice gl_title(char to[GL_TITLE_MAX], uint64_t seed, uint32_t rev);
/* "Grace Okafor" and "grace.okafor17"; n makes the user name unique. */
struct wh_slice gl_person(char to[GL_TITLE_MAX], uint64_t seed);
struct wh_slice gl_username(char to[GL_TITLE_MAX], uint64_t seed, size_t n);
struct wh_slice gl_project_name(char to[GL_TITLE_MAX], size_t n);
struct wh_slice gl_branch(char to[GL_BRANCH_MAX], uint64_t seed, int64_t iid);
struct wh_slice gl_label(unsigned n);

#endif
