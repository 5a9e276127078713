// All that TensorRT's headers want of the CUDA runtime: two names of handles. The runtime library itself is
// not used.
#ifndef CLIP_TENSORRT_SHIM_CUDA_RUNTIME_API_H_
#define CLIP_TENSORRT_SHIM_CUDA_RUNTIME_API_H_

typedef struct CUevent_st* cudaEvent_t;
typedef struct CUstream_st* cudaStream_t;

#endif  // CLIP_TENSORRT_SHIM_CUDA_RUNTIME_API_H_
