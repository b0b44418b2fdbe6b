/* Threads with small stacks: 64 KiB are enough for everything, and less is an error. */

#include "kaleidoscope.h"

#include "check.h"

#include <pthread.h>
#include <string.h>

static void *run_text(void *engine) {
  kls_error *error = NULL;
  kls_outcome *outcome = NULL;
  kls_status status =
      kls_engine_run(engine, NULL, "def f(x) (for i = 0, i < 9 in x = x * 2) + sin(x); f(1);", &outcome, &error);
  const char *message = kls_error_message(error);
  CHECK(status == KLS_OK || strstr(message, "stack overflow") != NULL);
  CHECK(status == KLS_OK ? kls_outcome_n_values(outcome) == 1 : 1);
  kls_outcome_free(outcome);
  kls_error_free(error);
  return status == KLS_OK ? engine : NULL;
}

int main(void) {
  const kls_mode modes[] = {KLS_MODE_TIERED, KLS_MODE_BASELINE, KLS_MODE_OFF};
  const size_t sizes[] = {16, 32, 48, 64, 96, 256};
  for (size_t m = 0; m < sizeof modes / sizeof *modes; ++m)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
      kls_options options;
      kls_options_init(&options, sizeof options);
      options.mode = modes[m];
      kls_engine *engine;
      CHECK(kls_engine_new(&options, &engine, NULL) == KLS_OK);
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      CHECK(pthread_attr_setstacksize(&attributes, sizes[s] << 10) == 0);
      pthread_t thread;
      void *ran;
      CHECK(pthread_create(&thread, &attributes, run_text, engine) == 0);
      CHECK(pthread_join(thread, &ran) == 0);
      CHECK(ran == engine || sizes[s] < 64);
      kls_engine_free(engine);
    }
  return 0;
}
