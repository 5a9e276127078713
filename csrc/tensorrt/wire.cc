#include "wire.h"

#include <stdexcept>

namespace clip::trt::wire {
namespace {

void Append(std::string* to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to->push_back(static_cast<char>(value | 0x80));
  to->push_back(static_cast<char>(value));
}

}  // namespace

uint64_t Reader::Varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    auto byte = static_cast<unsigned char>(Take(1)[0]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  throw std::invalid_argument("a number of more than 64 bits");
}

std::string_view Reader::Take(uint64_t count) {
  if (count > rest_.size()) throw std::invalid_argument("the file ends in the middle of a field");
  std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

bool Reader::Next(Field* field) {
  if (rest_.empty()) return false;
  std::string_view start = rest_;
  uint64_t tag = Varint();
  *field = Field();
  field->number = static_cast<uint32_t>(tag >> 3);
  field->type = tag & 7;
  if (field->number == 0) throw std::invalid_argument("a field without a number");
  switch (field->type) {
    case 0:
      field->value = Varint();
      break;
    case 1:
      Take(8);
      break;
    case 2:
      field->data = Take(Varint());
      break;
    case 5:
      Take(4);
      break;
    default:
      throw std::invalid_argument("a field of unknown type");
  }
  field->whole = start.substr(0, start.size() - rest_.size());
  return true;
}

void AddVarint(std::string* to, uint32_t number, uint64_t value) {
  Append(to, uint64_t{number} << 3);
  Append(to, value);
}

void AddBytes(std::string* to, uint32_t number, std::string_view data) {
  Append(to, uint64_t{number} << 3 | 2);
  Append(to, data.size());
  to->append(data);
}

}  // namespace clip::trt::wire
