#ifndef COMMON_EVENT_LOG_H
#define COMMON_EVENT_LOG_H

/*
 * What libevent has to say goes to the log, as all else.  By itself it writes
 * to standard error, which a daemon does not have and no filter allows.
 */
void event_log_init(void);

#endif
