// Files that are read and replaced as a whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <string_view>

namespace nn::io {

/// All bytes of a file. Throws FormatError, with the system's reason, if it can not be read.
std::string read_file(const std::filesystem::path& path);

/// All bytes that are left in a stream, of which about `expected` are expected. Throws FormatError if reading fails.
std::string read_stream(std::istream& stream, std::size_t expected = 0);

/// Writes a temporary file in the same folder, makes sure that it is on the disk, and renames it to `path`: at every
/// instant `path` is either what it was or complete. A link stays a link, and permissions stay as they were.
/// The old file is kept as `previous`, if that is given, and then only one process may write to `path`. Throws Error,
/// with the system's reason; then `path` is what it was, or at least `previous` is, and the temporary file is gone.
void replace_file(const std::filesystem::path& path, std::string_view contents,
                  const std::filesystem::path& previous = {});

}  // namespace nn::io
