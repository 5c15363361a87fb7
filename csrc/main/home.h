/* home.h - which Python environment the program belongs to
 *
 * scorehost-host is linked with libpython but ships no packages: it uses
 * those of a virtual environment, by taking its bin/python for its own name.
 *
 * Thread: main, before the interpreter is started.
 */
#ifndef SCO_MAIN_HOME_H
#define SCO_MAIN_HOME_H

#include "base/status.h"

#include <limits.h>

/* Finds the interpreter whose packages are ours: that of $VIRTUAL_ENV, else
 * `python` beside this program (a venv's bin/ has both), else the first
 * `python3` on $PATH.
 *
 * Errors: SCO_NOT_FOUND; SCO_INVALID when $VIRTUAL_ENV is none, or when its
 *         Python is not the version (as "3.11") that we are linked with. */
SCO_NODISCARD
enum sco_status sco_home_find(const char *version, char out[PATH_MAX],
                              struct sco_error *err);

#endif
