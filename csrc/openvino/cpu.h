// What this machine's processor computes natively.
#ifndef CLIP_OPENVINO_CPU_H_
#define CLIP_OPENVINO_CPU_H_

namespace clip {

// True when the processor multiplies bfloat16 (AVX512-BF16 or AMX-BF16) and the system saves the registers
// that this needs. OpenVINO's own "BF16" capability is also set where it emulates the type, slower than fp32.
bool HasNativeBf16();

}  // namespace clip

#endif  // CLIP_OPENVINO_CPU_H_
