/* SPDX-License-Identifier: MIT */
#include "share.h"

#include <stdlib.h>
#include <string.h>

enum mt_status mt_share_set_texts(struct mt_share *share, const char *wckeys, const char *ood)
{
    share->wckeys = strdup(wckeys);
    share->ood_cluster = ood ? strdup(ood) : NULL;
    return share->wckeys && (share->ood_cluster || !ood) ? MT_OK : MT_NOMEM;
}

bool mt_share_is_due(const struct mt_share *share)
{
    bool decided = share->current && share->card == MT_REASON_ok;
    return share->wants_card && (decided || share->service);
}

int mt_share_order(uint32_t job_id, const char *cluster, const struct mt_share *share)
{
    int order = MT_ORDER(job_id, share->record.job_id);
    return order ? order : strcmp(cluster, share->record.cluster);
}

bool mt_share_is_same(const struct mt_record *now, const struct mt_record *before)
{
    return now->uid == before->uid && now->restarts == before->restarts &&
           (!*now->user || strcmp(now->user, before->user) == 0) &&
           now->name_len == before->name_len && memcmp(now->name, before->name, now->name_len) == 0;
}

void mt_share_free(struct mt_share *share)
{
    mt_record_free(&share->record);
    mt_message_free(&share->message);
    free(share->wckeys);
    free(share->ood_cluster);
}
