#ifndef PRIVSEP_LINK_LOOK_H
#define PRIVSEP_LINK_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "privsep/link.h"

/*
 * Looks at one link: where it is now, and in which state.  While this runs,
 * messages about that link may come in on the socket told: who reads them
 * changes *found by them, and sets moved where the link was moved or deleted.
 */
struct nlsock;

struct link_look {
	struct nlsock *told;	  /* questions about the link */
	struct nlsock *asked;	  /* questions about namespaces */
	int home;		  /* our namespace, -1 where it cannot be had */
	struct link_state *found; /* in: as it was; out: as it is */
	bool moved;		  /* meanwhile: ask again */
	bool lost;		  /* out: messages about any link were lost */
};

enum link_found {
	LINK_FOUND,
	LINK_FOUND_GONE,   /* deleted; *found is not up to date */
	LINK_FOUND_UNSURE, /* alive, in a place where we may not ask */
	LINK_FOUND_AGAIN,  /* it changed faster than we asked */
};

/* tun_fd: of the link, or -1. */
enum link_found link_look(struct link_look *, int tun_fd);

#endif
