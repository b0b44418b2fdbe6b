/* A host function that ends its thread ends the process, in every mode. */

#include "kaleidoscope.h"

#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static double end_thread(void *data, const double *args, size_t n_args, struct kls_call *call) {
  (void)data, (void)args, (void)n_args, (void)call;
  pthread_exit(NULL);
}

static void *run_text(void *engine) {
  kls_engine_run(engine, NULL, "def f(x) end_thread(x); f(1);", NULL, NULL);
  return NULL;
}

int main(void) {
  const kls_mode modes[] = {KLS_MODE_BASELINE, KLS_MODE_OFF};
  for (size_t m = 0; m < sizeof modes / sizeof *modes; ++m) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      kls_options options;
      kls_options_init(&options, sizeof options);
      options.mode = modes[m];
      kls_engine *engine;
      CHECK(kls_engine_new(&options, &engine, NULL) == KLS_OK);
      CHECK(kls_engine_register(engine, "end_thread", 1, end_thread, NULL, NULL, NULL) == KLS_OK);
      pthread_t thread;
      CHECK(pthread_create(&thread, NULL, run_text, engine) == 0);
      pthread_join(thread, NULL);
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  }
  return 0;
}
