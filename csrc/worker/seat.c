#include "worker/seat.h"

#include "base/status.h"

#include <pthread.h>
#include <stdlib.h>

struct sco_seat {
    bool is_lost; /* the loop's */
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        void (*body)(void *arg); /* to be run next, or NULL */
        void *arg;
        bool closed;
    } locked;
};

struct sco_seat *
sco_seat_create(void)
{
    struct sco_seat *seat = sco_alloc(1, sizeof(*seat));

    pthread_mutex_init(&seat->locked.mutex, NULL);
    pthread_cond_init(&seat->locked.changed, NULL);
    return seat;
}

void
sco_seat_destroy(struct sco_seat *seat)
{
    if (seat != NULL) {
        pthread_cond_destroy(&seat->locked.changed);
        pthread_mutex_destroy(&seat->locked.mutex);
        free(seat);
    }
}

void
sco_seat_sit(struct sco_seat *seat)
{
    void (*body)(void *arg);
    void *arg;

    pthread_mutex_lock(&seat->locked.mutex);
    for (;;) {
        while (seat->locked.body == NULL && !seat->locked.closed) {
            pthread_cond_wait(&seat->locked.changed, &seat->locked.mutex);
        }
        body = seat->locked.body;
        arg = seat->locked.arg;
        seat->locked.body = NULL;
        if (body == NULL) {
            break;
        }
        pthread_mutex_unlock(&seat->locked.mutex);
        body(arg);
        pthread_mutex_lock(&seat->locked.mutex);
    }
    pthread_mutex_unlock(&seat->locked.mutex);
}

void
sco_seat_give(struct sco_seat *seat, void (*body)(void *arg), void *arg)
{
    pthread_mutex_lock(&seat->locked.mutex);
    seat->locked.body = body;
    seat->locked.arg = arg;
    pthread_cond_signal(&seat->locked.changed);
    pthread_mutex_unlock(&seat->locked.mutex);
}

void
sco_seat_lose(struct sco_seat *seat)
{
    seat->is_lost = true;
}

void
sco_seat_regain(struct sco_seat *seat)
{
    seat->is_lost = false;
}

bool
sco_seat_is_lost(const struct sco_seat *seat)
{
    return seat->is_lost;
}

void
sco_seat_close(struct sco_seat *seat)
{
    pthread_mutex_lock(&seat->locked.mutex);
    seat->locked.closed = true;
    pthread_cond_signal(&seat->locked.changed);
    pthread_mutex_unlock(&seat->locked.mutex);
}
