#include "dist/heartbeat.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/activity.h"

enum { TAG_CARD = 73, LAST_SIGNS = 3, MOST_AT_ONCE = 64 };

/* What travels. Ranks of a job run on machines of one kind, as those of MPI do. */
struct beat {
    uint64_t key;
    int32_t rank, leaving;
    char phase[64];
};

static void find_addresses(struct stac_heartbeat_card *c) {
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) return;
    for (const struct ifaddrs *a = all; a && c->n_addresses < STAC_HEARTBEAT_ADDRESSES; a = a->ifa_next) {
        if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET) continue;
        if (!(a->ifa_flags & IFF_UP) || (a->ifa_flags & IFF_LOOPBACK)) continue;
        struct sockaddr_in in;
        memcpy(&in, a->ifa_addr, sizeof in);
        c->address[c->n_addresses++] = in.sin_addr;
    }
    freeifaddrs(all);
}

static void open_socket(struct stac_heartbeat *h) {
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t size = sizeof any;
    h->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    h->open = h->socket >= 0;
    if (!h->open) return;
    if (bind(h->socket, (struct sockaddr *)&any, size) == 0 && getsockname(h->socket, (struct sockaddr *)&any, &size) == 0)
        h->mine.port = any.sin_port;
    find_addresses(&h->mine);
}

/* Cards go to both neighbours. */
static int exchange(struct stac_heartbeat *h, MPI_Comm firsts, struct stac_error *err) {
    const int size = (int)sizeof h->mine;
    int n, i;
    MPI_Comm_size(firsts, &n);
    MPI_Comm_rank(firsts, &i);
    if (n < 2) return STAC_OK;
    open_socket(h);
    if (i == 0 && getrandom(&h->key, sizeof h->key, GRND_NONBLOCK) != sizeof h->key) h->mine.port = 0;
    STAC_TRY(stac_broadcast(firsts, &h->key, sizeof h->key, 0, err));
    int next = (i + 1) % n, before = (i + n - 1) % n;
    STAC_TRY(stac_mpi_check(MPI_Sendrecv(&h->mine, size, MPI_BYTE, next, TAG_CARD, &h->before, size, MPI_BYTE, before, TAG_CARD,
                                         firsts, MPI_STATUS_IGNORE),
                            "cannot find the machine before", err));
    return stac_mpi_check(MPI_Sendrecv(&h->mine, size, MPI_BYTE, before, TAG_CARD, &h->next, size, MPI_BYTE, next, TAG_CARD,
                                       firsts, MPI_STATUS_IGNORE),
                          "cannot find the next machine", err);
}

int stac_heartbeat_begin(struct stac_heartbeat *h, const struct stac_ranks *r, struct stac_error *err) {
    MPI_Comm firsts;
    *h = (struct stac_heartbeat){.mine = {.rank = r->rank, .n_ranks = r->local_size}};
    memcpy(h->mine.host, r->host, sizeof h->mine.host);
    STAC_TRY(stac_mpi_check(MPI_Comm_split(r->comm, r->local_rank == 0 ? 0 : MPI_UNDEFINED, r->rank, &firsts),
                            "cannot find the first ranks of all machines", err));
    if (firsts == MPI_COMM_NULL) return STAC_OK;
    int status = exchange(h, firsts, err);
    MPI_Comm_free(&firsts);
    return status;
}

void stac_heartbeat_send(struct stac_heartbeat *h, bool leaving) {
    struct beat beat = {.key = h->key, .rank = h->mine.rank, .leaving = leaving};
    if (!h->open || h->next.port == 0) return;
    snprintf(beat.phase, sizeof beat.phase, "%s", stac_activity());
    for (int sign = 0; sign < (leaving ? LAST_SIGNS : 1); sign++)
        for (int i = 0; i < h->next.n_addresses; i++) {
            struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = h->next.port, .sin_addr = h->next.address[i]};
            /* who is not heard is missed */
            (void)!sendto(h->socket, &beat, sizeof beat, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
        }
}

bool stac_heartbeat_listen(struct stac_heartbeat *h) {
    bool heard = false;
    struct beat beat;
    if (!h->open) return false;
    for (int i = 0; i < MOST_AT_ONCE; i++) {
        ssize_t got = recv(h->socket, &beat, sizeof beat, MSG_TRUNC);
        if (got < 0) break;
        if (got != (ssize_t)sizeof beat || beat.key != h->key || beat.rank != h->before.rank) continue;
        heard = true;
        h->left = h->left || beat.leaving;
        memcpy(h->phase, beat.phase, sizeof h->phase);
        h->phase[sizeof h->phase - 1] = 0;
    }
    return heard;
}

void stac_heartbeat_end(struct stac_heartbeat *h) {
    if (h->open) close(h->socket);
    h->open = false;
}
