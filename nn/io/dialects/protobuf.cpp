#include "nn/io/dialects/protobuf.hpp"

#include <cstring>
#include <stdexcept>

namespace nn::io::dialects {

std::vector<Field> fields(std::string_view message) {
  std::vector<Field> result;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at == message.size()) break;
      const auto byte = static_cast<unsigned char>(message[at++]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    throw std::out_of_range("a number that does not end");
  };
  const auto take = [&](std::uint64_t size) {
    if (size > message.size() - at) throw std::out_of_range("more bytes than there are");
    at += static_cast<std::size_t>(size);
    return message.substr(at - static_cast<std::size_t>(size), static_cast<std::size_t>(size));
  };
  while (at < message.size()) {
    const std::uint64_t tag = varint();
    if (tag >> 3 == 0 || tag >> 3 > 1000) throw std::out_of_range("an unknown field");
    Field field{static_cast<int>(tag >> 3)};
    switch (tag & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
      case 5: {
        const std::string_view bytes = take((tag & 7) == 1 ? 8 : 4);
        std::memcpy(&field.value, bytes.data(), bytes.size());
        break;
      }
      case 2:
        field.bytes = take(varint());
        break;
      default:
        throw std::out_of_range("an unknown kind of field");
    }
    result.push_back(field);
  }
  return result;
}

}  // namespace nn::io::dialects
