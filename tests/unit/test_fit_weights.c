/* convert/fit_weights: the integers that the definition gives, an input at a time, and less error than rounding to the nearest.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "convert/fit_weights.h"
#include "unit.h"

/* More than a step of inputs, a tile of columns and a block of rows. */
enum { IN = 150, OUT = 70, ROWS = 300, LARGEST = 7 };

struct product {
    float z[ROWS * IN], w[IN * OUT], scale[OUT];
    int8_t q[IN * OUT];
};

/* Inputs of very different strength, which depend on each other. */
static void draw(struct product *p) {
    struct stac_random random = stac_random_seeded(11, 0);
    for (int r = 0; r < ROWS; r++) {
        double shared = stac_random_normal(&random);
        for (int i = 0; i < IN; i++)
            p->z[r * IN + i] = (float)((1 + i * 37 % IN) * 0.02 * (shared * (i % 5) * 0.3 + stac_random_normal(&random)));
    }
    for (int j = 0; j < OUT; j++) p->scale[j] = 0.3f + 0.01f * (float)j;
    for (int i = 0; i < IN * OUT; i++) p->w[i] = (float)stac_random_normal(&random);
}

/* |Z (W - Q)|^2 */
static double error_of(const struct product *p, const int8_t *q) {
    double sum = 0;
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < OUT; j++) {
            double e = 0;
            for (int i = 0; i < IN; i++)
                e += (double)p->z[r * IN + i] * ((double)p->w[i * OUT + j] - q[i * OUT + j] * (double)p->scale[j]);
            sum += e * e;
        }
    return sum;
}

static double rounded(double w, double scale) {
    return fmin(fmax(rint(w / scale), -LARGEST), LARGEST);
}

static void nearest(const struct product *p, int8_t *q) {
    for (int i = 0; i < IN * OUT; i++) q[i] = (int8_t)rounded((double)p->w[i], (double)p->scale[i % OUT]);
}

/* Z^T Z / ROWS, damped by a hundredth of its mean diagonal. */
static void moments(const struct product *p, double h[IN][IN]) {
    double mean = 0;
    for (int i = 0; i < IN; i++)
        for (int j = 0; j < IN; j++) {
            h[i][j] = 0;
            for (int r = 0; r < ROWS; r++) h[i][j] += (double)p->z[r * IN + i] * (double)p->z[r * IN + j] / ROWS;
        }
    for (int i = 0; i < IN; i++) mean += h[i][i] / IN;
    for (int i = 0; i < IN; i++) h[i][i] += 0.01 * mean;
}

/* By Gauss and Jordan; h is symmetric and positive. */
static void invert(double h[IN][IN]) {
    for (int k = 0; k < IN; k++) {
        double pivot = h[k][k];
        h[k][k] = 1;
        for (int j = 0; j < IN; j++) h[k][j] /= pivot;
        for (int i = 0; i < IN; i++) {
            double factor = h[i][k];
            if (i == k) continue;
            h[i][k] = 0;
            for (int j = 0; j < IN; j++) h[i][j] -= factor * h[k][j];
        }
    }
}

/* Hassibi and Stork: of the inputs that are left the strongest is rounded, and those behind it make up for its error along the
 * column of the inverse, out of which it is then eliminated. */
static void one_by_one(const struct product *p, int8_t *q) {
    static double h[IN][IN], strength[IN], w[IN * OUT];
    bool done[IN] = {false};
    moments(p, h);
    for (int i = 0; i < IN; i++) strength[i] = h[i][i];
    for (int i = 0; i < IN * OUT; i++) w[i] = (double)p->w[i];
    invert(h);
    for (int turn = 0; turn < IN; turn++) {
        int k = -1;
        for (int i = 0; i < IN; i++)
            if (!done[i] && (k < 0 || strength[i] > strength[k])) k = i;
        done[k] = true;
        for (int j = 0; j < OUT; j++) {
            double r = rounded(w[k * OUT + j], (double)p->scale[j]), e = (w[k * OUT + j] - r * (double)p->scale[j]) / h[k][k];
            q[k * OUT + j] = (int8_t)r;
            for (int i = 0; i < IN; i++) w[i * OUT + j] -= done[i] ? 0 : h[i][k] * e;
        }
        double column[IN], pivot = h[k][k];
        for (int i = 0; i < IN; i++) column[i] = h[i][k];
        for (int i = 0; i < IN; i++)
            for (int j = 0; j < IN; j++) h[i][j] -= column[i] * column[j] / pivot;
    }
}

static void weights_are_those_of_the_definition(void **state) {
    static struct product p;
    static int8_t plain[IN * OUT], defined[IN * OUT];
    struct stac_error err = {0};
    int other = 0;
    (void)state;
    draw(&p);
    OK(stac_fit_weights(IN, OUT, ROWS, p.z, p.w, p.scale, LARGEST, p.q, &err));
    nearest(&p, plain);
    one_by_one(&p, defined);
    for (int i = 0; i < IN * OUT; i++) other += p.q[i] != defined[i];
    print_message("error of fitted weights over nearest %.4f, by definition %.4f; %d of %d integers differ\n",
                  error_of(&p, p.q) / error_of(&p, plain), error_of(&p, defined) / error_of(&p, plain), other, IN * OUT);
    /* a value halfway between two integers may fall otherwise in float, and then all behind it */
    assert_true(other <= IN * OUT / 100);
    assert_true(error_of(&p, p.q) < 0.5 * error_of(&p, plain));
    assert_true(fabs(error_of(&p, p.q) / error_of(&p, defined) - 1) < 0.01);
}

static void inputs_that_are_silent_are_rounded_to_the_nearest(void **state) {
    static struct product p;
    static int8_t plain[IN * OUT];
    struct stac_error err = {0};
    (void)state;
    draw(&p);
    memset(p.z, 0, sizeof p.z);
    OK(stac_fit_weights(IN, OUT, ROWS, p.z, p.w, p.scale, LARGEST, p.q, &err));
    for (int i = 0; i < IN * OUT; i++) plain[i] = (int8_t)fminf(fmaxf(rintf(p.w[i] / p.scale[i % OUT]), -LARGEST), LARGEST);
    assert_memory_equal(p.q, plain, sizeof plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights_are_those_of_the_definition),
                                       cmocka_unit_test(inputs_that_are_silent_are_rounded_to_the_nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
