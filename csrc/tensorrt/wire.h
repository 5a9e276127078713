// Protocol buffers as bytes: walking the fields of a message and writing some, which is all that a graph
// needs here. https://protobuf.dev/programming-guides/encoding
#ifndef CLIP_TENSORRT_WIRE_H_
#define CLIP_TENSORRT_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace clip::trt::wire {

struct Field {
  uint32_t number = 0;
  uint32_t type = 0;       // 0: varint, 1: 64 bits, 2: bytes, 5: 32 bits
  uint64_t value = 0;      // of a varint
  std::string_view data;   // of bytes
  std::string_view whole;  // the field with its tag
};

// The fields of a message, one after another. Throws std::invalid_argument where the bytes end too early or
// are none.
class Reader {
 public:
  explicit Reader(std::string_view message) : rest_(message) {}
  bool Next(Field* field);

 private:
  uint64_t Varint();
  std::string_view Take(uint64_t count);

  std::string_view rest_;
};

void AddVarint(std::string* to, uint32_t number, uint64_t value);
void AddBytes(std::string* to, uint32_t number, std::string_view data);

}  // namespace clip::trt::wire

#endif  // CLIP_TENSORRT_WIRE_H_
