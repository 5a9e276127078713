// Each function of NVML is one jump through its slot; the slot holds clip_nvml_missing until clip_nvml_bind.
// The symbols are hidden, so that the library keeps calling its own functions when it is opened. Hint 34 is bti c.
#define NVML(name)                        \
  .globl name;                            \
  .hidden name;                           \
  .type name, %function;                  \
  name:;                                  \
  hint #34;                               \
  adrp x16, clip_slot_##name;             \
  ldr x16, [x16, :lo12:clip_slot_##name]; \
  br x16;                                 \
  .size name, .- name;                    \
  .pushsection .data.clip_nvml, "aw";     \
  .balign 8;                              \
  .globl clip_slot_##name;                \
  .hidden clip_slot_##name;               \
  clip_slot_##name:.quad clip_nvml_missing; \
  .popsection;

.text
#include "functions.h"
.section .note.GNU-stack, "", %progbits
