// Targets: everything that reads what others wrote, as functions of bytes. Whatever the bytes are, the answer is an
// autograd::Error or what was read; any other exception, a crash, and minutes of work are faults of the library.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

struct Target {
  std::string name;
  /// Throws autograd::Error for bytes that are refused, std::logic_error for an answer that is wrong.
  void (*run)(std::string_view bytes);
  /// Written by the library itself: none may be refused.
  std::vector<std::string> (*seeds)();
  /// The bytes for run() of a file of the format.
  std::string (*load)(const std::filesystem::path& file);
};

const std::vector<Target>& targets();
/// Throws ValueError for a name that there is not.
const Target& target(const std::string& name);

/// Whether the bytes were taken, and not refused.
bool accepts(const Target& target, std::string_view bytes);

// One source each.
std::vector<Target> model_targets();
Target checkpoint_target();
std::vector<Target> audit_targets();
Target csv_target();
Target graph_target();
Target program_target();

/// Replaces what a file has in it.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// A file of these bytes, in a folder of this process that goes with it.
std::filesystem::path scratch_file(const std::string& name, std::string_view bytes);

}  // namespace fuzz
