#ifndef CTL_MEMORY_H
#define CTL_MEMORY_H

/* Says that memory is short, exit code 1: a part would pass for the whole. */
void no_memory(void) __attribute__((noreturn));
/* What was allocated. */
void *need(void *);

#endif
