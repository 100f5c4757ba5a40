/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the gadget share: gadget.c makes and removes it, bind.c binds it. */
#ifndef CONFIGFS_GADGET_PRIVATE_H
#define CONFIGFS_GADGET_PRIVATE_H

#include "configfs/gadget.h"
#include "configfs/join.h"

struct gadget {
	struct gadget_options options;
	char dir[PATH_MAX];
	char udc_file[PATH_MAX];
	char udc[UDC_NAME_SIZE];
	struct join join; /* of a gadget that is joined; `config` of any */
	bool linked;	  /* the lanes are in the configuration */
	bool unbound;	  /* it was bound, and has been unbound here, not by somebody else */
	char *ffs_paths[GADGET_LANES_MAX];
	unsigned int lanes; /* with a path, mounted */
	int lock;
};

#endif
