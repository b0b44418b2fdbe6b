// A program whose nth request for a resource fails: preloaded into the program (LD_PRELOAD), see
// failing.rs.
//
// The program is loaded once. In the place of its `main`, a server then reads requests from
// standard input: the name of a resource, the first call that fails, and the number of failures.
// For each request it forks a child, which continues with `main`. It answers on standard output how
// the child ended, and how many calls there were. Forking takes a tenth of the time of starting the
// program.
//
// Memory is counted by the functions below, which replace those of the C library. System calls are
// counted by the server: a seccomp filter in the child passes them to it, also those that are made
// without the C library.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What parent and child share.
struct shared {
  // Calls so far, of the kind that is to fail.
  atomic_long n_calls;
};

static struct shared *shared;

// Calls that fail: the first one and how many. None while both are 0.
static long first;
static long n_failures;

// Counts a call. Returns whether it fails.
static int fails(void) {
  long nth = atomic_fetch_add(&shared->n_calls, 1) + 1;
  return nth >= first && nth - first < n_failures;
}

// Allocations. The names with two underscores are the C library's own.

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

// Set in the child where allocations are to fail.
static int allocations_fail;

static int allocation_fails(void) {
  if (!allocations_fail || !fails())
    return 0;
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return allocation_fails() ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return allocation_fails() ? NULL : __libc_calloc(count, size); }

void *realloc(void *old, size_t size) { return allocation_fails() ? NULL : __libc_realloc(old, size); }

void *memalign(size_t alignment, size_t size) {
  return allocation_fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (allocation_fails())
    return ENOMEM;
  void *memory = __libc_memalign(alignment, size);
  if (!memory)
    return ENOMEM;
  *result = memory;
  return 0;
}

// System calls.

struct kind {
  const char *name;
  // What the call returns when it fails.
  int error;
  // Ends with 0, which is `read` and no call of any kind.
  int calls[10];
};

static const struct kind kinds[] = {
    {"mapping", ENOMEM, {SYS_mmap, SYS_mremap, SYS_mprotect, SYS_brk}},
    {"thread", EAGAIN, {SYS_clone, SYS_clone3}},
    {"file",
     EMFILE,
     {SYS_openat, SYS_memfd_create, SYS_socketpair, SYS_pipe2, SYS_eventfd2, SYS_epoll_create1,
#ifdef SYS_open
      SYS_open
#endif
     }},
};

// The child sends the filter's descriptor and the end of its heap to the server.
static void send_descriptor(int to, int descriptor, void *heap_end) {
  struct iovec data = {&heap_end, sizeof heap_end};
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(part), &descriptor, sizeof(int));
  if (sendmsg(to, &message, 0) != sizeof heap_end)
    _exit(99);
}

static int receive_descriptor(int from, unsigned long *heap_end) {
  struct iovec data = {heap_end, sizeof *heap_end};
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  int descriptor = -1;
  if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) > 0 && CMSG_FIRSTHDR(&message))
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
  return descriptor;
}

// From now on, calls of this kind are handed to whoever has the descriptor that is returned.
static int hand_over(const struct kind *kind) {
  struct sock_filter program[32];
  unsigned n = 0;
  program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (const int *call = kind->calls; *call; ++call) {
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, *call, 0, 1);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  }
  program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {n, program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
}

// Answers the child's calls until it has ended.
static void answer_calls(const struct kind *kind, int listener, int child, unsigned long heap_end) {
  struct seccomp_notif call;
  struct seccomp_notif_resp answer;
  for (;;) {
    struct pollfd files[2] = {{.fd = listener, .events = POLLIN}, {.fd = child, .events = POLLIN}};
    if (poll(files, 2, -1) < 0)
      continue;
    if (files[1].revents)
      return;
    memset(&call, 0, sizeof call);
    // The thread may have been killed meanwhile.
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
      continue;
    memset(&answer, 0, sizeof answer);
    answer.id = call.id;
    // `brk` returns the end of the heap, which did not change if it fails.
    const int is_brk = call.data.nr == SYS_brk;
    if (!fails())
      answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (is_brk)
      answer.val = heap_end;
    else
      answer.error = -kind->error;
    if (is_brk && answer.flags && call.data.args[0])
      heap_end = call.data.args[0];
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

// The server.

typedef int main_function(int, char **, char **);

static main_function *program;

// Opens a file as this descriptor.
static void open_as(int descriptor, const char *path, int flags) {
  int opened = path ? open(path, flags) : -1;
  if (opened < 0 || dup2(opened, descriptor) != descriptor)
    _exit(98);
  if (opened != descriptor)
    close(opened);
}

static void become_program(const struct kind *kind, int to_server) {
  open_as(0, "/dev/null", O_RDONLY);
  open_as(1, getenv("FAILING_STDOUT"), O_WRONLY | O_TRUNC | O_APPEND);
  open_as(2, getenv("FAILING_STDERR"), O_WRONLY | O_TRUNC | O_APPEND);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // Ends a child that hangs.
  alarm(60);
  if (kind) {
    // No call that is handed over may come before the server has the descriptor.
    void *heap_end = sbrk(0);
    int listener = hand_over(kind);
    if (listener < 0)
      _exit(97);
    send_descriptor(to_server, listener, heap_end);
    close(listener);
  } else {
    allocations_fail = 1;
  }
  close(to_server);
}

static int serve(int argc, char **argv, char **environment) {
  int requests = fcntl(0, F_DUPFD_CLOEXEC, 100), answers = fcntl(1, F_DUPFD_CLOEXEC, 100);
  unsetenv("LD_PRELOAD");
  for (;;) {
    char line[100];
    size_t length = 0;
    while (length < sizeof line - 1 && read(requests, line + length, 1) == 1 && line[length] != '\n')
      ++length;
    line[length] = 0;
    char name[16];
    if (sscanf(line, "%15s %ld %ld", name, &first, &n_failures) != 3)
      _exit(0);
    const struct kind *kind = NULL;
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; ++n)
      if (!strcmp(kinds[n].name, name))
        kind = &kinds[n];
    atomic_store(&shared->n_calls, 0);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
      _exit(96);
    pid_t child = fork();
    if (child < 0)
      _exit(95);
    if (child == 0) {
      close(ends[0]);
      close(requests);
      close(answers);
      become_program(kind, ends[1]);
      return program(argc, argv, environment);
    }
    close(ends[1]);
    if (kind) {
      unsigned long heap_end;
      int listener = receive_descriptor(ends[0], &heap_end), process = syscall(SYS_pidfd_open, child, 0);
      if (listener >= 0)
        answer_calls(kind, listener, process, heap_end);
      close(listener);
      close(process);
    }
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    dprintf(answers, "%d %ld\n", status, atomic_load(&shared->n_calls));
  }
}

// The C library starts a program by this function.
int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end) {
  typedef int start(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
  start *next = (start *)dlsym(RTLD_NEXT, "__libc_start_main");
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  program = main;
  return next(getenv("FAILING_STDOUT") ? serve : main, argc, argv, init, fini, loader_fini, stack_end);
}
