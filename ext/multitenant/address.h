/* SPDX-License-Identifier: MIT */
/*
 * The address outside Open OnDemand that a publisher asks the site's proxy for: the last word of a
 * job name's label, mt:SERVICE:KIND:PORT. It is public, and it is the publisher's word alone: whose
 * the service is, with which group it is shared and where it runs, Slurm says.
 */
#pragma once

#include "attr.h"
#include "buf.h"
#include "mt_limits.h"
#include "reason.h"

/* What listens there, which is how a proxy asks whether it works. */
#define MT_ADDRESS_KINDS(X) X(openai) X(ollama) X(llamacpp) X(vllm) X(web) X(tcp)

struct mt_address {
    char service[MT_SERVICE_MAX + 1];
    const char *kind;                     /* static */
    char check[MT_ADDRESS_CHECK_MAX + 1]; /* of `web`: the path that is asked for, or empty */
    uint32_t port;
    bool open; /* neither gateway nor key is in front of it */
};

/*
 * Reads a label of `len` bytes. KIND is one of the above, of `web` also web/PATH, and open- may
 * stand before it. *out is zeroed unless this is ok or port_not_allowed.
 *
 * ok
 * no_address: the last word does not begin with mt:
 * bad_address
 * port_not_allowed: below MT_GATE_MIN, or one that users' programs don't have (address.c)
 */
MT_CHECKED enum mt_reason mt_address_read(const char *label, size_t len, struct mt_address *out);

/*
 * Appends a template with {user}, {service} and {group} filled in, each percent-encoded but for
 * A-Z a-z 0-9 . _ -, so that a component of a path stays one.
 *
 * MT_OK
 * MT_TOO_LARGE, MT_NOMEM: as mt_buf_append
 */
MT_CHECKED enum mt_status mt_address_fill(const char *form, const char *user, const char *service,
                                          const char *group, size_t group_len, struct mt_buf *out);

/* Where a proxy has the service, as such a template. */
#define MT_ADDRESS_PATH "{user}/{service}@{group}"
