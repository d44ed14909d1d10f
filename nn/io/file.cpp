#include "nn/io/file.hpp"

#include <algorithm>
#include <array>
#include <istream>
#include <memory>
#include <random>
#include <system_error>

#include "autograd/error.hpp"
#include "nn/io/file_system.hpp"

namespace nn::io {

namespace fs = std::filesystem;

namespace {

/// What a file is that is no regular one, or null.
const char* irregular(fs::file_type type) {
  switch (type) {
    case fs::file_type::directory:
      return "a folder";
    case fs::file_type::symlink:
      return "a link";
    case fs::file_type::fifo:
      return "a pipe";
    case fs::file_type::socket:
      return "a socket";
    case fs::file_type::block:
    case fs::file_type::character:
      return "a device";
    default:
      return nullptr;
  }
}

/// Runs `f`, of which every error of the system becomes an E.
template <class E>
auto reported(const std::string& what, const auto& f) {
  try {
    return f();
  } catch (const std::system_error& error) {
    throw E(what + ": " + error.code().message());
  }
}

constexpr std::size_t digits = 16;
constexpr std::string_view hexadecimal = "0123456789abcdef", ending = ".tmp";

/// A name that nobody foresees, so that nobody puts a link or a pipe there beforehand.
fs::path temporary_name(const fs::path& target) {
  std::random_device random;
  std::string suffix = ".";
  for (std::size_t k = 0; k < digits; ++k) suffix += hexadecimal[random() % hexadecimal.size()];
  return fs::path(target) += suffix.append(ending);
}

bool is_temporary_name(const fs::path& path, const fs::path& target) {
  const auto name = path.filename().native(), begin = target.filename().native();
  if (name.size() != begin.size() + 1 + digits + ending.size() || !name.starts_with(begin)) return false;
  const auto rest = name.substr(begin.size());
  const auto is_digit = [](auto c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return rest[0] == '.' && std::all_of(rest.begin() + 1, rest.begin() + 1 + digits, is_digit) &&
         std::equal(ending.begin(), ending.end(), rest.end() - ending.size());
}

/// What processes have left that were killed while they wrote `target`. A folder that can not be listed keeps it.
void remove_leftovers(const fs::path& target) {
  const fs::path folder = target.parent_path();
  detail::for_each_name(folder, [&](const fs::path& name) {
    if (is_temporary_name(name, target)) detail::remove_abandoned(folder / name);
  });
}

std::unique_ptr<detail::NewFile> new_file_for(const fs::path& target) {
  for (int attempt = 0;; ++attempt) {
    try {
      return std::make_unique<detail::NewFile>(temporary_name(target), target);
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::file_exists || attempt == 100) throw;
    }
  }
}

/// Throws Error for what is there and is no file that may be replaced.
void require_replaceable(const fs::path& path, fs::file_type type) {
  if (type == fs::file_type::not_found) return;
  if (const char* const kind = irregular(type))
    throw autograd::Error("can not write " + path.string() + ": it is " + kind + ", not a regular file");
  detail::require_writable(path);
}

/// The new file of replace_file(), complete and on the disk but not yet in its place.
class Replacement {
 public:
  Replacement(const fs::path& path, std::string_view contents, const fs::path& previous = {})
      : what_("can not write " + path.string()), target_(linked_file(path)), folder_(target_.parent_path()) {
    reported<autograd::Error>(what_, [&] {
      const fs::file_type type = fs::status(target_).type();
      require_replaceable(path, type);
      if (!previous.empty()) require_replaceable(previous, fs::symlink_status(previous).type());
      if (type != fs::file_type::not_found) previous_ = previous;
      remove_leftovers(target_);
      file_ = new_file_for(target_);
      file_->write(contents);
      file_->sync();
    });
  }

  void put_in_place() {
    reported<autograd::Error>(what_, [&] {
      if (!previous_.empty()) fs::rename(target_, previous_);
      try {
        file_->rename(target_);
      } catch (const std::system_error&) {
        std::error_code error;  // the first one is reported
        if (!previous_.empty()) fs::rename(previous_, target_, error);
        throw;
      }
      detail::sync_folder(folder_);
    });
  }

 private:
  std::string what_;
  fs::path target_, folder_, previous_;  // made beforehand: put_in_place() allocates nothing
  std::unique_ptr<detail::NewFile> file_;
};

}  // namespace

std::string read_file(const fs::path& path) {
  const std::string what = "can not read " + path.string();
  return reported<autograd::FormatError>(what, [&] {
    const auto refuse = [&](const std::string& kind) { throw autograd::FormatError(what + ": it is " + kind); };
    std::error_code error;  // opening tells more
    const fs::file_type type = fs::status(path, error).type();
    if (type == fs::file_type::directory) refuse("a folder");
    constexpr const char* advice = ", not a regular file; save what comes out of it in one";
    if (const char* const kind = irregular(type)) refuse(std::string(kind) + advice);
    detail::InputFile file(path);
    if (!file.regular()) refuse(std::string("a pipe or a device") + advice);  // since just now

    std::string text;
    if (file.size() > text.max_size()) throw autograd::FormatError(what + ": it is too large");
    text.resize(static_cast<std::size_t>(file.size()));
    std::size_t read = 0;
    for (std::size_t count = 1; count > 0 && read < text.size(); read += count)
      count = file.read(text.data() + read, text.size() - read);
    char more;
    if (read < text.size() || file.read(&more, 1) > 0)
      throw autograd::FormatError(what + ": it " + (read < text.size() ? "shrinks" : "grows") +
                                  " while it is read; read it again when it is complete");
    return text;
  });
}

std::string read_stream(std::istream& stream, std::size_t expected) {
  std::string text;
  text.reserve(expected);
  std::array<char, 1 << 14> block;
  do {
    stream.read(block.data(), block.size());
    text.append(block.data(), static_cast<std::size_t>(stream.gcount()));
  } while (stream);
  if (!stream.eof()) throw autograd::FormatError("can not read the stream: it failed");
  return text;
}

fs::path linked_file(const fs::path& path) {
  fs::path result = path;
  std::error_code error;
  for (int links = 0; links < 40 && fs::is_symlink(fs::symlink_status(result, error)); ++links) {
    const fs::path next = fs::read_symlink(result, error);
    if (error) break;
    result = result.parent_path() / next;
  }
  return result;
}

void replace_file(const fs::path& path, std::string_view contents, const fs::path& previous) {
  Replacement(path, contents, previous).put_in_place();
}

void replace_files(const std::vector<FileContents>& files) {
  std::vector<std::unique_ptr<Replacement>> replacements;
  for (const FileContents& file : files)
    replacements.push_back(std::make_unique<Replacement>(file.path, file.contents));
  for (const auto& replacement : replacements) replacement->put_in_place();
}

}  // namespace nn::io
