/* forked.h - processes that a script forks, and that come back from run()
 *
 * They have the worker's end of the lane, too. One that went on there would
 * answer requests that are not its own, twice, so it ends instead.
 *
 * Thread: any that scores.
 */
#ifndef SCO_PYBRIDGE_FORKED_H
#define SCO_PYBRIDGE_FORKED_H

/* What this process forks from now on is known for a child. Again does no
 * harm. */
void sco_forked_watch(void);

/* Ends this process if it is such a child: with the code of the pending
 * SystemExit, else with 1 and a line on stderr that says why. To be called
 * when the script's code has come back, attached, with its exception if there
 * is one.
 */
void sco_forked_check(void);

#endif
