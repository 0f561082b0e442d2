#include "store/h5_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

enum {
    SUPERBLOCK = 48,      /* bytes */
    CHECKSUM = 4,         /* bytes behind a structure */
    LARGEST_VALUE = 65536 /* bytes of a text or record */
};
static const uint64_t nowhere = UINT64_MAX; /* the address of what is not there */

struct parser {
    const char *name; /* of the file */
    const struct stac_mapping *file;
    struct stac_h5_index *x;
    size_t walked; /* bytes of all headers so far; no file has more than its size, unless its links go in circles */
    struct stac_error *err;
};

/* A part of the file that is read from its begin on. What lies beyond its end reads as 0 and is noted. */
struct cursor {
    const uint8_t *at;
    size_t left;
    bool over;
};

static const uint8_t *take_bytes(struct cursor *c, uint64_t n) {
    const uint8_t *at = c->at;
    if (n > c->left) {
        c->over = true;
        c->left = 0;
        return NULL;
    }
    c->at += n;
    c->left -= n;
    return at;
}

static uint64_t take(struct cursor *c, int bytes) {
    const uint8_t *at = take_bytes(c, (uint64_t)bytes);
    uint64_t n = 0;
    for (int i = 0; at && i < bytes; i++) n |= (uint64_t)at[i] << 8 * i;
    return n;
}

static struct cursor part(struct cursor *c, uint64_t n) {
    const uint8_t *at = take_bytes(c, n);
    return (struct cursor){at, at ? (size_t)n : 0, !at};
}

static int refuse(struct parser *p, const char *path, const char *what) {
    return stac_fail(p->err, STAC_ERR_INPUT, "%s: %s %s: the file is damaged, or of another version of STAC; make it again",
                     p->name, path, what);
}

/* ---- kinds of values ---------------------------------------------------------------------------------------------- */

struct message {
    const char *path; /* of the object */
    struct cursor body;
};

static bool is_real(const uint8_t *head, const uint8_t *properties, size_t size) {
    static const uint8_t single[] = {0x20, 0x1f, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0};
    static const uint8_t twice[] = {0x20, 0x3f, 0, 0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0};
    const uint8_t *wanted = size == 4 ? single : twice;
    return (size == 4 || size == 8) && memcmp(head + 1, wanted, 3) == 0 && memcmp(properties, wanted + 3, 12) == 0;
}

/* Little-endian, all bits used. */
static bool is_whole(const uint8_t *head, struct cursor *c, size_t size, struct stac_h5_kind *out) {
    bool has_sign = head[1] == 8, plain = head[1] == 8 || head[1] == 0;
    uint64_t offset = take(c, 2), bits = take(c, 2);
    if (has_sign)
        *out = (struct stac_h5_kind){size == 1 ? STAC_H5_I8 : size == 4 ? STAC_H5_I32 : STAC_H5_I64, size};
    else
        *out = (struct stac_h5_kind){STAC_H5_U64, size};
    return plain && head[2] == 0 && head[3] == 0 && offset == 0 && bits == 8 * size && size == stac_h5_type_size(out->type);
}

/* A number or text. */
static bool read_plain(const uint8_t *head, size_t size, struct cursor *c, struct stac_h5_kind *out) {
    const uint8_t *properties;
    switch (head[0] & 15) {
    case 0: return is_whole(head, c, size, out) && !c->over;
    case 1:
        *out = (struct stac_h5_kind){size == 4 ? STAC_H5_F32 : STAC_H5_F64, size};
        return (properties = take_bytes(c, 12)) && is_real(head, properties, size);
    case 3: *out = (struct stac_h5_kind){STAC_H5_TEXT, size}; return true;
    default: return false;
    }
}

/* The head of a kind: class and version, bits, size. */
static const uint8_t *read_kind_head(struct cursor *c, size_t *size) {
    const uint8_t *head = take_bytes(c, 4);
    *size = (size_t)take(c, 4);
    bool good = head && !c->over && *size > 0 && *size <= LARGEST_VALUE && head[0] >> 4 >= 1 && head[0] >> 4 <= 3;
    return good ? head : NULL;
}

static bool read_plain_kind(struct cursor *c, struct stac_h5_kind *out) {
    size_t size;
    const uint8_t *head = read_kind_head(c, &size);
    return head && read_plain(head, size, c, out);
}

static const char *take_name(struct cursor *c) {
    const uint8_t *end = c->left ? memchr(c->at, 0, c->left) : NULL;
    return end ? (const char *)take_bytes(c, (uint64_t)(end - c->at) + 1) : NULL;
}

static int read_members(struct parser *p, struct cursor *c, const char *path, unsigned n, size_t size,
                        struct stac_h5_object *o) {
    struct stac_h5_index *x = p->x;
    o->first_member = x->n_members;
    for (unsigned i = 0; i < n; i++) {
        struct stac_h5_member m = {.name = take_name(c)};
        m.offset = (size_t)take(c, size < 256 ? 1 : size < 65536 ? 2 : 3);
        if (!m.name || !read_plain_kind(c, &m.kind) || m.kind.size > size || m.offset > size - m.kind.size)
            return refuse(p, path, "has records of a kind that is not read here");
        STAC_TRY(stac_grow(&x->member, &x->cap_members, x->n_members + 1, sizeof *x->member, "an HDF5 file", p->err));
        x->member[x->n_members++] = m;
        o->n_members++;
    }
    return STAC_OK;
}

static int read_kind(struct parser *p, struct message *m, struct stac_h5_object *o) {
    size_t size;
    const uint8_t *head = read_kind_head(&m->body, &size);
    if (head && head[0] == 0x36) { /* a compound type of version 3 */
        o->kind = (struct stac_h5_kind){STAC_H5_RECORD, size};
        return read_members(p, &m->body, m->path, head[1] | (unsigned)head[2] << 8, size, o);
    }
    if (head && read_plain(head, size, &m->body, &o->kind)) return STAC_OK;
    return refuse(p, m->path, "has values of a kind that is not read here");
}

/* ---- messages of a header ------------------------------------------------------------------------------------------- */

static int read_shape(struct parser *p, struct message *m, struct stac_h5_object *o) {
    uint64_t version = take(&m->body, 1), rank = take(&m->body, 1), flags = take(&m->body, 1), type = take(&m->body, 1);
    if (version != 2 || flags > 1 || type > 1 || rank < 1 || rank > 2 || m->body.left < 8 * rank)
        return refuse(p, m->path, "does not have one or two dimensions");
    o->rank = (int)rank;
    o->shape[0] = take(&m->body, 8);
    o->shape[1] = rank == 2 ? take(&m->body, 8) : 1;
    return STAC_OK;
}

static int read_layout(struct parser *p, struct message *m, struct stac_h5_object *o) {
    uint64_t version = take(&m->body, 1), class = take(&m->body, 1), address = take(&m->body, 8), size = take(&m->body, 8);
    if (class != 1 || (version != 3 && version != 4)) return refuse(p, m->path, "does not lie in one piece");
    bool inside = address <= p->file->size && size <= p->file->size - address && address >= SUPERBLOCK;
    if (m->body.over || (size > 0 && !inside)) return refuse(p, m->path, "is not all there");
    o->offset = size > 0 ? (size_t)address : 0;
    o->size = (size_t)size;
    return STAC_OK;
}

/* Where links or attributes lie when there are too many for a header. */
static int read_heap(struct parser *p, struct message *m, const char *what) {
    uint64_t version = take(&m->body, 1), flags = take(&m->body, 1), heap = take(&m->body, 8), tree = take(&m->body, 8);
    if (!m->body.over && version == 0 && flags == 0 && heap == nowhere && tree == nowhere) return STAC_OK;
    return refuse(p, m->path, what);
}

static int add_object(struct parser *p, const char *parent, const uint8_t *name, size_t n, uint64_t address) {
    enum { LONGEST_PATH = 255 };
    struct stac_h5_index *x = p->x;
    size_t before = strcmp(parent, "/") == 0 ? 0 : strlen(parent);
    if (before + n + 1 > LONGEST_PATH) return refuse(p, parent, "has a link with a name that is too long");
    STAC_TRY(stac_grow(&x->object, &x->cap_objects, x->n_objects + 1, sizeof *x->object, "an HDF5 file", p->err));
    char *path = stac_alloc(before + n + 2, 1, "an HDF5 file", p->err);
    if (!path) return p->err->status;
    memcpy(path, parent, before);
    path[before] = '/';
    memcpy(path + before + 1, name, n);
    x->object[x->n_objects++] = (struct stac_h5_object){.path = path, .address = (size_t)address};
    return STAC_OK;
}

/* A hard link without an order of creation. */
static int read_link(struct parser *p, struct message *m) {
    uint64_t version = take(&m->body, 1), flags = take(&m->body, 1);
    if (flags & 0x08 && take(&m->body, 1) != 0) return refuse(p, m->path, "has a link that leads elsewhere");
    if (flags & 0x10) take(&m->body, 1); /* character set */
    uint64_t n = take(&m->body, 1 << (flags & 3));
    const uint8_t *name = take_bytes(&m->body, n);
    uint64_t address = take(&m->body, 8);
    bool good = version == 1 && !(flags & 0xe4) && name && n > 0 && !m->body.over && address < p->file->size;
    if (!good || memchr(name, '/', n) || memchr(name, 0, n)) return refuse(p, m->path, "has a broken link");
    return add_object(p, m->path, name, n, address);
}

static int read_attribute(struct parser *p, struct message *m, struct stac_h5_object *o) {
    struct cursor *c = &m->body;
    struct stac_h5_index *x = p->x;
    uint64_t version = take(c, 1), flags = take(c, 1), name_size = take(c, 2), kind_size = take(c, 2), space_size = take(c, 2);
    take(c, 1); /* character set */
    struct cursor name = part(c, name_size), kind = part(c, kind_size), space = part(c, space_size);
    struct stac_h5_attribute a = {.name = take_name(&name)};
    bool scalar = take(&space, 1) == 2 && take(&space, 1) == 0 && take(&space, 1) == 0 && take(&space, 1) == 0;
    bool good = version == 3 && flags == 0 && a.name && name.left == 0 && scalar && !space.over;
    if (!good || !read_plain_kind(&kind, &a.kind) || !(a.value = take_bytes(c, a.kind.size)) || c->left > 0)
        return refuse(p, m->path, "has an attribute of a kind that is not read here");
    STAC_TRY(stac_grow(&x->attribute, &x->cap_attributes, x->n_attributes + 1, sizeof *x->attribute, "an HDF5 file", p->err));
    x->attribute[x->n_attributes++] = a;
    o->n_attributes++;
    return STAC_OK;
}

enum { SPACE = 1 << 0x01, LINKS = 1 << 0x02, KIND = 1 << 0x03, LINK = 1 << 0x06, LAYOUT = 1 << 0x08, MORE = 0x10 };

/* `o` is a copy of the object, which may move when others are found; it has its kinds of messages in *seen. */
static int read_message(struct parser *p, unsigned type, struct message *m, struct stac_h5_object *o, unsigned *seen) {
    unsigned mark = type < 32 ? 1u << type : 0;
    if (mark & *seen & (SPACE | LINKS | KIND | LAYOUT)) return refuse(p, m->path, "says something twice");
    *seen |= mark;
    switch (type) {
    case 0x00: /* nothing */
    case 0x05: /* what unwritten values read as: there are none */
    case 0x0a: /* how many links a group may have before they are put in a heap */
    case 0x12: /* time of change */ return STAC_OK;
    case 0x01: return read_shape(p, m, o);
    case 0x02: return read_heap(p, m, "keeps its links in a heap");
    case 0x03: return read_kind(p, m, o);
    case 0x06: return read_link(p, m);
    case 0x07: return refuse(p, m->path, "has its values in another file");
    case 0x08: return read_layout(p, m, o);
    case 0x0b: return refuse(p, m->path, "is packed");
    case 0x0c: return read_attribute(p, m, o);
    case 0x15: return read_heap(p, m, "keeps its attributes in a heap");
    default: return refuse(p, m->path, "has a part that is not read here");
    }
}

/* ---- headers -------------------------------------------------------------------------------------------------------- */

/* Pieces of a header: what is still to be read. */
struct pieces {
    struct piece {
        uint64_t address, size;
    } * piece;
    size_t n, cap;
};

static int add_piece(struct parser *p, struct message *m, struct pieces *more) {
    struct piece piece = {take(&m->body, 8), take(&m->body, 8)};
    if (m->body.over) return refuse(p, m->path, "has a broken header");
    STAC_TRY(stac_grow(&more->piece, &more->cap, more->n + 1, sizeof *more->piece, "an HDF5 file", p->err));
    more->piece[more->n++] = piece;
    return STAC_OK;
}

static int read_messages(struct parser *p, struct cursor c, struct stac_h5_object *o, unsigned *seen, struct pieces *more) {
    enum { MESSAGE_HEAD = 4, SHARED = 2 };
    while (c.left >= MESSAGE_HEAD) {
        unsigned type = (unsigned)take(&c, 1);
        uint64_t size = take(&c, 2), flags = take(&c, 1);
        struct message m = {o->path, part(&c, size)};
        if (m.body.over || flags & SHARED) return refuse(p, o->path, "has a broken header");
        STAC_TRY(type == MORE ? add_piece(p, &m, more) : read_message(p, type, &m, o, seen));
    }
    return STAC_OK;
}

/* A structure of the file, without its checksum, which is verified. */
static bool checked(struct parser *p, uint64_t address, uint64_t size, const char *mark, struct cursor *out) {
    uint64_t all = p->file->size;
    if (address > all || size < CHECKSUM + 4 || size > all - address || size > all - p->walked) return false;
    const uint8_t *at = p->file->data + address;
    struct cursor sum = {at + size - CHECKSUM, CHECKSUM, false};
    p->walked += (size_t)size;
    *out = (struct cursor){at + 4, (size_t)size - CHECKSUM - 4, false};
    return memcmp(at, mark, 4) == 0 && stac_lookup3(at, (size_t)size - CHECKSUM) == take(&sum, CHECKSUM);
}

/* The first piece of a header, from its first message on. */
static bool read_front(struct parser *p, uint64_t address, struct cursor *out) {
    enum { TIMES = 0x20, LIMITS = 0x10, KNOWN = 0x33 };
    struct cursor c = {p->file->data + address, p->file->size - address, false};
    take(&c, 4);
    uint64_t version = take(&c, 1), flags = take(&c, 1);
    if (flags & TIMES) take_bytes(&c, 16);
    if (flags & LIMITS) take_bytes(&c, 4);
    uint64_t size = take(&c, 1 << (flags & 3)), front = p->file->size - address - c.left;
    if (c.over || version != 2 || flags & ~(uint64_t)KNOWN || size > c.left ||
        !checked(p, address, front + size + CHECKSUM, "OHDR", out))
        return false;
    take_bytes(out, front - 4);
    return true;
}

/* What the messages say must fit together. */
static int settle(struct parser *p, struct stac_h5_object *o, unsigned seen) {
    uint64_t size = o->kind.size;
    unsigned is_set = seen & (SPACE | KIND | LAYOUT), is_group = seen & (LINKS | LINK);
    o->is_group = is_group & LINKS;
    if (o->is_group ? is_set != 0 : is_group != 0 || is_set != (SPACE | KIND | LAYOUT))
        return refuse(p, o->path, "is neither a group nor a dataset");
    if (o->is_group) return STAC_OK;
    if (__builtin_mul_overflow(size, o->shape[0], &size) || __builtin_mul_overflow(size, o->shape[1], &size) || size != o->size)
        return refuse(p, o->path, "is not all there");
    return STAC_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct stac_h5_attribute *)a)->name, ((const struct stac_h5_attribute *)b)->name);
}

static int read_object(struct parser *p, size_t i) {
    struct stac_h5_object o = p->x->object[i];
    struct pieces more = {0};
    struct cursor c;
    unsigned seen = 0;
    int status = STAC_OK;
    o.first_attribute = p->x->n_attributes;
    if (!read_front(p, o.address, &c)) return refuse(p, o.path, "has a broken header");
    STAC_TRY_DONE(read_messages(p, c, &o, &seen, &more));
    while (more.n > 0) {
        struct piece next = more.piece[--more.n];
        if (!checked(p, next.address, next.size, "OCHK", &c)) {
            status = refuse(p, o.path, "has a broken header");
            goto done;
        }
        STAC_TRY_DONE(read_messages(p, c, &o, &seen, &more));
    }
    STAC_TRY_DONE(settle(p, &o, seen));
    if (o.n_attributes > 1) qsort(p->x->attribute + o.first_attribute, o.n_attributes, sizeof *p->x->attribute, by_name);
    p->x->object[i] = o;
done:
    free(more.piece);
    return status;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static int read_superblock(struct parser *p, uint64_t *root) {
    const struct stac_mapping *file = p->file;
    if (file->size < SUPERBLOCK || memcmp(file->data, "\x89HDF\r\n\x1a\n", 8) != 0)
        return stac_fail(p->err, STAC_ERR_INPUT, "%s: cannot open it as HDF5: it does not begin as such a file does", p->name);
    struct cursor c = {file->data + 8, SUPERBLOCK - 8, false};
    uint64_t version = take(&c, 1), offset_bytes = take(&c, 1), length_bytes = take(&c, 1), open = take(&c, 1);
    uint64_t base = take(&c, 8), extension = take(&c, 8), end = take(&c, 8);
    *root = take(&c, 8);
    if ((version != 2 && version != 3) || offset_bytes != 8 || length_bytes != 8 || base != 0 || extension != nowhere)
        return stac_fail(p->err, STAC_ERR_INPUT, "%s is an HDF5 file, but not one of STAC", p->name);
    if (end > file->size)
        return stac_fail(p->err, STAC_ERR_INPUT, "%s is cut short: %zu of its %llu bytes are there; make it again", p->name,
                         file->size, (unsigned long long)end);
    if (take(&c, CHECKSUM) != stac_lookup3(file->data, SUPERBLOCK - CHECKSUM) || open != 0 || *root > file->size)
        return refuse(p, "the file", "has a broken head");
    return STAC_OK;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct stac_h5_object *)a)->path, ((const struct stac_h5_object *)b)->path);
}

int stac_h5_index(const char *name, const struct stac_mapping *file, struct stac_h5_index *x, struct stac_error *err) {
    struct parser p = {name, file, x, 0, err};
    uint64_t root;
    *x = (struct stac_h5_index){0};
    int status = read_superblock(&p, &root);
    if (status == STAC_OK) status = add_object(&p, "/", (const uint8_t *)"", 0, root);
    for (size_t i = 0; i < x->n_objects && status == STAC_OK; i++) status = read_object(&p, i);
    if (status == STAC_OK) qsort(x->object, x->n_objects, sizeof *x->object, by_path);
    if (status != STAC_OK) stac_h5_index_clean(x);
    return status;
}

void stac_h5_index_clean(struct stac_h5_index *x) {
    for (size_t i = 0; i < x->n_objects; i++) free(x->object[i].path);
    free(x->object);
    free(x->attribute);
    free(x->member);
    *x = (struct stac_h5_index){0};
}

const struct stac_h5_object *stac_h5_index_find(const struct stac_h5_index *x, const char *path) {
    struct stac_h5_object key = {.path = (char *)(uintptr_t)path};
    return x->n_objects ? bsearch(&key, x->object, x->n_objects, sizeof key, by_path) : NULL;
}
