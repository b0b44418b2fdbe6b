/* An engine in a program under ThreadSanitizer, which holds signals back: a call with a time limit
 * is refused at once, and others work. */

#include <string.h>

#include "check.h"
#include "kaleidoscope.h"

int main(void) {
    kls_engine *engine, *limited;
    kls_outcome *outcome;
    kls_diagnostic diagnostic;
    CHECK(kls_engine_new(NULL, &engine, NULL) == KLS_OK);
    CHECK(kls_engine_run(engine, NULL, "def f(x) if x < 1 then 0 else 1 + f(x - 1); f(100);", &outcome, NULL) == KLS_OK);
    CHECK(kls_outcome_value(outcome, 0) == 100);
    kls_outcome_free(outcome);
    /* An endless loop would show that the limit is not kept. */
    CHECK(kls_engine_within(engine, 50000, &limited, NULL) == KLS_OK);
    CHECK(kls_engine_run(limited, NULL, "for i = 0, 1 in 0;", &outcome, NULL) != KLS_OK);
    memset(&diagnostic, 0, sizeof diagnostic);
    diagnostic.struct_size = sizeof diagnostic;
    CHECK(kls_outcome_diagnostic(outcome, 0, &diagnostic) == KLS_OK);
    puts(diagnostic.message);
    kls_outcome_free(outcome);
    kls_engine_free(limited);
    kls_engine_free(engine);
    return 0;
}
