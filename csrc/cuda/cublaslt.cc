#include "cublaslt.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "error.h"

namespace clip::cuda {
namespace {

std::vector<std::string> Candidates() {
  const char* named = getenv("CLIPD_CUBLASLT");
  if (named != nullptr && *named != '\0') return {named};
  std::vector<std::string> all;
  Dl_info own;
  if (dladdr(reinterpret_cast<const void*>(&OpenCublasLt), &own) != 0 && own.dli_fname != nullptr) {
    std::filesystem::path folder = std::filesystem::path(own.dli_fname).parent_path();
    for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12"})
      all.push_back((folder / name).string());
  }
  for (const char* folder : {"", "/usr/local/cuda/lib64/"}) {
    for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12"})
      all.push_back(std::string(folder) + name);
  }
  return all;
}

template <typename Function>
void Resolve(void* library, const char* name, const std::string& path, Function* function) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr) Fail(CLIP_UNAVAILABLE, path, " has no ", name, "; cuBLAS 12 or 13 is needed");
  *function = reinterpret_cast<Function>(symbol);
}

CublasLt Open() {
  void* library = nullptr;
  CublasLt lt = {};
  std::string why;
  for (const std::string& path : Candidates()) {
    library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) {
      lt.path = path;
      break;
    }
    const char* text = dlerror();
    if (why.empty() || (text != nullptr && std::string(text).find("No such file") == std::string::npos))
      why = text;
  }
  if (library == nullptr) {
    Fail(CLIP_UNAVAILABLE, "cuBLASLt cannot be opened (", why,
         "); install cuBLAS 13 or 12 (libcublasLt.so.13), or name the file in CLIPD_CUBLASLT");
  }
  auto resolve = [&](const char* name, auto* function) { Resolve(library, name, lt.path, function); };
  resolve("cublasLtCreate", &lt.Create);
  resolve("cublasLtDestroy", &lt.Destroy);
  resolve("cublasLtGetVersion", &lt.GetVersion);
  resolve("cublasLtGetStatusString", &lt.GetStatusString);
  resolve("cublasLtMatmul", &lt.Matmul);
  resolve("cublasLtMatmulDescCreate", &lt.MatmulDescCreate);
  resolve("cublasLtMatmulDescDestroy", &lt.MatmulDescDestroy);
  resolve("cublasLtMatmulDescSetAttribute", &lt.MatmulDescSetAttribute);
  resolve("cublasLtMatrixLayoutCreate", &lt.MatrixLayoutCreate);
  resolve("cublasLtMatrixLayoutDestroy", &lt.MatrixLayoutDestroy);
  resolve("cublasLtMatmulPreferenceCreate", &lt.MatmulPreferenceCreate);
  resolve("cublasLtMatmulPreferenceDestroy", &lt.MatmulPreferenceDestroy);
  resolve("cublasLtMatmulPreferenceSetAttribute", &lt.MatmulPreferenceSetAttribute);
  resolve("cublasLtMatmulAlgoGetHeuristic", &lt.MatmulAlgoGetHeuristic);
  resolve("cublasLtMatmulAlgoCheck", &lt.MatmulAlgoCheck);
  return lt;
}

}  // namespace

const CublasLt& OpenCublasLt() {
  static const CublasLt opened = Open();
  return opened;
}

void CheckCublasLt(int status, const std::string& what) {
  if (status == CublasLt::kSuccess) return;
  constexpr int kAllocationFailed = 3;
  Fail(status == kAllocationFailed ? CLIP_OUT_OF_MEMORY : CLIP_INTERNAL, what, ": cuBLASLt says ",
       OpenCublasLt().GetStatusString(status));
}

}  // namespace clip::cuda
