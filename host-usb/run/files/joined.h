/* SPDX-License-Identifier: Apache-2.0 */
/* One tree of links for a kernel that was built with O=. */
#ifndef HOST_USB_RUN_FILES_JOINED_H
#define HOST_USB_RUN_FILES_JOINED_H

/* Makes the directory `tree`, which shows the headers in a kernel's build directory and in its
 * sources together, as links. All paths are absolute. Returns 0 or a negative errno; then a part
 * of the tree may exist. */
int joined_make(const char *tree, const char *build, const char *source);

#endif
