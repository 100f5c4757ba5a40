/* SPDX-License-Identifier: Apache-2.0 */
/* The log on stderr: each message is a line, "program: object: cause". */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Sets the name that starts each line, which is not copied, and the least important level that is
 * written. The default is LOG_INFO. */
void log_open(const char *program, enum log_level level);

/* Writes one line without blocking and does not change errno. A line that does not fit into a full
 * pipe is dropped; before the next line that fits, the number of dropped lines is logged. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Between log_limit(true) and log_limit(false) lines count against a limit: a peer that was not
 * admitted must not fill the log. Debug lines do not count: who asks for them wants all. LOG_BURST
 * lines are written at once, then one each LOG_INTERVAL_MS. The number of lines that were left out
 * is logged before the next line that is written. */
#define LOG_BURST	40
#define LOG_INTERVAL_MS 6000
void log_limit(bool on);

#define log_error(...)	 log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_write(LOG_DEBUG, __VA_ARGS__)

#endif
