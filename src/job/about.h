/* What each program says about itself beside its keys; help and manual pages are written from it. */
#ifndef STAC_JOB_ABOUT_H
#define STAC_JOB_ABOUT_H

#include "job/job.h"

/* Something and what it is; tables of these end with {NULL, NULL}. */
struct stac_term {
    const char *term, *text;
};

struct stac_about {
    const char *name;
    const char *synopsis; /* behind the name */
    bool parallel;        /* usually started by mpirun */
    const char *purpose;  /* for the line NAME of a manual page */
    const char *text;     /* paragraphs, separated by empty lines: the first one is that of the help */
    const struct stac_term *files, *examples;
};
const struct stac_about *stac_about(enum stac_program program);

extern const struct stac_term stac_about_flags[];       /* that are no keys */
extern const struct stac_term stac_about_exits[];       /* exit codes */
extern const struct stac_term stac_about_environment[]; /* variables */
extern const char stac_about_precedence[];

/* What a value may be: "1 to 64 steps", "full|simplified", "true or false", "any of 1 to 64 steps". */
struct stac_key;
void stac_about_values(const struct stac_key *key, char *out, size_t size);

#endif
