#include "deploy/line.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>
#include <unistd.h>

struct sco_request *
sco_line_create(struct sco_arena *arena, struct sco_slice logger,
                struct sco_slice message)
{
    struct sco_request *req;
    struct sco_slot slot;
    char *at;

    if (sco_slots_take(sco_arena_slots(arena),
                       SCO_SLOT_MARK_BYTES + logger.len + message.len,
                       &slot) != SCO_OK) {
        return NULL;
    }
    req = sco_request_create(arena, slot);
    if (req == NULL) {
        sco_slots_give(sco_arena_slots(arena), slot);
        return NULL;
    }
    at = sco_arena_bytes(arena, slot);
    memcpy(at, logger.data, logger.len);
    memcpy(at + logger.len, message.data, message.len);
    req->kind = SCO_LANE_LINE;
    req->head_bytes = (uint32_t)logger.len;
    req->body_bytes = message.len;
    return req;
}

void
sco_line_write(const struct sco_request *req, pid_t pid)
{
    const char *at = sco_arena_bytes(req->arena, req->slot);
    struct sco_text logger = { 0 };
    struct sco_text line = { 0 };

    sco_text_add(&logger, (struct sco_slice){ at, req->head_bytes });
    if (!logger.failed) {
        sco_log_prefix(&line, SCO_LOG_INFO, pid, logger.data);
        sco_text_add(&line, (struct sco_slice){ at + req->head_bytes,
                                                req->body_bytes });
        sco_text_add_char(&line, '\n');
        sco_log_write(STDOUT_FILENO, sco_text_slice(&line));
    }
    sco_text_finish(&line);
    sco_text_finish(&logger);
}
