/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: poll. */
#include "helpers.h"
#include "slurm_compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* As libc's. */
START_TEST(test_what_is_no_socket)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct pollfd fds[] = {{.fd = ends[0], .events = POLLIN},
                           {.fd = ends[1], .events = POLLOUT},
                           {.fd = -1, .events = POLLIN | POLLOUT}};
    errno = EAGAIN;
    ck_assert_int_eq(poll(fds, COUNT_OF(fds), -1), 1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(fds[0].revents, 0);
    ck_assert_int_eq(fds[1].revents, POLLOUT);
    ck_assert_int_eq(fds[2].revents, 0);
    ck_assert_int_eq(poll(fds, 1, 1), 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

#ifdef MT_SLURM_DELAYS_ANSWERS

/* Two ends of a connection on this host. */
static void connect_both(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(ends[0], (struct sockaddr *)&address, size), 0);
    ends[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(ends[1], 0);
    close(listening);
}

static bool is_on(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, option, &value, &size), 0);
    return value != 0;
}

static void turn_off(int fd, int option)
{
    const int off = 0;
    ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, option, &off, sizeof off), 0);
}

START_TEST(test_who_writes_does_not_wait_for_an_acknowledgement)
{
    int ends[2];
    connect_both(ends);
    turn_off(ends[0], TCP_QUICKACK);
    struct pollfd fd = {.fd = ends[0], .events = POLLOUT};
    ck_assert_int_eq(poll(&fd, 1, 1000), 1);
    ck_assert(is_on(ends[0], TCP_NODELAY));
    ck_assert(!is_on(ends[0], TCP_QUICKACK));
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(test_who_reads_acknowledges_at_once)
{
    int ends[2];
    connect_both(ends);
    turn_off(ends[0], TCP_QUICKACK);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    ck_assert(is_on(ends[0], TCP_QUICKACK));
    ck_assert(!is_on(ends[0], TCP_NODELAY));
    close(ends[0]);
    close(ends[1]);
}
END_TEST

#endif

int main(void)
{
    Suite *suite = suite_create("poll");
    TCase *tests = add_case(suite, "poll");
    tcase_add_test(tests, test_what_is_no_socket);
#ifdef MT_SLURM_DELAYS_ANSWERS
    tcase_add_test(tests, test_who_writes_does_not_wait_for_an_acknowledgement);
    tcase_add_test(tests, test_who_reads_acknowledges_at_once);
#endif
    return run_suite(suite);
}
