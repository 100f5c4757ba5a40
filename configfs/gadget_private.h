/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a gadget, which gadget.c makes and removes and bind.c binds. */
#ifndef CONFIGFS_GADGET_PRIVATE_H
#define CONFIGFS_GADGET_PRIVATE_H

#include "configfs/gadget.h"
#include "configfs/join.h"
#include "core/link/link.h"

struct gadget {
	struct gadget_options options;
	char dir[PATH_MAX];
	char udc_file[PATH_MAX];
	char udc[UDC_NAME_SIZE];
	int udc_fd;	  /* of udc_open(), -1: none */
	struct join join; /* of a joined gadget; only `config` is set for a gadget of our own */
	bool linked;	  /* the lanes are in the configuration */
	bool unbound;	  /* by us, or when the previous daemon was killed; not by the owner */
	bool waits;	  /* for the program of another function, which was logged */
	char *ffs_paths[LANES_MAX];
	unsigned int lanes; /* that are mounted and have a path */
	int lock;	    /* of lock_take() */
};

#endif
