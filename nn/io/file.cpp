#include "nn/io/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <istream>
#include <system_error>
#include <utility>

#include "autograd/error.hpp"

namespace nn::io {

namespace fs = std::filesystem;

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail(const fs::path& path, const std::string& why) {
  throw autograd::Error("can not write " + path.string() + ": " + why);
}

/// A new file beside `target`, removed again unless it is renamed to it.
class Temporary {
 public:
  /// A name of its own, or always the same, so that a process that is killed again and again leaves one file behind.
  Temporary(const fs::path& target, bool same_name) : target_(target) {
    static std::atomic<unsigned> count = 0;
    do {
      path_ = target;
      path_ += same_name ? ".tmp" : '.' + std::to_string(::getpid()) + '-' + std::to_string(count++) + ".tmp";
      file_ = std::fopen(path_.c_str(), same_name ? "wb" : "wbx");
    } while (!same_name && !file_ && errno == EEXIST);
    if (!file_) fail(target_, reason(errno));
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (file_) std::fclose(file_);
    if (!renamed_) std::remove(path_.c_str());
  }

  void write(std::string_view contents) {
    check(std::fwrite(contents.data(), 1, contents.size(), file_) == contents.size());
    check(std::fflush(file_) == 0);
    check(::fsync(::fileno(file_)) == 0);
    check(std::fclose(std::exchange(file_, nullptr)) == 0);
  }

  /// A file that was there is renamed to `previous` first, if that is given.
  void rename(fs::perms permissions, const fs::path& previous) {
    std::error_code error;
    if (permissions != fs::perms::unknown) fs::permissions(path_, permissions, error);
    if (!error && !previous.empty() && fs::exists(target_)) fs::rename(target_, previous, error);
    if (!error) fs::rename(path_, target_, error);
    if (error) fail(target_, error.message());
    renamed_ = true;
    sync_folder();
  }

 private:
  /// So that the new name is on the disk too. A file system that can not is left to itself: the file is complete.
  void sync_folder() const {
    const fs::path folder = target_.parent_path();
    const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
  }

  void check(bool done) const {
    if (!done) fail(target_, reason(errno));
  }

  fs::path target_, path_;
  std::FILE* file_ = nullptr;
  bool renamed_ = false;
};

}  // namespace

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw autograd::FormatError("can not read " + path.string() + ": it is a folder");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw autograd::FormatError("can not read " + path.string() + ": " + reason(errno));
  const auto size = fs::file_size(path, error);
  return read_stream(file, error ? 0 : static_cast<std::size_t>(size));
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

void replace_file(const fs::path& path, std::string_view contents, const fs::path& previous) {
  std::error_code error;
  const fs::file_status old = fs::status(path, error);
  if (fs::exists(old) && !fs::is_regular_file(old)) fail(path, "it is not a regular file");
  Temporary temporary(fs::exists(old) ? fs::canonical(path, error) : path, !previous.empty());
  temporary.write(contents);
  temporary.rename(fs::exists(old) ? old.permissions() : fs::perms::unknown, previous);
}

}  // namespace nn::io
