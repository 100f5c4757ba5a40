/* SPDX-License-Identifier: Apache-2.0 */
/* A process to trace: repeats one kind of work until it is killed.
 * Usage: load NAME, with a name of the table at the end. */

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_US 100000

static int listen_on(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8)) {
		perror("load: listen");
		exit(1);
	}
	return fd;
}

static int connect_to(const char *host, int port, int type)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, host, &addr.sin_addr);
	connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	return fd;
}

/* Opens and closes a connection, and sends some bytes on another one that stays open. */
static void work_tcp(void)
{
	static int lasting[2] = {-1, -1};
	char bytes[4096] = "";
	int listener = listen_on(8081);
	int client = connect_to("127.0.0.1", 8081, SOCK_STREAM);
	int server = accept(listener, NULL, NULL);

	if (lasting[0] < 0) {
		lasting[0] = client;
		lasting[1] = server;
		client = connect_to("127.0.0.1", 8081, SOCK_STREAM);
		server = accept(listener, NULL, NULL);
	}
	for (int i = 0; i < 2; i++) {
		int from = i ? lasting[0] : client, to = i ? lasting[1] : server;

		if (write(from, bytes, sizeof(bytes)) != sizeof(bytes) ||
			recv(to, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
			exit(1);
	}
	close(client);
	close(server);
	close(listener);
}

/* Opens connections that nobody answers. The kernel repeats their packets after a second. */
static void work_retransmit(void)
{
	static int fds[50], next;

	if (fds[next])
		close(fds[next]);
	fds[next] = connect_to("192.0.2.1", 9, SOCK_STREAM | SOCK_NONBLOCK);
	next = (next + 1) % 50;
}

/* Sends data to a socket that is closed. */
static void work_drop(void)
{
	int listener = listen_on(8082);
	int client = connect_to("127.0.0.1", 8082, SOCK_STREAM);
	int server = accept(listener, NULL, NULL);

	close(listener);
	close(server);
	for (int i = 0; i < 2; i++)
		send(client, "x", 1, MSG_NOSIGNAL);
	close(client);
	close(connect_to("127.0.0.1", 8083, SOCK_STREAM));
}

static void work_shm(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	void *at = shmat(id, NULL, 0);

	shmdt(at);
	shmctl(id, IPC_RMID, NULL);
}

/* Passes a descriptor over a socket. */
static void work_sofd(void)
{
	int fds[2], sent = 0;
	char byte = 'x';
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &sent, sizeof(int));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || sendmsg(fds[0], &message, 0) != 1 ||
		recvmsg(fds[1], &message, 0) != 1)
		exit(1);
	memcpy(&sent, CMSG_DATA(cmsg), sizeof(int));
	close(sent);
	close(fds[0]);
	close(fds[1]);
}

static void *thread(void *arg)
{
	return arg;
}

static void work_threads(void)
{
	pthread_t id;
	void *volatile kept = malloc(100);

	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	free(kept);
}

/* Uses half of a processor's time in a function that a profile can name. */
static __attribute__((noinline)) void burn_cycles(void)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (volatile int i = 0; i < 10000; i++)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000000 + (now.tv_nsec - begin.tv_nsec) / 1000 <
		 PAUSE_US);
}

static const struct {
	const char *name;
	void (*work)(void);
} works[] = {
	{"tcp", work_tcp},
	{"retransmit", work_retransmit},
	{"drop", work_drop},
	{"shm", work_shm},
	{"threads", work_threads},
	{"sofd", work_sofd},
	{"cpu", burn_cycles},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(works) / sizeof(works[0]); i++)
		while (!strcmp(argv[1], works[i].name)) {
			works[i].work();
			usleep(PAUSE_US);
		}
	fprintf(stderr, "load: unknown kind of work\n");
	return 2;
}
