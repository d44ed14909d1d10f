// The file of a checkpoint:
//
//   "wengert-checkpoint/1\n"
//   records: bytes of the name (4 bytes) and the name, type (1), axes (1), extents (8 each), numbers
//   CRC-64 of everything before (8)
//
// Everything is little-endian. Every version begins with its name on a line and ends with the checksum, so that a
// damaged file is told from one of another version.
#include "nn/io/checkpoint.hpp"

#include <array>
#include <locale>
#include <sstream>

#include "nn/io/file.hpp"

namespace nn::io::detail {

using autograd::FormatError;

namespace {

static_assert(std::endian::native == std::endian::little, "the bytes of the file are those of the memory");

constexpr std::string_view family = "wengert-checkpoint/", magic = "wengert-checkpoint/1\n";

/// The table of the reflected polynomial of ECMA-182.
constexpr std::array<std::uint64_t, 256> crc_table = [] {
  std::array<std::uint64_t, 256> table{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = remainder >> 1 ^ (remainder & 1 ? 0xC96C5795D7870F42 : 0);
    table[byte] = remainder;
  }
  return table;
}();

std::uint64_t crc64(std::string_view bytes) {
  std::uint64_t crc = ~std::uint64_t{0};
  for (const char c : bytes) crc = crc >> 8 ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

template <class N>
void append(std::string& to, N number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class N>
N number_at(std::string_view bytes, std::size_t at) {
  N number;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

std::size_t size_of(Code code) {
  switch (code) {
    case Code::truth:
    case Code::text:
      return 1;
    case Code::float32:
      return 4;
    default:
      return 8;
  }
}

const char* name(Code code) {
  switch (code) {
    case Code::truth:
      return "a truth value";
    case Code::integer:
      return "an integer";
    case Code::whole:
      return "a whole number";
    case Code::float32:
      return "a float";
    case Code::float64:
      return "a double";
    default:
      return "a text";
  }
}

/// Beside the file itself, where `path` is a link to it.
std::filesystem::path previous(const std::filesystem::path& path) { return linked_file(path) += ".previous"; }

bool known_version(std::string_view file) { return file.starts_with(magic); }

/// What is wrong with a file, or nothing if it is whole, be it of another version.
std::string damage(std::string_view file) {
  if (!file.starts_with(family)) return "it does not begin as a checkpoint";
  if (file.size() < magic.size() + 8 ||
      crc64(file.substr(0, file.size() - 8)) != number_at<std::uint64_t>(file, file.size() - 8))
    return std::string("its checksum is wrong, it is damaged or was cut") +
           (known_version(file) ? "" : ", or it is of another version");
  if (!known_version(file)) return {};
  try {
    records_of(file, "");
    return {};
  } catch (const FormatError& error) {
    return error.what();
  }
}

/// Whether there is a file, and nothing is wrong with it.
bool is_whole(const std::filesystem::path& path) {
  try {
    return damage(read_file(path)).empty();
  } catch (const FormatError&) {
    return false;
  }
}

}  // namespace

void append_record(std::string& payload, const std::string& name, Code code, const Shape& shape,
                   std::string_view bytes) {
  append(payload, static_cast<std::uint32_t>(name.size()));
  payload += name;
  payload += static_cast<char>(code);
  payload += static_cast<char>(shape.rank());
  for (const std::size_t extent : shape) append(payload, static_cast<std::uint64_t>(extent));
  payload += bytes;
}

std::string checkpoint_file(std::string_view payload) {
  std::string file;
  file.reserve(magic.size() + payload.size() + 8);
  file += magic;
  file += payload;
  append(file, crc64(file));
  return file;
}

void write_checkpoint(std::string_view payload, const std::filesystem::path& path) {
  // A damaged file must not take the place of the one before it, which may be the only good one.
  const std::filesystem::path kept = is_whole(path) ? previous(path) : std::filesystem::path();
  const std::string file = checkpoint_file(payload);
  records_of(file, path.string());  // a name that occurs twice is found now
  replace_file(path, file, kept);
}

std::string read_checkpoint(const std::filesystem::path& path, std::filesystem::path& found) {
  std::string problems;
  for (const std::filesystem::path& candidate : {path, previous(path)}) {
    found = candidate;
    std::string file, problem;
    try {
      file = read_file(candidate);
      problem = damage(file);
      if (!problem.empty()) problem.insert(0, candidate.string() + ": ");
    } catch (const FormatError& error) {
      problem = error.what();
    }
    if (problem.empty() && known_version(file)) return file;
    if (problem.empty())
      throw FormatError("load_checkpoint: " + candidate.string() +
                        ": it is of another version, and this library reads " +
                        std::string(magic.substr(0, magic.size() - 1)) + "; update it");
    problems += (problems.empty() ? "" : "; ") + problem;
  }
  throw FormatError("load_checkpoint: " + problems);
}

Records records_of(std::string_view file, const std::string& source) {
  Records records;
  const std::size_t end = file.size() - 8;
  std::size_t at = magic.size();
  const auto fail = [&](const std::string& what) {
    throw FormatError((source.empty() ? "" : "checkpoint " + source + ", ") + "byte " + std::to_string(at) + ": " +
                      what);
  };
  const auto need = [&](std::size_t size) {
    if (size > end - at) fail("a record that does not end");
  };
  while (at < end) {
    need(4);
    const auto length = number_at<std::uint32_t>(file, at);
    at += 4;
    need(std::size_t{length} + 2);
    const std::string name(file.substr(at, length));
    at += length;
    Record record{static_cast<Code>(file[at]), {}, {}};
    const auto rank = static_cast<unsigned char>(file[at + 1]);
    at += 2;
    if (std::string_view("biufds").find(static_cast<char>(record.code)) == std::string_view::npos)
      fail("an unknown type");
    if (rank > Shape::max_rank) fail("more than " + std::to_string(Shape::max_rank) + " axes");
    need(std::size_t{8} * rank);
    std::size_t bytes = size_of(record.code);
    for (unsigned char axis = 0; axis < rank; ++axis, at += 8) {
      const auto extent = number_at<std::uint64_t>(file, at);
      if (extent > file.size() || bytes > file.size()) fail("an extent beyond the end of the file");
      record.shape.push_back(extent);
      bytes *= extent;
    }
    need(bytes);
    record.bytes = file.substr(at, bytes);
    at += bytes;
    if (!records.emplace(name, record).second) fail("the name " + name + " occurs twice");
  }
  return records;
}

std::optional<Record> CheckpointReader::take(const std::string& path, Code code) {
  const auto found = records_->find(path);
  if (found == records_->end()) {
    problem(path + " is missing");
    return {};
  }
  const Record record = found->second;
  records_->erase(found);
  if (record.code == code) return record;
  problem(path + ": file " + name(record.code) + ", here " + name(code));
  return {};
}

std::string generator_text(const autograd::Generator& generator) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.exceptions(std::ios::badbit);  // it runs out of memory in silence otherwise
  text << generator;
  return std::move(text).str();
}

void CheckpointReader::generator(const std::string& path, autograd::Generator& member) {
  const auto text = take(path, Code::text);
  if (!text) return;
  std::istringstream stream{std::string(text->bytes)};
  stream.imbue(std::locale::classic());
  autograd::Generator value;
  if (!(stream >> value) || stream.peek() != std::istringstream::traits_type::eof())
    return problem(path + " is no state of a generator");
  later([&member, value]() noexcept { member = value; });
}

CheckpointReader::~CheckpointReader() {
  for (auto undo = undos_.rbegin(); undo != undos_.rend(); ++undo) (*undo)();
}

void CheckpointReader::commit(const std::string& source) {
  std::string all = problems_;
  for (const auto& [name, record] : *records_) all += (all.empty() ? "" : ", ") + name + " is unexpected";
  if (!all.empty()) throw FormatError("load_checkpoint: " + source + ": " + all);
  for (const auto& begin : begins_) begin();
  undos_.clear();
  for (const auto& set : commits_) set();
}

}  // namespace nn::io::detail
