/* SPDX-License-Identifier: Apache-2.0 */
/* The fault campaign: random traffic on the lanes of a board, and random faults in it.
 *
 * What is done follows from the seed alone: fault N of a seed is always the same one, and so is
 * session N of a lane. When it hits depends on the machine. */
#ifndef TESTS_CAMPAIGN_CAMPAIGN_H
#define TESTS_CAMPAIGN_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LANES_MAX  4 /* dummy_hcd has no endpoints for more */
#define SERIAL	   "campaign"
#define PID_FILE   "/run/campaign.pid.%u" /* of a lane: process and number of its session */
#define TRACE_FILE "/run/campaign.trace.%u"
#define WHY_MAX	   400
#define SESSION_MS 60000 /* one that takes longer hangs; an emulated machine is slow */
#define STALL_MS   500	 /* a machine that stands still so long may cost a session its lease */

/* What sits behind a session. The first line of its input says so: see child.c. */
enum mode {
	MODE_ECHO,    /* writes what it reads */
	MODE_GEN,     /* writes, reads nothing, and ends early */
	MODE_NOTES,   /* the same, and floods its stderr */
	MODE_BPFD,    /* bpfd with map, program, probe; its replies are known */
	MODE_RPC,     /* the same with the binary protocol */
	MODE_RING,    /* bpfd with a ring that fills; of its replies the form is known */
	MODE_GARBAGE, /* bpfd, and lines that are no commands */
	MODE_NOMEM,   /* bpfd with little memory: its replies are well formed */
	MODE_NOFD,    /* bpfd with few descriptors */
	MODES
};

/* splitmix64 of a seed and what it is for. */
uint64_t mix(uint64_t a, uint64_t b);
uint64_t draw(uint64_t *state, uint64_t limit); /* 0 to limit - 1 */

/* Byte `at` of a stream and the following ones. */
void pattern(uint64_t key, uint64_t at, uint8_t *data, size_t len);

/* Ends of the driver's own: on violations. */
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned int violations(void);

uint64_t now_ms(void);
void nap(unsigned int ms);

/* --- script.c: what bpfd is told, and what it has to answer */
enum script_kind { SCRIPT_TEXT, SCRIPT_RING, SCRIPT_RPC, SCRIPTS };
struct script {
	char *text; /* what goes to stdin */
	size_t len;
	const struct reply **replies; /* what comes, in order */
	size_t count;
};
struct reply {
	char *text;
	size_t len;
};
/* Learns the right answers by running `bpfd` on a pipe. `file` has the commands; of messages, NULL.
 * Returns 0 or -1. */
int script_learn(enum script_kind kind, const char *bpfd, const char *file);
void script_make(struct script *script, enum script_kind kind, const char *head, uint64_t seed,
	unsigned int requests);
void script_free(struct script *script);

/* --- session.c: bridges and what goes through them */
enum taint {
	TAINT_LOST = 1,	    /* may end with 255 */
	TAINT_KILLED = 2,   /* may die of the signal that it was sent */
	TAINT_CORE = 4,	    /* may end with 128 + 9 */
	TAINT_LIMITED = 16, /* its process may end as it likes, but not say 0 */
	TAINT_CLOSED = 8,   /* nobody read the rest of its output */
};

struct session {
	unsigned int lane;
	uint64_t number; /* of this lane's sessions */
	enum mode mode;
	pid_t pid; /* 0: none */
	int in, out, err;
	uint64_t key, in_total, out_total, sent, received;
	uint8_t code;
	unsigned int lease_s, hold_ms; /* how long its input stays open */
	unsigned int rest_ms;	       /* how long the lane rests after it */
	struct script script;
	size_t reply, reply_at; /* where in the replies it is */
	unsigned int taint;
	int signal;
	uint64_t started_ms, input_done_ms, out_pause_ms, ended_ms, since;
	bool err_unread, err_full, trace;
	char tail[WHY_MAX]; /* of its stderr */
	size_t tail_len;
	uint8_t loose[64]; /* a line that is not whole yet */
	size_t loose_len;
	uint64_t record; /* one more than the number of the last one of a ring */
	uint64_t loose_replies, replies_due;
	bool loose_open;
};

struct sessions {
	struct session lanes[LANES_MAX];
	unsigned int count;
	uint64_t seed, era;	  /* an era begins when a fault is over */
	bool starting;		  /* whether sessions are started where there is none */
	unsigned int short_lane;  /* this one is waited for: LANES_MAX for none */
	int want_mode[LANES_MAX]; /* of the next session, -1: any */
	uint64_t numbers[LANES_MAX], good[LANES_MAX]; /* era of the last one that ended well */
	uint64_t done, done_well, lost, stalls, bytes, by_mode[MODES];
	unsigned int taint_new; /* of sessions that are started now */
	bool trace;		/* sessions write down what is on the wire */
	uint64_t slowest_ms;
	char slowest[WHY_MAX + 300];
};

void sessions_init(struct sessions *all, uint64_t seed);
/* Lets all go on for so long, or until `until` says so. Returns true then. */
bool sessions_run(struct sessions *all, unsigned int ms, bool (*until)(void *arg), void *arg);
void sessions_taint(struct sessions *all, unsigned int taint);
bool sessions_idle(const struct sessions *all);
void session_kill_all(struct sessions *all);
/* The process behind a session, 0 if it is not known (yet). */
pid_t session_child(const struct session *s);

/* --- traffic.c: what one session sends and has to receive */
void traffic_plan(struct session *s, uint64_t seed, int want, bool is_short);
/* Bytes of input at s->sent. Returns how many. */
size_t traffic_input(const struct session *s, uint8_t *data, size_t len);
/* NULL, or what is wrong with these bytes. */
const char *traffic_check(struct session *s, const uint8_t *data, size_t len);
/* NULL, or what is wrong with this end, a status of waitpid. */
const char *traffic_verdict(const struct session *s, int status);
/* Records of rings that have come, in all sessions. */
uint64_t traffic_records(void);
const char *mode_name(enum mode mode);

/* --- board.c: the daemon, its gadget, and the host's side of the bus */
struct board {
	const char *build;
	pid_t daemon;
	unsigned int lanes;
	int log; /* where its messages come from, -1 for none */
	bool log_unread;
	char tail[4096];
	size_t tail_len;
};
int board_start(struct board *b, unsigned int lanes, bool full_disk);
/* Sends SIGTERM. Returns the status of waitpid, or -1 if it does not end. */
int board_stop(struct board *b);
void board_kill(struct board *b);
pid_t board_worker(const struct board *b);
bool board_alive(struct board *b);
void board_read_log(struct board *b);
void board_fill_log(struct board *b);
bool board_ready(void *board);
/* The device's directory in sysfs. */
bool board_device(char *dir, size_t size);
int put(const char *dir, const char *name, const char *text);
bool get(const char *dir, const char *name, char *text, size_t size);
/* Entries of a directory, hidden ones left out. */
unsigned int count_files(const char *path);

/* --- invariants.c: what nobody may leave behind */
void invariants_init(void);
/* At any time: probes of processes that are not there any more, messages of the kernel. */
void invariants_watch(void);
/* Without a session. */
void invariants_idle(struct sessions *all, struct board *b);
/* Without a daemon. */
void invariants_stopped(void);
void invariants_report(void);

/* --- faults.c */
struct plan {
	unsigned int kind, lane, delay_ms, hold_ms;
	uint64_t number;
	bool rush; /* the next fault follows at once */
};
struct campaign {
	uint64_t seed;
	struct sessions sessions;
	struct board board;
};
enum {
	ON_LANE = 1,	 /* hits a session */
	NEEDS_CHILD = 2, /* one whose process runs */
	ENDS = 4,	 /* a process of the daemon */
};
struct kind {
	const char *name;
	unsigned int weight;
	/* Of a lane with a session, or of everything. */
	void (*inject)(struct campaign *c, const struct plan *plan, struct session *s);
	unsigned int flags;
};
extern const struct kind kinds[];
extern const unsigned int kind_count;
struct plan plan_fault(uint64_t seed, uint64_t number);
/* Starts the daemon anew with another number of lanes. */
void campaign_restart(struct campaign *c, uint64_t number, bool full_disk);

/* --- child.c: what runs on the board behind a session */
int child_main(const char *build);

#endif
