/* SPDX-License-Identifier: Apache-2.0 */
/* Log to stderr, one line a message: "prog: object: cause". */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Sets the program's name (not copied) that starts each line, and the level down to which
 * messages are written. The default is LOG_INFO. */
void log_open(const char *program, enum log_level level);

/* Writes one line, in one write(2), never blocking: a line that a full pipe does not take is
 * dropped and the number of dropped lines is told with the next one that passes. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_write(LOG_DEBUG, __VA_ARGS__)

#endif
