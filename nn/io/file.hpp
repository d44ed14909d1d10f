// Files that are read and replaced as a whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace nn::io {

/// All bytes of a file. Throws FormatError, with the system's reason, if it can not be read, is no regular file (a
/// folder, a pipe, a device: none is waited for), or grows or shrinks meanwhile.
std::string read_file(const std::filesystem::path& path);

/// All bytes that are left in a stream, of which about `expected` are expected. Throws FormatError if reading fails.
std::string read_stream(std::istream& stream, std::size_t expected = 0);

/// Where a chain of symbolic links ends, whether or not there is a file.
std::filesystem::path linked_file(const std::filesystem::path& path);

/// Writes a temporary file in the same folder, `<path>.<16 random hexadecimal digits>.tmp`, makes sure that it is on
/// the disk, and renames it to `path`: at every instant `path` is either what it was or complete. A link stays a link,
/// and the file it points to is replaced. The new file has the permissions and, where the system allows it, the owner
/// of the old one from the beginning, and what the umask leaves if there was none. Temporary files of `path` that
/// killed processes have left are removed. The old file is kept as `previous`, if that is given, and then only one
/// process may write to `path`. Throws Error, with the system's reason, also for anything but a regular file that may
/// be written; then `path` is what it was, or at least `previous` is, and the temporary file is gone. Only where the
/// folder could not be brought to the disk at the very end is `path` the new file.
void replace_file(const std::filesystem::path& path, std::string_view contents,
                  const std::filesystem::path& previous = {});

struct FileContents {
  std::filesystem::path path;
  std::string_view contents;
};

/// As replace_file(), for files that belong together: all are on the disk before the first is replaced, in this order.
void replace_files(const std::vector<FileContents>& files);

}  // namespace nn::io
