/* A CUDA runtime without a card, to be loaded before torch: memory is the host's, small copies are made, kernels do
   nothing. What torch itself does around them (devices, types, streams, waits, captures) is real; values are not.
   `null_runtime.py` builds it, and adds a function that returns success for every other symbol that torch asks for. */
#define _GNU_SOURCE
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST = 1 << 16, LARGEST_COPY = 1 << 22 };
static const size_t MEMORY = (size_t)1 << 37;

/* Blocks of memory: those of the device are told from those of the host by where they lie. */
typedef struct {
    char *start;
    size_t bytes;
    int on_device;
} Block;

static Block blocks[MOST];
static int known;
static size_t used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(void *start, size_t bytes, int on_device) {
    pthread_mutex_lock(&lock);
    int at = 0;
    while (at < known && blocks[at].start) at++;
    if (at == known && known < MOST) known++;
    if (at < MOST) blocks[at] = (Block){start, bytes, on_device};
    pthread_mutex_unlock(&lock);
}

static Block *holding(const void *place) {
    const char *one = place;
    for (int at = 0; at < known; at++)
        if (blocks[at].start && one >= blocks[at].start && one < blocks[at].start + blocks[at].bytes) return &blocks[at];
    return NULL;
}

static int on_device(const void *place) {
    pthread_mutex_lock(&lock);
    Block *found = holding(place);
    int told = found && found->on_device;
    pthread_mutex_unlock(&lock);
    return told;
}

static Block forget(void *start) {
    Block gone = {0};
    pthread_mutex_lock(&lock);
    Block *found = holding(start);
    if (found) gone = *found, found->start = NULL;
    pthread_mutex_unlock(&lock);
    return gone;
}

cudaError_t cudaMalloc(void **place, size_t bytes) {
    void *made = MAP_FAILED;
    if (used + bytes <= MEMORY)
        made = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED) return cudaErrorMemoryAllocation;
    used += bytes;
    note(made, bytes, 1);
    *place = made;
    return cudaSuccess;
}

cudaError_t cudaFree(void *place) {
    Block gone = forget(place);
    if (gone.start) used -= gone.bytes, munmap(gone.start, gone.bytes ? gone.bytes : 1);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **place, size_t bytes, unsigned flags) {
    *place = malloc(bytes ? bytes : 1);
    note(*place, bytes, 0);
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *place) {
    forget(place);
    free(place);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *all) {
    *all = MEMORY, *left = MEMORY - used;
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *told, const void *place) {
    memset(told, 0, sizeof *told);
    pthread_mutex_lock(&lock);
    Block *found = holding(place);
    told->type = !found ? cudaMemoryTypeUnregistered : found->on_device ? cudaMemoryTypeDevice : cudaMemoryTypeHost;
    pthread_mutex_unlock(&lock);
    if (told->type != cudaMemoryTypeUnregistered) told->devicePointer = (void *)place;
    if (told->type == cudaMemoryTypeHost) told->hostPointer = (void *)place;
    return cudaSuccess;
}

/* What comes to the host is always copied; what stays on the device or goes there, while it is small. */
static void copy(void *to, const void *from, size_t bytes) {
    if (!on_device(to) || bytes <= LARGEST_COPY) memmove(to, from, bytes);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind) {
    copy(to, from, bytes);
    return cudaSuccess;
}

/* Copies to the device for which a card would make the host wait: from memory that is not page-locked. */
unsigned long nullcuda_pageable;

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream) {
    pthread_mutex_lock(&lock);
    Block *target = holding(to);
    if (target && target->on_device && !holding(from)) nullcuda_pageable++;
    pthread_mutex_unlock(&lock);
    copy(to, from, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemset(void *place, int value, size_t bytes) {
    if (bytes <= LARGEST_COPY) memset(place, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *place, int value, size_t bytes, cudaStream_t stream) {
    return cudaMemset(place, value, bytes);
}

/* One card of the sort that the suite is to be ready for. */
cudaError_t cudaGetDeviceCount(int *count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int *device) { return *device = 0, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int *version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int *version) { return *version = CUDART_VERSION, cudaSuccess; }
const char *cudaGetErrorString(cudaError_t error) { return "an error of the null runtime"; }
const char *cudaGetErrorName(cudaError_t error) { return "nullError"; }

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *told, int device) {
    memset(told, 0, sizeof *told);
    strcpy(told->name, "null device");
    told->major = 9, told->minor = 0, told->totalGlobalMem = MEMORY, told->multiProcessorCount = 132;
    told->maxThreadsPerBlock = 1024, told->maxThreadsPerMultiProcessor = 2048, told->warpSize = 32;
    told->sharedMemPerBlock = 48 << 10, told->sharedMemPerBlockOptin = 227 << 10;
    told->sharedMemPerMultiprocessor = 228 << 10, told->regsPerBlock = told->regsPerMultiprocessor = 1 << 16;
    told->l2CacheSize = 50 << 20, told->maxBlocksPerMultiProcessor = 32, told->textureAlignment = 512;
    told->maxGridSize[0] = 0x7fffffff, told->maxGridSize[1] = told->maxGridSize[2] = 0xffff;
    told->maxThreadsDim[0] = told->maxThreadsDim[1] = 1024, told->maxThreadsDim[2] = 64;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int device) {
    static const int told[][2] = {
        {cudaDevAttrMaxThreadsPerBlock, 1024}, {cudaDevAttrMultiProcessorCount, 132}, {cudaDevAttrWarpSize, 32},
        {cudaDevAttrMaxSharedMemoryPerBlock, 48 << 10}, {cudaDevAttrMaxSharedMemoryPerBlockOptin, 227 << 10},
        {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 228 << 10}, {cudaDevAttrComputeCapabilityMajor, 9},
        {cudaDevAttrMaxThreadsPerMultiProcessor, 2048}, {cudaDevAttrMaxRegistersPerBlock, 1 << 16},
        {cudaDevAttrMaxGridDimX, 0x7fffffff}, {cudaDevAttrMaxGridDimY, 0xffff}, {cudaDevAttrMaxGridDimZ, 0xffff},
        {cudaDevAttrMaxBlockDimX, 1024}, {cudaDevAttrMaxBlockDimY, 1024}, {cudaDevAttrMaxBlockDimZ, 64},
        {cudaDevAttrL2CacheSize, 50 << 20},
    };
    *value = 0;
    for (size_t at = 0; at < sizeof told / sizeof *told; at++)
        if (told[at][0] == (int)which) *value = told[at][1];
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *told, int most, int device) {
    strncpy(told, "0000:00:00.0", most);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    return *least = 0, *greatest = -5, cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *told, const void *kernel) {
    memset(told, 0, sizeof *told);
    told->maxThreadsPerBlock = 1024, told->numRegs = 32, told->binaryVersion = told->ptxVersion = 90;
    told->maxDynamicSharedSizeBytes = 227 << 10;
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int *count, const void *kernel, int threads, size_t shared, unsigned flags) {
    return *count = 2, cudaSuccess;
}

cudaError_t cudaGetSymbolAddress(void **place, const void *symbol) { return *place = (void *)symbol, cudaSuccess; }

/* Streams, events and graphs are numbers. */
static void *fresh(void) {
    static char *last = (char *)0x10000;
    return last += 16;
}

static int capturing;
cudaError_t cudaStreamCreate(cudaStream_t *made) { return *made = fresh(), cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *made, unsigned flags) { return *made = fresh(), cudaSuccess; }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *made, unsigned flags, int priority) {
    return *made = fresh(), cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int *told) { return *told = 0, cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t *made) { return *made = fresh(), cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *made, unsigned flags) { return *made = fresh(), cudaSuccess; }
cudaError_t cudaEventElapsedTime(float *told, cudaEvent_t from, cudaEvent_t to) { return *told = 1, cudaSuccess; }
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t call, void *with) { return call(with), cudaSuccess; }
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *told) {
    *told = capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
static void capture_info(
    enum cudaStreamCaptureStatus *told, unsigned long long *id, cudaGraph_t *graph, const cudaGraphNode_t **nodes,
    size_t *count) {
    cudaStreamIsCapturing(NULL, told);
    if (id) *id = 1;
    if (graph) *graph = (cudaGraph_t)&capturing;
    if (nodes) *nodes = NULL;
    if (count) *count = 0;
}
#if CUDART_VERSION >= 13000
cudaError_t cudaStreamGetCaptureInfo(
    cudaStream_t stream, enum cudaStreamCaptureStatus *told, unsigned long long *id, cudaGraph_t *graph,
    const cudaGraphNode_t **nodes, const cudaGraphEdgeData **edges, size_t *count) {
    if (edges) *edges = NULL;
    return capture_info(told, id, graph, nodes, count), cudaSuccess;
}
#else
cudaError_t cudaStreamGetCaptureInfo_v2(
    cudaStream_t stream, enum cudaStreamCaptureStatus *told, unsigned long long *id, cudaGraph_t *graph,
    const cudaGraphNode_t **nodes, size_t *count) {
    return capture_info(told, id, graph, nodes, count), cudaSuccess;
}
#endif
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    return capturing = 1, cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *made) {
    return capturing = 0, *made = fresh(), cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long flags) {
    return *made = fresh(), cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    return *count = 1, cudaSuccess;
}
cudaError_t cudaUserObjectCreate(
    cudaUserObject_t *made, void *held, cudaHostFn_t end, unsigned count, unsigned flags) {
    return *made = fresh(), cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *made, int device) { return *made = fresh(), cudaSuccess; }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr which, void *value) {
    memset(value, 0, 8);
    return cudaSuccess;
}

static int nothing(void) { return 0; }
cudaError_t cudaGetDriverEntryPointByVersion(
    const char *name, void **made, unsigned version, unsigned long long flags,
    enum cudaDriverEntryPointQueryResult *told) {
    *made = (void *)nothing;
    if (told) *told = cudaDriverEntryPointSuccess;
    return cudaSuccess;
}

/* What the compiler's own launches call. */
static __thread struct {
    dim3 grid, block;
    size_t shared;
    void *stream;
} launch;

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st *stream) {
    launch.grid = grid, launch.block = block, launch.shared = shared, launch.stream = stream;
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
    *grid = launch.grid, *block = launch.block, *shared = launch.shared, *(void **)stream = launch.stream;
    return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t *made, const void *kernel) { return *made = (cudaKernel_t)kernel, cudaSuccess; }
void **__cudaRegisterFatBinary(void *binary) {
    static void *handle[4];
    return handle;
}
