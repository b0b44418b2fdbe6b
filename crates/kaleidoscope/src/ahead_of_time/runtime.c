/* The runtime of built programs: output, messages, and the stack that programs run on.
 *
 * `kaleidoscope build` compiles this text with the C compiler that links the program. It needs
 * POSIX and nothing else. With KALEIDOSCOPE_LIBRARY it is the part that libraries need: no `main`,
 * no signal handler, and the output is C's standard output, so that it mixes with that of the host.
 *
 * What programs print and report is what `kaleidoscope run` prints and reports.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kaleidoscope_fail(const char *message);
double kaleidoscope_putchard(double number);
double kaleidoscope_putchard_byte(double number);
double kaleidoscope_putbyte(double number);
double kaleidoscope_printd(double number);

#ifdef KALEIDOSCOPE_LIBRARY
static void check_stack(const void *frame) { (void)frame; }
static void output_failed(void) {}
#else
static void check_stack(const void *frame);
static void output_failed(void);
#endif

/* --- Numbers as text --- */

enum { NUMBER_BYTES = 32 };

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

enum { MOST_DIGITS = 40 };

/* The digits of a positive number, correctly rounded to `n`, and the exponent of the first one. */
static int round_to(double number, int n, char *digits)
{
    char text[MOST_DIGITS + 16];
    int n_digits = 0;
    const char *at = text;
    snprintf(text, sizeof text, "%.*e", n - 1, number);
    /* Between the digits is the point of the locale, of one or more bytes. */
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[n_digits++] = *at;
    return atoi(at + 1);
}

/* Whether the digits read as the number. Without a point, no locale matters. */
static int reads_as(const char *digits, int n, int exponent, double number)
{
    char text[MOST_DIGITS + 16];
    snprintf(text, sizeof text, "%.*se%d", n, digits, exponent - (n - 1));
    return strtod(text, NULL) == number;
}

/* The next larger number of as many digits. Returns its exponent. */
static int increment(char *digits, int n, int exponent)
{
    int at = n - 1;
    while (at >= 0 && digits[at] == '9')
        digits[at--] = '0';
    if (at >= 0) {
        digits[at]++;
        return exponent;
    }
    digits[0] = '1';
    return exponent + 1;
}

/* Whether the number is in the middle between `n` digits and the next larger ones. Then it has one
 * digit more, or else at least 20: no double is closer to such a middle. */
static int is_middle(double number, int n, const char *digits)
{
    char exact[MOST_DIGITS];
    int at;
    round_to(number, MOST_DIGITS, exact);
    for (at = n + 1; at < MOST_DIGITS && exact[at] == '0'; at++)
        ;
    return memcmp(exact, digits, (size_t)n) == 0 && exact[n] == '5' && at == MOST_DIGITS;
}

/* The fewest digits that read back as a positive number. Of two that are equally near, the larger
 * ones. */
static int shortest(double number, char *digits, int *exponent)
{
    char larger[MOST_DIGITS];
    int n, is_power_of_two = bits_of(number) << 12 == 0;
    /* Every number of 15 digits is the shortest form of a normal double, or of none. */
    for (n = number < DBL_MIN ? 1 : 15; n < 17; n++) {
        *exponent = round_to(number, n, digits);
        if (reads_as(digits, n, *exponent, number))
            break;
        /* Above a power of two, doubles are twice as far apart as below it. So the next number of
         * `n` digits may read back where the nearest one does not. */
        if (is_power_of_two) {
            *exponent = increment(digits, n, *exponent);
            if (reads_as(digits, n, *exponent, number))
                break;
        }
    }
    if (n == 17)
        *exponent = round_to(number, n, digits);
    /* C's library rounds to the even one of two that are equally near. */
    if (n >= 16 && (digits[n - 1] - '0') % 2 == 0 && is_middle(number, n, digits)) {
        int larger_exponent = increment(memcpy(larger, digits, (size_t)n), n, *exponent);
        if (reads_as(larger, n, larger_exponent, number)) {
            memcpy(digits, larger, (size_t)n);
            *exponent = larger_exponent;
        }
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

/* Writes the number as the language prints it. Returns the length. */
static int format(double number, char *text)
{
    char digits[MOST_DIGITS], *at = text;
    double size = number < 0 ? -number : number;
    int n, exponent, idx;
    if (number != number)
        return sprintf(text, "nan");
    if (bits_of(number) >> 63)
        *at++ = '-';
    if (size == 0)
        return (int)(at - text) + sprintf(at, "0");
    if (size > DBL_MAX)
        return (int)(at - text) + sprintf(at, "inf");
    if (size < 9007199254740992.0 && size == (double)(int64_t)size)
        return (int)(at - text) + sprintf(at, "%lld", (long long)size);
    n = shortest(size, digits, &exponent);
    if (size < 1e-4 || size >= 1e16) {
        *at++ = digits[0];
        if (n > 1)
            *at++ = '.';
        memcpy(at, digits + 1, (size_t)(n - 1));
        at += n - 1;
        return (int)(at - text) + sprintf(at, "e%d", exponent);
    }
    if (exponent < 0) {
        *at++ = '0';
        *at++ = '.';
        for (idx = -1; idx > exponent; idx--)
            *at++ = '0';
    }
    for (idx = 0; idx < n || idx <= exponent; idx++) {
        *at++ = idx < n ? digits[idx] : '0';
        if (idx == exponent && idx + 1 < n)
            *at++ = '.';
    }
    return (int)(at - text);
}

/* --- Output --- */

/* Whether the last output did not end a line. */
static int is_line_open;

static void write_bytes(const char *bytes, size_t n)
{
    is_line_open = bytes[n - 1] != '\n';
    if (fwrite(bytes, 1, n, stdout) != n)
        output_failed();
}

static void write_byte(unsigned char byte)
{
    is_line_open = byte != '\n';
    if (putc(byte, stdout) == EOF)
        output_failed();
}

static void write_number(double number)
{
    char line[NUMBER_BYTES];
    int n = format(number, line);
    line[n++] = '\n';
    write_bytes(line, (size_t)n);
}

/* Numbers between -1 and 0 are truncated to 0. */
static double put_byte(const char *name, double number)
{
    if (number > -1 && number < 256) {
        write_byte((unsigned char)(int)number);
    } else {
        char text[NUMBER_BYTES], message[128];
        int n = format(number, text);
        snprintf(message, sizeof message,
                 "error[KLS3007]: `%s` failed: %.*s is not the value of a byte, 0 to 255\n", name, n, text);
        kaleidoscope_fail(message);
    }
    return 0;
}

double kaleidoscope_putbyte(double number)
{
    check_stack(__builtin_frame_address(0));
    return put_byte("putbyte", number);
}

double kaleidoscope_putchard_byte(double number)
{
    check_stack(__builtin_frame_address(0));
    return put_byte("putchard", number);
}

double kaleidoscope_putchard(double number)
{
    uint32_t scalar = number > -1 && number < 0x110000 ? (uint32_t)number : 0xfffd;
    char text[4];
    check_stack(__builtin_frame_address(0));
    if (scalar >= 0xd800 && scalar < 0xe000)
        scalar = 0xfffd;
    if (scalar < 0x80) {
        write_byte((unsigned char)scalar);
    } else if (scalar < 0x800) {
        text[0] = (char)(0xc0 | scalar >> 6);
        text[1] = (char)(0x80 | (scalar & 0x3f));
        write_bytes(text, 2);
    } else if (scalar < 0x10000) {
        text[0] = (char)(0xe0 | scalar >> 12);
        text[1] = (char)(0x80 | (scalar >> 6 & 0x3f));
        text[2] = (char)(0x80 | (scalar & 0x3f));
        write_bytes(text, 3);
    } else {
        text[0] = (char)(0xf0 | scalar >> 18);
        text[1] = (char)(0x80 | (scalar >> 12 & 0x3f));
        text[2] = (char)(0x80 | (scalar >> 6 & 0x3f));
        text[3] = (char)(0x80 | (scalar & 0x3f));
        write_bytes(text, 4);
    }
    return 0;
}

double kaleidoscope_printd(double number)
{
    check_stack(__builtin_frame_address(0));
    write_number(number);
    return 0;
}

#ifdef KALEIDOSCOPE_LIBRARY

/* Ends the process with a message. */
void kaleidoscope_fail(const char *message)
{
    fflush(stdout);
    fputs(message, stderr);
    exit(1);
}

#else

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#if !defined(__linux__) || !(defined(__x86_64__) || defined(__aarch64__))
#include <pthread.h>
#endif

/* --- The program, as the compiler has made it --- */

struct code {
    const char *start;
    /* Empty if no program can write the name. Null behind the last code. */
    const char *name;
};

extern const struct code kaleidoscope_codes[];
extern void kaleidoscope_program(void);
void kaleidoscope_begin(const char *place);
void kaleidoscope_value(double value);

/* What a message says of the place of the expression that runs. */
static const char *current_place = "";

void kaleidoscope_begin(const char *place) { current_place = place; }

void kaleidoscope_value(double value)
{
    if (is_line_open)
        write_byte('\n');
    write_number(value);
}

/* --- The end --- */

/* Ends the process. Signal handlers call this, too. */
void kaleidoscope_fail(const char *message)
{
    if (fflush(stdout) != 0)
        output_failed();
    fputs(message, stderr);
    fputs(current_place, stderr);
    fflush(stderr);
    _exit(1);
}

/* A reader that has closed the pipe wants no more output, which is no error. */
static void output_failed(void)
{
    int error = errno;
    if (error == EPIPE)
        _exit(0);
    if (error == EBADF)
        fprintf(stderr, "error: cannot write to standard output: it is closed\n");
    else
        fprintf(stderr, "error: cannot write to standard output: %s (os error %d)\n", strerror(error), error);
    fflush(stderr);
    _exit(1);
}

/* --- The stack, and its overflow --- */

#ifndef KALEIDOSCOPE_STACK_BYTES
#define KALEIDOSCOPE_STACK_BYTES ((size_t)256 << 20)
#endif

enum {
    MIN_STACK_BYTES = 1 << 20,
    GUARD_BYTES = 64 << 10,
    SIGNAL_STACK_BYTES = 64 << 10,
    /* What the functions of this file and of C's library need of the stack. */
    RUNTIME_BYTES = 32 << 10,
    /* As in traces of `run`. */
    MOST_FRAMES = 32,
    MOST_CALLERS = 6
};

/* The stack that the program runs on. The guard is below it. */
static char *stack_start, *stack_end;

/* The name of the function whose code has this address; null if there is none. */
static const char *name_at(const char *address)
{
    const struct code *code = kaleidoscope_codes;
    if (address < code->start)
        return NULL;
    for (; code->name; code++)
        if (address >= code[0].start && address < code[1].start)
            return code->name[0] ? code->name : NULL;
    return NULL;
}

/* Ends the process. `address` is in the innermost function, `frame` is its frame pointer. */
static void overflow(const char *address, const char *frame)
{
    static char message[8192];
    const char *last = NULL, *lowest = stack_start;
    int n_frames, n_names = 0;
    size_t length = strlen(strcpy(message, "error[KLS3004]: stack overflow"));
    for (n_frames = 0; n_frames < MOST_FRAMES; n_frames++) {
        const char *name = address ? name_at(address) : NULL;
        if (name && name != last && n_names <= MOST_CALLERS) {
            const char *before = n_names == 0 ? " in" : n_names == 1 ? ", called by" : ",";
            int n = snprintf(message + length, sizeof message - length, "%s `%s`", before, name);
            length += n < 0 || (size_t)n >= sizeof message - length - 2 ? 0 : (size_t)n;
            n_names++;
        }
        if (name)
            last = name;
        if (frame < lowest || frame > stack_end - 2 * sizeof(void *) || (uintptr_t)frame % sizeof(void *) != 0)
            break;
        /* The instruction behind a call may belong to the next function. */
        address = ((const char *const *)frame)[1] - 1;
        lowest = frame + 1;
        frame = ((const char *const *)frame)[0];
    }
    strcpy(message + length, "\n");
    kaleidoscope_fail(message);
}

/* Functions of this file do not overflow the stack: C's library would be in the middle of a change.
 * `frame` is the frame pointer of the function that was called. */
static void check_stack(const void *frame)
{
    const char *at = frame;
    if (at < stack_start + RUNTIME_BYTES && at >= stack_start)
        overflow(NULL, at);
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    const char *address = info->si_addr, *pc = NULL, *frame = NULL;
    if (address < stack_start - GUARD_BYTES || address >= stack_start) {
        /* Not an overflow: the instruction faults again, as without this handler. */
        signal(signal_number, SIG_DFL);
        return;
    }
    {
#if defined(__linux__) && defined(__x86_64__)
        const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
        pc = (const char *)registers[REG_RIP];
        frame = (const char *)registers[REG_RBP];
#elif defined(__linux__) && defined(__aarch64__)
        const ucontext_t *registers = context;
        pc = (const char *)registers->uc_mcontext.pc;
        frame = (const char *)registers->uc_mcontext.regs[29];
#else
        (void)context;
#endif
    }
    overflow(pc, frame);
}

static void catch_overflow(void)
{
    static char signal_stack[SIGNAL_STACK_BYTES];
    stack_t alternate;
    struct sigaction action;
    memset(&alternate, 0, sizeof alternate);
    alternate.ss_sp = signal_stack;
    alternate.ss_size = sizeof signal_stack;
    sigaltstack(&alternate, NULL);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* Where memory is limited, the stack is smaller. */
static int map_stack(void)
{
    size_t size = KALEIDOSCOPE_STACK_BYTES;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur / 2)
        size = limit.rlim_cur / 2 / GUARD_BYTES * GUARD_BYTES;
    for (; size >= MIN_STACK_BYTES; size = size / 2 / GUARD_BYTES * GUARD_BYTES) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        char *start;
#ifdef MAP_STACK
        flags |= MAP_STACK;
#endif
        start = mmap(NULL, size + GUARD_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (start == MAP_FAILED)
            continue;
        if (mprotect(start, GUARD_BYTES, PROT_NONE) != 0)
            return 0;
#ifdef MADV_NOHUGEPAGE
        madvise(start, size + GUARD_BYTES, MADV_NOHUGEPAGE);
#endif
        stack_start = start + GUARD_BYTES;
        stack_end = stack_start + size;
        return 1;
    }
    return 0;
}

static void run_program(void)
{
    catch_overflow();
    kaleidoscope_program();
}

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

/* Calls a function on another stack, whose end this is. Debuggers go back over the change of stacks
 * only where a signal handler was called, so they see one here. */
void kaleidoscope_call_on(char *end, void (*function)(void));

#ifdef __x86_64__
__asm__(".text\n"
        ".type kaleidoscope_call_on, %function\n"
        "kaleidoscope_call_on:\n"
        ".cfi_startproc\n"
        ".cfi_signal_frame\n"
        "pushq %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbp, -16\n"
        "movq %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "movq %rdi, %rsp\n"
        "call *%rsi\n"
        "movq %rbp, %rsp\n"
        "popq %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size kaleidoscope_call_on, .-kaleidoscope_call_on\n");
#else
__asm__(".text\n"
        ".type kaleidoscope_call_on, %function\n"
        "kaleidoscope_call_on:\n"
        ".cfi_startproc\n"
        ".cfi_signal_frame\n"
        "stp x29, x30, [sp, #-16]!\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset x29, -16\n"
        ".cfi_offset x30, -8\n"
        "mov x29, sp\n"
        ".cfi_def_cfa_register x29\n"
        "mov sp, x0\n"
        "blr x1\n"
        "mov sp, x29\n"
        "ldp x29, x30, [sp], #16\n"
        ".cfi_def_cfa sp, 0\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size kaleidoscope_call_on, .-kaleidoscope_call_on\n");
#endif

static int run_on_stack(void)
{
    kaleidoscope_call_on(stack_end, run_program);
    return 1;
}

#else

static void *run_thread(void *nothing)
{
    run_program();
    return nothing;
}

static int run_on_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    return pthread_attr_init(&attributes) == 0 &&
           pthread_attr_setstack(&attributes, stack_start, (size_t)(stack_end - stack_start)) == 0 &&
           pthread_create(&thread, &attributes, run_thread, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

#endif

int main(void)
{
    static char buffer[64 << 10];
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, buffer, isatty(STDOUT_FILENO) ? _IONBF : _IOFBF, sizeof buffer);
    if (!map_stack() || !run_on_stack()) {
        fprintf(stderr, "error[KLS3013]: out of memory: there is no room for a stack\n");
        return 1;
    }
    if (fflush(stdout) != 0)
        output_failed();
    return 0;
}

#endif
