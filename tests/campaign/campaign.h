/* SPDX-License-Identifier: Apache-2.0 */
/* The fault campaign: random traffic on a board's lanes, and random faults.
 *
 * The seed alone determines what is done: fault N of a seed is always the same, and so is session N
 * of a lane. The moment when a fault hits depends on the machine. */
#ifndef TESTS_CAMPAIGN_CAMPAIGN_H
#define TESTS_CAMPAIGN_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CAMPAIGN_LANES 4 /* dummy_hcd has no endpoints for more */
#define SERIAL	       "campaign"
#define PID_FILE       "/run/campaign.pid.%u" /* of a lane: process and number of its session */
#define TRACE_FILE     "/run/campaign.trace.%u"
#define WHY_MAX	       400
#define SESSION_MS     60000 /* a longer session counts as hung; an emulated machine is slow */
#define STALL_MS       500   /* if the machine stalls for longer, a session may lose its lease */

/* What a session's process on the board does. The first line of its input says so: see child.c. */
enum mode {
	MODE_ECHO,    /* writes what it reads */
	MODE_GEN,     /* writes, reads nothing, and ends early */
	MODE_NOTES,   /* like MODE_GEN, and floods its stderr */
	MODE_BPFD,    /* bpfd with map, program and probe; the replies are known */
	MODE_RPC,     /* bpfd with the binary protocol; the replies are known */
	MODE_RING,    /* bpfd with a ring that fills; only the form of the replies is known */
	MODE_GARBAGE, /* bpfd, which gets lines that are no commands */
	MODE_NOMEM,   /* bpfd with little memory; only the form of the replies is known */
	MODE_NOFD,    /* bpfd with few descriptors; only the form of the replies is known */
	MODES
};

/* splitmix64: returns a seed derived from the seed a for the purpose b. */
uint64_t mix(uint64_t a, uint64_t b);
/* Returns a random number from 0 to limit - 1. */
uint64_t draw(uint64_t *state, uint64_t limit);

/* Writes the bytes of a stream from offset `at` on. */
void pattern(uint64_t key, uint64_t at, uint8_t *data, size_t len);

/* Reports that something is wrong; the campaign goes on. */
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned int violations(void);

uint64_t now_ms(void);
void nap(unsigned int ms);

/* --- script.c: requests to bpfd and the right replies */
enum script_kind { SCRIPT_TEXT, SCRIPT_RING, SCRIPT_RPC, SCRIPTS };
struct script {
	char *text; /* for stdin */
	size_t len;
	const struct reply **replies; /* in order */
	size_t count;
};
struct reply {
	char *text;
	size_t len;
};
/* Learns the right replies by running `bpfd` on a pipe. `file` has the text commands; it is NULL
 * for the binary protocol. Returns 0 or -1. */
int script_learn(enum script_kind kind, const char *bpfd, const char *file);
void script_make(struct script *script, enum script_kind kind, const char *head, uint64_t seed,
	unsigned int requests);
void script_free(struct script *script);

/* --- session.c: runs bpfd-usb, feeds it and reads it */
enum taint {
	TAINT_LOST = 1,	    /* bpfd-usb may exit with status 255 */
	TAINT_KILLED = 2,   /* the signal that it was sent may kill it */
	TAINT_CORE = 4,	    /* it may exit with status 128 + 9 */
	TAINT_LIMITED = 16, /* its process may fail in any way, but status 0 means success */
	TAINT_CLOSED = 8,   /* the rest of its output is not read */
};

struct session {
	unsigned int lane;
	uint64_t number; /* counts the sessions of this lane */
	enum mode mode;
	pid_t pid; /* of bpfd-usb; 0: no session */
	int in, out, err;
	uint64_t key, in_total, out_total, sent, received;
	uint8_t code;
	unsigned int lease_s, hold_ms; /* how long its input stays open */
	unsigned int rest_ms;	       /* how long the lane rests after it */
	struct script script;
	size_t reply, reply_at; /* the reply that arrives, and the offset in it */
	unsigned int taint;
	int signal;
	uint64_t started_ms, input_done_ms, out_pause_ms, ended_ms, since;
	bool err_unread, err_full, trace;
	char tail[WHY_MAX]; /* the end of its stderr */
	size_t tail_len;
	uint8_t loose[64]; /* an incomplete line */
	size_t loose_len;
	uint64_t record; /* the number of the ring's last record, plus one */
	uint64_t loose_replies, replies_due;
	bool loose_open;
};

struct sessions {
	struct session lanes[CAMPAIGN_LANES];
	unsigned int count;
	uint64_t seed, era;	       /* an era begins when a fault is over */
	bool starting;		       /* a lane without a session gets one */
	unsigned int short_lane;       /* the driver waits for this lane; CAMPAIGN_LANES for none */
	int want_mode[CAMPAIGN_LANES]; /* of the next session; -1: any */
	uint64_t numbers[CAMPAIGN_LANES], good[CAMPAIGN_LANES]; /* era of the last clean session */
	uint64_t done, done_well, lost, stalls, bytes, by_mode[MODES];
	unsigned int taint_new; /* of new sessions */
	bool trace;		/* sessions trace their frames */
	uint64_t slowest_ms;
	char slowest[WHY_MAX + 300];
};

void sessions_init(struct sessions *all, uint64_t seed);
/* Runs the sessions for ms milliseconds, or until `until` returns true; then returns true. */
bool sessions_run(struct sessions *all, unsigned int ms, bool (*until)(void *arg), void *arg);
void sessions_taint(struct sessions *all, unsigned int taint);
bool sessions_idle(const struct sessions *all);
void session_kill_all(struct sessions *all);
/* Returns the pid of the session's process on the board, or 0 if it is not known yet. */
pid_t session_child(const struct session *s);

/* --- traffic.c: what a session sends and must receive */
void traffic_plan(struct session *s, uint64_t seed, int want, bool is_short);
/* Writes the input from offset s->sent on to `data`. Returns the number of bytes. */
size_t traffic_input(const struct session *s, uint8_t *data, size_t len);
/* Checks bytes of output. Returns NULL or a description of the error. */
const char *traffic_check(struct session *s, const uint8_t *data, size_t len);
/* Checks the end of a session, a status of waitpid. Returns NULL or a description of the error. */
const char *traffic_verdict(const struct session *s, int status);
/* Returns the number of ring records that have arrived in all sessions. */
uint64_t traffic_records(void);
const char *mode_name(enum mode mode);

/* --- board.c: the daemon, its gadget, and the host's side of the bus */
struct board {
	const char *build;
	pid_t daemon;
	unsigned int lanes;
	int log; /* pipe from the daemon's stderr, -1 for none */
	bool log_unread;
	char tail[4096];
	size_t tail_len;
};
int board_start(struct board *b, unsigned int lanes, bool full_disk);
/* Sends SIGTERM. Returns the status of waitpid, or -1 if the daemon does not end. */
int board_stop(struct board *b);
void board_kill(struct board *b);
pid_t board_worker(const struct board *b);
bool board_alive(struct board *b);
void board_read_log(struct board *b);
void board_fill_log(struct board *b);
bool board_ready(void *board);
/* Finds the device's directory in sysfs. */
bool board_device(char *dir, size_t size);
int put(const char *dir, const char *name, const char *text);
bool get(const char *dir, const char *name, char *text, size_t size);
/* Returns the number of entries of a directory, without hidden ones. */
unsigned int count_files(const char *path);

/* --- invariants.c: checks for leftovers and growth */
void invariants_init(void);
/* Checks that no dead process owns a probe and that the kernel has logged no error; at any time. */
void invariants_watch(void);
/* Checks the board while no session is open. */
void invariants_idle(struct sessions *all, struct board *b);
/* Checks the board while no daemon runs. */
void invariants_stopped(void);
void invariants_report(void);

/* --- faults.c */
struct plan {
	unsigned int kind, lane, delay_ms, hold_ms;
	uint64_t number;
	bool rush; /* the next fault follows without a check */
};
struct campaign {
	uint64_t seed;
	struct sessions sessions;
	struct board board;
};
enum {
	ON_LANE = 1,	 /* needs an untainted session */
	NEEDS_CHILD = 2, /* needs the session's process on the board */
	ENDS = 4,	 /* ends a process of the daemon */
};
struct kind {
	const char *name;
	unsigned int weight;
	/* Causes the fault and undoes it. `s` is the session that is hit, with ON_LANE. */
	void (*inject)(struct campaign *c, const struct plan *plan, struct session *s);
	unsigned int flags;
};
extern const struct kind kinds[];
extern const unsigned int kind_count;
struct plan plan_fault(uint64_t seed, uint64_t number);
/* Kills the daemon and starts a new one with another number of lanes. */
void campaign_restart(struct campaign *c, uint64_t number, bool full_disk);

/* --- child.c: the process of a session on the board */
int child_main(const char *build);

#endif
