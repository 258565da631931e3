/* SPDX-License-Identifier: MIT */
/* A request as nginx passes it on by SCGI: a netstring of names and values, then the body. */
#pragma once

#include "attr.h"

/* Texts borrow from the bytes, and are "" where there is none. */
struct scgi_request {
    const char *method;
    const char *path;
    const char *content_type;
    const char *addr; /* of the client, */
    const char *port;
    const char *host;          /* and of this service as the client calls it */
    const char *token;         /* X-MultiTenant-Token */
    const char *authorization; /* and the two other places for a token */
    const char *cookie;
    const char *user;  /* X-Forwarded-User, of Open OnDemand's proxy */
    const char *proto; /* X-Forwarded-Proto */
    const char *site;  /* Sec-Fetch-Site, */
    const char *mode;  /* Sec-Fetch-Mode, */
    const char *dest;  /* Sec-Fetch-Dest */
    size_t body;       /* where it begins, and its length */
    size_t body_len;
};

enum scgi_state {
    SCGI_MORE,  /* it goes on */
    SCGI_WHOLE, /* *out is set */
    SCGI_BAD    /* no request, one that is too large, or one with two values of a name above */
};

/* Reads what has come so far. */
MT_CHECKED enum scgi_state scgi_read(const char *bytes, size_t len, struct scgi_request *out);
