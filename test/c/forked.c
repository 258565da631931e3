/* SPDX-License-Identifier: MIT */
#include "forked.h"

#include <check.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_back(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

struct forked run_forked(int (*body)(void *argument), void *argument, const char *input, size_t len)
{
    struct forked result = {.status = 0};
    int status;
    FILE *files[] = {tmpfile(), tmpfile(), tmpfile()};
    ck_assert(files[0] && files[1] && files[2]);
    ck_assert_uint_eq(fwrite(input, 1, len, files[0]), len);
    rewind(files[0]);
    (void)fflush(NULL); /* what is buffered is the parent's alone */
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        for (int fd = 0; fd < 3; fd++)
            dup2(fileno(files[fd]), fd);
        _exit(body(argument));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    read_back(files[1], result.out, sizeof result.out);
    read_back(files[2], result.err, sizeof result.err);
    (void)fclose(files[0]);
    return result;
}
