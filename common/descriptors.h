#ifndef COMMON_DESCRIPTORS_H
#define COMMON_DESCRIPTORS_H

/*
 * What is closed of 0 to 2 becomes /dev/null: the next descriptor would be one
 * of them, and what is printed would go there.  To be read alone, so that to
 * print still fails.
 */
void descriptors_fill(void);

#endif
