/* signal_name.h - what signals are called in the log
 *
 * Thread: any.
 */
#ifndef SCO_BASE_SIGNAL_NAME_H
#define SCO_BASE_SIGNAL_NAME_H

/* "SIGSEGV" for 11; "SIG?" for what has no name. */
const char *sco_signal_name(int number);

#endif
