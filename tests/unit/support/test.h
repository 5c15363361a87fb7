/* test.h - cmocka, with the headers that it wants before itself
 *
 * Every unit test includes this one, so that the order is right everywhere.
 */
#ifndef SCO_SUPPORT_TEST_H
#define SCO_SUPPORT_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#undef stop /* cmocka 2 takes the word for itself */

/* What it calls so has another name before. */
#ifndef assert_int_in_range
#define assert_int_in_range assert_in_range
#endif

#endif
