/* forms.h - the forms of schemas/questions.json as structs; questions.h says what they mean. */
#ifndef WH_SINK_QUESTIONS_FORMS_H
#define WH_SINK_QUESTIONS_FORMS_H

#include "stages/sink/measures/measures.h"
#include "stages/sink/questions/questions.h"

/* Patterns of ask/words.h; one of them fits. */
struct form_words {
    const char *const *list;
    size_t n;
};

enum form_takes {
    TAKES_NOTHING,
    TAKES_PERSON,
    TAKES_PROJECT,
    TAKES_SERVICE,
    TAKES_CUSTOMER,
    TAKES_TEXT,
    TAKES_DURATION
};

enum { FORM_ENTITIES = 4 }; /* of form_takes that name entities: TAKES_PERSON and the next ones */

struct form_filter {
    const char *id;
    struct form_words words;
    struct form_words not_words; /* that say the opposite */
    /* SQL; %s: the value, %m: its name, %n: now, %t(COLUMN): the column is in the question's time. NULL: the filter only
     * says which time or person is meant. */
    const char *where;
    const char *where_not;
    const char *say;
    const char *say_not;
    const char *set; /* positive filters of one set are joined with OR */
    /* The column that a time of the question is about; "": a %t of where. */
    const char *time;
    const char *time_say;
    const char *who; /* the group that "who" asks for beside this filter */
    /* The filter that it stands for when it says neither a time nor a person: "opened issues". */
    const char *otherwise;
    const char *did;     /* the filter that it is behind "did": "how many did Dana open" */
    const char *rate;    /* the measure that "what share" asks for */
    const char *long_of; /* the measure that "longest" is about beside it */
    /* COLUMN or TABLE.COLUMN: a word that is one of its values is the filter's. */
    const char *values;
    enum form_takes takes;
    bool is_default; /* a name without words around it is this filter's */
};

struct form_group {
    const char *id;
    struct form_words words;
    const char *by;
    const char *key;  /* tells groups apart; NULL: by does */
    const char *list; /* a column that is a JSON array: a row counts for each of its elements */
    enum form_takes names; /* the kind that the group's words announce: "the project X" */
};

struct form_measure {
    const char *id;
    struct form_words words;
    const char *value;
    const char *unit; /* "s", "%", "money" or NULL */
    const char *where;
    const char *say;
    const char *time;
    const char *time_say;
    bool own;     /* value is an aggregate */
    bool is_long; /* what "longest" is about */
    bool is_big;
    bool adds; /* no element is counted twice in the sum over all rows */
};

struct form_example {
    const char *id; /* list, count, ranking, or a measure */
    const char *example;
};

struct form_subject {
    const char *id;
    const char *one;
    const char *many;
    struct form_words words;
    struct form_words verbs; /* that name the subject without being its name: "what was merged" */
    const char *table;       /* NULL: the rows of measure */
    const struct measure *measure;
    const struct form_measure *implicit; /* what is asked when nothing says so */
    const char *period;                  /* in which it is grouped when nothing else says so */
    const char *split;                   /* a column: sums of its values are never added */
    bool after_incidents;                /* a question that ask/ understands is one for ask/ */
    const char *where;
    struct form_words columns;
    const char *time;
    const char *time_say;
    const char *who;  /* the group that "who" asks for */
    const char *rank; /* the group of "which one ... most" */
    struct form_words streams;
    const struct form_filter *filters;
    size_t n_filters;
    const struct form_group *groups;
    size_t n_groups;
    const struct form_measure *measures;
    size_t n_measures;
    const struct form_example *forms;
    size_t n_forms;
};

enum form_ask { ASK_FOR_COUNT, ASK_FOR_LIST, ASK_FOR_WHO, ASK_FOR_HOW_LONG, ASK_FOR_SHARE, ASKS };
enum form_aggregate {
    AGGREGATE_NONE,
    AGGREGATE_AVERAGE,
    AGGREGATE_MEDIAN,
    AGGREGATE_P90,
    AGGREGATE_SUM,
    AGGREGATES
};
enum form_order {
    ORDER_NONE,
    ORDER_MOST,
    ORDER_FEWEST,
    ORDER_LONGEST,
    ORDER_SHORTEST,
    ORDER_NEWEST,
    ORDER_OLDEST,
    ORDERS
};
enum { PERIODS = 5 };

struct questions {
    struct wh_json_parser *parser; /* keeps the texts */
    struct wh_arena arena;
    struct measures *counted;
    int64_t version;
    struct form_words ask[ASKS];
    struct form_words aggregates[AGGREGATES];
    struct form_words orders[ORDERS];
    struct form_words periods[PERIODS];
    struct form_words by;
    struct form_words negation;
    struct form_words alternative;
    struct form_words filler;
    const struct form_subject *subjects;
    size_t n_subjects;
    const char **vocabulary; /* all words of all patterns, each once, sorted */
    size_t n_vocabulary;
};

extern const char *const form_periods[PERIODS]; /* "day", "week", ... */
extern const char *const form_takes_names[];    /* "person", ... by form_takes */

/* By their ids; NULL: there is none. */
const struct form_group *form_group_of(const struct form_subject *s, const char *id);
const struct form_filter *form_filter_of(const struct form_subject *s, const char *id);
const struct form_measure *form_measure_of(const struct form_subject *s, const char *id);
const struct form_subject *form_subject_of(const struct questions *q, const char *id);

/* Collects all words of the forms; called once. */
WH_MUST_CHECK enum wh_rc forms_vocabulary(struct questions *q, struct wh_err *err);
/* Is the word one of any pattern of the forms? */
bool forms_know(const struct questions *q, const char *word);
/* The only word of the forms that is one edit away (a letter more, less or other, or two exchanged); NULL: none, or
 * several. */
const char *forms_correct(const struct questions *q, const char *word);

#endif
