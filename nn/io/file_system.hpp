// What reading and replacing files needs of the operating system. Implemented by file_posix.cpp and file_windows.cpp,
// of which CMake chooses one. Whatever fails throws std::system_error, with the system's reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace nn::io::detail {

/// A file that is being read.
class InputFile {
 public:
  /// Does not wait for the other end of a pipe.
  explicit InputFile(const std::filesystem::path& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  bool regular() const { return regular_; }
  /// In bytes, as it was when the file was opened.
  std::uintmax_t size() const { return size_; }
  /// Up to `count` bytes; none at the end.
  std::size_t read(char* to, std::size_t count);

 private:
  std::intptr_t handle_;
  bool regular_;
  std::uintmax_t size_;
};

/// A file that was not there before, and is removed again unless it is renamed.
class NewFile {
 public:
  /// Where `old` is a file, the new one has its permissions, and at no time others. Throws errc::file_exists if
  /// something is at `path`, be it a link.
  NewFile(const std::filesystem::path& path, const std::filesystem::path& old);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  void write(std::string_view bytes);
  /// Returns when all that was written is on the disk.
  void sync();
  /// Replaces what is there.
  void rename(const std::filesystem::path& path);

 private:
  void copy_permissions(const std::filesystem::path& old);

  std::filesystem::path path_;
  std::intptr_t handle_;
};

/// Calls f(name) for every name in a folder; for none in one that can not be listed. Not std::filesystem's iterator:
/// where memory runs out, GCC's ends the program.
void for_each_name(const std::filesystem::path& folder, const std::function<void(const std::filesystem::path&)>& f);

/// Removes a NewFile of a process that has ended. One that is still being written stays.
void remove_abandoned(const std::filesystem::path& path) noexcept;

/// Throws the system's reason if this user may not write to a file.
void require_writable(const std::filesystem::path& path);

/// Returns when the names in a folder are on the disk, as far as its file system can tell.
void sync_folder(const std::filesystem::path& folder);

}  // namespace nn::io::detail
