// One normalization layer of DNR for maps in channels_last, of float32 or bfloat16: see native.py. A map is rows of pixels
// of C channels, and C a multiple of VL.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "stretches.hpp"

namespace {

#if defined(__AVX512F__)
constexpr int VL = 16;
#elif defined(__AVX2__)
constexpr int VL = 8;
#else
constexpr int VL = 4;
#endif
constexpr int ROWS = 4;      // pixels that are added up at once
constexpr int STRETCH = 64;  // pixels, a multiple of ROWS, whose sum is rounded on its own

typedef float vec __attribute__((vector_size(VL * 4)));
typedef int32_t ints __attribute__((vector_size(VL * 4)));
typedef uint32_t words __attribute__((vector_size(VL * 4)));
typedef uint16_t halves __attribute__((vector_size(VL * 2)));
typedef uint16_t bf16;

inline vec load(const float *from) {
    vec v;
    std::memcpy(&v, from, sizeof(vec));
    return v;
}

inline void store(float *to, vec v) { std::memcpy(to, &v, sizeof(vec)); }

inline vec load(const bf16 *from) {
    halves h;
    std::memcpy(&h, from, sizeof(halves));
    const words bits = __builtin_convertvector(h, words) << 16;
    vec v;
    std::memcpy(&v, &bits, sizeof(vec));
    return v;
}

// Rounded to the nearest, ties to even, as PyTorch does.
inline void store(bf16 *to, vec v) {
    words bits;
    std::memcpy(&bits, &v, sizeof(vec));
    bits = v == v ? (bits + 0x7fff + ((bits >> 16) & 1)) >> 16 : words{} + 0x7fc0;
    const halves h = __builtin_convertvector(bits, halves);
    std::memcpy(to, &h, sizeof(halves));
}

// NaN stays NaN.
inline vec at_most(vec x, float limit) { return x > limit ? limit - vec{} : x; }
inline vec at_least(vec x, float limit) { return x < limit ? limit - vec{} : x; }

// e^x by x = k ln 2 + r, ln 2 in two parts and a polynomial in r (Cephes, expf); exact to 2e-7 of the value.
inline vec exponential(vec x) {
    x = at_least(at_most(x, 88.0f), -87.0f);
    const vec turns = x * 1.44269504088896341f;
    const ints k = __builtin_convertvector(turns + (turns > vec{} ? 0.5f - vec{} : -0.5f - vec{}), ints);
    const vec whole = __builtin_convertvector(k, vec);
    const vec r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    vec y = 1.9875691500e-4f - vec{};
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        y = y * r + c;
    y = y * r * r + r + 1.0f;
    const ints bits = (k + 127) << 23;
    vec scale;
    std::memcpy(&scale, &bits, sizeof(vec));
    return y * scale;
}

inline vec sigmoid(vec x) { return 1.0f / (1.0f + exponential(-x)); }
inline vec tangent(vec x) { return 1.0f - 2.0f / (1.0f + exponential(2.0f * x)); }

inline float dot(const float *a, const float *b, int n) {
    vec sums[2] = {};
    int i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        sums[0] += load(a + i) * load(b + i);
        sums[1] += load(a + i + VL) * load(b + i + VL);
    }
    for (; i + VL <= n; i += VL) sums[0] += load(a + i) * load(b + i);
    const vec both = sums[0] + sums[1];
    float sum = 0.0f;
    for (int v = 0; v < VL; ++v) sum += both[v];
    for (; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

// Rows of x, `step` apart, times w (outputs, inputs), plus bias -> rows of y. Each row of w is read once.
void linear(const float *w, const float *bias, const float *x, int64_t step, int rows, int inputs, int outputs,
            bool relu, float *y) {
    for (int o = 0; o < outputs; ++o)
        for (int r = 0; r < rows; ++r) {
            const float sum = bias[o] + dot(w + (int64_t)o * inputs, x + r * step, inputs);
            y[(int64_t)r * outputs + o] = relu ? std::max(sum, 0.0f) : sum;
        }
}

// Linear(C, width), ReLU, Linear(width, 4 C).
struct Bottleneck {
    const float *w0, *b0, *w1, *b1;
};

struct Layer {
    Bottleneck x, h;
    const float *from_zero;       // h of zeros, 4 C
    const float *mean, *inverse;  // 1 / deviation
    int channels, width;
    int relu;
    int half;  // whether maps are of bfloat16
};

// Means of the maps `first` to `last` - 1 of (maps, pixels, channels) -> (maps, channels); the frames of a group in a row
// are one map.
template <typename T>
void pool(const Layer *layer, const T *maps, int first, int last, int64_t pixels, float *means) {
    const int channels = layer->channels;
    std::vector<float> part(channels);
    for (int m = first; m < last; ++m) {
        const T *row = maps + m * pixels * channels;
        float *mean = means + (int64_t)m * channels;
        std::fill(mean, mean + channels, 0.0f);
        for (int64_t p = 0; p < pixels; p += STRETCH) {
            std::fill(part.begin(), part.end(), 0.0f);
            int left = (int)std::min<int64_t>(STRETCH, pixels - p);
            for (; left >= ROWS; left -= ROWS, row += ROWS * channels)
                for (int c = 0; c < channels; c += VL) {
                    const T *at = row + c;
                    const vec pairs[2] = {load(at) + load(at + channels),
                                          load(at + 2 * channels) + load(at + 3 * channels)};
                    store(&part[c], load(&part[c]) + (pairs[0] + pairs[1]));
                }
            for (; left > 0; --left, row += channels)
                for (int c = 0; c < channels; c += VL) store(&part[c], load(&part[c]) + load(row + c));
            for (int c = 0; c < channels; c += VL) store(mean + c, load(mean + c) + load(&part[c]));
        }
        for (int c = 0; c < channels; c += VL) store(mean + c, load(mean + c) / (float)pixels);
    }
}

// The LSTM cell (equations 3 to 5) over the groups of each clip: pooled (clips, groups, channels) -> scale and shift of
// the same shape. What was before, (clips, channels) each, is none where it is zero.
void relay(const Layer *layer, const float *pooled, int clips, int groups, const float *scale_before,
           const float *shift_before, float *scale, float *shift) {
    const Bottleneck &x = layer->x, &h = layer->h;
    const int channels = layer->channels, width = layer->width, gates = 4 * channels;
    std::vector<float> hidden((size_t)clips * groups * width), own((size_t)clips * groups * gates),
        relayed((size_t)clips * gates);
    linear(x.w0, x.b0, pooled, channels, clips * groups, channels, width, true, hidden.data());
    linear(x.w1, x.b1, hidden.data(), width, clips * groups, width, gates, false, own.data());
    for (int g = 0; g < groups; ++g) {
        const bool zero = g == 0 && !scale_before;
        const int64_t step = g ? (int64_t)groups * channels : channels;  // from clip to clip
        if (g) {
            scale_before = scale + (g - 1) * channels;
            shift_before = shift + (g - 1) * channels;
        }
        if (!zero) {
            linear(h.w0, h.b0, scale_before, step, clips, channels, width, true, hidden.data());
            linear(h.w1, h.b1, hidden.data(), width, clips, width, gates, false, relayed.data());
        }
        for (int n = 0; n < clips; ++n) {
            const float *mine = own.data() + (int64_t)(n * groups + g) * gates;
            const float *other = zero ? layer->from_zero : relayed.data() + (int64_t)n * gates;
            const int64_t at = (int64_t)(n * groups + g) * channels;
            for (int c = 0; c < channels; c += VL) {
                vec gate[4];
                for (int k = 0; k < 4; ++k) gate[k] = load(mine + k * channels + c) + load(other + k * channels + c);
                vec cell = sigmoid(gate[0]) * tangent(gate[2]);
                if (!zero) cell += sigmoid(gate[1]) * load(shift_before + n * step + c);
                store(shift + at + c, cell);
                store(scale + at + c, sigmoid(gate[3]) * sigmoid(cell));
            }
        }
    }
}

// (maps - mean) / deviation * scale + shift, and the ReLU, of the maps `first` to `last` - 1, of which `each` in a row
// share scale and shift; `out` may be `maps`.
template <typename T>
void apply(const Layer *layer, const T *maps, int first, int last, int64_t pixels, int each, const float *scale,
           const float *shift, T *out) {
    const int channels = layer->channels;
    std::vector<float> factor(channels), term(channels);
    for (int m = first; m < last; ++m) {
        const int64_t at = (int64_t)(m / each) * channels;
        for (int c = 0; c < channels; ++c) {
            factor[c] = scale[at + c] * layer->inverse[c];
            term[c] = shift[at + c] - factor[c] * layer->mean[c];
        }
        const T *row = maps + m * pixels * channels;
        T *to = out + m * pixels * channels;
        for (int64_t p = 0; p < pixels; ++p, row += channels, to += channels)
            for (int c = 0; c < channels; c += VL) {
                const vec value = load(row + c) * load(&factor[c]) + load(&term[c]);
                store(to + c, layer->relu ? at_least(value, 0.0f) : value);
            }
    }
}

template <typename T>
void norm(const Layer *layer, const T *maps, int clips, int groups, int each, int64_t pixels, const float *scale_before,
          const float *shift_before, float *scale, float *shift, T *out, int threads) {
    const int channels = layer->channels, steps = clips * groups;
    if (threads == 1) pixels *= each, each = 1;  // the frames of a group are one map
    std::vector<float> means((size_t)steps * each * channels), pooled;
    in_stretches(steps * each, threads,
                 [&](int first, int end) { pool(layer, maps, first, end, pixels, means.data()); });
    if (each > 1) {
        pooled.assign((size_t)steps * channels, 0.0f);
        for (int m = 0; m < steps * each; ++m)
            for (int c = 0; c < channels; ++c)
                pooled[(m / each) * channels + c] += means[m * channels + c] / (float)each;
    }
    relay(layer, (each > 1 ? pooled : means).data(), clips, groups, scale_before, shift_before, scale, shift);
    in_stretches(steps * each, threads,
                 [&](int first, int end) { apply(layer, maps, first, end, pixels, each, scale, shift, out); });
}

}  // namespace

extern "C" {

int dnr_lanes() { return VL; }

// Of maps (clips * groups * each frames, pixels, channels): the means of each group of frames, the cell, and what is
// normalized, scaled and shifted, with the ReLU. Scale and shift are (clips, groups, channels).
void dnr_norm(const Layer *layer, const void *maps, int clips, int groups, int each, int64_t pixels,
              const float *scale_before, const float *shift_before, float *scale, float *shift, void *out,
              int threads) {
    if (layer->half)
        return norm(layer, (const bf16 *)maps, clips, groups, each, pixels, scale_before, shift_before, scale, shift,
                    (bf16 *)out, threads);
    norm(layer, (const float *)maps, clips, groups, each, pixels, scale_before, shift_before, scale, shift,
         (float *)out, threads);
}
}
