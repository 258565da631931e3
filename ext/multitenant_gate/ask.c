/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include "buf.h"
#include "directory.h"
#include "token.h"

#include <munge.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

size_t ask_munge(const void *question, void *answer)
{
    const struct munge_question *asked = question;
    struct credential *said = answer;
    void *payload = NULL;
    int len = 0;
    gid_t gid;
    munge_ctx_t ctx = munge_ctx_create();
    if (!ctx ||
        (asked->socket && munge_ctx_set(ctx, MUNGE_OPT_SOCKET, asked->socket) != EMUNGE_SUCCESS))
        return 0;
    *said = (struct credential){.len = SIZE_MAX};
    said->status = (int)munge_decode(asked->credential, ctx, &payload, &len, &said->uid, &gid);
    if (munge_ctx_get(ctx, MUNGE_OPT_UID_RESTRICTION, &said->uid_only) != EMUNGE_SUCCESS ||
        munge_ctx_get(ctx, MUNGE_OPT_TTL, &said->ttl) != EMUNGE_SUCCESS ||
        munge_ctx_get(ctx, MUNGE_OPT_CIPHER_TYPE, &said->cipher) != EMUNGE_SUCCESS)
        return 0;
    if (payload && len >= 0 && (size_t)len <= sizeof said->payload) {
        memcpy(said->payload, payload, (size_t)len);
        said->len = (size_t)len;
    }
    return sizeof *said;
}

size_t ask_names(const void *question, void *answer)
{
    const struct name_question *asked = question;
    struct look_up *said = answer;
    struct mt_user user;
    struct mt_group group;
    *said = (struct look_up){.user = mt_user_find(&user, asked->uid)};
    said->group = mt_group_find(&group, asked->group);
    if (said->user == MT_YES) {
        int len = snprintf(said->name, sizeof said->name, "%s", user.name);
        if (len < 0 || (size_t)len >= sizeof said->name)
            said->user = MT_UNKNOWN;
        else if (said->group == MT_YES)
            said->in_group = mt_user_in_group(&user, &group);
    }
    return sizeof *said;
}

/* A file in memory that holds the line. */
static int file_of(const char *line)
{
    int fd = memfd_create("account", MFD_CLOEXEC);
    if (fd >= 0 && mt_write_all(fd, line, strlen(line)) == MT_OK && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    return -1;
}

size_t ask_account(const void *question, void *answer)
{
    const struct account_question *asked = question;
    int status;
    int input = file_of(asked->line);
    const pid_t parent = getpid();
    const pid_t pid = input < 0 ? -1 : fork();
    if (pid == 0) {
        if (child_begin(parent, SIGKILL) && dup2(input, STDIN_FILENO) == STDIN_FILENO &&
            dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO)
            (void)execv(asked->argv[0], asked->argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return 0;
    *(char *)answer = 1;
    return 1;
}
