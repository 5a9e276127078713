// Optimisation profiles: ranges of shapes that TensorRT chooses kernels for, fitted to the batches that the
// scheduler cuts. Plain numbers, no TensorRT.
#ifndef CLIP_TENSORRT_PROFILES_H_
#define CLIP_TENSORRT_PROFILES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace clip::trt {

using Shape = std::vector<int64_t>;

// The kinds of batch: pixels [rows, size, size, 3]; ids [rows, length]; ids, positions and segments
// [lines, length] with ends [rows].
enum class Kind { kPictures, kTexts, kPackedTexts };

struct Need {
  Kind kind = Kind::kPictures;
  int64_t rows = 0;        // most of a batch; 0: not known
  int64_t length = 0;      // texts: most tokens of one; 0: not known
  int64_t image_size = 0;  // pictures: height and width
};

struct Range {
  Shape least, best, most;  // any shape between least and most fits; best is what kernels are chosen for
};

struct Profile {
  std::vector<Range> inputs;  // of the graph, in its order
};

// A change of FitProfiles gets a new number, so that engines built for the old ones are built anew.
constexpr int kProfilesVersion = 1;

// The profiles for what is needed, the smallest first.
std::vector<Profile> FitProfiles(const Need& need);

// The smallest profile that holds these shapes, by the elements of its largest; -1: none does.
int ChooseProfile(const std::vector<Profile>& profiles, const std::vector<Shape>& shapes);

// The largest batch that any profile takes, "64x224x224x3" or "64x80, 64x80, 64x80, 64".
std::string Largest(const std::vector<Profile>& profiles);

// All of them, for keys of caches.
std::string Describe(const std::vector<Profile>& profiles);
std::string Describe(const std::vector<Shape>& shapes);

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_PROFILES_H_
