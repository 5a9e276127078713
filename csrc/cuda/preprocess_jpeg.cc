#include "preprocess_jpeg.h"

#include <cstring>

namespace clip::pictures {
namespace {

constexpr int kMaxScans = 200;  // as in csrc/image/jpeg_reader.cc

// A walk over the segments of one file. Numbers in JPEG have the high byte first.
class Walk {
 public:
  Walk(const uint8_t* data, size_t length) : begin_(data), at_(data), end_(data + length) {}

  Left All(JpegInfo* info) {
    info_ = info;
    at_ += 2;  // SOI
    for (;;) {
      int marker = NextMarker();
      if (marker < 0) return Left::kBroken;
      if (marker == 0xD9) break;
      const Left left = Segment(marker);
      if (left != Left::kNo) return left;
    }
    if (scanned_ == 0 || scanned_ != (1u << info_->components) - 1) return Left::kBroken;
    info_->baseline = frame_ == 0xC0 && scans_ == 1;
    info_->length = static_cast<size_t>(at_ - begin_);
    return Colours();
  }

 private:
  size_t Rest() const { return static_cast<size_t>(end_ - at_); }
  static int Number(const uint8_t* p) { return p[0] << 8 | p[1]; }

  // The code of the marker at at_, which then lies behind it; -1 where there is none.
  int NextMarker() {
    if (Rest() < 2 || *at_ != 0xFF) return -1;
    while (at_ < end_ && *at_ == 0xFF) ++at_;  // any number of fill bytes
    return at_ < end_ ? *at_++ : -1;
  }

  Left Segment(int marker) {
    // Markers without a length have no place here: 00, TEM, restarts and a second SOI.
    if (marker < 0xC0 || (marker >= 0xD0 && marker <= 0xD8)) return Left::kBroken;
    if (Rest() < 2) return Left::kBroken;
    const int length = Number(at_);
    if (length < 2 || static_cast<size_t>(length) > Rest()) return Left::kBroken;
    const uint8_t* body = at_ + 2;
    const int bytes = length - 2;
    at_ += length;
    switch (marker) {
      case 0xC0:
      case 0xC1:
      case 0xC2:
        return Frame(marker, body, bytes);
      case 0xC4:
        return Huffman(body, bytes);
      case 0xDB:
        return Quantization(body, bytes);
      case 0xDA:
        return Scan(body, bytes);
      case 0xDD:
        return bytes == 2 ? Left::kNo : Left::kBroken;
      case 0xE0:
        if (bytes >= 14 && std::memcmp(body, "JFIF", 5) == 0) jfif_ = true;
        return Left::kNo;
      case 0xEE:
        if (bytes >= 12 && std::memcmp(body, "Adobe", 5) == 0) adobe_ = body[11];
        return Left::kNo;
      case 0xCC:  // arithmetic conditioning
      case 0xDC:  // a height that comes later
        return Left::kKind;
      default:
        // Other frames: lossless, hierarchical, arithmetic. APPn and COM tell nothing that counts.
        return marker <= 0xCF || (marker >= 0xDE && marker <= 0xDF) ? Left::kKind : Left::kNo;
    }
  }

  Left Frame(int marker, const uint8_t* body, int bytes) {
    if (frame_ != 0 || bytes < 6) return Left::kBroken;
    frame_ = marker;
    if (body[0] != 8) return Left::kKind;
    info_->height = Number(body + 1);
    info_->width = Number(body + 3);
    info_->components = body[5];
    if (info_->width == 0) return Left::kBroken;
    if (info_->height == 0) return Left::kKind;
    if (bytes != 6 + 3 * info_->components) return Left::kBroken;
    if (info_->components != 1 && info_->components != 3) return Left::kKind;
    for (int c = 0; c < info_->components; ++c) {
      const uint8_t* component = body + 6 + 3 * c;
      ids_[c] = component[0];
      across_[c] = component[1] >> 4;
      down_[c] = component[1] & 15;
      quantization_[c] = component[2];
      for (int other = 0; other < c; ++other) {
        if (ids_[other] == ids_[c]) return Left::kBroken;
      }
      if (across_[c] < 1 || across_[c] > 4 || down_[c] < 1 || down_[c] > 4 || quantization_[c] > 3)
        return Left::kBroken;
      if (c > 0 && (across_[c] != 1 || down_[c] != 1)) return Left::kKind;
    }
    if (info_->components == 1) return across_[0] == 1 && down_[0] == 1 ? Left::kNo : Left::kKind;
    info_->across = across_[0];
    info_->down = down_[0];
    // 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1.
    const int sampling = across_[0] * 10 + down_[0];
    const bool usual = sampling == 11 || sampling == 21 || sampling == 22 || sampling == 12 || sampling == 41;
    return usual ? Left::kNo : Left::kKind;
  }

  Left Quantization(const uint8_t* body, int bytes) {
    while (bytes > 0) {
      const int table = body[0] & 15;
      const int size = 1 + 64 * (body[0] >> 4 == 0 ? 1 : 2);
      if (body[0] >> 4 > 1 || table > 3 || bytes < size) return Left::kBroken;
      has_quantization_ |= 1u << table;
      body += size;
      bytes -= size;
    }
    return Left::kNo;
  }

  Left Huffman(const uint8_t* body, int bytes) {
    while (bytes > 0) {
      if (bytes < 17) return Left::kBroken;
      const int kind = body[0] >> 4;
      const int table = body[0] & 15;
      if (kind > 1 || table > 3) return Left::kBroken;
      // Codes of each length must fit beside the shorter ones.
      int symbols = 0, room = 1;
      for (int length = 1; length <= 16; ++length) {
        room = 2 * room - body[length];
        if (room < 0) return Left::kBroken;
        symbols += body[length];
      }
      if (symbols > 256 || bytes < 17 + symbols) return Left::kBroken;
      has_huffman_ |= 1u << (4 * kind + table);
      body += 17 + symbols;
      bytes -= 17 + symbols;
    }
    return Left::kNo;
  }

  Left Scan(const uint8_t* body, int bytes) {
    if (frame_ == 0 || ++scans_ > kMaxScans || bytes < 1) return Left::kBroken;
    const int count = body[0];
    if (count < 1 || count > info_->components || bytes != 4 + 2 * count) return Left::kBroken;
    const uint8_t* last = body + 1 + 2 * count;
    const int first_coefficient = last[0], last_coefficient = last[1];
    const int high = last[2] >> 4;
    if (first_coefficient > last_coefficient || last_coefficient > 63) return Left::kBroken;
    if (frame_ != 0xC2 && (first_coefficient != 0 || last_coefficient != 63 || last[2] != 0))
      return Left::kBroken;
    uint32_t seen = 0;
    for (int i = 0; i < count; ++i) {
      int c = 0;
      while (c < info_->components && ids_[c] != body[1 + 2 * i]) ++c;
      if (c == info_->components || (seen & 1u << c) != 0) return Left::kBroken;
      seen |= 1u << c;
      const int tables = body[2 + 2 * i];
      const bool dc = first_coefficient == 0 && high == 0;  // a refinement of DC has no codes
      const bool ac = last_coefficient > 0;
      if (tables >> 4 > 3 || (tables & 15) > 3) return Left::kBroken;
      if (dc && (has_huffman_ & 1u << (tables >> 4)) == 0) return Left::kBroken;
      if (ac && (has_huffman_ & 1u << (4 + (tables & 15))) == 0) return Left::kBroken;
      if ((has_quantization_ & 1u << quantization_[c]) == 0) return Left::kBroken;
      if (dc) scanned_ |= 1u << c;
    }
    return SkipCoded() ? Left::kNo : Left::kBroken;
  }

  // Passes over entropy-coded data: at_ is left at the marker behind it. False where the data ends before.
  bool SkipCoded() {
    while (at_ < end_) {
      at_ = static_cast<const uint8_t*>(std::memchr(at_, 0xFF, Rest()));
      if (at_ == nullptr || end_ - at_ < 2) break;
      const uint8_t next = at_[1];
      if (next == 0xFF) {
        ++at_;
      } else if (next == 0 || (next >= 0xD0 && next <= 0xD7)) {
        at_ += 2;
      } else {
        return true;
      }
    }
    return false;
  }

  // Which colours three components are, as default_decompress_parms in libjpeg-turbo's jdapimin.c decides.
  Left Colours() const {
    if (info_->components == 1 || jfif_) return Left::kNo;
    if (adobe_ >= 0) return adobe_ == 0 ? Left::kKind : Left::kNo;
    return ids_[0] == 'R' && ids_[1] == 'G' && ids_[2] == 'B' ? Left::kKind : Left::kNo;
  }

  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
  JpegInfo* info_ = nullptr;
  int frame_ = 0;  // SOF marker
  int scans_ = 0;
  int ids_[3] = {}, across_[3] = {}, down_[3] = {}, quantization_[3] = {};
  uint32_t has_quantization_ = 0, has_huffman_ = 0;  // tables seen; Huffman: 4 of DC, 4 of AC
  uint32_t scanned_ = 0;                             // components whose first coefficient has come
  bool jfif_ = false;
  int adobe_ = -1;  // transform of Adobe's marker
};

}  // namespace

const char* LeftReason(Left left) {
  switch (left) {
    case Left::kNo:
      return "it was not left";
    case Left::kNotJpeg:
      return "it is no JPEG";
    case Left::kBroken:
      return "its structure is broken";
    case Left::kKind:
      return "it is of a kind that the GPU does not decode";
    case Left::kTooLarge:
      return "it is too large";
    case Left::kRefused:
      return "the GPU's decoder refused it";
  }
  return "?";
}

Left InspectJpeg(const uint8_t* data, size_t length, JpegInfo* info) {
  *info = {};
  if (data == nullptr || length < 3 || data[0] != 0xFF || data[1] != 0xD8 || data[2] != 0xFF)
    return Left::kNotJpeg;
  return Walk(data, length).All(info);
}

}  // namespace clip::pictures
