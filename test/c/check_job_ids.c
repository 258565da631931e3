/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: job_ids, with what libslurm does with it in the test's hand, and libslurm for its lists.
 */
#include "job_ids.h"

#include "helpers.h"

#include <string.h>

/* The beginning of libslurm's request for jobs. */
struct request {
    time_t last_update;
    uint16_t show_flags;
    mt_slurm_list job_ids;
};

int slurm_send_recv_controller_msg(void *message, void *answer, slurmdb_cluster_rec_t *cluster);

/* How many questions were sent, and how many ids were in the last one; -1: no list. */
static int sent;
static int ids_sent;

static const struct request *the_request;

static int carry(void *message, void *answer, slurmdb_cluster_rec_t *cluster)
{
    (void)message;
    (void)answer;
    (void)cluster;
    sent++;
    ids_sent = the_request->job_ids ? slurm_list_count(the_request->job_ids) : -1;
    return SLURM_SUCCESS;
}

void *__wrap_dlsym(void *handle, const char *name)
{
    (void)handle;
    ck_assert_str_eq(name, "slurm_send_recv_controller_msg");
    return (void *)carry;
}

/* What a test makes of libslurm's request and message. */
enum { AS_IT_IS, OTHER_TIME, OTHER_FLAGS, WITH_IDS, ODD_ADDRESS, ABOVE, BELOW, NONE };
static int made;

static void *where(struct request *request, char *message)
{
    switch (made) {
    case ODD_ADDRESS:
        return (char *)request + 1;
    case ABOVE:
        return message + 8192;
    case BELOW:
        return (void *)1024;
    case NONE:
        return NULL;
    default:
        return request;
    }
}

int __wrap_slurm_load_jobs(time_t since, job_info_msg_t **answer, uint16_t flags)
{
    _Alignas(max_align_t) char message[512] = {0};
    char some_list;
    struct request request = {.last_update = since + (made == OTHER_TIME),
                              .show_flags = (uint16_t)(flags + (made == OTHER_FLAGS)),
                              .job_ids = made == WITH_IDS ? (void *)&some_list : NULL};
    void *at = where(&request, message);
    memcpy(message + 200, &at, sizeof at);
    the_request = &request;
    *answer = NULL;
    return slurm_send_recv_controller_msg(message, NULL, NULL);
}

static void setup(void)
{
    made = AS_IT_IS;
}

static int load(size_t count)
{
    uint32_t ids[] = {1, 2, 3};
    job_info_msg_t *answer;
    sent = 0;
    errno = 0;
    return mt_job_ids_load(&answer, ids, count);
}

START_TEST(test_ids_are_sent_with_the_request)
{
    ck_assert_int_eq(load(3), SLURM_SUCCESS);
    ck_assert_int_eq(sent, 1);
    ck_assert_int_eq(ids_sent, 3);
}
END_TEST

/* Without its ids it would ask for all jobs of the cluster. */
START_TEST(test_a_request_that_is_not_known_is_not_sent)
{
    made = _i;
    ck_assert_int_eq(load(3), SLURM_ERROR);
    ck_assert_int_eq(errno, MT_HELD_BACK);
    ck_assert_int_eq(sent, 0);
}
END_TEST

START_TEST(test_one_question_is_held_back_and_no_other)
{
    struct request request = {.job_ids = NULL};
    char message[512] = {0};
    the_request = &request;
    sent = 0;
    mt_job_ids_hold_back();
    ck_assert_int_eq(slurm_send_recv_controller_msg(message, NULL, NULL), SLURM_ERROR);
    ck_assert_int_eq(errno, MT_HELD_BACK);
    ck_assert_int_eq(sent, 0);
    ck_assert_int_eq(slurm_send_recv_controller_msg(message, NULL, NULL), SLURM_SUCCESS);
    ck_assert_int_eq(sent, 1);
    ck_assert_int_eq(ids_sent, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_ids");
    TCase *tests = add_case(suite, "job_ids");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, test_ids_are_sent_with_the_request);
    tcase_add_loop_test(tests, test_a_request_that_is_not_known_is_not_sent, OTHER_TIME, NONE + 1);
    tcase_add_test(tests, test_one_question_is_held_back_and_no_other);
    return run_suite(suite);
}
