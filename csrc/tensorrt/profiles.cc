#include "profiles.h"

#include <algorithm>

namespace clip::trt {
namespace {

constexpr int64_t kUnknownRows = 32, kUnknownLength = 77;

// The scheduler packs texts into lines of up to 80 tokens, or of the longest text where that is longer.
constexpr int64_t kLine = 80;
// It rounds the rows of a packed batch up to a multiple of this.
constexpr int64_t kRowStep = 8;
// Texts have some 20 tokens in a line on the whole.
constexpr int64_t kUsualText = 20;

// The buckets below most, and most.
std::vector<int64_t> Buckets(std::vector<int64_t> buckets, int64_t most) {
  std::erase_if(buckets, [&](int64_t bucket) { return bucket >= most; });
  buckets.push_back(most);
  return buckets;
}

std::vector<int64_t> RowBuckets(int64_t most) { return Buckets({1, 8, 32}, most); }
std::vector<int64_t> LengthBuckets(int64_t most) { return Buckets({16, 32}, most); }

Range UpTo(Shape most) { return {Shape(most.size(), 1), most, most}; }

Profile Packed(int64_t lines, int64_t width, int64_t rows) {
  Profile profile;
  profile.inputs.assign(3, UpTo({lines, width}));
  Range ends = UpTo({rows});
  ends.best = {std::clamp(lines * width / kUsualText, int64_t{1}, rows)};
  profile.inputs.push_back(ends);
  return profile;
}

int64_t Elements(const Profile& profile) {
  int64_t elements = 1;
  for (int64_t dimension : profile.inputs[0].most) elements *= dimension;
  return elements;
}

bool Holds(const Range& range, const Shape& shape) {
  if (shape.size() != range.most.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < range.least[i] || shape[i] > range.most[i]) return false;
  }
  return true;
}

bool Holds(const Profile& profile, const std::vector<Shape>& shapes) {
  if (shapes.size() != profile.inputs.size()) return false;
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (!Holds(profile.inputs[i], shapes[i])) return false;
  }
  return true;
}

std::string Text(const Shape& shape) {
  std::string text;
  for (int64_t dimension : shape) text += (text.empty() ? "" : "x") + std::to_string(dimension);
  return text;
}

}  // namespace

std::vector<Profile> FitProfiles(const Need& need) {
  std::vector<Profile> profiles;
  int64_t most_rows = need.rows > 0 ? need.rows : kUnknownRows;
  int64_t most_length = need.length > 0 ? need.length : kUnknownLength;
  int64_t line = std::max(kLine, most_length), ends = (most_rows + kRowStep - 1) / kRowStep * kRowStep;
  if (need.kind == Kind::kPackedTexts) {
    for (int64_t width : LengthBuckets(line)) profiles.push_back(Packed(1, width, ends));
  }
  for (int64_t rows : RowBuckets(most_rows)) {
    switch (need.kind) {
      case Kind::kPictures: {
        Range pixels = UpTo({rows, need.image_size, need.image_size, 3});
        pixels.least = {1, need.image_size, need.image_size, 3};
        profiles.push_back({{pixels}});
        break;
      }
      case Kind::kTexts:
        for (int64_t length : LengthBuckets(most_length)) profiles.push_back({{UpTo({rows, length})}});
        break;
      case Kind::kPackedTexts:
        if (rows > 1) profiles.push_back(Packed(rows, line, ends));
        break;
    }
  }
  return profiles;
}

int ChooseProfile(const std::vector<Profile>& profiles, const std::vector<Shape>& shapes) {
  int chosen = -1;
  for (size_t i = 0; i < profiles.size(); ++i) {
    if (!Holds(profiles[i], shapes)) continue;
    if (chosen < 0 || Elements(profiles[i]) < Elements(profiles[static_cast<size_t>(chosen)]))
      chosen = static_cast<int>(i);
  }
  return chosen;
}

std::string Describe(const std::vector<Shape>& shapes) {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : ", ") + Text(shape);
  return text;
}

std::string Largest(const std::vector<Profile>& profiles) {
  auto largest = std::max_element(profiles.begin(), profiles.end(), [](const Profile& a, const Profile& b) {
    return Elements(a) < Elements(b);
  });
  std::vector<Shape> shapes;
  for (const Range& range : largest->inputs) shapes.push_back(range.most);
  return Describe(shapes);
}

std::string Describe(const std::vector<Profile>& profiles) {
  std::string text;
  for (const Profile& profile : profiles) {
    for (const Range& range : profile.inputs) {
      text += Text(range.least) + "-" + Text(range.best) + "-" + Text(range.most) + " ";
    }
    text += "| ";
  }
  return text;
}

}  // namespace clip::trt
