#include "energy/meter_rapl.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell(struct stac_rapl *r, const char *zone, const char *what) {
    if (!*r->why) snprintf(r->why, sizeof r->why, "%s%s%.110s", zone, *zone ? ": " : "", what);
}

/* The first line of a small file; false with errno. */
static bool read_line(const char *folder, const char *name, char *out, size_t size) {
    char path[420];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t n = read(file, out, size - 1);
    int saved = errno;
    close(file);
    errno = saved;
    if (n < 0) return false;
    out[n] = 0;
    out[strcspn(out, "\n")] = 0;
    return true;
}

/* A count of microjoules or microwatts, in J or W. */
static bool read_micro(const char *folder, const char *name, double *out, const char **why) {
    char line[64], *rest;
    if (!read_line(folder, name, line, sizeof line)) {
        *why = strerror(errno);
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(line, &rest, 10);
    if (!isdigit((unsigned char)line[0]) || *rest || errno) {
        *why = "not a number";
        return false;
    }
    *out = 1e-6 * (double)value;
    return true;
}

/* "intel-rapl:3" and "intel-rapl:3:0": depth 1 and 2; others, as those of intel-rapl-mmio: 0. */
static int depth_of(const char *entry) {
    static const char prefix[] = "intel-rapl";
    int depth = 0;
    if (strncmp(entry, prefix, sizeof prefix - 1) != 0) return 0;
    for (entry += sizeof prefix - 1; *entry == ':'; depth++) {
        if (!isdigit((unsigned char)*++entry)) return 0;
        while (isdigit((unsigned char)*entry)) entry++;
    }
    return *entry ? 0 : depth;
}

static void take_zone(struct stac_rapl *r, const char *root, const char *entry) {
    struct stac_rapl_zone z = {.watts = STAC_RAPL_WATTS};
    const char *why, *quiet;
    double limit;
    int depth = depth_of(entry);
    snprintf(z.folder, sizeof z.folder, "%.250s/%.60s", root, entry);
    if (!depth || !read_line(z.folder, "name", z.name, sizeof z.name)) return;
    bool package = depth == 1 && strncmp(z.name, "package-", 8) == 0, dram = depth == 2 && strcmp(z.name, "dram") == 0;
    if (!package && !dram) return;
    for (int i = 0; i < r->n && package; i++)
        if (strcmp(r->zone[i].name, z.name) == 0) return; /* the same package again */
    if (!read_micro(z.folder, "max_energy_range_uj", &z.range, &why) || !read_micro(z.folder, "energy_uj", &z.last, &why))
        tell(r, entry, why);
    else if (!(z.range > 0) || z.last > z.range)
        tell(r, entry, "a counter beyond its range");
    else if (r->n == STAC_RAPL_ZONES)
        tell(r, entry, "too many zones");
    else {
        if (read_micro(z.folder, "constraint_0_max_power_uw", &limit, &quiet) && limit > 0) z.watts = 2 * limit;
        r->zone[r->n++] = z;
    }
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

void stac_rapl_open(struct stac_rapl *r, const char *root) {
    struct dirent **entry = NULL;
    *r = (struct stac_rapl){0};
    int n = scandir(root, &entry, NULL, by_name);
    for (int i = 0; i < n; i++) {
        take_zone(r, root, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    if (*r->why) r->n = 0; /* half of the zones is no figure */
    if (r->n == 0) tell(r, "", n < 0 ? "this machine shows no powercap zones" : "powercap has no RAPL package");
}

void stac_rapl_begin(struct stac_rapl *r, double now) {
    if (r->n == 0) return; /* why stays */
    r->why[0] = 0;
    for (int i = 0; i < r->n; i++) {
        const char *why;
        if (!read_micro(r->zone[i].folder, "energy_uj", &r->zone[i].last, &why)) tell(r, r->zone[i].name, why);
    }
    r->joules = 0;
    r->seen = now;
}

void stac_rapl_read(struct stac_rapl *r, double now) {
    double gap = now - r->seen;
    for (int i = 0; i < r->n && !*r->why; i++) {
        struct stac_rapl_zone *z = &r->zone[i];
        const char *why;
        double at;
        if (!read_micro(z->folder, "energy_uj", &at, &why))
            tell(r, z->name, why);
        else if (at > z->range)
            tell(r, z->name, "a counter beyond its range");
        else if (gap * z->watts >= z->range + (at < z->last ? z->range - z->last + at : at - z->last))
            tell(r, z->name, "the counter may have gone round unseen");
        else {
            r->joules += at < z->last ? z->range - z->last + at : at - z->last;
            z->last = at;
        }
    }
    r->seen = now;
}
