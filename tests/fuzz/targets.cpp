#include "targets.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "autograd/error.hpp"

namespace fuzz {

namespace {

struct Folder {
  std::filesystem::path path;

  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "wengert-fuzz-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("there can be no folder " + pattern);
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> result = model_targets();
    for (const Target& target : audit_targets()) result.push_back(target);
    for (const Target& target : {checkpoint_target(), csv_target(), graph_target(), program_target()}) result.push_back(target);
    return result;
  }();
  return all;
}

const Target& target(const std::string& name) {
  std::string names;
  for (const Target& target : targets()) {
    if (target.name == name) return target;
    names += " " + target.name;
  }
  throw autograd::ValueError("there is no target " + name + "; there are" + names);
}

bool accepts(const Target& target, std::string_view bytes) {
  try {
    target.run(bytes);
  } catch (const autograd::Error&) {
    return false;
  }
  return true;
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  // Not cut to nothing first: some file systems then wait for the disk, which is the most of a fuzzer's time.
  std::ofstream file(path, std::ios::binary | std::ios::in);
  if (!file) file.open(path, std::ios::binary | std::ios::out);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error(path.string() + " can not be written");
  std::filesystem::resize_file(path, bytes.size());
}

std::filesystem::path scratch_file(const std::string& name, std::string_view bytes) {
  static const Folder folder;
  const std::filesystem::path path = folder.path / name;
  write_file(path, bytes);
  return path;
}

}  // namespace fuzz
