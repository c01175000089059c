#include "ConcurrencyHooks.h"

#include <stdint.h>

#define SWIFT __attribute__((swiftcall))

typedef SWIFT void (*Enqueue)(void *job);
typedef SWIFT void (*EnqueueLater)(unsigned long long delay, void *job);
typedef SWIFT void (*EnqueueAt)(long long sec, long long nsec, long long tsec, long long tnsec, int clock, void *job);

extern SWIFT void (*swift_task_enqueueGlobal_hook)(void *job, Enqueue original);
extern SWIFT void (*swift_task_enqueueMainExecutor_hook)(void *job, Enqueue original);
extern SWIFT void (*swift_task_enqueueGlobalWithDelay_hook)(unsigned long long delay, void *job, EnqueueLater original);
extern SWIFT void (*swift_task_enqueueGlobalWithDeadline_hook)(
    long long sec, long long nsec, long long tsec, long long tnsec, int clock, void *job, EnqueueAt original);

// The executor's identity and its implementation; both null: the generic one.
typedef struct {
    void *identity;
    uintptr_t implementation;
} Executor;

extern SWIFT void swift_job_run(void *job, Executor executor);

static void (*taker)(void *job);
static void (*latecomer)(void *job);

static SWIFT void take(void *job, Enqueue original) {
    (void)original;
    taker(job);
}

static SWIFT void takeLater(unsigned long long delay, void *job, EnqueueLater original) {
    (void)delay;
    (void)original;
    latecomer(job);
}

static SWIFT void takeAt(
    long long sec, long long nsec, long long tsec, long long tnsec, int clock, void *job, EnqueueAt original) {
    (void)sec;
    (void)nsec;
    (void)tsec;
    (void)tnsec;
    (void)clock;
    (void)original;
    latecomer(job);
}

void concurrency_hooks_install(void (*takeJob)(void *job), void (*lateJob)(void *job)) {
    taker = takeJob;
    latecomer = lateJob;
    swift_task_enqueueGlobal_hook = take;
    swift_task_enqueueMainExecutor_hook = take;
    swift_task_enqueueGlobalWithDelay_hook = takeLater;
    swift_task_enqueueGlobalWithDeadline_hook = takeAt;
}

void concurrency_hooks_run(void *job) { swift_job_run(job, (Executor){0, 0}); }
