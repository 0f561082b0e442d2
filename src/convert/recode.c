#include "convert/recode.h"

#include <stdlib.h>

#include "base/memory.h"

/* The words of the keys and those of the enumerations are in the same order. */
struct stac_scheme stac_scheme_of(const struct stac_job *job) {
    return (struct stac_scheme){.code = (enum stac_code_kind)job->code,
                                .neuron = (enum stac_neuron_kind)job->neuron,
                                .timesteps = (int)job->timesteps,
                                .levels = (int)job->levels,
                                .activation_bits = (int)job->activation_bits,
                                .code_bits = (int)job->code_bits,
                                .leak = job->leak,
                                .geometric = stac_job_without(job, STAC_STEP_RAMPS)};
}

/* The plan of rank 0. */
static int plan_alone(struct stac_recoding *r, const struct stac_scheme *scheme, double budget, struct stac_error *err) {
    double *sensitivity;
    STAC_TRY(STAC_NEW(sensitivity, r->stats.n_sites, "sensitivities", err));
    for (int i = 0; i < r->stats.n_sites; i++) sensitivity[i] = r->plan[i].sensitivity;
    int status =
        stac_plan_budget(&r->stats, scheme, sensitivity, budget, r->stats.context, r->plan, &r->expected_ac_per_mac, err);
    free(sensitivity);
    return status;
}

int stac_recode_plan(struct stac_recoding *r, const struct stac_scheme *scheme, double budget, struct stac_error *err) {
    MPI_Comm comm = r->ranks->comm;
    int status = r->ranks->rank == 0 ? plan_alone(r, scheme, budget, err) : STAC_OK;
    STAC_TRY(stac_agree(r->ranks, comm, status, err));
    STAC_TRY(stac_broadcast(comm, &r->expected_ac_per_mac, sizeof r->expected_ac_per_mac, 0, err));
    return stac_broadcast(comm, r->plan, (size_t)r->stats.n_sites * sizeof *r->plan, 0, err);
}

static int recode_site(const struct stac_recoding *r, int timesteps, struct stac_site *site, struct stac_error *err) {
    struct stac_code code = {0};
    STAC_TRY(stac_plan_build(&r->plan[stac_site_index(&r->stats.hp, site)], timesteps, &code, err));
    stac_code_clean(&site->code);
    site->code = code;
    return STAC_OK;
}

int stac_recode_network(const struct stac_recoding *r, int timesteps, struct stac_network *net, struct stac_error *err) {
    for (int l = 0; l < net->last - net->first; l++)
        for (int k = 0; k < STAC_SITE_HEAD_IN; k++) STAC_TRY(recode_site(r, timesteps, &net->block[l].site[k], err));
    return net->has_head ? recode_site(r, timesteps, &net->head_in, err) : STAC_OK;
}

void stac_recoding_clean(struct stac_recoding *r) {
    stac_statistics_clean(&r->stats);
    free(r->plan);
    r->plan = NULL;
}
