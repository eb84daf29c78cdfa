// Parts of two convolutions for one frame, on one core: see adafuse_compact_native.py.
//
// Maps are rows of pixels of `ld` channels (NHWC). A tile is PX neighbouring pixels times NV vectors of outputs, held in
// registers while all inputs stream by: for each input channel one value of each pixel and NV vectors of weights. Inputs
// are read through lists, so that nothing is gathered: skipping a channel is skipping a turn of the innermost loop.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int VL = 16, NB = 4, PX = 7;
#elif defined(__AVX2__)
constexpr int VL = 8, NB = 2, PX = 6;
#else
constexpr int VL = 4, NB = 4, PX = 6;
#endif
constexpr int BLOCK = VL * NB;
constexpr int HALF = VL / 2;
constexpr int SEGMENTS = 4, TAPS = 9;

typedef float vec __attribute__((vector_size(VL * 4)));
typedef float half __attribute__((vector_size(HALF * 4)));

template <class V> inline V load(const float *from) {
    V v;
    std::memcpy(&v, from, sizeof(V));
    return v;
}

template <class V> inline void store(float *to, V v) { std::memcpy(to, &v, sizeof(V)); }

// acc += x * w, with x read from memory and spread over the lanes
inline void fma_spread(vec &acc, const float *x, vec w) {
#if defined(__AVX512F__)
    asm("vfmadd231ps %1%{1to16%}, %2, %0" : "+v"(acc) : "m"(*x), "v"(w));
#else
    acc += w * *x;
#endif
}

inline void fma_spread(half &acc, const float *x, half w) { acc += w * *x; }

// One stretch of inputs: `count` turns; turn i reads value xoff[i] of each pixel and weights w + woff[i].
struct Run {
    const float *px[PX];
    const float *w;
    const int32_t *xoff, *woff;
    int count;
};

template <class V> inline V positive(V v) {
    V zero = {};
    return v > zero ? v : zero;
}

// LISTED: turns follow xoff and woff; otherwise turn i reads value i and weights w + i * wld.
template <int NV, bool TAIL, bool LISTED>
__attribute__((noinline)) void tile(const Run *runs, int count, int wld, const float *bias, bool relu, float *out, int64_t ld, int pixels) {
    vec acc[PX][NV ? NV : 1];
    half low[PX];
#pragma GCC unroll 8
    for (int p = 0; p < PX; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) acc[p][v] = load<vec>(bias + v * VL);
        if (TAIL) low[p] = load<half>(bias + NV * VL);
    }
    for (int r = 0; r < count; ++r) {
        const Run &run = runs[r];
        const float *px[PX];
        for (int p = 0; p < PX; ++p) px[p] = run.px[p];
        const float *w = run.w;
        for (int i = 0; i < run.count; ++i) {
            const float *row = LISTED ? w + run.woff[i] : w + (int64_t)i * wld;
            const int64_t at = LISTED ? run.xoff[i] : i;
            vec weight[NV ? NV : 1];
            for (int v = 0; v < NV; ++v) weight[v] = load<vec>(row + v * VL);
#pragma GCC unroll 8
            for (int p = 0; p < PX; ++p)
#pragma GCC unroll 4
                for (int v = 0; v < NV; ++v) fma_spread(acc[p][v], px[p] + at, weight[v]);
            if (TAIL) {
                half last = load<half>(row + NV * VL);
                for (int p = 0; p < PX; ++p) fma_spread(low[p], px[p] + at, last);
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < PX; ++p) {  // all indices constant: accumulators stay in registers
        if (p >= pixels) break;
        float *to = out + p * ld;
        for (int v = 0; v < NV; ++v) store(to + v * VL, relu ? positive(acc[p][v]) : acc[p][v]);
        if (TAIL) store(to + NV * VL, relu ? positive(low[p]) : low[p]);
    }
}

typedef void (*Tile)(const Run *, int, int, const float *, bool, float *, int64_t, int);

// The tile for `lanes` outputs, a multiple of HALF of at most BLOCK.
template <bool LISTED> Tile tile_for(int lanes) {
    static const Tile whole[] = {nullptr, tile<1, false, LISTED>, tile<2, false, LISTED>, tile<3, false, LISTED>,
                                 tile<4, false, LISTED>};
    static const Tile tailed[] = {tile<0, true, LISTED>, tile<1, true, LISTED>, tile<2, true, LISTED>,
                                  tile<3, true, LISTED>};
    return lanes % VL ? tailed[lanes / VL] : whole[lanes / VL];
}

// Weights (inputs, outputs) of the listed outputs, in blocks: block, input, lane; zeros fill the last block's lanes.
void pack(const float *w, int inputs, int outputs, const int32_t *list, int n, int padded, float *to) {
    static thread_local std::vector<float> line;
    line.assign(padded + 2 * VL, 0.0f);
#if defined(__AVX512F__)
    static thread_local std::vector<__mmask16> masks;
    masks.assign((outputs + VL - 1) / VL, 0);
    for (int j = 0; j < n; ++j) masks[list[j] / VL] |= (__mmask16)(1u << (list[j] % VL));
#endif
    for (int c = 0; c < inputs; ++c) {
        const float *from = w + (int64_t)c * outputs;
#if defined(__AVX512F__)
        float *end = line.data();
        for (size_t k = 0; k < masks.size(); ++k) {
            if (!masks[k]) continue;
            _mm512_storeu_ps(end, _mm512_maskz_compress_ps(masks[k], _mm512_loadu_ps(from + k * VL)));
            end += __builtin_popcount(masks[k]);
        }
#else
        for (int j = 0; j < n; ++j) line[j] = from[list[j]];
#endif
        float *block = to;
        for (int first = 0; first < padded; first += BLOCK) {
            const int lanes = std::min(BLOCK, padded - first);
            std::memcpy(block + (int64_t)c * lanes, line.data() + first, lanes * sizeof(float));
            block += (int64_t)inputs * lanes;
        }
    }
}

}  // namespace

extern "C" {

struct Segment {
    const float *y;           // pixels of ld channels
    const int32_t *places;    // where the channels lie in a pixel
    const int32_t *channels;  // their numbers
    int64_t ld;
    int64_t count;
};

int adafuse_lanes() { return VL; }
int adafuse_block() { return BLOCK; }
int adafuse_half() { return HALF; }

// First convolution, 1x1: outputs `list` of x (pixels, inputs) with w (inputs, outputs), rectified -> y (pixels, ld),
// where ld is n rounded up to a multiple of HALF. outputs is a multiple of VL. `list` is sorted.
void adafuse_rows(const float *x, int pixels, int inputs, const float *w, const float *bias, int outputs,
                  const int32_t *list, int n, float *y, int ld) {
    static thread_local std::vector<float> packed, shift;
    packed.resize((size_t)ld * inputs);
    shift.assign(ld, 0.0f);
    for (int j = 0; j < n; ++j) shift[j] = bias[list[j]];
    pack(w, inputs, outputs, list, n, ld, packed.data());
    const float *block = packed.data();
    for (int first = 0; first < ld; first += BLOCK) {
        const int lanes = std::min(BLOCK, ld - first);
        const Tile run_tile = tile_for<false>(lanes);
        for (int p = 0; p < pixels; p += PX) {
            const int here = std::min(PX, pixels - p);
            Run run;
            for (int k = 0; k < PX; ++k) run.px[k] = x + (int64_t)(p + std::min(k, here - 1)) * inputs;
            run.w = block;
            run.count = inputs;
            run_tile(&run, 1, lanes, shift.data() + first, true, y + (int64_t)p * ld + first, ld, here);
        }
        block += (int64_t)inputs * lanes;
    }
}

// Second convolution, 3x3 with padding 1: of the listed input channels of maps (height, width) -> out (rows, columns,
// outputs). w is packed (block of BLOCK outputs, tap, input, lane); outputs is a multiple of BLOCK.
void adafuse_reduce(const Segment *segments, int count, int height, int width, int inputs, int stride, const float *w,
                    const float *bias, int outputs, int relu, float *out) {
    const int rows = (height - 1) / stride + 1, columns = (width - 1) / stride + 1;
    static thread_local std::vector<float> zeros;
    static thread_local std::vector<int32_t> offsets;
    int64_t most = 0, total = 0;
    for (int s = 0; s < count; ++s) {
        most = std::max(most, segments[s].ld);
        total += segments[s].count;
    }
    zeros.assign(most + 1, 0.0f);
    offsets.resize(total + 1);
    int32_t *next = offsets.data();
    const int32_t *woff[SEGMENTS];
    for (int s = 0; s < count; ++s) {
        woff[s] = next;
        for (int64_t i = 0; i < segments[s].count; ++i) *next++ = segments[s].channels[i] * BLOCK;
    }
    const Tile run_tile = tile_for<true>(BLOCK);
    Run runs[SEGMENTS * TAPS];
    for (int first = 0; first < outputs; first += BLOCK) {
        const float *block = w + (int64_t)first * TAPS * inputs;
        for (int row = 0; row < rows; ++row)
            for (int column = 0; column < columns; column += PX) {
                const int here = std::min(PX, columns - column);
                int used = 0;
                for (int tap = 0; tap < TAPS; ++tap) {
                    const int above = row * stride + tap / 3 - 1;
                    if (above < 0 || above >= height) continue;
                    for (int s = 0; s < count; ++s) {
                        if (!segments[s].count) continue;
                        Run &run = runs[used++];
                        const float *line = segments[s].y + (int64_t)above * width * segments[s].ld;
                        for (int k = 0; k < PX; ++k) {
                            const int aside = (column + k) * stride + tap % 3 - 1;
                            const bool inside = k < here && aside >= 0 && aside < width;
                            run.px[k] = inside ? line + aside * segments[s].ld : zeros.data();
                        }
                        run.w = block + (int64_t)tap * inputs * BLOCK;
                        run.xoff = segments[s].places;
                        run.woff = woff[s];
                        run.count = (int)segments[s].count;
                    }
                }
                run_tile(runs, used, 0, bias + first, relu != 0,
                         out + ((int64_t)row * columns + column) * outputs + first, outputs, here);
            }
    }
}

// Frames first..last-1 of a clip: x (frames, pixels, inputs) and codes (frames, middle: 0 skip, 1 reuse, 2 keep; nothing
// is reused in frame 0) -> out (frames, rows, columns, outputs). Of the frame before `first` what is reused is made too.
void adafuse_clip(const int8_t *codes, int first, int last, const float *x, int height, int width, int inputs,
                  const float *w1, const float *b1, int middle, const float *w2, const float *b2, int stride,
                  int outputs, int relu, float *out) {
    const int64_t pixels = (int64_t)height * width;
    const int64_t results = (int64_t)((height - 1) / stride + 1) * ((width - 1) / stride + 1) * outputs;
    static thread_local std::vector<float> maps[2];
    std::vector<int32_t> made, kept, kept_at, reused, reused_at, place[2];
    for (int side = 0; side < 2; ++side) {
        maps[side].resize(pixels * middle);
        place[side].assign(middle, 0);
    }
    int64_t ld[2] = {0, 0};
    for (int t = std::max(0, first - 1); t < last; ++t) {
        const int8_t *now = codes + (int64_t)t * middle, *next = t + 1 < last ? now + middle : nullptr;
        const int side = t & 1;
        made.clear(), kept.clear(), kept_at.clear(), reused.clear(), reused_at.clear();
        for (int c = 0; c < middle; ++c) {
            const bool keep = t >= first && now[c] == 2;
            if (t >= first && now[c] == 1) reused.push_back(c), reused_at.push_back(place[1 - side][c]);
            if (!keep && !(next && next[c] == 1)) continue;
            place[side][c] = (int32_t)made.size();
            if (keep) kept.push_back(c), kept_at.push_back((int32_t)made.size());
            made.push_back(c);
        }
        ld[side] = ((int64_t)made.size() + HALF - 1) / HALF * HALF;
        adafuse_rows(x + t * pixels * inputs, (int)pixels, inputs, w1, b1, middle, made.data(), (int)made.size(),
                     maps[side].data(), (int)ld[side]);
        if (t < first) continue;
        const Segment segments[2] = {
            {maps[side].data(), kept_at.data(), kept.data(), ld[side], (int64_t)kept.size()},
            {maps[1 - side].data(), reused_at.data(), reused.data(), ld[1 - side], (int64_t)reused.size()}};
        adafuse_reduce(segments, 2, height, width, middle, stride, w2, b2, outputs, relu, out + t * results);
    }
}
}
