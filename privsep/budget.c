#include "privsep/budget.h"

#include "ipc/msg.h"

/* Requests may take so much before all else must have had as much. */
#define REQUESTS_MS 500
/* In a second, whatever they take: a script has some to ask after a reload. */
#define REQUESTS_FREE 8
/* But those that take long are not: the end of a child would be seen late. */
#define REQUESTS_OWED_MS 2000

void
budget_pass(struct budget *b, int64_t now)
{
	b->owed -= now - b->then;
	if (b->owed < 0)
		b->owed = 0;
	b->then = now;
	if (now / 1000 != b->second)
		b->count = 0;
	b->second = now / 1000;
}

/* Half of what is owed for a request passes while it is answered. */
void
budget_spend(struct budget *b, int64_t ms)
{
	b->owed += 2 * ms;
	b->count++;
}

bool
budget_is_spent(const struct budget *b, const struct msg_request *r)
{
	return b->owed >= REQUESTS_MS &&
	       (r->kind == REQUEST_RELOAD || b->count >= REQUESTS_FREE ||
		   b->owed >= REQUESTS_OWED_MS);
}

int64_t
budget_wait(const struct budget *b)
{
	return (b->owed - REQUESTS_MS) / 1000 + 1;
}
