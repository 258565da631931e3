/* SPDX-License-Identifier: MIT */
/* A job of a round, with what was decided about it. */
#pragma once

#include "card_id.h"
#include "digest.h"
#include "message.h"
#include "mt_limits.h"
#include "reason.h"
#include "record.h"
#include "status.h"

/* Room for a job id, `@`, a cluster name and a terminator. */
#define MT_SPEC_KEY_SIZE (12 + MT_NAME_MAX)

struct mt_service;

/* One job. All pointers but `service` are owned by it. */
struct mt_share {
    struct mt_record record;
    char *wckeys;              /* the key the job has, or, where unknown, may have: "a,b" */
    char *ood_cluster;         /* NULL: no OOD cluster stands for the job's */
    struct mt_message message; /* zeroed unless the envelope was opened; of what is refused for good
                                  a name at most */
    int64_t answered;          /* when Slurm said this of the job */
    size_t turn;               /* of those that count, how many older ones its publisher has */
    enum mt_reason opened;     /* what opening gave */
    enum mt_reason refused;    /* why nothing that may change lets the message in; ok: nothing is */
    enum mt_reason specs;
    enum mt_reason card; /* the same as `specs` where that is not ok */
    bool listed;         /* in MultiTenant.specs: ok, or temporary and listed before */
    bool wants_card;     /* listed, and its card is there or is to be there */
    bool current;        /* decided from this round's streams, not kept from the last round */
    const struct mt_service *service;      /* that it is a member of; NULL: it stands alone */
    unsigned char weight[MT_DIGEST_BYTES]; /* of a member, for this viewer: the largest is chosen */
    bool leaving;                          /* of a member: it is about to end */
    char card_id[MT_UUID_SIZE]; /* where listed: the session id, one made from it, or its service's
                                 */
    char key[MT_SPEC_KEY_SIZE]; /* JOBID, or JOBID@CLUSTER where another share has that id */
};

/*
 * Gives a share its own copies of texts; `ood` may be NULL.
 *
 * MT_OK
 * MT_NOMEM
 */
MT_NODISCARD MT_NONNULL(1, 2) enum mt_status
    mt_share_set_texts(struct mt_share *share, const char *wckeys, const char *ood);

/*
 * Whether this round says that the share's card is to be there. That of a service is, too, where
 * its member's cluster did not answer or the member could not be looked at: another one's may have
 * to give way to it.
 */
MT_CHECKED MT_PURE bool mt_share_is_due(const struct mt_share *share);

/* Where a job stands to a share, by job id and cluster: below, at or above 0. */
MT_CHECKED MT_PURE int mt_share_order(uint32_t job_id, const char *cluster,
                                      const struct mt_share *share);

/*
 * Whether the same run of the job still has the same name: a requeued job keeps the name, with a
 * host in it that it has left. A user who could not be learned does not count as another one.
 */
MT_CHECKED MT_PURE bool mt_share_is_same(const struct mt_record *now,
                                         const struct mt_record *before);

/* Frees what it owns. */
MT_NONNULL_ALL void mt_share_free(struct mt_share *share);
