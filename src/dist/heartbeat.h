/* Signs of life between machines. The first rank of each sends small datagrams (UDP over IPv4, to every address that the other
 * has) to the first rank of the next machine, in a ring, and listens to that of the machine before. They do not go through MPI,
 * which waits for ever for a machine that is gone. A datagram carries a random number of the job; others are not listened to.
 */
#ifndef STAC_DIST_HEARTBEAT_H
#define STAC_DIST_HEARTBEAT_H

#include <netinet/in.h>
#include <stdbool.h>

#include "dist/ranks.h"

enum { STAC_HEARTBEAT_ADDRESSES = 8 };

/* The first rank of a machine, and where it listens. */
struct stac_heartbeat_card {
    int rank, n_ranks, n_addresses; /* n_ranks: on this machine */
    char host[64];
    in_port_t port;                                   /* in the order of the network; 0: it does not listen */
    struct in_addr address[STAC_HEARTBEAT_ADDRESSES]; /* [n_addresses] */
};

struct stac_heartbeat {
    bool open; /* this is the first rank of its machine, there are other machines, and it has a socket */
    int socket;
    uint64_t key;
    struct stac_heartbeat_card mine, before, next;
    bool left;      /* the one before said that it has done its work */
    char phase[64]; /* and what it was at when it was last heard */
};

/* Find the neighbours. A machine without sockets or addresses is not watched, and no error. Collective over all ranks. */
int stac_heartbeat_begin(struct stac_heartbeat *h, const struct stac_ranks *r, struct stac_error *err);

/* One sign to the next machine; with `leaving` the last ones. Nothing where the heartbeat is not open. */
void stac_heartbeat_send(struct stac_heartbeat *h, bool leaving);

/* Take what has arrived, without waiting; whether anything came from the machine before. */
bool stac_heartbeat_listen(struct stac_heartbeat *h);

void stac_heartbeat_end(struct stac_heartbeat *h);

#endif
