/* SPDX-License-Identifier: MIT */
/*
 * multitenant-names: what the name service says of users and groups, for all but the query program,
 * which asks it itself. A program of its own, because a name service may block for minutes.
 */
#include "deadline.h"
#include "lines.h"
#include "member_line.h"
#include "members.h"
#include "mt_limits.h"
#include "program.h"
#include "say.h"
#include "viewer.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define TEXT(number) #number
#define NUMBER(name) TEXT(name)

static const char help[] =
    "usage: multitenant-names [--publishers GROUPS] [--others] [--viewer] [--timeout SECONDS]\n"
    "\n"
    "Reads questions, UID NUL GROUP NUL each, up to the end of standard input, and prints\n"
    "what the name service says of each, one JSON object a line. A GROUP may be empty.\n"
    "\n"
    "  --publishers GROUPS   also say whether each user belongs to one of GROUPS (a,b)\n"
    "  --others              also say how many people besides the user each GROUP has\n"
    "  --viewer              first say which groups the user of this process has now\n"
    "  --timeout SECONDS     end within this time, 0.1 to 3600 (default 3), with what is known\n"
    "  --help, --version     this text; the program's version\n"
    "\n"
    "Exit codes: 0 fine, 64 usage, 65 input that is not questions, 71 internal, 74 input or\n"
    "output, 75 something is missing for lack of time. The last line is {\"end\":COUNT}.\n";

struct names_options {
    const char *publishers; /* NULL: not asked for */
    bool others;
    bool viewer;
};

static int take(void *into, int option, const char *value)
{
    struct names_options *options = into;
    if (option == 'v')
        options->viewer = true;
    else if (option == 'o')
        options->others = true;
    else if (*value == '\0' || strlen(value) > MT_NAME_MAX)
        return mt_usage("--publishers is not the name of a group");
    else
        options->publishers = value;
    return 0;
}

/* `group` borrows from the input; NULL: none is named. */
struct question {
    uid_t uid;
    const char *group;
};

struct questions {
    struct question *items;
    size_t count;
    struct mt_buf input;
};

/* What is wrong, or NULL. */
static const char *split(struct questions *questions)
{
    const char *at = questions->input.data;
    const char *end = at + questions->input.len;
    if (end[-1] != '\0')
        return "the last one is cut";
    for (; at < end; questions->count++) {
        const char *group = at + strlen(at) + 1;
        if (questions->count == MT_QUESTIONS_MAX)
            return "more than " NUMBER(MT_QUESTIONS_MAX);
        struct question *question = &questions->items[questions->count];
        if (group == end)
            return "the last one is cut";
        if (!mt_program_number(at, &question->uid))
            return "a uid is no number";
        if (strlen(group) > MT_NAME_MAX)
            return "a group's name is too long";
        question->group = *group ? group : NULL;
        at = group + strlen(group) + 1;
    }
    return NULL;
}

/* Reads standard input. They stay until the process ends. */
static int read_questions(struct questions *questions)
{
    *questions = (struct questions){.input = MT_BUF_INIT(MT_NAMES_INPUT_MAX)};
    int status = mt_input_read(&questions->input);
    if (status || questions->input.len == 0)
        return status;
    questions->items = calloc(MT_QUESTIONS_MAX, sizeof *questions->items);
    if (!questions->items)
        return mt_say_no_memory();
    const char *wrong = split(questions);
    if (wrong)
        mt_say(EX_DATAERR, "standard input is not questions of UID NUL GROUP NUL: %s", wrong);
    return wrong ? EX_DATAERR : 0;
}

static json_t *answer_line(uid_t uid, const struct mt_member_answer *answer,
                           const struct names_options *options)
{
    json_t *line = json_object();
    mt_line_add(&line, "uid", json_integer(uid));
    mt_line_add(&line, "user", mt_line_text(answer->user ? answer->user : "", NULL));
    mt_member_line_add(&line, answer, options->publishers != NULL);
    if (options->others)
        mt_line_add(&line, "others",
                    answer->others < 0 ? json_null() : json_integer(answer->others));
    return line;
}

/* Question 0 is the viewer's, where that is asked. *done: nothing is missing. */
static int write_all(struct mt_members *members, const struct questions *questions,
                     const struct names_options *options, bool *done)
{
    struct mt_member_answer answer;
    size_t first = options->viewer;
    int status = 0;
    json_t *viewer = NULL;
    if (options->viewer) {
        mt_members_answer(members, 0, &answer);
        viewer = mt_viewer_line(getuid(), &answer);
    }
    mt_deadline_step(&mt_step_output);
    *done = true;
    for (size_t i = 0; i < first + questions->count && status == 0; i++) {
        uid_t uid = i < first ? getuid() : questions->items[i - first].uid;
        mt_members_answer(members, i, &answer);
        *done &= answer.done;
        status = mt_line_write(i < first ? viewer : answer_line(uid, &answer, options));
    }
    return status ? status : mt_lines_end(questions->count);
}

static int answer_all(const struct questions *questions, const struct names_options *options)
{
    bool done;
    struct mt_members *members =
        mt_members_new(questions->count + 1, options->publishers, options->others);
    bool ok = members && (!options->viewer || mt_members_ask(members, getuid(), NULL, 0, true));
    for (size_t i = 0; ok && i < questions->count; i++) {
        const struct question *q = &questions->items[i];
        ok = mt_members_ask(members, q->uid, q->group, q->group ? strlen(q->group) : 0, true);
    }
    if (!ok)
        return mt_say_no_memory();
    mt_deadline_step(&mt_directory_step);
    bool finished = mt_members_run(members, mt_deadline_soft());
    int status = write_all(members, questions, options, &done);
    if (status == 0 && !(finished && done))
        status =
            mt_say(EX_TEMPFAIL, "%s in time; %s", mt_directory_step.late, mt_directory_step.fix);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"publishers", required_argument, NULL, 'p'},
        {"others", no_argument, NULL, 'o'},
        {"viewer", no_argument, NULL, 'v'},
        MT_OPTIONS_OF_ALL,
    };
    static const struct mt_program program = {
        .help = help, .options = known, .timeout = 3, .take = take};
    struct names_options options = {.publishers = NULL};
    struct questions questions;
    int status;

    if (!mt_program_begin(&program, argc, argv, &options, &status))
        return status;
    status = read_questions(&questions);
    if (status == 0)
        status = answer_all(&questions, &options);
    _exit(status); /* a look-up that hangs would keep exit() waiting; all is written */
}
