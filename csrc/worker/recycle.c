#include "worker/recycle.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Memory goes up and down while run() works, so that one look over the limit
 * says little; these many in a row, this far apart, say that it stays. */
#define SAMPLE_EVERY_NS (200 * SCO_NS_PER_MS)
enum { SAMPLES_OVER = 3 };

struct sco_recycle_life
sco_recycle_begin(const struct sco_recycle_limits *limits, uint64_t random)
{
    struct sco_recycle_life life = { 0 };

    if (limits->jitter > 0) {
        life.more_requests = random % (limits->jitter + 1);
    }
    return life;
}

enum sco_recycle_why
sco_recycle_judge(const struct sco_recycle_limits *limits,
                  const struct sco_recycle_life *life, uint64_t served,
                  uint64_t age_ns)
{
    if (limits->requests != 0 &&
        served >= limits->requests + life->more_requests) {
        return SCO_RECYCLE_REQUESTS;
    }
    if (limits->age_ns != 0 && age_ns >= limits->age_ns) {
        return SCO_RECYCLE_AGE;
    }
    if (limits->rss_bytes != 0 && life->rss_over >= SAMPLES_OVER) {
        return SCO_RECYCLE_MEMORY;
    }
    return SCO_RECYCLE_NOT;
}

bool
sco_recycle_samples(const struct sco_recycle_limits *limits,
                    const struct sco_recycle_life *life, uint64_t now_ns)
{
    return limits->rss_bytes != 0 &&
           (life->rss_at_ns == 0 ||
            now_ns >= life->rss_at_ns + SAMPLE_EVERY_NS);
}

void
sco_recycle_note(const struct sco_recycle_limits *limits,
                 struct sco_recycle_life *life, uint64_t rss_bytes,
                 uint64_t now_ns)
{
    life->rss_at_ns = now_ns;
    if (rss_bytes == 0) {
        return;
    }
    life->rss_bytes = rss_bytes;
    life->rss_over = rss_bytes > limits->rss_bytes ? life->rss_over + 1 : 0;
}

void
sco_recycle_tell(enum sco_recycle_why why, const struct sco_recycle_life *life,
                 uint64_t served, uint64_t age_ns, char *text,
                 size_t text_bytes)
{
    switch (why) {
    case SCO_RECYCLE_NOT:
        snprintf(text, text_bytes, "is older than the script");
        break;
    case SCO_RECYCLE_REQUESTS:
        snprintf(text, text_bytes, "has answered %llu requests",
                 (unsigned long long)served);
        break;
    case SCO_RECYCLE_AGE:
        snprintf(text, text_bytes, "is %.1f s old", (double)age_ns / 1e9);
        break;
    case SCO_RECYCLE_MEMORY:
        snprintf(text, text_bytes, "has %.1f MB of memory",
                 (double)life->rss_bytes / 1e6);
        break;
    }
}

uint64_t
sco_recycle_rss_bytes(pid_t pid)
{
    unsigned long long pages = 0;
    char path[32], line[128];
    char *end;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof(line), file) != NULL) {
        (void)strtoull(line, &end, 10); /* all pages, then those resident */
        pages = strtoull(end, NULL, 10);
    }
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
