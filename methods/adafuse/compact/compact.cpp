// Parts of two convolutions: see native.py.
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

#include "stretches.hpp"

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
constexpr int LINE = 16;  // floats of a cache line

typedef float vec __attribute__((vector_size(VL * 4)));
typedef float half __attribute__((vector_size(HALF * 4)));

template <class V> inline V load(const float *from) {
    V v;
    std::memcpy(&v, from, sizeof(V));
    return v;
}

template <class V> inline void store(float *to, V v) { std::memcpy(to, &v, sizeof(V)); }

// acc[v] += x * w[v]: x is spread over the lanes once. Of the PX * NB sums, NB weights and x one has no register left;
// so the last weights are read from memory where they are used.
template <int NV> inline void fma_spread(vec *acc, float x, const vec *weight, const float *w) {
#if defined(__AVX512F__)
    typedef const vec __attribute__((may_alias)) *place;
    const vec spread = x - vec{};
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v)
        if (v < NB - 1)
            acc[v] += weight[v] * spread;
        else
            asm("vfmadd231ps %1, %2, %0" : "+v"(acc[v]) : "m"(*(place)(w + v * VL)), "v"(spread));
#else
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[v] += weight[v] * x;
#endif
}

// One stretch of inputs: `count` turns; turn i reads value xoff[i] of each pixel and weights w + woff[i]. The first or
// the last pixel of a tile may lie outside of the map and take no part.
enum Pixels { ALL, NOT_FIRST, NOT_LAST };
struct Run {
    const float *px[PX];
    const float *w;
    const int32_t *xoff, *woff;
    int count;
    Pixels pixels;
};

template <class V> inline V positive(V v) {
    V zero = {};
    return v > zero ? v : zero;
}

// What is done with sums: `add` is added, at the places of the output, before the ReLU; `total`, one for each lane, takes
// in what comes out, over all pixels.
struct Finish {
    bool relu;
    const float *add = nullptr;
    float *total = nullptr;
};

template <class V> inline V finished(V sum, const Finish &finish, int64_t at) {
    if (finish.add) sum += load<V>(finish.add + at);
    return finish.relu ? positive(sum) : sum;
}

// What a tile adds up: NV vectors, and half a vector with TAIL, for each pixel.
template <int NV, bool TAIL> struct Sums {
    vec acc[PX][NV ? NV : 1];
    half low[PX];
};

// All turns of a run for pixels P0 to P1 - 1. LISTED: turns follow xoff and woff; otherwise turn i reads value i and
// weights w + i * wld.
template <int NV, bool TAIL, bool LISTED, int P0, int P1>
inline __attribute__((always_inline)) void turns(const Run &run, int wld, Sums<NV, TAIL> &sums) {
    const float *px[PX];
    for (int p = P0; p < P1; ++p) px[p] = run.px[p];
    const float *w = run.w;
    for (int i = 0; i < run.count; ++i) {
        const float *row = LISTED ? w + run.woff[i] : w + (int64_t)i * wld;
        const int64_t at = LISTED ? run.xoff[i] : i;
        vec weight[NV ? NV : 1];
        for (int v = 0; v < NV; ++v) weight[v] = load<vec>(row + v * VL);
#pragma GCC unroll 8
        for (int p = P0; p < P1; ++p) fma_spread<NV>(sums.acc[p], px[p][at], weight, row);
        if (TAIL) {
            half last = load<half>(row + NV * VL);
#pragma GCC unroll 8
            for (int p = P0; p < P1; ++p) sums.low[p] += last * px[p][at];
        }
    }
}

template <int NV, bool TAIL, bool LISTED>
__attribute__((noinline)) void tile(const Run *runs, int count, int wld, const float *bias, Finish finish, float *out,
                                    int64_t ld, int pixels) {
    Sums<NV, TAIL> sums;
#pragma GCC unroll 8
    for (int p = 0; p < PX; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) sums.acc[p][v] = load<vec>(bias + v * VL);
        if (TAIL) sums.low[p] = load<half>(bias + NV * VL);
    }
    for (int r = 0; r < count; ++r) {
        const Run &run = runs[r];
        if (LISTED && run.pixels == NOT_FIRST)
            turns<NV, TAIL, LISTED, 1, PX>(run, wld, sums);
        else if (LISTED && run.pixels == NOT_LAST)
            turns<NV, TAIL, LISTED, 0, PX - 1>(run, wld, sums);
        else
            turns<NV, TAIL, LISTED, 0, PX>(run, wld, sums);
    }
    vec total[NV ? NV : 1] = {};
#pragma GCC unroll 8
    for (int p = 0; p < PX; ++p) {  // all indices constant: sums stay in registers
        if (p >= pixels) break;
        const int64_t at = p * ld;
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) {
            const vec value = finished(sums.acc[p][v], finish, at + v * VL);
            store(out + at + v * VL, value);
            total[v] += value;
        }
        if (TAIL) store(out + at + NV * VL, finished(sums.low[p], finish, at + NV * VL));
    }
    if (finish.total)
        for (int v = 0; v < NV; ++v) store(finish.total + v * VL, load<vec>(finish.total + v * VL) + total[v]);
}

typedef void (*Tile)(const Run *, int, int, const float *, Finish, float *, int64_t, int);

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

// x (pixels, inputs) times w (inputs, lanes) -> `lanes` channels of out (pixels, ld).
void product(const float *x, int pixels, int inputs, const float *w, int lanes, const float *bias, Finish finish,
             float *out, int64_t ld) {
    const Tile run_tile = tile_for<false>(lanes);
    Run run;
    run.w = w;
    run.count = inputs;
    run.pixels = ALL;
    const float *add = finish.add;
    for (int p = 0; p < pixels; p += PX) {
        const int here = std::min(PX, pixels - p);
        for (int k = 0; k < PX; ++k) run.px[k] = x + (int64_t)(p + std::min(k, here - 1)) * inputs;
        const float *ahead = x + (int64_t)(p + here) * inputs, *end = x + (int64_t)std::min(p + 2 * PX, pixels) * inputs;
        for (; ahead < end; ahead += LINE) __builtin_prefetch(ahead, 0, 2);
        if (add) finish.add = add + p * ld;
        run_tile(&run, 1, lanes, bias, finish, out + p * ld, ld, here);
    }
}

// Channels that the second convolution reads: where they lie in a pixel of `y`, and in a tap's weights.
struct Part {
    const float *y = nullptr;
    int64_t ld = 0;
    std::vector<int32_t> places, offsets;

    void add(int32_t place, int32_t channel) {
        places.push_back(place);
        offsets.push_back(channel * BLOCK);
    }
};

// The second convolution's sizes and weights; see adafuse_reduce.
struct Second {
    int height, width, inputs, stride;
    const float *w, *bias;
    int outputs;
    bool relu;

    int rows() const { return (height - 1) / stride + 1; }
    int columns() const { return (width - 1) / stride + 1; }
};

// A block of outputs from `first` of one frame.
void reduce(const Second &conv, const Part *parts, int count, int first, const float *zeros, float *out) {
    const Tile run_tile = tile_for<true>(BLOCK);
    const int columns = conv.columns();
    const float *w = conv.w + (int64_t)first * TAPS * conv.inputs;
    Run runs[SEGMENTS * TAPS];
    for (int row = 0; row < conv.rows(); ++row)
        for (int column = 0; column < columns; column += PX) {
            const int here = std::min(PX, columns - column);
            int used = 0;
            for (int tap = 0; tap < TAPS; ++tap) {
                const int above = row * conv.stride + tap / 3 - 1;
                if (above < 0 || above >= conv.height) continue;
                const int left = column * conv.stride + tap % 3 - 1, right = left + (PX - 1) * conv.stride;
                const Pixels pixels = left < 0 ? NOT_FIRST : here == PX && right >= conv.width ? NOT_LAST : ALL;
                for (int s = 0; s < count; ++s) {
                    const Part &part = parts[s];
                    if (part.places.empty()) continue;
                    Run &run = runs[used++];
                    const float *line = part.y + (int64_t)above * conv.width * part.ld;
                    for (int k = 0; k < PX; ++k) {
                        const int aside = left + k * conv.stride;
                        const bool inside = k < here && aside >= 0 && aside < conv.width;
                        run.px[k] = inside ? line + aside * part.ld : zeros;
                    }
                    run.w = w + (int64_t)tap * conv.inputs * BLOCK;
                    run.xoff = part.places.data();
                    run.woff = part.offsets.data();
                    run.count = (int)part.places.size();
                    run.pixels = pixels;
                }
            }
            run_tile(runs, used, 0, conv.bias + first, {conv.relu},
                     out + ((int64_t)row * columns + column) * conv.outputs + first, conv.outputs, here);
        }
}

// Few rows times many weights, which are read once for ROWS rows: of GROUP outputs, packed (input, lane).
#if defined(__AVX512F__)
constexpr int ROWS = 8;
#else
constexpr int ROWS = 4;
#endif
constexpr int PAIR = 2;
constexpr int GROUP = PAIR * VL;

inline void few(const float *const *rows, int inputs, const float *w, vec (*acc)[PAIR]) {
    vec sums[ROWS][PAIR];
    std::memcpy(sums, acc, sizeof(sums));
    for (int i = 0; i < inputs; ++i, w += GROUP) {
        const vec weight[PAIR] = {load<vec>(w), load<vec>(w + VL)};
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r) {
            const vec x = rows[r][i] - vec{};
            sums[r][0] += weight[0] * x;
            sums[r][1] += weight[1] * x;
        }
    }
    std::memcpy(acc, sums, sizeof(sums));
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
int adafuse_group() { return GROUP; }

// A linear layer of a policy: rows of x (rows, inputs) -> y (rows, outputs), rectified with `relu`. Of clips of
// `frames` frames each row is read behind the one before it, the first behind zeros; with 0 frames as it is. w is packed
// (group of GROUP outputs, input, lane).
void adafuse_policy(const float *x, int rows, int inputs, int frames, const float *w, const float *bias, int outputs,
                    int relu, float *y, int threads) {
    const std::vector<float> zeros(inputs, 0.0f);
    const int64_t size = (int64_t)(frames ? 2 : 1) * inputs * GROUP;
    const auto group = [&](int g) {
        for (int r = 0; r < rows; r += ROWS) {
            const float *before[ROWS], *now[ROWS];
            vec acc[ROWS][PAIR];
            for (int k = 0; k < ROWS; ++k) {
                const int row = std::min(r + k, rows - 1);
                now[k] = x + (int64_t)row * inputs;
                before[k] = frames && row % frames ? now[k] - inputs : zeros.data();
                for (int v = 0; v < PAIR; ++v) acc[k][v] = load<vec>(bias + g * GROUP + v * VL);
            }
            const float *part = w + g * size;
            if (frames) {
                few(before, inputs, part, acc);
                part += (int64_t)inputs * GROUP;
            }
            few(now, inputs, part, acc);
            for (int k = 0; k < std::min(ROWS, rows - r); ++k)
                for (int v = 0; v < PAIR; ++v)
                    store(y + (int64_t)(r + k) * outputs + g * GROUP + v * VL, relu ? positive(acc[k][v]) : acc[k][v]);
        }
    };
    in_stretches(outputs / GROUP, threads, [&](int first, int end) {
        for (int g = first; g < end; ++g) group(g);
    });
}

// First convolution, 1x1: outputs `list` of x (pixels, inputs) with w (inputs, outputs), rectified -> y (pixels, ld),
// where ld is n rounded up to a multiple of HALF. outputs is a multiple of VL. `list` is sorted.
void adafuse_rows(const float *x, int pixels, int inputs, const float *w, const float *bias, int outputs,
                  const int32_t *list, int n, float *y, int ld, int threads) {
    static thread_local std::vector<float> packed, shift;
    packed.resize((size_t)ld * inputs);
    shift.assign(ld, 0.0f);
    for (int j = 0; j < n; ++j) shift[j] = bias[list[j]];
    pack(w, inputs, outputs, list, n, ld, packed.data());
    const float *weights = packed.data(), *added = shift.data();  // of this thread, not of those that work for it
    in_stretches(pixels, threads, [=](int begin, int end) {
        for (int first = 0; first < ld; first += BLOCK)
            product(x + (int64_t)begin * inputs, end - begin, inputs, weights + (int64_t)first * inputs,
                    std::min(BLOCK, ld - first), added + first, {true}, y + (int64_t)begin * ld + first, ld);
    });
}

// Third convolution, 1x1, of frames of y (pixels, inputs), summed with `other` and rectified -> out (frames, pixels,
// outputs), which may be `other`, and their means over the pixels (frames, outputs). w is packed (block of BLOCK outputs,
// input, lane); outputs is a multiple of BLOCK.
void adafuse_third(const float *y, int frames, int pixels, int inputs, const float *w, const float *bias, int outputs,
                   const float *other, float *out, float *means, int threads) {
    const auto frame = [&](int t) {
        const int64_t at = (int64_t)t * pixels * outputs;
        float *mean = means + (int64_t)t * outputs;
        std::fill(mean, mean + outputs, 0.0f);
        for (int first = 0; first < outputs; first += BLOCK)
            product(y + (int64_t)t * pixels * inputs, pixels, inputs, w + (int64_t)first * inputs, BLOCK, bias + first,
                    {true, other + at + first, mean + first}, out + at + first, outputs);
        for (int c = 0; c < outputs; ++c) mean[c] /= pixels;
    };
    in_stretches(frames, threads, [&](int first, int end) {
        for (int t = first; t < end; ++t) frame(t);
    });
}

// Second convolution, 3x3 with padding 1: of the listed input channels of maps (height, width) -> out (rows, columns,
// outputs). w is packed (block of BLOCK outputs, tap, input, lane); outputs is a multiple of BLOCK.
void adafuse_reduce(const Segment *segments, int count, int height, int width, int inputs, int stride, const float *w,
                    const float *bias, int outputs, int relu, float *out, int threads) {
    const Second conv{height, width, inputs, stride, w, bias, outputs, relu != 0};
    std::vector<Part> parts(count);
    int64_t most = 0;
    for (int s = 0; s < count; ++s) {
        parts[s].y = segments[s].y;
        parts[s].ld = segments[s].ld;
        for (int64_t i = 0; i < segments[s].count; ++i) parts[s].add(segments[s].places[i], segments[s].channels[i]);
        most = std::max(most, segments[s].ld);
    }
    const std::vector<float> zeros(most + 1, 0.0f);
    in_stretches(outputs / BLOCK, threads, [&](int begin, int end) {
        for (int block = begin; block < end; ++block)
            reduce(conv, parts.data(), count, block * BLOCK, zeros.data(), out);
    });
}

// Frames first..last-1 of a clip, on one core: x (frames, pixels, inputs) and codes (frames, middle: 0 skip, 1 reuse,
// 2 keep; nothing is reused in frame 0) -> out (frames, rows, columns, outputs). Of the frame before `first` what is
// reused is made too. Outputs go outside and frames inside, so that the second convolution's weights are fetched once.
static void stretch(const int8_t *codes, int first, int last, const float *x, int height, int width, int inputs,
                    const float *w1, const float *b1, int middle, const float *w2, const float *b2, int stride,
                    int outputs, int relu, float *out) {
    static thread_local std::vector<float> maps;
    const Second conv{height, width, middle, stride, w2, b2, outputs, relu != 0};
    const int64_t pixels = (int64_t)height * width, results = (int64_t)conv.rows() * conv.columns() * outputs;
    const int before = std::max(0, first - 1);
    std::vector<std::vector<int32_t>> made(last);
    std::vector<std::vector<Part>> parts(last, std::vector<Part>(2));  // kept, reused
    std::vector<int32_t> place(middle), place_before(middle);
    std::vector<int64_t> start(last + 1, 0), ld(last, 0);
    for (int t = before; t < last; ++t) {
        const int8_t *now = codes + (int64_t)t * middle, *next = t + 1 < last ? now + middle : nullptr;
        place_before.swap(place);
        for (int c = 0; c < middle; ++c) {
            const bool keep = t >= first && now[c] == 2;
            if (t >= first && now[c] == 1) parts[t][1].add(place_before[c], c);
            if (!keep && !(next && next[c] == 1)) continue;
            place[c] = (int32_t)made[t].size();
            if (keep) parts[t][0].add(place[c], c);
            made[t].push_back(c);
        }
        ld[t] = ((int64_t)made[t].size() + HALF - 1) / HALF * HALF;
        start[t + 1] = start[t] + ld[t] * pixels;
    }
    maps.resize(start[last] + 1);
    for (int t = before; t < last; ++t) {
        adafuse_rows(x + t * pixels * inputs, (int)pixels, inputs, w1, b1, middle, made[t].data(),
                     (int)made[t].size(), maps.data() + start[t], (int)ld[t], 1);
        parts[t][0].y = maps.data() + start[t];
        parts[t][0].ld = ld[t];
        if (t > before) parts[t][1].y = parts[t - 1][0].y, parts[t][1].ld = ld[t - 1];
    }
    const std::vector<float> zeros(middle + 1, 0.0f);
    for (int block = 0; block < outputs; block += BLOCK)
        for (int t = first; t < last; ++t) reduce(conv, parts[t].data(), 2, block, zeros.data(), out + t * results);
}

// The same of all frames of a clip.
void adafuse_clip(const int8_t *codes, int frames, const float *x, int height, int width, int inputs, const float *w1,
                  const float *b1, int middle, const float *w2, const float *b2, int stride, int outputs, int relu,
                  float *out, int threads) {
    in_stretches(frames, threads, [&](int first, int end) {
        stretch(codes, first, end, x, height, width, inputs, w1, b1, middle, w2, b2, stride, outputs, relu, out);
    });
}
}
