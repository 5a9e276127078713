#include "kernels.h"

#include <cstdlib>
#include <cstring>

namespace clip_image {
namespace {

const Kernels& Choose() {
  const Kernels* const forms[] = {Avx512Kernels(), Avx2Kernels(), &ScalarKernels()};
  const char* wanted = std::getenv("CLIP_SIMD");
  for (const Kernels* form : forms) {
    if (form != nullptr && wanted != nullptr && std::strcmp(form->name, wanted) == 0) return *form;
  }
  for (const Kernels* form : forms) {
    if (form != nullptr) return *form;
  }
  return ScalarKernels();
}

}  // namespace

const Kernels& BestKernels() {
  static const Kernels& best = Choose();
  return best;
}

}  // namespace clip_image
