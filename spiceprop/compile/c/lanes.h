/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lanes (image, neuron) in blocks: rows hold one value a lane, and loops over them become vectors. Where a block is not
 * full, its last lane is repeated. OWN_PARAMETERS: whether each lane has parameters of its own. */

enum { LANES_OF_OWN = OWN_PARAMETERS ? BLOCK : 1 };
#define OF(l) (OWN_PARAMETERS ? (l) : 0)
#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))
#define VECTORS _Pragma("omp simd")

typedef real Row[BLOCK] __attribute__((aligned(64)));
typedef real Own[LANES_OF_OWN];

/* Where a block lies among the lanes. */
typedef struct {
    long first, count;
    int image[BLOCK], neuron[BLOCK];
} Place;

static void find_place(long images, long neurons, long block, Place *at)
{
    const long lanes = images * neurons;
    at->first = block * BLOCK;
    at->count = lanes - at->first < BLOCK ? lanes - at->first : BLOCK;
    for (int l = 0; l < BLOCK; l++) {
        const long lane = at->first + (l < at->count ? l : at->count - 1);
        at->image[l] = (int)(lane / neurons);
        at->neuron[l] = (int)(lane % neurons);
    }
}

/* `from` is the first lane of a block in an array. */
INLINE void take(Row row, const real *from, const Place *at)
{
    if (at->count == BLOCK) {
        VECTORS
        for (int l = 0; l < BLOCK; l++)
            row[l] = from[l];
        return;
    }
    for (int l = 0; l < BLOCK; l++)
        row[l] = from[l < at->count ? l : at->count - 1];
}

INLINE void give(real *to, const Row row, const Place *at)
{
    if (at->count == BLOCK) {
        VECTORS
        for (int l = 0; l < BLOCK; l++)
            to[l] = row[l];
    } else
        memcpy(to, row, (size_t)at->count * sizeof(real));
}

INLINE void add(Row total, const real *part)
{
    VECTORS
    for (int l = 0; l < BLOCK; l++)
        total[l] += part[l];
}

INLINE void fill(Row row, real value)
{
    for (int l = 0; l < BLOCK; l++)
        row[l] = value;
}
