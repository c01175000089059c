// The runtime's own seams for jobs (swift/Runtime/Concurrency.h, `swift_task_enqueueGlobal_hook` and its siblings): whoever
// sets them gets every job of the process. They are C++ declarations with Swift's calling convention, hence this file.
#ifndef CONCURRENCY_HOOKS_H
#define CONCURRENCY_HOOKS_H

/// Sends every job that becomes runnable to `take`; jobs that the machine's clock should start go to `late`.
void concurrency_hooks_install(void (*take)(void *job), void (*late)(void *job));

/// Runs a job to its next suspension, on this thread and on no executor of its own.
void concurrency_hooks_run(void *job);

#endif
